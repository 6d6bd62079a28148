"""A program's JSON, read: every field is hostile, and what is not understood is refused.

The same function runs at save, over what will be written. What it returns is all that the rest
needs; nothing is looked up but operators in their table. Implements spec/torch-graph.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from safemodel import limits
from safemodel.adapters.torch.export import values
from safemodel.adapters.torch.export.graphs import Budget, GraphParser
from safemodel.adapters.torch.export.program import (
    CONSTANT,
    FORWARD,
    MODES,
    SLOT_KINDS,
    TEMPORARY,
    Form,
    Program,
    Slot,
)
from safemodel.adapters.torch.export.reading import (
    boolean,
    fields,
    integer,
    listed,
    pairs,
    text,
)
from safemodel.adapters.torch.export.trees import (
    Constant,
    Input,
    Leaf,
    NumberInput,
    Size,
    TensorInput,
    Tree,
)
from safemodel.adapters.torch.operators import Resolved, resolve
from safemodel.errors import ArchitectureError, SafemodelError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_ENTRY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}", re.ASCII)


def parse(value: JsonValue, allow: Sequence[str] = ()) -> Program:
    """Read a program.

    Raises:
        NotAllowedError: it has operators that only the caller can allow.
        ArchitectureError: anything else about it that must not be.
    """
    program = fields(value, "operators training state graphs forms entries", "a program")
    with _place("operators"):
        operators = _operators(program["operators"], allow)
    with _place("state"):
        slots = _slots(program["state"])
    reader = GraphParser(operators, len(slots), Budget())
    graphs = []
    for place, item in enumerate(listed(program["graphs"], limits.MAX_PROGRAM_GRAPHS, "graphs")):
        with _place(f"graph {place}"):
            parsed = fields(item, "inputs nodes outputs", "a graph")
            inputs = integer(parsed["inputs"], 0, limits.MAX_PROGRAM_STATE, "inputs")
            graphs.append(reader.subgraph(inputs, parsed["nodes"], parsed["outputs"]))
    forms = []
    for place, item in enumerate(listed(program["forms"], 2 * limits.MAX_PROGRAM_ENTRIES, "forms")):
        with _place(f"form {place}"):
            forms.append(_form(item, reader))
    reader.finish()
    entries = _entries(program["entries"], len(forms))
    _check_names(slots, entries)
    return Program(
        json=value,
        allow=tuple(allow),
        training=boolean(program["training"], "training"),
        slots=slots,
        graphs=tuple(graphs),
        forms=tuple(forms),
        entries=entries,
    )


@contextmanager
def _place(place: str) -> Iterator[None]:
    try:
        yield
    except SafemodelError as error:
        error.place = f"{place}: {error.place}" if error.place else place
        raise


def _operators(value: JsonValue, allow: Sequence[str]) -> list[Resolved | str]:
    names = [text(item, "an operator") for item in listed(value, 100_000, "operators")]
    if names != sorted(set(names)):
        raise ArchitectureError("operators must be sorted, and each once")
    # The names of control flow are not those of operators: graphs.py knows them.
    return [name if name.startswith("control::") else resolve(name, allow) for name in names]


def _slots(value: JsonValue) -> tuple[Slot, ...]:
    slots = []
    seen: set[str] = set()
    for item in listed(value, limits.MAX_PROGRAM_STATE, "state"):
        slot = fields(item, "kind names", "a tensor of the state")
        kind = text(slot["kind"], "kind")
        if kind not in SLOT_KINDS:
            raise ArchitectureError(f"unknown kind of tensor {kind!r:.60}")
        names = [text(name, "a name") for name in listed(slot["names"], 100_000, "names")]
        if not names or (kind in (CONSTANT, TEMPORARY) and len(names) != 1):
            raise ArchitectureError("a tensor without a name, or with more than it can have")
        for name in names:
            if name in seen or len(name) > limits.MAX_TENSOR_NAME:
                raise ArchitectureError("a name that is used twice, or too long")
            seen.add(name)
        slots.append(Slot(kind, tuple(names)))
    return tuple(slots)


def _entries(value: JsonValue, forms: int) -> dict[str, Mapping[str, int]]:
    if type(value) is not dict or not 1 <= len(value) <= limits.MAX_PROGRAM_ENTRIES:
        raise ArchitectureError("a program has 1 to 100 entries")
    entries: dict[str, Mapping[str, int]] = {}
    used: list[int] = []
    for name, modes in value.items():
        if not is_entry(name):
            raise ArchitectureError(f"not a name for an entry: {name!r:.60}")
        if type(modes) is not dict or not modes.keys() <= set(MODES) or not modes:
            raise ArchitectureError("an entry has a form to train, to evaluate, or both")
        entries[name] = {mode: integer(form, 0, forms - 1, "form") for mode, form in modes.items()}
        used += [entries[name][mode] for mode in MODES if mode in modes]
    if list(dict.fromkeys(used)) != list(range(forms)):
        raise ArchitectureError("forms must be numbered as the entries use them, each used")
    return entries


def is_entry(name: str) -> bool:
    """Whether a method of this name can be stored: no module has one of it already."""
    return name == FORWARD or (bool(_ENTRY.fullmatch(name)) and name not in _TAKEN)


def _taken() -> frozenset[str]:
    """The names that every module has: they stand for nothing else."""
    import torch

    return frozenset(dir(torch.nn.Module()))


_TAKEN: Final = _taken()


def _check_names(slots: Sequence[Slot], entries: Mapping[str, object]) -> None:
    """The names of tensors must be ones that tensors of a module can have, beside each other."""
    leaves: set[str] = set()
    holders: set[str] = set()
    for slot in slots:
        if slot.kind == CONSTANT:
            continue
        for name in slot.names:
            parts = name.split(".")
            if any(not part or part in _TAKEN or not part.isprintable() for part in parts):
                raise ArchitectureError(f"a tensor of a module can't have the name {name!r:.100}")
            if len(parts) > limits.MAX_PROGRAM_TREE:
                raise ArchitectureError("modules nest too deeply")
            if parts[0] in entries:
                raise ArchitectureError(f"{parts[0]!r:.60} is an entry and a part of the module")
            leaves.add(name)
            holders.update(".".join(parts[:depth]) for depth in range(1, len(parts)))
    if len(holders) > limits.MAX_PROGRAM_STATE:
        raise ArchitectureError("a module of too many parts")
    if leaves & holders:
        raise ArchitectureError("a tensor and a part of the module of one name")


def _form(value: JsonValue, reader: GraphParser) -> Form:
    form = fields(value, "parameters args kwargs symbols state nodes outputs", "a form")
    inputs = _Inputs(form["symbols"])
    parameters = tuple([_argument(name) for name in listed(form["parameters"], 1000, "parameters")])
    places = listed(form["args"], 1000, "args")
    if len(parameters) > len(places) or len(set(parameters)) != len(parameters):
        raise ArchitectureError("more names of arguments than arguments, or equal ones")
    labels = [*parameters, *(f"{place}" for place in range(len(parameters), len(places)))]
    args = tuple([inputs.tree(tree, name) for tree, name in zip(places, labels, strict=True)])
    kwargs = {}
    for name, tree in pairs(form["kwargs"], 1000, "kwargs"):
        name = _argument(name)
        if name in kwargs or name in parameters:
            raise ArchitectureError("two arguments of one name")
        kwargs[name] = inputs.tree(tree, name)
    signature = inputs.finish(parameters, args, kwargs)
    state = listed(form["state"], limits.MAX_PROGRAM_STATE, "state")
    leaves: list[JsonValue] = []
    outputs = _output(form["outputs"], leaves)
    graph = reader.graph(len(signature.leaves), state, form["nodes"], list(leaves))
    return Form(signature, outputs, graph)


def _argument(value: JsonValue) -> str:
    name = text(value, "the name of an argument")
    if not name.isidentifier() or len(name) > limits.MAX_TENSOR_NAME:
        raise ArchitectureError(f"not a name of an argument: {name!r:.60}")
    return name


class _Inputs:
    """The trees of a form's arguments, as they are read."""

    def __init__(self, symbols: JsonValue) -> None:
        self._symbols: list[tuple[int, int | None]] = []
        for item in listed(symbols, 10_000, "symbols"):
            bounds = listed(item, 2, "the bounds of a symbol")
            if len(bounds) != 2:
                raise ArchitectureError("a symbol has two bounds")
            low = integer(bounds[0], 0, limits.MAX_SAFE_INTEGER, "a bound")
            high = bounds[1]
            if high is not None:
                high = integer(high, low, limits.MAX_SAFE_INTEGER, "a bound")
            self._symbols.append((low, high))
        self._leaves: list[Leaf] = []
        self._names: list[str] = []
        self._next = 0

    def tree(self, value: JsonValue, name: str) -> Tree:
        return _tree(value, self._leaf, 0, name)

    def _leaf(self, value: JsonValue, name: str) -> Tree:
        if len(self._leaves) >= limits.MAX_PROGRAM_STATE:
            raise ArchitectureError("too many inputs")
        self._leaves.append(self._kind(value))
        self._names.append(name)
        return Tree("leaf", (len(self._leaves) - 1,))

    def _kind(self, value: JsonValue) -> Leaf:
        if type(value) is dict and len(value) == 1:
            ((tag, content),) = value.items()
            if tag == "tensor":
                sizes = listed(content, limits.MAX_TENSOR_RANK, "sizes")
                return TensorInput(tuple([self._size(size) for size in sizes]))
            if tag == "integer":
                size = self._size(content)
                if type(size) is Size:
                    return NumberInput(size)
            if tag == "constant":
                return Constant(_constant(content))
        raise ArchitectureError(f"not an input: {value!r:.60}")

    def _size(self, value: JsonValue) -> int | Size:
        if value is None:
            return Size()
        if type(value) is int:
            return integer(value, 0, limits.MAX_SAFE_INTEGER, "a size")
        size = fields(value, "symbol", "a size", "times plus")
        symbol = integer(size["symbol"], 0, len(self._symbols) - 1, "a symbol")
        if symbol > self._next:
            raise ArchitectureError("symbols must be numbered in the order of their use")
        self._next = max(self._next, symbol + 1)
        most = limits.MAX_SAFE_INTEGER
        times = integer(size.get("times", 1), 1, most, "times")
        plus = integer(size.get("plus", 0), -most, most, "plus")
        if size.get("times") == 1 or size.get("plus") == 0:
            raise ArchitectureError("a size that could be written shorter")
        return Size(symbol, times, plus)

    def finish(
        self, parameters: tuple[str, ...], args: tuple[Tree, ...], kwargs: Mapping[str, Tree]
    ) -> Input:
        if self._next != len(self._symbols):
            raise ArchitectureError("a symbol that is not used")
        plain = not kwargs and all(tree.kind == "leaf" for tree in args)
        return Input(
            parameters,
            args,
            kwargs,
            tuple(self._leaves),
            tuple(self._names),
            tuple(self._symbols),
            plain,
        )


