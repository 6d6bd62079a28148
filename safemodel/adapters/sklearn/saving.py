"""Estimators to nodes of an object graph: the half of the adapter that runs at save.

Everything that is not an estimator goes through the kinds of the NumPy adapter; estimators, their
parts, functions, sparse matrices and trees have kinds of their own (spec/sklearn.md, "Estimators").
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from safemodel.adapters.graph_encode import Encoder, Node, join, refusal
from safemodel.adapters.sklearn import (
    containers,
    frames_encode,
    packed,
    predictors,
    sparse,
    trees,
)
from safemodel.adapters.sklearn.library import INSTALLED, Entry, Library
from safemodel.adapters.sklearn.own import Own, check_base
from safemodel.adapters.sklearn.parts import Part
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.errors import UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_LATER = "this release of safemodel has no schema for the class yet; save its parts instead"
_OWN = "define the class in a module, where it can be imported by its name"


class Saving:
    """One save: which objects are of the classes of the tables, and which packages it meets."""

    def __init__(self, library: Library = INSTALLED) -> None:
        self._library = library
        self.packages: set[str] = set()

    def fallback(self, obj: object, path: str, encoder: Encoder) -> Node:
        """Encode what the plain and NumPy kinds do not know.

        Raises:
            UnsavableError: nothing knows it; `place` is its path.
        """
        kind, library = type(obj), self._library
        try:
            if (entry := library.entry(kind)) is not None:
                return self._estimator(obj, entry, path, encoder)
            if (part := library.part(kind)) is not None:
                return self._part(obj, part, path, encoder)
            if (name := library.sparse(kind)) is not None:
                self.packages.add("scipy")
                return _sparse(obj, name, path, encoder)
            if library.is_bunch(kind):
                self._note("sklearn")
                return containers.encode_bunch(obj, path, encoder)
            if library.is_tree(kind):
                return _tree(obj, path, encoder)
            if (facts := library.frame(obj)) is not None:
                self.packages.add("pandas")
                return frames_encode.encode(facts, path, encoder)
            if (function := library.function(obj)) is not None:
                self._note(function.module)
                return {"kind": "sklearn.function", "name": function.qualified}
            if (name := library.own_function(obj)) is not None:
                return {"kind": "sklearn.own_function", "name": name}
            if (own := library.own(obj)) is not None:
                return self._own(obj, own, path, encoder)
        except SpecError as error:
            raise unsavable(obj, path, error) from None
        if hasattr(kind, "_get_param_names") or kind.__module__.startswith("sklearn."):
            hint = _LATER if kind.__module__.startswith("sklearn.") else _OWN
            named = f"{kind.__module__}.{kind.__qualname__}"
            raise UnsavableError(f"can't save a {named}", place=path or None, hint=hint)
        raise refusal(obj, path)

    def _note(self, module: str) -> None:
        root = module.partition(".")[0]
        if root not in sys.stdlib_module_names:
            self.packages.add(root)

    def _estimator(self, obj: Any, entry: Entry, path: str, encoder: Encoder) -> Node:
        schema = entry.schema
        self._note(schema.module)
        state = {name: value for name, value in vars(obj).items() if name not in schema.caches}
        state.update(dict.fromkeys(schema.resets & state.keys()))
        entry.check(state, Scope(self._library))
        node: Node = {"kind": "sklearn.estimator", "class": schema.qualified}
        return self._with_state(node, state, path, encoder)

    def _own(self, obj: Any, own: Own, path: str, encoder: Encoder) -> Node:
        node: Node = {"kind": "sklearn.own", "class": own.qualified}
        state = dict(own.state)
        if own.base is not None:
            self._note(own.base.schema.module)
            check_base(own.base, state, Scope(self._library))
        return self._with_state(node, state, path, encoder)

    def _with_state(self, node: Node, state: dict[str, Any], path: str, encoder: Encoder) -> Node:
        # The trees of stacking and voting have names too, which refer to these very objects
        alone = "named_estimators_" not in state
        ensemble = packed.pack(state.get("estimators_"), self._library) if alone else None
        if ensemble is not None:
            del state["estimators_"]
            node["trees"] = packed.encode(ensemble, join(path, "estimators_"), encoder)
        boosted = predictors.pack(state.get("_predictors"), self._library)
        if boosted is not None:
            del state["_predictors"]
            node["predictors"] = predictors.encode(boosted, join(path, "_predictors"), encoder)
        node["state"] = _values(state, path, encoder)
        return node

    def _part(self, obj: Any, part: Part, path: str, encoder: Encoder) -> Node:
        self._note(part.module)
        arguments = part.arguments_of(obj, self._library)
        return {
            "kind": "sklearn.part",
            "class": part.qualified,
            "arguments": _values(arguments, path, encoder),
        }


def unsavable(obj: object, path: str, error: SpecError) -> UnsavableError:
    """Return the error for an attribute that its schema does not permit."""
    kind = type(obj)
    place = f"{path}{error.path}" if path else error.path.lstrip(".")
    return UnsavableError(
        f"{error.message} ({kind.__name__})",
        place=place or None,
        hint="set the attribute to something that can be saved, or delete it if it is your own",
    )


def _values(values: Mapping[str, Any], path: str, encoder: Encoder) -> dict[str, JsonValue]:
    return {name: encoder.value(values[name], join(path, name)) for name in sorted(values)}


def _sparse(obj: Any, name: str, path: str, encoder: Encoder) -> Node:
    arrays = sparse.arrays_of(obj)
    if len(obj.shape) != 2:
        raise SpecError(f"is a sparse array with {len(obj.shape)} dimensions")
    shape = (int(obj.shape[0]), int(obj.shape[1]))
    sparse.check_arrays(obj.format, shape, arrays)
    return {
        "kind": "scipy.sparse",
        "class": name,
        "shape": [*shape],
        "arrays": _values(arrays, path, encoder),
    }


def _tree(obj: Any, path: str, encoder: Encoder) -> Node:
    trees.check_live(obj)
    geometry, count = trees.geometry_of(obj), int(obj.node_count)
    node: Node = {
        "kind": "sklearn.tree",
        "features": geometry.features,
        "classes": [*geometry.classes],
        "depth": int(obj.max_depth),
    }
    shape = (count, trees.ROW)
    encoder.store(node, "nodes", join(path, "nodes"), "U8", shape, lambda: trees.node_pieces([obj]))
    shape_of_values = (count, *geometry.width)
    encoder.store(
        node,
        "values",
        join(path, "values"),
        "F64",
        shape_of_values,
        lambda: trees.value_pieces([obj]),
    )
    return node
