"""tar headers by hand."""

from __future__ import annotations


def header(name: bytes, size: int | bytes = 0, kind: bytes = b"0", **fields: bytes) -> bytes:
    """A ustar header with the right digest, whatever it says; `size` may be the field itself."""
    block = bytearray(512)
    block[: len(name[:100])] = name[:100]
    block[100:108] = block[108:116] = block[116:124] = b"0000644\0"
    block[124:136] = size if isinstance(size, bytes) else f"{size:011o}\0".encode()
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    target = fields.get("target", b"")[:100]
    block[157 : 157 + len(target)] = target
    block[257:265] = fields.get("magic", b"ustar\x0000")
    extended = fields.get("extended", b"")
    block[482 : 482 + len(extended)] = extended
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    """Data up to the next multiple of 512."""
    return data + bytes(-len(data) % 512)


def member(name: bytes, data: bytes, kind: bytes = b"0") -> bytes:
    """A header and its data."""
    return header(name, len(data), kind) + padded(data)


def pax(*records: tuple[bytes, bytes]) -> bytes:
    """A pax header for the next member."""
    data = b""
    for key, value in records:
        rest = b" %s=%s\n" % (key, value)
        length = len(rest)
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        data += str(length).encode() + rest
    return member(b"pax", data, b"x")


END = bytes(1024)
