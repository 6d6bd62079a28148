"""LightGBM's boosters: read from what they pickle, checked, and given to the library as text.

A booster pickles its model as text, which LightGBM parses without checks. Here the text is parsed
by us into arrays and a closed table; at load they are checked, written as text again, and only
that text goes to LightGBM. What a booster has in Python besides is a table too, without the
buffers that belong to training data, which pickling loses as well.
"""

from __future__ import annotations

import json
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from safemodel.adapters.sklearn.lightgbm_check import MAX_CLASSES, check_model
from safemodel.adapters.sklearn.lightgbm_emit import write_model
from safemodel.adapters.sklearn.lightgbm_model import ARRAYS, parse_model
from safemodel.adapters.sklearn.lightgbm_params import (
    PARAMETERS,
    Section,
    check_interactions,
    loaded,
)
from safemodel.adapters.sklearn.native import Column, Table
from safemodel.adapters.sklearn.parts import Part, Reduced, part_kinds
from safemodel.adapters.sklearn.schema import BOOL, LABEL, NAME, REAL
from safemodel.adapters.sklearn.scope import ITEM, Scope, SpecError
from safemodel.adapters.sklearn.spec import Const, Int, Seq, Spec, Text, describe, optional
from safemodel.errors import DamagedError
from safemodel.legacy import lightgbm_text
from safemodel.legacy.lightgbm_text import MAX_FEATURES

MODULE: Final = "lightgbm.basic"
_PRIVATE: Final = "_Booster__"


@dataclass(frozen=True)
class Scores:
    """A dict of any kind from names to what `item` says."""

    item: Spec
    kinds: tuple[type, ...] = (dict, OrderedDict, defaultdict)

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) not in self.kinds:
            raise SpecError(f"is {describe(value)}, but must be {self}")
        scope.audit.look(2 * ITEM * len(value))
        for key, item in value.items():
            NAME.check(key, scope)
            try:
                self.item.check(item, scope)
            except SpecError as error:
                raise error.below(f"[{key[:60]!r}]") from None

    def __str__(self) -> str:
        return f"a dict from names to items, each {self.item}"


BEST_SCORE: Final[Spec] = Scores(Scores(REAL))
CATEGORIES: Final[Spec] = optional(Seq(Seq(LABEL), kinds=(list,)))
_FALSE: Final = Const((False,))
_EMPTY: Final = Seq(Const(()), 0, kinds=(list,))
_ATTRIBUTES: Final = Table(
    {
        "_network": _FALSE,
        "_train_data_name": NAME,
        "best_iteration": Int(-(2**31), 2**31 - 1),
        "best_score": BEST_SCORE,
        "pandas_categorical": CATEGORIES,
        "params": PARAMETERS,
        f"{_PRIVATE}need_reload_eval_info": BOOL,
        f"{_PRIVATE}set_objective_to_none": BOOL,
        f"{_PRIVATE}num_class": Int(1, MAX_CLASSES),
    },
    {
        "name_valid_sets": Seq(NAME, kinds=(list,)),
        "train_set_version": Int(0, 2**31 - 1),
        f"{_PRIVATE}num_dataset": Int(0, 0),
        f"{_PRIVATE}init_predictor": optional(part_kinds("_InnerPredictor")),
        f"{_PRIVATE}inner_predict_buffer": _EMPTY,
        f"{_PRIVATE}is_predicted_cur_iter": _EMPTY,
        f"{_PRIVATE}num_inner_eval": Int(0, 10_000),
        f"{_PRIVATE}name_inner_eval": Seq(NAME, kinds=(list,)),
        f"{_PRIVATE}higher_better_inner_eval": Seq(BOOL, kinds=(list,)),
        # LightGBM 3
        f"{_PRIVATE}attr": Scores(Text(1 << 16)),
    },
    "a dict of attributes",
)
# What belongs to the training data, which a pickle does not have: as `free_dataset` leaves it
_FREED: Final[Mapping[str, Any]] = {
    f"{_PRIVATE}num_dataset": 0,
    f"{_PRIVATE}inner_predict_buffer": [],
    f"{_PRIVATE}is_predicted_cur_iter": [],
}


def _state(reduced: Reduced) -> tuple[dict[str, Any], bytes]:
    """Split what a booster pickles into attributes and its text model."""
    state = dict(reduced.state or {})
    handles = [state.pop(name) for name in ("_handle", "handle") if name in state]
    if len(handles) != 1 or type(handles[0]) is not str:
        raise SpecError("holds no model")
    if "network" in state:  # older releases
        state["_network"] = state.pop("network")
    for name, freed in _FREED.items():
        if name in state:
            state[name] = list(freed) if type(freed) is list else freed
    return {name: state[name] for name in sorted(state)}, handles[0].encode("utf-8", "replace")


