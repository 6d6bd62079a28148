"""The pickle machine against the real unpicklers of CPython, which are given inert stand-ins.

Both must look up, call, build and change the same things in the same order, over pickles that
libraries write and over random programs. Where the real one raises, the machine may only have
gone on for a reason that `pickle_events.PERMITTED` names.
"""

from __future__ import annotations

import io
import pickle
import random
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator

import pytest

from safemodel.legacy.content import Stream, View
from safemodel.legacy.pickle_input import DIALECTS
from safemodel.legacy.pickle_machine import trace

from .pickle_events import difference, differences, real_answers
from .pickle_programs import OPCODES, program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the child is confined by rlimits")

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
OTHERS = [f"python3.{minor}" for minor in range(8, 20)]


def _assert_same(samples: list[tuple[str, bytes]], interpreter: str = sys.executable) -> None:
    found = differences(samples, interpreter)
    assert not found, f"{len(found)} of {len(samples)}; the shortest: {min(found, key=len)}"


def _random_bytes(seed: int) -> bytes:
    chance = random.Random(seed)
    if seed % 2:
        return chance.randbytes(chance.randrange(1, 40))
    return bytes(chance.choices([*OPCODES, 0, 1, 2, 10, 48, 49], k=chance.randrange(1, 40))) + b"."


def _mutated(seed: int) -> bytes:
    chance = random.Random(seed)
    data = bytearray(program(seed)) or bytearray(b".")
    for _ in range(chance.randrange(1, 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("make", [program, _random_bytes, _mutated])
def test_random_programs(make: Callable[[int], bytes]) -> None:
    _assert_same([(dialect, make(seed)) for seed in range(700) for dialect in DIALECTS])


@pytest.mark.slow
@pytest.mark.parametrize("make", [program, _random_bytes, _mutated])
@pytest.mark.parametrize("start", range(10_000, 100_000, 10_000))
def test_many_random_programs(make: Callable[[int], bytes], start: int) -> None:
    seeds = range(start, start + 10_000)
    _assert_same([(dialect, make(seed)) for seed in seeds for dialect in DIALECTS])


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_versions_of_python_agree(name: str) -> None:
    interpreter = shutil.which(name)
    if interpreter is None:
        pytest.skip(f"no {name}")
    _assert_same([(dialect, program(seed)) for seed in range(5000) for dialect in DIALECTS])


def test_the_generator_reaches_every_opcode_and_many_ends() -> None:
    samples = [("c", program(seed)) for seed in range(700)]
    answers = real_answers(samples)
    assert sum(answer["ok"] for answer in answers) > 200
    kinds = {event[0] for answer in answers for event in answer["events"]}
    assert kinds == {"global", "extension", "persistent", "call", "build", "append", "add", "set"}
    assert len({answer["error"].partition(":")[2][:20] for answer in answers}) > 20
    assert set(OPCODES) <= set(b"".join(data for _, data in samples))


# Pickles of real libraries


def _plain() -> Iterator[object]:
    import collections
    import datetime
    import decimal
    import enum
    import fractions
    import pathlib
    import uuid

    loop: list[object] = []
    loop.append((loop, {"loop": loop}))
    yield loop
    yield collections.OrderedDict((str(index), index) for index in range(3000))
    yield collections.defaultdict(list, {1: [2]})
    yield collections.deque(range(2000))
    yield collections.Counter("abracadabra")
    yield datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)
    yield decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=5)
    yield pathlib.PurePosixPath("a/b"), range(5), slice(1, 2), complex(1, 2), Ellipsis
    yield enum.Enum("Color", "red green", module=__name__, qualname="Nowhere")
    yield {frozenset({1, 2}), (3, "x")}, bytearray(b"abc" * 5000), b"x" * 100_000, "é\udc80" * 9000
    yield [float(index) for index in range(5000)], ValueError("x", 5), len, dict, str.join


def _numpy() -> Iterator[object]:
    numpy = pytest.importorskip("numpy")
    yield numpy.arange(12).reshape(3, 4), numpy.float64(1.5), numpy.dtype("i4,f8")
    yield numpy.array([{}, "x", None], dtype=object), numpy.random.default_rng(0)
    yield numpy.random.RandomState(0), numpy.arange(500.0), numpy.ma.masked_array([1, 2], [0, 1])


