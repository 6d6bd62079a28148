"""The PyTorch adapter: state of any kind comes back as it was; hostile state does not."""

from __future__ import annotations

import collections
import contextlib
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from safemodel import adapters  # noqa: E402
from safemodel.adapters import torch as adapter  # noqa: E402
from safemodel.adapters.torch import tables  # noqa: E402
from safemodel.bundle import open_bundle  # noqa: E402
from safemodel.errors import ArchitectureError, SafemodelError, UnsavableError  # noqa: E402
from safemodel.format.weights import TensorSpec  # noqa: E402

from .compare import assert_same  # noqa: E402
from .mutate import mutate  # noqa: E402
from .support import Codec, MemoryBundle  # noqa: E402

codec = Codec(adapter.HANDLERS, adapter.INLINES, adapter.BUILDERS, adapter.PARSERS)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        # Sparse compressed, complex32 and quantized tensors announce their state of support.
        warnings.simplefilter("ignore")
        yield


def same(first: Any, second: Any) -> None:
    assert type(first) is type(second)
    assert first.dtype == second.dtype
    assert first.shape == second.shape
    assert first.layout == second.layout
    assert first.requires_grad == second.requires_grad
    assert first.is_conj() == second.is_conj()
    assert first.is_neg() == second.is_neg()
    if first.layout is not torch.strided:
        assert torch.equal(first.detach().to_dense(), second.detach().to_dense())
        return
    assert first.stride() == second.stride()
    assert _bits(first) == _bits(second)


def _bits(tensor: Any) -> bytes:
    plain = tensor.detach().resolve_conj().resolve_neg()
    data: bytes = plain.view(tables.CARRIERS[plain.element_size()]).numpy().tobytes()
    return data


def sample(dtype: Any) -> Any:
    raw = torch.arange(24 * dtype.itemsize, dtype=torch.int64).remainder(2).to(torch.uint8)
    return raw.view(dtype).reshape(4, 6)


@pytest.mark.parametrize("name", tables.DTYPES)
def test_every_dtype_in_every_layout(name: str) -> None:
    tensor = sample(tables.DTYPES[name][0])
    held = [tensor.t(), tensor[::2, 1:], tensor[0, 0], tensor[:0], tensor.expand(3, 4, 6)]
    for view in [tensor, *held]:
        result = codec.roundtrip(view)
        assert result.dtype == view.dtype
        assert result.stride() == view.stride()
        assert _bits(result) == _bits(view)
    shared = codec.roundtrip([tensor, *held])
    pointers = {t.untyped_storage().data_ptr() for t in shared if t.numel()}
    assert len(pointers) == 1


@st.composite
def tensors(draw: Any) -> Any:
    dtypes = [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.complex64, torch.uint16]
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    tensor = torch.zeros(shape, dtype=draw(st.sampled_from(dtypes)))
    if tensor.numel():
        tensor.view(tables.CARRIERS[tensor.element_size()]).flatten()[0] = 1
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["permute", "slice", "expand", "conj", "unsqueeze"]))
        if kind == "permute":
            tensor = tensor.permute(draw(st.permutations(range(tensor.dim()))))
        elif kind == "slice" and tensor.dim():
            step = draw(st.integers(1, 3))
            tensor = tensor[draw(st.integers(0, 2)) :: step]
        elif kind == "expand":
            tensor = tensor.expand(2, *tensor.shape)
        elif kind == "conj":
            tensor = tensor.conj()
        elif kind == "unsqueeze":
            tensor = tensor.unsqueeze(draw(st.integers(0, tensor.dim())))
    return tensor


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_tensors_and_views_of_them_come_back_as_they_were(data: st.DataObject) -> None:
    first = data.draw(tensors())
    value = [first, data.draw(tensors()), first, first.detach()[..., None]]
    result = codec.roundtrip(value)
    for before, after in zip(value, result, strict=True):
        same(before, after)
    assert result[0] is result[2]
    if first.numel():
        assert result[0].data_ptr() == result[3].data_ptr()


