"""Check what a graph gives an operator, against its schema, before anything runs.

Literals are plain values that a decoder made: None, bool, int, float, complex, str, lists of them,
and PyTorch's data types, devices, layouts and memory formats. What comes from another node is a
`NodeRef`: only PyTorch sees it, when the graph runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch

from safemodel.adapters.torch import tables
from safemodel.adapters.torch.operators.roles import (
    MAX_ELEMENTS,
    check_floats,
    check_integers,
    check_strings,
)
from safemodel.adapters.torch.operators.schema import Argument, Signature
from safemodel.errors import ArchitectureError

_INT64: Final = 2**63


class NodeRef:
    """Stands for the value of another node."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "node"


NODE: Final = NodeRef()

_PLAIN_DTYPES: Final = frozenset(
    dtype
    for name, (dtype, *_) in tables.DTYPES.items()
    if not name.startswith("bits") and dtype.itemsize * 8 >= 8 and "x2" not in name
    if name.startswith(("bool", "float", "bfloat", "complex"))
    or name in {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
)
_FORMATS: Final = frozenset(tables.MEMORY_FORMATS.values())


_COUNTED: Final[Mapping[str, Any]] = {"start": 0, "end": None, "step": 1}


def _is_int(value: Any) -> bool:
    return type(value) is int and -_INT64 <= value < _INT64


def _is_number(value: Any) -> bool:
    return type(value) in (bool, float, complex) or _is_int(value)


def _is_dtype(value: Any) -> bool:
    return type(value) is torch.dtype and value in _PLAIN_DTYPES


def _is_device(value: Any) -> bool:
    return type(value) is torch.device and value.type != "meta"


_LITERALS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "Device": _is_device,
    "Generator": lambda value: False,
    "Layout": lambda value: value is torch.strided,
    "MemoryFormat": lambda value: type(value) is torch.memory_format and value in _FORMATS,
    "Scalar": _is_number,
    "ScalarType": _is_dtype,
    "SymInt": _is_int,
    "Tensor": _is_number,
    "bool": lambda value: type(value) is bool,
    "complex": _is_number,
    "float": lambda value: type(value) is float or _is_int(value),
    "int": _is_int,
    "str": lambda value: type(value) is str,
}
# What may be computed: sizes and numbers, not the words that choose what an operator does.
_COMPUTED: Final = frozenset({"Scalar", "SymInt", "Tensor", "bool", "complex", "float", "int"})


def _item(argument: Argument, value: Any) -> None:
    base = argument.kind.base
    if value is None:
        if not (argument.kind.optional_items if argument.kind.many else argument.kind.optional):
            raise ArchitectureError(f"argument {argument.name!r} is None")
        return
    if isinstance(value, NodeRef):
        if base not in _COMPUTED:
            raise ArchitectureError(f"argument {argument.name!r} must be written in the graph")
        return
    fits = base in _LITERALS and _LITERALS[base](value)
    if not fits or (base == "Tensor" and argument.kind.many):
        raise ArchitectureError(f"argument {argument.name!r} is {value!r:.60}, not {argument.kind}")


def _stands_for_list(argument: Argument, value: Any) -> bool:
    """Whether it is one number for all of a list of a fixed length, or a node that has tensors."""
    if isinstance(value, NodeRef) and argument.kind.base == "Tensor":
        return True
    return value is not None and argument.kind.length is not None


def _check_length(argument: Argument, length: int) -> None:
    """Refuse a list of another length than the schema has: kernels read as many as it has."""
    expected = argument.kind.length
    if expected is None or expected == 1 or length == expected:
        return
    if length == 1 and argument.name != "output_size":  # one for all dimensions
        return
    if length or argument.name != "stride":  # an empty stride is that of the kernel
        raise ArchitectureError(f"argument {argument.name!r} has {length} items, not {expected}")


def check_value(argument: Argument, value: Any) -> None:
    """Check one argument.

    Raises:
        ArchitectureError: its type is not that of the schema, or it is out of bounds.
    """
    kind = argument.kind
    if kind.many and value is None and kind.optional:
        return
    values: Sequence[Any] = [value]
    if kind.many and isinstance(value, list | tuple):
        values = value
        _check_length(argument, len(values))
    elif kind.many and not _stands_for_list(argument, value):
        raise ArchitectureError(f"argument {argument.name!r} is not a list")
    for item in values:
        _item(argument, item)
    literal = [item for item in values if item is not None and not isinstance(item, NodeRef)]
    if kind.base in ("int", "SymInt"):
        check_integers(argument.name, argument.role, literal)
    elif kind.base == "float":
        check_floats(argument.name, literal)
    elif kind.base == "str":
        check_strings(argument.name, argument.role, literal)


def check_count(given: Mapping[str, Any]) -> None:
    """Check how many numbers `arange` is to make, as far as literals say.

    Raises:
        ArchitectureError: too many, or no number of them.
    """
    start, end, step = (given.get(name, default) for name, default in _COUNTED.items())
    if all(type(value) in (bool, int, float) for value in (start, end, step)):
        try:
            count = abs((end - start) / step)
        except (OverflowError, ZeroDivisionError):
            count = float("inf")
        if not count <= MAX_ELEMENTS:
            raise ArchitectureError(f"a range of more than {MAX_ELEMENTS} numbers")


def check_arguments(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check all arguments of one call.

    Raises:
        ArchitectureError: too many, too few, unknown, given twice, or one does not fit.
    """
    places = [argument for argument in signature.arguments if not argument.keyword]
    if len(args) > len(places):
        raise ArchitectureError(f"{len(args)} arguments, where at most {len(places)} are taken")
    given = {argument.name for argument in places[: len(args)]}
    for argument, value in zip(places, args, strict=False):
        check_value(argument, value)
    known = {argument.name: argument for argument in signature.arguments}
    for name, value in kwargs.items():
        if name not in known or name in given:
            raise ArchitectureError(f"argument {name!r:.60} is unknown or given twice")
        check_value(known[name], value)
    if signature.text.startswith("arange"):
        names = [argument.name for argument in places]
        check_count(dict(zip(names, args, strict=False)) | dict(kwargs))
    for argument in signature.arguments:
        if argument.required and argument.name not in given and argument.name not in kwargs:
            raise ArchitectureError(f"argument {argument.name!r} is missing")
