"""The OpenSSF Model Signing statement: a list of files, each with its SHA-256.

Knows the predicate `https://model_signing/signature/v1.0` as `model_signing` writes it, and what
of it we accept. Pure: the caller says which files there are. The stock tool accepts more than we do
(duplicate resources, `../` names, ignored files): spec/signing.md, "OMS statement", lists what is
refused and why. Spec: that section, and spec/signing.md, "Adopted folders".
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from safemodel import limits
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    LimitError,
    SignatureFormatError,
    UsageError,
)
from safemodel.format import digests as chunk_digests
from safemodel.format.canonical_json import JsonValue
from safemodel.format.names import MANIFEST_NAME, SIGNATURES_FOLDER, is_signature_name
from safemodel.trust import strict_json

PREDICATE: Final = "https://model_signing/signature/v1.0"
CHUNKS_ANNOTATION: Final = "safemodel.dev/chunks"
SINGLE_FILE: Final = "."

# What the stock tool leaves out at the top of every folder, whatever the statement says.
GIT_NAMES: Final = (".git", ".gitattributes", ".github", ".gitignore")

_RESOURCE_KEYS: Final = frozenset({"name", "algorithm", "digest"})


@dataclass(frozen=True, slots=True)
class Chunks:
    """Our digests of the chunks of one file that is not in a bundle, for reading parts of it."""

    algorithm: str
    chunk_size: int
    digests: bytes


@dataclass(frozen=True, slots=True)
class Resource:
    """One file: its name, the SHA-256 of its content, and perhaps its chunk digests."""

    name: str
    digest: str
    chunks: Chunks | None = None


@dataclass(frozen=True, slots=True)
class OmsStatement:
    """ "I vouch for exactly these files." The name of the subject is for people only."""

    kind: ClassVar[str] = "oms"

    subject_name: str
    resources: tuple[Resource, ...]
    ignore_paths: tuple[str, ...] = (SIGNATURES_FOLDER,)

    @classmethod
    def over(cls, digests: Mapping[str, str], *, subject_name: str = "model") -> OmsStatement:
        """The statement that we sign over these files: name to SHA-256."""
        return cls.build((Resource(name, digest) for name, digest in digests.items()), subject_name)

    @classmethod
    def build(cls, resources: Iterable[Resource], subject_name: str = "model") -> OmsStatement:
        """The statement that we sign: sorted, and ignoring nothing but the signatures."""
        ordered = tuple(sorted(resources, key=lambda resource: resource.name.encode("utf-8")))
        for resource in ordered:
            if is_signature_name(resource.name):
                raise UsageError("a signature does not cover signatures", place=resource.name)
        _check(ordered, (SIGNATURES_FOLDER,))
        return cls(subject_name, ordered)

    @classmethod
    def plain(cls, resources: Iterable[Resource], subject_name: str = "model") -> OmsStatement:
        """The statement that we sign over files that are no bundle: it ignores nothing at all."""
        ordered = tuple(sorted(resources, key=lambda resource: resource.name.encode("utf-8")))
        _check(ordered, ())
        return cls(subject_name, ordered, ())

    @property
    def root(self) -> str:
        """The subject's digest. It leaves the names out: it identifies nothing."""
        joined = b"".join(bytes.fromhex(resource.digest) for resource in self.resources)
        return hashlib.sha256(joined).hexdigest()

    def digests(self) -> dict[str, str]:
        """What is vouched for: name to SHA-256, without signature files.

        A co-signature of the stock tool lists the signature files that were there before it.
        """
        return {
            resource.name: resource.digest
            for resource in self.resources
            if not is_signature_name(resource.name)
        }

    def check_time(self, now: datetime) -> None:
        """Nothing: OMS has no field for an expiry."""

    def check_digests(self, digests: Mapping[str, str], *, plain: bool = False) -> None:
        """Return if these files with these SHA-256 are exactly those vouched for.

        Else name the first that differs, is missing or is not signed. No file is excused because
        the statement ignores its name. In a bundle, whose names are checked by others, files under
        `signatures/` count for nothing; in `plain` files they count like all others.
        """
        stated, actual = self._pair(digests, plain)
        for name in sorted(actual):
            if actual[name] != stated[name]:
                raise DigestMismatchError(
                    "differs from what was signed",
                    place=name,
                    hint=f"its SHA-256 is {actual[name]}, the signed one {stated[name]}",
                )

    def check_names(self, names: Iterable[str], *, plain: bool = False) -> None:
        """Return if exactly the files of these names are vouched for, whatever is in them."""
        self._pair(dict.fromkeys(names, ""), plain)

    def _pair(
        self, actual: Mapping[str, str], plain: bool
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What is stated and what there is, for the same names; else `BadSignatureError`."""
        if plain:
            stated = {resource.name: resource.digest for resource in self.resources}
            there = dict(actual)
        else:
            stated = self.digests()
            there = {n: digest for n, digest in actual.items() if not is_signature_name(n)}
        if stated.keys() == {SINGLE_FILE} and len(there) == 1:
            stated = dict.fromkeys(there, stated[SINGLE_FILE])
        for name in sorted(stated.keys() ^ there.keys()):
            if name in stated:
                raise BadSignatureError(
                    "is signed, and is not there",
                    place=name,
                    hint="get the missing file, or everything again",
                )
            raise BadSignatureError(
                "is there, and is not signed",
                place=name,
                hint="take it away, or have everything signed again",
            )
        return stated, there

    @property
    def bundle_digest(self) -> str | None:
        """The digest of the bundle whose files these are; None if it is no bundle."""
        return self.digests().get(MANIFEST_NAME)


def parse(name: str, root: str, predicate: JsonValue) -> OmsStatement:
    """The statement of a predicate, its subject's name and its subject's digest."""
    found = strict_json.members(
        predicate, "predicate", required=frozenset({"serialization", "resources"})
    )
    ignored = _parse_serialization(found["serialization"])
    values = strict_json.items(found["resources"], "resources")
    if len(values) > limits.MAX_MEMBERS:
        raise LimitError(f"more than {limits.MAX_MEMBERS} resources")
    statement = OmsStatement(name, tuple(_parse_resource(value) for value in values), ignored)
    _check(statement.resources, ignored)
    if statement.root != root:
        raise SignatureFormatError("the subject's digest is not that of the listed resources")
    return statement


def predicate(statement: OmsStatement) -> JsonValue:
    """The predicate of a statement, as JSON."""
    ignored: list[JsonValue] = list(statement.ignore_paths)
    return {
        "serialization": {
            "method": "files",
            "hash_type": "sha256",
            "allow_symlinks": False,
            "ignore_paths": ignored,
        },
        "resources": [_resource(resource) for resource in statement.resources],
    }


def _resource(resource: Resource) -> JsonValue:
    value: dict[str, JsonValue] = {
        "name": resource.name,
        "algorithm": "sha256",
        "digest": resource.digest,
    }
    if resource.chunks is not None:
        value["annotations"] = {
            CHUNKS_ANNOTATION: {
                "algorithm": resource.chunks.algorithm,
                "chunk_size": resource.chunks.chunk_size,
                "digests": strict_json.to_base64(resource.chunks.digests),
            }
        }
    return value


def _parse_serialization(value: JsonValue) -> tuple[str, ...]:
    what = "serialization"
    found = strict_json.members(
        value,
        what,
        required=frozenset({"method", "hash_type", "allow_symlinks"}),
        optional=frozenset({"ignore_paths"}),
    )
    strict_json.constant(found["method"], "serialization method", "files")
    strict_json.constant(found["hash_type"], "hash_type", "sha256")
    strict_json.constant(found["allow_symlinks"], "allow_symlinks", False)
    ignored = strict_json.items(found.get("ignore_paths", []), "ignore_paths")
    if len(ignored) > limits.MAX_IGNORE_PATHS:
        raise LimitError(f"more than {limits.MAX_IGNORE_PATHS} ignored paths")
    return tuple(
        strict_json.text(path, "an ignored path", max_size=limits.MAX_RESOURCE_NAME)
        for path in ignored
    )


def _parse_resource(value: JsonValue) -> Resource:
    found = strict_json.members(
        value, "a resource", required=_RESOURCE_KEYS, optional=frozenset({"annotations"})
    )
    name = strict_json.text(
        found["name"], "the name of a resource", max_size=limits.MAX_RESOURCE_NAME
    )
    strict_json.constant(found["algorithm"], "the algorithm of a resource", "sha256")
    digest = strict_json.hex_digest(found["digest"], "the digest of a resource")
    chunks = None
    if "annotations" in found:
        annotations = found["annotations"]
        if not isinstance(annotations, dict):
            raise SignatureFormatError("annotations is not an object", place=name)
        # Others' annotations are theirs: in-toto permits any, and nothing here depends on them.
        if CHUNKS_ANNOTATION in annotations:
            chunks = _parse_chunks(annotations[CHUNKS_ANNOTATION])
    return Resource(name, digest, chunks)


def _parse_chunks(value: JsonValue) -> Chunks:
    found = strict_json.members(
        value, CHUNKS_ANNOTATION, required=frozenset({"algorithm", "chunk_size", "digests"})
    )
    return Chunks(
        strict_json.text(found["algorithm"], "the chunks' algorithm", max_size=100),
        strict_json.integer(found["chunk_size"], "chunk_size"),
        strict_json.base64_bytes(found["digests"], "the chunks' digests"),
    )


def _check(resources: tuple[Resource, ...], ignored: tuple[str, ...]) -> None:
    """What holds for the list as a whole, whoever made it."""
    names = {resource.name for resource in resources}
    if len(names) != len(resources):
        # Two digests for one name: verifiers would disagree about which one counts.
        raise SignatureFormatError("lists a file twice")
    if SINGLE_FILE in names and len(names) > 1:
        raise SignatureFormatError("lists a single file '.' together with others")
    for name in names - {SINGLE_FILE}:
        _check_name(name)
    _check_ignored(names, ignored)
    annotated = {(r.chunks.algorithm, r.chunks.chunk_size) for r in resources if r.chunks}
    if len(annotated) > 1:
        raise SignatureFormatError("has chunk digests of more than one kind")
    for resource in resources:
        if (resource.chunks is None) == bool(annotated):
            raise SignatureFormatError("has chunk digests, but not for all", place=resource.name)
        if resource.chunks is not None:
            _check_chunks(resource.chunks, resource.name)


def _check_name(name: str) -> None:
    """A relative path with `/`, staying inside: it will be compared with names on a disk."""
    parts = name.split("/")
    if not all(parts) or "." in parts or ".." in parts or "\\" in name or "\0" in name:
        raise SignatureFormatError(f"lists {name[:100]!r}, which is not a file's relative path")


def _check_ignored(names: set[str], ignored: tuple[str, ...]) -> None:
    """Refuse a list that also ignores what it lists: verifiers would disagree about it.

    Ignored paths that lie elsewhere do no harm here, since no file is excused on their
    account: the stock tool names git's files, the signature file, or absolute paths.
    """
    # With a last slash, a file and what lies below a folder are both found by their beginning.
    listed = sorted(f"{name}/" for name in names if not is_signature_name(name))
    for path in ignored:
        parts = [part for part in path.split("/") if part not in ("", SINGLE_FILE)]
        if not parts or ".." in parts:
            raise SignatureFormatError("ignores the whole folder, or what lies outside of it")
        start = "/".join(parts) + "/"
        found = bisect_left(listed, start)
        inside = found < len(listed) and listed[found].startswith(start)
        if inside and not path.startswith("/"):
            raise SignatureFormatError("is both listed and ignored", place=listed[found][:-1])


def _check_chunks(chunks: Chunks, name: str) -> None:
    size = chunks.chunk_size
    if (
        chunks.algorithm not in chunk_digests.ALGORITHMS
        or not limits.MIN_CHUNK <= size <= limits.MAX_CHUNK
        or size & (size - 1)
        or len(chunks.digests) % chunk_digests.DIGEST_SIZE
    ):
        raise SignatureFormatError("has chunk digests of an unknown form", place=name)
