"""LightGBM's text model: a header, trees, the parameters that trained them, categories of pandas.

`Booster.save_model` writes it, and a pickle of a booster holds it as one string. Only spelling and
structure are parsed here: lists of numbers stay text, of the characters that numbers have, with as
many items as the tree must have. What the numbers mean, and whether they may be followed, is for
whoever makes arrays of them. Versions `v3` and `v4` (LightGBM 2.3 and later).

Linear in the size of the text: each line is matched once, by a pattern that can't go back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError

MAGIC: Final = b"tree\nversion="
MAX_CLASSES: Final = 1 << 20
MAX_FEATURES: Final = 1 << 24
MAX_LEAVES: Final = 1 << 17  # LightGBM's own bound
_MAX_PARAMETERS: Final = 1000
_SPACED: Final = frozenset({"leaf_features", "leaf_coeff"})  # a space more for each leaf

# The lines of a tree, in order: name, characters, and how many items it has.
_INTEGERS, _REALS = rb"[0-9 \-]*+", rb"[0-9a-finy .+\-]*+"
_LINES: Final = (
    ("num_leaves", rb"[0-9]{1,7}+", "one"),
    ("num_cat", rb"[0-9]{1,7}+", "one"),
    ("split_feature", _INTEGERS, "nodes"),
    ("split_gain", _REALS, "nodes"),
    ("threshold", _REALS, "nodes"),
    ("decision_type", _INTEGERS, "nodes"),
    ("left_child", _INTEGERS, "nodes"),
    ("right_child", _INTEGERS, "nodes"),
    ("leaf_value", _REALS, "leaves"),
    ("leaf_weight", _REALS, "weights"),
    ("leaf_count", _INTEGERS, "leaves"),
    ("internal_value", _REALS, "nodes"),
    ("internal_weight", _REALS, "nodes"),
    ("internal_count", _INTEGERS, "nodes"),
    ("cat_boundaries", _INTEGERS, "boundaries"),
    ("cat_threshold", _INTEGERS, "any"),
    ("is_linear", rb"[01]", "one"),
    ("leaf_const", _REALS, "linear"),
    ("num_features", _INTEGERS, "linear"),
    ("leaf_features", _INTEGERS, "any"),
    ("leaf_coeff", _REALS, "any"),
    ("shrinkage", _REALS, "one"),
)
FIELDS: Final = tuple(name for name, _, _ in _LINES)
_OPTIONAL: Final = {
    *("cat_boundaries", "cat_threshold", "is_linear"),
    *("leaf_const", "num_features", "leaf_features", "leaf_coeff"),
}


def _line(name: str, items: bytes) -> bytes:
    line = name.encode() + b"=(" + items + b")\n"
    return b"(?:" + line + b")?+" if name in _OPTIONAL else line


_TREE: Final = re.compile(
    rb"Tree=([0-9]{1,9})\n" + b"".join(_line(name, items) for name, items, _ in _LINES) + rb"\n\n"
)
_PARAMETER: Final = re.compile(rb"\[([a-z][a-z0-9_]{0,60}): ([^\n\x00-\x1f]{0,65536})\]")


@dataclass(frozen=True, slots=True)
class ModelText:
    """A text model.

    Attributes:
        classes: trees of one iteration, which are as many as the outputs.
        objective: how raw scores become predictions, as the text spells it.
        average: predictions are means over the iterations (random forests).
        monotone: the line of monotone constraints.
        infos: what is known of the values of each feature.
        trees: for each of FIELDS the texts of all trees; empty where a tree has no such line.
        parameters: names and values, in order.
        categories: the JSON behind `pandas_categorical:`.
    """

    classes: int
    label: int
    objective: str | None
    average: bool
    features: tuple[str, ...]
    monotone: str | None
    infos: tuple[str, ...]
    trees: Mapping[str, tuple[bytes, ...]]
    parameters: tuple[tuple[str, str], ...]
    categories: str | None


class _Lines:
    """The lines of a text, taken one by one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def peek(self) -> bytes:
        """The next line, without its end."""
        end = self._data.find(b"\n", self.at)
        if end < 0:
            raise DamagedError("a LightGBM model that ends within a line")
        return self._data[self.at : end]

    def take(self) -> bytes:
        """The next line, which is consumed."""
        line = self.peek()
        self.at += len(line) + 1
        return line

    def expect(self, line: bytes) -> None:
        """Consume a line that must be there."""
        found = self.take()
        if found != line:
            raise DamagedError(f"a LightGBM model with {found!r:.60} where {line!r:.60} belongs")

    def value(self, name: str) -> str:
        """Consume `name=value`, which must be there."""
        found = self.optional(name)
        if found is None:
            raise DamagedError(f"a LightGBM model with {self.peek()!r:.60} instead of its {name}")
        return found

    def optional(self, name: str) -> str | None:
        """Consume `name=value` if it is there."""
        head = name.encode() + b"="
        if not self._data.startswith(head, self.at):
            return None
        return _text(self.take()[len(head) :])


