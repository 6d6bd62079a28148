"""A text model of LightGBM as arrays: all trees in one array for each thing that they have.

`parse_model` is pure: text to a mapping of checked values, none of which LightGBM has seen.
`lightgbm_check.py` says what may be followed, `lightgbm_emit.py` writes the text again.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import SpecError
from safemodel.errors import DamagedError
from safemodel.legacy import lightgbm_text
from safemodel.legacy.lightgbm_text import ModelText

# The arrays of all trees, one behind the other, with the types in which LightGBM keeps them.
NODES: Final = {
    "split_feature": "<i4",
    "split_gain": "<f4",
    "threshold": "<f8",
    "decision_type": "|u1",
    "left_child": "<i4",
    "right_child": "<i4",
    "internal_value": "<f8",
    "internal_weight": "<f8",
    "internal_count": "<i4",
}
LEAVES: Final = {"leaf_value": "<f8", "leaf_count": "<i4"}
WEIGHTS: Final = {"leaf_weight": "<f8"}  # a tree that is one constant has none
CATEGORIES: Final = {"cat_boundaries": "<i4", "cat_threshold": "<u4"}
LINEAR: Final = {"leaf_const": "<f8", "num_features": "<i4"}
COEFFICIENTS: Final = {"leaf_features": "<i4", "leaf_coeff": "<f8"}
TREES: Final = {"num_leaves": "<i4", "num_cat": "<i4", "is_linear": "|u1", "shrinkage": "<f8"}
INFOS: Final = {"info_counts": "<i4", "info_bounds": "<f8", "info_values": "<i4"}
ARRAYS: Final[Mapping[str, str]] = {
    **TREES,
    **NODES,
    **LEAVES,
    **WEIGHTS,
    **CATEGORIES,
    **LINEAR,
    **COEFFICIENTS,
    **INFOS,
    "monotone": "|i1",
}
# What is counted in `info_counts`: values of a categorical feature, or one of these.
NO_INFO, BOUNDS = -2, -1

_NUMBER: Final = r"-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?|inf|nan)"
_BOUNDS: Final = re.compile(rf"\[({_NUMBER}):({_NUMBER})\]")
_VALUES: Final = re.compile(r"-?[0-9]{1,10}(?::-?[0-9]{1,10})*+")


def parse_model(data: bytes) -> dict[str, Any]:
    """Turn a text model into the arguments that describe it, without Python's attributes.

    Pure. The structure of the trees is not checked here.

    Raises:
        DamagedError: it is no text model, or holds numbers that its arrays can't.
    """
    try:
        return _arguments(lightgbm_text.parse(data))
    except SpecError as error:
        raise DamagedError(f"a LightGBM model whose {error.path[1:]} {error.message}") from None


def _arguments(text: ModelText) -> dict[str, Any]:
    trees = dict(text.trees)
    leaves = _numbers("num_leaves", trees["num_leaves"])
    lonely = (leaves == 1) & (_numbers("is_linear", _default(trees["is_linear"])) == 0)
    trees["is_linear"] = _default(trees["is_linear"])
    trees["leaf_weight"] = tuple(
        b"" if alone else line for alone, line in zip(lonely, trees["leaf_weight"], strict=True)
    )
    arrays = {name: _numbers(name, trees[name]) for name in ARRAYS if name in trees}
    monotone = [] if text.monotone is None else [text.monotone.encode()]
    return {
        "classes": text.classes,
        "label": text.label,
        "objective": text.objective,
        "average": text.average,
        "features": list(text.features),
        "parameters": dict(text.parameters),
        "monotone": _numbers("monotone", monotone),
        **_infos(text.infos),
        **arrays,
    }


def _default(flags: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(flag or b"0" for flag in flags)


def _numbers(name: str, lines: Iterable[bytes]) -> Any:
    """Parse the lines of all trees at once; as many numbers as there are words, all in range."""
    kind = np.dtype(ARRAYS[name])
    text = b" ".join(line for line in lines if line)
    count = len(text.split()) if name in COEFFICIENTS else text.count(b" ") + bool(text)
    with warnings.catch_warnings():  # it warns of what it can't read, and stops there
        warnings.simplefilter("ignore")
        try:
            found = np.fromstring(text, "<i8" if kind.kind in "iu" else "<f8", sep=" ")
        except ValueError:
            raise SpecError("has something that is no number", f".{name}") from None
    if len(found) != count:
        raise SpecError("has something that is no number", f".{name}")
    if kind.kind in "iu" and count:
        bounds = np.iinfo(kind)
        if found.min() < bounds.min or found.max() > bounds.max:
            raise SpecError("has a number that is too large", f".{name}")
    with np.errstate(over="ignore"):
        return found.astype(kind)


def _infos(infos: tuple[str, ...]) -> dict[str, Any]:
    counts, bounds, values = [], [], []
    for info in infos:
        if info == "none":
            counts.append(NO_INFO)
        elif match := _BOUNDS.fullmatch(info):
            counts.append(BOUNDS)
            bounds += [float(match[1]), float(match[2])]
        elif _VALUES.fullmatch(info):
            found = [int(value) for value in info.split(":")]
            if max(map(abs, found)) > 2**31 - 1:
                raise SpecError("has a category that is too large", ".feature_infos")
            counts.append(len(found))
            values += found
        else:
            raise SpecError(f"has {info[:40]!r}", ".feature_infos")
    columns = {"info_counts": counts, "info_bounds": bounds, "info_values": values}
    return {name: np.array(column, ARRAYS[name]) for name, column in columns.items()}
