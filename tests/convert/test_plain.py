"""Plain data and NumPy's own objects, in every form of file: what `save` makes of them loaded."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import adapters
from safemodel.convert.converting import encoded
from safemodel.convert.readers import read
from safemodel.errors import SafemodelError
from safemodel.scan.budget import DEFAULT_LIMITS
from safemodel.trust.policy import UNSIGNED

from .support import (
    JOBLIBS,
    PICKLES,
    Form,
    assert_as_saved,
    content,
    convert_in_child,
    converted_forms,
    expected,
    written,
)

SHARED = np.arange(4.0)
CYCLE: list[Any] = [1]
CYCLE.append(CYCLE)
OBJECTS: dict[str, Any] = {
    "plain": {"a": [1, 2.5, None, True, "é\U0001f600"], (1, b"x"): {2, 3}, 2**100: -5},
    "containers": [
        collections.OrderedDict(a=1, b=[2]),
        collections.Counter("abca"),
        collections.defaultdict(list, {1: [2]}),
        collections.deque([1, 2], 3),
        frozenset([1, (2, 3)]),
        slice(1, None, 2),
        range(3, 9, 2),
        1j,
        bytearray(b"abc"),
        (),
        ...,
        np.float32,
    ],
    "long": ["y" * 100_000, "ü\\u00e9\n" * 30_000, b"x" * 100_000, bytearray(b"z" * 100_000)],
    "shared": [SHARED, {"again": SHARED}, CYCLE],
    "arrays": [
        np.arange(100_000.0),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.zeros((0, 3)),
        np.zeros((3, 0), order="F"),
        np.array(3.5),
        np.array([1, 2], ">i4"),
        np.array([True, False]),
        np.array(["ab", "ü"]),
        np.array([b"ab", b"c"]),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], "M8[25ns]"),
        np.array([3], "m8[D]"),
        np.zeros(3, "V5"),
        np.longdouble([1.5]),
    ],
    "structured": [
        np.array([(1, 2.5)], [("a", "i4"), ("b", "f8", (2,))]),
        np.zeros(2, np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"]}, align=True)),
        np.rec.array([(1, 2.0)]),
        np.dtype([("a", "<f8"), ("b", "i4")]),
    ],
    "objects": [np.array(["a", None, [1]], object), np.array([[1, "x"]], object, order="F")],
    "strings": np.array(["a", "bcd" * 9], np.dtypes.StringDType()),
    "masked": [np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1.0, 2], fill_value=7)],
    "matrix": np.matrix([[1, 2]]),
    "scalars": [np.float64(3), np.int8(-1), np.str_("q"), np.bool_(True), np.datetime64("2020")],
    "random": [
        np.random.RandomState(0),
        np.random.default_rng(1),
        np.random.Generator(np.random.Philox(3)),
        np.random.SeedSequence([1, 2], spawn_key=(3,)),
    ],
    "sparse": [
        getattr(sp, f"{layout}_{form}")(np.eye(3))
        for layout in ("csr", "csc", "coo", "dia")
        for form in ("matrix", "array")
    ],
}


FORMS = (*PICKLES, *JOBLIBS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted_forms(OBJECTS, FORMS, tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("name", OBJECTS)
def test_is_what_save_makes_of_the_loaded_object(name: str, folder: Path) -> None:
    assert_as_saved(name, FORMS, folder)


def test_arrays_of_numpy_files(tmp_path: Path) -> None:
    jobs, wanted = [], []
    arrays = [one for name in ("arrays", "structured", "objects") for one in OBJECTS[name]]
    titled = np.zeros(3, [(("title", "name"), "f4"), ("b", "S3")])
    for number, array in enumerate([*arrays, titled]):
        if not isinstance(array, np.ndarray):
            continue
        single, several = tmp_path / f"{number}.npy", tmp_path / f"{number}.npz"
        np.save(single, array)
        save = np.savez_compressed if number % 2 else np.savez
        save(several, first=array, second=np.arange(3))
        with np.load(several, allow_pickle=True) as loaded:
            wanted += [np.load(single, allow_pickle=True), {k: loaded[k] for k in loaded.files}]
        jobs += [(path, path.with_suffix(path.suffix + ".safemodel")) for path in (single, several)]
    assert convert_in_child(jobs, tmp_path) == [""] * len(jobs)
    for (source, target), real in zip(jobs, wanted, strict=True):
        assert written(target) == expected(real), source.name


def test_the_archive_loads(tmp_path: Path) -> None:
    source, target = tmp_path / "a.pkl", tmp_path / "a.safemodel"
    source.write_bytes(pickle.dumps(OBJECTS["shared"]))
    assert convert_in_child([(source, target)], tmp_path) == [""]
    first, other, cycle = adapters.load(str(target), trust=UNSIGNED)
    assert other["again"] is first
    assert cycle[1] is cycle
    assert first.flags.writeable


@pytest.mark.parametrize(
    "module", ["numpy.core.multiarray", "numpy._core.multiarray"], ids=["numpy1", "numpy2"]
)
def test_both_names_of_numpy(module: str, tmp_path: Path) -> None:
    data = pickle.dumps([np.arange(3), np.float64(2)], 2)
    source = tmp_path / "a.pkl"
    source.write_bytes(data.replace(b"numpy._core.multiarray", module.encode()))
    target = tmp_path / "a.safemodel"
    assert convert_in_child([(source, target)], tmp_path) == [""]
    assert written(target) == expected([np.arange(3), np.float64(2)])


MUTATED = {
    "plain": pickle.dumps(OBJECTS["plain"], 4),
    "containers": pickle.dumps(OBJECTS["containers"], 2),
    "structured": pickle.dumps(OBJECTS["structured"], 3),
    "random": pickle.dumps(OBJECTS["random"][1:], 5),
    "sparse": pickle.dumps(OBJECTS["sparse"], 0),
}


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(MUTATED)),
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 2)),
        min_size=1,
        max_size=4,
    ),
)
def test_a_changed_pickle_converts_or_is_refused(
    name: str, edits: list[tuple[int, int, int]]
) -> None:
    data = bytearray(MUTATED[name])
    for place, byte, how in edits:
        at = place % len(data)
        data[at : at + (1, 0, 2)[how]] = (bytes([byte]), bytes([byte]), b"")[how]
    try:
        saved = encoded(read(memoryview(data), ("pickle",), DEFAULT_LIMITS))[1]
    except SafemodelError:
        return
    assert content(saved)


@pytest.mark.parametrize("form", [PICKLES[2], JOBLIBS[0], JOBLIBS[2]], ids=lambda form: form.name)
def test_what_is_cut_or_goes_on_is_refused(form: Form, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    form.dump(OBJECTS["arrays"], whole)
    data = whole.read_bytes()
    jobs = []
    for number, changed in enumerate((data[:-1], data[: len(data) // 2], data + b"\1", data * 2)):
        path = tmp_path / str(number)
        path.write_bytes(changed)
        jobs.append((path, tmp_path / f"{number}.safemodel"))
    said = convert_in_child(jobs, tmp_path)
    assert all(said)
    assert not list(tmp_path.glob("*.safemodel"))


def test_arrays_of_joblib_are_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    joblib.dump([np.arange(1000.0)], path)
    data = bytearray(path.read_bytes())
    (found,) = read(memoryview(data), ("joblib",), DEFAULT_LIMITS).root
    assert np.shares_memory(found, np.frombuffer(data, np.uint8))
