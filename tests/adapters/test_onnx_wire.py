"""Our reader and writer of ONNX messages, against protobuf's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from onnx import helper

from safemodel import limits
from safemodel.adapters.onnx import operators, varints, wire
from safemodel.adapters.onnx.schema import FIELDS
from safemodel.errors import DamagedError, LimitError, SafemodelError

WIDE = st.integers(-(2**63), 2**63 - 1)
NARROW = st.integers(-300, 300)
LISTS = st.lists(st.one_of(NARROW, WIDE), max_size=200)


def node_of(**attributes: object) -> onnx.ModelProto:
    node = helper.make_node("Identity", ["x"], ["y"], **attributes)
    return helper.make_model(helper.make_graph([node], "g", [], []))


def both_ways(model: onnx.ModelProto) -> None:
    data = model.SerializeToString(deterministic=True)
    assert wire.write(wire.read(memoryview(data), strict=True)) == data
    assert wire.write(wire.read(memoryview(data), strict=False)) == data


@given(LISTS, st.lists(st.floats(width=32), max_size=200), st.lists(st.binary(max_size=9)))
def test_lists_of_attributes(ints: list[int], floats: list[float], texts: list[bytes]) -> None:
    model = node_of(a=1)
    attribute = model.graph.node[0].attribute[0]
    attribute.ints.extend(ints)
    attribute.floats.extend(floats)
    attribute.strings.extend(texts)
    both_ways(model)


@given(LISTS, st.lists(st.integers(0, 2**64 - 1), max_size=200), st.lists(st.floats()))
def test_packed_numbers(ints: list[int], wide: list[int], doubles: list[float]) -> None:
    model = node_of(a=1)
    tensor = model.graph.initializer.add()
    tensor.int64_data.extend(ints)
    tensor.uint64_data.extend(wide)
    tensor.double_data.extend(doubles)
    tensor.int32_data.extend(value % 2**31 for value in ints)
    both_ways(model)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_varints_in_blocks(values: list[int]) -> None:
    array = np.array(values, "<u8")
    data = varints.encode_varints(array, None)
    assert data == b"".join(map(varints.varint, values))
    assert varints.unpack(memoryview(data), "uint64", 0, strict=True).tolist() == values


def test_millions_of_numbers() -> None:
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 3_000_000)
    data = varints.encode_varints(values, 0x40)
    assert varints.run(0x40, 0, True).match(data).end() == len(data)  # type: ignore[union-attr]
    assert np.array_equal(varints.untag(memoryview(data), "int64", 0), values)


def test_the_other_writings_are_for_saving_only() -> None:
    dims_packed = b"\x08\x0a\x3a\x06\x2a\x04\x0a\x02\x03\x04"
    packed = wire.read(memoryview(dims_packed), strict=False).get("graph").all("initializer")[0]
    assert list(packed.all("dims")) == [3, 4]
    data_unpacked = b"\x08\x0a\x3a\x06\x2a\x04\x38\x03\x38\x04"
    unpacked = wire.read(memoryview(data_unpacked), strict=False)
    assert list(unpacked.get("graph").all("initializer")[0].all("int64_data")) == [3, 4]
    for data in (dims_packed, data_unpacked):
        with pytest.raises(DamagedError):
            wire.read(memoryview(data), strict=True)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        b"\x88\x80\x00\x01",  # a tag of three bytes
        b"\x3a\x08\x2a\x06\x88\x00\x01\x88\x00\x02",  # dims behind long tags
        b"\x3a\x06\x2a\x04\xb2\x00\x01\x61",  # a string behind one
        b"\x3a\x03\x2a\x01\x08",
        b"\x3a\x04\x2a\x02\x3a\x01",
        b"\x3a\x05\x2a\x03\x22\x01\x00",  # a float of one byte
        b"\x0b\x0c",
        b"\xff" * 20,
    ],
)
def test_bytes_that_end_early_or_are_longer_than_they_must(data: bytes, strict: bool) -> None:
    with pytest.raises(DamagedError):
        wire.read(memoryview(data), strict=strict)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes(data: bytes, strict: bool) -> None:
    try:
        model = wire.read(memoryview(data), strict=strict)
    except (SafemodelError, LimitError):
        return
    written = wire.write(model)
    assert not strict or written == data
    assert wire.write(wire.read(memoryview(written), strict=True)) == written


def test_many_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    data = memoryview(node_of(a=[b""] * 1000).SerializeToString())
    wire.read(data, strict=True)
    monkeypatch.setattr(limits, "MAX_ONNX_FIELDS", 500)
    with pytest.raises(LimitError):
        wire.read(data, strict=True)


def test_the_table_of_messages_is_that_of_onnx() -> None:
    """Each message and field of the installed onnx, with number, kind and packing."""
    from google.protobuf.descriptor import FieldDescriptor as Kind

    kinds = {
        Kind.TYPE_INT64: "int64", Kind.TYPE_INT32: "int32", Kind.TYPE_ENUM: "int32",
        Kind.TYPE_UINT64: "uint64", Kind.TYPE_FLOAT: "float", Kind.TYPE_DOUBLE: "double",
        Kind.TYPE_STRING: "text", Kind.TYPE_BYTES: "bytes",
    }  # fmt: skip
    todo, seen = [("Model", onnx.ModelProto.DESCRIPTOR)], {"Model"}
    while todo:
        name, descriptor = todo.pop()
        ours = {one.name: one for one in FIELDS[name]}
        known = {one.name for one in descriptor.fields}
        assert known <= set(ours), name
        for theirs in descriptor.fields:
            one = ours[theirs.name]
            assert (one.number, one.repeated) == (theirs.number, theirs.is_repeated), one
            assert one.packed == bool(theirs.GetOptions().packed), one
            assert bool(one.choice) == (theirs.containing_oneof is not None), one
            if theirs.message_type is None:
                assert one.kind == kinds[theirs.type], one
            elif one.kind not in seen:
                seen.add(one.kind)
                todo.append((one.kind, theirs.message_type))
    assert seen == set(FIELDS)


def test_the_table_of_operators_names_what_is_built_in() -> None:
    """What it has beyond the installed libraries is of their other versions and builds."""
    runtime = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    built_in = {
        (schema.domain or "ai.onnx", schema.name)
        for schema in (
            *onnx.defs.get_all_schemas_with_history(),
            *runtime.get_all_operator_schema(),
        )
    }
    listed = {(domain, name) for domain, names in operators.table().items() for name in names}
    left_out = {name for domain, name in built_in - listed if domain not in INTERNAL}
    assert left_out <= {"EPContext", "Snpe", "MemcpyFromHost", "MemcpyToHost"}
    assert len(listed - built_in) < 0.1 * len(listed)
    words = ("Python", "PyOp", "ATen", "File", "Load", "Save", "Print", "External", "Context")
    assert not [name for _, name in listed if any(word in name for word in words)]


INTERNAL = ("com.microsoft.nchwc", "com.ms.internal.nhwc", "com.microsoft.dml")
