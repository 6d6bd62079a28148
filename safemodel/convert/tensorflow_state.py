"""Objects of TensorFlow without TensorFlow: stand-ins, and the nodes that the adapter writes.

The counterpart of `adapters/tensorflow/state.py`; the tests compare the two. Implements
spec/tensorflow.md, "Modules" and "Variables".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters import plain
from safemodel.adapters.graph_encode import EncodedGraph, Encoder, Node, encode, join
from safemodel.adapters.tensorflow import roots
from safemodel.adapters.tensorflow.dtypes import STORED, STRING, stored_shape
from safemodel.adapters.tensorflow.facts import order
from safemodel.adapters.tensorflow.variables import is_name
from safemodel.errors import UnconvertibleError

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import Handler, Inline
    from safemodel.convert.tensorflow_values import Value
    from safemodel.legacy.tensorflow_functions import Shape

_NUMBERS: Final = ("list", "tuple")


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A variable. `static` is the shape that it permits, -1 for any size, None for any rank."""

    name: str
    trainable: bool
    value: Value
    static: Shape


@dataclass(slots=True, eq=False)
class Module:
    """An object with parts; `container` says which container it is, if it is one."""

    class_name: str
    container: str | None = None
    parts: dict[str, Module | Variable] = field(default_factory=dict)


def arranged(root: Module) -> None:
    """Leave out what leads to no variable, and put parts in their order.

    Raises:
        UnconvertibleError: a part whose name no archive can have.
    """
    modules = _modules(root)
    kept = _kept(modules)
    for module in modules:
        names = [name for name, part in module.parts.items() if id(part) in kept]
        if module.container in _NUMBERS and not all(map(_is_number, names)):
            module.container = None
        for name in names:
            if not 0 < len(name) <= limits.MAX_TENSOR_NAME:
                raise UnconvertibleError(f"a part with the name {name!r:.60}")
        names.sort(key=lambda name: order(name, module.container))
        module.parts = {name: module.parts[name] for name in names}


def _modules(root: Module) -> list[Module]:
    found, seen = [root], {id(root)}
    for module in found:
        for part in module.parts.values():
            if isinstance(part, Module) and id(part) not in seen:
                seen.add(id(part))
                found.append(part)
    return found


def _kept(modules: Sequence[Module]) -> set[int]:
    """The identities of variables, and of all that lead to one."""
    above: dict[int, list[Module]] = {}
    kept: set[int] = set()
    reached: list[Module] = []
    for module in modules:
        for part in module.parts.values():
            if isinstance(part, Variable):
                kept.add(id(part))
                reached.append(module)
            else:
                above.setdefault(id(part), []).append(module)
    while reached:
        module = reached.pop()
        if id(module) not in kept:
            kept.add(id(module))
            reached += above.get(id(module), ())
    return kept


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name[:9])) == name


def encode_state(root: object) -> EncodedGraph:
    """The graph of stand-ins.

    Raises:
        UnsavableError: part of it can't be represented.
    """
    return encode(root, handlers=HANDLERS, inlines=_INLINES)


def _module(obj: Any, path: str, encoder: Encoder) -> Node:
    module: Module = obj
    if module.container is None:
        node: Node = {"kind": "module", "class": module.class_name}
    else:
        node = {"kind": "tracked", "type": module.container}
    node["parts"] = [
        [name, encoder.value(part, join(path, name))] for name, part in module.parts.items()
    ]
    return node


def _variable(obj: Any, path: str, encoder: Encoder) -> Node:
    variable: Variable = obj
    node = _value("variable", variable.value, path, encoder)
    if is_name(variable.name):
        node["name"] = variable.name
    if variable.trainable:
        node["trainable"] = True
    if variable.static is None or -1 in variable.static:
        static = variable.static
        node["shape"] = None if static is None else [None if size < 0 else size for size in static]
    return node


def _value(kind: str, value: Value, path: str, encoder: Encoder) -> Node:
    node: Node = {"kind": kind, "dtype": value.dtype}
    if value.dtype != STRING:
        shape = stored_shape(value.dtype, value.shape)
        encoder.store(node, "data", path, STORED[value.dtype][0], shape, value.pieces)
        return node
    texts = value.strings or ()
    ends = np.fromiter(accumulate(map(len, texts)), "<i8", len(texts))
    encoder.store(node, "data", path, "U8", (sum(map(len, texts)),), value.pieces)
    encoder.store(node, "ends", join(path, "ends"), "I64", value.shape, lambda: (ends.tobytes(),))
    return node


HANDLERS: Final[Mapping[type, Handler]] = {
    **roots.HANDLERS,
    dict: plain.HANDLERS[dict],
    str: plain.HANDLERS[str],
    Module: _module,
    Variable: _variable,
}
_INLINES: Final[Mapping[type, Inline]] = {str: plain.INLINES[str]}
