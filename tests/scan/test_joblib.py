"""joblib's files: real ones are quiet, and an array can neither hide nor smuggle opcodes."""

from __future__ import annotations

import collections
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safemodel.report.model import Severity, Status
from tests.scan import pickles as p
from tests.scan.scanning import check_quiet, rules, scan, worst

HIGH, CRITICAL = Severity.HIGH, Severity.CRITICAL
EVIL = p.call(p.name("posix", "system"), p.text("id"))
NDARRAY = p.name("numpy", "ndarray")
WRAPPER = p.name("joblib.numpy_pickle", "NumpyArrayWrapper")
FALSE = b"\x89"
TRUE = b"\x88"


def dtype(text: str = "f8", order: str = "<", flags: int = 0, size: int = -1) -> bytes:
    state = p.values(
        p.number(3),
        p.text(order),
        p.NONE,
        p.NONE,
        p.NONE,
        p.number(size),
        p.number(size),
        p.number(flags),
    )
    return p.call(p.name("numpy", "dtype"), p.text(text), FALSE, TRUE) + state + p.BUILD


def wrapper(**changed: bytes | None) -> bytes:
    """A NumpyArrayWrapper of two doubles; None leaves an attribute out."""
    state: dict[str, bytes | None] = {
        "subclass": NDARRAY,
        "shape": p.values(p.number(2)),
        "order": p.text("C"),
        "dtype": dtype(),
        "allow_mmap": FALSE,
        "numpy_array_alignment_bytes": p.number(16),
    } | changed
    items = [part for key, value in state.items() if value for part in (p.text(key), value)]
    return p.make(WRAPPER) + p.pairs(*items) + p.BUILD


def array(items: bytes = bytes(16), padding: int = 3, **changed: bytes | None) -> bytes:
    """The wrapper with padding and items behind it."""
    return wrapper(**changed) + bytes([padding]) + b"\xff" * padding + items


def test_an_array_is_gone_over() -> None:
    report = check_quiet(p.whole(p.listed(array(), array(bytes(range(16))))), "joblib")
    assert set(report.formats) == {"joblib", "pickle"}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        pytest.param(p.whole(p.listed(array(), EVIL)), "SM101", id="behind"),
        pytest.param(p.whole(p.listed(EVIL, array())), "SM101", id="before"),
        pytest.param(p.whole(array()) + p.whole(EVIL), "SM101", id="second pickle"),
        pytest.param(
            p.whole(wrapper(dtype=dtype("O8", "|", 63), allow_mmap=FALSE) + p.whole(EVIL)),
            "SM101",
            id="in an array of objects",
        ),
        pytest.param(p.whole(array(read=p.name("posix", "system"))), "SM150", id="method"),
        pytest.param(p.whole(array(subclass=p.name("a", "B"))), "SM150", id="subclass"),
        pytest.param(p.whole(array(dtype=p.text("f8"))), "SM150", id="dtype is no dtype"),
        pytest.param(p.whole(array(dtype=dtype("i4,O"))), "SM150", id="dtype of a comma string"),
        pytest.param(p.whole(array(shape=p.values(p.text("2")))), "SM150", id="shape of text"),
        pytest.param(p.whole(array(shape=p.values(p.number(-1)))), "SM150", id="negative shape"),
        pytest.param(p.whole(array(shape=p.listed(p.number(2)))), "SM150", id="shape is a list"),
        pytest.param(p.whole(array(order=p.text("K"))), "SM150", id="order"),
        pytest.param(p.whole(array(order=None)), "SM150", id="no order"),
        pytest.param(p.whole(array(allow_mmap=p.text("x"))), "SM150", id="allow_mmap"),
        pytest.param(
            p.whole(array(numpy_array_alignment_bytes=p.text("x"))), "SM150", id="alignment"
        ),
        pytest.param(
            p.whole(wrapper(dtype=dtype("O8", "|", 63), allow_mmap=TRUE)), "SM150", id="mapped"
        ),
        pytest.param(p.whole(array(dtype=dtype("O8", "|", 0))), "SM152", id="hidden objects"),
        pytest.param(p.whole(array(dtype=dtype("f8", "<", 1))), "SM152", id="false objects"),
        pytest.param(
            p.whole(p.make(WRAPPER, p.number(1)) + p.pairs() + p.BUILD), "SM150", id="arguments"
        ),
        pytest.param(
            p.whole(p.call(WRAPPER, p.number(1)) + p.pairs() + p.BUILD), "SM150", id="called"
        ),
        pytest.param(
            p.whole(p.make(WRAPPER) + p.text("state") + p.BUILD), "SM150", id="state of text"
        ),
        pytest.param(
            p.whole(
                p.make(p.name("joblib.numpy_pickle_compat", "NDArrayWrapper"))
                + p.pairs(p.text("filename"), p.text("/tmp/x.npy"), p.text("subclass"), NDARRAY)
                + p.BUILD
            ),
            "SM151",
            id="file elsewhere",
        ),
    ],
)
def test_forged_ones_are_found(data: bytes, rule: str) -> None:
    found = rules(scan(data))
    assert rule in found
    assert max(found.values()) >= HIGH


