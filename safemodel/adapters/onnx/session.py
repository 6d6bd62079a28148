"""ONNX Runtime sessions over verified memory.

ONNX Runtime gets the graph as bytes, after our audit, and the initializers as OrtValues over the
verified memory; the graph that it gets says that they are in an empty file of this package, so
whatever would read them from a file finds nothing. Without optimizations it uses them where they
are; its optimizers can't, and copy them. Implements spec/onnx.md, "Sessions".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.onnx import both, wire
from safemodel.adapters.onnx.checking import External
from safemodel.adapters.onnx.loading import Opened, check_all_used, data_of, open_model
from safemodel.adapters.onnx.varints import varint
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, MissingLibraryError, UsageError, locating

if TYPE_CHECKING:
    import onnxruntime

    from safemodel.bundle.opening import Source
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.trust.policy import TrustLike

Provider = str | tuple[str, Mapping[Any, Any]]
CPU: Final = "CPUExecutionProvider"

_FOLDER: Final = os.path.dirname(os.path.abspath(__file__))
_EMPTY: Final = "nothing"  # a file of this package, and empty
_FOLDER_OPTION: Final = "session.model_external_initializers_file_folder_path"

_GRAPH: Final = 7  # field numbers of a model and of a graph
_INITIALIZER: Final = 5
_ERRORS: Final = (
    "EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf",
    "ModelRequiresCompilation", "NoModel", "NoSuchFile", "NotFound", "NotImplemented",
    "RuntimeException",
)  # fmt: skip

# data type -> the NumPy type of an OrtValue; those that NumPy lacks go by their bits
_NUMPY: Final = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2",
    11: "<f8", 12: "<u4", 13: "<u8",
}  # fmt: skip
_BITS: Final = {
    16: "<u2", 17: "u1", 18: "u1", 19: "u1", 20: "u1", 21: "u1", 22: "u1", 23: "u1", 24: "u1",
    25: "u1", 26: "u1",
}  # fmt: skip


def onnx_session(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    providers: Sequence[Provider] = (CPU,),
    session_options: onnxruntime.SessionOptions | None = None,
    allow: Sequence[str] = (),
) -> onnxruntime.InferenceSession:
    """Verify a bundle and open its ONNX form with ONNX Runtime.

    Args:
        source: path of an archive or of a folder, or the bytes of an archive.
        trust, name, version, digest: as for `load`.
        providers: names of ONNX Runtime's execution providers, or pairs of a name and its options.
        session_options: yours. Without them optimizations are off, and the session uses the
            verified memory where it is; with those of yours whose optimizations are on, ONNX
            Runtime makes a copy. They are for one session: initializers are put into them.
        allow: `"onnx-domain:NAME"` for operators that are not in our table.

    Raises:
        SourceError, FormatError, VerificationError, KeyFileError: as for `load`.
        ArchitectureError: the graph says something that must not be, or ONNX Runtime refuses it.
        NotAllowedError: an operator that only the caller can allow; the hint says what to write.
        MissingLibraryError: ONNX Runtime is not installed.
        UsageError: an unknown provider.
    """
    from safemodel.bundle import open_bundle

    try:
        import onnxruntime as runtime
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            "onnxruntime is not installed", hint="pip install 'safemodel[onnx]'"
        ) from error
    chosen = _check_providers(providers, runtime.get_available_providers())
    if isinstance(allow, str):
        raise UsageError("allow= is a list of strings", hint=f"allow=[{allow!r}]")
    with (
        open_bundle(source, trust=trust, name=name, version=version, digest=digest) as bundle,
        locating(path=bundle.path),
    ):
        prefix = both.prefix_of(bundle.manifest)
        opened = open_model(bundle, allow, prefix)
        check_all_used(bundle, opened, prefix)
        return _session(runtime, bundle, opened, chosen, session_options)


def _check_providers(providers: Sequence[Provider], available: Sequence[str]) -> list[Any]:
    if isinstance(providers, str):
        raise UsageError("providers= is a list", hint=f"providers=[{providers!r}]")
    for provider in providers:
        name = provider if isinstance(provider, str) else provider[0]
        if name not in available:
            raise UsageError(
                f"this ONNX Runtime has no provider {name!r}",
                hint=f"it has {', '.join(available)}; others come with packages such as "
                "onnxruntime-gpu",
            )
    if not providers:
        raise UsageError("no providers", hint=f"providers=[{CPU!r}]")
    return list(providers)


def _session(
    runtime: Any,
    bundle: VerifiedBundle,
    opened: Opened,
    providers: list[Any],
    options: Any,
) -> Any:
    level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if options is None:
        options = runtime.SessionOptions()
        options.graph_optimization_level = level
        options.add_session_config_entry("session.disable_prepacking", "1")
    in_place = options.graph_optimization_level == level and providers == [CPU]
    needed = sum(info.nbytes for _, info in opened.places)
    if 2 * needed >= sum(info.nbytes for info in bundle.tensors.values()):
        bundle.load_weights()
    names, values, inline = [], [], {}
    used = _used(opened.model.get("graph"))
    for external, info in opened.places:
        value = _value(runtime, external, data := data_of(bundle, (external, info)))
        if value is None or external.name not in used:
            # ONNX Runtime drops what nothing uses, and then misses it.
            inline[external.name] = data
        else:
            names.append(external.name)
            values.append(value)
    options.add_session_config_entry(_FOLDER_OPTION, _FOLDER)
    # Bytes 4 to 7 would else say that they are no ONNX at all: a producer can be named "ORTM".
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        if in_place:
            for name, value in zip(names, values, strict=True):
                options.add_initializer(name, value)
        elif names:
            options.add_external_initializers(names, values)
        session = runtime.InferenceSession(
            _graph(opened, inline),
            options,
            providers=providers,
            enable_fallback=0,
            read_config_from_model=0,
        )
    except _errors(runtime) as error:
        raise ArchitectureError(
            f"ONNX Runtime refuses the model: {error!s:.500}",
            hint="if these session_options were used before: make new ones for each session",
        ) from error
    # ONNX Runtime keeps addresses, not references.
    session._safemodel_memory = values if in_place else ()
    return session


def _errors(runtime: Any) -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: classes of its own, below Exception, and the usual ones."""
    state = runtime.capi.onnxruntime_pybind11_state
    own = (getattr(state, name, RuntimeError) for name in _ERRORS)
    return (RuntimeError, ValueError, *own)


