"""Decoders of single compressed streams, all with the interface of `bz2.BZ2Decompressor`.

Decompression is left to libraries, imported when a stream of their kind is met. What is ours is
how much they may give at a time, and how large a dictionary they may make.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, Final, Protocol

from safemodel.errors import UnreadableError
from safemodel.limits import MIB

MAX_DICTIONARY: Final = 128 * MIB  # xz -9 needs 64

# A skippable frame may come before, between and behind those of zstd and lz4.
_SKIPPABLE: Final = tuple(bytes((n, 0x2A, 0x4D, 0x18)) for n in range(0x50, 0x60))

# The first bytes of a stream of each kind; what begins so behind a stream is another one.
MAGIC: Final[dict[str, tuple[bytes, ...]]] = {
    "bzip2": (b"BZh",),
    "deflate": (),
    "gzip": (b"\x1f\x8b",),
    "lz4": (b"\x04\x22\x4d\x18", *_SKIPPABLE),
    "lz4-legacy": (b"\x02\x21\x4c\x18",),
    "lzma": (b"\x5d\x00\x00", b"\xfd7zXZ\x00"),
    "xz": (b"\xfd7zXZ\x00", b"\x5d\x00\x00"),
    "zlib": (),
    "zstd": (b"\x28\xb5\x2f\xfd", *_SKIPPABLE),
}


class Decoder(Protocol):
    """A decoder of one stream.

    `decompress` gives at most `max_length` bytes (or as much as `Codec.feed` bytes can hold), and
    wants more input only if `needs_input`. At the end of the stream `eof` is set, and what it was
    given too much is `unused_data`.
    """

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: Any, max_length: int = -1) -> bytes: ...


class Codec:
    """A kind of stream.

    Attributes:
        kind: its name, a key of `MAGIC`.
        feed: how many bytes a decoder may be given at a time.
        errors: what its decoder raises for damaged data, and for a dictionary that is larger than
            was allowed.
    """

    __slots__ = ("_dictionary", "_module", "errors", "feed", "kind")

    def __init__(self, kind: str, dictionary: int = MAX_DICTIONARY) -> None:
        self.kind = kind
        self._dictionary = dictionary
        self._module = _library(_MODULES[kind], kind)
        # A frame of zstd may hold 128 KiB in 4 bytes, and its decoder gives all that it can.
        self.feed = 1 << 10 if kind == "zstd" else 256 << 10
        self.errors: tuple[type[Exception], ...] = (EOFError, OSError, RuntimeError, ValueError)
        if self._module.__name__ == "isal.igzip_lib":
            self.errors += (importlib.import_module("zlib").error,)
        for name in ("IsalError", "LZMAError", "ZstdError", "LZ4BlockError", "error"):
            if isinstance(error := getattr(self._module, name, None), type):
                self.errors += (error,)

    def decoder(self, *, careful: bool = False) -> Decoder:
        """A new decoder of one stream.

        `careful`: for what the quick one refused, from the library that Python's own readers use.
        """
        module: Any = self._module
        made: Decoder
        match self.kind:
            case "gzip" | "zlib" | "deflate" if careful:
                made = _zlib(self.kind)
            case "gzip":
                made = Gzip(module.IgzipDecompressor(flag=module.DECOMP_DEFLATE))
            case "zlib":
                made = module.IgzipDecompressor(flag=module.DECOMP_ZLIB)
            case "deflate":
                made = module.IgzipDecompressor(flag=module.DECOMP_DEFLATE)
            case "bzip2":
                made = module.BZ2Decompressor()
            case "xz" | "lzma":
                memory = self._dictionary + MIB
                made = module.LZMADecompressor(module.FORMAT_AUTO, memlimit=memory)
            case "zstd":
                made = _Zstd(module, self._dictionary)
            case "lz4":
                made = module.LZ4FrameDecompressor()
            case _:
                made = Lz4Legacy(module)
        return made


def _zlib(kind: str) -> Decoder:
    zlib = importlib.import_module("zlib")
    decoder = _Zlib(zlib.decompressobj(zlib.MAX_WBITS if kind == "zlib" else -zlib.MAX_WBITS))
    return Gzip(decoder) if kind == "gzip" else decoder


_MODULES: Final = {
    "bzip2": "bz2",
    "deflate": "isal.igzip_lib",
    "gzip": "isal.igzip_lib",
    "lz4": "lz4.frame",
    "lz4-legacy": "lz4.block",
    "lzma": "lzma",
    "xz": "lzma",
    "zlib": "isal.igzip_lib",
    "zstd": "zstandard",
}


def _library(name: str, kind: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise UnreadableError(
            f"{kind} needs the Python library {package}", hint=f"run `pip install {package}`"
        ) from None


class _Zlib:
    """`Decoder` over the zlib module."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    @property
    def eof(self) -> bool:
        return bool(self._decoder.eof)

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decoder.unused_data)

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        tail = self._decoder.unconsumed_tail
        given: bytes = self._decoder.decompress(tail + bytes(data), max(0, max_length))
        return given


