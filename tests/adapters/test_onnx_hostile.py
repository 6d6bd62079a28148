"""Hostile graphs: refused by us, before ONNX or ONNX Runtime see a byte of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import safemodel as sm
from safemodel import limits
from safemodel.adapters.onnx import wire
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LimitError, SafemodelError, UnsavableError
from tests.adapters.onnx_support import (
    FLOAT,
    external,
    linear,
    model_of,
    place_of,
    tree,
    write_bundle,
)

Array = np.ndarray[Any, Any]
W: Array = np.arange(32 * 24, dtype=np.float32).reshape(32, 24)
V: Array = np.ones((32, 24), np.float32)
TENSORS = {"W": W, "V": V}
OFFSET, LENGTH = place_of("W", TENSORS)
SMALL = numpy_helper.from_array(np.zeros(4, np.float32), "s")


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what is refused may have reached ONNX or ONNX Runtime."""

    def reached(*_: object, **__: object) -> None:
        raise AssertionError("hostile bytes reached ONNX Runtime")

    from safemodel.adapters.onnx import protos

    monkeypatch.setattr(onnxruntime, "InferenceSession", reached)
    monkeypatch.setattr(protos, "whole", reached)


def matmul(*initializers: TensorProto, nodes: Any = (), **options: Any) -> onnx.ModelProto:
    names = [tensor.name for tensor in initializers] or ["x"]
    made = [helper.make_node("MatMul", ["x", name], [f"y{i}"]) for i, name in enumerate(names)]
    made.append(helper.make_node("Sum", [f"y{i}" for i in range(len(names))], ["y"]))
    return model_of([*made, *nodes], initializers, **options)


def refused(
    graph: onnx.ModelProto | Message | bytes,
    folder: Path,
    match: str,
    tensors: dict[str, Array] | None = None,
    kind: type[SafemodelError] = ArchitectureError,
    architecture: Any = None,
) -> None:
    """Both ways to open a bundle with this graph raise our error, which names the graph."""
    if isinstance(graph, onnx.ModelProto):
        graph = tree(graph)
    data = graph if isinstance(graph, bytes) else wire.write(graph)
    path = write_bundle(folder / "m.safemodel", data, tensors, architecture)
    for use in (sm.load, sm.onnx_session):
        with pytest.raises(kind, match=match) as caught:
            use(path, trust=sm.UNSIGNED)
        assert caught.value.path == str(path)


def test_the_good_one_passes_the_audit(tmp_path: Path) -> None:
    model = matmul(
        external("W", W, offset=OFFSET), external("V", V, offset=place_of("V", TENSORS)[0])
    )
    path = write_bundle(tmp_path / "m.safemodel", wire.write(tree(model)), TENSORS)
    for use in (sm.load, sm.onnx_session):
        with pytest.raises(AssertionError, match="reached"):
            use(path, trust=sm.UNSIGNED)


# External data


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"location": "../weights.safetensors"}, "not the tensor"),
        ({"location": "/etc/passwd"}, "not the tensor"),
        ({"location": "other.bin"}, "not the tensor"),
        ({"location": "graph.onnx"}, "not the tensor"),
        ({"location": "*/_ORT_MEM_ADDR_/*"}, "not the tensor"),
        ({"location": "./weights.safetensors"}, "not the tensor"),
        ({"offset": OFFSET + 4}, "not the tensor"),
        ({"offset": OFFSET - 8}, "not the tensor"),
        ({"offset": 0}, "not the tensor"),
        ({"offset": OFFSET + LENGTH * 100}, "not the tensor"),
        ({"offset": 2**53}, "not the tensor"),
        ({"offset": "-1"}, "no number"),
        ({"offset": "0x10"}, "no number"),
        ({"offset": f"0{OFFSET}"}, "no number"),
        ({"offset": "9" * 30}, "no number"),
        ({"offset": "\u0663"}, "no number"),
        ({"offset": ""}, "no number"),
        ({"length": LENGTH - 4}, "bytes of data"),
        ({"length": LENGTH * 2}, "bytes of data"),
        ({"length": ""}, "no number"),
    ],
)
def test_ranges_that_are_no_tensor(options: dict[str, Any], match: str, tmp_path: Path) -> None:
    wanted = {"offset": OFFSET, **options}
    model = matmul(external("W", W, **wanted))
    refused(model, tmp_path, match, TENSORS)


