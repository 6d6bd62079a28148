"""Random states in a checkpoint: of Python, NumPy and PyTorch, and of generators that were passed.

All of them travel as the kinds of generators that an object graph knows, whose states are checked
when they are built; Python's Mersenne Twister as the one of NumPy, which is the same. What is
loaded is compared with what is there first: `check` returns what will restore it. Implements
spec/checkpoints.md, "Random states".
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import torch

from safemodel.adapters.torch.checkpoint.parts import check_key
from safemodel.errors import ArchitectureError, StateMismatchError, UnsavableError, UsageError

Restore = Callable[[], object]

_WORDS: Final = 624
_PYTHON_VERSION: Final = 3  # of what random.getstate() returns
_CUDA_STATE: Final = 16  # bytes: seed and offset
_GLOBAL: Final = frozenset({"python", "numpy", "torch", "cuda"})


def capture() -> dict[str, Any]:
    """The global random states of this process, as objects that a graph can hold."""
    state: dict[str, Any] = {
        "python": _from_python(random.getstate(), "rng.python"),
        "numpy": _numpy_global(),
        "torch": torch.default_generator,
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def check(saved: Any) -> tuple[list[Restore], list[str]]:
    """What restores the global random states, and which of them this machine can't have.

    Raises:
        ArchitectureError: not such states.
    """
    if type(saved) is not dict or not saved.keys() <= _GLOBAL:
        raise ArchitectureError("rng holds something other than random states")
    jobs: list[Restore] = []
    left = []
    for name, value in saved.items():
        if name == "cuda":
            states = _check_cuda(value)
            if torch.cuda.is_available() and torch.cuda.device_count() == len(states):
                jobs.append(partial(torch.cuda.set_rng_state_all, states))
            else:
                left.append("rng.cuda")
            continue
        target = {"python": random, "numpy": np.random, "torch": torch.default_generator}[name]
        jobs.append(_job(value, target, f"rng.{name}"))
    return jobs, left


def _numpy_global() -> np.random.RandomState:
    state: Any = np.random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise UnsavableError(
            f"NumPy's global generator is a {state['bit_generator']}",
            place="rng.numpy",
            hint="pass rng=False, and generators of your own in generators=",
        )
    made = _random_state()
    made.set_state(state)
    return made


def _random_state() -> np.random.RandomState:
    # Of a fixed seed: one that the system chose would be in the archive.
    return np.random.RandomState(np.random.MT19937(0))


def _from_python(state: Any, place: str) -> np.random.RandomState:
    version, words, gauss = state
    if version != _PYTHON_VERSION or len(words) != _WORDS + 1:
        raise UnsavableError("a random state of an unknown version of Python", place=place)
    made = _random_state()
    key, position = np.array(words[:-1], np.uint32), int(words[-1])
    made.set_state(("MT19937", key, position, gauss is not None, gauss or 0.0))
    return made


def _to_python(saved: np.random.RandomState) -> Any:
    state: Any = saved.get_state(legacy=False)
    words = (*state["state"]["key"].tolist(), int(state["state"]["pos"]))
    gauss = float(state["gauss"]) if state["has_gauss"] else None
    if gauss is not None and not math.isfinite(gauss):
        raise ArchitectureError("a random state with a number that is not finite")
    return _PYTHON_VERSION, words, gauss


def _check_cuda(value: Any) -> list[Any]:
    states: list[Any] = value if type(value) is list else [None]
    for state in states:
        if (
            type(state) is not torch.Tensor
            or state.dtype is not torch.uint8
            or state.shape != (_CUDA_STATE,)
            or state.requires_grad
        ):
            raise ArchitectureError("rng.cuda must be one state of 16 bytes for each device")
    return [state.clone() for state in states]


def generators(given: object) -> dict[str, Any]:
    """The generators of `generators=` by name, those of a loader as a list.

    Raises:
        UsageError: something that is neither a generator nor holds one.
    """
    if given is None:
        return {}
    many = given if isinstance(given, Mapping) else {"generator": given}
    found: dict[str, Any] = {}
    for key, value in many.items():
        check_key(key, "generators")
        found[key] = value if isinstance(value, KINDS) else _of_loader(value, key)
    return found


def _of_loader(value: Any, key: str) -> list[Any]:
    sampler = torch.utils.data.Sampler
    if not isinstance(value, (torch.utils.data.DataLoader, sampler)):
        raise UsageError(
            f"generators[{key!r}] is a {type(value).__name__}, not a random generator",
            hint="torch.Generator, numpy.random.Generator, numpy.random.RandomState, "
            "random.Random, or a DataLoader or Sampler that draws from one",
        )
    found: dict[int, Any] = {}
    pending = [value]
    while pending:
        item = pending.pop()
        generator = getattr(item, "generator", None)
        if isinstance(generator, KINDS):
            found[id(generator)] = generator
        inner = [getattr(item, name, None) for name in ("batch_sampler", "sampler")]
        pending += [one for one in inner if isinstance(one, sampler)]
    return list(found.values())


KINDS: Final = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def stored(generator: Any, place: str) -> Any:
    """What a graph holds of a generator."""
    if isinstance(generator, list):
        return [stored(one, f"{place}.{index}") for index, one in enumerate(generator)]
    if isinstance(generator, random.Random):
        if type(generator) is not random.Random:
            raise UnsavableError(f"a {type(generator).__name__} has no state", place=place)
        return _from_python(generator.getstate(), place)
    if isinstance(generator, torch.Generator) and generator.device.type != "cpu":
        return generator.get_state()
    return generator


def check_generator(saved: Any, generator: Any, place: str) -> list[Restore]:
    """What puts a saved state into a generator of the caller's, which is unchanged so far.

    Raises:
        StateMismatchError: a generator of another kind, or another number of them.
    """
    if not isinstance(generator, list):
        return [_job(saved, generator, place)]
    if type(saved) is not list or len(saved) != len(generator):
        found = len(saved) if type(saved) is list else 1
        raise StateMismatchError(
            f"the loader has {len(generator)} generators, the checkpoint {found}", place=place
        )
    pairs = enumerate(zip(saved, generator, strict=True))
    return [_job(one, mine, f"{place}.{index}") for index, (one, mine) in pairs]


def _job(saved: Any, target: Any, place: str) -> Restore:
    if isinstance(target, torch.Generator):
        return _torch_job(saved, target, place)
    if isinstance(target, np.random.Generator):
        _expect(saved, np.random.Generator, place)
        mine, new = target.bit_generator, saved.bit_generator
        if type(mine) is not type(new):
            raise _other(type(mine).__name__, type(new).__name__, place)
        return lambda: setattr(mine, "state", new.state)
    _expect(saved, np.random.RandomState, place)
    state: Any = saved.get_state(legacy=False)
    own = target.get_state(legacy=False) if hasattr(target, "get_state") else {}
    expected = own.get("bit_generator", "MT19937")
    if state["bit_generator"] != expected:
        raise _other(expected, state["bit_generator"], place)
    if hasattr(target, "get_state"):
        return lambda: target.set_state(state)
    python = _to_python(saved)
    return lambda: target.setstate(python)


def _torch_job(saved: Any, target: torch.Generator, place: str) -> Restore:
    if target.device.type == "cpu":
        _expect(saved, torch.Generator, place)
        state = saved.get_state()
    else:
        _expect(saved, torch.Tensor, place)
        own = target.get_state()
        if (saved.dtype, saved.shape) != (own.dtype, own.shape):
            raise _other(f"a generator on {target.device}", "another state", place)
        state = saved.clone()
    return lambda: target.set_state(state)


def _expect(saved: object, kind: type, place: str) -> None:
    if type(saved) is not kind:
        raise _other(f"a {kind.__name__}", f"a {type(saved).__name__}", place)


def _other(expected: str, found: str, place: str) -> StateMismatchError:
    return StateMismatchError(f"expected {expected}, found {found}", place=place)