def _sklearn() -> Iterator[object]:
    numpy = pytest.importorskip("numpy")
    sklearn = pytest.importorskip("sklearn")
    del sklearn
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = numpy.random.RandomState(0).rand(60, 4)
    y = numpy.arange(60) % 2
    yield make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=3)).fit(x, y)
    yield HistGradientBoostingClassifier(max_iter=3).fit(x, y)
    yield TfidfVectorizer().fit(["some words", "and more words"])


def _pandas() -> Iterator[object]:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None], "c": pandas.Categorical(["u", "v"])})
    yield frame
    yield frame.set_index(pandas.date_range("2020-01-01", periods=2, tz="UTC"))


def _torch() -> Iterator[object]:
    torch = pytest.importorskip("torch")
    yield torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    yield torch.nn.Linear(2, 3).state_dict()


@pytest.mark.parametrize("make", [_plain, _numpy, _sklearn, _pandas, _torch])
def test_pickles_of_real_libraries(make: Callable[[], Iterator[object]]) -> None:
    samples = []
    for value in make():
        for protocol in PROTOCOLS:
            for pickler in (pickle.Pickler, pickle._Pickler):
                out = io.BytesIO()
                try:
                    pickler(out, protocol).dump(value)
                except (pickle.PicklingError, TypeError, AttributeError, AssertionError):
                    continue
                samples += [(dialect, out.getvalue()) for dialect in DIALECTS]
    _assert_same(samples)


def test_pickles_with_persistent_ids_and_of_other_picklers() -> None:
    torch = pytest.importorskip("torch")
    cloudpickle = pytest.importorskip("cloudpickle")
    out = io.BytesIO()
    torch.save({"a": torch.zeros(3), "b": torch.nn.Linear(2, 2)}, out)
    with zipfile.ZipFile(out) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        samples = [archive.read(name)]
    local = 5
    samples.append(cloudpickle.dumps(lambda x: x + local))
    _assert_same([(dialect, data) for data in samples for dialect in DIALECTS])


# What the machine adds


def _shape(facts: Iterator[object]) -> list[str]:
    return [repr(fact) for fact in facts]


@pytest.mark.parametrize("make", [program, _mutated])
def test_pieces_of_a_stream_make_no_difference(make: Callable[[int], bytes]) -> None:
    for seed in range(600):
        data = make(seed)
        chance = random.Random(seed)
        most = chance.choice((1, 2, 7, 40))
        pieces = []
        start = 0
        while start < len(data):
            pieces.append(data[start : start + chance.randrange(1, most + 1)])
            start += len(pieces[-1])
        stream = Stream(lambda pieces=pieces: iter(pieces))  # type: ignore[misc]
        for dialect in DIALECTS:
            whole = _shape(trace(View(data).reader(), dialect=dialect))
            assert _shape(trace(stream.reader(), dialect=dialect)) == whole, (data, dialect)


def test_the_comparison_notices_what_is_wrong() -> None:
    """A real answer that is not the machine's is a difference, whatever is different."""
    data = b"cos\nsystem\n(S'x'\ntR}b."
    (real,) = real_answers([("c", data)])
    assert real["ok"]
    assert not difference(data, "c", real)
    for change in (
        {"events": real["events"][:-1]},
        {"events": [*real["events"], ["call", 0, "tuple:[]", "", 1]]},
        {"events": [["global", "os", "popen", 0], *real["events"][1:]]},
        {"end": real["end"] - 1},
        {"value": "int:1"},
        {"ok": False, "error": "EOFError: "},
    ):
        assert difference(data, "c", {**real, **change})
    (failed,) = real_answers([("c", b"cos\nsystem\n]R.")])
    assert not failed["ok"]
    assert not difference(b"cos\nsystem\n]R.", "c", failed)
    assert difference(b"]R.", "c", failed)
    (failed,) = real_answers([("c", b"cos\nsystem\n]]a\x85Rs.")])
    assert not failed["ok"]
    assert difference(b"cos\nsystem\n]]a\x85R.", "c", failed)
    assert difference(b"cos\nsystem\n]]a\x85R)Rs.", "c", failed)
