"""`safemodel export`: what a verified bundle holds as a file of another format.

Implements spec/cli.md, "Exporting".
"""

from __future__ import annotations

import argparse
import os

from safemodel.cli import options as shared
from safemodel.cli.output import Output, count_text, escape, size_text
from safemodel.cli.pack import SUFFIX
from safemodel.cli.source import check_place, stem
from safemodel.errors import SourceError, UsageError

EXAMPLES = """\
  safemodel export model.safemodel --to safetensors      writes model.safetensors
  safemodel export model.safemodel --to pt               for torch.load(weights_only=True)
  safemodel export theirs.safemodel out.safetensors --to safetensors --trust acme.pub
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from safemodel.export.targets import TARGETS

    parser.add_argument("path", metavar="SOURCE", help="an archive or a folder")
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="where to (default: SOURCE with its ending)"
    )
    listed = "; ".join(f"{name}: {target.summary}" for name, target in TARGETS.items())
    parser.add_argument("--to", required=True, choices=tuple(TARGETS), help=listed)
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    shared.add_trust(parser)
    shared.add_model(parser)
    shared.add_output(parser)


def run(options: argparse.Namespace, out: Output) -> int:
    """Export."""
    from safemodel.export import targets

    shared.check_model(options)
    trust = shared.trust_of(options)
    target = options.target or default_target(options.path, targets.TARGETS[options.to].ending)
    check_place(target)
    if not options.force and os.path.lexists(target):
        raise SourceError("is there already", path=target, hint=_hint(options.to))
    found = targets.run(
        options.path,
        target,
        to=options.to,
        trust=trust,
        name=options.name,
        version=options.version,
        digest=options.digest,
        overwrite=options.force,
    )
    for what in found.left_out:
        out.note(f"{what} are left out: a file of this format can't restore them")
    facts = [
        f"exported to {options.to}",
        count_text(found.tensors, "tensor"),
        size_text(found.size),
        f"from digest {found.digest[:16]}",
    ]
    if options.unsigned:
        facts.append("signatures not checked")
    elif not found.name_checked:
        facts.append("name not checked")
    out.line(f"{escape(target)}: {escape(', '.join(facts))}")
    out.document(
        {
            "source": options.path,
            "path": target,
            "to": options.to,
            "digest": found.digest,
            "tensors": found.tensors,
            "size": found.size,
            "name_checked": found.name_checked,
            "unsigned": options.unsigned,
        }
    )
    return 0


def default_target(path: str, ending: str) -> str:
    """Beside a bundle, under its name with the ending of the format.

    Raises:
        UsageError: the path has no name, or the target would have the same one.
    """
    found = stem(path)
    if found is None:
        raise UsageError("has no name to derive another from", path=path, hint="name TARGET")
    target = found.removesuffix(SUFFIX) + ending
    if target == found:
        raise UsageError("would be written over itself", path=path, hint="name TARGET")
    return target


def _hint(to: str) -> str:
    from safemodel.export.targets import TARGETS

    return "--force writes over it" if TARGETS[to].ending else "remove it, or name another"
