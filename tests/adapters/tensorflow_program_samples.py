"""Functions of TensorFlow as facts, and a program as JSON: written by hand, without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from safemodel.adapters.tensorflow.program import TensorType, VariableType
from safemodel.legacy.tensorflow_functions import ArgumentFact, FunctionFact, NodeFact
from safemodel.legacy.tensorflow_values import AttributeFact, CallFact, TensorFact

FLOAT = AttributeFact("type", "float32")
INT = AttributeFact("type", "int32")
W = VariableType("float32", (2,))


def node(
    name: str, operation: str, *inputs: str, after: Iterable[str] = (), **attrs: AttributeFact
) -> NodeFact:
    return NodeFact(name, operation, inputs, tuple(after), attrs)


def const(name: str, *values: int, after: Iterable[str] = ()) -> NodeFact:
    """A vector of int32."""
    data = b"".join(value.to_bytes(4, "little", signed=True) for value in values)
    return constant(name, TensorFact("int32", (len(values),), data), after=after)


def constant(name: str, fact: TensorFact, *, after: Iterable[str] = ()) -> NodeFact:
    kind = AttributeFact("type", fact.dtype)
    return node(name, "Const", after=after, value=AttributeFact("tensor", fact), dtype=kind)


def types(*names: str) -> AttributeFact:
    return AttributeFact("type" if names else "", names, many=True)


def calls(name: str) -> AttributeFact:
    return AttributeFact("func", CallFact(name, {}))


def function(
    name: str,
    arguments: Mapping[str, str],
    results: Mapping[str, tuple[str, str]],
    *nodes: NodeFact,
    must_run: Iterable[str] = (),
) -> FunctionFact:
    """A function; `results`: name to type and tensor."""
    return FunctionFact(
        name,
        tuple(
            ArgumentFact(one, dtype, None if dtype == "resource" else (2,), None)
            for one, dtype in arguments.items()
        ),
        tuple((one, dtype) for one, (dtype, _) in results.items()),
        nodes,
        {one: tensor for one, (_, tensor) in results.items()},
        tuple(must_run),
    )


def library(*functions: FunctionFact) -> dict[str, FunctionFact]:
    return {one.name: one for one in functions}


def loop() -> dict[str, FunctionFact]:
    """A loop that adds a variable to its input for as long as a counter is below 3."""
    carried = {"i": "int32", "x": "float32", "w": "resource"}
    condition = function(
        "cond",
        carried,
        {"r": ("bool", "Less:z:0")},
        const("three", 3),
        node("Less", "Less", "i", "three:output:0", T=INT),
    )
    body = function(
        "body",
        carried,
        {
            "i_": ("int32", "add:z:0"),
            "x_": ("float32", "Out:output:0"),
            "w_": ("resource", "same:output:0"),
        },
        const("one", 1),
        node("add", "AddV2", "i", "one:output:0", T=INT),
        node("read", "ReadVariableOp", "w", dtype=FLOAT),
        node("sum", "AddV2", "x", "read:value:0", T=FLOAT),
        node("Out", "Identity", "sum:z:0", after=["NoOp"], T=FLOAT),
        node("same", "Identity", "w", T=AttributeFact("type", "resource")),
        node("NoOp", "NoOp", after=["read"]),
        must_run=["read"],
    )
    main = function(
        "main",
        {"x": "float32", "w": "resource"},
        {"y": ("float32", "while:output:1")},
        const("zero", 0),
        node(
            "while",
            "While",
            *("zero:output:0", "x", "w"),
            T=types("int32", "float32", "resource"),
            cond=calls("cond"),
            body=calls("body"),
            parallel_iterations=AttributeFact("int", 10),
            _lower_using_switch_merge=AttributeFact("bool", True),
        ),
    )
    return library(condition, body, main)


_X: Any = {"dtype": "float32", "shape": [2]}
_V: Any = {"variable": _X}
_I: Any = {"dtype": "int32", "shape": [2]}
_CARRIED: Any = [_I, _X, _V]

# The program of `loop`, with the constants and attributes that tests change.
PROGRAM: Any = {
    "functions": [
        {
            "inputs": _CARRIED,
            "nodes": [
                {
                    "op": "Const",
                    "in": [],
                    "attrs": {
                        "dtype": "int32",
                        "value": {"dtype": "int32", "shape": [1], "values": [3]},
                    },
                },
                {"op": "Less", "in": [["in", 0], [0, 0]], "attrs": {"T": "int32"}},
            ],
            "outputs": [[1, 0]],
        },
        {
            "inputs": _CARRIED,
            "nodes": [
                {
                    "op": "Const",
                    "in": [],
                    "attrs": {
                        "dtype": "int32",
                        "value": {"dtype": "int32", "shape": [1], "values": [1]},
                    },
                },
                {"op": "AddV2", "in": [["in", 0], [0, 0]], "attrs": {"T": "int32"}},
                {"op": "ReadVariableOp", "in": [["in", 2]], "attrs": {"dtype": "float32"}},
                {"op": "AddV2", "in": [["in", 1], [2, 0]], "attrs": {"T": "float32"}},
            ],
            "outputs": [[1, 0], [3, 0], ["in", 2]],
        },
        {
            "inputs": [_X, _V],
            "nodes": [
                {
                    "op": "Const",
                    "in": [],
                    "attrs": {
                        "dtype": "int32",
                        "value": {"dtype": "int32", "shape": [1], "values": [0]},
                    },
                },
                {
                    "op": "While",
                    "in": [[0, 0], ["in", 0], ["in", 1]],
                    "attrs": {
                        "T": ["int32", "float32", "resource"],
                        "body": {"function": 1},
                        "cond": {"function": 0},
                    },
                },
            ],
            "outputs": [[1, 1]],
        },
    ],
    "entries": {
        "__call__": {
            "function": 2,
            "parameters": ["x"],
            "args": [{"input": 0}],
            "kwargs": [],
            "result": {"dict": [["y", {"output": 0}]]},
            "captures": [{"variable": "w"}],
        }
    },
}


def program() -> Any:
    """A copy, to be changed."""
    return json.loads(json.dumps(PROGRAM))


def variable(value: object) -> VariableType:
    """The one variable of the state."""
    from safemodel.errors import ArchitectureError

    if value != "w":
        raise ArchitectureError("no such variable")
    return W


X = TensorType("float32", (2,))
