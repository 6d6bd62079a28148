"""NumPy and SciPy: arrays, scalars, dtypes, generators, sparse matrices, distributions."""

from __future__ import absolute_import, print_function

import importlib

import numpy as np

DTYPES = (
    "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16", "S3", "U3",
    "V4", "M8[s]", "m8[D]", "M8", ">i4", ">f8", "longdouble", "clongdouble", "O",
)  # fmt: skip


def arrays():
    for name in DTYPES:
        dtype = np.dtype(name)
        yield "array " + name, lambda dtype=dtype: np.zeros((2, 3), dtype)
        yield "dtype " + name, lambda dtype=dtype: dtype
        yield "scalar " + name, lambda dtype=dtype: np.zeros((2,), dtype)[0]
        yield "type " + name, lambda dtype=dtype: dtype.type
    structured = [("a", "i4"), ("b", "f8", (2,)), ("c", "S3")]
    yield "structured", lambda: np.zeros(3, structured)
    yield "structured scalar", lambda: np.zeros(3, structured)[0]
    yield "nested dtype", lambda: np.dtype([("x", structured), ("y", "O")], align=True)
    yield "titles", lambda: np.dtype({"names": ["a"], "formats": ["i4"], "titles": ["t"]})
    yield "metadata", lambda: np.dtype("i4", metadata={"a": 1})
    yield "subarray dtype", lambda: np.dtype(("i4", (2, 2)))
    yield "empty", lambda: [np.zeros(0), np.array(1.5), np.zeros((0, 3), "i4")]
    yield "fortran", lambda: np.asfortranarray(np.eye(3))
    yield "views", lambda: [np.arange(10)[::2], np.arange(6).reshape(2, 3).T]
    yield "large", lambda: np.arange(20000.0)
    yield "objects", lambda: np.array([1, "a", None, [1], {"b": 2}], dtype=object)
    yield "shared", lambda: [np.eye(2)] * 2
    yield "matrix", lambda: np.asmatrix(np.eye(2))
    yield "records", lambda: np.zeros(2, [("a", "i4")]).view(np.recarray)
    yield "record", lambda: np.zeros(2, [("a", "i4")]).view(np.recarray)[0]
    yield "chararray", lambda: importlib.import_module("numpy.char").array(["a", "b"])
    ma = importlib.import_module("numpy.ma")
    yield "masked", lambda: ma.array([1, 2, 3], mask=[0, 1, 0])
    yield "masked records", lambda: ma.zeros(2, [("a", "i4")])
    yield "masked constants", lambda: [ma.masked, ma.nomask]
    yield "mvoid", lambda: ma.array([(1,)], mask=[(1,)], dtype=[("a", "i4")])[0]
    yield "poly1d", lambda: np.poly1d([1, 2])
    polynomial = importlib.import_module("numpy.polynomial")
    for name in ("Polynomial", "Chebyshev", "Legendre", "Hermite", "HermiteE", "Laguerre"):
        if hasattr(polynomial, name):
            yield name, lambda name=name: getattr(polynomial, name)([1, 2, 3])
    yield "ndenumerate", lambda: [np.s_[1:2], np.index_exp[0], np.nan, np.inf, np.newaxis]
    if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
        yield "StringDType", lambda: np.array(["a", "bc"], dtype=np.dtypes.StringDType())
        missing = np.dtypes.StringDType
        yield "StringDType na", lambda: [missing(na_object=np.nan), missing(na_object=None)]
        yield "dtype classes", lambda: [np.dtypes.Float64DType, np.dtypes.Int32DType]
    yield "memmap", _memmap


def _memmap():
    import os
    import tempfile

    handle, path = tempfile.mkstemp()
    os.close(handle)
    try:
        mapped = np.memmap(path, "f8", "w+", shape=(3,))
        return [np.array(mapped), mapped]
    finally:
        os.unlink(path)


