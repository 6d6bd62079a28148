"""The parts of a checkpoint: which objects the caller gave, under which names.

A part is named as its argument, or, where several were given, `argument.key`. Implements
spec/checkpoints.md, "Parts".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import torch

from safemodel.adapters.torch import into as into_state
from safemodel.adapters.torch import tables
from safemodel.errors import UsageError

# argument -> the kind of object that it takes
ARGUMENTS: Final[Mapping[str, str]] = {
    "model": "module",
    "optimizer": "optimizer",
    "scheduler": "scheduler",
    "scaler": "scaler",
}
KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def named(arguments: Mapping[str, object]) -> dict[str, Any]:
    """The objects of `model=`, `optimizer=`, ... by part, in the order of the arguments.

    A module that is compiled, or wrapped for data-parallel training, stands for the module in it.

    Raises:
        UsageError: something that has no such state, or a key that is no name.
    """
    found: dict[str, Any] = {}
    for argument, kind in ARGUMENTS.items():
        given = arguments.get(argument)
        if given is None:
            continue
        if into_state.kind_of(given) is not None or not isinstance(given, Mapping):
            found[argument] = _checked(given, argument, kind)
            continue
        for key, value in given.items():
            check_key(key, argument)
            found[f"{argument}.{key}"] = _checked(value, f"{argument}[{key!r}]", kind)
    return found


def check_key(key: object, argument: str) -> None:
    """Refuse a key that is no short name.

    Raises:
        UsageError: it is none.
    """
    if type(key) is not str or not KEY.fullmatch(key):
        raise UsageError(
            f"{argument}= has the key {key!r:.60}, which is no name",
            hint="use letters, digits, underscores, dots and hyphens",
        )


def _checked(obj: Any, place: str, kind: str) -> Any:
    if into_state.kind_of(obj) != kind:
        raise UsageError(
            f"{place} is no {kind}: {tables.kind_name(obj)}",
            hint="pass the object itself, or a dictionary of several; plain data goes into extra=",
        )
    return _unwrapped(obj)


def _unwrapped(obj: Any) -> Any:
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    while True:
        if isinstance(obj, torch.nn.parallel.DistributedDataParallel):
            obj = obj.module
        elif compiler is not None and isinstance(obj, compiler.OptimizedModule):
            obj = obj._orig_mod
        else:
            return obj
