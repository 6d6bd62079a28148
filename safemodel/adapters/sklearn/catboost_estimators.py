"""CatBoost's estimators: read from what they pickle, checked, and given to the library as bytes.

A model of numeric features is taken apart (`catboost_model.py`), so that it needs no trust. One of
categories, texts or embeddings keeps its native bytes, since tables of statistics in formats of
their own lie in it: it loads only when the caller allows `native:catboost`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.sklearn.catboost_emit import write_model
from safemodel.adapters.sklearn.catboost_model import (
    ARRAYS,
    MAX_DIMENSION,
    check_model,
    parse_model,
)
from safemodel.adapters.sklearn.catboost_params import PARAMETERS, SPECS
from safemodel.adapters.sklearn.native import Column, Table
from safemodel.adapters.sklearn.parts import Part, Reduced
from safemodel.adapters.sklearn.schema import REAL
from safemodel.adapters.sklearn.scope import NotAllowedSpecError, Scope, SpecError
from safemodel.adapters.sklearn.spec import Int, Map, Seq, Spec, Text, optional
from safemodel.errors import DamagedError, UnreadableError
from safemodel.legacy.catboost_file import MAGIC

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_MODULE: Final = "catboost.core"
NATIVE: Final = "native:catboost"
_LEARNED: Final = ("_prediction_values_change", "_loss_value_change")


@dataclass(frozen=True)
class _Trees:
    """A model of numeric features, taken apart."""

    attributes: Table

    def check(self, value: Any, scope: Scope) -> None:
        self.attributes.check(value, scope)
        check_model(value, scope)

    def __str__(self) -> str:
        return "a model of numeric features"


@dataclass(frozen=True)
class _Native:
    """The bytes of a model that can't be taken apart: only the caller can allow them."""

    def check(self, value: Any, scope: Scope) -> None:
        Column("|u1").check(value, scope)
        if value[:4].tobytes() != MAGIC:
            raise SpecError("holds something that is no model of CatBoost")
        try:
            parse_model(value.tobytes())
        except UnreadableError:
            pass
        except DamagedError as error:
            raise SpecError(f"holds {error.message}") from None
        else:
            raise SpecError("holds bytes of a model that must be taken apart")
        if not scope.audit.allows(NATIVE):
            raise NotAllowedSpecError(
                "holds native bytes of CatBoost, whose parser trusts them:"
                " they can end the process or worse",
                NATIVE,
            )

    def __str__(self) -> str:
        return "native bytes of a model of CatBoost"


_MODEL: Final[Spec] = optional(
    _Trees(
        Table(
            {
                "dimension": Int(1, MAX_DIMENSION),
                "names": Seq(optional(Text(1 << 16)), kinds=(list,)),
                "info": Map(Text(200), Text(1 << 24)),
                "scale": REAL,
                "bias": REAL,
                **{name: Column(kind) for name, kind in ARRAYS.items()},
            }
        )
    ),
    _Native(),
)


def _read(reduced: Reduced) -> Mapping[str, Any]:
    state = dict(reduced.state or {})
    raw = state.pop("__model", None)
    for name in ("_test_evals", "_test_eval"):  # CatBoost writes them beside their vectors
        state.pop(name, None)
    learned = {name: list(state.pop(name)) for name in _LEARNED if name in state}
    return {
        "params": state,
        "learned": learned,
        "model": None if raw is None else _model(raw),
    }


def _model(raw: Any) -> Any:
    if type(raw) is not bytes:
        raise SpecError("has a model that is no bytes")
    try:
        return parse_model(raw)
    except UnreadableError:
        return np.frombuffer(raw, "|u1")
    except DamagedError as error:
        raise SpecError(f"has a model that can't be saved: {error.message}") from None


def _finish(estimator: Any) -> None:
    """Turn an estimator that is nothing but its checked arguments into a live one."""
    arguments = dict(vars(estimator))
    vars(estimator).clear()
    state = {**arguments["params"], **arguments["learned"]}
    if (model := arguments["model"]) is not None:
        native = type(model) is np.ndarray
        state["__model"] = model.tobytes() if native else write_model(model)
    refusal = sys.modules["catboost"].CatBoostError
    try:
        estimator.__setstate__(state)
    except refusal as error:
        raise ValueError(str(error)) from None


def notices(graph: JsonValue) -> tuple[str, ...]:
    """What to tell whoever saves a model that holds native bytes."""
    nodes: Any = graph["nodes"]  # type: ignore[index, call-overload]  # the encoder made it
    parts = (node["arguments"] for node in nodes if str(node.get("class", "")).startswith(_MODULE))
    models = [arguments.get("model") for arguments in parts]
    if not any(model is not None and nodes[model["ref"]]["kind"] == "ndarray" for model in models):
        return ()
    return (
        "a CatBoost model of categories, texts or embeddings is kept in CatBoost's own format; who"
        f' loads it has to trust it and to write: sm.load(path, allow=["{NATIVE}"])',
    )


_ARGUMENTS: Final[Mapping[str, Spec]] = {
    "params": PARAMETERS,
    "learned": Table({}, dict.fromkeys(_LEARNED, Seq(REAL, kinds=(list,)))),
    "model": _MODEL,
}
PARTS: Final[tuple[Part, ...]] = tuple(
    Part(
        *(_MODULE, name, _ARGUMENTS, _read),
        late=True,
        finish=_finish,
        estimator=True,
        parameters=SPECS,
    )
    for name in ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")
)