def test_opcodes_in_the_items_are_those_of_pickle_load() -> None:
    """joblib reads sixteen bytes of numbers; `pickle.load` reads opcodes and runs them."""
    body = b"0" + p.call(p.old_name("os", "system"), p.text("id")) + p.STOP
    items = body.ljust(80, b"\0")
    alone = wrapper(shape=p.values(p.number(10)), numpy_array_alignment_bytes=None)
    found = rules(scan(p.whole(alone + items)))
    assert found["SM101"] is CRITICAL


def test_items_that_end_too_early_are_unread() -> None:
    report = scan(p.whole(array(bytes(15))))
    assert report.status is Status.UNREAD
    huge = array(shape=p.values(p.number(2**31 - 1), p.number(2**31 - 1)))
    assert scan(p.whole(huge)).status is Status.UNREAD


def test_a_file_beside_is_unread_not_harmless() -> None:
    data = p.whole(
        p.make(p.name("joblib.numpy_pickle", "NDArrayWrapper"))
        + p.pairs(p.text("filename"), p.text("m.pkl_01.npy"), p.text("subclass"), NDARRAY)
        + p.BUILD
    )
    report = scan(data)
    assert report.status is Status.UNREAD
    assert "m.pkl_01.npy" in report.findings[0].message


def test_a_second_state_is_found() -> None:
    twice = array() + p.put(1) + p.POP + p.get(1) + p.pairs() + p.BUILD
    assert worst(p.whole(twice)) is not None
    assert worst(p.whole(twice)) >= HIGH


def test_frames_that_go_on_behind_a_wrapper_are_found() -> None:
    """Python's unpickler has read the frame already: the items come from behind it."""
    frame = wrapper() + p.POP + EVIL + p.STOP
    data = p.PROTO + b"\x95" + len(frame).to_bytes(8, "little") + frame + b"\0" + bytes(16)
    assert worst(data) is CRITICAL


_SEED = p.whole(p.listed(array(), wrapper(dtype=dtype("O8", "|", 63)) + p.whole(p.NONE)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_SEED) - 1), st.integers(0, 255)), max_size=4))
def test_any_mutation_has_a_report(changes: list[tuple[int, int]]) -> None:
    data = bytearray(_SEED)
    for at, byte in changes:
        data[at] = byte
    scan(bytes(data))


def _dump(value: Any, **options: Any) -> bytes:
    joblib = pytest.importorskip("joblib")
    stream = io.BytesIO()
    joblib.dump(value, stream, **options)
    return stream.getvalue()


def _values() -> Any:
    numpy = pytest.importorskip("numpy")
    return {
        "c": numpy.arange(12.0).reshape(3, 4),
        "f": numpy.asfortranarray(numpy.arange(12.0).reshape(3, 4)),
        "objects": numpy.array([1, "x", None, {"a": numpy.ones(3)}], dtype=object),
        "fields": numpy.zeros(3, [("a", "i4"), ("b", "f8", (2,)), ("c", "U3")]),
        "object fields": numpy.zeros(3, [("a", "i4"), ("b", "O")]),
        "times": numpy.array(["2020-01-01"], "M8[ns]"),
        "empty": numpy.zeros((0, 4)),
        "scalar": numpy.array(5),
        "matrix": numpy.asmatrix(numpy.ones((1, 2))),
        "text": numpy.array(["abc", "d"]),
        "swapped": numpy.arange(3, dtype=">i4"),
        "wide": numpy.zeros(2, [(f"f{i}", "f4") for i in range(40)]),
        "nested": {"k": "v", "model": numpy.array(["a", "b", "a"], dtype=object)},
        "deep": {"models": [numpy.array([numpy.array([1, "x"], dtype=object)] * 2, dtype=object)]},
        "named": [[numpy.array(["yes", "no"], dtype=object)], collections.Counter("aab")],
        "bytes": [numpy.zeros(3, "S5"), numpy.zeros(3, bool), numpy.zeros(1, "V3")],
    }


def test_a_wide_type_hides_nothing() -> None:
    numpy = pytest.importorskip("numpy")
    names = [f"f{i}" for i in range(40)]
    data = _dump(numpy.zeros(2, [(name, "f4") for name in names[:-1]] + [(names[-1], "i4")]))
    assert data.count(b"i4") == 1
    hidden = data.replace(b"i4", b"O4")
    assert rules(scan(hidden))["SM150"] is HIGH  # may be mapped
    assert (
        rules(scan(hidden.replace(b"allow_mmap\x94\x88", b"allow_mmap\x94\x89")))["SM152"] is HIGH
    )


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_real_arrays_are_quiet() -> None:
    for key, value in _values().items():
        for protocol in (0, 1, 2, 3, 4, 5):
            assert check_quiet(_dump([value, key], protocol=protocol), "joblib")


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "lzma", "xz", "lz4"])
def test_compressed_ones_are_quiet(method: str) -> None:
    if method == "lz4":
        pytest.importorskip("lz4")
    check_quiet(_dump(_values(), compress=(method, 3)), "joblib")


