"""A model, or the weights of one, from an archive that keeps the layout of a file of Keras.

The configuration was audited before, as always. Variables without a value in the file, such as
those of seeds, begin anew. Implements spec/keras.md, "Layouts of files".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from safemodel.adapters.keras import building, compiled, lookups, placing
from safemodel.adapters.keras.laid_out import H5, OPTIMIZER, LaidOut
from safemodel.adapters.keras.variables import Stored
from safemodel.adapters.keras.walk import owners
from safemodel.adapters.only import nothing_chosen
from safemodel.adapters.protocol import LoadReport, Mismatch
from safemodel.errors import ArchitectureError

_log: Final = logging.getLogger("safemodel")


def model_of(config: Mapping[str, Any], source: LaidOut, *, own: bool) -> Any:
    """Build the model of a configuration that was audited, with the variables of the file.

    Raises:
        ArchitectureError: it can't be built, or what is in the file does not fit it.
    """
    model = building.build(dict(config), own=own)
    with building.refusing("the layers can't be walked"):
        placed = placing.place(model, source)
    for one in placed.problems:
        raise ArchitectureError(
            f"the file has {one.found}, and the model {one.expected}", place=one.path[:200] or None
        )
    for path in placed.unused(source):
        raise ArchitectureError("no layer of the model has these variables", place=path[:200])
    with building.refusing("the variables can't be set"):
        placed.put()
        found = owners(model)
        building.initialize([variable for owner in found for _, variable in owner.variables])
    placing.restore_vocabularies(placed)
    with building.refusing("a layer can't be finished"):
        for owner in found:
            lookups.finish(owner.part)
    _compile(model, config.get("compile_config"), source)
    return model


def _compile(model: Any, settings: Any, source: LaidOut) -> None:
    if not settings:
        return
    compiled.compile_model(model, settings)
    stored = _optimizer_of(source)
    if stored and getattr(model, "optimizer", None) is not None:
        with building.refusing("the optimizer can't be restored"):
            _restore_optimizer(model, stored)


def _optimizer_of(source: LaidOut) -> list[Stored]:
    """The variables of the optimizer, in its order."""
    if source.layout == H5:
        return list(source.optimizer or ())
    group = source.groups.get(OPTIMIZER, {})
    if set(group) != {str(index) for index in range(len(group))}:
        raise ArchitectureError("variables of an optimizer that are not counted", place=OPTIMIZER)
    return [group[str(index)] for index in range(len(group))]


def _restore_optimizer(model: Any, stored: list[Stored]) -> None:
    """Give an optimizer its state; without one that fits it begins anew, as with Keras."""
    optimizer = model.optimizer
    if not optimizer.built and len(stored) != len(optimizer.variables):
        optimizer.build(model.trainable_variables)
    variables = optimizer.variables
    values = [placing.fitted(v, one) for v, one in zip(variables, stored, strict=False)]
    if len(variables) != len(stored) or any(value is None for value in values):
        _log.warning(
            "the optimizer begins anew: the file has %d variables of one, and the model needs %d",
            len(stored),
            len(variables),
        )
        return
    for variable, value in zip(variables, values, strict=True):
        if isinstance(value, Stored):
            building.set_value(variable, value)
        else:
            building.set_tensor(variable, value)


# Into a model of the caller's


def put(
    source: LaidOut, into: Any, wanted: Callable[[str], bool] | None, *, strict: bool
) -> LoadReport:
    """Replace the variables of layers in `into` by those of the file; return a report.

    Raises:
        StateMismatchError: they do not fit, and `into` is unchanged.
    """
    found = owners(into)
    placed = placing.place(into, source)
    names = {id(v): path for owner in found for path, v in owner.variables}
    own = {key: path for key, path in names.items() if wanted is None or wanted(path)}
    if wanted is not None and not own:
        raise nothing_chosen(names.values())
    held = {id(variable) for variable in into.weights}  # what a file can hold
    there = placed.values.keys() | {one.key for one in placed.problems}
    report = LoadReport(
        missing=tuple(path for key, path in own.items() if key in held and key not in there),
        unexpected=() if wanted is not None else tuple(placed.unused(source)),
        mismatched=tuple(
            Mismatch(names.get(one.key or 0, one.path) or "(model)", one.expected, one.found)
            for one in placed.problems
            if one.key in own or (one.key is None and wanted is None)
        ),
    )
    report.check(strict=strict)
    with building.refusing("the weights can't be set"):
        placed.put(set(own))
        if wanted is None:
            placing.restore_vocabularies(placed)
        for owner in found:
            lookups.finish(owner.part)
    return report
