"""Functions of TensorFlow as JSON: what is written, what is left out, what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import limits
from safemodel.adapters.tensorflow import encoding
from safemodel.adapters.tensorflow.effects import Effects
from safemodel.adapters.tensorflow.encoding import Writer
from safemodel.adapters.tensorflow.parsing import parse
from safemodel.adapters.tensorflow.program import Inline, Stored, VariableType
from safemodel.adapters.tensorflow.pruning import Part, order
from safemodel.errors import UnsavableError
from safemodel.format import canonical_json
from safemodel.legacy.tensorflow_functions import FunctionFact
from safemodel.legacy.tensorflow_values import AttributeFact, CallFact, TensorFact
from tests.adapters.tensorflow_program_samples import (
    FLOAT,
    INT,
    PROGRAM,
    W,
    calls,
    const,
    constant,
    function,
    library,
    loop,
    node,
    types,
    variable,
)

X = {"x": "float32"}
XW = {"x": "float32", "w": "resource"}
RESOURCE = AttributeFact("type", "resource")


def write(*functions: FunctionFact, **variables: VariableType) -> Any:
    """The JSON of the last function, and of those that it calls."""
    writer = Writer(library(*functions))
    last = functions[-1]
    places = {one.name: place for place, one in enumerate(last.arguments)}
    number = writer.function(last.name, {places[name]: one for name, one in variables.items()})
    assert number == len(writer.functions) - 1
    canonical_json.encode(writer.functions)
    return writer.functions


def nodes(*functions: FunctionFact, **variables: VariableType) -> list[Any]:
    return write(*functions, **variables)[-1]["nodes"]  # type: ignore[no-any-return]


def test_a_loop_is_written_as_the_specification_says() -> None:
    writer = Writer(loop())
    assert writer.function("main", {1: W}) == 2
    assert writer.functions == PROGRAM["functions"]
    assert canonical_json.encode(writer.functions)


def test_names_and_order_of_nodes_say_nothing() -> None:
    def renamed(one: FunctionFact, seed: int) -> FunctionFact:
        names = [node.name for node in one.nodes]
        new = {name: f"n{seed}_{place}" for place, name in enumerate(names)}

        def reference(text: str) -> str:
            head, colon, rest = text.partition(":")
            return new.get(head, head) + colon + rest

        given = [
            dataclasses.replace(
                node,
                name=new[node.name],
                inputs=tuple(map(reference, node.inputs)),
                after=tuple(map(reference, node.after)),
            )
            for node in one.nodes
        ]
        return dataclasses.replace(
            one,
            nodes=tuple(given),
            returns={key: reference(value) for key, value in one.returns.items()},
            must_run=tuple(map(reference, one.must_run)),
        )

    changed = {name: renamed(one, len(name)) for name, one in loop().items()}
    writer = Writer(dict(reversed(changed.items())))
    writer.function("main", {1: W})
    assert writer.functions == PROGRAM["functions"]


def test_nodes_that_nothing_needs_are_left_out() -> None:
    dead = node("dead", "Relu", "x", T=FLOAT)
    relu = node("r", "Tanh", "x", T=FLOAT, _debug=AttributeFact("string", b"x"))
    unknown = node("u", "SomethingElse", "x")
    main = function("f", X, {"y": ("float32", "r:y:0")}, dead, relu, unknown)
    assert nodes(main) == [{"op": "Tanh", "in": [["in", 0]], "attrs": {"T": "float32"}}]


def test_a_node_that_changes_something_is_kept() -> None:
    add = node("add", "AssignAddVariableOp", "w", "x", dtype=FLOAT)
    assert [one["op"] for one in nodes(function("f", XW, {}, add), w=W)] == ["AssignAddVariableOp"]


def test_a_call_that_changes_something_is_kept_and_one_that_reads_is_not() -> None:
    add = function("add", XW, {}, node("a", "AssignAddVariableOp", "w", "x", dtype=FLOAT))
    read = function("read", XW, {}, node("r", "ReadVariableOp", "w", dtype=FLOAT))
    tin, tout = types("float32", "resource"), types()
    main = function(
        "f",
        XW,
        {},
        node("one", "StatefulPartitionedCall", "x", "w", Tin=tin, Tout=tout, f=calls("add")),
        node("two", "StatefulPartitionedCall", "x", "w", Tin=tin, Tout=tout, f=calls("read")),
    )
    (kept,) = nodes(add, read, main, w=W)
    assert kept["attrs"] == {
        "Tin": ["float32", "resource"], "Tout": [], "f": {"function": 0}
    }  # fmt: skip


def test_what_a_node_waits_for_is_kept_through_nodes_that_are_not() -> None:
    main = function(
        "f",
        XW,
        {"y": ("float32", "again:value:0")},
        node("before", "ReadVariableOp", "w", dtype=FLOAT),
        node("twice", "AddV2", "before:value:0", "before:value:0", T=FLOAT),
        node("set", "AssignVariableOp", "w", "twice:z:0", after=["before"], dtype=FLOAT),
        node("group", "NoOp", after=["set", "x"]),
        node("shape", "Shape", "x", after=["group"], T=FLOAT, out_type=INT),
        node("again", "ReadVariableOp", "w", after=["shape"], dtype=FLOAT),
    )
    found = nodes(main, w=W)
    assert [one["op"] for one in found] == [
        "ReadVariableOp", "AddV2", "AssignVariableOp", "ReadVariableOp",
    ]  # fmt: skip
    assert [one.get("after") for one in found] == [None, None, [0], [2]]


def test_a_read_that_comes_before_a_write_stays_before() -> None:
    main = function(
        "f",
        XW,
        {"y": ("float32", "old:value:0")},
        node("set", "AssignVariableOp", "w", "x", after=["old"], dtype=FLOAT),
        node("old", "ReadVariableOp", "w", dtype=FLOAT),
    )
    found = nodes(main, w=W)
    assert [one["op"] for one in found] == ["ReadVariableOp", "AssignVariableOp"]
    assert found[1]["after"] == [0]


def test_defaults_are_left_out_also_of_32_bits() -> None:
    epsilon = struct.unpack("<f", struct.pack("<f", 0.0001))[0]
    given = {"epsilon": AttributeFact("float", epsilon), "T": FLOAT, "U": FLOAT}
    scale = [const("c", 1)]
    names = ["x", "x", "x", "x", "x"]
    main = function(
        "f",
        X,
        {"y": ("float32", "b:y:0")},
        *scale,
        node("b", "FusedBatchNormV3", *names, **given),
    )
    (batch,) = nodes(main)
    assert "epsilon" not in batch["attrs"]
    given["epsilon"] = AttributeFact("float", 0.5)
    main = dataclasses.replace(main, nodes=(node("b", "FusedBatchNormV3", *names, **given),))
    (batch,) = nodes(main)
    assert batch["attrs"]["epsilon"] == {"float": "0x1.0000000000000p-1"}


def test_a_function_is_written_once_for_each_sort_of_variable() -> None:
    inner = function("g", {"w": "resource"}, {"s": ("int32", "s:output:0")},
                     node("s", "VariableShape", "w", out_type=INT))  # fmt: skip
    one = {"Tin": types("resource"), "Tout": types("int32"), "f": calls("g")}
    main = function(
        "f",
        {"a": "resource", "b": "resource", "c": "resource"},
        {key: ("int32", f"call_{key}:output:0") for key in "abc"},
        *[node(f"call_{key}", "PartitionedCall", key, **one) for key in "abc"],
    )
    other = VariableType("float32", (5,))
    written = write(inner, main, a=W, b=other, c=W)
    assert [call["attrs"]["f"]["function"] for call in written[-1]["nodes"]] == [0, 1, 0]
    assert len(written) == 3


def test_equal_functions_are_written_once() -> None:
    first = function("g", X, {"y": ("float32", "n:y:0")}, node("n", "Tanh", "x", T=FLOAT))
    second = function("h", X, {"z": ("float32", "m:y:0")}, node("m", "Tanh", "x", T=FLOAT))
    branches = {"then_branch": calls("g"), "else_branch": calls("h")}
    some = {"Tin": types("float32"), "Tout": types("float32"), "Tcond": FLOAT}
    main = function("f", X, {"y": ("float32", "i:output:0")},
                    node("i", "StatelessIf", "x", "x", **branches, **some))  # fmt: skip
    written = write(first, second, main)
    assert len(written) == 2
    assert written[1]["nodes"][0]["attrs"]["else_branch"] == {"function": 0}


def test_a_node_that_names_a_function_is_a_call_of_it() -> None:
    inner = function("g", XW, {"y": ("float32", "n:y:0"), "z": ("float32", "r:value:0")},
                     node("n", "Tanh", "x", T=FLOAT),
                     node("r", "ReadVariableOp", "w", dtype=FLOAT))  # fmt: skip
    main = function("f", XW, {"y": ("float32", "c:z:0")}, node("c", "g", "x", "w"))
    (called,) = nodes(inner, main, w=W)
    assert called == {
        "op": "StatefulPartitionedCall",
        "in": [["in", 0], ["in", 1]],
        "attrs": {
            "Tin": ["float32", "resource"], "Tout": ["float32", "float32"], "f": {"function": 0},
        },
    }  # fmt: skip
    assert write(inner, main, w=W)[-1]["outputs"] == [[0, 1]]


def test_own_gradients_are_counted() -> None:
    writer = Writer(library(function(
        "f", X, {"y": ("float32", "n:output:0")},
        node("n", "IdentityN", "x", T=types("float32"),
             _gradient_op_type=AttributeFact("string", b"CustomGradient-7")),
    )))  # fmt: skip
    writer.function("f", {})
    assert writer.own == {"n"}
    assert "CustomGradient" not in repr(writer.functions)


def floats(count: int, start: float = 0.0) -> TensorFact:
    data = struct.pack(f"<{count}f", *(start + k for k in range(count)))
    return TensorFact("float32", (count,), data)


def test_large_constants_are_tensors_of_the_bundle_equal_ones_once() -> None:
    facts = [floats(256), floats(257), floats(257), floats(257, 1.0)]
    names = ["a", "b", "c", "d"]
    main = function(
        "f",
        X,
        {name: ("float32", f"{name}:output:0") for name in names},
        *[constant(name, fact) for name, fact in zip(names, facts, strict=True)],
    )
    writer = Writer(library(main), frozenset({"constants.0"}))
    writer.function("f", {})
    written: Any = writer.functions[0]
    values = [one["attrs"]["value"] for one in written["nodes"]]
    assert values[0]["bytes"] == facts[0].data().hex()
    assert values[1:] == [{"tensor": f"constants.{k}"} for k in (1, 1, 2)]
    assert writer.constants.stored == {"constants.1": facts[1], "constants.2": facts[3]}


@pytest.mark.parametrize(
    ("fact", "wanted"),
    [
        (TensorFact("int64", (), b"\xff" * 8), {"values": [-1]}),
        (TensorFact("int64", (), b"\xff" * 7 + b"\x7f"), {"values": [{"int": str(2**63 - 1)}]}),
        (TensorFact("uint64", (), b"\xff" * 8), {"values": [{"int": str(2**64 - 1)}]}),
        (TensorFact("bool", (2,), b"\1\0"), {"values": [1, 0]}),
        (TensorFact("uint8", (3,), b"\5"), {"values": [5, 5, 5]}),
        (TensorFact("float32", (2,), b""), {"bytes": "00" * 8}),
        (TensorFact("complex128", (), b"\1" * 16), {"bytes": "01" * 16}),
        (TensorFact("string", (3,), b"", (b"a", b"\xff")), {
            "values": ["a", {"bytes": "ff"}, {"bytes": "ff"}]}),
        (TensorFact("string", (0,), b"", ()), {"values": []}),
    ],
)  # fmt: skip
def test_small_constants_stand_in_the_graph(fact: TensorFact, wanted: Any) -> None:
    main = function("f", {}, {"y": (fact.dtype, "c:output:0")}, constant("c", fact))
    written = write(main)
    value = written[0]["nodes"][0]["attrs"]["value"]
    assert value == {"dtype": fact.dtype, "shape": list(fact.shape), **wanted}
    entry = {"function": 0, "parameters": [], "args": [], "kwargs": [], "captures": [],
             "result": {"output": 0}}  # fmt: skip
    read = parse({"functions": written, "entries": {"f": entry}}, {}, variable)
    made = read.functions[0].nodes[0].attributes["value"]
    assert isinstance(made, Inline)
    assert (made.dtype, made.shape) == (fact.dtype, fact.shape)
    if fact.dtype == "string":
        assert made.strings == fact.texts()
    else:
        assert made.data == fact.data()


TANH = node("t", "Tanh", "x", T=FLOAT)
Y = {"y": ("float32", "t:y:0")}


@pytest.mark.parametrize(
    ("main", "message"),
    [
        (function("f", X, Y, node("t", "PyFunc", "x", T=FLOAT)), "PyFunc"),
        (function("f", X, Y, node("t", "Tanh", "gone", T=FLOAT)), "not there"),
        (function("f", X, Y, node("t", "Tanh", "x", after=["gone"], T=FLOAT)), "not there"),
        (function("f", X, {"y": ("float32", "t:z:0")}, TANH), "not there"),
        (function("f", X, {"y": ("float32", "t:y:1")}, TANH), "not there"),
        (function("f", X, {"y": ("float32", "t:y:٣")}, TANH), "not there"),
        (function("f", X, {"y": ("float32", "t:y")}, TANH), "not there"),
        (function("f", X, {"y": ("float32", "t")}, TANH), "not there"),
        (function("f", X, Y, TANH, must_run=["gone"]), "not there"),
        (function("f", X, Y, node("t", "Tanh", "x", T=INT)), "attribute T"),
        (function("f", X, Y, node("t", "Tanh", "x")), "no value of T"),
        (function("f", X, Y, node("t", "Tanh", "x", "x", T=FLOAT)), "other types"),
        (function("f", X, Y, node("t", "Tanh", "x", T=FLOAT, U=FLOAT)), "attribute U"),
        (function("f", X, Y, node("t", "Tanh", "x", T=AttributeFact("int", 1))), "another kind"),
        (function("f", X, Y, node("t", "Tanh", "x", T=types("float32"))), "another kind"),
        (function("f", {"x": "int32"}, Y, TANH), "other types"),
        (function("f", X, Y, node("t", "Tanh", "t:y:0", T=FLOAT)), "wait for one another"),
        (function("f", X, Y, node("t", "Identity", "t:output:0", T=FLOAT)), "wait for one another"),
        (function("f", X, Y, node("t", "Tanh", "x", after=["a"], T=FLOAT),
                  node("a", "Assert", "c:output:0", "t:y:0", T=types("float32")),
                  constant("c", TensorFact("bool", (), b"\1"))), "wait for one another"),
        (function("f", {"w": "resource"}, {}), "no variable"),
        (function("f", X, Y, node("t", "VarHandleOp", dtype=FLOAT)), "VarHandleOp"),
        (function("f", X, Y, node("t", "Const", dtype=FLOAT,
                  value=AttributeFact("tensor", TensorFact("qint8", (), b"\0")))), "qint8"),
        (function("f", X, Y, constant("t", TensorFact("string", (), b"", (b"a" * 5000,)))), "KiB"),
        (function("f", X, Y,
                  constant("t", TensorFact("string", (), b"", (b"\xff" * 2000,)))), "KiB"),
        (function("f", X, Y, constant("t", TensorFact("bool", (), b"\2"))), "neither 0 nor 1"),
        (function("f", X, Y, node("t", "g", "x")), "operator g"),
        (function("f", X, Y, node("t", "f", "x")), "circle"),
        (function("f", X, Y, node("t", "PartitionedCall", "x", f=calls("f"),
                  Tin=types("float32"), Tout=types("float32"))), "circle"),
        (function("f", X, Y, node("t", "PartitionedCall", "x", f=calls("gone"),
                  Tin=types("float32"), Tout=types("float32"))), "not there"),
        (function("f", X, Y, node("t", "PartitionedCall", "x",
                  f=AttributeFact("func", CallFact("gone", {"T": FLOAT})),
                  Tin=types("float32"), Tout=types("float32"))), "given attributes"),
        (function("f", X, {"y": ("float32", "t:r:0")}, node("t", "ReduceJoin", "x", "x",
                  separator=AttributeFact("string", b"\xff"))), "no text"),
    ],
)  # fmt: skip
def test_what_no_archive_can_have_is_refused(main: FunctionFact, message: str) -> None:
    with pytest.raises(UnsavableError, match=message):
        write(main)


def test_variables_go_nowhere_but_into_operators_on_variables() -> None:
    def refused(*given: Any, message: str) -> None:
        with pytest.raises(UnsavableError, match=message):
            write(*given, w=W)

    returned = {"y": ("resource", "w")}
    inner = function("g", {"w": "resource"}, returned)
    one = {"Tin": types("resource"), "Tout": types("resource"), "f": calls("g")}
    call = node("c", "PartitionedCall", "w", **one)
    read = node("r", "ReadVariableOp", "c:output:0", dtype=FLOAT)
    refused(inner, function("f", XW, {"y": ("float32", "r:value:0")}, call, read),
            message="gives a variable")  # fmt: skip
    packed = node("p", "Pack", "w", T=RESOURCE, N=AttributeFact("int", 1))
    refused(function("f", XW, {"y": ("resource", "p:output:0")}, packed), message="attribute T")
    tensor = function("g", X, {"y": ("float32", "x")})
    refused(tensor, function("f", XW, {"y": ("float32", "c:y:0")}, node("c", "g", "w")),
            message="gets a variable")  # fmt: skip
    with pytest.raises(UnsavableError, match="gets a variable"):
        write(tensor, x=W)


def test_what_is_behind_a_variable_can_stand_in_the_function() -> None:
    read = node("r", "ReadVariableOp", "w", dtype=FLOAT)
    main = function("f", {"w": "resource"}, {"y": ("float32", "r:value:0")}, read)
    known = dataclasses.replace(main.arguments[0], handle=("float32", (2,)))
    (written,) = write(dataclasses.replace(main, arguments=(known,)))
    assert written["inputs"] == [{"variable": {"dtype": "float32", "shape": [2]}}]


def test_what_a_loop_gives_of_a_variable_is_not_written() -> None:
    functions = loop()
    main = functions["main"]
    call = node("c", "body", "zero:output:0", "x", "while:output:2")
    functions["main"] = dataclasses.replace(
        main, nodes=(*main.nodes, call), returns={"y": "c:x_:0"}
    )
    with pytest.raises(UnsavableError, match="a resource that a node gives"):
        Writer(functions).function("main", {1: W})


def test_shapes_among_attributes_are_written() -> None:
    for shape in (None, (-1, 3), ()):
        fact = AttributeFact("shape", shape)
        main = function("f", X, {"y": ("float32", "e:output:0")},
                        node("e", "EnsureShape", "x", T=FLOAT, shape=fact))  # fmt: skip
        (ensured,) = nodes(main)
        assert ensured["attrs"]["shape"] == (None if shape is None else list(shape))


def test_a_large_constant_in_a_function_written_twice_is_looked_at_once() -> None:
    inner = function("g", {"w": "resource"}, {"y": ("float32", "c:output:0")},
                     constant("c", floats(300)))  # fmt: skip
    writer = Writer(library(inner))
    writer.function("g", {0: W})
    writer.function("g", {0: VariableType("float32", (7,))})
    assert len(writer.functions) == 2
    assert list(writer.constants.stored) == ["constants.0"]


def test_too_many_strings_are_refused() -> None:
    many = TensorFact("string", (limits.MAX_PROGRAM_VALUES + 1,), b"", (b"a",))
    with pytest.raises(UnsavableError, match="strings"):
        write(function("f", {}, {"y": ("string", "c:output:0")}, constant("c", many)))


def test_what_a_refused_function_left_is_forgotten() -> None:
    good = function("g", X, Y, TANH)
    large = function("h", X, {"y": ("float32", "c:output:0")}, constant("c", floats(300)))
    bad = function("f", X, Y, node("c", "h", "x"), node("t", "PyFunc", "c:y:0"))
    writer = Writer(library(good, large, bad))
    assert writer.function("g", {}) == 0
    writer.constants.encode(floats(400))  # what an entry captured
    for _ in range(2):
        with pytest.raises(UnsavableError, match="PyFunc"):
            writer.function("f", {})
        assert len(writer.functions) == 1
        assert list(writer.constants.stored) == ["constants.0"]
    assert writer.function("g", {}) == 0
    assert writer.function("h", {}) == 1
    assert list(writer.constants.stored) == ["constants.0", "constants.1"]


def test_functions_that_call_too_deeply_are_refused() -> None:
    functions = [function("f0", X, Y, TANH)]
    for depth in range(1, limits.MAX_PROGRAM_CALLS + 2):
        call = node("t", f"f{depth - 1}", "x")
        functions.append(function(f"f{depth}", X, Y, call))
    write(*functions[:-1])
    with pytest.raises(UnsavableError, match="too deeply"):
        write(*functions)


def test_large_graphs_take_time_in_proportion() -> None:
    count = 20_000
    parts = {f"n{k}": Part((f"n{k - 1}",) if k else (), (), False, False) for k in range(count)}
    assert list(order(parts, [f"n{count - 1}"], [], int)) == list(parts)
    shuffled = list(parts.items())
    random.Random(1).shuffle(shuffled)
    assert list(order(dict(shuffled), [f"n{count - 1}"], [], int)) == list(parts)


def test_functions_that_ask_for_too_much_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of many nodes waits for the same many, that do nothing; as many names for one result."""
    monkeypatch.setattr(encoding, "MAX_WORK", 20_000)
    count = 300
    waits = [node(f"n{k}", "NoOp", after=[f"n{k - 1}"] if k else []) for k in range(count)]
    users = [node(f"t{k}", "Tanh", "x", after=[f"n{count - 1}"], T=FLOAT) for k in range(count)]
    results = {f"y{k}": ("float32", f"t{k}:y:0") for k in range(count)}
    with pytest.raises(UnsavableError, match="entangled"):
        write(function("f", X, results, *waits, *users))
    chain = [node(f"i{k}", "Identity", f"i{k - 1}:output:0" if k else "x", T=FLOAT)
             for k in range(count)]  # fmt: skip
    results = {f"y{k}": ("float32", f"i{count - 1}:output:0") for k in range(count)}
    with pytest.raises(UnsavableError, match="entangled"):
        write(function("f", X, results, *chain))


