"""TensorFlow's functions: what was written is what is read; any bytes give facts or LegacyError."""

from __future__ import annotations

import contextlib
import math
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import tensorflow_functions
from safemodel.legacy.tensorflow_functions import FunctionFact, function_fact, graph_fact
from safemodel.legacy.tensorflow_values import AttributeFact, TensorFact, ValueReader
from tests.legacy.tensorflow_function_samples import (
    FLOAT,
    INT32,
    RESOURCE,
    STRING,
    argument,
    attr,
    calls,
    dtype,
    fixed32,
    function_def,
    handle,
    library,
    listed,
    node,
    shape,
    tensor,
)
from tests.legacy.tensorflow_samples import field, varint

MINUS_ONE = (1 << 64) - 1

FUNCTION = function_def(
    "f",
    [argument("x", FLOAT), argument("w", RESOURCE, handle(FLOAT, shape(2, None)))],
    {"y": (FLOAT, "Mul:z:0"), "n": (INT32, "c:output:0")},
    [
        node("c", "Const", (), {"value": field(8, tensor(INT32, b"", field(7, 7)))}),
        node("Read", "ReadVariableOp", ["w"], {"dtype": dtype(FLOAT)}),
        node("Mul", "Mul", ["x", "Read:value:0", "^c", "^Read"], {"T": dtype(FLOAT)}),
    ],
    must_run=["Read"],
    shapes={0: shape(None, 3)},
)


def read(data: bytes) -> FunctionFact:
    return function_fact(memoryview(data))


def value(data: bytes) -> AttributeFact:
    return ValueReader(memoryview(data)).attribute(0, len(data))


def constant(data: bytes) -> TensorFact:
    return ValueReader(memoryview(data)).tensor(0, len(data))


def test_a_function_is_read() -> None:
    fact = read(FUNCTION)
    assert fact.name == "f"
    x, w = fact.arguments
    assert (x.name, x.dtype, x.shape, x.handle) == ("x", "float32", (-1, 3), None)
    assert (w.name, w.dtype, w.shape, w.handle) == ("w", "resource", None, ("float32", (2, -1)))
    assert fact.outputs == (("y", "float32"), ("n", "int32"))
    assert fact.returns == {"y": "Mul:z:0", "n": "c:output:0"}
    assert fact.must_run == ("Read",)
    assert [(one.name, one.operation, one.inputs, one.after) for one in fact.nodes] == [
        ("c", "Const", (), ()),
        ("Read", "ReadVariableOp", ("w",), ()),
        ("Mul", "Mul", ("x", "Read:value:0"), ("c", "Read")),
    ]
    assert fact.nodes[2].attributes == {"T": AttributeFact("type", "float32")}


def test_a_library_is_read() -> None:
    data = field(1, node("a", "NoOp")) + library(FUNCTION)
    fact = graph_fact(memoryview(data))
    assert [one.operation for one in fact.nodes] == ["NoOp"]
    assert fact.functions["f"] == read(FUNCTION)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (field(2, b"\xff"), AttributeFact("string", b"\xff")),
        (field(3, MINUS_ONE), AttributeFact("int", -1)),
        (fixed32(4, 0.5), AttributeFact("float", 0.5)),
        (field(5, 1), AttributeFact("bool", True)),
        (field(6, 14), AttributeFact("type", "bfloat16")),
        (field(7, shape(2, None)), AttributeFact("shape", (2, -1))),
        (field(7, field(3, 1)), AttributeFact("shape", None)),
        (field(7, b""), AttributeFact("shape", ())),
        (listed(), AttributeFact("", (), many=True)),
        (listed(field(2, "a"), field(2, "b")), AttributeFact("string", (b"a", b"b"), many=True)),
        (listed(field(3, b"\x01\x02"), field(3, 3)), AttributeFact("int", (1, 2, 3), many=True)),
        (listed(field(3, b"")), AttributeFact("", (), many=True)),
        (
            listed(field(4, struct.pack("<2f", 1, 2)), fixed32(4, 3)),
            AttributeFact("float", (1.0, 2.0, 3.0), many=True),
        ),
        (listed(field(5, b"\x01\x00")), AttributeFact("bool", (True, False), many=True)),
        (listed(field(6, b"\x01\x14")), AttributeFact("type", ("float32", "resource"), many=True)),
        (listed(field(7, shape(1))), AttributeFact("shape", ((1,),), many=True)),
    ],
)
def test_attributes_are_read(data: bytes, wanted: AttributeFact) -> None:
    assert value(data) == wanted