def parse(data: bytes) -> ModelText:
    """Parse a text model.

    Raises:
        DamagedError: it is none, or LightGBM would not have written it so.
    """
    lines = _Lines(data)
    classes, label, last = _header(lines)
    objective = lines.optional("objective")
    average = lines.peek() == b"average_output"
    if average:
        lines.take()
    features = _words(lines.value("feature_names"), last + 1, "feature_names")
    monotone = lines.optional("monotone_constraints")
    infos = _words(lines.value("feature_infos"), last + 1, "feature_infos")
    sizes = lines.value("tree_sizes").split(" ")
    lines.expect(b"")
    trees, lines.at = _trees(data, lines.at, [] if sizes == [""] else sizes)
    lines.expect(b"end of trees")
    lines.expect(b"")
    lines.expect(b"feature_importances:")
    for _ in range(last + 2):  # at most one a feature; they follow from the trees
        if lines.take() == b"":
            break
    else:
        raise DamagedError("a LightGBM model with importances of more features than it has")
    parameters = _parameters(lines, data)
    categories = _categories(data, lines.at)
    return ModelText(
        *(classes, label, objective, average, features, monotone, infos, trees, parameters),
        categories=categories,
    )


def outline(data: bytes) -> tuple[int, int]:
    """Return the number of classes and of features of a text model; its trees are not looked at.

    Raises:
        DamagedError: it is no text model.
    """
    classes, _, last = _header(_Lines(data))
    return classes, last + 1


def _header(lines: _Lines) -> tuple[int, int, int]:
    """The first lines: number of classes, column of the label, index of the last feature."""
    lines.expect(b"tree")
    version = lines.value("version")
    if version not in ("v3", "v4"):
        raise DamagedError(f"a LightGBM model of version {version!r:.20}, not v3 or v4")
    classes = _integer(lines.value("num_class"), 1, MAX_CLASSES, "num_class")
    if lines.value("num_tree_per_iteration") != str(classes):
        raise DamagedError("a LightGBM model with other trees per iteration than classes")
    label = _integer(lines.value("label_index"), -1, MAX_FEATURES, "label_index")
    last = _integer(lines.value("max_feature_idx"), -1, MAX_FEATURES, "max_feature_idx")
    return classes, label, last


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise DamagedError("a LightGBM model with a line that is not UTF-8") from None


def _integer(text: str, low: int, high: int, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise DamagedError(f"a LightGBM model with {what} {text!r:.30}")
    return int(text)


def _words(text: str, count: int, what: str) -> tuple[str, ...]:
    words = text.split(" ") if text else []
    if len(words) != count or not all(words):
        raise DamagedError(f"a LightGBM model with {len(words)} {what} for {count} features")
    return tuple(words)


def _trees(data: bytes, at: int, sizes: list[str]) -> tuple[dict[str, tuple[bytes, ...]], int]:
    found = []
    for index, size in enumerate(sizes):
        match = _TREE.match(data, at)
        if match is None or match[1] != str(index).encode():
            raise DamagedError(f"a LightGBM model whose tree {index} is malformed")
        if str(match.end() - at) != size:
            raise DamagedError(f"a LightGBM model whose tree {index} is not as long as it says")
        groups = match.groups(b"")[1:]
        _check_counts(index, groups)
        found.append(groups)
        at = match.end()
    columns = zip(*found, strict=True) if found else [()] * len(FIELDS)
    return dict(zip(FIELDS, columns, strict=True)), at


def _check_counts(index: int, groups: tuple[bytes, ...]) -> None:
    """Compare how many items each line has with how many the tree needs."""
    line = dict(zip(FIELDS, groups, strict=True))
    leaves, categories = int(line["num_leaves"]), int(line["num_cat"])
    linear = line["is_linear"] == b"1"
    if not 1 <= leaves <= MAX_LEAVES:
        raise DamagedError(f"a LightGBM model whose tree {index} has {leaves} leaves")
    counts = {
        "one": 1,
        "nodes": leaves - 1,
        "leaves": leaves,
        "weights": leaves,
        "linear": leaves if linear else 0,
        "boundaries": categories + 1 if categories else 0,
    }
    for name, _, kind in _LINES:
        text = line[name]
        items = text.count(b" ") + 1 if text else 0
        if kind == "any" or items == counts[kind]:
            continue
        if kind == "weights" and leaves == 1 and not text:
            continue  # LightGBM forgets the weight of a lonely leaf
        if name == "is_linear" and not text:
            continue  # older releases
        raise DamagedError(f"a LightGBM model whose tree {index} has {items} items of {name}")
    if not linear and (line["leaf_features"].strip() or line["leaf_coeff"].strip()):
        raise DamagedError(f"a LightGBM model whose tree {index} has coefficients of a linear one")
    if not categories and line["cat_threshold"]:
        raise DamagedError(f"a LightGBM model whose tree {index} has categories it does not count")


def _parameters(lines: _Lines, data: bytes) -> tuple[tuple[str, str], ...]:
    if not data.startswith(b"parameters:\n", lines.at):
        lines.at -= 1  # the empty line was not ours
        return ()
    lines.take()
    found: dict[str, str] = {}
    while line := lines.take():
        match = _PARAMETER.fullmatch(line)
        if match is None or len(found) >= _MAX_PARAMETERS:
            raise DamagedError(f"a LightGBM model with the parameter {line!r:.60}")
        name = _text(match[1])
        if name in found:
            raise DamagedError(f"a LightGBM model with two parameters {name}")
        found[name] = _text(match[2])
    lines.expect(b"end of parameters")
    return tuple(found.items())


def _categories(data: bytes, at: int) -> str | None:
    """What follows the parameters: nothing, or the categories of pandas."""
    rest = data[at:]
    head = b"\npandas_categorical:"
    if rest in (b"", b"\n"):
        return None
    if not rest.startswith(head) or not rest.endswith(b"\n") or rest.count(b"\n") != 2:
        raise DamagedError(f"a LightGBM model with {rest!r:.60} at its end")
    return _text(rest[len(head) : -1])
