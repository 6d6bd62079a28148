"""Python literals, as `repr` writes them, without Python's parser.

`ast.literal_eval` takes more than any writer of arrays writes, and can be driven into recursion;
this is the subset that headers of NumPy hold: strings, integers (with the L of Python 2), True,
False, None, tuples, lists and dictionaries.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from safemodel.errors import DamagedError

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 40

Literal: TypeAlias = (
    "bool | int | str | tuple[Literal, ...] | list[Literal] | dict[str, Literal] | None"
)

_SPACE: Final = " \t\n\r"
_WORDS: Final[dict[str, bool | None]] = {"True": True, "False": False, "None": None}
_ESCAPES: Final = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_HEX: Final = {"x": 2, "u": 4, "U": 8}


def parse_literal(text: str) -> Literal:
    """The value of a literal, which must be all of `text` but for white space.

    Raises:
        DamagedError: it is not one of those that this module reads.
    """
    reader = _Literals(text)
    value = reader.value(0)
    reader.space()
    if reader.at != len(text):
        raise reader.error("text after the literal")
    return value


class _Literals:
    """A position in a text."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, message: str) -> DamagedError:
        return DamagedError(f"not a plain literal: {message} at character {self.at}")

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def peek(self) -> str:
        self.space()
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Literal:
        if depth > MAX_DEPTH:
            raise self.error("nested too deeply")
        start = self.peek()
        if start == "(":
            return self.parentheses(depth)
        if start == "[":
            return self.items("]", depth)[0]
        if start == "{":
            return self.braces(depth)
        if start in ("'", '"') and start:
            return self.string(start)
        if start.isdigit() or start == "-":
            return self.integer()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        raise self.error("an unknown value")

    def parentheses(self, depth: int) -> Literal:
        items, comma = self.items(")", depth)
        # (1) is 1 in parentheses, () and (1,) are tuples
        return items[0] if len(items) == 1 and not comma else tuple(items)

    def items(self, end: str, depth: int) -> tuple[list[Literal], bool]:
        """What is between brackets, and whether there is a comma after the last item."""
        self.at += 1
        items: list[Literal] = []
        comma = False
        while self.peek() != end:
            if items and not comma:
                raise self.error("a comma is missing")
            items.append(self.value(depth + 1))
            comma = self.peek() == ","
            self.at += comma
        self.at += 1
        return items, comma

    def braces(self, depth: int) -> dict[str, Literal]:
        self.at += 1
        items: dict[str, Literal] = {}
        comma = True
        while self.peek() != "}":
            quote = self.peek()
            if not comma or quote not in ("'", '"') or not quote:
                raise self.error("a comma or a key is missing")
            key = self.string(quote)
            if self.peek() != ":" or key in items:
                raise self.error("a colon is missing, or a key is there twice")
            self.at += 1
            items[key] = self.value(depth + 1)
            comma = self.peek() == ","
            self.at += comma
        self.at += 1
        return items

    def integer(self) -> int:
        start = self.at
        self.at += self.text[start] == "-"
        digits = self.at
        while self.text[self.at : self.at + 1] in _DIGITS and self.at < len(self.text):
            self.at += 1
        if not 0 < self.at - digits <= MAX_DIGITS:
            raise self.error("not an integer of usual length")
        value = int(self.text[start : self.at])
        self.at += self.text[self.at : self.at + 1] == "L"
        return value

    def string(self, quote: str) -> str:
        self.at += 1
        found: list[str] = []
        while True:
            character = self.text[self.at : self.at + 1]
            self.at += 1
            if character in ("", "\n"):
                raise self.error("a string does not end")
            if character == quote:
                return "".join(found)
            found.append(self.escape() if character == "\\" else character)

    def escape(self) -> str:
        kind = self.text[self.at : self.at + 1]
        self.at += 1
        if kind in _ESCAPES:
            return _ESCAPES[kind]
        digits = self.text[self.at : self.at + _HEX.get(kind, 0)]
        self.at += len(digits)
        if kind not in _HEX or len(digits) != _HEX[kind] or not set(digits) <= _HEX_DIGITS:
            raise self.error("an unknown escape")
        code = int(digits, 16)
        if code > 0x10FFFF:
            raise self.error("an escape of no character")
        return chr(code)


_DIGITS: Final = frozenset("0123456789")
_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
