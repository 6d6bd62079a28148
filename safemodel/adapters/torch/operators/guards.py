"""Checks of values, for operators whose kernels don't make them: run before the kernel.

Found by running each operator with hostile values in a process of its own
(tests/adapters/test_torch_operators_hostile.py). A guard raises ValueError, as PyTorch's own checks
raise RuntimeError or IndexError: what is wrong may be the graph or what its user gave it. Values of
tensors are looked at on the CPU only; elsewhere kernels check indices themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch

from safemodel.adapters.torch.operators.images import IMAGES, most_of_windows
from safemodel.adapters.torch.operators.layouts import LAYOUTS
from safemodel.adapters.torch.operators.private import PRIVATE, with_copies
from safemodel.adapters.torch.operators.recurrent import RECURRENT
from safemodel.adapters.torch.operators.refusing import Guard, integers, refuse, tensor, within
from safemodel.adapters.torch.operators.roles import MAX_ELEMENTS, MAX_WINDOW
from safemodel.adapters.torch.operators.schema import Signature


def _weight_norm(given: dict[str, Any]) -> None:
    v, g, dim = tensor(given, "v"), tensor(given, "g"), given.get("dim", 0)
    if v.dtype != g.dtype:
        refuse("its two tensors differ in type")
    if dim == -1:
        expected = [] if g.dim() == 0 else [1] * g.dim()
    elif 0 <= dim < v.dim():
        expected = [size if axis == dim else 1 for axis, size in enumerate(v.shape)]
    else:
        refuse("dim is none of the tensor's")
    if list(g.shape) != expected:
        refuse("the norm has not the shape of the tensor")


def _ctc_loss(given: dict[str, Any]) -> None:
    scores, targets = tensor(given, "log_probs"), tensor(given, "targets")
    if scores.dim() not in (2, 3) or targets.dim() not in (1, 2):
        refuse("log_probs or targets have too few or too many dimensions")
    batch = scores.shape[1] if scores.dim() == 3 else 1
    steps, classes = scores.shape[0], scores.shape[-1]
    spans = [integers(given[name]) for name in ("input_lengths", "target_lengths")]
    if any(len(span) != batch for span in spans):
        refuse("there is not one length a sequence")
    room = targets.shape[1] if targets.dim() == 2 else targets.shape[0]
    longest = max(spans[1], default=0) if targets.dim() == 2 else sum(spans[1])
    if targets.dim() == 2 and scores.dim() == 3 and targets.shape[0] != batch:
        refuse("there is not one target a sequence")
    if any(not 0 <= length <= steps for length in spans[0]):
        refuse("an input length is outside of the input")
    if min(spans[1], default=0) < 0 or longest > room:
        refuse("a target length is outside of the targets")
    within(targets, 0, classes - 1, "targets")


def _embedding_bag(given: dict[str, Any]) -> None:
    weight, indices, offsets = (tensor(given, name) for name in ("weight", "indices", "offsets"))
    weights, padding = given.get("per_sample_weights"), given.get("padding_idx")
    if weight.dim() != 2 or indices.dim() != 1 or offsets.dim() != 1:
        refuse("weight is no matrix, or indices or offsets are not in a row")
    if offsets.numel() < (1 if given.get("include_last_offset") or indices.numel() else 0):
        refuse("there is no offset")
    if given.get("mode", 0) not in (0, 1, 2):
        refuse("mode is not 0 to 2")
    within(indices, 0, weight.shape[0] - 1, "indices")
    within(offsets, 0, indices.numel(), "offsets")
    if offsets.device.type == "cpu" and (
        bool((offsets[:1] != 0).any()) or bool((offsets[1:] < offsets[:-1]).any())
    ):
        refuse("offsets do not rise from 0")
    if given.get("include_last_offset") and offsets.device.type == "cpu":
        within(offsets[-1:], indices.numel(), indices.numel(), "the last of the offsets")
    if padding is not None and not -weight.shape[0] <= padding < weight.shape[0]:
        refuse("padding_idx is no row")
    if weights is not None and (
        not isinstance(weights, torch.Tensor)
        or weights.shape != indices.shape
        or weights.dtype != weight.dtype
    ):
        refuse("per_sample_weights are not those of the indices")


def _lu_unpack(given: dict[str, Any]) -> None:
    factors, pivots = tensor(given, "LU_data"), tensor(given, "LU_pivots")
    if factors.dim() < 2 or pivots.dim() < 1:
        refuse("the factors are no matrices")
    if list(pivots.shape) != [*factors.shape[:-2], min(factors.shape[-2:])]:
        refuse("the pivots have not the shape of the factors")
    within(pivots, 1, factors.shape[-2], "pivots")


def _matrix_power(given: dict[str, Any]) -> None:
    if abs(given["n"]) > 2**31:
        refuse("the exponent is too large")


def _combinations(given: dict[str, Any]) -> None:
    items, r = tensor(given, "self"), given.get("r", 2)
    if not 0 <= r <= 16 or max(items.numel(), 1) ** r > MAX_ELEMENTS:
        refuse("there are too many combinations")


def _bounded(count: int) -> None:
    if count > MAX_ELEMENTS:
        refuse(f"the result has more than {MAX_ELEMENTS} elements")


def _most(values: torch.Tensor) -> int:
    """The largest of the integers of a tensor on the CPU, or 0."""
    if values.device.type != "cpu" or values.numel() == 0 or values.is_floating_point():
        return 0
    return 0 if values.is_complex() else int(values.detach().max())


def _bincount(given: dict[str, Any]) -> None:
    _bounded(max(_most(tensor(given, "self")), given.get("minlength", 0)))


def _one_hot(given: dict[str, Any]) -> None:
    items, classes = tensor(given, "self"), given.get("num_classes", -1)
    _bounded(items.numel() * (_most(items) + 1 if classes == -1 else classes))


def _repeats(given: dict[str, Any]) -> None:
    size, repeats = tensor(given, "self").numel() if "self" in given else 1, given["repeats"]
    if not isinstance(repeats, torch.Tensor):
        _bounded(size * repeats)
    elif repeats.device.type == "cpu" and repeats.numel() and not repeats.is_complex():
        counts = repeats.detach().double()
        if float(counts.min()) < 0:
            refuse("a number of repetitions is negative")
        _bounded(int(counts.sum()) * size // (repeats.numel() if "self" in given else 1))


def _sections(given: dict[str, Any]) -> None:
    sections = given.get("sections", given.get("tensor_indices_or_sections"))
    if isinstance(sections, torch.Tensor):
        sections = _most(sections) if sections.dim() == 0 else 0
    if sections is not None and sections > _MAX_PARTS:
        refuse("there are too many parts")


def _windows(given: dict[str, Any]) -> None:
    for name in given.keys() - {"self", "ceil_mode"}:
        if any(not 0 <= one <= MAX_WINDOW for one in integers(given[name])):
            refuse(f"{name} is not 0 to {MAX_WINDOW}")


def _max_pool(given: dict[str, Any]) -> None:
    _windows(given)
    most_of_windows(1)(given)


def _transposed(given: dict[str, Any]) -> None:
    # oneDNN writes elsewhere when strides are far longer than kernels.
    if not given.get("transposed", True):
        return
    kernel = tensor(given, "weight").shape[2:]
    strides, dilations = integers(given.get("stride", [1])), integers(given.get("dilation", [1]))
    for at, stride in enumerate(strides):
        wide = kernel[min(at, len(kernel) - 1)] if kernel else 1
        dilation = dilations[min(at, len(dilations) - 1)] if dilations else 1
        if stride > _MAX_GAP and stride > dilation * (wide - 1) + 1:
            refuse("a stride is far longer than the kernel")


def _plain(given: dict[str, Any]) -> None:
    if tensor(given, "self").is_quantized:
        refuse("the tensor is quantized")


def _finite(name: str) -> Guard:
    def guard(given: dict[str, Any]) -> None:
        matrices = tensor(given, name)
        if matrices.device.type == "cpu" and not bool(torch.isfinite(matrices.detach()).all()):
            refuse("there is a number that is not finite")

    return guard


def _least(value: Any) -> bool:
    """Whether there is an integer whose negative the type does not have."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in _SIGNED or value.device.type != "cpu":
            return False
        return bool((value == torch.iinfo(value.dtype).min).any())
    return type(value) is int and value in _LEAST


