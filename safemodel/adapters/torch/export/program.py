"""What a program is, once it was read: graphs, and how arguments and results are shaped.

Everything here was checked when it was made (`parsing.py`), and nothing of it is a name that
Python would look up. Implements spec/torch-graph.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.torch.export.trees import Input, Tree

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

# How a tensor of the state stands in the module.
PARAMETER: Final = "parameter"
FROZEN: Final = "frozen"  # a parameter that wants no gradient
BUFFER: Final = "buffer"
TEMPORARY: Final = "temporary"  # a buffer that a state dict does not have
CONSTANT: Final = "constant"  # a tensor that is neither
SLOT_KINDS: Final = (PARAMETER, FROZEN, BUFFER, TEMPORARY, CONSTANT)

FORWARD: Final = "forward"
MODES: Final = ("eval", "train")


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor of the state: what it is, and all names that it has; several when it is tied."""

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One call: of an operator of the table, or of one that runs graphs."""

    name: str
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """Values in order: inputs, tensors of the state, then what each node gives."""

    inputs: int
    state: tuple[int, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Any, ...]

    @property
    def first(self) -> int:
        """The number of the value of the first node."""
        return self.inputs + len(self.state)


@dataclass(frozen=True, slots=True)
class Form:
    """What runs when the module is called in one mode."""

    signature: Input
    outputs: Tree
    graph: Graph


@dataclass(frozen=True)
class Program:
    """Everything about a module but its tensors. `json` is what it was read from."""

    json: JsonValue
    allow: tuple[str, ...]
    training: bool
    slots: tuple[Slot, ...]
    graphs: tuple[Graph, ...]
    forms: tuple[Form, ...]
    entries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __deepcopy__(self, memo: object) -> Program:
        return self  # nothing in it changes

    def __reduce__(self) -> tuple[Any, ...]:
        from safemodel.adapters.torch.export.parsing import parse

        return parse, (self.json, self.allow)
