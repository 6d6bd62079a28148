"""The small language in which a table says which arguments a function may be called with.

A schema is a list of types, separated by commas; `?` after a type makes it and all after it
optional, `*` before the last one stands for any number. Types:

    none bool int float str bytes   literals; `bytes` includes what protocol 2 makes of bytes
    number                          bool, int or float
    'text' 7                        exactly this string or integer
    plain                           literals, and containers of nothing else
    any                             whatever the pickle made at sites of its own
    iterable                        data, or what built-in types and functions iterate over
    pairs                           the same, of pairs
    class  constant  known          a global that the tables know in that role; in any role
    harmless                        a global that is harmless under any use
    unknown                         a global that no table knows: that is a finding of its own
    name(a.b c.d)                   one of these globals
    of(a.b c.d)                     what a call of one of these, or a class of these, returned
    instance                        what some call returned
    list[T] tuple[T] set[T]         a container of these, whatever its length
    tuple(T, T)                     a tuple of exactly these
    dict[K, V]
    T|T                             either

Containers of which the machine kept only the first items match if the kept ones do and their type
is `any`, or if the type is written `sample[list[T]]`. Everything that is not known not to match
does not match.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from safemodel.legacy.pickle_facts import Instance, Items, Pairs
from safemodel.scan.values import WORDS, anything, is_named, made_by, sampled

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value
    from safemodel.scan.values import Known, Match

Arguments: TypeAlias = "Callable[[list[Value], Known], bool]"


class SchemaError(ValueError):
    """A schema of a table or a policy is not well-formed."""


def compile_schema(text: str) -> Arguments:
    """The function that says whether a list of arguments matches.

    Raises:
        SchemaError: not of this language.
    """
    parser = _Parser(text)
    required: list[Match] = []
    optional: list[Match] = []
    rest: Match | None = None
    while parser.peek:
        if parser.take("*"):
            rest = parser.type()
            break
        kind = parser.type()
        if parser.take("?") or optional:
            optional.append(kind)
        else:
            required.append(kind)
        if not parser.take(","):
            break
    if parser.peek:
        raise SchemaError(f"what is {parser.peek!r} doing in {text!r}?")
    return _arguments(tuple(required), tuple(required + optional), rest)


# By text. Texts come from the tables, never from a file's bytes.
_compiled: dict[str, Arguments] = {}


def matching(text: str) -> Arguments:
    """As `compile_schema`, which is called once for each text."""
    found = _compiled.get(text)
    if found is None:
        found = _compiled[text] = compile_schema(text)
    return found


def _arguments(
    required: tuple[Match, ...], positional: tuple[Match, ...], rest: Match | None
) -> Arguments:
    least, most = len(required), len(positional)

    def match(values: list[Value], known: Known) -> bool:
        if not least <= len(values) or (rest is None and len(values) > most):
            return False
        for kind, value in zip(positional, values, strict=False):
            if not kind(value, known):
                return False
        return rest is None or all(rest(value, known) for value in values[most:])

    return match


class _Parser:
    """Recursive descent over the tokens of one schema."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, token: str) -> bool:
        if self.peek != token:
            return False
        self._at += 1
        return True

    def need(self, token: str) -> None:
        if not self.take(token):
            raise SchemaError(f"{token!r} is missing before {self.peek!r} in {self._text!r}")

    def next(self) -> str:
        token = self.peek
        self._at += 1
        return token

    def type(self) -> Match:
        choices = [self._one()]
        while self.take("|"):
            choices.append(self._one())
        if len(choices) == 1:
            return choices[0]
        if len(choices) == 2:
            first, second = choices
            return lambda value, known: first(value, known) or second(value, known)
        return lambda value, known: any(choice(value, known) for choice in choices)

    def _one(self) -> Match:
        word = self.next()
        if word.startswith("'"):
            literal = word[1:-1]
            return lambda value, known: type(value) is str and value == literal
        if word.isdigit():
            number = int(word)
            return lambda value, known: type(value) is int and value == number
        if word in WORDS:
            return WORDS[word]
        if word in ("name", "of"):
            return self._names(word)
        if word in ("list", "set", "tuple"):
            return self._items(word)
        if word == "dict":
            return self._pairs()
        if word == "sample":
            self.need("[")
            inner = self._one()
            self.need("]")
            return sampled(inner)
        raise SchemaError(f"{word!r} is no type, in {self._text!r}")

    def _names(self, word: str) -> Match:
        self.need("(")
        found: set[str] = set()
        while not self.take(")"):
            name = self.next()
            if not name:
                raise SchemaError(f"')' is missing in {self._text!r}")
            found.add(name)
        names = frozenset(found)
        if word == "name":
            return lambda value, known: is_named(value, names)
        return lambda value, known: type(value) is Instance and made_by(value) in names

    def _items(self, word: str) -> Match:
        kinds = ("set", "frozenset") if word == "set" else (word,)
        if word == "tuple" and self.take("("):
            parts: list[Match] = []
            while not self.take(")"):
                parts.append(self.type())
                if not self.take(",") and self.peek != ")":
                    raise SchemaError(f"')' is missing in {self._text!r}")
            return lambda value, known: (
                type(value) is Items
                and value.kind == "tuple"
                and value.count == len(parts) == len(value.items)
                and all(part(item, known) for part, item in zip(parts, value.items, strict=True))
            )
        self.need("[")
        inner = self.type()
        self.need("]")
        return lambda value, known: (
            type(value) is Items
            and value.kind in kinds
            and (value.complete or inner is anything)
            and all(inner(item, known) for item in value.items)
        )

    def _pairs(self) -> Match:
        self.need("[")
        key = self.type()
        self.need(",")
        item = self.type()
        self.need("]")
        free = key is anything and item is anything
        return lambda value, known: (
            type(value) is Pairs
            and (value.complete or free)
            and all(key(k, known) and item(v, known) for k, v in value.items)
        )


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    word = ""
    quoted = False
    for character in text:
        if quoted:
            word += character
            quoted = character != "'"
        elif character in "()[]|,?*" or character.isspace():
            if word:
                tokens.append(word)
                word = ""
            if not character.isspace():
                tokens.append(character)
        else:
            quoted = character == "'"
            word += character
    if quoted:
        raise SchemaError(f"a quote is not closed in {text!r}")
    if word:
        tokens.append(word)
    return tokens
