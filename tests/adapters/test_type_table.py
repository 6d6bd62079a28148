"""The audit of the type table: all of it is needed, none of it does anything but compute."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safemodel.adapters import sklearn as adapter
from safemodel.adapters.sklearn.library import imported
from safemodel.adapters.sklearn.tables import FUNCTIONS, PARTS, SCHEMAS
from safemodel.errors import MissingLibraryError

from .sklearn_all import CASES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def named() -> dict[str, set[str]]:
    """Every class, part and function that the architectures of all cases name."""
    found: dict[str, set[str]] = {"class": set(), "name": set()}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key in found:
                if isinstance(value.get(key), str):
                    found[key].add(value[key])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for make in CASES.values():
        walk(adapter.save(make().model).architecture)
    return found


def _installed(name: str) -> bool:
    """Whether the installed release has it: some entries are for others, or other packages."""
    try:
        return imported(*name.rsplit(".", 1)) is not None
    except MissingLibraryError:
        return False


@pytest.mark.xdist_group("type-table")
def test_every_class_was_needed_by_some_case(named: dict[str, set[str]]) -> None:
    assert set(filter(_installed, SCHEMAS)) - named["class"] == set()


@pytest.mark.xdist_group("type-table")
def test_every_part_was_needed_by_some_case(named: dict[str, set[str]]) -> None:
    # The trees of histogram boosting are stored together, for all iterations
    packed = {name for name in PARTS if name.endswith(".TreePredictor")}
    # Only releases before 1.9 make these, though the classes are still there
    old = re.compile(r".*\.(Kulsinski|Matching|SokalMichener)Distance(32|64)")
    unneeded = set(filter(_installed, PARTS)) - named["class"] - packed
    assert {name for name in unneeded if not old.fullmatch(name)} == set()


@pytest.mark.xdist_group("type-table")
def test_every_function_was_needed_by_some_case(named: dict[str, set[str]]) -> None:
    assert set(FUNCTIONS) - named["name"] == set()


CHILD = """
import copy, importlib, json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
rng = np.random.RandomState(0)
square = rng.uniform(0.1, 0.9, size=(8, 8))
labels = np.arange(8) % 2
tries = [(square,), (square, square), (square, labels), (labels, labels), (labels, square[:, 0]),
         (square[:, 0], square[:, 1]), (square[0, 0],), (labels, square[:, :2]),
         (square > 0.5, square), (square, np.ones(8), square[:2])]
more = {"fbeta_score": {"beta": 0.5}}
seen, armed = [], False
WATCHED = ("open", "os.", "subprocess", "socket", "shutil", "ctypes", "exec", "import", "pickle")
def hook(event, arguments):
    if armed and event.startswith(WATCHED):
        seen.append(f"{event} {arguments!r:.80}")
functions = [(name, getattr(importlib.import_module(m), f)) for name, m, f in json.load(sys.stdin)]
def call(function):
    worked = 0
    for arguments in copy.deepcopy(tries):  # some write into the second
        try:
            function(*arguments, **more.get(getattr(function, "__name__", ""), {}))
        except Exception:
            continue
        worked += 1
    return worked
for _, function in functions:  # imports what is imported late
    call(function)
sys.addaudithook(hook)
uncalled = []
for name, function in functions:
    armed = True
    worked = call(function)
    armed = False
    if not worked:
        uncalled.append(name)
print(json.dumps({"seen": seen, "uncalled": uncalled, "number": len(functions)}))
"""


def test_functions_touch_nothing_outside() -> None:
    known = [(name, one.module, one.name) for name, one in FUNCTIONS.items()]
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(known),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["number"] == len(FUNCTIONS)
    assert found["seen"] == []
    assert found["uncalled"] == []


@pytest.mark.parametrize("word", ["save", "dump", "load", "open", "file", "fetch", "exec", "eval"])
def test_no_name_of_a_function_speaks_of_files_or_code(word: str) -> None:
    assert [name for name in FUNCTIONS if word in name.rpartition(".")[2].split("_")] == []


def test_the_page_of_types_is_that_of_the_table() -> None:
    where = ROOT / "spec" / "render_types.py"
    spec = importlib.util.spec_from_file_location("render_types", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "spec" / "sklearn-types.md").read_text(encoding="utf-8")
    assert written == module.render(), "run `python spec/render_types.py`"
