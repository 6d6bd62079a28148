"""From a verified bundle to a checked graph and the tensors that its initializers stand for.

Nothing of a model reaches ONNX or ONNX Runtime before this is through with all of it. Implements
spec/onnx.md, "Loading".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel import limits
from safemodel.adapters.onnx import wire
from safemodel.adapters.onnx.checking import Audit, External
from safemodel.adapters.onnx.operators import domain_of
from safemodel.adapters.onnx.saving import GRAPH
from safemodel.adapters.onnx.tensors import check_booleans
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LegacyError, LimitError, locating
from safemodel.format.weights import TensorInfo, stored_names

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

BOOL: Final = "BOOL"


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that passed the audit.

    `places` are its stored initializers, in the order of the graph, with the tensor of each.
    """

    graph: bytes
    model: Message
    audit: Audit
    places: tuple[tuple[External, TensorInfo], ...]


def open_model(bundle: VerifiedBundle, allow: Iterable[str], prefix: str = "") -> Opened:
    """Read and check the graph of a bundle.

    Raises:
        ArchitectureError: it is not written as it must be, or says something that must not be.
        NotAllowedError: an operator that only the caller can allow; the hint says how.
        LimitError: too much of something.
    """
    if GRAPH not in bundle.manifest.files:
        raise ArchitectureError(
            f"this archive has no {GRAPH}",
            hint="save an ONNX model, or another with onnx_inputs=...",
        )
    with locating(place=GRAPH):
        size = bundle.manifest.files[GRAPH].size
        if size > limits.MAX_ONNX_GRAPH:
            raise LimitError(f"a graph of {size} bytes, more than {limits.MAX_ONNX_GRAPH}")
        graph = bundle.member(GRAPH)
        try:
            model = wire.read(memoryview(graph), strict=True)
        except LegacyError as error:
            at = "" if error.offset is None else f" (byte {error.offset})"
            raise ArchitectureError(error.message + at) from error
        audit = Audit(frozenset(allow))
        audit.run(model)
        return Opened(graph, model, audit, _places(bundle, model, audit, prefix))


def _places(
    bundle: VerifiedBundle, model: Message, audit: Audit, prefix: str
) -> tuple[tuple[External, TensorInfo], ...]:
    """The tensor of each initializer: exactly one, whole, of its type, shape and name."""
    there = {
        (member, header.data_start + tensor.begin): tensor
        for member, header in bundle.headers.items()
        for tensor in header.tensors
        if tensor.nbytes
    }
    initializers = model.get("graph").all("initializer")
    names = stored_names(initializer.get("name", "") for initializer in initializers)
    found = []
    for one in audit.externals:
        tensor = there.pop((one.location, one.offset), None)
        if (
            tensor is None
            or tensor.nbytes != one.length
            or (tensor.dtype, tensor.shape) != one.shape.stored
            or tensor.name != prefix + names[one.name]
        ):
            raise ArchitectureError(
                f"initializer {one.name!r:.100}: bytes {one.offset} to {one.offset + one.length} "
                f"of {one.location!r:.100} are not the tensor that is stored for it"
            )
        found.append((one, tensor))
    return tuple(found)


def check_all_used(bundle: VerifiedBundle, opened: Opened, prefix: str = "") -> None:
    """Refuse tensors, of those with a prefix, that no initializer stands for.

    Raises:
        ArchitectureError: there is one.
    """
    used = {tensor.name for _, tensor in opened.places}
    for name in bundle.tensors:
        if name.startswith(prefix) and name not in used:
            raise ArchitectureError(f"tensor {name!r:.100} is not used by the graph")


def describe(model: Message, audit: Audit) -> dict[str, JsonValue]:
    """What the manifest says of a model; it must be just this."""
    opsets: dict[str, JsonValue] = {
        domain_of(opset): opset.get("version", 0) for opset in model.all("opset_import")
    }
    described: dict[str, JsonValue] = {"ir_version": model.get("ir_version"), "opsets": opsets}
    if audit.domains:
        custom: list[JsonValue] = [*sorted(audit.domains)]
        described["custom"] = custom
    return described


def data_of(bundle: VerifiedBundle, place: tuple[External, TensorInfo]) -> memoryview:
    """The verified bytes of an initializer.

    Raises:
        ArchitectureError: a boolean that is neither 0 nor 1.
    """
    external, info = place
    buffer = bundle.tensor(info.name).buffer
    if info.dtype == BOOL:
        with locating(place=f"initializer {external.name!r:.100}"):
            check_booleans(buffer)
    return buffer
