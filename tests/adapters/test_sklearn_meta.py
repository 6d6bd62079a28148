"""What stands around estimators and between them: identity, relations, what a search may set."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from sklearn import (
    ensemble,
    feature_selection,
    linear_model,
    metrics,
    model_selection,
    multioutput,
    pipeline,
    preprocessing,
    tree,
)
from sklearn.utils import Bunch

from safemodel.adapters import sklearn as adapter
from safemodel.errors import ArchitectureError, UnsavableError

from .sklearn_all import CASES
from .sklearn_cases import FRAME, XPOS, Y2, Y3, YLABELS, YREG, N, X
from .sklearn_meta_cases import distributions, scorers, splitters
from .sklearn_support import fingerprint, in_memory

LOGISTIC = linear_model.LogisticRegression


def again(model: Any) -> Any:
    return adapter.load(in_memory(adapter.save(model)))  # type: ignore[arg-type]


# What comes back


def test_every_distribution_draws_the_same_numbers() -> None:
    given = distributions()
    copies = again(given)
    for name, one in given.items():
        if not name.startswith("family_"):
            drawn = [each.rvs(size=5, random_state=3) for each in (one, copies[name])]
            assert fingerprint(drawn[0]) == fingerprint(drawn[1]), name
        assert type(copies[name]) is type(one)
    assert copies["family_norm"] is st.norm


def test_every_splitter_splits_the_same() -> None:
    given = splitters()
    copies = again(given)
    groups = np.arange(N) % 6
    for name, one in given.items():
        if isinstance(one, list):
            continue
        splits = [list(each.split(X, Y3, groups)) for each in (one, copies[name])]
        assert fingerprint(splits[0]) == fingerprint(splits[1]), name


def test_splitters_share_their_random_state() -> None:
    copies = again(splitters())
    assert copies["stratified"].random_state is copies["grouped"].random_state


@pytest.mark.filterwarnings("ignore")
def test_every_scorer_gives_the_same_score() -> None:
    given = scorers()
    copies = again(given)
    model = LOGISTIC().fit(XPOS, Y2)
    for name, one in given.items():
        for first, second in zip(
            one if isinstance(one, list) else [one],
            copies[name] if isinstance(one, list) else [copies[name]],
            strict=True,
        ):
            found = []
            for scorer in (first, second):
                try:
                    found.append(repr(scorer(model, XPOS, Y2)))
                except (ValueError, AttributeError) as error:
                    found.append(str(error))
            assert found[0] == found[1], name


def test_named_estimators_are_the_estimators() -> None:
    for name in ("VotingClassifier-trees", "StackingClassifier-predict"):
        copy = again(CASES[name]().model)
        assert type(copy.named_estimators_) is Bunch
        assert copy.named_estimators_.t is copy.estimators_[0]


def test_a_bunch_is_a_bunch_and_shares_what_it_holds() -> None:
    copy = again(CASES["Bunch-models"]().model)
    assert type(copy) is Bunch
    assert copy.model is copy["again"]


def test_a_bunch_with_other_keys_than_names_is_refused() -> None:
    bunch = Bunch()
    bunch[3] = 4
    with pytest.raises(UnsavableError):
        adapter.save(bunch)


def test_the_random_state_of_the_process_stays_that_of_the_process() -> None:
    given = {"state": np.random.mtrand._rand, "other": np.random.RandomState(0)}
    copy = again(given)
    assert copy["state"] is np.random.mtrand._rand
    assert copy["other"] is not np.random.mtrand._rand


def test_a_request_knows_whose_it_is() -> None:
    search = again(CASES["Pipeline-routed"]().model)
    model = search.estimator.steps[1][1]
    assert model._metadata_request.owner is model
    assert model._metadata_request.score.owner is model
    assert model._metadata_request.score.requests == {"sample_weight": "weight"}


def test_a_request_of_a_method_that_another_package_brings_is_saved() -> None:
    """imbalanced-learn adds a method to scikit-learn's own list when it is imported."""
    model = CASES["TunedThresholdClassifierCV-plain"]().model
    request = model._curve_scorer._metadata_request
    vars(request)["fit_resample"] = type(request.fit)(owner=None, method="fit_resample")
    assert again(model)._curve_scorer._metadata_request.score.requests == request.score.requests


def test_a_trained_bag_of_trees_is_packed() -> None:
    architecture: Any = adapter.save(CASES["BaggingClassifier-plain"]().model).architecture
    assert sum("trees" in node for node in architecture["graph"]["nodes"]) == 1


# What is refused


def _with(name: str, **attributes: Any) -> Any:
    model = CASES[name]().model
    vars(model).update(attributes)
    return model


def _search(grid: Any, estimator: Any = None, **params: Any) -> Any:
    estimator = (
        pipeline.Pipeline([("s", None), ("m", LOGISTIC())]) if estimator is None else estimator
    )
    return model_selection.GridSearchCV(estimator, grid, **params)


