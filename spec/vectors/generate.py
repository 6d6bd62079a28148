"""Make all vectors: `python spec/vectors/generate.py [FOLDER]`.

Needs `blake3` and `cryptography`, and not safemodel. The same bytes come out each time. Without a
folder it writes over the vectors in the repository, and leaves out the large ones, which the index
marks as generated; into a folder it writes them all.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from generators import signing, writer  # noqa: E402
from generators.bundle import Bundle  # noqa: E402
from generators.registry import VECTORS, Adopted, Made, Vector  # noqa: E402

AREAS = (
    "json", "manifest", "names", "zip", "weights", "chunks", "folder", "signatures",
    "envelopes", "statements",
    "identity", "limits", "adopted",
)  # fmt: skip
SUFFIXES = {"archive": ".safemodel", "folder": ".folder.json", "adopted": ".adopted.json"}
KEY_NOTE = (
    "This key is published with the test vectors of safemodel. Never trust what it signs.\n\n"
)


def vectors() -> list[Vector]:
    """All vectors, in the order of the areas."""
    for area in AREAS:
        import_module(f"generators.area_{area}")
    return VECTORS


def path_of(vector: Vector) -> str:
    """The file of a vector, relative to this folder."""
    folder = {"archive": "archives", "folder": "folders", "adopted": "adopted"}[vector.encoding]
    return f"{folder}/{vector.name}{SUFFIXES[vector.encoding]}"


def data_of(vector: Vector, made: Made) -> bytes:
    """The bytes of the file of a vector."""
    if vector.encoding == "archive":
        made = made.archive() if isinstance(made, Bundle) else made
        if not isinstance(made, bytes):
            raise TypeError(f"{vector.name} is no archive")
        return made
    if isinstance(made, Adopted):
        described = {"signature": writer.b64(made.signature), "entries": made.entries}
        return json.dumps(described, indent=1).encode() + b"\n"
    entries = made.entries() if isinstance(made, Bundle) else made
    return json.dumps(entries, indent=1).encode() + b"\n"


def entry_of(vector: Vector, data: bytes, made: Made) -> dict[str, Any]:
    """What the index says of a vector."""
    entry: dict[str, Any] = {
        "name": vector.name,
        "comment": vector.comment,
        "encoding": vector.encoding,
        "file": path_of(vector),
        "sha256": hashlib.sha256(data).hexdigest(),
        "mode": vector.mode,
        "trust": trust_of(vector),
        "now": vector.now,
        "expect": vector.expect,
    }
    if vector.generated:
        entry["generated"] = True
    if vector.request:
        entry["request"] = vector.request
    if vector.expect == "success":
        if isinstance(made, Adopted):
            return entry | {"files": made.files, "signers": [signing.key_id(vector.trust[0])]}
        bundle = vector.bundle() if vector.bundle else made
        if not isinstance(bundle, Bundle):
            raise TypeError(f"{vector.name} does not say what it holds")
        entry |= content_of(vector, bundle)
    return entry


def trust_of(vector: Vector) -> Any:
    """Whom to trust: a word, or keys and perhaps the names that they count for."""
    if vector.trust == "unsigned":
        return "unsigned"
    trust: dict[str, Any] = {"keys": [f"keys/{label}.pub" for label in vector.trust]}
    return trust | ({"names": list(vector.names)} if vector.names else {})


def content_of(vector: Vector, bundle: Bundle) -> dict[str, Any]:
    """What a reader must find in a good bundle."""
    read = vector.read or tuple(bundle.tensors)
    tensors = {
        name: {
            "dtype": one.dtype,
            "shape": one.shape,
            "sha256": hashlib.sha256(one.data).hexdigest(),
        }
        for name, one in sorted(bundle.tensors.items())
        if name in read
    }
    members = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in sorted(bundle.payload.items())
        if vector.read is None and not writer.is_weights(name)
    }
    labels = bundle.signers if vector.signers is None else vector.signers
    content = {"bundle_digest": bundle.digest, "tensors": tensors, "members": members}
    return content | {"signers": sorted(signing.key_id(label) for label in labels)}


def files() -> dict[str, bytes]:
    """Every file of the vectors, by path relative to this folder."""
    made = {f"keys/{label}.pub": signing.public_pem(label) for label in signing.KEYS}
    made |= {
        f"keys/{label}.key": KEY_NOTE.encode() + signing.private_pem(label)
        for label in signing.KEYS
    }
    entries = []
    for vector in vectors():
        content = vector.make()
        data = data_of(vector, content)
        made[path_of(vector)] = data
        entries.append(entry_of(vector, data, content))
    index = {"format": 1, "vectors": entries}
    made["index.json"] = json.dumps(index, indent=1, ensure_ascii=False).encode() + b"\n"
    return made


def main(target: Path = HERE) -> None:
    """Write every file, and remove those of vectors that are gone."""
    made = files()
    if target == HERE:
        for large in (path_of(vector) for vector in vectors() if vector.generated):
            del made[large]
    for name, data in made.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for folder in ("archives", "folders", "adopted", "keys"):
        for path in (target / folder).glob("*"):
            if f"{folder}/{path.name}" not in made:
                path.unlink()
    print(f"{len(vectors())} vectors, {len(made)} files in {target}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
