"""Everything that training needs to go on, as one object graph.

Knows no file. Implements spec/checkpoints.md, "Content".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy
import torch

from safemodel import limits
from safemodel.adapters.graph_encode import encode
from safemodel.adapters.protocol import Saved
from safemodel.adapters.torch import into as into_state
from safemodel.adapters.torch import tables
from safemodel.adapters.torch.checkpoint import random_states, shards
from safemodel.adapters.torch.checkpoint.hosting import HostCopies
from safemodel.adapters.torch.checkpoint.parts import named
from safemodel.adapters.torch.encoding import HANDLERS, INLINES
from safemodel.errors import UnsavableError, UsageError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

HOST: Final = HostCopies()


def save(
    arguments: Mapping[str, object],
    *,
    generators: object = None,
    step: int | None = None,
    rng: bool = True,
    extra: object = None,
    sharded: bool = False,
) -> Saved:
    """The states of the objects in `arguments` (`model`, `optimizer`, ...), and the rest.

    `sharded`: tensors that are spread over ranks are shards.

    Raises:
        UnsavableError: part of a state can't be represented; `place` is its path.
        UsageError: an argument that makes no sense.
    """
    objects = named(arguments)
    if not objects:
        raise UsageError("nothing to save: pass model=, optimizer= or other parts")
    root: dict[str, Any] = {name: _state(obj, name) for name, obj in objects.items()}
    if rng:
        root["rng"] = random_states.capture()
    passed = random_states.generators(generators)
    if passed:
        root["generators"] = {
            name: random_states.stored(one, f"generators.{name}") for name, one in passed.items()
        }
    if extra is not None:
        root["extra"] = extra
    spread = shards.handlers() if sharded else shards.refusals()
    HOST.begin()
    encoded = encode(
        root,
        handlers={**HANDLERS, **spread},
        inlines=INLINES,
        context={"to_host": HOST.copy},
    )
    HOST.finish()
    return Saved(
        {"graph": encoded.graph},
        encoded.tensors,
        {"numpy": numpy.__version__, "torch": str(torch.__version__)},
        training_state=_training_state(objects, step),
    )


def _state(obj: Any, name: str) -> object:
    state = obj.state_dict()
    if not isinstance(state, dict):
        raise UnsavableError(f"its state is a {type(state).__name__}, no dictionary", place=name)
    return state


def _training_state(objects: Mapping[str, Any], step: int | None) -> JsonValue:
    state: dict[str, JsonValue] = {
        "parts": {
            name: {"kind": into_state.kind_of(obj), "class": tables.kind_name(obj)[:200]}
            for name, obj in objects.items()
        }
    }
    if step is not None:
        if type(step) is not int or not 0 <= step <= limits.MAX_SAFE_INTEGER:
            raise UsageError(f"step= must be an integer from 0: {step!r:.60}")
        state["step"] = step
    return state
