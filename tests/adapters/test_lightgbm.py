"""LightGBM: the parser of text models, what is checked in them, and what reaches the library."""

from __future__ import annotations

import json
import pickle
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import adapters
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.sklearn.library import INSTALLED
from safemodel.adapters.sklearn.lightgbm_booster import PARTS, from_file
from safemodel.adapters.sklearn.lightgbm_check import MAX_DEPTH, check_model
from safemodel.adapters.sklearn.lightgbm_emit import write_model
from safemodel.adapters.sklearn.lightgbm_model import ARRAYS, parse_model
from safemodel.adapters.sklearn.lightgbm_params import SPECS
from safemodel.adapters.sklearn.scope import SAVING, Scope, SpecError
from safemodel.errors import ArchitectureError, LegacyError, NotAllowedError, UnsavableError
from safemodel.legacy import lightgbm_text
from safemodel.trust.policy import UNSIGNED

from .boosted_changes import assign, set_item
from .lightgbm_victim import models, mutated, resized, rows
from .sklearn_all import CASES
from .sklearn_cases import YREG, X
from .sklearn_support import in_memory

TEXTS = models()
SCOPE = Scope(INSTALLED)
LIGHTGBM = [
    name for name in CASES if name.startswith(("LGBM", "Booster")) and not name.endswith("unfitted")
]


def booster_of(model: Any) -> Any:
    return getattr(model, "booster_", model)


