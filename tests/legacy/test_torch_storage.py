"""Persistent ids of PyTorch as facts: those that it writes, and no others."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy.content import View
from safemodel.legacy.pickle_facts import Persistent
from safemodel.legacy.pickle_machine import trace
from safemodel.legacy.torch_storage import (
    ITEM_SIZES,
    ModuleSource,
    Storage,
    is_storage_type,
    parse_id,
)
from tests.scan import pickles as p

FLOAT = p.name("torch", "FloatStorage")


def parse(pickle: bytes) -> Storage | ModuleSource:
    facts = trace(View(p.whole(pickle + b"Q")).reader())
    return next(parse_id(fact.id) for fact in facts if isinstance(fact, Persistent))


def storage(*parts: bytes) -> bytes:
    return p.values(p.text("storage"), *parts)


def test_storages() -> None:
    found = parse(storage(FLOAT, p.text("7"), p.text("cuda:0"), p.number(3)))
    assert found == Storage("7", 4, 12, "cuda:0", "FloatStorage")
    found = parse(storage(FLOAT, p.raw(b"7"), p.raw(b"cpu"), p.number(3), p.NONE))
    assert found == Storage("7", 4, 12, "cpu", "FloatStorage")
    view = p.values(p.text("v"), p.number(1), p.number(2))
    found = parse(storage(FLOAT, p.text("7"), p.text("cpu"), p.number(3), view))
    assert found == Storage("7", 4, 12, "cpu", "FloatStorage", (4, 12))
    beyond = p.values(p.text("v"), p.number(2), p.number(2))
    with pytest.raises(DamagedError):
        parse(storage(FLOAT, p.text("7"), p.text("cpu"), p.number(3), beyond))
    untyped = p.name("torch.storage", "UntypedStorage")
    assert parse(storage(untyped, p.text("0"), p.text("cpu"), p.number(3))).size == 3


def test_modules() -> None:
    cls = p.name("mycompany", "Net")
    found = parse(p.values(p.text("module"), cls, p.text("net.py"), p.text("class Net: ...")))
    assert isinstance(found, ModuleSource)
    assert (found.cls.full_name, found.file, found.source_size) == ("mycompany.Net", "net.py", 14)
    assert parse(p.values(p.text("module"), cls, p.NONE, p.NONE)).source_size == 0
    long = parse(p.values(p.text("module"), cls, p.text("net.py"), p.text("x" * 9000)))
    assert long.source_size == 9000


@pytest.mark.parametrize(
    "pickle",
    [
        p.NONE,
        p.text("storage"),
        p.NOTHING,
        p.listed(p.text("storage"), FLOAT, p.text("0"), p.text("cpu"), p.number(1)),
        storage(FLOAT, p.text("0"), p.text("cpu")),
        storage(FLOAT, p.text("0"), p.text("cpu"), p.number(1), p.NONE, p.NONE),
        storage(p.text("FloatStorage"), p.text("0"), p.text("cpu"), p.number(1)),
        storage(p.name("torch", "OddStorage"), p.text("0"), p.text("cpu"), p.number(1)),
        storage(p.name("os", "UntypedStorage"), p.text("0"), p.text("cpu"), p.number(1)),
        storage(FLOAT, p.text(""), p.text("cpu"), p.number(1)),
        storage(FLOAT, p.NONE, p.text("cpu"), p.number(1)),
        storage(FLOAT, p.text("0"), p.NONE, p.number(1)),
        storage(FLOAT, p.text("0"), p.text("cpu"), p.number(-1)),
        storage(FLOAT, p.text("0"), p.text("cpu"), b"\x88"),
        storage(FLOAT, p.text("0"), p.text("cpu"), p.text("1")),
        storage(FLOAT, p.text("0"), p.text("cpu"), b"\x8a\x08" + b"\xff" * 7 + b"\x7f"),
        storage(FLOAT, p.text("0"), p.text("cpu"), p.number(1), p.text("view")),
        storage(
            FLOAT,
            p.text("0"),
            p.text("cpu"),
            p.number(1),
            p.values(p.text("v"), p.number(1), p.number(1)),
        ),
        p.values(p.text("module"), p.text("Net"), p.NONE, p.NONE),
        p.values(p.text("module"), p.name("a", "B"), p.NOTHING, p.NONE),
        p.values(p.text("module"), p.name("a", "B"), p.NONE),
        p.values(p.text("reduce_package"), p.name("a", "B"), p.NOTHING, p.NONE),
    ],
)
def test_other_ids_are_refused(pickle: bytes) -> None:
    with pytest.raises(DamagedError):
        parse(pickle)


def test_the_table_is_that_of_the_installed_torch() -> None:
    torch = pytest.importorskip("torch")
    table = torch.storage._storage_type_to_dtype_map()
    sizes = {name: torch._utils._element_size(dtype) for name, dtype in table.items()}
    assert {**sizes, "UntypedStorage": 1} == ITEM_SIZES
    assert all(is_storage_type(name) for name in table)
    assert not is_storage_type("UntypedStorage")


_SAMPLE = p.whole(storage(FLOAT, p.text("0"), p.text("cpu"), p.number(1), p.NONE) + b"Q")


@given(st.lists(st.tuples(st.integers(0, len(_SAMPLE) - 1), st.integers(0, 255)), max_size=3))
def test_any_mutation(changes: list[tuple[int, int]]) -> None:
    data = bytearray(_SAMPLE)
    for at, byte in changes:
        data[at] = byte
    for fact in trace(View(bytes(data)).reader()):
        if isinstance(fact, Persistent):
            with contextlib.suppress(LegacyError):
                parse_id(fact.id)
