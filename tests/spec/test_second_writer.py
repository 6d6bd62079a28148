"""Two writers, one encoding: the generators of the vectors and safemodel make the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.write import write
from safemodel.format import metadata
from safemodel.format.manifest import Adapter
from safemodel.format.weights import TensorSpec
from safemodel.trust.keys import Signer

HERE = Path(__file__).resolve().parents[2] / "spec" / "vectors"


@pytest.fixture(autouse=True)
def second() -> Iterator[Any]:
    """The other writer."""
    sys.path.insert(0, str(HERE))
    try:
        from generators import bundle, writer  # type: ignore[import-not-found]

        yield type("Second", (), {"Bundle": bundle.Bundle, "tensor": writer.tensor})
    finally:
        sys.path.remove(str(HERE))


def contents(made: Any) -> Contents:
    """What safemodel must be told to write the same bundle."""
    return Contents(
        framework="numpy",
        adapter=Adapter("numpy", 1),
        libraries=made.fields.get("libraries", {}),
        architecture=made.fields.get("architecture"),
        training_state=made.fields.get("training_state"),
        metadata=metadata.make(made.metadata),
        tensors=tuple(
            TensorData(TensorSpec(name, one.dtype, tuple(one.shape)), lambda one=one: [one.data])
            for name, one in reversed(made.tensors.items())
        ),
        members={name: Payload(data, made.media_type(name)) for name, data in made.members.items()},
    )


def cases(second: Any) -> dict[str, Any]:
    sizes = [0, 1, 2, 3, 4, 6, 8, 24, 63, 64, 65, 4000, 4096, 5000]
    many = {f"t.{size}": second.tensor(f"t{size}", "U8", size) for size in sizes}
    members = {"README.md": b"# A", "assets/b": b"", "assets/a": b"x" * 5000, "Z": b"z"}
    fields = {
        "libraries": {"numpy": "2.4.6"},
        "architecture": {"b": [1, None, True, "\u00e9\n\x1f/\\"], "a": {}},
        "training_state": ["x" * 4096],
    }
    named = {"name": "acme/fraud", "version": "3.1", "tags": ["a", "b"], "metrics": {"auc": "0.5"}}
    return {
        "nothing": second.Bundle(members={}),
        "members": second.Bundle(members=members),
        "tensors": second.Bundle(tensors=many, members={}),
        "everything": second.Bundle(tensors=many, members=members, fields=fields, metadata=named),
        "three keys": second.Bundle(signers=("acme", "p384", "ed25519")),
        "sha256": second.Bundle(tensors=many, algorithm="sha256"),
        "oms": second.Bundle(tensors=many, members=members),
        "chunks": second.Bundle(tensors={"x": second.tensor("x", "F32", 1024, 600)}),
    }


@pytest.mark.parametrize(
    "name",
    ["nothing", "members", "tensors", "everything", "three keys", "sha256", "oms", "chunks"],
)
@pytest.mark.parametrize("layout", ["archive", "folder"])
def test_the_same_bytes(second: Any, name: str, layout: Any, tmp_path: Path) -> None:
    made = cases(second)[name]
    if name == "oms":
        made.oms()
    signers = [Signer.load(HERE / "keys" / f"{label}.key") for label in made.signers]
    target = tmp_path / "model"
    digest = write(
        target,
        contents(made),
        signers=signers,
        layout=layout,
        oms=name == "oms",
        digest=made.algorithm,
    )
    assert digest == made.digest
    if layout == "archive":
        assert target.read_bytes() == made.archive()
        return
    found = {p.relative_to(target).as_posix(): p for p in target.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == made.files()
