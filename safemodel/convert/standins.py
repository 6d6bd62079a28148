"""Objects that stand in for those of libraries: what a pickle says of them, and nothing else.

For each class that a table of the adapters names there is a class of ours with the same name and
module; no library is imported. Its instances hold the attributes that the real ones would have
after unpickling, so the adapter checks and encodes both alike. A `StandIns` knows which is which
(`adapters/sklearn/library.py`). What is of a class without a table becomes a record that nothing
but a table may look into, and that the encoder refuses by name where it gets to it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.containers import BUNCH
from safemodel.adapters.sklearn.frames import Facts
from safemodel.adapters.sklearn.library import Entry
from safemodel.adapters.sklearn.own import Own
from safemodel.adapters.sklearn.parts import Function, Part, Reduced
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.adapters.sklearn.sparse import ARRAYS, FORMATS
from safemodel.adapters.sklearn.tables import FUNCTIONS, PARTS, SCHEMAS
from safemodel.convert import frames
from safemodel.errors import UnconvertibleError

TREE: Final = "sklearn.tree._tree.Tree"
_MAX_NAME: Final = 200


class StandIn:
    """An object of a class with a schema: its attributes are those of the real one."""


class OwnLike:
    """An object of a class of the user's own, which is its attributes."""


class OwnFunction:
    """A function of the user's own."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Told:
    """An object of any other class: what the pickle tells of it."""

    __slots__ = ("__dict__", "told")  # `vars` of it is empty

    told: Reduced | None


class Listed:
    """A listed function."""

    __slots__ = ("function",)

    def __init__(self, function: Function) -> None:
        self.function = function


class Unlisted:
    """Something of a library that no table lists: a constant, a class, a function."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class BunchLike(dict[Any, Any]):
    """A Bunch."""


class SparseLike:
    """A sparse matrix: `fill` gives it the arrays, under the names of its layout."""

    format = ""

    ndim = 2

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        shape: tuple[int, ...] = vars(self)["_shape"]
        return shape

    def fill(self, state: Any) -> None:
        """Take over the state of a pickle.

        Raises:
            UnconvertibleError: not that of a sparse matrix with two dimensions.
        """
        if type(state) is not dict:
            raise UnconvertibleError("a sparse matrix without its arrays")
        found = dict(state)
        shape = found.get("_shape", found.get("shape"))
        sides = shape if type(shape) is tuple else ()
        if len(sides) != 2 or any(not isinstance(side, int | np.integer) for side in sides):
            raise UnconvertibleError("a sparse array that has not two dimensions")
        if "coords" in found and self.format == "coo":
            found["row"], found["col"] = found["coords"]
        names = ARRAYS[self.format]
        if not found.keys() >= set(names):
            raise UnconvertibleError("a sparse matrix without its arrays")
        vars(self)["_shape"] = tuple(int(side) for side in sides)
        vars(self).update({name: found[name] for name in names})


class TreeLike:
    """The nodes of a decision tree, as views of the file."""

    __slots__ = ("_state", "max_depth", "n_classes", "n_features", "n_outputs", "node_count")

    def __init__(self, arguments: list[Any], state: Any) -> None:
        """Take over what `Tree.__reduce__` tells.

        Raises:
            UnconvertibleError: sizes that do not fit one another.
        """
        features, classes, outputs = arguments
        nodes, values = state["nodes"], state["values"]
        counts = [features, outputs, state["node_count"], state["max_depth"]]
        if any(not isinstance(count, int | np.integer) or count < 0 for count in counts):
            raise _odd_tree()
        if type(classes) is not np.ndarray or classes.dtype.kind not in "iu":
            raise _odd_tree()
        if type(nodes) is not np.ndarray or type(values) is not np.ndarray or nodes.ndim != 1:
            raise _odd_tree()
        if nodes.dtype.names is None or "missing_go_to_left" not in nodes.dtype.names:
            raise UnconvertibleError(
                "a tree of a release of scikit-learn before 1.3, which later ones can't read",
                hint="train the model again with a current release",
            )
        self.n_features, self.n_outputs, self.node_count, self.max_depth = map(int, counts)
        self.n_classes = classes
        if classes.shape != (self.n_outputs,) or not 0 < self.n_outputs < 1 << 20:
            raise _odd_tree()
        width = (self.n_outputs, int(classes.max()))
        if values.shape != (len(nodes), *width) or values.dtype != np.float64:
            raise _odd_tree()
        if classes.min() < 1 or not 0 < self.node_count <= len(nodes):
            raise _odd_tree()
        self._state = {
            "nodes": nodes[: self.node_count],
            "values": values[: self.node_count],
        }

    def __getstate__(self) -> dict[str, Any]:
        return self._state


def _odd_tree() -> UnconvertibleError:
    return UnconvertibleError("a tree in a form that scikit-learn does not write")


# Classes, made once


@functools.cache
def standing(base: type, module: str, name: str) -> type:
    """The class of ours that stands for one of a library, by names of a table."""
    slots = {"__slots__": ()} if base is Told else {}
    return type(name, (base,), {"__module__": module, "__qualname__": name, **slots})


@functools.cache
def sparse_class(name: str) -> type:
    """The class that stands for one of scipy's."""
    layout = name.partition("_")[0]
    return type(name, (SparseLike,), {"__module__": f"scipy.sparse._{layout}", "format": layout})


