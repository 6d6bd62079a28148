"""scikit-learn's parts that estimators of the default parameters do not hold."""

from __future__ import absolute_import, print_function

import importlib

import numpy as np

from libraries.learning import DOCUMENTS, Y2, Y3, YMANY, YREG, YTEXT, X, single


def module(name):
    return importlib.import_module("sklearn." + name)


def losses():
    linear, ensemble = module("linear_model"), module("ensemble")
    for loss in (
        "hinge",
        "log",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_loss",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ):
        yield "SGD " + loss, lambda v=loss: linear.SGDClassifier(loss=v, random_state=0).fit(X, Y3)
        yield "SGD binary " + loss, lambda v=loss: linear.SGDClassifier(loss=v).fit(X, Y2)
        yield "SGDR " + loss, lambda v=loss: linear.SGDRegressor(loss=v).fit(X, YREG)
    for loss in ("deviance", "exponential", "log_loss"):
        cls = ensemble.GradientBoostingClassifier
        yield "GB " + loss, lambda v=loss, c=cls: c(loss=v, n_estimators=2).fit(X, Y2)
        yield "GB many " + loss, lambda v=loss, c=cls: c(loss=v, n_estimators=2).fit(X, Y3)
    for loss in ("ls", "lad", "huber", "quantile", "squared_error", "absolute_error"):
        cls = ensemble.GradientBoostingRegressor
        yield "GBR " + loss, lambda v=loss, c=cls: c(loss=v, n_estimators=2).fit(X, YREG)
    zero = module("dummy").DummyRegressor()
    yield (
        "GB init",
        lambda: ensemble.GradientBoostingRegressor(n_estimators=2, init=zero).fit(X, YREG),
    )
    yield (
        "GB zero",
        lambda: ensemble.GradientBoostingRegressor(n_estimators=2, init="zero").fit(X, YREG),
    )
    yield (
        "GB early",
        lambda: ensemble.GradientBoostingClassifier(n_estimators=9, n_iter_no_change=2).fit(X, Y2),
    )
    for loss in ("auto", "log_loss", "binary_crossentropy", "categorical_crossentropy"):
        for y in (Y2, Y3, YTEXT):
            yield (
                "HGB " + loss,
                lambda v=loss, y=y: ensemble.HistGradientBoostingClassifier(
                    loss=v, max_iter=2, min_samples_leaf=3
                ).fit(X, y),
            )
    for loss in (
        "squared_error",
        "least_squares",
        "absolute_error",
        "least_absolute_deviation",
        "poisson",
        "gamma",
        "quantile",
    ):
        more = {"quantile": 0.5} if loss == "quantile" else {}
        yield (
            "HGBR " + loss,
            lambda v=loss, m=more: ensemble.HistGradientBoostingRegressor(
                loss=v, max_iter=2, min_samples_leaf=3, **m
            ).fit(X, YREG),
        )
    yield (
        "HGB categories",
        lambda: ensemble.HistGradientBoostingClassifier(
            max_iter=2, min_samples_leaf=3, categorical_features=[3], early_stopping=True
        ).fit(np.c_[X[:, :3], Y3], Y2),
    )
    for name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"):
        yield name, lambda n=name: getattr(linear, n)().fit(X, YREG + 1)
    for power in (0, 1, 1.5, 2, 3):
        yield (
            "Tweedie %s" % power,
            lambda p=power: linear.TweedieRegressor(power=p).fit(X, YREG + 1),
        )
    for kernel in ("linear", "rbf", "poly", "sigmoid"):
        yield (
            "SVC " + kernel,
            lambda k=kernel: module("svm").SVC(kernel=k, probability=True).fit(X, Y2),
        )
    for solver in ("liblinear", "lbfgs", "newton-cg", "sag", "saga", "newton-cholesky"):
        yield "Logistic " + solver, lambda s=solver: linear.LogisticRegression(solver=s).fit(X, Y2)
    for solver in ("adam", "sgd", "lbfgs"):
        for cls, y in (("MLPClassifier", Y3), ("MLPRegressor", YREG)):
            yield (
                cls + " " + solver,
                lambda s=solver, c=cls, y=y: single("neural_network", c)(
                    hidden_layer_sizes=(5,), solver=s, max_iter=3, early_stopping=s != "lbfgs"
                ).fit(X, y),
            )
    for criterion in ("gini", "entropy", "log_loss"):
        yield (
            "tree " + criterion,
            lambda c=criterion: module("tree").DecisionTreeClassifier(criterion=c).fit(X, YTEXT),
        )
    for criterion in ("mse", "mae", "friedman_mse", "squared_error", "absolute_error", "poisson"):
        yield (
            "treeR " + criterion,
            lambda c=criterion: module("tree").DecisionTreeRegressor(criterion=c).fit(X, YREG),
        )
    yield "multi tree", lambda: module("tree").DecisionTreeRegressor().fit(X, YMANY)
    for name in ("SAMME", "SAMME.R"):
        yield (
            "Ada " + name,
            lambda n=name: ensemble.AdaBoostClassifier(algorithm=n, n_estimators=2).fit(X, Y3),
        )


def kernels():
    gp = module("gaussian_process")
    k = module("gaussian_process.kernels")
    made = [k.RBF(), k.Matern(), k.RationalQuadratic(), k.ExpSineSquared(), k.DotProduct()]
    made += [
        k.WhiteKernel() + k.RBF(),
        k.ConstantKernel() * k.RBF(),
        k.RBF() ** 2,
        k.PairwiseKernel(),
    ]
    made += [k.CompoundKernel([k.RBF(), k.RBF()]), k.Hyperparameter("x", "numeric", (1, 2))]
    for kernel in made:
        yield "kernel " + type(kernel).__name__, lambda kernel=kernel: kernel
    for kernel in made[:9]:
        yield (
            "GPR " + type(kernel).__name__,
            lambda kernel=kernel: gp.GaussianProcessRegressor(kernel).fit(X, YREG),
        )
    yield "GPC", lambda: gp.GaussianProcessClassifier(k.RBF(), multi_class="one_vs_one").fit(X, Y3)
    yield "GPC rest", lambda: gp.GaussianProcessClassifier(n_restarts_optimizer=1).fit(X, Y2)


def neighbors():
    nb = module("neighbors")
    metrics = (
        "euclidean",
        "manhattan",
        "chebyshev",
        "minkowski",
        "seuclidean",
        "mahalanobis",
        "wminkowski",
        "hamming",
        "canberra",
        "braycurtis",
        "jaccard",
        "matching",
        "dice",
        "kulsinski",
        "rogerstanimoto",
        "russellrao",
        "sokalmichener",
        "sokalsneath",
        "haversine",
    )
    options = {
        "minkowski": {"p": 3},
        "seuclidean": {"V": np.ones(4)},
        "mahalanobis": {"V": np.eye(4)},
    }
    options["wminkowski"] = {"p": 3, "w": np.ones(4)}
    for metric in metrics:
        data = X[:, :2] if metric == "haversine" else X
        for name in ("BallTree", "KDTree"):
            yield (
                name + " " + metric,
                lambda n=name, m=metric, d=data: getattr(nb, n)(d, metric=m, **options.get(m, {})),
            )
        yield (
            "neighbours " + metric,
            lambda m=metric, d=data: nb.KNeighborsClassifier(
                metric=m, algorithm="ball_tree", metric_params=options.get(m)
            ).fit(d, Y2),
        )
    for algorithm in ("brute", "kd_tree", "ball_tree"):
        for cls in ("KNeighborsClassifier", "KNeighborsRegressor", "RadiusNeighborsRegressor"):
            yield (
                cls + algorithm,
                lambda c=cls, a=algorithm: getattr(nb, c)(algorithm=a, weights="distance").fit(
                    X, Y2
                ),
            )
    yield "float32 tree", lambda: [nb.KDTree(X.astype("f4")), nb.BallTree(X.astype("f4"))]
    yield (
        "trees 32",
        lambda: [
            module("neighbors._kd_tree").KDTree32(X.astype("f4")),
            module("neighbors._ball_tree").BallTree32(X.astype("f4")),
        ],
    )
    yield "KDE", lambda: nb.KernelDensity(kernel="tophat").fit(X)
    yield "cluster", lambda: [module("cluster").DBSCAN().fit(X), module("cluster").Birch().fit(X)]


def metrics():
    m = module("metrics")
    names = sorted(getattr(m, "SCORERS", {})) or list(m.get_scorer_names())
    for name in names:
        yield "scorer " + name, lambda n=name: m.get_scorer(n)
    yield (
        "make_scorer",
        lambda: [m.make_scorer(m.f1_score, average="macro"), m.make_scorer(m.fbeta_score, beta=2)],
    )
    for name in sorted(n for n in m.__all__ if n.islower()):
        yield "metric " + name, lambda n=name: getattr(m, n)
    pairwise = module("metrics.pairwise")
    for name in sorted(
        n for n in dir(pairwise) if n.endswith(("_kernel", "_distances", "_similarity"))
    ):
        yield "pairwise " + name, lambda n=name: getattr(pairwise, n)


def splitters():
    ms = module("model_selection")
    for name in (
        "KFold",
        "StratifiedKFold",
        "GroupKFold",
        "ShuffleSplit",
        "StratifiedShuffleSplit",
        "TimeSeriesSplit",
        "LeaveOneOut",
        "RepeatedKFold",
        "RepeatedStratifiedKFold",
        "StratifiedGroupKFold",
        "GroupShuffleSplit",
        "LeaveOneGroupOut",
    ):
        if hasattr(ms, name):
            yield name, lambda n=name: getattr(ms, n)()
            yield (
                "search " + name,
                lambda n=name: ms.GridSearchCV(
                    single("linear_model", "Ridge")(),
                    {"alpha": [1, 2]},
                    cv=getattr(ms, n)(),
                    scoring="r2",
                ).fit(X, Y2, groups=Y3),
            )
    yield "LeavePOut", lambda: [ms.LeavePOut(1), ms.LeavePGroupsOut(1), ms.PredefinedSplit([0, 1])]
    yield "grids", lambda: [ms.ParameterGrid({"a": [1]}), ms.ParameterSampler({"a": [1]}, 1)]
    yield (
        "search many",
        lambda: ms.GridSearchCV(
            single("linear_model", "Ridge")(),
            {"alpha": [1, 2]},
            scoring=["r2", "neg_mean_squared_error"],
            refit="r2",
            cv=3,
        ).fit(X, YREG),
    )
    yield (
        "search callable",
        lambda: ms.GridSearchCV(
            single("linear_model", "Ridge")(),
            {"alpha": [1, 2]},
            cv=3,
            scoring=module("metrics").make_scorer(module("metrics").r2_score),
        ).fit(X, YREG),
    )
    if hasattr(ms, "TunedThresholdClassifierCV"):
        yield (
            "threshold",
            lambda: ms.TunedThresholdClassifierCV(
                single("linear_model", "LogisticRegression")(), scoring="f1", cv=3
            ).fit(X, Y2),
        )


def preparing():
    pre, text = module("preprocessing"), module("feature_extraction.text")
    compose, pipeline = module("compose"), module("pipeline")
    scaler, logistic = pre.StandardScaler(), single("linear_model", "LogisticRegression")()
    for name in ("log1p", "exp", "sqrt", "square", "clip", "abs"):
        yield "function " + name, lambda n=name: pre.FunctionTransformer(getattr(np, n))
    yield "function inverse", lambda: pre.FunctionTransformer(np.log1p, np.expm1, validate=True)
    for analyzer in ("word", "char", "char_wb"):
        for cls in ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer"):
            yield (
                cls + analyzer,
                lambda c=cls, a=analyzer: getattr(text, c)(
                    analyzer=a, ngram_range=(1, 2), strip_accents="unicode"
                ).fit(DOCUMENTS),
            )
    yield (
        "stop words",
        lambda: text.TfidfVectorizer(stop_words="english", dtype=np.float32).fit(DOCUMENTS),
    )
    yield (
        "stop word set",
        lambda: text.CountVectorizer(stop_words=list(text.ENGLISH_STOP_WORDS)).fit(DOCUMENTS),
    )
    yield (
        "own tokenizer",
        lambda: text.CountVectorizer(tokenizer=str.split, preprocessor=str.lower).fit(DOCUMENTS),
    )
    yield (
        "text pipeline",
        lambda: pipeline.make_pipeline(text.TfidfVectorizer(), logistic).fit(DOCUMENTS, Y2),
    )
    yield (
        "cached pipeline",
        lambda: pipeline.Pipeline([("s", scaler), ("m", logistic)], memory=None).fit(X, Y2),
    )
    yield "memory", lambda: importlib.import_module("joblib").Memory(None)
    frame = _frame()
    yield (
        "column transformer",
        lambda: compose.ColumnTransformer(
            [("n", scaler, ["a", "b"]), ("c", pre.OneHotEncoder(handle_unknown="ignore"), ["k"])],
            remainder="passthrough",
        ).fit(frame),
    )
    yield (
        "column selector",
        lambda: compose.make_column_transformer(
            (scaler, compose.make_column_selector(dtype_include=np.number)),
            (pre.OneHotEncoder(), compose.make_column_selector(dtype_include=object)),
        ).fit(frame),
    )
    yield "column pattern", lambda: compose.make_column_selector(pattern="a|b")
    yield (
        "column drop",
        lambda: compose.ColumnTransformer(
            [("n", scaler, slice(0, 2)), ("d", "drop", ["k"])], remainder=pre.MinMaxScaler()
        ).fit(frame),
    )
    yield (
        "full",
        lambda: pipeline.make_pipeline(
            compose.make_column_transformer((scaler, ["a", "b"]), (pre.OneHotEncoder(), ["k"])),
            single("ensemble", "RandomForestClassifier")(n_estimators=3),
        ).fit(frame, Y2),
    )
    yield "output", lambda: scaler.set_output(transform="pandas").fit(frame[["a"]])
    yield (
        "target",
        lambda: compose.TransformedTargetRegressor(
            single("linear_model", "Ridge")(), func=np.log1p, inverse_func=np.expm1
        ).fit(X, YREG),
    )
    yield (
        "target transformer",
        lambda: compose.TransformedTargetRegressor(
            single("linear_model", "Ridge")(), transformer=pre.QuantileTransformer(n_quantiles=5)
        ).fit(X, YREG),
    )
    yield (
        "ordinal",
        lambda: pre.OrdinalEncoder(categories=[["u", "v", "w"]], dtype=np.int64).fit(frame[["k"]]),
    )
    selection = module("feature_selection")
    for name in (
        "f_classif",
        "chi2",
        "f_regression",
        "mutual_info_classif",
        "mutual_info_regression",
        "f_oneway",
        "r_regression",
    ):
        yield (
            "select " + name,
            lambda n=name: selection.SelectKBest(getattr(selection, n), k=2).fit(X, Y2),
        )
    yield (
        "power",
        lambda: [pre.PowerTransformer().fit(X), pre.QuantileTransformer(n_quantiles=5).fit(X)],
    )
    yield "bins", lambda: [pre.KBinsDiscretizer(3, encode=e).fit(X) for e in ("onehot", "ordinal")]
    yield "splines", lambda: [pre.SplineTransformer().fit(X), pre.PolynomialFeatures().fit(X)]


def calibration():
    calibrated = single("calibration", "CalibratedClassifierCV")
    naive = single("naive_bayes", "GaussianNB")
    for method in ("sigmoid", "isotonic", "temperature"):
        yield (
            "calibrated " + method,
            lambda m=method: calibrated(naive(), method=m, cv=3).fit(X, Y2),
        )
    isotonic = single("isotonic", "IsotonicRegression")
    yield "isotonic", lambda: isotonic(out_of_bounds="clip").fit(X[:, 0], YREG)
    multiclass = module("multiclass")
    linear = single("svm", "LinearSVC")
    for name in ("OneVsRestClassifier", "OneVsOneClassifier", "OutputCodeClassifier"):
        yield name, lambda n=name: getattr(multiclass, n)(linear()).fit(X, YTEXT)
    yield (
        "constant",
        lambda: multiclass.OneVsRestClassifier(linear()).fit(X, np.c_[Y2, np.ones(len(Y2), int)]),
    )
    forest = single("ensemble", "RandomForestClassifier")
    yield (
        "weights",
        lambda: forest(
            3, class_weight={0: 1, 1: 2}, oob_score=False, random_state=np.random.RandomState(0)
        ).fit(X, Y2),
    )
    yield "forest frame", lambda: forest(3).fit(_frame()[["a", "b"]], YTEXT)
    bagging = single("ensemble", "BaggingClassifier")
    yield "bagging", lambda: bagging(n_estimators=2).fit(X, Y2)
    voting = single("ensemble", "VotingClassifier")
    yield "voting", lambda: voting([("n", naive()), ("f", forest(2))], voting="soft").fit(X, YTEXT)
    ridge = single("linear_model", "RidgeCV")
    yield "ridge", lambda: ridge().fit(X, YREG)
    mixture = module("mixture")
    for kind in ("full", "tied", "diag", "spherical"):
        yield "mixture " + kind, lambda k=kind: mixture.GaussianMixture(2, covariance_type=k).fit(X)


def datasets():
    sets = module("datasets")
    yield "bunch", lambda: sets.load_iris()
    utils = module("utils")
    yield "utils bunch", lambda: utils.Bunch(a=1)
    yield "tags", lambda: single("utils", "get_tags")(single("linear_model", "Ridge")())
    yield "display", lambda: module("metrics").ConfusionMatrixDisplay(np.eye(2))
    yield "not fitted", lambda: module("exceptions").NotFittedError("x")
    yield "learning curve", lambda: module("utils.validation").check_array
    yield "exceptions", lambda: module("exceptions").ConvergenceWarning("x")


def _frame():
    pandas = importlib.import_module("pandas")
    keys = np.array(["u", "v", "w"], dtype=object)[Y3]
    return pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "k": keys})


def cases():
    for group in (losses, kernels, neighbors, metrics, splitters, preparing, calibration, datasets):
        try:
            for name, thunk in group():
                yield name, thunk
        except Exception as error:  # old versions lack modules
            yield group.__name__, lambda error=error: _again(error)


def _again(error):
    raise error