def _value(runtime: Any, external: External, data: memoryview) -> Any:
    """An OrtValue over the bytes of an initializer; None if there can be none."""
    number, dims = external.shape.data_type, external.shape.dims
    if number in _NUMPY:
        return runtime.OrtValue.ortvalue_from_numpy(np.ndarray(dims, _NUMPY[number], data))
    over_bits = getattr(runtime.OrtValue, "ortvalue_from_numpy_with_onnx_type", None)
    if number not in _BITS or over_bits is None:  # older releases have none
        return None
    array: Any
    if external.shape.type.unit is not None:
        array = np.ndarray(dims, _BITS[number], data)
    else:
        # A row of elements, several to a byte. Only an array with as many bytes as elements makes
        # an OrtValue of this shape; what lies behind is never touched, and is our memory too.
        owner: Any = data.obj
        whole = np.frombuffer(owner, np.uint8)
        start = _address(np.frombuffer(data, np.uint8)) - _address(whole)
        if start + external.shape.count > whole.size:
            return None
        array = np.ndarray(dims, np.uint8, whole, start)
    try:
        return over_bits(array, number)
    except RuntimeError:  # a type that this release does not have; the session will say so
        return None


def _used(graph: Message) -> set[str]:
    """The names of values that nodes take, or that are outputs, here or in a subgraph."""
    used = {value.get("name", "") for value in graph.all("output")}
    for node in graph.all("node"):
        used.update(node.all("input"))
        for attribute in node.all("attribute"):
            for inner in [attribute.get("g")] if "g" in attribute else attribute.all("graphs"):
                used |= _used(inner)
    return used


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _graph(opened: Opened, inline: Mapping[str, memoryview]) -> bytes:
    """The graph with initializers that lie in the empty file, but for those that go inside.

    All else stays the very bytes that were audited.
    """
    graph, data = opened.model.get("graph"), memoryview(opened.graph)
    pieces: list[bytes | memoryview] = []
    done = graph.start
    for external, _ in opened.places:
        message = external.message
        head = _head(_INITIALIZER, message.end - message.start)
        pieces.append(data[done : message.start - len(head)])
        made = wire.write(_replaced(external, inline.get(external.name)))
        pieces += [_head(_INITIALIZER, len(made)), made]
        done = message.end
    pieces.append(data[done : graph.end])
    old = len(_head(_GRAPH, graph.end - graph.start))
    size = sum(map(len, pieces))
    return b"".join([data[: graph.start - old], _head(_GRAPH, size), *pieces, data[graph.end :]])


def _head(number: int, size: int) -> bytes:
    return varint(number << 3 | 2) + varint(size)


def _replaced(external: External, data: memoryview | None) -> Message:
    values = dict(external.message.values)
    del values["external_data"], values["data_location"]
    if data is not None:
        return Message("Tensor", **values, raw_data=data)
    entries = (("location", _EMPTY), ("offset", "0"), ("length", str(external.length)))
    made = [Message("Entry", key=key, value=value) for key, value in entries]
    return Message("Tensor", **values, external_data=made, data_location=1)
