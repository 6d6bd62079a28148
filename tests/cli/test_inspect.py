"""`inspect`, `pack` and `unpack`."""

from __future__ import annotations

import io
import sys

import pytest

from safemodel.cli import inspect_rich
from safemodel.cli.inspect_text import SHOWN_TENSORS


def test_own_model_is_shown_as_verified(run, make) -> None:
    path = make(description="detects fraud", license="MIT", metrics={"auc": 0.91})
    result = run("inspect", path)
    assert result.code == 0
    first = result.out.splitlines()[0]
    assert first.startswith(f"{path}: verified: manifest signed by your own key")
    assert "name not checked; payload not read" in first
    for text in ("acme/fraud", "3.1", "detects fraud", "MIT", "auc 0.91", "README.md", "[4, 8]"):
        assert text in result.out


def test_tree_of_tensors(run, make) -> None:
    lines = run("inspect", make(tensors=["a.b.c", "a.b.d", "e"])).out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("3 tensors"))
    assert [line.split()[0] for line in lines[start + 1 :]] == ["a.b", "c", "d", "e"]


def test_stranger_is_shown_as_not_verified(run, make, acme) -> None:
    result = run("inspect", make(signers=[acme]))
    assert result.code == 0
    assert ": not verified: signed, but by no key that you trust" in result.out.splitlines()[0]
    assert f"claims key {acme.public_key.key_id}, not verified" in result.out


def test_what_was_asked_for_decides_the_exit_code(run, make, acme, tmp_path) -> None:
    path = make(signers=[acme])
    assert run("inspect", path, "--trust", tmp_path / "acme.pub").code == 0
    assert run("inspect", path, "--trust", tmp_path / "acme.pub", "--name", "other").code == 1
    refused = run("inspect", make(), "--trust", tmp_path / "acme.pub")
    assert refused.code == 1
    assert "not verified" in refused.out.splitlines()[0]
    assert "safemodel: error:" in refused.err


def test_unsigned_is_not_called_verified(run, make) -> None:
    path = make(signers=())
    for options in ([], ["--unsigned"]):
        result = run("inspect", path, *options)
        assert result.code == 0
        assert ": not verified: " in result.out.splitlines()[0]
        assert "signatures    none" in result.out


def test_json(run, make, acme, tmp_path) -> None:
    path = make(signers=[acme])
    document = run("inspect", path, "--format", "json").document
    assert document["verified"]["manifest"] is False
    assert document["verified"]["refusal"]["name"] == "UntrustedSignerError"
    assert document["signers"] == []
    assert document["claims"][0]["key_id"] == acme.public_key.key_id
    assert {tensor["name"] for tensor in document["tensors"]} == {
        "layer.0.weight",
        "layer.0.bias",
        "layer.1.weight",
    }
    assert document["manifest"]["metadata"]["name"] == "acme/fraud"
    trusted = run("inspect", path, "--trust", tmp_path / "acme.pub", "--format", "json").document
    assert trusted["verified"]["manifest"] is True
    assert trusted["verified"]["payload"] is False
    assert trusted["signers"][0]["label"] == "acme"


def test_shared_memory_and_real_names(run, make) -> None:
    view = {"kind": "ndarray", "data": "w"}
    root = {"kind": "dict", "items": [["a", {"ref": 1}], ["b", {"ref": 1}], ["c", {"ref": 2}]]}
    listed = {"kind": "list", "items": [{"ref": 3}, {"ref": 4}, {"int": "9"}]}
    nodes = [root, view, listed, view, {"kind": "ndarray", "data": "t000001"}]
    architecture = {"graph": {"root": {"ref": 0}, "nodes": nodes, "names": {"t000001": "\u00fc"}}}
    path = make(tensors=["w", "t000001"], architecture=architecture)
    assert "shared by a, b, c.0" in run("inspect", path).out
    document = run("inspect", path, "--format", "json").document
    found = {tensor["stored_name"]: tensor for tensor in document["tensors"]}
    assert found["w"]["arrays"] == ["a", "b", "c.0"]
    assert found["t000001"]["arrays"] == ["c.1"]
    assert found["t000001"]["name"] == "\u00fc"


@pytest.mark.parametrize(
    "architecture",
    [
        None,
        [],
        {"graph": []},
        {"graph": {"nodes": 1}},
        {"graph": {"nodes": [1], "names": []}},
        {"graph": {"nodes": [{"items": [{"ref": -1}, {"ref": True}, {"ref": 9**9}, [[], 1]]}]}},
        {"graph": {"nodes": [{"a": {"ref": 0}, "data": 1}, {"data": "layer.0.bias"}]}},
    ],
)
def test_any_architecture_is_shown(run, make, architecture) -> None:
    assert run("inspect", make(architecture=architecture)).code == 0


def test_many_tensors_are_cut(run, make) -> None:
    path = make(tensors=[f"t{i:03}" for i in range(SHOWN_TENSORS + 5)])
    short = run("inspect", path).out
    assert "and 5 more: --all shows them" in short
    assert "t064" not in short
    assert "t064" in run("inspect", path, "--all").out


def test_name_with_a_thousand_dots(run, make) -> None:
    assert run("inspect", make(tensors=["." * 1000, "a"])).code == 0


def test_long_texts_are_clipped(run, make) -> None:
    path = make(tensors=["x" * 1000, "a"], description="y" * 5000)
    text = run("inspect", path).out
    assert max(map(len, text.splitlines())) < 1100
    document = run("inspect", path, "--format", "json").document
    assert {tensor["name"] for tensor in document["tensors"]} == {"x" * 1000, "a"}


def test_malformed_is_refused(run, make) -> None:
    path = make()
    path.write_bytes(path.read_bytes()[:-5])
    result = run("inspect", path, "--format", "json")
    assert result.code == 1
    assert result.document["error"]["name"].endswith("Error")


def test_terminal_gets_a_table(run, make, monkeypatch) -> None:
    path = make(description="[bold]no markup[/bold] :smile:")
    monkeypatch.setattr("safemodel.cli.output.is_terminal", lambda stream: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    result = run("inspect", path)
    assert result.code == 0
    assert inspect_rich.__name__ in sys.modules
    assert "\x1b[" in result.out
    assert "\u2500" in result.out
    assert "[bold]no markup[/bold] :smile:" in result.out


def test_standard_input(run, make, monkeypatch) -> None:
    data = make().read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run("inspect", "-").out.startswith("<stdin>: verified")


def test_unpack_and_pack_are_copies(run, make, tmp_path, monkeypatch) -> None:
    path = make()
    monkeypatch.chdir(tmp_path)
    unpacked = run("unpack", "m.safemodel", "--format", "json")
    assert unpacked.code == 0
    assert unpacked.document["path"] == "m"
    assert run("verify", "m").code == 0
    packed = run("pack", "m", "-o", "again.safemodel", "--format", "json")
    assert packed.document["digest"] == unpacked.document["digest"]
    assert (tmp_path / "again.safemodel").read_bytes() == path.read_bytes()
    assert run("pack", "m/").code == 2
    assert run("pack", "m/", "--force").code == 0
    assert run("unpack", "m.safemodel").code == 2


def test_pack_of_a_damaged_folder_leaves_nothing(run, make, tmp_path) -> None:
    folder = make("folder")
    weights = folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    assert run("pack", folder).code == 1
    assert sorted(tmp_path.iterdir()) == before


def test_unpack_needs_a_name(run, make, tmp_path) -> None:
    path = make().rename(tmp_path / "model")
    assert run("unpack", path).code == 2
    assert run("unpack", path, "-o", tmp_path / "out").code == 0
