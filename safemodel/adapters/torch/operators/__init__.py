"""The operators that a stored graph may name: a closed table, with a schema for each.

Nothing else is looked up, imported or called. The rows are data (`table_*.py`); what PyTorch has
installed is found by the parts of a name of our table, never of the file's. Where a kernel of
PyTorch does not check what it is given, the operator has a guard (`guards.py`), or is not here.
Implements spec/torch-operators.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import torch

from safemodel.adapters.torch.operators import (
    table_activation,
    table_convolution,
    table_fft,
    table_index,
    table_linalg,
    table_make,
    table_network,
    table_pointwise,
    table_reduce,
    table_shape,
    table_size,
    table_special,
)
from safemodel.adapters.torch.operators.arithmetic import (
    ARITIES,
    FUNCTIONS,
    NAMES,
    check_arithmetic,
)
from safemodel.adapters.torch.operators.guards import guarded
from safemodel.adapters.torch.operators.literals import NODE, NodeRef, check_arguments
from safemodel.adapters.torch.operators.schema import Signature, parse, rows
from safemodel.errors import ArchitectureError, NotAllowedError

__all__ = [
    "ARITHMETIC",
    "FAMILIES",
    "NODE",
    "OPERATORS",
    "TORCH",
    "NodeRef",
    "Operator",
    "Resolved",
    "name_of",
    "resolve",
]

# The release whose schemas the table has.
TORCH: Final = "2.13"

FAMILIES: Final[Mapping[str, str]] = {
    "pointwise": table_pointwise.ROWS,
    "special": table_special.ROWS,
    "shape": table_shape.ROWS,
    "index": table_index.ROWS,
    "reduce": table_reduce.ROWS,
    "linalg": table_linalg.ROWS,
    "fft": table_fft.ROWS,
    "activation": table_activation.ROWS,
    "convolution": table_convolution.ROWS,
    "network": table_network.ROWS,
    "make": table_make.ROWS,
    "size": table_size.ROWS,
}

# Namespaces of PyTorch itself: what of them is not in the table is left out on purpose.
_PYTORCH: Final = frozenset(
    {
        *("aten", "c10d", "debugprims", "export", "higher_order", "inductor", "inductor_prims"),
        *("math", "mkl", "mkldnn", "onednn", "onnx", "operator", "prim", "prims", "profiler"),
        *("quantization", "quantized", "rngprims", "sparse", "static_runtime", "sym", "symm_mem"),
    }
)
_CUSTOM: Final = re.compile(
    r"(?P<space>[A-Za-z]\w{0,99})::(?P<op>[A-Za-z_]\w{0,99})(?:\.(?P<overload>[A-Za-z_]\w{0,99}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Operator:
    """A row of the table: `name` as in a graph, its schema's text, and roles by argument."""

    name: str
    family: str
    schema: str
    roles: Mapping[str, str]

    @property
    def signature(self) -> Signature:
        """The schema, parsed."""
        return _signature(self.name)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An operator that is at hand: `call` runs it, `check` is for what a graph writes to it.

    `outputs` is how many values `call` returns: one is returned as it is, several as a tuple.
    """

    name: str
    call: Callable[..., Any]
    outputs: int
    _check: Callable[[Sequence[Any], Mapping[str, Any]], None]

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Check the arguments that a graph writes, with `NodeRef` for values of other nodes.

        Raises:
            ArchitectureError: they don't fit the schema, or are out of its bounds.
        """
        try:
            self._check(args, kwargs)
        except ArchitectureError as error:
            raise ArchitectureError(f"operator {self.name}: {error.message}") from None


def _operators() -> dict[str, Operator]:
    found = {}
    for family, table in FAMILIES.items():
        for text, roles in rows(table):
            name = "aten::" + text.partition("(")[0]
            found[name] = Operator(name, family, text, roles)
    return found


OPERATORS: Final[Mapping[str, Operator]] = _operators()
ARITHMETIC: Final = tuple(sorted(ARITIES))


