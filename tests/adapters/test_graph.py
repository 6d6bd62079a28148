"""The object graph: plain values, identity, cycles, and what is refused at save."""

from __future__ import annotations

import collections
import enum
import itertools
import math
import struct
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import limits
from safemodel.adapters import graph_work
from safemodel.adapters import numpy as adapter
from safemodel.adapters.graph import audit, float_text, parse_float, parse_integer
from safemodel.adapters.graph_decode import Builder
from safemodel.errors import ArchitectureError, UnsavableError

from .compare import assert_same
from .support import Codec, MemoryBundle

codec = Codec(adapter.HANDLERS, adapter.INLINES, adapter.BUILDERS, adapter.PARSERS)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.sampled_from([..., NotImplemented, float, dict, 2**53, -(2**53), 2**2000, "\ud800", -0.0])
)
keys = st.recursive(
    st.none() | st.integers() | st.text() | st.binary() | st.booleans(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(collections.deque)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4).map(collections.OrderedDict)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    assert_same(value, codec.roundtrip(value))


@settings(max_examples=100, deadline=None)
@given(st.sets(keys, max_size=8))
def test_a_set_has_one_encoding(value: set[object]) -> None:
    again: set[object] = set()
    for item in sorted(value, key=repr, reverse=True):
        again.add(item)
    assert codec.encode(value).graph == codec.encode(again).graph


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000])
def test_a_nan_keeps_its_bits(bits: int) -> None:
    value = struct.unpack(">d", struct.pack(">Q", bits))[0]
    assert struct.pack(">d", codec.roundtrip(value)) == struct.pack(">Q", bits)


@given(st.floats())
def test_a_float_has_one_spelling(value: float) -> None:
    assert struct.pack("<d", parse_float(float_text(value))) == struct.pack("<d", value)


@pytest.mark.parametrize(
    "text",
    ["1.0", "0x1p0", "0x1.0p+0", "NaN", "nan:7ff8000000000000", "nan:3ff0000000000000", "infinity",
     "nan:", "nan:zz", "+inf", "0X1.8p+1", "0x1.0000000000000p+9999", 1, None, ""],
)  # fmt: skip
def test_other_spellings_of_floats_are_refused(text: Any) -> None:
    with pytest.raises(ArchitectureError):
        parse_float(text)


@pytest.mark.parametrize("text", ["1", "9007199254740991", "-0", "01", "+9", "1" * 4002, " 9", 7])
def test_integers_that_json_has_are_refused_as_text(text: Any) -> None:
    with pytest.raises(ArchitectureError):
        parse_integer(text)


def test_identity_and_cycles_survive() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    loop = (inner,)
    inner.append(loop)
    long = "x" * 5000
    value = {"a": inner, "b": inner, "c": loop, "d": [long, long]}
    result = codec.roundtrip(value)
    assert result["a"] is result["b"] is result["a"][1]
    assert result["c"][0] is result["a"]
    assert result["a"][2] is result["c"]
    assert result["d"][0] is result["d"][1]


def test_containers_of_collections_survive() -> None:
    value = [
        collections.Counter("abca"),
        collections.defaultdict(list, {"a": [1]}),
        collections.defaultdict(None, {1: 2}),
        collections.deque([1, 2], maxlen=3),
        slice(1, None, 2.5),
        range(0, 10, 3),
        bytearray(b"x" * 2000),
        b"y" * 2000,
    ]
    result = codec.roundtrip(value)
    assert_same(value, result)
    assert result[1].default_factory is list
    assert result[3].maxlen == 3


def test_any_depth_is_saved_without_recursion() -> None:
    value: Any = []
    for _ in range(limits.MAX_GRAPH_DEPTH - 2):
        value = [value]
    result = codec.roundtrip(value)
    for _ in range(limits.MAX_GRAPH_DEPTH - 2):
        (result,) = result
    assert result == []


class _Point(NamedTuple):
    x: int


class _Color(enum.IntEnum):
    RED = 1


class _Text(str):
    __slots__ = ()


class _Dict(dict[str, int]):
    pass


class _Thing:
    pass


class _Stateful:
    def state_dict(self) -> Any:
        return {}

    def __call__(self) -> None: ...


def _deep() -> object:
    value: Any = []
    for _ in range(limits.MAX_GRAPH_DEPTH + 1):
        value = [value]
    return value


