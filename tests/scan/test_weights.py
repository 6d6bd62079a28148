"""ONNX, GGUF and safetensors files as the scanner reports them, hostile and real ones."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from safemodel.report.model import FileReport, Severity, Status
from safemodel.scan import scan
from safemodel.scan.engine import scan_bytes


def _load(name: str) -> ModuleType:
    """The builders of the parsers' own tests."""
    path = Path(__file__).parent.parent / "legacy" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"builders_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


gguf = _load("test_gguf")
onnx = _load("test_onnx")
tensors = _load("test_safetensors_file")


def rules(data: bytes, at_least: Severity = Severity.INFO) -> set[str]:
    return {f.rule for f in scan_bytes(data, "file").findings if f.severity >= at_least}


def quiet(report: FileReport, name: str) -> None:
    assert report.findings == ()
    assert report.status is Status.SCANNED
    assert report.formats == (name,)


@pytest.mark.parametrize(
    "location",
    [
        *("/etc/passwd", "../x", "a/../../x", "..\\x", "C:\\x", "c:x", "\\\\host\\share\\x"),
        *("file:///etc/passwd", "https://example.org/x", "~/x", "a\x00b", "*/_ORT_MEM_ADDR_/*"),
    ],
)
def test_locations_outside(location: str) -> None:
    data = onnx.model(onnx.graph(onnx.RELU, rest=onnx.sized(5, onnx.external(location))))
    assert rules(data, Severity.HIGH) == {"SM320"}


@pytest.mark.parametrize(
    "location", ["weights.bin", "model.onnx.data", "a/b/c", "..weights", "w..bin"]
)
def test_locations_inside(location: str) -> None:
    more = (("offset", "4096"), ("length", "64"), ("checksum", "ab"))
    data = onnx.model(onnx.graph(onnx.RELU, rest=onnx.sized(5, onnx.external(location, *more))))
    quiet(scan_bytes(data, "file"), "onnx")


def with_node(name: str, domain: str = "") -> bytes:
    return onnx.model(onnx.graph(onnx.node(name, domain=domain)))


def in_branch(name: str) -> bytes:
    branch = onnx.sized(6, onnx.graph(onnx.node(name, domain="x")))
    return onnx.model(onnx.graph(onnx.node("If", branch)))


def with_tensor(raw: bytes) -> bytes:
    return onnx.model(onnx.graph(onnx.RELU, rest=onnx.sized(5, raw)))


def with_entry(key: str, value: str) -> bytes:
    return with_tensor(onnx.external("w", (key, value)))


def with_more(more: bytes) -> bytes:
    return onnx.model(onnx.graph(onnx.RELU), more)


@pytest.mark.parametrize(
    ("data", "rule", "severity"),
    [
        (with_node("Exec", "acme"), "SM321", Severity.MEDIUM),
        (with_node("PyOp", "ai.onnx.contrib"), "SM322", Severity.HIGH),
        (with_node("PythonOp", "com.microsoft"), "SM322", Severity.HIGH),
        (with_node("AzureTextToText", "com.microsoft.extensions"), "SM322", Severity.HIGH),
        (in_branch("PyOp"), "SM322", Severity.HIGH),
        (with_more(onnx.sized(7, onnx.graph(onnx.RELU))), "SM323", Severity.MEDIUM),
        (with_tensor(onnx.plain(1, -1)), "SM324", Severity.HIGH),
        (with_more(onnx.entry(14, "ort_config", "{}")), "SM326", Severity.LOW),
        (with_node("Frobnicate"), "SM327", Severity.LOW),
        (with_entry("offset", "-1"), "SM320", Severity.HIGH),
        (with_entry("length", "9" * 30), "SM320", Severity.HIGH),
        (with_entry("evil", "1"), "SM323", Severity.MEDIUM),
    ],
    ids=range(12),
)
def test_onnx_rules(data: bytes, rule: str, severity: Severity) -> None:
    found = [(f.rule, f.severity) for f in scan_bytes(data, "file").findings]
    assert found == [(rule, severity)]


@pytest.mark.parametrize(
    ("embed", "file", "rule"),
    [(0, "ctx.bin", {"SM325"}), (0, "/ctx.dll", {"SM320"}), (1, "\x7fELF blob", set())],
)
def test_compiled_contexts(embed: int, file: str, rule: set[str]) -> None:
    attributes = (
        onnx.sized(1, "embed_mode") + onnx.plain(3, embed),
        onnx.sized(1, "ep_cache_context") + onnx.sized(4, file),
    )
    node = onnx.node("EPContext", *attributes, domain="com.microsoft")
    assert rules(onnx.model(onnx.graph(node))) == rule


def test_functions_of_the_model_itself() -> None:
    own = onnx.sized(25, onnx.sized(1, "F") + onnx.sized(10, "mine") + onnx.sized(7, onnx.RELU))
    quiet(scan_bytes(onnx.model(onnx.graph(onnx.node("F", domain="mine")), own), "file"), "onnx")


def test_unknown_fields_in_front_do_not_hide_a_model() -> None:
    bad = onnx.model(onnx.graph(onnx.node("PyOp", domain="x")))
    for number in (16, 64, 100, 1 << 20):
        for front in (onnx.sized(number, b"x" * 100), onnx.plain(number, 5)):
            assert "SM322" in rules(front + bad), number


def test_damaged_onnx() -> None:
    data = onnx.model(onnx.graph(onnx.RELU, rest=onnx.sized(5, onnx.external("/x"))))
    report = scan_bytes(data[:-30], "file")
    assert report.status is Status.UNREAD


