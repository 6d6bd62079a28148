"""statsmodels, category_encoders, and others that wrap scikit-learn."""

from __future__ import absolute_import, print_function

import importlib

import numpy as np

RNG = np.random.RandomState(0)
X = RNG.rand(40, 3)
Y = X.sum(axis=1) + RNG.rand(40)
Y2 = (Y.mean() < Y).astype(int)


def frame():
    pandas = importlib.import_module("pandas")
    made = pandas.DataFrame(X, columns=list("abc"))
    made["y"] = Y
    made["k"] = np.array(["u", "v", "w", "u"])[np.arange(40) % 4]
    return made


def statsmodels():
    sm = importlib.import_module("statsmodels.api")
    smf = importlib.import_module("statsmodels.formula.api")
    data = sm.add_constant(X)
    yield "OLS", lambda: sm.OLS(Y, data).fit()
    yield "OLS slim", lambda: _slim(sm.OLS(Y, data).fit())
    yield "OLS robust", lambda: sm.OLS(Y, data).fit(cov_type="HC1")
    yield "OLS frame", lambda: sm.OLS(frame()["y"], frame()[["a", "b"]]).fit()
    yield "OLS regularized", lambda: sm.OLS(Y, data).fit_regularized()
    yield "WLS", lambda: [sm.WLS(Y, data).fit(), sm.GLS(Y, data).fit(), sm.RLM(Y, data).fit()]
    yield "formula", lambda: smf.ols("y ~ a + b + C(k)", frame()).fit()
    yield "Logit", lambda: [sm.Logit(Y2, data).fit(disp=0), sm.Probit(Y2, data).fit(disp=0)]
    for name in (
        "Gaussian",
        "Binomial",
        "Poisson",
        "Gamma",
        "InverseGaussian",
        "NegativeBinomial",
        "Tweedie",
    ):
        yield (
            "GLM " + name,
            lambda n=name: sm.GLM(
                Y2 if n == "Binomial" else Y, data, getattr(sm.families, n)()
            ).fit(),
        )
    yield "Poisson", lambda: [sm.Poisson(Y2, data).fit(disp=0), sm.MNLogit(Y2, data).fit(disp=0)]
    yield "QuantReg", lambda: sm.QuantReg(Y, data).fit()
    yield "Mixed", lambda: smf.mixedlm("y ~ a", frame(), groups=frame()["k"]).fit()
    yield "GEE", lambda: smf.gee("y ~ a", "k", frame()).fit()
    tsa = importlib.import_module("statsmodels.tsa.api")
    series = np.cumsum(Y - Y.mean())
    yield "ARIMA", lambda: tsa.ARIMA(series, order=(1, 0, 0)).fit()
    yield "SARIMAX", lambda: tsa.SARIMAX(series, order=(1, 0, 0)).fit(disp=0)
    yield "AutoReg", lambda: tsa.AutoReg(series, 1).fit()
    yield "ExponentialSmoothing", lambda: tsa.ExponentialSmoothing(series).fit()
    yield "SimpleExp", lambda: [tsa.SimpleExpSmoothing(series).fit(), tsa.Holt(series).fit()]
    yield "VAR", lambda: tsa.VAR(X).fit(1)
    yield "UnobservedComponents", lambda: tsa.UnobservedComponents(series, "llevel").fit(disp=0)
    yield "ETS", lambda: tsa.ETSModel(series).fit(disp=0)
    yield "KDE", lambda: sm.nonparametric.KDEUnivariate(Y)


def _slim(result):
    result.remove_data()
    return result


def category_encoders():
    ce = importlib.import_module("category_encoders")
    for name in sorted(ce.__all__):
        yield (
            "encoder " + name,
            lambda n=name: getattr(ce, n)(cols=["k"]).fit(frame()[["a", "k"]], Y2),
        )


