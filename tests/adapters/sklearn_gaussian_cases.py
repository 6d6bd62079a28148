"""Cases of `sklearn.gaussian_process`: both classes, every kernel and way to combine them."""

from __future__ import annotations

import numpy as np
from sklearn import gaussian_process as gp
from sklearn.gaussian_process import kernels as k

from .sklearn_cases import FRAME, XPOS, Y2, Y3, YMULTI, YREG, YSTR, Fitted, X, _seed, add, fit

regressor, classifier = gp.GaussianProcessRegressor, gp.GaussianProcessClassifier
KERNELS = {
    "constant": k.ConstantKernel(2.0) + k.RBF(),
    "white": k.RBF([1.0, 2, 3, 4, 5]) + k.WhiteKernel(0.1, "fixed"),
    "bounds": k.RBF(np.arange(1.0, 6), [(0.1, 10.0)] * 5),
    "matern": k.Matern(nu=1.5) * k.ConstantKernel(1.0, (0.1, 10.0)),
    "matern-half": k.Matern(nu=0.5),
    "matern-free": k.Matern(np.ones(5), nu=0.7),
    "matern-infinite": k.Matern(nu=np.inf),
    "quadratic": k.RationalQuadratic(alpha=0.5),
    "sine": k.ExpSineSquared(periodicity=2.0) * k.RBF() + k.WhiteKernel(0.5),
    "dot": k.DotProduct(0.5) ** 2 + k.WhiteKernel(0.5),
    "power": k.Exponentiation(k.RationalQuadratic(), 3),
    "nested": (k.RBF() + k.Matern()) * (k.DotProduct() + k.WhiteKernel()) ** 1.5,
}
for name, kernel in KERNELS.items():
    fit(name, regressor, X, YREG, kernel=kernel, random_state=0)
    if name != "nested":  # where the classifier finds no positive definite matrix
        fit(name, classifier, X, Y2, kernel=kernel, random_state=_seed)
for metric in ("linear", "poly", "polynomial", "rbf", "laplacian", "sigmoid", "cosine", "chi2"):
    pair = k.PairwiseKernel(metric=metric) + k.WhiteKernel(1.0)
    fit(f"pairwise-{metric}", regressor, XPOS, YREG, kernel=pair, alpha=1e-3)
keywords = k.PairwiseKernel(metric="poly", pairwise_kernels_kwargs={"degree": 2})
fit("keywords", regressor, X, YREG, kernel=keywords + k.WhiteKernel(1.0))
fit("plain", regressor, X, YREG)
fit("multi", regressor, X, YMULTI, normalize_y=True, alpha=np.full(len(X), 0.1))
fit(
    "frame", regressor, FRAME, YREG, kernel=KERNELS["white"], n_restarts_optimizer=1, random_state=1
)
fit("fixed", regressor, X, YREG, optimizer=None, copy_X_train=False, n_targets=1)
fit("unfitted", regressor, X, unfitted=True)
fit("plain", classifier, X, Y2)
fit("three", classifier, X, YSTR, kernel=k.RBF(), random_state=0)
fit("one-vs-one", classifier, FRAME, Y3, multi_class="one_vs_one", n_restarts_optimizer=1)
fit("warm", classifier, X, Y2, warm_start=True, again="warm", max_iter_predict=20, optimizer=None)
fit("unfitted", classifier, X, unfitted=True)


def _compound() -> Fitted:
    """Only the classifier itself makes compound kernels; by themselves they are plain objects."""
    shared = k.RBF(2.0)
    return Fitted([k.CompoundKernel([shared, k.Matern()]), shared + shared, shared], X)


add("CompoundKernel-plain", _compound)
