"""The table of all state schemas, and the classes of the installed scikit-learn they stand for.

The only place where a class is imported: module and name are literals of the schema modules. A
name from an archive is looked up in this table and nowhere else.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from safemodel.adapters.sklearn import (
    compose,
    ensembles,
    linear,
    preprocessing,
    stochastic,
    text,
)
from safemodel.adapters.sklearn.schema import Schema
from safemodel.adapters.sklearn.spec import Scope, SpecError

SCHEMAS: Final[Mapping[str, Schema]] = {
    schema.qualified: schema
    for schema in chain(
        linear.SCHEMAS,
        stochastic.SCHEMAS,
        preprocessing.SCHEMAS,
        ensembles.SCHEMAS,
        compose.SCHEMAS,
        text.SCHEMAS,
    )
}


@dataclass(frozen=True)
class Entry:
    """A class of the installed library with its schema."""

    kind: Any
    schema: Schema
    required: tuple[str, ...]

    def check(self, state: Mapping[str, Any], scope: Scope) -> None:
        """Check a whole state against the schema and against the class itself.

        Raises:
            SpecError: names the attribute.
        """
        for name in state:
            if is_shadowing(self.kind, name):
                raise SpecError("would shadow something of the class", f".{name}")
        self.schema.check(state, scope, self.required)


def is_shadowing(kind: type, name: str) -> bool:
    """Whether an attribute of an instance would hide, or be hidden by, one of its class."""
    if name.startswith("__"):
        return True
    found = inspect.getattr_static(kind, name, None)
    return callable(found) or hasattr(found, "__get__")


@functools.cache
def entry(qualified: str) -> Entry | None:
    """Return the entry of a class named in an archive, if it is in the table and installed."""
    schema = SCHEMAS.get(qualified)
    if schema is None:
        return None
    try:
        kind = getattr(importlib.import_module(schema.module), schema.name)
    except (ImportError, AttributeError):
        return None
    return Entry(kind, schema, tuple(kind._get_param_names()))


class _Known(Mapping[type, Entry]):
    """Entries by class, imported only when asked for."""

    def __getitem__(self, kind: type) -> Entry:
        found = entry(f"{kind.__module__}.{kind.__qualname__}")
        if found is None or found.kind is not kind:
            raise KeyError(kind)
        return found

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return len(SCHEMAS)


ENTRIES: Final[Mapping[type, Entry]] = _Known()
