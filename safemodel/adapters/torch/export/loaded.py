"""What a load gives for a module that was saved with its graph.

The parameters stand in a tree of modules with the names that they had, but the graph does not
look there by name: it is given the tensors. Names of the file are keys of dictionaries, never
attributes, so none can stand before a method. Implements spec/torch-graph.md, "The module".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch

from safemodel.adapters.torch import tables
from safemodel.adapters.torch.export.compiling import compile_graphs
from safemodel.adapters.torch.export.control import CONTROL
from safemodel.adapters.torch.export.program import (
    BUFFER,
    CONSTANT,
    FORWARD,
    FROZEN,
    PARAMETER,
    TEMPORARY,
    Program,
    Slot,
)
from safemodel.adapters.torch.export.values import Ref, inside
from safemodel.adapters.torch.operators import OPERATORS
from safemodel.errors import ArchitectureError, UnsavableError, UsageError

_CPU: Final = torch.device("cpu")


class Part(torch.nn.Module):
    """A part of a loaded module: it holds tensors, and its class was left behind."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute.

        Raises:
            UsageError: another module in the place of a part, which would change nothing.
        """
        known = self.__dict__.get("_modules", {}).get(name)
        if isinstance(known, Part) and isinstance(value, torch.nn.Module) and value is not known:
            raise UsageError(
                f"a module in the place of {name}, which the graph would not run",
                hint="put the loaded module into a module of yours, beside the new part; a new "
                "tensor may take the place of one",
            )
        super().__setattr__(name, value)


class LoadedModule(Part):
    """A module that was rebuilt from its graph, without the code of its class.

    It is called as the module was, with inputs like the examples it was saved with, has the same
    names of parameters and buffers, and trains on. `train()` and `eval()` choose between the two
    forms of the graph. Methods that were saved beside `forward` are attributes, and `entry(name)`.
    Results of classes other than tuple, list and dict come back as one of these.
    """

    def __init__(self, program: Program, state: OrderedDict[Any, Any], class_name: str) -> None:
        super().__init__()
        self._program = program
        self._class_name = class_name
        self._functions = _Functions(program)
        self._constants: dict[int, Any] = {}
        self._places: list[tuple[Any, bool, str] | None] = [None] * len(program.slots)
        made: list[Any] = []
        slots: dict[Any, int] = {}
        for number, slot in enumerate(program.slots):
            tensor = _slot_tensor(slot, state)
            slots.update(dict.fromkeys(slot.names, number))
            made.append(tensor if slot.kind == CONSTANT else _as_kind(slot, tensor))
            if slot.kind == CONSTANT:
                self._constants[number] = tensor
        # What else a state dict had, so that the module can be saved again as it was. Before any
        # tensor stands in the module: an attribute that is set would go to one of its name.
        self._rest = OrderedDict(
            (key, None if key in slots else value) for key, value in state.items()
        )
        self._metadata = getattr(state, "_metadata", None)
        # In the order of the state, so that a state dict has it too.
        for name in state:
            if name in slots and program.slots[slots[name]].kind != CONSTANT:
                number = slots[name]
                place = self._put(program.slots[number].kind, name, made[number])
                if name == program.slots[number].names[0]:
                    self._places[number] = place
        check_quantized(program, state)
        self.train(program.training)

    def _put(self, kind: str, name: str, tensor: Any) -> tuple[Any, bool, str]:
        holder: torch.nn.Module = self
        *parents, last = name.split(".")
        for parent in parents:
            children = holder._modules
            if parent not in children:
                children[parent] = Part()
            holder = children[parent]  # type: ignore[assignment]  # a Part
        if kind in (PARAMETER, FROZEN):
            holder._parameters[last] = tensor
            return holder, True, last
        holder._buffers[last] = tensor
        if kind == TEMPORARY:
            holder._non_persistent_buffers_set.add(last)
        return holder, False, last

    @property
    def entries(self) -> tuple[str, ...]:
        """The methods that were saved."""
        return tuple(self._program.entries)

    def entry(self, name: str) -> Callable[..., Any]:
        """One of the methods that were saved, by its name.

        Raises:
            UsageError: there is none of that name.
        """
        if name not in self._program.entries:
            raise UsageError(
                f"the archive holds no method {name!r}", hint=f"it has {', '.join(self.entries)}"
            )
        return _Entry(self, name)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            program = self.__dict__.get("_program")
            if program is None or name not in program.entries:
                raise
        return _Entry(self, name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module.

        Raises:
            UsageError: the arguments are not like those it was saved with.
        """
        return self._run(FORWARD, args, kwargs)

    def _run(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        number = self._form(name)
        form = self._program.forms[number]
        inputs = form.signature.bind(args, kwargs)
        state = self._tensors(form.graph.state)
        device = _device(state, inputs)
        given = self._functions.of(number)(device, state, inputs)
        return form.outputs.build(given)

    def _form(self, name: str) -> int:
        modes = self._program.entries.get(name)
        mode = "train" if self.training else "eval"
        if modes is None or mode not in modes:
            what = f"method {name}" if modes is None else f"{name} in {mode} mode"
            raise UsageError(
                f"the archive holds no {what}",
                hint=f"it has {', '.join(self.entries)}"
                if modes is None
                else f"call {'eval' if self.training else 'train'}() first",
            )
        return modes[mode]

    def _tensors(self, numbers: Iterable[int]) -> list[Any]:
        """The tensors of these slots, as the module has them now."""
        places = self._places
        found = []
        for number in numbers:
            place = places[number]
            if place is None:
                found.append(self._constants[number])
                continue
            holder, is_parameter, name = place
            # Not kept as a dictionary: an export puts another one there for a while.
            tensors = holder._parameters if is_parameter else holder._buffers
            found.append(tensors[name] if name in tensors else _computed(holder, name))
        return found

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> LoadedModule:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for number, tensor in self._constants.items():
            # Not of the module in its class either: they follow its device, and nothing else.
            device = fn(torch.empty(0, device=tensor.device)).device
            self._constants[number] = tensor.to(device=device)
        return self

    def extra_repr(self) -> str:
        """What the module was."""
        return f"{self._class_name}, {', '.join(self.entries)}"

    def saved(self) -> tuple[OrderedDict[Any, Any], dict[str, Any]]:
        """The state and the program, to save the module again.

        Raises:
            UnsavableError: parts of it are not those that were loaded.
        """
        _check_unchanged(self)
        tensors: dict[str, Any] = {}
        slots = []
        held = self._tensors(range(len(self._program.slots)))
        for slot, tensor in zip(self._program.slots, held, strict=True):
            kind = slot.kind
            if kind in (PARAMETER, FROZEN):
                kind = PARAMETER if tensor.requires_grad else FROZEN
            slots.append({"kind": kind, "names": list(slot.names)})
            for name in slot.names:
                tensors[name] = tensor.detach()
        state: Any = OrderedDict(
            (key, tensors.get(key, value)) for key, value in self._rest.items()
        )
        if self._metadata is not None:
            state._metadata = self._metadata
        json: Any = self._program.json
        return state, {**json, "state": slots, "training": self.training}

    @property
    def class_name(self) -> str:
        """The class of the module that was saved: information for people."""
        return self._class_name


class _Entry:
    """A method of a loaded module."""

    __slots__ = ("_module", "_name")

    def __init__(self, module: LoadedModule, name: str) -> None:
        self._module = module
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._module._run(self._name, args, kwargs)


class _Functions:
    """The functions of a program. They are made again where an object is copied or pickled to."""

    __slots__ = ("_functions", "_program")

    def __init__(self, program: Program) -> None:
        self._program = program
        forms = [form.graph for form in program.forms]
        self._functions = compile_graphs(program.graphs, forms)

    def of(self, number: int) -> Callable[..., tuple[Any, ...]]:
        return self._functions[number]

    def __deepcopy__(self, memo: object) -> _Functions:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self._program,)


