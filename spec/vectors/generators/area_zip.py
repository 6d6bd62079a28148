"""The archive (format.md, "Canonical ZIP"): every byte around the members has one value."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from . import writer
from .bundle import Bundle, with_weights
from .registry import accept, reject
from .writer import Record


def records() -> list[Record]:
    """Weights, README.md, manifest, signature."""
    return with_weights().records()


def changed(index: int, where: str, **fields: Any) -> Callable[[], bytes]:
    """An archive in which one header of one member has other fields."""

    def make() -> bytes:
        made = records()
        getattr(made[index], where).update(fields)
        return writer.pack(made)

    return make


def both(index: int, **fields: Any) -> Callable[[], bytes]:
    """An archive in which both headers of a member have other fields."""

    def make() -> bytes:
        made = records()
        made[index].local.update({k: v for k, v in fields.items() if k != "external"})
        made[index].central.update(fields)
        return writer.pack(made)

    return make


_UNIX_EXTRA = struct.pack("<2H", 0x5455, 5) + b"\1\0\0\0\0"
_PATH_EXTRA = struct.pack("<2HBL", 0x7075, 9, 1, zlib.crc32(b"README.md")) + b"evil"

# name, comment, member, fields of its local header
_LOCAL: list[tuple[str, str, int, dict[str, Any]]] = [
    ("crc", "the CRC-32 differs from the central one", 1, {"crc32": 0}),
    ("name", "another name of the same length", 1, {"name": b"README.sh"}),
    ("name-long", "a longer name", 1, {"name": b"README.md.exe"}),
    ("size", "another size", 1, {"size": 9}),
    ("packed-size", "another packed size", 1, {"packed": 9}),
    ("method", "deflate, where the central header says stored", 1, {"method": 8}),
    (
        "encrypted",
        "the flag for encryption, which some readers heed and others not",
        1,
        {"flags": 1},
    ),
    ("descriptor-flag", "the flag for sizes behind the data", 1, {"flags": 8}),
    ("utf8-flag", "the flag for UTF-8 names", 1, {"flags": 0x800}),
    ("version", "another version", 1, {"version": 10}),
    ("date", "another date", 1, {"date": 0x5A21}),
    ("time", "another time", 1, {"time": 1}),
    ("extra", "an extra field", 1, {"extra": _UNIX_EXTRA}),
    ("weights", "the CRC-32 of the weights", 0, {"crc32": 0}),
    ("alignment-missing", "weights without their alignment", 0, {"extra": b""}),
]

# the same for both headers
_BOTH: list[tuple[str, str, int, dict[str, Any]]] = [
    ("encrypted", "both headers say that it is encrypted", 1, {"flags": 1}),
    ("utf8-flag", "both headers have the flag for UTF-8", 1, {"flags": 0x800}),
    ("date", "both headers have today's date", 1, {"date": 0x5D75}),
    ("version", "both headers have version 10", 1, {"version": 10}),
    ("extra", "both headers have an extra field", 1, {"extra": _UNIX_EXTRA}),
    ("unicode-path", "an extra field with another name for the member", 1, {"extra": _PATH_EXTRA}),
    ("method", "both headers say deflate", 1, {"method": 8}),
]

# name, comment, member, fields of its central header
_CENTRAL: list[tuple[str, str, int, dict[str, Any]]] = [
    ("made-by", "made by Unix", 1, {"made_by": 0x0314}),
    ("external", "attributes: an executable", 1, {"external": 0o100755 << 16}),
    ("symlink", "attributes: a symbolic link", 1, {"external": 0o120777 << 16}),
    ("internal", "attributes: a text file", 1, {"internal": 1}),
    ("disk", "on another disk", 1, {"disk": 1}),
    ("comment", "a comment", 1, {"comment": b"hello"}),
    ("extra", "an extra field", 1, {"extra": _UNIX_EXTRA}),
    ("offset", "points elsewhere", 1, {"offset": 1}),
    ("overlap", "two members at one offset", 1, {"offset": 0}),
    ("size", "another size", 1, {"size": 9, "packed": 9}),
    ("packed-size", "another packed size", 1, {"packed": 9}),
    ("zip64", "a ZIP64 field that is not needed", 1,
     {"size": 2**32 - 1, "packed": 2**32 - 1, "extra": struct.pack("<2H2Q", 1, 16, 10, 10)}),
    ("zip64-missing", "a size that needs a ZIP64 field, and none", 1, {"size": 2**32 - 1}),
]  # fmt: skip

# name, comment, fields of the end record
_END: list[tuple[str, str, dict[str, Any]]] = [
    ("comment", "a comment", {"comment": b"hello"}),
    (
        "comment-record",
        "a comment that holds another end record",
        {"comment": writer.end_record(0, 0, 0)},
    ),
    ("count", "one member fewer", {"count": 3, "here": 3}),
    ("count-here", "another number on this disk", {"here": 3}),
    ("disk", "another disk", {"disk": 1}),
    ("size", "another directory size", {"size": 1}),
    ("offset", "another directory offset", {"offset": 0}),
]


def _register() -> None:
    for name, comment, index, fields in _LOCAL:
        reject(f"zip-local-{name}", "ContainerError", comment, "verify")(
            changed(index, "local", **fields)
        )
    for name, comment, index, fields in _BOTH:
        reject(f"zip-both-{name}", "ContainerError", comment)(both(index, **fields))
    for name, comment, index, fields in _CENTRAL:
        reject(f"zip-central-{name}", "ContainerError", comment)(
            changed(index, "central", **fields)
        )
    for name, comment, fields in _END:
        reject(f"zip-end-{name}", "ContainerError", comment)(
            lambda fields=fields: writer.pack(records(), end=fields)
        )


_register()


@reject("zip-local-alignment-long", "ContainerError", "alignment by one page too many", "verify")
def _() -> bytes:
    made = records()
    extra = writer.alignment_extra(30 + len(made[0].name))
    longer = struct.pack("<3H", 0xD935, len(extra) + 4096 - 4, 4096).ljust(len(extra) + 4096, b"\0")
    made[0].local["extra"] = longer
    return writer.pack(made)


@reject("zip-local-alignment-filler", "ContainerError", "bytes hidden in the alignment", "verify")
def _() -> bytes:
    made = records()
    extra = writer.alignment_extra(30 + len(made[0].name))
    made[0].local["extra"] = extra[:-4] + b"evil"
    return writer.pack(made)


@reject("zip-local-alignment-other", "ContainerError", "alignment of a member that is no weights")
def _() -> bytes:
    made = Bundle().records()
    made[0].local["extra"] = writer.alignment_extra(30 + len(made[0].name))
    return writer.pack(made)


@reject("zip-local-manifest", "ContainerError", "the local header of the manifest")
def _() -> bytes:
    made = records()
    made[2].local["crc32"] = 0
    return writer.pack(made)


@reject("zip-local-signature", "ContainerError", "the local header of a signature")
def _() -> bytes:
    made = records()
    made[3].local["flags"] = 8
    return writer.pack(made)


@reject("zip-crc-manifest", "ContainerError", "both headers have another CRC-32 than the manifest")
def _() -> bytes:
    return both(2, crc32=1)()


@reject(
    "zip-crc-signature", "ContainerError", "both headers have another CRC-32 than the signature"
)
def _() -> bytes:
    return both(3, crc32=1)()


@reject("zip-deflated", "ContainerError", "a member that is really compressed")
def _() -> bytes:
    made = records()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(made[1].data) + packer.flush()
    fields = {"method": 8, "size": len(made[1].data), "crc32": zlib.crc32(made[1].data)}
    made[1] = Record("README.md", data, dict(fields), dict(fields))
    return writer.pack(made)


@reject("zip-descriptor", "ContainerError", "sizes behind the data")
def _() -> bytes:
    made = records()
    made[1].local |= {"flags": 8, "crc32": 0, "size": 0, "packed": 0}
    made[1].central |= {"flags": 8}
    size = len(made[1].data)
    made[1].after = struct.pack("<4s3L", b"PK\7\x08", zlib.crc32(made[1].data), size, size)
    return writer.pack(made)


@reject("zip-prepended", "ContainerError", "something in front: an archive that starts as a pickle")
def _() -> bytes:
    return b"cos\nsystem\n(S'id'\ntR." + writer.pack(records())


@reject("zip-prepended-shifted", "ContainerError", "something in front, and all offsets right")
def _() -> bytes:
    made = records()
    made[0].before = b"#!/bin/sh\nexit 1\n"
    return writer.pack(made)


@reject("zip-appended", "ContainerError", "something behind the end")
def _() -> bytes:
    return writer.pack(records()) + b"\n"


@reject("zip-gap", "ContainerError", "bytes between two members")
def _() -> bytes:
    made = records()
    made[1].before = b"hidden"
    return writer.pack(made)


@reject("zip-gap-directory", "ContainerError", "bytes in front of the directory")
def _() -> bytes:
    return writer.pack(records(), gap=b"hidden")


@reject("zip-hidden-member", "ContainerError", "a member that the directory does not list")
def _() -> bytes:
    made = records()
    made.insert(1, Record("evil", b"evil", listed=False))
    return writer.pack(made)


@reject("zip-duplicate", "MemberNameError", "a name twice: readers take the first or the last")
def _() -> bytes:
    made = records()
    made.insert(1, Record("README.md", b"evil"))
    return writer.pack(made)


@reject("zip-duplicate-manifest", "ContainerError", "two manifests")
def _() -> bytes:
    made = records()
    made.insert(2, made[2])
    return writer.pack(made)


@reject("zip-folder-entry", "MemberNameError", "an entry for a folder")
def _() -> bytes:
    made = records()
    made.insert(1, Record("assets/", b""))
    return writer.pack(made)


@reject("zip-order", "ContainerError", "the manifest in front of the payload")
def _() -> bytes:
    made = Bundle().records()
    return writer.pack([made[1], made[0], made[2]])


@reject("zip-order-sorted", "ContainerError", "payload members out of order")
def _() -> bytes:
    made = Bundle(members={"a": b"a", "b": b"b"}).records()
    return writer.pack([made[1], made[0], *made[2:]])


@reject("zip-order-directory", "ContainerError", "the directory in another order than the members")
def _() -> bytes:
    made = Bundle(members={"a": b"a", "b": b"b"}).records()
    return writer.pack(made, directory=[made[1], made[0], *made[2:]])


@reject("zip-no-manifest", "ContainerError", "members, but no manifest")
def _() -> bytes:
    return writer.pack([one for one in records() if one.name != "manifest.json"])


@reject("zip-zip64-end", "ContainerError", "ZIP64 end records that are not needed")
def _() -> bytes:
    return writer.pack(records(), zip64=True)


@reject("zip-zip64-saturated", "ContainerError", "ZIP64 end records that claim to be needed")
def _() -> bytes:
    return writer.pack(records(), zip64=True, end={"offset": 0xFFFFFFFF})


@reject("zip-zip64-missing", "ContainerError", "a saturated offset and no ZIP64 end record")
def _() -> bytes:
    return writer.pack(Bundle(members={}).records(), end={"offset": 0xFFFFFFFF})


@reject("zip-truncated", "TruncatedError", "cut in the middle")
def _() -> bytes:
    data = writer.pack(records())
    return data[: len(data) // 2]


@reject("zip-truncated-end", "TruncatedError", "the last byte is missing")
def _() -> bytes:
    return writer.pack(Bundle().records())[:-1]


@reject("zip-truncated-front", "ContainerError", "the first byte is missing")
def _() -> bytes:
    return writer.pack(records())[1:]


@reject("source-empty", "NotABundleError", "no bytes at all")
def _() -> bytes:
    return b""


@reject("source-git-lfs", "GitLfsPointerError", "what Git LFS leaves in place of a file")
def _() -> bytes:
    oid = "0" * 64
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 9\n".encode()


@reject("source-pickle", "NotABundleError", "a pickle")
def _() -> bytes:
    return b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x02os\x94."


@reject("source-safetensors", "NotABundleError", "bare weights")
def _() -> bytes:
    return writer.weights({"x": writer.tensor("x", "U8", 8)})


@reject("source-web-page", "NotABundleError", "a download that gave a web page")
def _() -> bytes:
    return b"<!DOCTYPE html><html><body>404</body></html>"


@reject("source-torch", "NotABundleError", "a ZIP of something else")
def _() -> bytes:
    return writer.pack(
        [Record("archive/data.pkl", b"\x80\x02}q\0."), Record("archive/version", b"3\n")]
    )


@accept("zip-weights", "weights, whose data starts at byte 4,096")
def _() -> Bundle:
    return with_weights()


@accept("zip-shards-aligned", "each shard starts at a multiple of 4,096, whatever the distance")
def _() -> Bundle:
    # The second header would begin 2 bytes before a multiple: too little for an extra field.
    def shard(label: str, size: int) -> bytes:
        return writer.weights({label: writer.tensor(label, "U8", size)})

    name = "weights-0000{}-of-00002.safetensors"
    first = 4096 - 30 - len(name) - 2 - len(shard("a", 1024)) + 1024 + 2
    payload = {name.format(1): shard("a", first), name.format(2): shard("b", 3)}
    tensors = {"a": writer.tensor("a", "U8", first), "b": writer.tensor("b", "U8", 3)}
    return Bundle(tensors=tensors, members=payload)


@accept(
    "zip-many",
    "65,535 members: exactly as many as need ZIP64 end records",
    mode="open",
    generated=True,
    read=(),
)
def _() -> Bundle:
    return Bundle(members={f"m/{index:05}": b"" for index in range(0xFFFF - 2)})


@accept("zip-empty-members", "members without bytes")
def _() -> Bundle:
    return Bundle(members={"a/empty": b"", "b": b""})
