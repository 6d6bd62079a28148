"""Names of files in data: inside of the folder that they are relative to, or not."""

from __future__ import annotations


def leads_outside(location: str) -> str:
    """Why a name may be no plain path below the folder of the file that has it; "" if it is one.

    By the rules of every system: a backslash separates on Windows, a drive letter is absolute
    there; a scheme is a URL for loaders that take one.
    """
    parts = location.replace("\\", "/").split("/")
    if ".." in (part.strip() for part in parts):
        return "leads out of the folder"
    if "://" in location:
        return "is a URL"
    if not parts[0] and len(parts) > 1:
        return "is an absolute path"
    if parts[0][1:2] == ":" and parts[0][:1].isalpha():
        return "begins with a drive letter"
    if parts[0].startswith("~") and len(parts) > 1:
        return "begins in a home folder"
    if any(character < " " for character in location):
        return "has control characters"
    return ""