def test_a_state_dict_shows_exactly_its_keys_and_shapes() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LSTM(4, 2)
    ).to(memory_format=torch.channels_last)
    state = model.state_dict()
    graph, bundle = codec.save(state)
    assert {name: shape for name, (_, shape) in bundle.stored.items()} == {
        name: tuple(tensor.shape) for name, tensor in state.items()
    }
    result = codec.load(graph, bundle)
    assert type(result) is collections.OrderedDict
    assert result._metadata == state._metadata
    for name, tensor in state.items():
        same(tensor, result[name])
    fresh = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LSTM(4, 2)
    )
    fresh.load_state_dict(result)


def test_tied_tensors_are_stored_once_and_tied_again() -> None:
    weight = torch.nn.Parameter(torch.randn(5, 3))
    graph, bundle = codec.save({"embed": weight, "head": weight, "part": weight.detach()[1:3]})
    assert bundle.stored == {"embed": ("F32", (5, 3))}
    result = codec.load(graph, bundle)
    assert result["embed"] is result["head"]
    assert result["part"].data_ptr() == result["embed"].data_ptr() + 12
    state = {"a": weight.detach(), "b": weight.detach().t(), "c": weight.detach().view(torch.int32)}
    result = codec.roundtrip(state)
    assert len({t.untyped_storage().data_ptr() for t in result.values()}) == 1


def test_views_without_a_cover_share_one_storage_of_the_range_they_cover() -> None:
    memory = torch.full((100,), 9.0)
    graph, bundle = codec.save([memory[10:20], memory[15:30], memory[50:60]])
    assert bundle.stored == {"0.storage": ("F32", (20,)), "2": ("F32", (10,))}
    result = codec.load(graph, bundle)
    result[0][5] = 1
    assert result[1][0] == 1


def test_parameters_buffers_and_gradients_wanted() -> None:
    tensor = torch.randn(3)
    value = [
        torch.nn.Parameter(tensor),
        torch.nn.Parameter(torch.ones(2, dtype=torch.int32), requires_grad=False),
        torch.nn.Buffer(torch.ones(2), persistent=False),
        torch.ones(2, requires_grad=True),
        tensor,
    ]
    result = codec.roundtrip(value)
    for before, after in zip(value, result, strict=True):
        same(before, after)
    assert result[2]._is_buffer
    assert result[2].persistent is False
    assert result[4].data_ptr() == result[0].data_ptr()


def test_conjugate_and_negative_views() -> None:
    tensor = torch.randn(3, 4, dtype=torch.complex64)
    value = [tensor, tensor.conj(), tensor.conj().imag, tensor.t().conj(), torch._neg_view(tensor)]
    result = codec.roundtrip(value)
    for before, after in zip(value, result, strict=True):
        same(before, after)
    for after in result:
        assert after.untyped_storage().data_ptr() == result[0].untyped_storage().data_ptr()


def test_quantized_tensors() -> None:
    values = torch.randn(3, 4, 2, 2)
    for dtype in (torch.qint8, torch.quint8, torch.qint32):
        first = torch.quantize_per_tensor(values, 0.1, 3, dtype)
        result = codec.roundtrip(first)
        assert torch.equal(first, result)
        assert (first.q_scale(), first.q_zero_point()) == (result.q_scale(), result.q_zero_point())
    scales, zeros = torch.rand(4).double() + 0.1, torch.arange(4)
    per_channel = torch.quantize_per_channel(values, scales, zeros, 1, torch.qint8)
    result = codec.roundtrip(per_channel)
    assert torch.equal(per_channel.int_repr(), result.int_repr())
    assert torch.equal(per_channel.q_per_channel_scales(), result.q_per_channel_scales())
    assert torch.equal(per_channel.q_per_channel_zero_points(), result.q_per_channel_zero_points())
    assert result.q_per_channel_axis() == 1
    last = values.contiguous(memory_format=torch.channels_last)
    first = torch.quantize_per_tensor(last, 0.1, 3, torch.qint8)
    assert codec.roundtrip(first).stride() == first.stride()


def test_sparse_tensors() -> None:
    dense = torch.tensor([[0.0, 1, 0, 2], [3, 0, 0, 0]])
    coo = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 0]], [3.0, 4, 5], (2, 3))
    value = [coo, coo.coalesce(), dense.to_sparse(1)]
    value += [dense.to_sparse(layout=kind) for kind in (torch.sparse_csr, torch.sparse_csc)]
    for layout in (torch.sparse_bsr, torch.sparse_bsc):
        value.append(dense.to_sparse(layout=layout, blocksize=(1, 2)))
    value.append(dense.to_sparse().requires_grad_())
    for before in value:
        after = codec.roundtrip(before)
        same(before, after)
        if before.layout is torch.sparse_coo:
            assert before.is_coalesced() == after.is_coalesced()


