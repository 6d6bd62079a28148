"""joblib's wrappers and zfiles as facts: what joblib writes, and nothing else."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy import joblib
from safemodel.legacy.content import View
from safemodel.legacy.dtype import from_value
from safemodel.legacy.pickle_facts import Build, Instance, Stop, Value
from safemodel.legacy.pickle_machine import trace
from tests.scan import pickles as p


def value(pickle: bytes) -> Value:
    """What a pickle makes."""
    *_, end = trace(View(p.whole(pickle)).reader())
    assert isinstance(end, Stop)
    return end.value


def dtype(text: str, *state: bytes) -> bytes:
    made = p.call(p.name("numpy", "dtype"), p.text(text), b"\x89", b"\x88")
    return made + p.values(*state) + p.BUILD if state else made


def state(
    order: str = "<",
    *,
    base: bytes = p.NONE,
    names: bytes = p.NONE,
    fields: bytes = p.NONE,
    size: int = -1,
    flags: int = 0,
) -> tuple[bytes, ...]:
    numbers = (p.number(size), p.number(1), p.number(flags))
    return (p.number(3), p.text(order), base, names, fields, *numbers)


FLOAT = dtype("f8", *state())
OBJECT = dtype("O8", *state("|", flags=63))


@pytest.mark.parametrize(
    ("pickle", "size", "has_object", "problem"),
    [
        (FLOAT, 8, False, False),
        (dtype("f8"), 8, False, False),
        (OBJECT, 8, True, False),
        (dtype("O8", *state("|", flags=0)), 8, True, True),
        (dtype("f8", *state(flags=1)), 8, False, True),
        (dtype("f8", *state("x")), 8, False, True),
        (dtype("S3", *state("|", size=3)), 3, False, False),
        (dtype("M8", *state(), p.values(p.NONE)), 8, False, False),
        (dtype("V16", *state("|", base=p.values(FLOAT, p.values(p.number(2))), size=16)), 16, 0, 0),
        (dtype("V16", *state("|", base=p.values(FLOAT, p.values(p.number(3))), size=16)), 16, 0, 1),
        (dtype("f8", p.number(3)), 8, False, True),
    ],
)
def test_types(pickle: bytes, size: int, has_object: bool, problem: bool) -> None:
    found = from_value(value(pickle))
    assert (found.size, found.has_object, bool(found.problem)) == (size, has_object, problem)


@pytest.mark.parametrize(
    ("fields", "flags", "has_object", "problem"),
    [
        ({"a": (FLOAT, 0), "b": (FLOAT, 8)}, 0, False, False),
        ({"a": (FLOAT, 0), "b": (OBJECT, 8)}, 27, True, False),
        ({"a": (FLOAT, 0), "b": (OBJECT, 8)}, 0, True, True),
        ({"a": (FLOAT, 9)}, 0, False, True),
        ({"a": (FLOAT, -1)}, 0, False, True),
    ],
)
def test_fields(
    fields: dict[str, tuple[bytes, int]], flags: int, has_object: bool, problem: bool
) -> None:
    items = [
        part
        for name, (kind, at) in fields.items()
        for part in (p.text(name), p.values(kind, p.number(at)))
    ]
    names = p.values(*map(p.text, fields))
    made = dtype("V16", *state("|", names=names, fields=p.pairs(*items), size=16, flags=flags))
    found = from_value(value(made))
    assert (found.size, found.has_object, bool(found.problem)) == (16, has_object, problem)


@pytest.mark.parametrize(
    "pickle",
    [
        p.NONE,
        p.text("f8"),
        p.call(p.name("mycompany", "dtype"), p.text("f8")),
        p.call(p.name("numpy", "dtype")),
        dtype("object"),
        dtype("f8,O"),
        dtype("f7"),
    ],
)
def test_what_is_no_type(pickle: bytes) -> None:
    with pytest.raises(DamagedError):
        from_value(value(pickle))


def test_types_in_types_do_not_recurse_without_end() -> None:
    made = FLOAT
    for _ in range(40):
        made = dtype("V8", *state("|", base=p.values(made, p.values(p.number(1))), size=8))
    with pytest.raises(DamagedError, match="deeply"):
        from_value(value(made))


# The wrapper itself is tested with its attributes in tests/scan/test_joblib.py


def test_which_wrapper() -> None:
    for module in ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle"):
        made = value(p.make(p.name(module, "NumpyArrayWrapper")))
        assert joblib.wrapper_kind(made) == "inline"
    old = p.call(
        p.name("copyreg", "_reconstructor"), p.name("x", "ZNDArrayWrapper"), p.NONE, p.NONE
    )
    assert joblib.wrapper_kind(value(old)) == "zfile"
    for other in (p.NONE, p.make(p.name("a", "B")), p.name("x", "NumpyArrayWrapper")):
        assert joblib.wrapper_kind(value(other)) is None


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("m.pkl_01.npy", True),
        ("/tmp/x", False),
        ("../x", False),
        ("a/b", False),
        ("a\\b", False),
        ("C:x", False),
        ("..", False),
        ("", False),
        ("a\0b", False),
    ],
)
def test_companions(name: str, beside: bool) -> None:
    pairs = p.pairs(p.text("filename"), p.text(name), p.text("subclass"), p.name("numpy", "matrix"))
    pickle = p.whole(p.make(p.name("joblib.numpy_pickle", "NDArrayWrapper")) + pairs + p.BUILD)
    builds = [fact for fact in trace(View(pickle).reader()) if isinstance(fact, Build)]
    target = builds[0].target
    assert isinstance(target, Instance)
    found = joblib.parse_wrapper(target, builds[0].state)
    assert isinstance(found, joblib.Companion)
    assert (found.filename, found.beside, found.zfile) == (name, beside, False)


def test_zfiles() -> None:
    data = zlib.compress(b"abc")
    assert joblib.parse_zfile(memoryview(b"ZF" + b"0x3".ljust(19) + data)) == (21, 3)
    assert joblib.parse_zfile(memoryview(b"ZF" + b"0x3".ljust(19) + b" " + data)) == (22, 3)
    assert joblib.parse_zfile(memoryview(b"ZF" + b" +3_1 ".ljust(19) + data)) == (21, 0x31)
    for text in (
        b"ZF",
        b"ZF" + b"0x3".ljust(19),
        b"ZG" + b"0x3".ljust(19) + data,
        b"ZF" + b"x" * 30,
    ):
        with pytest.raises(DamagedError):
            joblib.parse_zfile(memoryview(text))


@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    for sample in (data, b"ZF" + data):
        with contextlib.suppress(LegacyError):
            joblib.parse_zfile(memoryview(sample))


_WRAPPED = p.make(p.name("joblib.numpy_pickle", "NumpyArrayWrapper")) + p.pairs(
    p.text("subclass"),
    p.name("numpy", "ndarray"),
    p.text("shape"),
    p.values(p.number(2)),
    p.text("order"),
    p.text("C"),
    p.text("dtype"),
    FLOAT,
)


@given(st.lists(st.tuples(st.integers(0, len(_WRAPPED) - 1), st.integers(0, 255)), max_size=3))
def test_any_mutation_of_a_wrapper(changes: list[tuple[int, int]]) -> None:
    data = bytearray(p.whole(_WRAPPED + p.BUILD))
    for at, byte in changes:
        data[at] = byte
    for fact in trace(View(bytes(data)).reader()):
        if isinstance(fact, Build) and isinstance(fact.target, Instance):
            with contextlib.suppress(LegacyError):
                joblib.parse_wrapper(fact.target, fact.state)