def _drawn(**values: Any) -> Any:
    return model_selection.RandomizedSearchCV(ensemble.RandomForestClassifier(), values)


def _fitted_to(labels: Any) -> Any:
    model = CASES["VotingClassifier-plain"]().model
    model.estimators_[0] = LOGISTIC().fit(X, labels)
    model.named_estimators_["a"] = model.estimators_[0]
    return model


def _half(resource: str) -> Any:
    forest = ensemble.RandomForestClassifier()
    return model_selection.HalvingGridSearchCV(forest, {"max_depth": [2]}, resource=resource)


def _select(**params: Any) -> Any:
    return feature_selection.SelectFromModel(LOGISTIC(), **params)


INNER = pipeline.make_pipeline(preprocessing.StandardScaler(), LOGISTIC())
CLIPPED = {"func": [None, np.clip], "kw_args": [{"a_min": 0}, {"out": 3}]}

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a cache directory in a grid": (
        lambda: _search({"memory": [None, "cache"]}),
        "param_grid['memory'][1]",
    ),
    "a cache directory in one of several grids": (
        lambda: _search([{"m__C": [1.0]}, {"memory": ["cache"]}]),
        "param_grid['memory'][0]",
    ),
    "a cache directory of a candidate": (
        lambda: _search({"m": [INNER], "m__memory": ["cache"]}),
        "param_grid['m__memory'][0]",
    ),
    "a cache directory of a candidate in another grid": (
        lambda: _search([{"m": [INNER]}, {"m__memory": ["cache"]}]),
        "param_grid['m__memory'][0]",
    ),
    "a cache directory behind another search": (
        lambda: _search({"estimator__memory": ["cache"]}, _search({"m__C": [1.0]})),
        "param_grid['estimator__memory'][0]",
    ),
    "a thousand jobs in a grid": (
        lambda: _search({"n_jobs": [1000]}, LOGISTIC()),
        "param_grid['n_jobs'][0]",
    ),
    "any number of jobs": (
        lambda: _drawn(n_jobs=st.randint(1, 10**9)),
        "param_distributions['n_jobs']",
    ),
    "a distribution of names": (
        lambda: _drawn(criterion=st.uniform()),
        "param_distributions['criterion']",
    ),
    "values that are no list": (lambda: _search({"C": np.arange}, LOGISTIC()), "param_grid['C']"),
    "a parameter that there is not": (
        lambda: _search({"D": [1]}, LOGISTIC()),
        "param_grid['D']",
    ),
    "an estimator in place of a number": (
        lambda: _search({"C": [LOGISTIC()]}, LOGISTIC()),
        "param_grid['C'][0]",
    ),
    "keywords that a function does not take": (
        lambda: _search(CLIPPED, preprocessing.FunctionTransformer()),
        "param_grid.kw_args",
    ),
    "a grid without end": (
        lambda: _search(
            {key: [*range(1, 40)] for key in ("C", "tol", "max_iter", "intercept_scaling")},
            LOGISTIC(),
        ),
        "param_grid",
    ),
    "more and more jobs": (lambda: _half("n_jobs"), "resource"),
    "more and more of a name": (lambda: _half("criterion"), "resource"),
    "an expression to work out": (
        lambda: _search({"C": [1.0]}, LOGISTIC(), pre_dispatch="9**9**9*n_jobs"),
        "pre_dispatch",
    ),
    "a refit that is code": (lambda: _search({"C": [1.0]}, LOGISTIC(), refit=max), "refit"),
    "a scorer that is code": (lambda: _search({"C": [1.0]}, LOGISTIC(), scoring=max), "scoring"),
    "a metric that is not listed": (
        lambda: metrics.make_scorer(metrics.confusion_matrix),
        "_score_func",
    ),
    "a keyword of a metric": (
        lambda: metrics.make_scorer(metrics.f1_score, out=3),
        "_kwargs",
    ),
    "a metric in place of a score function": (
        lambda: feature_selection.SelectKBest(metrics.f1_score),
        "score_func",
    ),
    "a score function in place of a function": (
        lambda: preprocessing.FunctionTransformer(feature_selection.chi2),
        "func",
    ),
    "a partial of what is not listed": (
        lambda: preprocessing.FunctionTransformer(functools.partial(np.save, "x")),
        "func",
    ),
    "a partial with a keyword that is not listed": (
        lambda: preprocessing.FunctionTransformer(functools.partial(np.log, out=X)),
        "func.keywords",
    ),
    "a partial with arguments": (
        lambda: preprocessing.FunctionTransformer(functools.partial(np.clip, X)),
        "func.arguments",
    ),
    "importances behind private attributes": (
        lambda: _select(importance_getter="__class__.__init__"),
        "importance_getter",
    ),
    "importances that are code": (lambda: _select(importance_getter=len), "importance_getter"),
    "a number of features that is code": (lambda: _select(max_features=len), "max_features"),
    "labels beyond those that are counted": (
        lambda: _fitted_to(np.where(Y2 == 1, 2**40, 0)),
        "estimators_[0]",
    ),
    "votes that are no numbers": (lambda: _fitted_to(np.array(["a", "b"])[Y2]), "estimators_[0]"),
    "an order with a number twice": (
        lambda: _with("ClassifierChain-plain", order_=np.array([0, 1, 1])),
        "order_",
    ),
    "an order that is too short": (
        lambda: _with("ClassifierChain-plain", order_=np.array([0, 1])),
        "order_",
    ),
    "features that there are not": (
        lambda: _with("BaggingClassifier-plain", estimators_features_=[np.arange(5) + 1] * 4),
        "estimators_features_[0]",
    ),
    "a list of features too short": (
        lambda: _with("BaggingClassifier-plain", estimators_features_=[np.arange(5)]),
        "estimators_features_",
    ),
    "other named estimators": (
        lambda: _with("VotingRegressor-plain", named_estimators_=Bunch(a=linear_model.Ridge())),
        "named_estimators_",
    ),
    "a dict in place of a Bunch": (
        lambda: _with("VotingRegressor-plain", named_estimators_={}),
        "named_estimators_",
    ),
    "a number of columns that would be a number of names": (
        lambda: _with("StackingClassifier-plain", _n_feature_outs=[2**31 - 1, 1]),
        "_n_feature_outs",
    ),
    "a pair too few": (
        lambda: _with("OneVsOneClassifier-plain", estimators_=()),
        "estimators_",
    ),
    "a constant of many numbers": (
        lambda: _with("_ConstantPredictor-inside", y_=3),
        "y_",
    ),
    "a splitter of many splits": (
        lambda: linear_model.LassoCV(cv=model_selection.KFold(10**6)),
        "cv.n_splits",
    ),
    "a generator of folds": (
        lambda: linear_model.LassoCV(cv=iter([(np.arange(3), np.arange(3))])),
        "cv",
    ),
    "a distribution of one's own": (
        lambda: _drawn(max_depth=st.rv_histogram(np.histogram([1, 2, 3]))),
        "param_distributions['max_depth']",
    ),
    "a distribution frozen with arrays": (
        lambda: _drawn(max_features=st.uniform(np.zeros(3), 1)),
        "param_distributions.max_features.args[0]",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_is_refused_with_its_path(name: str) -> None:
    make, place = REFUSED[name]
    with pytest.raises(UnsavableError) as caught:
        adapter.save(make())
    assert (caught.value.place or "") == place


def test_a_search_over_steps_and_their_parameters_is_saved() -> None:
    for grid in (
        {"m": [LOGISTIC(), linear_model.Ridge()], "s": [None, "passthrough"]},
        {"m__C": [0.1], "m__class_weight": [None, "balanced", {0: 1.0, 1: 2.0}]},
        [{"m": [tree.DecisionTreeClassifier()]}, {"m__max_depth": [None, 3]}],
        {"m": [INNER], "m__logisticregression__C": np.geomspace(0.1, 1, 3)},
        {"memory": [None], "verbose": [False]},
    ):
        copy = again(_search(grid))
        assert type(copy.param_grid) is type(grid)
    functions = {"func": [np.clip], "validate": [True, False], "kw_args": [{"a_min": 0}]}
    assert again(_search(functions, preprocessing.FunctionTransformer())).param_grid == functions


def test_keywords_of_a_partial_are_checked_when_their_lists_are_full() -> None:
    """A list is empty when the partial is built: what stands in it is looked at later."""
    scorer = metrics.make_scorer(
        functools.partial(metrics.f1_score, labels=[0, 1], average="macro")
    )
    bundle = in_memory(adapter.save(scorer))
    nodes = bundle.architecture["graph"]["nodes"]
    (listed,) = [node for node in nodes if node["kind"] == "list"]
    listed["items"] = [{"const": "Ellipsis"}, 1]
    with pytest.raises(ArchitectureError, match="labels"):
        adapter.load(bundle)  # type: ignore[arg-type]


def test_a_vote_of_pipelines_and_searches_knows_their_classes() -> None:
    model = CASES["VotingClassifier-nested"]().model
    pipe = model.estimators_[0]
    pipe.steps[-1] = ("m", LOGISTIC().fit(X, Y2 * 2**33))
    with pytest.raises(UnsavableError, match="other classes"):
        adapter.save(model)


def test_a_vote_of_regressors_is_refused() -> None:
    model = CASES["VotingClassifier-plain"]().model
    model.estimators_[0] = model.named_estimators_["a"] = linear_model.Ridge().fit(X, YREG)
    with pytest.raises(UnsavableError, match="no numbered classes"):
        adapter.save(model)


def test_children_of_chains_may_say_anything_but_its_length() -> None:
    chain = multioutput.ClassifierChain(LOGISTIC()).fit(FRAME, YLABELS)
    chain.estimators_ = chain.estimators_[:2]
    with pytest.raises(UnsavableError):
        adapter.save(chain)
