"""Cases of `sklearn.svm`: every class, kernel, and form of libsvm's arrays."""

from __future__ import annotations

import numpy as np
from sklearn import svm

from .sklearn_cases import FRAME, XS, XSA, Y2, Y3, YREG, YSTR, X, _seed, fit

KERNEL = np.round(X @ X.T, 3)
KERNELS = ("linear", "poly", "rbf", "sigmoid")

for cls in (svm.SVC, svm.NuSVC):
    for kernel in KERNELS:
        nu = {"nu": 0.2} if cls is svm.NuSVC else {}
        fit(kernel, cls, X, Y3, kernel=kernel, **nu)
        fit(f"{kernel}-sparse", cls, XS, YSTR, kernel=kernel, **nu)
    fit("precomputed", cls, KERNEL, Y3, kernel="precomputed", **nu)
    fit("binary", cls, FRAME, Y2, decision_function_shape="ovo", **nu)
    fit("binary-sparse", cls, XSA, Y2 == 1, gamma="auto", **nu)
    fit("probability", cls, X, YSTR, probability=True, random_state=_seed, **nu)
    fit("probability-sparse", cls, XS, Y2, probability=True, random_state=0, **nu)
    fit("unfitted", cls, X, unfitted=True)
fit("ties", svm.SVC, X, Y3, break_ties=True, C=0.5, class_weight="balanced")
fit("weights", svm.SVC, XS, Y3, class_weight={0: 1, 1: 2.5, 2: 0.5}, shrinking=False)
fit("ovo", svm.SVC, X, Y3, decision_function_shape="ovo", max_iter=20, gamma=0.3, coef0=1)
for cls in (svm.SVR, svm.NuSVR, svm.OneClassSVM):
    for kernel in KERNELS:
        fit(kernel, cls, X, YREG, kernel=kernel, degree=2)
        fit(f"{kernel}-sparse", cls, XS, YREG, kernel=kernel)
    fit("precomputed", cls, KERNEL, YREG, kernel="precomputed")
    fit("frame", cls, FRAME, YREG, gamma=0.2)
fit("no-supports", svm.SVR, X, np.zeros(len(X)))
fit("no-supports-sparse", svm.SVR, XS, np.zeros(len(X)))
for kind in ("plain", "sparse"):
    data = X if kind == "plain" else XS
    fit(kind, svm.LinearSVC, data, Y3, random_state=_seed)
    fit(kind, svm.LinearSVR, data, YREG, random_state=0)
fit("l1", svm.LinearSVC, FRAME, YSTR, penalty="l1", dual=False, class_weight="balanced")
fit("hinge", svm.LinearSVC, X, Y2, loss="hinge", random_state=1, fit_intercept=False)
fit("crammer", svm.LinearSVC, X, Y2, multi_class="crammer_singer", random_state=0)
fit("squared", svm.LinearSVR, FRAME, YREG, loss="squared_epsilon_insensitive", epsilon=0.1)
