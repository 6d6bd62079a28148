"""Variables in the layout of a file of Keras, as `convert` finds them: by their places there.

Which variable of a model is at which place only the classes of the model know. So the archive keeps
the layout of the file, and `placing` walks the live model as Keras does. This half knows no Keras:
it writes and checks. Implements spec/keras.md, "Layouts of files".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from safemodel.adapters import plain
from safemodel.adapters.graph_encode import EncodedGraph, Encoder, Handler, Inline, Node, encode
from safemodel.adapters.keras.variables import DTYPES, Stored
from safemodel.errors import ArchitectureError, UnsavableError

KERAS_3: Final = "keras3"  # `.keras` and `.weights.h5`: a group for each object, by attributes
H5: Final = "h5"  # `.h5`: layers by name, variables in the order of the layer
OPTIMIZER: Final = "optimizer"
_SECTION: Final = frozenset({"layout", "groups", "optimizer", "vocabularies"})
_VALUES: Final = "/vars/"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A variable of a file of Keras, on its way into a bundle."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[memoryview]]


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What an archive holds of a file: variables by group, the optimizer's, vocabularies.

    Attributes:
        layout: `keras3` or `h5`.
        groups: of `keras3` by the path of attributes, empty for the model itself, with a key for
            each variable; of `h5` by the name of the layer, empty for the model itself.
        optimizer: the variables of the optimizer in order (`h5`).
        vocabularies: lists of tokens by the path of the layer.
    """

    layout: str
    groups: Mapping[str, Mapping[str, Stored]]
    optimizer: tuple[Stored, ...] | None
    vocabularies: Mapping[str, tuple[str, ...]]

    def stored(self) -> list[Stored]:
        """All variables of layers."""
        groups = self.groups.items()
        return [one for path, group in groups if not is_optimizer(path) for one in group.values()]


def is_optimizer(path: str) -> bool:
    """Whether the group of a path is an optimizer's, or part of one."""
    return path == OPTIMIZER or path.startswith(f"{OPTIMIZER}/")


def section(
    layout: str,
    groups: Mapping[str, list[Foreign]],
    optimizer: list[Foreign] | None = None,
    vocabularies: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    """The value of `laid_out` in the root of a graph."""
    found: dict[str, Any] = {
        "layout": layout,
        "groups": [{"path": path, "variables": list(group)} for path, group in groups.items()],
    }
    if optimizer is not None:
        found["optimizer"] = optimizer
    if vocabularies:
        found["vocabularies"] = [
            {"path": path, "tokens": tokens} for path, tokens in vocabularies.items()
        ]
    return found


def graph_of(root: dict[str, Any]) -> EncodedGraph:
    """The graph of a root with such a section.

    Raises:
        UnsavableError: part of it can't be represented.
    """
    handlers: dict[type, Handler] = {
        str: plain.HANDLERS[str],
        list: plain.HANDLERS[list],
        dict: plain.HANDLERS[dict],
        Foreign: _encode,
    }
    inlines: dict[type, Inline] = {kind: plain.INLINES[kind] for kind in (int, float, str)}
    return encode(root, handlers=handlers, inlines=inlines)


def _encode(obj: Any, path: str, encoder: Encoder) -> Node:
    foreign: Foreign = obj
    if foreign.dtype not in DTYPES:
        raise UnsavableError(f"a variable of {foreign.dtype:.60}", place=foreign.path)
    node: Node = {"kind": "placed", "path": foreign.path, "dtype": foreign.dtype}
    encoder.store(node, "data", foreign.path, DTYPES[foreign.dtype], foreign.shape, foreign.pieces)
    return node


# Load


def parsed(value: Any) -> LaidOut:
    """Check the section of a root that was decoded.

    Raises:
        ArchitectureError: it is not of this form.
    """
    if type(value) is not dict or not {"layout", "groups"} <= value.keys() <= _SECTION:
        raise ArchitectureError("a layout of a file has other fields than it must have")
    layout = value["layout"]
    if layout not in (KERAS_3, H5) or (layout == KERAS_3 and "optimizer" in value):
        raise ArchitectureError(f"the layout {layout!r:.60}")
    names: set[str] = set()
    groups: dict[str, Mapping[str, Stored]] = {}
    for entry in _entries(value["groups"], "variables"):
        if entry["path"] in groups:
            raise ArchitectureError("two groups of one path", place=entry["path"][:200])
        groups[entry["path"]] = _group(entry, layout, names)
    optimizer = value.get("optimizer")
    if optimizer is not None:
        optimizer = tuple(_unique(_variables(optimizer), names))
    vocabularies: dict[str, tuple[str, ...]] = {}
    for entry in _entries(value.get("vocabularies", []), "tokens"):
        tokens = entry["tokens"]
        if type(tokens) is not list or not all(type(token) is str for token in tokens):
            raise ArchitectureError("a vocabulary that is no list of text", place=entry["path"])
        if entry["path"] in vocabularies:
            raise ArchitectureError("two vocabularies of one path", place=entry["path"][:200])
        vocabularies[entry["path"]] = tuple(tokens)
    return LaidOut(layout, groups, optimizer, vocabularies)


def _entries(value: Any, what: str) -> Iterator[dict[str, Any]]:
    if type(value) is not list:
        raise ArchitectureError("groups of a file must be a list")
    for entry in value:
        if type(entry) is not dict or entry.keys() != {"path", what}:
            raise ArchitectureError(f"a group of a file has a path and {what}")
        if type(entry["path"]) is not str:
            raise ArchitectureError("a group of a file without a path")
        yield entry


def _group(entry: dict[str, Any], layout: str, names: set[str]) -> dict[str, Stored]:
    found = list(_unique(_variables(entry["variables"]), names))
    if layout == H5:
        return {str(index): one for index, one in enumerate(found)}
    prefix = entry["path"] + _VALUES if entry["path"] else _VALUES[1:]
    if not all(one.path.startswith(prefix) for one in found):
        raise ArchitectureError("a variable outside of its group", place=entry["path"][:200])
    return {one.path[len(prefix) :]: one for one in found}


def _variables(value: Any) -> list[Stored]:
    if type(value) is not list or not all(isinstance(one, Stored) for one in value):
        raise ArchitectureError("not a list of variables")
    return value


def _unique(found: list[Stored], names: set[str]) -> Iterator[Stored]:
    for one in found:
        if one.path in names:
            raise ArchitectureError("two variables of one path", place=one.path[:200])
        names.add(one.path)
        yield one
