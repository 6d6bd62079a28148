"""Programs of TensorFlow, read: what fits is read, everything else is an ArchitectureError."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import limits
from safemodel.adapters.tensorflow import parsing
from safemodel.adapters.tensorflow.parsing import parse
from safemodel.adapters.tensorflow.program import (
    Captured,
    FunctionRef,
    Inline,
    Program,
    Ref,
    Stored,
    Tree,
    VariableType,
)
from safemodel.errors import ArchitectureError
from tests.adapters.tensorflow_program_samples import PROGRAM, W, X, program, variable

TENSORS = {"big": ("float32", (300,)), "odd": ("float8_e8m0fnu", (3000,)), "w": ("float32", (2,))}


def read(said: Any) -> Program:
    return parse(said, TENSORS, variable)


def test_a_program_is_read() -> None:
    found = read(PROGRAM)
    main = found.functions[2]
    assert main.inputs == (X, W)
    constant, loop = main.nodes
    assert constant.attributes["value"] == Inline("int32", (1,), bytes(4))
    assert (loop.operator.name, loop.inputs) == ("While", (Ref(0, 0), Ref(-1, 0), Ref(-1, 1)))
    assert loop.attributes["cond"] == FunctionRef(0)
    assert loop.attributes["output_shapes"] == ()  # the default
    assert loop.outputs == ("int32", "float32", "resource")
    assert (main.outputs, main.results) == ((Ref(1, 1),), ("float32",))
    entry = found.entries["__call__"]
    assert entry.captures == (Captured("w", W),)
    assert (entry.parameters, entry.args) == (("x",), (Tree("leaf", (0,)),))
    assert entry.result == Tree("dict", (Tree("leaf", (0,)),), ("y",))


def changed(change: Callable[[Any], None]) -> Any:
    said = program()
    change(said)
    return said


def refused(said: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        read(said)


def put(*path: Any) -> Callable[[Any], None]:
    """Put the last of `path` where the others lead."""

    def change(said: Any) -> None:
        *before, last, value = path
        for step in before:
            said = said[step]
        said[last] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    def change(said: Any) -> None:
        *before, last = path
        for step in before:
            said = said[step]
        del said[last]

    return change


F, E = "functions", "entries"
CONST = (F, 2, "nodes", 0, "attrs", "value")
WHILE = (F, 2, "nodes", 1)
READ = (F, 1, "nodes", 2)
ENTRY = (E, "__call__")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("more", 1), "other fields"),
        (drop(F), "other fields"),
        (put(F, {}), "must be a list"),
        (put(F, 0, []), "other fields"),
        (put(F, 0, "name", "f"), "other fields"),
        (put(E, {}), "nothing can call"),
        (put(E, []), "entries"),
        (put("signatures", {}), "empty"),
        # references
        (put(*WHILE, "in", 0, [1, 0]), "node must be an integer from 0 to 0"),
        (put(*WHILE, "in", 0, [2, 0]), "must be an integer"),
        (put(*WHILE, "in", 0, [-1, 0]), "must be an integer"),
        (put(*WHILE, "in", 0, [0, 1]), "an output must be"),
        (put(*WHILE, "in", 0, [0, -1]), "an output must be"),
        (put(*WHILE, "in", 0, [True, 0]), "must be an integer"),
        (put(*WHILE, "in", 0, ["in", 2]), "an input must be"),
        (put(*WHILE, "in", 0, ["in", -1]), "an input must be"),
        (put(*WHILE, "in", 0, ["out", 0]), "must be an integer"),
        (put(*WHILE, "in", 0, [0]), "a pair"),
        (put(*WHILE, "in", 0, [0, 0, 0]), "a list of at most 2"),
        (put(*WHILE, "in", 0, {"in": 0}), "must be a list"),
        (put(F, 2, "outputs", 0, [2, 0]), "must be an integer"),
        (put(F, 2, "outputs", {}), "must be a list"),
        # operators
        (put(*READ, "op", "VarHandleOp"), "not in the table"),
        (put(*READ, "op", "ReadFile"), "not in the table"),
        (put(*READ, "op", "PyFunc"), "not in the table"),
        (put(*READ, "op", "__class__"), "not in the table"),
        (put(*READ, "op", ""), "not in the table"),
        (put(*READ, "op", 3), "op"),
        (put(*READ, "name", "n"), "other fields"),
        (put(*READ, "attrs", {}), "empty"),
        (put(*READ, "attrs", []), "must be an object"),
        (put(*READ, "attrs", "container", ""), "no attribute"),
        (drop(*READ, "attrs"), "no value of dtype"),
        (put(*READ, "attrs", "dtype", 1), "dtype"),
        (put(*READ, "attrs", "dtype", "int32"), "variable of the type float32"),
        (put(*READ, "in", []), "other types or number"),
        (put(*READ, "in", [["in", 2], ["in", 2]]), "other types or number"),
        (put(*READ, "in", [["in", 1]]), "other types or number"),
        (put(F, 1, "nodes", 3, "attrs", "T", "float64"), "other types"),
        (put(F, 1, "nodes", 3, "in", 0, ["in", 2]), "other types"),
        (put(F, 1, "nodes", 3, "attrs", "T", "resource"), "attribute T"),
        (put(*READ, "after", []), "sorted"),
        (put(*READ, "after", [1, 0]), "sorted"),
        (put(*READ, "after", [0, 0]), "sorted"),
        (put(*READ, "after", [2]), "after must be an integer"),
        (put(*READ, "after", [-1]), "after must be an integer"),
        (put(*READ, "after", [0, 1, 0]), "at most 2"),
        # types of inputs
        (put(F, 0, "inputs", 0, "dtype", "resource"), "unknown dtype"),
        (put(F, 0, "inputs", 0, "dtype", "float32_ref"), "unknown dtype"),
        (put(F, 0, "inputs", 0, "dtype", 1), "dtype"),
        (put(F, 0, "inputs", 0, "shape", [-2]), "a size"),
        (put(F, 0, "inputs", 0, "shape", [1] * 255), "at most 254"),
        (put(F, 0, "inputs", 0, "shape", "2"), "must be a list"),
        (put(F, 0, "inputs", 0, "handle", 1), "other fields"),
        (put(F, 0, "inputs", 2, "variable", "dtype", "variant"), "holds a list"),
        (put(F, 0, "inputs", 2, "variable", "w"), "other fields"),
        # functions
        (put(*WHILE, "attrs", "body", {"function": 2}), "a function must be"),
        (put(*WHILE, "attrs", "body", {"function": 3}), "a function must be"),
        (put(*WHILE, "attrs", "body", {"function": -1}), "a function must be"),
        (put(*WHILE, "attrs", "body", {"function": "cond"}), "a function must be"),
        (put(*WHILE, "attrs", "body", {"name": "cond"}), "attribute body"),
        (put(*WHILE, "attrs", "body", "cond"), "attribute body"),
        (put(*WHILE, "attrs", "body", {"function": 0}), "other inputs or results"),
        (put(*WHILE, "attrs", "cond", {"function": 1}), "other inputs or results"),
        (drop(*WHILE, "attrs", "cond"), "no value of cond"),
        (put(*WHILE, "attrs", "T", ["int32", "float32"]), "other types or number"),
        (put(*WHILE, "attrs", "output_shapes", []), "its default"),
        (put(*WHILE, "attrs", "parallel_iterations", 10), "no attribute"),
        (put(F, 1, "inputs", 1, "dtype", "float64"), "other types"),
        (put(F, 1, "inputs", 2, "variable", "shape", [3]), "inputs of other types"),
        (put(F, 1, "outputs", 2, ["in", 0]), "other inputs or results"),
        (put(F, 0, "nodes", 1, "op", "Equal"), None),
        (put(F, 0, "inputs", PROGRAM[F][0]["inputs"][:1]), "other inputs or results"),
        (put(*WHILE, "attrs", "T", "int32"), "must be a list"),
        (put(F, 1, "nodes", []), "must be an integer"),
        # constants
        (put(*CONST, "dtype", "int64"), "of another type"),
        (put(*CONST, "dtype", "resource"), "a constant of the type"),
        (put(*CONST, "dtype", "qint8"), "a constant of the type"),
        (put(*CONST, "values", [0, 0]), "number of values"),
        (put(*CONST, "values", [2**31]), "not a value"),
        (put(*CONST, "values", [-(2**31) - 1]), "not a value"),
        (put(*CONST, "values", [True]), "not a value"),
        (put(*CONST, "values", ["1"]), "not a value"),
        (put(*CONST, "values", [None]), "not a value"),
        (put(*CONST, "values", [{"int": "3"}]), "JSON number"),
        (put(*CONST, "shape", [2**53 - 1, 2**53 - 1]), "number of values"),
        (put(*CONST, "shape", [-1]), "a size"),
        (put(*CONST, "shape", [1] * 65), "a list of sizes"),
        (put(*CONST, "shape", None), "a list of sizes"),
        (put(*CONST, "bytes", "00"), "other fields"),
        (put(*CONST, {"tensor": "none"}), "no tensor"),
        (put(*CONST, {"tensor": "odd"}), "no tensor"),
        (put(*CONST, {"tensor": "w"}), "small enough"),
        (put(*CONST, {"tensor": 1}), "tensor"),
        (put(*CONST, {"tensor": "big"}), "of another type"),
        (put(*CONST, {"file": "/etc/passwd"}), "a constant of the type|dtype"),
        (put(*CONST, "text"), "attribute value"),
        (put(*CONST, {"dtype": "int32", "shape": [257], "values": [0] * 257}), "too large"),
        (put(*CONST, {"dtype": "float32", "shape": [257], "bytes": "00" * 1028}), "too large"),
        (put(*CONST, {"dtype": "float32", "shape": [1], "bytes": "00"}), "another size"),
        (put(*CONST, {"dtype": "float32", "shape": [], "bytes": "0000000G"}), "hexadecimal"),
        # entries
        (put(E, "_private", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "__init__", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "a.__class__", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "a b", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "é", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "a\n", PROGRAM[E]["__call__"]), "not a name"),
        (put(E, "a" * 101, PROGRAM[E]["__call__"]), "not a name"),
        (put(*ENTRY, "function", 3), "function must be"),
        (put(*ENTRY, "function", 0), "not named"),
        (put(*ENTRY, "signature", True), "other fields"),
        (put(*ENTRY, "captures", []), "an argument that is not a tensor"),
        (put(*ENTRY, "captures", [{"variable": "v"}]), "no such variable"),
        (put(*ENTRY, "captures", [{"variable": "w"}] * 3), "at most 2"),
        (put(*ENTRY, "captures", [{"tensor": "big"}]), "of another type"),
        (put(*ENTRY, "captures", ["w"]), "must be an object"),
        (put(*ENTRY, "args", []), "more names"),
        (put(*ENTRY, "args", [{"input": 0}, {"input": 0}]), "named twice"),
        (put(*ENTRY, "args", [{"input": 1}]), "an input must be"),
        (put(*ENTRY, "args", [{"constant": None}]), "not named"),
        (put(*ENTRY, "args", [{"output": 0}]), "unknown kind"),
        (put(*ENTRY, "args", [{"dict": [["a", {"input": 0}]] * 2}]), "two equal keys"),
        (put(*ENTRY, "args", [{"dict": [[None, {"input": 0}]]}]), "a key"),
        (put(*ENTRY, "args", [{"dict": [["a"]]}]), "not a pair"),
        (put(*ENTRY, "args", [{"list": {"input": 0}}]), "must be a list"),
        (put(*ENTRY, "args", [{"input": 0, "list": []}]), "not an argument"),
        (put(*ENTRY, "args", [[0]]), "not an argument"),
        (put(*ENTRY, "parameters", ["x", "y"]), "more names"),
        (put(*ENTRY, "parameters", ["a-b"]), "not a name"),
        (put(*ENTRY, "parameters", ["a" * 200]), None),
        (put(*ENTRY, "parameters", ["a" * 201]), "not a name"),
        (put(*ENTRY, "kwargs", [{"k": 1, "v": 2}]), "not a pair"),
        (put(*ENTRY, "parameters", [1]), "name"),
        (put(*ENTRY, "kwargs", [["x", {"constant": 1}]]), "two arguments"),
        (put(*ENTRY, "kwargs", [["k", {"constant": 1}]] * 2), "two arguments"),
        (put(*ENTRY, "kwargs", [["k", {"constant": []}]]), "not a constant"),
        (put(*ENTRY, "kwargs", [["k", {"constant": {"float": "0.5"}}]]), "spelling"),
        (put(*ENTRY, "kwargs", [["k", {"constant": "a" * 5000}]]), "not a constant"),
        (put(*ENTRY, "kwargs", [["k"]]), "not a pair"),
        (put(*ENTRY, "kwargs", [["k", {"constant": "text"}]]), None),
        (put(*ENTRY, "kwargs", [["k", {"constant": {"int": str(2**60)}}]]), None),
        (put(*ENTRY, "kwargs", [["k", {"constant": {"int": "1"}}]]), "JSON number"),
        (put(*ENTRY, "result", {"output": 1}), "an output must be"),
        (put(*ENTRY, "result", {"tuple": []}), "not named"),
        (put(*ENTRY, "result", {"input": 0}), "unknown kind"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change: Callable[[Any], None], message: str | None) -> None:
    if message is None:
        read(changed(change))
    else:
        refused(changed(change), message)


def test_a_signature_takes_tensors_by_name_and_gives_a_dictionary() -> None:
    said = program()
    entry = said[E].pop("__call__")
    said["signatures"] = {"serving default": entry}
    refused(said, "by name")
    entry["parameters"], entry["args"] = [], []
    entry["kwargs"] = [["an input-1", {"input": 0}]]
    found = read(said)
    assert found.entries == {}
    assert found.signatures["serving default"].kwargs["an input-1"] == Tree("leaf", (0,))
    for result in ({"output": 0}, {"dict": [["y", {"list": [{"output": 0}]}]]}):
        refused(changed_in(said, "serving default", "result", result), "by name")
    given = [["a", {"list": [{"input": 0}]}]]
    refused(changed_in(said, "serving default", "kwargs", given), "by name")


def changed_in(said: Any, name: str, field: str, value: Any) -> Any:
    said = copy.deepcopy(said)
    said["signatures"][name][field] = value
    return said


def one_function(*nodes: Any, inputs: Any = (), outputs: Any = (), captures: Any = ()) -> Any:
    arguments = len(inputs) - len(captures)
    return {
        F: [{"inputs": list(inputs), "nodes": list(nodes), "outputs": list(outputs)}],
        E: {
            "f": {
                "function": 0,
                "parameters": [],
                "args": [{"input": k} for k in range(arguments)],
                "kwargs": [],
                "result": {"tuple": [{"output": k} for k in range(len(outputs))]},
                "captures": list(captures),
            }
        },
    }


FLOAT: Any = {"dtype": "float32", "shape": [2]}
INTEGERS: Any = {"dtype": "int32", "shape": [2]}


def test_variables_and_lists_are_no_arguments_and_no_results() -> None:
    held = {"variable": FLOAT}
    refused(one_function(inputs=[held]), "an argument that is not")
    refused(one_function(inputs=[{"dtype": "variant", "shape": None}]), "an argument that is not")
    refused(
        one_function(inputs=[held], outputs=[["in", 0]], captures=[{"variable": "w"}]), "a result"
    )


def test_what_a_loop_gives_of_a_variable_goes_nowhere() -> None:
    said = program()
    said[F][2]["nodes"].append(
        {"op": "ReadVariableOp", "in": [[1, 2]], "attrs": {"dtype": "float32"}}
    )
    refused(said, "a variable that a node gives")
    said = program()
    said[F][2]["outputs"] = [[1, 2]]
    refused(said, "a result that is not a tensor")


def test_a_loop_gives_variables_on_as_it_gets_them() -> None:
    said = program()
    other = {"variable": FLOAT}
    for one in said[F][:2]:
        one["inputs"].append(other)
    said[F][1]["outputs"] = [[1, 0], [3, 0], ["in", 3], ["in", 2]]
    said[F][2]["inputs"].append(other)
    said[F][2]["nodes"][1]["in"].append(["in", 2])
    said[F][2]["nodes"][1]["attrs"]["T"].append("resource")
    said[E]["__call__"]["captures"] *= 2
    refused(said, "changes what a variable is")
    said[F][1]["outputs"] = [[1, 0], [3, 0], ["in", 2], ["in", 3]]
    read(said)


def test_a_call_gives_no_variable() -> None:
    said = one_function(
        {
            "op": "PartitionedCall",
            "in": [["in", 0]],
            "attrs": {"Tin": ["resource"], "Tout": ["resource"], "f": {"function": 0}},
        },
        inputs=[{"variable": FLOAT}],
        captures=[{"variable": "w"}],
    )
    said[F].insert(0, {"inputs": [{"variable": FLOAT}], "nodes": [], "outputs": [["in", 0]]})
    said[E]["f"]["function"] = 1
    refused(said, "gives a variable")


def test_a_function_that_nothing_calls_is_refused() -> None:
    said = program()
    said[F].append(said[F][0])
    refused(said, "nothing calls")


def test_functions_that_call_too_often_are_refused() -> None:
    """Twice two times twice …: TensorFlow would put 2^n nodes into one graph."""
    tanh = {"op": "Tanh", "in": [["in", 0]], "attrs": {"T": "float32"}}
    functions: list[Any] = [{"inputs": [FLOAT], "nodes": [tanh], "outputs": [[0, 0]]}]
    types = {"Tin": ["float32"], "Tout": ["float32"]}
    for depth in range(limits.MAX_PROGRAM_CALLS):
        call = {"op": "PartitionedCall", "attrs": {**types, "f": {"function": depth}}}
        nodes = [{**call, "in": [["in", 0]]}, *[{**call, "in": [[k, 0]]} for k in range(7)]]
        functions.append({"inputs": [FLOAT], "nodes": nodes, "outputs": [[7, 0]]})
    said = one_function(inputs=[FLOAT], outputs=[["in", 0]])
    said[F] = functions[:4]
    said[E]["f"]["function"] = 3
    read(said)
    said[F] = functions
    said[E]["f"]["function"] = len(functions) - 1
    refused(said, "too often")


def test_functions_that_call_too_deeply_are_refused() -> None:
    call = {"op": "PartitionedCall", "in": [["in", 0]]}
    types = {"Tin": ["float32"], "Tout": ["float32"]}
    functions: list[Any] = [{"inputs": [FLOAT], "nodes": [], "outputs": [["in", 0]]}]
    for depth in range(limits.MAX_PROGRAM_CALLS + 1):
        node = {**call, "attrs": {**types, "f": {"function": depth}}}
        functions.append({"inputs": [FLOAT], "nodes": [node], "outputs": [[0, 0]]})
    said = one_function(inputs=[FLOAT], outputs=[["in", 0]])
    said[F] = functions[:-1]
    said[E]["f"]["function"] = len(functions) - 2
    read(said)
    said[F] = functions
    said[E]["f"]["function"] += 1
    refused(said, "too deeply")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MAX_PROGRAM_NODES", 7, "7 nodes|at most 7"),
        ("MAX_PROGRAM_VALUES", 20, "20 values"),
        ("MAX_PROGRAM_GRAPHS", 2, "at most 2"),
        ("MAX_PROGRAM_ENTRIES", 0, "at most 0"),
        ("MAX_PROGRAM_TREE", 0, "too deeply"),
        ("MAX_TENSORFLOW_EXPANDED", 7, "too often"),
        ("MAX_PROGRAM_STATE", 2, "at most 2"),
    ],
)
def test_limits_hold(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str) -> None:
    monkeypatch.setattr(parsing.limits, limit, value)
    refused(program(), message)


def test_a_capture_is_of_the_type_and_shape_that_the_function_says() -> None:
    big = {"dtype": "float32", "shape": [-1]}
    made = read(one_function(inputs=[big], captures=[{"tensor": "big"}]))
    assert made.entries["f"].captures == (Stored("big", "float32", (300,)),)
    assert made.tensors == {"big"}
    for wrong in ([301], [300, 1], []):
        said = one_function(inputs=[{**big, "shape": wrong}], captures=[{"tensor": "big"}])
        refused(said, "of another type")
    refused(
        one_function(inputs=[{**big, "dtype": "int32"}], captures=[{"tensor": "big"}]), "another"
    )
    refused(one_function(inputs=[big], captures=[{"variable": "w"}]), "another type")
    wide: VariableType = VariableType("float32", None)
    with pytest.raises(ArchitectureError, match="another type"):
        parse(program(), TENSORS, lambda value: wide)


def test_floats_of_attributes_have_32_bits() -> None:
    def said(text: str) -> Any:
        node = {"op": "LeakyRelu", "in": [["in", 0]], "attrs": {"alpha": {"float": text}}}
        return one_function(node, inputs=[FLOAT], outputs=[[0, 0]])

    assert read(said("0x1.8000000000000p-1")).functions[0].nodes[0].attributes["alpha"] == 0.75
    refused(said((0.1).hex()), "32 bits")
    refused(said("0x1.0000000000000p+1000"), "32 bits")
    refused(said("0.75"), "spelling")
    refused(said("0x1.99999a0000000p-3"), "its default")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("", None),
        ("a" * 4096, None),
        ({"bytes": "ff" * 1024}, None),
        ("a" * 4097, "4 KiB"),
        ("é" * 2049, "4 KiB"),
        ({"bytes": "ff" * 1025}, "1 KiB"),
        ({"bytes": "61"}, "that is text"),
        ({"bytes": ""}, "that is text"),
        ({"bytes": "FF"}, "hexadecimal"),
        ({"text": "a"}, "not a string"),
        (1, "not a string"),
        (None, "not a string"),
    ],
)
def test_strings_have_one_form(item: Any, message: str | None) -> None:
    value = {"dtype": "string", "shape": [1], "values": [item]}
    node = {"op": "Const", "in": [], "attrs": {"dtype": "string", "value": value}}
    said = one_function(node, outputs=[[0, 0]])
    if message is None:
        read(said)
    else:
        refused(said, message)


def test_shapes_and_large_integers_are_attributes() -> None:
    def said(op: str, attrs: Any) -> Any:
        return one_function({"op": op, "in": [["in", 0]], "attrs": attrs}, inputs=[FLOAT])

    for shape, wanted in ((None, None), ([-1, 3], (-1, 3)), ([], ())):
        made = read(said("EnsureShape", {"T": "float32", "shape": shape}))
        assert made.functions[0].nodes[0].attributes["shape"] == wanted
    refused(said("EnsureShape", {"T": "float32", "shape": [-2]}), "attribute shape")
    refused(said("EnsureShape", {"T": "float32", "shape": "3"}), "attribute shape")
    refused(said("LeakyRelu", {"alpha": 0.5}), "not a float")
    refused(said("LeakyRelu", {"alpha": {"int": "1"}}), "not a float")

    def uniform(seed: Any) -> Any:
        attrs = {"T": "int32", "dtype": "float32", "seed": seed}
        return one_function(
            {"op": "RandomUniform", "in": [["in", 0]], "attrs": attrs}, inputs=[INTEGERS]
        )

    made = read(uniform({"int": str(2**62)}))
    assert made.functions[0].nodes[0].attributes["seed"] == 2**62
    refused(uniform({"int": str(2**63)}), "attribute seed")
    refused(uniform({"int": "7"}), "JSON number")
    refused(uniform(True), "attribute seed")


def test_rows_of_the_table_that_say_too_much_do_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the table lets no operator take a variable or run a function by itself."""
    whole = frozenset({"float32", "resource"})
    tanh = parsing.operator("Tanh")
    assert tanh is not None
    loose = dataclasses.replace(tanh.attributes["T"], allowed=whole)
    func = dataclasses.replace(tanh.attributes["T"], name="f", kind="func", allowed=None)
    row = dataclasses.replace(tanh, attributes={"T": loose})
    monkeypatch.setattr(parsing, "operator", lambda name: row)
    node = {"op": "Tanh", "in": [["in", 0]], "attrs": {"T": "resource"}}
    refused(
        one_function(node, inputs=[{"variable": FLOAT}], captures=[{"variable": "w"}]),
        "takes no variable",
    )
    row = dataclasses.replace(tanh, attributes={"T": loose, "f": func})
    node = {"op": "Tanh", "in": [["in", 0]], "attrs": {"T": "float32", "f": {"function": 0}}}
    said = one_function(node, inputs=[FLOAT], outputs=[[0, 0]])
    said[F].insert(0, {"inputs": [], "nodes": [], "outputs": []})
    said[E]["f"]["function"] = 1
    refused(said, "can't run functions")


