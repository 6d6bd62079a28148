"""`safemodel convert`: a legacy file into an archive; nothing is unpickled.

Implements spec/cli.md, "Converting".
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from safemodel.cli import options as shared
from safemodel.cli.output import Output, count_text, escape, size_text
from safemodel.cli.source import beside, check_place
from safemodel.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safemodel.convert.converting import Conversion
    from safemodel.trust.keys import Signer

EXAMPLES = """\
  safemodel convert model.joblib                        writes model.joblib.safemodel, signed
  safemodel convert model.joblib fraud.safemodel --name acme/fraud --version 3.1
  safemodel convert old.pkl new.safemodel --allow acme.features.Ratio
  safemodel convert arrays.npz arrays.safemodel --unsigned
  safemodel convert checkpoint.pt
  safemodel convert ./saved_model net.safemodel         a folder with saved_model.pb
  safemodel convert ./bert-base bert.safemodel          a folder with config.json and safetensors
"""

SUFFIX = ".safemodel"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "path",
        metavar="SOURCE",
        help="a pickle, joblib, NumPy, skops or PyTorch file; a checkpoint of TensorFlow, by its "
        "prefix; a folder of Hugging Face, or a SavedModel",
    )
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="the archive (default: SOURCE.safemodel)"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    group = parser.add_argument_group("what the archive says of the model")
    group.add_argument("--name", metavar="NAME", help="its name, such as acme/fraud")
    group.add_argument("--version", metavar="VERSION", help="its version, such as 3.1")
    group.add_argument("--description", metavar="TEXT", help="what it is")
    group = parser.add_argument_group("what may be in the file")
    group.add_argument(
        "--allow",
        metavar="CLASS",
        action="append",
        default=[],
        help="a class of your own, such as acme.Ratio: its objects are kept as their attributes; "
        "may be given several times",
    )
    group.add_argument(
        "--policy", metavar="FILE", help="names that the scan takes for known good, as for `scan`"
    )
    group = parser.add_argument_group("who signs")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--signer",
        "--key",
        action="append",
        metavar="KEY",
        help="a private key, a PEM file or env:NAME; may be given several times "
        "(default: your own key)",
    )
    one.add_argument("--unsigned", action="store_true", help="no signature")
    shared.add_password(group, meaning="the key's password", otherwise="asked for on a terminal")
    shared.add_output(parser)


def run(options: argparse.Namespace, out: Output) -> int:
    """Convert."""
    from safemodel.convert import converting

    target = options.target or beside(options.path, SUFFIX, "TARGET")
    check_place(target)
    if not options.force and os.path.lexists(target):
        raise SourceError("is there already", path=target, hint="--force writes over it")
    said = ("name", "version", "description")
    signers = _signers(options, out)
    found = converting.run(
        options.path,
        target,
        converting.Options(
            metadata={key: getattr(options, key) for key in said},
            signer=signers or None,
            allow=tuple(options.allow),
            policy=options.policy,
            overwrite=options.force,
        ),
    )
    for finding in found.report.findings:
        out.note(f"{finding.rule} {finding.severity.label}: {finding.message}")
    if found.needs:
        listed = ", ".join(f'"{name}"' for name in found.needs)
        out.note(f"who loads it needs that code, and has to write: sm.load(..., allow=[{listed}])")
    if found.owner is not None:
        kind, name = found.owner
        out.note(
            f"holds the state of a {name}: sm.load(..., into={kind.upper()}) puts it into yours, "
            "into=dict gives it bare"
        )
    signed = _signed(signers)
    facts = [
        f"converted from {'/'.join(found.report.formats)}",
        count_text(found.tensors, "tensor"),
        size_text(found.size),
        signed,
        f"digest {found.digest[:16]}",
    ]
    out.line(f"{escape(target)}: {escape(', '.join(facts))}")
    out.document(_document(options.path, target, found, signers))
    return 0


def _signers(options: argparse.Namespace, out: Output) -> Sequence[Signer]:
    if options.unsigned:
        return ()
    if options.signer:
        return [shared.load_signer(source, options) for source in options.signer]
    return [shared.own_signer(out)]


def _signed(signers: Sequence[Signer]) -> str:
    if not signers:
        return "unsigned"
    return "signed by " + " and ".join(shared.shown_key(one.public_key) for one in signers)


def _document(
    path: str, target: str, found: Conversion, signers: Sequence[Signer]
) -> dict[str, Any]:
    from safemodel.convert.lineage import scan_result

    return {
        "source": path,
        "path": target,
        "digest": found.digest,
        "adapter": found.adapter,
        "libraries": dict(found.libraries),
        "tensors": found.tensors,
        "size": found.size,
        "scan": scan_result(found.report),
        "needs": list(found.needs),
        "signers": [
            {"algorithm": one.public_key.algorithm, "key_id": one.public_key.key_id}
            for one in signers
        ],
    }