@pytest.mark.parametrize("name", [name for name in LIGHTGBM if "XGB" not in name])
def test_the_text_is_written_again_to_the_byte(name: str) -> None:
    booster = booster_of(CASES[name]().model)
    if not isinstance(booster, lgb.Booster):
        pytest.skip("not LightGBM's")
    text = booster.model_to_string(num_iteration=-1)
    arguments = parse_model(text.encode())
    check_model(arguments, SCOPE)
    written = write_model(arguments, booster.pandas_categorical)
    # LightGBM forgets the weight of a lonely leaf when it reads a model
    assert written == re.sub(r"(?m)^(split_gain=\n(?:.*\n){5}leaf_weight=).*$", r"\1", text)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_model_or_refused(data: bytes) -> None:
    for text in (data, lightgbm_text.MAGIC + data):
        with pytest.raises(LegacyError):
            parse_model(text)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_change_of_bytes_is_a_model_or_refused(data: Any) -> None:
    text = bytearray(data.draw(st.sampled_from(TEXTS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        arguments = parse_model(bytes(text))
        check_model(arguments, SCOPE)
    except (LegacyError, SpecError):
        return
    again = parse_model(write_model(arguments).encode())
    for name in ARRAYS:
        np.testing.assert_array_equal(again[name], arguments[name])


def test_parsing_takes_linear_time() -> None:
    def seconds(count: int) -> float:
        tree = b"Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=" + b"0 " * count
        text = TEXTS[0].partition(b"tree_sizes=")[0] + b"tree_sizes=1\n\n" + tree
        start = time.perf_counter()
        with pytest.raises(LegacyError):
            parse_model(text)
        return time.perf_counter() - start

    seconds(1000)
    assert seconds(2_000_000) < 2


def test_mutated_models_are_refused_or_harmless() -> None:
    child = Path(__file__).with_name("lightgbm_victim.py")
    command = [sys.executable, "-W", "ignore", str(child), "1", "300", "ours"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, (lines[-1], done.stderr[-500:])
    results = [line["result"] for line in lines if "result" in line]
    assert len(results) == 300
    assert set(results) <= {"refused", "harmless"}  # none is left to LightGBM to refuse
    assert results.count("refused") > 150


def test_mutations_of_the_children_need_the_sizes_of_trees() -> None:
    """The sizes are put right in mutated models, so that more than they is tested."""
    chosen = random.Random(3)
    text = TEXTS[0]
    assert resized(text.decode()).encode() == text
    assert any(parsed is not None for parsed in (_parsed(mutated(text, chosen)) for _ in range(50)))


def _parsed(text: bytes) -> Any:
    try:
        return parse_model(text)
    except LegacyError:
        return None


# Directed: one array of a checked model, changed


PLAIN, CATEGORICAL, LINEAR, MULTI = range(4)
HOSTILE = {
    "a child that is its parent": (PLAIN, set_item("left_child", 0, 0), "left_child"),
    "a child before its parent": (PLAIN, set_item("right_child", 3, 1), "right_child"),
    "a child that is not there": (PLAIN, set_item("left_child", 0, 6), "left_child"),
    "a leaf that is not there": (PLAIN, set_item("left_child", -1, -8), "left_child"),
    "the least integer as child": (PLAIN, set_item("left_child", -1, -(2**31)), "left_child"),
    "two parents of a leaf": (PLAIN, set_item("right_child", -1, -1), "parent"),
    "a feature that does not exist": (PLAIN, set_item("split_feature", 2, 4), "split_feature"),
    "a feature below zero": (PLAIN, set_item("split_feature", 2, -1), "split_feature"),
    "no kind of missing values": (PLAIN, set_item("decision_type", 0, 12), "decision_type"),
    "a kind beyond all": (PLAIN, set_item("decision_type", 0, 16), "decision_type"),
    "categories that are not there": (PLAIN, set_item("decision_type", 0, 1), "threshold"),
    "a threshold that is no number": (PLAIN, set_item("threshold", 0, np.nan), "threshold"),
    "a leaf less": (PLAIN, set_item("num_leaves", 0, 6), "needed"),
    "no leaves": (PLAIN, set_item("num_leaves", 0, 0), "num_leaves"),
    "a name less": (PLAIN, assign("features", lambda old: old[:-1]), "info_counts"),
    "a name twice": (PLAIN, assign("features", lambda old: [*old[:-1], old[0]]), "features"),
    "a name of two lines": (PLAIN, assign("features", ["a", "b\nTree=0", "c", "d"]), "features"),
    "a name with a quote": (PLAIN, assign("features", ["a", 'b"', "c", "d"]), "features"),
    "an unknown objective": (PLAIN, assign("objective", "evil"), "objective"),
    "an objective of more outputs": (
        PLAIN,
        assign("objective", "multiclass num_class:3"),
        "objective",
    ),
    "a sigmoid of zero": (PLAIN, assign("objective", "binary sigmoid:0"), "objective"),
    "trees for half an iteration": (PLAIN, assign("classes", 2), "num_leaves"),
    "a set that is not there": (CATEGORICAL, "sets", "threshold"),
    "a set that is half there": (CATEGORICAL, "half", "threshold"),
    "sets that fall": (CATEGORICAL, set_item("cat_boundaries", 1, -1), "cat_boundaries"),
    "sets that begin late": (CATEGORICAL, set_item("cat_boundaries", 0, 1), "cat_boundaries"),
    "bits that are missing": (
        CATEGORICAL,
        assign("cat_threshold", lambda old: old[:-1]),
        "cat_threshold",
    ),
    "more sets than splits": (CATEGORICAL, set_item("num_cat", 0, 7), "num_cat"),
    "a linear feature beyond all": (LINEAR, "linear", "leaf_features"),
    "a coefficient too small": (LINEAR, set_item("leaf_const", 0, 1e-310), "leaf_const"),
    "more coefficients than counted": (LINEAR, set_item("num_features", 0, 5), "num_features"),
    "another number of classes": (
        MULTI,
        assign("objective", "multiclass num_class:4"),
        "objective",
    ),
    "one constraint": (MULTI, assign("monotone", lambda old: old[:1]), "monotone"),
    "no information": (PLAIN, set_item("info_counts", 0, 0), "info_counts"),
    "bounds that are missing": (PLAIN, assign("info_bounds", lambda old: old[:-2]), "info_bounds"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_lightgbm_would_follow_blindly_is_refused(what: str) -> None:
    number, change, place = HOSTILE[what]
    model = parse_model(TEXTS[number])
    check_model(model, SCOPE)
    if change in ("sets", "half"):
        at = np.flatnonzero(model["decision_type"] & 1)[0]
        change = set_item("threshold", at, 99.0 if change == "sets" else 0.5)
    if change == "linear":
        model["num_features"] = np.zeros_like(model["num_features"])
        model["num_features"][0] = 1
        model["leaf_features"], model["leaf_coeff"] = np.array([4], "<i4"), np.array([1.0])
        change = assign("label", 0)
    assert callable(change)
    change(model)
    with pytest.raises(SpecError) as caught:
        check_model(model, SCOPE)
    assert place in f"{caught.value.path} {caught.value.message}"


def chain(depth: int) -> dict[str, Any]:
    """A tree that is nothing but one path."""
    model = parse_model(TEXTS[PLAIN])
    for name in ("info_values", "monotone", "cat_boundaries", "cat_threshold"):
        assert len(model[name]) == 0
    counts = {"num_leaves": 1, "num_cat": 1, "is_linear": 1, "shrinkage": 1}
    for name in ARRAYS:
        if name.startswith(("leaf_c", "leaf_v", "leaf_w")) and len(model[name]):
            model[name] = np.resize(model[name], depth + 1)
        elif name in counts:
            model[name] = model[name][:1]
        elif name.startswith(("split", "thr", "dec", "internal")):
            model[name] = np.resize(model[name], depth)
    model["num_leaves"] = np.array([depth + 1], "<i4")
    model["left_child"] = np.append(np.arange(1, depth), -depth - 1).astype("<i4")
    model["right_child"] = ~np.arange(depth, dtype="<i4")
    return model


def test_a_tree_may_be_deep_but_not_too_deep() -> None:
    model = chain(MAX_DEPTH - 1)
    check_model(model, SCOPE)
    booster = lgb.Booster(model_str=write_model(model))
    booster.predict(rows()[:2], pred_contrib=True)
    with pytest.raises(SpecError, match="deeper"):
        check_model(chain(MAX_DEPTH + 1), SCOPE)


# Parameters


@pytest.mark.parametrize(
    "name",
    [
        *("machines", "data", "config", "forcedsplits_filename", "input_model", "output_model"),
        *("valid", "workers", "fs", "parser_config_file", "config_file", "model_out", "mlist"),
    ],
)
def test_parameters_that_name_files_or_machines_are_refused(name: str) -> None:
    with pytest.raises(SpecError):
        SPECS[name].check("/etc/passwd", SCOPE)
    model = lgb.LGBMRegressor(**{name: "/etc/passwd"})
    with pytest.raises(UnsavableError, match=r"."):
        adapter.save(model)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("predict_disable_shape_check", True),
        ("num_machines", 2),
        ("num_threads", 100_000),
        ("tree_learner", "data"),
        ("save_binary", True),
        ("objective", "regression machines=10.0.0.1:80"),
        ("metric", ["l2", "auc config=/etc/passwd"]),
        ("device_type", "cpu\tdata=x"),
        ("interaction_constraints", [[0, 1]]),
        ("no_such_parameter", 1),
        ("objective", lambda scores, labels: (scores, labels)),
    ],
)
def test_parameters_that_would_do_more_than_train_are_refused(name: str, value: Any) -> None:
    model = lgb.LGBMRegressor(**{name: value})
    with pytest.raises(UnsavableError):
        adapter.save(model)


def test_every_parameter_of_the_installed_release_is_known() -> None:
    from lightgbm.basic import _ConfigAliases

    unsupported = {
        *("start_iteration_predict", "num_iteration_predict", "predict_raw_score"),
        *("predict_leaf_index", "predict_contrib", "output_result", "convert_model_language"),
        *("convert_model", "initscore_filename", "valid_data_initscores"),
    }
    for name, aliases in _ConfigAliases._get_all_param_aliases().items():
        if name not in unsupported:
            assert {name, *aliases} <= set(SPECS)


# Archives


def test_a_booster_that_lies_about_its_classes_is_refused() -> None:
    bundle = in_memory(adapter.save(CASES["LGBMClassifier-multi"]().model))
    for node in bundle.architecture["graph"]["nodes"]:
        if node["kind"] == "sklearn.part" and "objective" in node["arguments"]:
            node["arguments"]["objective"] = "multiclass num_class:2"
    with pytest.raises(ArchitectureError):
        adapter.load(bundle)  # type: ignore[arg-type]


def test_a_wrapper_with_the_booster_of_another_is_refused() -> None:
    one, other = (CASES[f"LGBMRegressor-{name}"]().model for name in ("gbdt", "monotone"))
    one._Booster = other._Booster
    with pytest.raises(UnsavableError, match="features"):
        adapter.save(one)


def _interactions() -> Any:
    constraints = [[0, 1], [2, 3, 4]]
    return lgb.LGBMRegressor(
        n_estimators=3, min_child_samples=2, verbose=-1, interaction_constraints=constraints
    ).fit(X, YREG)


def test_interactions_are_for_the_caller_to_allow() -> None:
    # Fitted again on fewer features, a copy of such an estimator ends the process
    model = _interactions()
    bundle = in_memory(adapter.save(model))
    with pytest.raises(NotAllowedError) as caught:
        adapter.load(bundle)  # type: ignore[arg-type]
    assert "lightgbm:interaction_constraints" in (caught.value.hint or "")
    copy: Any = adapter.load(bundle, allow=["lightgbm:interaction_constraints"])  # type: ignore[arg-type]
    assert (copy.predict(X) == model.predict(X)).all()


def test_constraints_beyond_the_features_are_refused() -> None:
    model = _interactions()
    model.interaction_constraints[0].append(5)
    with pytest.raises(UnsavableError, match="feature 5 of 5"):
        adapter.save(model)


def test_the_manifest_names_lightgbm(tmp_path: Path) -> None:
    from safemodel.bundle import open_bundle

    path = tmp_path / "a.safemodel"
    adapters.save(CASES["Booster-plain"]().model, path, signer=None)
    with open_bundle(str(path), trust=UNSIGNED) as bundle:
        assert bundle.manifest.framework == "lightgbm"
        assert bundle.manifest.libraries["lightgbm"] == lgb.__version__


def test_a_loaded_booster_is_what_a_pickle_would_give() -> None:
    for name in ("Booster-continued", "Booster-kept", "LGBMClassifier-early"):
        model = CASES[name]().model
        ours: Any = adapter.load(in_memory(adapter.save(model)))  # type: ignore[arg-type]
        theirs = pickle.loads(pickle.dumps(model))
        states = [vars(booster_of(one)) for one in (ours, theirs)]
        assert states[0].keys() == states[1].keys()
        texts = [booster_of(one).model_to_string(num_iteration=-1) for one in (ours, theirs)]
        assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["LGBMClassifier-frame", "LGBMRegressor-history", "Booster-multi"])
def test_a_file_is_read_as_lightgbm_reads_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    booster_of(CASES[name]().model).save_model(path)
    arguments = from_file(path.read_bytes())
    PARTS[0].check(arguments, INSTALLED, SAVING)
    theirs = PARTS[0].arguments_of(lgb.Booster(model_file=path), INSTALLED)
    assert arguments.keys() == theirs.keys()
    for key in arguments:
        np.testing.assert_equal(arguments[key], theirs[key])


def test_loading_takes_little_longer_than_lightgbm_itself() -> None:
    dataset = lgb.Dataset(X.repeat(40, axis=0) + np.arange(1920)[:, None] / 1000, YREG.repeat(40))
    params = {"verbose": -1, "num_leaves": 63, "num_threads": 1}
    text = lgb.train(params, dataset, num_boost_round=300).model_to_string()
    start = time.perf_counter()
    lgb.Booster(model_str=text)
    theirs = time.perf_counter() - start
    model = parse_model(text.encode())
    start = time.perf_counter()
    check_model(model, SCOPE)
    write_model(model)
    ours = time.perf_counter() - start
    assert ours < 10 * theirs + 0.5  # twice it on a quiet machine