def _whole_division(given: dict[str, Any]) -> None:
    if given.get("rounding_mode") is None or not _least(given.get("self")):
        return
    by = given.get("other")
    if bool((by == -1).any()) if isinstance(by, torch.Tensor) else by == -1:
        refuse("the quotient of the least integer and -1")


def _common_multiple(given: dict[str, Any]) -> None:
    if _least(given.get("self")) or _least(given.get("other")):
        refuse("a multiple of the least integer")


def _counted(given: dict[str, Any]) -> None:
    start, end, step = given.get("start", 0), given["end"], given.get("step", 1)
    plain = all(type(value) in (bool, int, float) for value in (start, end, step))
    if plain and step and abs(end - start) > MAX_ELEMENTS * abs(step):
        refuse(f"a range of more than {MAX_ELEMENTS} numbers")


def _rows(given: dict[str, Any]) -> None:
    points = tensor(given, "self")
    if points.dim() != 2 or points.shape[0] == 0:
        refuse("there are no points in rows")


_MAX_GAP: Final = 64
_MAX_PARTS: Final = 2**16
_SIGNED: Final = (torch.int8, torch.int16, torch.int32, torch.int64)
_LEAST: Final = tuple(torch.iinfo(dtype).min for dtype in _SIGNED)
_DIVISIONS: Final = ("div", "divide", "div_", "divide_")

