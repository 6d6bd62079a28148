"""Tensors of PyTorch, as what a pickle tells of them: stand-ins, each checked when it is made.

A tensor is a view of a storage: dtype, offset, shape, strides, and bits of the view. What PyTorch
would refuse when it loads the file is refused here, and also what it would not: a tensor that
leaves its storage, a boolean that is neither 0 nor 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.memory import dense_axes, extent
from safemodel.adapters.tensors import ITEM_SIZES
from safemodel.convert.torch_storages import Storage, array_of
from safemodel.errors import UnconvertibleError

_OWN_ATTRIBUTES: Final = frozenset({"_is_buffer", "persistent"})
_LARGE: Final = 4  # how much more often than there are bytes items of a view are looked at


def odd(what: str = "a tensor") -> UnconvertibleError:
    """The error for something that PyTorch does not write."""
    return UnconvertibleError(f"{what} in a form that PyTorch does not write")


class Named:
    """A value that is a name: a dtype, a layout, a device. Equal ones are one object."""

    __module__ = "torch"
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Dtype(Named):
    """A dtype."""

    __slots__ = ()


class Layout(Named):
    """A layout."""

    __slots__ = ()


class MemoryFormat(Named):
    """A memory format."""

    __slots__ = ()


class Scheme(Named):
    """A way of quantizing."""

    __slots__ = ()


class Device(Named):
    """A device."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Size(tuple[int, ...]):
    """The lengths of axes."""

    __module__ = "torch"
    __slots__ = ()


class Tensor:
    """What all tensors have.

    Attributes:
        parameter: whether it is a Parameter.
        requires_grad: whether it wants a gradient.
        attributes: that were set on it.
        layout: of sparse ones.
    """

    __module__ = "torch"
    __slots__ = ("attributes", "parameter", "requires_grad")

    def __init__(self) -> None:
        self.parameter = False
        self.requires_grad = False
        self.attributes: Mapping[Any, Any] = {}

    def bare(self) -> Tensor:
        """The same memory without what `detach` leaves out."""
        raise NotImplementedError

    @property
    def has_gradient(self) -> bool:
        """Whether its dtype is one of those that may want a gradient."""
        return False


