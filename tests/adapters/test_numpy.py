"""The NumPy adapter: arrays come back with type, layout, flags and sharing; hostile ones do not."""

from __future__ import annotations

import contextlib
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from safemodel import adapters, limits
from safemodel.adapters import numpy as adapter
from safemodel.bundle import open_bundle
from safemodel.errors import ArchitectureError, SafemodelError, UnsavableError, UsageError
from safemodel.format.weights import TensorSpec

from .compare import assert_same
from .mutate import mutate
from .support import Codec, MemoryBundle

codec = Codec(adapter.HANDLERS, adapter.INLINES, adapter.BUILDERS, adapter.PARSERS)

simple_dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes()
    | hnp.unsigned_integer_dtypes()
    | hnp.floating_dtypes()
    | hnp.complex_number_dtypes()
    | hnp.datetime64_dtypes()
    | hnp.timedelta64_dtypes()
    | hnp.unicode_string_dtypes()
    | hnp.byte_string_dtypes()
    | st.sampled_from(
        [np.dtype(char) for char in ("g", "G", "q", "Q", "V3", "M8", "m8", "<M8[25s]")]
    )
)
dtypes = simple_dtypes | hnp.array_dtypes(simple_dtypes) | hnp.nested_dtypes(simple_dtypes)


@st.composite
def arrays(draw: Any) -> Any:
    dtype = draw(dtypes)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    raw = draw(st.binary(min_size=16, max_size=16))
    array = np.zeros(shape, dtype, order=draw(st.sampled_from("CF")))
    if array.nbytes and array.dtype.kind in "iufcSmM" and array.flags.c_contiguous:
        data = (raw * (array.nbytes // 16 + 1))[: array.nbytes]
        array = np.frombuffer(bytearray(data), np.uint8).view(dtype).reshape(shape)
    return array


@st.composite
def views(draw: Any, array: Any) -> Any:
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["slice", "transpose", "broadcast", "readonly", "index"]))
        if kind == "slice" and array.ndim:
            array = array[draw(hnp.basic_indices(array.shape, allow_newaxis=True))]
            array = np.asarray(array)
        elif kind == "transpose":
            array = array.transpose(draw(st.permutations(range(array.ndim))))
        elif kind == "broadcast":
            array = np.broadcast_to(array, (2, *array.shape))
        elif kind == "readonly":
            array = array.view()
            array.flags.writeable = False
    return array


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_arrays_and_views_of_them_come_back_as_they_were(data: st.DataObject) -> None:
    bases = data.draw(st.lists(arrays(), min_size=1, max_size=3))
    held = [data.draw(views(data.draw(st.sampled_from(bases)))) for _ in range(3)]
    value = [*(bases if data.draw(st.booleans()) else []), *held, held[0]]
    assert_same(value, codec.roundtrip(value))


@settings(max_examples=200, deadline=None)
@given(simple_dtypes, st.binary(min_size=0, max_size=64))
def test_scalars_and_dtypes_come_back_as_they_were(dtype: Any, data: bytes) -> None:
    scalar = np.zeros((), dtype)[()]
    assert_same([scalar, dtype], codec.roundtrip([scalar, dtype]))


def test_a_scalar_keeps_its_bits() -> None:
    value = np.frombuffer(bytes.fromhex("0100c07f"), "<f4")[0]
    assert codec.roundtrip(value).tobytes().hex() == "0100c07f"
    assert codec.roundtrip(np.str_("x" * 2000)) == "x" * 2000
    record = np.zeros(1, [("a", "u1"), ("b", "f8")])[0]
    assert_same(record, codec.roundtrip(record))