def test_leaves_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing.limits, "MAX_PROGRAM_STATE", 3)
    said = program()
    said[E]["__call__"]["result"] = {"tuple": [{"list": [{"output": 0}] * 2}] * 2}
    refused(said, "too many outputs")


def test_names_of_entries_can_have_parts() -> None:
    said = program()
    said[E]["encoder.block2.call_it"] = said[E]["__call__"]
    assert set(read(said).entries) == {"__call__", "encoder.block2.call_it"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["in", "x", "w", "", "Add"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([F, E, "op", "in", "attrs", "tensor", "function", "float", "int"]), inner,
        max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [before] if before else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        found += paths(item, (*before, key))
    return found


PATHS = paths(PROGRAM)


def read_or_refuse(said: Any) -> None:
    with contextlib.suppress(ArchitectureError):
        read(said)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS), JSON)
def test_any_change_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    read_or_refuse(changed(put(*path, value)))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PATHS), st.sampled_from(PATHS))
def test_any_part_elsewhere_is_read_or_refused(
    path: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    part: Any = PROGRAM
    for step in other:
        part = part[step]
    read_or_refuse(changed(put(*path, part)))


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    read_or_refuse(value)


def test_a_large_program_is_read_in_a_moment() -> None:
    tanh = [
        {"op": "Tanh", "in": [[k - 1, 0] if k else ["in", 0]], "attrs": {"T": "float32"}}
        for k in range(5_000)
    ]
    said = json.loads(json.dumps(one_function(*tanh, inputs=[FLOAT], outputs=[[4_999, 0]])))
    start = time.process_time()
    read(said)
    assert time.process_time() - start < 5