def _deep_tuple() -> object:
    value: Any = ()
    for _ in range(limits.MAX_FROZEN_DEPTH + 1):
        value = (value,)
    return value


def _attributed() -> object:
    value: Any = collections.OrderedDict()
    value.extra = 1
    return value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (_Point(1), "_asdict"),
        (_Color.RED, "int"),
        (_Text("x"), "str"),
        (_Dict(a=1), "plain copy"),
        (_Thing(), "state"),
        (_Stateful(), "save their state_dict"),
        (_Thing, ""),
        (len, "code"),
        (lambda: 0, "code"),
        (collections.defaultdict(lambda: 0), "factory"),
        (_attributed(), "dict"),
        (memoryview(b"x"), ""),
        (_deep(), ""),
        (_deep_tuple(), ""),
        (10**4100, ""),
        ({k * (2**61 - 1) for k in range(2, 200)}, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_form_is_refused_at_save_with_a_hint(value: object, hint: str) -> None:
    with pytest.raises(UnsavableError) as caught:
        codec.encode({"a": [0, value]})
    assert hint in (caught.value.hint or "")


def test_the_refusal_names_the_path() -> None:
    with pytest.raises(UnsavableError, match=r"steps\.1\.x: can't represent a"):
        codec.encode({"steps": [0, {"x": _Thing()}]})


def test_tensors_are_named_by_path_and_unique() -> None:
    value = {
        "a.b": np.ones(1),
        "a": {"b": np.ones(2), "é": np.ones(3)},
        "": np.ones(4),
        3: [b"z" * 2000],
    }
    graph, bundle = codec.save(value)
    assert bundle.stored == {
        "a.b": ("F64", (1,)),
        "a.b~2": ("F64", (2,)),
        "t000001": ("F64", (3,)),
        "value": ("F64", (4,)),
        "3.0": ("U8", (2000,)),
    }
    assert graph["names"] == {"t000001": "a.é"}


def test_the_same_object_has_the_same_encoding() -> None:
    value = {"a": [np.arange(3), {2, 1}], "b": (1.5, {"x": None})}
    first, second = codec.save(value), codec.save(value)
    assert first[0] == second[0]
    assert first[1].stored == second[1].stored


def test_an_adapter_adds_kinds_with_cycles() -> None:
    class Node:
        other: Node

    def encode_node(obj: Any, path: str, encoder: Any) -> Any:
        return {"kind": "test.node", "other": encoder.value(obj.other, f"{path}.other")}

    def fill(obj: Any, node: Any, decoder: Any) -> None:
        obj.other = decoder.value(node["other"])

    def check(obj: Any, node: Any, decoder: Any) -> None:
        if obj.other.other is not obj:
            raise ArchitectureError("no pair")

    builder = Builder(lambda node, decoder: Node(), fill, check, frozenset({"other"}))
    own = Codec(
        {**codec.handlers, Node: encode_node},
        codec.inlines,
        {**codec.builders, "test.node": builder},
        codec.parsers,
    )
    first, second = Node(), Node()
    first.other, second.other = second, first
    result = own.roundtrip([first, second])
    assert result[0].other is result[1]
    second.other = second
    with pytest.raises(ArchitectureError, match="no pair"):
        own.roundtrip([first])


EMPTY = MemoryBundle([])
LIST = {"kind": "list", "items": []}


def ref(index: Any) -> Any:
    return {"ref": index}


BAD_GRAPHS: dict[str, Any] = {
    "not an object": [],
    "no nodes": {"root": None},
    "unknown field": {"root": None, "nodes": [], "more": 1},
    "nodes not a list": {"root": None, "nodes": {}},
    "root missing": {"nodes": []},
    "names not an object": {"root": None, "nodes": [], "names": []},
    "names not text": {"root": None, "nodes": [], "names": {"t000001": 1}},
    "long scalar inline": {"root": {"scalar": ["|S1025", "00" * 1025]}, "nodes": []},
    "root a float": {"root": 1.5, "nodes": []},
    "root a list": {"root": [], "nodes": []},
    "root an empty object": {"root": {}, "nodes": []},
    "unknown tag": {"root": {"eval": "1"}, "nodes": []},
    "unknown constant": {"root": {"const": "quit"}, "nodes": []},
    "unknown type": {"root": {"type": "os.system"}, "nodes": []},
    "type not text": {"root": {"type": ["int"]}, "nodes": []},
    "reference out of range": {"root": ref(0), "nodes": []},
    "reference negative": {"root": ref(-1), "nodes": [LIST]},
    "reference not an integer": {"root": ref(True), "nodes": [LIST, LIST]},
    "reference to a reference": {"root": ref(ref(0)), "nodes": [LIST]},
    "out of order": {
        "root": ref(0),
        "nodes": [{"kind": "list", "items": [ref(2), ref(1)]}, LIST, LIST],
    },
    "unreachable": {"root": ref(0), "nodes": [LIST, LIST]},
    "unreachable pair": {
        "root": None,
        "nodes": [{"kind": "list", "items": [ref(1)]}, {"kind": "list", "items": [ref(0)]}],
    },
    "no kind": {"root": ref(0), "nodes": [{"items": []}]},
    "kind not text": {"root": ref(0), "nodes": [{"kind": ["list"], "items": []}]},
    "unknown kind": {"root": ref(0), "nodes": [{"kind": "__import__", "items": []}]},
    "field missing": {"root": ref(0), "nodes": [{"kind": "list"}]},
    "field too many": {"root": ref(0), "nodes": [{"kind": "list", "items": [], "x": 1}]},
    "items not a list": {"root": ref(0), "nodes": [{"kind": "list", "items": "ab"}]},
    "item not a value": {"root": ref(0), "nodes": [{"kind": "list", "items": [[1]]}]},
    "long string inline": {"root": "x" * 5000, "nodes": []},
    "long bytes inline": {"root": {"bytes": "00" * 1025}, "nodes": []},
    "bytes in capitals": {"root": {"bytes": "AA"}, "nodes": []},
    "bytes of half a byte": {"root": {"bytes": "a"}, "nodes": []},
    "complex of one": {"root": {"complex": ["0x0.0p+0"]}, "nodes": []},
    "tuple in itself": {"root": ref(0), "nodes": [{"kind": "tuple", "items": [ref(0)]}]},
    "tuples in each other": {
        "root": ref(0),
        "nodes": [{"kind": "tuple", "items": [ref(1)]}, {"kind": "frozenset", "items": [ref(0)]}],
    },
    "pair of three": {"root": ref(0), "nodes": [{"kind": "dict", "items": [[1, 2, 3]]}]},
    "pair not a list": {"root": ref(0), "nodes": [{"kind": "dict", "items": ["ab"]}]},
    "two equal keys": {"root": ref(0), "nodes": [{"kind": "dict", "items": [[1, 2], [True, 2]]}]},
    "unhashable key": {
        "root": ref(0),
        "nodes": [{"kind": "dict", "items": [[ref(1), 0]]}, LIST],
    },
    "unhashable element": {"root": ref(0), "nodes": [{"kind": "set", "items": [ref(1)]}, LIST]},
    "unhashable inside a key": {
        "root": ref(0),
        "nodes": [
            {"kind": "dict", "items": [[ref(1), 0]]},
            {"kind": "tuple", "items": [ref(2)]},
            LIST,
        ],
    },
    "equal elements": {"root": ref(0), "nodes": [{"kind": "frozenset", "items": [1, 1]}]},
    "keys with equal hashes": {
        "root": ref(0),
        "nodes": [
            {
                "kind": "dict",
                "items": [[{"int": str(k * (2**61 - 1))}, 0] for k in range(8192, 8292)],
            }
        ],
    },
    "factory is code": {
        "root": ref(0),
        "nodes": [{"kind": "defaultdict", "factory": "list", "items": []}],
    },
    "factory is an instance": {
        "root": ref(0),
        "nodes": [{"kind": "defaultdict", "factory": ref(1), "items": []}, LIST],
    },
    "deque over its limit": {
        "root": ref(0),
        "nodes": [{"kind": "deque", "items": [1, 2], "maxlen": 1}],
    },
    "deque limit too large": {
        "root": ref(0),
        "nodes": [{"kind": "deque", "items": [], "maxlen": -1}],
    },
    "slice of two": {"root": ref(0), "nodes": [{"kind": "slice", "items": [1, 2]}]},
    "range of text": {"root": ref(0), "nodes": [{"kind": "range", "items": [0, "9", 1]}]},
    "range without a step": {"root": ref(0), "nodes": [{"kind": "range", "items": [0, 9, 0]}]},
    "no such tensor": {"root": ref(0), "nodes": [{"kind": "bytes", "data": "x"}]},
    "tensor name not text": {"root": ref(0), "nodes": [{"kind": "str", "data": ["x"]}]},
}


@pytest.mark.parametrize("graph", BAD_GRAPHS.values(), ids=BAD_GRAPHS)
def test_a_graph_that_breaks_a_rule_is_refused(graph: Any) -> None:
    with pytest.raises(ArchitectureError):
        codec.load(graph, EMPTY)


def test_a_tensor_is_used_and_copied_once() -> None:
    graph, bundle = codec.save([b"x" * 2000])
    assert codec.load(graph, bundle) == [b"x" * 2000]
    with pytest.raises(ArchitectureError, match="not used"):
        codec.load({"root": None, "nodes": []}, bundle)
    twice = {
        "root": ref(0),
        "nodes": [
            {"kind": "list", "items": [ref(1), ref(2)]},
            {"kind": "bytes", "data": "0"},
            {"kind": "bytes", "data": "0"},
        ],
    }
    with pytest.raises(ArchitectureError, match="used twice"):
        codec.load(twice, bundle)
    viewed = {**twice, "nodes": [*twice["nodes"][:2], _bytes_view("0")]}  # type: ignore[index]
    with pytest.raises(ArchitectureError, match="used twice"):
        codec.load(viewed, bundle)


def _bytes_view(name: str) -> Any:
    return {"kind": "ndarray", "dtype": "|u1", "data": name}


def test_a_deep_graph_is_refused_before_anything_is_built() -> None:
    count = limits.MAX_GRAPH_DEPTH + 5
    nodes: list[Any] = [{"kind": "list", "items": [ref(i + 1)]} for i in range(count)]
    with pytest.raises(ArchitectureError, match="deeper"):
        audit({"root": ref(0), "nodes": [*nodes, LIST]})


def test_a_long_chain_of_tuples_is_refused_whatever_its_shortest_path() -> None:
    # Every tuple hangs directly on the root, so the graph is flat; their nesting is not.
    count = 100_000
    tuples: list[Any] = [{"kind": "tuple", "items": [ref(i + 2)]} for i in range(count)]
    nodes = [{"kind": "list", "items": [ref(i + 1) for i in range(count + 1)]}, *tuples]
    with pytest.raises(ArchitectureError, match="deep"):
        codec.load({"root": ref(0), "nodes": [*nodes, {"kind": "tuple", "items": []}]}, EMPTY)


def _flat_chain(kind: str, count: int) -> Any:
    """A graph in which every node hangs on the root, and each on the one before."""
    nodes: list[Any] = [{"kind": "dict", "items": [[i, ref(i + 1)] for i in range(count)]}]
    for index in range(count):
        item = ref(index) if index else None
        nodes.append(
            {
                "list": {"items": [item]},
                "dict": {"items": [[0, item]]},
                "slice": {"items": [item, None, None]},
                "object_array": {"shape": [], "items": [item]},
                "deque": {"items": [item], "maxlen": None},
                "defaultdict": {"factory": None, "items": [[0, item]]},
                "OrderedDict": {"items": [[0, item]]},
                "Counter": {"items": [[0, item]]},
            }[kind]
            | {"kind": kind}
        )
    return {"root": ref(0), "nodes": nodes}


@pytest.mark.parametrize("kind", ["object_array", "deque", "defaultdict", "OrderedDict", "Counter"])
def test_a_long_chain_of_what_is_freed_by_recursion_is_refused(kind: str) -> None:
    most = limits.MAX_GRAPH_CHAIN
    assert len(codec.load(_flat_chain(kind, most), EMPTY)) == most
    with pytest.raises(ArchitectureError, match="a chain of more than 1000"):
        codec.load(_flat_chain(kind, most + 1), EMPTY)


def test_a_long_chain_of_slices_is_refused() -> None:
    # Python 3.12 hashes them by recursion, so they count as tuples do.
    with pytest.raises(ArchitectureError, match="64 deep"):
        codec.load(_flat_chain("slice", limits.MAX_FROZEN_DEPTH + 1), EMPTY)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_long_chain_of_what_is_freed_without_recursion_is_not(kind: str) -> None:
    result = codec.load(_flat_chain(kind, 30_000), EMPTY)
    assert len(result) == 30_000


def test_a_long_chain_is_refused_whatever_stands_between_and_around() -> None:
    # Object arrays with lists between them, which all end in a circle.
    graph = _flat_chain("object_array", 3_000)
    for index in range(2, 3_001, 3):
        graph["nodes"][index] = {"kind": "list", "items": [ref(index - 1)]}
    with pytest.raises(ArchitectureError, match="a chain"):
        codec.load(graph, EMPTY)
    circle = _flat_chain("deque", limits.MAX_GRAPH_CHAIN + 1)
    circle["nodes"][1]["items"] = [ref(limits.MAX_GRAPH_CHAIN + 1)]
    with pytest.raises(ArchitectureError, match="a chain"):
        codec.load(circle, EMPTY)


def test_many_objects_beside_one_another_are_no_chain() -> None:
    inner = collections.deque([1])
    value = [collections.deque([inner, [inner]]) for _ in range(5_000)]
    value[0].append(value[1])
    result = codec.roundtrip(value)
    assert result[0][0] is result[4_999][1][0]


def test_a_long_chain_is_refused_at_save() -> None:
    links = [collections.deque([None]) for _ in range(limits.MAX_GRAPH_CHAIN + 1)]
    for first, second in itertools.pairwise(links):
        first[0] = second
    with pytest.raises(UnsavableError, match="a chain"):
        codec.encode(links)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 11), max_size=4), min_size=12, max_size=12))
