"""Formats that are recognised and not read: what they are, and what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LFS: Final = b"version https://git-lfs.github.com/spec/"
_LOADER: Final = "nothing here tells what its loader would do: load it only from who you trust"
_UNPACK: Final = "unpack it with a tool that you trust, then scan what came out"
_PROGRAM: Final = "it is code by nature: run or load it only from who you trust"
_VARINT_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Recognised:
    """A format that is not read: what it is called, and what to do instead."""

    what: str
    hint: str


# Offset and bytes.
_MAGIC: Final[tuple[tuple[int, bytes, Recognised], ...]] = tuple(
    (offset, magic, Recognised(what, hint))
    for offset, magic, what, hint in (
        (4, b"TFL3", "a TensorFlow Lite model", _LOADER),
        (4, b"PTMF", "a PyTorch Mobile flatbuffer model", _LOADER),
        (4, b"ET12", "an ExecuTorch program", _LOADER),
        (4, b"ORTM", "an ONNX Runtime format model", _LOADER),
        (0, b"ftrt", "a TensorRT engine", _PROGRAM),
        (0, b"\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "an MXNet parameter file", _LOADER),
        (0, b"RDX2\n", "an R data file", _LOADER),
        (0, b"RDX3\n", "an R data file", _LOADER),
        (0, b"RDA2\n", "an R data file", _LOADER),
        (0, b"RDA3\n", "an R data file", _LOADER),
        (0, b"X\n\0\0\0\x02", "an R object (RDS)", _LOADER),
        (0, b"X\n\0\0\0\x03", "an R object (RDS)", _LOADER),
        (0, b"A\n2\n", "an R object (RDS)", _LOADER),
        (0, b"A\n3\n", "an R object (RDS)", _LOADER),
        (0, b"\xac\xed\x00\x05", "a Java serialization stream", _LOADER),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
        (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
        (0, b"MSCF\0\0\0\0", "a Cabinet archive", _UNPACK),
        (0, b"070701", "a cpio archive", _UNPACK),
        (0, b"070702", "a cpio archive", _UNPACK),
        (0, b"070707", "a cpio archive", _UNPACK),
        (0, b"!<arch>\n", "an ar archive", _UNPACK),
        (0, b"\x1f\x9d", "a compress (.Z) file", _UNPACK),
        (0, b"\x7fELF", "a program (ELF)", _PROGRAM),
        (0, b"\xfe\xed\xfa\xce", "a program (Mach-O)", _PROGRAM),
        (0, b"\xfe\xed\xfa\xcf", "a program (Mach-O)", _PROGRAM),
        (0, b"\xce\xfa\xed\xfe", "a program (Mach-O)", _PROGRAM),
        (0, b"\xcf\xfa\xed\xfe", "a program (Mach-O)", _PROGRAM),
        (0, b"\xca\xfe\xba\xbe", "a program (Mach-O or Java)", _PROGRAM),
        (0, b"\0asm\x01\0\0\0", "a program (WebAssembly)", _PROGRAM),
        (0, b"\x1bLua", "Lua bytecode", _PROGRAM),
    )
)

_BY_FIRST: Final = {
    first: tuple(entry for entry in _MAGIC if entry[0] == 0 and entry[1][0] == first)
    for first in {magic[0] for offset, magic, _ in _MAGIC if not offset}
}
_AT_FOUR: Final = {magic: what for offset, magic, what in _MAGIC if offset == 4}


def is_lfs_pointer(head: bytes) -> bool:
    """Whether a file that begins so is a Git LFS pointer."""
    return head.startswith(_LFS)


def recognise(head: bytes) -> Recognised | None:
    """What a file that begins so is, if it is something that is known and not read."""
    if not head:
        return None
    for _, magic, what in _BY_FIRST.get(head[0], ()):
        if head.startswith(magic):
            return what
    if what_at_four := _AT_FOUR.get(head[4:8]):
        return what_at_four
    if head[:1] == b"v" and is_lfs_pointer(head):
        return Recognised(
            "a Git LFS pointer, not the file itself", "run `git lfs pull` in that repository"
        )
    if head[:2] == b"MZ" and _is_pe(head):
        return Recognised("a program (Windows)", _PROGRAM)
    if head[1:4] == b"\x0d\x0d\x0a" and len(head) >= 16:
        return Recognised("Python bytecode", _PROGRAM)
    if head[0] == 0x3C or head[:4] == b"\xef\xbb\xbf<":
        return _xml(head[:4096])
    return None


def _is_pe(head: bytes) -> bool:
    at = int.from_bytes(head[0x3C:0x40], "little")
    return head[at : at + 4] == b"PE\0\0" or head[:6] in (b"MZqFpD", b"MZ\x90\0\x03\0")


def _xml(head: bytes) -> Recognised | None:
    if b"<PMML" in head:
        return Recognised("a PMML model", _LOADER)
    if b"<net " in head and b"<layer" in head:
        return Recognised("an OpenVINO model", _LOADER)
    return None


def guess(head: bytes) -> Recognised | None:
    """What a file that begins so may be, if it is nothing else.

    Protocol buffers and MessagePack have no magic.
    """
    if not head:
        return None
    first = head[0]
    if first == 0x08 and len(head) > 2 and 1 <= head[1] <= 30:
        inner = _submessage(head, 2, 0x12)
        # Model{specificationVersion, description{input, output or metadata}}; ONNX has text there
        if inner is not None and head[inner : inner + 1] in (b"\x0a", b"\x52", b"\xa2"):
            return Recognised("a Core ML model", _LOADER)
    elif first == 0x0A:
        inner = _submessage(head, 0, 0x0A)
        # ProgramDesc{blocks{idx: 0, parent_idx: -1}}
        if inner is not None and head[inner : inner + 7] == b"\x08\x00\x10\xff\xff\xff\xff":
            return Recognised("a PaddlePaddle program", _LOADER)
        if inner is not None and _is_caffe(head, inner):
            return Recognised("a Caffe model", _LOADER)
    elif _is_msgpack(head):
        return Recognised("a MessagePack file (Flax?)", _LOADER)
    return None


def _submessage(head: bytes, at: int, tag: int) -> int | None:
    """Where the content of a length-delimited field begins, if there is one with this tag."""
    if head[at : at + 1] != bytes((tag,)):
        return None
    for index in range(at + 1, min(at + 1 + _VARINT_MAX, len(head))):
        if head[index] < 0x80:
            return index + 1
    return None


def _is_caffe(head: bytes, name: int) -> bool:
    """NetParameter{name, layer (field 100)}."""
    end = name + head[name - 1]
    return head[end : end + 2] == b"\xa2\x06" and head[name:end].isascii()


def _is_msgpack(head: bytes) -> bool:
    """A map whose first key is a word."""
    if not (0x81 <= head[0] <= 0x8F or head[0] in (0xDE, 0xDF)):
        return False
    at = {0xDE: 3, 0xDF: 5}.get(head[0], 1)
    kind = head[at] if len(head) > at else 0
    if 0xA1 <= kind <= 0xBF:
        key = head[at + 1 : at + 1 + (kind & 0x1F)]
    elif kind == 0xD9 and len(head) > at + 1:
        key = head[at + 2 : at + 2 + head[at + 1]]
    else:
        return False
    return bool(key) and key.isascii() and key.decode("ascii").isprintable()
