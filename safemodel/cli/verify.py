"""`safemodel verify`: who signed a model, which one it is, and every byte of it."""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import TYPE_CHECKING

from safemodel.cli import options as shared
from safemodel.cli.output import Output, count_text, error_fields, escape, size_text
from safemodel.cli.progress import Progress
from safemodel.cli.signers import names_of, signer_fields
from safemodel.cli.source import SIGNATURE_ENDING, STDIN, locate, shown, size_of, source_of, stem
from safemodel.errors import NotABundleError, SafemodelError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.detached import VerifiedFiles
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.trust.policy import Trust

EXAMPLES = """\
  safemodel verify model.safemodel                        signed by you, or by someone you trust
  safemodel verify model.safemodel --trust acme.pub --name acme/fraud --version '>=3'
  safemodel verify model.gguf --signature model.gguf.sigstore.json --trust acme.pub
  curl -s $URL | safemodel verify - --trust acme.pub
"""

_NOBODY = "nobody's signature was asked for"

# Of several exit codes: a refusal wins over a file that could not be read, that over a success.
_PRECEDENCE = {0: 0, 2: 1, 1: 2}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="an archive or a folder; - is stdin"
    )
    shared.add_signature_file(
        parser, "a signature outside of PATH, for files and folders that are no bundles"
    )
    shared.add_trust(parser)
    shared.add_model(parser)
    shared.add_output(parser, report_file=True)


def run(options: argparse.Namespace, out: Output) -> int:
    """Verify each path."""
    if len(options.paths) > 1 and (options.signature or options.digest):
        raise UsageError("--signature and --digest are for one PATH at a time")
    shared.check_model(options)
    trust = shared.trust_of(options)
    codes = []
    results = []
    for path in options.paths:
        try:
            results.append(_verify(path, options, trust, out))
            codes.append(0)
        except SafemodelError as error:
            locate(error, path)
            out.error(error)
            codes.append(error.exit_code)
            results.append({"path": shown(path), "ok": False, "error": error_fields(error)})
    out.document({"ok": not any(codes), "results": results})
    return max(codes, key=_PRECEDENCE.__getitem__)


def _verify(
    path: str, options: argparse.Namespace, trust: Trust | None, out: Output
) -> dict[str, object]:
    from safemodel import bundle
    from safemodel.bundle.verified import VerifiedBundle

    source = source_of(path)
    size = partial(size_of, path) if isinstance(source, str) else source.__len__
    with Progress("verifying", shown(path), size, out.quiet) as progress:
        try:
            verified = bundle.verify(
                source,
                trust=trust,
                name=options.name,
                version=options.version,
                digest=options.digest,
                signature=options.signature,
                progress=progress,
            )
        except NotABundleError as error:
            _hint_at_signature(error, path)
            raise
    with verified:
        if isinstance(verified, VerifiedBundle):
            out.line(text_of(shown(path), verified, out))
            return fields_of(shown(path), verified)
        out.line(text_of_files(path, verified, out))
        return fields_of_files(path, verified)


def _hint_at_signature(error: NotABundleError, path: str) -> None:
    """Say it when the detached signature that `safemodel sign` makes lies beside the path."""
    name = None if path == STDIN else stem(path)
    if name is not None and os.path.isfile(beside := name + SIGNATURE_ENDING):
        error.hint = f"its signature may be {beside}: say --signature {beside}"


def text_of(path: str, bundle: VerifiedBundle, out: Output) -> str:
    """The verdict in one line."""
    metadata = bundle.manifest.metadata
    who = names_of(bundle.signers)
    if bundle.signers:
        verdict = f"{out.good('verified')}: signed by {who}"
    else:
        verdict = f"intact, {out.bad('not verified')}: {_NOBODY}"
    name = " ".join(part for part in (metadata.name, metadata.version) if part) or "no name"
    if not bundle.name_checked:
        name += " (name not checked)"
    facts = [
        name,
        count_text(len(bundle.tensors), "tensor"),
        size_text(bundle.size),
        f"digest {bundle.digest[:16]}",
    ]
    return f"{escape(path)}: {verdict}, {', '.join(map(escape, facts))}"


def fields_of(path: str, bundle: VerifiedBundle) -> dict[str, object]:
    """The verdict as JSON."""
    return {
        "path": path,
        "ok": True,
        "verified": bool(bundle.signers),
        "signers": [signer_fields(signer) for signer in bundle.signers],
        "name": bundle.manifest.metadata.name,
        "version": bundle.manifest.metadata.version,
        "name_checked": bundle.name_checked,
        "encoding": bundle.encoding,
        "digest": bundle.digest,
        "tensors": len(bundle.tensors),
        "size": bundle.size,
    }


def text_of_files(path: str, files: VerifiedFiles, out: Output) -> str:
    """The verdict on plain files in one line."""
    count = count_text(len(files.files), "file")
    size = size_text(sum(files.files.values()))
    signed = f"signed by {names_of(files.signers)}" if files.signers else _NOBODY
    verdict = out.good("verified") if files.signers else f"intact, {out.bad('not verified')}"
    # Also with --name: it says whose keys count, and there is no name to compare it with.
    facts = [signed, "name not checked", count, size]
    if files.skipped:
        facts.append(f"not covered: {', '.join(files.skipped)}")
    return f"{escape(path)}: {verdict}: {', '.join(facts)}"


def fields_of_files(path: str, files: VerifiedFiles) -> dict[str, object]:
    """The verdict on plain files as JSON."""
    return {
        "path": path,
        "ok": True,
        "verified": bool(files.signers),
        "signers": [signer_fields(signer) for signer in files.signers],
        "encoding": "files",
        "name_checked": False,
        "files": len(files.files),
        "size": sum(files.files.values()),
        "not_covered": list(files.skipped),
    }
