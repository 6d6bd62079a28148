"""The language of the files of names. Pure: text to tables.

Known good (`known/*.names`), one package in a file:

    @versions NAME 1.0 2.0      which versions the names were found with; for people
    @partial                    models use other names of the package, too
    [package.module]            the names that follow are of this module; the same names may be in
    [old.module | new.module]   several
    [*]                         the names that follow are methods of any class of the package
    class A B.C                 classes: made by NEWOBJ without arguments, or by copyreg; BUILD
    class(OPTIONS) A B          the same with options, separated by `;`:
        new SCHEMA                  arguments of NEWOBJ (see safemodel.scan.schema)
        call SCHEMA                 arguments of REDUCE, INST, OBJ
        enum                        an enumeration: called with a value
        slots list dict set         what else it may be given: state for slots, items
        bare                        no state by BUILD
        state SCHEMA                the state that BUILD may give it
        methods NAME NAME           that getattr may get from an instance, to be kept
        bound                       only harmless in these uses: not for the guard
    class(OPTIONS) A: reason    `call` needs a reason why it is harmless with these arguments
    constant f g                looked up, and not called
    call f(SCHEMA) -> OPTIONS: reason why it is harmless with these arguments
        options: object, slots, list, dict, set as above (what its result may be given), class (what
        its first argument may), bound, nested FORMAT, .METHOD. `->` and options may be left out.

Dangerous (`dangerous.names`):

    family - what a call does, as the end of a sentence: module:name module:*
        `*` is every name in a module and in all below it

A line that begins with a space goes on with the one before. `#` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from safemodel.scan.names.entry import Danger, Entry

PARTIAL: Final = "@partial"


class TableError(ValueError):
    """A file of names is not well-formed."""


def _lines(text: str) -> Iterator[str]:
    whole = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line[0] == " ":
            whole += " " + line.strip()
            continue
        if whole:
            yield whole
        whole = line.rstrip()
    if whole:
        yield whole


def read_known(text: str) -> dict[str, dict[str, Entry]]:
    """The entries of one file, by module and name.

    Raises:
        TableError: not of this language, or a name is there twice.
    """
    found: dict[str, dict[str, Entry]] = {}
    tables: list[dict[str, Entry]] = []
    for line in _lines(text):
        if line[0] == "[":
            modules = line[1:-1].split(" | ")
            tables = [found.setdefault(module, {}) for module in modules]
        elif line[0] == "@":
            continue
        else:
            names, entry = _entry(line)
            for table in tables:
                for name in names:
                    if name in table:
                        raise TableError(f"{name} is there twice: {line!r}")
                    table[name] = entry
    return found


_CLASS = Entry("class", new="")
_CONSTANT = Entry("constant")


def _entry(line: str) -> tuple[list[str], Entry]:
    if line.startswith("class "):
        return line[6:].split(), _CLASS
    if line.startswith("class("):
        end = _closing(line, 5)
        names, _, reason = line[end + 1 :].partition(":")
        entry = _class(line[6:end], reason.strip())
        if entry.call not in (None, "plain") and not entry.reason:
            raise TableError(f"a call needs a reason: {line!r}")
        return names.split(), entry
    if line.startswith("constant "):
        return line[9:].split(), _CONSTANT
    if line.startswith("call "):
        return _function(line)
    raise TableError(f"not understood: {line!r}")


def _closing(line: str, start: int) -> int:
    depth = 0
    for at in range(start, len(line)):
        if line[at] == "(":
            depth += 1
        elif line[at] == ")":
            depth -= 1
            if not depth:
                return at
    raise TableError(f"a bracket is not closed: {line!r}")


def _class(options: str, reason: str) -> Entry:
    new: str | None = ""
    call: str | None = None
    state = ""
    gives = {"object"}
    harmless = True
    for option in options.split(";"):
        word, _, rest = option.strip().partition(" ")
        if word == "new":
            new = rest
        elif word == "call":
            call = rest
        elif word == "state":
            state = rest
        elif word == "methods":
            gives.update("." + name for name in rest.split())
        elif word == "enum":
            call, gives = "plain", {"enum"}
        elif word == "bare":
            gives.discard("object")
        elif word == "bound":
            harmless = False
        elif option.strip() in ("slots", "list", "dict", "set"):
            gives.add(word)
        else:
            raise TableError(f"no option of a class: {option!r}")
    return Entry("class", call, new, frozenset(gives), reason, harmless, state=state)


def _function(line: str) -> tuple[list[str], Entry]:
    start = line.find("(")
    end = _closing(line, start)
    names = line[5:start].split()
    head, colon, reason = line[end + 1 :].partition(":")
    if not colon or not reason.strip() or not names:
        raise TableError(f"a function needs a name and a reason: {line!r}")
    gives: set[str] = set()
    harmless = True
    nested = ""
    words = head.replace("->", " ").split()
    while words:
        word = words.pop(0)
        if word == "bound":
            harmless = False
        elif word == "nested" and words:
            nested = words.pop(0)
        elif word in ("object", "slots", "list", "dict", "set", "class") or word[0] == ".":
            gives.add(word)
        else:
            raise TableError(f"no option of a function: {word!r} in {line!r}")
    schema = line[start + 1 : end].strip()
    entry = Entry("function", schema, None, frozenset(gives), reason.strip(), harmless, nested)
    return names, entry


def read_dangerous(text: str) -> tuple[dict[tuple[str, str], Danger], dict[str, Danger]]:
    """The dangerous names: exact ones, and whole modules.

    Raises:
        TableError: not of this language.
    """
    exact: dict[tuple[str, str], Danger] = {}
    modules: dict[str, Danger] = {}
    for line in _lines(text):
        head, colon, rest = line.partition(": ")
        family, _, reason = head.partition(" - ")
        if not colon or not reason:
            raise TableError(f"not understood: {line!r}")
        danger = Danger(family, reason)
        for item in rest.split():
            module, colon, name = item.partition(":")
            if not module or not name:
                raise TableError(f"{item!r} is no module:name")
            if name == "*":
                modules[module] = danger
            else:
                exact[module, name] = danger
    return exact, modules
