"""Values in a program's JSON: literals, references to other values, graphs, the module's device.

A literal is spelled as in an object graph. What is no literal becomes one of three types of this
module, so no string of a file stands for anything. Implements spec/torch-graph.md, "Values".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel import limits
from safemodel.adapters import plain
from safemodel.adapters.graph import parse_integer
from safemodel.adapters.graph_encode import Inline
from safemodel.adapters.torch import tables
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of that number: an input, a tensor of the state, or what a node gave."""

    index: int


@dataclass(frozen=True, slots=True)
class GraphRef:
    """One of the graphs that nodes for control flow run."""

    index: int


class OwnDevice:
    """The device that the module is on when it is called."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "the device of the module"


OWN_DEVICE: Final = OwnDevice()
CPU: Final = torch.device("cpu")


def _index(content: JsonValue, what: str) -> int:
    if type(content) is not int or not 0 <= content <= limits.MAX_PROGRAM_VALUES:
        raise ArchitectureError(f"not a number of a {what}: {content!r:.60}")
    return content


def _parse_int(content: JsonValue) -> int:
    value = parse_integer(content)
    if not -_INT64 <= value < _INT64:
        raise ArchitectureError("an integer of more than 64 bits")
    return value


def _parse_device(content: JsonValue) -> object:
    if content == "own":
        return OWN_DEVICE
    if content == "cpu":
        return CPU
    raise ArchitectureError(f"a device must be own or cpu: {content!r:.60}")


_PARSERS: Final[Mapping[str, Callable[[JsonValue], object]]] = {
    "value": lambda content: Ref(_index(content, "value")),
    "graph": lambda content: GraphRef(_index(content, "graph")),
    "device": _parse_device,
    "int": _parse_int,
    "float": plain.PARSERS["float"],
    "complex": plain.PARSERS["complex"],
    "torch_dtype": tables.any_dtype,
    "torch_layout": plain.named(tables.LAYOUTS, "layout"),
    "torch_memory_format": plain.named(tables.MEMORY_FORMATS, "memory format"),
}


def parse(value: JsonValue, depth: int = 0) -> Any:
    """A VALUE; a list becomes a tuple of the values in it.

    Raises:
        ArchitectureError: it is none, or lists nest too deeply.
    """
    if value is None or type(value) in (bool, int):
        return value
    if type(value) is str:
        if len(value.encode()) > limits.MAX_ARCHITECTURE_STRING:
            raise ArchitectureError("a string of more than 4 KiB")
        return value
    if type(value) is list:
        if depth >= limits.MAX_PROGRAM_LISTS:
            raise ArchitectureError("lists of values nest too deeply")
        return tuple([parse(item, depth + 1) for item in value])
    if type(value) is not dict or len(value) != 1:
        raise ArchitectureError(f"not a value: {value!r:.60}")
    ((tag, content),) = value.items()
    parser = _PARSERS.get(tag)
    if parser is None:
        raise ArchitectureError(f"unknown kind of value {tag!r:.60}")
    return parser(content)


def inside(value: Any) -> Iterator[Any]:
    """A parsed value and, of lists, everything in them."""
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, tuple):
            stack.extend(reversed(item))


_INLINES: Final[Mapping[type, Inline]] = {
    int: plain.INLINES[int],
    float: plain.INLINES[float],
    complex: plain.INLINES[complex],
    Ref: lambda obj, path: {"value": obj.index},  # type: ignore[attr-defined]
    GraphRef: lambda obj, path: {"graph": obj.index},  # type: ignore[attr-defined]
    OwnDevice: lambda obj, path: {"device": "own"},
    torch.dtype: lambda obj, path: {"torch_dtype": _dtype_name(obj, path)},
    torch.layout: lambda obj, path: {"torch_layout": _named(tables.LAYOUT_NAMES, obj, path)},
    torch.memory_format: lambda obj, path: {"torch_memory_format": str(obj).rpartition(".")[2]},
}


def encode(value: object, place: str) -> JsonValue:
    """The VALUE of a literal, a reference, or a list of them.

    Raises:
        UnsavableError: it is something else.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value  # type: ignore[return-value]  # None or a boolean
    if kind is str:
        if len(value.encode("utf-8", "replace")) <= limits.MAX_ARCHITECTURE_STRING:  # type: ignore[attr-defined]
            return value  # type: ignore[return-value]  # a string
        raise UnsavableError("a long string in the graph", place=place)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        items: Sequence[object] = value
        return [encode(item, place) for item in items]
    if kind is torch.device and str(value) == "cpu":
        return {"device": "cpu"}
    inline = _INLINES.get(kind)
    if inline is None:
        raise UnsavableError(f"a {tables.kind_name(value)} in the graph", place=place)
    return inline(value, place)


def _dtype_name(dtype: Any, place: str) -> str:
    return tables.QUANTIZED_NAMES.get(dtype) or _named(tables.DTYPE_NAMES, dtype, place)


def _named(names: Mapping[Any, str], value: Any, place: str) -> str:
    if value not in names:
        raise UnsavableError(f"{value} in the graph", place=place)
    return names[value]