def test_plain_things_of_torch() -> None:
    value = [
        torch.Size([1, 2]),
        torch.device("cuda:1"),
        torch.device("cpu"),
        torch.float8_e4m3fn,
        torch.qint8,
        torch.sparse_csr,
        torch.channels_last,
        {torch.Size([1]): torch.bool},
    ]
    result = codec.roundtrip(value)
    assert result == value
    assert list(map(type, result)) == list(map(type, value))


def test_numpy_lives_in_torch_state() -> None:
    array = np.arange(6.0).reshape(2, 3)
    value = {
        "array": array,
        "view": array[1:],
        "state": np.random.RandomState(1),
        "n": np.float32(1),
    }
    result = codec.roundtrip(value)
    assert_same(array, result["array"])
    assert np.shares_memory(result["array"], result["view"])


def test_an_array_and_a_tensor_over_the_same_memory_share_it_again() -> None:
    array = np.arange(6.0)
    result = codec.roundtrip({"array": array, "tensor": torch.from_numpy(array)[2:]})
    result["array"][2] = 99
    assert result["tensor"][0] == 99


def test_generators_go_on_where_they_were() -> None:
    for drawn in (0, 1, 623, 624, 625, 3000):
        generator = torch.Generator().manual_seed(3)
        torch.rand(drawn, generator=generator)
        loaded = codec.roundtrip(generator)
        for _ in range(3):
            assert torch.equal(
                torch.randn(7, generator=generator), torch.randn(7, generator=loaded)
            )


class _Tensor(torch.Tensor):  # type: ignore[misc]
    pass


def _hooked() -> Any:
    tensor = torch.ones(2, requires_grad=True)
    tensor.register_hook(lambda grad: grad)
    return tensor