def _constant(value: JsonValue) -> object:
    parsed = values.parse(value)
    if isinstance(parsed, (tuple, values.Ref, values.GraphRef, values.OwnDevice)):
        raise ArchitectureError("not a constant")
    return parsed


def _output(value: JsonValue, leaves: list[JsonValue]) -> Tree:
    def leaf(content: JsonValue, name: str) -> Tree:
        if type(content) is dict and content.keys() == {"value"}:
            leaves.append(content)
            return Tree("leaf", (len(leaves) - 1,))
        return Tree("leaf", (Constant(_constant(content)),))

    return _tree(value, leaf, 0, "")


_MakeLeaf = Callable[["JsonValue", str], Tree]


def _tree(value: JsonValue, leaf: _MakeLeaf, depth: int, name: str) -> Tree:
    if depth > limits.MAX_PROGRAM_TREE:
        raise ArchitectureError("containers nest too deeply")
    if type(value) is dict and len(value) == 1:
        ((kind, content),) = value.items()
        if kind in ("tuple", "list"):
            items = listed(content, limits.MAX_PROGRAM_STATE, kind)
            return Tree(kind, _children(items, range(len(items)), leaf, depth, name))
        if kind == "dict":
            entries = pairs(content, limits.MAX_PROGRAM_STATE, kind)
            keys = tuple([_key(key) for key, _ in entries])
            if len(set(keys)) != len(keys):
                raise ArchitectureError("a dictionary with two equal keys")
            return Tree(
                kind, _children([item for _, item in entries], keys, leaf, depth, name), keys
            )
    return leaf(value, name)


def _children(
    items: Sequence[JsonValue], labels: Sequence[object], leaf: _MakeLeaf, depth: int, name: str
) -> tuple[Tree, ...]:
    named = zip(items, labels, strict=True)
    return tuple([_tree(item, leaf, depth + 1, f"{name}[{label!r:.60}]") for item, label in named])


def _key(value: JsonValue) -> str | int:
    if type(value) is str and len(value.encode()) <= limits.MAX_ARCHITECTURE_STRING:
        return value
    return integer(value, -10_000, 10_000, "a key")
