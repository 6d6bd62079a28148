"""Statements: what is signed. One class a kind, and one table by predicate type.

Knows the in-toto Statement v1 and both predicates, as pure values. Does not know signatures, keys
or files. Spec: spec/signing.md, "Manifest statement" and "OMS statement".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar, Final

from safemodel import limits
from safemodel.errors import ExpiredError, SignatureFormatError, UnsupportedError, UsageError
from safemodel.format import canonical_json
from safemodel.format.canonical_json import JsonValue
from safemodel.format.names import MANIFEST_NAME
from safemodel.trust import oms, strict_json
from safemodel.trust.dsse import refusing_json
from safemodel.trust.oms import OmsStatement as OmsStatement
from safemodel.trust.oms import Resource as Resource

MANIFEST_PREDICATE: Final = "https://safemodel.dev/statement/manifest/v1"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"

_STATEMENT_KEYS: Final = frozenset({"_type", "subject", "predicateType", "predicate"})
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ManifestStatement:
    """ "I vouch for the bundle whose manifest has this digest", perhaps only until some moment."""

    kind: ClassVar[str] = "manifest"

    bundle_digest: str
    expires: datetime | None = None
    note: str | None = None

    def check_time(self, now: datetime) -> None:
        """Raise `ExpiredError` from the moment `expires` on."""
        if self.expires is not None and now >= self.expires:
            raise ExpiredError(
                f"the signed statement expired at {format_time(self.expires)}",
                hint="get a newer signature from the signer, or check this machine's clock",
            )


Statement = ManifestStatement | OmsStatement


def parse(payload: bytes, *, max_size: int = limits.MAX_SIGNATURE_FILE) -> Statement:
    """The statement in the payload of an envelope."""
    with refusing_json():
        value = strict_json.parse(payload, max_size=max_size)
        found = strict_json.members(value, "the statement", required=_STATEMENT_KEYS)
        strict_json.constant(found["_type"], "_type", STATEMENT_TYPE)
        kind = strict_json.text(found["predicateType"], "predicateType", max_size=1000)
        if kind not in _PREDICATES:
            raise UnsupportedError(
                f"signs a statement of an unknown kind, {kind[:100]!r}",
                hint="have it signed again, with a current tool",
            )
        subjects = strict_json.items(found["subject"], "subject")
        if len(subjects) != 1:
            raise SignatureFormatError(f"has {len(subjects)} subjects, where one belongs")
        name, digest = _parse_subject(subjects[0])
        statement = _PREDICATES[kind](name, digest, found["predicate"])
    if isinstance(statement, ManifestStatement) and encode(statement) != payload:
        # Only we make these, so there is one spelling of each.
        raise SignatureFormatError("a manifest statement that is not canonical JSON")
    return statement


def encode(statement: Statement) -> bytes:
    """The canonical JSON of a statement: what this library signs."""
    name, digest, kind, predicate = (
        (MANIFEST_NAME, statement.bundle_digest, MANIFEST_PREDICATE, _manifest_predicate(statement))
        if isinstance(statement, ManifestStatement)
        else (statement.subject_name, statement.root, oms.PREDICATE, oms.predicate(statement))
    )
    return canonical_json.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest}}],
            "predicateType": kind,
            "predicate": predicate,
        }
    )


def _parse_subject(value: JsonValue) -> tuple[str, str]:
    subject = strict_json.members(value, "the subject", required=frozenset({"name", "digest"}))
    name = strict_json.text(
        subject["name"], "the subject's name", max_size=limits.MAX_RESOURCE_NAME
    )
    digest = strict_json.members(
        subject["digest"], "the subject's digest", required=frozenset({"sha256"})
    )
    return name, strict_json.hex_digest(digest["sha256"], "the subject's digest")


def _parse_manifest(name: str, digest: str, predicate: JsonValue) -> ManifestStatement:
    strict_json.constant(name, "the subject's name", MANIFEST_NAME)
    found = strict_json.members(
        predicate, "predicate", required=frozenset(), optional=frozenset({"expires", "note"})
    )
    expires = parse_time(found["expires"]) if "expires" in found else None
    note = None
    if "note" in found:
        note = strict_json.text(found["note"], "note", max_size=limits.MAX_NOTE)
        if not note:
            raise SignatureFormatError("an empty note, which is spelled by leaving it out")
    return ManifestStatement(digest, expires, note)


def _manifest_predicate(statement: ManifestStatement) -> dict[str, JsonValue]:
    predicate: dict[str, JsonValue] = {}
    if statement.expires is not None:
        predicate["expires"] = format_time(statement.expires)
    if statement.note is not None:
        predicate["note"] = statement.note
    return predicate


def parse_time(value: JsonValue) -> datetime:
    """A moment, written `2027-01-31T00:00:00Z` and in no other way."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise SignatureFormatError("expires is not a time such as 2027-01-31T00:00:00Z")
    try:
        return datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise SignatureFormatError("expires is a time that does not exist") from error


def format_time(moment: datetime) -> str:
    """The only spelling of a moment, in UTC, cut to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def checked_time(moment: datetime) -> datetime:
    """A moment of the caller's, in UTC and cut to the second; it must have a time zone.

    Raises:
        UsageError: it has none, or is no `datetime` at all.
    """
    if not isinstance(moment, datetime):
        raise UsageError(
            f"a {type(moment).__name__}, where a moment belongs",
            hint="for example: datetime.now(UTC) + timedelta(days=90)",
        )
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise UsageError(
            "a time without a time zone", hint="for example: datetime(2027, 1, 31, tzinfo=UTC)"
        )
    return moment.astimezone(UTC).replace(microsecond=0)


# predicate type -> what parses its subject and predicate
_PREDICATES: Final[Mapping[str, Callable[[str, str, JsonValue], Statement]]] = MappingProxyType(
    {MANIFEST_PREDICATE: _parse_manifest, oms.PREDICATE: oms.parse}
)
