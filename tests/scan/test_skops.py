"""skops: what its loaders import and call is judged by name; real files have nothing."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import FileReport, Severity, Status
from safemodel.scan.engine import scan_bytes


def node(loader: str, dotted: str, **more: Any) -> dict[str, Any]:
    module, _, name = dotted.rpartition(".")
    return {"__loader__": loader, "__module__": module, "__class__": name} | more


def text(value: object) -> dict[str, Any]:
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def scan(schema: object, **members: bytes) -> FileReport:
    raw = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("schema.json", raw)
    return scan_bytes(buffer.getvalue(), "model.skops")


def found(schema: object) -> set[tuple[str, str]]:
    return {(f.rule, f.severity.label) for f in scan(schema).findings}


def method(func: str, owner: dict[str, Any]) -> dict[str, Any]:
    return node("MethodNode", "sklearn.svm._classes.SVC", content={"func": func, "obj": owner})


def generator(name: str) -> dict[str, Any]:
    bits = {"bit_generator": {"content": {"bit_generator": text(name)}}}
    return node("RandomGeneratorNode", "numpy.random._generator.Generator", content=bits)


def partial(dotted: str) -> dict[str, Any]:
    content = {"func": node("FunctionNode", dotted)}
    return node("PartialNode", "functools.partial", content=content)


ITEMS = node("ListNode", "builtins.list", content=[text("id")])
SVC = node("ObjectNode", "sklearn.svm._classes.SVC")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (node("ObjectNode", "os.system"), ("SM520", "critical")),
        (node("FunctionNode", "builtins.eval"), ("SM520", "critical")),
        (node("TypeNode", "os.system"), ("SM520", "critical")),
        (node("ListNode", "os.system", content=[text("id")]), ("SM520", "critical")),
        (node("DictNode", "subprocess.Popen", content={}), ("SM520", "critical")),
        (node("ConstructorFromReduceNode", "builtins.exec", content=ITEMS), ("SM520", "critical")),
        (partial("os.system"), ("SM520", "critical")),
        (node("OperatorFuncNode", "operator.methodcaller", attrs=ITEMS), ("SM520", "high")),
        (node("OperatorFuncNode", "operator.call", attrs=ITEMS), ("SM520", "high")),
        (node("OperatorFuncNode", "os.system", attrs=ITEMS), ("SM522", "high")),
        (method("fit", node("ObjectNode", "acme.Other")), ("SM522", "high")),
        (method("__reduce__", SVC), ("SM521", "high")),
        (method("fit", SVC), ("SM521", "medium")),
        (node("ObjectNode", "acme.Model"), ("SM521", "medium")),
        (node("ObjectNode", "json.decoder.X"), ("SM521", "high")),
        (node("ObjectNode", "sklearn.__loader__.x"), ("SM521", "high")),
        (node("FutureNode", "builtins.dict"), ("SM522", "medium")),
        (generator("f2py"), ("SM522", "high")),
        ({"__loader__": "ObjectNode", "__module__": 5, "__class__": "x"}, ("SM522", "high")),
        ({"__loader__": "ObjectNode"}, ("SM522", "high")),
    ],
    ids=range(20),
)  # fmt: skip
def test_hostile_nodes(schema: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in found(schema)
    inside = node("ObjectNode", "sklearn.svm._classes.SVC", content={"a": [{"b": schema}]})
    assert expected in found(inside)


def test_overwritten_nodes_count() -> None:
    bad, good = (json.dumps(node("ObjectNode", name)) for name in ("os.system", "sklearn.svm.SVC"))
    twice = f'{{"__loader__": "ListNode", "content": {bad}, "content": {good}}}'.encode()
    assert ("SM520", "critical") in found(twice)


def test_evidence() -> None:
    (finding,) = scan(node("ObjectNode", "os.system")).findings
    assert dict(finding.evidence) == {"loader": "ObjectNode", "module": "os", "class": "system"}
    assert "os.system" in finding.message


def test_plain_values() -> None:
    report = scan(
        node(
            "DictNode",
            "builtins.dict",
            content={
                "a": ITEMS,
                "b": node("TupleNode", "builtins.tuple", content=[]),
                "c": node("SliceNode", "builtins.slice", content={"start": None}),
                "d": node("BytesNode", "builtins.bytes", file="x.bin"),
                "e": node("TypeNode", "builtins.int"),
                "f": node("OperatorFuncNode", "operator.itemgetter", attrs=ITEMS),
            },
            key_types=node("ListNode", "builtins.list", content=[node("TypeNode", "builtins.str")]),
        )
    )
    assert report.findings == ()
    assert report.status is Status.SCANNED
    assert "skops" in report.formats


def test_other_schemas_are_none_of_it() -> None:
    assert "skops" not in scan({"$schema": "https://json-schema.org"}).formats


def test_damaged_schema() -> None:
    assert scan(b'{"__loader__": ').status is Status.UNREAD
    assert scan(b'{"__loader__": ' + b"[" * 5000).status is Status.UNREAD


def test_members_are_scanned() -> None:
    report = scan(SVC, a=b"cos\nsystem\n(S'id'\ntR.")
    assert any(f.severity is Severity.CRITICAL for f in report.findings)


@settings(max_examples=80)
@given(
    st.recursive(
        st.none() | st.integers() | st.sampled_from(["os", "system", "MethodNode", "DictNode"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("__loader__", "__module__", "__class__", "content", "obj", "func"),
                        *("attrs", "bit_generator"),
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_tree(tree: object) -> None:
    report = scan({"__loader__": "RandomGeneratorNode", "content": tree})
    assert not any(finding.rule == "SM909" for finding in report.findings)


def test_real_files() -> None:
    skops: Any = pytest.importorskip("skops.io")
    numpy: Any = pytest.importorskip("numpy")
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    rng = numpy.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), rng.integers(0, 2, 60)
    columns = ColumnTransformer(
        [
            ("a", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
            ("b", OneHotEncoder(), [2]),
        ]
    )
    models = [
        make_pipeline(columns, LogisticRegression()),
        make_pipeline(SelectKBest(f_classif, k=2), RandomForestClassifier(3)),
        GradientBoostingClassifier(n_estimators=3, random_state=numpy.random.RandomState(0)),
        FunctionTransformer(numpy.log1p),
    ]
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = skops.dumps(model.fit(x.round(1), y))
        report = scan_bytes(data, "model.skops")
        assert [f for f in report.findings if f.severity >= Severity.MEDIUM] == []
        assert (report.status, "skops" in report.formats) == (Status.SCANNED, True)
    assert scan_bytes(skops.dumps(rng), "rng").findings == ()
