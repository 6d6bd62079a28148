"""`safemodel unpack`: an archive into a folder, byte for byte the same content."""

from __future__ import annotations

import argparse

from safemodel.cli import options as shared
from safemodel.cli.output import Report, escape
from safemodel.cli.pack import SUFFIX
from safemodel.cli.progress import Progress
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


def run(options: argparse.Namespace, report: Report) -> int:
    """Unpack."""
    from safemodel import bundle

    target = options.output or options.path.removesuffix(SUFFIX)
    if target == options.path:
        raise UsageError(
            f"the name does not end in {SUFFIX}", path=options.path, hint="name a folder with -o"
        )
    digest = bundle.inspect(options.path).digest
    with Progress("unpacking", options.path, quiet=report.quiet) as progress:
        bundle.unpack(options.path, target, progress=progress)
    report.line(f"{escape(target)}: digest {digest[:16]}, signatures not checked")
    report.document({"path": target, "digest": digest})
    return 0
