"""`safemodel explain`: what a rule is about, or what the pickles in a file would do."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from safemodel.cli.output import Output, count_text, escape
from safemodel.errors import MissingFileError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from safemodel.report.model import Rule
    from safemodel.scan.account import Pickle, Step

EXAMPLES = """\
  safemodel explain SM101
  safemodel explain model.pkl                     what its pickles would do, step by step
  safemodel explain model.pkl --decompile         and as Python, with the extra `fickling`
"""

_WIDTH = 88
SHOWN_STEPS = 200
_COLOURS = {"dangerous": "31", "unknown": "33", "known": "", "": ""}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("subject", metavar="RULE|FILE", help="such as SM101, or a file")
    parser.add_argument("--all", action="store_true", help="every step, however many")
    parser.add_argument(
        "--decompile",
        action="store_true",
        help="show each pickle as Python, too (needs fickling; judges nothing)",
    )
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default) or json"
    )
    group.add_argument(
        "-o", "--output", dest="destination", metavar="FILE", help="write the result to FILE"
    )
    group.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: auto"
    )


def run(options: argparse.Namespace, out: Output) -> int:
    """Explain a rule if there is one of that name and no such file, else the file."""
    from safemodel.scan.rules import RULES

    subject: str = options.subject
    rule = RULES.get(subject.upper()) or next(
        (r for r in RULES.values() if r.name == subject), None
    )
    if rule is not None and not os.path.exists(subject):
        _rule(rule, out)
        return 0
    if not os.path.exists(subject) and _looks_like_a_rule(subject):
        raise UsageError(f"there is no rule {subject!r}", hint="spec/rules.md has them all")
    return _file(subject, options, out)


def _looks_like_a_rule(subject: str) -> bool:
    return subject[:2].upper() == "SM" and subject[2:].isdigit()


# A rule


def _rule(rule: Rule, out: Output) -> None:
    out.document(
        {
            "rule": {
                "id": rule.id,
                "name": rule.name,
                "severity": rule.severity.label,
                "title": rule.title,
                "what": rule.what,
                "why": rule.why,
                "example": rule.example,
                "remedy": rule.remedy,
                "since": rule.since,
            }
        }
    )
    severity = "unread" if rule.unread else rule.severity.label
    out.line(out.strong(f"{rule.id} {rule.name} ({severity}): {rule.title}"))
    for heading, text in (
        ("what", rule.what),
        ("why", rule.why),
        ("example", rule.example),
        ("what to do", rule.remedy),
    ):
        out.line()
        out.line(out.strong(heading))
        for line in _wrapped(text):
            out.line(f"  {line}")


def _wrapped(text: str) -> Iterator[str]:
    """Lines of a paragraph; lines that are broken already stay so."""
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + len(word) >= _WIDTH:
                yield line
                line = word
            else:
                line = f"{line} {word}" if line else word
        yield line


# A file


def _file(path: str, options: argparse.Namespace, out: Output) -> int:
    """The account of a file. It is no verdict: the exit code says only whether it was read."""
    from safemodel.scan.account import account
    from safemodel.scan.opening import opened
    from safemodel.scan.single import Settings
    from safemodel.scan.walk import reason

    if os.path.isdir(path):
        raise UsageError("is a folder", path=path, hint="explain one of its files")
    try:
        with opened(path) as data:
            if data is None:
                raise SourceError("is no regular file", path=path)
            pickles = account(data, path, Settings())
            decompiled = _decompiled(data, options) if options.decompile else None
    except FileNotFoundError:
        raise MissingFileError("there is no such file", path=path) from None
    except (OSError, ValueError) as error:
        raise SourceError(f"can't be read: {reason(error)}", path=path) from error
    out.document(_document(path, pickles, decompiled))
    for line in _lines(path, pickles, out, everything=options.all):
        out.line(line)
    if decompiled is not None:
        out.line()
        out.line(out.strong("as fickling decompiles it (it may be wrong, and judges nothing)"))
        for line in decompiled.split("\n"):
            out.line(f"  {escape(line)}")
    return 0


def _decompiled(data: memoryview, options: argparse.Namespace) -> str:
    from safemodel.cli.decompile import decompile

    return decompile(data)


def _document(path: str, pickles: Sequence[Pickle], decompiled: str | None) -> dict[str, object]:
    return {
        "path": path,
        "pickles": [
            {
                "inside": list(pickle.inside),
                "steps": [
                    {"offset": step.offset, "text": step.text, "verdict": step.verdict}
                    for step in pickle.steps
                ],
                "left_out": pickle.left_out,
            }
            for pickle in pickles
        ],
        "decompiled": decompiled,
    }


def _lines(path: str, pickles: Sequence[Pickle], out: Output, *, everything: bool) -> Iterator[str]:
    if not pickles:
        yield f"{escape(path)}: holds no pickle; `safemodel scan` says what else it may do"
        return
    yield f"{escape(path)}: {count_text(len(pickles), 'pickle')}; a loader would, in this order:"
    left = 10**9 if everything else SHOWN_STEPS
    for number, pickle in enumerate(pickles, 1):
        yield ""
        inside = " > ".join(map(escape, pickle.inside))
        yield out.strong(f"pickle {number}" + (f" in {inside}" if inside else ""))
        shown = pickle.steps[:left]
        left -= len(shown)
        yield from (_line(step, out) for step in shown)
        if left_out := len(pickle.steps) - len(shown) + pickle.left_out:
            hint = "" if everything else ": --all shows them"
            yield f"  and {count_text(left_out, 'more step')}{hint}"


def _line(step: Step, out: Output) -> str:
    place = "" if step.offset is None else str(step.offset)
    verdict = ""
    if step.verdict:
        code = _COLOURS[step.verdict]
        verdict = f"  [{out.paint(step.verdict, code) if code else step.verdict}]"
    return f"  {place:>10}  {escape(step.text)}{verdict}"
