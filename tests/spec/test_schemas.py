"""The schemas of what is in a bundle, against real bundles and against the vectors."""

from __future__ import annotations

import base64
import functools
import json
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from safemodel import bundle
from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.write import write
from safemodel.format.manifest import Adapter
from safemodel.format.metadata import make
from safemodel.format.weights import TensorSpec
from safemodel.trust.keys import Signer

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS: list[dict[str, Any]] = json.loads((SPEC / "vectors" / "index.json").read_text())["vectors"]
STATEMENTS = {
    "https://safemodel.dev/statement/manifest/v1": "manifest-statement",
    "https://model_signing/signature/v1.0": "oms-statement",
}

# What a schema can't say: relations, bytes instead of characters, the calendar, canonical spelling.
BEYOND = {
    "manifest-requires-unknown",
    "manifest-requires-unsorted",
    "manifest-tags-unsorted",
    "manifest-architecture-utf8",
    "manifest-other-size",
    "manifest-other-crc",
    "manifest-undeclared-member",
    "manifest-missing-member",
    "manifest-name-newline",  # `$` of Python's regular expressions permits it
}


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SPEC / "schemas" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def members(vector: dict[str, Any]) -> dict[str, bytes]:
    """The members of an archive, by the first name of each, with no check at all."""
    with zipfile.ZipFile(SPEC / "vectors" / vector["file"]) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def check_signature(data: bytes) -> None:
    file = json.loads(data)
    validator("signature-file").validate(file)
    statement = json.loads(base64.b64decode(file["dsseEnvelope"]["payload"]))
    validator(STATEMENTS[statement["predicateType"]]).validate(statement)


def stored(area: str = "", *, good: bool) -> list[Any]:
    return [
        pytest.param(vector, id=vector["name"])
        for vector in VECTORS
        if vector["encoding"] == "archive"
        and vector["name"].startswith(area)
        and not vector.get("generated")
        and (vector["expect"] == "success") is good
    ]


@pytest.mark.parametrize("schema", sorted(path.name for path in (SPEC / "schemas").glob("*.json")))
def test_is_a_schema(schema: str) -> None:
    assert validator(schema.removesuffix(".schema.json"))


def test_the_index_of_the_vectors() -> None:
    validator("vectors").validate({"format": 1, "vectors": VECTORS})


@pytest.mark.parametrize("vector", stored(good=True))
def test_good_vectors_are_valid(vector: dict[str, Any]) -> None:
    found = members(vector)
    validator("manifest").validate(json.loads(found["manifest.json"]))
    for name, data in found.items():
        if name.startswith("signatures/") and "newer" not in vector["name"]:
            check_signature(data)


@pytest.mark.parametrize("vector", stored("manifest-", good=False))
def test_bad_manifests_are_invalid(vector: dict[str, Any]) -> None:
    document = json.loads(members(vector)["manifest.json"])
    assert validator("manifest").is_valid(document) is (vector["name"] in BEYOND)


@pytest.mark.parametrize("vector", stored("names-", good=False))
def test_bad_names_are_invalid(vector: dict[str, Any]) -> None:
    together = ("names-case", "names-file-and-folder", "names-signature-name")
    if vector["name"].startswith(together) or vector["name"] == "names-nul":
        return  # relations between names; and zipfile cuts a name at a zero byte
    assert not validator("manifest").is_valid(json.loads(members(vector)["manifest.json"]))


@pytest.mark.parametrize(
    "area", ["signature-media-type", "signature-keyid", "signature-hint-", "signature-certificate",
             "signature-two", "signature-no-", "signature-material-", "signature-log-entry",
             "statement-subject-", "statement-note-empty", "statement-expires-zone", "oms-method",
             "oms-hash-type", "oms-symlinks", "oms-resource-key", "oms-resource-traversal",
             "oms-resource-absolute", "oms-ignore-all", "oms-ignore-empty", "oms-ignore-outside"]
)  # fmt: skip
def test_bad_signatures_are_invalid(area: str) -> None:
    relations = ("signature-hint-other", "signature-no-pae", "signature-no-bytes")
    chosen = [v.values[0] for v in stored(area, good=False) if v.id not in relations]
    assert chosen
    for vector in chosen:
        files = [data for name, data in members(vector).items() if name.startswith("signatures/")]
        with pytest.raises((jsonschema.ValidationError, KeyError)):
            check_signature(files[0])


@pytest.mark.parametrize("oms", [False, True])
def test_real_bundles_are_valid(oms: bool, tmp_path: Path) -> None:
    contents = Contents(
        framework="numpy",
        adapter=Adapter("numpy", 1),
        libraries={"numpy": "2.4.6"},
        architecture={"graph": {"root": None, "nodes": []}},
        metadata=make({"name": "a/b", "version": "1", "tags": ["x"], "datasets": ["imdb"]}),
        tensors=(TensorData(TensorSpec("x", "U8", (3,)), lambda: [b"abc"]),),
        members={"README.md": Payload(b"#", "text/markdown")},
    )
    target = tmp_path / "m.safemodel"
    write(target, contents, signers=[Signer.generate()], oms=oms)
    found = bundle.inspect(target)
    with zipfile.ZipFile(target) as archive:
        validator("manifest").validate(json.loads(archive.read("manifest.json")))
    for data in found.signatures.values():
        check_signature(data)
