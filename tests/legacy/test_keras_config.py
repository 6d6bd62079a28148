"""Keras configurations: every object that Keras would look up is a fact, wherever it stands."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from safemodel.legacy.keras_config import KerasObject, looks_like_keras, walk


def objects(value: Any) -> list[KerasObject]:
    return list(walk(json.loads(json.dumps(value))))


def test_every_spelling() -> None:
    found = objects(
        [
            {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {},
                "registered_name": None,
            },
            {"class_name": "Dense", "config": {}},
            {"class_name": "function", "config": "relu", "module": "builtins"},
            {"class_name": "__lambda__", "config": {"value": "x"}},
            {"class_name": "__typespec__", "spec_name": "TensorSpec", "module": "m", "config": []},
            {"class_name": "TypeSpec", "type_spec": "tf.TensorSpec", "serialized": []},
            {"class_name": "__numpy__", "config": {}},
            {"class_name": ["Dense"], "config": {}},
            {"class_name": "Dense", "module": {"a": 1}},
            {"class_name": None},
        ]
    )
    assert [(one.kind, one.name, one.module, one.plain) for one in found] == [
        ("class", "Dense", "keras.layers", False),
        ("class", "Dense", None, True),
        ("function", "relu", "builtins", False),
        ("lambda", "__lambda__", None, True),
        ("typespec", "TensorSpec", "m", False),
        ("typespec", "tf.TensorSpec", None, True),
        ("value", "__numpy__", None, True),
        ("malformed", "['Dense']", None, False),
        ("malformed", "Dense", None, False),
        ("malformed", "None", None, False),
    ]


def test_wherever_they_stand() -> None:
    inner = {"class_name": "Lambda", "config": {}}
    tree = {
        "class_name": "Sequential",
        "config": {"layers": [{"a": {"b": [0, inner]}}]},
        "build_config": {"x": inner},
        "compile_config": {"loss": {"out": inner}},
        "class_name2": inner,
    }
    assert [one.path for one in objects(tree)] == [
        "",
        "config.layers[0].a.b[1]",
        "build_config.x",
        "compile_config.loss.out",
        "class_name2",
    ]


def test_paths_are_bounded() -> None:
    value: Any = {"class_name": "X", "config": {}}
    for _ in range(100):
        value = {"k" * 1000: value}
    (found,) = walk(value)
    assert len(found.path) <= 2000


def test_documents() -> None:
    assert looks_like_keras({"class_name": "Model", "config": {}})
    assert not looks_like_keras({"class_name": "Model"})
    assert looks_like_keras([{"class_name": "Model", "config": {}}])
    assert looks_like_keras({"any": {"class_name": "x", "y": {"class_name": "z", "config": {}}}})
    assert not looks_like_keras({"class_name": 1, "config": {}})
    assert not looks_like_keras({"_class_name": "UNet"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "module", "registered_name", "a"]), inner
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_any_tree(value: Any) -> None:
    def count(item: Any) -> int:
        if isinstance(item, dict):
            return ("class_name" in item) + sum(map(count, item.values()))
        return sum(map(count, item)) if isinstance(item, list) else 0

    assert len(list(walk(value))) == count(value)
