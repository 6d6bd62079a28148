"""Exported PyTorch programs (`.pt2`): JSON that is evaluated, pickles of tensors, native code.

`torch.export.load` gives strings of the JSON to `sympify` and `exec`, looks targets up by getattr,
and unpickles weights and sample inputs without restriction where restricted unpickling fails
(torch/_export/serde, torch/export/pt2_archive). Nested `.pt` files are scanned as what they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy import json_text
from safemodel.scan.evidence import bounded
from safemodel.scan.formats.torch_program import judge_program
from safemodel.scan.formats.torch_zip import check_records, root_of

if TYPE_CHECKING:
    from safemodel.legacy.zip_facts import ZipMember
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

_FORMAT: Final = "archive_format"
_OLD: Final = "serialized_exported_program.json"  # until PyTorch 2.6
_MODELS: Final = "models/"
_MAX_JSON: Final = 256 << 20
_TENSORS: Final = ("data/weights", "data/constants")
_CONFIG: Final = "_config.json"
# objects of other kinds are unpickled whatever the configuration says
_TENSOR: Final = re.compile(r"(?:weight|tensor)_[0-9]+")
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
                f"has native code: {bounded(name)}",
                offset=member.header_offset,
                evidence=(("member", member.name),),
            )
        if name == _OLD or (name.startswith(_MODELS) and name.endswith(".json")):
            _program(archive, member, scope)
            known.add(member.name)
    known |= _raw(archive, prefix, scope)
    return frozenset(known & archive.members.keys())


def _is_native(archive: ZipArchive, member: ZipMember) -> bool:
    if member.name.lower().endswith(_SOURCES):
        return True
    try:
        head = bytes(archive.content(member).head(8))
    except LegacyError:
        return False  # whoever scans the member says so
    return head.startswith(_NATIVE)


def _raw(archive: ZipArchive, prefix: str, scope: Scope) -> set[str]:
    """The members that are bytes of tensors and no pickles, as all configurations agree."""
    pickled: dict[str, bool] = {}
    for member in archive.facts.members:
        folder = member.name.removeprefix(prefix).rpartition("/")[0]
        if folder not in _TENSORS or not member.name.endswith(_CONFIG):
            continue
        try:
            tree = json_text.parse(archive.read(member, _MAX_JSON), max_size=_MAX_JSON)
        except LegacyError as error:
            scope.unread(error)
            return set()
        config = tree.value.get("config") if isinstance(tree.value, dict) else None
        if tree.duplicates or not isinstance(config, dict):
            return set()
        for entry in config.values():
            path = entry.get("path_name") if isinstance(entry, dict) else None
            if isinstance(path, str) and isinstance(entry, dict):
                name = f"{prefix}{folder}/{path}"
                plain = entry.get("use_pickle") is False and _TENSOR.fullmatch(path)
                pickled[name] = pickled.get(name, False) or not plain
    return {name for name, pickle in pickled.items() if not pickle}


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
