"""Run commands in this process, and make small bundles for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing

from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.write import write
from safemodel.cli import main
from safemodel.format import metadata
from safemodel.format.weights import TensorSpec
from safemodel.trust import store
from safemodel.trust.keys import Signer

SCHEMAS = Path(__file__).parents[2] / "spec" / "schemas"


def _schema(name: str) -> referencing.Resource[Any]:
    """A schema that another one names."""
    return referencing.Resource.from_contents(json.loads((SCHEMAS / name).read_text()))


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document, checked against the schema of its verb."""
        document = json.loads(self.out)
        assert self.out.isascii()
        schema = json.loads((SCHEMAS / f"cli-{document['verb']}.schema.json").read_text())
        registry = referencing.Registry(retrieve=_schema)
        jsonschema.Draft202012Validator(schema, registry=registry).validate(document)
        return document


Run = Callable[..., Result]
Make = Callable[..., Path]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line."""

    def run_one(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Result(code, captured.out, captured.err)

    return run_one


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a small bundle; signed with the user's own key unless told otherwise."""

    def make_one(
        file: str = "m.safemodel",
        *,
        signers: Sequence[Signer] | None = None,
        tensors: Sequence[str] = ("layer.0.weight", "layer.0.bias", "layer.1.weight"),
        architecture: Any = None,
        training_state: Any = None,
        **values: object,
    ) -> Path:
        if signers is None:
            own = store.own_signer()
            assert own is not None
            signers = [own]
        specs = [TensorSpec(name, "F32", (4, 8)) for name in tensors]
        contents = Contents(
            framework="numpy",
            architecture=architecture,
            training_state=training_state,
            metadata=metadata.make({"name": "acme/fraud", "version": "3.1", **values}),
            tensors=tuple(TensorData(spec, lambda: [bytes(128)]) for spec in specs),
            members={"README.md": Payload(b"a model", "text/markdown")},
        )
        layout = "archive" if file.endswith(".safemodel") else "folder"
        write(tmp_path / file, contents, signers=signers, layout=layout)
        return tmp_path / file

    return make_one


@pytest.fixture
def acme(tmp_path: Path) -> Signer:
    """Somebody else: `acme.key` and `acme.pub`."""
    signer = Signer.generate()
    signer.save(tmp_path / "acme.key")
    signer.public_key.save(tmp_path / "acme.pub")
    return signer
