"""Part of a state dict: entries under a prefix, renamed, or those that patterns name.

The caller's `prefix=` and `only=` of `load`. The graph of the state is cut to the entries chosen
before anything is built, so that only their tensors are read and verified. What is chosen is the
caller's alone: names of the archive are compared, and nothing of them is a pattern.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.graph import audit, references
from safemodel.errors import StateMismatchError, UsageError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_DICTS: Final = frozenset({"dict", "OrderedDict"})
_LOOKED_AT: Final = 5000  # names that an error message is made from
_EVERYTHING: Final[Mapping[str, str]] = {"": ""}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries are loaded, and by what names.

    `prefixes` maps prefixes of names in the archive to what stands there in the object instead;
    the longest that fits a name counts. `only` are patterns of names in the object.
    """

    prefixes: Mapping[str, str]
    only: tuple[str, ...] | None

    def renamed(self, name: str) -> str | None:
        """The name of an entry of the archive in the object, if its prefix is wanted."""
        fitting = [prefix for prefix in self.prefixes if name.startswith(prefix)]
        if not fitting:
            return None
        longest = max(fitting, key=len)
        return self.prefixes[longest] + name[len(longest) :]

    def wanted(self, name: object) -> bool:
        """Whether an entry of the object, by its name there, is one that is to be loaded."""
        return (
            isinstance(name, str)
            and any(name.startswith(prefix) for prefix in self.prefixes.values())
            and (self.only is None or any(fnmatchcase(name, pattern) for pattern in self.only))
        )

    def check_names(self, names: Iterable[object], what: str) -> None:
        """Every pattern must name something: a misspelt one would load less than is meant.

        Raises:
            StateMismatchError: one names no entry.
        """
        known = [name for name in names if isinstance(name, str)]
        for pattern in self.only or ():
            if not any(fnmatchcase(name, pattern) for name in known):
                raise _nothing("only", pattern, known, what)


def selection(
    prefix: str | Mapping[str, str] | None, only: Sequence[str] | None
) -> Selection | None:
    """The selection that `prefix=` and `only=` ask for.

    Raises:
        UsageError: they are not what they must be.
    """
    if prefix is None and only is None:
        return None
    prefixes = _EVERYTHING if prefix is None else {prefix: ""} if type(prefix) is str else prefix
    if (
        not isinstance(prefixes, Mapping)
        or not prefixes
        or not all(isinstance(part, str) for pair in prefixes.items() for part in pair)
    ):
        raise UsageError(
            "prefix= is the beginning of names in the archive, or a dictionary that says what "
            "becomes of it",
            hint='prefix="encoder.", or prefix={"encoder.": "backbone."}',
        )
    if isinstance(only, str):
        raise UsageError(
            "only= is a list of patterns, and a single one was given", hint=f"only=[{only!r}]"
        )
    given: Any = only  # from the caller
    if given is not None and (
        not isinstance(given, Collection)
        or not given
        or not all(isinstance(pattern, str) for pattern in given)
    ):
        raise UsageError("only= is a list of patterns of names", hint='only=["encoder.*"]')
    return Selection(dict(prefixes), None if only is None else tuple(only))


def cut(graph: JsonValue, chosen: Selection) -> JsonValue:
    """The graph of a state dict with the chosen entries alone, under their names in the object.

    Raises:
        ArchitectureError: not an object graph.
        StateMismatchError: it holds no dictionary, no entry of a prefix, or two for one name.
    """
    root, nodes, _ = audit(graph)
    index: Any = root.get("ref") if type(root) is dict else None
    pairs: Any = None
    if index is not None and nodes[index]["kind"] in _DICTS:
        pairs = nodes[index].get("items")
    if type(pairs) is not list or not all(type(pair) is list and len(pair) == 2 for pair in pairs):
        raise StateMismatchError("prefix= and only= choose from a dictionary, which this is not")
    names = [pair[0] for pair in pairs if type(pair[0]) is str]
    _check_prefixes(chosen, names)
    kept: dict[str, JsonValue] = {}
    for key, value in pairs:
        new = chosen.renamed(key) if type(key) is str else None
        if new is None or not chosen.wanted(new):
            continue
        if new in kept:
            raise StateMismatchError(f"prefix= gives two entries of the archive the name {new}")
        kept[new] = value
    if not kept and chosen.only is not None:
        renamed = [new for name in names if (new := chosen.renamed(name)) is not None]
        raise _nothing("only", ", ".join(chosen.only), renamed, "the archive")
    smaller = copy.copy(nodes)
    smaller[index] = {**nodes[index], "items": [[key, value] for key, value in kept.items()]}
    return {"root": {"ref": 0}, "nodes": _reachable(index, smaller)}


def _reachable(root: int, nodes: list[dict[str, JsonValue]]) -> list[JsonValue]:
    """Copies of the nodes that can be reached, numbered from `root` on as a graph must be."""
    order, place, done = [root], {root: 0}, 0
    result: list[Any] = []
    while done < len(order):
        node = copy.deepcopy(nodes[order[done]])
        for reference in references(node):  # type: ignore[arg-type]
            old: Any = reference["ref"]
            if old not in place:
                place[old] = len(order)
                order.append(old)
            reference["ref"] = place[old]
        result.append(node)
        done += 1
    return result


def rename_metadata(metadata: Any, chosen: Selection) -> dict[str, Any]:
    """The versions of parts of a module, by the names that the parts have in the object."""
    result = {}
    for part, value in metadata.items() if isinstance(metadata, dict) else ():
        if type(part) is str:
            new = chosen.renamed(f"{part}." if part else "")
            if new is not None:
                result[new.removesuffix(".")] = value
    return result


def _check_prefixes(chosen: Selection, names: list[str]) -> None:
    for prefix in chosen.prefixes:
        if prefix and not any(name.startswith(prefix) for name in names):
            raise _nothing("prefix", prefix, names, "the archive", str.startswith)


def _nothing(
    option: str,
    given: str,
    names: Sequence[str],
    what: str,
    fits: Callable[[str, str], bool] | None = None,
) -> StateMismatchError:
    names = [name[:200] for name in names[:_LOOKED_AT]]
    stems = sorted({".".join(name.split(".")[:depth]) for name in names for depth in (1, 2, 3)})
    near = difflib.get_close_matches(given.strip("*."), [*names, *stems], n=5, cutoff=0.5)
    shown = list(dict.fromkeys(near)) or sorted({name.split(".")[0] for name in names})[:5]
    return StateMismatchError(
        f"{option}={given!r:.200} names no entry of {what}",
        hint=f"near it: {', '.join(shown)}" if shown else "there are no entries",
    )
