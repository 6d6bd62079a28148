"""CatBoost: the parser of binary models, what is checked in them, and native bytes."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import adapters
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.sklearn.catboost_emit import write_model
from safemodel.adapters.sklearn.catboost_model import ARRAYS, check_model, parse_model
from safemodel.adapters.sklearn.catboost_params import SPECS
from safemodel.adapters.sklearn.library import INSTALLED
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.errors import ArchitectureError, LegacyError, NotAllowedError, UnsavableError
from safemodel.legacy import catboost_file
from safemodel.legacy.flatbuffers import Buffer
from safemodel.trust.policy import UNSIGNED

from .boosted_changes import assign, set_item
from .catboost_victim import QUIET, models
from .sklearn_all import CASES
from .sklearn_cases import CATFRAME, Y2, X
from .sklearn_support import in_memory

MODELS = models()
SCOPE = Scope(INSTALLED)
SYMMETRIC, MULTI, LOSSGUIDE, DEPTHWISE = range(4)


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_what_is_written_is_what_was_read(number: int) -> None:
    model = parse_model(MODELS[number])
    check_model(model, SCOPE)
    again = parse_model(write_model(model))
    loaded = catboost.CatBoost().load_model(blob=write_model(model))
    theirs = parse_model(loaded._serialize_model())
    for name in model:
        for other in (again, theirs):
            np.testing.assert_array_equal(other[name], model[name])


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_model_or_refused(data: bytes) -> None:
    size = len(data).to_bytes(4, "little")
    for raw in (data, catboost_file.MAGIC + data, catboost_file.MAGIC + size + data):
        with pytest.raises(LegacyError):
            parse_model(raw)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_change_of_bytes_is_a_model_or_refused(data: Any) -> None:
    raw = bytearray(data.draw(st.sampled_from(MODELS)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        model = parse_model(bytes(raw))
        check_model(model, SCOPE)
    except (LegacyError, SpecError):
        return
    again = parse_model(write_model(model))
    for name in ARRAYS:
        np.testing.assert_array_equal(again[name], model[name])


def test_corrupted_models_are_refused_or_harmless() -> None:
    child = Path(__file__).with_name("catboost_victim.py")
    command = [sys.executable, "-W", "ignore", str(child), "7", "300", "ours"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, (lines[-1], done.stderr[-500:])
    results = [line["result"] for line in lines if "result" in line]
    assert len(results) == 300
    assert results.count("refused") > 150


HOSTILE = {
    "a bin that does not exist": (SYMMETRIC, set_item("splits", 0, 10_000), "splits"),
    "a bin below zero": (SYMMETRIC, set_item("splits", 0, -1), "splits"),
    "a tree that is too deep": (SYMMETRIC, set_item("sizes", 0, 31), "splits"),
    "a size below zero": (SYMMETRIC, set_item("sizes", 0, -1), "splits"),
    "a leaf less": (SYMMETRIC, assign("values", lambda old: old[:-1]), "values"),
    "a weight less": (SYMMETRIC, assign("weights", lambda old: old[:-1]), "weights"),
    "more outputs than values": (SYMMETRIC, assign("dimension", 2), "values"),
    "more biases than outputs": (MULTI, assign("biases", np.zeros(4)), "biases"),
    "a step out of the tree": (LOSSGUIDE, set_item("steps", 0, 60_000), "steps"),
    "a step into the next tree": (LOSSGUIDE, set_item("steps", -1, 1), "steps"),
    "two ways to one node": (LOSSGUIDE, "both", "steps"),
    "borders that fall": (SYMMETRIC, assign("borders", lambda old: old[::-1].copy()), "borders"),
    "a border that is no number": (SYMMETRIC, set_item("borders", 0, np.nan), "borders"),
    "more borders than are there": (SYMMETRIC, set_item("border_counts", 0, 10_000), "borders"),
    "a name less": (SYMMETRIC, assign("names", lambda old: old[:-1]), "items"),
    "no treatment of gaps": (SYMMETRIC, set_item("nan_treatments", 0, 3), "missing"),
    "remarks nested deeply": (
        SYMMETRIC,
        assign("info", {"params": "[" * 1000 + "]" * 1000}),
        "deeply",
    ),
    "remarks that are no JSON": (SYMMETRIC, assign("info", {"params": "{"}), "deeply|JSON"),
    "a class too many": (
        MULTI,
        assign("info", {"class_params": '{"class_names":[0,1,2,3]}'}),
        "class",
    ),
    "a billion classes": (
        MULTI,
        assign("info", {"class_params": '{"classes_count":1000000000}'}),
        "class",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_catboost_would_follow_blindly_is_refused(what: str) -> None:
    number, change, place = HOSTILE[what]
    model = parse_model(MODELS[number])
    if change == "both":
        at = int(np.flatnonzero(model["steps"][1::2] > 0)[0])
        change = set_item("steps", 2 * at, int(model["steps"][2 * at + 1]))
    assert callable(change)
    change(model)
    with pytest.raises(SpecError) as caught:
        check_model(model, SCOPE)
    assert re.search(place, f"{caught.value.path} {caught.value.message}")


def test_the_same_table_again_and_again_is_refused() -> None:
    """A vector of references, each to the one table that the buffer has."""
    count = 1000
    vtable = struct.pack("<HHHH", 8, 8, 0, 4)
    root = struct.pack("<iI", len(vtable), 4)
    vector = struct.pack("<I", count)
    here = 4 + len(vtable)  # where the root is
    places = range(here + 12, here + 12 + 4 * count, 4)
    vector += b"".join(struct.pack("<i", here - place) for place in places)
    buffer = Buffer(struct.pack("<I", here) + vtable + root + vector)
    with pytest.raises(LegacyError):
        buffer.root(2).tables(1, 2)


# Native bytes


def _categorical() -> Any:
    data = CATFRAME[["n", "m", "z"]].copy()
    return catboost.CatBoostClassifier(**QUIET, cat_features=["m"]).fit(data, Y2), data


def test_native_bytes_load_only_if_the_caller_allows_them(tmp_path: Path) -> None:
    model, data = _categorical()
    path = tmp_path / "a.safemodel"
    adapters.save(model, path, signer=None)
    assert 'allow=["native:catboost"]' in adapter.save({"a": model}).notices[0]
    with pytest.raises(NotAllowedError, match="native bytes") as caught:
        adapters.load(str(path), trust=UNSIGNED)
    assert "allow=['native:catboost']" in (caught.value.hint or "")
    copy = adapters.load(str(path), trust=UNSIGNED, allow=["native:catboost"])
    assert type(copy) is catboost.CatBoostClassifier
    np.testing.assert_array_equal(copy.predict_proba(data), model.predict_proba(data))


def test_what_is_allowed_must_still_be_a_model_that_needs_it() -> None:
    model, _ = _categorical()
    for other in (b"CBM1", b"\x80\x04.", MODELS[SYMMETRIC]):
        bundle = in_memory(adapter.save(model))
        (name,) = (name for name in bundle.stored if "model" in name)
        bundle.stored[name].data, bundle.stored[name].shape = other, (len(other),)
        bundle.__post_init__()
        with pytest.raises(ArchitectureError):
            adapter.load(bundle, allow=["native:catboost"])  # type: ignore[arg-type]


# Parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train_dir", "/tmp/x"),
        ("snapshot_file", "x"),
        ("save_snapshot", True),
        ("input_borders", "borders.tsv"),
        ("output_borders", "borders.tsv"),
        ("thread_count", 100_000),
        ("callback", print),
        ("loss_function", object()),
        ("loss_function", "RMSE:path=/etc/passwd"),
        ("no_such_parameter", 1),
    ],
)
def test_parameters_that_would_do_more_than_train_are_refused(name: str, value: Any) -> None:
    model = catboost.CatBoost({**QUIET, name: value})
    with pytest.raises(UnsavableError):
        adapter.save(model)


def test_every_parameter_of_the_installed_release_is_known() -> None:
    import inspect

    kinds = (catboost.CatBoostClassifier, catboost.CatBoostRegressor, catboost.CatBoostRanker)
    for kind in kinds:
        assert {*inspect.signature(kind.__init__).parameters} - {"self"} <= set(SPECS)


def test_the_manifest_names_catboost(tmp_path: Path) -> None:
    from safemodel.bundle import open_bundle

    path = tmp_path / "a.safemodel"
    adapters.save(CASES["CatBoost-plain"]().model, path, signer=None)
    with open_bundle(str(path), trust=UNSIGNED) as bundle:
        assert bundle.manifest.framework == "catboost"
        assert bundle.manifest.libraries["catboost"] == catboost.__version__


def test_names_of_columns_are_kept() -> None:
    model = catboost.CatBoostRegressor(**QUIET).fit(pd.DataFrame(X, columns=list("äbcde")), Y2)
    copy: Any = adapter.load(in_memory(adapter.save(model)))  # type: ignore[arg-type]
    assert copy.feature_names_ == model.feature_names_ == list("äbcde")
