"""`safemodel sign`: add a signature to a bundle, or sign any file or folder beside it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from safemodel.cli import options as shared
from safemodel.cli.output import Output, escape
from safemodel.cli.progress import Progress
from safemodel.cli.signers import time_text
from safemodel.cli.source import SIGNATURE_ENDING, beside, size_of
from safemodel.errors import (
    GitLfsPointerError,
    NotABundleError,
    SafemodelError,
    UnsignedError,
    UntrustedSignerError,
    UsageError,
    VerificationError,
)

if TYPE_CHECKING:
    from safemodel.trust.keys import Signer

EXAMPLES = """\
  safemodel sign model.safemodel                          with your own key
  safemodel sign model.safemodel --signer acme.key --oms  for a release: others' tools verify it
  safemodel sign model.safemodel --signer env:ACME_KEY --expires 90d --note "approved by QA"
  safemodel sign model.gguf                               writes model.gguf.sigstore.json
"""

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
# Less than `fromisoformat` reads: what could be understood in two ways must not be signed.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
    r"(?P<zone>Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?)?"
)
_MOMENTS = "2027-01-31, 2027-01-31T12:00Z, 2027-01-31T12:00:00+02:00, or 90d"


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
    shared.add_password(group, meaning="the key's password", otherwise="asked for on a terminal")
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


def run(options: argparse.Namespace, out: Output) -> int:
    """Sign."""
    from safemodel import bundle

    expires = None if options.expires is None else moment_of(options.expires)
    held = _signatures_in(options.path)
    if options.signer:
        signers = [shared.load_signer(source, options) for source in options.signer]
    else:
        signers = [shared.own_signer(out)]
    if held is not None:
        _advise(options.path, out)
    detached: str | None = options.signature
    if held is None and detached is None:
        detached = beside(options.path, SIGNATURE_ENDING, "--signature FILE")
    earlier = list(_earlier(detached, held or {}, signers, oms=options.oms))
    size = partial(size_of, options.path)
    with Progress("signing", options.path, size, out.quiet) as progress:
        files = bundle.sign(
            options.path,
            signers,
            oms=options.oms,
            expires=expires,
            note=options.note,
            signature=detached,
            progress=progress,
        )
    for what, data in earlier:
        out.note(f"replaced {what}{_ending_before(data, expires)}")
    kind = _kind_of(detached, oms=options.oms)
    who = " and ".join(shared.shown_key(signer.public_key) for signer in signers)
    what = f"{'an OMS' if kind == 'oms' else 'a manifest'} statement"
    if detached is not None:
        what += f" in {detached}"
    out.line(f"{escape(options.path)}: signed by {who}: {escape(what)}")
    out.document(
        {
            "path": options.path,
            "kind": kind,
            "expires": None if expires is None else time_text(expires),
            "signers": [
                {"algorithm": s.public_key.algorithm, "key_id": s.public_key.key_id}
                for s in signers
            ],
            "files": list(files),
        }
    )
    return 0


def _signatures_in(path: str) -> Mapping[str, bytes] | None:
    """The signature files in a bundle; None if it is no bundle.

    Raises:
        SafemodelError: it can't be read, or is a malformed bundle.
    """
    from safemodel import bundle

    try:
        return bundle.inspect(path).signatures
    except GitLfsPointerError:
        raise
    except NotABundleError:
        return None


def _kind_of(detached: str | None, *, oms: bool) -> str:
    """What was signed. A detached file is asked: it depends on what lay at the path."""
    if detached is None:
        return "oms" if oms else "manifest"
    from safemodel.bundle.detached import read_signature
    from safemodel.trust.signatures import detached_claim

    return detached_claim(read_signature(detached), file=detached).kind


def _advise(path: str, out: Output) -> None:
    """Say what a signature means, where nobody who is trusted has signed before."""
    from safemodel import bundle

    try:
        bundle.open_bundle(path).close()
    except VerificationError as error:
        how = next((how for kind, how in _HOW.items() if isinstance(error, kind)), "")
        out.note(
            f"{error.message}; your signature will vouch for every byte of it: "
            f"run `safemodel verify{how}` first"
        )
    except SafemodelError:
        pass  # malformed: signing says so


# How what nobody vouches for yet is looked at, before one does it oneself.
_HOW: Mapping[type[SafemodelError], str] = {
    UnsignedError: " --unsigned",
    UntrustedSignerError: " --trust THEIRS.pub",
}


def _earlier(
    detached: str | None, held: Mapping[str, bytes], signers: Sequence[Signer], *, oms: bool
) -> Iterator[tuple[str, bytes]]:
    """The signatures that signing replaces: what they are, and their bytes."""
    from safemodel.bundle.detached import read_signature
    from safemodel.trust.signatures import file_name

    if detached is not None:
        try:
            data = read_signature(detached)
        except SafemodelError:  # most often there is none
            return
        yield f"the earlier signature in {detached}", data
        return
    for signer in signers:
        name = file_name(signer.public_key.key_id, "oms" if oms else "manifest")
        if name in held:
            yield f"the earlier signature by {shared.shown_key(signer.public_key)}", held[name]


def _ending_before(data: bytes, expires: datetime | None) -> str:
    """How long a signature that was replaced held, where the new one holds for another time."""
    from safemodel.trust.signatures import detached_claim

    try:
        before = getattr(detached_claim(data, file="").statement, "expires", None)
    except SafemodelError:
        return ", which was malformed"
    if before == expires:
        return ""
    return ", which did not expire" if before is None else f", which held until {time_text(before)}"


def moment_of(text: str, now: datetime | None = None) -> datetime:
    """The moment that `--expires` names, in UTC to the second.

    Raises:
        UsageError: it is not a date, a time with a zone, or a number of days; or it has passed.
    """
    now = now or datetime.now(UTC)
    days = _DAYS.fullmatch(text)
    if days:
        return (now + timedelta(days=int(days[1]))).replace(microsecond=0)
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(text)
        if found["time"] and not found["zone"]:
            raise UsageError(f"{text!r} has no time zone", hint=f"{text}Z is UTC")
        moment = moment.astimezone(UTC) if found["time"] else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a date, a time, or a number of days", hint=_MOMENTS
        ) from None
    if moment <= now:
        raise UsageError(f"{text!r} has passed", hint=_MOMENTS)
    return moment
