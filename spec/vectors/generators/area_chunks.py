"""Chunk digests (format.md, "Chunk digests"): every chunk is checked, and each alone."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from . import writer
from .bundle import Bundle, with_weights
from .registry import accept, reject
from .writer import MIB, WEIGHTS, Record, Tensor


def large() -> Bundle:
    """2.5 MiB in three chunks: three tensors, one in each."""
    sizes = {"a": MIB - 4096, "b": MIB, "c": MIB // 2 - 4096}
    tensors = {name: Tensor("U8", [size], name.encode() * size) for name, size in sizes.items()}
    return Bundle(tensors=tensors)


def digest_field(edit: Callable[[str], str], bundle: Bundle | None = None) -> Bundle:
    """A bundle in whose manifest the digests of a member are spelled differently."""
    bundle = bundle or Bundle()
    name = next(iter(bundle.payload))

    def change(document: dict[str, Any]) -> None:
        entry = document["files"][name]
        entry["blake3"] = edit(entry["blake3"])

    return bundle.change(change)


def flipped(bundle: Bundle, name: str, at: int) -> bytes:
    """The archive with one bit of a member's data flipped, its CRC-32s left as they were."""
    records = bundle.records()
    for index, record in enumerate(records):
        if record.name == name:
            data = bytearray(record.data)
            data[at] ^= 1
            crc = {"crc32": zlib.crc32(record.data)}
            records[index] = Record(name, bytes(data), dict(crc), dict(crc))
    return writer.pack(records)


# name, comment, what becomes of the base64 of one 32-byte digest
_SPELLINGS: list[tuple[str, str, Callable[[str], str]]] = [
    ("missing", "no digest for a member with bytes", lambda text: ""),
    ("two", "two digests for one chunk", lambda text: text[:-1] + "A" + text[:-1] + "=="),
    ("short", "31 bytes", lambda text: text[:40] + "AA=="),
    ("unpadded", "no padding", lambda text: text.rstrip("=")),
    ("padding-more", "too much padding", lambda text: text + "="),
    (
        "trailing-bits",
        "unused bits that are not zero",
        lambda text: text[:-2] + _next(text[-2]) + "=",
    ),
    ("url-alphabet", "the alphabet for URLs", lambda text: "-_" + text[2:]),
    ("space", "a space", lambda text: text[:4] + " " + text[4:]),
    ("newline", "a line feed", lambda text: text + "\n"),
    ("hexadecimal", "hexadecimal instead of base64", lambda text: "0" * 64),
]


def _next(digit: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return alphabet[alphabet.index(digit) + 1]


def _register() -> None:
    for name, comment, edit in _SPELLINGS:
        reject(f"chunks-digest-{name}", "ManifestError", comment)(
            lambda edit=edit: digest_field(edit)
        )


_register()


@reject("chunks-digest-list", "ManifestError", "digests as a list")
def _() -> Bundle:
    return digest_field(lambda text: [text])  # type: ignore[arg-type, return-value]


@reject("chunks-digest-empty-member", "ManifestError", "a digest for a member without bytes")
def _() -> Bundle:
    return digest_field(lambda text: writer.b64(writer.digests(b"x")), Bundle(members={"a": b""}))


@reject("chunks-digest-other", "DigestMismatchError", "the digest of other bytes", "load")
def _() -> Bundle:
    return digest_field(lambda text: writer.b64(writer.digests(b"other")))


@reject("chunks-digest-sha256", "DigestMismatchError", "a SHA-256 where BLAKE3 is declared", "load")
def _() -> Bundle:
    return digest_field(lambda text: writer.b64(writer.digests(b"# A model\n", "sha256")))


@reject("chunks-flip-weights", "DigestMismatchError", "one bit of a tensor", "load")
def _() -> bytes:
    return flipped(with_weights(), WEIGHTS, -1)


@reject("chunks-flip-header", "DigestMismatchError", "one bit of the weights header", "load")
def _() -> bytes:
    return flipped(with_weights(), WEIGHTS, 9)


@reject("chunks-flip-member", "DigestMismatchError", "one bit of another member", "load")
def _() -> bytes:
    return flipped(with_weights(), "README.md", 0)


@reject("chunks-flip-manifest", "ContainerError", "one bit of the manifest: its CRC-32 is wrong")
def _() -> bytes:
    return flipped(Bundle(), "manifest.json", 1)


@reject("chunks-swapped", "DigestMismatchError", "two tensors of one size swapped", "load")
def _() -> bytes:
    pair = {"a": writer.tensor("a", "F32", 4), "b": writer.tensor("b", "F32", 4)}
    records = Bundle(tensors=pair).records()
    data = records[0].data
    records[0] = Record(WEIGHTS, data[:-32] + data[-16:] + data[-32:-16])
    crc = {"crc32": zlib.crc32(data)}
    records[0].local, records[0].central = dict(crc), dict(crc)
    return writer.pack(records)


@reject("chunks-crc-everywhere", "DigestMismatchError",
        "a wrong CRC-32 in manifest and archive: only `verify` sees it", "verify")  # fmt: skip
def _() -> bytes:
    bundle = Bundle().change(lambda document: document["files"]["README.md"].update(crc32=1))
    records = bundle.records()
    records[0].local, records[0].central = {"crc32": 1}, {"crc32": 1}
    return writer.pack(records)


def _register_large() -> None:
    start = len(writer.weights(large().tensors)) - sum(
        len(t.data) for t in large().tensors.values()
    )
    places = {"first": start + 1, "middle": MIB + 5, "last": 2 * MIB + 5}
    for name, at in places.items():
        reject(f"chunks-large-{name}", "DigestMismatchError", f"one bit of the {name} of three chunks",
               "load", generated=True)(lambda at=at: flipped(large(), WEIGHTS, at))  # fmt: skip


_register_large()


@reject("chunks-large-count", "ManifestError", "two digests for three chunks", generated=True)
def _() -> Bundle:
    joined = writer.digests(large().payload[WEIGHTS])
    return digest_field(lambda text: writer.b64(joined[:64]), large())


@reject(
    "chunks-large-swapped", "DigestMismatchError", "two digests swapped", "load", generated=True
)
def _() -> Bundle:
    joined = writer.digests(large().payload[WEIGHTS])
    swapped = joined[32:64] + joined[:32] + joined[64:]
    return digest_field(lambda text: writer.b64(swapped), large())


@accept("chunks-large", "three chunks, the last one short", generated=True)
def _() -> Bundle:
    return large()


@accept("chunks-large-untouched", "a damaged chunk does no harm to tensors in others",
        mode="open", generated=True, read=("a", "b"), bundle=large)  # fmt: skip
def _() -> bytes:
    return flipped(large(), WEIGHTS, 2 * MIB + 5)


@accept("chunks-exact", "a member of exactly one chunk", generated=True)
def _() -> Bundle:
    return Bundle(members={"a": b"a" * MIB, "b": b"b" * (MIB + 1)})


@accept("chunks-sha256", "SHA-256 for the whole bundle")
def _() -> Bundle:
    return with_weights(algorithm="sha256")