GUARDS: Final[Mapping[str, Guard]] = {
    "aten::_pdist_forward": _rows,
    "aten::_weight_norm": _weight_norm,
    "aten::arange": _counted,
    "aten::arange.start": _counted,
    "aten::arange.start_step": _counted,
    "aten::bincount": _bincount,
    "aten::col2im": _windows,
    "aten::combinations": _combinations,
    "aten::ctc_loss.IntList": _ctc_loss,
    "aten::ctc_loss.Tensor": _ctc_loss,
    "aten::conv_transpose1d": _transposed,
    "aten::conv_transpose2d.input": _transposed,
    "aten::conv_transpose3d.input": _transposed,
    "aten::convolution": _transposed,
    "aten::embedding_bag": _embedding_bag,
    "aten::embedding_bag.padding_idx": _embedding_bag,
    "aten::im2col": _windows,
    "aten::lcm": _common_multiple,
    "aten::lcm_": _common_multiple,
    "aten::linalg_eig": _finite("self"),
    "aten::linalg_eigvals": _finite("self"),
    "aten::linalg_matrix_power": _matrix_power,
    "aten::lu_unpack": _lu_unpack,
    "aten::matrix_power": _matrix_power,
    "aten::max_pool1d": _max_pool,
    "aten::max_pool1d_with_indices": _max_pool,
    "aten::one_hot": _one_hot,
    "aten::pdist": _rows,
    "aten::repeat_interleave.Tensor": _repeats,
    "aten::repeat_interleave.self_Tensor": _repeats,
    "aten::repeat_interleave.self_int": _repeats,
    "aten::tensor_split.sections": _sections,
    "aten::tensor_split.tensor_indices_or_sections": _sections,
    "aten::view.dtype": _plain,
    **{f"aten::{name}.Tensor_mode": _whole_division for name in _DIVISIONS},
    **LAYOUTS,
    **IMAGES,
    **RECURRENT,
}


def _pass(given: dict[str, Any]) -> None:
    """What is checked of an operator that only gets copies."""


def guarded(name: str, operator: Any, signature: Signature) -> Callable[..., Any]:
    """Return the operator, or a function that checks the values and then calls it."""
    guard = GUARDS.get(name, _pass)
    if guard is _pass and name not in PRIVATE:
        return operator  # type: ignore[no-any-return]
    names = [argument.name for argument in signature.arguments if not argument.keyword]

    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return operator(*args, **kwargs)
        given: Sequence[Any] = args
        if name in PRIVATE:
            given, kwargs = with_copies(name, names, args, kwargs)
        try:
            guard(dict(zip(names, given, strict=False)) | kwargs)
        except ValueError as error:
            raise ValueError(f"operator {name}: {error}") from None
        return operator(*given, **kwargs)

    call.__name__ = call.__qualname__ = name.partition("::")[2].replace(".", "_")
    call.operator_name = name  # type: ignore[attr-defined]
    return call