@functools.cache
def listed(qualified: str) -> Listed:
    """What stands for a function of the table: always the same object."""
    return Listed(FUNCTIONS[qualified])


TREE_CLASS: Final = type("Tree", (TreeLike,), {"__module__": TREE.rpartition(".")[0]})
BUNCH_CLASS: Final = type(BUNCH[1], (BunchLike,), {"__module__": BUNCH[0]})


class StandIns:
    """A `Library` of stand-ins, for one file.

    Attributes:
        used: whether there is any stand-in.
    """

    def __init__(self) -> None:
        self.used = False
        self._entries: dict[type, Entry] = {}
        self._parts: dict[type, Part] = {}
        self._records: dict[str, type] = {}

    # Making them

    def estimator(self, qualified: str) -> type:
        """The class that stands for one with a schema."""
        schema = SCHEMAS[qualified]
        kind = standing(StandIn, schema.module, schema.name)
        self._entries[kind] = Entry(kind, schema, ())
        return kind

    def part_class(self, qualified: str) -> type:
        """The class that stands for one of parts."""
        part = PARTS[qualified]
        kind = standing(Told, part.module, part.name)
        self._parts[kind] = part
        return kind

    def own_class(self, full_name: str) -> type:
        """The class that stands for one of the user's own."""
        module, _, name = full_name.rpartition(".")
        return standing(OwnLike, module, name)

    def record_class(self, full_name: str) -> type:
        """A class for records of what no table has."""
        if full_name not in self._records:
            module, _, name = full_name[:_MAX_NAME].rpartition(".")
            self._records[full_name] = type(name, (Told,), {"__module__": module, "__slots__": ()})
        return self._records[full_name]

    @property
    def needs_release(self) -> bool:
        """Whether there are estimators of scikit-learn, which depend on its release."""
        return any(entry.schema.module.startswith("sklearn.") for entry in self._entries.values())

    # Library

    def entry(self, kind: type) -> Entry | None:
        return self._entries.get(kind)

    def part(self, kind: type) -> Part | None:
        return self._parts.get(kind)

    def reduced(self, value: Any) -> Reduced:
        if not isinstance(value, Told) or value.told is None:
            raise SpecError("is not what it must be")
        return value.told

    def sparse(self, kind: type) -> str | None:
        return kind.__name__ if issubclass(kind, SparseLike) else None

    def is_tree(self, kind: type) -> bool:
        return kind is TREE_CLASS

    def is_bunch(self, kind: type) -> bool:
        return kind is BUNCH_CLASS

    def function(self, value: Any) -> Function | None:
        return value.function if type(value) is Listed else None

    def own(self, value: Any) -> Own | None:
        if not isinstance(value, OwnLike):
            return None
        kind = type(value)
        return Own(f"{kind.__module__}.{kind.__qualname__}", dict(vars(value)))

    def own_function(self, value: Any) -> str | None:
        return value.name if type(value) is OwnFunction else None

    def frame(self, value: Any) -> Facts | None:
        if type(value) is Unlisted:
            return frames.constant_of(value.name) if value.name.startswith("pandas.") else None
        if not isinstance(value, Told) or value.told is None:
            return None
        kind = type(value)
        return frames.facts_of(kind.__name__, value.told) if _is_pandas(kind) else None


def _is_pandas(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "pandas"


# Names in pickles


def _loose(qualified: str) -> str:
    """A name without the underscores that modules got in scikit-learn 0.22."""
    module, _, name = qualified.rpartition(".")
    return ".".join((*(part.lstrip("_") for part in module.split(".")), name))


_MOVED: Final[Mapping[str, str]] = {
    "sklearn.tree.tree": "sklearn.tree._classes",
    "sklearn.svm.classes": "sklearn.svm._classes",
}
_LOOSE: Final = {_loose(name): name for name in SCHEMAS}
_FUNCTIONS: Final[Mapping[str, Function]] = {
    **{
        f"{module}.{one.name}": one
        for one in FUNCTIONS.values()
        if one.module == "numpy"
        for module in (
            *("numpy.core._multiarray_umath", "numpy._core._multiarray_umath"),
            *("numpy.core.umath", "numpy._core.umath", "numpy.core.fromnumeric"),
        )
    },
    **{
        f"scipy.special.{module}.{one.name}": one
        for one in FUNCTIONS.values()
        if one.module == "scipy.special"
        for module in ("_ufuncs", "_special_ufuncs")
    },
    **{other: one for one in FUNCTIONS.values() for other in one.also},
    **FUNCTIONS,
}
PARTS_BY_NAME: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(one for one, part in PARTS.items() if name == one or name in part.also)
    for name in {*PARTS, *(other for part in PARTS.values() for other in part.also)}
}
SPARSE_BY_NAME: Final[Mapping[str, str]] = {
    f"scipy.sparse{module}.{name}": name
    for name in FORMATS
    for module in ("", f".{name.partition('_')[0]}", f"._{name.partition('_')[0]}")
}


def schema_name(full_name: str) -> str | None:
    """The qualified name of a class with a schema, from any name that it has had."""
    if full_name in SCHEMAS:
        return full_name
    module, _, name = full_name.rpartition(".")
    moved = f"{_MOVED.get(module, module)}.{name}"
    return moved if moved in SCHEMAS else _LOOSE.get(_loose(full_name))


def function_named(full_name: str) -> Listed | None:
    """What stands for a listed function of this name."""
    found = _FUNCTIONS.get(full_name)
    return None if found is None else listed(found.qualified)
