"""Training state at load: what models were compiled with, and how far they have come.

The outer model's is in the root of an archive, that of models within it in the entries of `inner`.
Implements spec/keras.md, "Training state".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import keras

from safemodel.adapters.keras import building, checking, compiled
from safemodel.adapters.keras.stored import STATE, Root, dictionary, matched, stored_list
from safemodel.adapters.keras.variables import Stored
from safemodel.adapters.keras.walk import Owner
from safemodel.errors import ArchitectureError

_O: Final = keras.optimizers
_ZEROS: Final = (  # optimizers that begin with nothing but zeros
    *(_O.Adadelta, _O.Adagrad, _O.Adam, _O.AdamW, _O.Adamax, _O.Ftrl, _O.Lamb, _O.Lion),
    *(_O.Muon, _O.RMSprop, _O.SGD),
)


def check(root: Root, allow: Collection[str]) -> None:
    """Audit the configurations of metrics, before anything is built.

    Raises:
        ArchitectureError: they are none, or the table does not permit them.
    """
    for state in (root.training, *root.inner):
        if state.get("metrics") is not None:
            _check_metrics(state["metrics"], allow)


def _check_metrics(metrics: Any, allow: Collection[str]) -> None:
    lists = frozenset({"flat_metrics", "flat_weighted_metrics"})
    dictionary(metrics, lists | {"names"}, lists | {"names"}, "the metrics")
    names = metrics["names"]
    if names is not None and not (type(names) is list and all(type(n) is str for n in names)):
        raise ArchitectureError("names of outputs must be text")
    for key in sorted(lists):
        if type(metrics[key]) is not list:
            raise ArchitectureError("metrics must be lists")
        for item in metrics[key]:
            if item is None:
                continue
            fields = frozenset({"output", "metrics"})
            dictionary(item, fields, fields, "the metrics of an output")
            if type(item["metrics"]) is not list or type(item["output"]) not in (str, type(None)):
                raise ArchitectureError("the metrics of an output must be a list")
            for metric in item["metrics"]:
                fields = frozenset({"config", "variables"})
                dictionary(metric, fields, fields, "a metric")
                stored_list(metric["variables"])
                checking.check(metric["config"], allow, "metric")


def restore(
    model: Any, config: Mapping[str, Any], root: Root, found: list[Owner], own: frozenset[str]
) -> None:
    """Compile a model, and models in it, as they were, with the state that is stored.

    Raises:
        ArchitectureError: they can't be compiled so, or the state does not fit.
    """
    parts = {owner.path: owner.part for owner in found}
    known = None if root.owners is None else found
    for entry in root.inner:
        part = parts.get(entry["path"])
        if not isinstance(part, keras.Model):
            raise ArchitectureError("there is no such model in it", place=entry["path"][:200])
        if type(part).compile is keras.Model.compile:
            checking.check_compiled(entry["compile"], own, exact=True)
        state = {key: entry[key] for key in entry.keys() & STATE}
        _compile(part, entry["compile"], state, known, own=bool(own))
    settings = config.get("compile_config")
    if settings:
        _compile(model, settings, root.training, known, own=bool(own))
    elif root.training:
        raise ArchitectureError("training state of a model that is not compiled")


def _compile(
    model: Any,
    settings: dict[str, Any],
    state: Mapping[str, Any],
    found: list[Owner] | None,
    *,
    own: bool,
) -> None:
    """Compile one model; `found` are the variables that there are values for, if there are any."""
    compiled.compile_model(model, settings)
    if found is None:
        return
    with building.refusing("the training state can't be restored"), building.safely():
        _restore_optimizer(model, state.get("optimizer"), found, own=own)
        _restore_metrics(model, state)


def _set(variables: list[Any], stored: list[Stored], place: str) -> None:
    named = [(f"{place}/{index}", variable) for index, variable in enumerate(variables)]
    for variable, one in matched(named, stored, place):
        building.set_value(variable, one)
        variable._path = one.keras_path


def _restore_optimizer(model: Any, entry: Any, found: list[Owner], *, own: bool) -> None:
    optimizer: Any = getattr(model, "optimizer", None)
    if (optimizer is None) != (entry is None):
        raise ArchitectureError("an optimizer without state, or state without an optimizer")
    if entry is None:
        return
    known = frozenset({"class", "built", "trained", "variables"})
    dictionary(entry, known, {"class", "built", "variables"}, "the optimizer")
    if entry["built"] is True:
        places = {path: variable for owner in found for path, variable in owner.variables}
        trained = entry.get("trained")
        if type(trained) is not list or not all(
            type(path) is str and path in places for path in trained
        ):
            raise ArchitectureError("an optimizer of variables that the model does not have")
        if not optimizer.built:
            _build([places[path] for path in trained], optimizer, own=own)
    _set(optimizer.variables, stored_list(entry["variables"]), "optimizer")


def _build(variables: list[Any], optimizer: Any, *, own: bool) -> None:
    """Make an optimizer's variables; without memory, where its class only makes zeros."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    if isinstance(inner, _ZEROS):
        with building.deferring(own=own):
            optimizer.build(variables)
    else:
        optimizer.build(variables)


def _restore_metrics(model: Any, state: Mapping[str, Any]) -> None:
    tracker = model._loss_tracker
    if "loss_tracker" in state and tracker is not None:
        _set(tracker.variables, stored_list(state["loss_tracker"]), "loss_tracker")
    if "metrics" in state:
        if model._compile_metrics is None:
            raise ArchitectureError("metrics of a model that has none")
        _make_metrics(model._compile_metrics, state["metrics"])
    if "losses" in state:
        known = frozenset({"predicted", "true", "variables"})
        entry = dictionary(state["losses"], known | {"meant"}, known, "the losses")
        losses = model._compile_loss
        if losses is None:
            raise ArchitectureError("losses of a model that has none")
        for key in ("predicted", "true"):
            checking.check_plain(entry[key])
            checking.check_shapes(entry[key])
        checking.check_plain(entry.get("meant"))
        if compiled.build_losses(losses, entry):
            _set(losses.variables, stored_list(entry["variables"]), "losses")


def _make_metrics(metrics: Any, entry: dict[str, Any]) -> None:
    made: dict[str, list[Any]] = {}
    for key in ("flat_metrics", "flat_weighted_metrics"):
        lists: list[Any] = []
        for item in entry[key]:
            if item is None:
                lists.append(None)
                continue
            objects = []
            for one in item["metrics"]:
                metric = keras.saving.deserialize_keras_object(one["config"])
                compiled.build_metric(metric, one["variables"])
                _set(metric.variables, one["variables"], f"metrics/{metric.name}")
                objects.append(metric)
            lists.append(compiled.metric_list(objects, item["output"]))
        made[key] = lists
    compiled.build_metrics(metrics, entry["names"], made)
