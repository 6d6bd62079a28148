"""An object graph to a live Keras model: audited, built, filled, compiled.

Nothing of the archive reaches Keras before the table has seen it, and no variable gets memory
before its shape was compared with the stored tensor. Implements spec/keras.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras

from safemodel.adapters.keras import building, checking, compiled, lookups
from safemodel.adapters.keras.specs import SpecError
from safemodel.adapters.keras.variables import Stored, dtype_of
from safemodel.adapters.keras.walk import Owner, arrange, owners
from safemodel.errors import ArchitectureError, NotAllowedError

_ROOT: Final = frozenset(
    {
        *("class", "backend", "model", "owners"),
        *("optimizer", "loss_tracker", "metrics", "losses"),
    }
)
_OWNER: Final = frozenset(
    {
        *("path", "class", "variables", "frozen", "switched"),
        *("build", "vocabulary", "idf_weights", "lora_alpha"),
    }
)


@dataclass(frozen=True, slots=True)
class Root:
    """What an archive holds: a configuration, variables by owner, training state."""

    config: dict[str, Any] | None
    owners: list[dict[str, Any]] | None
    class_name: str
    training: Mapping[str, Any]

    def variables(self) -> dict[str, Stored]:
        """All variables of layers and metrics, by path."""
        return {one.path: one for entry in self.owners or () for one in entry["variables"]}


def root_of(value: Any) -> Root:
    """Check the outline of what was decoded.

    Raises:
        ArchitectureError: fields that are missing, unknown, or of another kind.
    """
    fields = dictionary(value, _ROOT, {"class", "backend"}, "the root")
    if not all(type(fields[key]) is str for key in ("class", "backend")):
        raise ArchitectureError("a class and a backend must be text")
    config, entries = fields.get("model"), fields.get("owners")
    if config is None and entries is None:
        raise ArchitectureError("neither an architecture nor weights")
    if config is not None and type(config) is not dict:
        raise ArchitectureError("a configuration must be a dictionary")
    if entries is not None:
        _check_owners(entries)
    training = {key: fields[key] for key in fields.keys() - {"class", "backend", "model", "owners"}}
    if training and (config is None or entries is None):
        raise ArchitectureError("training state without an architecture or weights")
    return Root(config, entries, fields["class"], training)


def dictionary(
    value: Any, known: frozenset[str], required: set[str] | frozenset[str], what: str
) -> dict[str, Any]:
    """A dictionary with exactly such keys.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not dict or not required <= value.keys() <= known:
        raise ArchitectureError(f"{what} has other fields than it must have")
    return value


def _check_owners(entries: Any) -> None:
    paths: set[str] = set()
    names: set[str] = set()
    if type(entries) is not list:
        raise ArchitectureError("owners must be a list")
    for entry in entries:
        dictionary(entry, _OWNER, {"path", "class", "variables"}, "an owner")
        path, stored = entry["path"], entry["variables"]
        if type(path) is not str or path in paths or type(entry["class"]) is not str:
            raise ArchitectureError("an owner without a path of its own")
        paths.add(path)
        for one in stored_list(stored):
            if one.path in names:
                raise ArchitectureError("two variables of one path", place=one.path[:200])
            names.add(one.path)
        if entry.get("frozen", True) is not True:
            raise ArchitectureError("frozen must be true or absent", place=path[:200])
        switched = entry.get("switched", [])
        if type(switched) is not list or not all(
            type(i) is int and 0 <= i < len(stored) for i in switched
        ):
            raise ArchitectureError("switched must be numbers of variables", place=path[:200])
        checking.check_plain(entry.get("build"))
        try:
            checking.check_shapes(entry.get("build"))
        except SpecError as error:
            raise ArchitectureError(error.message, place=path[:200]) from None


def stored_list(value: Any) -> list[Stored]:
    """A list of nothing but variables.

    Raises:
        ArchitectureError: something else.
    """
    if type(value) is not list or not all(isinstance(one, Stored) for one in value):
        raise ArchitectureError("not a list of variables")
    return value


class _Everything(frozenset[str]):
    """Permits every name, to find out which are needed."""

    def __contains__(self, name: object) -> bool:
        return True


def audited(root: Root, allow: Sequence[str]) -> tuple[dict[str, Any], frozenset[str]]:
    """The configuration, and the names of the caller's own classes that it needs.

    Raises:
        NotAllowedError: it needs some that `allow` does not name; the hint names them all.
        ArchitectureError: there is none, or it must not be built.
    """
    config = root.config
    if config is None:
        raise ArchitectureError(
            f"this archive holds the weights of a {root.class_name:.100}, not the model itself",
            hint="make the model and use safemodel.load_weights(path, into=model)",
        )
    checking.check_plain(config)
    checker = checking.Checker(_Everything())
    checking.run(lambda: checker.object(config, "layer"))
    needed = frozenset(checker.used)
    missing = sorted(needed - set(allow))
    if missing:
        raise NotAllowedError(
            f"it needs code of your own: {', '.join(missing)[:300]}",
            hint=f"import what registers it, and if you trust it: allow={sorted(needed)}",
        )
    checking.check(config, needed)
    for name in sorted(needed):
        if not building.is_registered(name):
            raise ArchitectureError(
                f"nothing is registered as {name:.200}",
                hint="import the module that registers it, before you load",
            )
    return config, needed


