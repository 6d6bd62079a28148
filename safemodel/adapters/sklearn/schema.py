"""The state schema of one class: which attributes its instances have, and what they may hold.

One schema audits the state at save, and again the state that is about to become an object at load.
It lists every attribute: parameters of the constructor, and what `fit` adds; any other is refused,
so nothing can shadow a method. Knows no scikit-learn: classes are named by strings of ours, and
`library.py` turns them into classes. Implements "State schemas" of docs/sklearn.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import part_kinds
from safemodel.adapters.sklearn.scope import ITEM, Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Bool,
    Const,
    Distinct,
    Either,
    Estimator,
    Exactly,
    Int,
    Items,
    Map,
    Objects,
    Real,
    Seq,
    Spec,
    Text,
    one_of,
    optional,
)

Rule = Callable[[Mapping[str, Any], Scope], None]
Attributes = Mapping[str, Spec]

MAX_FEATURES: Final = 2**31 - 1
MAX_JOBS: Final = 256
MAX_VERBOSE: Final = 1000

BOOL: Final = Bool()
REAL: Final = Real()
NON_NEGATIVE: Final = Real(0)
COUNT: Final = Int(0, MAX_FEATURES)
POSITIVE: Final = Int(1, MAX_FEATURES)
NAME: Final = Text(4096)
N_JOBS: Final = optional(Int(-MAX_JOBS, MAX_JOBS))
VERBOSE: Final = Either((Bool(), Int(0, MAX_VERBOSE)))


def _random_states() -> tuple[type, ...]:
    from numpy.random import RandomState

    return (RandomState,)


RANDOM_STATE: Final = optional(
    Int(0, 2**32 - 1), Exactly(_random_states, "a numpy.random.RandomState")
)
LABEL: Final = Either((Bool(), Int(), Real(), Text()))
CLASS_WEIGHT: Final = optional(one_of("balanced"), Map(LABEL, REAL))
# Classes of sklearn.model_selection that split samples; `splitters.py` has their attributes
SPLITTERS: Final = (
    *("KFold", "StratifiedKFold", "GroupKFold", "StratifiedGroupKFold", "TimeSeriesSplit"),
    *("ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit", "PredefinedSplit"),
    *("RepeatedKFold", "RepeatedStratifiedKFold", "LeaveOneOut", "LeavePOut"),
    *("LeaveOneGroupOut", "LeavePGroupsOut", "_CVIterableWrapper"),
)
_SAMPLES: Final = Either((Array("iub", (None,)), Seq(Int(0))))
FOLDS: Final = Seq(Items((_SAMPLES, _SAMPLES), (tuple, list)))  # pairs of training and test samples
CV: Final = optional(Int(2, 10_000), part_kinds(*SPLITTERS), FOLDS)
ROUTING: Final[Attributes] = {"_metadata_request": part_kinds("MetadataRequest")}


@dataclass(frozen=True)
class Labels:
    """An array of class labels: numbers, strings, truth values, or objects that are such."""

    dim: str | int | None = None

    def check(self, value: Any, scope: Scope) -> None:
        Array("biufUSO", (self.dim,)).check(value, scope)
        if value.dtype.kind == "O":
            Objects(LABEL, (None,)).check(value, scope)

    def __str__(self) -> str:
        return "an array of labels with one dimension"


# LightGBM's estimators, and searches over them, have an array of strings
FEATURE_NAMES: Final = Distinct(Either((Objects(Text(), ("features",)), Array("U", ("features",)))))
FITTED: Final[Attributes] = {
    "n_features_in_": Int(0, MAX_FEATURES, "features"),
    "feature_names_in_?": FEATURE_NAMES,
}
OUTPUT: Final[Attributes] = {
    "_sklearn_output_config?": Map(one_of("transform"), one_of("default", "pandas", "polars"))
}


@dataclass(frozen=True)
class Schema:
    """What instances of one class hold.

    `params` are the constructor's, of all releases that we know: those that the installed class
    has are required. `fitted` comes all together or not at all, but for names that end in `?`.
    `caches` are left out at save and `resets` saved as None: the class makes them again. `rules`
    check relations. The arrays of `private` attributes get memory of their own at load: nothing
    else may change them later. `rebuild` makes again, from attributes that were checked, what the
    class itself leaves out of pickles: it gets the object when every check of the load has passed.
    """

    module: str
    name: str
    params: Attributes
    fitted: Attributes
    rules: tuple[Rule, ...] = ()
    caches: frozenset[str] = frozenset()
    resets: frozenset[str] = frozenset()
    private: tuple[str, ...] = ()
    rebuild: Callable[[Any], None] | None = None

    @property
    def qualified(self) -> str:
        """The name in architectures and messages."""
        return f"{self.module}.{self.name}"

    @property
    def names(self) -> frozenset[str]:
        """All attributes that are known."""
        return frozenset({*ROUTING, *self.params, *(name.rstrip("?") for name in self.fitted)})

    def check(
        self,
        state: Mapping[str, Any],
        scope: Scope,
        required: Iterable[str],
        given: frozenset[str] = frozenset(),
    ) -> None:
        """Check a whole state; `required` are the parameters of the installed class.

        `given` are fitted attributes that the installed class computes: they need not be there.

        Raises:
            SpecError: names the first attribute that is missing, unknown or not permitted.
        """
        fitted = {name.rstrip("?"): spec for name, spec in self.fitted.items()}
        specs = {**ROUTING, **self.params, **fitted}
        for name in state:
            if name not in specs:
                raise SpecError("is no attribute that this class is known to have", f".{name}")
        needed = {name for name in required if name in self.params}
        learned = {name for name in self.fitted if not name.endswith("?")} - given
        if any(name in state for name in learned):
            needed |= learned
        missing = sorted(needed - state.keys())
        if missing:
            raise SpecError("is missing", f".{missing[0]}")
        for name, spec in specs.items():
            if name in state:
                try:
                    spec.check(state[name], scope)
                except SpecError as error:
                    raise error.below(f".{name}") from None
        scope.check_unheld()
        if self.rules:
            scope.audit.look(sum(map(_extent, state.values())))
        for rule in self.rules:
            rule(state, scope)


def _extent(value: Any) -> int:
    """How much a rule has to look at: the items of a value, and of those in it."""
    if isinstance(value, np.ndarray):
        return value.size
    if type(value) is dict:
        value = value.values()
    elif type(value) not in (list, tuple):
        return 1
    return ITEM * len(value) + sum(map(_size, value))


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.size
    return ITEM * len(value) if type(value) in (list, tuple, dict) else 1


def each(names: str, spec: Spec) -> dict[str, Spec]:
    """Return the same spec for several attributes, given as space-separated names."""
    return dict.fromkeys(names.split(), spec)


def table(module: str, known: Attributes) -> Callable[..., Schema]:
    """Return a maker of schemas for one module, with the usual spec of each attribute name.

    `make(name, params, fitted, *rules, **other)` takes space-separated attribute names; `other`
    gives specs that differ from the usual ones. FITTED and OUTPUT are part of a schema unless
    `common` says otherwise.
    """

    def make(
        name: str,
        params: str,
        fitted: str = "",
        *rules: Rule,
        caches: Iterable[str] = (),
        resets: Iterable[str] = (),
        private: tuple[str, ...] = (),
        rebuild: Callable[[Any], None] | None = None,
        within: str = module,
        common: Attributes | None = None,
        **other: Spec,
    ) -> Schema:
        def pick(names: str) -> dict[str, Spec]:
            picked = {}
            for attribute in names.split():
                plain = attribute.rstrip("?")
                picked[attribute] = other[plain] if plain in other else known[plain]
            return picked

        usual = {**FITTED, **OUTPUT} if common is None else common
        return Schema(
            within,
            name,
            pick(params),
            {**usual, **pick(fitted)},
            rules,
            frozenset(caches),
            frozenset(resets),
            private,
            rebuild,
        )

    return make


__all__ = [
    "BOOL",
    "CLASS_WEIGHT",
    "COUNT",
    "CV",
    "FITTED",
    "LABEL",
    "NAME",
    "NON_NEGATIVE",
    "N_JOBS",
    "OUTPUT",
    "POSITIVE",
    "RANDOM_STATE",
    "REAL",
    "VERBOSE",
    "Const",
    "Estimator",
    "Labels",
    "Schema",
    "each",
    "Seq",
    "table",
]
