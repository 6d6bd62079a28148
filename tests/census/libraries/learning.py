"""scikit-learn: every estimator, fitted on the first data that it takes, and imbalanced-learn."""

from __future__ import absolute_import, print_function

import importlib

import numpy as np

try:  # 0.21 and 0.22 and later keep it in another place
    from sklearn.utils import all_estimators
except ImportError:
    from sklearn.utils.testing import all_estimators

RNG = np.random.RandomState(0)
N = 40
X = np.abs(RNG.normal(size=(N, 4))) + 0.1
Y2 = (X[:, 0] > np.median(X[:, 0])).astype(int)
Y3 = np.arange(N) % 3
YTEXT = np.array(["egg", "ham", "spam"])[Y3]
YREG = X.dot(np.arange(4.0))
YMANY = np.c_[YREG, X[:, 0]]
YLABELS = np.c_[Y2, 1 - Y2]
DOCUMENTS = ["the %s fox jumps over %d dogs" % ("lazy" if i % 2 else "quick", i) for i in range(N)]
DICTS = [{"city": "abc"[i % 3], "t": float(i)} for i in range(N)]
SETS = [("a", "b") if i % 2 else ("b", "c") for i in range(N)]
CATEGORIES = np.c_[Y3, Y2].astype(object)
DATA = (
    (X, Y2),
    (X, YREG),
    (X, Y3),
    (X, YMANY),
    (X, YLABELS),
    (X, None),
    (Y3, None),
    (YREG, YREG),
    (X[:, 0], YREG),
    (SETS, None),
    (DOCUMENTS, None),
    (DOCUMENTS, Y2),
    (DICTS, None),
    ([[str(k) for k in d] for d in DICTS], None),
    (np.tile(X, (1, 16)).reshape(N, 8, 8), None),
    (X.dot(X.T), None),
    (CATEGORIES, None),
)


def single(module, name):
    return getattr(importlib.import_module("sklearn." + module), name)


def required(cls):
    """Arguments for what has no default."""
    logistic = single("linear_model", "LogisticRegression")()
    ridge = single("linear_model", "Ridge")()
    tree = single("tree", "DecisionTreeClassifier")(max_depth=2)
    scaler = single("preprocessing", "StandardScaler")()
    name = cls.__name__
    regression = "Regressor" in name or "Regress" in name
    inner = ridge if regression else logistic
    if name in ("VotingClassifier", "StackingClassifier", "VotingRegressor", "StackingRegressor"):
        return {"estimators": [("a", inner), ("b", ridge if regression else tree)]}
    if name in ("GridSearchCV", "HalvingGridSearchCV"):
        return {"estimator": logistic, "param_grid": {"C": [0.1, 1.0]}}
    if name in ("RandomizedSearchCV", "HalvingRandomSearchCV"):
        grid = {"C": importlib.import_module("scipy.stats").uniform(0.1, 1)}
        return {"estimator": logistic, "param_distributions": grid}
    if name == "Pipeline":
        return {"steps": [("s", scaler), ("m", logistic)]}
    if name == "FeatureUnion":
        return {"transformer_list": [("s", scaler), ("p", single("decomposition", "PCA")(2))]}
    if name == "ColumnTransformer":
        return {"transformers": [("s", scaler, [0, 1]), ("p", "passthrough", slice(2, 4))]}
    if name == "SparseCoder":
        return {"dictionary": np.eye(4)}
    if name == "FrozenEstimator":
        return {"estimator": logistic.fit(X, Y2)}
    if name in ("ClassifierChain", "RegressorChain"):
        first = "base_estimator"
        try:
            cls(base_estimator=inner)
        except TypeError:
            first = "estimator"
        return {first: ridge if name == "RegressorChain" else logistic}
    if name == "MultiOutputRegressor":
        return {"estimator": ridge}
    return {"estimator": inner}


QUICK = {"n_estimators": 3, "max_iter": 30, "n_init": 1, "cv": 3, "n_iter": 3, "max_depth": 3}


def construct(cls):
    try:
        made = cls()
    except TypeError:
        made = cls(**required(cls))
    if cls.__name__ == "SelfTrainingClassifier":
        made = _self_training(cls)
    parameters = made.get_params(deep=False)
    quick = {k: v for k, v in QUICK.items() if k in parameters and parameters[k] != v}
    if cls.__name__ == "HistGradientBoostingClassifier" or "HistGradient" in cls.__name__:
        quick["max_iter"] = 3
    if cls.__name__ == "TSNE":
        quick = {"n_components": 2}
    if "RandomProjection" in cls.__name__:
        quick["n_components"] = 2
    if "MLP" in cls.__name__ or "RBM" in cls.__name__:
        quick["n_iter" if "n_iter" in parameters and "RBM" in cls.__name__ else "max_iter"] = 4
    if cls.__name__ in ("ARDRegression", "BayesianRidge"):
        quick.pop("n_iter", None)
    if cls.__name__ == "SelectKBest":
        quick["k"] = 2
    if cls.__name__ in (
        "OneHotEncoder",
        "CountVectorizer",
        "IsotonicRegression",
        "OrthogonalMatchingPursuitCV",
    ):
        quick = {}
    for key, value in quick.items():
        try:
            made.set_params(**{key: value})
        except ValueError:
            pass
    return made


def _self_training(cls):
    inner = single("linear_model", "LogisticRegression")()
    try:
        return cls(base_estimator=inner)
    except TypeError:
        return cls(estimator=inner)


def fit(cls):
    last = None
    for data, target in DATA:
        try:
            made = construct(cls)
            if target is None:
                made.fit(data)
            else:
                made.fit(data, target)
            return made
        except Exception as error:
            last = last or error
    raise last


def estimators():
    try:
        found = all_estimators(include_other=True, include_meta_estimators=True)
    except TypeError:
        found = all_estimators()
    return found


def cases():
    for path in (
        "experimental.enable_hist_gradient_boosting",
        "experimental.enable_iterative_imputer",
        "experimental.enable_halving_search_cv",
    ):
        try:
            importlib.import_module("sklearn." + path)
        except ImportError:
            pass
    try:
        importlib.import_module("joblib")
    except ImportError:
        importlib.import_module("sklearn.externals.joblib")
    for name, cls in estimators():
        yield name, lambda cls=cls: fit(cls)
        yield name + " unfitted", lambda cls=cls: construct(cls)
    try:
        imbalanced = importlib.import_module("imblearn.utils.testing").all_estimators()
    except ImportError:
        imbalanced = []
    for name, cls in imbalanced:
        yield "imblearn " + name, lambda cls=cls: resample(cls)


def resample(cls):
    target = np.array([0] * 28 + [1] * 12)
    inner = single("linear_model", "LogisticRegression")()
    try:
        made = cls()
    except TypeError:
        made = cls([("s", single("preprocessing", "StandardScaler")()), ("m", inner)])
    for key, value in (("n_estimators", 3), ("k_neighbors", 2), ("categorical_features", [3])):
        try:
            made.set_params(**{key: value})
        except (ValueError, AttributeError):
            pass
    for data in (X, CATEGORIES, np.c_[X[:, :3].astype(object), Y2]):
        try:
            if hasattr(made, "fit_resample") and not hasattr(made, "predict"):
                made.fit_resample(data, target)
            else:
                made.fit(data, target)
            return made
        except Exception as error:
            last = error
    raise last
