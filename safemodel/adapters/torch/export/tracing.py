"""A module as a program: `torch.export`, once for each method and mode.

The module is changed for a moment, its mode, and is as it was afterwards. Implements
spec/torch-graph.md, "Writing".
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel.adapters.torch import tables
from safemodel.adapters.torch.export import signatures
from safemodel.adapters.torch.export.conditions import Conditions
from safemodel.adapters.torch.export.encoding import Writer
from safemodel.adapters.torch.export.examples import Example
from safemodel.adapters.torch.export.parsing import is_entry
from safemodel.adapters.torch.export.program import (
    BUFFER,
    CONSTANT,
    FORWARD,
    FROZEN,
    MODES,
    PARAMETER,
    TEMPORARY,
)
from safemodel.errors import UnsavableError, UsageError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue


class Traced:
    """A program as JSON, the state it needs, and what whoever saves should know."""

    def __init__(self, json: JsonValue, state: OrderedDict[Any, Any], notices: list[str]) -> None:
        self.json = json
        self.state = state
        self.notices = tuple(notices)


def trace(module: Any, examples: Mapping[str, Example]) -> Traced:
    """Export the methods of a module that `examples` names.

    Raises:
        UnsavableError: `torch.export` refuses the module as it is, or its graph has something
            that a program can't have.
        UsageError: the module has no method of that name.
    """
    failed: dict[tuple[str, str], str] = {}
    own_backward: set[str] = set()
    while True:
        try:
            with _noting_backward(own_backward):
                traced = _trace(module, examples, failed)
        except _OtherModeError:
            continue  # without that form
        traced.notices += tuple(
            f"{name} computes its own gradients, which are not in the archive: the module that is "
            "loaded has those of the operators in it"
            for name in sorted(own_backward)
        )
        return traced


@contextmanager
def _noting_backward(found: set[str]) -> Iterator[None]:
    """Note the functions with a backward pass of their own that are called, but for PyTorch's."""
    function: Any = torch.autograd.Function
    original = function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cls.__module__.partition(".")[0] != "torch":
            found.add(f"{cls.__module__}.{cls.__qualname__}")
        return original.__get__(None, cls)(*args, **kwargs)

    function.apply = classmethod(apply)
    try:
        yield
    finally:
        function.apply = original


class _OtherModeError(Exception):
    """The mode that the module is not in can't be exported."""


def _trace(module: Any, examples: Mapping[str, Example], failed: dict[Any, str]) -> Traced:
    slots = _Slots(module)
    writer = Writer(slots.device(examples))
    forms: list[Any] = []
    entries: dict[str, JsonValue] = {}
    for name in sorted(examples):
        if not callable(getattr(module, name, None)):
            raise UsageError(f"the module has no method {name!r}, which example_inputs= names")
        if not is_entry(name):
            raise UsageError(
                f"example_inputs= names {name!r}, which every module has",
                hint="forward, and methods whose names are the module's own, can be stored",
            )
        modes: dict[str, JsonValue] = {}
        for mode in MODES:
            if (name, mode) in failed:
                continue
            try:
                with _mode(module, mode == "train"):
                    form = _form(module, name, examples[name], slots, writer)
            except UnsavableError as error:
                if module.training == (mode == "train"):
                    raise
                failed[name, mode] = error.message
                raise _OtherModeError from error
            if form not in forms:
                forms.append(form)
            modes[mode] = forms.index(form)
        entries[name] = modes
    notices = [
        f"{name} can't be exported in {mode} mode, so the archive holds it for the other alone: "
        f"{message:.300}"
        for (name, mode), message in failed.items()
    ]
    notices += [
        f"a condition on the inputs is not in the archive, and will not be checked: {code:.200}"
        for code in sorted(writer.unchecked)
    ]
    return slots.program(module, writer, forms, entries, notices)


