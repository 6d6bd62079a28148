"""TensorFlow's graphs: what was written is what is read; any bytes give facts or LegacyError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, LegacyError
from safemodel.legacy import tensorflow
from safemodel.legacy.graph_text import looks_like_graph_text, operations
from safemodel.legacy.tensorflow import MetaGraph, Reader, graphs_of
from tests.legacy.tensorflow_samples import (
    attribute,
    call,
    constant,
    field,
    function,
    graph_def,
    keras_metadata,
    meta_graph,
    node,
    packed_tensor,
    saved_model,
    saver_calls,
    saver_functions,
    text_tensor,
)

GRAPH = graph_def(
    [constant("path", "/etc/passwd"), node("ReadFile", "read", ["path", "^path"])],
    [function("f", ["x", "y"], [node("WriteFile", "w", ["x", "y"])])],
)
META = meta_graph(
    GRAPH,
    assets={"path:0": "vocabulary.txt"},
    objects=[field(9, field(1, "path")), field(5, b""), field(4, field(3, '{"a": 1}'))],
    captures={"f": [0, 300]},
)


def meta_graphs(data: bytes) -> list[MetaGraph]:
    reader = Reader(memoryview(data))
    return [reader.meta_graph(*place) for place in reader.messages(0, len(data), 2)]


SAVED = saved_model(META, meta_graph(graph_def(saver_calls(), saver_functions())))


def test_a_graph_is_read() -> None:
    main, library = graphs_of(memoryview(GRAPH)).graphs
    assert [one.operation for one in main.nodes] == ["Const", "ReadFile"]
    assert main.nodes[0].constant == ("/etc/passwd",)
    assert main.nodes[1].inputs == ("path", "^path")
    assert (library.name, library.arguments) == ("f", ("x", "y"))


def test_a_meta_graph_is_read() -> None:
    found = graphs_of(memoryview(META))
    assert [(one.tensor, one.file) for one in found.assets] == [("path:0", "vocabulary.txt")]
    assert [one.kind for one in found.objects] == ["constant", "asset", ""]
    assert found.objects[0].operation == "path"
    assert found.captures == {"f": (0, 300)}
    start, size = found.objects[2].metadata or (0, 0)
    assert META[start : start + size] == b'{"a": 1}'


def test_a_saved_model_is_read() -> None:
    first, second = meta_graphs(SAVED)
    assert len(first.graphs) == 2
    assert [one.name for one in second.graphs] == ["", "save", "restore"]


def test_offsets_are_those_of_the_file() -> None:
    (first, _) = meta_graphs(SAVED)
    read = first.graphs[0].nodes[1]
    assert SAVED[read.offset :].startswith(field(1, "read") + field(2, "ReadFile"))


def test_texts_of_tensors_in_any_spelling() -> None:
    def texts(*tensors: bytes) -> tuple[str, ...] | None:
        values = b"".join(field(8, one) for one in tensors)
        data = graph_def([node("Const", "c", attributes=attribute("value", values))])
        return graphs_of(memoryview(data)).graphs[0].nodes[0].constant

    assert texts(text_tensor("a", "bc")) == ("a", "bc")
    assert texts(packed_tensor("a", "b" * 200)) == ("a", "b" * 200)
    assert texts(packed_tensor("a"), text_tensor("b")) == ("a", "b")  # messages are merged
    assert texts(field(1, 1) + field(4, b"\0\0\0\0")) is None


def test_the_last_of_two_operations_counts() -> None:
    data = graph_def([node("NoOp") + field(2, "WriteFile")])
    assert graphs_of(memoryview(data)).graphs[0].nodes[0].operation == "WriteFile"


def test_functions_in_attributes_are_calls() -> None:
    branches = attribute("branches", field(1, field(9, field(1, "f")) + field(9, field(1, "g"))))
    data = graph_def([call("h", "a", []), node("Case", "b", attributes=branches)])
    assert [one.calls for one in graphs_of(memoryview(data)).graphs[0].nodes] == [
        ("h",),
        ("f", "g"),
    ]


def test_assets_of_tensorflow_1() -> None:
    asset = field(1, field(1, "a:0")) + field(2, "a.txt")
    packed = field(1, field(1, "type.googleapis.com/AssetFileDef") + field(2, asset))
    entry = field(1, "saved_model_assets") + field(2, field(5, packed))
    found = graphs_of(memoryview(field(2, GRAPH) + field(4, entry)))
    assert [(one.tensor, one.file) for one in found.assets] == [("a:0", "a.txt")]


def test_keras_metadata() -> None:
    data = keras_metadata('{"a": 1}', '{"b": 2}')
    texts = [
        data[start : start + size] for start, size in Reader(memoryview(data)).keras_metadata()
    ]
    assert texts == [b'{"a": 1}', b'{"b": 2}']


def test_parts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorflow, "MAX_PARTS", 10)
    with pytest.raises(BudgetError):
        graphs_of(memoryview(graph_def([node("NoOp", "n", ["a"] * 20)])))
    with pytest.raises(BudgetError):
        graphs_of(memoryview(graph_def([node("NoOp")] * 20)))


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    graphs_of(memoryview(data))
    with contextlib.suppress(LegacyError):
        meta_graphs(data)
    with contextlib.suppress(LegacyError):
        Reader(memoryview(data)).keras_metadata()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_mutation(choose: st.DataObject) -> None:
    data = bytearray(SAVED)
    for _ in range(choose.draw(st.integers(1, 6))):
        place = choose.draw(st.integers(0, len(data) - 1))
        data[place : place + choose.draw(st.integers(0, 3))] = choose.draw(st.binary(max_size=4))
        if not data:
            return
    with contextlib.suppress(LegacyError):
        meta_graphs(bytes(data))
    graphs_of(memoryview(bytes(data)))


@pytest.mark.parametrize(
    "text",
    [
        b"saved_model_schema_version: 1",
        b"  # a comment\n\n# another\nnode {\n}",
        b"node < name: 'a' >",
        b"meta_graphs{",
        b"library\n{",
    ],
)
def test_text_forms(text: bytes) -> None:
    assert looks_like_graph_text(text)


@pytest.mark.parametrize(
    "text", [b"", b"# only a comment", b"nodes {", b"node", b"{node: 1}", b"#"]
)
def test_other_texts(text: bytes) -> None:
    assert not looks_like_graph_text(text)


def test_comments_may_go_on() -> None:
    assert looks_like_graph_text(b"# " + b"x" * 100, whole=False)


def test_operations_in_text() -> None:
    text = rb"""node { op: "Write" 'Fi\x6ce' } node {op:"a\"b" name: "op: c"} {op : "N\157Op"}"""
    assert [name for name, _ in operations(text)] == ["WriteFile", 'a"b', "NoOp"]