def test_stored_tensors_are_what_others_can_open() -> None:
    value = {
        "f": np.ones((2, 3)),
        "c": np.ones(2, complex),
        "t": np.array(["2020-01-01"], "M8[D]"),
        "u": np.array(["ab", "c"]),
        "b": np.array([True]),
        "F": np.asfortranarray(np.ones((2, 3), "f4")),
        "e": np.ones(2, ">f8"),
        "s": np.zeros(3, np.dtype([("a", "u1"), ("b", "f8")], align=True)),
    }
    _, bundle = codec.save(value)
    assert bundle.stored == {
        "f": ("F64", (2, 3)),
        "c": ("F64", (2, 2)),
        "t": ("I64", (1,)),
        "u": ("U32", (2, 2)),
        "b": ("BOOL", (1,)),
        "F": ("F32", (3, 2)),
        "e": ("U8", (2, 8)),
        "s": ("U8", (3, 16)),
    }


def test_views_are_stored_once_and_by_the_name_of_what_covers_them() -> None:
    base = np.arange(12.0).reshape(3, 4)
    graph, bundle = codec.save({"part": base[1:], "whole": base, "bits": base.view("u1")})
    assert bundle.stored == {"whole": ("F64", (3, 4))}
    result = codec.load(graph, bundle)
    result["whole"][1, 0] = 99
    assert result["part"][0, 0] == 99


def test_only_the_covered_range_is_saved_and_holes_are_zero() -> None:
    secret = np.full(1000, 7, np.uint8)
    _, bundle = codec.save([secret[100:110:3], secret[104:105]])
    assert bundle.stored == {"0.storage": ("U8", (10,))}
    assert bytes(bundle.buffers["0.storage"]) == bytes([7, 0, 0, 7, 7, 0, 7, 0, 0, 7])


def test_padding_is_zeroed() -> None:
    dtype = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    array = np.frombuffer(b"\xff" * 32, dtype)
    _, bundle = codec.save(array)
    assert bytes(bundle.buffers["value"]) == (b"\xff" + bytes(7) + b"\xff" * 8) * 2
    long = np.frombuffer(b"\xff" * 16, np.longdouble)
    assert bytes(codec.save(long)[1].buffers["value"]) == b"\xff" * 10 + bytes(6)
    # Unless another array sees those bytes as its data.
    raw = np.full(32, 255, np.uint8)
    _, bundle = codec.save([raw.view(dtype), raw])
    assert bytes(bundle.buffers["1"]) == b"\xff" * 32


def test_alignment_survives_sharing() -> None:
    memory = np.zeros(64, np.uint8)
    offset = -memory.ctypes.data % 16
    value = [memory[offset + 1 : offset + 20], memory[offset + 8 : offset + 24].view("f8")]
    result = codec.roundtrip(value)
    assert_same(value, result)
    assert result[1].flags.aligned


def test_saving_what_was_loaded_gives_the_same_bytes() -> None:
    base = np.arange(30, dtype="f4")
    value = {"a": base[3:20], "b": base[10::2], "c": np.ones(3), "d": base[::-1]}
    graph, bundle = codec.save(value)
    again, other = codec.save(codec.load(graph, bundle))
    assert again == graph
    assert {n: bytes(b) for n, b in bundle.buffers.items()} == {
        n: bytes(b) for n, b in other.buffers.items()
    }


def test_object_arrays_and_strings() -> None:
    loop: Any = np.empty(2, object)
    loop[0] = loop
    loop[1] = [np.ones(2), None]
    result = codec.roundtrip(loop)
    assert result[0] is result
    texts = [
        np.array([["a", "b" * 50]], np.dtypes.StringDType()),
        np.array(["a", None], np.dtypes.StringDType(na_object=None)),
        np.array(["a", np.nan], np.dtypes.StringDType(na_object=np.nan, coerce=False)),
    ]
    result = codec.roundtrip(texts)
    assert [t.dtype for t in result] == [t.dtype for t in texts]
    assert result[1][1] is None
    assert result[0][0, 1] == "b" * 50
    frozen = np.asfortranarray(np.array([[1, "x"], [None, ()]], object))
    frozen.flags.writeable = False
    assert_same(frozen, codec.roundtrip(frozen))


