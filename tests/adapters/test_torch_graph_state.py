"""What tensors of the state a program may hand to operators, and what a call makes of them."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402
from safemodel.adapters.torch import export  # noqa: E402
from safemodel.adapters.torch.export.parsing import parse  # noqa: E402
from safemodel.errors import ArchitectureError, UnsavableError  # noqa: E402


def program(nodes: list[Any], operators: list[str], **more: Any) -> Any:
    """One form that takes one tensor, and a buffer `a` as value 1."""
    form = {
        "parameters": ["x"],
        "args": [{"tensor": [None]}],
        "kwargs": [],
        "symbols": [],
        "state": [0],
        "nodes": nodes,
        "outputs": {"value": 1 + len(nodes)},
    }
    return {
        "operators": operators,
        "training": False,
        "state": [{"kind": "buffer", "names": ["a"]}],
        "graphs": [],
        "forms": [form],
        "entries": {"forward": {"eval": 0}},
        **more,
    }


def rebuilt(made: Any, tensor: Any) -> Any:
    return export.rebuild(made, (), {"a": tensor}, "x.Y")


def quantized() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.quint8)


def test_no_operator_takes_a_quantized_tensor() -> None:
    made = program([{"op": 0, "args": [{"value": 1}]}], ["aten::relu"])
    assert rebuilt(made, torch.rand(3))(torch.rand(1)).shape == (3,)
    with pytest.raises(ArchitectureError, match="quantized tensor is given to aten::relu"):
        rebuilt(made, quantized())


def test_no_graph_takes_a_quantized_tensor() -> None:
    graph = {"inputs": 1, "nodes": [], "outputs": [{"value": 0}]}
    nodes = [
        {"op": 0, "args": [False, {"graph": 0}, {"value": 1}]},
        {"op": 1, "args": [{"value": 2}, 0]},
    ]
    operators = ["control::set_grad_enabled", "operator::getitem"]
    made = program(nodes, operators, graphs=[graph])
    rebuilt(made, torch.rand(3))(torch.rand(1))
    with pytest.raises(ArchitectureError, match="quantized tensor is given to control"):
        rebuilt(made, quantized())


def test_a_quantized_tensor_that_nothing_takes_stays() -> None:
    made = program([{"op": 0, "args": [{"value": 0}]}], ["aten::relu"])
    assert rebuilt(made, quantized())(torch.ones(1)) == 1
    assert parse(made).slots[0].names == ("a",)


class Quantized(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", quantized())

    def forward(self, x: Any) -> Any:
        return x, torch.relu(self.rows)


def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(UnsavableError, match="quantized"):
        sm.save(Quantized(), tmp_path / "m.safemodel", example_inputs=(torch.rand(3),))


SQUARE = program([{"op": 0, "args": [{"value": 1}, {"value": 0}]}], ["aten::mul.Tensor"])
# Attributes that a loaded module has and other modules have not.
OWN = sorted({*dir(rebuilt(SQUARE, torch.ones(2)))} - {*dir(torch.nn.Module())} - {"a"})


@pytest.mark.parametrize("name", OWN)
def test_tensors_have_names_of_attributes_and_stand_before_none(name: str) -> None:
    made = {**SQUARE, "state": [{"kind": "buffer", "names": [name]}]}
    tensor = torch.tensor([2.0, 3.0])
    module = export.rebuild(made, (), {name: tensor, "more": 1}, "x.Y")
    for one in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert one(torch.ones(1)).tolist() == [2, 3]
        assert one.state_dict()[name] is not None
        assert one.entry("forward")(torch.ones(1)).tolist() == [2, 3]
        assert one.saved()[0].keys() == {name, "more"}
        assert one.saved()[1] == made
