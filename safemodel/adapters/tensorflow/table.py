"""The closed table of operators that the graph of a function may have, with a schema for each.

`operators.txt` beside this module is the table; this module reads it, and imports no TensorFlow. A
row is the operator as TensorFlow declares it, without what it could be and here may not:

    NAME(INPUT: TYPE #4 [N] sizes <=N, ...) -> (OUTPUT: TYPE, ...) stateful; ATTRIBUTE; ...

A TYPE is a data type (`int32`, `resource`), an attribute that has one (`T`), either of them as many
times as an attribute says (`N*T`), or an attribute that lists several (`*Tin`). What stands behind
it is checked when the graph runs, since the kernel does not: how many dimensions the tensor has
(`#`), that it is one list of so many values (`[N]`), that these can be the sizes of a tensor
(`sizes`), and that no value is larger (`guards.py`). An attribute is

    NAME: KIND {...} >=N @ROLE = DEFAULT

where the braces have what is permitted: data types, with the names of the section `[types]` for
several, or strings. `>=` is the least integer, or the least length of a list; the role, if there
is one, bounds the value (`bounds.py`). An attribute behind a minus is left out of stored graphs:
TensorFlow's default is meant. A line that begins with a space goes on with the one before.
Implements spec/tensorflow-operators.md.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from safemodel.adapters.tensorflow.bounds import INT64, MAX_COUNT, MAX_RANK, MAX_TEXT, ROLES
from safemodel.errors import ArchitectureError

__all__ = [
    "REQUIRED",
    "TENSORFLOW",
    "Argument",
    "Attribute",
    "Operator",
    "aliases",
    "operator",
    "table",
]

# The release whose declarations the table has.
TENSORFLOW: Final = "2.21"
# The default of an attribute that has none.
REQUIRED: Final = object()

_FILE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operators.txt")
_ARGUMENT: Final = re.compile(
    r"(?P<name>\w+): (?:(?P<number>\w*)(?P<star>\*))?(?P<type>\w+)"
    r"(?: #(?P<rank>\d+))?(?: \[(?P<length>\d+)\])?(?P<sizes> sizes)?(?: <=(?P<most>\d+))?"
)
_HEAD: Final = re.compile(r"(\w+)\((.*)\) -> \((.*)\)( stateful)?")
_ATTRIBUTE: Final = re.compile(
    r"(?P<name>\w+): (?P<list>list\()?(?P<base>\w+)\)?"
    r"(?: \{(?P<allowed>.*)\})?(?: >=(?P<least>\d+))?(?: @(?P<role>\w+))?(?: = (?P<default>.*))?"
)


@dataclass(frozen=True, slots=True)
class Argument:
    """An input or output: one tensor, or several.

    `type` is a data type, or the attribute that has it, or lists them; `number` is the attribute
    that says how many of one type there are. `rank`, `length` and `most` are what is checked when
    the graph runs: how many dimensions there are, or values in one, and the largest value; `sizes`
    says that they must be the sizes of a tensor.
    """

    name: str
    type: str
    number: str
    several: bool
    rank: int | None
    length: int | None
    sizes: bool
    most: int | None

    def types(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """The data types that this stands for, when the attributes have these values."""
        if self.several:
            return tuple(attributes[self.type])
        one = attributes.get(self.type, self.type)
        return (one,) * attributes[self.number] if self.number else (one,)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: `kind` is bool, int, float, string, type, shape, tensor or func.

    `many` says that it is a list of these, `allowed` what a string or type may be (None: any), and
    `least` the least integer, or length.
    """

    name: str
    kind: str
    many: bool
    allowed: frozenset[str] | None
    least: int | None
    role: str
    default: Any

    def check(self, value: Any) -> None:
        """Check a value.

        Raises:
            ArchitectureError: it is not of the kind, or not within the bounds.
        """
        if not self.many:
            self._one(value)
        elif (
            not isinstance(value, list | tuple) or not (self.least or 0) <= len(value) <= MAX_COUNT
        ):
            self._refuse(value)
        else:
            for item in value:
                self._one(item)
        if self.role and not ROLES[self.role].holds(value if self.many else (value,)):
            self._refuse(value)

    def _one(self, value: Any) -> None:
        if not _KINDS[self.kind](value):
            self._refuse(value)
        if self.allowed is not None and value not in self.allowed:
            self._refuse(value)
        if self.kind == "int" and not self.many and self.least is not None and value < self.least:
            self._refuse(value)

    def _refuse(self, value: Any) -> None:
        raise ArchitectureError(f"attribute {self.name} is {value!r:.60}")


