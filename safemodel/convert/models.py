"""Objects of libraries, from what a pickle tells of them: rules that make stand-ins.

What the classes themselves would do to their state while they are unpickled is done here, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.containers import BUNCH
from safemodel.adapters.sklearn.own import is_closed
from safemodel.adapters.sklearn.parts import Reduced
from safemodel.adapters.sklearn.tables import SCHEMAS
from safemodel.convert.containers import set_pairs
from safemodel.convert.standins import (
    BUNCH_CLASS,
    PARTS_BY_NAME,
    SPARSE_BY_NAME,
    TREE,
    TREE_CLASS,
    OwnFunction,
    StandIns,
    Told,
    Unlisted,
    function_named,
    schema_name,
    sparse_class,
)
from safemodel.convert.values import NOTHING, Interpreter, Made, Rule, Steps, only_called
from safemodel.convert.zones import ZONES
from safemodel.errors import UnconvertibleError, UsageError
from safemodel.legacy.pickle_facts import Global, Instance, Items, Value

_VERSION: Final = "_sklearn_version"
_BUNCHES: Final = frozenset({".".join(BUNCH), "sklearn.utils.Bunch", "sklearn.datasets.base.Bunch"})
# Packages whose other classes become records: of parts of parts, say.
_ROOTS: Final = frozenset({name.partition(".")[0] for name in SCHEMAS}) | {
    # The last is what scikit-learn's compiled losses called their module up to 1.8
    *("pandas", "scipy", "sklearn", "_loss")
}


# Of distributions of scipy, which make these again
_RECORDS: Final = frozenset(
    f"numpy.{module}vectorize" for module in ("", "lib.function_base.", "lib._function_base_impl.")
)


_NAT: Final = frozenset(
    {"pandas._libs.tslibs.nattype._nat_unpickle", "pandas._libs.tslib._nat_unpickle"}
)


class Models:
    """The rules for one file.

    Attributes:
        library: knows the stand-ins that the rules made.
        versions: what the file says of packages: the versions that wrote its parts.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        """`allow`: names of the user's own classes and functions.

        Raises:
            UsageError: one of a package whose classes are nobody's own.
        """
        for name in allow:
            if is_closed(name):
                raise UsageError(f"{name} is no class of anybody's own, and can't be allowed")
        self._allow = frozenset(allow)
        self.library = StandIns()
        self.versions: dict[str, str] = {}
        self._unlisted: dict[str, Unlisted] = {}

    def rule(self, name: str) -> Rule | None:
        """The rule for what a class or function of this name makes."""
        found = self._found(name)
        self.library.used |= found is not None
        return found

    def _found(self, name: str) -> Rule | None:
        if name == "builtins.getattr":
            return self._method
        if name in self._allow:
            return self._own
        if name in SPARSE_BY_NAME:
            return self._sparse
        if name == TREE:
            return self._tree
        if name in _BUNCHES:
            return self._bunch
        if name in PARTS_BY_NAME:
            return self._part
        if schema_name(name) is not None:
            return self._estimator
        if name.partition(".")[0] in _ROOTS or name in _RECORDS | ZONES:
            return self._record
        return None

    def named(self, name: str) -> Any:
        """What a global is as a value: a listed function, or NOTHING."""
        if name in self._allow:
            self.library.used = True
            return OwnFunction(name)
        found = function_named(name)
        if found is not None:
            return found
        return self._once(name) if _package(name) in _ROOTS else NOTHING

    def _once(self, name: str) -> Unlisted:
        """What stands for something that no table lists: the same object each time."""
        self.library.used = True
        return self._unlisted.setdefault(name, Unlisted(name))

    def _estimator(self, made: Made, work: Interpreter) -> Steps:
        """An object with a schema: the state becomes its attributes, but for the version."""
        value, qualified = made.value, schema_name(made.name) or made.name
        if not made.new or made.arguments or made.base is not None or value.mutations:
            raise UnconvertibleError(f"a {made.name} that is made with arguments")
        found: Any = object.__new__(self.library.estimator(qualified))
        work.know(value, found)
        state = yield value.state, ""
        attributes = dict(_attributes(state, made.name))
        version = attributes.pop(_VERSION, None)
        if version is not None:
            self._note(qualified.partition(".")[0], version)
        vars(found).update(attributes)
        return found

    def _own(self, made: Made, work: Interpreter) -> Steps:
        """An object of a class of the user's own: its attributes, and nothing more."""
        value = made.value
        if not made.new or made.arguments or made.base is not None or value.mutations:
            raise UnconvertibleError(f"a {made.name}, which is more than its attributes")
        found: Any = object.__new__(self.library.own_class(made.name))
        work.know(value, found)
        state = yield value.state, ""
        vars(found).update(_attributes(state, made.name))
        return found

    def _note(self, package: str, version: Any) -> None:
        if type(version) is str and len(version) <= 64 and version.isprintable():
            self.versions.setdefault(package, version)

    def _part(self, made: Made, work: Interpreter) -> Steps:
        """A part: what its class would be called with, and its state."""
        names = PARTS_BY_NAME[made.name]
        first = made.arguments[0] if made.arguments else None
        given = PARTS_BY_NAME.get(first.full_name, ()) if isinstance(first, Global) else ()
        both = [name for name in names if name in given]
        arguments = made.arguments[1:] if both else made.arguments
        if not both and len(names) > 1:
            raise UnconvertibleError(f"{made.name} of a class that is in no table")
        kind = self.library.part_class(both[0] if both else names[0])
        return (yield from self._told(kind, made, arguments, work))

    def _record(self, made: Made, work: Interpreter) -> Steps:
        """What no table has: nothing but a table may look into it."""
        first = made.arguments[0] if made.arguments else None
        arguments, name = made.arguments, made.name
        if name in _NAT:
            yield from ()
            return self._once("pandas.NaT")
        if isinstance(first, Global) and first.full_name.startswith(f"{_package(name)}."):
            arguments, name = arguments[1:], first.full_name
            if len(PARTS_BY_NAME.get(name, ())) == 1:  # `newObj(KDTree)`, say
                kind = self.library.part_class(PARTS_BY_NAME[name][0])
                return (yield from self._told(kind, made, arguments, work))
        return (yield from self._told(self.library.record_class(name), made, arguments, work))

    def _method(self, made: Made, work: Interpreter) -> Steps:
        """A method that an object keeps of itself: nothing that a table looks into."""
        owner, *names = made.arguments
        only_called(made)
        if len(names) != 1 or not isinstance(owner, Instance):
            raise UnconvertibleError("builtins.getattr in a form that no pickler writes")
        yield from ()
        return Unlisted(f"builtins.getattr(.., {names[0]!r:.60})")

    def _told(self, kind: type, made: Made, given: tuple[Value, ...], work: Interpreter) -> Steps:
        value = made.value
        if made.base is not None and made.base[0] == "builtins.tuple":  # a named one
            base = made.base[1]
            given, made = (
                tuple(base.items) if isinstance(base, Items) else (),
                replace(made, base=None),
            )
        if made.base is not None or value.mutations:
            raise UnconvertibleError(f"a {made.name} with items")
        found: Told = object.__new__(kind)
        found.told = None
        work.know(value, found)
        arguments = yield from work.each(list(given))
        state = yield value.state, ""
        if type(state) is tuple:  # of a compiled class, which keeps its own copies of arrays
            state = tuple(map(_copied, state))
        found.told = Reduced(tuple(arguments), state, self.library.reduced)
        return found

    def _tree(self, made: Made, work: Interpreter) -> Steps:
        """A decision tree."""
        if made.new or len(made.arguments) != 3 or made.value.mutations:
            raise UnconvertibleError("a tree in a form that scikit-learn does not write")
        arguments = yield from work.arguments(made)
        state = yield made.value.state, ""
        return TREE_CLASS(arguments, state)

    def _bunch(self, made: Made, work: Interpreter) -> Steps:
        """A Bunch: its items; what its state says is passed over by itself."""
        value = made.value
        found: Any = BUNCH_CLASS()
        work.know(value, found)
        if not made.new or made.arguments or (made.base and made.base[0] != "builtins.dict"):
            raise UnconvertibleError("a Bunch in a form that scikit-learn does not write")
        if made.base is not None:
            items = yield made.base[1], ""
            found.update(items)
        entries = yield from work.entries(set_pairs(value.mutations))
        found.update(entries)
        return found

    def _sparse(self, made: Made, work: Interpreter) -> Steps:
        """A sparse matrix, over its arrays."""
        value = made.value
        if not made.new or made.arguments or made.base is not None or value.mutations:
            raise UnconvertibleError("a sparse matrix in a form that scipy does not write")
        found: Any = sparse_class(SPARSE_BY_NAME[made.name])()
        work.know(value, found)
        state = yield value.state, ""
        found.fill(state)
        return found


class Rules(Mapping[str, Rule]):
    """A table of fixed rules, and behind it those of the models of one file."""

    def __init__(self, fixed: Mapping[str, Rule], models: Models) -> None:
        self._fixed = fixed
        self._models = models

    def __getitem__(self, name: str) -> Rule:
        found = self._fixed.get(name) or self._models.rule(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._fixed)

    def __len__(self) -> int:
        return len(self._fixed)


def _attributes(state: Any, name: str) -> dict[str, Any]:
    """The attributes that a state sets: a dictionary, perhaps with nothing for slots beside it."""
    if type(state) is tuple and len(state) == 2 and not state[1]:
        state = state[0]
    if state is None:
        return {}
    if type(state) is not dict or any(type(key) is not str for key in state):
        raise UnconvertibleError(f"a {name} whose state is not a dictionary of attributes")
    return state


def _copied(value: Any) -> Any:
    """An empty array as a compiled class gives it back: its strides are those of its shape."""
    if type(value) is np.ndarray and not value.size and not value.dtype.hasobject:
        return np.ndarray(value.shape, value.dtype, bytearray(1))
    return value


def _package(name: str) -> str:
    return name.partition(".")[0]
