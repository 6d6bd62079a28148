"""The PyTorch adapter: state of any kind.

State dicts, the state of optimizers, schedulers and gradient scalers, random number generators,
and any nesting of containers, tensors and plain values. Modules, optimizers and schedulers are
code: given to `save`, their state is saved; to load it, give an object to put it `into`. A module
that is saved with example inputs has its graph beside its state, and needs no class to be loaded.
`torch.load` and `torch.save`, which unpickle and pickle, are never called. Implements
spec/object-graph.md, "PyTorch kinds", and spec/torch-graph.md.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy
import torch

from safemodel.adapters import tensors
from safemodel.adapters.graph_decode import decode
from safemodel.adapters.graph_encode import encode
from safemodel.adapters.protocol import Saved
from safemodel.adapters.torch import export, selecting, staging, tables
from safemodel.adapters.torch import into as into_state
from safemodel.adapters.torch.decoding import BUILDERS, PARSERS, storage_of, typed
from safemodel.adapters.torch.encoding import HANDLERS, INLINES
from safemodel.errors import ArchitectureError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

NAME: Final = "torch"
VERSION: Final = tensors.VERSION
FRAMEWORK: Final = tensors.FRAMEWORK
SAVE_OPTIONS: Final = frozenset({"example_inputs", "dynamic_shapes"})
LOAD_OPTIONS: Final = frozenset({"prefix", "only"})

# How stored items look as a tensor; the reverse of tables.DTYPES, where that has one answer.
_VIEWS: Final = {
    stored: dtype
    for name, (dtype, stored, unit) in tables.DTYPES.items()
    if unit == () and not re.search(r"bits|u?int[1-7]$|float4", name)
}
_CLASS_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")


def save(obj: object, *, example_inputs: object = None, dynamic_shapes: object = None) -> Saved:
    """Turn nested state, or the state of a module, an optimizer or a scheduler, into tensors.

    With `example_inputs` a module is exported too, with sizes as `dynamic_shapes` says: loading
    it gives a module that needs no class (`export.LoadedModule`).

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
        UsageError: example inputs that are none, or of what is no module.
    """
    architecture: dict[str, JsonValue] = {}
    kind = into_state.kind_of(obj)
    state = obj
    if kind is not None:
        stateful: Any = obj
        state = stateful.state_dict()
        architecture["state_of"] = {"kind": kind, "class": tables.kind_name(obj)[:200]}
    notices: tuple[str, ...] = ()
    if example_inputs is not None:
        if kind != "module":
            raise UsageError("example_inputs= are those of a module")
        traced = export.trace(obj, example_inputs, dynamic_shapes)
        state, architecture["program"], notices = traced.state, traced.json, traced.notices
    elif dynamic_shapes is not None:
        raise UsageError("dynamic_shapes= needs example_inputs=")
    elif isinstance(obj, export.LoadedModule):
        state, architecture["program"] = obj.saved()
        architecture["state_of"] = {"kind": "module", "class": obj.class_name}
    encoded = encode(state, handlers=HANDLERS, inlines=INLINES)
    architecture["graph"] = encoded.graph
    versions = {"numpy": numpy.__version__, "torch": str(torch.__version__)}
    return Saved(architecture, encoded.tensors, versions, notices=notices)


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
    prefix: str | Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
) -> object:
    """Rebuild the state, or a module with its graph; or put state into an object of yours.

    `into=dict` gives the bare state dict of a module or optimizer that was saved. Tensors are
    views of the verified bytes on the CPU; with a `device` they go there as they are verified
    (`staging.py`). `prefix` and `only` choose entries of a module's state (`selecting.Selection`);
    other tensors are not read.

    Raises:
        ArchitectureError: it must not be built, or is the state of an object that has to be given.
        StateMismatchError: the state does not fit `into`, which is unchanged; or code of `into`
            itself raises, and it may be changed in part.
    """
    kind, class_name = _check_architecture(bundle.manifest.architecture)
    program = bundle.manifest.architecture.get("program")  # type: ignore[union-attr]  # checked
    if into is None and kind is not None and program is None:
        raise ArchitectureError(
            f"this archive holds the state of a {class_name}, not the {kind} itself",
            hint=f"pass into={kind} to load it into yours, or into=dict for the bare state dict",
        )
    extra = set() if program is None else export.extra_names(program)
    target = None if into is None or into is dict else into_state.check_target(into, kind)
    place = staging.device_of(device)
    if target is not None and device is not None:
        raise UsageError("device= with into=: the state goes where the object is")
    chosen = selecting.selection(prefix, only)
    graph = bundle.manifest.architecture["graph"]  # type: ignore[index,call-overload]  # checked
    if chosen is not None:
        if target is not None:
            into_state.check_selection(target, chosen)
        elif into is None:
            raise UsageError("prefix= and only= need into=, a module of yours, or dict")
        graph = selecting.cut(graph, chosen)
    source, context = staging.opened(bundle, place, graph, whole=chosen is None)
    state = decode(
        graph,
        source,
        builders=BUILDERS,
        parsers=PARSERS,
        context=context,
        partial=chosen is not None,
    )
    if program is not None and into is None:
        return export.rebuild(program, allow, state, class_name)
    for name in extra if isinstance(state, dict) else ():
        state.pop(name if chosen is None else chosen.renamed(name), None)  # type: ignore[attr-defined]
    if target is not None:
        return into_state.put(state, target, strict=strict, chosen=chosen)
    if chosen is not None and hasattr(state, "_metadata"):
        state._metadata = OrderedDict(selecting.rename_metadata(state._metadata, chosen))
    return state


def _check_architecture(architecture: JsonValue) -> tuple[str | None, str]:
    if type(architecture) is not dict or not (
        {"graph"} <= architecture.keys() <= {"graph", "state_of", "program"}
    ):
        raise ArchitectureError("the architecture of state is an object graph and what it is of")
    if "state_of" not in architecture:
        if "program" in architecture:
            raise ArchitectureError("a program of nothing: it is that of a module")
        return None, ""
    owner = architecture["state_of"]
    if type(owner) is not dict or owner.keys() != {"kind", "class"}:
        raise ArchitectureError("state_of has a kind and a class")
    kind, class_name = owner["kind"], owner["class"]
    if type(kind) is not str or kind not in into_state.KINDS:
        raise ArchitectureError(f"state of an unknown kind {kind!r:.60}")
    if kind != "module" and "program" in architecture:
        raise ArchitectureError(f"a program of a {kind}")
    if type(class_name) is not str or not _CLASS_NAME.fullmatch(class_name):
        raise ArchitectureError("state of a class without a name")
    return kind, class_name


def view(tensor: Tensor) -> torch.Tensor:
    """A stored tensor as a PyTorch tensor over the same memory.

    Raises:
        ArchitectureError: a boolean that is neither 0 nor 1.
    """
    from safemodel.adapters import arrays
    from safemodel.adapters.memory import c_strides

    if tensor.dtype == "BOOL":
        arrays.check_bytes(tensor.buffer)
    shape = tensor.shape
    made: torch.Tensor = typed(
        storage_of(tensor), _VIEWS[tensor.dtype], 0, shape, c_strides(shape, 1)
    )
    return made