def test_a_long_chain_of_functions_is_refused_without_recursion() -> None:
    functions = [function("f0", X, Y, TANH)]
    for depth in range(1, 5_000):
        functions.append(function(f"f{depth}", X, Y, node("t", f"f{depth - 1}", "x")))
    with pytest.raises(UnsavableError, match="too deeply"):
        write(*functions)


def test_what_changes_something_is_found_through_circles_of_functions() -> None:
    def writer(*functions: FunctionFact) -> Effects:
        return Effects(library(*functions))

    add = node("a", "AssignAddVariableOp", "w", "x", dtype=FLOAT)
    circle = [
        function("f", XW, {}, node("c", "g", "x", "w")),
        function("g", XW, {}, node("c", "h", "x", "w"), node("d", "f", "x", "w")),
        function("h", XW, {}, node("c", "g", "x", "w"), add),
    ]
    call = {name: node("c", name, "x", "w") for name in "fgh"}
    for first in "fgh":
        changing = writer(*circle)
        assert changing.changes(call[first])
        assert all(changing.changes(one) for one in call.values())
        still = writer(*circle[:2], dataclasses.replace(circle[2], nodes=circle[2].nodes[:1]))
        assert not still.changes(call[first])
        assert not any(still.changes(one) for one in call.values())


WORDS = (
    *("", "x", "w", "i", "zero", "zero:output:0", "while:output:2", "read:value:0", "cond"),
    *("body", "main", "Identity", "ReadVariableOp", "AssignVariableOp", "Tanh", "If", "NoOp"),
    *("PyFunc", ":", "a:b:c", "x:0:0"),
)
VALUES = (
    *(FLOAT, INT, RESOURCE, types(), types("resource")),
    *(calls("body"), calls("main"), calls("gone")),
    *(AttributeFact("int", 2**63), AttributeFact("float", float("nan"))),
    AttributeFact("tensor", TensorFact("int32", (0,), b"")),
    AttributeFact("shape", None),
)
NAMES = st.lists(st.sampled_from(WORDS), max_size=3).map(tuple)
CHANGE = st.one_of(
    st.tuples(st.just("operation"), st.sampled_from(WORDS)),
    st.tuples(st.just("inputs"), NAMES),
    st.tuples(st.just("after"), NAMES),
    st.tuples(st.sampled_from(["T", "dtype", "cond", "body", "value"]), st.sampled_from(VALUES)),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_is_written_or_refused(data: st.DataObject) -> None:
    functions = loop()
    for _ in range(data.draw(st.integers(1, 3))):
        one = functions[data.draw(st.sampled_from(sorted(functions)))]
        given_nodes = list(one.nodes)
        place = data.draw(st.integers(0, len(given_nodes) - 1))
        field, value = data.draw(CHANGE)
        change: Any = {field: value}
        if isinstance(value, AttributeFact):
            change = {"attributes": {**given_nodes[place].attributes, field: value}}
        given_nodes[place] = dataclasses.replace(given_nodes[place], **change)
        returns = dict(one.returns)
        if returns and data.draw(st.booleans()):
            returns[data.draw(st.sampled_from(sorted(returns)))] = data.draw(st.sampled_from(WORDS))
        functions[one.name] = dataclasses.replace(one, nodes=tuple(given_nodes), returns=returns)
    with contextlib.suppress(UnsavableError):
        Writer(functions).function("main", {1: W})


def test_a_stored_constant_is_read_again() -> None:
    main = function("f", {}, {"y": ("float32", "c:output:0")}, constant("c", floats(300)))
    entry = {"function": 0, "parameters": [], "args": [], "kwargs": [], "captures": [],
             "result": {"output": 0}}  # fmt: skip
    said = {"functions": write(main), "entries": {"f": entry}}
    read = parse(said, {"constants.0": ("float32", (300,))}, variable)
    assert read.functions[0].nodes[0].attributes["value"] == Stored(
        "constants.0", "float32", (300,)
    )
    assert read.tensors == {"constants.0"}