UFUNCS = [
    "log",
    "log1p",
    "log2",
    "log10",
    "exp",
    "expm1",
    "exp2",
    "sqrt",
    "cbrt",
    "square",
    "abs",
    "absolute",
    "fabs",
    "negative",
    "sign",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "floor",
    "ceil",
    "rint",
    "trunc",
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "power",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "mod",
    "isnan",
    "isfinite",
    "isinf",
    "logical_not",
    "logical_and",
    "logical_or",
    "deg2rad",
    "rad2deg",
    "hypot",
    "arctan2",
    "logaddexp",
    "clip",
]
FUNCTIONS = [
    "mean",
    "median",
    "std",
    "var",
    "sum",
    "prod",
    "min",
    "max",
    "amin",
    "amax",
    "argmin",
    "argmax",
    "argsort",
    "sort",
    "ptp",
    "percentile",
    "quantile",
    "nanmean",
    "nanmedian",
    "nanstd",
    "nanmin",
    "nanmax",
    "nansum",
    "cumsum",
    "cumprod",
    "round",
    "around",
    "nan_to_num",
    "clip",
    "ravel",
    "reshape",
    "squeeze",
    "transpose",
    "unique",
    "where",
    "dot",
    "concatenate",
    "vstack",
    "hstack",
    "stack",
    "array",
    "asarray",
    "zeros",
    "ones",
    "full",
    "eye",
    "linspace",
    "arange",
    "any",
    "all",
    "count_nonzero",
    "diff",
    "average",
    "corrcoef",
    "cov",
    "searchsorted",
    "digitize",
    "bincount",
    "histogram",
    "interp",
    "isclose",
    "allclose",
    "array_equal",
    "expand_dims",
    "column_stack",
    "log1p",
    "angle",
    "real",
    "imag",
    "conj",
    "nanpercentile",
    "trapz",
    "convolve",
    "flip",
    "roll",
    "tile",
    "repeat",
    "identity",
    "outer",
    "inner",
    "cross",
    "matmul",
    "tensordot",
    "einsum",
    "triu",
    "tril",
    "diag",
    "diagonal",
    "trace",
    "append",
    "delete",
    "insert",
    "nanargmax",
    "size",
    "shape",
    "ndim",
    "copy",
]


def functions():
    for name in UFUNCS:
        if hasattr(np, name):
            yield "ufunc " + name, lambda name=name: getattr(np, name)
    for name in FUNCTIONS:
        if hasattr(np, name):
            yield "function " + name, lambda name=name: getattr(np, name)
    linalg = importlib.import_module("numpy.linalg")
    for name in ("norm", "inv", "pinv", "svd", "eig", "solve", "det"):
        yield "linalg " + name, lambda name=name: getattr(linalg, name)


def generators():
    random = np.random
    yield "RandomState", lambda: random.RandomState(1)
    yield "RandomState method", lambda: random.RandomState(1).uniform
    yield "module functions", lambda: [random.rand, random.uniform, random.normal]
    if hasattr(random, "Generator"):
        yield "default_rng", lambda: random.default_rng(1)
        for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
            if hasattr(random, name):
                kind = getattr(random, name)
                yield name, lambda kind=kind: [kind(1), random.Generator(kind(2))]
                yield name + " state", lambda kind=kind: random.RandomState(kind(3))
        yield "SeedSequence", lambda: [random.SeedSequence(1), random.SeedSequence(2).spawn(1)]


def sparse():
    sp = importlib.import_module("scipy.sparse")
    base = sp.random(5, 6, 0.4, "csr", random_state=0)
    for name in ("csr", "csc", "coo", "lil", "dok", "dia", "bsr"):
        yield name + " matrix", lambda name=name: getattr(sp, name + "_matrix")(base)
        if hasattr(sp, name + "_array"):
            yield name + " array", lambda name=name: getattr(sp, name + "_array")(base)
    yield "types", lambda: [sp.csr_matrix, sp.coo_matrix]
    linalg = importlib.import_module("scipy.sparse.linalg")
    yield "LinearOperator", lambda: linalg.aslinearoperator(base)


def scipy_parts():
    stats = importlib.import_module("scipy.stats")
    for name in ("norm", "uniform", "expon", "gamma", "beta", "t", "lognorm", "loguniform"):
        if hasattr(stats, name):
            made = getattr(stats, name)
            arguments = {"gamma": (2,), "beta": (1, 2), "t": (3,), "lognorm": (1,)}
            arguments["loguniform"] = (1, 2)
            yield "frozen " + name, lambda m=made, a=arguments.get(name, ()): m(*a)
            yield "distribution " + name, lambda m=made: m
    for name in sorted(dir(stats)):
        made = getattr(stats, name)
        if isinstance(made, (stats.rv_continuous, stats.rv_discrete)):
            yield "distribution class " + name, lambda m=made: m
    yield "frozen discrete", lambda: [stats.randint(1, 5), stats.poisson(3), stats.binom(3, 0.5)]
    yield "bernoulli", lambda: [stats.bernoulli(0.5), stats.geom(0.5)]
    yield "multivariate", lambda: stats.multivariate_normal([0, 0], np.eye(2))
    yield "dirichlet", lambda: [stats.dirichlet([1, 2]), stats.wishart(3, np.eye(2))]
    yield "kde", lambda: stats.gaussian_kde(np.random.RandomState(0).rand(20))
    yield "rv_histogram", lambda: stats.rv_histogram(np.histogram([1.0, 2, 2, 3], bins=3))
    yield "ecdf", lambda: stats.ecdf([1.0, 2, 3])
    yield (
        "results",
        lambda: [stats.ttest_ind([1.0, 2, 3], [2.0, 3, 5]), stats.linregress([1, 2], [3, 5])],
    )
    yield "describe", lambda: [stats.describe([1.0, 2, 3]), stats.pearsonr([1, 2, 3], [1, 2, 4])]
    yield "qmc", lambda: importlib.import_module("scipy.stats.qmc").Sobol(2, seed=1)


