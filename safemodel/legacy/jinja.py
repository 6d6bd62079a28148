"""Jinja templates to what is odd in them. Nothing is rendered, and nothing is compiled.

A chat template travels in GGUF metadata, `tokenizer_config.json` or `chat_template.jinja`, and is
rendered by whoever talks to the model: in a sandbox by transformers, in none by llama-cpp-python
before 0.2.72 (CVE-2024-34359), through a sandbox with holes by Jinja before 3.1.6 (CVE-2024-56201,
CVE-2024-56326, CVE-2025-27516). So a closed table says what a template may be made of
(`jinja_tables`); all else is an `Oddity`. The one construct that real templates and gadgets share
is `value[name]` with a name that is not written out: there, `jinja_text` tells names that come
from the messages from names that the template puts together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy import jinja_tables as tables
from safemodel.legacy.jinja_text import Texts

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

MAX_SIZE: Final = 1 << 18  # characters; the largest template known to us has 60,000
MAX_ODDITIES: Final = 50
MAX_RANGE: Final = 100_000  # what Jinja's own sandbox permits

_DUNDER: Final = re.compile(rf"__(?:{'|'.join(sorted(tables.DUNDERS))})__")
_HIDDEN: Final = re.compile(r"(?=\w*[A-Za-z])(?:__\w+|_\w*__\w*)")
_FIELD: Final = re.compile(r"\{[^{}]*[.\[][^{}]*\}")
_WIDTH: Final = re.compile(r"[0-9]{6}")


class Kind(Enum):
    """What is odd."""

    GADGET = "gadget"  # leads from a value to Python's classes, frames or modules
    COMPUTED = "computed"  # a name that the template puts together
    IMPORT = "import"  # another template
    EXPENSIVE = "expensive"  # work or memory out of proportion
    UNKNOWN = "unknown"  # nothing that a chat template is known to need


@dataclass(frozen=True, slots=True)
class Oddity:
    """One thing in a template that no closed table has.

    Attributes:
        kind: what it is.
        message: what was seen, lower case.
        line: in the template, from 1.
        name: the attribute, filter or function.
    """

    kind: Kind
    message: str
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """What a template says.

    Attributes:
        oddities: in the order of lines; at most `MAX_ODDITIES`.
        variables: the names that it reads; mostly what whoever renders it passes in.
        statements: how many tags and outputs it has.
    """

    oddities: tuple[Oddity, ...]
    variables: frozenset[str]
    statements: int


def read(text: str) -> Template:
    """Parse a template, and look at each of its nodes.

    Raises:
        DamagedError: no Jinja template.
        BudgetError: longer than `MAX_SIZE`, or nested too deep.
    """
    if len(text) > MAX_SIZE:
        raise BudgetError(f"a template of {len(text)} characters, more than {MAX_SIZE}")
    tree = _parse(text)
    walk = _Walk(tree)
    walk.run()
    oddities = sorted(walk.oddities, key=lambda oddity: oddity.line)
    return Template(tuple(oddities[:MAX_ODDITIES]), frozenset(walk.variables), walk.statements)


def _parse(text: str) -> nodes.Template:
    from jinja2 import TemplateSyntaxError

    try:
        return _environment().parse(text)
    except TemplateSyntaxError as error:
        raise DamagedError(
            f"not a Jinja template: line {error.lineno}: {(error.message or '').lower()[:200]}"
        ) from None
    except (ValueError, OverflowError) as error:  # an integer of thousands of digits
        raise DamagedError(f"not a Jinja template: {str(error)[:200].lower()}") from None
    except (RecursionError, MemoryError):
        raise BudgetError("a template nested too deep") from None


@cache
def _environment() -> Environment:
    """An environment that only parses, with the tags that renderers of chat templates add."""
    from jinja2 import Environment
    from jinja2 import nodes as n
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class Generation(Extension):
        """`{% generation %}` of transformers: marks what the assistant says."""

        tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

        def parse(self, parser: Parser) -> n.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return n.Scope(body, lineno=line)

    # Nothing is rendered, so nothing needs escaping.
    return Environment(  # noqa: S701
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", Generation], cache_size=0
    )


class _Walk:
    """One pass over all nodes of a template."""

    __slots__ = ("oddities", "statements", "texts", "tree", "variables")

    def __init__(self, tree: nodes.Template) -> None:
        self.tree = tree
        self.texts = Texts(tree)
        self.oddities: list[Oddity] = []
        self.variables: set[str] = set()
        self.statements = 0

    def run(self) -> None:
        # (node, how often constant loops around it run it)
        stack: list[tuple[nodes.Node, int]] = [(self.tree, 1)]
        while stack and len(self.oddities) < 20 * MAX_ODDITIES:
            node, times = stack.pop()
            look = getattr(self, f"_{type(node).__name__.lower()}", None)
            if look is not None:
                times = look(node, times) or times
            elif type(node).__name__ not in tables.HARMLESS_NODES:
                self.odd(
                    Kind.UNKNOWN, node, type(node).__name__, "a construct that is not known here"
                )
            stack.extend((child, times) for child in node.iter_child_nodes())

    def odd(self, kind: Kind, node: nodes.Node, name: str, message: str) -> None:
        self.oddities.append(Oddity(kind, message, node.lineno, name[:200]))

    # Statements: they return how often their body runs, if that is known.

    def _output(self, node: nodes.Output, times: int) -> None:
        self.statements += any(type(item).__name__ != "TemplateData" for item in node.nodes)

    def _if(self, node: nodes.If, times: int) -> None:
        self.statements += 1

    def _assign(self, node: nodes.Assign, times: int) -> None:
        self.statements += 1
        if self.texts.doubles(node.target, node.node):
            self.odd(Kind.EXPENSIVE, node, "set", "doubles a value, which a loop may repeat")

    def _for(self, node: nodes.For, times: int) -> int:
        self.statements += 1
        times *= self.texts.range_size(node.iter) or 1
        if times > 10 * MAX_RANGE:
            self.odd(Kind.EXPENSIVE, node, "for", f"loops run {min(times, 10**18)} times or more")
            return 1
        return times

    def _import(self, node: nodes.Node, times: int) -> None:
        word = type(node).__name__.lower().replace("fromimport", "import")
        self.odd(Kind.IMPORT, node, word, f"the statement {word}, which loads another template")

    _include = _fromimport = _extends = _import

    # Expressions.

    def _name(self, node: nodes.Name, times: int) -> None:
        if node.name.startswith("__"):
            self.odd(Kind.GADGET, node, node.name, f"the name {node.name}")
        elif node.ctx == "load":
            self.variables.add(node.name)
            strange = node.name in tables.ENTRANCES and node.name not in tables.FUNCTIONS
            if strange and node.name not in self.texts.assigned:
                self.odd(
                    Kind.UNKNOWN, node, node.name, f"{node.name}, which leads out of the template"
                )

    def _nsref(self, node: nodes.NSRef, times: int) -> None:
        self._look_up(node, node.attr)

    def _const(self, node: nodes.Const, times: int) -> None:
        if isinstance(node.value, str):
            self._string(node, node.value)

    def _string(self, node: nodes.Node, text: str) -> None:
        found = _HIDDEN.fullmatch(text) or _DUNDER.search(text)
        if found:
            self.odd(Kind.GADGET, node, found[0], f"the name {found[0]} in a string")

    def _keyword(self, node: nodes.Keyword, times: int) -> None:
        if node.key.startswith("__"):
            self.odd(Kind.GADGET, node, node.key, f"the name {node.key} as a keyword")

    def _getattr(self, node: nodes.Getattr, times: int) -> None:
        self._look_up(node, node.attr)
        if node.attr in ("format", "format_map") and self.texts.is_text(node.node):
            self._format(node, self.texts.constant(node.node))
        self._entrance(node.node)

    def _getitem(self, node: nodes.Getitem, times: int) -> None:
        self._entrance(node.node)
        self._computed_look_up(node, node.arg)

    def _entrance(self, node: nodes.Node) -> None:
        from jinja2 import nodes as n

        if (
            isinstance(node, n.Name)
            and node.name in tables.CLASSES
            and node.name not in self.texts.assigned
        ):
            self.odd(Kind.GADGET, node, node.name, f"an attribute of the class {node.name}")

    def _computed_look_up(self, node: nodes.Node, name: nodes.Node) -> None:
        """Judge an attribute or item whose name is an expression."""
        constant = self.texts.constant(name)
        if isinstance(constant, str):
            if self._look_up(node, constant) and self.texts.is_computed(name):
                self.odd(
                    Kind.COMPUTED, node, constant, f"the name {constant}, put together from pieces"
                )
        elif self.texts.is_computed(name) and not self._harmless_prefix(name):
            self.odd(Kind.COMPUTED, node, "", "looks up a name that the template puts together")

    def _harmless_prefix(self, name: nodes.Node) -> bool:
        prefix = self.texts.prefix(name)
        return bool(prefix) and not any(
            word.startswith(prefix) or prefix.startswith(word)
            for word in ("_", "format", *tables.GADGETS)
        )

    def _look_up(self, node: nodes.Node, name: str) -> bool:
        """Judge an attribute by its name; whether it is odd."""
        for part in name.split("."):
            if part.startswith("_") or part in tables.GADGETS:
                self.odd(Kind.GADGET, node, part, f"looks up the attribute {part}")
                return True
        return False

    def _format(self, node: nodes.Node, pattern: object) -> None:
        if not isinstance(pattern, str):
            self.odd(Kind.UNKNOWN, node, "format", "formats text by a pattern that it makes itself")
        elif _FIELD.search(pattern):
            self.odd(Kind.GADGET, node, "format", "a format string that looks up attributes")
        elif _WIDTH.search(pattern):
            self.odd(Kind.EXPENSIVE, node, "format", "pads text to a million characters or more")

    def _call(self, node: nodes.Call, times: int) -> None:
        from jinja2 import nodes as n

        target = node.node
        if isinstance(target, n.Name):
            self._call_name(node, target.name)
        elif isinstance(target, n.Getattr):
            self._call_method(node, target, target.attr)
        elif isinstance(target, n.Getitem) and isinstance(self.texts.constant(target.arg), str):
            self._call_method(node, target, str(self.texts.constant(target.arg)))
        elif isinstance(target, n.Getitem):
            self.odd(Kind.GADGET, node, "", "calls an item whose name is not written out")
        else:
            self.odd(
                Kind.UNKNOWN, node, "", f"calls the value of a {type(target).__name__.lower()}"
            )

    def _call_name(self, node: nodes.Call, name: str) -> None:
        if name in self.texts.macros:
            return
        if name not in tables.FUNCTIONS or name in self.texts.assigned:
            self.odd(Kind.UNKNOWN, node, name, f"calls {name}, which is not known here")
        elif name == "range" and (self.texts.range_size(node) or 0) > MAX_RANGE:
            self.odd(Kind.EXPENSIVE, node, name, f"a range of more than {MAX_RANGE}")

    def _call_method(
        self, node: nodes.Call, target: nodes.Getattr | nodes.Getitem, name: str
    ) -> None:
        if name in tables.GADGET_CALLS:
            self.odd(Kind.GADGET, node, name, f"calls {name}")
        elif name in tables.WIDENERS:
            self._widen(node, name)
        elif name in ("format", "format_map"):
            if not self.texts.is_text(target.node):
                self.odd(Kind.UNKNOWN, node, name, "formats text by a pattern that it was given")
        elif (
            name not in tables.METHODS
            and name not in self.texts.macros
            and not name.startswith("_")
        ):
            self.odd(Kind.UNKNOWN, node, name, f"calls the method {name}, which is not known here")

    def _widen(self, node: nodes.Call | nodes.Filter, name: str) -> None:
        width = self.texts.constant(node.args[0]) if node.args else 0
        if isinstance(width, int) and width > MAX_RANGE:
            self.odd(Kind.EXPENSIVE, node, name, f"pads text to {min(width, 10**18)} characters")

    def _mul(self, node: nodes.Mul, times: int) -> None:
        for one, other in ((node.left, node.right), (node.right, node.left)):
            count = self.texts.constant(other)
            if isinstance(count, int) and count > MAX_RANGE and not self._number(one):
                self.odd(Kind.EXPENSIVE, node, "*", f"repeats a value {min(count, 10**18)} times")

    def _number(self, node: nodes.Node) -> bool:
        return isinstance(self.texts.constant(node), int | float)

    def _pow(self, node: nodes.Pow, times: int) -> None:
        power = self.texts.constant(node.right)
        if type(node.left) is type(node):
            power = None  # a power of a power
        if not isinstance(power, int | float) or power > 64:
            self.odd(Kind.EXPENSIVE, node, "**", "a power that may have any number of digits")

    def _test(self, node: nodes.Test, times: int) -> None:
        if node.name not in tables.TESTS:
            self.odd(
                Kind.UNKNOWN, node, node.name, f"the test {node.name}, which is not known here"
            )

    def _filter(self, node: nodes.Filter, times: int) -> None:
        name = node.name
        if name == "attr":
            self._attr(node)
        elif name not in tables.FILTERS:
            self.odd(Kind.UNKNOWN, node, name, f"the filter {name}, which is not known here")
        else:
            for wanted in self._attribute_names(node):
                self._computed_look_up(node, wanted)
            self._by_name(node)
            if name == "format" and node.node is not None:
                pattern = self.texts.constant(node.node)
                if isinstance(pattern, str) and _WIDTH.search(pattern):
                    self._format(node, pattern)
            elif name == "center":
                self._widen(node, name)

    def _attr(self, node: nodes.Filter) -> None:
        before = len(self.oddities)
        for argument in node.args:
            self._computed_look_up(node, argument)
            if self.texts.constant(argument) in ("format", "format_map"):
                self.odd(Kind.GADGET, node, "format", "looks up the attribute format")
        if len(self.oddities) == before:
            written = len(node.args) == 1 and isinstance(self.texts.constant(node.args[0]), str)
            kind = Kind.UNKNOWN if written else Kind.GADGET
            self.odd(kind, node, "attr", "looks up an attribute by the filter attr")

    def _attribute_names(self, node: nodes.Filter) -> Iterator[nodes.Node]:
        if node.name not in tables.BY_ATTRIBUTE:
            return
        place = tables.BY_ATTRIBUTE[node.name]
        if place is not None and len(node.args) > place:
            yield node.args[place]
        yield from (item.value for item in node.kwargs if item.key == "attribute")

    def _by_name(self, node: nodes.Filter) -> None:
        place = tables.BY_NAME.get(node.name)
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.odd(
                Kind.UNKNOWN, node, node.name, f"the filter {node.name} with unpacked arguments"
            )
        if place is None or len(node.args) <= place:
            return
        known = tables.FILTERS if node.name == "map" else tables.TESTS
        inner = self.texts.constant(node.args[place])
        if inner == "attr" or inner in tables.BY_NAME or inner in tables.BY_ATTRIBUTE:
            self.odd(Kind.GADGET, node, str(inner), f"{node.name} by {inner}, which takes names")
        elif not isinstance(inner, str):
            self.odd(Kind.COMPUTED, node, node.name, f"{node.name} by a name that it puts together")
        elif inner not in known:
            self.odd(Kind.UNKNOWN, node, inner, f"{node.name} by {inner}, which is not known here")
