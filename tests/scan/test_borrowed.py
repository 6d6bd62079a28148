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