def test_overlapping_and_repeated_ranges(tmp_path: Path) -> None:
    twice = matmul(external("W", W, offset=OFFSET), external("V", W, offset=OFFSET))
    refused(twice, tmp_path, "not the tensor", TENSORS)
    half = TensorProto.FromString(external("W", W[:16], offset=OFFSET).SerializeToString())
    refused(matmul(half), tmp_path, "not the tensor", TENSORS)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("W", W.reshape(24, 32)),
        ("W", W.reshape(-1)),
        ("W", W.view(np.int32)),
        ("V", W),
        ("other", W),
    ],
)
def test_tensors_of_another_name_type_or_shape(name: str, array: Array, tmp_path: Path) -> None:
    model = matmul(external(name, array, offset=OFFSET))
    refused(model, tmp_path, "not the tensor", {"W": W})


def test_tensors_that_nothing_uses(tmp_path: Path) -> None:
    refused(matmul(external("W", W, offset=OFFSET)), tmp_path, "'V' is not used", TENSORS)
    refused(matmul(SMALL), tmp_path, "is not used", TENSORS)


def test_keys_of_external_data(tmp_path: Path) -> None:
    for change in ("checksum", "twice", "order", "none", "raw"):
        tensor = external("W", W, offset=OFFSET)
        if change == "checksum":
            tensor.external_data.add(key="checksum", value="00")
        elif change == "twice":
            tensor.external_data.add(key="location", value="other.bin")
        elif change == "order":
            tensor.external_data.reverse()
        elif change == "none":
            del tensor.external_data[:]
        else:
            tensor.raw_data = W.tobytes()
        refused(matmul(tensor), tmp_path, "data", {"W": W})


def test_what_is_large_is_in_the_weights_and_what_is_small_is_not(tmp_path: Path) -> None:
    refused(linear(), tmp_path, "must be in the weights")
    small = np.zeros(16, np.float32)
    model = matmul(external("S", small, offset=place_of("S", {"S": small})[0]))
    refused(model, tmp_path, "lie elsewhere", {"S": small})


def _if(tensor: TensorProto) -> onnx.NodeProto:
    out = helper.make_tensor_value_info("t", FLOAT, None)
    node = helper.make_node("MatMul", ["x", tensor.name], ["t"])
    body = helper.make_graph([node], "b", [], [out], [tensor])
    return helper.make_node("If", ["c"], ["i"], then_branch=body, else_branch=body)


def _function(*nodes: onnx.NodeProto, name: str = "F") -> onnx.FunctionProto:
    return helper.make_function("acme", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 21)])


EVIL = external("E", W, offset=OFFSET)
SPARSE = helper.make_sparse_tensor(
    EVIL, numpy_helper.from_array(np.arange(3, dtype=np.int64), "i"), [9]
)
PASS = helper.make_node("Identity", ["a"], ["b"])
CONSTANT = helper.make_node("Constant", [], ["k"], value=EVIL)


def _in_sparse() -> onnx.ModelProto:
    model = matmul(SMALL)
    model.graph.sparse_initializer.append(SPARSE)
    return model


def _in_training() -> onnx.ModelProto:
    model = matmul(SMALL)
    model.training_info.add().algorithm.initializer.append(EVIL)
    return model


def _in_tensors() -> onnx.ModelProto:
    node = helper.make_node("Identity", ["x"], ["k"])
    attribute = node.attribute.add(name="a", type=onnx.AttributeProto.TENSORS)
    attribute.tensors.append(EVIL)
    return matmul(SMALL, nodes=[node])


def _in_default() -> onnx.ModelProto:
    function = _function(helper.make_node("Identity", ["a"], ["b"]))
    function.attribute_proto.append(helper.make_attribute("d", EVIL))
    return matmul(SMALL, functions=[function])


@pytest.mark.parametrize(
    "make",
    [
        lambda: matmul(SMALL, nodes=[CONSTANT]),
        lambda: matmul(SMALL, nodes=[_if(EVIL)]),
        lambda: matmul(SMALL, functions=[_function(CONSTANT, PASS)]),
        lambda: matmul(SMALL, functions=[_function(_if(EVIL), PASS)]),
        lambda: matmul(SMALL, nodes=[helper.make_node("Constant", [], ["k"], sparse_value=SPARSE)]),
        _in_sparse,
        _in_training,
        _in_tensors,
        _in_default,
    ],
)
def test_external_data_anywhere_else(make: Callable[[], onnx.ModelProto], tmp_path: Path) -> None:
    refused(make(), tmp_path, "data that lie elsewhere", {"E": W})


