"""State schemas of `sklearn.neural_network`, and the optimizers inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import Part, attributes, part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
    REAL,
    VERBOSE,
    Labels,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.scope import MAX_UNHELD, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Const,
    Estimator,
    Int,
    Items,
    Seq,
    Spec,
    either,
    floats,
    one_of,
    optional,
)

_UNITS: Final = Int(1, MAX_UNHELD)
_WEIGHTS: Spec = Seq(floats(None, None), "connections", (list,))
_BIASES: Spec = Seq(floats(None), "connections", (list,))
_MOMENTS: Spec = Seq(either(floats(None), floats(None, None)), kinds=(list,))
_LOSSES: Final = ("squared_error", "poisson", "log_loss", "binary_log_loss")
_KNOWN: Final[Mapping[str, Spec]] = {
    **each("shuffle warm_start nesterovs_momentum early_stopping", BOOL),
    **each(
        "alpha learning_rate_init power_t tol momentum validation_fraction beta_1 beta_2 epsilon",
        NON_NEGATIVE,
    ),
    "hidden_layer_sizes": either(_UNITS, Seq(_UNITS), Array("iu", (None,), 1, MAX_UNHELD)),
    "activation": one_of("identity", "logistic", "tanh", "relu"),
    "solver": one_of("lbfgs", "sgd", "adam"),
    "batch_size": either(POSITIVE, one_of("auto")),
    "learning_rate": one_of("constant", "invscaling", "adaptive"),
    **each("max_iter max_fun n_iter", COUNT),
    "n_iter_no_change": either(POSITIVE, Const((np.inf,))),
    "random_state": RANDOM_STATE,
    "verbose": VERBOSE,
    "loss": one_of(*_LOSSES),
    # What fitting adds
    "classes_": Labels("classes"),
    "_label_binarizer": Estimator(("LabelBinarizer",)),
    **each("n_outputs_ n_layers_", Int(1, MAX_UNHELD)),
    **each("_random_state random_state_", RANDOM_STATE),
    **each("n_iter_ t_ _no_improvement_count", COUNT),
    "out_activation_": one_of("identity", "logistic", "softmax", "exp"),
    **each("coefs_ _best_coefs", _WEIGHTS),
    **each("intercepts_ _best_intercepts", _BIASES),
    "loss_": REAL,
    "loss_curve_": Seq(REAL, kinds=(list,)),
    **each("best_loss_ best_validation_score_", optional(REAL)),
    "validation_scores_": optional(Seq(REAL, kinds=(list,))),
    "_optimizer": part_kinds("SGDOptimizer", "AdamOptimizer"),
    "_coef_indptr": Seq(Items((COUNT, COUNT, Items((COUNT, COUNT))))),
    "_intercept_indptr": Seq(Items((COUNT, COUNT))),
}


def _shapes(state: Mapping[str, Any]) -> list[tuple[int, ...]]:
    return [one.shape for one in (*state["coefs_"], *state["intercepts_"])]


def _layers(state: Mapping[str, Any], scope: Scope) -> None:
    """Each layer takes what the one before gives, and the optimizer has as much to remember."""
    if "coefs_" not in state:
        return
    coefs, intercepts = state["coefs_"], state["intercepts_"]
    if state["n_layers_"] != len(coefs) + 1:
        raise SpecError(f"must be {len(coefs) + 1}", ".n_layers_")
    width = int(state["n_features_in_"])
    for index, (weights, bias) in enumerate(zip(coefs, intercepts, strict=True)):
        if weights.shape[0] != width:
            raise SpecError(f"takes {weights.shape[0]} inputs, not {width}", f".coefs_[{index}]")
        width = weights.shape[1]
        if len(bias) != width:
            raise SpecError(f"has {len(bias)} items, not {width}", f".intercepts_[{index}]")
    if width != state["n_outputs_"]:
        raise SpecError(f"must be {width}", ".n_outputs_")
    for name, kept in (("_best_coefs", coefs), ("_best_intercepts", intercepts)):
        if name in state and [one.shape for one in state[name]] != [one.shape for one in kept]:
            raise SpecError("has other shapes", f".{name}")
    if "_optimizer" in state:
        arguments = scope.arguments(state["_optimizer"])
        for name in _REMEMBERED & arguments.keys():
            if [one.shape for one in arguments[name]] != _shapes(state):
                raise SpecError("has other shapes", f"._optimizer.{name}")


_REMEMBERED: Final = {"velocities", "ms", "vs"}
_N: Final = "sklearn.neural_network."
_make = table(f"{_N}_multilayer_perceptron", _KNOWN)
_PARAMS: Final = (
    "hidden_layer_sizes activation solver alpha batch_size learning_rate learning_rate_init power_t"
    " max_iter shuffle random_state tol verbose warm_start momentum nesterovs_momentum"
    " early_stopping validation_fraction beta_1 beta_2 epsilon n_iter_no_change max_fun loss"
)
_LEARNED: Final = (
    "n_outputs_ _random_state n_iter_ t_ n_layers_ out_activation_ coefs_ intercepts_ loss_"
    " _best_coefs? _best_intercepts? loss_curve_? _no_improvement_count? best_loss_?"
    " validation_scores_? best_validation_score_? _optimizer? _coef_indptr? _intercept_indptr?"
)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make("MLPClassifier", _PARAMS, f"{_LEARNED} classes_ _label_binarizer", _layers),
    _make("MLPRegressor", _PARAMS, _LEARNED, _layers),
    _make(
        "BernoulliRBM",
        "n_components learning_rate batch_size n_iter verbose random_state",
        "components_ intercept_hidden_ intercept_visible_ h_samples_ _n_features_out"
        " random_state_?",
        within=f"{_N}_rbm",
        n_components=POSITIVE,
        learning_rate=NON_NEGATIVE,
        components_=floats("components", "features"),
        intercept_hidden_=floats("components"),
        intercept_visible_=floats("features"),
        h_samples_=floats(None, "components"),
        _n_features_out=Int(0, MAX_UNHELD, "components"),
    ),
)


_RATES: Final[Mapping[str, Spec]] = each("learning_rate_init learning_rate", REAL)
PARTS: Final[tuple[Part, ...]] = (
    Part(
        f"{_N}_stochastic_optimizers",
        "SGDOptimizer",
        {
            **_RATES,
            "lr_schedule": one_of("constant", "invscaling", "adaptive"),
            "momentum": REAL,
            "nesterov": BOOL,
            "power_t": REAL,
            "velocities": _MOMENTS,
        },
        attributes,
        late=True,
    ),
    Part(
        f"{_N}_stochastic_optimizers",
        "AdamOptimizer",
        {
            **_RATES,
            **each("beta_1 beta_2 epsilon", REAL),
            "t": COUNT,
            **each("ms vs", _MOMENTS),
        },
        attributes,
        late=True,
    ),
)
