"""Limits (format.md, "Limits"): refused before anything is allocated for them."""

from __future__ import annotations

import struct

from . import signing, writer
from .bundle import Bundle
from .registry import accept, reject


def claiming(count: int, size: int, offset: int) -> bytes:
    """A small file whose ZIP64 end record claims a large directory."""
    data = writer.pack(Bundle().records())[:-22]
    count16, size32, offset32 = min(count, 0xFFFF), min(size, 2**32 - 1), min(offset, 2**32 - 1)
    return (
        data + writer.zip64_end(count, size, offset) + writer.end_record(count16, size32, offset32)
    )


def signed_by_many(count: int) -> Bundle:
    """A bundle with signatures by `count` keys that nobody knows, and one that is known."""
    bundle = Bundle()
    name, data = next(iter(bundle.signature_files.items()))
    others = {
        f"signatures/{index:064x}.manifest.sigstore.json": data.replace(
            signing.hint("acme").encode(), f"{index:064x}".encode()
        )
        for index in range(count - 1)
    }
    bundle.signatures = {**others, name: data}
    return bundle


@reject("limit-members", "LimitError", "an end record that claims 100,001 members")
def _() -> bytes:
    return claiming(100_001, 100, 100)


@reject("limit-members-huge", "LimitError", "an end record that claims 2^62 members")
def _() -> bytes:
    return claiming(2**62, 2**40, 100)


@reject("limit-directory", "ContainerError", "a directory too large for its members")
def _() -> bytes:
    return claiming(1, 2**40, 0)


@reject("limit-offset", "ContainerError", "a directory behind the end of every file")
def _() -> bytes:
    return claiming(3, 200, 2**64 - 300)


@reject("limit-signatures", "LimitError", "65 signature files")
def _() -> Bundle:
    return signed_by_many(65)


@reject(
    "limit-signatures-folder", "LimitError", "65 signature files in a folder", encoding="folder"
)
def _() -> Bundle:
    return signed_by_many(65)


@reject(
    "limit-signature-file", "LimitError", "a signature file of 1 MiB and a byte", generated=True
)
def _() -> Bundle:
    bundle = Bundle()
    name, data = next(iter(bundle.signature_files.items()))
    bundle.signatures = {name: data.ljust((1 << 20) + 1)}
    return bundle


@reject("limit-json-tokens", "LimitError", "8,000,001 brackets, in a string", generated=True)
def _() -> Bundle:
    return Bundle(fields={"x-note": "[" * 8_000_001})


@reject("limit-weights-header", "LimitError", "a weights header of 100,000,001 bytes", "load")
def _() -> Bundle:
    return Bundle(members={writer.WEIGHTS: struct.pack("<Q", 100_000_001) + b" " * 56})


@accept("limit-signatures-64", "64 signature files, of which one counts", signers=("acme",))
def _() -> Bundle:
    return signed_by_many(64)


@accept("limit-signature-file-full", "a signature file of exactly 1 MiB", generated=True)
def _() -> Bundle:
    bundle = Bundle()
    name, data = next(iter(bundle.signature_files.items()))
    bundle.signatures = {name: data.ljust(1 << 20)}
    return bundle