@dataclass(frozen=True, slots=True)
class Operator:
    """A row of the table.

    `ignored` are attributes that stored graphs leave out, `variables` the inputs that take the
    resource of a variable; `variable_length` says, of some, how many values these must have, in one
    dimension.
    """

    name: str
    family: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attributes: Mapping[str, Attribute]
    ignored: frozenset[str]
    stateful: bool
    variables: frozenset[str] = field(init=False)
    variable_length: int | None = field(init=False)

    def __post_init__(self) -> None:
        taken = frozenset(one.name for one in self.inputs if one.type == "resource")
        object.__setattr__(self, "variables", taken)
        lengths = [one.length for one in self.inputs if one.type == "resource"]
        object.__setattr__(self, "variable_length", max(filter(None, lengths), default=None))

    def check(self, attrs: Mapping[str, Any]) -> None:
        """Check the attributes of a node.

        Values are bool, int, float and str; a data type is its name; a shape is None or a list of
        sizes, -1 for any; a function is `{"function": k}`, a tensor any mapping: what is in these
        two is for the reader of graphs. Those that have a default can be left out.

        Raises:
            ArchitectureError: one is unknown, missing, of another kind, or out of bounds.
        """
        for name, value in attrs.items():
            attribute = self.attributes.get(name)
            if attribute is None:
                raise ArchitectureError(f"operator {self.name} has no attribute {name!r:.60}")
            try:
                attribute.check(value)
            except ArchitectureError as error:
                raise ArchitectureError(f"operator {self.name}: {error.message}") from None
        for name, attribute in self.attributes.items():
            if name not in attrs and attribute.default is REQUIRED:
                raise ArchitectureError(f"operator {self.name} has no value of {name}")

    def complete(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of a node that was checked, with defaults for those left out."""
        return {
            name: attrs.get(name, attribute.default) for name, attribute in self.attributes.items()
        }

    def input_types(self, attrs: Mapping[str, Any]) -> tuple[str, ...]:
        """The data type of each input, in order; the attributes were checked."""
        known = self.complete(attrs)
        return tuple(kind for one in self.inputs for kind in one.types(known))

    def output_types(self, attrs: Mapping[str, Any]) -> tuple[str, ...]:
        """The data type of each output, in order; the attributes were checked."""
        known = self.complete(attrs)
        return tuple(kind for one in self.outputs for kind in one.types(known))

    def output_places(self, attrs: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
        """Where among all outputs those of a name begin, and how many they are."""
        known, places, start = self.complete(attrs), {}, 0
        for one in self.outputs:
            count = len(one.types(known))
            places[one.name] = (start, count)
            start += count
        return places

    def arity(self, attrs: Mapping[str, Any]) -> tuple[int, int]:
        """How many inputs and outputs a node has; its attributes were checked."""
        return len(self.input_types(attrs)), len(self.output_types(attrs))


def operator(name: str) -> Operator | None:
    """The operator of that name, or None if the table has none."""
    return table().get(name)


def table() -> Mapping[str, Operator]:
    """All operators, by name."""
    return _read()[0]


def aliases() -> Mapping[str, frozenset[str]]:
    """The data types that the names of the section `[types]` stand for."""
    return {name: frozenset(members) for name, members in _read()[1].items()}


@cache
def _read() -> tuple[Mapping[str, Operator], Mapping[str, Sequence[str]]]:
    """Read the table, once."""
    words: dict[str, list[str]] = {}
    found: dict[str, Operator] = {}
    family = ""
    with open(_FILE, encoding="utf-8") as file:
        for line in _joined(file):
            if line.startswith("["):
                family = line.strip("[]")
            elif family == "types":
                name, _, members = line.partition(": ")
                words[name] = members.split()
            else:
                row = _row(line, family, words)
                found[row.name] = row
    return found, words


def _joined(lines: Iterator[str]) -> Iterator[str]:
    """The lines without comments, those that go on put together."""
    whole = ""
    for line in lines:
        if line.startswith(" "):
            whole += " " + line.strip()
            continue
        if whole:
            yield whole
        whole = "" if line.startswith("#") else line.rstrip("\n")
    if whole:
        yield whole


def _row(line: str, family: str, words: Mapping[str, Sequence[str]]) -> Operator:
    head, *rest = line.split("; ")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise ValueError(f"not a row of the table: {line}")
    name, inputs, outputs, stateful = match.groups()
    attributes = [_attribute(text, words) for text in rest if not text.startswith("-")]
    return Operator(
        name=name,
        family=family,
        inputs=_arguments(inputs),
        outputs=_arguments(outputs),
        attributes={one.name: one for one in attributes},
        ignored=frozenset(text[1:] for text in rest if text.startswith("-")),
        stateful=stateful is not None,
    )


def _arguments(text: str) -> tuple[Argument, ...]:
    found = []
    for piece in filter(None, text.split(", ")):
        match = _ARGUMENT.fullmatch(piece)
        if match is None:
            raise ValueError(f"not an argument of the table: {piece}")
        rank, length, most = (
            None if match[key] is None else int(match[key]) for key in ("rank", "length", "most")
        )
        found.append(
            Argument(
                name=match["name"],
                type=match["type"],
                number=match["number"] or "",
                several=match["star"] is not None and not match["number"],
                rank=rank,
                length=length,
                sizes=match["sizes"] is not None,
                most=most,
            )
        )
    return tuple(found)


def _attribute(text: str, named: Mapping[str, Sequence[str]]) -> Attribute:
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise ValueError(f"not an attribute of the table: {text}")
    written = match["allowed"]
    allowed = None
    if written is not None and match["base"] == "type":
        allowed = frozenset(kind for word in written.split() for kind in named.get(word, [word]))
    elif written is not None:
        allowed = frozenset(json.loads(f"[{written.replace(' ', ', ')}]"))
    return Attribute(
        name=match["name"],
        kind=match["base"],
        many=match["list"] is not None,
        allowed=allowed,
        least=None if match["least"] is None else int(match["least"]),
        role=match["role"] or "",
        default=REQUIRED if match["default"] is None else json.loads(match["default"]),
    )


def _shape(value: Any) -> bool:
    return value is None or (
        isinstance(value, list | tuple)
        and len(value) <= MAX_RANK
        and all(type(size) is int and -1 <= size < INT64 for size in value)
        and math.prod(size for size in value if size > 0) < INT64
    )


def _function(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"function"}


_KINDS: Final = {
    "bool": lambda value: type(value) is bool,
    "int": lambda value: type(value) is int and -INT64 <= value < INT64,
    "float": lambda value: type(value) is float,
    "string": lambda value: type(value) is str and len(value) <= MAX_TEXT,
    "type": lambda value: type(value) is str,
    "shape": _shape,
    "tensor": lambda value: isinstance(value, Mapping),
    "func": _function,
}
