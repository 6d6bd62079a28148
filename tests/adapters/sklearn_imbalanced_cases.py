"""Fitted models of imbalanced-learn for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn import combine, ensemble, over_sampling, pipeline, under_sampling
from imblearn.base import FunctionSampler
from sklearn import cluster, linear_model, neighbors, preprocessing, tree

from .sklearn_cases import Fitted, add

_RNG = np.random.RandomState(3)
X = np.round(np.concatenate([_RNG.normal(size=(60, 4)), _RNG.normal(1.0, size=(24, 4))]), 3)
Y = np.repeat([0, 1], [60, 24])
YSTR = np.array(["no", "yes"])[Y]
MIXED = np.column_stack([X[:, :3], np.round(np.abs(X[:, 3]))])
WHOLE = np.round(X).astype(int)


def sampler(name: str, cls: Any, data: Any = X, target: Any = Y, **params: Any) -> None:
    def make() -> Fitted:
        model = cls(**params)
        model.fit_resample(data, target)
        return Fitted(model, data, lambda one: one.fit_resample(data, target))

    add(f"{cls.__name__}-{name}", make)


def fit(name: str, cls: Any, target: Any = Y, **params: Any) -> None:
    def make() -> Fitted:
        model = cls(**params).fit(X, target)
        return Fitted(model, X, lambda one: one.fit(X, target))

    add(f"{cls.__name__}-{name}", make)


_KNN = neighbors.NearestNeighbors(n_neighbors=3)
for _cls in (under_sampling.RandomUnderSampler, over_sampling.RandomOverSampler):
    sampler("plain", _cls, random_state=0)
    sampler("strings", _cls, X, YSTR, random_state=np.random.RandomState(0))
sampler("counts", under_sampling.RandomUnderSampler, random_state=0, sampling_strategy={0: 24})
sampler("counts", over_sampling.RandomOverSampler, random_state=0, sampling_strategy={1: 60})
sampler("shrinkage", over_sampling.RandomOverSampler, random_state=0, shrinkage=0.5)
sampler("replacement", under_sampling.RandomUnderSampler, random_state=0, replacement=True)
sampler("plain", under_sampling.TomekLinks)
sampler("list", under_sampling.TomekLinks, sampling_strategy=[0, 1])
for _version in (1, 2, 3):
    sampler(f"v{_version}", under_sampling.NearMiss, version=_version, n_neighbors=2)
sampler("object", under_sampling.NearMiss, n_neighbors=_KNN)
for _cls in (
    under_sampling.EditedNearestNeighbours,
    under_sampling.RepeatedEditedNearestNeighbours,
    under_sampling.AllKNN,
):
    sampler("plain", _cls)
    sampler("mode", _cls, kind_sel="mode", n_neighbors=2)
for _cls in (under_sampling.CondensedNearestNeighbour, under_sampling.OneSidedSelection):
    sampler("plain", _cls, random_state=0)
    sampler("knn", _cls, random_state=0, n_neighbors=neighbors.KNeighborsClassifier(1))
sampler("plain", under_sampling.NeighbourhoodCleaningRule)
sampler("plain", under_sampling.InstanceHardnessThreshold, random_state=0, cv=3)
sampler(
    "estimator",
    under_sampling.InstanceHardnessThreshold,
    random_state=0,
    estimator=linear_model.LogisticRegression(),
)
sampler("plain", under_sampling.ClusterCentroids, random_state=0)
sampler(
    "hard",
    under_sampling.ClusterCentroids,
    random_state=0,
    voting="hard",
    estimator=cluster.MiniBatchKMeans(n_init=1, random_state=0),
)
sampler("plain", over_sampling.ADASYN, random_state=0)
sampler("plain", over_sampling.SMOTE, random_state=0)
sampler("knn", over_sampling.SMOTE, random_state=0, k_neighbors=_KNN)
sampler("plain", over_sampling.SMOTENC, MIXED, random_state=0, categorical_features=[3])
sampler("plain", over_sampling.SMOTEN, WHOLE, random_state=0)
sampler("plain", over_sampling.BorderlineSMOTE, random_state=0)
sampler("second", over_sampling.BorderlineSMOTE, random_state=0, kind="borderline-2")
sampler("plain", over_sampling.SVMSMOTE, random_state=0)
sampler(
    "plain",
    over_sampling.KMeansSMOTE,
    random_state=0,
    kmeans_estimator=cluster.KMeans(2, n_init=1, random_state=0),
    cluster_balance_threshold=0.01,
)
sampler("plain", combine.SMOTEENN, random_state=0)
sampler("plain", combine.SMOTETomek, random_state=0)
sampler("parts", combine.SMOTETomek, random_state=0, tomek=under_sampling.TomekLinks())
sampler("plain", FunctionSampler)

fit("plain", ensemble.BalancedBaggingClassifier, n_estimators=3, random_state=0)
fit(
    "sampler",
    ensemble.BalancedBaggingClassifier,
    YSTR,
    n_estimators=2,
    random_state=0,
    sampler=over_sampling.SMOTE(),
    estimator=tree.DecisionTreeClassifier(max_depth=2),
)
fit("plain", ensemble.EasyEnsembleClassifier, n_estimators=2, random_state=0)
fit("plain", ensemble.BalancedRandomForestClassifier, n_estimators=3, random_state=0)
fit(
    "oob",
    ensemble.BalancedRandomForestClassifier,
    YSTR,
    n_estimators=12,
    random_state=0,
    bootstrap=True,
    oob_score=True,
    warm_start=True,
)
fit("plain", ensemble.RUSBoostClassifier, n_estimators=3, random_state=0)


def _pipeline() -> Fitted:
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        over_sampling.SMOTE(random_state=0),
        linear_model.LogisticRegression(),
    ).fit(X, YSTR)
    return Fitted(model, X, lambda one: one.fit(X, YSTR))


add("ImbPipeline-plain", _pipeline)
