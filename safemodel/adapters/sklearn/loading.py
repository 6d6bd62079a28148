"""Nodes of an object graph to estimators: the half of the adapter that runs at load.

An estimator is made in three steps. `create` makes an empty instance of a class of the table (its
`__init__` never runs); `fill` puts the decoded attributes into it, plain values that nothing looks
at yet; `check`, when the whole graph exists, compares them with the state schema. No method of an
object from the archive is called before every check of the whole graph has passed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.graph_decode import Builder, Decoder, Node
from safemodel.adapters.sklearn import containers, own, packed, predictors, sparse
from safemodel.adapters.sklearn.library import INSTALLED, Entry, imported
from safemodel.adapters.sklearn.library import entry as entry_of
from safemodel.adapters.sklearn.parts import Part, build_part
from safemodel.adapters.sklearn.patterns import NotSimpleError
from safemodel.adapters.sklearn.scope import ITEM, Audit, NotAllowedSpecError, Scope, SpecError
from safemodel.adapters.sklearn.tables import FUNCTIONS, PARTS, SCHEMAS
from safemodel.adapters.sklearn.versions import Releases
from safemodel.errors import ArchitectureError, NotAllowedError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


class Loading:
    """One load: what the caller allows, which release saved, and the builders for both."""

    def __init__(
        self, saved_by: str | None, audit: Audit, allow: Sequence[str], releases: Releases
    ) -> None:
        self._saved_by = saved_by
        self._allow = tuple(allow)
        self.releases = releases
        self._audit = audit
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._trees: dict[int, tuple[Entry, list[Any], list[int] | None]] = {}
        self.estimators: list[tuple[Any, Entry]] = []
        self._unfinished: list[tuple[Any, Part]] = []

    def builders(self) -> Mapping[str, Builder]:
        """Return the builders of the kinds of this adapter."""
        return {
            "sklearn.estimator": Builder(
                self._create,
                self._fill,
                self._check,
                fields=frozenset({"class", "state", "trees", "predictors"}),
                required=frozenset({"class", "state"}),
            ),
            "sklearn.own": Builder(
                self._create_own,
                self._fill,
                self._check_own,
                fields=frozenset({"class", "state", "trees", "predictors"}),
                required=frozenset({"class", "state"}),
            ),
            "sklearn.own_function": Builder(
                lambda node, decoder: own.resolve_function(node["name"], self._allow),
                fields=frozenset({"name"}),
            ),
            "sklearn.part": Builder(
                self._create_part,
                _fill_part,
                self._check_part,
                fields=frozenset({"class", "arguments"}),
            ),
            "sklearn.function": Builder(_create_function, fields=frozenset({"name"})),
            "sklearn.tree": Builder(
                packed.create_tree,
                fields=frozenset({"nodes", "values", "features", "classes", "depth"}),
            ),
            **containers.BUILDERS,
            "sklearn.bunch": containers.bunch_builder(lambda: imported(*containers.BUNCH)()),
            "scipy.sparse": Builder(_create_sparse, fields=frozenset({"class", "shape", "arrays"})),
        }

    def _create(self, node: Node, decoder: Decoder) -> object:
        entry = _entry(node["class"])
        self._decode_trees(entry.schema.name, node, decoder)
        made: object = entry.kind.__new__(entry.kind)
        return made

    def _create_own(self, node: Node, decoder: Decoder) -> object:
        kind = own.resolve_class(node["class"], self._allow)
        self._decode_trees(kind.__name__, node, decoder)
        made: object = object.__new__(kind)
        if type(vars(made)) is not dict or vars(made):
            raise ArchitectureError(f"a new {kind.__name__} is not empty")
        return made

    def _decode_trees(self, name: str, node: Node, decoder: Decoder) -> None:
        if "trees" in node:
            if not isinstance(decoder, packed.Streamer):
                raise ArchitectureError("a forest outside a model of scikit-learn")
            try:
                self._trees[id(node)] = packed.decode(node["trees"], decoder)
            except SpecError as error:
                raise _refused(name, error.below(".estimators_")) from None

    def _fill(self, obj: Any, node: Node, decoder: Decoder) -> None:
        state = node["state"]
        if type(state) is not dict:
            raise ArchitectureError("the state of an estimator must be an object")
        values = {name: decoder.value(value) for name, value in state.items()}
        vars(obj).update(values)

    def _check(self, obj: Any, node: Node, decoder: Decoder) -> None:
        entry = _entry(node["class"])
        state = vars(obj)
        try:
            self._fill_trees(state, node, decoder)
            self.releases.complete(entry, state)
            entry.check(state, Scope(INSTALLED, self._audit))
        except SpecError as error:
            raise _refused(entry.schema.name, error) from None
        self._adopt(obj, entry, decoder)

    def _check_own(self, obj: Any, node: Node, decoder: Decoder) -> None:
        state, kind = vars(obj), type(obj)
        base = own.base_of(kind, INSTALLED)
        try:
            self._fill_trees(state, node, decoder)
            own.check_names(kind, state)
            if base is not None:
                own.check_base(base, state, Scope(INSTALLED, self._audit))
        except SpecError as error:
            raise _refused(kind.__name__, error) from None
        if base is None:
            containers.adopt(obj)
        else:
            self._adopt(obj, base, decoder)

    def _fill_trees(self, state: dict[str, Any], node: Node, decoder: Decoder) -> None:
        if "predictors" in node:
            if "_predictors" in state:
                raise SpecError("is there twice", "._predictors")
            part = predictors.PREDICTOR
            kind = imported(part.module, part.name)
            state["_predictors"] = predictors.decode(node["predictors"], decoder, kind)
        if "trees" not in node:
            return
        if "estimators_" in state:
            raise SpecError("is there twice", ".estimators_")
        state["estimators_"] = packed.fill(
            *self._trees[id(node)],
            node["trees"],  # type: ignore[arg-type]  # packed.decode has checked it
            decoder,
            self._audit,
        )

    def _adopt(self, obj: Any, entry: Entry, decoder: Decoder) -> None:
        """Take in an object whose state was checked: own copies of what native code relies on."""
        state = vars(obj)
        containers.adopt(obj)
        for name in entry.schema.private:
            if name in state:
                state[name] = self._private(state[name], decoder)
        if entry.schema.rebuild is not None:  # it may copy each array a few times
            decoder.charge(4 * sum(one.nbytes for one in state.values() if type(one) is np.ndarray))
        self.estimators.append((obj, entry))

    def _private(self, value: Any, decoder: Decoder) -> Any:
        """Copy arrays that native code will rely on: no others shall share their memory.

        Copies are kept, so that many references to one array are references to one copy.
        """
        if type(value) not in (list, tuple, np.ndarray):
            return value
        if id(value) not in self._copies:
            if type(value) is np.ndarray:
                copy: Any = _copied(value, decoder)
            else:
                decoder.charge(8 * len(value))
                copy = type(value)(self._private(item, decoder) for item in value)
            self._copies[id(value)] = value, copy  # `value` stays, or its id could be another's
        return self._copies[id(value)][1]

    def _create_part(self, node: Node, decoder: Decoder) -> object:
        kind, part = _part(node)
        if part.late:
            made: object = object.__new__(kind)
            return made
        try:
            arguments = _arguments(node, decoder)
            for value in arguments.values():
                if type(value) is np.ndarray:  # constructors look at all of it
                    decoder.charge(value.nbytes)
            part.check(arguments, INSTALLED, self._audit)
            return build_part(kind, part, arguments)
        except SpecError as error:
            raise _refused(part.name, error) from None

    def _check_part(self, obj: Any, node: Node, decoder: Decoder) -> None:
        part = _part(node)[1]
        try:
            if not part.late:
                found: Mapping[str, Any] = _arguments(node, decoder)
                again = any(type(value) in _FILLED_LATE for value in found.values())
            elif part.build is None:
                found, again = vars(obj), True
            else:  # what was built by name is read again
                found, again = part.read(INSTALLED.reduced(obj)), True
            if again:  # else it was complete when it was looked at
                part.check(found, INSTALLED, self._audit)
        except SpecError as error:
            raise _refused(part.name, error) from None
        if part.finish is not None:  # it may copy each array a few times
            decoder.charge(4 * _bytes(found))
            self._unfinished.append((obj, part))
        containers.adopt(obj)

    def finish(self) -> None:
        """Rebuild what is derived, and say once what scikit-learn says of another release."""
        for obj, part in self._unfinished:
            try:
                part.finish(obj)  # type: ignore[misc]  # only such parts are in the list
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                raise ArchitectureError(f"{part.name}: can't be rebuilt: {error!s:.200}") from error
        for obj, entry in self.estimators:
            if entry.schema.rebuild is not None:
                try:
                    entry.schema.rebuild(obj)
                except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                    raise ArchitectureError(
                        f"{entry.schema.name}: can't be rebuilt: {error!s:.200}"
                    ) from error
        if not any(entry.schema.module.startswith("sklearn.") for _, entry in self.estimators):
            return
        from sklearn import __version__
        from sklearn.exceptions import InconsistentVersionWarning

        if self._saved_by is None:
            raise ArchitectureError("the manifest does not say which scikit-learn saved the model")
        if self._saved_by == __version__:
            return
        for name in sorted({entry.schema.name for _, entry in self.estimators}):
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=name,
                    current_sklearn_version=__version__,
                    original_sklearn_version=self._saved_by,
                ),
                stacklevel=4,
            )


_INSTALL_THE_RELEASE: Final = "install the release that saved the model: safemodel inspect shows it"


def _refused(name: str, error: SpecError) -> ArchitectureError:
    place = error.path.lstrip(".") or None
    if isinstance(error, NotSimpleError):
        hint = f"if you trust it, load with allow=[{f'{error.key}:{error.pattern}'!r}]"
        return NotAllowedError(f"{name}: {error.message}", place=place, hint=hint)
    if isinstance(error, NotAllowedSpecError):
        hint = f"if you trust it, load with allow=[{error.allow!r}]"
        return NotAllowedError(f"{name}: {error.message}", place=place, hint=hint)
    return ArchitectureError(f"{name}: {error.message}", place=place)


def _entry(name: JsonValue) -> Entry:
    """Look a class up in the table.

    Raises:
        ArchitectureError: it is not there, or the installed release does not have it.
    """
    if type(name) is not str:
        raise ArchitectureError("a class is named by a string")
    if name not in SCHEMAS:
        raise ArchitectureError(
            f"{name!r:.200} is not a class that this release of safemodel builds",
            hint="only classes with a state schema are built (docs/sklearn.md lists them)",
        )
    entry = entry_of(name)
    if entry is None:
        raise ArchitectureError(
            f"{name} is not in the installed scikit-learn",
            hint=_INSTALL_THE_RELEASE,
        )
    return entry


def _bytes(value: Any) -> int:
    """The bytes of all arrays in a value that was checked."""
    if type(value) is np.ndarray:
        return int(value.nbytes)
    if type(value) is dict:
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if type(value) is list else 0


def _copied(array: Any, decoder: Decoder) -> Any:
    if array.size == 0:  # nothing to change, and a copy could have other strides
        return array
    decoder.charge(array.nbytes)
    return array.copy(order="K")


# Parts

_FILLED_LATE: Final = frozenset({dict, list, set, tuple})  # a tuple for what is in it


def _part(node: Node) -> tuple[Any, Part]:
    name = node["class"]
    part = PARTS.get(name) if type(name) is str else None
    if part is None:
        raise ArchitectureError(f"{name!r:.200} is not a class that safemodel builds")
    kind = imported(part.module, part.name)
    if kind is None:
        raise ArchitectureError(
            f"{part.qualified} is not in the installed release", hint=_INSTALL_THE_RELEASE
        )
    return kind, part


def _arguments(node: Node, decoder: Decoder) -> dict[str, Any]:
    arguments = node["arguments"]
    if type(arguments) is not dict:
        raise ArchitectureError("the arguments of a part must be an object")
    return {name: decoder.value(value) for name, value in arguments.items()}


def _fill_part(obj: Any, node: Node, decoder: Decoder) -> None:
    part = _part(node)[1]
    if not part.late:
        return
    arguments = _arguments(node, decoder)
    if part.build is None:
        # Rules look at parts before they are checked: nothing may stand before their methods
        if not arguments.keys() <= {name.rstrip("?") for name in part.arguments}:
            raise ArchitectureError(f"a {part.name} with other arguments than it has")
        vars(obj).update(arguments)
        return
    decoder.look(sum(ITEM * len(one) for one in arguments.values() if type(one) is tuple))
    try:
        part.build(obj, **arguments)
    except SpecError as error:
        raise _refused(part.name, error) from None


def _create_function(node: Node, decoder: Decoder) -> object:
    name = node["name"]
    if type(name) is not str or name not in FUNCTIONS:
        raise ArchitectureError(f"{name!r:.100} is not a function that safemodel knows")
    function = imported(FUNCTIONS[name].module, FUNCTIONS[name].name)
    if function is None:
        raise ArchitectureError(
            f"{name} is not in the installed release", hint=_INSTALL_THE_RELEASE
        )
    return function


# Sparse matrices

_INDICES: Final = frozenset({"indptr", "indices", "row", "col", "offsets"})


def _create_sparse(node: Node, decoder: Decoder) -> object:
    name, shape, arrays = node["class"], node["shape"], node["arrays"]
    if type(name) is not str or name not in sparse.FORMATS:
        raise ArchitectureError(f"{name!r:.100} is not a class that safemodel builds")
    layout = name.partition("_")[0]
    if type(arrays) is not dict or tuple(sorted(arrays)) != tuple(sorted(sparse.ARRAYS[layout])):
        raise ArchitectureError(f"a {name} with other arrays than it must have")
    if type(shape) is not list or len(shape) != 2:
        raise ArchitectureError("a sparse matrix has two dimensions")
    decoded: dict[str, Any] = {k: decoder.value(arrays[k]) for k in sparse.ARRAYS[layout]}
    size: Any = (shape[0], shape[1])
    try:
        for key, array in decoded.items():
            sparse.check_array(layout, key, array)
            decoder.charge(array.nbytes)
        # Each matrix has indices of its own: scipy sorts them in place
        for key in _INDICES & decoded.keys():
            decoded[key] = _copied(decoded[key], decoder)
        sparse.check_arrays(layout, size, decoded)
    except SpecError as error:
        raise ArchitectureError(f"{name}: {error.message}", place=error.path[1:]) from None
    return sparse.build(imported("scipy.sparse", name), layout, size, decoded)
