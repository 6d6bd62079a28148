"""The splitters of `sklearn.model_selection`, as they stand in `cv=`: parts of many families.

Their attributes are those of their constructors. Splitting is NumPy's work, which checks indices
itself; the bounds here are about how many splits a model may ask for. Implements spec/sklearn.md,
"Estimators".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.parts import Part, Reduced, attributes, part_kinds
from safemodel.adapters.sklearn.schema import (
    BOOL,
    COUNT,
    FOLDS,
    NON_NEGATIVE,
    POSITIVE,
    RANDOM_STATE,
)
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.adapters.sklearn.spec import Int, Spec, ints, optional

_MODULE: Final = "sklearn.model_selection._split"
_SPLITS: Final[Spec] = Int(1, 10_000)
_SIZE: Final[Spec] = optional(NON_NEGATIVE)
_REQUEST: Final[Mapping[str, Spec]] = {"_metadata_request?": part_kinds("MetadataRequest")}
_FOLDED: Final[Mapping[str, Spec]] = {
    "n_splits": _SPLITS,
    "shuffle": BOOL,
    "random_state": RANDOM_STATE,
}
_DRAWN: Final[Mapping[str, Spec]] = {
    "n_splits": _SPLITS,
    "test_size": _SIZE,
    "train_size": _SIZE,
    "random_state": RANDOM_STATE,
    "_default_test_size": NON_NEGATIVE,
}


def _splitter(name: str, **arguments: Spec) -> Part:
    return Part(_MODULE, name, {**arguments, **_REQUEST}, attributes, late=True)


def _repeated(reduced: Reduced) -> Mapping[str, Any]:
    """The class of the repeated splitter is that of the constructor: only numbers are stored."""
    state = dict(reduced.state)
    keywords = state.pop("cvargs")
    if keywords.keys() != {"n_splits"}:
        raise SpecError("has other keywords than n_splits", ".cvargs")
    del state["cv"]
    return {**state, "n_splits": keywords["n_splits"]}


def _build_repeated(kind: Any, _metadata_request: Any = None, **arguments: Any) -> Any:
    made = kind(**arguments)
    if _metadata_request is not None:
        vars(made)["_metadata_request"] = _metadata_request
    return made


PARTS: Final[tuple[Part, ...]] = (
    *(_splitter(name, **_FOLDED) for name in ("KFold", "StratifiedKFold", "GroupKFold")),
    _splitter("StratifiedGroupKFold", **_FOLDED),
    _splitter(
        "TimeSeriesSplit",
        **_FOLDED,
        max_train_size=optional(COUNT),
        test_size=optional(POSITIVE),
        gap=COUNT,
    ),
    *(
        _splitter(name, **_DRAWN)
        for name in ("ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit")
    ),
    _splitter("PredefinedSplit", test_fold=ints(None), unique_folds=ints(None)),
    *(
        Part(
            _MODULE,
            name,
            {
                "n_splits": _SPLITS,
                "n_repeats": Int(1, 10_000),
                "random_state": RANDOM_STATE,
                **_REQUEST,
            },
            _repeated,
            _build_repeated,
        )
        for name in ("RepeatedKFold", "RepeatedStratifiedKFold")
    ),
    _splitter("LeaveOneOut"),
    _splitter("LeavePOut", p=POSITIVE),
    _splitter("LeaveOneGroupOut"),
    _splitter("LeavePGroupsOut", n_groups=POSITIVE),
    _splitter("_CVIterableWrapper", cv=FOLDS),
)
