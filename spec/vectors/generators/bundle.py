"""A bundle to make vectors of: every part can be replaced, and the rest follows it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import signing, writer
from .writer import Record, Tensor

Entry = dict[str, Any]  # of a folder: path, and content or what else it is

README = b"# A model\n"


@dataclass
class Bundle:
    """Content, from which manifest, signatures and encodings are made."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    members: dict[str, bytes] = field(default_factory=lambda: {"README.md": README})
    media: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)  # of the manifest; None removes one
    metadata: dict[str, Any] = field(
        default_factory=lambda: {"name": "acme/fraud", "version": "3.1"}
    )
    algorithm: str = "blake3"
    manifest: bytes = b""  # if it is not what follows from the content
    signers: tuple[str, ...] = ("acme",)
    signatures: dict[str, bytes] | None = None  # if they are not manifest statements by signers

    @property
    def payload(self) -> dict[str, bytes]:
        """Payload members and their bytes: weights with all tensors, unless there are others."""
        whole = self.tensors and not any(map(writer.is_weights, self.members))
        made = {writer.WEIGHTS: writer.weights(self.tensors)} if whole else {}
        return made | self.members

    def document(self) -> dict[str, Any]:
        """The manifest, as a value."""
        made: dict[str, Any] = {
            "safemodel": 1,
            "framework": "numpy",
            "adapter": {"name": "numpy", "version": 1},
            "metadata": self.metadata,
            "files": {
                name: writer.file_entry(data, self.media_type(name), self.algorithm)
                for name, data in self.payload.items()
            },
        }
        made |= self.fields
        return {key: value for key, value in made.items() if value is not None and value != {}} | {
            "files": made["files"]
        }

    def media_type(self, name: str) -> str:
        """The media type of a member."""
        usual = writer.WEIGHTS_TYPE if writer.is_weights(name) else "application/octet-stream"
        return self.media.get(name, usual)

    def change(self, edit: Callable[[dict[str, Any]], Any]) -> Bundle:
        """Edit the manifest as a value; what is signed is the result."""
        document = self.document()
        edit(document)
        self.manifest = writer.canonical(document)
        return self

    def replace(self, old: bytes, new: bytes) -> Bundle:
        """Edit the manifest as bytes; what is signed is the result."""
        before = self.manifest_bytes
        if before.count(old) != 1:
            raise ValueError(f"{old!r} is not once in the manifest")
        self.manifest = before.replace(old, new)
        return self

    @property
    def manifest_bytes(self) -> bytes:
        return self.manifest or writer.canonical(self.document())

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    @property
    def signature_files(self) -> dict[str, bytes]:
        if self.signatures is not None:
            return self.signatures
        statement = signing.manifest_statement(self.manifest_bytes)
        return dict(signing.signature_file(label, statement) for label in self.signers)

    def oms_resources(self) -> list[dict[str, Any]]:
        """What an OMS statement lists."""
        files = self.payload | {"manifest.json": self.manifest_bytes}
        return [signing.resource(name, files[name]) for name in sorted(files)]

    def oms(self, edit: Callable[[dict[str, Any]], Any] | None = None) -> Bundle:
        """Sign with an OMS statement, perhaps edited."""
        statement = signing.oms_statement(self.oms_resources())
        if edit is not None:
            edit(statement)
        self.signatures = dict([signing.signature_file("acme", statement, "oms")])
        return self

    def files(self) -> dict[str, bytes]:
        """All members in the order of an archive."""
        payload = sorted(self.payload.items())
        weights = [(name, data) for name, data in payload if writer.is_weights(name)]
        others = [(name, data) for name, data in payload if not writer.is_weights(name)]
        manifest = [("manifest.json", self.manifest_bytes)]
        return dict([*weights, *others, *manifest, *sorted(self.signature_files.items())])

    def records(self) -> list[Record]:
        """All members as ZIP records."""
        return [Record(name, data) for name, data in self.files().items()]

    def archive(self) -> bytes:
        """The archive."""
        return writer.pack(self.records())

    def entries(self) -> list[Entry]:
        """The description of the folder."""
        return [
            {"path": name, "content": writer.b64(data)}
            for name, data in sorted(self.files().items())
        ]


def with_weights(**changes: Any) -> Bundle:
    """A bundle with three tensors of different alignment."""
    tensors = {
        "bias": writer.tensor("bias", "U8", 7),
        "scale": writer.tensor("scale", "F32"),
        "weight": writer.tensor("weight", "F32", 4, 16),
    }
    return Bundle(tensors=tensors, **changes)
