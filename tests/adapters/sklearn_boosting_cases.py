"""Cases of gradient boosting: every loss, initial estimator and form of data."""

from __future__ import annotations

from sklearn import ensemble, linear_model, pipeline, preprocessing

from .sklearn_cases import (
    FRAME,
    XS,
    Y2,
    Y3,
    YOBJ,
    YREG,
    YSTR,
    X,
    _seed,
    fit,
)

few = {"n_estimators": 4, "max_depth": 2}
boosted = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)
for cls, target in zip(boosted, (YSTR, YREG), strict=True):
    fit("plain", cls, X, target, random_state=0, again="warm", **few)
    fit("sparse", cls, XS, target, random_state=_seed, subsample=0.6, again="warm", **few)
    fit("frame", cls, FRAME, target, random_state=1, max_features="sqrt", max_leaf_nodes=4, **few)
    fit("early", cls, X, target, random_state=0, n_iter_no_change=2, tol=0.1)
    fit("zero", cls, X, target, random_state=0, init="zero", **few)
    fit("pruned", cls, X, target, random_state=0, ccp_alpha=0.05, **few)
    fit("unfitted", cls, X, unfitted=True)
    fit("one", cls, X, target, random_state=0, n_estimators=1)
fit("binary", boosted[0], X, Y2, random_state=0, again="warm", **few)
fit("exponential", boosted[0], X, Y2 == 1, random_state=0, loss="exponential", **few)
fit("objects", boosted[0], X, YOBJ, random_state=0, **few)
for loss in ("absolute_error", "huber", "quantile"):
    fit(loss, boosted[1], X, YREG, random_state=0, loss=loss, alpha=0.7, again="warm", **few)
fit("linear", boosted[1], X, YREG, init=linear_model.Ridge(), random_state=0, again="warm", **few)
scaled = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
fit("logistic", boosted[0], X, Y3, init=scaled, random_state=0, again="warm", **few)
fit("binary-logistic", boosted[0], X, Y2, init=linear_model.LogisticRegression(), **few)
forest = ensemble.RandomForestClassifier(n_estimators=2, random_state=0)
fit("forest", boosted[0], X, Y3, init=forest, random_state=0, **few)
