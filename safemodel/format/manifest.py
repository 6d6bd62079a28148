"""The manifest: what a bundle says, and the digests of its bytes (spec/format.md, "Manifest").

`manifest.json` is a canonical JSON object. Only `safemodel` and `files` must be there; a field
that has nothing to say is absent, so that one manifest has one encoding.

    safemodel       1, the version of the format
    requires        sorted list of features that a reader must know; format 1 defines none
    framework       what the model belongs to, such as "scikit-learn"
    adapter         object: name, version (integer from 1): what rebuilds the model
    libraries       object: name of a library -> its version when the model was saved
    architecture    any JSON value but null, in which no string is over 4 KiB of UTF-8
    training_state  the same
    metadata        object, see metadata.py
    files           object: name of a payload member -> object of
                      size        integer from 0 to 2^50
                      crc32       integer from 0 to 2^32 - 1
                      media_type  type/subtype in lower case, without parameters, at most 127
                      blake3      base64 of all its chunk digests, 32 bytes each; or instead, for
                      sha256      all members of the bundle
    x-...           any JSON value but null; what is not known and has no such name is refused

Knows nothing of what the architecture means, nor whether the members are what is said of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from safemodel import limits
from safemodel.errors import LimitError, ManifestError, UnsupportedError
from safemodel.format import Buffer, canonical_json, digests, metadata, names, weights
from safemodel.format.canonical_json import JsonValue
from safemodel.format.fields import Fields, grammar
from safemodel.format.metadata import Metadata, present

FORMAT_VERSION: Final = 1
KNOWN_REQUIRES: Final[frozenset[str]] = frozenset()

_PLACE: Final = "manifest"
_FEATURE: Final = grammar("a feature name", r"[a-z0-9][a-z0-9._-]{0,63}")
_FRAMEWORK: Final = grammar("a framework name", r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_ADAPTER: Final = grammar("an adapter name", r"[a-z][a-z0-9_]{0,63}")
_LIBRARY: Final = grammar("a library name", r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")
_LIBRARY_VERSION: Final = grammar("1 to 64 of printable ASCII", r"[!-~](?:[ -~]{0,62}[!-~])?")
_MEDIA_TYPE: Final = grammar(
    "a media type in lower case without parameters",
    r"(?=.{3,127}\Z)[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*",
)
_BASE64: Final = grammar("base64", r"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What the manifest says of one payload member; `digests` are those of its chunks, joined."""

    size: int
    crc32: int
    media_type: str
    digests: bytes

    def chunk_digest(self, index: int) -> bytes:
        """Return the digest of one chunk."""
        return self.digests[index * digests.DIGEST_SIZE : (index + 1) * digests.DIGEST_SIZE]


