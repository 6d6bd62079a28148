"""The manifest (format.md, "Manifest" and "Metadata"): fields, types, grammars."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

from typing import Any

from . import writer
from .bundle import Bundle, with_weights
from .registry import accept, reject

ABSENT = object()


def edited(path: str, value: Any) -> Bundle:
    """A bundle in whose manifest the field at `path` has another value."""

    def edit(document: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for parent in parents:
            document = document.setdefault(parent, {})
        if value is ABSENT:
            del document[last]
        else:
            document[last] = value

    return Bundle().change(edit)


# name, comment, field, value, error
_FIELDS: list[tuple[str, str, str, Any, str]] = [
    ("version-missing", "no format version", "safemodel", ABSENT, "ManifestError"),
    ("version-2", "a later format", "safemodel", 2, "UnsupportedError"),
    ("version-0", "version 0", "safemodel", 0, "ManifestError"),
    ("version-string", "a version that is a string", "safemodel", "1", "ManifestError"),
    ("version-true", "true is not 1", "safemodel", True, "ManifestError"),
    ("unknown-key", "an unknown field", "comment", "x", "ManifestError"),
    ("extension-upper", "an x- key in upper case", "x-Note", 1, "ManifestError"),
    ("extension-bare", "x- and nothing more", "x-", 1, "ManifestError"),
    ("extension-null", "null, where a field must be absent", "x-note", None, "ManifestError"),
    ("extension-long", "an x- key of 65 characters", "x-" + "n" * 63, 1, "ManifestError"),
    ("requires-unknown", "a feature nobody knows", "requires", ["x"], "UnsupportedError"),
    ("requires-empty", "an empty list", "requires", [], "ManifestError"),
    ("requires-unsorted", "features out of order", "requires", ["b", "a"], "ManifestError"),
    ("requires-twice", "a feature twice", "requires", ["a", "a"], "ManifestError"),
    ("requires-string", "a string for a list", "requires", "a", "ManifestError"),
    ("files-missing", "no files field", "files", ABSENT, "ManifestError"),
    ("files-list", "files is a list", "files", [], "ManifestError"),
    ("framework-empty", "an empty string", "framework", "", "ManifestError"),
    ("framework-space", "a space in the framework", "framework", "num py", "ManifestError"),
    ("adapter-string", "an adapter that is a string", "adapter", "numpy", "ManifestError"),
    ("adapter-version", "no adapter version", "adapter", {"name": "numpy"}, "ManifestError"),
    ("adapter-version-0", "adapter version 0", "adapter/version", 0, "ManifestError"),
    ("adapter-path", "an adapter that looks like a module", "adapter/name", "os.path", "ManifestError"),
    ("adapter-extra", "an unknown field", "adapter/code", "x", "ManifestError"),
    ("adapter-extension", "x- keys are not for every object", "adapter/x-y", 1, "ManifestError"),
    ("libraries-empty", "an empty object", "libraries", {}, "ManifestError"),
    ("libraries-number", "a version that is a number", "libraries", {"numpy": 2}, "ManifestError"),
    ("libraries-name", "a library name with a space", "libraries", {"a b": "1"}, "ManifestError"),
    ("architecture-null", "null instead of absent", "architecture", None, "ManifestError"),
    ("architecture-string", "a string of 4,097 bytes", "architecture", "x" * 4097, "LimitError"),
    ("architecture-utf8", "4,098 bytes in 2,049 characters", "architecture", "\u00e9" * 2049, "LimitError"),
    ("architecture-key", "a key of 4,097 bytes", "architecture", {"k" * 4097: 1}, "LimitError"),
    ("training-state-string", "a long string", "training_state", ["x" * 4097], "LimitError"),
    ("file-size-negative", "a negative size", "files/README.md/size", -1, "ManifestError"),
    ("file-size-string", "a size that is a string", "files/README.md/size", "10", "ManifestError"),
    ("file-size-huge", "2^50 + 1 bytes", "files/README.md/size", 2**50 + 1, "ManifestError"),
    ("file-crc-large", "a CRC-32 of 33 bits", "files/README.md/crc32", 2**32, "ManifestError"),
    ("file-crc-missing", "no CRC-32", "files/README.md/crc32", ABSENT, "ManifestError"),
    ("file-type-missing", "no media type", "files/README.md/media_type", ABSENT, "ManifestError"),
    ("file-type-upper", "a media type in upper case", "files/README.md/media_type", "Text/plain", "ManifestError"),
    ("file-type-parameter", "a parameter", "files/README.md/media_type", "text/plain;a=b", "ManifestError"),
    ("file-type-slash", "no slash", "files/README.md/media_type", "text", "ManifestError"),
    ("file-type-long", "128 characters", "files/README.md/media_type", "a/" + "b" * 126, "ManifestError"),
    ("file-unknown-key", "an unknown field of a file", "files/README.md/path", "x", "ManifestError"),
    ("file-extension", "x- keys are not for files", "files/README.md/x-y", 1, "ManifestError"),
    ("file-null", "null for a file", "files/README.md", None, "ManifestError"),
    ("metadata-list", "metadata that is a list", "metadata", ["x"], "ManifestError"),
    ("metadata-empty", "an empty object", "metadata", {}, "ManifestError"),
    ("metadata-unknown", "an unknown field", "metadata/author", "x", "ManifestError"),
    ("metadata-null", "null instead of absent", "metadata/task", None, "ManifestError"),
    ("name-space", "a space in the name", "metadata/name", "acme fraud", "ManifestError"),
    ("name-dots", "a component that is ..", "metadata/name", "acme/../fraud", "ManifestError"),
    ("name-slash", "a slash at the end", "metadata/name", "acme/", "ManifestError"),
    ("name-deep", "nine components", "metadata/name", "/".join("a" * 9), "ManifestError"),
    ("name-long", "201 characters", "metadata/name", "a" * 201, "ManifestError"),
    ("name-confusable", "a Cyrillic letter", "metadata/name", "\u0430cme/fraud", "ManifestError"),
    ("name-newline", "a line feed at the end", "metadata/name", "acme/fraud\n", "ManifestError"),
    ("model-version-number", "a version that is a number", "metadata/version", 3, "ManifestError"),
    ("model-version-space", "a space at the end", "metadata/version", "3.1 ", "ManifestError"),
    ("model-version-long", "65 characters", "metadata/version", "1" * 65, "ManifestError"),
    ("description-escape", "a terminal escape", "metadata/description", "\x1b[2J", "ManifestError"),
    ("description-c1", "a C1 control character", "metadata/description", "a\x9bb", "ManifestError"),
    ("description-empty", "an empty string", "metadata/description", "", "ManifestError"),
    ("license-lines", "a licence of two lines", "metadata/license", "MIT\nx", "ManifestError"),
    ("task-long", "65 characters", "metadata/task", "t" * 65, "ManifestError"),
    ("tags-unsorted", "tags out of order", "metadata/tags", ["b", "a"], "ManifestError"),
    ("tags-twice", "a tag twice", "metadata/tags", ["a", "a"], "ManifestError"),
    ("tags-number", "a tag that is a number", "metadata/tags", [1], "ManifestError"),
    ("metric-number", "a metric that is a number", "metadata/metrics", {"auc": 1}, "ManifestError"),
    ("metric-word", "a metric that is a word", "metadata/metrics", {"auc": "nan"}, "ManifestError"),
    ("metric-zero", "a leading zero", "metadata/metrics", {"auc": "00.5"}, "ManifestError"),
    ("metric-key", "an empty key", "metadata/metrics", {"": "0.5"}, "ManifestError"),
    ("lineage-empty", "an empty lineage", "metadata/lineage", {}, "ManifestError"),
    ("lineage-unknown", "an unknown field", "metadata/lineage", {"by": "x"}, "ManifestError"),
    ("dataset-name", "a reference without name", "metadata/datasets", [{"uri": "x"}], "ManifestError"),
    ("dataset-string", "a reference that is a string", "metadata/datasets", ["x"], "ManifestError"),
    ("dataset-digest", "upper-case hexadecimal", "metadata/datasets",
     [{"name": "x", "digest": {"sha256": "A" * 64}}], "ManifestError"),
    ("dataset-size", "a negative size", "metadata/datasets", [{"name": "x", "size": -1}], "ManifestError"),
]  # fmt: skip


def _register() -> None:
    for name, comment, path, value, error in _FIELDS:
        reject(f"manifest-{name}", error, comment)(
            lambda path=path, value=value: edited(path, value)
        )


_register()


@reject("manifest-weights-type", "ManifestError", "weights have one media type only")
def _() -> Bundle:
    return with_weights(media={writer.WEIGHTS: "application/octet-stream"})


@reject("manifest-mixed-digests", "ManifestError", "two digest algorithms in one bundle")
def _() -> Bundle:
    bundle = Bundle(members={"a": b"a", "b": b"b"})
    entry = writer.file_entry(b"b", "application/octet-stream", "sha256")
    return bundle.change(lambda document: document["files"].update(b=entry))


@reject("manifest-two-digests", "ManifestError", "both digest algorithms for one member")
def _() -> Bundle:
    both = writer.file_entry(b"a", "a/b", "sha256") | writer.file_entry(b"a", "a/b")
    return Bundle(members={"a": b"a"}).change(lambda document: document["files"].update(a=both))


@reject("manifest-digest-algorithm", "ManifestError", "a digest algorithm that does not exist here")
def _() -> Bundle:
    def edit(document: dict[str, Any]) -> None:
        entry = document["files"]["README.md"]
        entry["md5"] = entry.pop("blake3")

    return Bundle().change(edit)


@reject(
    "manifest-undeclared-member", "ContainerError", "a member that the manifest does not declare"
)
def _() -> Bundle:
    return Bundle(members={"a": b"a", "b": b"b"}).change(
        lambda document: document["files"].pop("b")
    )


@reject("manifest-missing-member", "MissingMemberError", "a declared member is not there")
def _() -> Bundle:
    entry = writer.file_entry(b"b", "a/b")
    return Bundle().change(lambda document: document["files"].update(b=entry))


@reject("manifest-other-size", "ContainerError", "a member is longer than declared")
def _() -> Bundle:
    return edited("files/README.md/size", 9)


@reject(
    "manifest-other-crc", "ContainerError", "another CRC-32 in the archive than in the manifest"
)
def _() -> Bundle:
    return edited("files/README.md/crc32", 1)


@accept("manifest-minimal", "nothing but the version and no files")
def _() -> Bundle:
    return Bundle(members={}, metadata={}, fields={"framework": None, "adapter": None})


@accept("manifest-strings-4096", "strings and keys of 4,096 bytes in the architecture")
def _() -> Bundle:
    value = ["\u00e9" * 2048, {"k" * 4096: "x" * 4096}]
    return Bundle(fields={"architecture": value, "training_state": value})


@accept("manifest-extensions", "x- keys where they are permitted")
def _() -> Bundle:
    return Bundle(fields={"x-acme.note": [1], "x-" + "n" * 62: False}, metadata={"x-a_b-c": {}})


@accept("manifest-full", "every field")
def _() -> Bundle:
    reference = {
        "name": "imdb",
        "version": "1.0",
        "uri": "https://example.org/imdb",
        "size": 2**50,
        "digest": {"sha256": "0" * 64, "sha1-256": "ab" * 16},
    }
    metadata = {
        "name": "acme/fraud",
        "version": "3.1",
        "description": "Two lines.\n\tAnd a tab.",
        "license": "Apache-2.0 OR MIT",
        "task": "text-classification",
        "tags": ["a", "b"],
        "metrics": {"auc": "0.91", "loss": "-1.5e-7", "n": "0"},
        "datasets": [reference],
        "lineage": {
            "base_models": [{"name": "b"}, {"name": "a"}],
            "sources": [reference],
            "tool": "a tool",
            "scan": [],
        },
    }
    fields = {"libraries": {"numpy": "2.4.6"}, "training_state": {"epoch": 3}}
    return Bundle(metadata=metadata, fields=fields)
