"""Generators of random numbers of NumPy, from what a pickle tells of them.

Their state is checked before NumPy gets it: its C code follows positions in it without a look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.random_state import HALF, KINDS, MAX_POOL, MAX_SPAWNED
from safemodel.convert.values import Interpreter, Made, Rule, Steps
from safemodel.errors import UnconvertibleError
from safemodel.legacy.pickle_facts import Global

_MODULES: Final[Mapping[str, str]] = {
    "MT19937": "_mt19937",
    "PCG64": "_pcg64",
    "PCG64DXSM": "_pcg64",
    "Philox": "_philox",
    "SFC64": "_sfc64",
}
_PICKLE: Final = "numpy.random._pickle"
_BIT_GENERATOR: Final = f"{_PICKLE}.__bit_generator_ctor"
# A word of 128 bits for each of a few: longer ones nobody writes.
_MAX_ENTROPY: Final = 1 << 16
_KIND_OF: Final[Mapping[str, str]] = {
    f"numpy.random.{module}.{name}": name for name, module in _MODULES.items()
}


def odd(what: str) -> UnconvertibleError:
    """The error for a generator that NumPy does not write."""
    return UnconvertibleError(f"a {what} in a form that NumPy does not write")


def _bit_generator(made: Made, work: Interpreter) -> Steps:
    """`__bit_generator_ctor(class or name)`, with a state, and a seed sequence since NumPy 2."""
    value = made.value
    if made.new or value.mutations or len(made.arguments) != 1:
        raise odd("bit generator")
    (first,) = made.arguments
    name = _KIND_OF.get(first.full_name, "") if isinstance(first, Global) else first
    if type(name) is not str or name not in KINDS:
        raise odd("bit generator")
    state = yield value.state, "state"
    seed = None
    if type(state) is tuple:
        state, seed = state
    if seed is not None and type(seed) is not np.random.SeedSequence:
        raise odd("bit generator")
    generator: Any = KINDS[name][0](0)
    generator.__setstate__((_state_of(name, state), seed))
    return generator


def _state_of(name: str, state: Any) -> dict[str, Any]:
    """The state of a bit generator, checked.

    Raises:
        UnconvertibleError: one that such a generator can't be in.
    """
    _, arrays, numbers = KINDS[name]
    if type(state) is not dict or state.get("bit_generator") != name:
        raise odd(name)
    given = state.get("state")
    if type(given) is not dict:
        raise odd(name)
    inner: dict[str, Any] = {
        field: _words(name, given, field, dtype, length) for field, dtype, length in arrays
    }
    checked: dict[str, Any] = {"bit_generator": name, "state": inner}
    if name == "Philox":
        checked["buffer"] = _words(name, state, "buffer", "uint64", 4)
        checked["buffer_pos"] = _number(name, state, "buffer_pos", 4)
    inner.update({field: _number(name, given, field, most) for field, most in numbers})
    if name != "MT19937":
        checked.update({field: _number(name, state, field, most) for field, most in HALF})
    return checked


def _words(name: str, state: dict[Any, Any], field: str, dtype: str, length: int) -> Any:
    array = state.get(field)
    if type(array) is not np.ndarray or array.shape != (length,) or array.dtype.kind != "u":
        raise odd(name)
    return array.astype(dtype)


def _number(name: str, state: dict[Any, Any], field: str, most: int) -> int:
    number = state.get(field)
    if isinstance(number, np.integer):
        number = int(number)
    if type(number) is not int or not 0 <= number <= most:
        raise odd(name)
    return number


def _over(made: Made, work: Interpreter, what: str) -> Steps:
    """The bit generator that a generator stands on: given, or named and still to be made."""
    value = made.value
    if made.new or value.mutations or len(made.arguments) > 2:
        raise odd(what)
    first, *maker = made.arguments or ("MT19937",)
    if any(not isinstance(one, Global) or one.full_name != _BIT_GENERATOR for one in maker):
        raise odd(what)
    if not isinstance(first, str):
        found = yield first, "bit_generator"
        if type(found) not in _BIT_GENERATORS:
            raise odd(what)
        return found
    if first not in KINDS:
        raise odd(what)
    generator: Any = KINDS[first][0](0)
    generator.__setstate__((generator.state, None))  # no seed that differs from run to run
    return generator


def _generator(made: Made, work: Interpreter) -> Steps:
    """`__generator_ctor(bit generator)`; before NumPy 1.24 its name, and the state."""
    found = yield from _over(made, work, "Generator")
    state = yield made.value.state, "state"
    if state is not None:
        found.state = _state_of(type(found).__name__, state)
    return np.random.Generator(found)


def _random_state(made: Made, work: Interpreter) -> Steps:
    """`__randomstate_ctor(bit generator or name)` and a state, of which the last counts."""
    found = yield from _over(made, work, "RandomState")
    state = yield made.value.state, "state"
    gauss: Any = 0.0
    has_gauss: Any = 0
    if type(state) is tuple and len(state) in (3, 5):
        name, key, pos, *rest = state
        has_gauss, gauss = rest or (0, 0.0)
        state = {"bit_generator": name, "state": {"key": key, "pos": pos}}
    elif type(state) is dict:
        has_gauss, gauss = state.get("has_gauss", 0), state.get("gauss", 0.0)
    if has_gauss not in (0, 1) or not isinstance(gauss, float | int):
        raise odd("RandomState")
    result = np.random.RandomState(found)
    if state is not None:
        checked = _state_of(type(found).__name__, state)
        result.set_state({**checked, "has_gauss": int(has_gauss), "gauss": float(gauss)})
    return result


def _seed_sequence(made: Made, work: Interpreter) -> Steps:
    """`__pyx_unpickle_SeedSequence(class, checksum, None)` and its attributes, by their names."""
    value = made.value
    if made.new or value.mutations or len(made.arguments) != 3:
        raise odd("SeedSequence")
    state = yield value.state if value.state is not None else made.arguments[2], ""
    entropy, spawned, pool, size, spawn_key = state
    found = seed_sequence(entropy, spawn_key, size, spawned)
    if type(pool) is not np.ndarray or not np.array_equal(pool, found.pool):
        raise UnconvertibleError("a SeedSequence whose pool is not made of its entropy")
    return found


def seed_sequence(entropy: Any, spawn_key: Any, size: Any, spawned: Any) -> np.random.SeedSequence:
    """A seed sequence, of checked numbers.

    Raises:
        UnconvertibleError: others than NumPy has in one.
    """
    words = entropy if type(entropy) in (list, tuple) else [entropy]
    words = [int(word) if isinstance(word, np.integer) else word for word in words]
    natural = [*(words if entropy is not None else ()), *spawn_key]
    if any(type(word) is not int or not 0 <= word < 1 << _MAX_ENTROPY for word in natural):
        raise odd("SeedSequence")
    if len(natural) > _MAX_ENTROPY or type(size) is not int or not 4 <= size <= MAX_POOL:
        raise odd("SeedSequence")
    if type(spawned) is not int or not 0 <= spawned <= MAX_SPAWNED or entropy is None:
        raise odd("SeedSequence")
    return np.random.SeedSequence(
        words if type(entropy) in (list, tuple) else words[0],
        spawn_key=tuple(spawn_key),
        pool_size=size,
        n_children_spawned=spawned,
    )


def generator_over(state: Any, seed: np.random.SeedSequence) -> np.random.Generator:
    """A generator over a bit generator with a state that says which it is.

    Raises:
        UnconvertibleError: a state that it can't be in.
    """
    name = state.get("bit_generator") if type(state) is dict else None
    if type(name) is not str or name not in KINDS:
        raise odd("bit generator")
    found: Any = KINDS[name][0](0)
    found.__setstate__((_state_of(name, state), seed))
    return np.random.Generator(found)


_BIT_GENERATORS: Final = frozenset(kind for kind, _, _ in KINDS.values())

RULES: Final[Mapping[str, Rule]] = {
    _BIT_GENERATOR: _bit_generator,
    f"{_PICKLE}.__generator_ctor": _generator,
    f"{_PICKLE}.__randomstate_ctor": _random_state,
    "numpy.random.__RandomState_ctor": _random_state,
    "numpy.random.mtrand.__RandomState_ctor": _random_state,
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": _seed_sequence,
    "numpy.random._bit_generator.__pyx_unpickle_SeedSequence": _seed_sequence,
}
