"""What all attacks on bundles share: ways in, the only two acceptable outcomes, and rebuilding."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from safemodel.bundle import inspect
from safemodel.bundle.members import ArchiveMembers
from safemodel.bundle.opening import _open
from safemodel.bundle.source import ByteSource, BytesSource
from safemodel.bundle.verified import VerifiedBundle
from safemodel.errors import SafemodelError
from safemodel.format import container
from safemodel.format.digests import crc32
from safemodel.trust.identity import Requested
from safemodel.trust.policy import Trust, TrustedKeys

from .samples import everything, signer, verified

TRUST = TrustedKeys(signer().public_key)
PATIENCE = 20.0  # seconds: nothing that is refused may take longer, on the busiest machine

WAYS: dict[str, Callable[..., dict[str, Any]]] = {
    "verify": verified,
    "open": everything,
    "load": lambda source, **arguments: everything(source, whole=True, **arguments),
    "mapped": lambda source, **arguments: everything(source, mapped=True, **arguments),
}


def outcome(way: str, source: Any, **arguments: Any) -> dict[str, Any] | SafemodelError:
    """What a way in gives: all content, or one of our errors. Anything else fails the test."""
    arguments.setdefault("trust", TRUST)
    started = time.monotonic()
    try:
        found: dict[str, Any] | SafemodelError = WAYS[way](source, **arguments)
    except SafemodelError as error:
        found = error
        str(error)
    assert time.monotonic() - started < PATIENCE
    return found


def refused(source: Any, **arguments: Any) -> list[SafemodelError]:
    """The errors by which every way in refuses; fails the test if one does not."""
    errors = []
    for way in WAYS:
        found = outcome(way, source, **arguments)
        assert isinstance(found, SafemodelError), f"{way} accepted it"
        errors.append(found)
    return errors


def refused_or_same(source: Any, *originals: dict[str, Any], **arguments: Any) -> int:
    """Check that every way in refuses or yields exactly an original; how many refused."""
    count = 0
    for way in WAYS:
        found = outcome(way, source, **arguments)
        if isinstance(found, SafemodelError):
            count += 1
        else:
            assert found in originals, f"{way} gave something else"
    with contextlib.suppress(SafemodelError):
        inspect(source)
    return count


def members_of(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of an archive, in order."""
    members = ArchiveMembers(BytesSource(data))
    return [(e.name, data[e.data_offset : e.end]) for e in members.entries]


def rebuilt(members: Sequence[tuple[str, bytes]]) -> bytes:
    """An archive of these members in this order, consistent in itself."""
    out = bytearray()
    entries = []
    for entry, (name, data) in zip(
        container.plan([(name, len(data)) for name, data in members]), members, strict=True
    ):
        crc = crc32(data)
        out += container.local_header(name, len(data), crc, entry.header_offset) + data
        entries.append(replace(entry, crc32=crc))
    return bytes(out + container.tail(entries))


def flips(data: bytes, pattern: int) -> Iterable[tuple[int, bytes]]:
    """The data with one byte changed, for every position."""
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= pattern
        yield position, bytes(changed)


def open_source(source: ByteSource, trust: Trust = TRUST) -> VerifiedBundle:
    """A bundle over a source of the test's own."""
    return _open(ArchiveMembers(source), trust, Requested(), None, False)