def test_masked_arrays_matrices_and_records() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[False, True], fill_value=7, hard_mask=True)
    objects = np.ma.array(["a", None], mask=[True, False], dtype=object)
    assert_same([masked, objects], codec.roundtrip([masked, objects]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matrix = np.matrix([[1, 2]])
    record = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    result = codec.roundtrip([matrix, record, np.ma.array([1, 2])])
    assert_same(matrix, result[0])
    assert type(result[1]) is np.recarray
    assert result[1].b[0] == 2.0
    assert result[2].mask is np.ma.nomask


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_generators_go_on_where_they_were_and_stay_shared(name: str) -> None:
    generator = np.random.Generator(getattr(np.random, name)(5))
    generator.random(7, dtype="f4")
    generator.integers(0, 9, 3, dtype="u4")
    legacy = np.random.RandomState(generator.bit_generator)
    legacy.standard_normal(3)
    loaded = codec.roundtrip([generator, legacy, generator.bit_generator])
    assert loaded[0].bit_generator is loaded[1]._bit_generator is loaded[2]
    for first, second in zip([generator, legacy], loaded[:2], strict=True):
        assert np.array_equal(first.standard_normal(1000), second.standard_normal(1000))
    assert generator.spawn(2)[1].random() == loaded[0].spawn(2)[1].random()


def test_legacy_random_states_and_seed_sequences() -> None:
    state = np.random.RandomState(3)
    state.randn(3)
    loaded = codec.roundtrip(state)
    assert np.array_equal(state.randn(1000), loaded.randn(1000))
    for sequence in (
        np.random.SeedSequence(7),
        np.random.SeedSequence([1, 2**80], spawn_key=(3,), pool_size=8),
    ):
        sequence.spawn(2)
        loaded = codec.roundtrip(sequence)
        assert loaded.state == sequence.state
        assert np.array_equal(loaded.generate_state(9), sequence.generate_state(9))


def _subclass() -> Any:
    class Special(np.ndarray):
        pass

    return np.ones(2).view(Special)


@pytest.mark.parametrize(
    "value",
    [
        _subclass(),
        np.zeros(2, [("a", object)]),
        np.zeros(2, np.dtype("f8", metadata={"x": 1})),
        np.broadcast_to(np.float64(1), (1 << 30,)),
        np.random.SeedSequence(1, pool_size=1000),
    ],
    ids=["subclass", "objects in a structure", "metadata", "far too broad", "vast pool"],
)
def test_what_would_not_come_back_is_refused(value: Any) -> None:
    with pytest.raises(UnsavableError, match="a: "):
        codec.encode({"a": value})


def test_numpy_types_as_values() -> None:
    value = [
        np.float64,
        np.int8,
        np.ndarray,
        float,
        np.dtype("<M8[25s]"),
        np.dtype([("a", "(2,3)f4")]),
    ]
    assert codec.roundtrip(value) == value
    with pytest.raises(UnsavableError):
        codec.encode(Path)


# Hostile nodes


def load_array(
    node: dict[str, Any], data: bytes = bytes(64), dtype: str = "U8", **more: Any
) -> Any:
    bundle = MemoryBundle([])
    shape = more.get("shape", (len(data),))
    bundle.add(TensorSpec("x", dtype, shape), data)
    graph = {"root": {"ref": 0}, "nodes": [{"kind": "ndarray", "data": "x", **node}]}
    return codec.load(graph, bundle)


def view(shape: list[int], strides: list[int], offset: int = 0, dtype: Any = "<f8") -> Any:
    return {"dtype": dtype, "shape": shape, "strides": strides, "offset": offset}


@pytest.mark.parametrize(
    "node",
    [
        view([9], [8]),
        view([8], [8], 1),
        view([8], [-8], 48),
        view([2], [2**53 - 1]),
        view([2**53 - 1, 2**53 - 1], [8, 8]),
        view([2**50], [0]),
        view([2**20, 2**20], [0, 0]),
        view([2], [8, 8]),
        view([-1], [8]),
        view([1], [8], -8),
        view([1], [8], 64),
        view([1] * 65, [8] * 65),
        view([0, 2**53 - 1, 2**53 - 1], [8, 8, 8]),
        {"dtype": "<f8", "shape": [1]},
        {"dtype": "<f8"},
        {"dtype": "|u1", "readonly": False},
        {"dtype": "|u1", "class": "memmap"},
        {"dtype": "|u1", "class": "matrix"},
        {"dtype": "|u1", "class": "recarray"},
        {"dtype": "|O"},
        view([8], [8], dtype="|O"),
        view([1], [8], dtype={"fields": [["a", "|O", 0]], "itemsize": 8}),
        view([1], [8], dtype={"strings": True}),
        view([1], [8], dtype={"base": "<f8", "shape": [1]}),
    ],
    ids=str,
)
def test_an_array_never_reaches_beyond_its_bytes(node: Any) -> None:
    with pytest.raises(ArchitectureError):
        load_array(node)


@pytest.mark.parametrize(
    "dtype",
    [
        "f8", "=f8", "<f3", "<i8,<i8", "float64", "<U", "<U-1", "<M8[x]", "<M8[0s]", "|b1 ", ">b1",
        "O", "|O8", "<V4", "<U999999999999", "|S0004", "(2,)<f8", "a5", "T", None, 8, [], {},
        {"fields": []}, {"fields": {}, "itemsize": 8}, {"fields": [], "itemsize": -1},
        {"fields": [["a", "<f8", 0]], "itemsize": 4},
        {"fields": [["a", "<f8", -8]], "itemsize": 8},
        {"fields": [["a", "<f8", 0], ["a", "<f8", 8]], "itemsize": 16},
        {"fields": [["a", "<f8", 1]], "itemsize": 16, "align": True},
        {"fields": [["a", "<f8", 0, 1]], "itemsize": 8},
        {"fields": [["a", "<f8", 0]], "itemsize": 8, "align": False},
        {"base": "<f8", "shape": []}, {"base": "<f8", "shape": [2**31]},
        {"base": "|O", "shape": [1]}, {"base": "<f8", "shape": [0]},
        {"strings": True, "na": 1}, {"strings": True, "coerce": True}, {"strings": False},
    ],
    ids=str,
)  # fmt: skip
def test_a_dtype_outside_the_grammar_is_refused(dtype: Any) -> None:
    with pytest.raises(ArchitectureError):
        codec.load({"root": {"dtype": dtype}, "nodes": []}, MemoryBundle([]))


def test_dtypes_in_one_another_have_a_limit() -> None:
    dtype: Any = "<f8"
    for _ in range(20):
        dtype = {"fields": [["a", dtype, 0]], "itemsize": 8}
    with pytest.raises(ArchitectureError):
        codec.load({"root": {"dtype": dtype}, "nodes": []}, MemoryBundle([]))


def test_booleans_and_characters_are_checked() -> None:
    assert load_array({"dtype": "|b1"}, b"\0\1", "BOOL").sum() == 1
    for node, data, dtype, more in [
        ({"dtype": "|b1"}, b"\0\2", "BOOL", {}),
        (view([2], [1], dtype="|b1"), b"\0\2", "U8", {}),
        (view([1], [2], dtype={"fields": [["a", "|b1", 1]], "itemsize": 2}), b"\0\2", "U8", {}),
        ({"dtype": "<U1"}, b"\0\0\x11\0", "U32", {"shape": (1, 1)}),
        (view([1], [4], dtype=">U1"), b"\0\x11\0\0", "U8", {}),
    ]:
        with pytest.raises(ArchitectureError, match=r"boolean|character"):
            load_array(node, data, dtype, **more)


def test_looking_at_many_views_of_one_array_has_a_limit() -> None:
    bundle = MemoryBundle([])
    bundle.add(TensorSpec("x", "U8", (1 << 20,)), bytes(1 << 20))
    node = {"kind": "ndarray", "data": "x", **view([1 << 20], [1], dtype="|b1")}
    count = 8 * (64 + 2)  # MiB to look at: those that are free, and twice the stored one

    def load(views: int) -> None:
        items: list[Any] = [{"ref": i + 1} for i in range(views)]
        graph = {"root": {"ref": 0}, "nodes": [{"kind": "list", "items": items}, *[node] * views]}
        codec.load(graph, bundle)

    load(count)
    with pytest.raises(ArchitectureError, match="overlap"):
        load(count + 1)


def test_many_masked_arrays_over_one_array_of_many_fields_have_a_limit() -> None:
    values = np.zeros(1, [(f"f{i}", "u1") for i in range(1000)])
    graph, bundle = codec.save([np.ma.MaskedArray(values, mask=False)])
    masked = graph["nodes"][1]
    count = 1000
    graph["nodes"][0]["items"] = [{"ref": i + 1} for i in range(count)]
    moved = {key: {"ref": value["ref"] + count - 1} for key, value in masked.items()
             if type(value) is dict}  # fmt: skip
    graph["nodes"][1:2] = [{**masked, **moved} for _ in range(count)]
    with pytest.raises(ArchitectureError, match="overlap"):
        codec.load(graph, bundle)


def test_many_large_seeds_have_a_limit() -> None:
    seed = {"kind": "seed_sequence", "entropy": [1], "sequence": False, "spawn_key": [],
            "pool_size": 256, "spawned": 0}  # fmt: skip
    items: list[Any] = [{"ref": i + 1} for i in range(3_000)]
    graph = {"root": {"ref": 0}, "nodes": [{"kind": "list", "items": items}, *[seed] * 3_000]}
    with pytest.raises(ArchitectureError, match="overlap"):
        codec.load(graph, MemoryBundle([]))


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "Philox", "SFC64"])
def test_a_bit_generator_never_starts_in_a_state_it_cannot_be_in(name: str) -> None:
    graph, bundle = codec.save(getattr(np.random, name)(5))
    spec, words = (
        bundle.tensors["value"],
        np.frombuffer(bundle.buffers["value"], "<u8").reshape(-1, 2),
    )
    for row in range(len(words)):
        changed = words.copy()
        changed[row] = 2**64 - 1
        other = MemoryBundle([])
        other.add(spec, changed.tobytes())
        try:
            codec.load(graph, other).random_raw(2000)
        except ArchitectureError:
            continue
        assert name == "PCG64"
        assert row < 2
    for bad in (words[:-1], np.vstack([words, words[:1]])):
        other = MemoryBundle([])
        other.add(TensorSpec("value", "U64", bad.shape), bad.tobytes())
        with pytest.raises(ArchitectureError):
            codec.load(graph, other)


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "PCG64DXSM"])
def test_a_bit_generator_that_is_stuck_is_refused(name: str) -> None:
    generator = getattr(np.random, name)(5)
    graph, bundle = codec.save(generator)
    words = np.zeros_like(np.frombuffer(bundle.buffers["value"], "<u8").reshape(-1, 2))
    words[0] = (7, 0)  # of a key of 0s all but the highest bit of the first word may be set
    other = MemoryBundle([])
    other.add(bundle.tensors["value"], words.tobytes())
    with pytest.raises(ArchitectureError, match="for ever"):
        codec.load(graph, other)
    state = generator.state
    inner = state["state"]
    inner.update({"key": np.zeros(624, np.uint32)} if name == "MT19937" else {"inc": 8})
    generator.state = state
    with pytest.raises(UnsavableError, match="for ever"):
        codec.save(generator)