def test_functions_among_attributes_are_read() -> None:
    found = value(field(10, field(1, "g") + field(2, attr("T", dtype(FLOAT)))))
    assert found.value.name == "g"
    assert found.value.attributes == {"T": AttributeFact("type", "float32")}
    many = value(listed(field(9, field(1, "g")), field(9, field(1, "h"))))
    assert [one.name for one in many.value] == ["g", "h"]


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (tensor(FLOAT, shape(2), field(4, struct.pack("<2f", 1, 2))), "float32", [1, 2]),
        (tensor(FLOAT, shape(3), field(5, struct.pack("<2f", 1, 2))), "float32", [1, 2, 2]),
        (tensor(FLOAT, b"", fixed32(5, 4)), "float32", [4]),
        (tensor(FLOAT, shape(2)), "float32", [0, 0]),
        (tensor(2, shape(2), field(6, struct.pack("<d", 0.1))), "float64", [0.1, 0.1]),
        (tensor(INT32, shape(2), field(7, MINUS_ONE), field(7, 5)), "int32", [-1, 5]),
        (tensor(4, shape(2), field(7, b"\x01\xff\x01")), "uint8", [1, 255]),
        (tensor(6, shape(1), field(7, MINUS_ONE)), "int8", [-1]),
        (tensor(5, shape(1), field(7, MINUS_ONE)), "int16", [-1]),
        (tensor(17, shape(1), field(7, 65535)), "uint16", [65535]),
        (tensor(9, shape(1), field(10, MINUS_ONE)), "int64", [-1]),
        (tensor(22, shape(1), field(16, 2**32 - 1)), "uint32", [2**32 - 1]),
        (tensor(23, shape(1), field(17, MINUS_ONE)), "uint64", [MINUS_ONE]),
        (tensor(10, shape(2), field(11, 1), field(11, 0)), "bool", [True, False]),
        (tensor(8, shape(1), field(9, struct.pack("<2f", 1, 2))), "complex64", [1, 2]),
        (tensor(18, shape(1), field(12, struct.pack("<2d", 1, 2))), "complex128", [1, 2]),
        (tensor(19, shape(1), field(13, 0x3C00)), "float16", [1.0]),
        (tensor(14, shape(1), field(13, 0x3F80)), "bfloat16", [0x3F80]),
        (tensor(25, shape(2), field(18, b"\x01\x02")), "float8_e4m3fn", [1, 2]),
    ],
)
def test_constants_are_read(data: bytes, name: str, wanted: list[float]) -> None:
    codes = {
        "float32": "f", "float64": "d", "int32": "i", "uint8": "B", "int8": "b", "int16": "h",
        "uint16": "H", "int64": "q", "uint32": "I", "uint64": "Q", "bool": "?", "complex64": "f",
        "complex128": "d", "float16": "e", "bfloat16": "H", "float8_e4m3fn": "B",
    }  # fmt: skip
    fact = constant(data)
    assert fact.dtype == name
    assert list(struct.unpack(f"<{len(wanted)}{codes[name]}", fact.data())) == wanted


def test_strings_are_read() -> None:
    wanted = (b"a", b"\xff", b"\xff")
    assert constant(tensor(STRING, shape(3), field(8, "a"), field(8, b"\xff"))).texts() == wanted
    content = varint(1) + varint(1) + varint(1) + b"a\xff\xff"
    assert constant(tensor(STRING, shape(3), field(4, content))).texts() == wanted
    assert constant(tensor(STRING, shape(2))).texts() == (b"", b"")


NODE = node("n", "Relu", ["x"])
X = [argument("x", FLOAT)]
Y = {"y": (FLOAT, "n:activations:0")}


