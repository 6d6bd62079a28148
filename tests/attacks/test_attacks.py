"""Every hostile file is proved hostile by the loader that it is made for, and then found.

The oracle loads it for real, in a confined child, and the payload leaves a marker. The scanner gets
the same bytes under a name without an ending, and must report them at high or above.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest

import safemodel
from safemodel.report.model import Severity
from tests.attacks.asking import Oracle, oracle_of
from tests.attacks.assemble import FORMS, Name, assemble
from tests.attacks.containers import CONTAINERS, TAR_NAME, Container
from tests.attacks.formats import FORMATS
from tests.attacks.gadgets import GADGETS, Gadget

ROOT = Path(__file__).parents[2]
_NEEDS = {
    "torch": "torch",
    "torch-jit": "torch",
    "torch-package": "torch",
    "numpy": "numpy",
    "numpy-appended": "numpy",
    "pandas": "pandas",
    "joblib": "joblib",
    "joblib-mmap": "joblib",
    "dill": "dill",
    "cloudpickle": "cloudpickle",
    "keras": "keras",
    "keras-unsafe": "keras",
    "saved-model": "tensorflow",
    "graph-def": "tensorflow",
    "jinja": "jinja2",
    "gguf": "gguf",
}


@dataclass(frozen=True)
class Case:
    """A pickle: what it calls, how it is written, what it is in."""

    gadget: str
    form: str
    container: str

    def __str__(self) -> str:
        return f"{self.gadget}, {self.form}, {self.container}"


_CROSSED = ("process: os.system", "code: __import__", "code: python2 eval")
_CARRIED = ("files: os.mkdir", "code: pkgutil.resolve_name", "no REDUCE: setstate in the instance")
CASES = tuple(
    dict.fromkeys(
        [Case(gadget, "protocol4", "bare") for gadget in GADGETS]
        + [Case(gadget, form, "bare") for gadget in _CROSSED for form in FORMS]
        + [Case(gadget, "protocol4", name) for gadget in _CARRIED for name in CONTAINERS]
        + [Case("files: os.mkdir", form, "torch zip") for form in ("protocol0", "inst", "memoised")]
        + [Case("files: os.mkdir", "protocol0", "tar name")]
    )
)
_TAR = {"tar name": TAR_NAME}


def _skip_without(module: str) -> None:
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def test_there_are_enough() -> None:
    assert len(CASES) + len(FORMATS) >= 500


def test_the_oracle_tells_harmless_files(oracles: dict[str, Oracle], place: Path) -> None:
    harmless = {
        "name": "model",
        "layers": [1, 2.5, None],
        "order": Name("collections", "OrderedDict")(),
    }
    (place / "file").write_bytes(assemble(harmless))
    assert not oracle_of(oracles, "").executes("pickle", place / "file", place / "m")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_hostile_pickle_runs_and_is_found(
    case: Case, oracles: dict[str, Oracle], place: Path
) -> None:
    container: Container = {**CONTAINERS, **_TAR}[case.container]
    _skip_without(_NEEDS.get(container.loader, ""))
    gadget: Gadget = GADGETS[case.gadget]
    data = container.wrap(assemble(gadget(str(place / "m" / "x")), case.form))
    path = place / f"file{container.ending}"
    path.write_bytes(data)
    assert oracle_of(oracles, "").executes(container.loader, path, place / "m"), "not hostile"
    assert_found(path, place)


@pytest.mark.parametrize("name", FORMATS)
def test_a_hostile_file_of_another_format_runs_and_is_found(
    name: str, oracles: dict[str, Oracle], place: Path
) -> None:
    case = FORMATS[name]
    _skip_without(_NEEDS.get(case.loader, ""))
    made = place / "made"
    made.mkdir()
    path = case.make(str(place / "m" / "x"), made)
    assert not list((place / "m").iterdir()), "the maker ran the payload"
    assert oracle_of(oracles, case.needs).executes(case.loader, path, place / "m"), "not hostile"
    assert_found(path, place)


def assert_found(path: Path, place: Path) -> None:
    """The scanner reports it at high or above, whatever it is called, and exits with 1."""
    nameless = place / "nameless"
    path.rename(nameless)
    before = {item.name for item in (place / "m").iterdir()}
    report = safemodel.scan(nameless)
    worst = max((f.severity for f in report.findings if not f.unread), default=None)
    shown = "\n".join(f"{f.rule} {f.severity.label} {f.message}" for f in report.findings)
    assert worst is not None, f"nothing found\n{shown}"
    assert worst >= Severity.HIGH, shown
    assert report.exit_code() == 1
    assert {item.name for item in (place / "m").iterdir()} == before, "the scanner ran it"
