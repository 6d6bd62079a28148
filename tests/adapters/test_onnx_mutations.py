"""Mutated graphs: our error, or something that ONNX Runtime survives in a child."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper

from safemodel.adapters.onnx import wire
from safemodel.adapters.onnx.checking import Audit
from safemodel.adapters.onnx.saving import Draft, make
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import LegacyError, SafemodelError
from tests.adapters.onnx_support import FLOAT, model_of, tree

VICTIM = Path(__file__).with_name("onnx_victim.py")
NUMBERS = (0, 1, -1, 2, 3, 7, 100, 4096, -4096, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63))
WORDS = ("", "x", "y", "W", "Relu", "MatMul", "Loop", "Attention", "ai.onnx.ml", "a" * 300)


def bases() -> Iterator[bytes]:
    """Graphs with something of everything, and all tensors inside."""
    rng = np.random.default_rng(0)

    def tensor(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.random(shape, dtype=np.float32), name)

    shape = numpy_helper.from_array(np.array([4, 4], np.int64), "shape")
    out = helper.make_tensor_value_info("t", FLOAT, None)
    body = helper.make_graph([helper.make_node("MatMul", ["x", "T"], ["t"])], "b", [], [out])
    body.initializer.append(tensor("T", 4, 4))
    x = [helper.make_tensor_value_info("x", FLOAT, [4, 4])]
    image = [helper.make_tensor_value_info("x", FLOAT, [1, 2, 6, 6])]
    node = helper.make_node
    yield make_bytes(
        [node("Reshape", ["x", "shape"], ["r"]), node("Gemm", ["r", "W", "B"], ["y"], transB=1)],
        [tensor("W", 4, 4), tensor("B", 4), shape], x,
    )  # fmt: skip
    yield make_bytes(
        [
            node("Conv", ["x", "K"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("MaxPool", ["c"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Pad", ["m", "pads"], ["y"], mode="reflect"),
        ],
        [
            tensor("K", 3, 2, 3, 3),
            numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads"),
        ],
        image,
    )
    yield make_bytes(
        [
            node("ReduceMax", ["x"], ["m"], keepdims=0),
            node("Greater", ["m", "z"], ["c"]),
            node("If", ["c"], ["y"], then_branch=body, else_branch=body),
        ],
        [numpy_helper.from_array(np.array(0, np.float32), "z")],
        x,
    )
    largest = node("TopK", ["a", "k"], ["b", "i"], axis=-1)
    function = helper.make_function(
        "acme", "F", ["a"], ["b"], [node("Constant", [], ["k"], value_ints=[2]), largest],
        [helper.make_opsetid("", 21)],
    )  # fmt: skip
    yield make_bytes(
        [node("F", ["x"], ["f"], domain="acme"), node("Concat", ["f", "f"], ["y"], axis=0)],
        [], x, functions=[function], opsets={"acme": 1},
    )  # fmt: skip
    yield make_bytes(
        [
            node(
                "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=2,
                nodes_treeids=[0, 0, 0, 1], nodes_nodeids=[0, 1, 2, 0],
                nodes_featureids=[3, 0, 0, 0],
                nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
                nodes_values=[0.5, 0.0, 0.0, 0.0], nodes_truenodeids=[1, 0, 0, 0],
                nodes_falsenodeids=[2, 0, 0, 0], target_treeids=[0, 0, 1],
                target_nodeids=[1, 2, 0], target_ids=[0, 1, 0], target_weights=[1.0, 2.0, 3.0],
            )
        ],
        [], x, opsets={"ai.onnx.ml": 3},
    )  # fmt: skip
    yield make_bytes(
        [
            node("Gather", ["W", "i"], ["g"], axis=0),
            node("GatherND", ["W", "j"], ["h"]),
            node("Slice", ["g", "s", "e"], ["y"]),
        ],
        [
            tensor("W", 4, 4),
            *(
                numpy_helper.from_array(np.array(value, np.int64), name)
                for name, value in {"i": [1, 2], "j": [[1, 1]], "s": [0], "e": [1]}.items()
            ),
        ],
        x,
    )


def make_bytes(nodes: Any, initializers: Any, inputs: Any, **options: Any) -> bytes:
    made = make(Draft(tree(model_of(nodes, initializers, inputs=inputs, **options))))
    assert not made.tensors
    return made.graph


def in_bytes(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, put in, taken out or repeated."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(made))
        kind = rng.randrange(4)
        if kind == 0:
            made[at] = rng.randrange(256)
        elif kind == 1:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            made[at:at] = made[at : at + rng.randrange(9)]
        else:
            del made[at : at + rng.randrange(1, 9)]
    return bytes(made)


def in_messages(data: bytes, rng: random.Random) -> bytes:
    """Values and whole messages changed, with all lengths as they must be."""
    model = wire.read(memoryview(data), strict=True)
    for _ in range(rng.choice((1, 1, 2, 3))):
        everything = list(_messages(model))
        message = rng.choice(everything)
        if message.values:
            name = rng.choice(list(message.values))
            message.values[name] = _changed(message.values[name], everything, rng)
    return wire.write(model)


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for value in message.values.values():
        for item in value if type(value) is list else (value,):
            if type(item) is Message:
                yield from _messages(item)


def _changed(value: Any, others: list[Message], rng: random.Random) -> Any:
    if type(value) is list:
        made = list(value)
        kind = rng.randrange(4)
        at = rng.randrange(len(made)) if made else 0
        if kind == 0 and made:
            del made[at]
        elif kind == 1 and made:
            made.insert(at, made[at])
        elif kind == 2:
            rng.shuffle(made)
        elif made:
            made[at] = _changed(made[at], others, rng)
        return made
    if type(value) is int:
        return rng.choice(NUMBERS) if value >= 0 else 1
    if type(value) is str:
        names = [text for one in others for text in one.values.values() if type(text) is str]
        return rng.choice((*WORDS, *names))
    if type(value) is memoryview:
        made_bytes = bytearray(value)
        if made_bytes:
            made_bytes[rng.randrange(len(made_bytes))] = rng.choice((0, 1, 127, 128, 255))
        return memoryview(bytes(made_bytes))
    if type(value) is Message:
        same = [one for one in others if one.kind == value.kind and one is not value]
        inside = set(map(id, _messages(value)))
        same = [one for one in same if id(one) not in inside and value not in _messages(one)]
        return rng.choice(same) if same else value
    return value


def survivors(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """Mutate, audit, and let a child open what passed: how many passed and how many did not."""
    rng = random.Random(seed)
    passed = refused = 0
    for base in bases():
        for number in range(count):
            try:
                data = (in_messages if number % 3 else in_bytes)(base, rng)
            except (OverflowError, ValueError):  # no such message can be written
                continue
            try:
                Audit(frozenset()).run(wire.read(memoryview(data), strict=True))
            except (SafemodelError, LegacyError):
                refused += 1
                continue
            (folder / f"{passed}.onnx").write_bytes(data)
            passed += 1
    return passed, refused


def check_child(folder: Path) -> None:
    log = folder / "log"
    done = subprocess.run(
        [sys.executable, str(VICTIM), str(folder), "0", str(log)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert log.read_text() == "done", (done.returncode, done.stderr[-500:])


def test_mutated_graphs(tmp_path: Path) -> None:
    passed, refused = survivors(tmp_path, 150, 0)
    assert passed > 100
    assert refused > 100
    check_child(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_mutated_graphs(seed: int, tmp_path: Path) -> None:
    survivors(tmp_path, 2000, seed)
    check_child(tmp_path)
