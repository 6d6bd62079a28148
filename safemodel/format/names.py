"""Member names: those that mean the same file everywhere (spec/format.md, "Member names").

A name is one or more components joined by `/`, at most 200 bytes and 8 components. A component
matches `[A-Za-z0-9_][A-Za-z0-9._-]*`, does not end with a dot, and its part before the first dot
is no device name of Windows. So there are no absolute names, `..`, hidden files, `.git`, alternate
data streams or Unicode look-alikes, and a bundle unpacks to the same files on every system.

In one bundle no two names are equal under case folding, no name is a folder of another, and a
folder is spelled in one way only. `manifest.json` and `signatures/` are not for payload members.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from safemodel import limits
from safemodel.errors import LimitError, MemberNameError

MANIFEST_NAME: Final = "manifest.json"
SIGNATURES_FOLDER: Final = "signatures"
SIGNATURE_ENDING: Final = ".sigstore.json"
SIGNATURE_NAMES_HINT: Final = (
    "they are named signatures/<key id>.manifest.sigstore.json or .oms.sigstore.json"
)

_COMPONENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?<!\.)")
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_SIGNATURE: Final = re.compile(r"signatures/([0-9a-f]{64})\.(manifest|oms)\.sigstore\.json")


def check_member_name(name: str) -> None:
    """Refuse a name that is not the name of a member, of whatever kind."""
    if len(name) > limits.MAX_MEMBER_NAME:
        raise MemberNameError(
            f"a member name of {len(name)} characters, more than {limits.MAX_MEMBER_NAME}"
        )
    components = name.split("/")
    if len(components) > limits.MAX_MEMBER_DEPTH:
        raise MemberNameError(
            f"member name {name!r} has more than {limits.MAX_MEMBER_DEPTH} components"
        )
    for component in components:
        if not _COMPONENT.fullmatch(component):
            raise MemberNameError(
                f"member name {name!r} is not portable",
                hint="components have letters, digits, '_', '-' and '.', start with none of the "
                "last two and do not end with '.'",
            )
        if _DEVICE.fullmatch(component):
            raise MemberNameError(f"member name {name!r} is a device on Windows")


def check_payload_name(name: str) -> None:
    """Refuse a name that is not the name of a payload member."""
    check_member_name(name)
    first = name.lower().split("/")[0]
    if first in (MANIFEST_NAME, SIGNATURES_FOLDER):
        raise MemberNameError(f"member name {name!r} is reserved for the format itself")


def check_signature_name(name: str) -> None:
    """Refuse a name that is not `signatures/<key id>.<kind>.sigstore.json`."""
    if parse_signature_name(name) is None:
        check_member_name(name)
        raise MemberNameError(
            f"member name {name!r} is not that of a signature file", hint=SIGNATURE_NAMES_HINT
        )


def signature_name(key_id: str, kind: str) -> str:
    """Return the name of the member that holds the signature of this kind by this key."""
    return f"{SIGNATURES_FOLDER}/{key_id}.{kind}{SIGNATURE_ENDING}"


def parse_signature_name(name: str) -> tuple[str, str] | None:
    """Return key id and kind from the name of a signature file; None if it is no such name."""
    found = _SIGNATURE.fullmatch(name)
    return None if found is None else (found[1], found[2])


def is_signature_name(name: str) -> bool:
    """Say whether the name lies in the folder of the signatures."""
    return name.startswith(SIGNATURES_FOLDER + "/")


def check_member_names(names: Iterable[str]) -> None:
    """Refuse names that are not permitted, alone or together in one bundle."""
    files: dict[str, str] = {}
    for name in names:
        if len(files) == limits.MAX_MEMBERS:
            raise LimitError(f"more than {limits.MAX_MEMBERS} members")
        check_member_name(name)
        folded = name.lower()
        if folded in files:
            raise MemberNameError(f"member names {files[folded]!r} and {name!r} are the same file")
        files[folded] = name
    _check_folders(files)


def _check_folders(files: dict[str, str]) -> None:
    folders: dict[str, str] = {}
    for name in files.values():
        for end in (i for i, character in enumerate(name) if character == "/"):
            folder = name[:end]
            folded = folder.lower()
            if folded in files:
                raise MemberNameError(f"member {files[folded]!r} is also a folder, of {name!r}")
            if folders.setdefault(folded, folder) != folder:
                raise MemberNameError(
                    f"folders {folders[folded]!r} and {folder!r} differ only in case"
                )
