"""Our own archives: canonical to the last byte, or said not to be.

Whether the content is what was signed is not looked at: that is what `verify` is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import ContainerError, FormatError, LegacyError
from safemodel.format import container, manifest, weights
from safemodel.format.names import MANIFEST_NAME, is_signature_name
from safemodel.limits import MAX_MANIFEST_SIZE

if TYPE_CHECKING:
    from safemodel.format.container import Entry
    from safemodel.format.manifest import Manifest
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

_VERSION: Final = b'"safemodel":'
_TAIL: Final = 1 << 16


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Check the encoding. Weights and manifest are dealt with; the other members are not."""
    member = archive.members.get(MANIFEST_NAME)
    if member is None:
        return None
    try:
        found = archive.read(member, MAX_MANIFEST_SIZE)
    except LegacyError:
        return None  # whoever scans it as a member says so
    if _VERSION not in found:
        return None
    try:
        return _check(archive, found)
    except FormatError as error:
        place = f"{error.place}: " if error.place else ""
        scope.find("SM421", f"no canonical safemodel archive: {place}{error.message}")
        return None


def _check(archive: ZipArchive, found: bytes) -> frozenset[str]:
    data = archive.data
    length = container.tail_length(data[-_TAIL:], len(data))
    entries = container.parse_tail(data[len(data) - length :], len(data))
    for entry in entries:
        expected = container.local_header(entry.name, entry.size, entry.crc32, entry.header_offset)
        if bytes(data[entry.header_offset :][: len(expected)]) != expected:
            raise ContainerError("a local header that the directory does not permit")
    said = manifest.parse(found)
    _compare(entries, said)
    dealt_with = {MANIFEST_NAME}
    for entry in entries:
        if weights.is_weights_name(entry.name):
            member = data[entry.data_offset : entry.end]
            start = weights.header_length(member[: weights.PREFIX_SIZE], len(member))
            weights.parse_header(member[:start], len(member))
            dealt_with.add(entry.name)
    return frozenset(dealt_with)


def _compare(entries: tuple[Entry, ...], said: Manifest) -> None:
    """The payload members are those of the manifest, with its sizes and CRC-32s."""
    payload = {
        entry.name: (entry.size, entry.crc32)
        for entry in entries
        if entry.name != MANIFEST_NAME and not is_signature_name(entry.name)
    }
    if payload != {name: (file.size, file.crc32) for name, file in said.files.items()}:
        raise ContainerError("other members than the manifest declares")
