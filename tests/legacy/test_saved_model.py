"""SavedModels and object graphs of checkpoints: what is written is read; what has two readings, or
none, is refused; any bytes give our errors alone. Those that TensorFlow wrote are read in
tests/convert/test_saved_model.py."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import saved_model, structured_value, tracked_objects
from safemodel.legacy.saved_model import Info, VariableFact, parse_saved_model
from safemodel.legacy.structured_value import (
    Fields,
    Items,
    Named,
    Opaque,
    Shaped,
    Spec,
    StructureReader,
    Typed,
    Value,
)
from safemodel.legacy.tensorflow_values import ValueReader
from safemodel.legacy.tracked_objects import Slot, parse_objects
from tests.legacy import saved_model_samples as make
from tests.legacy.tensorflow_samples import constant, field, varint


def parsed(data: bytes) -> saved_model.MetaGraphFact:
    (found,) = parse_saved_model(memoryview(data))
    return found


def structure(data: bytes) -> Value:
    return StructureReader(ValueReader(memoryview(data))).value(0, len(data))


SMALL = make.saved_model(
    [
        make.children({"w": 1, "f": 2}) + make.user_object(),
        make.variable("w:0", 2, -1, trainable=False),
        make.children({"trace_0": 3}) + make.function("inner", spec=field(1, make.arguments("x"))),
        make.concrete_object("inner", "x", positional=1),
        make.constant("Const"),
    ],
    {
        "inner": make.concrete(
            [1, 4],
            make.items(make.items(make.spec("x", -1, 3)), make.mapping({})),
            make.spec("out", 2),
        )
    },
    {"serve": make.signature({"x": make.info("x:0", -1)}, {"y": make.info("y:0"), "init": b""})},
    field(1, constant("Const", "file")),
    field(6, field(2, "words.txt")),
)


def test_what_is_written_is_read() -> None:
    found = parsed(SMALL)
    assert (found.tags, found.version, found.assets) == (("serve",), "2.21.0", ("words.txt",))
    assert [node.name for node in found.graph.nodes] == ["Const"]
    serve = found.signatures["serve"]
    assert serve.inputs == {"x": Info("x:0", "float32", (-1,))}
    assert serve.outputs == {"y": Info("y:0", "float32", ()), "init": None}
    assert found.objects is not None
    root, variable, function, concrete, const = found.objects
    assert (root.kind, root.children) == ("object", (("w", 1), ("f", 2)))
    assert variable.variable == VariableFact("w:0", "float32", (2, -1), False, False)
    assert function.functions == ("inner",)
    assert function.spec is not None
    assert isinstance(function.spec.fullargspec, Named)
    assert (concrete.functions, concrete.keywords, concrete.positional) == (("inner",), ("x",), 1)
    assert const.operation == "Const"
    inner = found.concrete["inner"]
    assert inner.captures == (1, 4)
    assert inner.inputs == Items((Items((Spec("x", "float32", (-1, 3)),)), Fields({})))
    assert inner.outputs == Spec("out", "float32", (2,))


def test_a_model_without_objects_is_read() -> None:
    found = parsed(make.saved_model(signatures={"a": b""}))
    assert found.objects is None
    assert found.concrete == {}


@given(st.binary(max_size=300))
def test_any_bytes_give_legacy_errors_alone(data: bytes) -> None:
    for parse in (parse_saved_model, parse_objects):
        with contextlib.suppress(LegacyError):
            parse(memoryview(data))
    with contextlib.suppress(LegacyError):
        structure(data)


PLACES = {
    "graph": lambda data: make.saved_model(graph=data),
    "object": lambda data: make.saved_model([data]),
    "function": lambda data: make.saved_model([b""], {"f": data}),
    "signature": lambda data: make.saved_model(signatures={"s": data}),
    "meta graph": lambda data: make.saved_model(extra=data),
    "variable": lambda data: make.saved_model([field(7, data)]),
    "structure": lambda data: make.saved_model([b""], {"f": field(3, data)}),
}


@given(st.sampled_from(sorted(PLACES)), st.binary(max_size=80))
def test_any_bytes_at_any_place_give_legacy_errors_alone(place: str, data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        parsed(PLACES[place](data))


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 255))
def test_any_change_gives_legacy_errors_alone(at: int, byte: int) -> None:
    data = bytearray(SMALL)
    data[at] = byte
    with contextlib.suppress(LegacyError):
        parse_saved_model(memoryview(bytes(data)))


OBJECT = make.user_object()
HOSTILE = {
    "nothing": b"",
    "no graph": field(1, 1),
    "part that is not there": make.saved_model([make.children({"w": 1}) + OBJECT]),
    "negative part": make.saved_model([make.children({"w": -1}) + OBJECT]),
    "two parts of one name": make.saved_model(
        [make.reference("w", 0) + make.reference("w", 0) + OBJECT]
    ),
    "two kinds": make.saved_model([OBJECT + make.variable("w")]),
    "one kind twice": make.saved_model([make.variable("w") + make.variable("w")]),
    "slot that is not there": make.saved_model([OBJECT + make.slot(0, "m", 7)]),
    "capture that is not there": make.saved_model([OBJECT], {"f": make.concrete([1])}),
    "negative capture": make.saved_model([OBJECT], {"f": make.concrete([-1])}),
    "two objects graphs": make.saved_model([OBJECT], extra=field(7, b"")),
    "two graphs in one": make.saved_model(extra=field(2, b"")),
    "unknown type of a variable": make.saved_model([make.variable("w", dtype=77)]),
    "function twice": make.saved_model(
        extra=field(7, field(1, OBJECT) + 2 * field(2, make.entry("f", b"")))
    ),
    "signature twice": make.saved_model(extra=2 * field(5, make.entry("s", b""))),
    "input twice": make.saved_model(signatures={"s": 2 * field(1, make.entry("x", b""))}),
    "negative size": make.saved_model([make.variable("w", -2)]),
    "name that is no text": make.saved_model([field(4, field(1, b"\xff"))]),
    "two structures": make.saved_model([b""], {"f": field(3, make.NONE) * 2}),
    "nodes of one name": make.saved_model(graph=2 * field(1, constant("a", "b"))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_has_no_reading_or_two_is_refused(name: str) -> None:
    with pytest.raises(DamagedError):
        parsed(HOSTILE[name])


def test_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_objects, "MAX_OBJECTS", 10)
    parsed(make.saved_model([OBJECT] * 9))
    with pytest.raises(BudgetError):
        parsed(make.saved_model([OBJECT] * 11))
    with pytest.raises(BudgetError):
        parsed(make.saved_model([OBJECT], {"f": field(2, bytes(20))}))
    with pytest.raises(BudgetError):
        parse_objects(memoryview(make.object_graph([b""] * 11)))


def test_who_spends_is_asked() -> None:
    def never(count: int) -> None:
        raise BudgetError("enough")

    with pytest.raises(BudgetError, match="enough"):
        parse_saved_model(memoryview(make.saved_model([OBJECT] * 5000)), spend=never)


# Structures


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (make.NONE, None),
        (field(12, 5), -3),
        (field(12, (1 << 64) - 1), -(1 << 63)),
        (b"\x59" + bytes.fromhex("000000000000f83f"), 1.5),
        (make.text("é"), "é"),
        (field(14, 1), True),
        (field(31, make.shape(2, -1)), Shaped((2, -1))),
        (field(31, field(3, 1)), Shaped(None)),
        (field(32, 9), Typed("int64")),
        (field(34, field(3, "RaggedTensorSpec")), Opaque("RaggedTensorSpec")),
        (field(55, b""), Opaque("an array")),
        (make.spec("x", 2), Spec("x", "float32", (2,))),
        (make.items(make.NONE, make.text("a")), Items((None, "a"))),
        (make.items(is_list=True), Items((), is_list=True)),
        (make.mapping({"b": make.NONE, "a": make.NONE}), Fields({"b": None, "a": None})),
        (make.named("P", {"x": make.NONE}), Named("P", (("x", None),))),
    ],
)
def test_structures_are_read(data: bytes, value: Value) -> None:
    assert structure(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        make.NONE + make.text("a"),
        field(13, b"\xff"),
        field(32, 99),
        field(53, 2 * field(1, make.entry("a", make.NONE))),
        field(54, field(1, "P") + 2 * field(2, make.entry("a", make.NONE))),
        field(53, field(1, field(1, "a"))),
        varint(13 << 3) + b"\1",
    ],
)
def test_structures_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedError):
        structure(data)


def test_structures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make.NONE
    for _ in range(structured_value.MAX_DEPTH):
        data = make.items(data)
    assert isinstance(structure(data), Items)
    with pytest.raises(BudgetError):
        structure(make.items(data))
    monkeypatch.setattr(structured_value, "MAX_VALUES", 10)
    with pytest.raises(BudgetError):
        structure(make.items(*[make.NONE] * 10))


def test_many_values_are_read_in_time() -> None:
    data = make.items(*[make.text("a")] * 30_000)
    started = time.process_time()
    structure(data)
    assert time.process_time() - started < 5


# Checkpoints


def test_objects_of_a_checkpoint_are_read() -> None:
    data = make.object_graph(
        [
            make.children({"v": 1, "opt": 2}),
            make.value("v/.ATTRIBUTES/VARIABLE_VALUE", full_name="v"),
            make.slot(1, "m", 3) + make.children({"m": 3}),
            make.value("m"),
        ]
    )
    root, variable, optimizer, _ = parse_objects(memoryview(data))
    assert root.children == (("v", 1), ("opt", 2))
    assert variable.values == {"VARIABLE_VALUE": ("v", "v/.ATTRIBUTES/VARIABLE_VALUE")}
    assert optimizer.slots == (Slot(1, "m", 3),)


@pytest.mark.parametrize(
    "objects",
    [
        [make.children({"v": 1})],
        [make.children({"v": -1})],
        [make.slot(0, "m", 1)],
        [make.value("a") + make.value("b")],
        [make.reference("v", 0) + make.reference("v", 0)],
    ],
)
def test_objects_that_contradict_themselves_are_refused(objects: list[bytes]) -> None:
    with pytest.raises(DamagedError):
        parse_objects(memoryview(make.object_graph(objects)))