def _remade(program: Program) -> _Functions:
    return _Functions(program)


def _computed(holder: Any, name: str) -> Any:
    """What torch.nn.utils.parametrize put in the place of a tensor."""
    computed: Any = holder._modules.get("parametrizations", {})
    if name not in computed:
        raise UsageError(f"the loaded module has no tensor {name!r:.100} any more")
    return computed[name]()


def _device(state: list[Any], inputs: Any) -> Any:
    for tensor in state:
        return tensor.device
    for value in inputs:
        if isinstance(value, torch.Tensor):
            return value.device
    return _CPU


def _slot_tensor(slot: Slot, state: Mapping[Any, Any]) -> Any:
    tensors = [state.get(name) for name in slot.names]
    first = tensors[0]
    for tensor in tensors:
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
            raise ArchitectureError(f"the state has no tensor {slot.names[0]!r:.100}")
        if not _is_same(first, tensor):
            raise ArchitectureError(f"{slot.names[0]!r:.100} has several names and tensors")
    return first


def check_quantized(program: Program, state: Mapping[Any, Any]) -> None:
    """Refuse quantized tensors where operators of the table take them: kernels check less of them.

    Raises:
        ArchitectureError: a form hands one to an operator, or to a graph.
    """
    tensors = [state.get(slot.names[0]) for slot in program.slots]
    quantized = {
        number for number, tensor in enumerate(tensors) if getattr(tensor, "is_quantized", False)
    }
    for form in program.forms if quantized else ():
        graph = form.graph
        values = {graph.inputs + n for n, slot in enumerate(graph.state) if slot in quantized}
        for node in graph.nodes:
            given = inside((node.args, tuple(node.kwargs.values())))
            taken = any(type(value) is Ref and value.index in values for value in given)
            if taken and (node.name in OPERATORS or node.name in CONTROL):
                raise ArchitectureError(f"a quantized tensor is given to {node.name}")