def _attributed() -> Any:
    tensor = torch.ones(2)
    tensor.tag = 1
    return tensor


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.empty(2, device="meta"), "meta"),
        (torch.ones(2).as_subclass(_Tensor), "_Tensor"),
        (torch.nn.UninitializedParameter(), "Uninitialized"),
        (_hooked(), "hooks"),
        (_attributed(), "tag"),
        (torch.ones(2).untyped_storage(), "Storage"),
        (torch.ones(1).expand(1 << 30), "addresses"),
        (torch.nn.Linear(2, 2), "Linear"),
        (torch.max(torch.ones(2, 2), 0), "max"),
        (torch.relu, ""),
        (torch.randn(4).to_mkldnn() if torch.backends.mkldnn.is_available() else len, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_has_no_form_is_refused_at_save(value: Any, words: str) -> None:
    with pytest.raises(UnsavableError, match=words) as caught:
        codec.encode({"a": [value]})
    assert caught.value.place == "a.0"


# Hostile nodes


def load_tensor(
    node: dict[str, Any], data: bytes = bytes(64), dtype: str = "U8", **more: Any
) -> Any:
    bundle = MemoryBundle([])
    bundle.add(TensorSpec("x", dtype, more.get("shape", (len(data),))), data)
    graph = {"root": {"ref": 0}, "nodes": [{"kind": "tensor", "data": "x", **node}]}
    return codec.load(graph, bundle)


def view(shape: list[int], strides: list[int], offset: int = 0, dtype: Any = "float64") -> Any:
    return {"dtype": dtype, "shape": shape, "strides": strides, "offset": offset}


@pytest.mark.parametrize(
    "node",
    [
        view([9], [8]),
        view([8], [8], 8),
        view([7], [8], 4),
        view([7], [4]),
        view([8], [-8], 56),
        view([2], [2**53 - 1]),
        view([2**50], [0]),
        view([-1], [8]),
        view([1], [8], 64),
        view([1] * 65, [8] * 65),
        view([0, 2**53 - 1, 2**53 - 1], [8, 8, 8]),
        {"dtype": "float64", "shape": [1]},
        {"dtype": "float64"},
        {"dtype": "double"},
        {"dtype": "__class__"},
        {"dtype": "qint8"},
        {"dtype": "uint8", "layout": [2]},
        {"dtype": "uint8", "layout": [0]},
        {"dtype": "uint8", "layout": [1, 1]},
        {"dtype": "uint8", "layout": [1], **view([8], [1])},
        {"dtype": "uint8", "class": "Buffer"},
        {"dtype": "uint8", "class": "Module"},
        {"dtype": "uint8", "persistent": True},
        {"dtype": "uint8", "class": "Parameter", "persistent": True},
        {"dtype": "uint8", "requires_grad": True},
        {"dtype": "uint8", "requires_grad": False},
        {"dtype": "uint8", "conj": 1},
        {"dtype": "bool"},
    ],
    ids=str,
)
def test_a_tensor_never_reaches_beyond_its_bytes(node: Any) -> None:
    with pytest.raises(ArchitectureError):
        load_tensor(node)


def test_booleans_are_checked() -> None:
    assert load_tensor({"dtype": "bool"}, b"\0\1", "BOOL").sum() == 1
    for node, dtype in [
        ({"dtype": "bool"}, "BOOL"),
        ({"dtype": "bool", "layout": [1]}, "BOOL"),
        (view([2], [1], 0, "bool"), "U8"),
    ]:
        with pytest.raises(ArchitectureError, match="boolean"):
            load_tensor(node, b"\0\2", dtype)


@pytest.mark.parametrize("flags", [{"class": "Parameter"}, {"requires_grad": True}], ids=str)
@pytest.mark.parametrize(
    ("shape", "strides"),
    [([1000, 1000], [0, 0]), ([2, 4], [4, 4]), ([4], [8]), ([2, 2], [16, 4]), ([2, 2], [0, 4])],
    ids=str,
)
def test_a_parameter_with_holes_or_overlaps_is_refused(
    shape: list[int], strides: list[int], flags: dict[str, Any]
) -> None:
    node = view(shape, strides, 0, "float32")
    before = load_tensor(node)
    assert before.stride() == tuple(step // 4 for step in strides)
    with pytest.raises(ArchitectureError, match="overlap or leave holes"):
        load_tensor({**node, **flags})
    trained = torch.nn.Parameter(before) if "class" in flags else before.requires_grad_()
    with pytest.raises(UnsavableError, match="overlap or leave holes"):
        codec.encode(trained)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3, 4).t(),
        torch.ones(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        torch.ones(6)[2:4],
        torch.ones(3, 1).expand(3, 1),
        torch.ones(1).as_strided((1, 1), (0, 7)),
        torch.ones(4)[:0],
        torch.ones(()),
    ],
    ids=lambda tensor: str(tuple(tensor.shape)),
)
def test_a_parameter_without_holes_comes_back_as_it_was(tensor: Any) -> None:
    same(torch.nn.Parameter(tensor), codec.roundtrip(torch.nn.Parameter(tensor)))


@pytest.mark.parametrize(
    ("node", "changes"),
    [
        ("sparse_coo", {"indices": [[9], [0]]}),
        ("sparse_coo", {"indices": [[-1], [0]]}),
        ("sparse_coo", {"shape": [2]}),
        ("sparse_coo", {"shape": [2, -1]}),
        ("sparse_coo", {"coalesced": True, "indices": [[1, 0], [0, 0]], "values": [1.0, 2.0]}),
        ("sparse_coo", {"values": [1.0, 2.0]}),
        ("sparse_compressed", {"plain": [9]}),
        ("sparse_compressed", {"plain": [-1]}),
        ("sparse_compressed", {"compressed": [0, 1, 9]}),
        ("sparse_compressed", {"compressed": [1, 0, 1]}),
        ("sparse_compressed", {"layout": "sparse_bsr"}),
        ("sparse_compressed", {"layout": "strided"}),
        ("sparse_compressed", {"layout": "sparse_coo"}),
        ("sparse_compressed", {"shape": [2**40, 2**40]}),
    ],
)
def test_indices_of_sparse_tensors_are_checked(node: str, changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "sparse_coo": {"shape": [2, 2], "indices": [[1], [0]], "values": [1.0]},
        "sparse_compressed": {
            "shape": [2, 2],
            "layout": "sparse_csr",
            "compressed": [0, 0, 1],
            "plain": [1],
            "values": [1.0],
        },
    }[node]
    codec.load(*_sparse(node, fields))
    with pytest.raises(ArchitectureError):
        codec.load(*_sparse(node, {**fields, **changes}))


