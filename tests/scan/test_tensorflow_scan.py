"""Graphs through the scanner: what does more than compute is found, savers and assets are not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import Severity, Status
from safemodel.scan import graph_rules, tables
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
    saved_model,
    saver_calls,
    saver_functions,
)
from tests.scan.scanning import check_quiet, rules, scan, worst

ROOT = Path(__file__).parents[2]


def saved(nodes: Iterable[bytes], functions: Iterable[bytes] = (), **more: object) -> bytes:
    """A SavedModel with its savers, as TensorFlow writes it."""
    graph = graph_def([*saver_calls(), *nodes], [*saver_functions(), *functions])
    return saved_model(meta_graph(graph, **more))  # type: ignore[arg-type]


def strings(key: str, *values: str) -> bytes:
    return attribute(key, field(1, b"".join(field(2, value) for value in values)))


def string(key: str, value: str) -> bytes:
    return attribute(key, field(2, value))


def test_a_saved_model_is_quiet() -> None:
    check_quiet(saved([node("MatMul", "m", ["a", "b"])]), "saved_model")


def test_graphs_of_tensorflow_1_are_quiet() -> None:
    saver = [
        constant("save/filename/input", "model"),
        node("PlaceholderWithDefault", "save/filename", ["save/filename/input"]),
        node("PlaceholderWithDefault", "save/Const", ["save/filename"]),
        constant("save/part", "_temp_0123/part"),
        node("StringJoin", "save/StringJoin", ["save/Const", "save/part"]),
        node("ShardedFilename", "save/Sharded", ["save/StringJoin", "n", "n"]),
        node("SaveV2", "save/SaveV2", ["save/Sharded", "n", "n"]),
        node("MergeV2Checkpoints", "save/Merge", ["save/Sharded", "save/Const"]),
        node("RestoreV2", "save/RestoreV2", ["save/Const", "n", "n"]),
    ]
    check_quiet(graph_def(saver), "graph_def")
    check_quiet(meta_graph(graph_def(saver)), "graph_def")


def test_the_vocabulary_of_an_asset_is_quiet() -> None:
    fill = function(
        "initializer",
        ["path", "table"],
        [node("InitializeTableFromTextFileV2", "i", ["table", "path"])],
    )
    by_variable = [
        node("Placeholder", "asset"),
        node("VarHandleOp", "variable"),
        node("AssignVariableOp", "assign", ["variable", "asset"]),
        node("ReadVariableOp", "value", ["variable", "^assign"]),
        node("HashTableV2", "table"),
        call("initializer", "c", ["value", "table"], "StatefulPartitionedCall"),
    ]
    assets = {"asset:0": "vocabulary.txt"}
    check_quiet(saved(by_variable, [fill], assets=assets), "saved_model")
    captured = saved(
        [], [fill], assets=assets, objects=[field(5, b""), b""], captures={"initializer": [0, 1]}
    )
    check_quiet(captured, "saved_model")
    old = [constant("asset", "/home/me/vocabulary.txt"), node("HashTable", "table")]
    old.append(node("InitializeTableFromTextFile", "i", ["table", "asset"]))
    check_quiet(saved(old, assets=assets), "saved_model")


FINDINGS = {
    "reads": ("SM303", [constant("p", "/etc/passwd"), node("ReadFile", "r", ["p"])]),
    "reads a region": ("SM303", [node("ImmutableConst", "r")]),
    "writes": ("SM302", [constant("p", "/tmp/x"), node("WriteFile", "w", ["p", "p"])]),
    "python": ("SM301", [node("PyFunc")]),
    "graph of a string": ("SM301", [node("DatasetFromGraph")]),
    "service": ("SM304", [node("DataServiceDatasetV4")]),
    "unknown": ("SM308", [node("MyOp")]),
    "abort": ("SM309", [node("Abort")]),
    "print": ("SM307", [node("PrintV2", attributes=string("output_stream", "file:///tmp/x"))]),
    "debug": ("SM307", [node("DebugIdentity", attributes=strings("debug_urls", "grpc://h:1"))]),
    "copy": ("SM307", [node("Copy", attributes=strings("debug_ops_spec", "D;file:///tmp/x;0"))]),
    "cache": ("SM302", [constant("p", "/tmp/x"), node("CacheDataset", "c", ["d", "p"])]),
    "cache, computed": ("SM302", [node("CacheDataset", "c", ["d", "p"])]),
    "candidates": (
        "SM303",
        [node("FixedUnigramCandidateSampler", attributes=string("vocab_file", "/etc/passwd"))],
    ),
    "descriptor": (
        "SM303",
        [node("DecodeProtoV2", attributes=string("descriptor_source", "/etc/passwd"))],
    ),
    "restore": ("SM305", [constant("p", "/other/model"), node("RestoreV2", "r", ["p", "n", "n"])]),
    "restore, default": (
        "SM305",
        [
            constant("p", "/other/model"),
            node("PlaceholderWithDefault", "d", ["p"]),
            node("RestoreV2", "r", ["d", "n", "n"]),
        ],
    ),
    "save, joined": (
        "SM305",
        [
            constant("empty", ""),
            constant("p", "etc/cron.d/x"),
            node("StringJoin", "j", ["empty", "p"], string("separator", "/")),
            node("SaveV2", "s", ["j", "n", "n"]),
        ],
    ),
    "save, computed": (
        "SM305",
        [node("DecodeBase64", "p", ["x"]), node("SaveV2", "s", ["p", "n", "n"])],
    ),
    "save, suffix": (
        "SM305",
        [
            node("Placeholder", "f"),
            constant("p", "/../../x"),
            node("StringJoin", "j", ["f", "p"]),
            node("SaveV2", "s", ["j", "n", "n"]),
        ],
    ),
    "save, two branches": (
        "SM305",
        [
            node("Placeholder", "f"),
            constant("p", "/tmp/x"),
            node("Select", "s", ["c", "f", "p"]),
            node("SaveV2", "save", ["s", "n", "n"]),
        ],
    ),
    "call": ("SM305", [constant("p", "/other/model"), call("restore", "c", ["p"])]),
    "call of the function's name": ("SM305", [constant("p", "/other"), node("save", "c", ["p"])]),
    "call in a branch": (
        "SM305",
        [constant("p", "/other"), call("restore", "c", ["condition", "p"], "If")],
    ),
    "call by a dataset": ("SM305", [call("restore", "c", ["d"], "MapDataset")]),
    "table": (
        "SM306",
        [
            constant("p", "/etc/passwd"),
            node("InitializeTableFromTextFileV2", "i", ["table", "p"]),
        ],
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_found_in_the_main_graph(name: str) -> None:
    rule, nodes = FINDINGS[name]
    found = rules(scan(saved(nodes)))
    assert set(found) == {rule}
    assert found[rule] is graph_rules_severity(rule)


IN_FUNCTIONS = [
    name for name, (_, nodes) in FINDINGS.items() if not any(b"Placeholder" in one for one in nodes)
]


@pytest.mark.parametrize("name", IN_FUNCTIONS)
def test_found_in_a_function(name: str) -> None:
    """A function that nothing calls, which does not matter."""
    rule, nodes = FINDINGS[name]
    assert set(rules(scan(saved([], [function("f", ["c"], nodes)])))) == {rule}


@pytest.mark.parametrize("name", [name for name in FINDINGS if "call" not in name])
def test_found_in_a_frozen_graph(name: str) -> None:
    rule, nodes = FINDINGS[name]
    known = [*nodes, node("Identity", "i", ["x"])]
    assert set(rules(scan(graph_def(known)))) == {rule}
    assert set(rules(scan(meta_graph(graph_def(known))))) == {rule}


def graph_rules_severity(rule: str) -> Severity:
    from safemodel.scan.rules import RULES

    return RULES[rule].severity


def test_a_constant_that_a_function_captures() -> None:
    fill = function("f", ["path"], [node("RestoreV2", "r", ["path", "n", "n"])])
    model = saved(
        [constant("evil", "/other/model")],
        [fill],
        objects=[field(9, field(1, "evil"))],
        captures={"f": [0]},
    )
    assert set(rules(scan(model))) == {"SM305"}
    (finding,) = scan(model).findings
    assert "/other/model" in finding.message


def test_a_name_that_passes_through_many_functions() -> None:
    functions = [
        function(f"f{n}", ["x"], [call(f"f{n + 1}" if n < 9 else "restore", "c", ["x"])])
        for n in range(10)
    ]
    nodes = [constant("p", "/other/model"), call("f0", "c0", ["p"])]
    assert set(rules(scan(saved(nodes, functions)))) == {"SM305"}
    check_quiet(saved([call("f0", "c0", ["saver_filename"])], functions), "saved_model")


def test_cycles_end() -> None:
    loop = [node("Identity", "a", ["b"]), node("Identity", "b", ["a"])]
    loop.append(node("SaveV2", "s", ["a", "n", "n"]))
    scan(saved(loop))
    scan(saved([constant("c", "x"), node("CacheDataset", "d", ["x", "a"]), *loop]))
    recursive = function("r", ["x"], [call("r", "c", ["x"]), node("SaveV2", "s", ["x", "n"])])
    assert not rules(scan(saved([], [recursive])))


def test_functions_with_one_name_or_none() -> None:
    restore = node("RestoreV2", "r", ["x", "n", "n"])
    evil = [constant("x", "/other/model"), restore]
    for name in ("", "f"):
        functions = [function(name, ["x"], [restore]), function(name, [], evil)]
        assert set(rules(scan(saved([], functions)))) == {"SM305"}


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "a/../../x", "C:x", "gs://b/x", ""])
def test_assets_that_lie_elsewhere(name: str) -> None:
    model = saved([node("Placeholder", "asset")], assets={"asset:0": name})
    assert set(rules(scan(model))) == {"SM310"}


def test_unknown_fields_do_not_hide_a_graph() -> None:
    graph = field(100, 7) + graph_def([constant("p", "/x"), node("WriteFile", "w", ["p", "p"])])
    assert worst(graph) is Severity.CRITICAL
    assert worst(field(99, b"x") + saved_model(meta_graph(graph))) is Severity.CRITICAL


def test_damage_behind_a_graph_is_unread() -> None:
    report = scan(saved([node("PyFunc")]) + b"\x12\xff")
    assert report.status is Status.UNREAD
    assert "SM301" in rules(report)


def test_other_messages_are_not_graphs() -> None:
    pieces = b"".join(field(1, field(1, f"▁w{n}") + b"\x15\0\0\0\0") for n in range(50))
    report = scan(pieces)  # a SentencePiece model
    assert not report.findings
    report = scan(field(1, field(1, "key") + field(2, "value")))  # a map of texts
    assert not report.findings


LAMBDA = {"class_name": "Lambda", "config": {"function": ["code", None, None]}}


def test_keras_metadata() -> None:
    quiet = {"name": "d", "class_name": "Dense", "config": {"units": 1}}
    check_quiet(keras_metadata(json.dumps(quiet)), "graph_def")
    assert rules(scan(keras_metadata(json.dumps(quiet), json.dumps(LAMBDA)))) == {
        "SM201": Severity.CRITICAL
    }
    custom = {"name": "m", "class_name": "MyModel", "config": {}}
    assert rules(scan(keras_metadata(json.dumps(custom)))) == {"SM204": Severity.LOW}


def test_keras_metadata_of_tensorflow_2_4_is_in_the_objects() -> None:
    item = field(4, field(1, "_tf_keras_layer") + field(3, json.dumps(LAMBDA)))
    assert rules(scan(saved([], objects=[item]))) == {"SM201": Severity.CRITICAL}


def test_graphs_as_text() -> None:
    text = b'saved_model_schema_version: 1\nmeta_graphs { graph_def { node { op: "WriteFile" } } }'
    report = scan(text)
    assert report.status is Status.UNREAD
    assert rules(report)["SM302"] is Severity.CRITICAL
    assert scan(b"# x\n" * 40_000 + b'node { name: "a" op: "NoOp" }').status is Status.UNREAD
    assert scan(b"node: a place where edges meet. op: no").status is not Status.UNREAD


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_mutation_has_a_report(choose: st.DataObject) -> None:
    _, nodes = FINDINGS[choose.draw(st.sampled_from(sorted(FINDINGS)))]
    data = bytearray(saved(nodes))
    for _ in range(choose.draw(st.integers(1, 5))):
        data[choose.draw(st.integers(0, len(data) - 1))] = choose.draw(st.integers(0, 255))
    assert "SM909" not in rules(scan(bytes(data)))


def test_every_kind_has_a_rule_or_a_judge() -> None:
    for kind in graph_rules.KINDS:
        assert tables.tensorflow(kind), kind
    kinds = [tables.tensorflow(kind) for kind in graph_rules.KINDS]
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))


@pytest.mark.slow
def test_every_operation_of_tensorflow_was_reviewed() -> None:
    pytest.importorskip("tensorflow")
    script = ROOT / "tests" / "census" / "tensorflow_names.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    written = (ROOT / "safemodel" / "scan" / "tables" / "tensorflow.txt").read_text()
    assert done.stdout == written
