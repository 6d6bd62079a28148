"""Values that are harmless alone, and together make scikit-learn read wild memory or files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import cluster, ensemble, linear_model, manifold, model_selection, neighbors, pipeline
from sklearn.preprocessing import StandardScaler

from safemodel.adapters import sklearn as adapter
from safemodel.errors import UnsavableError

from .sklearn_cases import Y2, X
from .sklearn_support import in_memory

LOGISTIC = linear_model.LogisticRegression
COVARIANCE = {"metric": "mahalanobis", "metric_params": {"VI": np.eye(2)}}
BALL = {"algorithm": "ball_tree", **COVARIANCE}


def _search(estimator: Any, grid: Any) -> Any:
    return model_selection.GridSearchCV(estimator, grid)


def _pipeline() -> Any:
    return pipeline.Pipeline([("s", StandardScaler()), ("m", LOGISTIC())])


def _vote() -> Any:
    """An ensemble whose estimator has the name of a parameter of pipelines."""
    return ensemble.VotingClassifier([("memory", LOGISTIC())])


def _wide() -> Any:
    model = cluster.FeatureAgglomeration(2).fit(X)
    model.n_clusters_ = model._n_features_out = 10_000_000
    return model


def _threads() -> Any:
    model = ensemble.HistGradientBoostingClassifier(max_iter=1).fit(X, Y2)
    model._bin_mapper.n_threads = 1 << 16
    return pipeline.Pipeline([("bins", model._bin_mapper)])


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    **{
        f"a matrix of a metric that {kind.__name__} follows": (
            lambda kind=kind: kind(**COVARIANCE),
            "metric_params",
        )
        for kind in (
            *(neighbors.NearestNeighbors, neighbors.LocalOutlierFactor, manifold.Isomap),
            *(cluster.DBSCAN, cluster.OPTICS, cluster.HDBSCAN, manifold.TSNE),
        )
    },
    "such a matrix in a grid": (
        lambda: _search(
            neighbors.KNeighborsClassifier(), {"metric_params": [COVARIANCE["metric_params"]]}
        ),
        "param_grid.metric_params",
    ),
    "another algorithm for such a matrix": (
        lambda: _search(neighbors.KNeighborsClassifier(**BALL), {"algorithm": ["brute"]}),
        "param_grid.metric_params",
    ),
    "another algorithm for an estimator of another search": (
        lambda: _search(
            _search(neighbors.KNeighborsClassifier(), {"algorithm": ["brute"]}),
            {"estimator": [neighbors.KNeighborsClassifier(**BALL)]},
        ),
        "param_grid.metric_params",
    ),
    "constraints on features that nobody counted": (
        lambda: _search(
            pytest.importorskip("lightgbm").LGBMClassifier(),
            {"interaction_constraints": [[[0, 10**6]]]},
        ),
        "param_grid.interaction_constraints",
    ),
    "a cache directory in a grid of another search": (
        lambda: _search(
            _search(_pipeline(), {"m__C": [1.0]}), {"param_grid": [{"memory": ["cache"]}]}
        ),
        "param_grid.param_grid['memory'][0]",
    ),
    "a cache directory in one of the grids of another search": (
        lambda: _search(
            _search(_pipeline(), {"m__C": [1.0]}), {"param_grid": [[{"memory": ["cache"]}]]}
        ),
        "param_grid.param_grid['memory'][0]",
    ),
    "a pipeline for a search that knows its cache as a step": (
        lambda: _search(_search(_vote(), {"memory": ["drop"]}), {"estimator": [_pipeline()]}),
        "param_grid['memory'][0]",
    ),
    "the same further below": (
        lambda: _search(
            _search(pipeline.Pipeline([("v", _vote())]), {"v__memory": ["drop"]}),
            {"estimator__v": [_pipeline()]},
        ),
        "param_grid['v__memory'][0]",
    ),
    "more clusters than features": (_wide, "n_clusters_"),
    "more threads than a process may have": (_threads, "steps.0.1.n_threads"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_harm_together_is_refused(name: str) -> None:
    make, place = REFUSED[name]
    with pytest.raises(UnsavableError) as caught:
        adapter.save(make())
    assert caught.value.place == place


def test_what_does_none_is_saved() -> None:
    for model in (
        neighbors.KNeighborsClassifier(**BALL),
        cluster.DBSCAN(**BALL),
        _search(_search(_pipeline(), {"m__C": [1.0]}), {"param_grid": [[{"m__C": [2.0]}]]}),
        _search(_search(_pipeline(), {"m__C": [1.0]}), {"estimator": [_pipeline()]}),
        _search(_search(_pipeline(), {"m__C": [1.0]}), {"estimator__m": [LOGISTIC()]}),
    ):
        bundle = in_memory(adapter.save(model))
        assert type(adapter.load(bundle)) is type(model)  # type: ignore[arg-type]