def model_of(root: Root, allow: Sequence[str]) -> Any:
    """Build the model, with all of its state.

    Raises:
        ArchitectureError: it must not be built, or its variables do not fit it.
    """
    config, own = audited(root, allow)
    _check_training_configs(root, allow)
    model = building.build(config, own=bool(own))
    if root.owners is not None:
        found = _fill(model, root.owners, own=bool(own))
    else:
        found = owners(model)
        building.initialize([v for owner in found for _, v in owner.variables])
    with building.refusing("a layer can't be finished"):
        for owner in found:
            lookups.finish(owner.part)
    _compile(model, config, root, found)
    return model


def _fill(model: Any, entries: list[dict[str, Any]], *, own: bool) -> list[Owner]:
    """Give the layers of a model their variables."""
    found = owners(model)
    for entry in entries:
        parts = {owner.path: owner.part for owner in found}
        part = parts.get(entry["path"])
        if part is None:
            raise ArchitectureError("there is no such layer in the model", place=entry["path"])
        if entry.get("build") and isinstance(part, keras.Layer) and not part.built:
            building.build_part(part, entry["build"], own=own)
            found = owners(model)
    places = {owner.path: owner for owner in found}
    stored = {entry["path"]: entry for entry in entries}
    for owner in found:
        if owner.variables and owner.path not in stored:
            raise ArchitectureError("its variables are not in the archive", place=owner.path)
    for path, entry in stored.items():
        arrange(places[path], [one.path for one in entry["variables"]])
    pairs = [
        pair
        for path, entry in stored.items()
        for pair in _matched(places[path].variables, entry["variables"], path)
    ]
    with building.refusing("the variables can't be set"):
        for variable, one in pairs:
            building.set_value(variable, one)
            variable._path = one.keras_path  # some optimizers go by it
        for path, entry in stored.items():
            lookups.restore(places[path].part, entry)
            _restore_flags(places[path], entry)
    return found


def _matched(
    variables: list[tuple[str, Any]], stored: list[Stored], place: str
) -> list[tuple[Any, Stored]]:
    """Variables and what is stored for them; all must fit.

    Raises:
        ArchitectureError: another number of them, another shape or dtype.
    """
    if len(variables) != len(stored):
        raise ArchitectureError(
            f"{len(stored)} variables are stored, and it has {len(variables)}",
            place=place[:200] or None,
        )
    for (path, variable), one in zip(variables, stored, strict=True):
        if not fits(variable, one):
            raise ArchitectureError(
                f"is stored as {one}, and the model has {said(variable)}", place=path[:200]
            )
    return [(variable, one) for (_, variable), one in zip(variables, stored, strict=True)]


def fits(variable: Any, one: Stored) -> bool:
    """Whether what is stored has the shape and dtype of a variable."""
    return tuple(variable.shape) == one.shape and dtype_of(variable) == one.dtype


def said(variable: Any) -> str:
    """A variable's dtype and shape, for people."""
    return f"{dtype_of(variable)} {[int(size) for size in variable.shape]}"


def _restore_flags(owner: Owner, entry: dict[str, Any]) -> None:
    """Whether a layer and its variables are trained; set as stored, not passed on to others."""
    part = owner.part
    trainable = "frozen" not in entry
    if isinstance(part, keras.Layer) and bool(part._trainable) != trainable:
        part._trainable = trainable
    switched = set(entry.get("switched", ()))
    listed = {id(variable) for variable in getattr(part, "_trainable_variables", ())}
    for index, (_, variable) in enumerate(owner.variables):
        flag = (trainable and id(variable) in listed) != (index in switched)
        if variable.trainable != flag:
            variable.trainable = flag


# Training state


def _check_training_configs(root: Root, allow: Sequence[str]) -> None:
    """Audit the configurations of metrics, before anything is built."""
    metrics = root.training.get("metrics")
    if metrics is None:
        return
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


def _compile(model: Any, config: dict[str, Any], root: Root, found: list[Owner]) -> None:
    settings = config.get("compile_config")
    if not settings:
        if root.training:
            raise ArchitectureError("training state of a model that is not compiled")
        return
    with building.refusing("Keras can't compile it"), building.safely():
        if type(model).compile is not keras.Model.compile:  # the caller's own
            model.compile_from_config(settings)
        else:
            model.compile(**keras.saving.deserialize_keras_object(settings))
    if root.owners is None:
        return
    with building.refusing("the training state can't be restored"), building.safely():
        _restore_optimizer(model, root.training.get("optimizer"), found)
        _restore_metrics(model, root.training)


def _set(variables: list[Any], stored: list[Stored], place: str) -> None:
    named = [(f"{place}/{index}", variable) for index, variable in enumerate(variables)]
    for variable, one in _matched(named, stored, place):
        building.set_value(variable, one)
        variable._path = one.keras_path


def _restore_optimizer(model: Any, entry: Any, found: list[Owner]) -> None:
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
            optimizer.build([places[path] for path in trained])
    _set(optimizer.variables, stored_list(entry["variables"]), "optimizer")


def _restore_metrics(model: Any, training: Mapping[str, Any]) -> None:
    tracker = model._loss_tracker
    if "loss_tracker" in training and tracker is not None:
        _set(tracker.variables, stored_list(training["loss_tracker"]), "loss_tracker")
    if "metrics" in training:
        if model._compile_metrics is None:
            raise ArchitectureError("metrics of a model that has none")
        _make_metrics(model._compile_metrics, training["metrics"])
    if "losses" in training:
        known = frozenset({"predicted", "true", "variables"})
        entry = dictionary(training["losses"], known, known, "the losses")
        losses = model._compile_loss
        if losses is None:
            raise ArchitectureError("losses of a model that has none")
        for key in ("predicted", "true"):
            checking.check_plain(entry[key])
            checking.check_shapes(entry[key])
        if compiled.build_losses(losses, entry["predicted"], entry["true"]):
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
