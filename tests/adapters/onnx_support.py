"""Models for the ONNX tests: built from small parts, run, and compared."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import safemodel as sm
from safemodel.adapters.onnx import wire
from safemodel.adapters.onnx.saving import GRAPH, MEDIA_TYPE
from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.write import write
from safemodel.format.manifest import Adapter
from safemodel.format.weights import TensorSpec, layout

FLOAT = TensorProto.FLOAT
onnxruntime.set_default_logger_severity(4)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    initializers: Iterable[onnx.TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] = (),
    outputs: Sequence[str] = ("y",),
    opsets: dict[str, int] | None = None,
    **options: Any,
) -> onnx.ModelProto:
    """A model whose outputs are floats of any shape."""
    graph = helper.make_graph(
        nodes,
        "g",
        inputs or [helper.make_tensor_value_info("x", FLOAT, None)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        list(initializers),
    )
    found = {"": 21, **(opsets or {})}
    made = [helper.make_opsetid(domain, version) for domain, version in found.items()]
    return helper.make_model(graph, opset_imports=made, ir_version=10, **options)


def linear(features: int = 32, outputs: int = 24, seed: int = 0) -> onnx.ModelProto:
    """x @ W + b, with W large enough for the weights and b small enough for the graph."""
    rng = np.random.default_rng(seed)
    weight = rng.random((features, outputs), dtype=np.float32)
    return model_of(
        [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Add", ["h", "b"], ["y"])],
        [
            numpy_helper.from_array(weight, "W"),
            numpy_helper.from_array(rng.random(outputs, dtype=np.float32), "b"),
        ],
    )


def session_of(model: onnx.ModelProto | bytes | str) -> onnxruntime.InferenceSession:
    """A session by ONNX Runtime alone, with the options of ours."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    given = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def unsigned(path: Path, **options: Any) -> onnxruntime.InferenceSession:
    return sm.onnx_session(path, trust=sm.UNSIGNED, **options)


def saved(model: object, path: Path, **options: Any) -> Path:
    sm.save(model, path, signer=None, **options)
    return path


def run(session: onnxruntime.InferenceSession, feeds: Sequence[Any]) -> list[Any]:
    """The outputs for inputs in the order of the model's."""
    names = [item.name for item in session.get_inputs()]
    given = {name: _feed(feed) for name, feed in zip(names, feeds, strict=False)}
    if any(isinstance(feed, onnxruntime.OrtValue) for feed in given.values()):
        values = {
            name: feed
            if isinstance(feed, onnxruntime.OrtValue)
            else onnxruntime.OrtValue.ortvalue_from_numpy(feed)
            for name, feed in given.items()
            if feed is not None
        }
        return [_bits(value) for value in session.run_with_ort_values(None, values)]
    return session.run(None, given)


_BITS = {8: "u1", 16: "<u2", 4: "u1", 2: "u1"}


def _feed(feed: Any) -> Any:
    if isinstance(feed, np.generic):
        return np.asarray(feed)
    if not isinstance(feed, TensorProto):
        return feed
    array = numpy_helper.to_array(feed)
    if array.dtype.isbuiltin == 1:
        return array
    if array.dtype.itemsize == 1 and feed.data_type in (21, 22, 23, 25, 26):
        raise NotImplementedError("an input of less than a byte")
    bits = np.ascontiguousarray(array).view(_BITS[array.dtype.itemsize * 8])
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, feed.data_type)


def _bits(value: Any) -> Any:
    try:
        return value.numpy()
    except RuntimeError:  # a type that NumPy lacks
        raise NotImplementedError("an output that NumPy lacks") from None


def same(first: Any, second: Any) -> bool:
    """Whether outputs are equal to the last bit."""
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray):
        if first.dtype != second.dtype or first.shape != second.shape:
            return False
        if first.dtype == object:
            return bool(first.tolist() == second.tolist())
        return first.tobytes() == second.tobytes()
    return bool(first == second)


# Hostile bundles

_STORED = {"float32": "F32", "uint8": "U8", "int64": "I64", "bool": "BOOL"}


def tree(model: onnx.ModelProto) -> wire.Message:
    """The messages of a model as our own reader sees them."""
    return wire.read(memoryview(model.SerializeToString(deterministic=True)), strict=False)


def write_bundle(
    path: Path,
    graph: bytes,
    tensors: dict[str, np.ndarray[Any, Any]] | None = None,
    architecture: Any = None,
) -> Path:
    """A well-formed bundle with any graph and tensors in it."""
    data = []
    for name, array in (tensors or {}).items():
        stored = _STORED[array.dtype.name]
        raw = np.ascontiguousarray(array).tobytes()
        data.append(TensorData(TensorSpec(name, stored, array.shape), lambda raw=raw: (raw,)))
    contents = Contents(
        framework="onnx",
        adapter=Adapter("onnx", 1),
        architecture=architecture or {"ir_version": 10, "opsets": {"ai.onnx": 21}},
        tensors=tuple(data),
        members={GRAPH: Payload(graph, MEDIA_TYPE)},
    )
    write(path, contents)
    return path


def place_of(name: str, tensors: dict[str, np.ndarray[Any, Any]]) -> tuple[int, int]:
    """Where in weights.safetensors the bytes of a tensor are."""
    specs = [
        TensorSpec(
            key,
            {"float32": "F32", "uint8": "U8", "int64": "I64", "bool": "BOOL"}[a.dtype.name],
            a.shape,
        )
        for key, a in tensors.items()
    ]
    _, header = layout(specs)
    (info,) = (info for info in header.tensors if info.name == name)
    return header.data_start + info.begin, info.nbytes


def external(
    name: str,
    array: np.ndarray[Any, Any],
    location: str = "weights.safetensors",
    offset: int | str = 0,
    length: int | str | None = None,
) -> TensorProto:
    """A tensor whose data are said to be in a file."""
    made = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
    made.dims.extend(array.shape)
    made.data_location = TensorProto.EXTERNAL
    size = array.nbytes if length is None else length
    for key, value in (("location", location), ("offset", offset), ("length", size)):
        made.external_data.add(key=key, value=str(value))
    return made


def node_cases() -> list[Any]:
    """The node tests that the onnx package defines."""
    from onnx.backend.test.case.node import collect_testcases

    os.environ.setdefault("ALLOW_RELEASED_ONNX_OPSET_ONLY", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(collect_testcases(None))