# Tensors


def _tensor(**changes: Any) -> TensorProto:
    tensor = TensorProto()
    tensor.CopyFrom(SMALL)
    for name, value in changes.items():
        if name in ("dims", "float_data", "string_data", "int32_data"):
            getattr(tensor, name)[:] = value
        elif name == "segment":
            tensor.segment.begin = 0
        else:
            setattr(tensor, name, value)
    return tensor


@pytest.mark.parametrize(
    ("changes", "match", "kind"),
    [
        ({"raw_data": bytes(12)}, "12 bytes of data", ArchitectureError),
        ({"raw_data": bytes(20)}, "20 bytes of data", ArchitectureError),
        ({"raw_data": b""}, "0 bytes of data", ArchitectureError),
        ({"dims": [-4]}, "a dimension of -4", ArchitectureError),
        ({"dims": [-2, -2]}, "a dimension of -2", ArchitectureError),
        ({"dims": [2**62, 4]}, "more elements", LimitError),
        ({"dims": [2**40, 2**40]}, "more elements", LimitError),
        ({"dims": [0, 2**62, 2**62]}, "more elements", LimitError),
        ({"dims": [2**32, 2**32]}, "more elements", LimitError),
        ({"dims": [1] * 100}, "dimensions", LimitError),
        ({"dims": [2**31]}, "must be in the weights", ArchitectureError),
        ({"data_type": 0}, "data type 0", ArchitectureError),
        ({"data_type": 29}, "data type 29", ArchitectureError),
        ({"data_type": -1}, "data type -1", ArchitectureError),
        ({"data_type": 8}, "0 strings", ArchitectureError),
        ({"data_type": 9, "dims": [16], "raw_data": b"\2" * 16}, "neither 0", ArchitectureError),
        ({"float_data": [0.0] * 4}, "not raw", ArchitectureError),
        ({"int32_data": [0]}, "not raw", ArchitectureError),
        ({"string_data": [b"a"] * 4}, "4 strings", ArchitectureError),
        ({"segment": True}, "part of a tensor", ArchitectureError),
        ({"name": ""}, "no name", ArchitectureError),
    ],
)
def test_tensors_that_are_not_what_they_say(
    changes: dict[str, Any], match: str, kind: type[SafemodelError], tmp_path: Path
) -> None:
    model = matmul(SMALL)
    model.graph.initializer[0].CopyFrom(_tensor(**changes))
    refused(model, tmp_path, match, kind=kind)


def test_two_initializers_of_one_name(tmp_path: Path) -> None:
    model = matmul(SMALL)
    model.graph.initializer.append(SMALL)
    # (before the names of tensors are made of them)
    refused(model, tmp_path, "second initializer")
    with pytest.raises(SafemodelError):
        sm.save(model, tmp_path / "n.safemodel", signer=None)


def test_booleans_in_the_weights(tmp_path: Path) -> None:
    stored = np.full(2048, 2, np.uint8).view(bool)
    model = matmul(external("B", stored, offset=place_of("B", {"B": stored})[0]))
    refused(model, tmp_path, "neither 0 nor 1", {"B": stored})


@pytest.mark.parametrize(
    ("indices", "dims", "match", "kind"),
    [
        ([0, 1, 9], [9], "outside", ArchitectureError),
        ([-1, 1, 2], [9], "outside", ArchitectureError),
        ([0, 2, 1], [9], "order", ArchitectureError),
        ([0, 1, 1], [9], "order", ArchitectureError),
        ([[0, 0], [0, 3], [1, 0]], [3, 3], "outside", ArchitectureError),
        ([[0, 0], [0, -1], [1, 0]], [3, 3], "outside", ArchitectureError),
        ([0, 1], [9], "do not fit", ArchitectureError),
        ([0, 1, 2], [], "do not fit", ArchitectureError),
        ([0, 1, 2], [2**33], "more than", LimitError),
        ([0, 1, 2], [2**62, 8], "more elements", LimitError),
        ([0, 1, 2], [-9], "dimension of -9", ArchitectureError),
    ],
)
def test_sparse_tensors_that_reach_outside(
    indices: Any, dims: list[int], match: str, kind: type[SafemodelError], tmp_path: Path
) -> None:
    model = matmul(SMALL)
    values = numpy_helper.from_array(np.ones(3, np.float32), "K")
    places = numpy_helper.from_array(np.array(indices, np.int64), "i")
    sparse = onnx.SparseTensorProto(values=values, indices=places, dims=dims)
    model.graph.sparse_initializer.append(sparse)
    refused(model, tmp_path, match, kind=kind)


