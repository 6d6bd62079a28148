"""Data types of NumPy: how long an item is, and whether an array of them is a pickle.

Two spellings: the `descr` of an .npy header, and what a pickle does to make a `numpy.dtype`. The
second may lie: its state sets the flags of the type, and a type that says it holds no objects when
it does makes NumPy take bytes of the file for addresses of objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError
from safemodel.legacy.literal import Literal
from safemodel.legacy.pickle_facts import Global, Instance, Items, Pairs, Value

MAX_FIELDS: Final = 100_000
MAX_ITEM: Final = (1 << 31) - 1  # NumPy keeps the size of an item in an int, or did
_MAX_DEPTH: Final = 32
_HAS_OBJECT: Final = 0x01

# kind -> sizes in bytes that there are; None: any
_SIZES: Final[dict[str, frozenset[int] | None]] = {
    "b": frozenset({1}),
    "i": frozenset({1, 2, 4, 8, 16}),
    "u": frozenset({1, 2, 4, 8, 16}),
    "f": frozenset({2, 4, 8, 10, 12, 16}),
    "c": frozenset({8, 16, 20, 24, 32}),
    "m": frozenset({8}),
    "M": frozenset({8}),
    "O": frozenset({4, 8}),
    "S": None,
    "a": None,
    "U": None,
    "V": None,
}
_ORDERS: Final = "<>|="
_UNIT: Final = frozenset("0123456789YMWDhmsunpfaegrics/")  # of [ns], [25s], [generic], [D/3]


@dataclass(frozen=True, slots=True)
class DType:
    """What matters of a data type.

    Attributes:
        size: bytes of one item.
        has_object: whether items are Python objects, so that an array is saved as a pickle.
        problem: in a pickle, why its state does not describe such a type honestly; empty if it
            does.
        complete: whether all fields were at hand; if not, the rest is not certain.
    """

    size: int
    has_object: bool
    problem: str = ""
    complete: bool = True


def from_string(text: str) -> DType:
    """A type like `<f8`, `|S10`, `|O`, `<M8[ns]`.

    Raises:
        DamagedError: NumPy does not write such a type, though it may read it.
    """
    rest = text[1:] if text[:1] and text[0] in _ORDERS else text
    kind, number = rest[:1], rest[1:]
    if kind in ("m", "M") and number.endswith("]"):
        number, _, unit = number[:-1].partition("[")
        if not unit or not _UNIT.issuperset(unit):
            raise DamagedError(f"unusual data type {text[:80]!r}")
    if kind == "?" and not number:
        return DType(1, False)
    if kind == "O" and not number:
        number = "8"
    if kind not in _SIZES or not kind or not 0 < len(number) <= 10 or not _is_number(number):
        raise DamagedError(f"unusual data type {text[:80]!r}")
    size = int(number) * (4 if kind == "U" else 1)
    sizes = _SIZES[kind]
    if size > MAX_ITEM or (sizes is not None and size not in sizes):
        raise DamagedError(f"unusual data type {text[:80]!r}")
    return DType(size, kind == "O")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def from_descr(descr: Literal, depth: int = 0) -> DType:
    """The type of an .npy header: a string, a list of fields, or a pair of a type and a shape.

    Raises:
        DamagedError: NumPy does not write such a type.
    """
    if depth > _MAX_DEPTH:
        raise DamagedError("data types nested too deeply")
    if isinstance(descr, str):
        return from_string(descr)
    if isinstance(descr, tuple) and len(descr) == 2:
        return _repeated(from_descr(descr[0], depth + 1), descr[1])
    if isinstance(descr, list) and len(descr) <= MAX_FIELDS:
        size, has_object = 0, False
        for field in descr:
            part = _field(field, depth)
            size += part.size
            has_object = has_object or part.has_object
            if size > MAX_ITEM:
                raise DamagedError("a data type of more than 2 GiB")
        return DType(size, has_object)
    raise DamagedError("not a data type")


def _field(field: Literal, depth: int) -> DType:
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        raise DamagedError("not a field of a data type")
    name = field[0]
    if isinstance(name, tuple):
        if len(name) != 2 or not all(isinstance(part, str) for part in name):
            raise DamagedError("not the name of a field")
    elif not isinstance(name, str):
        raise DamagedError("not the name of a field")
    part = from_descr(field[1], depth + 1)
    return _repeated(part, field[2]) if len(field) == 3 else part


def _repeated(part: DType, shape: Literal) -> DType:
    sizes = (shape,) if isinstance(shape, int) else shape
    if not isinstance(sizes, tuple):
        raise DamagedError("not the shape of a field")
    size = part.size * count_of(sizes)
    if size > MAX_ITEM:
        raise DamagedError("a data type of more than 2 GiB")
    return DType(size, part.has_object, part.problem)


def count_of(shape: tuple[object, ...]) -> int:
    """How many items an array of this shape has.

    Raises:
        DamagedError: not a shape, or more than any array has.
    """
    if len(shape) > 64:
        raise DamagedError("a shape of more than 64 dimensions")
    count = 1
    for size in shape:
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise DamagedError("a shape that is not of sizes")
        count *= size
    if max((size for size in shape if isinstance(size, int)), default=0) >= 1 << 63:
        raise DamagedError("a shape beyond 64 bits")
    if count >= 1 << 63:
        raise DamagedError("an array of more items than 64 bits count")
    return count


# What a pickle does: numpy.dtype("f8", False, True), then BUILD with a tuple of 8 or 9.

_CALLEES: Final = frozenset({("numpy", "dtype"), ("numpy.core.multiarray", "dtype")})
_CLASSES: Final = ("numpy.dtypes", "numpy.dtype")  # numpy.dtypes.Float64DType and the like
_STRINGS: Final = (
    "_convert_to_stringdtype_kwargs"  # variable-length strings: a pickle, like objects
)


def from_value(value: Value, depth: int = 0) -> DType:
    """The type that a pickle makes.

    Raises:
        DamagedError: it is made in no way that NumPy's own pickles use.
    """
    if depth > _MAX_DEPTH:
        raise DamagedError("data types nested too deeply")
    if not isinstance(value, Instance) or not isinstance(value.callee, Global):
        raise DamagedError("not a data type")
    callee, arguments = value.callee, value.arguments
    if callee.name == _STRINGS and callee.module.split(".")[0] == "numpy":
        return DType(16, True)
    if (callee.module, callee.name) not in _CALLEES or not isinstance(arguments, Items):
        raise DamagedError("not a data type")
    text = arguments.items[0] if arguments.items else None
    if not isinstance(text, str):
        raise DamagedError("not a data type")
    return _with_state(from_string(text), text, value.state, depth)


def _with_state(base: DType, text: str, state: Value, depth: int) -> DType:
    if state is None:
        return base
    if not isinstance(state, Items) or state.kind != "tuple" or state.count not in (8, 9):
        return DType(base.size, base.has_object, "the state of a data type of unknown form")
    _, order, subarray, names, fields, size, alignment, flags, *_metadata = state.items
    problem = ""
    if not isinstance(order, str) or order not in _ORDERS:
        problem = "a byte order that there is not"
    if not all(isinstance(number, int) for number in (size, alignment, flags)):
        return DType(base.size, base.has_object, "sizes that are not numbers")
    item, has_object, complete = base.size, base.has_object, True
    if (
        isinstance(size, int)
        and size >= 0
        and text[-1:] != "O"
        and text.lstrip(_ORDERS)[:1] in "SUVa"
    ):
        item = size
    if subarray is not None:
        part = _subarray(subarray, depth)
        has_object = has_object or part.has_object
        problem = problem or part.problem
        complete = part.complete
        if part.size != item:
            problem = problem or "a size that is not that of its items"
    if fields is not None:
        part = _fields(fields, names, item, depth)
        has_object = has_object or part.has_object
        problem = problem or part.problem
        complete = complete and part.complete
    if isinstance(flags, int) and bool(flags & _HAS_OBJECT) != has_object:
        problem = problem or "flags that hide what its items are"
    return DType(item, has_object, problem, complete)


def _subarray(value: Value, depth: int) -> DType:
    if isinstance(value, Items) and value.kind == "tuple" and value.count == 2:
        base, shape = value.items
        part = from_value(base, depth + 1)
        sizes = (shape,) if isinstance(shape, int) else shape_of(shape)
        return DType(part.size * count_of(sizes), part.has_object, part.problem, part.complete)
    raise DamagedError("not the items of a data type")


def shape_of(value: Value) -> tuple[int, ...]:
    """A tuple of sizes.

    Raises:
        DamagedError: it is something else.
    """
    if isinstance(value, Items) and value.kind == "tuple" and value.complete:
        sizes = tuple(size for size in value.items if type(size) is int)
        if len(sizes) == value.count:
            return sizes
    raise DamagedError("not a shape")


def _fields(fields: Value, names: Value, item: int, depth: int) -> DType:
    if not isinstance(fields, Pairs):
        raise DamagedError("not the fields of a data type")
    has_object, problem, complete = False, "", fields.complete
    for _, value in fields.items:
        if not isinstance(value, Items) or value.kind != "tuple" or value.count not in (2, 3):
            raise DamagedError("not a field of a data type")
        part = from_value(value.items[0], depth + 1)
        offset = value.items[1]
        if not isinstance(offset, int) or not 0 <= offset <= item - part.size:
            problem = problem or "a field outside of its item"
        has_object = has_object or part.has_object
        problem = problem or part.problem
        complete = complete and part.complete
    if not isinstance(names, Items):
        problem = problem or "fields without names"
    return DType(item, has_object, problem, complete)
