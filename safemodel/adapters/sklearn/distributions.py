"""Distributions of `scipy.stats` that a randomized search may draw parameters from.

A frozen distribution is stored as the name of its family with the plain numbers that it was frozen
with, and made again by calling the family: none of scipy's own state is stored. Numbers are finite,
and of a size with which every sampler in the table returns at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.parts import Part, Reduced, part_kinds
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.adapters.sklearn.spec import Int, Items, Real, Seq, Spec, either, one_of

# Class of the family, and the names of its instances in scipy.stats
CONTINUOUS: Final[Mapping[str, tuple[str, ...]]] = {
    "beta_gen": ("beta",),
    "cauchy_gen": ("cauchy",),
    "chi2_gen": ("chi2",),
    "expon_gen": ("expon",),
    "gamma_gen": ("gamma",),
    "halfnorm_gen": ("halfnorm",),
    "invgamma_gen": ("invgamma",),
    "laplace_gen": ("laplace",),
    "logistic_gen": ("logistic",),
    "lognorm_gen": ("lognorm",),
    "norm_gen": ("norm",),
    "pareto_gen": ("pareto",),
    "reciprocal_gen": ("loguniform", "reciprocal"),
    "t_gen": ("t",),
    "triang_gen": ("triang",),
    "truncnorm_gen": ("truncnorm",),
    "uniform_gen": ("uniform",),
    "weibull_min_gen": ("weibull_min",),
}
DISCRETE: Final[Mapping[str, tuple[str, ...]]] = {
    "bernoulli_gen": ("bernoulli",),
    "binom_gen": ("binom",),
    "geom_gen": ("geom",),
    "poisson_gen": ("poisson",),
    "randint_gen": ("randint",),
}
_FROZEN: Final = ("rv_continuous_frozen", "rv_discrete_frozen")
_SHAPES: Final = ("a", "b", "s", "c", "df", "n", "p", "mu", "low", "high", "loc", "scale")
_NUMBER: Final[Spec] = either(Int(-(10**15), 10**15), Real(-1e300, 1e300))


def _frozen(reduced: Reduced) -> Mapping[str, Any]:
    state = reduced.state
    keywords = tuple(sorted(state["kwds"].items()))  # pairs, which exist before the object does
    return {"dist": state["dist"], "args": state["args"], "kwds": keywords}


def _freeze(kind: Any, dist: Any, args: tuple[Any, ...], kwds: tuple[tuple[str, Any], ...]) -> Any:
    try:
        return kind(dist, *args, **dict(kwds))
    except TypeError as error:
        raise SpecError(f"can't be frozen: {error!s:.100}") from None


def _name(reduced: Reduced) -> Mapping[str, Any]:
    return {"name": reduced.state["name"]}


def _family(kind: Any, name: str) -> Any:
    """Return the one instance that scipy has of a family."""
    from safemodel.adapters.sklearn.library import imported

    return imported("scipy.stats", name)


def _families(module: str, table: Mapping[str, tuple[str, ...]]) -> tuple[Part, ...]:
    return tuple(
        Part(f"scipy.stats.{module}", family, {"name": one_of(*names)}, _name, _family)
        for family, names in table.items()
    )


DISTRIBUTION: Final[Spec] = part_kinds(*_FROZEN, *CONTINUOUS, *DISCRETE)
PARTS: Final[tuple[Part, ...]] = (
    *_families("_continuous_distns", CONTINUOUS),
    *_families("_discrete_distns", DISCRETE),
    *(
        Part(
            "scipy.stats._distn_infrastructure",
            name,
            {
                "dist": part_kinds(*families),
                "args": Seq(_NUMBER, kinds=(tuple,)),
                "kwds": Seq(Items((one_of(*_SHAPES), _NUMBER)), kinds=(tuple,)),
            },
            _frozen,
            _freeze,
        )
        for name, families in zip(_FROZEN, (CONTINUOUS, DISCRETE), strict=True)
    ),
)
