"""Weights put into a model that the caller made: by path, all compared before any is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from safemodel.adapters.keras import building, from_file, lookups
from safemodel.adapters.keras.stored import fits, said
from safemodel.adapters.keras.walk import owners
from safemodel.adapters.only import nothing_chosen
from safemodel.adapters.protocol import LoadReport, Mismatch
from safemodel.errors import ArchitectureError, StateMismatchError, UsageError

if TYPE_CHECKING:
    from safemodel.adapters.keras.stored import Root


def check_target(into: object) -> None:
    """Check that weights can be put into an object.

    Raises:
        UsageError: it is no model or layer of Keras.
        StateMismatchError: it has not been built, so it has no variables yet.
    """
    if not isinstance(into, keras.Layer):
        raise UsageError(
            f"into= is a {type(into).__name__}, and no model or layer of Keras",
            hint="into= is a model or layer that has been built, and takes the weights",
        )
    if not into.built:
        raise StateMismatchError(
            "into= has not been built, so it has no variables yet",
            hint="call it on data once, or its build() with the shape of the input",
        )


def put(root: Root, into: Any, wanted: Callable[[str], bool] | None, *, strict: bool) -> LoadReport:
    """Replace the variables of `into`, those of layers and metrics in it; return a report.

    Raises:
        ArchitectureError: the archive holds no weights.
        StateMismatchError: they do not fit, and `into` is unchanged.
    """
    if root.source is not None:
        return from_file.put(root.source, into, wanted, strict=strict)
    if root.owners is None:
        raise ArchitectureError("this archive holds an architecture, and no weights")
    found = owners(into)
    own = {path: variable for owner in found for path, variable in owner.variables}
    stored = root.variables()
    if wanted is not None:
        own = {path: variable for path, variable in own.items() if wanted(path)}
        stored = {path: one for path, one in stored.items() if wanted(path)}
        if not own:
            raise nothing_chosen(path for owner in found for path, _ in owner.variables)
    report = LoadReport(
        missing=tuple(path for path in own if path not in stored),
        unexpected=tuple(path for path in stored if path not in own),
        mismatched=tuple(
            Mismatch(path, said(variable), str(stored[path]))
            for path, variable in own.items()
            if path in stored and not fits(variable, stored[path])
        ),
    )
    report.check(strict=strict)
    with building.refusing("the weights can't be set"):
        for path, variable in own.items():
            if path in stored and fits(variable, stored[path]):
                building.set_value(variable, stored[path])
        parts = {owner.path: owner.part for owner in found}
        for entry in root.owners:
            if wanted is None and entry["path"] in parts:
                lookups.restore(parts[entry["path"]], entry)
        for owner in found:
            lookups.finish(owner.part)
    return report