def test_a_forest_is_quiet_and_its_end_is_read() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    numpy = pytest.importorskip("numpy")
    forest = ensemble.RandomForestClassifier(3).fit(numpy.eye(6), [0, 1] * 3)
    data = _dump(forest)
    check_quiet(data, "joblib")
    assert scan(data[:-1]).status is Status.UNREAD
    assert worst(data[:-1] + b"0" + EVIL + p.STOP) is CRITICAL


@pytest.mark.parametrize("shape", ["plain", "dict", "list", "deep", "tuple", "pipeline"])
def test_models_with_arrays_of_objects_are_quiet(shape: str) -> None:
    """Their nested pickles share the memo with what is around them, if `pickle.load` reads them."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    pipeline = pytest.importorskip("sklearn.pipeline")
    numpy = pytest.importorskip("numpy")
    labels = numpy.array(["yes", "no"] * 3, dtype=object)
    model = ensemble.GradientBoostingClassifier(n_estimators=2).fit(numpy.eye(6), labels)
    value: Any = {
        "plain": model,
        "dict": {"model": model},
        "list": [model],
        "deep": {"x": {"models": [model]}},
        "tuple": (("a", model), "b"),
        "pipeline": pipeline.make_pipeline(model),
    }[shape]
    for protocol in (0, 2, 4, 5):
        check_quiet(_dump(value, protocol=protocol), "joblib")


def test_files_of_old_versions() -> None:
    """joblib's own samples, made by joblib 0.8 to 0.11 on Python 2 and 3."""
    data = Path(pytest.importorskip("joblib").__file__).parent / "test/data"
    samples = sorted(data.glob("joblib_*"))
    if not samples:
        pytest.skip("joblib is installed without its tests")
    for sample in samples:
        report = scan(sample.read_bytes())
        split = "_0.9" in sample.name and "compressed_pickle" not in sample.name
        if split and "npy" not in sample.name.partition("pkl")[2]:
            assert {finding.rule for finding in report.findings} <= {"SM903"}, sample.name
        else:
            assert report.status is Status.SCANNED, (sample.name, report.findings)
            assert not report.findings, (sample.name, report.findings)


def test_what_plain_pickle_would_run_behind_an_array_of_objects() -> None:
    """What is `collections.OrderedDict` by the memo of the array is `posix.system` by the outer."""
    memoized = b"\x940"
    inner = p.text("collections") + memoized + p.text("OrderedDict") + memoized
    inner = p.PROTO + inner + p.get(0) + p.get(1) + b"\x93" + p.STOP
    objects = wrapper(dtype=dtype("O8", "|", 63)) + inner + p.STOP
    assert not scan(p.PROTO + objects).findings
    names = p.text("posix") + p.put(0) + p.POP + p.text("system") + p.put(1) + p.POP
    assert worst(p.PROTO + names + objects) is HIGH


@pytest.mark.parametrize(
    "numbers",
    [
        b"\x82\x01",
        b"\x83\x01\x01",
        b"\x84\x01\x00\x00\x00",
        b"}b",
        b"K\x01b",
        b"a",
        b"s",
        b"e",
        b"\x8c\x01a\x93",
        b")R",
        b"\x95" + bytes(6) + b"\x01\x00",
        b"P1\n",
    ],
)
def test_numbers_that_look_like_opcodes(numbers: bytes) -> None:
    """As old files have them, which have no padding before an array."""
    numbers = numbers.ljust(16, b"\0")
    made = wrapper(numpy_array_alignment_bytes=None)
    check_quiet(p.whole(p.values(p.pairs(p.text("coef_"), made + numbers))), "joblib")


def test_codes_of_extensions_in_an_array() -> None:
    """Who adds a code is found, whatever uses it."""
    add = p.call(p.name("copyreg", "add_extension"), p.text("os"), p.text("system"), p.number(1))
    made = wrapper(numpy_array_alignment_bytes=None) + b"\x82\x01".ljust(16, b".")
    assert worst(p.whole(p.listed(add, made))) >= HIGH


def test_what_is_left_out_does_not_count() -> None:
    """The limit on findings is for those that are reported."""
    calls = b"".join(b"cacme%d\nmake\n)R0" % index for index in range(1100))
    items = b"cacme\ndtype\n0" + calls
    number = p.values(p.number(len(items)))
    made = wrapper(shape=number, dtype=dtype("u1", "|"), numpy_array_alignment_bytes=None)
    data = p.whole(p.listed(made + items))
    assert (worst(data) or Severity.INFO) < HIGH
    assert worst(data + p.whole(EVIL)) is CRITICAL
