"""Small bundles to write, and one function that reads everything there is of a bundle."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

from safemodel.bundle.contents import Contents, Payload, TensorData
from safemodel.bundle.opening import open_bundle, verify
from safemodel.bundle.verified import VerifiedBundle
from safemodel.format.manifest import Adapter
from safemodel.format.metadata import Metadata
from safemodel.format.weights import TensorSpec
from safemodel.trust.keys import Signer


@functools.cache
def signer(name: str = "acme") -> Signer:
    """A key that stays the same within one run; `name` tells several apart."""
    del name
    return Signer.generate()


def tensor(name: str, shape: tuple[int, ...], *, dtype: str = "U8", seed: int = 0) -> TensorData:
    """A tensor of pseudo-random bytes that depend on name and seed."""
    spec = TensorSpec(name, dtype, shape)
    return TensorData(spec, lambda: [content(name, spec.nbytes, seed)])


def content(name: str, size: int, seed: int = 0) -> bytes:
    return hashlib.shake_128(f"{name} {seed}".encode()).digest(size)


def contents(*tensors: TensorData, **fields: Any) -> Contents:
    fields.setdefault("framework", "numpy")
    fields.setdefault("adapter", Adapter("numpy", 1))
    fields.setdefault("architecture", {"graph": {"root": None, "nodes": []}})
    fields.setdefault("metadata", Metadata(name="acme/fraud", version="3.1"))
    return Contents(tensors=tensors, **fields)


def small(seed: int = 0, **fields: Any) -> Contents:
    """Three tensors of different alignment and two other members: every kind of region."""
    return contents(
        tensor("layer.0.weight", (8, 16), seed=seed),
        tensor("layer.0.bias", (7,), seed=seed),
        tensor("scale", (), dtype="F32", seed=seed),
        members={
            "README.md": Payload(b"# A model\n", "text/markdown"),
            "assets/empty.txt": Payload(b"", "text/plain"),
        },
        **fields,
    )


def everything(source: Any, *, whole: bool = False, **arguments: Any) -> dict[str, Any]:
    """All that a caller could get out of a bundle, after every check that loading makes."""
    with open_bundle(source, **arguments) as bundle:
        if whole:
            bundle.load_weights()
        return facts(bundle)


def verified(source: Any, **arguments: Any) -> dict[str, Any]:
    """As `everything`, after every byte was checked first."""
    with verify(source, **arguments) as bundle:
        return facts(bundle)


def facts(bundle: VerifiedBundle) -> dict[str, Any]:
    return {
        "digest": bundle.digest,
        "manifest": bundle.manifest,
        "tensors": {
            name: (info.dtype, info.shape, bytes(bundle.tensor(name).buffer))
            for name, info in bundle.tensors.items()
        },
        "members": {
            name: bundle.member(name)
            for name in bundle.manifest.files
            if name not in bundle.weights
        },
        "signers": sorted({s.key.key_id for s in bundle.signers}),
    }