def _everything() -> Any:
    base = np.arange(24.0).reshape(4, 6)
    generator = np.random.default_rng(1)
    return {
        "a": base,
        "v": [base[1:, ::2], base.T, np.broadcast_to(base[0], (3, 6))],
        "s": np.zeros(3, [("x", "?"), ("y", "<U3"), ("z", "(2,)f4")]),
        "o": np.array([1, "x", base, None], object),
        "m": np.ma.array([1, 2], mask=[0, 1]),
        "r": [generator, np.random.RandomState(3), np.random.SeedSequence([1, 2])],
        "t": ((1, 2.5, (3, b"x")), {1, (2, 3)}, np.float32(3), np.dtype("<M8[s]")),
        "b": np.array([True, False, True]),
        "u": np.array(["a", "bc"]),
        "l": "x" * 5000,
    }


_GRAPH, _BUNDLE = codec.save(_everything())
_WORDS = [
    "ndarray", "list", "tuple", "dict", "set", "object_array", "masked_array", "scalar", "bytes",
    "str", "generator", "bit_generator", "seed_sequence", "a", "v.0", "b", "u", "|b1", "<U9", "<f8",
    "|O", "|V16", ">f4", "MT19937", "Philox", "matrix", "l", "r.1.bit_generator",
]  # fmt: skip


