"""What an archive of a module with functions begins with: the state, and constants beside it.

Imports no TensorFlow: live modules and files that are converted are written by this same code.
Implements spec/tensorflow.md, "Functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.graph_encode import Encoder, Node
from safemodel.adapters.tensorflow.dtypes import STORED, stored_shape
from safemodel.adapters.tensorflow.facts import CONSTANTS, STATE
from safemodel.legacy.tensorflow_values import TensorFact

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import Handler


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """A module, and the constants of its functions by name: facts, or tensors."""

    module: Any
    constants: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Constants:
    by_name: Mapping[str, Any]


def _root(root: Any, path: str, encoder: Encoder) -> Node:
    # Variables have the names that they would have without functions.
    state = encoder.value(root.module, "")
    constants = encoder.value(_Constants(root.constants), "")
    return {"kind": "dict", "items": [[STATE, state], [CONSTANTS, constants]]}


def _constants(constants: Any, path: str, encoder: Encoder) -> Node:
    items: Any = [[name, encoder.value(one, name)] for name, one in constants.by_name.items()]
    return {"kind": "dict", "items": items}


def _constant(fact: Any, path: str, encoder: Encoder) -> Node:
    # Of a type with bytes: strings stand in the program, whatever their size.
    node: Node = {"kind": "tensor", "dtype": fact.dtype}
    shape = stored_shape(fact.dtype, fact.shape)
    encoder.store(node, "data", path, STORED[fact.dtype][0], shape, lambda: (fact.data(),))
    return node


HANDLERS: Final[Mapping[type, Handler]] = {
    Root: _root,
    _Constants: _constants,
    TensorFact: _constant,
}
