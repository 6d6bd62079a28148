"""What TensorFlow does while the functions of hostile signers are built, and what it believes."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("needs tensorflow", allow_module_level=True)

import tensorflow as tf

import safemodel as sm
from safemodel.adapters.protocol import LoadReport
from safemodel.adapters.tensorflow import adapter
from safemodel.errors import ArchitectureError, UnsavableError, UsageError
from safemodel.format import canonical_json

from .tensorflow_attacks import F32, const, node
from .tensorflow_rich import Archive

LIE = [4, 64, 64, 8]  # a shape that no argument of these tests has
FUNCTION = {"function": 0}


class Holder(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.v = tf.Variable(tf.ones(LIE))

    def __call__(self, x: Any) -> Any:
        return x


@pytest.fixture(scope="module")
def archive() -> Archive:
    x = tf.TensorSpec([], tf.float32)
    saved = adapter.save(Holder(), example_inputs={"__call__": ((x,), {})})
    return Archive(saved, json.loads(canonical_json.encode(saved.architecture)))


def of(dtype: str, shape: Any = None) -> Any:
    return {"dtype": dtype, "shape": shape}


def function(inputs: Any, nodes: Any, *outputs: Any) -> Any:
    return {"inputs": inputs, "nodes": nodes, "outputs": list(outputs)}


def entry(number: int, given: int, captures: Any = ()) -> Any:
    return {
        "function": number,
        "parameters": [],
        "args": [{"input": place} for place in range(given)],
        "kwargs": [],
        "result": {"output": 0},
        "captures": list(captures),
    }


def load(archive: Archive, folder: Path, functions: Any, *entries: Any) -> Any:
    program = {
        "functions": functions,
        "entries": {f"e{place}" if place else "__call__": e for place, e in enumerate(entries)},
    }
    assert archive.write(program, folder / "m.safemodel")
    return sm.load(folder / "m.safemodel", trust=sm.UNSIGNED)


def hidden(module: Any) -> int:
    """How many nodes TensorFlow can't look through."""
    operations = module.entry("__call__")._concrete.graph.get_operations()
    return sum(one.type == "PlaceholderWithDefault" for one in operations)


# Constants


def shaped_by(*nodes: Any) -> Any:
    """A function whose argument gets the shape that the last of the nodes gives."""
    count = len(nodes)
    reshape = node("Reshape", ["in", 0], [count - 1, 0], T=F32)
    return function([of(F32)], [*nodes, reshape], [count, 0])


def filled(*sizes: int) -> list[Any]:
    return [
        const(list(sizes), shape=[len(sizes)]),
        const(1),
        node("Fill", [0, 0], [1, 0], T="int32"),
    ]


def text(times: int) -> list[Any]:
    value = {"dtype": "string", "shape": [1], "values": ["a" * 1000]}
    made = [node("Const", dtype="string", value=value)]
    for place in range(times):
        made.append(node("StringJoin", [place, 0], [place, 0], N=2))
    return [*made, node("StringLength", [times, 0])]


def products(times: int) -> list[Any]:
    made = filled(30, 30)
    for place in range(2, 2 + times):
        made.append(node("MatMul", [place, 0], [place, 0], T="int32"))
    last = len(made) - 1
    return [*made, const(0), node("Max", [last, 0], [last + 1, 0], T="int32")]


def sines() -> list[Any]:
    one = node("Const", dtype=F32, value={**of(F32, [1]), "bytes": struct.pack("<f", 1.0).hex()})
    sine = node("Sin", [0, 0], T=F32)
    return [one, sine, node("Cast", [1, 0], SrcT=F32, DstT="int32")]


@pytest.mark.parametrize(
    "nodes",
    [
        [*filled(2**20), const(0), node("Max", [2, 0], [3, 0], T="int32", keep_dims=True)],
        text(60),
        products(2),
        sines(),
    ],
    ids=["values", "texts", "products", "others"],
)
def test_only_little_arithmetic_runs_at_load(nodes: Any, archive: Archive, tmp_path: Path) -> None:
    assert hidden(load(archive, tmp_path, [shaped_by(*nodes)], entry(0, 1))) == 1


def test_the_arithmetic_of_shapes_still_says_what_they_are(
    archive: Archive, tmp_path: Path
) -> None:
    nodes = [const([6, 4], shape=[2]), const([2, 2], shape=[2])]
    nodes += [node("FloorDiv", [0, 0], [1, 0], T="int32")]
    module = load(archive, tmp_path, [shaped_by(*nodes)], entry(0, 1))
    assert hidden(module) == 0
    assert module.entry("__call__")._concrete.outputs[0].shape == [3, 2]
    assert module(tf.ones([6])).shape == [3, 2]