class Strided(Tensor):
    """A tensor over a storage; `offset` and `strides` count items."""

    __slots__ = ("conj", "dtype", "neg", "offset", "shape", "storage", "strides")

    def __init__(
        self,
        storage: Storage,
        dtype: str,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.storage = storage
        self.dtype = dtype
        self.offset = offset
        self.shape = shape
        self.strides = strides
        self.conj = self.neg = False

    def bare(self) -> Strided:
        found = Strided(self.storage, self.dtype, self.offset, self.shape, self.strides)
        found.conj, found.neg = self.conj, self.neg
        return found

    @property
    def has_gradient(self) -> bool:
        return self.dtype.startswith(("float", "bfloat", "complex"))

    @property
    def address(self) -> int:
        """Of the first item."""
        return self.storage.address + self.offset * ITEM_SIZES[self.dtype]

    @property
    def is_dense(self) -> bool:
        """Whether it fills a block of memory without holes and overlaps."""
        return 0 in self.shape or dense_axes(self.shape, self.strides, 1) is not None

    def items(self) -> np.ndarray[Any, Any]:
        """The items as plain ones of their size."""
        return array_of(self.storage, self.dtype, self.offset, self.shape, self.strides)


class Quantized(Tensor):
    """A quantized tensor: `values` are of the type that represents it.

    Attributes:
        scale: a float, or a tensor of one for each index of `axis`.
        zero_point: an integer, or a tensor likewise.
        axis: None where there is one scale.
    """

    __slots__ = ("axis", "dtype", "scale", "values", "zero_point")

    def __init__(self, dtype: str, values: Strided, scale: Any, zero_point: Any, axis: Any) -> None:
        super().__init__()
        self.dtype = dtype
        self.values = values
        self.scale = scale
        self.zero_point = zero_point
        self.axis = axis

    def bare(self) -> Quantized:
        return Quantized(self.dtype, self.values, self.scale, self.zero_point, self.axis)


class Sparse(Tensor):
    """A sparse tensor: `parts` are indices and values, or compressed and plain indices, values."""

    __slots__ = ("coalesced", "layout", "parts", "shape")

    def __init__(
        self, layout: str, parts: tuple[Strided, ...], shape: tuple[int, ...], coalesced: bool
    ) -> None:
        super().__init__()
        self.layout = layout
        self.parts = parts
        self.shape = shape
        self.coalesced = coalesced

    def bare(self) -> Sparse:
        return Sparse(self.layout, self.parts, self.shape, self.coalesced)

    @property
    def has_gradient(self) -> bool:
        return self.parts[-1].has_gradient


class Without(Tensor):
    """A tensor that has no content, or none that can be stored: `what` says so."""

    __slots__ = ("hint", "what")

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__()
        self.what = what
        self.hint = hint

    def bare(self) -> Without:
        return Without(self.what, self.hint)

    @property
    def has_gradient(self) -> bool:
        return True


class Generator:
    """A generator of random numbers: its state, in memory of its own.

    Attributes:
        device: by name.
    """

    __module__ = "torch"
    __slots__ = ("device", "state")

    def __init__(self, device: str, state: Strided) -> None:
        self.device = device
        self.state = state


# Making and checking them


def sizes(value: Any) -> tuple[int, ...]:
    """Lengths or strides.

    Raises:
        UnconvertibleError: something else.
    """
    if type(value) not in (tuple, list, Size) or len(value) > limits.MAX_TENSOR_RANK:
        raise odd()
    if any(type(one) is not int or not 0 <= one <= limits.MAX_SAFE_INTEGER for one in value):
        raise odd()
    return tuple(value)


def strided(storage: Any, dtype: str, offset: Any, shape: Any, strides: Any) -> Tensor:
    """A tensor over a storage, which it does not leave.

    Raises:
        UnconvertibleError: it does, or its numbers make no sense.
    """
    if type(storage) is not Storage:
        raise odd()
    lengths, steps = sizes(shape), sizes(strides)
    if len(lengths) != len(steps) or type(offset) is not int:
        raise odd()
    if storage.location.partition(":")[0] == "meta":
        return meta()
    if dtype not in ITEM_SIZES:
        return Without(f"a tensor of torch.{dtype}")
    found = Strided(storage, dtype, offset, lengths, steps)
    size = ITEM_SIZES[dtype]
    _, stop = extent(lengths, steps, 1)
    if not 0 <= offset <= storage.size // size or (offset + stop) * size > storage.size:
        raise UnconvertibleError("a tensor that leaves its storage")
    if math.prod(max(length, 1) for length in lengths) * size > limits.MAX_SAFE_INTEGER:
        raise UnconvertibleError("a tensor whose axes are too long")
    if found.dtype == "bool":
        _check_bools(found, stop)
    return found


def meta() -> Without:
    """A tensor without content."""
    return Without("a tensor on the meta device, which has no data", "load its weights first")


def _check_bools(tensor: Strided, stop: int) -> None:
    """Refuse bytes other than 0 and 1, in time that does not depend on the strides."""
    block = tensor.storage.block
    if block.is_boolean or 0 in tensor.shape:
        return
    block.blocks.look(stop)
    lengths: tuple[int, ...] = tuple(
        1 if not n else m for m, n in zip(tensor.shape, tensor.strides, strict=True)
    )
    steps = tensor.strides
    if math.prod(lengths) > _LARGE * stop:
        lengths, steps = (stop,), (1,)
    seen = array_of(tensor.storage, "bool", tensor.offset, lengths, steps)
    if int(seen.max()) > 1:
        raise UnconvertibleError("a boolean that is neither 0 nor 1")


def with_bits(tensor: Tensor, metadata: Any) -> Tensor:
    """The tensor with the bits of its view: conjugate, negative.

    Raises:
        UnconvertibleError: others.
    """
    if not metadata or not isinstance(tensor, Strided):
        return tensor
    if type(metadata) is not dict or not metadata.keys() <= {"conj", "neg"}:
        raise odd()
    conj, neg = metadata.get("conj", False), metadata.get("neg", False)
    if type(conj) is not bool or type(neg) is not bool:
        raise odd()
    if conj and not tensor.dtype.startswith("complex"):
        raise odd()
    tensor.conj, tensor.neg = conj, neg
    return tensor


def finished(tensor: Any, requires_grad: Any, hooks: Any) -> Tensor:
    """A tensor that was made, with what all have.

    Raises:
        UnconvertibleError: hooks, or a gradient for a dtype that has none.
    """
    if not isinstance(tensor, Tensor) or type(requires_grad) is not bool:
        raise odd()
    if hooks is not None and (not isinstance(hooks, dict) or hooks):
        raise UnconvertibleError("a tensor with hooks, which are code")
    if requires_grad and not tensor.has_gradient:
        raise UnconvertibleError("a tensor that wants a gradient, of a type that has none")
    tensor.requires_grad = requires_grad
    return tensor


def parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Tensor:
    """A Parameter over a tensor.

    Raises:
        UnconvertibleError: as `finished`.
    """
    if not isinstance(data, Tensor):
        raise odd("a parameter")
    found = finished(data.bare(), requires_grad, hooks)
    found.parameter = True
    return with_attributes(found, state)


def with_attributes(tensor: Tensor, state: Any) -> Tensor:
    """The tensor with attributes of its own.

    Raises:
        UnconvertibleError: a state that is not one of attributes.
    """
    if type(state) is tuple and len(state) == 2 and not state[1]:
        state = state[0]
    if state is not None:
        if type(state) is not dict or any(type(key) is not str for key in state):
            raise odd()
        tensor.attributes = {**tensor.attributes, **state}
    return tensor


def problem_of(tensor: Tensor) -> tuple[str, str] | None:
    """Why a tensor can't be stored, and what to do; None if it can."""
    if isinstance(tensor, Without):
        return tensor.what, tensor.hint or "save another form of it"
    given = tensor.attributes.keys()
    own = given - (_OWN_ATTRIBUTES if "_is_buffer" in given else set())
    if own:
        named = ", ".join(sorted(own))[:100]
        what = f"a tensor with attributes of its own ({named})"
        return what, "load it where you trust it, and save tensor.detach()"
    trained = tensor.parameter or tensor.requires_grad
    if trained and isinstance(tensor, Strided) and not tensor.is_dense:
        what = "a parameter, or a tensor with a gradient, whose items overlap or leave holes"
        return what, "load it where you trust it, and save tensor.detach()"
    return None


def check_bounded(tensor: Strided) -> None:
    """Refuse a view of far more items than its storage has, before all of them are looked at.

    Raises:
        UnconvertibleError: it is one.
    """
    size = math.prod(tensor.shape) * ITEM_SIZES[tensor.dtype]
    if size > max(tensor.storage.size, limits.MIB):
        raise UnconvertibleError("a view that addresses far more than its storage has")
    tensor.storage.block.blocks.look(size)