def _sparse(kind: str, fields: dict[str, Any]) -> Any:
    names = [name for name in sorted(fields) if name not in ("shape", "layout", "coalesced")]
    children = [torch.tensor(fields[name]) for name in names]
    graph, bundle = codec.save(children)
    references = {name: {"ref": i + 1} for i, name in enumerate(names)}
    nodes = [{"kind": kind, **fields, **references}, *graph["nodes"][1:]]
    return {"root": {"ref": 0}, "nodes": nodes}, bundle


@pytest.mark.parametrize("kind", ["sparse_coo", "sparse_csr", "sparse_csc"])
def test_no_other_tensor_shares_the_indices_of_a_sparse_one(kind: str) -> None:
    before = torch.eye(3).to_sparse(layout=getattr(torch, kind))
    graph, bundle = codec.save([before])
    # Beside it, all its parts as tensors of their own, which the caller may write to.
    items = graph["nodes"][0]["items"]
    items += [{"ref": index} for index in range(2, len(graph["nodes"]))]
    result, *parts = codec.load(graph, bundle)
    for part in parts:
        if part.dtype is torch.int64:
            part.fill_(2**40)
    same(before, result)
    assert parts[-1].data_ptr() == result.values().data_ptr() or kind == "sparse_coo"


@pytest.mark.parametrize("kind", ["sparse_coo", "sparse_csr"])
def test_copies_of_indices_have_a_limit(kind: str) -> None:
    size, few = 1 << 20, 1 << 10
    bundle = MemoryBundle([])
    bundle.add(TensorSpec("x", "I64", (1,)), bytes(8))
    zero = {"kind": "tensor", "data": "x", **view([size], [0], 0, "int64")}
    values = {"kind": "tensor", "data": "x", **view([size], [0], 0, "int8")}
    if kind == "sparse_coo":
        zero = {"kind": "tensor", "data": "x", **view([1, size], [0, 0], 0, "int64")}
        node = {"kind": kind, "shape": [few], "indices": {"ref": -1}, "values": {"ref": -2}}
        assert len(codec.load(_many(node, 8, zero, values), bundle)) == 8
        with pytest.raises(ArchitectureError, match="copies of far more"):
            codec.load(_many(node, 9, zero, values), bundle)
        return
    plain = {"kind": "tensor", "data": "x", **view([0], [0], 0, "int64")}
    empty = {"kind": "tensor", "data": "x", **view([0], [0], 0, "int8")}
    node = {"kind": "sparse_compressed", "layout": kind, "shape": [size - 1, few],
            "compressed": {"ref": -1}, "plain": {"ref": -2}, "values": {"ref": -3}}  # fmt: skip
    assert len(codec.load(_many(node, 8, zero, plain, empty), bundle)) == 8
    with pytest.raises(ArchitectureError, match="copies of far more"):
        codec.load(_many(node, 9, zero, plain, empty), bundle)


@pytest.mark.parametrize(
    "changes",
    [
        {"zero_point": 128},
        {"zero_point": -129},
        {"zero_point": True},
        {"scale": 1},
        {"dtype": "quint8"},
        {"dtype": "int8"},
        {"axis": 0},
        {"values": None},
    ],
    ids=str,
)
def test_parameters_of_quantized_tensors_are_checked(changes: dict[str, Any]) -> None:
    graph, bundle = codec.save(torch.quantize_per_tensor(torch.ones(3), 0.5, 0, torch.qint8))
    graph["nodes"][0].update(changes)
    with pytest.raises(ArchitectureError):
        codec.load(graph, bundle)


def test_scales_of_channels_are_as_many_as_the_channels() -> None:
    first = torch.quantize_per_channel(
        torch.ones(3, 2), torch.ones(3), torch.zeros(3), 0, torch.qint8
    )
    graph, bundle = codec.save(first)
    for axis in (1, 2, -1):
        graph["nodes"][0]["axis"] = axis
        with pytest.raises(ArchitectureError):
            codec.load(graph, bundle)