# Operators, attributes, functions


def test_domains_that_are_not_listed(tmp_path: Path) -> None:
    for name in ("com.acme", "ai.onnx.contrib", "AI.ONNX"):
        node = helper.make_node("Relu", ["x"], ["y"], domain=name)
        refused(model_of([node]), tmp_path, "allow|not known|not in the table")
    inside = _if(SMALL)
    inside.attribute[0].g.node[0].domain = "com.acme"
    refused(matmul(SMALL, nodes=[inside]), tmp_path, "com.acme::MatMul")


def _attribute(**fields: Any) -> onnx.NodeProto:
    node = helper.make_node("Identity", ["x"], ["k"])
    attribute = node.attribute.add(name="a")
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(attribute, name).extend(value)
        else:
            setattr(attribute, name, value)
    return node


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"i": 1}, "type 0"),
        ({"type": 2, "f": 1.0}, "with"),
        ({"type": 2}, "no value"),
        ({"type": 2, "i": 1, "ints": [1]}, "with"),
        ({"type": 4}, "no value"),
        ({"type": 5}, "no value"),
        ({"type": 2, "ref_attr_name": "r"}, "function where there is none"),
    ],
)
def test_attributes_that_are_not_what_they_say(
    fields: dict[str, Any], match: str, tmp_path: Path
) -> None:
    refused(matmul(SMALL, nodes=[_attribute(**fields)]), tmp_path, match)


@pytest.mark.parametrize(
    ("name", "inputs", "attributes"),
    [
        ("Attention", ["x", "x", "x"], {"q_num_heads": 3, "kv_num_heads": 0}),  # SIGFPE
        ("Attention", ["x", "x", "x"], {"q_num_heads": -(2**63), "kv_num_heads": 3}),
        ("DepthToSpace", ["x"], {"blocksize": 0}),
        ("Min", ["x", ""], {}),  # SIGSEGV
        ("Concat", ["x", "", "x"], {"axis": 0}),
    ],
)
def test_what_kernels_do_not_survive(
    name: str, inputs: list[str], attributes: dict[str, int], tmp_path: Path
) -> None:
    node = helper.make_node(name, inputs, ["k"], **attributes)
    refused(matmul(SMALL, nodes=[node]), tmp_path, "num_heads is|blocksize is|left out")


def test_shapes_of_many_dimensions(tmp_path: Path) -> None:
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["k"], mode="cubic")
    model = matmul(SMALL, nodes=[node])
    sizes = helper.make_tensor_value_info("sizes", TensorProto.INT64, [2**31 - 1])
    model.graph.input.append(sizes)
    refused(model, tmp_path, "more than 1024 dimensions", kind=LimitError)


def test_two_attributes_of_one_name(tmp_path: Path) -> None:
    node = helper.make_node("Concat", ["x", "x"], ["k"], axis=0)
    node.attribute.add(name="axis", type=2, i=2**62)
    refused(matmul(SMALL, nodes=[node]), tmp_path, "two attributes")


def _call(name: str, output: str = "b") -> onnx.NodeProto:
    return helper.make_node(name, ["a"], [output], domain="acme")


def test_functions_in_a_circle(tmp_path: Path) -> None:
    itself = matmul(SMALL, functions=[_function(_call("F"))])
    refused(itself, tmp_path, "calls itself")
    circle = [
        _function(_call("G")),
        _function(_call("H"), name="G"),
        _function(_call("F"), name="H"),
    ]
    refused(matmul(SMALL, functions=circle), tmp_path, "calls itself")


def test_functions_that_grow_exponentially(tmp_path: Path) -> None:
    functions = [
        _function(_call(f"F{n + 1}", "c"), _call(f"F{n + 1}"), name=f"F{n}") for n in range(40)
    ]
    functions.append(_function(helper.make_node("Identity", ["a"], ["b"]), name="F40"))
    refused(matmul(SMALL, functions=functions), tmp_path, "nodes when", kind=LimitError)


