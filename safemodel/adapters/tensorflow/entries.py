"""The entries of a program, read: how arguments and results of a call are shaped.

Implements spec/tensorflow-graph.md, "Entries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import parse_float, parse_integer
from safemodel.adapters.graph_decode import integer, text
from safemodel.adapters.tensorflow import constants
from safemodel.adapters.tensorflow.constants import STRING, Tensors
from safemodel.adapters.tensorflow.program import (
    Captured,
    Entry,
    Function,
    Inline,
    InputType,
    Stored,
    TensorType,
    Tree,
    VariableType,
)
from safemodel.adapters.tensorflow.reading import fields, listed
from safemodel.errors import ArchitectureError, SafemodelError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

CALL: Final = "__call__"
_ENTRY: Final = re.compile(r"(?!_)[A-Za-z0-9_]{1,100}(?:\.(?!_)[A-Za-z0-9_]{1,100}){0,8}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[\x20-\x7e]{1,200}")
_MAX_ARGUMENTS: Final = 1_000
_MAX_KEY: Final = 10_000

# Finds a variable of the state by what the JSON says of it.
VariableOf = Callable[["JsonValue"], VariableType]
_Leaf = Callable[["JsonValue"], int]


def parse_entries(
    value: JsonValue,
    functions: Sequence[Function],
    tensors: Tensors,
    variable: VariableOf,
    used: set[str],
    *,
    signatures: bool = False,
) -> dict[str, Entry]:
    """Read the entries; `used` gets the names of tensors of the bundle that they capture.

    `signatures` reads those of a SavedModel: tensors by name in, a dictionary out.

    Raises:
        ArchitectureError: anything about them that must not be.
    """
    if type(value) is not dict or len(value) > limits.MAX_PROGRAM_ENTRIES:
        raise ArchitectureError(f"a program has at most {limits.MAX_PROGRAM_ENTRIES} entries")
    found: dict[str, Entry] = {}
    for name, item in value.items():
        try:
            found[name] = _entry(name, item, functions, tensors, variable, used, signatures)
        except SafemodelError as error:
            place = f"entry {name:.100}"
            error.place = f"{place}: {error.place}" if error.place else place
            raise
    return found


def is_entry(name: str) -> bool:
    """Whether an entry that is no signature can have this name."""
    return name == CALL or bool(_ENTRY.fullmatch(name))


def _entry(
    name: str,
    value: JsonValue,
    functions: Sequence[Function],
    tensors: Tensors,
    variable: VariableOf,
    used: set[str],
    signature: bool,
) -> Entry:
    said = fields(value, "function parameters args kwargs result captures", "an entry")
    if not (_SIGNATURE.fullmatch(name) if signature else is_entry(name)):
        raise ArchitectureError("not a name for an entry")
    number = integer(said["function"], 0, len(functions) - 1, "function")
    function = functions[number]
    captures = _captures(said["captures"], function, tensors, variable, used)
    count = len(function.inputs) - len(captures)
    for one in function.inputs[:count]:
        if not isinstance(one, TensorType) or not _is_plain(one.dtype):
            raise ArchitectureError("an argument that is not a tensor")
    if not all(map(_is_plain, function.results)):
        raise ArchitectureError("a result that is not a tensor")
    inputs = _Numbers("input", count)
    parameters, args, kwargs = _arguments(said, inputs, signature)
    outputs = _Numbers("output", len(function.results))
    result = _tree(said["result"], outputs, 0)
    inputs.finish(once=True)
    outputs.finish(once=False)
    if signature and (args or result.kind != "dict" or not _flat([result, *kwargs.values()])):
        raise ArchitectureError("a signature takes tensors by name, and gives a dictionary of them")
    return Entry(number, parameters, args, kwargs, result, captures, signature)


def _is_plain(dtype: str) -> bool:
    return dtype in constants.DTYPES or dtype == STRING


def _flat(trees: Sequence[Tree]) -> bool:
    """Whether trees are leaves, the first a dictionary of leaves."""
    return all(tree.kind == "leaf" for tree in (*trees[0].items, *trees[1:]))


def _captures(
    value: JsonValue,
    function: Function,
    tensors: Tensors,
    variable: VariableOf,
    used: set[str],
) -> tuple[Captured | Inline | Stored, ...]:
    items = listed(value, len(function.inputs), "captures")
    found = []
    wanted = function.inputs[len(function.inputs) - len(items) :]
    for item, one in zip(items, wanted, strict=True):
        made: Captured | Inline | Stored
        if type(item) is dict and item.keys() == {"variable"}:
            made = Captured(item["variable"], variable(item["variable"]))
            fits = made.type == one
        else:
            made = constants.parse(item, tensors, used)
            fits = isinstance(one, TensorType) and _fits(made, one)
        if not fits:
            raise ArchitectureError("a function that captures something of another type")
        found.append(made)
    return tuple(found)


def _fits(made: Inline | Stored, wanted: InputType) -> bool:
    if made.dtype != wanted.dtype:
        return False
    if wanted.shape is None:
        return True
    return len(wanted.shape) == len(made.shape) and all(
        size in (-1, known) for size, known in zip(wanted.shape, made.shape, strict=True)
    )


class _Numbers:
    """The inputs, or the outputs, of a function: which of them a tree names."""

    def __init__(self, what: str, count: int) -> None:
        self.what = what
        self._count = count
        self._named: list[int] = []

    def leaf(self, value: JsonValue) -> int:
        """Read the number of one."""
        if len(self._named) >= limits.MAX_PROGRAM_STATE:
            raise ArchitectureError(f"too many {self.what}s")
        self._named.append(integer(value, 0, self._count - 1, f"an {self.what}"))
        return self._named[-1]

    def finish(self, *, once: bool) -> None:
        """All must have been named; each once, if so.

        Raises:
            ArchitectureError: they were not.
        """
        named = self._named
        if len(set(named)) != self._count or (once and len(named) != self._count):
            raise ArchitectureError(f"an {self.what} that is not named, or named twice")


def _arguments(
    said: Mapping[str, JsonValue], inputs: _Numbers, signature: bool
) -> tuple[tuple[str, ...], tuple[Tree, ...], dict[str, Tree]]:
    names = listed(said["parameters"], _MAX_ARGUMENTS, "parameters")
    parameters = tuple([_argument(name, signature) for name in names])
    args = tuple([_tree(one, inputs, 0) for one in listed(said["args"], _MAX_ARGUMENTS, "args")])
    if len(parameters) > len(args):
        raise ArchitectureError("more names of arguments than arguments")
    kwargs: dict[str, Tree] = {}
    for pair in listed(said["kwargs"], _MAX_ARGUMENTS, "kwargs"):
        key, tree = _pair(pair)
        kwargs[_argument(key, signature)] = _tree(tree, inputs, 0)
    if len({*parameters, *kwargs}) != len(parameters) + len(listed(said["kwargs"], 1000, "")):
        raise ArchitectureError("two arguments of one name")
    return parameters, args, kwargs


def _argument(value: JsonValue, signature: bool) -> str:
    name = text(value, "the name of an argument")
    if len(name) > 200 or not (name.isprintable() if signature else name.isidentifier()):
        raise ArchitectureError(f"not a name of an argument: {name!r:.60}")
    return name


def _pair(value: JsonValue) -> tuple[JsonValue, JsonValue]:
    if type(value) is not list or len(value) != 2:
        raise ArchitectureError("not a pair")
    return value[0], value[1]


def _tree(value: JsonValue, numbers: _Numbers, depth: int) -> Tree:
    if depth > limits.MAX_PROGRAM_TREE:
        raise ArchitectureError("containers nest too deeply")
    if type(value) is not dict or len(value) != 1:
        raise ArchitectureError(f"not an argument or result: {value!r:.60}")
    ((kind, content),) = value.items()
    if kind == numbers.what:
        return Tree("leaf", (numbers.leaf(content),))
    if kind == "constant":
        return Tree("constant", (_constant(content),))
    if kind in ("tuple", "list"):
        items = listed(content, limits.MAX_PROGRAM_STATE, kind)
        return Tree(kind, tuple([_tree(item, numbers, depth + 1) for item in items]))
    if kind == "dict":
        pairs = [_pair(item) for item in listed(content, limits.MAX_PROGRAM_STATE, kind)]
        keys = tuple([_key(key) for key, _ in pairs])
        if len(set(keys)) != len(keys):
            raise ArchitectureError("a dictionary with two equal keys")
        return Tree(kind, tuple([_tree(item, numbers, depth + 1) for _, item in pairs]), keys)
    raise ArchitectureError(f"unknown kind of argument or result {kind!r:.60}")


def _key(value: JsonValue) -> str | int:
    if type(value) is str and len(value.encode()) <= limits.MAX_ARCHITECTURE_STRING:
        return value
    return integer(value, -_MAX_KEY, _MAX_KEY, "a key")


def _constant(value: JsonValue) -> Any:
    if value is None or type(value) in (bool, int):
        return value
    if type(value) is str and len(value.encode()) <= limits.MAX_ARCHITECTURE_STRING:
        return value
    if type(value) is dict and value.keys() == {"float"}:
        return parse_float(value["float"])
    if type(value) is dict and value.keys() == {"int"}:
        return parse_integer(value["int"])
    raise ArchitectureError(f"not a constant: {value!r:.60}")
