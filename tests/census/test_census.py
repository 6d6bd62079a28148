"""The census still holds: taken again it has no new names, and the tables know what it found."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from safemodel.scan.names import Tables

from .census import take

CENSUS = Path(__file__).parent / "census.json"
GROUPS = {
    "stdlib": (),
    "numerics": ("numpy", "scipy"),
    "frames": ("numpy", "pandas", "polars"),
    "boosting": ("numpy", "xgboost", "lightgbm", "catboost", "sklearn"),
    "learning": ("numpy", "scipy", "sklearn", "joblib", "pandas", "imblearn"),
    "learning_more": ("numpy", "scipy", "sklearn", "joblib", "pandas"),
    "networks": ("numpy", "torch", "keras", "tensorflow"),
}
SLOW = ("learning", "learning_more", "networks")
DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "xgboost": "xgboost-cpu",
}
DISTRIBUTIONS["tensorflow"] = "tensorflow-cpu"
# In no table on purpose: plans that can carry pickled functions, and what runs functions of its
# state when it is iterated over.
NOT_LISTED = {
    "polars.expr.expr Expr",
    "polars.lazyframe.frame LazyFrame",
    "torch.utils.data.dataloader DataLoader",
}


@cache
def census() -> dict[str, Any]:
    return json.loads(CENSUS.read_text())  # type: ignore[no-any-return]


def installed(module: str) -> str | None:
    """The version of a library, or None; without importing it."""
    try:
        version = importlib.metadata.version(DISTRIBUTIONS.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        return None
    return version.partition("+")[0]


def recorded(module: str) -> set[str]:
    """The versions that the census was taken of."""
    found = {e["libraries"].get(module) for e in census()["environments"].values()}
    return {version.partition("+")[0] for version in found if version}


@pytest.mark.parametrize(
    "group", [pytest.param(g, marks=[pytest.mark.slow] if g in SLOW else []) for g in GROUPS]
)
def test_taken_again_there_are_no_new_names(group: str) -> None:
    for module in GROUPS[group]:
        if installed(module) not in recorded(module):
            pytest.skip(f"the census was not taken of {module} {installed(module)}")
    taken = take(sys.executable, [group])
    own = {n["module"] for n in taken["names"] if n["module"].partition(".")[0] == "libraries"}
    new = {f"{n['module']} {n['name']}" for n in taken["names"] if n["module"] not in own}
    new -= set(census()["names"])
    assert len(taken["names"]) > 10
    assert not new, f"names that census.json does not have (take it again, and review): {new}"


def test_tables_know_every_name_of_the_packages_that_they_are_about() -> None:
    tables = Tables()
    unknown = []
    for key in census()["names"]:
        module, name = key.split(" ", 1)
        listed = tables.lookup(module, name) or tables.danger(module, name)
        if listed is None and tables.covers(module) and key not in NOT_LISTED:
            unknown.append(key)
    assert not unknown


def test_tables_are_about_every_package_of_the_issue() -> None:
    tables = Tables()
    for package in (
        *("sklearn", "pandas", "scipy", "numpy", "joblib", "xgboost", "lightgbm", "catboost"),
        *("torch", "keras", "collections", "builtins"),
    ):
        assert tables.covers(package), package


def test_nothing_of_the_census_is_made_by_evaluating_it() -> None:
    """What models look up and the tables call dangerous is explained here, name by name."""
    tables = Tables()
    dangerous = set()
    for key in census()["names"]:
        module, name = key.split(" ", 1)
        if tables.lookup(module, name) is None and tables.danger(module, name) is not None:
            dangerous.add(key)
    packages = {key.partition(".")[0].partition(" ")[0] for key in dangerous}
    assert packages <= {
        *("dill", "numba", "operator", "torch", "cloudpickle", "types"),
        *("polars", "skorch"),  # their `__setstate__` unpickles bytes of the state
    }
