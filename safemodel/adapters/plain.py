"""The plain kinds of an object graph: Python's own scalars and containers.

One place for both directions: `INLINES` and `HANDLERS` write, `PARSERS` and `BUILDERS` read.
Implements spec/object-graph.md, "Plain kinds".
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph import (
    CONSTANTS,
    PLAIN_TYPES,
    float_text,
    parse_float,
    parse_hex,
    parse_integer,
)
from safemodel.adapters.graph_decode import Builder, Decoder, Parser, integer, text
from safemodel.adapters.graph_encode import NEEDS_NODE, Encoder, Handler, Inline, Node, join
from safemodel.adapters.graph_work import check_hashes, fill_numbered, is_numbering
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

# Objects come as `Any` from tables by exact type: the table is what makes the access right.

# Values without a node


def _integer(obj: Any, path: str) -> JsonValue:
    value: int = obj
    if -limits.MAX_SAFE_INTEGER <= value <= limits.MAX_SAFE_INTEGER:
        return value
    if value.bit_length() > limits.MAX_INTEGER_DIGITS * 3:
        raise UnsavableError("an integer of thousands of digits", place=path or None)
    return {"int": str(value)}


def _string(obj: Any, path: str) -> JsonValue:
    value: str = obj
    if len(value) > limits.MAX_ARCHITECTURE_STRING:
        return NEEDS_NODE
    try:
        size = len(value.encode())
    except UnicodeEncodeError:  # lone surrogates, which canonical JSON does not have
        return NEEDS_NODE
    return NEEDS_NODE if size > limits.MAX_ARCHITECTURE_STRING else value


def _bytes(obj: Any, path: str) -> JsonValue:
    return {"bytes": obj.hex()} if len(obj) <= limits.MAX_INLINE_BYTES else NEEDS_NODE


def _float(obj: Any, path: str) -> JsonValue:
    return {"float": float_text(obj)}


def _constant(obj: Any, path: str) -> JsonValue:
    return {"const": next(name for name, value in CONSTANTS.items() if value is obj)}


def _complex(obj: Any, path: str) -> JsonValue:
    return {"complex": [float_text(obj.real), float_text(obj.imag)]}


def _type(obj: Any, path: str) -> JsonValue:
    name: str = obj.__name__
    if PLAIN_TYPES.get(name) is obj:
        return {"type": name}
    raise UnsavableError(
        f"can't represent the class {obj.__module__}.{obj.__qualname__}", place=path or None
    )


INLINES: Final[Mapping[type, Inline]] = {
    int: _integer,
    str: _string,
    float: _float,
    complex: _complex,
    bytes: _bytes,
    type: _type,
    **{type(value): _constant for value in CONSTANTS.values()},
}


def _parse_complex(content: JsonValue) -> complex:
    if type(content) is not list or len(content) != 2:
        raise ArchitectureError("a complex number has two parts")
    return complex(parse_float(content[0]), parse_float(content[1]))


def _parse_bytes(content: JsonValue) -> bytes:
    value = parse_hex(content)
    if len(value) > limits.MAX_INLINE_BYTES:
        raise ArchitectureError("bytes that must be a tensor")
    return value


def named(table: Mapping[str, object], what: str) -> Parser:
    """A parser that looks a name up in a closed table."""

    def parse(content: JsonValue) -> object:
        if type(content) is not str or content not in table:
            raise ArchitectureError(f"unknown {what} {content!r:.60}")
        return table[content]

    return parse


PARSERS: Final[Mapping[str, Parser]] = {
    "int": parse_integer,
    "float": parse_float,
    "complex": _parse_complex,
    "bytes": _parse_bytes,
    "const": named(CONSTANTS, "constant"),
    "type": named(PLAIN_TYPES, "type"),
}

# Strings and bytes too large for JSON


def _store_bytes(node: Node, path: str, encoder: Encoder, data: bytes | bytearray) -> Node:
    encoder.store(node, "data", path, "U8", (len(data),), lambda: (data,))
    return node


def _encode_string(obj: Any, path: str, encoder: Encoder) -> Node:
    return _store_bytes({"kind": "str"}, path, encoder, obj.encode("utf-8", "surrogatepass"))


def _encode_bytes(obj: Any, path: str, encoder: Encoder) -> Node:
    return _store_bytes({"kind": "bytes"}, path, encoder, obj)


def _encode_bytearray(obj: Any, path: str, encoder: Encoder) -> Node:
    return _store_bytes({"kind": "bytearray"}, path, encoder, bytes(obj))


def _claim_bytes(node: Node, decoder: Decoder) -> memoryview:
    tensor = decoder.claim(node["data"])
    if tensor.dtype != "U8" or len(tensor.shape) != 1:
        raise ArchitectureError("bytes must be a one-dimensional tensor of U8")
    return tensor.buffer


def _create_string(node: Node, decoder: Decoder) -> str:
    value = bytes(_claim_bytes(node, decoder)).decode("utf-8", "surrogatepass")
    if _string(value, "") is not NEEDS_NODE:
        raise ArchitectureError("a string that must be in the JSON")
    return value


# Containers


def _elements(obj: Iterable[object], path: str, encoder: Encoder) -> list[JsonValue]:
    return [encoder.value(item, join(path, str(i))) for i, item in enumerate(obj)]


def encode_pairs(obj: Mapping[Any, object], path: str, encoder: Encoder) -> list[JsonValue]:
    """The entries of a dictionary in order, as pairs of VALUEs."""
    _check_keys(list(obj), path)
    return [
        [encoder.value(key, join(path, "key")), encoder.value(value, join(path, key))]
        for key, value in obj.items()
    ]


def _check_keys(keys: list[object], path: str) -> None:
    try:
        check_hashes(keys)
    except ArchitectureError as error:
        raise UnsavableError(error.message, place=path or None) from None


def _list(kind: str) -> Handler:
    def handler(obj: Any, path: str, encoder: Encoder) -> Node:
        return {"kind": kind, "items": _elements(obj, path, encoder)}

    return handler


def _set(kind: str) -> Handler:
    def handler(obj: Any, path: str, encoder: Encoder) -> Node:
        _check_keys(list(obj), path)
        return {"kind": kind, "items": _elements(sorted(obj, key=_order), path, encoder)}

    return handler


def _order(item: object) -> tuple[str, Any]:
    """A place for each element of a set that does not depend on hashes."""
    kind = type(item)
    if kind is tuple:
        return kind.__name__, [_order(part) for part in item]  # type: ignore[attr-defined]
    if kind is frozenset:
        return kind.__name__, sorted(_order(part) for part in item)  # type: ignore[attr-defined]
    if kind in (int, float, complex):
        value: Any = item
        return kind.__name__, [value.real.hex() if kind is not int else value, str(value)]
    return kind.__name__, item if kind in (str, bytes) else repr(item)


def _dict(kind: str) -> Handler:
    def handler(obj: Any, path: str, encoder: Encoder) -> Node:
        if getattr(obj, "__dict__", None):
            raise UnsavableError(
                f"a {kind} with attributes of its own", place=path or None, hint="save dict(value)"
            )
        return {"kind": kind, "items": encode_pairs(obj, path, encoder)}

    return handler


def _is_factory(value: object) -> bool:
    return value is None or any(value is kind for kind in PLAIN_TYPES.values())


def _encode_defaultdict(obj: Any, path: str, encoder: Encoder) -> Node:
    factory = obj.default_factory
    if not _is_factory(factory):
        raise UnsavableError(
            "a defaultdict whose factory is code",
            place=path or None,
            hint="use a plain type such as list as factory, or save dict(value)",
        )
    return {
        "kind": "defaultdict",
        "factory": encoder.value(factory, join(path, "factory")),
        "items": encode_pairs(obj, path, encoder),
    }


def _encode_deque(obj: Any, path: str, encoder: Encoder) -> Node:
    return {"kind": "deque", "items": _elements(obj, path, encoder), "maxlen": obj.maxlen}


def _encode_slice(obj: Any, path: str, encoder: Encoder) -> Node:
    parts = (obj.start, obj.stop, obj.step)
    return {"kind": "slice", "items": _elements(parts, path, encoder)}


def _encode_range(obj: Any, path: str, encoder: Encoder) -> Node:
    parts = (obj.start, obj.stop, obj.step)
    return {"kind": "range", "items": _elements(parts, path, encoder)}


HANDLERS: Final[Mapping[type, Handler]] = {
    str: _encode_string,
    bytes: _encode_bytes,
    bytearray: _encode_bytearray,
    list: _list("list"),
    tuple: _list("tuple"),
    set: _set("set"),
    frozenset: _set("frozenset"),
    dict: _dict("dict"),
    OrderedDict: _dict("OrderedDict"),
    Counter: _dict("Counter"),
    defaultdict: _encode_defaultdict,
    deque: _encode_deque,
    slice: _encode_slice,
    range: _encode_range,
}


def _fill_list(obj: Any, node: Node, decoder: Decoder) -> None:
    obj.extend(decoder.values(node["items"]))


def fill_pairs(obj: Any, node: Node, decoder: Decoder) -> None:
    """Fill a dictionary from the pairs of its node."""
    pairs = decoder.pairs(node["items"])
    keys = [key for key, _ in pairs]
    if type(obj) is dict and len(keys) > limits.MAX_NUMBER_KEYS and is_numbering(keys):
        fill_numbered(obj, pairs)
        return
    check_hashes(keys)
    obj.update(pairs)
    if len(obj) != len(pairs):
        raise ArchitectureError("a dictionary with two equal keys")


def _fill_counter(obj: Any, node: Node, decoder: Decoder) -> None:
    entries: dict[object, object] = {}
    fill_pairs(entries, node, decoder)
    dict.update(obj, entries)  # Counter.update would add


def _unique_elements(node: Node, decoder: Decoder) -> list[object]:
    elements = decoder.values(node["items"])
    check_hashes(elements)
    if len(set(elements)) != len(elements):
        raise ArchitectureError("a set with two equal elements")
    return elements


def _fill_set(obj: Any, node: Node, decoder: Decoder) -> None:
    obj.update(_unique_elements(node, decoder))


def _create_defaultdict(node: Node, decoder: Decoder) -> object:
    factory: Any = decoder.value(node["factory"])
    if not _is_factory(factory):
        raise ArchitectureError("a defaultdict whose factory is not a plain type")
    return defaultdict(factory)


def _create_deque(node: Node, decoder: Decoder) -> deque[object]:
    limit = node["maxlen"]
    if limit is not None:
        limit = integer(limit, 0, limits.MAX_SAFE_INTEGER, "maxlen")
        if type(node["items"]) is not list or len(node["items"]) > limit:
            raise ArchitectureError("a deque with more items than its maxlen")
    return deque(maxlen=limit)


def _create_slice(node: Node, decoder: Decoder) -> slice:
    return slice(*_three(node, decoder))


def _create_range(node: Node, decoder: Decoder) -> range:
    start, stop, step = _three(node, decoder)
    if not type(start) is type(stop) is type(step) is int:
        raise ArchitectureError("a range of something other than integers")
    return range(start, stop, step)


def _three(node: Node, decoder: Decoder) -> list[Any]:
    values: list[Any] = decoder.values(node["items"])
    if len(values) != 3:
        raise ArchitectureError(f"a {text(node['kind'], 'kind')} has a start, a stop and a step")
    return values


def _new(make: Callable[[], object]) -> Callable[[Node, Decoder], object]:
    return lambda node, decoder: make()


_ITEMS: Final = frozenset({"items"})
_DATA: Final = frozenset({"data"})

BUILDERS: Final[Mapping[str, Builder]] = {
    "str": Builder(_create_string, fields=_DATA),
    "bytes": Builder(lambda node, decoder: bytes(_claim_bytes(node, decoder)), fields=_DATA),
    "bytearray": Builder(
        lambda node, decoder: bytearray(_claim_bytes(node, decoder)), fields=_DATA
    ),
    "list": Builder(_new(list), _fill_list, fields=_ITEMS),
    "tuple": Builder(lambda node, decoder: tuple(decoder.values(node["items"])), fields=_ITEMS),
    "set": Builder(_new(set), _fill_set, fields=_ITEMS),
    "frozenset": Builder(
        lambda node, decoder: frozenset(_unique_elements(node, decoder)), fields=_ITEMS
    ),
    "dict": Builder(_new(dict), fill_pairs, fields=_ITEMS),
    "OrderedDict": Builder(_new(OrderedDict), fill_pairs, fields=_ITEMS),
    "Counter": Builder(_new(Counter), _fill_counter, fields=_ITEMS),
    "defaultdict": Builder(_create_defaultdict, fill_pairs, fields=frozenset({"factory", "items"})),
    "deque": Builder(_create_deque, _fill_list, fields=frozenset({"items", "maxlen"})),
    "slice": Builder(_create_slice, fields=_ITEMS),
    "range": Builder(_create_range, fields=_ITEMS),
}
