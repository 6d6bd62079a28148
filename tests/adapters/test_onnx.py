"""ONNX models: saved from memory and from files, loaded, opened, in every type; both forms."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
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
from safemodel.adapters.onnx import tensors, wire
from safemodel.errors import (
    ArchitectureError,
    MissingFileError,
    NotAllowedError,
    UnsavableError,
    UsageError,
)
from tests.adapters.onnx_support import (
    FLOAT,
    linear,
    model_of,
    run,
    same,
    saved,
    session_of,
    unsigned,
)

X = np.random.default_rng(7).random((5, 32), dtype=np.float32)


def check(model: onnx.ModelProto, path: Path, *feeds: Any) -> onnx.ModelProto:
    """Save, load and open; the outputs must be those of before."""
    before = run(session_of(model), feeds)
    saved(model, path)
    loaded = sm.load(path, trust=sm.UNSIGNED)
    assert isinstance(loaded, onnx.ModelProto)
    assert same(before, run(session_of(loaded), feeds))
    assert same(before, run(unsigned(path), feeds))
    return loaded


def test_large_initializers_are_tensors_and_small_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "m.safemodel"
    loaded = check(linear(), path, X)
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert list(bundle.tensors) == ["W"]
        assert bundle.tensors["W"].shape == (32, 24)
        assert bundle.manifest.architecture == {"ir_version": 10, "opsets": {"ai.onnx": 21}}
        assert "onnx" in bundle.manifest.libraries
    assert loaded == linear()


def test_an_unpacked_bundle_opens_with_onnx_runtime_as_it_is(tmp_path: Path) -> None:
    model = linear()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim.add()
        value.type.tensor_type.shape.dim.add()
    sm.save(model, tmp_path / "m", layout="folder", signer=None)
    session = session_of(str(tmp_path / "m" / "graph.onnx"))
    assert same(run(session, [X]), run(session_of(linear()), [X]))
    onnx.checker.check_model(str(tmp_path / "m" / "graph.onnx"))


def _typed(number: int, kind: tensors.DataType) -> onnx.TensorProto:
    rng = np.random.default_rng(number)
    elements = 4096
    high = 2 if kind.name == "BOOL" else 64
    raw = rng.integers(0, high, -(-elements * kind.bits // 8), dtype=np.uint8).tobytes()
    made = TensorProto(name="W", data_type=number, raw_data=raw)
    made.dims.extend((elements // 8, 8))
    return made


@pytest.mark.parametrize("number", [n for n in tensors.TYPES if n != tensors.STRING])
def test_every_type_comes_back(number: int, tmp_path: Path) -> None:
    kind = tensors.TYPES[number]
    tensor = _typed(number, kind)
    node = helper.make_node("Cast", ["W"], ["y"], to=FLOAT)
    model = model_of([node], [tensor], opsets={"": 25})
    path = saved(model, tmp_path / "m.safemodel")
    loaded = sm.load(path, trust=sm.UNSIGNED)
    assert loaded.graph.initializer[0] == tensor
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert bundle.tensors["W"].dtype == kind.stored
        assert bytes(bundle.tensor("W").buffer) == tensor.raw_data
    try:
        before = run(session_of(model), [X])
    except Exception:  # ONNX Runtime does not have this type
        with pytest.raises(ArchitectureError, match="ONNX Runtime refuses"):
            unsigned(path)
        return
    assert same(before, run(unsigned(path), [X]))
    optimized = unsigned(path, session_options=onnxruntime.SessionOptions())
    assert same(before, run(optimized, [X]))


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (FLOAT, [1.5] * 300),
        (TensorProto.DOUBLE, [1.5] * 300),
        (TensorProto.INT8, [-5] * 2000),
        (TensorProto.UINT16, [65535] * 2000),
        (TensorProto.BOOL, [True] * 2000),
        (TensorProto.INT64, [-(2**63), 2**63 - 1] * 8000),
        (TensorProto.UINT64, [2**64 - 1, 1] * 300),
        (TensorProto.UINT32, [2**32 - 1] * 300),
        (TensorProto.FLOAT16, [1.5] * 2000),
        (TensorProto.BFLOAT16, [1.5] * 2000),
        (TensorProto.FLOAT8E4M3FN, [1.5] * 2000),
        (TensorProto.INT4, [-8, 7] * 2000),
        (TensorProto.UINT2, [3, 0] * 4000),
        (TensorProto.FLOAT4E2M1, [1.5, -1.0] * 2000),
        (TensorProto.COMPLEX64, [1 + 2j] * 300),
        (TensorProto.COMPLEX128, [1 + 2j] * 300),
    ],
)
@pytest.mark.parametrize("where", ["initializer", "attribute"])
def test_data_in_fields_of_their_own_become_raw_bytes(
    number: int, values: list[Any], where: str, tmp_path: Path
) -> None:
    tensor = helper.make_tensor("W", number, [len(values)], values)
    constant = where == "attribute"
    nodes = [helper.make_node("Constant", [], ["W"], value=tensor)] if constant else []
    nodes.append(helper.make_node("Cast", ["W"], ["y"], to=FLOAT))
    model = model_of(nodes, [] if constant else [tensor], opsets={"": 25})
    loaded = sm.load(saved(model, tmp_path / "m.safemodel"), trust=sm.UNSIGNED)
    found = loaded.graph.node[0].attribute[0].t if constant else loaded.graph.initializer[0]
    assert found.HasField("raw_data")
    assert same(numpy_helper.to_array(found).tobytes(), numpy_helper.to_array(tensor).tobytes())


def test_strings_sparse_tensors_and_quantized_weights(tmp_path: Path) -> None:
    strings = helper.make_tensor("S", TensorProto.STRING, [300], [b"word"] * 300)
    model = model_of(
        [
            helper.make_node("Equal", ["S", "S"], ["e"]),
            helper.make_node("Cast", ["e"], ["y"], to=1),
        ],
        [strings],
    )
    check(model, tmp_path / "s.safemodel", X)

    values = numpy_helper.from_array(np.array([1, 2, 3], np.float32), "K")
    indices = numpy_helper.from_array(np.array([2, 40, 767], np.int64), "i")
    sparse = helper.make_sparse_tensor(values, indices, [32, 24])
    model = model_of([helper.make_node("MatMul", ["x", "K"], ["y"])])
    model.graph.sparse_initializer.append(sparse)
    check(model, tmp_path / "p.safemodel", X)

    weight = helper.make_tensor("W", TensorProto.INT4, [32, 64], [-8, 7, 1, 0] * 512)
    scale = numpy_helper.from_array(np.full(64, 0.5, np.float32), "s")
    nodes = [
        helper.make_node("DequantizeLinear", ["W", "s"], ["f"], axis=1),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    check(model_of(nodes, [weight, scale]), tmp_path / "q.safemodel", X)


def branches(size: int, then: str = "T", other: str = "E") -> onnx.ModelProto:
    """An If whose branches have initializers of their own."""
    bodies = []
    for name, fill in ((then, 1.0), (other, 2.0)):
        weight = numpy_helper.from_array(np.full((32, size), fill, np.float32), name)
        node = helper.make_node("MatMul", ["x", name], [f"{name}_y_{fill}"])
        out = helper.make_tensor_value_info(f"{name}_y_{fill}", FLOAT, None)
        bodies.append(helper.make_graph([node], name, [], [out], [weight]))
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=bodies[0], else_branch=bodies[1]),
    ]
    return model_of(nodes, [numpy_helper.from_array(np.array(0, np.float32), "zero")])


@pytest.mark.parametrize("size", [24, 9000])
@pytest.mark.parametrize("names", [("T", "E"), ("W", "W")])
def test_initializers_of_branches_go_inside_or_to_the_main_graph(
    size: int, names: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "m.safemodel"
    model = branches(size, *names)
    check(model, path, X)
    check(model, path, -X)
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        hoisted = size == 9000 and names == ("T", "E")
        assert sorted(bundle.tensors) == (["E", "T"] if hoisted else [])


def test_names_that_a_tensor_can_not_have(tmp_path: Path) -> None:
    name = "vähän/ünïcode"
    model = linear()
    model.graph.initializer[0].name = name
    model.graph.node[0].input[1] = name
    path = tmp_path / "m.safemodel"
    assert check(model, path, X).graph.initializer[0].name == name
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert list(bundle.tensors) == ["t000001"]


def test_two_saves_in_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(branches(9000), str(path))
    program = (
        "import onnx, safemodel as sm, sys\n"
        "sm.save(onnx.load(sys.argv[1]), sys.argv[2], signer=None)\n"
    )
    made = []
    for number in range(2):
        target = tmp_path / f"{number}.safemodel"
        environment = {**os.environ, "PYTHONHASHSEED": str(number)}
        subprocess.run(
            [sys.executable, "-c", program, str(path), str(target)], check=True, env=environment
        )
        made.append(target.read_bytes())
    assert made[0] == made[1]


def test_our_writing_is_that_of_protobuf() -> None:
    for model in (linear(), branches(24)):
        data = model.SerializeToString(deterministic=True)
        assert wire.write(wire.read(memoryview(data), strict=True)) == data


def test_functions_and_their_operators(tmp_path: Path) -> None:
    twice = helper.make_function(
        "acme", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 21)],
    )  # fmt: skip
    model = model_of(
        [helper.make_node("Twice", ["x"], ["y"], domain="acme")],
        functions=[twice], opsets={"acme": 1},
    )  # fmt: skip
    check(model, tmp_path / "m.safemodel", X)


def test_custom_operators_only_with_permission(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = model_of(
        [helper.make_node("Mystery", ["x"], ["y"], domain="com.acme")], opsets={"com.acme": 1}
    )
    path = saved(model, tmp_path / "m.safemodel")
    assert "onnx-domain:com.acme" in caplog.text
    with pytest.raises(NotAllowedError, match=r"com\.acme::Mystery") as caught:
        sm.load(path, trust=sm.UNSIGNED)
    assert caught.value.hint is not None
    assert "allow=['onnx-domain:com.acme']" in caught.value.hint
    assert sm.load(path, trust=sm.UNSIGNED, allow=["onnx-domain:com.acme"]) == model
    with pytest.raises(ArchitectureError, match="ONNX Runtime refuses"):
        unsigned(path, allow=["onnx-domain:com.acme"])


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("com.microsoft", "EPContext"),
        ("com.microsoft", "PythonOp"),
        ("com.microsoft", "Snpe"),
        ("org.pytorch.aten", "ATen"),
        ("", "MemcpyFromHost"),
        ("ai.onnx.contrib", "PyCustomOpDef"),
        ("com.microsoft.nchwc", "Conv"),
    ],
)
def test_operators_that_reach_beyond_the_model(domain: str, name: str, tmp_path: Path) -> None:
    model = model_of(
        [helper.make_node(name, ["x"], ["y"], domain=domain)], opsets={domain or "ai.onnx": 1}
    )
    if not domain:
        del model.opset_import[1]
    path = saved(model, tmp_path / "m.safemodel")
    with pytest.raises(NotAllowedError, match=name):
        unsigned(path)


# Files


def test_a_file_with_its_data_beside_it(tmp_path: Path) -> None:
    (tmp_path / "in" / "data").mkdir(parents=True)
    path = tmp_path / "in" / "m.onnx"
    onnx.save_model(
        linear(), str(path), save_as_external_data=True, location="m.data", size_threshold=0
    )
    target = saved(sm.OnnxFile(path), tmp_path / "m.safemodel")
    assert same(run(unsigned(target), [X]), run(session_of(linear()), [X]))
    assert sm.load(target, trust=sm.UNSIGNED) == linear()
    saved(linear(), tmp_path / "n.safemodel")
    with (
        sm.open(target, trust=sm.UNSIGNED) as one,
        sm.open(tmp_path / "n.safemodel", trust=sm.UNSIGNED) as other,
    ):
        assert one.member("graph.onnx") == other.member("graph.onnx")


def _pointing(tmp_path: Path, location: str, **keys: str) -> Path:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    model = linear()
    data = model.graph.initializer[0].raw_data
    for name in ("in/ok.data", "in/sub/ok.data", "outside.data"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "in" / "link.data").symlink_to(tmp_path / "outside.data")
    (tmp_path / "in" / "linked").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "in" / "pipe.data")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **keys}.items():
        tensor.external_data.add(key=key, value=value)
    (tmp_path / "in" / "m.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "in" / "m.onnx"


@pytest.mark.parametrize("location", ["ok.data", "./ok.data", "sub/ok.data"])
def test_data_in_the_folder_of_the_model(location: str, tmp_path: Path) -> None:
    target = saved(sm.OnnxFile(_pointing(tmp_path, location)), tmp_path / "m.safemodel")
    assert sm.load(target, trust=sm.UNSIGNED) == linear()


@pytest.mark.parametrize(
    "location",
    [
        "../outside.data", "sub/../../outside.data", "link.data", "linked/outside.data", "",
        "pipe.data", "sub", ".", "sub//ok.data", "..\\outside.data", "c:ok.data", "ok.data\0",
        "{}/outside.data", "a/" * 40 + "ok.data",
    ],
)  # fmt: skip
def test_data_elsewhere_are_refused(location: str, tmp_path: Path) -> None:
    path = _pointing(tmp_path, location.format(tmp_path))
    with pytest.raises((UnsavableError, sm.errors.SourceError)):
        sm.save(sm.OnnxFile(path), tmp_path / "m.safemodel")
    assert not (tmp_path / "m.safemodel").exists()


@pytest.mark.parametrize(
    "keys",
    [{"offset": "4"}, {"length": "3"}, {"offset": "-4"}, {"offset": "x"}, {"length": "99999"}],
)
def test_ranges_that_are_not_in_the_file(keys: dict[str, str], tmp_path: Path) -> None:
    path = _pointing(tmp_path, "ok.data", **keys)
    with pytest.raises(UnsavableError, match="not where the model says"):
        sm.save(sm.OnnxFile(path), tmp_path / "m.safemodel")


def test_a_missing_file_and_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        sm.save(sm.OnnxFile(tmp_path / "no.onnx"), tmp_path / "m.safemodel")
    (tmp_path / "text.onnx").write_bytes(b"hello, this is no model")
    with pytest.raises(UnsavableError, match="no ONNX model"):
        sm.save(sm.OnnxFile(tmp_path / "text.onnx"), tmp_path / "m.safemodel")
    with pytest.raises(UnsavableError, match="is no model"):
        sm.save(linear().graph, tmp_path / "m.safemodel")
    model = linear()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(UnsavableError):
        sm.save(model, tmp_path / "m.safemodel")


# Sessions


def test_a_session_keeps_its_memory(tmp_path: Path) -> None:
    path = saved(linear(512, 2048), tmp_path / "m.safemodel")
    feed = np.random.default_rng(3).random((5, 512), dtype=np.float32)
    before = run(session_of(linear(512, 2048)), [feed])
    session = unsigned(path)
    for _ in range(3):
        gc.collect()
        filler = [np.full(1 << 20, 7, np.float32) for _ in range(8)]
        del filler
        assert same(before, run(session, [feed]))


def test_a_decoy_in_the_current_folder_is_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = branches(9000)
    path = saved(model, tmp_path / "m.safemodel")
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        size = bundle.chunked("weights.safetensors").size
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    for name in ("weights.safetensors", "nothing", "graph.onnx"):
        (decoy / name).write_bytes(np.full(size // 4, 9.0, np.float32).tobytes())
    monkeypatch.chdir(decoy)
    for options in (None, onnxruntime.SessionOptions()):
        for feed in (X, -X):
            expected = run(session_of(model), [feed])
            options = None if options is None else onnxruntime.SessionOptions()
            found = run(unsigned(path, session_options=options), [feed])
            assert np.allclose(found[0], expected[0], rtol=1e-5)


def test_options_of_the_caller_are_respected(tmp_path: Path) -> None:
    path = saved(linear(), tmp_path / "m.safemodel")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = unsigned(path, session_options=options)
    assert (tmp_path / "optimized.onnx").exists()
    assert np.allclose(run(session, [X])[0], run(session_of(linear()), [X])[0], rtol=1e-6)
    with pytest.raises(ArchitectureError) as caught:
        unsigned(saved(linear(40), tmp_path / "n.safemodel"), session_options=options)
    assert "make new ones" in str(caught.value.hint)


def test_providers_by_name(tmp_path: Path) -> None:
    path = saved(linear(), tmp_path / "m.safemodel")
    with pytest.raises(UsageError, match="NoSuchProvider") as caught:
        unsigned(path, providers=["NoSuchProvider", "CPUExecutionProvider"])
    assert "CPUExecutionProvider" in str(caught.value.hint)
    for wrong in ([], "CPUExecutionProvider"):
        with pytest.raises(UsageError):
            unsigned(path, providers=wrong)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(UsageError, match="CUDAExecutionProvider"):
            unsigned(path, providers=[("CUDAExecutionProvider", {})])
    assert unsigned(path, providers=[("CPUExecutionProvider", {})]).get_providers()


def test_what_is_no_onnx_model(tmp_path: Path) -> None:
    sm.save({"a": np.arange(3)}, tmp_path / "m.safemodel", signer=None)
    with pytest.raises(ArchitectureError, match=r"no graph\.onnx"):
        unsigned(tmp_path / "m.safemodel")
    path = saved(linear(), tmp_path / "n.safemodel")
    with pytest.raises(UsageError, match="into="):
        sm.load(path, trust=sm.UNSIGNED, into={})
    with pytest.raises(UsageError, match="device"):
        sm.load(path, trust=sm.UNSIGNED, device="cuda")


@pytest.mark.slow
def test_a_model_of_more_than_two_gib(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = [f"W{number}" for number in range(5)]
    array = np.full((16384, 8192), 0.5, np.float32)  # half a GiB
    with open(folder / "m.data", "wb") as file:
        for number in range(len(names)):
            array[0, 0] = number
            file.write(array.data)
    model = model_of(
        [helper.make_node("Gather", [name, "zero"], [f"r{name}"]) for name in names]
        + [helper.make_node("Sum", [f"r{name}" for name in names], ["y"])],
        [numpy_helper.from_array(np.array(0, np.int64), "zero")],
    )
    for number, name in enumerate(names):
        tensor = model.graph.initializer.add(name=name, data_type=FLOAT)
        tensor.dims.extend(array.shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "m.data"), ("offset", number * array.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    path = saved(sm.OnnxFile(folder / "m.onnx"), tmp_path / "m.safemodel")
    output = run(unsigned(path), [np.zeros(1, np.float32)])[0]
    assert output[0] == sum(range(5))
    assert output[1] == 2.5


def test_initializers_that_are_inputs_outputs_or_unused(tmp_path: Path) -> None:
    """Those that a caller may give another value, as all had to be before IR version 4."""
    weight = linear().graph.initializer[0]
    unused, output = (
        numpy_helper.from_array(np.full((32, 24), fill, np.float32), name)
        for name, fill in (("unused", 3.0), ("o", 4.0))
    )
    model = model_of(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        [weight, unused, output],
        inputs=[helper.make_tensor_value_info(name, FLOAT, [None, None]) for name in "xW"],
        outputs=("y", "o"),
    )
    for version in (10, 3):
        model.ir_version = version
        if version == 3:
            model.graph.input.extend(
                helper.make_tensor_value_info(name, FLOAT, [32, 24]) for name in ("unused", "o")
            )
        path = saved(model, tmp_path / f"{version}.safemodel")
        for options in (None, onnxruntime.SessionOptions()):
            ours = unsigned(path, session_options=options)
            plain = session_of(model)
            other = np.ones((32, 24), np.float32)
            for feeds in ({"x": X}, {"x": X, "W": other})[: 2 if version > 3 else 1]:
                found, expected = ours.run(None, feeds), plain.run(None, feeds)
                assert np.allclose(found[0], expected[0], rtol=1e-6)
                assert same(found[1], expected[1])


def test_a_path_is_given_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(linear().SerializeToString())
    for path in (str(tmp_path / "m.onnx"), tmp_path / "m.onnx"):
        with pytest.raises((UsageError, UnsavableError)) as caught:
            sm.save(path, tmp_path / "m.safemodel")
        assert "OnnxFile" in str(caught.value.hint)
    sm.save({"file": "m.onnx"}, tmp_path / "m.safemodel")
