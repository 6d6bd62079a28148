"""`safemodel export`."""

from __future__ import annotations

import json

import pytest

import safemodel as sm
from safemodel.export.targets import TARGETS

from .conftest import SCHEMAS

np = pytest.importorskip("numpy")


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "net.safemodel"
    sm.save({"w": np.arange(6.0), "b": np.ones(2)}, path, metadata={"name": "acme/net"})
    return path


def test_a_file_beside_the_bundle(run, bundle, tmp_path) -> None:
    found = run("export", bundle, "--to", "safetensors", "--name", "acme/net")
    assert found.code == 0
    assert found.out.startswith(f"{tmp_path / 'net.safetensors'}: exported to safetensors, 2 tens")
    assert "name not checked" not in found.out
    load = pytest.importorskip("safetensors.numpy").load_file
    assert np.array_equal(load(tmp_path / "net.safetensors")["w"], np.arange(6.0))


def test_json(run, bundle, tmp_path) -> None:
    found = run("export", bundle, tmp_path / "out", "--to", "safetensors", "--format", "json")
    document = found.document
    assert (document["tensors"], document["name_checked"]) == (2, False)
    assert document["size"] == (tmp_path / "out").stat().st_size
    assert document["digest"] == sm.inspect(bundle).digest


def test_nothing_is_written_over(run, bundle, tmp_path) -> None:
    (tmp_path / "net.safetensors").write_text("mine")
    found = run("export", bundle, "--to", "safetensors")
    assert (found.code, found.out) == (2, "")
    assert "is there already" in found.err
    assert "--force" in found.err
    assert (tmp_path / "net.safetensors").read_text() == "mine"
    assert run("export", bundle, "--to", "safetensors", "--force").code == 0
    assert run("export", bundle, bundle, "--to", "safetensors", "--force").code == 2
    assert sm.load(bundle).keys() == {"w", "b"}


def test_a_stranger(run, bundle, acme, tmp_path) -> None:
    sm.save({"w": np.ones(2)}, bundle, signer=acme, metadata={"name": "acme/net"})
    found = run("export", bundle, "--to", "safetensors")
    assert found.code == 1
    assert not (tmp_path / "net.safetensors").exists()
    assert run("export", bundle, "--to", "safetensors", "--trust", tmp_path / "acme.pub").code == 0
    found = run("export", bundle, "--to", "safetensors", "--unsigned", "--force")
    assert "signatures not checked" in found.out


def test_what_the_format_has_no_place_for(run, bundle, tmp_path) -> None:
    found = run("export", bundle, "--to", "pt")
    assert found.code == 1
    assert "b: an array" in found.err or "w: an array" in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.safemodel"]


def test_the_schema_knows_every_format() -> None:
    schema = json.loads((SCHEMAS / "cli-export.schema.json").read_text())
    assert schema["oneOf"][0]["properties"]["to"]["enum"] == list(TARGETS)


@pytest.mark.parametrize("arguments", [(), ("--to", "pickle")])
def test_only_the_formats_of_the_table(run, bundle, arguments) -> None:
    assert run("export", bundle, *arguments).code == 2


def test_a_folder_needs_no_ending(run, bundle, tmp_path) -> None:
    sm.unpack(bundle, tmp_path / "net")
    assert run("export", tmp_path / "net", "--to", "safetensors").code == 0
    assert (tmp_path / "net.safetensors").is_file()


def test_what_is_left_out_is_told(run, tmp_path) -> None:
    torch = pytest.importorskip("torch")
    sm.save_checkpoint(tmp_path / "c.safemodel", model=torch.nn.Linear(2, 2), step=1)
    found = run("export", tmp_path / "c.safemodel", "--to", "pt")
    assert found.code == 0
    assert "safemodel: note: random states are left out" in found.err
