"""Opening an ONNX model of 500 MB with ONNX Runtime: ours from a verified archive, its own ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.groups import Group, Operation
from benchmarks.measure import in_page_cache

_CASES = (
    "read_verified",
    "onnx_session_safemodel",
    "onnx_session_safemodel_optimized",
    "onnx_session_external",
    "onnx_session_one_file",
    "onnx_session_bytes",
)
GROUPS = (Group("onnx", "Open an ONNX model of 500 MB with ONNX Runtime", _CASES),)
_SIDE = 1600
_LAYERS = 49  # of 10 MB


def _prepared(folder: Path) -> Path:
    """The same model as an archive, as one file, and with its data beside it."""
    target = folder / "onnx"
    if target.exists():
        return target
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    import safemodel as sm

    target.mkdir()
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    for layer in range(_LAYERS):
        array = rng.random((_SIDE, _SIDE), dtype=np.float32)
        weights.append(numpy_helper.from_array(array, f"W{layer}"))
        nodes.append(helper.make_node("MatMul", [f"x{layer}", f"W{layer}"], [f"x{layer + 1}"]))
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, _SIDE])
        for name in ("x0", f"x{_LAYERS}")
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    sm.save(model, target / "m.safemodel", signer=sm.Signer.load(folder / "key.pem"))
    onnx.save_model(model, str(target / "one.onnx"))
    onnx.save_model(
        model, str(target / "m.onnx"), save_as_external_data=True, location="m.data"
    )  # it changes the model
    return target


def _options() -> Any:
    """Those of our sessions."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def _warm(folder: Path) -> Any:
    """Import everything and start what is started once; return whom to trust."""
    import onnx
    from onnx import helper

    import safemodel as sm
    from safemodel.adapters.onnx import session

    trust = sm.TrustedKeys(folder / "key.pub")
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    sm.save(model, folder / "warm.safemodel", signer=sm.Signer.load(folder / "key.pem"))
    session.onnx_session(folder / "warm.safemodel", trust=trust)
    return trust


def read_verified(folder: Path) -> Operation:
    import safemodel as sm

    path, trust = in_page_cache(_prepared(folder) / "m.safemodel"), _warm(folder)

    def operation() -> object:
        with sm.open(path, trust=trust) as bundle:
            bundle.load_weights()
            return [bundle.tensor(name) for name in bundle.tensors]

    return operation


def onnx_session_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    path, trust = in_page_cache(_prepared(folder) / "m.safemodel"), _warm(folder)
    return lambda: sm.onnx_session(path, trust=trust)


def onnx_session_safemodel_optimized(folder: Path) -> Operation:
    import onnxruntime

    import safemodel as sm

    path, trust = in_page_cache(_prepared(folder) / "m.safemodel"), _warm(folder)
    return lambda: sm.onnx_session(path, trust=trust, session_options=onnxruntime.SessionOptions())


def _plain(folder: Path, name: str) -> Operation:
    import onnxruntime

    _warm(folder)
    in_page_cache(_prepared(folder))
    path = str(_prepared(folder) / name)
    return lambda: onnxruntime.InferenceSession(
        path, _options(), providers=["CPUExecutionProvider"]
    )


def onnx_session_external(folder: Path) -> Operation:
    return _plain(folder, "m.onnx")


def onnx_session_one_file(folder: Path) -> Operation:
    return _plain(folder, "one.onnx")


def onnx_session_bytes(folder: Path) -> Operation:
    import onnxruntime

    _warm(folder)
    path = in_page_cache(_prepared(folder) / "one.onnx")
    return lambda: onnxruntime.InferenceSession(
        path.read_bytes(), _options(), providers=["CPUExecutionProvider"]
    )