def _many(node: dict[str, Any], count: int, *parts: dict[str, Any]) -> Any:
    """A list of nodes of one kind that all refer to the same parts, by negative numbers."""
    refer = {key: {"ref": count - value["ref"]} for key, value in node.items()
             if type(value) is dict and "ref" in value}  # fmt: skip
    items = [{"ref": index + 1} for index in range(count)]
    nodes = [{"kind": "list", "items": items}, *[{**node, **refer} for _ in range(count)], *parts]
    return {"root": {"ref": 0}, "nodes": nodes}


@pytest.mark.parametrize("stride", [0, 1])
def test_copies_of_views_of_few_bytes_have_a_limit(stride: int) -> None:
    size = 8 << 20
    stored = size * stride + 4
    bundle = MemoryBundle([])
    bundle.add(TensorSpec("x", "I8", (stored,)), bytes(stored))
    node = {"kind": "quantized", "dtype": "qint8", "values": {"ref": -1},
            "scale": {"float": (1.0).hex()}, "zero_point": 0}  # fmt: skip
    part = {"kind": "tensor", "data": "x", **view([size], [stride], 0, "int8")}
    free = (64 << 20) // size + 2 * stride
    assert len(codec.load(_many(node, free, part), bundle)) == free
    with pytest.raises(ArchitectureError, match="copies of far more"):
        codec.load(_many(node, free + 1, part), bundle)


def test_copies_of_small_overlapping_steps_have_a_limit() -> None:
    # A window that moves by one item: 4,096 times as many items as there are.
    bundle = MemoryBundle([])
    bundle.add(TensorSpec("x", "I8", (8191,)), bytes(8191))
    node = {"kind": "quantized", "dtype": "qint8", "values": {"ref": -1},
            "scale": {"float": (1.0).hex()}, "zero_point": 0}  # fmt: skip
    part = {"kind": "tensor", "data": "x", **view([4096, 4096], [1, 1], 0, "int8")}
    assert len(codec.load(_many(node, 4, part), bundle)) == 4
    with pytest.raises(ArchitectureError, match="copies of far more"):
        codec.load(_many(node, 5, part), bundle)


def test_many_scales_and_generators_over_one_tensor_have_a_limit() -> None:
    state, scales = torch.Generator().get_state(), torch.ones(1 << 16).double()
    graph, bundle = codec.save([torch.Generator().manual_seed(1)])
    part = graph["nodes"][2]
    with pytest.raises(ArchitectureError, match="copies of far more"):
        codec.load(_many({"kind": "torch_generator", "state": {"ref": -1}}, 14_000, part), bundle)
    assert state.numel() * 14_000 > 64 << 20
    channels = torch.quantize_per_channel(
        torch.ones(1 << 16), scales, torch.zeros(1 << 16), 0, torch.qint8
    )
    graph, bundle = codec.save([channels])
    _, node, *parts = graph["nodes"]
    for name in ("scale", "values", "zero_point"):
        node[name] = {"ref": 1 - node[name]["ref"]}
    with pytest.raises(ArchitectureError, match="copies of far more"):
        codec.load(_many(node, 200, *parts), bundle)


def test_a_generator_never_reads_outside_its_words() -> None:
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    graph, bundle = codec.save(generator)
    good = bytes(bundle.buffers["value"])
    for offset, dtype, bad in [(8, "<i4", 624), (8, "<i4", 0), (16, "<u8", 624), (12, "<i4", 0)]:
        state = np.frombuffer(bytearray(good), np.uint8)
        state[offset : offset + np.dtype(dtype).itemsize] = np.array([bad], dtype).view(np.uint8)
        other = MemoryBundle([])
        other.add(bundle.tensors["value"], state.tobytes())
        with pytest.raises(ArchitectureError, match="generator"):
            codec.load(graph, other)


def _everything() -> Any:
    base = torch.randn(4, 6)
    state = torch.nn.BatchNorm1d(2).state_dict()
    dense = torch.tensor([[0.0, 1, 0, 2], [3, 0, 0, 0]])
    return {
        "base": base,
        "views": [base.t(), base[1:, ::2], base.expand(2, 4, 6), base.view(torch.int32)],
        "alone": torch.randn(3, 4).t(),
        "model": state,
        "flags": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "conj": torch.randn(3, dtype=torch.complex64).conj(),
        "sparse": [dense.to_sparse(), dense.to_sparse_csr(), dense.to_sparse_bsr((1, 2))],
        "quantized": [
            torch.quantize_per_tensor(dense, 0.5, 0, torch.qint8),
            torch.quantize_per_channel(dense, torch.ones(2), torch.zeros(2), 0, torch.quint8),
        ],
        "generator": torch.Generator(),
        "plain": (torch.Size([2]), torch.float16, torch.device("cpu"), 1.5, {1, 2}),
        "array": np.arange(6.0).reshape(2, 3)[:, ::2],
    }