@contextmanager
def _mode(module: Any, training: bool) -> Iterator[None]:
    """The module in another mode, by its own methods; afterwards every part is as it was.

    Raises:
        UnsavableError: its own methods raise.
    """
    if module.training == training:
        yield
        return
    before = [(part, part.training) for part in module.modules()]
    try:
        try:
            module.train(training)
        except _REFUSALS as error:
            raise UnsavableError(f"the module can't change its mode: {error!s:.300}") from error
        yield
    finally:
        for part, was in before:
            part.training = was


class _Method(torch.nn.Module):
    """A module whose `forward` is a method of another."""

    def __init__(self, module: Any, name: str) -> None:
        super().__init__()
        self.module = module
        method = getattr(module, name)

        @functools.wraps(method)
        def forward(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        self.forward = forward


def _form(module: Any, name: str, example: Example, slots: _Slots, writer: Writer) -> JsonValue:
    exported = _export(module if name == FORWARD else _Method(module, name), example)
    prefix = "" if name == FORWARD else "module."
    lifted = {}
    for spec in exported.graph_signature.input_specs:
        if spec.kind in (_Kind.PARAMETER, _Kind.BUFFER):
            tensor = exported.state_dict.get(spec.target)
            if tensor is None:
                tensor = exported.constants[spec.target]
            lifted[spec.arg.name] = slots.number(spec.target.removeprefix(prefix), tensor)
        elif spec.kind is _Kind.CONSTANT_TENSOR:
            tensor = exported.constants[spec.target]
            lifted[spec.arg.name] = slots.number(spec.target.removeprefix(prefix), tensor)
        elif spec.kind is not _Kind.USER_INPUT:
            raise UnsavableError(
                f"an object of PyTorch's C++ in the graph ({spec.target})",
                hint="save its state alone, without example_inputs=, and load it with into=",
            )
    inputs = signatures.Inputs(exported, lifted, inspect.signature(getattr(module, name)))
    mutated = _mutated(exported.graph_signature)
    if not hasattr(exported, "_guards_code"):
        raise UnsavableError(
            f"torch.export of PyTorch {torch.__version__} does not say when a graph holds",
            hint="pip install -U torch; or save its state alone, without example_inputs=",
        )
    conditions = Conditions(exported._guards_code or (), inputs.arguments)
    state, nodes, outputs = writer.graph(exported.graph, lifted, mutated, conditions)
    writer.unchecked.update(conditions.unknown)
    numbers: list[JsonValue] = [*state]
    tree = signatures.outputs(exported, outputs)
    return {**inputs.json, "state": numbers, "nodes": nodes, "outputs": tree}


_Kind: Final = torch.export.graph_signature.InputKind
_Output: Final = torch.export.graph_signature.OutputKind


def _mutated(signature: Any) -> dict[int, str]:
    """The outputs of a graph that are not the caller's, and the input that each is copied to."""
    names = {spec.target: spec.arg.name for spec in signature.input_specs if spec.target}
    found = {}
    for place, spec in enumerate(signature.output_specs):
        if spec.kind is _Output.USER_INPUT_MUTATION:
            found[place] = spec.target
        elif spec.kind in (_Output.BUFFER_MUTATION, _Output.PARAMETER_MUTATION):
            found[place] = names[spec.target]
        elif spec.kind is not _Output.USER_OUTPUT:
            raise UnsavableError(f"a graph with an output of the kind {spec.kind.name}")
    return found


# What `torch.export` raises when it can't follow a module: errors of its own, and of its code.
_REFUSALS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    torch._dynamo.exc.TorchDynamoException,
)


def _export(module: Any, example: Example) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(
                module, example.args, example.kwargs or None, dynamic_shapes=example.dynamic
            )
    except _REFUSALS as error:
        message = str(error).strip().split("\n\n")[0].replace("\n", " ")
        raise UnsavableError(
            f"torch.export can't make a graph of this module: {message:.600}",
            hint="if it can be called with example_inputs=, and dynamic_shapes= fits them: save "
            "its state alone, without example_inputs=, and load it with into=",
        ) from error