def test_what_reaches_one_another_is_found(edges: list[list[int]]) -> None:
    children = [tuple(below) for below in edges]
    reach = {index: {index} for index in range(12)}
    for _ in range(12):
        for index in range(12):
            reach[index].update(*(reach[child] for child in children[index]))
    found = [sorted(members) for members in graph_work._components(children)]
    assert sorted(itertools.chain(*found)) == list(range(12))
    place = {index: turn for turn, members in enumerate(found) for index in members}
    for first in range(12):
        assert all(place[child] <= place[first] for child in children[first])
        for second in range(12):
            mutual = first in reach[second] and second in reach[first]
            assert (place[first] == place[second]) == mutual


def test_tuples_that_double_each_other_are_not_hashed() -> None:
    nodes: list[Any] = [{"kind": "dict", "items": [[ref(1), 0]]}]
    nodes += [{"kind": "tuple", "items": [ref(i + 2), ref(i + 2)]} for i in range(60)]
    nodes.append({"kind": "tuple", "items": []})
    with pytest.raises(ArchitectureError, match="items in all"):
        codec.load({"root": ref(0), "nodes": nodes}, EMPTY)
    value: Any = ()
    for _ in range(60):
        value = (value, value)
    assert len(codec.roundtrip([value])[0]) == 2  # nothing hashes it here


