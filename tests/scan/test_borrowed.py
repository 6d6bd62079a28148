"""Names that are known good in some uses, and what happens when a pickle hands them to others."""

from __future__ import annotations

import pytest

from safemodel.report.model import Severity
from tests.scan import pickles as p

HIGH = Severity.HIGH
ID = p.text("id")
ORDERED = p.name("collections", "OrderedDict")
PARTIAL = p.name("functools", "partial")
GETATTR = p.name("builtins", "getattr")
LOAD = p.name("torch.storage", "_load_from_bytes")
MAP = p.name("builtins", "map")
RESULT = p.name("scipy.optimize._optimize", "OptimizeResult")


@pytest.mark.parametrize(
    "body",
    [
        p.call(MAP, p.name("numpy", "exp"), p.listed(ID)),
        p.call(MAP, p.name("copyreg", "__newobj__"), p.listed(p.name("numpy", "memmap"))),
        p.call(MAP, p.name("dill._dill", "_load_type"), p.listed(p.text("FileType"))),
        p.call(p.name("builtins", "filter"), MAP, p.listed(ID)),
        p.call(PARTIAL, p.name("copyreg", "__newobj__"), p.name("numpy", "memmap")),
        p.call(PARTIAL, p.name("builtins", "iter"), GETATTR),
        p.call(p.name("types", "GenericAlias"), LOAD, p.NOTHING),
        p.call(ORDERED, p.listed(p.values(p.text("a"), LOAD))),
        p.call(p.name("builtins", "list"), p.listed(p.values(p.listed(LOAD)))),
        p.call(
            p.name("builtins", "dict"),
            p.call(p.name("builtins", "zip"), p.listed(p.text("a")), p.listed(p.text("b"))),
        ),
        p.call(
            p.name("copyreg", "_reconstructor"),
            RESULT,
            p.name("builtins", "dict"),
            p.pairs(p.text("__setstate__"), LOAD),
        ),
        p.call(
            p.name("copyreg", "_reconstructor"),
            RESULT,
            p.name("builtins", "dict"),
            p.listed(p.values(p.text("a"), ID)),
        ),
        p.call(
            p.name("torch._tensor", "_rebuild_from_type_v2"),
            p.name("torch.jit._pickle", "restore_type_tag"),
            p.name("argparse", "Namespace"),
            p.values(p.make(p.name("argparse", "Namespace")), p.text("t")),
            p.NONE,
        ),
        p.make(RESULT) + p.text("__setstate__") + LOAD + b"s",
        p.make(RESULT) + p.text("__setstate__") + p.name("numpy", "exp") + b"s",
        p.make(RESULT) + p.text("a") + p.values(LOAD) + b"s",
        p.make(p.name("argparse", "Namespace")) + p.pairs(p.text("a"), p.listed(LOAD)) + p.BUILD,
        p.make(p.name("mycompany", "C")) + p.pairs(p.text("a"), LOAD) + p.BUILD,
        p.make(p.name("argparse", "Namespace"))
        + p.pairs(p.call(p.name("builtins", "str"), p.text("__copy__")), PARTIAL)
        + p.BUILD,
        p.name("numpy", "memmap") + p.NOTHING + p.call(ORDERED) + p.NEWOBJ_EX,
    ],
)  # fmt: skip
def test_a_known_name_is_not_handed_on(body: bytes) -> None:
    assert max(p.found(p.whole(body)).values()) >= HIGH


@pytest.mark.parametrize(
    "body",
    [
        p.call(MAP, p.name("builtins", "int"), p.listed(ID)),
        p.call(PARTIAL, p.name("torch.nn.modules.batchnorm", "BatchNorm2d"), ID),
        p.call(PARTIAL, p.name("numpy", "exp")),
        p.call(ORDERED, p.listed(p.values(ID, p.name("numpy", "exp")))),
        p.make(RESULT) + p.text("x") + p.name("numpy", "exp") + b"s",
        p.make(p.name("argparse", "Namespace"))
        + p.pairs(p.text("__module__"), p.text("a"), p.text("f"), p.name("numpy", "exp"))
        + p.BUILD,
        p.make(p.name("collections", "OrderedDict")) + b"}" + p.BUILD,
        p.call(p.name("types", "GenericAlias"), p.name("builtins", "list"), p.NOTHING),
    ],
)  # fmt: skip
def test_harmless_names_may_be_handed_on(body: bytes) -> None:
    assert p.found(p.whole(body)) == {}


def test_a_name_that_no_table_of_this_guard_lets_through() -> None:
    tables = p.Tables()
    for module, name in (
        ("builtins", "map"),
        ("builtins", "filter"),
        ("dill._dill", "_load_type"),
        ("dill._dill", "_create_namedtuple"),
        ("keras.saving.pickle_utils", "deserialize_model_from_bytecode"),
        ("keras.src.models.model", "Model._unpickle_model"),
    ):
        assert not tables.harmless(module, name), f"{module}.{name}"


def test_what_comes_after_many_is_seen() -> None:
    """Containers keep their first 32 values, and whatever could be called."""
    many = b"".join(p.text(f"a{at}") + b"K\x01" for at in range(40))
    pair = p.text("__setstate__") + LOAD
    for body in (
        p.make(RESULT) + b"(" + many + pair + b"u",
        p.make(p.name("argparse", "Namespace")) + b"}(" + many + pair + b"ub",
        p.call(ORDERED, p.listed(*[p.values(ID, ID)] * 40, p.values(ID, LOAD))),
        p.call(p.name("builtins", "list"), p.listed(*[ID] * 40, LOAD)),
        p.call(p.name("builtins", "list"), p.listed(*[ID] * 40) + p.number(39) + LOAD + b"s"),
    ):
        assert max(p.found(p.whole(body)).values()) >= HIGH


def test_a_state_that_was_put_away_among_too_many() -> None:
    fill = b"N\x940" * 200_001
    state = b"}" + p.put(200_001) + p.text("a") + b"K\x01s0" + p.get(200_001)
    body = fill + p.make(p.name("argparse", "Namespace")) + state + p.BUILD
    assert p.found(p.whole(body))["SM110"] is HIGH


@pytest.mark.parametrize(
    "change",
    [
        b"K\x00K\x01s",
        b"(K\x01K\x02e",
        p.call(p.name("builtins", "slice"), p.number(0), p.NONE) + p.raw(b"ab") + b"s",
    ],
)
def test_a_bytearray_that_is_not_what_it_looks_like(change: bytes) -> None:
    literal = b"\x96" + (4).to_bytes(8, "little") + b"abcd"
    assert p.found(b"\x80\x05" + literal + change + b".")["SM110"] is HIGH


def test_a_slice_of_a_list() -> None:
    key = p.call(p.name("builtins", "slice"), p.number(0), p.NONE)
    assert p.found(p.whole(b"]" + key + p.listed(LOAD) + b"s"))["SM110"] is HIGH