@dataclass(frozen=True, slots=True)
class Adapter:
    """What rebuilds the model, and in which of its own versions."""

    name: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that a bundle says.

    `extra` has the `x-` keys. Without files there are no digests and hence no choice of algorithm:
    it is then the default one.
    """

    requires: tuple[str, ...] = ()
    framework: str | None = None
    adapter: Adapter | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    architecture: JsonValue = None
    training_state: JsonValue = None
    metadata: Metadata = field(default_factory=Metadata)
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    algorithm: str = digests.DEFAULT_ALGORITHM
    extra: Mapping[str, JsonValue] = field(default_factory=dict)
    chunk_size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        sizes = (entry.size for entry in self.files.values())
        object.__setattr__(self, "chunk_size", digests.chunk_size(sizes))
        if not self.files:
            object.__setattr__(self, "algorithm", digests.DEFAULT_ALGORITHM)


def parse(data: Buffer) -> Manifest:
    """Return what a `manifest.json` says."""
    return _interpret(canonical_json.decode(data, max_size=limits.MAX_MANIFEST_SIZE))


def encode(manifest: Manifest) -> bytes:
    """Return the `manifest.json` that says this; what no reader would accept is refused."""
    document = _document(manifest)
    data = canonical_json.encode(document)
    if _interpret(document) != manifest:
        raise ManifestError("a manifest that would be read as another one")
    if len(data) > limits.MAX_MANIFEST_SIZE:
        raise LimitError(
            f"a manifest of {len(data)} bytes, more than the limit of {limits.MAX_MANIFEST_SIZE}"
        )
    return data


def _interpret(document: JsonValue) -> Manifest:
    fields = Fields(document, _PLACE)
    _check_version(fields)
    requires = fields.names("requires", _FEATURE)
    unknown = [feature for feature in requires if feature not in KNOWN_REQUIRES]
    if unknown:
        raise UnsupportedError(
            f"the bundle requires {', '.join(unknown)}, which this version does not know",
            hint="upgrade safemodel",
        )
    algorithm, files = _parse_files(fields)
    said = fields.object("metadata")
    return Manifest(
        requires=requires,
        framework=fields.string("framework", _FRAMEWORK),
        adapter=_parse_adapter(fields.object("adapter")),
        libraries=fields.map("libraries", _LIBRARY, _LIBRARY_VERSION),
        architecture=_bounded(fields, "architecture"),
        training_state=_bounded(fields, "training_state"),
        metadata=Metadata() if said is None else metadata.parse(said),
        files=files,
        algorithm=algorithm,
        extra=fields.extensions(),
    )


def _document(manifest: Manifest) -> dict[str, JsonValue]:
    files: dict[str, JsonValue] = {
        name: {
            "size": entry.size,
            "crc32": entry.crc32,
            "media_type": entry.media_type,
            manifest.algorithm: base64.b64encode(entry.digests).decode("ascii"),
        }
        for name, entry in manifest.files.items()
    }
    adapter = manifest.adapter
    return present(
        {
            "requires": list(manifest.requires),
            "framework": manifest.framework,
            "adapter": {"name": adapter.name, "version": adapter.version} if adapter else None,
            "libraries": dict(manifest.libraries),
            "metadata": metadata.document(manifest.metadata),
        },
        {
            **manifest.extra,
            "safemodel": FORMAT_VERSION,
            "architecture": manifest.architecture,
            "training_state": manifest.training_state,
            "files": files,
        },
    )


def _check_version(fields: Fields) -> None:
    version = fields.required_integer("safemodel", 1, limits.MAX_SAFE_INTEGER)
    if version != FORMAT_VERSION:
        raise UnsupportedError(
            f"format version {version}, where this version of safemodel knows {FORMAT_VERSION}",
            hint="upgrade safemodel",
        )


def _parse_adapter(fields: Fields | None) -> Adapter | None:
    if fields is None:
        return None
    adapter = Adapter(
        fields.required_string("name", _ADAPTER),
        fields.required_integer("version", 1, limits.MAX_SAFE_INTEGER),
    )
    fields.end()
    return adapter


def _bounded(fields: Fields, key: str) -> JsonValue:
    """Take a JSON value in which no string is long: long ones travel as tensors."""
    value = fields.value(key)
    level = [value]
    while level:
        strings = [item for item in level if isinstance(item, str)]
        objects = [item for item in level if isinstance(item, dict)]
        arrays = [item for item in level if isinstance(item, list)]
        strings.extend(name for entries in objects for name in entries)
        if any(map(_is_long, strings)):
            raise LimitError(
                f"a string of more than {limits.MAX_ARCHITECTURE_STRING} bytes",
                place=f"{_PLACE}.{key}",
            )
        level = [item for entries in objects for item in entries.values()]
        level += [item for items in arrays for item in items]
    return value


def _is_long(text: str) -> bool:
    limit = limits.MAX_ARCHITECTURE_STRING
    # No character takes more than 4 bytes, so most strings need not be encoded.
    return 4 * len(text) > limit and len(text.encode("utf-8")) > limit


def _parse_files(fields: Fields) -> tuple[str, dict[str, FileEntry]]:
    files = Fields(fields.value("files"), f"{_PLACE}.files")
    found = {name: Fields(files.value(name), f"{files.place}.{name}") for name in files.left()}
    names.check_member_names([*found, names.MANIFEST_NAME])
    for name in found:
        names.check_payload_name(name)
    weights.check_weights_names(found)
    algorithm = _algorithm(found)
    entries = {name: _parse_file(name, entry, algorithm) for name, entry in found.items()}
    chunk = digests.chunk_size(entry.size for entry in entries.values())
    for name, entry in entries.items():
        if len(entry.digests) != digests.DIGEST_SIZE * digests.chunk_count(entry.size, chunk):
            raise found[name].fail(algorithm, "not one digest for each chunk")
    return algorithm, entries


def _algorithm(files: Mapping[str, Fields]) -> str:
    """Return the digest algorithm that the first file names; the others must name it too."""
    first = next(iter(files.values()), None)
    named = first.left() if first else []
    return next((a for a in digests.ALGORITHMS if a in named), digests.DEFAULT_ALGORITHM)


def _parse_file(name: str, fields: Fields, algorithm: str) -> FileEntry:
    entry = FileEntry(
        size=fields.required_integer("size", 0, limits.MAX_MEMBER_SIZE),
        crc32=fields.required_integer("crc32", 0, 0xFFFFFFFF),
        media_type=fields.required_string("media_type", _MEDIA_TYPE),
        digests=_decode_base64(fields, algorithm),
    )
    fields.end()
    if weights.is_weights_name(name) and entry.media_type != weights.MEDIA_TYPE:
        raise fields.fail("media_type", f"not {weights.MEDIA_TYPE}")
    return entry


def _decode_base64(fields: Fields, key: str) -> bytes:
    text = fields.required_string(key, _BASE64)
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise fields.fail(key, "not base64") from None
    if base64.b64encode(data) != text.encode("ascii"):
        raise fields.fail(key, "base64 that is not canonical")
    return data
