"""Folders of models: configurations that run what lies beside them, libraries, missing shards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safemodel.report.model import Report, Severity
from safemodel.scan.folder import scan_paths
from safemodel.scan.single import Settings

HEADER = json.dumps({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(4)


def lay_out(root: Path, **files: bytes | str | object) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def scan(root: Path) -> Report:
    return scan_paths([str(root)], Settings(), jobs=1)


def findings(root: Path) -> list[tuple[str, str, Severity]]:
    return [(Path(f.location.path).name, f.rule, f.severity) for f in scan(root).findings]


def test_a_plain_model(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        config__json={"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        tokenizer_config__json={"chat_template": "{{ messages[0].content }}"},
        model__safetensors=WEIGHTS,
        README__md="# A model\n\n```python\nimport os\n```",
    )
    report = scan(root)
    assert report.findings == ()
    assert report.exit_code() == 0


def test_code_that_a_configuration_runs(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        config__json={
            "auto_map": {"AutoModel": "modeling_x.XModel", "AutoConfig": "acme/y--conf.C"}
        },
        modeling_x__py="import os",
        conf__py="",
        model__safetensors=WEIGHTS,
    )
    assert findings(root) == [
        ("conf.py", "SM514", Severity.LOW),
        ("config.json", "SM510", Severity.HIGH),
        ("config.json", "SM510", Severity.HIGH),
        ("modeling_x.py", "SM514", Severity.HIGH),
    ]


def test_code_and_libraries_beside_weights(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        model__safetensors=WEIGHTS,
        train__py="",
        libops__so=b"\x7fELF",
        ops__DLL=b"MZ",
        libx__so__1="",
        src_in_train__py="",
        src_in_libx__so="",
    )
    assert [found for found in findings(root) if found[1] != "SM903"] == [
        ("libops.so", "SM515", Severity.MEDIUM),
        ("libx.so.1", "SM515", Severity.MEDIUM),
        ("ops.DLL", "SM515", Severity.MEDIUM),
        ("train.py", "SM514", Severity.LOW),
    ]


def test_missing_shards(tmp_path: Path) -> None:
    names = {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "sub/m-3.safetensors"}
    root = lay_out(
        tmp_path,
        model__safetensors__index__json={"metadata": {}, "weight_map": names},
    )
    (root / "m-1.safetensors").write_bytes(WEIGHTS)
    assert findings(root) == [("model.safetensors.index.json", "SM517", Severity.LOW)] * 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"weight_map": 5}', b'{"weight_map": {"a": 5}}']
)
def test_odd_indexes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.index.json").write_bytes(content)
    (tmp_path / "x.safetensors").write_bytes(WEIGHTS)
    assert all(f.rule != "SM517" for f in scan(tmp_path).findings)


def test_folders_without_weights_are_none_of_it(tmp_path: Path) -> None:
    root = lay_out(tmp_path, setup__py="", libx__so="", package__json={"name": "x"})
    assert scan(root).findings == ()


def test_diffusers_layout(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        model_index__json={
            "_class_name": ["pipeline", "Mine"],
            "_diffusers_version": "0.30.0",
            "unet": ["unet_mine", "Unet"],
        },
        pipeline__py="",
        unet_in_unet_mine__py="",
        unet_in_model__safetensors=WEIGHTS,
    )
    found = findings(root)
    assert ("model_index.json", "SM510", Severity.HIGH) in found
    assert ("model_index.json", "SM511", Severity.HIGH) in found
    assert ("unet_mine.py", "SM514", Severity.LOW) in found
