"""The random number kinds of an object graph: NumPy's bit generators and what stands on them.

The state of a generator is as hostile as everything else: positions that its C code would follow
out of an array are checked here. Two generators over one bit generator still share it after a
load. Implements spec/object-graph.md, "Random number kinds".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.graph import parse_float
from safemodel.adapters.graph_decode import Builder, Decoder, integer
from safemodel.adapters.graph_encode import Encoder, Handler, Node, join
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_WORD32: Final = 2**32 - 1
_WORD64: Final = 2**64 - 1
_WORD128: Final = 2**128 - 1
MAX_POOL: Final = 256
_WORD_SIZE: Final = 4
MAX_SPAWNED: Final = 2**32 - 1

# bit generator -> (class, arrays of its state: (field, dtype, length), integers: (field, maximum))
_Table = Mapping[str, tuple[Any, tuple[tuple[str, str, int], ...], tuple[tuple[str, int], ...]]]
KINDS: Final[_Table] = {
    "MT19937": (np.random.MT19937, (("key", "uint32", 624),), (("pos", 624),)),
    "PCG64": (np.random.PCG64, (), (("state", _WORD128), ("inc", _WORD128))),
    "PCG64DXSM": (np.random.PCG64DXSM, (), (("state", _WORD128), ("inc", _WORD128))),
    "Philox": (np.random.Philox, (("counter", "uint64", 4), ("key", "uint64", 2)), ()),
    "SFC64": (np.random.SFC64, (("state", "uint64", 4),), ()),
}
# What all but MT19937 keep besides: half of a word that was drawn and not yet used.
HALF: Final = (("has_uint32", 1), ("uinteger", _WORD32))


def is_stuck(name: str, state: Mapping[str, Any]) -> bool:
    """Whether a bit generator would give the same few numbers for ever.

    Then what draws until it likes a number, as for a normal or gamma distribution, never ends.
    """
    if name == "MT19937":  # all but one bit of the first word are never looked at
        return not state["key"][1:].any() and not int(state["key"][0]) >> 31
    return name.startswith("PCG64") and int(state["inc"]) % 2 == 0


def _encode_bit_generator(obj: Any, path: str, encoder: Encoder) -> Node:
    name = type(obj).__name__
    _, arrays, numbers = KINDS[name]
    state = obj.state
    if is_stuck(name, state["state"]):
        raise UnsavableError(f"a {name} that gives the same numbers for ever", place=path)
    words: list[int] = []
    for field, _, _ in arrays:
        words += [int(word) for word in state["state"][field]]
    if name == "Philox":
        words += [int(word) for word in state["buffer"]] + [int(state["buffer_pos"])]
    words += [int(state["state"][field]) for field, _ in numbers]
    if name != "MT19937":
        words += [int(state[field]) for field, _ in HALF]
    seed = obj.seed_seq if hasattr(obj, "seed_seq") else None
    if seed is not None and type(seed) is not np.random.SeedSequence:
        raise UnsavableError(f"a seed sequence that is a {type(seed).__name__}", place=path)
    data = np.array([[word & _WORD64, word >> 64] for word in words], "<u8")
    node: Node = {"kind": "bit_generator", "name": name}
    if seed is not None:
        node["seed_seq"] = encoder.value(seed, join(path, "seed_seq"))
    encoder.store(node, "data", path, "U64", data.shape, lambda: (data.data,))
    return node


def _create_bit_generator(node: Node, decoder: Decoder) -> object:
    name = node["name"]
    if type(name) is not str or name not in KINDS:
        raise ArchitectureError(f"unknown bit generator {name!r:.60}")
    kind, arrays, numbers = KINDS[name]
    words = _Words(node["data"], decoder)
    inner: dict[str, Any] = {field: words.array(dtype, length) for field, dtype, length in arrays}
    state: dict[str, Any] = {"bit_generator": name, "state": inner}
    if name == "Philox":
        state["buffer"] = words.array("uint64", 4)
        state["buffer_pos"] = words.number(4)
    inner.update({field: words.number(maximum) for field, maximum in numbers})
    if name != "MT19937":
        state.update({field: words.number(maximum) for field, maximum in HALF})
    words.end()
    if is_stuck(name, inner):
        raise ArchitectureError(f"a {name} that would give the same numbers for ever")
    seed = decoder.value(node["seed_seq"]) if "seed_seq" in node else None
    if seed is not None and type(seed) is not np.random.SeedSequence:
        raise ArchitectureError("a bit generator whose seed_seq is something else")
    generator = kind(0)
    generator.__setstate__((state, seed))
    return generator


class _Words:
    """The numbers of a state, 128 bits each, read from front to back."""

    def __init__(self, name: JsonValue, decoder: Decoder) -> None:
        tensor = decoder.claim(name)
        if tensor.dtype != "U64" or len(tensor.shape) != 2 or tensor.shape[1] != 2:
            raise ArchitectureError("the state of a bit generator must be pairs of U64")
        rows = np.frombuffer(tensor.buffer, "<u8").reshape(-1, 2)
        self._words = [int(low) | int(high) << 64 for low, high in rows[:1024].tolist()]
        self._next = 0

    def number(self, maximum: int) -> int:
        """The next number, at most `maximum`."""
        if self._next >= len(self._words) or self._words[self._next] > maximum:
            raise ArchitectureError("a state that its bit generator can't be in")
        self._next += 1
        return self._words[self._next - 1]

    def array(self, dtype: str, length: int) -> Any:
        """The next numbers as an array."""
        maximum = int(np.iinfo(dtype).max)
        return np.array([self.number(maximum) for _ in range(length)], dtype)

    def end(self) -> None:
        """Refuse numbers that nobody asked for."""
        if self._next != len(self._words):
            raise ArchitectureError("a state with too many numbers")


def _encode_generator(obj: Any, path: str, encoder: Encoder) -> Node:
    return {
        "kind": "generator",
        "bit_generator": encoder.value(obj.bit_generator, join(path, "bit_generator")),
    }


def _encode_random_state(obj: Any, path: str, encoder: Encoder) -> Node:
    state = obj.get_state(legacy=False)
    return {
        "kind": "random_state",
        "bit_generator": encoder.value(obj._bit_generator, join(path, "bit_generator")),
        "gauss": encoder.value(float(state["gauss"]), path) if state["has_gauss"] else None,
    }


def _bit_generator(node: Node, decoder: Decoder) -> Any:
    value = decoder.value(node["bit_generator"])
    if type(value) not in _BIT_GENERATORS:
        raise ArchitectureError("a generator without a bit generator")
    return value


def _create_generator(node: Node, decoder: Decoder) -> object:
    return np.random.Generator(_bit_generator(node, decoder))


def _create_random_state(node: Node, decoder: Decoder) -> object:
    result = np.random.RandomState(_bit_generator(node, decoder))
    gauss = node["gauss"]
    if gauss is not None:
        if type(gauss) is not dict or gauss.keys() != {"float"}:
            raise ArchitectureError("gauss must be a float or null")
        state: Any = result.get_state(legacy=False)
        result.set_state({**state, "has_gauss": 1, "gauss": parse_float(gauss["float"])})
    return result


def _encode_seed_sequence(obj: Any, path: str, encoder: Encoder) -> Node:
    if obj.pool_size > MAX_POOL:
        raise UnsavableError(f"a seed sequence with a pool of {obj.pool_size}", place=path)
    entropy = int(obj.entropy) if isinstance(obj.entropy, np.integer) else obj.entropy
    if not isinstance(entropy, (int, type(None))):
        entropy = [int(word) for word in entropy]
    words = entropy if isinstance(entropy, list) else [entropy]
    return {
        "kind": "seed_sequence",
        "entropy": [encoder.value(word, join(path, "entropy")) for word in words],
        "sequence": isinstance(entropy, list),
        "spawn_key": [encoder.value(int(word), join(path, "spawn_key")) for word in obj.spawn_key],
        "pool_size": obj.pool_size,
        "spawned": obj.n_children_spawned,
    }


def _create_seed_sequence(node: Node, decoder: Decoder) -> object:
    entropy = decoder.values(node["entropy"])
    spawn_key = decoder.values(node["spawn_key"])
    if any(type(word) is not int or word < 0 for word in [*entropy, *spawn_key]):
        raise ArchitectureError("a seed sequence of something other than natural numbers")
    if type(node["sequence"]) is not bool or (not node["sequence"] and len(entropy) != 1):
        raise ArchitectureError("a seed sequence needs one number, or a sequence of them")
    pool_size = integer(node["pool_size"], 4, MAX_POOL, "pool_size")
    spawned = integer(node["spawned"], 0, MAX_SPAWNED, "spawned")
    # Each word of the seed is mixed with each of the pool.
    numbers: list[Any] = [*entropy, *spawn_key]
    words = sum(1 + number.bit_length() // 32 for number in numbers)
    decoder.look(_WORD_SIZE * pool_size * (pool_size + words))
    return np.random.SeedSequence(
        entropy if node["sequence"] else entropy[0],  # type: ignore[arg-type]  # integers
        spawn_key=tuple(spawn_key),  # type: ignore[arg-type]  # integers
        pool_size=pool_size,
        n_children_spawned=spawned,
    )


_BIT_GENERATORS: Final = frozenset(kind for kind, _, _ in KINDS.values())

HANDLERS: Final[Mapping[type, Handler]] = {
    **dict.fromkeys(_BIT_GENERATORS, _encode_bit_generator),
    np.random.Generator: _encode_generator,
    np.random.RandomState: _encode_random_state,
    np.random.SeedSequence: _encode_seed_sequence,
}

BUILDERS: Final[Mapping[str, Builder]] = {
    "bit_generator": Builder(
        _create_bit_generator,
        fields=frozenset({"name", "data", "seed_seq"}),
        required=frozenset({"name", "data"}),
    ),
    "generator": Builder(_create_generator, fields=frozenset({"bit_generator"})),
    "random_state": Builder(_create_random_state, fields=frozenset({"bit_generator", "gauss"})),
    "seed_sequence": Builder(
        _create_seed_sequence,
        fields=frozenset({"entropy", "sequence", "spawn_key", "pool_size", "spawned"}),
    ),
}