def test_shapes_of_shapes_are_looked_through_only_so_far(archive: Archive, tmp_path: Path) -> None:
    nodes = [
        node("Shape", ["in", 0], T=F32), const([0], shape=[1]), const([2], shape=[1]),
        const([1], shape=[1]),
    ]  # fmt: skip
    for _ in range(4000):
        last = 0 if len(nodes) == 4 else len(nodes) - 1
        slots = [[last, 0], [1, 0], [2, 0], [3, 0]]
        nodes.append(node("StridedSlice", *slots, T="int32", Index="int32"))
    made = shaped_by(*nodes)
    made["inputs"] = [of(F32, [-1, 4])]
    module = load(archive, tmp_path, [made], entry(0, 1))
    assert hidden(module) > 3
    assert module(tf.ones([3, 4])).shape == [3, 4]


@pytest.mark.timeout(60)
def test_guards_look_no_further_than_constants(archive: Archive, tmp_path: Path) -> None:
    nodes = [const(1)]
    for place in range(0, 80, 2):  # TensorFlow would follow both inputs of each
        nodes.append(node("Equal", [place, 0], [place, 0], T="int32"))
        nodes.append(node("Cast", [place + 1, 0], SrcT="bool", DstT="int32"))
    nodes += [
        const([1], shape=[1]),
        node("TensorListReserve", [81, 0], [80, 0], element_dtype=F32, shape_type="int32"),
        node("TensorListLength", [82, 0]),
    ]
    module = load(archive, tmp_path, [function([], nodes, [83, 0])], entry(0, 0))
    assert int(module()) == 1


# Shapes that are said, and are none


