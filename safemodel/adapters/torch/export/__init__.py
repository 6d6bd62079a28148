"""Modules of PyTorch as graphs of operators in JSON, and back, without their classes.

`tracing` and `encoding` turn a module into a program, `parsing` reads one, `compiling` makes it
functions of Python, and `loaded` a module again. spec/torch-graph.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from safemodel import limits
from safemodel.adapters.torch.export import examples, tracing
from safemodel.adapters.torch.export.control import CONTROL
from safemodel.adapters.torch.export.loaded import LoadedModule, check_quantized
from safemodel.adapters.torch.export.parsing import parse
from safemodel.adapters.torch.export.program import CONSTANT, TEMPORARY
from safemodel.adapters.torch.export.reading import fields, listed
from safemodel.adapters.torch.operators import ARITHMETIC, OPERATORS
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

__all__ = ["LoadedModule", "extra_names", "rebuild", "trace"]


def trace(module: Any, example_inputs: object, dynamic_shapes: object) -> tracing.Traced:
    """Export a module: its program, its state with what the graph needs besides, and notices.

    Raises:
        UnsavableError: it can't be exported, or its graph can't be in an archive.
        UsageError: the examples are none, or name a method that is not there.
    """
    traced = tracing.trace(module, examples.examples(example_inputs, dynamic_shapes))
    json: Any = traced.json
    known = {*OPERATORS, *ARITHMETIC, *CONTROL}
    custom = [f"torch-op:{name}" for name in json["operators"] if name not in known]
    try:
        # What could not be loaded must not be saved.
        check_quantized(parse(json, custom), traced.state)
    except ArchitectureError as error:
        raise UnsavableError(error.message, place=error.place, hint=error.hint) from error
    if custom:
        notice = f"the graph has operators that are not PyTorch's: load it with allow={custom}"
        traced.notices = (*traced.notices, notice)
    return traced


def extra_names(program: JsonValue) -> set[str]:
    """The entries of the state that the module's own state dict does not have.

    Raises:
        ArchitectureError: the program does not say.
    """
    if type(program) is not dict or "state" not in program:
        raise ArchitectureError("a program without a state")
    names: set[str] = set()
    for item in listed(program["state"], limits.MAX_PROGRAM_STATE, "state"):
        slot = fields(item, "kind names", "a tensor of the state")
        if slot["kind"] in (CONSTANT, TEMPORARY):
            names.update(str(name) for name in listed(slot["names"], 1, "names"))
    return names


def rebuild(
    program: JsonValue, allow: Sequence[str], state: object, class_name: str
) -> LoadedModule:
    """The module of a program and its state.

    Raises:
        NotAllowedError: it has operators that only the caller can allow.
        ArchitectureError: they don't fit together, or must not be built.
    """
    if not isinstance(state, dict):
        raise ArchitectureError("the state of a module must be a dictionary")
    parsed = parse(program, allow)
    ordered = state if isinstance(state, OrderedDict) else OrderedDict(state)
    try:
        return LoadedModule(parsed, ordered, class_name)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ArchitectureError(f"a module that can't be built: {error!s:.200}") from error
