"""The small language in which the table says what one argument of a configuration may hold.

    SPEC    one or more alternatives, `A|B`; a `?` behind the last permits null, too
    'word'  this string            [SPEC]  a list, however long        {SPEC}  a dictionary by text
    name    one of the kinds below, or the role of an object: `layer`, `initializer`, ...

A spec is checked against the plain values of a configuration, at save and at load alike: what is
audited is what Keras is given. Knows no Keras, no NumPy, no bundle. Implements spec/keras.md,
"Arguments".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from safemodel import limits

MAX_SIZE: Final = 2**31 - 1
MAX_SEVERAL: Final = 10_000  # of what Keras makes a list of, or a square
MAX_INTEGER: Final = 2**63 - 1
MAX_NAME: Final = 1000
MAX_DEPTH: Final = 120  # of lists and dictionaries in one another

DTYPES: Final = frozenset(
    {
        *("bool", "string", "complex64", "complex128"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (4, 8, 16, 32, 64)),
        *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"),
    }
)
ROLES: Final = frozenset(
    {
        *("activation", "constraint", "cross", "feature", "initializer", "layer", "loss", "metric"),
        *("lossfunction", "metricfunction", "optimizer", "optimizers", "policy", "quantization"),
        *("quantizer", "regularizer"),
        *("schedule", "seed"),
    }
)

_NAME: Final = re.compile(rf"[^\x00-\x1f\x7f-\x9f/\\]{{1,{MAX_NAME}}}")
_EQUATION: Final = re.compile(r"[A-Za-z0-9.,() _>-]{0,1000}")
# Keras matches these against paths of layers and variables as regular expressions: none that
# can take more than linear time, so at most one `.*`
_PATTERN: Final = re.compile(r"[A-Za-z0-9_./ -]*(?:\.\*)?[A-Za-z0-9_/ -]*")
_FLOATS: Final = r"(?:bfloat16|float16|float32|float64)"
_POLICY: Final = re.compile(
    rf"mixed_(?:bfloat16|float16)|(?:int8|float8|int4|awq|gptq)(?:/-?[0-9]{{1,6}}){{0,2}}"
    rf"_from_(?:mixed_(?:bfloat16|float16)|{_FLOATS})"
)
_MODE: Final = re.compile(r"(?:int8|float8|int4|awq|gptq)(?:/-?[0-9]{1,6}){0,2}")


class SpecError(Exception):
    """A value that a spec does not permit; `place` is where, below the argument."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def below(self, place: str) -> SpecError:
        """The same error, of something that is further up."""
        return SpecError(self.message, place + self.place)


class Objects(Protocol):
    """What knows the classes: `checking.Checker`."""

    def object(self, value: Any, role: str) -> None:
        """Raise SpecError unless `value` is a permitted object of the role, or stands for one."""


class Spec(Protocol):
    """What a value may be."""

    def check(self, value: Any, objects: Objects) -> None:
        """Raise SpecError unless `value` is permitted."""

    def __str__(self) -> str: ...


def describe(value: Any) -> str:
    """Say what a value is, for a message."""
    if value is None:
        return "null"
    if type(value) in (bool, int, float):
        return str(value)[:60]
    if type(value) is str:
        return repr(value[:60])
    if isinstance(value, Mapping):
        name = value.get("class_name")
        return f"an object of {name[:100]!r}" if type(name) is str else "a dictionary"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly this string."""

    word: str

    def check(self, value: Any, objects: Objects) -> None:
        if type(value) is not str or value != self.word:
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return repr(self.word)


@dataclass(frozen=True, slots=True)
class Kind:
    """A plain value of one of the kinds below."""

    name: str

    def check(self, value: Any, objects: Objects) -> None:
        if not _KINDS[self.name][0](value):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return _KINDS[self.name][1]


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a role, or a string or function that stands for one."""

    role: str

    def check(self, value: Any, objects: Objects) -> None:
        objects.object(value, self.role)

    def __str__(self) -> str:
        return f"{'an' if self.role[0] in 'aio' else 'a'} {self.role}"


@dataclass(frozen=True, slots=True)
class Many:
    """A list or tuple, each element of one spec."""

    item: Spec

    def check(self, value: Any, objects: Objects) -> None:
        if type(value) not in (list, tuple):
            raise SpecError(f"is {describe(value)}, but must be {self}")
        for index, item in enumerate(value):
            try:
                self.item.check(item, objects)
            except SpecError as error:
                raise error.below(f"[{index}]") from None

    def __str__(self) -> str:
        return f"a list of ({self.item})" if isinstance(self.item, Either) else f"[{self.item}]"


