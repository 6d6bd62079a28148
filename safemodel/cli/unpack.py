"""`safemodel unpack`: an archive into a folder, byte for byte the same content."""

from __future__ import annotations

import argparse
import os
from functools import partial

from safemodel.cli import options as shared
from safemodel.cli.output import Output, escape
from safemodel.cli.pack import SUFFIX
from safemodel.cli.progress import Progress
from safemodel.cli.source import check_place, size_of
from safemodel.errors import UsageError

EXAMPLES = """\
  safemodel unpack model.safemodel         writes the folder model
  safemodel unpack model.safemodel -o /srv/models/fraud
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="FILE", help="an archive")
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", help="a new folder (default: FILE without .safemodel)"
    )
    shared.add_output(parser)


def run(options: argparse.Namespace, out: Output) -> int:
    """Unpack."""
    from safemodel import bundle

    target = options.output or default_output(options.path)
    check_place(target)
    size_now = partial(size_of, options.path)
    with Progress("unpacking", options.path, size_now, out.quiet) as progress:
        bundle.unpack(options.path, target, progress=progress)
    digest = bundle.inspect(target).digest  # of what was written, not of what is at `path` by now
    out.line(f"{escape(target)}: digest {digest[:16]}, signatures not checked")
    out.document({"path": target, "digest": digest})
    return 0


def default_output(path: str) -> str:
    """The folder for an archive: its name without the ending.

    Raises:
        UsageError: the name has another ending, or nothing before it.
    """
    name = os.path.basename(path)
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise UsageError(
            f"has a name that is not NAME{SUFFIX}", path=path, hint="name a folder with -o FOLDER"
        )
    return path.removesuffix(SUFFIX)
