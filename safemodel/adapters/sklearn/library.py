"""The classes that the tables stand for: those of the installed libraries, or stand-ins for them.

Schemas name classes by strings of ours. A `Library` says which live objects are of those classes.
`INSTALLED` is the only place where a class is imported: module and name are literals of the
schema modules, and a name from an archive is looked up in the tables and nowhere else. `convert`
brings a library of stand-ins, made from a legacy file without importing anything.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from safemodel.adapters.sklearn.containers import BUNCH
from safemodel.adapters.sklearn.frames_live import facts_of
from safemodel.adapters.sklearn.own import Own, own_function_of, own_of
from safemodel.adapters.sklearn.parts import Function, Part, Reduced
from safemodel.adapters.sklearn.schema import Schema
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.sparse import FORMATS
from safemodel.adapters.sklearn.tables import FUNCTIONS, PARTS, SCHEMAS
from safemodel.errors import MissingLibraryError

if TYPE_CHECKING:
    from safemodel.adapters.sklearn.frames import Facts

# What to install for the packages that the tables name.
DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "category_encoders": "category-encoders",
}


@dataclass(frozen=True)
class Entry:
    """A class with its schema; `required` are the parameters that an instance must have."""

    kind: Any
    schema: Schema
    required: tuple[str, ...]
    given: frozenset[str] = frozenset()  # by the class itself, in some releases: no attributes

    def check(self, state: Mapping[str, Any], scope: Scope) -> None:
        """Check a whole state against the schema and against the class itself.

        Raises:
            SpecError: names the attribute.
        """
        for name in state:
            if is_shadowing(self.kind, name):
                raise SpecError("would shadow something of the class", f".{name}")
        self.schema.check(state, scope, self.required, self.given)


def is_shadowing(kind: type, name: str) -> bool:
    """Whether an attribute of an instance would hide, or be hidden by, one of its class."""
    if name.startswith("__"):
        return True
    found = inspect.getattr_static(kind, name, None)
    return callable(found) or hasattr(found, "__get__")


class Library(Protocol):
    """Which objects are of the classes that the tables name."""

    def entry(self, kind: type) -> Entry | None:
        """The entry of a class of estimators."""

    def part(self, kind: type) -> Part | None:
        """The entry of a class of parts."""

    def reduced(self, value: Any) -> Reduced:
        """What a part tells its pickler.

        Raises:
            SpecError: nothing that the table of parts could read.
        """

    def sparse(self, kind: type) -> str | None:
        """The name of a class of sparse matrices."""

    def is_tree(self, kind: type) -> bool:
        """Whether it is the class of the trees of scikit-learn."""

    def function(self, value: Any) -> Function | None:
        """The entry of a listed function."""

    def own(self, value: Any) -> Own | None:
        """What an object of a class outside the tables consists of: the user's own, say.

        Raises:
            SpecError: it can't be rebuilt from its attributes.
        """

    def own_function(self, value: Any) -> str | None:
        """The qualified name of a function outside the tables.

        Raises:
            SpecError: it has none to import it by.
        """

    def is_bunch(self, kind: type) -> bool:
        """Whether it is the Bunch of scikit-learn; its objects are dicts."""

    def frame(self, value: Any) -> Facts | None:
        """What an object of pandas consists of: a frame, an index, one of its arrays, ...

        Raises:
            SpecError: it is one that can't be stored.
        """


@functools.cache
def entry(qualified: str) -> Entry | None:
    """Return the entry of a class named in an archive, if it is in the table and installed.

    Raises:
        MissingLibraryError: its whole package is not installed.
    """
    schema = SCHEMAS.get(qualified)
    if schema is None:
        return None
    kind = imported(schema.module, schema.name)
    if kind is None:
        return None
    names = kind._get_param_names() if hasattr(kind, "_get_param_names") else ()
    fitted = {name.rstrip("?") for name in schema.fitted}
    given = frozenset(name for name in fitted if is_shadowing(kind, name))
    return Entry(kind, schema, tuple(names), given)


def imported(module: str, name: str) -> Any:
    """Import something that a table names; None if the installed release does not have it.

    Raises:
        MissingLibraryError: its whole package is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        return None
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if error.name == root:
            distribution = DISTRIBUTIONS.get(root, root)
            raise MissingLibraryError(
                f"{root} is not installed", hint=f"pip install {distribution}"
            ) from None
        return None
    except ImportError:
        return None


# Compiled classes had other modules in other releases.
_PARTS_BY_NAME: Final[Mapping[str, list[Part]]] = defaultdict(list)
for _part in PARTS.values():
    for _name in (_part.qualified, *_part.also):
        _PARTS_BY_NAME[_name].append(_part)


class _Installed:
    """The classes of the installed libraries; a package that nobody imported stays so."""

    def __init__(self) -> None:
        self._parts: dict[type, Part | None] = {}
        self._functions: dict[int, tuple[Any, Function]] = {}
        self._looked_in: set[str] = set()

    def entry(self, kind: type) -> Entry | None:
        qualified = f"{kind.__module__}.{kind.__qualname__}"
        found = entry(qualified) if qualified in SCHEMAS else None
        return found if found is not None and found.kind is kind else None

    def part(self, kind: type) -> Part | None:
        if kind not in self._parts:
            named = _PARTS_BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}", ())
            same = (part for part in named if imported(part.module, part.name) is kind)
            self._parts[kind] = next(same, None)
        return self._parts[kind]

    def reduced(self, value: Any) -> Reduced:
        try:
            made = value.__reduce_ex__(2)
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise SpecError(f"does not describe itself: {reason:.200}") from error
        if type(made) is not tuple or len(made) < 2 or any(more for more in made[3:]):
            raise SpecError("is described in a way that safemodel does not know")
        arguments, state = made[1], made[2] if len(made) > 2 else None
        if arguments and arguments[0] is type(value):
            arguments = arguments[1:]
        return Reduced(arguments, state, self.reduced)

    def sparse(self, kind: type) -> str | None:
        if kind.__name__ not in FORMATS or not kind.__module__.startswith("scipy.sparse."):
            return None
        import scipy.sparse

        return kind.__name__ if getattr(scipy.sparse, kind.__name__) is kind else None

    def is_bunch(self, kind: type) -> bool:
        return kind.__module__ == BUNCH[0] and imported(*BUNCH) is kind

    def is_tree(self, kind: type) -> bool:
        if kind.__module__ != "sklearn.tree._tree":
            return False
        from sklearn.tree._tree import Tree

        return kind is Tree

    def function(self, value: Any) -> Function | None:
        if not callable(value) or isinstance(value, type):
            return None
        for function in FUNCTIONS.values():
            if function.qualified not in self._looked_in and function.module in sys.modules:
                self._looked_in.add(function.qualified)
                live = getattr(sys.modules[function.module], function.name, None)
                self._functions[id(live)] = live, function
        found = self._functions.get(id(value))
        return found[1] if found is not None and found[0] is value else None

    def frame(self, value: Any) -> Facts | None:
        return facts_of(value)

    def own(self, value: Any) -> Own | None:
        return own_of(value, self)

    def own_function(self, value: Any) -> str | None:
        return own_function_of(value)


INSTALLED: Final[Library] = _Installed()
