"""The table of operators, against the installed PyTorch, and against what files may name."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import operator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from safemodel.adapters.torch.operators import (  # noqa: E402
    ARITHMETIC,
    NODE,
    OPERATORS,
    TORCH,
    name_of,
    resolve,
)
from safemodel.adapters.torch.operators import roles as roles_of  # noqa: E402
from safemodel.errors import ArchitectureError, NotAllowedError  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ".".join(torch.__version__.split(".")[:2])
same_release = pytest.mark.skipif(RELEASE != TORCH, reason="the table is that of another release")


@same_release
def test_a_row_is_the_schema_of_the_installed_release() -> None:
    for name, row in OPERATORS.items():
        op, _, overload = name.removeprefix("aten::").partition(".")
        found = getattr(getattr(torch.ops.aten, op), overload or "default")
        assert str(found._schema) == "aten::" + row.schema
        assert name_of(found) == name
        resolved = resolve(name)
        assert resolved.outputs == len(found._schema.returns), name
        assert name_of(resolved.call) == name


def test_every_argument_has_a_type_and_role_that_are_checked() -> None:
    for name, row in OPERATORS.items():
        assert set(row.roles) <= {argument.name for argument in row.signature.arguments}, name
        for argument in row.signature.arguments:
            assert argument.kind.base in TYPES, name
            if argument.kind.base == "str":
                assert roles_of.string_role(argument.name, argument.role) in roles_of.STRINGS, name
            elif argument.kind.base in {"int", "SymInt"}:
                assert roles_of.integer_role(argument.name, argument.role) in roles_of.INTEGERS


TYPES = {
    *("Tensor", "Scalar", "SymInt", "int", "float", "bool", "str"),
    *("ScalarType", "Layout", "Device", "MemoryFormat", "Generator"),
}


def test_the_page_is_that_of_the_table() -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "spec" / "render_operators.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.render()


def test_nothing_is_there_that_writes_elsewhere_or_trusts_its_arguments() -> None:
    forbidden = (
        *("backward", "unsafe", "from_file", "save", "set_", "resize", "empty", "as_strided"),
        *("cudnn", "foreach", "sparse_", "storage", "_out", "print", "Dimname"),
    )
    for name, row in OPERATORS.items():
        op = name.removeprefix("aten::")
        assert not any(word in op for word in forbidden if (op, word) not in KNOWN), name
        assert not any(argument.kind.base == "Storage" for argument in row.signature.arguments)


KNOWN = {("sym_storage_offset", "storage")}


@pytest.mark.parametrize(
    "name",
    [
        *("", "aten", "aten::", "aten::from_file", "aten::empty.memory_format", "aten::set_"),
        *("aten::add", "aten::add.Tensor ", "aten::add.Tensor.x", "aten::_foreach_add.List"),
        *("prim::Print", "higher_order::cond", "profiler::_record_function_enter_new"),
        *("os::system", "__main__::x", "aten::__class__", "a::b.__init__", "x" * 1000, "a::__b"),
        *("operator::attrgetter", "operator::__import__", "math::pow", "aten.add.Tensor", "é::b"),
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ArchitectureError):
        resolve(name)
    with pytest.raises(ArchitectureError):
        resolve(name, [f"torch-op:{name}"])


@pytest.mark.parametrize("name", [None, 3, b"aten::add.Tensor", ["aten::add.Tensor"], {}])
def test_what_is_no_text_is_no_name(name: Any) -> None:
    with pytest.raises(ArchitectureError):
        resolve(name)


@given(st.text(max_size=40))
def test_any_text_is_refused_or_known(name: str) -> None:
    with contextlib.suppress(ArchitectureError):
        assert name in OPERATORS or name in ARITHMETIC or resolve(name)


def test_custom_operators_need_the_caller_and_a_library() -> None:
    with pytest.raises(NotAllowedError, match="nowhere::scale") as caught:
        resolve("nowhere::scale")
    assert "torch-op:nowhere::scale" in (caught.value.hint or "")
    with pytest.raises(ArchitectureError, match="registered"):
        resolve("nowhere::scale", ["torch-op:nowhere::scale"])
    library = torch.library.Library("safemodel_tests", "DEF")
    library.define("scale(Tensor self, float by, int[] sizes) -> Tensor")
    library.impl("scale", lambda self, by, sizes: self * by, "CompositeExplicitAutograd")
    with pytest.raises(NotAllowedError):
        resolve("safemodel_tests::scale")
    with pytest.raises(NotAllowedError):
        resolve("safemodel_tests::scale", ["torch-op:safemodel_tests::scale.other"])
    resolved = resolve("safemodel_tests::scale", ["torch-op:safemodel_tests::scale"])
    assert name_of(torch.ops.safemodel_tests.scale.default) == "safemodel_tests::scale"
    resolved.check((NODE, 2.0, [1]), {})
    assert resolved.call(torch.ones(2), 2.0, [1]).tolist() == [2, 2]
    with pytest.raises(ArchitectureError):
        resolved.check((NODE, "2", [1]), {})


GOOD: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("aten::add.Tensor", (NODE, NODE), {"alpha": 2}),
    ("aten::add.Tensor", (NODE, 2.5), {}),
    ("aten::view", (NODE, [NODE, -1, 3]), {}),
    ("aten::cat", ([NODE, NODE], -1), {}),
    ("aten::index.Tensor", (NODE, [None, NODE]), {}),
    ("aten::to.dtype", (NODE, torch.float16), {}),
    ("aten::zeros", ([2, NODE],), {"dtype": torch.int64, "device": torch.device("cpu")}),
    ("aten::conv2d", (NODE, NODE, None, [1, 1], 1), {}),
    ("aten::clone", (NODE,), {"memory_format": torch.contiguous_format}),
    ("aten::slice.Tensor", (NODE, 0, 0, 2**63 - 1), {}),
    ("aten::gelu", (NODE,), {"approximate": "tanh"}),
    ("aten::tile", (NODE, [2, 1000]), {}),
    ("aten::arange.start", (2, NODE), {}),
    ("aten::constant_pad_nd", (NODE, [-1, 4, 0, 3]), {}),
    ("aten::upsample_nearest2d.vec", (NODE, None, [2.0, 2.0]), {}),
    ("operator::add", (NODE, 1), {}),
    ("operator::getitem", (NODE, 1), {}),
    ("sym::sum", ([NODE, 1],), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), GOOD)
def test_calls_that_graphs_have_pass(name: str, args: Any, kwargs: Any) -> None:
    resolve(name).check(args, kwargs)


BAD: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("aten::add.Tensor", (NODE,), {}),
    ("aten::add.Tensor", (NODE, NODE, 2), {}),
    ("aten::add.Tensor", (NODE, "x"), {}),
    ("aten::add.Tensor", (NODE, [NODE]), {}),
    ("aten::add.Tensor", (NODE, None), {}),
    ("aten::add.Tensor", (NODE, NODE), {"self": NODE}),
    ("aten::add.Tensor", (NODE, NODE), {"out": NODE}),
    ("aten::add.Tensor", (NODE, 2**64), {}),
    ("aten::view", (NODE, [2**50]), {}),
    ("aten::view", (NODE, NODE, 1), {}),
    ("aten::view", (NODE, ["1"]), {}),
    ("aten::cat", ([NODE, None],), {}),
    ("aten::cat", ([NODE, 2],), {}),
    ("aten::cat", ([NODE], 64), {}),
    ("aten::cat", ([NODE], -65), {}),
    ("aten::cat", ([NODE], True), {}),
    ("aten::to.dtype", (NODE, "float16"), {}),
    ("aten::to.dtype", (NODE, NODE), {}),
    ("aten::to.dtype", (NODE, torch.qint8), {}),
    ("aten::to.dtype", (NODE, torch.uint4), {}),
    ("aten::zeros", ([2**20, 2**20],), {}),
    ("aten::eye.m", (2**15, 2**16), {}),
    ("aten::tril_indices", (2**20, 2**20), {}),
    ("aten::arange", (2**40,), {}),
    ("aten::arange", (float("inf"),), {}),
    ("aten::arange.start_step", (0, 1, 1e-30), {}),
    ("aten::arange.start_step", (0, 1, 0), {}),
    ("aten::linspace", (0, 1, 2**31), {}),
    ("aten::constant_pad_nd", (NODE, [0, 2**20, 0, 2**20]), {}),
    ("aten::repeat", (NODE, [2**16, 2**16]), {}),
    ("aten::tile", (NODE, [2**31]), {}),
    ("aten::expand", (NODE, [2**16, 2**16]), {}),
    ("aten::diag_embed", (NODE, 2**20), {}),
    ("aten::one_hot", (NODE, 2**30), {}),
    ("aten::upsample_nearest2d.vec", (NODE, None, [1e9, 1e9]), {}),
    ("aten::upsample_nearest2d", (NODE, [2**20, 2**20]), {}),
    ("aten::conv1d", (NODE, NODE, None, [2**31]), {}),
    ("aten::conv2d", (NODE, NODE, None, [1, 1, 1]), {}),
    ("aten::adaptive_avg_pool2d", (NODE, []), {}),
    ("aten::adaptive_avg_pool2d", (NODE, NODE, NODE), {}),
    ("aten::adaptive_avg_pool3d", (NODE, [NODE, NODE]), {}),
    ("aten::zeros", ([2],), {"layout": torch.sparse_coo}),
    ("aten::zeros", ([2],), {"device": "cpu"}),
    ("aten::zeros", ([2],), {"device": torch.device("meta")}),
    ("aten::rand", ([2],), {"generator": torch.Generator()}),
    ("aten::gelu", (NODE,), {"approximate": "other"}),
    ("aten::einsum", ("__import__('os')", [NODE]), {}),
    ("operator::add", (NODE, "1"), {}),
    ("operator::add", (NODE,), {}),
    ("operator::add", (NODE, NODE), {"a": 1}),
    ("operator::add", (NODE, 2**64), {}),
    ("operator::getitem", (NODE, NODE), {}),
    ("operator::getitem", (NODE, 1.0), {}),
    ("sym::sum", (["1"],), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), BAD)
def test_calls_that_no_schema_has_are_refused(name: str, args: Any, kwargs: Any) -> None:
    with pytest.raises(ArchitectureError, match=r"operator \w+::"):
        resolve(name).check(args, kwargs)


LITERALS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=5),
        st.just(NODE),
        st.sampled_from([torch.float32, torch.qint8, torch.strided, torch.device("cpu")]),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(sorted(OPERATORS) + list(ARITHMETIC)),
    st.lists(LITERALS, max_size=6),
    st.dictionaries(st.sampled_from(["dim", "size", "self", "dtype", "x"]), LITERALS, max_size=2),
)
def test_any_arguments_are_refused_or_fit(name: str, args: Any, kwargs: Any) -> None:
    with contextlib.suppress(ArchitectureError):
        resolve(name).check(args, kwargs)


def test_arithmetic_takes_numbers_alone_and_stays_within_64_bits() -> None:
    assert resolve("operator::add").call(2, 3) == 5
    assert resolve("operator::floordiv").call(7, 2) == 3
    assert resolve("operator::getitem").call((1, 2), 1) == 2
    assert resolve("math::ceil").call(1.5) == 2
    assert resolve("sym::max").call(1, 2) == 2
    assert resolve("sym::sum").call([1, 2]) == 3
    assert resolve("sym::ite").call(True, 1, 2) == 1
    for name, args in [
        *(("operator::mul", ("a", 3)), ("operator::mul", ([1], 2**40))),
        *(("operator::mod", ("%9999999999d", 1)), ("operator::add", (torch.ones(1), 1))),
        *(("operator::getitem", ({"a": 1}, "a")), ("operator::getitem", (torch.ones(1), 0))),
        ("sym::sum", ("text",)),
    ]:
        with pytest.raises(TypeError):
            resolve(name).call(*args)
    for name, args in [
        *(("operator::pow", (10, 10**6)), ("operator::pow", (2, 64))),
        *(("operator::lshift", (1, 10**9)), ("operator::mul", (2**62, 2**62))),
    ]:
        with pytest.raises(ValueError, match=r"in arithmetic|64 bits"):
            resolve(name).call(*args)


def test_what_exports_name_is_known() -> None:
    assert name_of(operator.add) == "operator::add"
    assert name_of(math.floor) == "math::floor"
    assert name_of(torch.sym_max) == "sym::max"
    assert name_of(torch.ops.aten.set_.source_Tensor) is None
    for target in (print, [], None, "aten::add.Tensor", torch.add):
        assert name_of(target) is None


def test_a_release_without_the_operator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import safemodel.adapters.torch.operators as table

    monkeypatch.setattr(table, "_overload", lambda *_: None)
    table._resolve.cache_clear()
    with pytest.raises(ArchitectureError, match="has no operator relu") as caught:
        resolve("aten::relu")
    assert TORCH in (caught.value.hint or "")
    table._resolve.cache_clear()