def _is_same(first: Any, second: Any) -> bool:
    """Whether two tensors are one in all but name."""
    if first is second:
        return True
    if first.layout is not torch.strided or first.is_quantized or second.is_quantized:
        return False
    return bool(
        first.dtype == second.dtype
        and first.layout == second.layout
        and first.shape == second.shape
        and first.stride() == second.stride()
        and first.storage_offset() == second.storage_offset()
        and first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
        and first.is_conj() == second.is_conj()
        and first.is_neg() == second.is_neg()
    )


def _as_kind(slot: Slot, tensor: Any) -> Any:
    if slot.kind in (BUFFER, TEMPORARY):
        return tensor
    wants = slot.kind == PARAMETER
    if not (tensor.is_floating_point() or tensor.is_complex()) and wants:
        raise ArchitectureError(f"the parameter {slot.names[0]!r:.100} can have no gradient")
    made = torch.nn.Parameter(tensor.detach(), requires_grad=wants)
    if tables.may_be_trained(made) and not tables.is_dense(made):
        raise ArchitectureError(
            f"the parameter {slot.names[0]!r:.100}: its items overlap or leave holes"
        )
    return made


def _check_unchanged(module: LoadedModule) -> None:
    parts = [part for part in module.modules() if part is not module]
    names = [name for slot in module._program.slots for name in slot.names if slot.kind != CONSTANT]
    found = [
        *(name for name, _ in module.named_parameters(remove_duplicate=False)),
        *(name for name, _ in module.named_buffers(remove_duplicate=False)),
    ]
    if any(type(part) is not Part for part in parts) or sorted(names) != sorted(found):
        raise UnsavableError(
            "a loaded module that got other parts than it had, which its graph does not use",
            hint="give example_inputs= to export it again, or put it beside the parts into a "
            "module of your own",
        )