@cache
def _signature(name: str) -> Signature:
    row = OPERATORS[name]
    return parse(row.schema, dict(row.roles))


def _overload(space: str, op: str, overload: str) -> Any:
    """The operator that is registered under these names, or None."""
    packet = getattr(getattr(torch.ops, space), op, None)
    found = getattr(packet, overload or "default", None)
    return found if isinstance(found, torch._ops.OpOverload) else None


def _fits(ours: Signature, installed: Signature) -> bool:
    """Whether a call that fits our schema fits that of the installed release."""
    places = [one.name for one in installed.arguments if not one.keyword]
    names = {one.name: one for one in installed.arguments}
    for place, argument in enumerate(ours.arguments):
        other = names.get(argument.name)
        if other is None or str(other.kind) != str(argument.kind):
            return False
        if not argument.keyword and places[place : place + 1] != [argument.name]:
            return False
    known = {one.name for one in ours.arguments}
    return not any(one.required and one.name not in known for one in installed.arguments)


@cache
def _resolve(name: str) -> Resolved:
    signature = _signature(name)
    op, _, overload = name.removeprefix("aten::").partition(".")
    found = _overload("aten", op, overload)
    if found is None or not _fits(signature, parse(str(found._schema)[6:], {})):
        raise ArchitectureError(
            f"the installed PyTorch {torch.__version__} has no operator {signature.text:.100}",
            hint=f"it is in PyTorch {TORCH}",
        )

    def check(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        check_arguments(signature, args, kwargs)

    return Resolved(name, guarded(name, found, signature), signature.outputs, check)


def _resolve_arithmetic(name: str) -> Resolved:
    def check(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        check_arithmetic(name, args, kwargs)

    return Resolved(name, FUNCTIONS[name], 1, check)


def _resolve_custom(name: str, allow: Sequence[str]) -> Resolved:
    match = _CUSTOM.fullmatch(name)
    if match is None or match["space"] in _PYTORCH or match["op"].startswith("__"):
        raise ArchitectureError(f"{name!r:.100} is not in the table of operators")
    if f"torch-op:{name}" not in allow:
        raise NotAllowedError(
            f"the operator {name} is not one of PyTorch's",
            hint=f"if you trust it, import what registers it and pass allow=['torch-op:{name}']",
        )
    found = _overload(match["space"], match["op"], match["overload"] or "")
    if found is None:
        raise ArchitectureError(
            f"no operator {name} is registered", hint="import the library that registers it first"
        )
    signature = parse(str(found._schema).partition("::")[2], {})

    def check(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        check_arguments(signature, args, kwargs)

    return Resolved(name, found, signature.outputs, check)


def resolve(name: str, allow: Sequence[str] = ()) -> Resolved:
    """Return the operator that a graph names.

    `name` is a key of `OPERATORS`, one of `ARITHMETIC`, or that of a custom operator which is
    registered and stands in `allow` as `torch-op:NAME`; nothing is imported for it.

    Raises:
        NotAllowedError: a custom operator that `allow` does not name.
        ArchitectureError: no such operator, here or in the installed release.
    """
    if type(name) is not str:
        raise ArchitectureError(f"not the name of an operator: {name!r:.60}")
    if name in OPERATORS:
        return _resolve(name)
    if name in ARITIES:
        return _resolve_arithmetic(name)
    return _resolve_custom(name, allow)


def name_of(target: Any) -> str | None:
    """Return the name under which `resolve` finds what a node of an exported graph calls.

    None for what is neither in the table nor an operator of another library.
    """
    if isinstance(target, torch._ops.OpOverload):
        name = str(target._name)
        if name in OPERATORS:
            return name
        match = _CUSTOM.fullmatch(name)
        return name if match is not None and match["space"] not in _PYTORCH else None
    named = getattr(target, "operator_name", None)
    if type(named) is str and named in OPERATORS:
        return named
    try:
        return NAMES.get(target)
    except TypeError:  # not hashable
        return None
