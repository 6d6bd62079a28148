"""`safemodel sign`: add a signature to a bundle, or sign any file or folder beside it."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from safemodel.cli import options as shared
from safemodel.cli.output import Report, escape
from safemodel.cli.progress import Progress
from safemodel.errors import SafemodelError, UsageError, VerificationError

EXAMPLES = """\
  safemodel sign model.safemodel                          with your own key
  safemodel sign model.safemodel --signer acme.key --oms  for a release: others' tools verify it
  safemodel sign model.safemodel --signer env:ACME_KEY --expires 90d --note "approved by QA"
  safemodel sign model.gguf                               writes model.gguf.sigstore.json
"""

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="PATH", help="a bundle, or any file or folder")
    group = parser.add_argument_group("who signs")
    group.add_argument(
        "--signer",
        "--key",
        action="append",
        metavar="KEY",
        help="a private key, a PEM file or env:NAME; may be given several times "
        "(default: your own key)",
    )
    shared.add_password(group)
    group = parser.add_argument_group("what the signature says")
    group.add_argument(
        "--oms",
        action="store_true",
        help="an OpenSSF Model Signing statement, which other tools verify; reads every byte",
    )
    group.add_argument(
        "--expires", metavar="WHEN", help="valid until 2027-01-31, 2027-01-31T12:00:00Z, or for 90d"
    )
    group.add_argument("--note", metavar="TEXT", help="a remark that is signed too")
    shared.add_signature_file(
        parser,
        "write a detached signature to FILE (default for what is no bundle: PATH.sigstore.json)",
    )
    shared.add_output(parser)


def run(options: argparse.Namespace, report: Report) -> int:
    """Sign."""
    from safemodel import bundle

    expires = None if options.expires is None else moment_of(options.expires)
    if options.signer:
        signers = [shared.load_signer(source, options) for source in options.signer]
    else:
        signers = [shared.own_signer(report)]
    _advise(options.path, report)
    with Progress("signing", options.path, quiet=report.quiet) as progress:
        files = bundle.sign(
            options.path,
            signers,
            oms=options.oms,
            expires=expires,
            note=options.note,
            signature=options.signature,
            progress=progress,
        )
    kind = "oms" if options.oms or not files[0].startswith("signatures/") else "manifest"
    who = " and ".join(shared.shown_key(signer.public_key) for signer in signers)
    what = f"{'an OMS' if kind == 'oms' else 'a manifest'} statement"
    if not files[0].startswith("signatures/"):
        what += f" in {', '.join(files)}"
    report.line(f"{escape(options.path)}: signed by {who}: {escape(what)}")
    report.document(
        {
            "path": options.path,
            "kind": kind,
            "expires": None if expires is None else expires.isoformat(),
            "signers": [
                {"algorithm": s.public_key.algorithm, "key_id": s.public_key.key_id}
                for s in signers
            ],
            "files": list(files),
        }
    )
    return 0


def _advise(path: str, report: Report) -> None:
    """Say what a signature means, where nobody who is trusted has signed before."""
    from safemodel import bundle

    try:
        bundle.open_bundle(path).close()
    except VerificationError as error:
        report.note(f"{error.message}; your signature will vouch for every byte of it")
    except SafemodelError:
        pass  # no bundle, or a malformed one: signing says so


def moment_of(text: str, now: datetime | None = None) -> datetime:
    """The moment that `--expires` names, in UTC to the second.

    Raises:
        UsageError: it is not a date, a time with a zone, or a number of days; or it has passed.
    """
    now = now or datetime.now(UTC)
    days = _DAYS.fullmatch(text)
    if days:
        return (now + timedelta(days=int(days[1]))).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a date", hint="2027-01-31, 2027-01-31T12:00:00Z, or 90d"
        ) from None
    if "T" not in text:
        moment = moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone", hint=f"{text}Z is UTC")
    if moment <= now:
        raise UsageError(f"{text!r} has passed")
    return moment.astimezone(UTC).replace(microsecond=0)