def interpolators():
    ip = importlib.import_module("scipy.interpolate")
    x = np.arange(8.0)
    y = np.sin(x)
    grid = np.arange(12.0).reshape(3, 4)
    yield "interp1d", lambda: ip.interp1d(x, y)
    yield "interp1d cubic", lambda: ip.interp1d(x, y, kind="cubic", fill_value="extrapolate")
    yield (
        "UnivariateSpline",
        lambda: [ip.UnivariateSpline(x, y), ip.InterpolatedUnivariateSpline(x, y)],
    )
    yield "CubicSpline", lambda: ip.CubicSpline(x, y)
    yield "Pchip", lambda: [ip.PchipInterpolator(x, y), ip.Akima1DInterpolator(x, y)]
    yield "BSpline", lambda: ip.make_interp_spline(x, y)
    yield "PPoly", lambda: ip.PPoly(np.ones((2, 7)), x)
    yield "RegularGrid", lambda: ip.RegularGridInterpolator((x[:3], x[:4]), grid)
    yield "RBF", lambda: ip.RBFInterpolator(x[:, None], y)
    yield "old Rbf", lambda: ip.Rbf(x, y)
    yield "RectBivariate", lambda: ip.RectBivariateSpline(x[:4], x[:4], np.eye(4))
    yield "Bary", lambda: ip.BarycentricInterpolator(x, y)
    yield "Linear", lambda: ip.LinearNDInterpolator([[0, 0], [0, 1], [1, 0.0]], [1, 2, 3])
    yield "Nearest", lambda: ip.NearestNDInterpolator([[0, 0], [0, 1], [1, 0.0]], [1, 2, 3])
    spatial = importlib.import_module("scipy.spatial")
    points = np.random.RandomState(0).rand(20, 2)
    yield "cKDTree", lambda: [spatial.cKDTree(points), spatial.KDTree(points)]
    yield (
        "Rotation",
        lambda: importlib.import_module("scipy.spatial.transform").Rotation.from_quat([0, 0, 0, 1]),
    )
    yield "Delaunay", lambda: [spatial.Delaunay(points), spatial.ConvexHull(points)]
    optimize = importlib.import_module("scipy.optimize")
    yield "OptimizeResult", lambda: optimize.minimize_scalar(np.cos)
    yield "minimize", lambda: optimize.minimize(np.cos, 1.0)
    yield "least squares", lambda: optimize.least_squares(np.cos, 1.0)
    yield "linprog", lambda: optimize.linprog([1], bounds=[(0, 1)])
    signal = importlib.import_module("scipy.signal")
    yield "lti", lambda: [signal.lti([1.0], [1.0, 2.0]), signal.dlti([1.0], [1.0, 2.0], dt=0.1)]
    special = importlib.import_module("scipy.special")
    for name in (
        "expit",
        "logit",
        "gamma",
        "gammaln",
        "erf",
        "softmax",
        "logsumexp",
        "boxcox",
        "inv_boxcox",
    ):
        if hasattr(special, name):
            yield "special " + name, lambda name=name: getattr(special, name)
    distance = importlib.import_module("scipy.spatial.distance")
    for name in (
        "cosine",
        "euclidean",
        "cityblock",
        "jaccard",
        "correlation",
        "hamming",
        "pdist",
        "cdist",
    ):
        yield "distance " + name, lambda name=name: getattr(distance, name)
    fft = importlib.import_module("scipy.linalg")
    yield "linalg", lambda: [fft.norm, fft.pinv, fft.svd]


def cases():
    for group in (arrays, functions, generators, sparse, scipy_parts, interpolators):
        for name, thunk in group():
            yield name, thunk
