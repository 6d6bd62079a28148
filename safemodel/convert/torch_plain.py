"""Plain values in pickles of PyTorch: dtypes, devices, sizes, and dictionaries of other classes.

What is a dictionary but for its class, and what is a path, becomes plain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters import tensors
from safemodel.convert import containers
from safemodel.convert.torch_tensors import Device, Dtype, Layout, MemoryFormat, Scheme, Size, odd
from safemodel.convert.values import Interpreter, Made, Rule, Steps, only_called
from safemodel.errors import ArchitectureError, UnconvertibleError

_UNSTORABLE: Final = ("quint4x2", "quint2x4")
_SCHEMES: Final = (
    *("per_tensor_affine", "per_tensor_symmetric"),
    *("per_channel_affine", "per_channel_symmetric", "per_channel_affine_float_qparams"),
)
NAMES: Final[Mapping[str, Any]] = {
    **{
        f"torch.{name}": Dtype(name) for name in (*tensors.STORED, *tensors.QUANTIZED, *_UNSTORABLE)
    },
    **{f"torch.{name}": Layout(name) for name in tensors.LAYOUTS},
    **{f"torch.{name}": MemoryFormat(name) for name in tensors.MEMORY_FORMATS},
    **{f"torch.{name}": Scheme(name) for name in _SCHEMES},
}


def _size(made: Made, work: Interpreter) -> Steps:
    only_called(made)
    (lengths,) = yield from work.arguments(made)
    if type(lengths) not in (tuple, list) or any(type(one) is not int for one in lengths):
        raise odd("a torch.Size")
    return Size(lengths)


def _device(made: Made, work: Interpreter) -> Steps:
    only_called(made)
    given = yield from work.arguments(made)
    kind, *index = given
    if type(kind) is not str or any(type(one) is not int for one in index) or len(index) > 1:
        raise odd("a device")
    try:
        return Device(tensors.check_device(":".join([kind, *map(str, index)])))
    except ArchitectureError as error:
        raise UnconvertibleError(error.message) from None


def _layout(made: Made, work: Interpreter) -> Steps:
    only_called(made)
    (name,) = yield from work.arguments(made)
    found = NAMES.get(name) if type(name) is str else None
    if type(found) is not Layout:
        raise odd("a layout")
    return found


def _ordered(made: Made, work: Interpreter) -> Steps:
    """An OrderedDict, with the versions that a state dict keeps as its only attribute."""
    value = made.value
    if made.new:
        raise containers.odd(made)
    given = yield from work.arguments(made)
    found: Any = containers.ordered(given)
    work.know(value, found)
    entries = yield from work.entries(containers.set_pairs(value.mutations))
    for key, item in entries.items():
        found[key] = item
    if value.state is not None:
        state = yield value.state, "_metadata"
        if type(state) is not dict or state.keys() - {"_metadata"}:
            raise UnconvertibleError("an OrderedDict with attributes of its own")
        vars(found).update(state)
    return found


def _namespace(made: Made, work: Interpreter) -> Steps:
    """Attributes and nothing more, which become a dictionary."""
    value = made.value
    found: dict[Any, Any] = {}
    work.know(value, found)
    if made.arguments or made.base is not None or value.mutations:
        raise containers.odd(made)
    state = yield value.state, ""
    if type(state) is not dict:
        raise containers.odd(made)
    found.update(state)
    return found


def _attribute_dict(made: Made, work: Interpreter) -> Steps:
    """A dictionary whose class adds no more than another way to write keys."""
    value = made.value
    found: dict[Any, Any] = {}
    work.know(value, found)
    if made.arguments or made.base is not None or value.state is not None:
        raise containers.odd(made)
    entries = yield from work.entries(containers.set_pairs(value.mutations))
    found.update(entries)
    return found


def _path(made: Made, work: Interpreter) -> Steps:
    only_called(made)
    parts = yield from work.arguments(made)
    if any(type(part) is not str for part in parts):
        raise containers.odd(made)
    return "/".join(parts).replace("//", "/", 1) if parts[:1] == ["/"] else "/".join(parts)


RULES: Final[Mapping[str, Rule]] = {
    "torch.Size": _size,
    "torch.device": _device,
    "torch.serialization._get_layout": _layout,
    "collections.OrderedDict": _ordered,
    "argparse.Namespace": _namespace,
    "types.SimpleNamespace": _namespace,
    "lightning.fabric.utilities.data.AttributeDict": _attribute_dict,
    "lightning.pytorch.utilities.parsing.AttributeDict": _attribute_dict,
    "lightning_fabric.utilities.data.AttributeDict": _attribute_dict,
    "pytorch_lightning.utilities.parsing.AttributeDict": _attribute_dict,
    **{f"pathlib.{name}": _path for name in ("Path", "PosixPath", "PurePath", "PurePosixPath")},
}
