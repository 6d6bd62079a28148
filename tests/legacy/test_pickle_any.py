"""Any bytes are facts that end in exactly one `Stop` or `Failure`, within bounded memory."""

from __future__ import annotations

import gc
import io
import pickle
import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError
from safemodel.legacy import pickle_state
from safemodel.legacy.content import Stream, View
from safemodel.legacy.pickle_facts import (
    Build,
    Call,
    Fact,
    Failure,
    Global,
    Instance,
    Items,
    Mutate,
    Oddity,
    Stop,
)
from safemodel.legacy.pickle_input import DIALECTS, Dialect
from safemodel.legacy.pickle_machine import MachineLimits, trace

from .pickle_programs import OPCODES, program

OPS = st.sampled_from([bytes((code,)) for code in OPCODES])
PIECE = st.one_of(
    OPS,
    OPS,
    st.binary(max_size=6),
    st.sampled_from([b"os\nsystem\n", b"1\n", b"0\n", b"'a'\n", b"\x01\x00\x00\x00", b"\0" * 8]),
)
SOUP = st.lists(PIECE, max_size=40).map(b"".join)


def check(data: bytes, dialect: Dialect, *, values: bool) -> list[Fact]:
    facts = list(trace(View(data).reader(), dialect=dialect, values=values))
    ends = [fact for fact in facts if isinstance(fact, Stop | Failure)]
    assert ends == facts[-1:]
    for fact in facts:
        if not isinstance(fact, Stop):
            assert 0 <= fact.offset <= len(data)
    if isinstance(ends[0], Stop):
        assert 0 < ends[0].end <= len(data)
    return facts


@given(data=st.one_of(st.binary(max_size=200), SOUP), values=st.booleans())
@settings(max_examples=600, deadline=None)
def test_any_bytes(data: bytes, values: bool) -> None:
    for dialect in DIALECTS:
        check(data, dialect, values=values)