def test_a_long_chain_of_functions(tmp_path: Path) -> None:
    count = 3000
    functions = [_function(_call(f"F{n + 1}"), name=f"F{n}") for n in range(count)]
    functions.append(_function(helper.make_node("Identity", ["a"], ["b"]), name=f"F{count}"))
    refused(matmul(SMALL, functions=functions), tmp_path, "call one another", kind=LimitError)


def test_calls_and_parameters_that_do_not_fit(tmp_path: Path) -> None:
    """The first ended the process of ONNX Runtime 1.31."""
    body = helper.make_node("Identity", ["a"], ["b"])
    good = _function(body)
    none, twice = _function(body), _function(body, helper.make_node("Relu", ["a"], ["b"]))
    del none.output[:]
    never = _function(helper.make_node("Identity", ["a"], ["c"]))
    call = helper.make_node("F", ["x"], ["f"], domain="acme")
    more = helper.make_node("F", ["x", "x"], ["f"], domain="acme")
    for function, node, match in (
        (none, call, "more inputs or outputs"),
        (good, more, "more inputs or outputs"),
        (twice, call, "two values of one name"),
        (never, call, "never makes an output"),
    ):
        refused(matmul(SMALL, nodes=[node], functions=[function]), tmp_path, match)


def test_two_functions_of_one_name(tmp_path: Path) -> None:
    body = helper.make_node("Identity", ["a"], ["b"])
    refused(
        matmul(SMALL, functions=[_function(body), _function(body)]), tmp_path, "second function"
    )


# Nesting, and the bytes themselves


def test_deep_nesting(tmp_path: Path) -> None:
    graph = Message("Graph", name="g", output=[Message("ValueInfo", name="o")])
    for _ in range(40):
        attribute = Message("Attribute", name="body", g=graph, type=5)
        node = Message("Node", op_type="Loop", attribute=[attribute])
        graph = Message("Graph", name="g", node=[node])
    refused(Message("Model", ir_version=10, graph=graph), tmp_path, "deep", kind=LimitError)
    kind = Message("Type")
    for _ in range(100):
        kind = Message("Type", sequence_type=Message("SequenceType", elem_type=kind))
    value = Message("ValueInfo", name="v", type=kind)
    graph = Message("Graph", name="g", input=[value])
    refused(Message("Model", ir_version=10, graph=graph), tmp_path, "deep", kind=LimitError)


def test_many_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ONNX_FIELDS", 1000)
    graph = Message("Graph", name="g", node=[Message("Node")] * 1000)
    model = Message("Model", ir_version=10, graph=graph)
    refused(model, tmp_path, "more than 1000 fields", kind=LimitError)


def test_types_and_shapes_of_values(tmp_path: Path) -> None:
    for dims, match, kind in (
        ([-7], "dimension of -7", ArchitectureError),
        ([2**40, 2**40], "more elements", LimitError),
        ([1] * 100, "dimensions", LimitError),
    ):
        model = matmul(SMALL)
        shape = model.graph.input[0].type.tensor_type.shape
        for dimension in dims:
            shape.dim.add(dim_value=dimension)
        refused(model, tmp_path, match, kind=kind)
    model = matmul(SMALL)
    model.graph.input[0].type.tensor_type.elem_type = 77
    refused(model, tmp_path, "data type 77")
    model.graph.input[0].type.opaque_type.name = "o"
    refused(model, tmp_path, "opaque")


GOOD = wire.write(tree(matmul(SMALL)))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "IR version 0"),
        (b"\x08\x0a", "without a graph"),
        (b"\x08\x0a" * 2, "ir_version twice"),
        (b"\x08\x8a\x00" + GOOD[2:], "shortest"),
        (b"\x88\x00" + GOOD[1:], "shortest"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "not a number"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "shortest"),
        (GOOD + GOOD, "twice|order"),
        (GOOD + b"\x08\x01", "order"),
        (GOOD + b"\xfa\x3f\x01a", "field 1023"),
        (GOOD + b"\x00", "field 0"),
        (GOOD[:-1], "bytes where"),
        (GOOD[: len(GOOD) // 2], "bytes where"),
        (b"\x08\x0a\x12\x02\xff\xfe", "UTF-8"),
        (b"\x0d\x0a\x00\x00\x00", "not written as it must|field 1"),
        (b"\x08\x0a\x3b\x3c", "not written as it must"),
        (b"PK\x03\x04", "Model"),
        (b"\x08\x0f" + GOOD[2:], "IR version 15"),
    ],
)
def test_bytes_that_are_written_otherwise(data: bytes, match: str, tmp_path: Path) -> None:
    refused(data, tmp_path, match)


