"""The table of TensorFlow's operators, against the installed TensorFlow and what files may say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.adapters.tensorflow.bounds import MAX_COUNT, ROLES
from safemodel.adapters.tensorflow.table import (
    REQUIRED,
    TENSORFLOW,
    Argument,
    Operator,
    operator,
    table,
)
from safemodel.errors import ArchitectureError

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(table())
TYPES = {
    *("bool", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float16", "float32", "float64", "complex64", "complex128"),
}


def row(name: str) -> Operator:
    found = operator(name)
    assert found is not None
    return found


def test_every_row_is_what_the_installed_release_declares() -> None:
    tf = pytest.importorskip("tensorflow")
    if not tf.__version__.startswith(TENSORFLOW + "."):
        pytest.skip("the table is that of another release")
    from tensorflow.python.framework import op_def_registry

    for name, one in table().items():
        declared = op_def_registry.get(name)
        assert declared is not None, name
        assert one.stateful == declared.is_stateful, name
        for ours, theirs in ((one.inputs, declared.input_arg), (one.outputs, declared.output_arg)):
            assert [_argument(tf, arg) for arg in theirs] == [_plain(arg) for arg in ours], name
            assert not any(arg.is_ref for arg in theirs), name
        attributes = {attribute.name: attribute for attribute in declared.attr}
        assert set(attributes) == {*one.attributes, *one.ignored}, name
        assert all(attributes[ignored].HasField("default_value") for ignored in one.ignored), name
        for attribute in one.attributes.values():
            _compare(tf, attribute, attributes[attribute.name])


def _plain(one: Argument) -> tuple[str, str, str, bool]:
    return one.name, one.type, one.number, one.several


def _argument(tf: Any, arg: Any) -> tuple[str, str, str, bool]:
    kind = arg.type_list_attr or arg.type_attr or tf.as_dtype(arg.type).name
    return arg.name, kind, arg.number_attr, bool(arg.type_list_attr)


def _compare(tf: Any, ours: Any, theirs: Any) -> None:
    kind = f"list({ours.kind})" if ours.many else ours.kind
    assert kind == theirs.type, ours
    assert ours.least == (theirs.minimum if theirs.has_minimum else None), ours
    allowed = theirs.allowed_values.list
    permitted = {tf.as_dtype(one).name for one in allowed.type} | {
        one.decode() for one in allowed.s
    }
    if permitted:
        assert ours.allowed is not None
        assert ours.allowed <= permitted | {"variant"}, ours
    if ours.kind == "type":
        assert ours.allowed <= TYPES | {"variant", "resource"}, ours
    assert (ours.default is REQUIRED) == (not theirs.HasField("default_value")), ours
    if ours.default is not REQUIRED:
        assert ours.default == _default(tf, ours, theirs.default_value), ours


def _default(tf: Any, ours: Any, value: Any) -> Any:
    def plain(item: Any) -> Any:
        if ours.kind == "type":
            return tf.as_dtype(item).name
        if ours.kind == "float":
            return pytest.approx(item, rel=1e-6)
        return item.decode() if ours.kind == "string" else item

    field = {"bool": "b", "int": "i", "float": "f", "string": "s", "type": "type"}.get(
        ours.kind, ours.kind
    )
    if ours.many:
        return [plain(item) for item in getattr(value.list, field)]
    if ours.kind == "shape":
        return None if value.shape.unknown_rank else [size.size for size in value.shape.dim]
    return plain(getattr(value, field))


def test_the_page_is_that_of_the_table() -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "spec" / "render_tensorflow.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.render()
    assert not set(module.LEFT_OUT) & set(table())


FORBIDDEN = (
    *("File", "PyFunc", "Dataset", "Iterator", "Table", "Queue", "Barrier", "Stack", "Stage"),
    *("Summary", "Print", "Rpc", "Send", "Recv", "Xla", "TPU", "Collective", "Nccl", "Save"),
    *("Restore", "Reader", "VarHandle", "Handle", "Session", "Decode", "Proto", "Parse", "Custom"),
    *("Empty", "Immutable", "Remap", "Vocab", "Remote", "Device", "Mutex", "Debug", "Unigram"),
    *("Deserialize", "Record", "Checkpoint", "Sql", "Sleep", "Boosted", "Fused", "Copy", "Dump"),
)
HARMLESS = {
    *("EmptyTensorList", "SparseFillEmptyRows", "SparseFillEmptyRowsGrad"),
    *("RaggedFillEmptyRows", "RaggedFillEmptyRowsGrad", "DecodeBase64", "DecodeRaw"),
    *("UnicodeDecode", "UnicodeDecodeWithOffsets", "CTCGreedyDecoder", "CTCBeamSearchDecoder"),
    *("TensorListStack",),
}


def test_nothing_is_there_that_reaches_beyond_the_values() -> None:
    for name, one in table().items():
        if name in HARMLESS or name.startswith("FusedBatchNorm"):
            continue
        assert not any(word in name for word in FORBIDDEN), name
        assert not name.startswith("_"), name
        assert "resource" not in {output.type for output in one.outputs}, name
        if one.variables:
            assert one.family in {"variables", "training"}, name
    assert set(table()) >= HARMLESS


def test_only_what_calls_functions_takes_resources_by_attribute() -> None:
    for name, one in table().items():
        for attribute in one.attributes.values():
            if attribute.allowed is not None and "resource" in attribute.allowed:
                assert any(each.kind == "func" for each in one.attributes.values()), name
            if attribute.kind == "func":
                assert one.family == "control", name
            if attribute.kind == "tensor":
                assert name == "Const"


def test_defaults_hold_and_arguments_have_types() -> None:
    for name, one in table().items():
        one.check({}) if not _needed(one) else None
        for argument in (*one.inputs, *one.outputs):
            known = one.attributes.get(argument.type)
            assert known is not None or argument.type in TYPES | {"resource", "variant"}, name
            assert not argument.number or one.attributes[argument.number].role == "count", name
        for attribute in one.attributes.values():
            assert not attribute.role or attribute.role in ROLES
            if attribute.default is not REQUIRED:
                attribute.check(attribute.default)


def _needed(one: Operator) -> list[str]:
    return [name for name, each in one.attributes.items() if each.default is REQUIRED]


CONV = {"T": "float32", "strides": [1, 1, 1, 1], "padding": "SAME"}


def test_a_node_has_the_inputs_and_outputs_that_its_attributes_say() -> None:
    conv = row("Conv2D")
    conv.check(CONV)
    assert conv.arity(CONV) == (2, 1)
    assert conv.input_types(CONV) == ("float32", "float32")
    assert row("SparseConcat").arity({"N": 3, "T": "int64", "concat_dim": 0}) == (9, 3)
    split = {"T": "float32", "num_split": 2}
    assert row("SparseSplit").output_places(split) == {
        "output_indices": (0, 2),
        "output_values": (2, 2),
        "output_shape": (4, 2),
    }
    loop = {"T": ["int32", "resource"], "cond": {"function": 0}, "body": {"function": 1}}
    row("While").check(loop)
    assert row("While").output_types(loop) == ("int32", "resource")
    assert row("ResourceApplyAdam").variables == {"var", "m", "v"}
    assert conv.complete(CONV)["dilations"] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("Conv2D", {**CONV, "padding": "OTHER"}),
        ("Conv2D", {**CONV, "strides": [1, 1, 1]}),
        ("Conv2D", {**CONV, "strides": [1, 0, 1, 1]}),
        ("Conv2D", {**CONV, "strides": [1, 1, 1, 2**62]}),
        ("Conv2D", {**CONV, "strides": [1, 1, 1, True]}),
        ("Conv2D", {**CONV, "T": "string"}),
        ("Conv2D", {**CONV, "T": "resource"}),
        ("Conv2D", {**CONV, "explicit_paddings": [-1] * 8}),
        ("Conv2D", {**CONV, "use_cudnn_on_gpu": True}),
        ("Conv2D", {**CONV, "_XlaMustCompile": True}),
        ("Conv2D", {"T": "float32", "padding": "SAME"}),
        ("ConcatV2", {"N": 1, "T": "float32", "Tidx": "int32"}),
        ("ConcatV2", {"N": 2**40, "T": "float32"}),
        ("ConcatV2", {"N": True, "T": "float32"}),
        ("ConcatV2", {"N": 2.0, "T": "float32"}),
        ("IdentityN", {"T": []}),
        ("IdentityN", {"T": ["float32"] * (MAX_COUNT + 1)}),
        ("IdentityN", {"T": "float32"}),
        ("EnsureShape", {"T": "float32", "shape": [-2]}),
        ("EnsureShape", {"T": "float32", "shape": [2**40, 2**40]}),
        ("EnsureShape", {"T": "float32", "shape": [1] * 255}),
        ("LeakyRelu", {"T": "float32", "alpha": 1}),
        ("While", {"T": ["int32"], "cond": 0, "body": {"function": 1}}),
        ("While", {"T": ["int32"], "cond": {"function": 0, "x": 1}, "body": {"function": 1}}),
        ("StaticRegexFullMatch", {"pattern": "a" * 1001}),
        ("UnicodeTranscode", {"input_encoding": "../../etc", "output_encoding": "UTF-8"}),
        ("Einsum", {"N": 1, "T": "float32", "equation": "ij->{}"}),
        ("AsString", {"T": "int32", "width": 2**31 - 1}),
        ("Identity", {"T": "resource"}),
    ],
)
def test_attributes_that_are_refused(name: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(ArchitectureError, match=f"operator {name}"):
        row(name).check(attributes)


@pytest.mark.parametrize("name", ["", "ReadFile", "PyFunc", "_Send", "conv2d", "Conv2D\n", "types"])
def test_names_that_are_not_in_the_table(name: str) -> None:
    assert operator(name) is None


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["float32", "resource", "SAME", "ij->i"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(name=st.sampled_from(NAMES), data=st.data())
def test_any_attributes_are_refused_or_have_a_small_arity(name: str, data: Any) -> None:
    one = row(name)
    some = st.dictionaries(st.sampled_from([*sorted(one.attributes), "x"]), PLAIN)
    attributes = data.draw(some)
    try:
        one.check(attributes)
    except ArchitectureError:
        return
    inputs, outputs = one.arity(attributes)
    assert max(inputs, outputs) <= 4 * MAX_COUNT
    assert len(one.input_types(attributes)) == inputs
    assert sum(count for _, count in one.output_places(attributes).values()) == outputs


@given(values=st.lists(st.integers() | st.floats() | st.text(), max_size=5))
def test_floats_are_floats(values: list[Any]) -> None:
    boundaries = {"T": "float32", "boundaries": values}
    good = all(type(value) is float for value in values)
    if good:
        row("Bucketize").check(boundaries)
    else:
        with pytest.raises(ArchitectureError):
            row("Bucketize").check(boundaries)