@given(seed=st.integers(0, 1 << 30), where=st.integers(0, 1 << 30), change=st.binary(max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_change_of_a_program(seed: int, where: int, change: bytes) -> None:
    data = program(seed)
    where %= len(data) + 1
    for dialect in DIALECTS:
        check(data[:where] + change + data[where + len(change) // 2 :], dialect, values=False)


@given(sends=st.lists(st.integers(0, 12), max_size=9), seed=st.integers(0, 1 << 30))
@settings(max_examples=200, deadline=None)
def test_any_bytes_sent_after_builds(sends: list[int], seed: int) -> None:
    machine = trace(View(program(seed)).reader())
    answers = iter(sends)
    last: Fact | None = None
    try:
        fact = next(machine)
        while True:
            last = fact
            fact = machine.send(next(answers, 0) if isinstance(fact, Build) else None)
    except StopIteration:
        assert isinstance(last, Stop | Failure)


def _sites(facts: list[Fact]) -> list[tuple[str, int]]:
    return [
        (type(fact).__name__, fact.offset)
        for fact in facts
        if not isinstance(fact, Stop | Failure | Oddity)
    ]


def test_what_is_only_remembered_hides_no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(400):
        data = program(seed)
        whole = check(data, "c", values=False)
        with monkeypatch.context() as context:
            context.setattr(pickle_state, "PLENTY", seed % 4)
            lighter = check(data, "c", values=False)
            check(data, "python", values=False)
        assert _sites(lighter)[: len(_sites(whole))] == _sites(whole)
        if isinstance(whole[-1], Stop):
            assert isinstance(lighter[-1], Stop)


def test_what_is_only_remembered_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_state, "PLENTY", 1)
    for data in (
        b"\x80\x04cos\nsystem\n\x94K\x01\x85\x940h\x00h\x01R." + b"N" * 64,
        b"\x80\x04cos\nsystem\n\x94K\x01\x85q\x010h\x00h\x01R.",
    ):
        call = check(data, "c", values=False)[1]
        assert isinstance(call, Call)
        arguments = call.result.arguments
        assert isinstance(arguments, Items)
        assert (arguments.kind, arguments.complete, arguments.items) == ("tuple", False, [])
        assert arguments.count > 0
    build = b"\x80\x04cos\nsystem\n\x94)\x81\x94}(K\x01K\x02ub."
    result = check(build, "c", values=False)[-1].value  # type: ignore[union-attr]
    assert isinstance(result, Instance)
    assert not result.state.complete  # type: ignore[union-attr]
    pair = b"N\x940N}\x86q\x010]h\x01b."  # a pair that sets nothing, if it is looked into
    assert isinstance(check(pair, "c", values=False)[-1], Stop)
    entry = b"N\x94]\x94]\x94K\x05q\x01h\x02."  # what takes the place of one list is not the other
    for padding in (b"", b"N" * 64):
        last = check(entry + padding, "c", values=False)[-1].value  # type: ignore[union-attr]
        assert isinstance(last, Items)


def _peak(data: bytes, limits: MachineLimits) -> tuple[int, Fact]:
    gc.collect()
    gc.freeze()  # with many old objects Python collects new ones less often
    tracemalloc.start()
    try:
        (*_, end) = trace(View(data).reader(), limits=limits)
        return tracemalloc.get_traced_memory()[1], end
    finally:
        tracemalloc.stop()
        gc.unfreeze()


BOMBS = {
    "lists": b"]" * 40_000,
    "marks": b"(" * 40_000,
    "nones": b"N" * 40_000,
    "memo far away": b"N" + b"".join(b"r%s" % (i << 12).to_bytes(4, "little") for i in range(999)),
    "memo of one string": b"\x8c\x28" + b"a" * 40 + b"\x94" * 40_000,
    "strings by memo": b"\x8c\x28" + b"a" * 40 + b"\x94" + b"h\x00" * 20_000,
    "long strings by memo": b"X\x00\x10\x00\x00" + b"a" * 4096 + b"\x94" * 20_000 + b"h\x00" * 999,
    "tuples of tuples": b")" + b"2\x86" * 20_000,
    "keys of tuples": b"})" + b"2\x86" * 60 + b"q\x00Ns" + b"h\x00Ns" * 5_000,
    "calls": b"cos\nsystem\n" + b")R" * 10_000,
    "persistent ids": b"N" + b"Q" * 20_000,
    "one list in itself": b"]q\x00" + b"h\x00a" * 10_000,
    "pairs": b"}" + b"K\x01K\x01s" * 10_000,
    "a string that is not there": b"\x8d" + b"\xff\xff\xff\xff\x00\x00\x00\x00" + b"a" * 1000,
    "a frame that is not there": b"\x95" + b"\xff\xff\xff\xff\x00\x00\x00\x00" + b"N" * 1000,
    "a line": b"V" + b"a" * 40_000,
    "a number": b"I" + b"9" * 40_000 + b"\n",
    "a long": b"\x8b\x00\x00\x06\x00" + b"\xff" * 393_216,
}


@pytest.mark.parametrize("name", BOMBS)
def test_memory_is_in_proportion_to_the_input(name: str) -> None:
    data = BOMBS[name] + b"."
    peak, _ = _peak(data, MachineLimits())
    assert peak < 1_000_000 + 160 * len(data)


@pytest.mark.parametrize("name", ["lists", "nones", "calls", "persistent ids", "strings by memo"])
def test_limits_hold(name: str) -> None:
    peak, end = _peak(BOMBS[name] * 8, MachineLimits(stack=5_000, blocks=5_000))
    assert isinstance(end, Failure)
    assert end.budget
    assert peak < 10_000_000


def test_streams_that_declare_much_are_not_read_ahead() -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        while taken < 1 << 30:
            taken += 1 << 16
            yield b"N" * (1 << 16)

    start = b"\x95" + b"\xff\xff\xff\xff\x00\x00\x00\x00cos\nsystem\n"
    machine = trace(Stream(lambda: _chain(start, pieces())).reader())
    assert isinstance(next(machine), Oddity)
    assert isinstance(next(machine), Global)
    assert taken < 1 << 21
    skipping = b"\x8e" + (1 << 29).to_bytes(8, "little")
    taken = 0
    tracemalloc.start()
    last = [
        *trace(Stream(lambda: _chain(skipping, pieces())).reader(), limits=MachineLimits(stack=9))
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(last[-1], Failure)
    assert last[-1].budget
    assert peak < 1 << 22


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def test_a_stream_that_passes_its_budget_is_a_budget() -> None:
    def pieces() -> Iterator[bytes]:
        yield pickle.dumps(["x" * 10_000, len])[:5000]
        raise BudgetError("inflates to more than it may")

    end = [*trace(Stream(pieces).reader())][-1]
    assert isinstance(end, Failure)
    assert end.budget
    assert end.message == "inflates to more than it may"


def test_protocols_of_both_picklers_over_one_reader() -> None:
    out = io.BytesIO()
    chance = random.Random(5)
    values = [[chance.random(), {"a": (index,)}, b"x" * 9000, "y" * 9000] for index in range(30)]
    for index, value in enumerate(values):
        pickler = (pickle.Pickler, pickle._Pickler)[index % 2]
        pickler(out, index % 6).dump(value)
    data = out.getvalue()
    for dialect in DIALECTS:
        for size in (1 << 9, 1 << 20):
            stream = Stream(lambda size=size: _cut(data, size))  # type: ignore[misc]
            reader = stream.reader()
            for _ in values:
                facts = list(trace(reader, dialect=dialect))
                assert isinstance(facts[-1], Stop)
                assert not any(isinstance(fact, Oddity | Mutate) for fact in facts)
            assert not len(reader.peek(1))


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
