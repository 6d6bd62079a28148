"""Guards of the recurrent layers: their kernels take the sizes of all matrices from the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch

from safemodel.adapters.torch.operators.refusing import Guard, refuse, tensor, tensors

_MAX_LAYERS: Final = 2**16


def _states(given: dict[str, Any], gates: int) -> tuple[torch.Tensor, int, int]:
    """The hidden state, its width, and the width of the cells."""
    if gates != 4:
        hidden = tensor(given, "hx")
        if hidden.dim() != 3:
            refuse("the state has not three dimensions")
        return hidden, hidden.shape[2], hidden.shape[2]
    pair = tensors(given, "hx")
    if len(pair) != 2 or any(one.dim() != 3 for one in pair):
        refuse("the state is not two tensors of three dimensions")
    if pair[0].shape[:2] != pair[1].shape[:2]:
        refuse("the two tensors of the state differ in shape")
    return pair[0], pair[0].shape[2], pair[1].shape[2]


def _expected(
    layer: int, width: int, hidden: int, cells: int, gates: int, biases: bool
) -> list[list[int]]:
    shapes = [[gates * cells, width], [gates * cells, hidden]]
    shapes += [[gates * cells]] * (2 if biases else 0)
    return [*shapes, [hidden, cells]] if hidden != cells else shapes


def _recurrent(gates: int) -> Guard:
    def guard(given: dict[str, Any]) -> None:
        values, params = tensor(given, "input"), tensors(given, "params")
        state, hidden, cells = _states(given, gates)
        layers, ways = given["num_layers"], 2 if given["bidirectional"] else 1
        if values.dim() != 3 or not 1 <= layers <= _MAX_LAYERS:
            refuse("the input has not three dimensions, or there is no layer")
        batch = values.shape[0 if given["batch_first"] else 1]
        if list(state.shape[:2]) != [layers * ways, batch]:
            refuse("the state is not that of the layers and the batch")
        expected: list[list[int]] = []
        for layer in range(layers):
            width = values.shape[2] if layer == 0 else ways * hidden
            expected += ways * _expected(layer, width, hidden, cells, gates, given["has_biases"])
            if len(expected) > len(params):
                break
        if [list(one.shape) for one in params] != expected:
            refuse("the parameters are not those of the layers")
        if any(one.dtype != values.dtype for one in [*params, state]):
            refuse("input, state and parameters differ in type")

    return guard


RECURRENT: Final[Mapping[str, Guard]] = {
    "aten::gru.input": _recurrent(3),
    "aten::lstm.input": _recurrent(4),
    "aten::rnn_relu.input": _recurrent(1),
    "aten::rnn_tanh.input": _recurrent(1),
}
