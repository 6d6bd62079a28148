"""Every vector of spec/vectors against this implementation, and against its generator.

They are read as spec/vectors/README.md says: archives from a file and from memory.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from safemodel import bundle, errors
from safemodel.bundle.detached import VerifiedFiles
from safemodel.trust import signatures
from safemodel.trust.policy import UNSIGNED, Trust, TrustedKeys
from safemodel.trust.statements import parse_time

HERE = Path(__file__).resolve().parents[2] / "spec" / "vectors"
INDEX = json.loads((HERE / "index.json").read_text())
VECTORS: list[dict[str, Any]] = INDEX["vectors"]

BUNDLES = [vector for vector in VECTORS if vector["encoding"] != "adopted"]
every = pytest.mark.parametrize("vector", BUNDLES, ids=lambda vector: vector["name"])


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("generate_vectors", HERE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


@pytest.fixture(scope="module")
def made(generate: ModuleType) -> dict[str, bytes]:
    """All files, generated now."""
    files: dict[str, bytes] = generate.files()
    return files


def lay_out(vector: dict[str, Any], data: bytes, folder: Path) -> Path:
    """Put a vector where it can be opened."""
    target = folder / "model"
    if vector["encoding"] == "archive":
        target.write_bytes(data)
        return target
    described = json.loads(data)
    if vector["encoding"] == "adopted":
        (folder / "signature.json").write_bytes(base64.b64decode(described["signature"]))
        described = described["entries"]
        if described[0]["path"] == ".":
            target.write_bytes(base64.b64decode(described[0]["content"]))
            return target
    target.mkdir()
    for entry in described:
        path = target / entry["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if "content" in entry:
            path.write_bytes(base64.b64decode(entry["content"], validate=True))
        elif "link" in entry:
            path.symlink_to(entry["link"])
        elif "fifo" in entry:
            os.mkfifo(path)
        else:
            assert entry["folder"]
            path.mkdir()
    return target


def trust_of(vector: dict[str, Any]) -> Trust:
    if vector["trust"] == "unsigned":
        return UNSIGNED
    keys = [HERE / name for name in vector["trust"]["keys"]]
    return TrustedKeys(*keys, names=vector["trust"].get("names"))


@contextmanager
def at(moment: str) -> Iterator[None]:
    """Let it be this moment for whoever checks signatures."""
    now = parse_time(moment)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return now.astimezone(tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signatures, "datetime", Clock)
        yield


def run(vector: dict[str, Any], source: Path | bytes, mode: str) -> dict[str, Any]:
    """Read a vector in one of the modes, and say what was found."""
    arguments = {**vector.get("request", {}), "trust": trust_of(vector)}
    opened = bundle.verify if mode == "verify" else bundle.open_bundle
    with at(vector["now"]), opened(source, **arguments) as found:
        if mode == "open" and vector["expect"] != "success":
            return {"bundle_digest": found.digest}
        if mode == "whole":
            found.load_weights()
        wanted = vector.get("tensors", {}) if mode == "open" else found.tensors
        members = set() if mode == "open" else set(found.manifest.files) - set(found.weights)
        return {
            "bundle_digest": found.digest,
            "tensors": {
                name: {
                    "dtype": found.tensors[name].dtype,
                    "shape": list(found.tensors[name].shape),
                    "sha256": hashlib.sha256(found.tensor(name).buffer).hexdigest(),
                }
                for name in wanted
            },
            "members": {name: hashlib.sha256(found.member(name)).hexdigest() for name in members},
            "signers": sorted(signer.key.key_id for signer in found.signers),
        }


# What is refused in one mode is refused in those that do more, for the same reason.
_MODES = {
    "open": ("open", "load", "whole", "verify"),
    "load": ("load", "whole", "verify"),
    "verify": ("verify",),
}


def run_adopted(vector: dict[str, Any], source: Path) -> dict[str, Any]:
    """Verify what is no bundle by its detached signature, and say what was found."""
    signature = source.parent / "signature.json"
    with (
        at(vector["now"]),
        bundle.verify(source, signature=signature, trust=trust_of(vector)) as found,
    ):
        assert isinstance(found, VerifiedFiles)
        return {
            "files": {name: hashlib.sha256(found.read(name)).hexdigest() for name in found.files},
            "signers": sorted(signer.key.key_id for signer in found.signers),
        }


ADOPTED = [vector for vector in VECTORS if vector["encoding"] == "adopted"]


@pytest.mark.parametrize("vector", ADOPTED, ids=lambda vector: vector["name"])
def test_adopted(vector: dict[str, Any], made: dict[str, bytes], tmp_path: Path) -> None:
    path = lay_out(vector, made[vector["file"]], tmp_path)
    if vector["expect"] == "success":
        assert run_adopted(vector, path) == {key: vector[key] for key in ("files", "signers")}
        return
    with pytest.raises(errors.SafemodelError) as caught:
        run_adopted(vector, path)
    assert type(caught.value).__name__ == vector["expect"], str(caught.value)


@every
def test_vector(vector: dict[str, Any], made: dict[str, bytes], tmp_path: Path) -> None:
    if "fifo" in vector["name"] and not hasattr(os, "mkfifo"):
        pytest.skip("no FIFOs here")
    sources: list[Path | bytes] = [lay_out(vector, made[vector["file"]], tmp_path)]
    if vector["encoding"] == "archive" and not vector.get("generated"):
        sources.append(made[vector["file"]])
        check_inspection(vector, made[vector["file"]])
    if vector["expect"] != "success":
        for source, mode in product(sources, _MODES[vector["mode"]]):
            with pytest.raises(errors.SafemodelError) as caught:
                run(vector, source, mode)
            assert type(caught.value).__name__ == vector["expect"], f"{mode}: {caught.value}"
        return
    expected = {key: vector[key] for key in ("bundle_digest", "tensors", "members", "signers")}
    modes = ("open",) if vector["mode"] == "open" else ("load", "whole", "verify")
    for source, mode in product(sources, modes):
        assert run(vector, source, mode) == expected, mode


def check_inspection(vector: dict[str, Any], data: bytes) -> None:
    """Who only looks, unverified, meets the same form, and never another exception."""
    found: Any = None
    reason = ""
    expect = vector["expect"]
    try:
        found = bundle.inspect(data)
    except errors.SafemodelError as error:
        reason = type(error).__name__
    if expect == "success":
        assert found.digest == vector["bundle_digest"]
        assert {tensor.name for _, tensor in found.tensors} >= vector["tensors"].keys()
    elif vector["name"].startswith(_FORM) and vector["name"] != "weights-shard-duplicate":
        assert reason == expect
    else:  # only a verified read looks at signatures, at headers of members, and across shards
        assert not reason or reason == expect or not issubclass(_kind(expect), errors.FormatError)


_FORM = ("json-", "manifest-", "names-", "zip-central-", "zip-end-", "source-", "weights-")


def _kind(name: str) -> type[errors.SafemodelError]:
    kind: type[errors.SafemodelError] = getattr(errors, name)
    return kind


def test_regenerated_are_committed(made: dict[str, bytes]) -> None:
    generated = {vector["file"] for vector in VECTORS if vector.get("generated")}
    for name, data in made.items():
        path = HERE / name
        if name not in generated or path.exists():
            assert path.read_bytes() == data, name
    for vector in VECTORS:
        assert hashlib.sha256(made[vector["file"]]).hexdigest() == vector["sha256"]


def test_no_other_files(made: dict[str, bytes]) -> None:
    for folder in ("archives", "folders", "adopted", "keys"):
        assert {f"{folder}/{path.name}" for path in (HERE / folder).iterdir()} <= made.keys()


def test_index_is_consistent() -> None:
    names = [vector["name"] for vector in VECTORS]
    assert len(names) == len(set(names))
    assert len(names) >= 100
    for vector in VECTORS:
        assert vector["expect"] == "success" or issubclass(
            _kind(vector["expect"]), errors.SafemodelError
        )


def test_every_format_and_verification_error_has_a_vector() -> None:
    tree = [errors.FormatError, errors.VerificationError]
    leaves = {kind.__name__ for parent in tree for kind in parent.__subclasses__()}
    assert leaves <= {vector["expect"] for vector in VECTORS}


def test_the_generators_are_independent(generate: ModuleType) -> None:
    """The second implementation shares no code with the first."""
    for path in [HERE / "generate.py", *(HERE / "generators").glob("*.py")]:
        lines = path.read_text().splitlines()
        assert not [one for one in lines if one.startswith(("import safemodel", "from safemodel"))]
