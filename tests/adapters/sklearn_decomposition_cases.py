"""Fitted decompositions, covariances, embeddings, mixtures, projections and small networks."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn import (
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    isotonic,
    kernel_approximation,
    kernel_ridge,
    manifold,
    mixture,
    neural_network,
    random_projection,
    semi_supervised,
)
from sklearn.feature_extraction.image import PatchExtractor

from .sklearn_cases import (
    FRAME,
    XPOS,
    XS,
    XSA,
    Y2,
    Y3,
    YLABELS,
    YMULTI,
    YREG,
    YSTR,
    F,
    N,
    X,
    fit,
)
from .sklearn_cluster_cases import DISTANCES, NEAR, X32

POSITIVE_SPARSE = sp.csr_matrix(XPOS)
COUNTS = sp.csr_matrix(np.arange(N * F).reshape(N, F) % 4)
SIMILAR = X @ X.T


def _seed() -> np.random.RandomState:
    return np.random.RandomState(3)


def _covariances() -> None:
    cov = covariance
    shrunk = (cov.EmpiricalCovariance, cov.LedoitWolf, cov.OAS, cov.ShrunkCovariance)
    for cls in (*shrunk, cov.MinCovDet, cov.EllipticEnvelope):
        seeded = {} if cls in shrunk else {"random_state": 0}
        fit("plain", cls, X, **seeded)
        fit("frame", cls, FRAME, assume_centered=True, store_precision=False, **seeded)
        fit("float32", cls, X32, **seeded)
    fit("plain", cov.GraphicalLasso, X)
    fit("plain", cov.GraphicalLassoCV, X, alphas=2, n_refinements=1, cv=2)
    fit("precomputed", cov.GraphicalLasso, np.cov(X.T), covariance="precomputed", mode="lars")
    fit("alphas", cov.GraphicalLassoCV, FRAME, alphas=[0.1, 0.2], cv=3)
    linear = discriminant_analysis.LinearDiscriminantAnalysis
    for solver in ("svd", "lsqr", "eigen"):
        fit(solver, linear, FRAME, YSTR, solver=solver, store_covariance=True)
    fit("binary", linear, X, Y2, priors=[0.4, 0.6], n_components=1)
    fit("shrunk", linear, X, Y3, solver="lsqr", shrinkage="auto")
    fit("oas", linear, X, Y3, solver="eigen", covariance_estimator=cov.OAS())
    quadratic = discriminant_analysis.QuadraticDiscriminantAnalysis
    fit("plain", quadratic, X, YSTR, store_covariance=True)
    fit("priors", quadratic, FRAME, Y2, priors=[0.4, 0.6], reg_param=0.1)
    if "solver" in quadratic().get_params():
        fit("eigen", quadratic, X, Y3, solver="eigen", shrinkage="auto")


def _components() -> None:
    de = decomposition
    for cls in (de.PCA, de.KernelPCA, de.IncrementalPCA, de.TruncatedSVD, de.FactorAnalysis):
        again = "partial" if cls is de.IncrementalPCA else None
        seeded = {} if cls in (de.IncrementalPCA,) else {"random_state": 0}
        fit("plain", cls, X, n_components=2, again=again, **seeded)
        fit("frame", cls, FRAME, n_components=3, again=again, **seeded)
        fit("unfitted", cls, X, unfitted=True)
    fit("float32", de.PCA, X32, n_components=2, whiten=True, svd_solver="randomized",
        random_state=_seed)  # fmt: skip
    fit("mle", de.PCA, X, n_components="mle")
    fit("share", de.PCA, X, n_components=0.8)
    fit("sparse", de.PCA, XS, n_components=2, svd_solver="arpack", random_state=0)
    fit("eigh", de.PCA, X, svd_solver="covariance_eigh", whiten=True)
    fit("batches", de.IncrementalPCA, XS, batch_size=12, whiten=True)
    fit("arpack", de.TruncatedSVD, XS, algorithm="arpack", random_state=0)
    for kernel in ("poly", "rbf", "sigmoid", "cosine"):
        fit(kernel, de.KernelPCA, X, kernel=kernel, n_components=2,
            fit_inverse_transform=kernel == "rbf")  # fmt: skip
    fit("precomputed", de.KernelPCA, SIMILAR, kernel="precomputed")
    fit("sparse", de.KernelPCA, XSA, kernel="rbf", eigen_solver="arpack", n_components=2,
        random_state=0)  # fmt: skip
    fit("zeros", de.KernelPCA, X, kernel="rbf", remove_zero_eig=True, n_components=3,
        eigen_solver="randomized", random_state=0)  # fmt: skip
    fit("rotated", de.FactorAnalysis, X, rotation="varimax", n_components=2, svd_method="lapack",
        noise_variance_init=np.ones(F))  # fmt: skip
    fit("plain", de.FastICA, X, random_state=0, n_components=3)
    fit("given", de.FastICA, X, fun="exp", fun_args={"alpha": 1.0}, algorithm="deflation",
        w_init=np.eye(3), n_components=3)  # fmt: skip
    fit("raw", de.FastICA, FRAME, whiten=False, random_state=_seed)
    fit("eigh", de.FastICA, X32, whiten="arbitrary-variance", whiten_solver="eigh", random_state=0)
    for cls in (de.SparsePCA, de.MiniBatchSparsePCA):
        fit("plain", cls, X, n_components=2, max_iter=4, random_state=0)
        fit("cd", cls, FRAME, n_components=2, max_iter=4, method="cd", random_state=_seed)
    for cls in (de.DictionaryLearning, de.MiniBatchDictionaryLearning):
        again = "partial" if cls is de.MiniBatchDictionaryLearning else None
        fit("plain", cls, X, n_components=3, max_iter=3, random_state=0, again=again)
        fit("cd", cls, X32, n_components=2, max_iter=3, fit_algorithm="cd", random_state=_seed,
            transform_algorithm="lasso_cd", positive_dict=True, again=again)  # fmt: skip
    fit("given", de.DictionaryLearning, X, n_components=2, max_iter=2, dict_init=X[:2].copy(),
        code_init=np.ones((N, 2)), transform_algorithm="threshold", random_state=0)  # fmt: skip
    for algorithm in ("omp", "lasso_lars", "lars", "threshold"):
        fit(algorithm, de.SparseCoder, X, dictionary=X[:4].copy(), transform_algorithm=algorithm,
            transform_n_nonzero_coefs=2 if algorithm in ("omp", "lars") else None)  # fmt: skip
    fit("frame", de.SparseCoder, FRAME, dictionary=X[:4].copy(), split_sign=True)
    for name, data in (("plain", XPOS), ("sparse", POSITIVE_SPARSE)):
        fit(name, de.NMF, data, n_components=2, init="nndsvda", random_state=0)
        fit(name, de.MiniBatchNMF, data, n_components=2, random_state=0, again="partial")
        fit(name, de.LatentDirichletAllocation, abs(data), n_components=3, random_state=0,
            max_iter=3, again="partial")  # fmt: skip
    fit("mu", de.NMF, XPOS, n_components=2, solver="mu", beta_loss="kullback-leibler",
        random_state=_seed)  # fmt: skip
    fit("beta", de.MiniBatchNMF, XPOS, beta_loss=0.5, fresh_restarts=True, random_state=0)
    fit("online", de.LatentDirichletAllocation, COUNTS, n_components=2, learning_method="online",
        evaluate_every=1, max_iter=3, random_state=_seed)  # fmt: skip
    for cls in (cross_decomposition.PLSCanonical, cross_decomposition.PLSRegression):
        fit("plain", cls, X, YMULTI, n_components=1)
        fit("frame", cls, FRAME, YMULTI, scale=False)
    fit("single", cross_decomposition.PLSRegression, X, YREG)
    fit("svd", cross_decomposition.PLSCanonical, X, YMULTI, algorithm="svd")
    for cls in (cross_decomposition.CCA, cross_decomposition.PLSSVD):
        fit("plain", cls, X, YMULTI, n_components=1)
        fit("frame", cls, FRAME, YMULTI)


def _embeddings() -> None:
    for cls in (manifold.Isomap, manifold.LocallyLinearEmbedding):
        fit("plain", cls, X, n_neighbors=6, eigen_solver="dense")
        fit("frame", cls, FRAME, n_neighbors=8, n_components=3, eigen_solver="dense")
    fit("radius", manifold.Isomap, X, radius=4.0, n_neighbors=None)
    fit("l1", manifold.Isomap, X, metric="l1", neighbors_algorithm="ball_tree", path_method="D")
    fit("precomputed", manifold.Isomap, DISTANCES, metric="precomputed", n_neighbors=6)
    for method in ("ltsa", "modified", "hessian"):
        fit(method, manifold.LocallyLinearEmbedding, X, method=method, n_neighbors=8,
            eigen_solver="dense", random_state=0)  # fmt: skip
    new = {"init": "random"} if "init" in manifold.MDS().get_params() else {}
    given = {"max_iter": 5, "n_init": 1, "random_state": 0, **new}
    fit("plain", manifold.MDS, X, **given)
    fit("seeded", manifold.MDS, FRAME, **{**given, "random_state": _seed, "n_init": 2})
    if hasattr(manifold, "ClassicalMDS"):
        fit("plain", manifold.ClassicalMDS, X)
        fit("precomputed", manifold.ClassicalMDS, DISTANCES, metric="precomputed")
    fit("plain", manifold.SpectralEmbedding, X, random_state=0)
    fit("rbf", manifold.SpectralEmbedding, FRAME, affinity="rbf", random_state=0)
    fit("graph", manifold.SpectralEmbedding, NEAR, affinity="precomputed_nearest_neighbors",
        n_neighbors=3, random_state=_seed)  # fmt: skip
    short = {"perplexity": 5, "max_iter": 250}
    fit("plain", manifold.TSNE, X, init="random", random_state=0, **short)
    fit("exact", manifold.TSNE, FRAME, method="exact", learning_rate=10.0, **short,
        init=X32[:, :2].copy(), random_state=_seed)  # fmt: skip
    partly = np.where(np.arange(N) % 3 == 0, -1, Y3)
    for cls in (semi_supervised.LabelPropagation, semi_supervised.LabelSpreading):
        # A frame: of the very array that it was fitted on, distances are exactly 0
        fit("rbf", cls, FRAME, partly)
        fit("knn", cls, FRAME, partly, kernel="knn", n_neighbors=5)


def _mixtures() -> None:
    for kind in ("full", "tied", "diag", "spherical"):
        for cls in (mixture.GaussianMixture, mixture.BayesianGaussianMixture):
            fit(kind, cls, X, n_components=2, covariance_type=kind, random_state=0, max_iter=20)
    for cls in (mixture.GaussianMixture, mixture.BayesianGaussianMixture):
        fit("warm", cls, FRAME, n_components=2, warm_start=True, random_state=_seed, max_iter=3,
            init_params="k-means++", again="warm")  # fmt: skip
    fit("given", mixture.GaussianMixture, X32, n_components=2, weights_init=[0.5, 0.5],
        means_init=X[:2].copy(), precisions_init=np.array([np.eye(F)] * 2))  # fmt: skip
    fit("priors", mixture.BayesianGaussianMixture, X, n_components=2, random_state=0,
        weight_concentration_prior_type="dirichlet_distribution", covariance_prior=np.eye(F),
        mean_prior=np.zeros(F))  # fmt: skip


def _projections() -> None:
    rp, ka = random_projection, kernel_approximation
    for name, data in (("plain", X), ("sparse", XS), ("frame", FRAME)):
        fit(name, rp.GaussianRandomProjection, data, n_components=3, random_state=0,
            compute_inverse_components=True)  # fmt: skip
        fit(name, rp.SparseRandomProjection, data, n_components=3, random_state=0)
        fit(name, ka.RBFSampler, data, n_components=7, random_state=0)
        fit(name, ka.Nystroem, data, n_components=6, random_state=_seed)
        fit(name, ka.PolynomialCountSketch, data, n_components=8, random_state=0)
        fit(name, kernel_ridge.KernelRidge, data, YREG)
    fit("auto", rp.GaussianRandomProjection, np.ones((4, 900)), eps=0.5, random_state=0)
    fit("dense", rp.SparseRandomProjection, X, n_components=3, dense_output=True, density=0.5,
        compute_inverse_components=True, random_state=0)  # fmt: skip
    fit("scale", ka.RBFSampler, X, gamma="scale", n_components=4, random_state=0)
    fit("chi2", ka.Nystroem, XPOS, kernel="chi2", gamma=0.1, n_components=5, random_state=0)
    fit("degree", ka.PolynomialCountSketch, X, degree=3, coef0=1.0, n_components=9, random_state=0)
    for name, data in (("plain", XPOS), ("sparse", POSITIVE_SPARSE)):
        fit(name, ka.AdditiveChi2Sampler, data, sample_steps=2)
    fit("interval", ka.AdditiveChi2Sampler, XPOS, sample_steps=4, sample_interval=0.3)
    fit("plain", ka.SkewedChi2Sampler, XPOS, n_components=4, random_state=0)
    fit("multi", kernel_ridge.KernelRidge, FRAME, YMULTI, kernel="rbf", alpha=[0.1, 0.2])
    fit("precomputed", kernel_ridge.KernelRidge, SIMILAR, YREG, kernel="precomputed")
    fit("laplacian", kernel_ridge.KernelRidge, X, YREG, kernel="laplacian", gamma=1.0)
    line = X[:, 0].copy()
    for bounds in ("nan", "clip", "raise"):
        fit(bounds, isotonic.IsotonicRegression, line, YREG, out_of_bounds=bounds)
    fit("auto", isotonic.IsotonicRegression, line.astype(np.float32), YREG.astype(np.float32),
        increasing="auto", y_min=0, y_max=3.0)  # fmt: skip
    fit("falling", isotonic.IsotonicRegression, X[:, :1].copy(), YREG, increasing=False)
    fit("point", isotonic.IsotonicRegression, np.ones(5), np.arange(5.0))
    fit("unfitted", isotonic.IsotonicRegression, line, unfitted=True)
    images = np.random.RandomState(1).normal(size=(4, 8, 8))
    fit("plain", PatchExtractor, images, patch_size=(3, 3))
    fit("few", PatchExtractor, images, max_patches=5, random_state=_seed)


def _networks() -> None:
    nn = neural_network
    for solver in ("adam", "sgd", "lbfgs"):
        again = None if solver == "lbfgs" else "partial"
        given = {"solver": solver, "max_iter": 3, "random_state": 0, "again": again}
        fit(solver, nn.MLPClassifier, X, Y3, hidden_layer_sizes=(4,), **given)
        fit(solver, nn.MLPRegressor, FRAME, YMULTI, hidden_layer_sizes=4, **given)
    fit("strings", nn.MLPClassifier, XS, YSTR, hidden_layer_sizes=[4, 3], max_iter=3,
        random_state=_seed, again="partial", learning_rate="adaptive", solver="sgd")  # fmt: skip
    fit("labels", nn.MLPClassifier, X, YLABELS, hidden_layer_sizes=(3,), max_iter=3,
        random_state=0)  # fmt: skip
    for cls, target in ((nn.MLPClassifier, Y2), (nn.MLPRegressor, YREG)):
        fit("stopping", cls, X, target, hidden_layer_sizes=(5,), early_stopping=True, max_iter=6,
            random_state=_seed, again="warm")  # fmt: skip
    fit("warm", nn.MLPRegressor, X32, YREG, warm_start=True, max_iter=3, activation="tanh",
        batch_size=7, learning_rate="invscaling", solver="sgd", hidden_layer_sizes=(3,),
        random_state=_seed, again="warm")  # fmt: skip
    fit("linear", nn.MLPRegressor, X, YREG, hidden_layer_sizes=(), max_iter=3, random_state=0,
        again="partial", activation="identity", n_iter_no_change=np.inf)  # fmt: skip
    fit("unfitted", nn.MLPClassifier, X, unfitted=True)
    for name, data in (("plain", XPOS / 9), ("sparse", POSITIVE_SPARSE / 9), ("float32", X32)):
        fit(name, nn.BernoulliRBM, data, n_components=3, n_iter=2, random_state=_seed,
            again="partial")  # fmt: skip


for _register in (_covariances, _components, _embeddings, _mixtures, _projections, _networks):
    _register()
