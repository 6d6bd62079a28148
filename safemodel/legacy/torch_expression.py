"""Expressions in exported PyTorch programs, which their loader evaluates as Python.

`torch.export.load` gives sizes to `sympy.sympify`, and the guards of a program to `exec`; names of
nodes and arguments become source text. What PyTorch writes there is arithmetic over symbols: this
says whether a text is no more than that.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 1 << 16

_TOKEN: Final = re.compile(
    r"(?P<space> +)"
    r"|(?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?(?![A-Za-z_]))"
    r"|(?P<string>'[\w .\-]*'|\"[\w .\-]*\")"
    r"|(?P<attribute>\.[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>[-+*/%&|~<>=!()\[\],])",
    re.ASCII,
)
# what may be called: sympy's printer of trees (srepr) and of text, and PyTorch's own functions
_FUNCTIONS: Final = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "BitwiseFn_bitwise_and",
        "BitwiseFn_bitwise_or",
        "CeilDiv",
        "CeilToInt",
        "CleanDiv",
        "Dummy",
        "Eq",
        "Equality",
        "Float",
        "FloatPow",
        "FloatTrueDiv",
        "FloorDiv",
        "FloorToInt",
        "GreaterThan",
        "Ge",
        "Gt",
        "Identity",
        "IntTrueDiv",
        "Integer",
        "IsNonOverlappingAndDenseIndicator",
        "LShift",
        "Le",
        "LessThan",
        "Lt",
        "Max",
        "Min",
        "Mod",
        "ModularIndexing",
        "Mul",
        "Ne",
        "Not",
        "Or",
        "OpaqueUnaryFn_acos",
        "OpaqueUnaryFn_asin",
        "OpaqueUnaryFn_asinh",
        "OpaqueUnaryFn_atan",
        "OpaqueUnaryFn_cos",
        "OpaqueUnaryFn_cosh",
        "OpaqueUnaryFn_exp",
        "OpaqueUnaryFn_log",
        "OpaqueUnaryFn_log2",
        "OpaqueUnaryFn_sin",
        "OpaqueUnaryFn_sinh",
        "OpaqueUnaryFn_sqrt",
        "OpaqueUnaryFn_tan",
        "OpaqueUnaryFn_tanh",
        "Piecewise",
        "Pow",
        "PowByNatural",
        "PythonMod",
        "RShift",
        "Rational",
        "RoundDecimal",
        "RoundToInt",
        "StrictGreaterThan",
        "StrictLessThan",
        "Symbol",
        "ToFloat",
        "TruncToFloat",
        "TruncToInt",
        "Unequality",
        "Where",
        "Xor",
        "abs",
        "ceiling",
        "cos",
        "exp",
        "floor",
        "log",
        "log2",
        "max",
        "min",
        "round",
        "sin",
        "sqrt",
        "tan",
        "int",
        "float",
        "bool",
    ]
)
_ATTRIBUTES: Final = frozenset({"size", "stride", "storage_offset", "shape", "numel", "dim"})
_WORDS: Final = frozenset(
    [
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "L",
        "inf",
        "int_oo",
        "oo",
        "zoo",
        "nan",
        "pi",
        "E",
    ]
)
_SYMBOL: Final = re.compile(r"_?[a-z]{1,3}_?[0-9]+(?:_[0-9]+)*", re.ASCII)
_ARGUMENT: Final = frozenset(
    {"positive", "integer", "real", "nonnegative", "precision", "dps"}
    | {"commutative", "dummy_index", "negative", "nonzero", "finite", "extended_real", "evaluate"}
)
_MATH: Final = frozenset(
    {".inf", ".nan", ".pi", ".e", ".isnan", ".ceil", ".floor", ".trunc", ".sqrt"}
)
_NAME: Final = re.compile(r"[\w.\-\[\]<>@$/: ]*")


def why_not_arithmetic(text: str) -> str:
    """What in an expression is more than arithmetic over symbols; empty if nothing is."""
    if len(text) > MAX_LENGTH:
        return "is longer than any real one"
    at = 0
    previous = ""
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return f"has {text[at : at + 1]!r}"
        kind, token = match.lastgroup or "", match.group()
        at = match.end()
        if kind == "space":
            continue
        if kind == "number" and len(token) > 400:
            return "has a number of more than 400 digits"
        if kind == "attribute" and not _is_attribute(token, previous):
            return f"uses {token[:80]!r}"
        if kind == "name":
            following = text[at : at + 40].lstrip(" ")[:2]
            if not _is_name(token, following):
                return f"uses {token[:80]!r}"
        previous = token
    return ""


def _is_attribute(token: str, previous: str) -> bool:
    return token in _MATH if previous == "math" else token[1:] in _ATTRIBUTES


def _is_name(word: str, following: str) -> bool:
    if following[:1] == "(":
        return word in _FUNCTIONS or word in ("and", "or", "not", "in", "if", "else", "is")
    if following[:1] == "=" and following != "==":
        return word in _ARGUMENT
    if word == "math":
        return following[:1] == "."
    return word in _WORDS or _SYMBOL.fullmatch(word) is not None


def is_plain_name(text: str) -> bool:
    """Whether a name of a node, an argument or a parameter can't end the source text it is put in:
    no quotes, brackets of calls, backslashes, assignments or line ends."""
    return _NAME.fullmatch(text) is not None and len(text) <= 2000
