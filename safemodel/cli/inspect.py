"""`safemodel inspect`: what a bundle holds, who signed it, and what of that is verified.

A bundle whose signer is trusted is shown from verified bytes; any other is shown too, as what it
claims, and says so first. Nothing is ever loaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safemodel.cli import options as shared
from safemodel.cli.output import Output, error_fields
from safemodel.cli.source import locate, shown, source_of
from safemodel.errors import SafemodelError, VerificationError

if TYPE_CHECKING:
    from safemodel.format.manifest import Manifest
    from safemodel.format.weights import TensorInfo
    from safemodel.trust.policy import Trust
    from safemodel.trust.signatures import Claim, VerifiedSignature

EXAMPLES = """\
  safemodel inspect model.safemodel
  safemodel inspect model.safemodel --trust acme.pub --name acme/fraud
  safemodel inspect model.safemodel --all                 every tensor, however many
  safemodel inspect model.safemodel --format json | jq '.tensors[].name'
"""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown of a bundle.

    `refusal` is why nothing is verified; without one, `manifest` and `tensors` came from bytes
    that `signers` vouch for. Payload beyond the tensor headers was not read in either case.
    """

    path: str
    encoding: str
    size: int
    digest: str
    manifest: Manifest
    tensors: tuple[tuple[str, TensorInfo], ...]
    claims: tuple[Claim, ...]
    signers: tuple[VerifiedSignature, ...]
    refusal: SafemodelError | None
    name_checked: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="PATH", help="an archive or a folder; - is stdin")
    parser.add_argument("--all", action="store_true", help="list every tensor")
    shared.add_trust(parser)
    shared.add_model(parser)
    shared.add_output(parser, report_file=True)


def run(options: argparse.Namespace, out: Output) -> int:
    """Show the bundle. Exit code 1 if it is not what --trust, --name, ... asked for."""
    from safemodel.cli import inspect_json, inspect_text

    shared.check_model(options)
    view = look(options)
    out.document(inspect_json.document(view))
    if out.rich:
        from safemodel.cli import inspect_rich

        inspect_rich.show(view, out, everything=options.all)
    elif not out.json:
        for line in inspect_text.lines(view, out, everything=options.all):
            out.line(line)
    asked = options.trust or options.name or options.version or options.digest
    if view.refusal is None:
        return 0
    if asked:
        out.error(view.refusal)
        return view.refusal.exit_code
    if view.refusal.hint:
        out.note(view.refusal.hint)
    return 0


def look(options: argparse.Namespace) -> View:
    """Open the bundle once with trust, and without where that is refused.

    Raises:
        SourceError, FormatError: it can't be read, or is malformed.
    """
    source = source_of(options.path)
    path = shown(options.path)
    try:
        return _verified(source, path, options)
    except VerificationError as error:
        error.path = path
        return _unverified(source, path, error)
    except SafemodelError as error:
        locate(error, options.path)
        raise


def _verified(source: str | bytes, path: str, options: argparse.Namespace) -> View:
    from safemodel.bundle import inspect, open_bundle
    from safemodel.errors import ChangedFileError
    from safemodel.trust.signatures import claims

    trust: Trust | None = shared.trust_of(options)
    with open_bundle(
        source, trust=trust, name=options.name, version=options.version, digest=options.digest
    ) as bundle:
        tensors = tuple(
            (member, tensor)
            for member, header in bundle.headers.items()
            for tensor in header.tensors
        )
        signatures = inspect(source)
        if signatures.digest != bundle.digest:
            raise ChangedFileError("was replaced while it was read", path=path)
        return View(
            path,
            bundle.encoding,
            bundle.size,
            bundle.digest,
            bundle.manifest,
            tensors,
            claims(signatures.signatures),
            bundle.signers,
            None,
            bundle.name_checked,
        )


def _unverified(source: str | bytes, path: str, refusal: SafemodelError) -> View:
    from safemodel.bundle import inspect
    from safemodel.trust.signatures import claims

    found = inspect(source)
    try:
        claimed = claims(found.signatures)
    except SafemodelError:
        claimed = ()  # malformed signatures: `refusal` says so
    return View(
        path,
        found.encoding,
        found.size,
        found.digest,
        found.manifest,
        found.tensors,
        claimed,
        (),
        refusal,
        False,
    )


def status(view: View) -> Mapping[str, object]:
    """What of a view is verified, as JSON."""
    return {
        "manifest": view.refusal is None and bool(view.signers),
        "tensor_headers": view.refusal is None and bool(view.signers),
        "payload": False,
        "name_checked": view.name_checked,
        "refusal": None if view.refusal is None else error_fields(view.refusal),
    }
