"""The pickle machine over pickles that real picklers write, and its contract with its consumers."""

from __future__ import annotations

import gc
import os
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Iterator

import pytest

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy.content import Stream, View
from safemodel.legacy.pickle_facts import Build, Call, Fact, Failure, Global, Mutate, Stop
from safemodel.legacy.pickle_input import DIALECTS
from safemodel.legacy.pickle_machine import MachineLimits, trace

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def facts_of(data: bytes, **options: object) -> list[Fact]:
    return list(trace(View(data).reader(), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_is_told_with_its_callee_and_arguments(protocol: int, dialect: str) -> None:
    data = pickle.dumps([1, Runs(), {"a": Runs()}], protocol)
    facts = facts_of(data, dialect=dialect)
    calls = [fact.result for fact in facts if type(fact) is Call]
    assert [call.callee.full_name for call in calls] == ["posix.system"] * 2  # type: ignore[union-attr]
    assert all(call.arguments.items == ["true"] for call in calls)  # type: ignore[union-attr]
    stop = facts[-1]
    assert type(stop) is Stop
    assert stop.end == len(data)
    assert stop.protocol == (protocol if protocol > 1 else 0)
    assert stop.opcodes == sum(1 for _ in pickletools.genops(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_has_no_sites(protocol: int) -> None:
    value = {"a": [1, 2.5, None, True, -(1 << 70)], "b": ("x" * 300, b"y" * 300), "\udc80": {}}
    facts = facts_of(pickle.dumps(value, protocol), values=True)
    if protocol > 2:
        assert len(facts) == 1
    stop = facts[-1]
    assert type(stop) is Stop
    pairs = dict(stop.value.items)  # type: ignore[union-attr]
    assert pairs["a"].items == value["a"]
    assert pairs["b"].items[0] == value["b"][0]
    assert pairs["\udc80"].count == 0


def test_the_mutations_of_an_object_are_in_its_tree() -> None:
    ordered = OrderedDict((str(index), index) for index in range(5000))
    facts = facts_of(pickle.dumps(ordered, 4), values=True)
    mutations = [fact for fact in facts if type(fact) is Mutate]
    assert len(mutations) == 5
    stop = facts[-1]
    assert type(stop) is Stop
    assert stop.value.mutations == mutations  # type: ignore[union-attr]
    flat = [value for mutation in mutations for value in mutation.arguments]
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == ordered


def test_several_pickles_follow_one_another() -> None:
    reader = View(pickle.dumps(1) + pickle.dumps(Runs()) + b"rest").reader()
    first = list(trace(reader))
    assert type(first[-1]) is Stop
    assert first[-1].end == reader.offset
    second = list(trace(reader))
    assert type(second[1]) is Call
    assert bytes(reader.peek(10)) == b"rest"


def test_raw_bytes_behind_a_build_are_gone_over() -> None:
    inner = pickle.dumps(Runs())
    head = b"cmodule\nname\n)\x81}b"
    data = head + b"\x07raw" + inner + b"."
    for pieces in (1, 3, len(data)):
        reader = Stream(lambda size=pieces: _pieces(data, size)).reader()  # type: ignore[misc]
        machine = trace(reader)
        assert [type(next(machine)) for _ in range(3)] == [Global, Call, Build]
        assert reader.offset == len(head)
        assert bytes(reader.read(1)) == b"\x07"
        reader.advance(3)
        nested = list(trace(reader))
        assert type(nested[1]) is Call
        assert type(machine.send(0)) is Stop
    machine = trace(View(data).reader())
    for _ in range(3):
        next(machine)
    assert type(machine.send(4 + len(inner))) is Stop


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_what_came_before_a_broken_stream_is_told() -> None:
    def pieces() -> Iterator[bytes]:
        yield pickle.dumps([Runs(), "x" * 1000])[:-500]
        raise DamagedError("the checksum is wrong")

    facts = list(trace(Stream(pieces).reader()))
    assert [type(fact) for fact in facts] == [Global, Call, Failure]
    assert facts[-1].message == "the checksum is wrong"  # type: ignore[union-attr]


def test_budgets_end_the_trace() -> None:
    def spend(count: int) -> None:
        raise BudgetError("too many opcodes")

    failure = facts_of(b"N0" * 100_000 + b"N.", spend=spend)[-1]
    assert type(failure) is Failure
    assert failure.budget
    for data, limits in (
        (b"N" * 200_000 + b".", MachineLimits(stack=1000)),
        (b"(" * 2000 + b"N.", MachineLimits(marks=1000)),
        (b"N" + b"\x94" * 200_000 + b".", MachineLimits(memo=1000)),
        (b"]" * 200_000 + b".", MachineLimits(blocks=1000)),
    ):
        gc.collect()  # memory that other tests left must not be given back meanwhile
        failure = facts_of(data, limits=limits)[-1]
        assert type(failure) is Failure
        assert failure.budget


def test_nesting_does_not_recurse() -> None:
    deep = 60_000
    for data in (
        b"]" * deep + b"a" * (deep - 1) + b".",
        b"(" * deep + b"t" * deep + b".",
        b")" + b"\x85" * deep + b".",
    ):
        assert type(facts_of(data)[-1]) is Stop