def _use(value: Any, seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        if value.size < 1 << 16:
            repr(value.tolist() if not value.dtype.hasobject else value.shape)
            if value.dtype.kind == "b":
                np.arange(value.size).reshape(value.shape)[value]
    elif isinstance(value, np.random.Generator | np.random.RandomState):
        value.random(700)
    elif isinstance(value, dict):
        for key, item in value.items():
            _use(key, seen), _use(item, seen)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _use(item, seen)


@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 2**63))
def test_random_edits_are_refused_or_harmless(seed: int) -> None:
    with contextlib.suppress(SafemodelError):
        _use(codec.load(mutate(_GRAPH, seed, _WORDS), _BUNDLE), set())


def test_random_edits_never_take_much_memory() -> None:
    tracemalloc.start()
    try:
        for seed in range(300):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            with contextlib.suppress(SafemodelError):
                codec.load(mutate(_GRAPH, seed, _WORDS), _BUNDLE)
            assert tracemalloc.get_traced_memory()[1] - before < 8 * limits.MIB
    finally:
        tracemalloc.stop()


# Through real bundles


def test_a_bundle_of_arrays(tmp_path: Path) -> None:
    value = _everything()
    del value["r"]
    for mapped in (False, True):
        adapters.save(value, tmp_path / "x.safemodel", metadata={"name": "acme/x"})
        result: Any = adapters.load(tmp_path / "x.safemodel", mapped=mapped)
        assert_same(value, result)


def test_loaded_arrays_are_views_of_one_block_that_outlives_the_bundle(tmp_path: Path) -> None:
    adapters.save({"a": np.arange(5000.0), "b": np.arange(3)}, tmp_path / "x.safemodel")
    result: Any = adapters.load(tmp_path / "x.safemodel")
    assert result["a"].base is not None
    result["a"][0] = 7
    assert result["a"].sum() == np.arange(5000.0).sum() + 7


def test_options_that_arrays_do_not_have(tmp_path: Path) -> None:
    adapters.save([np.ones(2)], tmp_path / "x.safemodel")
    with pytest.raises(UsageError, match="into="):
        adapters.load(tmp_path / "x.safemodel", into={})
    with pytest.raises(UsageError, match="device"):
        adapters.load(tmp_path / "x.safemodel", device="cuda")


def test_one_tensor_as_an_array(tmp_path: Path) -> None:
    adapters.save({"a": np.arange(4.0), "b": np.array([True])}, tmp_path / "x.safemodel")
    with open_bundle(tmp_path / "x.safemodel") as bundle:
        assert np.array_equal(bundle.tensor("a").numpy(), np.arange(4.0))
        assert bundle.tensor("b").numpy().dtype == bool
