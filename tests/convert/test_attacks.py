"""The attack corpus of the scanner, given to `convert`: every file refused, nothing left behind."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import safemodel as sm
from safemodel.errors import SafemodelError

from ..attacks.assemble import assemble
from ..attacks.containers import CONTAINERS, TAR_NAME
from ..attacks.formats import FORMATS
from ..attacks.gadgets import GADGETS
from ..attacks.test_attacks import _NEEDS, _TAR, CASES, Case

assert TAR_NAME is _TAR["tar name"]


def refused(path: Path, place: Path) -> None:
    """Convert refuses it, and changes nothing."""
    before = sorted(str(item) for item in place.rglob("*"))
    with pytest.raises(SafemodelError):
        sm.convert(path, place / "out.safemodel", signer=None)
    assert sorted(str(item) for item in place.rglob("*")) == before


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hostile_pickles_are_refused(case: Case, place: Path) -> None:
    container = {**CONTAINERS, **_TAR}[case.container]
    gadget = GADGETS[case.gadget]
    path = place / f"file{container.ending}"
    path.write_bytes(container.wrap(assemble(gadget(str(place / "m" / "x")), case.form)))
    refused(path, place)


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_files_of_other_formats_are_refused(name: str, place: Path) -> None:
    case = FORMATS[name]
    module = _NEEDS.get(case.loader, "")
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    made = place / "made"
    made.mkdir()
    refused(case.make(str(place / "m" / "x"), made), place)
