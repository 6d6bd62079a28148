"""Cases of histogram-based gradient boosting: losses, categories, early stopping, warm start."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn import ensemble
from sklearn.metrics import make_scorer, mean_absolute_error

from .sklearn_cases import FRAME, XNAN, Y2, Y3, YOBJ, YPOS, YREG, YSTR, X, _seed, fit

few = {"max_iter": 3, "min_samples_leaf": 4, "max_leaf_nodes": 5}
classifier = ensemble.HistGradientBoostingClassifier
regressor = ensemble.HistGradientBoostingRegressor
COLUMNS = np.column_stack([Y3, X[:, 0], Y2, X[:, 1]]).astype(float)
MIXED = pd.DataFrame(
    {
        "a": X[:, 0],
        "kind": pd.Categorical(np.array(["u", "v", "w", None], dtype=object)[np.arange(48) % 4]),
        "b": X[:, 1],
        "z": pd.Categorical(np.arange(48) % 5),
    }
)


def _warm(model):  # type: ignore[no-untyped-def]
    """Fit twice as many iterations when training goes on."""
    model.set_params(warm_start=True)


for cls, target in ((classifier, YSTR), (regressor, YREG)):
    fit("plain", cls, X, target, random_state=0, **few)
    fit("nan", cls, XNAN, target, random_state=_seed, l2_regularization=0.5, **few)
    fit("frame", cls, FRAME, target, random_state=1, max_bins=7, max_depth=2, **few)
    fit("categories", cls, COLUMNS, target, categorical_features=[0, 2], random_state=0, **few)
    fit("mask", cls, COLUMNS, target, categorical_features=[True, False, True, False], **few)
    fit("mixed", cls, MIXED, target, random_state=0, **few)
    fit("named", cls, MIXED, target, categorical_features=["kind", "z"], random_state=0, **few)
    fit("all", cls, COLUMNS[:, [0, 2]], target, categorical_features=[0, 1], random_state=0, **few)
    fit("features", cls, X, target, random_state=0, max_features=0.5, setup=_warm, **few)
    fit("unfitted", cls, X, unfitted=True)
    stop = {"early_stopping": True, "n_iter_no_change": 2, "random_state": _seed}
    fit("early", cls, X, target, **stop, **few)
    fit("early-train", cls, X, target, validation_fraction=None, setup=_warm, **stop, **few)
    fit("interactions", cls, X, target, interaction_cst=[{0, 1}, (2, 3)], random_state=0, **few)
    fit("pairs", cls, X, target, interaction_cst="pairwise", random_state=0, **few)
    fit("score", cls, X, target, scoring=None, setup=_warm, **stop, **few)
fit("binary", classifier, X, Y2, random_state=0, setup=_warm, **few)
fit("objects", classifier, X, YOBJ, class_weight="balanced", random_state=0, **few)
fit("roc", classifier, X, Y2, scoring="roc_auc", setup=_warm, **stop, **few)
fit("weights", classifier, MIXED, Y2, class_weight={0: 1.0, 1: 3.0}, random_state=0, **few)
fit("monotonic", classifier, X, Y2, monotonic_cst=[1, 0, -1, 0, 0], random_state=0, **few)
for loss in ("absolute_error", "gamma", "poisson", "quantile"):
    fit(loss, regressor, X, YPOS, loss=loss, quantile=0.3, random_state=0, setup=_warm, **few)
fit("constrained", regressor, FRAME, YREG, monotonic_cst={"a": 1}, random_state=0, **few)
scorer = make_scorer(mean_absolute_error, greater_is_better=False)
fit("scorer", regressor, X, YREG, scoring=scorer, **stop, **few)
fit("r2", regressor, X, YREG, scoring="r2", **stop, **few)
