"""What `onnx_inputs=` of a module may be: calls of it. Knows no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from safemodel.errors import UsageError

_HINT: Final = (
    "a tensor, a tuple of tensors, or (args, kwargs); or a list of such, whose sizes differ where "
    "they may"
)


@dataclass(frozen=True, slots=True)
class Example:
    """One call. `tensors` are its inputs by name: arguments without one are `input_0`, ...."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    tensors: Mapping[str, Any]

    def feeds(self) -> dict[str, Any]:
        """The inputs as arrays."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.tensors.items()}


def examples(inputs: Any, tensor: type) -> list[Example]:
    """The calls that a caller gave, all of one form.

    Raises:
        UsageError: they are something else.
    """
    given = inputs if isinstance(inputs, list) else [inputs]
    if not given:
        raise UsageError("onnx_inputs= without inputs", hint=_HINT)
    found = [_example(item, tensor) for item in given]
    first = found[0]
    for other in found[1:]:
        same = list(other.tensors) == list(first.tensors) and all(
            (a.ndim, a.dtype) == (b.ndim, b.dtype)
            for a, b in zip(first.tensors.values(), other.tensors.values(), strict=True)
        )
        if not same or _rest(other) != _rest(first):
            raise UsageError(
                "onnx_inputs= that differ in more than sizes and values of tensors", hint=_HINT
            )
    return found


def _example(item: Any, tensor: type) -> Example:
    args, kwargs = item if _is_call(item) else (item, {})
    args = args if isinstance(args, tuple) else (args,)
    if any(not isinstance(value, tensor) for value in args):
        raise UsageError("onnx_inputs= for a module is a tensor, or a tuple of tensors", hint=_HINT)
    if any(not isinstance(value, (tensor, *_CONSTANTS)) for value in kwargs.values()):
        raise UsageError("onnx_inputs= by name are tensors and constants", hint=_HINT)
    tensors = {f"input_{number}": value for number, value in enumerate(args)}
    named = {name: value for name, value in kwargs.items() if isinstance(value, tensor)}
    if not tensors and not named:
        raise UsageError("onnx_inputs= without a tensor", hint=_HINT)
    if tensors.keys() & named.keys():
        raise UsageError(f"onnx_inputs= with a name that positions have: {min(named)!r:.60}")
    return Example(args, dict(kwargs), tensors | named)


# Arguments of these types become part of the graph.
_CONSTANTS: Final = (bool, int, float, str, type(None))


def _is_call(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and len(item) == 2
        and isinstance(item[0], tuple)
        and isinstance(item[1], Mapping)
        and all(isinstance(name, str) for name in item[1])
    )


def _rest(example: Example) -> dict[str, Any]:
    return {name: item for name, item in example.kwargs.items() if name not in example.tensors}
