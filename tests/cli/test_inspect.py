"""`safemodel inspect`: what is shown, and what is said to be verified."""

from __future__ import annotations

import base64
import io
import json
import re
import sys

import pytest

from safemodel.cli import inspect_json, inspect_rich
from safemodel.cli.inspect_text import SHOWN_TENSORS
from safemodel.trust import store
from tests.cli.conftest import SCHEMAS


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
        {"program": 1},
        {"program": {"operators": [1, None], "entries": {"a": 1, "b": {"x": []}}}},
        {"program": {"operators": {}, "entries": []}},
    ],
)
def test_any_architecture_is_shown(run, make, architecture) -> None:
    assert run("inspect", make(architecture=architecture)).code == 0


def test_a_stored_graph_is_named_with_what_it_needs(run, make) -> None:
    entries = {"forward": {"eval": 0, "train": 1}, "encode": {"eval": 2}}
    operators = ["aten::add.Tensor", "acme::blur", "control::cond"]
    program = {"operators": operators, "entries": entries}
    path = make(architecture={"program": program})
    text = run("inspect", path).out
    assert "encode (eval), forward (eval and train); 3 operators" in text
    assert 'allow=["torch-op:acme::blur"]' in text
    assert run("inspect", path, "--format", "json").document["needs_allow"] == [
        "torch-op:acme::blur"
    ]


def test_a_checkpoint_is_shown_with_its_step_and_parts(run, make) -> None:
    part = {"kind": "module", "class": "acme.Net"}
    state = {"step": 40, "parts": {"model": part, "optimizer": part}}
    assert (
        "a checkpoint at step 40: model, optimizer\n"
        in run("inspect", make(training_state=state)).out
    )
    assert "has a training state" in run("inspect", make("o.safemodel", training_state=1)).out


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


def test_a_refusal_without_a_question_is_a_note(run, make, acme, tmp_path) -> None:
    path = make(signers=[acme])
    result = run("inspect", path)
    assert result.code == 0
    assert result.err.count("\n") == 1
    assert result.err.startswith("safemodel: note: get the signer's public key from them")
    assert "safemodel trust add" in result.err
    assert run("inspect", path, "-q").err == ""
    asked = run("inspect", path, "--name", "acme/fraud")
    assert asked.code == 1
    assert "note:" not in asked.err
    assert "hint: get the signer's public key" in asked.err
    assert run("inspect", path, "--trust", tmp_path / "acme.pub").err == ""


def test_the_place_of_a_refusal_is_kept(run, make) -> None:
    folder = make("folder")
    (signature,) = (folder / "signatures").iterdir()
    envelope = json.loads(signature.read_bytes())
    value = envelope["dsseEnvelope"]["signatures"][0]
    # A signature of the same kind, over something else.
    value["sig"] = base64.b64encode(store.own_signer().sign(b"else")).decode()
    signature.write_text(json.dumps(envelope, separators=(",", ":"), sort_keys=True))
    result = run("inspect", folder)
    assert result.code == 0
    assert f": not verified: signatures/{signature.name}: " in result.out.splitlines()[0]
    document = run("inspect", folder, "--format", "json").document
    assert document["verified"]["refusal"]["place"] == f"signatures/{signature.name}"


@pytest.mark.parametrize("verb", ["verify", "inspect"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--digest", "abc"], "the digest asked for"),
        (["--version", "=>3"], "'=>3' is not a version"),
        (["--name", ""], "the name asked for"),
    ],
)
def test_questions_that_make_no_sense_are_about_no_file(run, make, verb, options, says) -> None:
    result = run(verb, make(), *options)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(f"safemodel: error: {says}")


def test_document_names_its_schema() -> None:
    for name in re.findall(r"spec/schemas/[a-z.-]+json", inspect_json.__doc__):
        assert (SCHEMAS.parents[1] / name).is_file()
