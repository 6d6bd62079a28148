"""What an adapter hands to the writer: everything of a bundle but its bytes on disk.

Knows nothing of containers, digests or signatures. Implements the input side of spec/format.md,
"Writing".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from safemodel.format.canonical_json import JsonValue
from safemodel.format.manifest import Adapter
from safemodel.format.metadata import Metadata
from safemodel.format.weights import TensorSpec

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True, slots=True)
class TensorData:
    """One tensor to write: its spec and where its bytes come from.

    `pieces()` is called once, when the writer reaches the tensor (in canonical order, not in the
    order given). It yields C-contiguous buffers of little-endian items that together make up
    exactly `spec.nbytes` bytes; the writer holds only a few of them at a time. A buffer must not
    change until the write is over.
    """

    spec: TensorSpec
    pieces: Callable[[], Iterable[ReadableBuffer]]


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload member other than weights."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The content of a bundle, before it has an encoding, digests or signatures.

    `metadata` may be a function, which is called once all tensors are written.
    """

    framework: str | None = None
    adapter: Adapter | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    architecture: JsonValue = None
    training_state: JsonValue = None
    metadata: Metadata | Callable[[], Metadata] = field(default_factory=Metadata)
    tensors: tuple[TensorData, ...] = ()
    members: Mapping[str, Payload] = field(default_factory=dict)
    extra: Mapping[str, JsonValue] = field(default_factory=dict)
