"""Cases of the estimators around others, and of the small objects that stand between them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats as st
import sklearn
from sklearn import (
    calibration,
    compose,
    ensemble,
    feature_selection,
    frozen,
    impute,
    linear_model,
    metrics,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    pipeline,
    preprocessing,
    semi_supervised,
    tree,
)
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._split import _CVIterableWrapper
from sklearn.utils import Bunch

from safemodel.adapters.sklearn.distributions import CONTINUOUS, DISCRETE
from safemodel.adapters.sklearn.parts import Function
from safemodel.adapters.sklearn.tables import FUNCTIONS as LISTED

from .sklearn_cases import (
    CATFRAME,
    FRAME,
    XNAN,
    XPOS,
    XS,
    Y2,
    Y3,
    YLABELS,
    YMULTI,
    YMULTICLASS,
    YPOS,
    YREG,
    YSTR,
    Fitted,
    N,
    X,
    _seed,
    _train,
    add,
    fit,
)

lm = linear_model
LOGISTIC = lm.LogisticRegression
TREE = tree.DecisionTreeClassifier
YHALF = np.where(np.arange(N) % 3 == 0, -1, Y3)


def _ensembles() -> None:
    few = {"n_estimators": 4, "random_state": 0}
    boost, boosted = ensemble.AdaBoostClassifier, ensemble.AdaBoostRegressor
    fit("plain", boost, X, Y3, **few)
    fit("strings", boost, FRAME, YSTR, n_estimators=3, random_state=_seed)
    fit("binary", boost, XS, Y2, estimator=LOGISTIC(), learning_rate=0.5, **few)
    fit("bayes", boost, X, Y3, estimator=naive_bayes.GaussianNB(), **few)
    fit("unfitted", boost, X, unfitted=True)
    fit("plain", boosted, X, YREG, **few)
    for loss in ("square", "exponential"):
        fit(loss, boosted, FRAME, YREG, loss=loss, estimator=lm.Ridge(), **few)
    bag, bagged = ensemble.BaggingClassifier, ensemble.BaggingRegressor
    fit("plain", bag, X, Y3, again="warm", **few)
    fit("strings", bag, FRAME, YSTR, max_features=0.6, oob_score=True, **few)
    fit("features", bag, XS, Y2, bootstrap_features=True, n_estimators=4, random_state=_seed)
    fit("logistic", bag, X, YSTR, estimator=LOGISTIC(), max_samples=0.5, again="warm", **few)
    forest = ensemble.RandomForestClassifier(n_estimators=3)
    fit("forest", bag, X, Y3, estimator=forest, n_jobs=1, **few)
    fit("voting", bag, X, Y3, estimator=lm.Perceptron(), max_features=3, **few)
    fit("plain", bagged, X, YREG, again="warm", **few)
    fit("oob", bagged, X, YREG, oob_score=True, **few)
    fit("ridge", bagged, FRAME, YREG, estimator=lm.Ridge(), max_features=2, bootstrap=False, **few)
    _votes()


def _votes() -> None:
    named = [("a", LOGISTIC()), ("b", naive_bayes.GaussianNB()), ("c", "drop")]
    trees = [("t", TREE(random_state=0)), ("u", TREE(random_state=1))]
    vote = ensemble.VotingClassifier
    fit("plain", vote, X, YSTR, estimators=named)
    fit("soft", vote, FRAME, Y3, estimators=named, voting="soft", weights=[2, 1, 1])
    fit("trees", vote, X, Y3, estimators=trees, flatten_transform=False, voting="soft")
    pipe = pipeline.make_pipeline(preprocessing.StandardScaler(), LOGISTIC())
    grid = model_selection.GridSearchCV(LOGISTIC(), {"C": [0.1, 1.0]}, cv=3)
    fit("nested", vote, X, YSTR, estimators=[("p", pipe), ("g", grid), *trees])
    numbers = [("a", lm.Ridge()), ("c", "drop"), ("t", tree.DecisionTreeRegressor(random_state=0))]
    fit("plain", ensemble.VotingRegressor, X, YREG, estimators=numbers)
    fit("weights", ensemble.VotingRegressor, FRAME, YREG, estimators=numbers, weights=[1, 2, 3])
    stack = ensemble.StackingClassifier
    folds = model_selection.KFold(3, shuffle=True, random_state=0)
    fit("plain", stack, X, YSTR, estimators=named, cv=3)
    fit("pass", stack, FRAME, Y2, estimators=named, cv=folds, passthrough=True)
    fit("predict", stack, X, Y3, estimators=trees, cv=3, stack_method="predict")
    fit("final", stack, XS, Y3, estimators=trees, cv=3, final_estimator=TREE(random_state=0))
    several = multioutput.MultiOutputClassifier(LOGISTIC())
    fit("labels", stack, X, YLABELS, estimators=trees, cv=3, final_estimator=several)
    prefit = [("p", LOGISTIC().fit(X, YSTR)), ("t", TREE(random_state=0).fit(X, YSTR))]
    fit("prefit", stack, X, YSTR, estimators=prefit, cv="prefit")
    fit("plain", ensemble.StackingRegressor, X, YREG, estimators=numbers, cv=3)
    last = ensemble.RandomForestRegressor(n_estimators=3, random_state=0)
    fit("forest", ensemble.StackingRegressor, X, YREG, estimators=numbers, final_estimator=last)


def _calibrated() -> None:
    calibrated = calibration.CalibratedClassifierCV
    for method in ("sigmoid", "isotonic", "temperature"):
        for together in (True, False):
            name = f"{method}-{'ensemble' if together else 'one'}"
            fit(name, calibrated, X, YSTR, estimator=LOGISTIC(), method=method, ensemble=together)
    fit("plain", calibrated, X, Y3, cv=3, estimator=lm.SGDClassifier(random_state=0))
    fit("frozen", calibrated, FRAME, Y2, estimator=frozen.FrozenEstimator(TREE().fit(FRAME, Y2)))
    add("_SigmoidCalibration-inside", functools.partial(_inside, "sigmoid"))
    add("_TemperatureScaling-inside", functools.partial(_inside, "temperature"))
    target = compose.TransformedTargetRegressor
    fit("plain", target, X, YREG)
    fit("functions", target, X, YPOS, regressor=lm.Ridge(), func=np.log1p, inverse_func=np.expm1)
    fit("scaler", target, FRAME, YMULTI, transformer=preprocessing.StandardScaler())
    add("FrozenEstimator-plain", lambda: Fitted(frozen.FrozenEstimator(LOGISTIC().fit(X, Y3)), X))


def _inside(method: str) -> Fitted:
    model = calibration.CalibratedClassifierCV(LOGISTIC(), method=method, cv=3, ensemble=True)
    return Fitted(model.fit(X, Y3), X, functools.partial(_train, None, X, Y3))


def _selected() -> None:
    fs = feature_selection
    fit("plain", fs.GenericUnivariateSelect, X, Y3)
    fit(
        "best",
        fs.GenericUnivariateSelect,
        X,
        YREG,
        score_func=fs.f_regression,
        mode="k_best",
        param=2,
    )
    for cls in (fs.SelectFdr, fs.SelectFpr, fs.SelectFwe):
        fit("plain", cls, X, Y3, alpha=0.9)
    fit("plain", fs.SelectKBest, X, Y3, k=2)
    fit("chi2", fs.SelectKBest, XPOS, YSTR, score_func=fs.chi2, k="all")
    score = functools.partial(fs.mutual_info_classif, n_neighbors=2, random_state=0)
    fit("mutual", fs.SelectKBest, X, Y3, score_func=score, k=2)
    score = functools.partial(fs.mutual_info_regression, n_neighbors=2, random_state=_seed())
    fit("mutual", fs.SelectPercentile, FRAME, YREG, score_func=score, percentile=60)
    fit("plain", fs.SelectPercentile, FRAME, Y3, percentile=40)
    score = functools.partial(fs.r_regression, center=False)
    fit("r", fs.SelectKBest, XS, YREG, score_func=score, k=3)
    fit("plain", fs.SelectFromModel, X, Y3, estimator=LOGISTIC())
    fit("lasso", fs.SelectFromModel, FRAME, YREG, estimator=lm.Lasso(alpha=0.1), max_features=2)
    fit("mean", fs.SelectFromModel, X, Y3, estimator=TREE(random_state=0), threshold="1.25*mean")
    prefit = lm.Ridge().fit(X, YREG)
    fit("prefit", fs.SelectFromModel, X, YREG, estimator=prefit, prefit=True, norm_order=np.inf)
    sgd = lm.SGDClassifier(random_state=0)
    fit("partial", fs.SelectFromModel, X, Y3, estimator=sgd, threshold=-np.inf)
    fit("plain", fs.RFE, X, Y3, estimator=LOGISTIC(), n_features_to_select=2)
    pipe = pipeline.Pipeline([("s", preprocessing.StandardScaler()), ("m", LOGISTIC())])
    getter = "named_steps.m.coef_"
    fit("path", fs.RFE, FRAME, Y3, estimator=pipe, importance_getter=getter, step=0.3)
    fit("plain", fs.RFECV, X, Y3, estimator=LOGISTIC(), cv=3)
    cv = model_selection.StratifiedKFold(3, shuffle=True, random_state=1)
    fit("scored", fs.RFECV, FRAME, Y2, estimator=TREE(random_state=0), cv=cv, scoring="f1")
    chosen = {"n_features_to_select": 2, "cv": 3}
    fit("plain", fs.SequentialFeatureSelector, X, Y3, estimator=LOGISTIC(), **chosen)
    scorer = metrics.make_scorer(metrics.mean_pinball_loss, greater_is_better=False, alpha=0.3)
    fit(
        "backward",
        fs.SequentialFeatureSelector,
        FRAME,
        YREG,
        estimator=lm.Ridge(),
        direction="backward",
        scoring=scorer,
        **chosen,
    )
    fit("plain", fs.VarianceThreshold, X)
    fit("sparse", fs.VarianceThreshold, XS, threshold=0.1)


def _imputed() -> None:
    iterative = impute.IterativeImputer
    fit("plain", iterative, XNAN, max_iter=3, random_state=0)
    fit("ridge", iterative, XNAN, max_iter=2, estimator=lm.Ridge(), n_nearest_features=2)
    options = {"sample_posterior": True, "add_indicator": True, "min_value": -3}
    fit("posterior", iterative, XNAN, max_iter=2, random_state=_seed, **options)
    frame = FRAME.mask(FRAME > 1)
    order = {"imputation_order": "random", "initial_strategy": "median", "skip_complete": True}
    fit("frame", iterative, frame, max_iter=2, random_state=0, **order)
    fit("nothing", iterative, X, max_iter=0)
    forest = ensemble.ExtraTreesRegressor(n_estimators=2, random_state=0)
    fit("forest", iterative, XNAN, max_iter=1, estimator=forest, random_state=0)


def _many() -> None:
    rest, one, code = (
        multiclass.OneVsRestClassifier,
        multiclass.OneVsOneClassifier,
        multiclass.OutputCodeClassifier,
    )
    fit("plain", rest, X, YSTR, estimator=LOGISTIC())
    fit("binary", rest, FRAME, Y2, estimator=LOGISTIC())
    fit("labels", rest, XS, YLABELS, estimator=LOGISTIC(), n_jobs=1)
    fit("trees", rest, X, Y3, estimator=TREE(random_state=0))
    labels = np.column_stack([YLABELS, np.zeros(N, int)])
    add("_ConstantPredictor-inside", lambda: _fitted(rest(LOGISTIC()), X, labels))
    fit("plain", one, X, YSTR, estimator=LOGISTIC())
    fit("trees", one, FRAME, Y3, estimator=TREE(random_state=0))
    fit("binary", one, X, Y2, estimator=LOGISTIC())
    fit("plain", code, X, YSTR, estimator=LOGISTIC(), random_state=0, code_size=2)
    fit("trees", code, X, Y3, estimator=TREE(random_state=0), random_state=_seed)
    add("OneVsRestClassifier-partial", functools.partial(_partly, rest))
    add("OneVsOneClassifier-partial", functools.partial(_partly, one))
    outputs, numbers = multioutput.MultiOutputClassifier, multioutput.MultiOutputRegressor
    fit("plain", outputs, X, YMULTICLASS, estimator=LOGISTIC())
    fit("forest", outputs, FRAME, YLABELS, estimator=TREE(random_state=0), n_jobs=1)
    fit("plain", numbers, X, YMULTI, estimator=lm.Ridge())
    sgd = lm.SGDRegressor(random_state=0)
    fit("partial", numbers, FRAME, YMULTI, estimator=sgd, again="partial")
    chain, chained = multioutput.ClassifierChain, multioutput.RegressorChain
    fit("plain", chain, X, YLABELS, estimator=LOGISTIC())
    fit("cv", chain, FRAME, YLABELS, estimator=LOGISTIC(), order="random", cv=3, random_state=_seed)
    fit("proba", chain, XS, YLABELS, estimator=TREE(), chain_method="predict_proba", random_state=0)
    fit("list", chain, X, YLABELS, estimator=LOGISTIC(), chain_method=["predict_proba", "predict"])
    fit("plain", chained, X, YMULTI, estimator=lm.Ridge(), order=[1, 0])
    fit("cv", chained, FRAME, YMULTI, estimator=lm.Lasso(), order=(1, 0), cv=3)
    training = semi_supervised.SelfTrainingClassifier
    fit("plain", training, X, YHALF, estimator=LOGISTIC())
    best = {"criterion": "k_best", "k_best": 3, "max_iter": 4}
    fit("best", training, FRAME, YHALF, estimator=naive_bayes.GaussianNB(), **best)


def _partly(cls: Any) -> Fitted:
    model = cls(lm.SGDClassifier(random_state=0)).partial_fit(X, Y3, classes=[0, 1, 2])
    return Fitted(model, X, functools.partial(_train, "partial", X, Y3))


def _fitted(model: Any, data: Any, target: Any) -> Fitted:
    model.fit(data, target)
    return Fitted(model, data, functools.partial(_train, None, data, target))


def _searches() -> None:
    ms = model_selection
    grid, drawn = ms.GridSearchCV, ms.RandomizedSearchCV
    sgd = lm.SGDClassifier(random_state=0)
    fit("plain", grid, X, YSTR, estimator=LOGISTIC(), param_grid={"C": [0.1, 1]}, cv=3)
    grids = [{"C": [0.1, 1.0], "solver": ["lbfgs"]}, {"solver": ["saga", "newton-cg"]}]
    options = {"return_train_score": True, "error_score": "raise", "n_jobs": 1}
    fit("grids", grid, FRAME, Y3, estimator=LOGISTIC(max_iter=5), param_grid=grids, cv=3, **options)
    both = ["accuracy", "f1_macro"]
    search = {"estimator": sgd, "param_grid": {"alpha": [1e-4, 1e-3]}, "cv": 3}
    fit("several", grid, X, Y3, scoring=both, refit="accuracy", **search)
    beta = metrics.make_scorer(metrics.fbeta_score, beta=2, average="macro")
    fit("scorers", grid, X, Y3, scoring={"a": "accuracy", "b": beta}, refit="b", **search)
    fit("norefit", grid, XS, Y3, refit=False, **search)
    fit("unfitted", grid, X, unfitted=True, **search)
    pipe = pipeline.Pipeline([("scale", preprocessing.StandardScaler()), ("model", sgd)])
    inner = {
        "scale": [preprocessing.MinMaxScaler(), "passthrough"],
        "model": [LOGISTIC(), naive_bayes.GaussianNB(), sgd],
    }
    fit("steps", grid, FRAME, YSTR, estimator=pipe, param_grid=inner, cv=3)
    deep = [
        {"model__alpha": np.array([1e-4, 1e-3])},
        {"model": [LOGISTIC(), lm.RidgeClassifier()], "scale__with_mean": [False]},
        {"model": [LOGISTIC()], "model__C": (0.5, 2.0)},
    ]
    fit("deep", grid, X, Y3, estimator=pipe, param_grid=deep, cv=ms.StratifiedKFold(3))
    chance = {"alpha": st.loguniform(1e-4, 1e-1), "penalty": ["l1", "l2"]}
    few = {"cv": 3, "n_iter": 3}
    fit("plain", drawn, X, Y3, estimator=sgd, param_distributions=chance, random_state=0, **few)
    depths = {"max_depth": st.randint(1, 5), "ccp_alpha": st.uniform(0, 0.1)}
    shuffled = ms.ShuffleSplit(2, test_size=0.3, random_state=np.random.RandomState(0))
    many = {"estimator": TREE(random_state=0), "n_iter": 2, "cv": shuffled}
    fit("shared", drawn, FRAME, YSTR, param_distributions=depths, random_state=_seed, **many)
    listed = [{"C": [0.1, 1.0]}, {"tol": st.expon(scale=1e-3)}]
    folds = [(np.arange(24), np.arange(24, N)), (np.arange(24, N), np.arange(24))]
    once = {"n_iter": 2, "cv": folds, "random_state": 1}
    fit("folds", drawn, X, Y3, estimator=LOGISTIC(), param_distributions=listed, **once)
    half = {"cv": 2, "random_state": 0}
    fit(
        "plain",
        ms.HalvingGridSearchCV,
        X,
        Y2,
        estimator=sgd,
        param_grid={"alpha": [0.1, 1]},
        **half,
    )
    forest = ensemble.RandomForestClassifier(random_state=0)
    grow = {"resource": "n_estimators", "max_resources": 6, "min_resources": 2, "factor": 2}
    wide = {"param_grid": {"max_depth": [2, 3]}, "scoring": "roc_auc"}
    fit("trees", ms.HalvingGridSearchCV, X, Y2, estimator=forest, **wide, **grow, **half)
    loose = {"param_distributions": {"alpha": st.uniform(0.1, 1)}, "n_candidates": 4}
    fit("plain", ms.HalvingRandomSearchCV, X, Y2, estimator=sgd, **loose, **half)
    fixed, tuned = ms.FixedThresholdClassifier, ms.TunedThresholdClassifierCV
    fit("plain", fixed, X, Y2, estimator=LOGISTIC(), threshold=0.4, pos_label=0)
    fit("plain", tuned, X, Y2, estimator=LOGISTIC(), cv=3, store_cv_results=True)
    scorer = metrics.make_scorer(metrics.f1_score, pos_label=0)
    steps = {"scoring": scorer, "thresholds": np.linspace(0, 1, 7), "random_state": 0}
    fit("scorer", tuned, FRAME, Y2, estimator=LOGISTIC(), cv=0.5, refit=False, **steps)
    prefit = LOGISTIC().fit(X, Y2)
    fit("prefit", tuned, X, Y2, estimator=prefit, cv="prefit", refit=False)


def scorers() -> dict[str, Any]:
    """A scorer of each listed metric, and one of several."""
    beta = {"beta": 0.5}
    found: dict[str, Any] = {
        function.name: metrics.make_scorer(
            _live(function),
            greater_is_better=function.name.endswith("score"),
            **(beta if function.name == "fbeta_score" else {}),
        )
        for function in LISTED.values()
        if "metric" in function.roles
    }
    several = {name: found[name] for name in ("accuracy_score", "recall_score")}
    found["several"] = _MultimetricScorer(scorers=several, raise_exc=False)
    found["passed"] = metrics.check_scoring(lm.Ridge(), None)
    found["named"] = [metrics.get_scorer(name) for name in metrics.get_scorer_names()]
    return found


def splitters() -> dict[str, Any]:
    """A splitter of each class."""
    ms, state = model_selection, np.random.RandomState(5)
    return {
        **{name: make() for name, make in _splitters().items()},
        "stratified": ms.StratifiedKFold(3, shuffle=True, random_state=state),
        "grouped": ms.GroupKFold(3, shuffle=True, random_state=state),
        "both": ms.StratifiedGroupKFold(3, shuffle=True, random_state=1),
        "drawn": ms.StratifiedShuffleSplit(2, train_size=20, test_size=0.25, random_state=state),
        "houses": ms.GroupShuffleSplit(2, random_state=0),
        "again": ms.RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=state),
        "two": ms.LeavePOut(2),
        "house": ms.LeaveOneGroupOut(),
        "streets": ms.LeavePGroupsOut(2),
    }


SHAPES: dict[str, tuple[float, ...]] = {
    "beta": (1.5, 2),
    "chi2": (3,),
    "gamma": (2.5,),
    "invgamma": (3,),
    "lognorm": (0.5,),
    "pareto": (2.5,),
    "loguniform": (1e-3, 10),
    "reciprocal": (0.1, 2.0),
    "t": (4,),
    "triang": (0.25,),
    "truncnorm": (-1, 2),
    "weibull_min": (1.5,),
    "bernoulli": (0.4,),
    "binom": (5, 0.3),
    "geom": (0.4,),
    "poisson": (3.5,),
    "randint": (1, 9),
}


def distributions() -> dict[str, Any]:
    """Each listed family, frozen in several ways, and as it is."""
    names = [name for table in (CONTINUOUS, DISCRETE) for some in table.values() for name in some]
    found = {name: getattr(st, name)(*SHAPES.get(name, ())) for name in names}
    found.update({f"family_{name}": getattr(st, name) for name in names})
    found["shifted"] = st.uniform(loc=2, scale=np.float64(3))
    found["named"] = st.gamma(a=2, scale=0.5)
    found["numbers"] = st.randint(low=np.int64(2), high=7)
    return found


def _functions() -> Fitted:
    keywords = {"clip": {"a_min": -1, "a_max": 1}, "round": {"decimals": 1}}
    function = preprocessing.FunctionTransformer
    model = pipeline.FeatureUnion(
        [
            (one.qualified, function(_live(one), kw_args=keywords.get(one.name)))
            for one in LISTED.values()
            if "transform" in one.roles
        ]
    )
    return Fitted(model.fit(X), X, functools.partial(_train, None, X, None))


def _live(function: Function) -> Any:
    return getattr(importlib.import_module(function.module), function.name)


def _framed() -> Fitted:
    model = pipeline.FeatureUnion(
        [("scale", preprocessing.StandardScaler()), ("best", feature_selection.SelectKBest(k=2))]
    )
    model.set_output(transform="pandas").fit(FRAME, Y3).transform(FRAME)
    return Fitted(model, FRAME, functools.partial(_train, None, FRAME, Y3))


def _splitters() -> dict[str, Callable[[], Any]]:
    ms = model_selection
    folds = [(np.arange(30), np.arange(30, N)), (list(range(20, N)), list(range(20)))]
    return {
        "kfold": lambda: ms.KFold(3, shuffle=True, random_state=np.random.RandomState(0)),
        "shuffle": lambda: ms.ShuffleSplit(2, test_size=0.25, random_state=0),
        "time": lambda: ms.TimeSeriesSplit(3, gap=1, max_train_size=30, test_size=5),
        "predefined": lambda: ms.PredefinedSplit(np.arange(N) % 3),
        "repeated": lambda: ms.RepeatedKFold(n_splits=2, n_repeats=2, random_state=0),
        "one": lambda: ms.LeaveOneOut(),
        "wrapped": lambda: _CVIterableWrapper(folds),
        "pairs": lambda: folds,
    }


def _between() -> None:
    for name, make in _splitters().items():
        fit(f"cv-{name}", lm.LassoCV, X, YREG, cv=make(), alphas=5)
    scorer = metrics.make_scorer(metrics.mean_tweedie_deviance, power=0, greater_is_better=False)
    fit("scorer", lm.RidgeCV, X, YREG, scoring=scorer)
    score = functools.partial(metrics.f1_score, average="macro")
    forest = {"n_estimators": 5, "random_state": 0, "bootstrap": True}
    fit("oob-function", ensemble.RandomForestClassifier, X, Y3, oob_score=score, **forest)
    clip = functools.partial(np.clip, a_min=-1)
    fit("partial", preprocessing.FunctionTransformer, X, func=clip, kw_args={"a_max": 0.5})
    add("Pipeline-routed", _routed)
    add("Bunch-models", _bunch)
    add("Bunch-scorers", lambda: Fitted(Bunch(**scorers()), X))
    add("Bunch-splitters", lambda: Fitted(Bunch(**splitters()), X))
    add("Bunch-distributions", lambda: Fitted(Bunch(**distributions()), X))
    add("FeatureUnion-functions", _functions)
    add("FeatureUnion-frames", _framed)
    add("Pipeline-many", _everything)
    add("ColumnTransformer-routed", _columns)
    add("ColumnTransformer-polars", _polars)


def _routed() -> Fitted:
    with sklearn.config_context(enable_metadata_routing=True):
        model = lm.LogisticRegression().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight="weight")
        scaler = preprocessing.StandardScaler().set_fit_request(sample_weight=False)
        steps = pipeline.Pipeline([("s", scaler), ("m", model)])
        scorer = metrics.make_scorer(metrics.f1_score, average="macro")
        scorer.set_score_request(sample_weight=True)
        folds = model_selection.GroupKFold(3).set_split_request(groups="houses")
        search = model_selection.GridSearchCV(steps, {"m__C": [0.1, 1.0]}, scoring=scorer, cv=folds)
        weight = np.linspace(0.5, 1.5, N)
        search.fit(X, Y3, sample_weight=weight, houses=np.arange(N) % 6)
    return Fitted(search, X, _train_routed)


def _train_routed(model: Any) -> Any:
    with sklearn.config_context(enable_metadata_routing=True):
        weight = np.linspace(0.5, 1.5, N)
        return model.fit(X, Y3, sample_weight=weight, houses=np.arange(N) % 4)


def _bunch() -> Fitted:
    model = LOGISTIC().fit(X, Y3)
    return Fitted(Bunch(model=model, names=["a", "b"], again=model, data=X), X)


def _everything() -> Fitted:
    state = np.random.RandomState(3)
    sgd = lm.SGDClassifier(random_state=state)
    bag = ensemble.BaggingClassifier(sgd, n_estimators=2, random_state=state)
    chance = {"max_samples": st.uniform(0.5, 0.4), "estimator__alpha": st.loguniform(1e-4, 1e-2)}
    search = model_selection.RandomizedSearchCV(bag, chance, n_iter=2, cv=3, random_state=state)
    select = feature_selection.SelectKBest(k=3)
    model = pipeline.make_pipeline(impute.SimpleImputer(), select, search)
    return _fitted(model, XNAN, YSTR)


def _columns() -> Fitted:
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = preprocessing.StandardScaler().set_fit_request(sample_weight=True)
        kinds = preprocessing.OneHotEncoder(sparse_output=False)
        model = compose.ColumnTransformer([("n", scaler, ["n", "z"]), ("k", kinds, ["k"])])
        model.set_output(transform="pandas").fit(CATFRAME, sample_weight=np.arange(N) + 1.0)
    return Fitted(model, CATFRAME)


def _polars() -> Fitted:
    import polars

    frame = polars.DataFrame({"n": X[:, 0], "m": CATFRAME["m"].tolist(), "z": X[:, 1]})
    kinds = preprocessing.OneHotEncoder(sparse_output=False)
    model = compose.ColumnTransformer(
        [("n", preprocessing.StandardScaler(), ["n", "z"]), ("m", kinds, ["m"])]
    )
    model.set_output(transform="polars")
    return Fitted(model.fit(frame), frame, functools.partial(_train, None, frame, None))


for _register in (*(_ensembles, _calibrated, _selected, _imputed, _many, _searches, _between),):
    _register()