class Gzip:
    """A gzip member as Python's gzip module reads it, over a decoder of deflate.

    Written here, because libraries differ in which headers they refuse (reserved flags, header
    CRC), and give nothing of a short content whose CRC-32 is wrong.
    """

    _EXTRA: Final = 4
    _TEXTS: Final = (8, 16)
    _HEADER_CRC: Final = 2
    _MAX_HEADER: Final = 1 * MIB

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self._held = b""
        self._in_header = True
        self._crc = 0
        self._size = 0
        self.eof = False
        self.unused_data = b""

    @property
    def needs_input(self) -> bool:
        if self._in_header:
            return True
        return len(self._held) < 8 if self._inner.eof else self._inner.needs_input

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        if self._in_header:
            self._held += bytes(data)
            end = self._header_end(self._held)
            if end is None:
                if len(self._held) > self._MAX_HEADER:
                    raise ValueError("an endless header")
                return b""
            self._in_header = False
            data, self._held = self._held[end:], b""
            if not data:
                return b""
        over = self._inner.eof
        if not over:
            given = self._inner.decompress(data, max_length)
            self._crc = _crc32(given, self._crc)
            self._size += len(given)
            if self._inner.eof:
                self._held = self._inner.unused_data or b""
            return given
        self._held += bytes(data)
        self._trailer()
        return b""

    def _trailer(self) -> None:
        if len(self._held) < 8:
            return
        said = int.from_bytes(self._held[:4], "little"), int.from_bytes(self._held[4:8], "little")
        if said != (self._crc, self._size & 0xFFFFFFFF):
            raise ValueError("its CRC-32 or size is not that of its content")
        self.eof = True
        self.unused_data = self._held[8:]

    def _header_end(self, held: bytes) -> int | None:
        if len(held) < 10:
            return None
        if held[:3] != b"\x1f\x8b\x08":
            raise ValueError("not a gzip header")
        flags = held[3]
        at = 10
        if flags & self._EXTRA:
            at += 2 + int.from_bytes(held[at : at + 2], "little")
        for flag in self._TEXTS:
            if flags & flag:
                at = held.find(b"\0", at) + 1
                if not at:
                    return None
        if flags & self._HEADER_CRC:
            at += 2
        return at if len(held) >= at else None


def _crc32(data: bytes, value: int) -> int:
    from isal import isal_zlib

    return isal_zlib.crc32(data, value)


class _Zstd:
    """`Decoder` over zstandard."""

    def __init__(self, module: Any, window: int) -> None:
        self._decoder = module.ZstdDecompressor(max_window_size=window).decompressobj()
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._decoder.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decoder.unused_data)

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        given: bytes = self._decoder.decompress(data)
        return given


class Lz4Legacy:
    """The format before frames: blocks of 8 MiB, each after its compressed size.

    It has no end mark: it ends with the file, between two blocks, or at a size that none has.
    """

    _BLOCK: Final = 8 * MIB
    _BOUND: Final = _BLOCK + _BLOCK // 255 + 16

    def __init__(self, module: Any) -> None:
        self._decompress = module.decompress
        self._held = bytearray()
        self._begun = False
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    @property
    def between(self) -> bool:
        """Whether no block has begun that is not complete."""
        return self._begun and not self._held

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        self._held += data
        self.needs_input = True
        if not self._begun and len(self._held) >= 4:
            del self._held[:4]
            self._begun = True
        if not self._begun or len(self._held) < 4:
            return b""
        size = int.from_bytes(self._held[:4], "little")
        if size > self._BOUND:
            self.eof = True
            self.unused_data = bytes(self._held)
            return b""
        if len(self._held) < 4 + size:
            return b""
        block = bytes(self._held[4 : 4 + size])
        del self._held[: 4 + size]
        self.needs_input = len(self._held) < 4
        given: bytes = self._decompress(block, uncompressed_size=self._BLOCK)
        return given