POOL = {"T": F32, "ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}


def of_branch(inner: Any, **attrs: Any) -> Any:
    both = {"then_branch": FUNCTION, "else_branch": FUNCTION, "Tcond": "bool"}
    nodes = [
        const(1, "bool"),
        node("StatelessIf", [0, 0], ["in", 0], Tin=[F32], Tout=[F32], **both, **attrs),
        node("AvgPool", [1, 0], **POOL),
    ]
    return [inner, function([of(F32)], nodes, [2, 0])], entry(1, 1)


def of_call() -> Any:
    inner = function([of(F32, LIE)], [node("AvgPool", ["in", 0], **POOL)], [0, 0])
    call = node("PartitionedCall", ["in", 0], Tin=[F32], Tout=[F32], f=FUNCTION)
    return [inner, function([of(F32)], [call], [0, 0])], entry(1, 1)


def of_loop(**attrs: Any) -> Any:
    never = function([of(F32)], [const(0, "bool")], [0, 0])
    body = function([of(F32, LIE)], [], ["in", 0])
    loop = node("StatelessWhile", ["in", 0], T=[F32], cond=FUNCTION, body={"function": 1}, **attrs)
    nodes = [loop, node("AvgPool", [0, 0], **POOL)]
    return [never, body, function([of(F32)], nodes, [1, 0])], entry(2, 1)


def of_variable() -> Any:
    nodes = [
        node("AssignVariableOp", ["in", 1], ["in", 0], dtype=F32),
        {**node("ReadVariableOp", ["in", 1], dtype=F32), "after": [0]},
        node("AvgPool", [1, 0], **POOL),
    ]
    inputs = [of(F32), {"variable": of(F32, LIE)}]
    return [function(inputs, nodes, [2, 0])], entry(0, 1, [{"variable": ["v"]}])


@pytest.mark.parametrize(
    "made",
    [
        of_branch(function([of(F32, LIE)], [], ["in", 0])),
        of_call(),
        of_loop(),
        of_loop(output_shapes=[LIE]),
        of_variable(),
    ],
    ids=["branch", "call", "loop", "loop that says it twice", "variable"],
)
def test_a_shape_that_is_said_is_checked(made: Any, archive: Archive, tmp_path: Path) -> None:
    functions, called = made
    module = load(archive, tmp_path, functions, called)
    assert module(tf.ones(LIE)).shape == [4, 32, 32, 8]
    x = tf.ones([4, 2, 2, 8])  # whose gradient would be read as if it was of LIE
    with pytest.raises(tf.errors.InvalidArgumentError):
        module(x)


def test_what_branches_give_is_not_what_the_file_says(archive: Archive, tmp_path: Path) -> None:
    inner = function([of(F32)], [], ["in", 0])
    functions, called = of_branch(inner, output_shapes=[LIE])
    module = load(archive, tmp_path, functions, called)
    x = tf.ones([4, 2, 2, 8])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = tape.gradient(module(x), x)
    assert found.shape == x.shape
    assert (found.numpy() == 0.25).all()


# Sizes


def test_what_nodes_give_is_counted(archive: Archive, tmp_path: Path) -> None:
    nodes = [node("Unpack", ["in", 0], T=F32, num=10_000) for _ in range(51)]
    with pytest.raises(ArchitectureError, match="values"):
        load(archive, tmp_path, [function([of(F32)], nodes, [0, 0])], entry(0, 1))


def test_functions_are_counted_for_each_entry(archive: Archive, tmp_path: Path) -> None:
    nodes = [node("Relu", ["in", 0], T=F32) for _ in range(5000)]
    made = [function([of(F32)], nodes, [0, 0])]
    with pytest.raises(ArchitectureError, match="entries"):
        load(archive, tmp_path, made, *[entry(0, 1)] * 60)


# What libraries die of


def test_empty_tensors_of_endless_axes_are_refused(archive: Archive, tmp_path: Path) -> None:
    empty = {"dtype": F32, "shape": [0, 2**40, 2**38], "bytes": ""}
    axis = const([0], shape=[1])
    reduce = node("Sum", [0, 0], [1, 0], T=F32)
    nodes = [node("Const", dtype=F32, value=empty), axis, reduce]
    with pytest.raises(ArchitectureError, match="axis"):
        load(archive, tmp_path, [function([], nodes, [2, 0])], entry(0, 0))


DEEP = {"dtype": "string", "shape": [1] * 33, "values": ["a"]}


def test_strings_with_many_axes_are_refused(archive: Archive, tmp_path: Path) -> None:
    captured = [function([of("string")], [], ["in", 0])], entry(0, 0, [DEEP])
    written = [function([], [node("Const", dtype="string", value=DEEP)], [0, 0])], entry(0, 0)
    for functions, called in (captured, written):
        with pytest.raises(ArchitectureError, match="axes"):
            load(archive, tmp_path, functions, called)


def test_strings_with_many_axes_are_not_given(archive: Archive, tmp_path: Path) -> None:
    nodes = [const([1] * 33, shape=[33]), node("Reshape", ["in", 0], [0, 0], T="string")]
    module = load(archive, tmp_path, [function([of("string")], nodes, [1, 0])], entry(0, 1))
    with pytest.raises(ArchitectureError, match="axes"):
        module(tf.constant(["a"]))


def test_strings_with_many_axes_are_not_saved(tmp_path: Path) -> None:
    deep = tf.Variable(tf.reshape(tf.constant(["a"]), [1] * 33))
    with pytest.raises(UnsavableError, match="axes"):
        sm.save([deep], tmp_path / "m.safemodel", signer=None)


def test_messages_have_no_orders_to_a_terminal(archive: Archive, tmp_path: Path) -> None:
    called = entry(0, 0)
    called["args"] = [{"dict": [["a\x1b[2J", {"input": 0}]]}]
    module = load(archive, tmp_path, [function([of(F32)], [], ["in", 0])], called)
    with pytest.raises(UsageError) as caught:
        module({"b": 1.0})
    assert str(caught.value).isprintable()
    assert str(LoadReport(missing=("a\x1b[2J\n",))) == "missing: a\\x1b[2J\\n"


@pytest.mark.parametrize("name", ["self", "def"])
def test_signatures_that_can_not_be_exported_are_refused(
    name: str, archive: Archive, tmp_path: Path
) -> None:
    called = {**entry(0, 0), "kwargs": [[name, {"input": 0}]]}
    called["result"] = {"dict": [["o", {"output": 0}]]}
    nodes = [node("Relu", ["in", 0], T=F32)]
    program = {
        "functions": [function([of(F32)], nodes, [0, 0])],
        "entries": {},
        "signatures": {"serving_default": called},
    }
    assert archive.write(program, tmp_path / "m.safemodel")
    with pytest.raises(UnsavableError):
        sm.export(tmp_path / "m.safemodel", tmp_path / "out", to="savedmodel", trust=sm.UNSIGNED)
