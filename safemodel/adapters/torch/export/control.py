"""Control flow: the operators of `torch.export` that run other graphs of the same program.

Each does what its namesake does in PyTorch when nothing is compiled, with Python's own `if` and
loops, so gradients need nothing special. Implements spec/torch-graph.md, "Control flow".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel.adapters.torch.export.values import GraphRef
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.adapters.torch.export.program import Graph

# A graph as a function: the module's device, then the inputs; a tuple comes back.
Run = Callable[..., Sequence[Any]]


def cond(own: Any, pred: Any, then: Run, other: Run, operands: Sequence[Any]) -> Sequence[Any]:
    """One of two graphs."""
    return then(own, *operands) if pred else other(own, *operands)


def while_loop(
    own: Any, test: Run, body: Run, carried: Sequence[Any], more: Sequence[Any]
) -> Sequence[Any]:
    """A graph again and again, on what it gave before, for as long as the other says so."""
    while test(own, *carried, *more)[0]:
        carried = body(own, *carried, *more)
    return tuple(carried)


def map_impl(own: Any, body: Run, rows: Sequence[Any], more: Sequence[Any]) -> Sequence[Any]:
    """A graph on each row of the inputs; what it gives is stacked."""
    results = [body(own, *row, *more) for row in _rows(rows)]
    return tuple([torch.stack(list(column)) for column in zip(*results, strict=True)])


def scan(
    own: Any, body: Run, carried: Sequence[Any], rows: Sequence[Any], more: Sequence[Any]
) -> Sequence[Any]:
    """A graph on each row and on what it carries from row to row; the rest is stacked."""
    count = len(carried)
    results = []
    for row in _rows(rows):
        given = body(own, *carried, *row, *more)
        carried = given[:count]
        results.append(given[count:])
    stacked = [torch.stack(list(column)) for column in zip(*results, strict=True)]
    return (*carried, *stacked)


def _rows(columns: Sequence[Any]) -> list[tuple[Any, ...]]:
    rows = list(zip(*[column.unbind(0) for column in columns], strict=True))
    if not rows:
        raise RuntimeError("there is nothing to loop over: the first size is 0")
    return rows


def set_grad_enabled(own: Any, enabled: bool, body: Run, *operands: Any) -> Sequence[Any]:
    """A graph with gradients or without."""
    with torch.set_grad_enabled(enabled):
        return body(own, *operands)


def autocast(
    own: Any, device: Any, dtype: Any, enabled: bool, cache: Any, body: Run, *operands: Any
) -> Sequence[Any]:
    """A graph in mixed precision. `device` "own" is the kind of device that the module is on."""
    kind = own.type if device == "own" and own is not None else "cpu" if device == "own" else device
    with torch.autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=cache):
        return body(own, *operands)


@dataclass(frozen=True, slots=True)
class Control:
    """How a node for control flow is called: `form` has a letter for each argument, `*` the rest.

    g a graph, v any one value, l a list of values, b a boolean, d a device, t a data type.
    """

    call: Callable[..., Sequence[Any]]
    form: str
    exported: str  # what torch.export calls it


CONTROL: Final[Mapping[str, Control]] = {
    "control::cond": Control(cond, "vggl", "cond"),
    "control::while_loop": Control(while_loop, "ggll", "while_loop"),
    "control::map": Control(map_impl, "gll", "map_impl"),
    "control::scan": Control(scan, "glll", "scan"),
    "control::set_grad_enabled": Control(set_grad_enabled, "bg*", "wrap_with_set_grad_enabled"),
    "control::autocast": Control(autocast, "dtbcg*", "wrap_with_autocast"),
}
EXPORTED: Final = {control.exported: name for name, control in CONTROL.items()}

_DEVICES: Final = frozenset({"own", "cpu", "cuda"})
_DTYPES: Final = frozenset({None, torch.float16, torch.bfloat16, torch.float32})


def _fits(letter: str, value: Any) -> bool:
    if letter == "g":
        return type(value) is GraphRef
    if letter == "l":
        return type(value) is tuple
    if letter == "b":
        return type(value) is bool
    if letter == "c":
        return value is None or type(value) is bool
    if letter == "d":
        return type(value) is str and value in _DEVICES
    if letter == "t":
        return value is None or (type(value) is torch.dtype and value in _DTYPES)
    return type(value) not in (GraphRef, tuple, str)


def check(name: str, args: tuple[Any, ...], graphs: Sequence[Graph]) -> int:
    """Check the arguments of a node for control flow; return how many values it gives.

    `graphs` are all graphs that it may run.

    Raises:
        ArchitectureError: an argument is not what it must be, or a graph takes or gives others.
    """
    form = CONTROL[name].form
    letters = form.replace("*", "v" * (len(args) - len(form) + 1)) if "*" in form else form
    if len(letters) != len(args) or not all(map(_fits, letters, args)):
        raise ArchitectureError(f"{name} with other arguments than it takes")
    for value in args:
        if type(value) is GraphRef and value.index >= len(graphs):
            raise ArchitectureError(f"{name} runs a graph that is not there, or not before it")
    used = [graphs[value.index] for value in args if type(value) is GraphRef]
    lists = [len(value) for value in args if type(value) is tuple]
    rest = len(args) - len(form) + 1
    return _COUNTS[name](name, used, lists, rest)


def _takes(name: str, graph: Graph, count: int, gives: int | None = None) -> int:
    if graph.inputs != count or (gives is not None and len(graph.outputs) != gives):
        raise ArchitectureError(f"{name} runs a graph that takes or gives another number of values")
    return len(graph.outputs)


def _count_cond(name: str, used: list[Graph], lists: list[int], rest: int) -> int:
    return _takes(name, used[1], lists[0], _takes(name, used[0], lists[0]))


def _count_while(name: str, used: list[Graph], lists: list[int], rest: int) -> int:
    _takes(name, used[0], sum(lists), 1)
    return _takes(name, used[1], sum(lists), lists[0])


def _count_map(name: str, used: list[Graph], lists: list[int], rest: int) -> int:
    if not lists[0]:
        raise ArchitectureError(f"{name} over nothing")
    return _takes(name, used[0], sum(lists))


def _count_scan(name: str, used: list[Graph], lists: list[int], rest: int) -> int:
    count = _takes(name, used[0], sum(lists))
    if not lists[1] or count < lists[0]:
        raise ArchitectureError(f"{name} over nothing, or one that carries more than it gives")
    return count


def _count_plain(name: str, used: list[Graph], lists: list[int], rest: int) -> int:
    return _takes(name, used[0], rest)


_COUNTS: Final[Mapping[str, Callable[[str, list[Graph], list[int], int], int]]] = {
    "control::cond": _count_cond,
    "control::while_loop": _count_while,
    "control::map": _count_map,
    "control::scan": _count_scan,
    "control::set_grad_enabled": _count_plain,
    "control::autocast": _count_plain,
}
