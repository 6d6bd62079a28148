"""What people say about a model, typed (spec/format.md, "Metadata").

All fields are optional; an absent field is None or empty, never null or an empty value. "Line"
means text without control characters (C0, DEL, C1); lengths count characters, none is empty.

    name         1 to 8 components joined by "/", at most 200; a component has letters, digits,
                 ".", "_", "-", and begins and ends with a letter, a digit or "_"
    version      at most 64 of printable ASCII, not beginning or ending with a space
    description  text of at most 65,536, in which tab and line feed are permitted too
    license      line of at most 256: an SPDX expression, or a name
    task         line of at most 64, such as "text-classification"
    tags         list of lines of at most 64, sorted by code point, distinct
    metrics      object: key of at most 128 printable ASCII -> decimal string of at most 64,
                 -?(0|[1-9][0-9]*)(.[0-9]+)?(e[+-]?[0-9]+)?
    datasets     list of references: what the model was trained or measured on
    lineage      object with at least one of
                   base_models   list of references: models that this one was made from
                   sources       list of references: files that it was converted from
                   tool          line of at most 256: what converted them
                   scan          any JSON value: the report of the scan of the sources
    x-...        any JSON value but null; keys match x-[a-z0-9][a-z0-9._-]{0,61}

A reference is an object with
    name         line of at most 1024, required
    version      as above
    uri          line of at most 2048
    size         integer from 0 to 2^50
    digest       object: algorithm [a-z0-9][a-z0-9-]{0,31} -> 16 to 64 bytes in lower-case hex

Knows nothing of who claims this: that is for signatures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Final

from safemodel import limits
from safemodel.errors import FormatError, UsageError
from safemodel.format import canonical_json
from safemodel.format.canonical_json import JsonValue
from safemodel.format.fields import Fields, grammar, line

_WORD: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
# Of what a model is called, and so of what a key is trusted for (trust/policy.py). Not its length.
MODEL_NAME: Final = rf"{_WORD}(?:/{_WORD}){{0,7}}"
_NAME: Final = grammar(
    "a model name such as 'acme/fraud'", rf"(?=.{{1,{limits.MAX_MODEL_NAME}}}\Z){MODEL_NAME}"
)
_VERSION: Final = grammar("1 to 64 of printable ASCII", r"[!-~](?:[ -~]{0,62}[!-~])?")
_DESCRIPTION: Final = grammar(
    "text of 1 to 65536 characters", r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]{1,65536}"
)
_LICENSE: Final = line(256)
_TASK: Final = line(64)
_TAG: Final = line(64)
_METRIC: Final = grammar("1 to 128 of printable ASCII", r"[ -~]{1,128}")
_DECIMAL: Final = grammar(
    "a decimal number in a string",
    r"(?=.{1,64}\Z)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?",
)
_TOOL: Final = line(256)
_REFERENCE_NAME: Final = line(1024)
_URI: Final = line(2048)
_ALGORITHM: Final = grammar("the name of a digest algorithm", r"[a-z0-9][a-z0-9-]{0,31}")
_HEX: Final = grammar("16 to 64 bytes in lower-case hex", r"(?:[0-9a-f]{2}){16,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A data set, a model or a file that a model comes from."""

    name: str
    version: str | None = None
    uri: str | None = None
    size: int | None = None
    digest: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a model was made from."""

    base_models: tuple[Reference, ...] = ()
    sources: tuple[Reference, ...] = ()
    tool: str | None = None
    scan: JsonValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Everything that the metadata of a manifest may say."""

    name: str | None = None
    version: str | None = None
    description: str | None = None
    license: str | None = None
    task: str | None = None
    tags: tuple[str, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[Reference, ...] = ()
    lineage: Lineage = field(default_factory=Lineage)
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


def parse(fields: Fields) -> Metadata:
    """Return the metadata that a decoded JSON object holds."""
    return Metadata(
        name=fields.string("name", _NAME),
        version=fields.string("version", _VERSION),
        description=fields.string("description", _DESCRIPTION),
        license=fields.string("license", _LICENSE),
        task=fields.string("task", _TASK),
        tags=fields.names("tags", _TAG),
        metrics=fields.map("metrics", _METRIC, _DECIMAL),
        datasets=_parse_references(fields, "datasets"),
        lineage=_parse_lineage(fields.object("lineage")),
        extra=fields.extensions(),
    )


def document(metadata: Metadata) -> dict[str, JsonValue]:
    """Return the JSON object that says what `metadata` says; `parse` checks it."""
    lineage = metadata.lineage
    return present(
        {
            "name": metadata.name,
            "version": metadata.version,
            "description": metadata.description,
            "license": metadata.license,
            "task": metadata.task,
            "tags": list(metadata.tags),
            "metrics": dict(metadata.metrics),
            "datasets": _references(metadata.datasets),
            "lineage": present(
                {
                    "base_models": _references(lineage.base_models),
                    "sources": _references(lineage.sources),
                    "tool": lineage.tool,
                },
                {"scan": lineage.scan},
            ),
        },
        metadata.extra,
    )


def make(values: Mapping[str, object] | Metadata) -> Metadata:
    """Return the metadata that a caller gave as a plain mapping, or raise UsageError.

    Where callers have numbers in metrics, strings as references, tags in any order, or None, this
    puts what the format has instead.
    """
    if isinstance(values, Metadata):
        return values
    given = dict(values)
    metrics, tags, lineage = given.get("metrics"), given.get("tags"), given.get("lineage")
    if isinstance(metrics, Mapping):
        given["metrics"] = {key: _decimal(key, value) for key, value in metrics.items()}
    if isinstance(tags, (list, tuple, set, frozenset)) and all(isinstance(t, str) for t in tags):
        given["tags"] = sorted(set(tags))
    given["datasets"] = _given_references(given.get("datasets"))
    if isinstance(lineage, Mapping):
        given["lineage"] = _saying(
            {
                key: _given_references(value) if key in ("base_models", "sources") else value
                for key, value in lineage.items()
            }
        )
    try:
        return parse(Fields(canonical_json.checked(_saying(given)), "metadata"))
    except FormatError as error:
        raise UsageError(error.message, place=error.place or "metadata") from None


def present(
    values: Mapping[str, JsonValue], verbatim: Mapping[str, JsonValue] | None = None
) -> dict[str, JsonValue]:
    """Return the fields that say something, and of `verbatim` those that are not None."""
    said = {key: value for key, value in values.items() if value not in (None, [], {})}
    kept = {key: value for key, value in (verbatim or {}).items() if value is not None}
    return {**said, **kept}


def _parse_lineage(fields: Fields | None) -> Lineage:
    if fields is None:
        return Lineage()
    lineage = Lineage(
        base_models=_parse_references(fields, "base_models"),
        sources=_parse_references(fields, "sources"),
        tool=fields.string("tool", _TOOL),
        scan=fields.value("scan"),
    )
    fields.end()
    return lineage


def _parse_references(fields: Fields, key: str) -> tuple[Reference, ...]:
    return tuple(
        _parse_reference(Fields(value, f"{fields.place}.{key}[{i}]"))
        for i, value in enumerate(fields.items(key))
    )


def _parse_reference(fields: Fields) -> Reference:
    reference = Reference(
        name=fields.required_string("name", _REFERENCE_NAME),
        version=fields.string("version", _VERSION),
        uri=fields.string("uri", _URI),
        size=fields.integer("size", 0, limits.MAX_MEMBER_SIZE),
        digest=fields.map("digest", _ALGORITHM, _HEX),
    )
    fields.end()
    return reference


def _references(references: Iterable[Reference]) -> list[JsonValue]:
    return [
        present(
            {
                "name": reference.name,
                "version": reference.version,
                "uri": reference.uri,
                "size": reference.size,
                "digest": dict(reference.digest),
            }
        )
        for reference in references
    ]


def _decimal(key: object, value: object) -> object:
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        if not math.isfinite(value):
            raise UsageError(f"metric {key!r} is not a finite number", place="metadata")
        return repr(float(value))
    return value


def _saying(given: Mapping[str, object]) -> dict[str, object]:
    """Leave out what says nothing: None, and empty values of the fields that are not verbatim."""
    said = {key: value for key, value in given.items() if value is not None}
    return {
        key: value
        for key, value in said.items()
        if value or not isinstance(value, (str, list, dict)) or str(key).startswith(("scan", "x-"))
    }


def _given_references(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        return value
    return [{"name": item} if isinstance(item, str) else item for item in value]