def more():
    for name, path, make in (
        ("mlxtend", "mlxtend.classifier", lambda m: m.LogisticRegression(epochs=2).fit(X, Y2)),
        ("hmmlearn", "hmmlearn.hmm", lambda m: m.GaussianHMM(2).fit(X)),
        ("lifelines", "lifelines", lambda m: m.KaplanMeierFitter().fit(Y)),
        ("lifelines cox", "lifelines", lambda m: m.CoxPHFitter().fit(frame()[["a", "y"]], "y")),
        ("hdbscan", "hdbscan", lambda m: m.HDBSCAN().fit(X)),
        ("umap", "umap", lambda m: m.UMAP(n_neighbors=3).fit(X)),
        ("ngboost", "ngboost", lambda m: m.NGBRegressor(n_estimators=2, verbose=False).fit(X, Y)),
        ("gensim", "gensim.models", lambda m: m.Word2Vec([["a", "b"], ["b", "c"]], min_count=1)),
        ("gensim lda", "gensim.models", lambda m: m.TfidfModel([[(0, 1), (1, 2)]])),
        ("optuna", "optuna", lambda m: m.create_study()),
        ("networkx", "networkx", lambda m: [m.path_graph(3), m.DiGraph(), m.MultiGraph()]),
        ("pmdarima", "pmdarima", lambda m: m.ARIMA((1, 0, 0)).fit(Y)),
        (
            "feature_engine",
            "feature_engine.imputation",
            lambda m: m.MeanMedianImputer().fit(frame()[["a"]]),
        ),
        (
            "feature_engine one",
            "feature_engine.encoding",
            lambda m: m.OneHotEncoder().fit(frame()[["k"]]),
        ),
        ("sktime", "sktime.forecasting.naive", lambda m: m.NaiveForecaster()),
        ("surprise", "surprise", lambda m: m.SVD()),
        ("implicit", "implicit.als", lambda m: m.AlternatingLeastSquares(factors=2)),
        ("crf", "sklearn_crfsuite", lambda m: m.CRF()),
        (
            "nltk",
            "nltk",
            lambda m: m.NaiveBayesClassifier.train([({"a": 1}, "x"), ({"a": 2}, "y")]),
        ),
        ("nltk counts", "nltk", lambda m: [m.FreqDist("abc"), m.ConditionalFreqDist([("a", 1)])]),
        ("nltk stem", "nltk.stem", lambda m: [m.PorterStemmer(), m.SnowballStemmer("english")]),
        ("pillow", "PIL.Image", lambda m: m.new("RGB", (2, 2))),
        ("sympy", "sympy", lambda m: m.symbols("x") + 1),
        ("formulaic", "formulaic", lambda m: m.model_matrix("y ~ a", frame())),
        ("patsy", "patsy", lambda m: m.dmatrix("a + k", frame()).design_info),
        ("attrs", "attr", lambda m: m.Factory(list)),
        ("yaml", "yaml", lambda m: m.safe_load("a: 1")),
        ("onnx", "onnx.helper", lambda m: m.make_tensor("x", 1, [1], [1.0])),
        ("tokenizers", "tokenizers", lambda m: m.Tokenizer(m.models.WordLevel({"a": 0}, "a"))),
        ("shap", "shap", lambda m: m.Explanation(X)),
        ("narwhals", "narwhals", lambda m: m.from_native(frame())),
        ("ml_dtypes", "ml_dtypes", lambda m: [np.zeros(2, m.bfloat16), np.dtype(m.float8_e4m3fn)]),
        ("pydantic", "pydantic", lambda m: m.TypeAdapter(int)),
        ("omegaconf", "omegaconf", lambda m: m.OmegaConf.create({"a": [1], "b": {"c": "x"}})),
        ("easydict", "easydict", lambda m: m.EasyDict(a=1)),
        ("addict", "addict", lambda m: m.Dict(a=1)),
        ("munch", "munch", lambda m: m.Munch(a=1)),
        ("box", "box", lambda m: m.Box(a=1)),
    ):
        yield name, lambda path=path, make=make: make(importlib.import_module(path))


def cases():
    for group in (statsmodels, category_encoders, more):
        try:
            for name, thunk in group():
                yield name, thunk
        except Exception as error:  # an import can fail in many ways
            yield group.__name__, lambda error=error: _again(error)


def _again(error):
    raise error
