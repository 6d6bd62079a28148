"""ONNX: every operator and every tensor of a model is found, however it is written."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import onnx as parser
from safemodel.legacy.onnx import External, Function, Metadata, Oddity, Operator


def number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


def sized(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return number(field << 3 | 2) + number(len(raw)) + raw


def plain(field: int, value: int) -> bytes:
    return number(field << 3) + number(value & (1 << 64) - 1)


def entry(field: int, key: str, value: str) -> bytes:
    return sized(field, sized(1, key) + sized(2, value))


def external(location: str, *more: tuple[str, str]) -> bytes:
    rest = b"".join(entry(13, *one) for one in more)
    return (
        plain(1, 2)
        + plain(2, 1)
        + sized(8, "t")
        + entry(13, "location", location)
        + rest
        + plain(14, 1)
    )


def node(name: str, *attributes: bytes, domain: str = "") -> bytes:
    raw = sized(1, "x") + sized(2, "y") + sized(4, name) + b"".join(sized(5, a) for a in attributes)
    return raw + (sized(7, domain) if domain else b"")


def graph(*nodes: bytes, rest: bytes = b"") -> bytes:
    return b"".join(sized(1, one) for one in nodes) + sized(2, "g") + rest


def model(content: bytes, rest: bytes = b"") -> bytes:
    return plain(1, 10) + sized(2, "me") + sized(7, content) + sized(8, plain(2, 20)) + rest


def facts(data: bytes) -> list[parser.Fact]:
    return list(parser.walk(memoryview(data)))


def locations(data: bytes) -> list[str]:
    return [
        dict(fact.entries).get("location", "") for fact in facts(data) if isinstance(fact, External)
    ]


RELU = node("Relu")
PLAIN = model(graph(RELU))


def test_plain() -> None:
    assert parser.is_onnx(memoryview(PLAIN))
    assert [type(fact) for fact in facts(PLAIN)] == [Operator]


@pytest.mark.parametrize(
    "data",
    [
        model(graph(RELU, rest=sized(5, external("X")))),
        model(graph(RELU, rest=sized(15, sized(1, external("X"))))),
        model(graph(RELU, rest=sized(15, sized(2, external("X"))))),
        model(graph(node("Constant", sized(1, "value") + sized(5, external("X"))))),
        model(graph(node("Constant", sized(10, external("X"))))),
        model(graph(node("Constant", sized(22, sized(1, external("X")))))),
        model(graph(node("Constant", sized(23, sized(2, external("X")))))),
        model(graph(node("If", sized(6, graph(RELU, rest=sized(5, external("X"))))))),
        model(graph(node("If", sized(11, graph(RELU, rest=sized(5, external("X"))))))),
        model(
            graph(
                node(
                    "If",
                    sized(
                        6, graph(node("If", sized(6, graph(node("C", sized(5, external("X")))))))
                    ),
                )
            )
        ),
        model(
            graph(RELU),
            sized(25, sized(1, "f") + sized(7, node("Constant", sized(5, external("X"))))),
        ),
        model(
            graph(RELU),
            sized(25, sized(1, "f") + sized(11, sized(1, "a") + sized(5, external("X")))),
        ),
        model(graph(RELU), sized(20, sized(1, graph(RELU, rest=sized(5, external("X")))))),
        model(graph(RELU), sized(20, sized(2, graph(RELU, rest=sized(5, external("X")))))),
        model(graph(RELU), sized(7, graph(rest=sized(5, external("X"))))),
        sized(7, graph(RELU, rest=sized(5, external("X")))),
        sized(7, sized(5, external("X")) + graph(RELU)),
        sized(100, b"?") + model(graph(RELU, rest=sized(5, external("X")))),
        plain(7, 1) + model(graph(RELU, rest=sized(5, external("X")))),
    ],
    ids=range(19),
)
def test_external_data_wherever_it_is(data: bytes) -> None:
    assert parser.is_onnx(memoryview(data))
    assert locations(data) == ["X"]


def test_both_locations_of_one_tensor() -> None:
    data = model(graph(RELU, rest=sized(5, external("X", ("location", "Y"), ("length", "8")))))
    (fact,) = (fact for fact in facts(data) if isinstance(fact, External))
    assert fact.entries == (("location", "X"), ("location", "Y"), ("length", "8"))
    assert fact.tensor == "t"


def test_operators_functions_metadata() -> None:
    data = model(
        graph(
            node("F", domain="mine"),
            node(
                "EPContext",
                sized(1, "embed_mode") + plain(3, 0),
                sized(1, "ep_cache_context") + sized(4, "a.bin"),
                domain="com.microsoft",
            ),
        ),
        sized(25, sized(1, "F") + sized(10, "mine") + sized(7, node("Add")))
        + entry(14, "ort_config", "{}"),
    )
    found = facts(data)
    assert {(fact.domain, fact.name) for fact in found if isinstance(fact, Operator)} == {
        ("mine", "F"),
        ("", "Add"),
        ("com.microsoft", "EPContext"),
    }
    (context,) = (fact for fact in found if isinstance(fact, Operator) and fact.texts)
    assert context.texts == (("embed_mode", "0"), ("ep_cache_context", "a.bin"))
    assert [fact for fact in found if isinstance(fact, Function)] == [Function("mine", "F")]
    assert [(fact.key, fact.value) for fact in found if isinstance(fact, Metadata)] == [
        ("ort_config", "{}")
    ]


@pytest.mark.parametrize(
    ("data", "weight"),
    [
        (model(graph(RELU), sized(7, graph(RELU))), 1),
        (model(graph(RELU), sized(1, "x")), 1),
        (model(graph(RELU + sized(4, "Other"))), 1),
        (model(graph(RELU), sized(99, "x")), 0),
        (model(graph(RELU, rest=sized(5, plain(1, 1 << 62) + plain(1, 8) + plain(2, 1)))), 2),
        (model(graph(RELU, rest=sized(5, sized(1, number(1 << 40) * 2) + plain(2, 1)))), 2),
        (model(graph(RELU, rest=sized(5, plain(1, -5) + plain(2, 1)))), 2),
        (model(graph(RELU, rest=sized(5, plain(1, 3) + plain(2, 1) + sized(9, bytes(11))))), 1),
    ],
    ids=range(8),
)
def test_oddities(data: bytes, weight: int) -> None:
    assert [fact.weight for fact in facts(data) if isinstance(fact, Oddity)] == [weight]


@pytest.mark.parametrize(
    ("kind", "dimensions", "size"),
    [
        (1, (3, 5), 60),
        (10, (3,), 6),
        (22, (3,), 2),
        (25, (5,), 2),
        (9, (0, 4), 0),
        (99, (3,), 1),
        (1, (), 4),
    ],
)
def test_sizes_that_fit(kind: int, dimensions: tuple[int, ...], size: int) -> None:
    raw = b"".join(plain(1, one) for one in dimensions) + plain(2, kind) + sized(9, bytes(size))
    assert not any(
        isinstance(fact, Oddity) for fact in facts(model(graph(RELU, rest=sized(5, raw))))
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08\x0a",
        b"hello",
        plain(1, 1) + sized(2, sized(1, "meta graph")),
        sized(1, sized(1, "name") + sized(2, "Const")) + sized(4, plain(1, 5)),
        sized(7, "text"),
        sized(7, sized(1, "text")),
        sized(7, sized(1, sized(4, b"\xff\xfe"))),
        plain(1, 1) + sized(7, plain(1, 1)),
        b"\x80\x04\x95" + bytes(50),
    ],
    ids=range(10),
)
def test_not_onnx(data: bytes) -> None:
    assert not parser.is_onnx(memoryview(data))


@pytest.mark.parametrize("cut", range(16, len(PLAIN) - 1))
def test_cut_off(cut: int) -> None:
    data = memoryview(PLAIN[:cut])
    if parser.is_onnx(data) and cut < len(PLAIN) - 5:
        with pytest.raises(DamagedError):
            list(parser.walk(data))
    assert parser.is_onnx(memoryview(PLAIN[:25]))


def test_too_deep() -> None:
    deep = graph(RELU)
    for _ in range(60):
        deep = graph(node("If", sized(6, deep)))
    with pytest.raises(BudgetError):
        facts(model(deep))


def test_much_work_is_told() -> None:
    spent: list[int] = []
    data = model(graph(*[RELU] * 20_000))
    list(parser.walk(memoryview(data), spend=spent.append))
    assert sum(spent) >= 20_000


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=6))
def test_mutations(place: int, change: bytes) -> None:
    whole = model(
        graph(node("If", sized(6, graph(node("C", sized(5, external("X"))))))),
        sized(25, sized(1, "f") + sized(7, RELU)) + entry(14, "a", "b"),
    )
    at = place % len(whole)
    for data in (whole[:at] + change + whole[at + len(change) :], whole[:at] + change + whole[at:]):
        with contextlib.suppress(LegacyError):
            parser.is_onnx(memoryview(data))
            facts(data)


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    parser.is_onnx(memoryview(data))
    with contextlib.suppress(LegacyError):
        facts(data)


def test_real_models() -> None:
    onnx: Any = pytest.importorskip("onnx")
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 4])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 4])
    weight = helper.make_tensor("w", onnx.TensorProto.FLOAT, [4, 4], [0.5] * 16)
    packed = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight), "w2")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("MatMul", ["z", "w2"], ["y"]),
    ]
    made = helper.make_model(
        helper.make_graph(nodes, "g", [value], [out], [weight, packed]),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
    )
    helper.set_model_props(made, {"author": "me"})
    found = facts(made.SerializeToString())
    assert parser.is_onnx(memoryview(made.SerializeToString()))
    assert sorted(type(fact).__name__ for fact in found) == ["Metadata", "Operator", "Operator"]
    schema = {
        "model": onnx.ModelProto, "graph": onnx.GraphProto, "node": onnx.NodeProto,
        "attribute": onnx.AttributeProto, "tensor": onnx.TensorProto,
        "function": onnx.FunctionProto, "sparse": onnx.SparseTensorProto,
        "entry": onnx.StringStringEntryProto, "training": onnx.TrainingInfoProto,
    }  # fmt: skip
    for name, message in schema.items():
        for field in message.DESCRIPTOR.fields:
            repeated = parser.SCHEMAS[name][field.number][1]
            assert repeated == field.is_repeated, (name, field.name)
        assert len(message.DESCRIPTOR.fields) == len(parser.SCHEMAS[name])
