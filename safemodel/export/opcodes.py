"""A program of pickle opcodes that rebuilds state: what `torch.load(weights_only=True)` interprets.

It is written by hand, from a fixed set of opcodes and a fixed table of names; no pickler runs, and
nothing of a bundle can become a name that a reader would look up. What occurs several times in the
state is written once and remembered. Values are walked with a stack of our own, since state may
nest deeper than Python does.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from safemodel.errors import UnsavableError
from safemodel.export.values import StateDict, described

# What a program may call or name, as `torch.save` names it.
GLOBALS: Final[Mapping[str, bytes]] = {
    "OrderedDict": b"ccollections\nOrderedDict\n",
    "Counter": b"ccollections\nCounter\n",
    "set": b"c__builtin__\nset\n",
    "complex": b"c__builtin__\ncomplex\n",
    "bytearray": b"c__builtin__\nbytearray\n",
    "encode": b"c_codecs\nencode\n",
    "Size": b"ctorch\nSize\n",
    "device": b"ctorch\ndevice\n",
    "layout": b"ctorch.serialization\n_get_layout\n",
    "Tensor": b"ctorch\nTensor\n",
    "tensor": b"ctorch._utils\n_rebuild_tensor_v2\n",
    "typed": b"ctorch._utils\n_rebuild_tensor_v3\n",
    "parameter": b"ctorch._utils\n_rebuild_parameter\n",
    "quantized": b"ctorch._utils\n_rebuild_qtensor\n",
    "sparse": b"ctorch._utils\n_rebuild_sparse_tensor\n",
    "with_attributes": b"ctorch._tensor\n_rebuild_from_type_v2\n",
    "UntypedStorage": b"ctorch.storage\nUntypedStorage\n",
    "per_tensor_affine": b"ctorch\nper_tensor_affine\n",
    "per_channel_affine": b"ctorch\nper_channel_affine\n",
    "per_channel_affine_float_qparams": b"ctorch\nper_channel_affine_float_qparams\n",
}

_MAX_LONG: Final = 255  # bytes of an integer: readers know LONG1 alone


class Name:
    """A global of the table, or a data type or storage class of PyTorch by its name."""

    __slots__ = ("opcode",)

    def __init__(self, opcode: bytes) -> None:
        self.opcode = opcode


class Call:
    """A call: what `function` makes of `arguments`; in programs, REDUCE."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: str, *arguments: object) -> None:
        self.function = function
        self.arguments = arguments


class Storage:
    """A storage of the file, which the reader finds by its identifier; BINPERSID."""

    __slots__ = ("identifier",)

    def __init__(self, *identifier: object) -> None:
        self.identifier = identifier


# Turns a value that this module does not know into one that it does; None if it can't.
Translate = Callable[[object], object | None]


