"""A user's policy: names of their own that are known good, and names that never are.

A policy is a TOML file that the user names; none is looked for, so that nothing in a scanned tree
can be one. What it allows counts before the tables, except for what they know to be dangerous:
that can't be allowed. The format is in docs/policy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from safemodel.errors import UsageError
from safemodel.scan.names.entry import Danger, Entry
from safemodel.scan.user_file import read_user_file

MAX_POLICY: Final = 1 << 20
VERSION: Final = 1
_HINT: Final = "docs/policy.md shows the format"
_EVERYTHING: Final = "*any"  # the schema of any number of arguments that the pickle made
_ENTRIES: Final = {
    "class": Entry("class", _EVERYTHING, _EVERYTHING, frozenset({"object", "slots"})),
    "function": Entry("function", _EVERYTHING, None, frozenset({"object"})),
    "constant": Entry("constant"),
}

_Value = TypeVar("_Value")
Names = Mapping[tuple[str, str], _Value]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user allows and denies, by module and name; the name `*` stands for all.

    Attributes:
        text: what it was parsed from, for worker processes and cache keys.
    """

    allowed: Names[Entry] = field(default_factory=dict)
    denied: Names[str] = field(default_factory=dict)
    text: str = ""

    def allows(self, module: str, name: str) -> Entry | None:
        """What the policy knows of a name; None if nothing.

        `*` stands for names without a dot or an underscore before them: a dotted name in a pickle
        is a way through attributes, and leads from any module to `os.system`.
        """
        found = self.allowed.get((module, name))
        if found is None and "." not in name and not name.startswith("_"):
            found = _below(self.allowed, module)
        return found

    def denies(self, module: str, name: str) -> str | None:
        """The reason why a name is denied; None if it isn't. Here `*` stands for any name."""
        found = self.denied.get((module, name))
        return _below(self.denied, module) if found is None else found


def _below(table: Names[_Value], module: str) -> _Value | None:
    """What a `*` for the module, or for a package that it is in, says."""
    while module and table:
        found = table.get((module, "*"))
        if found is not None:
            return found
        module = module.rpartition(".")[0]
    return None


def load(path: str) -> Policy:
    """Read a policy from a file.

    Raises:
        SourceError: it can't be read.
        UsageError: it is no policy.
    """
    try:
        data = read_user_file(path, what="policy", limit=MAX_POLICY)
        return parse(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError("is not UTF-8 text", path=path, hint=_HINT) from error
    except UsageError as error:
        error.path = path
        error.hint = error.hint or _HINT
        raise


def parse(text: str) -> Policy:
    """A policy from its text.

    Raises:
        UsageError: it is no policy, or allows what is known to be dangerous.
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"is not TOML: {error}") from error
    if unknown := sorted(document.keys() - {"version", "allow", "deny"}):
        raise UsageError(f"a policy has no {unknown[0]!r}")
    if document.get("version") != VERSION:
        raise UsageError(f"the version of a policy must be {VERSION}")
    allowed: dict[tuple[str, str], Entry] = {}
    denied: dict[tuple[str, str], str] = {}
    danger = _dangers()
    for module, name, table in _names(document, "allow", {"names", "role", "reason"}):
        role = table.get("role", "class")
        if not isinstance(role, str) or role not in _ENTRIES:
            raise UsageError(f"a role is one of {', '.join(_ENTRIES)}, and not {role!r}")
        if name == "*" and role != "class":
            raise UsageError(f"only classes can be allowed together, and not each {role}")
        known = danger(module, name)
        if known is not None:
            raise UsageError(f"{module}.{name} can't be allowed: it {known.reason}")
        allowed[module, name] = _ENTRIES[role]
    for module, name, table in _names(document, "deny", {"names", "reason"}):
        denied[module, name] = _reason(table) or "is denied by the policy"
    return Policy(allowed, denied, text)


def allowing(policy: Policy | None, classes: Iterable[str]) -> Policy:
    """A policy that allows some classes besides what another one says.

    Raises:
        UsageError: a name that makes no sense, or is known to be dangerous.
    """
    import json

    names = json.dumps(list(classes))  # what is a list of strings in JSON is the same in TOML
    before = f"version = {VERSION}" if policy is None else policy.text
    return parse(f"{before}\n[[allow]]\nnames = {names}\n")


def _dangers() -> Callable[[str, str], Danger | None]:
    import sys

    from safemodel.scan.names import Tables

    tables = Tables()

    def danger(module: str, name: str) -> Danger | None:
        known = tables.danger(module, name)
        if known is None and name == "*" and module.partition(".")[0] in sys.stdlib_module_names:
            return Danger("standard", "is the standard library, which runs programs too")
        return known

    return danger


def _names(
    document: dict[str, object], key: str, members: set[str]
) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Each name of the tables of `allow` or `deny`, cut at its last dot."""
    tables = document.get(key, [])
    if not isinstance(tables, list):
        raise UsageError(f"{key!r} is not a list of tables: write [[{key}]]")
    for table in tables:
        if not isinstance(table, dict) or table.keys() - members:
            raise UsageError(f"[[{key}]] has {', '.join(sorted(members))} and nothing else")
        names = table.get("names")
        if not isinstance(names, list) or not names:
            raise UsageError(f"[[{key}]] has no list of names")
        _reason(table)
        for whole in names:
            module, name = _split(whole)
            yield module, name, table


def _reason(table: dict[str, object]) -> str:
    reason = table.get("reason", "")
    if not isinstance(reason, str):
        raise UsageError("a reason is text")
    return reason


def _split(whole: object) -> tuple[str, str]:
    """`acme.models.Net` or, where the name itself has a dot, `acme.models:Net.Inner`."""
    if isinstance(whole, str):
        module, _, name = whole.partition(":") if ":" in whole else whole.rpartition(".")
        parts = module.split(".") + ([] if name == "*" else name.split("."))
        if module and name and all(part.isidentifier() for part in parts):
            return module, name
    raise UsageError(f"{whole!r} is not the name of a module and of something in it")