def _read(reduced: Reduced) -> Mapping[str, Any]:
    attributes, text = _state(reduced)
    try:
        return {**parse_model(text), "attributes": attributes}
    except DamagedError as error:
        raise SpecError(f"has a model that can't be saved: {error.message}") from None


def from_file(data: bytes) -> dict[str, Any]:
    """Return the arguments of the booster that `lightgbm.Booster(model_file=...)` would make.

    Pure, for converting: they are still to be checked.

    Raises:
        DamagedError: it is no text model.
    """
    text = lightgbm_text.parse(data)
    model = parse_model(data)
    try:
        categories = None if text.categories is None else json.loads(text.categories)
        params = loaded(model["parameters"])
    except (ValueError, RecursionError):
        raise DamagedError("a LightGBM model with something malformed at its end") from None
    attributes = {
        "_network": False,
        "_train_data_name": "training",
        "best_iteration": -1,
        "best_score": {},
        "pandas_categorical": categories,
        "params": params,
        f"{_PRIVATE}need_reload_eval_info": True,
        f"{_PRIVATE}set_objective_to_none": False,
        f"{_PRIVATE}num_class": model["classes"],
    }
    return {**model, "attributes": {name: attributes[name] for name in sorted(attributes)}}


def outline(value: Any, scope: Scope) -> tuple[int, int]:
    """Return the number of classes and features of a booster, without parsing its trees.

    Raises:
        SpecError: it has no model.
    """
    part = scope.library.part(type(value))
    if part is None or part.name != "Booster":
        raise SpecError("is no Booster")
    if part.is_unfinished(value):
        return vars(value)["classes"], len(vars(value)["features"])
    try:
        return lightgbm_text.outline(_state(scope.library.reduced(value))[1])
    except DamagedError as error:
        raise SpecError(f"has a model that can't be saved: {error.message}") from None


def _check(arguments: Mapping[str, Any], scope: Scope) -> None:
    check_model(arguments, scope)
    attributes = arguments["attributes"]
    check_interactions(attributes["params"], len(arguments["features"]))
    if attributes[f"{_PRIVATE}num_class"] != arguments["classes"]:
        raise SpecError(f"must be {arguments['classes']}", f".attributes['{_PRIVATE}num_class']")
    counts = {
        attributes.get(f"{_PRIVATE}num_inner_eval", 0),
        len(attributes.get(f"{_PRIVATE}name_inner_eval", ())),
        len(attributes.get(f"{_PRIVATE}higher_better_inner_eval", ())),
    }
    if len(counts) > 1:
        raise SpecError("has other numbers of metrics than names of them", ".attributes")


def _finish(booster: Any) -> None:
    """Turn a booster that is nothing but its checked arguments into a live one."""
    arguments = dict(vars(booster))
    vars(booster).clear()
    attributes = arguments.pop("attributes")
    state = {**attributes, "_handle": write_model(arguments, attributes["pandas_categorical"])}
    refusal = sys.modules[MODULE].LightGBMError
    try:
        booster.__setstate__(state)
    except refusal as error:
        raise ValueError(str(error)) from None


def _predictor(reduced: Reduced) -> Mapping[str, Any]:
    state = dict(reduced.state or {})
    state.pop("_handle", None)
    return state


_ANY: Final = Int(0, 2**31 - 1)
PARTS: Final[tuple[Part, ...]] = (
    Part(
        MODULE,
        "Booster",
        {
            "classes": Int(1, MAX_CLASSES),
            "label": Int(-1, MAX_FEATURES),
            "objective": optional(Text(1000)),
            "average": BOOL,
            "features": Seq(NAME, kinds=(list,)),
            "parameters": Section(),
            "attributes": _ATTRIBUTES,
            **{name: Column(kind) for name, kind in ARRAYS.items()},
        },
        _read,
        late=True,
        check_more=_check,
        finish=_finish,
    ),
    # What continued training was begun from: a pickle has it without its model
    Part(
        MODULE,
        "_InnerPredictor",
        {
            "_InnerPredictor__is_manage_handle": BOOL,
            "pandas_categorical": CATEGORIES,
            "pred_parameter": Text(1 << 16),
            "num_class": _ANY,
        },
        _predictor,
        late=True,
    ),
)
