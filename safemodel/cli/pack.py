"""`safemodel pack`: a bundle folder into an archive, byte for byte the same content."""

from __future__ import annotations

import argparse
import os
from functools import partial

from safemodel.cli import options as shared
from safemodel.cli.output import Output, escape, size_text
from safemodel.cli.progress import Progress
from safemodel.cli.source import beside, check_place, size_of

EXAMPLES = """\
  safemodel pack model/                    writes model.safemodel
  safemodel pack model/ -o release.safemodel
"""

SUFFIX = ".safemodel"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="FOLDER", help="a bundle, unpacked")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the archive (default: FOLDER.safemodel beside it)"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    shared.add_output(parser)


def run(options: argparse.Namespace, out: Output) -> int:
    """Pack."""
    from safemodel import bundle

    target = options.output or beside(options.path, SUFFIX, "-o FILE")
    check_place(target)
    size_now = partial(size_of, options.path)
    with Progress("packing", options.path, size_now, out.quiet) as progress:
        bundle.pack(options.path, target, overwrite=options.force, progress=progress)
    digest = bundle.inspect(target).digest  # of what was written, not of what is at `path` by now
    size = os.path.getsize(target)
    facts = f"{size_text(size)}, digest {digest[:16]}, signatures not checked"
    out.line(f"{escape(target)}: {facts}")
    out.document({"path": target, "size": size, "digest": digest})
    return 0
