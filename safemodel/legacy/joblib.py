"""What joblib adds to pickle: arrays behind the opcode that describes them, and zfiles.

`joblib.load` replaces a `NumpyArrayWrapper`, right after its BUILD, by an array whose bytes it
reads from the file itself; so where the next opcode is depends on the wrapper's attributes
(joblib/numpy_pickle.py). Before version 0.10 the arrays were files beside the pickle
(joblib/numpy_pickle_compat.py). What is read here is exactly what joblib writes: any attribute
more may be a method of the wrapper that `load` then calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from safemodel.errors import DamagedError
from safemodel.legacy.dtype import DType, count_of, from_value, shape_of
from safemodel.legacy.pickle_facts import Global, Instance, Items, Pairs, Value

ZFILE_MAGIC: Final = b"ZF"
_LENGTH_DIGITS: Final = 19  # of a zfile's length: len(hex(2**64))

Kind = Literal["inline", "npy", "zfile"]
_WRAPPERS: Final[dict[str, Kind]] = {
    "NumpyArrayWrapper": "inline",
    "NDArrayWrapper": "npy",
    "ZNDArrayWrapper": "zfile",
}
_NEEDED: Final = frozenset({"subclass", "shape", "order", "dtype"})
_ATTRIBUTES: Final = _NEEDED | {"allow_mmap", "numpy_array_alignment_bytes"}
_SUBCLASSES: Final = frozenset({"ndarray", "memmap", "matrix"})


@dataclass(frozen=True, slots=True)
class InlineArray:
    """An array whose bytes follow.

    Attributes:
        size: bytes of the items, after any padding; meaningless if `dtype.has_object`: then a
            pickle follows, without padding.
        aligned: a byte with the length of the padding, and the padding, come first.
    """

    shape: tuple[int, ...]
    dtype: DType
    size: int
    aligned: bool


@dataclass(frozen=True, slots=True)
class Companion:
    """An array in another file, joined to the folder of the pickle: `numpy.load` opens it and may
    unpickle it, unless it is a zfile."""

    filename: str
    zfile: bool

    @property
    def beside(self) -> bool:
        """Whether it is a plain name: a file in the same folder."""
        plain = not set(self.filename) & set("/\\:\0")
        return plain and self.filename not in ("", ".", "..")


def wrapper_class(name: str) -> Kind | None:
    """Which wrapper a global is, by the last part of its name: joblib is also vendored."""
    return _WRAPPERS.get(name.rpartition(".")[2])


def wrapper_kind(value: Value) -> Kind | None:
    """Which wrapper an object is; None if it is none."""
    if not isinstance(value, Instance):
        return None
    cls = _class_of(value)
    return wrapper_class(cls.name) if cls is not None else None


def _class_of(value: Instance) -> Global | None:
    callee, arguments = value.callee, value.arguments
    if not isinstance(callee, Global):
        return None
    if callee.name in ("_reconstructor", "__newobj__", "__newobj_ex__"):  # of copyreg
        first = arguments.items[0] if isinstance(arguments, Items) and arguments.items else None
        return first if isinstance(first, Global) else None
    return callee


def parse_wrapper(value: Instance, state: Value) -> InlineArray | Companion:
    """What a wrapper stands for, from the state that BUILD gives it.

    Raises:
        DamagedError: it is not what joblib writes: what `joblib.load` does next is unknown.
    """
    _check_made_empty(value)
    attributes = _attributes(state)
    kind = wrapper_kind(value)
    if kind == "inline":
        return _inline(attributes)
    filename = attributes.get("filename")
    known = {"filename", "subclass", "allow_mmap"} if kind == "npy" else _ZFILE_ATTRIBUTES
    if not isinstance(filename, str) or not attributes.keys() <= known:
        raise DamagedError("an array in another file that is not described as joblib does")
    if kind == "npy":
        _check_subclass(attributes.get("subclass"))
    return Companion(filename, kind == "zfile")


_ZFILE_ATTRIBUTES: Final = frozenset({"filename", "init_args", "state"})


def _check_made_empty(value: Instance) -> None:
    arguments = value.arguments
    count = arguments.count if isinstance(arguments, Items) else -1
    made = value.callee.name if isinstance(value.callee, Global) else ""
    expected = {"_reconstructor": 3, "__newobj__": 1}.get(made, 0)
    if (
        count != expected
        or value.keywords is not None
        or (value.opcode == "REDUCE" and not expected)
    ):
        raise DamagedError("an array wrapper that is made with arguments")


def _attributes(state: Value) -> dict[str, Value]:
    if not isinstance(state, Pairs) or not state.complete:
        raise DamagedError("an array wrapper whose state is not a plain dictionary")
    found: dict[str, Value] = {}
    for key, value in state.items:
        if not isinstance(key, str) or key in found:
            raise DamagedError("an array wrapper with a key that is no name, or twice the same")
        found[key] = value
    return found


def _inline(attributes: dict[str, Value]) -> InlineArray:
    unknown = sorted(attributes.keys() - _ATTRIBUTES)
    if unknown:
        raise DamagedError(f"an array wrapper with the attribute {unknown[0][:80]!r}")
    if not attributes.keys() >= _NEEDED:
        raise DamagedError("an array wrapper without all attributes")
    alignment = attributes.get("numpy_array_alignment_bytes")
    if not isinstance(attributes.get("allow_mmap", False), bool | int):
        raise DamagedError("an array wrapper whose allow_mmap is no boolean")
    if alignment is not None and type(alignment) is not int:
        raise DamagedError("an array wrapper whose alignment is no integer")
    if attributes["order"] not in ("C", "F"):
        raise DamagedError("an array wrapper whose order is not C or F")
    _check_subclass(attributes["subclass"])
    shape = shape_of(attributes["shape"])
    dtype = from_value(attributes["dtype"])
    if dtype.has_object and attributes.get("allow_mmap"):
        raise DamagedError("an array of objects that may be mapped")
    return InlineArray(shape, dtype, count_of(shape) * dtype.size, alignment is not None)


def _check_subclass(value: Value) -> None:
    """The class is called, in NumPy before 2.0, to make the array."""
    known = isinstance(value, Global) and value.module.split(".")[0] == "numpy"
    if not known or not isinstance(value, Global) or value.name not in _SUBCLASSES:
        raise DamagedError("an array wrapper of a class that is not one of NumPy's")


def parse_zfile(data: memoryview) -> tuple[int, int]:
    """The header of a zfile, from its first 24 bytes: the offset of a zlib stream, and how many
    bytes it inflates to.

    Raises:
        DamagedError: not the header of a zfile.
    """
    end = len(ZFILE_MAGIC) + _LENGTH_DIGITS
    text = bytes(data[:end])
    if text[:2] != ZFILE_MAGIC or len(text) != end or len(data) <= end:
        raise DamagedError("not a zfile", offset=0)
    try:
        length = int(text[2:], 16)  # as joblib does
    except ValueError:
        raise DamagedError("a zfile whose length is no number", offset=2) from None
    # Python 2 wrote one space more
    return end + (data[end] == 0x20), length
