"""Weights: stock safetensors opens every layout, and the reader accepts no other bytes."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Sequence

import pytest
import safetensors
from hypothesis import example, given
from hypothesis import strategies as st

from safemodel import limits
from safemodel.errors import JsonError, LimitError, ManifestError, SafemodelError, WeightsError
from safemodel.format import weights
from safemodel.format.weights import TensorInfo, TensorSpec

names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=9)
specs = st.builds(
    TensorSpec,
    names.filter(lambda name: name != "__metadata__"),
    st.sampled_from(sorted(weights.ITEM_SIZES)),
    st.lists(st.integers(0, 9), max_size=4).map(tuple),
)
tensor_sets = st.lists(specs, min_size=1, max_size=8, unique_by=lambda spec: spec.name)


def member(document: object, data: bytes = b"", *, padding: str | None = None) -> bytes:
    """A member with this header, canonical in all that the document does not say."""
    text = (
        document
        if isinstance(document, str)
        else json.dumps(document, sort_keys=True, separators=(",", ":"))
    )
    body = text.encode()
    body += b" " * (-(8 + len(body)) % 64) if padding is None else padding.encode()
    return struct.pack("<Q", len(body)) + body + data


def parse(whole: bytes) -> weights.WeightsHeader:
    """What a reader does: it reads 8 bytes, then the header."""
    start = weights.header_length(whole[:8], len(whole))
    return weights.parse_header(memoryview(whole)[:start], len(whole))


def lowest_bit(number: int) -> int:
    return number & -number if number else 64


def check_layout(chosen: Sequence[TensorSpec]) -> None:
    prefix, header = weights.layout(chosen)
    content = {spec.name: random.randbytes(spec.nbytes) for spec in chosen}
    data = b"".join(content[tensor.name] for tensor in header.tensors)
    whole = prefix + data
    assert parse(whole) == header
    assert header.data_start == len(prefix)
    assert header.data_start % 64 == 0
    assert header.member_size == len(whole)

    stock = {name: (info["dtype"], tuple(info["shape"]), bytes(info["data"]))
             for name, info in safetensors.deserialize(whole)}  # fmt: skip
    assert stock == {spec.name: (spec.dtype, spec.shape, content[spec.name]) for spec in chosen}

    order = [(-min(64, lowest_bit(t.nbytes)), t.name) for t in header.tensors]
    assert order == sorted(order)
    end = 0
    for tensor in header.tensors:
        assert tensor.begin == end
        end = tensor.end
        aligned = min(64, lowest_bit(tensor.nbytes))
        assert (header.data_start + tensor.begin) % aligned == 0
        assert aligned >= weights.ITEM_SIZES[tensor.dtype]


def test_safetensors_opens_hundreds_of_random_sets() -> None:
    rng = random.Random(7)
    dtypes = sorted(weights.ITEM_SIZES)
    printable = [chr(code) for code in range(0x20, 0x7F)]
    for _ in range(400):
        tensors = {}
        for _ in range(rng.randrange(1, 30)):
            name = "".join(rng.choices(printable, k=rng.randrange(1, 20)))
            shape = tuple(rng.choice((0, 1, 2, 3, 7, 8, 16)) for _ in range(rng.randrange(4)))
            tensors[name] = TensorSpec(name, rng.choice(dtypes), shape)
        check_layout(list(tensors.values()))


@given(tensor_sets)
def test_every_layout_is_canonical_safetensors(chosen: list[TensorSpec]) -> None:
    check_layout(chosen)


@given(tensor_sets, st.randoms())
def test_the_order_given_does_not_matter(chosen: list[TensorSpec], rng: random.Random) -> None:
    shuffled = rng.sample(chosen, len(chosen))
    assert weights.layout(iter(shuffled)) == weights.layout(chosen)


@given(tensor_sets, st.data())
def test_a_changed_header_is_refused_or_canonical(
    chosen: list[TensorSpec], data: st.DataObject
) -> None:
    prefix, header = weights.layout(chosen)
    changed = bytearray(prefix)
    at = data.draw(st.integers(0, len(prefix) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = weights.parse_header(changed, header.member_size)
    except SafemodelError:
        return
    again = [TensorSpec(t.name, t.dtype, t.shape) for t in parsed.tensors]
    assert weights.layout(again) == (bytes(changed), parsed)
    assert parsed != header


@given(st.binary(max_size=80), st.integers(-1, 200))
@example(b"", 0)
@example(struct.pack("<Q", 56) + b"{}".ljust(56), 64)
@example(struct.pack("<Q", 56) + b"\xff" * 56, 64)
def test_any_bytes_raise_only_our_errors(data: bytes, size: int) -> None:
    with pytest.raises(SafemodelError):
        weights.parse_header(data, size)
    try:
        length = weights.header_length(data, size)
    except SafemodelError:
        return
    assert 0 < length <= size
    assert length % 64 == 0


scalar = {"data_offsets": [0, 4], "dtype": "F32", "shape": []}


def with_field(**fields: object) -> dict[str, object]:
    return {"a": {**scalar, **fields}}


@pytest.mark.parametrize(
    ("document", "size"),
    [
        ({}, 0),
        ([], 0),
        ({"a": []}, 0),
        ({"a": None}, 0),
        ({"__metadata__": {"a": "b"}}, 0),
        ({"__metadata__": scalar}, 4),
        ({"__metadata__": {}, "a": scalar}, 4),
        ({"": scalar}, 4),
        ({"n" * 1025: scalar}, 4),
        ({"a": {}}, 0),
        ({"a": {"dtype": "F32", "shape": []}}, 4),
        (with_field(extra=1), 4),
        (with_field(dtype="F31"), 4),
        (with_field(dtype="F4", shape=[8]), 4),
        (with_field(dtype="C128", shape=[8], data_offsets=[0, 128]), 128),
        (with_field(dtype="f32"), 4),
        (with_field(dtype=4), 4),
        (with_field(dtype=None), 4),
        (with_field(dtype=["F32"]), 4),
        (with_field(shape=None), 4),
        (with_field(shape=1), 4),
        (with_field(shape={}), 4),
        (with_field(shape=[True]), 4),
        (with_field(shape=["1"]), 4),
        (with_field(shape=[None]), 4),
        (with_field(shape=[[1]]), 4),
        (with_field(shape=[-1, -1]), 4),
        (with_field(shape=[2]), 4),
        (with_field(shape=[2]), 8),
        (with_field(shape=[0]), 4),
        (with_field(data_offsets=[0, 3]), 4),
        (with_field(data_offsets=[0, 8]), 8),
        (with_field(data_offsets=[4, 8]), 8),
        (with_field(data_offsets=[-4, 0]), 0),
        (with_field(data_offsets=[4, 0]), 4),
        (with_field(data_offsets=[0]), 4),
        (with_field(data_offsets=[0, 4, 4]), 4),
        (with_field(data_offsets=[False, 4]), 4),
        (with_field(data_offsets=["0", "4"]), 4),
        (with_field(data_offsets={"0": 4}), 4),
        (with_field(data_offsets=None), 4),
        (with_field(), 3),  # cut
        (with_field(), 5),  # bytes behind the last tensor
        ({"a": scalar, "b": scalar}, 4),  # shared
        ({"a": scalar, "b": {**scalar, "data_offsets": [8, 12]}}, 12),  # a hole
        ({"b": scalar, "a": {**scalar, "data_offsets": [4, 8]}}, 8),  # in another order
        (  # the larger alignment must come first
            {"a": scalar, "b": {"data_offsets": [4, 12], "dtype": "F32", "shape": [2]}},
            12,
        ),
    ],
)
def test_other_headers_are_refused(document: object, size: int) -> None:
    with pytest.raises(WeightsError):
        parse(member(document, bytes(size)))


def test_the_canonical_header_is_accepted() -> None:
    """So that the cases above are refused for what they change."""
    header = parse(member(with_field(), bytes(4)))
    assert header.tensors == (TensorInfo("a", "F32", (), 0, 4),)
    assert header.tensors[0].nbytes == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
        '{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]} }',
        ' {"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]}}',
        '{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1.0]}}',
        '{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[-0]}}',
        '{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]},'
        '"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]}}',
    ],
)
def test_headers_that_are_not_canonical_json_are_refused(text: str) -> None:
    with pytest.raises(JsonError):
        parse(member(text, bytes(4)))


@pytest.mark.parametrize("delta", [-1, 1, 63, 64, 128])
def test_padding_is_the_least(delta: int) -> None:
    text = json.dumps(with_field(), sort_keys=True, separators=(",", ":"))
    least = -(8 + len(text)) % 64
    assert parse(member(text, bytes(4), padding=" " * least))
    with pytest.raises(WeightsError):
        parse(member(text, bytes(4), padding=" " * (least + delta)))
    with pytest.raises(JsonError):
        parse(member(text, bytes(4), padding="\t" * least))


def test_the_data_is_all_of_the_header() -> None:
    prefix, header = weights.layout([TensorSpec("a", "U8", (3,))])
    for wrong in (prefix[:-1], prefix + b" ", prefix[:8], b""):
        with pytest.raises(WeightsError):
            weights.parse_header(wrong, header.member_size)


@pytest.mark.parametrize(
    "shape",
    [(1 << 51,), (1 << 48,), (0, 1 << 51), (1 << 30, 1 << 30, 0), (1,) * 65, (1 << 53,) * 64],
)
def test_large_tensors_are_refused(shape: tuple[int, ...]) -> None:
    """Also when a dimension is zero: others multiply in 64 bits, in their own order."""
    with pytest.raises(LimitError):
        _ = TensorSpec("a", "F64", shape).nbytes


def test_tensors_at_their_limits() -> None:
    assert TensorSpec("a", "F64", (1 << 47,)).nbytes == 1 << 50
    assert TensorSpec("a", "F64", (0, 1 << 47)).nbytes == 0
    assert TensorSpec("n" * 1024, "U8", (1,) * 64).nbytes == 1
    check_layout([TensorSpec("n" * 1024, "U8", (1,) * 64)])
    with pytest.raises(LimitError):
        weights.layout([TensorSpec("a", "F64", (1 << 47,))])  # its header is a member's too


def test_large_headers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = struct.pack("<Q", 100_000_000 - 100_000_000 % 64 + 56)
    with pytest.raises(LimitError):
        weights.header_length(prefix, 1 << 40)
    assert weights.header_length(struct.pack("<Q", 99_999_992), 1 << 40) == 100_000_000
    with pytest.raises(WeightsError, match="longer than its member"):
        weights.header_length(struct.pack("<Q", 99_999_992), 99_999_999)
    with pytest.raises(LimitError):
        weights.header_length(struct.pack("<Q", 56), (1 << 50) + 1)
    monkeypatch.setattr(limits, "MAX_WEIGHTS_HEADER", 119)
    with pytest.raises(LimitError):
        weights.layout([TensorSpec("n" * 10, "U8", ())])


@pytest.mark.parametrize(
    "chosen",
    [
        [],
        [TensorSpec("a", "U8", ()), TensorSpec("a", "F32", ())],
        [TensorSpec("", "U8", ())],
        [TensorSpec("é", "U8", ())],
        [TensorSpec("a\n", "U8", ())],
        [TensorSpec("__metadata__", "U8", ())],
        [TensorSpec("a", "complex128", ())],
        [TensorSpec("a", "U8", (-1,))],
    ],
)
def test_layouts_that_are_refused(chosen: list[TensorSpec]) -> None:
    with pytest.raises(WeightsError):
        weights.layout(chosen)


@pytest.mark.slow
def test_a_hundred_thousand_tensors() -> None:
    chosen = [TensorSpec(f"layer.{i}", "F32", (i % 7, 3)) for i in range(100_000)]
    prefix, header = weights.layout(chosen)
    assert weights.parse_header(prefix, header.member_size) == header


def test_shards_are_cut_at_their_limits() -> None:
    giga = limits.SHARD_SIZE
    large = TensorSpec("large", "U8", (2 * giga,))
    parts = [TensorSpec(f"p{i}", "U8", (giga // 2,)) for i in range(5)]
    odd = TensorSpec("odd", "U8", (1,))
    shards = weights.split_shards([odd, *parts, large])
    assert [[spec.name for spec in shard] for shard in shards] == [
        ["large"],
        ["p0", "p1"],
        ["p2", "p3"],
        ["p4", "odd"],
    ]
    assert weights.split_shards([]) == ()


def test_shards_are_cut_at_50000_tensors() -> None:
    chosen = [TensorSpec(f"{i:06}", "U8", (i % 3,)) for i in range(100_001)]
    shards = weights.split_shards(reversed(chosen))
    assert [len(shard) for shard in shards] == [50_000, 50_000, 1]
    joined = [spec for shard in shards for spec in shard]
    key = {spec.name: (-min(64, lowest_bit(spec.nbytes)), spec.name) for spec in chosen}
    assert joined == sorted(chosen, key=lambda spec: key[spec.name])


@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 9), st.integers(1, 4))
def test_shards_by_their_definition(sizes: list[int], size_limit: int, count_limit: int) -> None:
    chosen = [TensorSpec(f"t{i}", "U8", (size,)) for i, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "SHARD_SIZE", size_limit)
        patch.setattr(limits, "SHARD_TENSORS", count_limit)
        shards = weights.split_shards(chosen)
    for i, shard in enumerate(shards):
        total = sum(spec.nbytes for spec in shard)
        assert len(shard) <= count_limit
        assert total <= size_limit or len(shard) == 1
        if i + 1 < len(shards):
            after = total + shards[i + 1][0].nbytes
            assert after > size_limit or len(shard) == count_limit
    assert sorted(spec.name for shard in shards for spec in shard) == sorted(
        spec.name for spec in chosen
    )


def test_names_of_shards() -> None:
    assert weights.shard_names(0) == ()
    assert weights.shard_names(1) == ("weights.safetensors",)
    assert weights.shard_names(2) == (
        "weights-00001-of-00002.safetensors",
        "weights-00002-of-00002.safetensors",
    )
    assert weights.shard_names(99_999)[-1] == "weights-99999-of-99999.safetensors"
    with pytest.raises(LimitError):
        weights.shard_names(100_000)
    for count in (1, 3):
        assert all(map(weights.is_weights_name, weights.shard_names(count)))
        weights.check_weights_names(["a.txt", *reversed(weights.shard_names(count))])
    weights.check_weights_names(["a.txt"])


@pytest.mark.parametrize(
    "name",
    [
        "weights.safetensors.txt",
        "a/weights.safetensors",
        "Weights.safetensors",
        "weights-1-of-2.safetensors",
        "weights-00001-of-00002.safetensors\n",
        "weights-00001-of-00002.bin",
        "model.safetensors",
    ],
)
def test_other_names_are_no_weights(name: str) -> None:
    assert not weights.is_weights_name(name)
    weights.check_weights_names([name])


@pytest.mark.parametrize(
    "found",
    [
        ["weights.safetensors", "weights-00001-of-00001.safetensors"],
        ["weights-00001-of-00001.safetensors"],
        ["weights-00001-of-00002.safetensors"],
        ["weights-00000-of-00002.safetensors", "weights-00001-of-00002.safetensors"],
        ["weights-00001-of-00002.safetensors", "weights-00003-of-00002.safetensors"],
        ["weights-00001-of-00003.safetensors", "weights-00002-of-00002.safetensors"],
        [*weights.shard_names(4), "weights.safetensors"],
    ],
)
def test_incomplete_sets_of_shards_are_refused(found: list[str]) -> None:
    with pytest.raises(ManifestError):
        weights.check_weights_names(found)


def test_stored_names() -> None:
    real = ["größe", "a", "t000002", "__metadata__", "", "日", "x" * 1025, "b\n", "t000001x"]
    assert weights.stored_names(real) == {
        "größe": "t000005",
        "a": "a",
        "t000002": "t000002",
        "__metadata__": "t000003",
        "": "t000001",
        "日": "t000007",
        "x" * 1025: "t000006",
        "b\n": "t000004",
        "t000001x": "t000001x",
    }
    assert weights.stored_names(["t000001", "t000002", "é"])["é"] == "t000003"
    with pytest.raises(WeightsError):
        weights.stored_names(["a", "a"])


@given(st.lists(st.text(max_size=3) | st.sampled_from(["t000001", "t000003"]), unique=True))
def test_stored_names_can_all_be_stored(real: list[str]) -> None:
    stored = weights.stored_names(real)
    assert list(stored) == real
    assert stored == {name: stored[name] for name in weights.stored_names(reversed(real))}
    if real:
        weights.layout([TensorSpec(name, "U8", ()) for name in stored.values()])
    renamed = {name for name in real if stored[name] != name}
    assert all(not (name.isascii() and name.isprintable() and name) for name in renamed)
    assert [stored[n] for n in sorted(renamed)] == sorted(stored[n] for n in renamed)
    assert len(set(stored.values())) == len(real)
