"""Weights (format.md, "Weights"): canonical safetensors, and nothing else that opens as such."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from . import writer
from .bundle import Bundle
from .registry import accept, reject
from .writer import WEIGHTS, Tensor, tensor

Header = dict[str, Any]
TENSORS = {"a": tensor("a", "F32", 4), "b": tensor("b", "U8", 3)}


def raw(data: bytes, name: str = WEIGHTS) -> Bundle:
    """A bundle with these bytes as weights."""
    return Bundle(members={name: data})


def edited(edit: Callable[[Header], Any], data: bytes | None = None) -> Bundle:
    """A bundle whose weights header was edited as a value."""
    header = writer.header_of(TENSORS)
    edit(header)
    body = writer.data_of(TENSORS) if data is None else data
    return raw(writer.with_header(writer.canonical(header), body))


# name, comment, tensor, fields of it, error
_FIELDS: list[tuple[str, str, Header, str]] = [
    ("dtype-unknown", "a dtype that safetensors has, and format 1 not", {"dtype": "F4"}, "WeightsError"),
    ("dtype-complex128", "a dtype that nobody has", {"dtype": "C128"}, "WeightsError"),
    ("dtype-lower", "a dtype in lower case", {"dtype": "f32"}, "WeightsError"),
    ("dtype-number", "a dtype that is a number", {"dtype": 1}, "WeightsError"),
    ("shape-short", "a shape with fewer bytes than the range", {"shape": [3]}, "WeightsError"),
    ("shape-long", "a shape with more bytes than the range", {"shape": [5]}, "WeightsError"),
    ("shape-negative", "negative dimensions whose product fits", {"shape": [-2, -2]}, "WeightsError"),
    ("shape-true", "true is not 1", {"shape": [True, 4]}, "WeightsError"),
    ("shape-number", "a shape that is no list", {"shape": 4}, "WeightsError"),
    ("shape-string", "a dimension that is a string", {"shape": ["4"]}, "WeightsError"),
    ("shape-overflow", "a product of 2^64 times 16", {"shape": [2**34, 2**34]}, "LimitError"),
    ("shape-overflow-zero", "a product that overflows before the zero",
     {"shape": [2**52, 2**52, 0], "data_offsets": [0, 0]}, "LimitError"),
    ("rank-65", "65 dimensions", {"shape": [1] * 64 + [4]}, "LimitError"),
    ("offsets-three", "three offsets", {"data_offsets": [0, 16, 16]}, "WeightsError"),
    ("offsets-string", "offsets that are strings", {"data_offsets": ["0", "16"]}, "WeightsError"),
    ("offsets-reversed", "offsets the wrong way round", {"data_offsets": [16, 0]}, "WeightsError"),
    ("offsets-negative", "a negative offset", {"data_offsets": [-16, 0]}, "WeightsError"),
    ("field-unknown", "an unknown field of a tensor", {"stride": [1]}, "WeightsError"),
]  # fmt: skip

# name, comment, bytes of the whole member, error
_RAW: list[tuple[str, str, bytes, str]] = [
    ("empty", "no bytes", b"", "WeightsError"),
    ("short", "seven bytes", b"\0" * 7, "WeightsError"),
    (
        "header-long",
        "a header longer than the member",
        struct.pack("<Q", 120) + b"{}",
        "WeightsError",
    ),
    ("header-huge", "a header of 2^63 bytes", struct.pack("<Q", 2**63) + b"{}", "LimitError"),
    (
        "header-unaligned",
        "a header that ends off a multiple of 64",
        struct.pack("<Q", 2) + b"{}",
        "WeightsError",
    ),
    ("header-empty", "a header without tensors", writer.with_header(b"{}", b""), "WeightsError"),
    ("header-list", "a header that is a list", writer.with_header(b"[]", b""), "WeightsError"),
    (
        "header-blank",
        "nothing but padding",
        writer.with_header(b"", b"", pad=b" " * 56),
        "JsonError",
    ),
    ("header-not-json", "a header that is no JSON", writer.with_header(b"{x}", b""), "JsonError"),
]


def _register() -> None:
    for name, comment, fields, error in _FIELDS:
        reject(f"weights-{name}", error, comment, "load")(
            lambda fields=fields: edited(lambda header: header["a"].update(fields))
        )
    for name, comment, data, error in _RAW:
        reject(f"weights-{name}", error, comment, "load")(lambda data=data: raw(data))


_register()


@reject("weights-padding-more", "WeightsError", "64 spaces more than needed", "load")
def _() -> Bundle:
    header = writer.canonical(writer.header_of(TENSORS))
    pad = b" " * (-(8 + len(header)) % 64 + 64)
    return raw(writer.with_header(header, writer.data_of(TENSORS), pad=pad))


@reject("weights-padding-newline", "JsonError", "padding that ends with a line feed", "load")
def _() -> Bundle:
    header = writer.canonical(writer.header_of(TENSORS))
    pad = b" " * (-(8 + len(header)) % 64 - 1) + b"\n"
    return raw(writer.with_header(header, writer.data_of(TENSORS), pad=pad))


@reject("weights-padding-front", "JsonError", "padding in front of the header", "load")
def _() -> Bundle:
    header = writer.canonical(writer.header_of(TENSORS))
    return raw(writer.with_header(b" " + header, writer.data_of(TENSORS)))


@reject("weights-metadata", "WeightsError", "__metadata__, which stock tools permit", "load")
def _() -> Bundle:
    return edited(lambda header: header.update(__metadata__={"format": "pt"}))


@reject("weights-metadata-tensor", "WeightsError", "a tensor named __metadata__", "load")
def _() -> Bundle:
    return edited(lambda header: header.update(__metadata__=header.pop("a")))


@reject("weights-name-empty", "WeightsError", "a tensor without a name", "load")
def _() -> Bundle:
    return edited(lambda header: header.update({"": header.pop("a")}))


@reject("weights-name-long", "WeightsError", "a tensor name of 1,025 characters", "load")
def _() -> Bundle:
    return edited(lambda header: header.update({"a" * 1025: header.pop("a")}))


@reject("weights-name-non-ascii", "JsonError", "a tensor name that is not ASCII", "load")
def _() -> Bundle:
    return edited(lambda header: header.update({"\u00e9": header.pop("a")}))


@reject("weights-field-missing", "WeightsError", "a tensor without a shape", "load")
def _() -> Bundle:
    return edited(lambda header: header["a"].pop("shape"))


@reject("weights-duplicate-name", "JsonError", "a tensor name twice", "load")
def _() -> Bundle:
    header = writer.canonical(writer.header_of(TENSORS))
    twice = header[:-1] + b"," + header[1:]
    return raw(writer.with_header(twice, writer.data_of(TENSORS)))


@reject("weights-header-spaces", "JsonError", "spaces between tokens of the header", "load")
def _() -> Bundle:
    header = writer.canonical(writer.header_of(TENSORS)).replace(b":", b": ", 1)
    return raw(writer.with_header(header, writer.data_of(TENSORS)))


def _placed(**offsets: int) -> Callable[[Header], None]:
    def edit(header: Header) -> None:
        for name, begin in offsets.items():
            size = len(TENSORS[name].data)
            header[name]["data_offsets"] = [begin, begin + size]

    return edit


@reject("weights-hole", "WeightsError", "bytes between two tensors: room for another file", "load")
def _() -> Bundle:
    return edited(_placed(a=0, b=20), bytes(23))


@reject("weights-overlap", "WeightsError", "two tensors share bytes", "load")
def _() -> Bundle:
    return edited(_placed(a=0, b=13), bytes(16))


@reject("weights-start", "WeightsError", "the first tensor does not start at 0", "load")
def _() -> Bundle:
    return edited(_placed(a=4, b=20), bytes(23))


@reject("weights-order", "WeightsError", "tensors by name, not by alignment", "load")
def _() -> Bundle:
    return edited(_placed(b=0, a=3))


@reject("weights-trailing", "WeightsError", "bytes behind the last tensor", "load")
def _() -> Bundle:
    return edited(lambda header: None, writer.data_of(TENSORS) + b"\0")


@reject("weights-data-short", "WeightsError", "the data ends within a tensor", "load")
def _() -> Bundle:
    return edited(lambda header: None, writer.data_of(TENSORS)[:-1])


def _shard(index: int, count: int, label: str) -> tuple[str, bytes]:
    name = f"weights-{index:05}-of-{count:05}.safetensors"
    return name, writer.weights({label: tensor(label, "U8", 8)})


@reject("weights-shard-missing", "ManifestError", "the second of three shards is missing")
def _() -> Bundle:
    return Bundle(members=dict([_shard(1, 3, "a"), _shard(3, 3, "c")]))


@reject("weights-shard-count", "ManifestError", "shards of two sets")
def _() -> Bundle:
    return Bundle(members=dict([_shard(1, 2, "a"), _shard(2, 3, "b")]))


@reject("weights-shard-zero", "ManifestError", "a shard with the number 0")
def _() -> Bundle:
    return Bundle(members=dict([_shard(0, 2, "a"), _shard(1, 2, "b")]))


@reject("weights-shard-one", "ManifestError", "one shard of one, which has a name of its own")
def _() -> Bundle:
    return Bundle(members=dict([_shard(1, 1, "a")]))


@reject("weights-shard-and-single", "ManifestError", "shards and unsharded weights")
def _() -> Bundle:
    single = writer.weights({"c": tensor("c", "U8", 8)})
    return Bundle(members=dict([_shard(1, 2, "a"), _shard(2, 2, "b"), (WEIGHTS, single)]))


@reject("weights-shard-duplicate", "WeightsError", "a tensor in two shards", "load")
def _() -> Bundle:
    return Bundle(members=dict([_shard(1, 2, "a"), _shard(2, 2, "a")]))


@accept("weights-shards", "three shards, cut anywhere")
def _() -> Bundle:
    shards = dict([_shard(1, 3, "b"), _shard(2, 3, "a"), _shard(3, 3, "c")])
    return Bundle(members=shards, tensors={label: tensor(label, "U8", 8) for label in "abc"})


@accept("weights-order-canonical", "tensors of every alignment, in canonical order")
def _() -> Bundle:
    sizes = [1, 2, 3, 4, 6, 8, 12, 16, 32, 48, 64, 96, 128, 192]
    return Bundle(tensors={f"t{size}": tensor(f"t{size}", "U8", size) for size in sizes})


@accept("weights-dtypes", "several dtypes, a scalar, and tensors without bytes")
def _() -> Bundle:
    shapes: dict[str, tuple[int, ...]] = {"F32": (), "F64": (2, 3), "BF16": (5,), "BOOL": (0, 3)}
    shapes |= {"C64": (1,), "I64": (2,), "F8_E4M3": (3,), "I8": (1, 1, 1, 2), "F16": (0,)}
    return Bundle(tensors={f"x.{d}": tensor(d, d, *shape) for d, shape in shapes.items()})


@accept("weights-names", "tensor names with every printable character; 1,024 characters")
def _() -> Bundle:
    names = ["".join(map(chr, range(32, 127))), "n" * 1024, "t000001", " ", "../x"]
    return Bundle(tensors={name: tensor(name, "U8", 4) for name in names})


@accept("weights-rank-64", "64 dimensions")
def _() -> Bundle:
    return Bundle(tensors={"x": Tensor("U8", [1] * 64, b"x")})