class _Slots:
    """The tensors of the module: its parameters and buffers, and constants as they are met."""

    def __init__(self, module: Any) -> None:
        self._kinds: list[str] = []
        self._names: list[list[str]] = []
        self._tensors: list[Any] = []
        self._by_name: dict[str, int] = {}
        self._by_id: dict[int, int] = {}
        self._lifted: dict[tuple[Any, ...], int] = {}
        saved = module.state_dict(keep_vars=True)
        for name, value in module.named_parameters(remove_duplicate=False):
            self._add(PARAMETER if value.requires_grad else FROZEN, name, value)
        for name, value in module.named_buffers(remove_duplicate=False):
            self._add(BUFFER if name in saved else TEMPORARY, name, value)

    def _add(self, kind: str, name: str, tensor: Any) -> int:
        known = self._by_id.get(id(tensor))
        if known is not None and (self._kinds[known] == kind != TEMPORARY):
            self._names[known].append(name)
        else:
            known = len(self._tensors)
            self._kinds.append(kind)
            self._names.append([name])
            self._tensors.append(tensor)
            self._by_id[id(tensor)] = known
        self._by_name[name] = known
        return known

    def device(self, examples: Mapping[str, Example]) -> torch.device:
        """The device that the module is on."""
        for tensor in self._tensors:
            return tensor.device  # type: ignore[no-any-return]
        for example in examples.values():
            leaves = torch.utils._pytree.tree_leaves((example.args, example.kwargs))
            for leaf in leaves:
                if isinstance(leaf, torch.Tensor):
                    return leaf.device
        return torch.device("cpu")

    def number(self, name: str, tensor: Any) -> int:
        """The number of a tensor of a graph; what the module does not know is a constant."""
        if name in self._by_name:
            return self._by_name[name]
        if id(tensor) in self._by_id:
            return self._by_id[id(tensor)]
        if not isinstance(tensor, torch.Tensor):
            raise UnsavableError(f"a {tables.kind_name(tensor)} in the graph", place=name)
        content = _content(tensor)
        if content not in self._lifted:
            fresh = f"constant.{len(self._lifted)}"
            self._lifted[content] = self._add(CONSTANT, fresh, tensor.detach())
        return self._lifted[content]

    def program(
        self,
        module: Any,
        writer: Writer,
        forms: list[Any],
        entries: dict[str, JsonValue],
        notices: list[str],
    ) -> Traced:
        """Put everything together."""
        saved = module.state_dict()
        state: Any = OrderedDict(saved)
        if hasattr(saved, "_metadata"):
            state._metadata = saved._metadata
        for kind, names, tensor in zip(self._kinds, self._names, self._tensors, strict=True):
            for name in names:
                if kind in (CONSTANT, TEMPORARY) and name in state:
                    raise UnsavableError(
                        f"the state dict has an entry {name} that is another tensor", place=name
                    )
                if name not in state or not _is_view(state[name], tensor):
                    if kind not in (CONSTANT, TEMPORARY):
                        raise UnsavableError(
                            f"the state dict has no entry {name} that is this tensor",
                            place=name,
                            hint="hooks of the module change its state dict: save the state alone",
                        )
                    state[name] = tensor.detach()
        program: dict[str, Any] = {
            "training": bool(module.training),
            "state": [
                {"kind": kind, "names": names}
                for kind, names in zip(self._kinds, self._names, strict=True)
            ],
            "graphs": writer.graphs,
            "forms": forms,
            "entries": entries,
        }
        writer.finish(program)
        return Traced(program, state, notices)


def _is_view(entry: Any, tensor: Any) -> bool:
    return (
        isinstance(entry, torch.Tensor)
        and entry.shape == tensor.shape
        and entry.dtype == tensor.dtype
        and entry.layout == tensor.layout
        and (tensor.layout is not torch.strided or entry.data_ptr() == tensor.data_ptr())
    )


def _content(tensor: Any) -> tuple[Any, ...]:
    """What makes two constants the same: each export has copies of its own."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return (id(tensor),)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    data = plain.view(tables.CARRIERS[plain.element_size()]).numpy().tobytes()
    where = tuple(tensor.shape), tensor.stride(), str(tensor.dtype), str(tensor.device)
    return (*where, hashlib.sha256(data).digest())
