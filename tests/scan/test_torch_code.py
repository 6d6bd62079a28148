"""PyTorch's archives with code: TorchScript, exported programs, packages."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import Severity, Status
from tests.census import torch_operators
from tests.scan import pickles as p
from tests.scan.scanning import check_quiet, rules, scan, worst

HIGH, CRITICAL, MEDIUM = Severity.HIGH, Severity.CRITICAL, Severity.MEDIUM
EVIL = p.whole(p.call(p.name("posix", "system"), p.text("id")))
EMPTY = p.whole(p.NOTHING)


# TorchScript


def script(source: str = "", data: bytes = EMPTY, **more: bytes) -> bytes:
    members = {"m/data.pkl": data, "m/code/__torch__.py": source, "m/constants.pkl": EMPTY}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        for name, content in {**members, **more}.items():
            written.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("source", "rule", "severity"),
    [
        ("x = torch.save(a, 'f')", "SM158", CRITICAL),
        ("x = torch. \\\n save(a, 'f')", "SM158", CRITICAL),
        ("x = ops.aten.from_file('f')", "SM158", CRITICAL),
        ("x = ops.image.write_file('f', a)", "SM158", CRITICAL),
        ("x = ops.prim.rpc_sync('w', f)", "SM158", CRITICAL),
        ("x = ops.c10d.send(a)", "SM158", CRITICAL),
        ("o = ops.image\nx = o.write_file('f', a)", "SM158", CRITICAL),
        ("o = torch\nx = o.save(a, 'f')", "SM158", CRITICAL),
        ("x = getattr(torch, 'save')(a, 'f')", "SM158", CRITICAL),
        ("x = ops.mycompany.f(a)", "SM159", MEDIUM),
        ("x = torch.no_such_operator(a)", "SM159", MEDIUM),
        ("x : __torch__.torch.classes.mycompany.C", "SM159", MEDIUM),
    ],
)
def test_operators_of_torchscript(source: str, rule: str, severity: Severity) -> None:
    assert rules(scan(script(source))) == {rule: severity}


def test_torchscript_is_quiet_where_it_only_computes() -> None:
    check_quiet(script("x = torch.add(a, 'torch.save')  # torch.save"), "torch_script")
    check_quiet(script("x = ops.torchvision.nms(a, b, 0.5)"), "torch_script")
    cls = p.make(p.old_name("__torch__", "M")) + p.pairs() + p.BUILD
    check_quiet(script(data=p.whole(cls)), "torch_script")


@pytest.mark.parametrize(
    "more",
    [
        {"data": EVIL},
        {"m/constants.pkl": EVIL},
        {"m/Constants.PKL": EVIL},
        {"m/attributes.pkl": EVIL},
        {"m/code/__torch__.py.debug_pkl": EVIL},
        {"m/extra/x.pkl": EVIL},
        {"m/extra/x": EVIL},
        {"x.pkl": EVIL},
    ],
)
def test_every_pickle_of_torchscript_is_judged(more: dict[str, bytes]) -> None:
    assert worst(script(**more)) is CRITICAL


def test_sources_that_can_not_be_read_are_unread() -> None:
    assert scan(script("x = `id`")).status is Status.UNREAD


def test_operators_of_mobile_bytecode() -> None:
    def table(name: str) -> bytes:
        entry = p.values(p.text(name), p.text("Tensor"), p.number(3))
        return p.whole(p.values(p.number(8), p.values(p.text("operators"), p.values(entry))))

    check_quiet(script(**{"m/bytecode.pkl": table("aten::add")}))
    assert worst(script(**{"m/bytecode.pkl": table("aten::save")})) is CRITICAL
    assert worst(script(**{"m/bytecode.pkl": table("mycompany::f")})) is MEDIUM


def test_a_changed_case_is_still_torchscript() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        written.writestr("m/data.pkl", EMPTY)
        written.writestr("m/Constants.pkl", EMPTY)
        written.writestr("M/CODE/__torch__.PY", "x = torch.save(a, 'f')")
    assert worst(stream.getvalue()) is CRITICAL


def test_the_first_torchscript_had_json() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        written.writestr("m/model.json", "{}")
        written.writestr("m/code/m.py", "x = torch.save(a, 'f')")
    assert worst(stream.getvalue()) is CRITICAL


def _script(module: Any) -> bytes:
    torch = pytest.importorskip("torch")
    stream = io.BytesIO()
    torch.jit.save(module, stream)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_real_torchscript_is_quiet() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    transformer = nn.Transformer(8, 2, 1, 1, 8)
    convolution = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    for module in (transformer, convolution):
        check_quiet(_script(torch.jit.script(module)), "torch_script")
    check_quiet(_script(torch.jit.freeze(torch.jit.script(convolution.eval()))), "torch_script")
    traced = torch.jit.trace(convolution, torch.zeros(1, 1, 8, 8))
    check_quiet(_script(traced), "torch_script")
    check_quiet(traced._save_to_buffer_for_lite_interpreter(), "torch_script")


def test_the_table_of_operators_is_that_of_the_installed_torch() -> None:
    torch = pytest.importorskip("torch")
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the table is of 2.13")
    # In a process of its own: what other tests import registers operators too.
    code = (
        "from tests.census import torch_operators as table\n"
        "import sys\n"
        "sys.exit(table.TARGET.read_text(encoding='utf-8') != table.write(table.found()))"
    )
    root = torch_operators.TARGET.parents[3]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    assert result.returncode == 0, "run tests/census/torch_operators.py, and review what is new"


# Exported programs


def program(**changed: Any) -> dict[str, Any]:
    node = {
        "target": "torch.ops.aten.add.Tensor",
        "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "x"}}, "kind": 1}],
        "outputs": [{"as_tensor": {"name": "add"}}],
        "metadata": {"stack_trace": "File x, line 1: __import__('os')"},
        "name": "add",
    }
    return {
        "graph_module": {
            "graph": {
                "inputs": [{"as_tensor": {"name": "x"}}],
                "nodes": [{**node, **changed.pop("node", {})}],
                "tensor_values": {
                    "x": {"sizes": [{"as_expr": {"expr_str": "2*s0", "hint": None}}]}
                },
                "sym_int_values": {},
                **changed.pop("graph", {}),
            },
            "module_call_graph": [{"fqn": "", "signature": {"in_spec": "", "out_spec": "[1, {}]"}}],
        },
        "range_constraints": {"s0": {"min_val": 2, "max_val": 9}},
        "guards_code": ["L['x'].size()[0] >= 2"],
        **changed,
    }


def exported(model: Any, **more: bytes) -> bytes:
    members = {
        "m/data/weights/weight_0": bytes(16),
        "m/models/model.json": json.dumps(model),
        "m/data/weights/model_weights_config.json": json.dumps(
            {"config": {"w": {"path_name": "weight_0", "use_pickle": False}}}
        ),
        "m/archive_format": "pt2",
        "m/byteorder": "little",
        "m/.data/version": "6\n",
        **more,
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        for name, content in members.items():
            written.writestr(name, content)
    return stream.getvalue()


def test_an_exported_program_is_quiet() -> None:
    check_quiet(exported(program()), "torch_export")


BAD = "__import__('os').system('id')"


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        (program(graph={"sym_int_values": {"n": {"as_expr": {"expr_str": BAD}}}}), "SM162"),
        (program(guards_code=[BAD]), "SM162"),
        (program(range_constraints={BAD: {}}), "SM162"),
        (program(node={"target": "torch.serialization.os.system"}), "SM163"),
        (program(node={"target": "torch.os.system"}), "SM163"),
        (program(node={"target": "torch.ops.aten.__class__"}), "SM163"),
        (program(node={"target": "torch.ops.os.system.x.y.z"}), "SM163"),
        (program(node={"target": "torch.ops.aten.add.__globals__"}), "SM163"),
        (program(node={"target": "_operator.methodcaller"}), "SM163"),
        (program(node={"target": "_operator"}), "SM163"),
        (program(node={"target": "math.__loader__"}), "SM163"),
        (program(node={"target": "eval"}), "SM163"),
        (program(node={"inputs": [{"name": "f", "arg": {"as_operator": "torch.save"}}]}), "SM163"),
        (program(node={"target": "torch.ops.aten.from_file.default"}), "SM158"),
        (program(node={"target": "torch.ops.mycompany.f.default"}), "SM159"),
        (program(node={"name": f"x={BAD}"}), "SM164"),
        (program(graph={"inputs": [{"as_tensor": {"name": f"x={BAD}"}}]}), "SM164"),
        (program(graph={"tensor_values": {f"x={BAD}": {}}}), "SM164"),
        (program(node={"inputs": [{"name": "a\nb", "arg": {"as_int": 1}}]}), "SM164"),
        (
            program(
                out_spec=json.dumps([1, {"__enum__": True, "fqn": "antigravity:x", "name": "y"}])
            ),
            "SM165",
        ),
        (
            program(
                in_spec=json.dumps(
                    {"default_factory_module": "os", "default_factory_name": "getcwd"}
                )
            ),
            "SM165",
        ),
    ],
)
def test_what_an_exported_program_must_not_have(model: Any, rule: str) -> None:
    found = rules(scan(exported(model)))
    assert set(found) == {rule}
    assert found[rule] >= MEDIUM
    old = io.BytesIO()
    with zipfile.ZipFile(old, "w") as written:
        written.writestr("version", "1")
        written.writestr("serialized_exported_program.json", json.dumps(model))
    assert rules(scan(old.getvalue())) == found


def test_a_tree_too_deep_for_us_is_unread() -> None:
    """A loader with a larger stack would get to what is at the bottom of it."""
    evil = json.dumps({"default_factory_module": "os", "default_factory_name": "getcwd"})
    model = program()
    call = model["graph_module"]["module_call_graph"][0]["signature"]
    call["in_spec"] = "[" * 990 + evil + "]" * 990
    found = scan(exported(model))
    assert found.status is Status.UNREAD
    assert "SM902" in rules(found)


def test_the_first_of_two_keys_counts_too() -> None:
    text = json.dumps(program(node={"target": "torch.os.system"}))
    target = '"target": "torch.os.system"'
    data = exported(
        None, **{"m/models/other.json": text.replace(target, target + ', "target": "x"')}
    )
    assert len([f for f in scan(data).findings if f.rule == "SM163"]) == 2


@pytest.mark.parametrize(
    "name",
    [
        "m/data/weights/weight_1",
        "m/data/weights/weight_1.pt",
        "m/data/constants/custom_obj_0",
        "m/data/sample_inputs/model.pt",
    ],
)
def test_pickles_of_an_exported_program_are_judged(name: str) -> None:
    checkpoint = io.BytesIO()
    with zipfile.ZipFile(checkpoint, "w") as written:
        written.writestr("archive/data.pkl", EVIL)
    assert worst(exported(program(), **{name: checkpoint.getvalue()})) is CRITICAL
    assert worst(exported(program(), **{name: EVIL})) is CRITICAL


def test_weights_are_pickles_if_their_configuration_says_so() -> None:
    assert worst(exported(program(), **{"m/data/weights/weight_0": EVIL})) is None
    for entry in ({"use_pickle": True}, {}, {"use_pickle": 0}):
        config = {"config": {"w": {"path_name": "weight_0", **entry}}}
        more = {"m/data/weights/model_weights_config.json": json.dumps(config).encode()}
        assert worst(exported(program(), **{"m/data/weights/weight_0": EVIL}, **more)) is CRITICAL


def test_objects_are_pickles_whatever_their_configuration_says() -> None:
    config = {"config": {"c": {"path_name": "opaque_obj_0", "use_pickle": False}}}
    more = {"m/data/constants/model_constants_config.json": json.dumps(config).encode()}
    more["m/data/constants/opaque_obj_0"] = EVIL
    assert worst(exported(program(), **more)) is CRITICAL


def test_native_code_is_found() -> None:
    library = b"\x7fELF" + bytes(60)
    for name in ("m/data/aotinductor/model/x.so", "m/data/aotinductor/model/x", "x"):
        found = rules(scan(exported(program(), **{name: library})))
        assert found["SM160"] is HIGH
    found = rules(scan(exported(program(), **{"m/data/aotinductor/model/wrapper.cpp": b"x"})))
    assert found["SM160"] is HIGH


def _exported(module: Any, arguments: Any, **options: Any) -> bytes:
    torch = pytest.importorskip("torch")
    stream = io.BytesIO()
    torch.export.save(torch.export.export(module, arguments, **options), stream)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_real_exported_programs_are_quiet() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    dim = torch.export.Dim("n", min=2, max=100)
    layer = nn.TransformerEncoderLayer(8, 2).eval()
    check_quiet(
        _exported(layer, (torch.zeros(3, 4, 8),), dynamic_shapes=({0: dim},)),
        "torch_export",
    )
    names = nn.ModuleDict({"my layer": nn.Linear(3, 3)})

    class Named(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layers = names

        def forward(self, x, k):  # type: ignore[no-untyped-def]
            y = self.layers["my layer"](x) + k["z"][0]
            return {"o": torch.cond(y.sum() > 0, torch.sin, torch.cos, (y,)), "n": (y, 2)}

    check_quiet(_exported(Named(), (torch.zeros(2, 3), {"z": [torch.zeros(2, 3)]})), "torch_export")


# Programs by design


def test_packages_are_programs() -> None:
    data = {
        "p/.data/extern_modules": "torch\n",
        "p/.data/version": "6\n",
        "p/mine/__init__.py": "import os",
        "p/mine/model.pkl": EMPTY,
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        for name, content in data.items():
            written.writestr(name, content)
    found = scan(stream.getvalue())
    assert rules(found) == {"SM161": HIGH}
    assert "p/mine/__init__.py" in found.findings[0].message


@pytest.mark.parametrize(
    ("handler", "files", "expected"),
    [
        ("image_classifier", (), None),
        ("image_classifier", ("model.py",), HIGH),
        ("handler.py", ("handler.py",), HIGH),
        ("handler:run", (), HIGH),
        (None, (), HIGH),
    ],
)
def test_models_of_torchserve(
    handler: str | None, files: tuple[str, ...], expected: Severity | None
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        manifest = {"model": {"modelName": "m", "handler": handler}}
        written.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        for name in files:
            written.writestr(name, "x = 1")
    assert rules(scan(stream.getvalue())).get("SM161") is expected


_SAMPLES = st.sampled_from(
    [script("x = torch.add(a)", p.whole(p.NONE)), exported(program()), exported([program()] * 2)]
)


@settings(deadline=None, max_examples=60)
@given(_SAMPLES, st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4))
def test_any_mutation_has_a_report(sample: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(sample)
    for at, byte in changes:
        data[at % len(data)] = byte
    scan(bytes(data))