def test_one_long_tuple_is_not_hashed_over_and_over() -> None:
    long = {"kind": "tuple", "items": [0] * 20_000}
    sets: list[Any] = [{"kind": "set", "items": [ref(6001)]} for _ in range(6000)]
    nodes = [{"kind": "list", "items": [ref(i + 1) for i in range(6000)]}, *sets, long]
    with pytest.raises(ArchitectureError, match="items in all"):
        codec.load({"root": ref(0), "nodes": nodes}, EMPTY)


MANY = limits.MAX_NUMBER_KEYS + 1
# Kinds of keys whose hashes everybody knows, as VALUEs; a key that is None is a reference.
KNOWN: dict[str, Any] = {
    "integers": [3 * number for number in range(MANY)],
    "negative": [-number for number in range(MANY)],
    "large": [{"int": str(2**53 + number)} for number in range(MANY)],
    "floats": [{"float": float_text(number + 0.5)} for number in range(MANY)],
    "complex": [{"complex": [float_text(1.0 * number)] * 2} for number in range(MANY)],
    "scalars": [{"scalar": ["<i8", number.to_bytes(8, "little").hex()]} for number in range(MANY)],
    "beside text": [*range(MANY), "x"],
}


@pytest.mark.parametrize("kind", ["dict", "Counter", "OrderedDict", "defaultdict", "set"])
@pytest.mark.parametrize("keys", KNOWN.values(), ids=KNOWN)
def test_many_keys_with_known_hashes_are_refused(kind: str, keys: list[Any]) -> None:
    def graph(some: list[Any]) -> Any:
        items = some if kind == "set" else [[key, 0] for key in some]
        more = {"factory": None} if kind == "defaultdict" else {}
        return {"root": ref(0), "nodes": [{"kind": kind, "items": items, **more}]}

    with pytest.raises(ArchitectureError, match="keys that are not strings"):
        codec.load(graph(keys), EMPTY)
    assert len(codec.load(graph(keys[: MANY - 1]), EMPTY)) == MANY - 1