_WORDS = [
    "tensor", "sparse_coo", "sparse_compressed", "quantized", "torch_generator", "list", "dict",
    "OrderedDict", "ndarray", "float32", "float64", "bool", "int8", "int64", "complex64", "uint8",
    "bfloat16", "qint8", "quint8", "sparse_csr", "sparse_bsc", "strided", "Parameter", "Buffer",
    "base", "alone", "flags", "model.weight", "sparse.0.indices", "generator", "<f8",
]  # fmt: skip


def _use(value: Any, seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        if value.numel() < 1 << 12 and value.layout is not torch.strided:
            value.detach().to_dense().sum()
        elif value.numel() < 1 << 12:
            if value.is_quantized:
                value.dequantize()
            else:
                with contextlib.suppress(NotImplementedError):  # of types that can only be kept
                    value.detach().clone()
            if value.dtype is torch.bool:
                torch.arange(value.numel()).reshape(value.shape)[value]
    elif isinstance(value, torch.Generator):
        torch.rand(700, generator=value)
    elif isinstance(value, dict):
        for item in value.values():
            _use(item, seen)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _use(item, seen)


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**63))
def test_random_edits_are_refused_or_harmless(seed: int) -> None:
    graph, bundle = _saved()
    with contextlib.suppress(SafemodelError):
        _use(codec.load(mutate(graph, seed, _WORDS), bundle), set())


_SAVED: list[Any] = []


def _saved() -> Any:
    if not _SAVED:
        _SAVED.append(codec.save(_everything()))
    return _SAVED[0]


# Through real bundles


def test_a_bundle_of_state(tmp_path: Path) -> None:
    value = _everything()
    adapters.save(value, tmp_path / "x.safemodel")
    for mapped in (False, True):
        result: Any = adapters.load(tmp_path / "x.safemodel", mapped=mapped)
        for before, after in zip(_tensors(value), _tensors(result), strict=True):
            if before.is_quantized:
                assert torch.equal(before.int_repr(), after.int_repr())
            else:
                same(before, after)


def _tensors(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def test_stock_safetensors_opens_a_state_dict(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = torch.nn.Linear(3, 4).state_dict()
    adapters.save(state, tmp_path / "x", layout="folder")
    loaded = safetensors.load_file(tmp_path / "x" / "weights.safetensors")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_loading_copies_nothing_and_never_unpickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {f"layer.{i}": torch.randn(256, 256) for i in range(8)}
    adapters.save(value, tmp_path / "x.safemodel")
    for name in ("load", "save"):
        monkeypatch.delattr(torch, name)
    result: Any = adapters.load(tmp_path / "x.safemodel")
    pointers = sorted(tensor.data_ptr() for tensor in result.values())
    assert pointers[-1] - pointers[0] == 7 * 256 * 256 * 4  # side by side in one block
    for name, tensor in value.items():
        assert torch.equal(result[name], tensor)
        result[name].add_(1)


def test_one_tensor_of_each_type(tmp_path: Path) -> None:
    value = {str(d): sample(d) for d in (torch.bfloat16, torch.float8_e5m2, torch.bool, torch.int8)}
    adapters.save(value, tmp_path / "x.safemodel")
    with open_bundle(tmp_path / "x.safemodel") as bundle:
        for name, tensor in value.items():
            same(tensor, bundle.tensor(name).torch())


def test_a_device_that_is_none(tmp_path: Path) -> None:
    adapters.save([torch.ones(2)], tmp_path / "x.safemodel")
    result: Any = adapters.load(tmp_path / "x.safemodel", device="cpu")
    assert torch.equal(result[0], torch.ones(2))
    with pytest.raises(SafemodelError, match="not a device"):
        adapters.load(tmp_path / "x.safemodel", device="toaster")
