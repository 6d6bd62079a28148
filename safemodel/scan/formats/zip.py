"""ZIP archives: what contradicts itself is found, and every member of every reading is scanned."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, Protocol, cast

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy.content import View
from safemodel.legacy.member_names import shown
from safemodel.legacy.npy import MAGIC
from safemodel.legacy.zip import parse_zip
from safemodel.limits import MIB
from safemodel.report.model import Severity
from safemodel.scan.formats.zip_archive import Member, ZipArchive

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.legacy.zip_facts import ZipFacts, ZipMember
    from safemodel.scan.scope import Scope

# Modules of this package that know a kind of ZIP archive (see zip_archive.py), and the last parts
# of names, in lower case, of which such an archive has at least one: most are not imported for
# most archives. All that fit are applied: an archive may be of two kinds.
ZIP_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "keras_zip": ("config.json",),
    "safemodel_archive": ("manifest.json",),
    "skops": ("schema.json",),
    "torch_export": ("archive_format", "serialized_exported_program.json"),
    "torch_package": ("extern_modules", "manifest.json"),
    "torch_script": ("constants.pkl", "model.json"),
    "torch_zip": ("data.pkl",),
}

_RULES: Final = {
    "directories": "SM403",
    "disagreement": "SM401",
    "duplicate": "SM402",
    "escape": "SM407",
    "gap": "SM405",
    "name": "SM408",
    "overlap": "SM406",
    "padding": "SM405",
    "unlisted": "SM404",
}
_MAX_GAPS: Final = 1_000
_CHECKED: Final = 1 * MIB  # stored members up to this size have their CRC-32 compared


class Kind(Protocol):
    """What the module of a kind of ZIP archive has."""

    def scan_zip(self, archive: ZipArchive, scope: Scope) -> frozenset[str] | None: ...


def scan(content: Content, scope: Scope) -> bool:
    data = content.view()
    try:
        facts = parse_zip(data, scope.budget.check_time)
    except DamagedError:
        return False
    embedded = bytes(data[:2]) != b"PK"
    if embedded and not any(member.listed for member in facts.members):
        return False
    _report(facts, scope, embedded=embedded)
    archive = ZipArchive(data, facts, scope)
    known: set[ZipMember] = set()
    for name, marks in ZIP_KINDS.items():
        if archive.last_parts.isdisjoint(marks):
            continue
        kind = cast(Kind, importlib.import_module(f"safemodel.scan.formats.{name}"))
        try:
            dealt_with = kind.scan_zip(archive, scope)
        except LegacyError as error:
            scope.unread(error)
            continue
        if dealt_with is not None:
            scope.fits(name)
            known.update(archive.members[each] for each in dealt_with)
    for member in facts.members:
        scope.budget.check_time()
        if member in known:
            _scan_array(archive, member, scope)
        elif not member.is_folder:
            _scan_member(archive, member, scope)
    if not embedded:
        if len(facts.gaps) > _MAX_GAPS:
            scope.unread(BudgetError(f"has more than {_MAX_GAPS} gaps between its members"))
        for start, stop in facts.gaps[:_MAX_GAPS]:
            scope.scan(f"<bytes {start} to {stop}>", View(data[start:stop]))
    for start, stop in facts.comments:
        scope.scan("<comment>", View(data[start:stop]))
    for problem in facts.problems:
        scope.unread(problem)
    return True


def _report(facts: ZipFacts, scope: Scope, *, embedded: bool) -> None:
    """The oddities as findings; around an archive in something else, gaps are that something.

    So are members before the first that is listed: they are of another archive, in front of it,
    such as in a pickle of two Keras models. No reader of ZIP comes to them there.
    """
    first = min((each.header_offset for each in facts.members if each.listed), default=0)
    if embedded:
        scope.find(
            "SM405",
            f"a ZIP archive begins at byte {first}, and readers of ZIP open it there",
            offset=first,
            severity=Severity.LOW,
        )
    for oddity in facts.oddities:
        outside = oddity.kind in ("gap", "padding")
        if embedded and outside:
            continue
        same = oddity.kind == "duplicate" and oddity.message.endswith("the same content")
        before = embedded and oddity.kind == "unlisted" and oddity.offset < first
        low = oddity.kind == "padding" or same or before
        scope.find(
            _RULES[oddity.kind],
            oddity.message,
            offset=oddity.offset,
            severity=Severity.LOW if low else None,
        )


def _scan_array(archive: ZipArchive, member: ZipMember, scope: Scope) -> None:
    """A member that is data to one loader is an array to `numpy.load`, if it begins like one."""
    try:
        content = archive.content(member)
        if bytes(content.head(len(MAGIC))) == MAGIC:
            scope.scan(member.name, content, ("npy",))
    except LegacyError:
        pass  # whoever dealt with it said so


def _scan_member(archive: ZipArchive, member: ZipMember, scope: Scope) -> None:
    try:
        content = archive.content(member)
        if isinstance(content, View) and content.size <= _CHECKED:
            archive.check(member, content.data)
        scope.scan(member.name, content)
        if isinstance(content, Member):
            content.finish()
            if content.rest is not None:
                scope.scan(f"<behind the data of {member.name}>", content.rest)
    except LegacyError as error:
        error.place = shown(member.name)
        error.offset = member.header_offset
        scope.unread(error)