@pytest.mark.parametrize(
    "data",
    [
        b"",  # no signature
        function_def("", X, Y, [NODE]),
        function_def("f", X, Y, [NODE, NODE]),
        function_def("f", X, Y, [node("x", "Relu", ["x"])]),
        function_def("f", X, Y, [node("", "Relu", ["x"])]),
        function_def("f", X * 2, Y, [NODE]),
        field(1, field(1, "f") + field(1, "g")),
        function_def("f" * 70_000, X, Y, [NODE]),
        function_def("f", X, Y, [NODE]) + field(1, field(1, "g")),  # two signatures
        function_def("f", X, {}, [NODE]) + field(4, field(1, "y") + field(2, "x")),
        function_def("f", X, Y, [NODE]) + field(4, field(1, "y") + field(2, "x")),
        function_def("f", X, Y, [NODE]) + field(4, field(1, "z")),
        function_def("f", [argument("x", 0)], {}, []),
        function_def("f", [argument("x", FLOAT, field(4, "T"))], {}, []),
        function_def("f", [argument("x", FLOAT, field(5, "N"))], {}, []),
        function_def("f", [argument("x", FLOAT, field(6, "L"))], {}, []),
        function_def("f", [argument("x", FLOAT, field(16, 1))], {}, []),
        function_def("f", [argument("x", 101)], {}, []),  # float32_ref
        function_def("f", [field(1, "x")], {}, []),
        function_def("f", X, {}, [node("n", "Relu", ["^x", "x"])]),
        function_def("f", X, {}, [NODE + field(1, "m")]),
        function_def("f", X, {}, [NODE + field(2, "Tanh")]),
        function_def("f", X, {}, [NODE + field(5, attr("T", dtype(1))) * 2]),
        function_def("f", X, {}, [NODE + field(5, field(1, "T"))]),
        function_def("f", X, {}, [NODE + field(5, field(2, dtype(1)))]),
        function_def("f", X, {}, [NODE + field(5, attr("T", b""))]),
        function_def("f", X, {}, [NODE + field(5, attr("T", dtype(1) + field(3, 1)))]),
        function_def("f", X, {}, [NODE + field(5, attr("T", dtype(1) + dtype(2)))]),
        function_def("f", X, {}, [NODE + field(5, attr("T", field(9, "hidden")))]),
        function_def("f", X, {}, [NODE + field(5, attr("T", dtype(999)))]),
        function_def("f", X, {}, [NODE + field(5, attr("T", fixed32(3, 1)))]),
        function_def("f", X, {}, [NODE + field(3, b"\xff")]),
        function_def("f", X, {}, [], shapes={0: shape(1)}) + field(7, field(2, b"")),
    ],
)  # fmt: skip
def test_what_has_two_readings_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        listed(field(2, "a"), field(3, 1)),
        listed(field(4, b"\0\0\0")),
        listed(field(2, 1)),
        field(7, shape(2) + field(3, 1)),
        field(7, shape(-2 % 2**64)),
        field(7, shape(*[1] * 255)),
        field(8, tensor(FLOAT, shape(2), field(4, b"\0" * 4))),
        field(8, tensor(FLOAT, shape(2), field(4, b"\0" * 8)) + field(4, b"\0" * 8)),
        field(8, tensor(FLOAT, shape(1), field(5, b"\0" * 8))),
        field(8, tensor(FLOAT, shape(1), field(5, b"\0" * 3))),
        field(8, tensor(FLOAT, shape(1), field(4, b"\0" * 4), field(5, b"\0" * 4))),
        field(8, tensor(FLOAT, shape(1), field(5, 1))),
        field(8, tensor(FLOAT, shape(None))),
        field(8, tensor(FLOAT, field(3, 1))),
        field(8, tensor(RESOURCE, b"")),
        field(8, tensor(21, b"")),
        field(8, field(2, b"")),
        field(8, tensor(STRING, shape(1), field(8, "a"), field(8, "b"))),
        field(8, tensor(STRING, shape(1), field(4, b"\x05a"))),
        field(8, tensor(STRING, shape(9), field(4, b"\0"))),
        field(8, tensor(STRING, shape(1), field(4, b"\1ab"))),
        field(10, field(1, "f") * 2),
        field(10, field(1, 1)),
    ],
)
def test_values_with_two_readings_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        value(data)


def test_two_functions_of_one_name_are_refused() -> None:
    with pytest.raises(DamagedError, match="two functions"):
        graph_fact(memoryview(library(FUNCTION, FUNCTION)))


def test_functions_in_functions_end() -> None:
    data = field(1, "f")
    for _ in range(1000):
        data = field(1, "f") + field(2, attr("g", field(10, data)))
    with pytest.raises(DamagedError, match="too deeply"):
        value(field(10, data))


@pytest.mark.parametrize(
    "data",
    [
        tensor(FLOAT, shape(1 << 40)),
        tensor(FLOAT, shape(1 << 62, 1 << 62), fixed32(5, 1)),
        tensor(STRING, shape(1 << 40)),
    ],
)
def test_a_constant_that_would_be_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(BudgetError):
        constant(data)


def test_many_constants_that_would_be_too_large_together_are_refused() -> None:
    one = {"value": field(8, tensor(FLOAT, shape(1 << 24)))}
    nodes = [node(f"n{k}", "Const", (), one) for k in range(9)]
    tracemalloc.start()
    with pytest.raises(BudgetError, match="too large"):
        read(function_def("f", [], {}, nodes))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20  # nothing was expanded
    read(function_def("f", [], {}, nodes[:3]))


def test_parts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorflow_functions, "MAX_PARTS", 9)
    with pytest.raises(BudgetError, match="nodes and inputs"):
        read(FUNCTION)


def test_an_empty_constant_has_no_items() -> None:
    fact = constant(tensor(FLOAT, shape(3, 0)))
    assert (fact.count, fact.data()) == (0, b"")
    assert math.prod(fact.shape) == 0


def _swallow(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        read(data)
    with contextlib.suppress(LegacyError):
        graph_fact(memoryview(data))


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _swallow(data)


BIG = function_def(
    "g",
    [*X, argument("w", RESOURCE, handle(FLOAT, shape(2)))],
    Y,
    [
        NODE,
        node("i", "If", ["x"], {"then_branch": calls("f"), "Tin": listed(field(6, b"\x01\x14"))}),
        node("s", "Const", (), {"value": field(8, tensor(STRING, shape(2), field(8, "a")))}),
        node("f", "Const", (), {"value": field(8, tensor(FLOAT, shape(9), fixed32(5, 1)))}),
    ],
    must_run=["i"],
    shapes={0: shape(None)},
)


@settings(max_examples=250)
@given(st.data())
def test_any_change_is_read_or_refused(data: st.DataObject) -> None:
    whole = library(FUNCTION, BIG)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 4)))
    _swallow(whole[:start] + data.draw(st.binary(max_size=4)) + whole[end:])
    _swallow(BIG[:start] + data.draw(st.binary(max_size=4)) + BIG[end:])