@dataclass(frozen=True, slots=True)
class Table:
    """A dictionary with keys of text, each value of one spec."""

    item: Spec

    def check(self, value: Any, objects: Objects) -> None:
        if type(value) is not dict or "class_name" in value:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        for key, item in value.items():
            if not is_pattern(key):
                raise SpecError(f"has the key {describe(key)}, which must be a plain name")
            try:
                self.item.check(item, objects)
            except SpecError as error:
                raise error.below(f"[{key!r}]") from None

    def __str__(self) -> str:
        return f"{{text: {self.item}}}"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several specs."""

    specs: tuple[Spec, ...]

    def check(self, value: Any, objects: Objects) -> None:
        errors = []
        for spec in self.specs:
            try:
                spec.check(value, objects)
            except SpecError as error:
                errors.append(error)
            else:
                return
        # What went wrong deepest inside was the alternative that was meant
        best = max(errors, key=lambda error: len(error.place))
        raise best if best.place else self._refusal(value, errors)

    def _refusal(self, value: Any, errors: Sequence[SpecError]) -> SpecError:
        for spec, error in zip(self.specs, errors, strict=True):
            if isinstance(spec, Object) and isinstance(value, Mapping):
                return error
        return SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return " or ".join(map(str, self.specs))


def is_name(value: Any) -> bool:
    """Whether it can be the name of a layer, a variable, a metric."""
    return type(value) is str and _NAME.fullmatch(value) is not None


def is_pattern(value: Any) -> bool:
    """Whether it is a plain name or path, perhaps with one `.*`."""
    return type(value) is str and len(value) <= MAX_NAME and bool(_PATTERN.fullmatch(value))


def is_integer(value: Any) -> bool:
    """Whether it is an integer of 64 bits."""
    return type(value) is int and -MAX_INTEGER - 1 <= value <= MAX_INTEGER


def is_shape(value: Any) -> bool:
    """Whether it is a shape: sizes, or null where any is right."""
    return (
        type(value) in (list, tuple)
        and len(value) <= limits.MAX_TENSOR_RANK
        and all(item is None or _between(item, 0, MAX_SIZE) for item in value)
    )


def is_numbers(value: Any) -> bool:
    """Whether it is a number, or lists of numbers in one another."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if type(item) in (list, tuple):
            if depth >= limits.MAX_TENSOR_RANK:
                return False
            waiting += [(part, depth + 1) for part in item]
        elif not (_is_number(item) or type(item) is bool):
            return False
    return True


def is_array(value: Any) -> bool:
    """Whether it is an array as Keras writes one: lists of numbers, or those with a dtype."""
    if type(value) is dict and value.get("class_name") in ("__numpy__", "__tensor__"):
        config = value.get("config")
        return (
            value.keys() == {"class_name", "config"}
            and type(config) is dict
            and config.keys() == {"value", "dtype"}
            and type(config["dtype"]) is str
            and config["dtype"] in DTYPES - {"string"}
            and is_numbers(config["value"])
        )
    return type(value) in (list, tuple) and is_numbers(value)


def _between(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_number(value: Any) -> bool:
    return type(value) is float or is_integer(value)


def _is_pair(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) == 2 and all(map(_is_number, value))


def is_dtype(value: Any) -> bool:
    """Whether it is the name of a dtype."""
    return type(value) is str and value in DTYPES


def _is_policy(value: Any) -> bool:
    return type(value) is str and (value in DTYPES or bool(_POLICY.fullmatch(value)))


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


_KINDS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "array": (is_array, "numbers"),
    "axis": (lambda value: _between(value, -64, 64), "an axis"),
    "bool": (lambda value: type(value) is bool, "a bool"),
    "count": (lambda value: _between(value, 0, MAX_SIZE), "an integer from 0"),
    "dtypename": (is_dtype, "the name of a dtype"),
    "equation": (_matches(_EQUATION), "an equation"),
    "int": (is_integer, "an integer"),
    "mode": (_matches(_MODE), "a mode of quantization"),
    "null": (lambda value: value is None, "null"),
    "number": (_is_number, "a number"),
    "pair": (_is_pair, "two numbers"),
    "pattern": (is_pattern, "a plain name"),
    "policyname": (_is_policy, "the name of a dtype policy"),
    "shape": (is_shape, "a shape"),
    "several": (
        lambda value: _between(value, 1, MAX_SEVERAL),
        f"an integer from 1 to {MAX_SEVERAL}",
    ),
    "size": (lambda value: _between(value, 1, MAX_SIZE), "an integer from 1"),
    "text": (lambda value: type(value) is str, "text"),
}
_WORDS: Final[Mapping[str, Spec]] = {
    "name": Kind("text"),
    "seed": Either((Kind("int"), Object("seed"))),
    "dtype": Either((Kind("policyname"), Object("policy"))),
}


@cache
def parse(text: str) -> Spec:
    """Read a spec of the table, which is ours.

    Raises:
        ValueError: not the language above.
    """
    optional = text.endswith("?")
    parts = _split(text.removesuffix("?"))
    specs = tuple(map(_atom, parts)) + ((Kind("null"),) if optional else ())
    return specs[0] if len(specs) == 1 else Either(specs)


def _split(text: str) -> list[str]:
    """The alternatives, those in brackets left together."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "[{") - (char in "]}")
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _atom(text: str) -> Spec:
    if text.startswith("'"):
        return Literal(text.strip("'"))
    if text.startswith("["):
        return Many(parse(text[1:-1]))
    if text.startswith("{"):
        return Table(parse(text[1:-1]))
    if text in _WORDS:
        return _WORDS[text]
    if text in ROLES:
        return Object(text)
    if text not in _KINDS:
        raise ValueError(f"no spec: {text}")
    return Kind(text)
