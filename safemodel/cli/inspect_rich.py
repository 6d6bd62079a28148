"""`safemodel inspect` on a terminal: the rows of `inspect_text`, drawn by rich.

The rows are escaped already; they go in as `Text`, so that rich reads no markup in them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from safemodel.cli import inspect_text
from safemodel.cli.inspect import View
from safemodel.cli.output import Output


def show(view: View, out: Output, *, everything: bool) -> None:
    """Draw the view."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    out.line(inspect_text.verdict(view, out))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in inspect_text.facts(view):
        facts.add_row(Text(label), Text(value))
    console.print(facts)
    if view.manifest.files:
        console.print(_table(inspect_text.members(view)))
    if view.tensors:
        console.print(_table(inspect_text.tensors(view, everything=everything)))


def _table(rows: Iterable[tuple[str, ...]]) -> Table:
    head, *body = rows
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in head:
        numeric = title == "size" or inspect_text.is_size(title)
        table.add_column(
            Text(title), justify="right" if numeric else "left", overflow="fold", no_wrap=numeric
        )
    for row in body:
        table.add_row(*map(Text, row))
    return table