def test_gguf() -> None:
    quiet(scan_bytes(gguf.PLAIN, "file"), "gguf")
    gadget = gguf.text(b"{{ cycler.__init__ }}")
    data = gguf.gguf((gguf.entry(b"tokenizer.chat_template.tool", gguf.STRING, gadget),))
    assert rules(data, Severity.HIGH) == {"SM501"}
    # Damage behind a template does not hide it.
    more = gguf.gguf((gguf.entry(b"tokenizer.chat_template", gguf.STRING, gadget), b"\xff" * 40))
    assert rules(more) >= {"SM501", "SM340"}
    assert rules(more[: more.index(b"\xff")]) >= {"SM501", "SM901"}
    twice = gguf.entry(b"tokenizer.chat_template", gguf.STRING, gguf.text(b"{{ a }}"))
    assert rules(gguf.gguf((twice, twice))) == {"SM505", "SM341"}
    assert rules(b"GGUF" + bytes(4)) == {"SM901"}
    assert rules(b"tjgg" + bytes(40)) == {"SM903"}
    overflow = gguf.gguf((), (gguf.tensor(b"a", (1,) * 5),), 64)
    assert "SM340" in rules(overflow, Severity.HIGH)
    assert rules(gguf.PLAIN[:-40]) == {"SM901"}


def test_what_follows_weights_is_scanned() -> None:
    hidden = onnx.model(onnx.graph(onnx.node("PyOp", domain="x")))
    assert rules(gguf.PLAIN + hidden) >= {"SM346", "SM322"}
    assert rules(tensors.PLAIN + hidden) >= {"SM346", "SM322"}


def test_safetensors() -> None:
    quiet(scan_bytes(tensors.PLAIN, "file"), "safetensors")
    overlap = tensors.build({"a": tensors.one(0, 8), "b": tensors.one(4, 12)}, 12)
    assert rules(overlap) == {"SM345"}
    assert rules(tensors.PLAIN[:-1]) == {"SM901"}


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ('{"model": {"_target_": "os.system", "command": "id"}}', Severity.CRITICAL),
        ("{'model': {'_target_': 'os.system', 'command': 'id'}}", Severity.CRITICAL),
        ("{'_target_': 'json.tool.main'}", Severity.HIGH),
        ('{"_target_": "acme.Model"}', Severity.MEDIUM),
        ('{"auto_map": {"AutoModel": "x.Y"}}', Severity.HIGH),
    ],
)
def test_configurations_in_metadata(text: str, severity: Severity) -> None:
    data = tensors.build({"a": tensors.one(0, 8), "__metadata__": {"config": text}}, 8)
    assert scan_bytes(data, "file").worst is severity


def test_inside_of_an_archive() -> None:
    bad = onnx.model(onnx.graph(onnx.node("PyOp", domain="x")))
    gadget = json.dumps({"chat_template": "{{ x.__class__ }}"})
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("a/model.onnx", bad)
            archive.writestr("a/tokenizer_config.json", gadget)
            archive.writestr("a/model.gguf", gguf.PLAIN)
            archive.writestr("a/model.safetensors", tensors.PLAIN)
        report = scan_bytes(buffer.getvalue(), "file")
        assert {f.rule for f in report.findings if f.severity >= Severity.HIGH} == {
            "SM322",
            "SM501",
        }
        assert {f.location.inside[-1] for f in report.findings} == {
            "a/model.onnx",
            "a/tokenizer_config.json",
        }
        assert set(report.formats) >= {"zip", "onnx", "json", "gguf", "safetensors"}


def test_large_files_are_not_read_whole(tmp_path: Path) -> None:
    """A gigabyte of tensors costs nothing: the file is sparse, and its pages are never touched."""
    size = 1 << 30
    header = json.dumps({"a": tensors.one(0, size)}).encode()
    files = {
        "a.safetensors": len(header).to_bytes(8, "little") + header,
        "a.gguf": gguf.gguf((), (gguf.tensor(b"a", (size,), 24),), 0),
        "a.onnx": b"",
    }
    raw = onnx.plain(1, size) + onnx.plain(2, 3) + onnx.number(9 << 3 | 2) + onnx.number(size)
    initializer = onnx.number(5 << 3 | 2) + onnx.number(len(raw) + size) + raw
    nodes = onnx.sized(1, onnx.RELU) + onnx.sized(2, "g")
    graph = onnx.number(7 << 3 | 2) + onnx.number(len(nodes) + len(initializer) + size)
    files["a.onnx"] = onnx.plain(1, 10) + graph + nodes + initializer
    for name, head in files.items():
        path = tmp_path / name
        with open(path, "wb") as file:
            file.write(head)
            file.truncate(len(head) + size)
        report = scan(path).files[0]
        assert report.findings == (), name
        assert report.formats == (name[2:],)


def test_real_onnx_models() -> None:
    skl2onnx: Any = pytest.importorskip("skl2onnx")
    numpy: Any = pytest.importorskip("numpy")
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = numpy.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)).astype("f4"), rng.integers(0, 2, 60)
    for model in (
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestRegressor(3),
        GradientBoostingClassifier(n_estimators=3),
    ):
        exported = skl2onnx.to_onnx(model.fit(x, y), x[:1])
        quiet(scan_bytes(exported.SerializeToString(), "file"), "onnx")


def test_real_models_with_external_data(tmp_path: Path) -> None:
    library: Any = pytest.importorskip("onnx")
    numpy: Any = pytest.importorskip("numpy")
    helper = library.helper
    weight = library.numpy_helper.from_array(numpy.ones((300, 300), "f4"), "w")
    value = helper.make_tensor_value_info("x", 1, [None, 300])
    result = helper.make_tensor_value_info("y", 1, [None, 300])
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", [value], [result], [weight]))
    path = tmp_path / "model.onnx"
    library.save_model(model, str(path), save_as_external_data=True, location="model.onnx.data")
    quiet(scan(path).files[0], "onnx")
