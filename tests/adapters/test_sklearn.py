"""Every class of the table, saved and loaded: outputs and further training, to the last bit."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import unittest
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import ensemble, linear_model, pipeline, preprocessing, tree
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils import all_estimators

from safemodel import adapters
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.sklearn.library import entry, is_shadowing
from safemodel.adapters.sklearn.sparse import FORMATS
from safemodel.adapters.sklearn.tables import SCHEMAS
from safemodel.format import canonical_json
from safemodel.trust.policy import UNSIGNED

from .sklearn_all import CASES, outputs
from .sklearn_cases import XS, Y3, X
from .sklearn_support import fingerprint, in_memory, train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


OLDER = sklearn.__version__ < "1.9"
# The table names packages that need not be installed
INSTALLED = [name for name in SCHEMAS if find_spec(name.partition(".")[0]) is not None]


def saved(model: Any, path: Path) -> str:
    return adapters.save(model, path, signer=None)


def loaded(path: Path) -> Any:
    return adapters.load(str(path), trust=UNSIGNED)


def again(model: Any) -> Any:
    """Save and load without a file."""
    return adapter.load(in_memory(adapter.save(model)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_training_are_the_same_after_a_load(name: str) -> None:
    case = CASES[name]()
    first = in_memory(adapter.save(case.model))
    assert canonical_json.encode(first.architecture)
    copy: Any = adapter.load(first)  # type: ignore[arg-type]
    assert type(copy) is type(case.model)
    second = in_memory(adapter.save(copy))
    assert (second.architecture, second.stored) == (first.architecture, first.stored)
    assert fingerprint(outputs(copy, case.data)) == fingerprint(outputs(case.model, case.data))
    if case.train is not None:
        train(case.train, case.model)
        train(case.train, copy)
        assert fingerprint(outputs(copy, case.data)) == fingerprint(outputs(case.model, case.data))


def test_a_fresh_interpreter_gives_the_same(tmp_path: Path) -> None:
    cases = {name: make() for name, make in CASES.items()}
    models = {name: case.model for name, case in cases.items()}
    expected = {"digest": [saved(models, tmp_path / "all.safemodel")]}
    for name, case in cases.items():
        expected[name] = [fingerprint(outputs(case.model, case.data))]
        if case.train is not None:
            train(case.train, case.model)
        expected[name].append(fingerprint(outputs(case.model, case.data)))
    child = Path(__file__).with_name("sklearn_fresh.py")
    command = [sys.executable, "-W", "ignore", str(child), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == expected


def test_every_class_of_the_table_has_a_case() -> None:
    used = set()

    def walk(value: Any) -> None:
        if isinstance(value, BaseEstimator):
            used.add(f"{type(value).__module__}.{type(value).__qualname__}")
            value = list(vars(value).values())
        elif type(value).__name__ == "_CalibratedClassifier":
            value = list(vars(value).values())
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            for item in value:
                walk(item)

    first = {name.partition("-")[0]: make for name, make in reversed(CASES.items())}
    for make in first.values():
        with contextlib.suppress(unittest.SkipTest):  # an option that this release does not have
            walk(make().model)
    assert used == {name for name in INSTALLED if entry(name) is not None}


@pytest.mark.parametrize(
    "module", ["linear_model", "preprocessing", "tree", "naive_bayes", "dummy", "pipeline"]
)
def test_modules_that_the_documentation_calls_complete_are(module: str) -> None:
    found = {
        f"{kind.__module__}.{kind.__qualname__}"
        for _, kind in all_estimators()
        if kind.__module__.split(".")[1] == module
    }
    assert found <= set(SCHEMAS)


@pytest.mark.parametrize("qualified", INSTALLED)
def test_no_schema_lets_an_attribute_shadow_its_class(qualified: str) -> None:
    found = entry(qualified)
    if found is None:
        pytest.skip(f"scikit-learn {sklearn.__version__} has no {qualified}")
    names = {name.rstrip("?") for name in (*found.schema.params, *found.schema.fitted)}
    installed = set(found.required) | {name for name in names if name.endswith("_")}
    shadowing = {name for name in names & installed if is_shadowing(found.kind, name)}
    # What the class of this release computes is an attribute in another
    assert shadowing <= (found.given if OLDER else set())
    # Every parameter of the installed class is known
    assert set(found.required) <= names


def test_a_shared_random_state_stays_shared() -> None:
    copy = again(CASES["Pipeline-shared"]().model)
    assert copy.steps[0][1].random_state is copy.steps[1][1].random_state
    assert isinstance(copy.steps[0][1].random_state, np.random.RandomState)


def test_steps_stay_the_same_objects() -> None:
    scaler = preprocessing.StandardScaler()
    union = pipeline.FeatureUnion([("a", scaler), ("b", scaler)])
    copy = again(union.fit(X))
    assert copy.transformer_list[0][1] is copy.transformer_list[1][1]


def test_order_and_strides_of_coefficients_are_kept() -> None:
    model = CASES["Lasso-multi"]().model
    assert model.coef_.flags.f_contiguous
    assert again(model).coef_.strides == model.coef_.strides


def test_trees_of_a_forest_share_what_they_shared_and_nothing_else() -> None:
    model = CASES["RandomForestClassifier-strings"]().model
    copy = again(model)
    first, second = copy.estimators_[:2]
    assert first.classes_ is not second.classes_
    assert not np.shares_memory(first.classes_, second.classes_)
    assert [one.random_state for one in copy.estimators_] == [
        one.random_state for one in model.estimators_
    ]


def test_a_forest_with_a_tree_of_its_own_is_stored_tree_by_tree() -> None:
    model = ensemble.RandomForestClassifier(n_estimators=3, random_state=0).fit(X, Y3)
    model.estimators_[1].min_samples_leaf = 7
    architecture: Any = adapter.save(model).architecture
    assert not any("trees" in node for node in architecture["graph"]["nodes"])
    copy = again(model)
    assert [one.min_samples_leaf for one in copy.estimators_] == [1, 7, 1]
    assert fingerprint(copy.predict_proba(X)) == fingerprint(model.predict_proba(X))


def test_padding_of_nodes_does_not_reach_the_archive(tmp_path: Path) -> None:
    digests = set()
    for filler in (b"\0", b"\xaa"):
        model = tree.DecisionTreeClassifier(random_state=0).fit(X, Y3)
        state = model.tree_.__getstate__()
        raw = np.frombuffer(state["nodes"].tobytes(), np.uint8).reshape(-1, 64).copy()
        raw[:, 57:] = filler[0]
        state["nodes"] = raw.reshape(-1).view(state["nodes"].dtype)
        model.tree_.__setstate__(state)
        digests.add(saved(model, tmp_path / "a.safemodel"))
    assert len(digests) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_sparse_matrices_come_back_as_they_were(name: str) -> None:
    matrix = getattr(sp, name)(XS)
    copy = again(matrix)
    assert type(copy) is type(matrix)
    assert copy.shape == matrix.shape
    assert fingerprint(copy @ np.ones(5)) == fingerprint(matrix @ np.ones(5))
    assert (copy != matrix).nnz == 0


def test_models_nest_in_plain_containers() -> None:
    pair = {"a": linear_model.Ridge().fit(X, Y3), "b": [np.arange(3), sp.csr_array(XS)]}
    copy = again(pair)
    assert fingerprint(copy["a"].predict(X)) == fingerprint(pair["a"].predict(X))
    assert copy["b"][1].nnz == XS.nnz


def test_another_release_loads_with_the_warning_of_scikit_learn() -> None:
    bundle = in_memory(adapter.save(CASES["Pipeline-logistic"]().model))
    bundle.manifest.libraries = {**bundle.libraries, "scikit-learn": "1.6.1"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adapter.load(bundle)  # type: ignore[arg-type]
    kinds = [item.category for item in caught]
    assert kinds == [InconsistentVersionWarning] * 3


def test_a_small_pipeline_is_quick(tmp_path: Path) -> None:
    import time

    model = CASES["Pipeline-logistic"]().model
    path = tmp_path / "a.safemodel"
    saved(model, path)
    loaded(path)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        loaded(path)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05  # 10 ms on a quiet machine
