"""Exported PyTorch programs (`.pt2`): JSON that is evaluated, pickles of tensors, native code.

`torch.export.load` gives strings of the JSON to `sympify` and `exec`, looks targets up by getattr,
and unpickles weights and sample inputs without restriction where restricted unpickling fails
(torch/_export/serde, torch/export/pt2_archive). Nested `.pt` files are scanned as what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy import json_text
from safemodel.legacy.content import View
from safemodel.scan.formats.torch_program import judge_program
from safemodel.scan.formats.torch_zip import check_records, root_of

if TYPE_CHECKING:
    from safemodel.legacy.zip import ZipMember
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

_FORMAT: Final = "archive_format"
_OLD: Final = "serialized_exported_program.json"  # until PyTorch 2.6
_MODELS: Final = "models/"
_MAX_JSON: Final = 256 << 20
_RAW: Final = ("data/weights/", "data/constants/")
_NATIVE: Final = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
_SOURCES: Final = (".so", ".dll", ".dylib", ".pyd", ".o", ".a", ".cpp", ".cu", ".cubin", ".hsaco")


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Judge an exported program. None: the archive is none."""
    root = root_of(archive)
    prefix = f"{root}/" if archive.alike(f"{root}/{_FORMAT}") else ""
    if not prefix and not archive.alike(_OLD):
        return None
    known = check_records(archive, root, scope) if prefix else set()
    for member in archive.facts.members:
        if member.is_folder:
            continue
        name = member.name.removeprefix(prefix)
        if _is_native(archive, member):
            scope.find(
                "SM160",
                f"has native code: {name[:200]}",
                offset=member.header_offset,
                evidence=(("member", member.name),),
            )
        if name == _OLD or (name.startswith(_MODELS) and name.endswith(".json")):
            _program(archive, member, scope)
            known.add(member.name)
        elif _is_raw(archive, member, name):
            known.add(member.name)
    return frozenset(known & archive.members.keys())


def _is_native(archive: ZipArchive, member: ZipMember) -> bool:
    if member.name.lower().endswith(_SOURCES):
        return True
    try:
        head = bytes(archive.content(member).head(8))
    except LegacyError:
        return False  # whoever scans the member says so
    return head.startswith(_NATIVE) and not _is_tensor(member.name)


def _is_tensor(name: str) -> bool:
    return any(folder in name for folder in _RAW) and "." not in name.rpartition("/")[2]


def _is_raw(archive: ZipArchive, member: ZipMember, name: str) -> bool:
    """Whether a member is the bytes of a tensor: not a pickle, by its own bytes."""
    if not _is_tensor(name):
        return False
    try:
        content = archive.content(member)
    except LegacyError:
        return False
    return isinstance(content, View) and bytes(content.head(2)) not in (b"PK", b"\x80\x02")


def _program(archive: ZipArchive, member: ZipMember, scope: Scope) -> None:
    try:
        inner = scope.enter(member.name)
    except LegacyError as error:
        scope.unread(error)
        return
    try:
        found = json_text.parse(archive.read(member, _MAX_JSON), max_size=_MAX_JSON)
    except LegacyError as error:
        inner.unread(error)
        return
    judge_program(found.value, inner)
    for duplicate in found.duplicates:
        judge_program({duplicate.key: duplicate.value}, inner)
