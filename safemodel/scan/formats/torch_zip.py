"""PyTorch's ZIP checkpoints, those of Lightning included: one pickle, and a member a storage.

What `torch.load` reads is below the folder of the first member, without regard to case. Only the
pickle is read here: tensors are compared with their members by size. TorchScript archives have
code besides (`torch_script.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.scan.evidence import bounded
from safemodel.scan.formats import pickle
from safemodel.scan.formats.torch_records import STORAGE_NAMES, Storages

if TYPE_CHECKING:
    from safemodel.legacy.zip_facts import ZipMember
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.names.entry import Entry
    from safemodel.scan.scope import Scope

_PICKLE: Final = "data.pkl"
_SCRIPT: Final = "constants.pkl"
_MAX_RECORD: Final = 100
_UNUSED: Final = "/traced_inputs/"  # torch.jit.trace saves their storages without data

# small records -> characters that they consist of
_DIGITS: Final = frozenset("0123456789")
RECORDS: Final = {
    "version": _DIGITS,
    ".data/version": _DIGITS,
    ".data/serialization_id": _DIGITS | frozenset("abcdef"),
    ".format_version": _DIGITS,
    ".storage_alignment": _DIGITS,
    "byteorder": frozenset("litebgnd"),
}


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Judge a checkpoint. None: not one, or a TorchScript archive."""
    root = root_of(archive)
    pickles = archive.alike(f"{root}/{_PICKLE}")
    if not root or not pickles or f"{root}/{_SCRIPT}" in archive.members:
        return None
    known = check_records(archive, root, scope)
    for member in pickles:
        known |= judge_pickle(archive, member, f"{root}/data/", scope)
    return frozenset(known)


def root_of(archive: ZipArchive) -> str:
    """The folder of the first member, where PyTorch looks for its records; "" if it has none."""
    first = next((member.name for member in archive.facts.members if member.listed), "")
    root, slash, _ = first.partition("/")
    return root if slash else ""


def judge_pickle(
    archive: ZipArchive,
    member: ZipMember,
    folder: str,
    scope: Scope,
    names: Mapping[tuple[str, str], Entry] = STORAGE_NAMES,
) -> set[str]:
    """Judge a pickle whose storages are members of a folder; the members dealt with."""

    def size(key: str) -> int | None:
        if folder.endswith(_UNUSED):
            return -1
        found = archive.alike(folder + key)
        return min((each.size for each in found), default=None)

    storages = Storages(size, name="torch.load", names=names)
    known = {member.name}
    try:
        content = archive.content(member)
        if not pickle.follow(content, scope.enter(member.name), storages.loader):
            known = set()  # no loader of PyTorch's reads it; what else it is, others say
    except LegacyError as error:
        scope.unread(error)
    scope.budget.check_time()
    known |= {folder + key for key in storages.used}
    return {name for name in known if name in archive.members}


def check_records(archive: ZipArchive, root: str, scope: Scope) -> set[str]:
    """Look at the small records that every archive of PyTorch may have; their members' names."""
    known: set[str] = set()
    for record, characters in RECORDS.items():
        member = archive.members.get(f"{root}/{record}")
        if member is None:
            continue
        known.add(member.name)
        try:
            text = str(archive.read(member, _MAX_RECORD), "latin-1").strip()
        except LegacyError as error:
            scope.unread(error)
            continue
        if not text or not characters.issuperset(text):
            message = f"{record} is {bounded(text, 60)!r}"
            scope.find("SM157", message, offset=member.header_offset)
    return known
