"""Architecture and weights apart, for estimators of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import compose, ensemble, linear_model, pipeline, preprocessing
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

import safemodel as sm
from safemodel.errors import StateMismatchError, UsageError

from .sklearn_cases import DOCS, FRAME, Y3, YREG, X
from .sklearn_support import fingerprint


def _pipeline() -> Any:
    return pipeline.make_pipeline(
        compose.ColumnTransformer([("s", preprocessing.StandardScaler(), ["a", "b"])]),
        linear_model.LogisticRegression(C=0.5),
    )


MODELS: dict[str, tuple[Callable[[], Any], Any, Any]] = {
    "ridge": (lambda: linear_model.Ridge(alpha=2.0), X, YREG),
    "forest": (lambda: ensemble.RandomForestClassifier(n_estimators=3, random_state=0), X, Y3),
    "pipeline": (_pipeline, FRAME, Y3),
    "text": (lambda: pipeline.make_pipeline(TfidfVectorizer(), linear_model.Ridge()), DOCS, YREG),
    "union": (
        lambda: pipeline.make_union(preprocessing.StandardScaler(), preprocessing.MinMaxScaler()),
        X,
        YREG,
    ),
    "voting": (
        lambda: ensemble.VotingRegressor(
            [("a", linear_model.Ridge()), ("b", linear_model.Lasso())]
        ),
        X,
        YREG,
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.safemodel"


def save(model: Any, path: Path, **more: Any) -> None:
    sm.save(model, path, signer=None, **more)


def _output(model: Any, data: Any) -> str:
    method = "predict" if hasattr(model, "predict") else "transform"
    return fingerprint(getattr(model, method)(data))


@pytest.mark.parametrize("name", MODELS)
def test_the_architecture_alone_is_a_clone(name: str, path: Path) -> None:
    make, data, target = MODELS[name]
    model = make().fit(data, target)
    save(model, path, weights=False)
    assert list(sm.open(path, trust=sm.UNSIGNED).tensors) == []
    for found in (sm.load(path, trust=sm.UNSIGNED), _architecture(model, path)):
        assert type(found) is type(model)
        assert repr(found) == repr(clone(model))
        assert vars(found).keys() == vars(clone(model)).keys()
        assert _output(found.fit(data, target), data) == _output(model, data)


def _architecture(model: Any, path: Path) -> Any:
    save(model, path)
    return sm.load_architecture(path, trust=sm.UNSIGNED)


@pytest.mark.parametrize("name", MODELS)
def test_weights_go_into_an_equal_estimator(name: str, path: Path) -> None:
    make, data, target = MODELS[name]
    model = make().fit(data, target)
    save(model, path)
    into = make()
    children = [id(step[1]) for step in getattr(into, "steps", [])]
    report = sm.load_weights(path, into=into, trust=sm.UNSIGNED)
    assert report.complete
    assert children == [id(step[1]) for step in getattr(into, "steps", [])]
    check_is_fitted(into)
    assert _output(into, data) == _output(model, data)


def test_weights_take_the_place_of_others(path: Path) -> None:
    save(linear_model.Ridge().fit(X, YREG), path)
    into = linear_model.Ridge().fit(FRAME, -YREG)
    sm.load(path, into=into, trust=sm.UNSIGNED)
    assert not hasattr(into, "feature_names_in_")
    assert _output(into, X) == _output(linear_model.Ridge().fit(X, YREG), X)


def test_parameters_of_how_to_compute_stay_those_of_the_object(path: Path) -> None:
    make = ensemble.RandomForestClassifier
    save(make(n_estimators=3, random_state=0, n_jobs=1).fit(X, Y3), path)
    into = make(n_estimators=3, random_state=7, n_jobs=2, verbose=1, warm_start=True)
    assert sm.load_weights(path, into=into, trust=sm.UNSIGNED).complete
    assert (into.random_state, into.n_jobs, into.verbose, into.warm_start) == (7, 2, 1, True)


def test_a_parameter_that_differs_is_named(path: Path) -> None:
    save(_pipeline().fit(FRAME, Y3), path)
    into = _pipeline().set_params(logisticregression__C=2.0)
    with pytest.raises(StateMismatchError, match=r"steps\.1\.1\.C: expected 2\.0, found 0\.5"):
        sm.load_weights(path, into=into, trust=sm.UNSIGNED)
    assert not hasattr(into[1], "coef_")
    report = sm.load_weights(path, into=into, trust=sm.UNSIGNED, strict=False)
    assert [one.name for one in report.mismatched] == ["steps.1.1.C"]
    assert into[1].C == 2.0
    check_is_fitted(into)


@pytest.mark.parametrize(
    "into",
    [
        linear_model.Lasso(),
        linear_model.RidgeCV(),
        pipeline.make_pipeline(linear_model.Ridge()),
    ],
)
def test_another_class_is_refused(into: Any, path: Path) -> None:
    save(linear_model.Ridge().fit(X, YREG), path)
    with pytest.raises(StateMismatchError, match="holds a Ridge"):
        sm.load_weights(path, into=into, trust=sm.UNSIGNED, strict=False)


def test_another_class_of_a_step_is_refused_with_its_place(path: Path) -> None:
    save(_pipeline().fit(FRAME, Y3), path)
    into = _pipeline()
    into.steps[1] = ("logisticregression", linear_model.RidgeClassifier())
    with pytest.raises(StateMismatchError, match="RidgeClassifier") as caught:
        sm.load_weights(path, into=into, trust=sm.UNSIGNED)
    assert caught.value.place == "steps.1.1"


def test_arrays_in_parameters_are_compared(path: Path) -> None:
    make = preprocessing.OrdinalEncoder
    data = [["a"], ["b"]]
    save(make(categories=[np.array(["a", "b"], dtype=object)]).fit(data), path)
    equal = make(categories=[np.array(["a", "b"], dtype=object)])
    assert sm.load_weights(path, into=equal, trust=sm.UNSIGNED).complete
    other = make(categories=[np.array(["b", "a"], dtype=object)])
    with pytest.raises(StateMismatchError, match="categories"):
        sm.load_weights(path, into=other, trust=sm.UNSIGNED)


def test_an_archive_without_weights_has_none_to_give(path: Path) -> None:
    save(linear_model.Ridge().fit(X, YREG), path, weights=False)
    with pytest.raises(StateMismatchError, match="not fitted"):
        sm.load_weights(path, into=linear_model.Ridge(), trust=sm.UNSIGNED)


def test_where_it_has_no_meaning_it_says_so(path: Path) -> None:
    for value in ({"a": np.arange(3)}, np.arange(3), [linear_model.Ridge()]):
        with pytest.raises(UsageError, match="architecture"):
            save(value, path, weights=False)
        save(value, path)
        with pytest.raises(UsageError, match="architecture"):
            sm.load_architecture(path, trust=sm.UNSIGNED)
    save(linear_model.Ridge().fit(X, YREG), path)
    for into in (None, {}, linear_model.Ridge):
        with pytest.raises(UsageError):
            sm.load_weights(path, into=into, trust=sm.UNSIGNED)
    with pytest.raises(UsageError, match="not put into"):
        sm.load_architecture(path, into=linear_model.Ridge(), trust=sm.UNSIGNED)