def test_a_type_that_is_two_at_once(tmp_path: Path) -> None:
    kind = Message(
        "Type", tensor_type=Message("TensorType", elem_type=1), map_type=Message("MapType")
    )
    graph = Message("Graph", name="g", input=[Message("ValueInfo", name="x", type=kind)])
    refused(Message("Model", ir_version=10, graph=graph), tmp_path, "two things at once")


def test_options_for_a_session(tmp_path: Path) -> None:
    model = matmul(SMALL)
    model.metadata_props.add(key="ort_config", value='{"session_options": {}}')
    refused(model, tmp_path, "ort_config")


def test_an_architecture_that_says_something_else(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "m.safemodel", GOOD, None, {"ir_version": 9, "opsets": {}})
    with pytest.raises(ArchitectureError, match="not what the graph says"):
        sm.load(path, trust=sm.UNSIGNED)


def test_bytes_that_onnx_runtime_takes_for_its_own_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at bytes 4 to 7 of a model; in ONNX they can be the name of the producer."""
    monkeypatch.undo()
    model = linear()
    model.producer_name = "ORTM"
    data = model.SerializeToString(deterministic=True)
    assert data[4:8] == b"ORTM"
    with pytest.raises(Exception, match=r"(?i)flatbuffer|ORT"):
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    sm.save(model, tmp_path / "m.safemodel", signer=None)
    assert sm.onnx_session(tmp_path / "m.safemodel", trust=sm.UNSIGNED).get_inputs()


def test_trees(tmp_path: Path) -> None:
    def forest(**changes: Any) -> onnx.ModelProto:
        fields: dict[str, Any] = {
            "n_targets": 1,
            "nodes_treeids": [0, 0, 0],
            "nodes_nodeids": [0, 1, 2],
            "nodes_featureids": [0, 0, 0],
            "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
            "nodes_values": [0.5, 0.0, 0.0],
            "nodes_truenodeids": [1, 0, 0],
            "nodes_falsenodeids": [2, 0, 0],
            "target_treeids": [0, 0],
            "target_nodeids": [1, 2],
            "target_ids": [0, 0],
            "target_weights": [1.0, 2.0],
        } | changes
        node = helper.make_node(
            "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **fields
        )
        return model_of([node], opsets={"ai.onnx.ml": 3})

    sm.save(forest(), tmp_path / "ok.safemodel", signer=None)
    for changes, match in (
        ({"nodes_truenodeids": [0, 0, 0]}, "circular|two parents"),
        ({"nodes_truenodeids": [2, 0, 0]}, "two parents"),
        ({"nodes_truenodeids": [7, 0, 0]}, "not there"),
        ({"nodes_truenodeids": [-1, 0, 0]}, "not there"),
        ({"nodes_nodeids": [0, 1, 1]}, "one number|not there"),
        ({"nodes_featureids": [-1, 0, 0]}, "feature"),
        ({"nodes_values": [0.5]}, "lengths"),
        ({"nodes_modes": ["LEAF"]}, "lengths"),
        ({"target_ids": [0, 1]}, "target 1"),
        ({"target_ids": [0, -1]}, "target -1"),
        ({"target_nodeids": [1, 9]}, "not there"),
        ({"target_weights": [1.0]}, "lengths"),
        ({"n_targets": 2**40}, "outputs"),
        ({"n_targets": 0}, "outputs"),
    ):
        with pytest.raises(UnsavableError, match=match):
            sm.save(forest(**changes), tmp_path / "m.safemodel", signer=None)
    count = 100_001  # ended the process of ONNX Runtime 1.31
    inner = [node % 2 == 0 and node < count - 1 for node in range(count)]
    deep = forest(
        nodes_treeids=[0] * count,
        nodes_nodeids=list(range(count)),
        nodes_featureids=[0] * count,
        nodes_modes=["BRANCH_LEQ" if one else "LEAF" for one in inner],
        nodes_values=[0.5] * count,
        nodes_truenodeids=[n + 1 if one else 0 for n, one in enumerate(inner)],
        nodes_falsenodeids=[n + 2 if one else 0 for n, one in enumerate(inner)],
    )
    with pytest.raises(UnsavableError, match="deeper"):
        sm.save(deep, tmp_path / "m.safemodel", signer=None)