@pytest.mark.parametrize("empty", ["", {"bytes": ""}, ref(MANY + 1), 1], ids=str)
def test_tuples_are_known_unless_they_are_of_text_alone(empty: Any) -> None:
    def graph(part: Any) -> Any:
        items = [[ref(index + 1), 0] for index in range(MANY)]
        tuples = [{"kind": "tuple", "items": [str(i), part]} for i in range(MANY)]
        rest = [{"kind": "tuple", "items": []}] if part == ref(MANY + 1) else []
        nodes = [{"kind": "dict", "items": items}, *tuples, *rest]
        return {"root": ref(0), "nodes": nodes}

    with pytest.raises(ArchitectureError, match="keys that are not strings"):
        codec.load(graph(empty), EMPTY)
    assert len(codec.load(graph("x"), EMPTY)) == MANY


def test_many_containers_of_known_keys_have_a_limit() -> None:
    keys = [3 * number for number in range(limits.MAX_NUMBER_KEYS)]
    sets: list[Any] = [{"kind": "set", "items": keys} for _ in range(65)]
    nodes = [{"kind": "list", "items": [ref(i + 1) for i in range(65)]}, *sets]
    _, audited, children = audit({"root": ref(0), "nodes": nodes})
    with pytest.raises(ArchitectureError, match="items in all"):
        graph_work.check_work(audited, children)


