"""Fewer garbage collections during a load or save, and as before after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

import safemodel as sm
from safemodel.errors import SourceError, UsageError
from safemodel.garbage import fewer_collections


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    yield
    gc.set_threshold(*before)


def test_seldom_inside_as_before_after_it() -> None:
    with fewer_collections():
        assert gc.get_threshold()[0] > 10_000
        assert gc.get_threshold()[1:] == (11, 12)
        with fewer_collections():
            assert gc.get_threshold()[0] > 10_000
        assert gc.get_threshold()[0] > 10_000
    assert gc.get_threshold() == (701, 11, 12)


def test_as_before_after_an_error() -> None:
    with pytest.raises(UsageError), fewer_collections():
        raise UsageError("no")
    assert gc.get_threshold() == (701, 11, 12)


@pytest.mark.parametrize("thresholds_of_caller", [(0, 10, 10), (1_000_000, 5, 5)])
def test_who_collects_less_often_or_never_goes_on_so(
    thresholds_of_caller: tuple[int, int, int],
) -> None:
    gc.set_threshold(*thresholds_of_caller)
    with fewer_collections():
        assert gc.get_threshold() == thresholds_of_caller
    assert gc.get_threshold() == thresholds_of_caller


def test_what_the_caller_sets_meanwhile_stays() -> None:
    with fewer_collections():
        gc.set_threshold(900, 9, 9)
    assert gc.get_threshold() == (900, 9, 9)


def test_threads_that_end_in_another_order() -> None:
    inside, leave = Event(), Event()

    def other() -> None:
        with fewer_collections():
            inside.set()
            leave.wait(10)

    thread = Thread(target=other)
    with fewer_collections():
        thread.start()
        assert inside.wait(10)
    assert gc.get_threshold()[0] > 10_000
    leave.set()
    thread.join()
    assert gc.get_threshold() == (701, 11, 12)


def test_functions_leave_it_as_before(tmp_path: Path) -> None:
    sm.save({"a": [1]}, tmp_path / "a.safemodel", signer=None)
    sm.load(tmp_path / "a.safemodel", trust=sm.UNSIGNED)
    with pytest.raises(SourceError):
        sm.convert(tmp_path / "missing.pt", tmp_path / "b.safemodel")
    assert gc.get_threshold() == (701, 11, 12)
