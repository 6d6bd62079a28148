"""Attributes of nodes between TensorFlow's, the JSON, and what the rest of the code uses.

What the table of operators says of an attribute is what is read and written. Imports no
TensorFlow. Implements spec/tensorflow-graph.md, "Attributes".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import float_text, parse_float, parse_integer
from safemodel.adapters.graph_decode import integer
from safemodel.adapters.tensorflow import constants
from safemodel.adapters.tensorflow.constants import Constants, Tensors
from safemodel.adapters.tensorflow.program import FunctionRef, Inline, Stored
from safemodel.adapters.tensorflow.table import Attribute, Operator
from safemodel.errors import ArchitectureError, UnsavableError
from safemodel.legacy.tensorflow_functions import NodeFact
from safemodel.legacy.tensorflow_values import AttributeFact, CallFact

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


def of_node(row: Operator, node: NodeFact) -> dict[str, AttributeFact]:
    """The attributes that matter: not those of debuggers and optimizers, nor ignored ones.

    Raises:
        UnsavableError: one that the operator does not have, or of another kind.
    """
    found: dict[str, AttributeFact] = {}
    for name, fact in node.attributes.items():
        if name.startswith("_") or name in row.ignored:
            continue
        attribute = row.attributes.get(name)
        if attribute is None:
            raise UnsavableError(f"operator {row.name} with an attribute {name:.60}")
        kind = attribute.kind if fact.many and not fact.kind else fact.kind  # an empty list
        if (kind, fact.many) != (attribute.kind, attribute.many):
            raise UnsavableError(f"operator {row.name}: attribute {name} of another kind")
        found[name] = fact
    return found


def functions(row: Operator, given: Mapping[str, AttributeFact]) -> list[str]:
    """The names of the functions that attributes are, in the order of the table, each once."""
    names: dict[str, None] = {}
    for name, attribute in row.attributes.items():
        if attribute.kind == "func" and name in given:
            fact = given[name]
            calls: tuple[CallFact, ...] = fact.value if fact.many else (fact.value,)
            for call in calls:
                if any(not key.startswith("_") for key in call.attributes):
                    raise UnsavableError("a function that is given attributes")
                names[call.name] = None
    return list(names)


def encode(
    row: Operator,
    given: Mapping[str, AttributeFact],
    numbers: Mapping[str, int],
    large: Constants,
) -> tuple[dict[str, JsonValue], dict[str, Any]]:
    """The attributes as JSON, without those that have their default, and as the table has them.

    `numbers` are those of functions by name.

    Raises:
        UnsavableError: a value that no archive can have.
    """
    written: dict[str, JsonValue] = {}
    plain: dict[str, Any] = {}
    for name, fact in given.items():
        attribute = row.attributes[name]

        def one(value: Any, kind: str = attribute.kind) -> JsonValue:
            return _ENCODERS[kind](value, numbers, large)

        encoded: JsonValue = [one(item) for item in fact.value] if fact.many else one(fact.value)
        value = _plain(attribute, encoded)
        if is_default(attribute, value):
            continue
        written[name] = encoded
        plain[name] = value
    return written, plain


_Encoder = Callable[[Any, Mapping[str, int], Constants], "JsonValue"]


def _string(value: bytes, numbers: Mapping[str, int], large: Constants) -> JsonValue:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UnsavableError("an attribute that is no text") from None


def _integer(value: int, numbers: Mapping[str, int], large: Constants) -> JsonValue:
    return value if abs(value) <= limits.MAX_SAFE_INTEGER else {"int": str(value)}


def _shape(value: Any, numbers: Mapping[str, int], large: Constants) -> JsonValue:
    return None if value is None else list(value)


_ENCODERS: Mapping[str, _Encoder] = {
    "string": _string,
    "int": _integer,
    "float": lambda value, numbers, large: {"float": float_text(value)},
    "bool": lambda value, numbers, large: bool(value),
    "type": lambda value, numbers, large: str(value),
    "shape": _shape,
    "tensor": lambda value, numbers, large: large.encode(value),
    "func": lambda value, numbers, large: {"function": numbers[value.name]},
}


def _plain(attribute: Attribute, value: JsonValue) -> Any:
    """A value as `Operator.check` takes it: floats and integers as such.

    Raises:
        ArchitectureError: not spelled as it must be.
    """
    if attribute.many and type(value) is list:
        return [_plain_one(attribute.kind, item) for item in value]
    return _plain_one(attribute.kind, value)


def _plain_one(kind: str, value: JsonValue) -> Any:
    if kind == "float":
        if type(value) is not dict or value.keys() != {"float"}:
            raise ArchitectureError(f"not a float: {value!r:.60}")
        number = parse_float(value["float"])
        if single(number) != number and number == number:
            raise ArchitectureError("a float that is not one of 32 bits")
        return number
    if kind == "int" and type(value) is dict and value.keys() == {"int"}:
        return parse_integer(value["int"])
    return value


def single(value: float) -> float:
    """The number of 32 bits that a float becomes; infinite if none is as large."""
    try:
        found: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return found


def is_default(attribute: Attribute, value: Any) -> bool:
    """Whether a value is what the table has for an attribute that is left out."""
    default = attribute.default
    if attribute.kind == "float" and not attribute.many and type(default) is float:
        return bool(single(default) == value)
    return type(value) is type(default) and bool(value == default)


def parse(
    row: Operator, value: JsonValue, functions: int, tensors: Tensors, used: set[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All attributes of a node: as the table has them, and as the rest uses them.

    `functions` is how many functions there are that a node may name; `used` gets the names of
    tensors.

    Raises:
        ArchitectureError: one that must not be, or that need not be written.
    """
    if type(value) is not dict:
        raise ArchitectureError("attrs must be an object")
    plain: dict[str, Any] = {}
    for name, written in value.items():
        attribute = row.attributes.get(name)
        if attribute is None:
            raise ArchitectureError(f"operator {row.name} has no attribute {name!r:.60}")
        if attribute.many and type(written) is not list:
            raise ArchitectureError(f"attribute {name} must be a list")
        plain[name] = _plain(attribute, written)
        if is_default(attribute, plain[name]):
            raise ArchitectureError(f"attribute {name} is written, and has its default")
    row.check(plain)
    known = row.complete(plain)
    made: dict[str, Any] = {}
    for name, whole in known.items():
        attribute = row.attributes[name]
        if attribute.many:
            items = [_made(attribute.kind, item, functions, tensors, used) for item in whole]
            made[name] = tuple(items)
        elif attribute.kind in _AS_THEY_ARE:
            made[name] = whole
        else:
            made[name] = _made(attribute.kind, whole, functions, tensors, used)
    return known, made


_AS_THEY_ARE: Final = frozenset({"bool", "int", "float", "string", "type"})


def _made(
    kind: str, value: Any, functions: int, tensors: Tensors, used: set[str]
) -> bool | int | float | str | tuple[int, ...] | FunctionRef | Inline | Stored | None:
    if kind == "func":
        return FunctionRef(integer(value["function"], 0, functions - 1, "a function"))
    if kind == "tensor":
        return constants.parse(value, tensors, used)
    if kind == "shape":
        return None if value is None else tuple(value)
    return value  # type: ignore[no-any-return]  # the table has checked it
