"""What `compile` gave a model: its optimizer, metrics and losses, and how far they have come.

Keras makes metrics when it sees the first batch. Here those that were made are made again at load,
so that totals go on where they were. Implements spec/keras.md, "Training state".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import keras
from keras.src.backend.common.keras_tensor import KerasTensor
from keras.src.trainers import compile_utils

from safemodel.adapters.keras import building
from safemodel.adapters.keras.config import plain_config
from safemodel.adapters.keras.variables import Live
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.adapters.keras.walk import Owner

_UNRESOLVED: Final = ("crossentropy", "ce")  # which of three they mean, the first labels say
# The name of a variable without one: Keras counts them over the whole process
_COUNTED: Final = re.compile(r"\Avariable_[0-9]+\Z")
# Labels and outputs with which Keras takes them for each of the three
_SHAPES: Final = {
    "binary_crossentropy": ((None, 1), (None, 1)),
    "categorical_crossentropy": ((None, 2), (None, 2)),
    "sparse_categorical_crossentropy": ((None, 1), (None, 2)),
}


def state_of(model: Any, found: list[Owner]) -> dict[str, Any]:
    """The training state of a model, as fields of the root; none if it is not compiled."""
    if not isinstance(model, keras.Model) or not model.compiled:
        return {}
    fields: dict[str, Any] = {}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        fields["optimizer"] = _optimizer(optimizer, found)
    tracker = model._loss_tracker
    if tracker is not None:
        fields["loss_tracker"] = _live("loss_tracker", tracker.variables)
    metrics, losses = model._compile_metrics, model._compile_loss
    if metrics is not None and metrics.built:
        fields["metrics"] = _metrics(metrics)
    if losses is not None and losses.built and losses.metrics:
        fields["losses"] = _losses(losses)
    return fields


def _live(prefix: str, variables: list[Any]) -> list[Live]:
    names = [_COUNTED.sub("variable", str(variable.name)) for variable in variables]
    return [
        Live(f"{prefix}/{i}/{name}", variable)
        for i, (name, variable) in enumerate(zip(names, variables, strict=True))
    ]


def _optimizer(optimizer: Any, found: list[Owner]) -> dict[str, Any]:
    paths = {id(variable): path for owner in found for path, variable in owner.variables}
    entry: dict[str, Any] = {"class": type(optimizer).__name__, "built": bool(optimizer.built)}
    if optimizer.built:
        trained = getattr(optimizer, "_trainable_variables", [])
        entry["trained"] = [paths.get(id(variable), "") for variable in trained]
    entry["variables"] = _live("optimizer", optimizer.variables)
    return entry


def _metrics(metrics: Any) -> dict[str, Any]:
    names = metrics._resolved_output_names
    entry: dict[str, Any] = {"names": None if names is None else [str(name) for name in names]}
    for key in ("flat_metrics", "flat_weighted_metrics"):
        entry[key] = [
            None if item is None else _metric_list(item, f"metrics/{key[5:]}/{i}")
            for i, item in enumerate(getattr(metrics, f"_{key}"))
        ]
    return entry


def _metric_list(item: Any, prefix: str) -> dict[str, Any]:
    return {
        "output": item.output_name,
        "metrics": [
            {
                "config": plain_config(metric, "metric"),
                "variables": _live(f"{prefix}/{i}/{metric.name}", metric.variables),
            }
            for i, metric in enumerate(item.metrics)
        ],
    }


def _losses(losses: Any) -> dict[str, Any]:
    fields = {
        "predicted": _structure(losses._y_pred_build_structure),
        "true": _structure(losses._y_true_build_structure),
        "variables": _live("losses", losses.variables),
    }
    meant = [None, _structure(losses._y_pred_build_structure)]
    for loss in losses._flat_losses:
        name = getattr(getattr(loss.loss, "fn", None), "__name__", "")
        if loss.loss.name in _UNRESOLVED and name in _SHAPES:
            inner, last = meant, 1
            for key in loss.path:
                inner, last = inner[last], key
            inner[last] = name
    if meant[1] != fields["predicted"]:
        fields["meant"] = meant[1]
    return fields


def _structure(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _structure(item) for key, item in value.items()}
    return [_structure(item) for item in value] if isinstance(value, (list, tuple)) else None


# Load


def build_metrics(metrics: Any, names: list[str] | None, made: dict[str, list[Any]]) -> None:
    """Give compiled metrics the lists that the first batch would have given them."""
    for key, lists in made.items():
        setattr(metrics, f"_{key}", lists)
    metrics._resolved_output_names = names
    metrics.built = True


def metric_list(made: list[Any], output: str | None) -> Any:
    """The metrics of one output, as Keras keeps them."""
    return compile_utils.MetricsList(made, output_name=output)


def build_losses(losses: Any, entry: dict[str, Any]) -> bool:
    """Make the trackers of several losses; False where that needs the first labels.

    Raises:
        ArchitectureError: the entry says what no loss can mean.
    """
    meant = entry.get("meant")
    _check_meant(meant)
    unresolved = [loss in _UNRESOLVED for loss in keras.tree.flatten(losses._user_loss)]
    if any(unresolved) and meant is None:
        return False
    losses.build(_tensors(entry["true"], meant, 0), _tensors(entry["predicted"], meant, 1))
    return True


def _check_meant(meant: Any) -> None:
    if isinstance(meant, (list, dict)):
        for item in meant.values() if isinstance(meant, dict) else meant:
            _check_meant(item)
    elif meant is not None and (type(meant) is not str or meant not in _SHAPES):
        raise ArchitectureError("a loss is meant that is none of the three")


def _tensors(structure: Any, meant: Any, side: int) -> Any:
    """A structure with a tensor for each leaf; its shape says at most which loss is meant."""
    if isinstance(structure, dict):
        inner = meant if isinstance(meant, dict) else {}
        return {key: _tensors(item, inner.get(key), side) for key, item in structure.items()}
    if isinstance(structure, list):
        items = meant if isinstance(meant, list) else []
        padded = [*items, *[None] * len(structure)]
        return [_tensors(item, padded[i], side) for i, item in enumerate(structure)]
    if isinstance(meant, str):
        return KerasTensor(_SHAPES[meant][side])
    return KerasTensor((None, 2))


def build_metric(metric: Any, stored: list[Any]) -> None:
    """Let a metric make the variables that it otherwise makes with the first batch."""
    if len(metric.variables) >= len(stored) or not stored:
        return
    shape = stored[-1].shape
    if isinstance(metric, (keras.metrics.FBetaScore, keras.metrics.R2Score)):
        classes = shape[0] if shape else 1
        metric._build((None, classes), (None, classes))
    elif isinstance(metric, keras.metrics.AUC) and len(shape) == 2:
        metric._build((None, shape[1]))


def compile_model(model: Any, settings: dict[str, Any]) -> None:
    """Compile a model with settings that were audited.

    Raises:
        ArchitectureError: it can't be compiled so.
    """
    with building.refusing("Keras can't compile it"), building.safely():
        if type(model).compile is not keras.Model.compile:  # the caller's own
            model.compile_from_config(settings)
        else:
            model.compile(**keras.saving.deserialize_keras_object(settings))
