"""The audit of a model: everything in it is looked at before ONNX or ONNX Runtime see a byte.

They are no validators: ONNX Runtime reads external data of any tensor in any place, from the
current directory too, replaces calls of functions by their bodies as often as a model says, and
takes much on trust. The same audit runs over what is saved. Implements spec/onnx.md,
"What a model may say".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from safemodel import limits
from safemodel.adapters.onnx import tensors
from safemodel.adapters.onnx.classical import check_classical
from safemodel.adapters.onnx.functions import Functions, Key, key_of
from safemodel.adapters.onnx.kernels import check_kernel, check_lengths
from safemodel.adapters.onnx.operators import check_allowed, domain_of, is_listed
from safemodel.adapters.onnx.schema import IR_VERSION
from safemodel.adapters.onnx.tensors import Shape
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LimitError, SafemodelError

_MAX_OPSET: Final = 1_000_000
# Read by ONNX Runtime as options for a session, if an environment variable says so.
_OPTIONS: Final = "ort_config"

# number in `type` -> the field that has the value, and whether it is a list
_ATTRIBUTES: Final = {
    1: ("f", False), 2: ("i", False), 3: ("s", False), 4: ("t", False), 5: ("g", False),
    6: ("floats", True), 7: ("ints", True), 8: ("strings", True), 9: ("tensors", True),
    10: ("graphs", True), 11: ("sparse_tensor", False), 12: ("sparse_tensors", True),
    13: ("tp", False), 14: ("type_protos", True),
}  # fmt: skip
VALUES: Final = {name: number for number, (name, _) in _ATTRIBUTES.items()}


@dataclass(frozen=True, slots=True)
class External:
    """An initializer of the main graph whose data are in a weights member."""

    name: str
    shape: Shape
    location: str
    offset: int
    length: int
    message: Message


@dataclass(slots=True)
class Audit:
    """The walk over one model; afterwards, what it found.

    `allow` has what the caller permits. `domains` are those that only the caller can allow.
    """

    allow: frozenset[str] | None = None  # None: at save, everything
    externals: list[External] = field(default_factory=list)
    domains: set[str] = field(default_factory=set)
    functions: Functions = field(default_factory=Functions)

    def run(self, model: Message) -> None:
        """Check a model whole.

        Raises:
            ArchitectureError: it says something that must not be.
            NotAllowedError: an operator that only the caller can allow; the hint says how.
            LimitError: too much of something.
        """
        if not 1 <= model.get("ir_version", 0) <= IR_VERSION:
            raise ArchitectureError(
                f"IR version {model.get('ir_version', 0)}; those from 1 to {IR_VERSION} are known",
                hint="update safemodel",
            )
        if "graph" not in model:
            raise ArchitectureError("a model without a graph")
        _opsets(model)
        _entries(model.all("metadata_props"))
        for entry in model.all("metadata_props"):
            if entry.get("key") == _OPTIONS:
                raise ArchitectureError(f"the metadata bring {_OPTIONS}, options for a session")
        for function in model.all("functions"):
            self.functions.add(function)
        for function in model.all("functions"):
            self.function(function)
        main = model.get("graph")
        self.graph(main, None, main=True)
        for training in model.all("training_info"):
            for name in ("initialization", "algorithm"):
                if name in training:
                    self.graph(training.get(name), None)
        self.functions.check_calls()

    def function(self, function: Message) -> None:
        caller = key_of(function)
        with _place(f"function {caller[1]:.100}"):
            _opsets(function)
            _value_infos(function.all("value_info"))
            self.nodes(function.all("node"), caller)
            for attribute in function.all("attribute_proto"):
                self.attribute(attribute, caller)

    def graph(self, graph: Message, caller: Key | None, *, main: bool = False) -> None:
        """Check a graph; `caller` is the function whose body it is in."""
        names: set[str] = set()
        for initializer in graph.all("initializer"):
            with _place(f"initializer {initializer.get('name', '')!r:.100}"):
                _new_name(initializer, names)
                self.initializer(initializer, main=main)
        for sparse in graph.all("sparse_initializer"):
            values = sparse.get("values", Message("Tensor"))
            with _place(f"sparse initializer {values.get('name', '')!r:.100}"):
                check_sparse(sparse)
                _new_name(values, names)
        for kind in ("input", "output", "value_info"):
            _value_infos(graph.all(kind))
        check_lengths(graph)
        self.nodes(graph.all("node"), caller)

    def initializer(self, initializer: Message, *, main: bool) -> None:
        if not main:
            tensors.check_inline(initializer)
            return
        shape = tensors.shape_of(initializer)
        if not shape.is_external:
            tensors.check_inline(initializer)
        elif initializer.get("data_location") != 1:
            raise ArchitectureError("data in the graph that must be in the weights")
        else:
            self.externals.append(_external(initializer, shape))

    def nodes(self, nodes: Any, caller: Key | None) -> None:
        for number, node in enumerate(nodes):
            try:
                self.node(node, caller)
            except SafemodelError as error:
                label = f"node {number} ({node.get('op_type', '')!s:.100})"
                error.place = label if error.place is None else f"{label}, {error.place}"
                raise

    def node(self, node: Message, caller: Key | None) -> None:
        domain, name = domain_of(node), node.get("op_type", "")
        called = (domain, name, node.get("overload", ""))
        if called in self.functions:
            self.functions.call(caller, called, node)
        else:
            self.functions.count(caller)
            if called[2] or not is_listed(domain, name):
                if self.allow is not None:
                    check_allowed(domain, name, self.allow)
                self.domains.add(domain)
        seen: dict[str, Message] = {}
        for attribute in node.all("attribute"):
            label = attribute.get("name", "")
            if not label or label in seen:
                raise ArchitectureError(f"two attributes {label!r:.100}, or one without a name")
            seen[label] = attribute
            self.attribute(attribute, caller)
        if called not in self.functions:
            check_kernel(name, node, seen)
            check_classical(domain, name, seen)

    def attribute(self, attribute: Message, caller: Key | None) -> None:
        number = attribute.get("type", 0)
        if number not in _ATTRIBUTES:
            raise ArchitectureError(f"an attribute of the type {number}")
        name, is_list = _ATTRIBUTES[number]
        found = [value for value in VALUES if value in attribute]
        if "ref_attr_name" in attribute:
            if found or caller is None:
                raise ArchitectureError("an attribute of a function where there is none")
            return
        if found != [name] and not (is_list and not found):
            raise ArchitectureError(f"an attribute of the type {number} with {found or 'no value'}")
        if name in ("t", "tensors"):
            for tensor in attribute.all(name) if is_list else (attribute.get(name),):
                tensors.check_inline(tensor)
        elif name in ("g", "graphs"):
            for graph in attribute.all(name) if is_list else (attribute.get(name),):
                self.graph(graph, caller)
        elif name in ("sparse_tensor", "sparse_tensors"):
            for sparse in attribute.all(name) if is_list else (attribute.get(name),):
                check_sparse(sparse)
        elif name in ("tp", "type_protos"):
            for kind in attribute.all(name) if is_list else (attribute.get(name),):
                _type(kind)


class _place:  # noqa: N801 - reads as a function; a generator would cost ten times as much
    """Say in an error where it was."""

    __slots__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, SafemodelError):
            error.place = self.label if error.place is None else f"{self.label}, {error.place}"


def _new_name(tensor: Message, names: set[str]) -> None:
    name = tensor.get("name", "")
    if not name or name in names:
        raise ArchitectureError("a second initializer of this name" if name else "has no name")
    names.add(name)


def _external(initializer: Message, shape: Shape) -> External:
    entries = [(entry.get("key"), entry.get("value")) for entry in initializer.all("external_data")]
    if [key for key, _ in entries] != ["location", "offset", "length"]:
        raise ArchitectureError("external data are a location, an offset and a length")
    location, *numbers = (value or "" for _, value in entries)
    found = [_decimal(number) for number in numbers]
    data = ("raw_data", "string_data", "segment", *tensors.TYPED)
    if any(name in initializer for name in data):
        raise ArchitectureError("data in the graph and in the weights")
    if found[1] != shape.nbytes:
        raise ArchitectureError(f"{found[1]} bytes of data where its shape needs {shape.nbytes}")
    return External(initializer.get("name"), shape, location, found[0], found[1], initializer)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17) or str(int(text)) != text:
        raise ArchitectureError(f"{text!r:.40} is no number of bytes")
    return int(text)


def _opsets(message: Message) -> None:
    domains = set()
    for opset in message.all("opset_import"):
        domain = domain_of(opset)
        if domain in domains or not 1 <= opset.get("version", 0) <= _MAX_OPSET:
            raise ArchitectureError(f"the operator set {domain:.100} twice, or without a version")
        domains.add(domain)


def _entries(entries: Any) -> None:
    keys = [entry.get("key", "") for entry in entries]
    if len(set(keys)) < len(keys):
        raise ArchitectureError("two entries of metadata with one key")


def _value_infos(values: Any) -> None:
    for value in values:
        if "type" in value:
            with _place(f"value {value.get('name', '')!r:.100}"):
                _type(value.get("type"))


def _type(kind: Message) -> None:
    found = [name for name in kind.values if name != "denotation"]
    if not found:
        return
    content = kind.get(found[0])
    if found[0] in ("tensor_type", "sparse_tensor_type"):
        _element(content.get("elem_type", 0))
        shape = content.get("shape")
        for dimension in () if shape is None else _dimensions(shape):
            if dimension.get("dim_value", 0) < -1:
                raise ArchitectureError(f"a dimension of {dimension.get('dim_value')}")
    elif found[0] == "map_type":
        _element(content.get("key_type", 0))
        if "value_type" in content:
            _type(content.get("value_type"))
    elif found[0] == "opaque_type":
        raise ArchitectureError("an opaque type")
    elif "elem_type" in content:
        _type(content.get("elem_type"))


def _dimensions(shape: Message) -> Iterator[Message]:
    dimensions = shape.all("dim")
    if len(dimensions) > limits.MAX_TENSOR_RANK:
        raise LimitError(f"more than {limits.MAX_TENSOR_RANK} dimensions")
    sizes = tuple(max(one.get("dim_value", 0), 0) for one in dimensions)
    if math.prod(size or 1 for size in sizes) > limits.MAX_MEMBER_SIZE:
        raise LimitError("more elements than a tensor can have")
    return iter(dimensions)


def _element(number: int) -> None:
    if number not in tensors.TYPES and number != 0:
        raise ArchitectureError(f"the data type {number} is not known")


def check_sparse(sparse: Message) -> None:
    """Check a sparse tensor: each index lies in it, and they ascend.

    Raises:
        ArchitectureError: what makes a reader that fills in the values write elsewhere.
        LimitError: it would take too much memory.
    """
    values, indices = sparse.get("values"), sparse.get("indices")
    if values is None or indices is None:
        raise ArchitectureError("a sparse tensor without values or indices")
    shape, places = tensors.check_inline(values), tensors.check_inline(indices)
    dims = tuple(int(dimension) for dimension in sparse.all("dims"))
    bits = max(shape.type.bits, 8)
    total = tensors.check_dims(dims, bits)
    if total * bits // 8 > limits.MAX_ONNX_SPARSE:
        raise LimitError(f"a sparse tensor of more than {limits.MAX_ONNX_SPARSE} bytes")
    rank = len(dims)
    if (
        not rank
        or len(shape.dims) != 1
        or places.data_type != tensors.INT64
        or places.dims not in ((shape.count,), (shape.count, rank))
    ):
        raise ArchitectureError("a sparse tensor whose values and indices do not fit its shape")
    if not shape.count:
        return
    index = np.frombuffer(indices.get("raw_data"), "<i8").reshape(places.dims)
    if len(places.dims) == 2:
        if index.min() < 0 or (index >= np.array(dims)).any():
            raise ArchitectureError("a sparse tensor with an index outside of it")
        index = np.ravel_multi_index(tuple(index.T), dims)
    if index[0] < 0 or index[-1] >= total or (index[1:] <= index[:-1]).any():
        raise ArchitectureError("a sparse tensor with indices outside of it or out of order")