class Program:
    """One program under way."""

    def __init__(self, translate: Translate) -> None:
        self._translate = translate
        self._out = bytearray(b"\x80\x02")  # protocol 2, as torch.save writes
        self._memo: dict[int, int] = {}
        self._kept: list[object] = []  # so that no other object gets the same id meanwhile
        self._under_way: set[int] = set()
        self._work: list[tuple[object, str] | bytes | Callable[[], None]] = []

    def of(self, value: object) -> bytes:
        """The program that rebuilds `value`.

        Raises:
            UnsavableError: part of it is nothing that the readers of such programs take.
        """
        self._work.append((value, ""))
        while self._work:
            item = self._work.pop()
            if isinstance(item, bytes):
                self._out += item
            elif isinstance(item, tuple):
                self._value(*item)
            else:
                item()
        return bytes(self._out) + b"."

    def _value(self, value: object, path: str) -> None:
        if id(value) in self._memo:
            self._out += _get(self._memo[id(value)])
            return
        write = _WRITERS.get(type(value))
        if write is not None:
            write(self, value, path)
            return
        plain = _plain(value)
        if plain is not None:
            self._out += plain
            return
        translated = self._translate(value)
        if translated is None:
            raise UnsavableError(
                f"{described(value)}, which torch.load(weights_only=True) does not read",
                place=path or None,
                hint="load it with safemodel instead, or save it without that",
            )
        self._remembered(value, [(translated, path)])

    def _remembered(self, value: object, steps: list[Any]) -> None:
        """Do the steps, which leave the value on the stack, and remember it."""
        self._schedule([*steps, lambda: self._remember(value)])

    def _schedule(self, steps: list[Any]) -> None:
        self._work.extend(reversed(steps))

    def _remember(self, value: object) -> None:
        number = self._memo[id(value)] = len(self._memo)
        self._kept.append(value)
        self._out += _put(number)

    # Containers. Lists and dictionaries are remembered before their content: they may hold
    # themselves. What must be complete before it exists can't.

    def _list(self, value: Any, path: str) -> None:
        self._out += b"]"
        self._remember(value)
        if value:
            self._schedule([b"(", *_items(value, path), b"e"])

    def _dict(self, value: Any, path: str) -> None:
        self._out += b"}"
        self._remember(value)
        self._schedule(_pairs(value, path))

    def _ordered(self, value: Any, path: str) -> None:
        self._out += GLOBALS["OrderedDict"] + b")R"
        self._remember(value)
        steps = _pairs(value, path)
        if hasattr(value, "_metadata"):
            steps += [({"_metadata": value._metadata}, path), b"b"]
        self._schedule(steps)

    def _tuple(self, value: Any, path: str) -> None:
        if not value:
            self._out += b")"
            return
        marks = {1: (b"", b"\x85"), 2: (b"", b"\x86"), 3: (b"", b"\x87")}
        before, after = marks.get(len(value), (b"(", b"t"))
        self._whole(value, path, [before, *_items(value, path), after])

    def _counter(self, value: Any, path: str) -> None:
        steps = [GLOBALS["Counter"], (dict(value), path), b"\x85R"]
        self._whole(value, path, steps)

    def _set(self, value: Any, path: str) -> None:
        self._whole(value, path, [GLOBALS["set"], (list(value), path), b"\x85R"])

    def _bytes(self, value: Any, path: str) -> None:
        self._out += _bytes_program(value)

    def _bytearray(self, value: Any, path: str) -> None:
        steps = [GLOBALS["bytearray"], _bytes_program(bytes(value)), b"\x85R"]
        self._whole(value, path, steps)

    def _call(self, value: Call, path: str) -> None:
        self._whole(value, path, [GLOBALS[value.function], (value.arguments, path), b"R"])

    def _storage(self, value: Storage, path: str) -> None:
        self._schedule([(value.identifier, path), b"Q"])

    def _name(self, value: Name, path: str) -> None:
        self._out += value.opcode

    def _whole(self, value: object, path: str, steps: list[Any]) -> None:
        if id(value) in self._under_way:
            raise UnsavableError(f"{described(value)} that holds itself", place=path or None)
        self._under_way.add(id(value))
        self._kept.append(value)
        self._remembered(value, [*steps, lambda: self._under_way.discard(id(value))])


_WRITERS: Final[Mapping[type, Callable[[Program, Any, str], None]]] = {
    list: Program._list,
    dict: Program._dict,
    StateDict: Program._ordered,
    tuple: Program._tuple,
    Counter: Program._counter,
    set: Program._set,
    bytes: Program._bytes,
    bytearray: Program._bytearray,
    Call: Program._call,
    Storage: Program._storage,
    Name: Program._name,
}


def _plain(value: object) -> bytes | None:
    if value is None or value is True or value is False:
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if type(value) is int:
        return _integer(value)
    if type(value) is float:
        return b"G" + struct.pack(">d", value)
    if type(value) is str:
        data = value.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(data)) + data
    if type(value) is complex:
        parts = struct.pack(">d", value.real), struct.pack(">d", value.imag)
        return GLOBALS["complex"] + b"G" + parts[0] + b"G" + parts[1] + b"\x86R"
    return None


def _integer(value: int) -> bytes | None:
    if 0 <= value < 1 << 8:
        return b"K" + struct.pack("<B", value)
    if 0 <= value < 1 << 16:
        return b"M" + struct.pack("<H", value)
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    length = value.bit_length() // 8 + 1
    if length > _MAX_LONG:
        return None
    return b"\x8a" + struct.pack("<B", length) + value.to_bytes(length, "little", signed=True)


def _bytes_program(value: bytes) -> bytes:
    """Protocol 2 has no bytes: text, one character for each, and how to encode it."""
    text = value.decode("latin-1").encode()
    size = struct.pack("<I", len(text))
    return GLOBALS["encode"] + b"X" + size + text + b"X\x06\0\0\0latin1\x86R"


def _items(values: Any, path: str) -> Iterator[tuple[object, str]]:
    return ((item, _joined(path, number)) for number, item in enumerate(values))


def _pairs(value: Mapping[Any, object], path: str) -> list[Any]:
    if not value:
        return []
    steps: list[Any] = [b"("]
    for key, item in value.items():
        place = _joined(path, key)
        steps += [(key, place), (item, place)]
    return [*steps, b"u"]


def _joined(path: str, key: object) -> str:
    shown = str(key) if isinstance(key, str | int) else f"<{type(key).__name__}>"
    return f"{path}.{shown}" if path else shown


def _put(number: int) -> bytes:
    return b"q" + struct.pack("<B", number) if number < 256 else b"r" + struct.pack("<I", number)


def _get(number: int) -> bytes:
    return b"h" + struct.pack("<B", number) if number < 256 else b"j" + struct.pack("<I", number)
