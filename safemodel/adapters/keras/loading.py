"""An object graph to a live Keras model: audited, built, filled, compiled.

Nothing of the archive reaches Keras before the table has seen it, and no variable gets memory
before its shape was compared with the stored tensor. Implements spec/keras.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from safemodel.adapters.keras import building, checking, from_file, lookups, training
from safemodel.adapters.keras.stored import Root, matched, root_of
from safemodel.adapters.keras.walk import Owner, arrange, owners
from safemodel.errors import ArchitectureError, NotAllowedError


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
    needed = _audit(root, _Everything())
    missing = sorted(needed - set(allow))
    if missing:
        raise NotAllowedError(
            f"it needs code of your own: {', '.join(missing)[:300]}",
            hint=f"import what registers it, and if you trust it: allow={sorted(needed)}",
        )
    _audit(root, needed)
    for name in sorted(needed):
        if not building.is_registered(name):
            raise ArchitectureError(
                f"nothing is registered as {name:.200}",
                hint="import the module that registers it, before you load",
            )
    return config, needed


def _audit(root: Root, allow: frozenset[str]) -> frozenset[str]:
    """Hold all configurations against the table; the names of `allow` that they need."""
    needed = checking.check(root.config, allow)
    for entry in root.inner:
        needed |= checking.check_compiled(entry["compile"], allow)
    return needed


def model_of(root: Root, allow: Sequence[str]) -> Any:
    """Build the model, with all of its state.

    Raises:
        ArchitectureError: it must not be built, or its variables do not fit it.
    """
    config, own = audited(root, allow)
    if root.source is not None:
        return from_file.model_of(config, root.source, own=bool(own))
    training.check(root, allow)
    model = building.build(config, own=bool(own))
    if root.owners is not None:
        found = _fill(model, root.owners, own=bool(own))
    else:
        found = owners(model)
        building.initialize([v for owner in found for _, v in owner.variables])
    with building.refusing("a layer can't be finished"):
        for owner in found:
            lookups.finish(owner.part)
    training.restore(model, config, root, found, own)
    return model


def _fill(model: Any, entries: list[dict[str, Any]], *, own: bool) -> list[Owner]:
    """Give the layers of a model their variables."""
    found = owners(model)
    parts = {owner.path: owner.part for owner in found}
    for entry in entries:
        part = parts.get(entry["path"])
        if part is None:
            raise ArchitectureError("there is no such layer in the model", place=entry["path"])
        if entry.get("build") and isinstance(part, keras.Layer) and not part.built:
            building.build_part(part, entry["build"], own=own)
            found = owners(model)
            parts = {owner.path: owner.part for owner in found}
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
        for pair in matched(places[path].variables, entry["variables"], path)
    ]
    with building.refusing("the variables can't be set"):
        for variable, one in pairs:
            building.set_value(variable, one)
            variable._path = one.keras_path  # some optimizers go by it
        for path, entry in stored.items():
            lookups.restore(places[path].part, entry)
            _restore_flags(places[path], entry)
    return found


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


__all__ = ["Root", "audited", "model_of", "root_of"]