def test_numbers_of_things_may_be_many() -> None:
    count = 2 * MANY
    for keys in (range(count), reversed(range(count)), [*range(1, 2 * count, 2), 0],
                 [*range(count // 2, count), *range(count // 2)]):  # fmt: skip
        value = {key: str(key) for key in keys}
        assert_same(value, codec.roundtrip(value))
    far = [*range(count - 1), 2 * count]
    with pytest.raises(ArchitectureError, match="keys that are not strings"):
        codec.load({"root": ref(0), "nodes": [_numbered(far)]}, EMPTY)
    with pytest.raises(ArchitectureError, match="equal keys"):
        codec.load({"root": ref(0), "nodes": [_numbered([*range(count), 7])]}, EMPTY)
    with pytest.raises(ArchitectureError, match="keys that are not strings"):
        codec.load({"root": ref(0), "nodes": [_numbered([*range(count), True])]}, EMPTY)


def _numbered(keys: list[Any]) -> Any:
    return {"kind": "dict", "items": [[key, 0] for key in keys]}


def test_numbers_never_meet_in_the_table_that_takes_them() -> None:
    # Keys that fill the places which the later ones try, in a table that has just grown.
    class Table(dict[int, None]):
        sizes: list[int] = []  # noqa: RUF012

        def __setitem__(self, key: int, value: None) -> None:
            super().__setitem__(key, value)
            self.sizes.append(sys.getsizeof(self))

    table = Table()
    pairs = [(number, None) for number in reversed(range(3_000, 6_000))]
    graph_work.fill_numbered(table, pairs)  # type: ignore[arg-type]  # a dict of integers
    assert list(table) == [number for number, _ in pairs]
    assert min(table.sizes) >= sys.getsizeof(dict.fromkeys(range(6_000))) * 0.5


def test_many_keys_of_text_are_not_refused() -> None:
    value = {str(number): number for number in range(MANY)}
    assert_same(value, codec.roundtrip(value))
    words = {(str(number), b"x"): number for number in range(MANY)}
    assert_same(words, codec.roundtrip(words))
    assert len(codec.roundtrip({number.to_bytes(4, "little") for number in range(MANY)})) == MANY


def test_many_keys_with_known_hashes_are_refused_at_save() -> None:
    with pytest.raises(UnsavableError, match="keys that are not strings"):
        codec.encode([{number / 2 for number in range(MANY)}])


def test_math_is_not_lost_in_complex_numbers() -> None:
    result = codec.roundtrip(complex(-0.0, math.inf))
    assert math.copysign(1, result.real) == -1
    assert result.imag == math.inf
