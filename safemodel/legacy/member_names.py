"""Names of archive members, and what is wrong with them."""

from __future__ import annotations

from typing import Final

_WORD: Final = 60  # characters of a name that a message shows


def shown(name: str) -> str:
    """The name, short enough for a message."""
    return repr(name if len(name) <= _WORD else f"{name[:_WORD]}...")


def escapes(name: str) -> bool:
    """Whether a careless extractor would write outside of its folder: absolute, drive, or `..`."""
    if name[:1] in ("/", "\\") or name[1:2] == ":":
        return True
    return ".." in name and ".." in name.replace("\\", "/").split("/")


def has_controls(name: str) -> bool:
    """Whether there are control characters: terminals obey them, and C programs stop at NUL."""
    return not name.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in name)


def folded(name: str) -> str:
    """What names have in common that some reader takes for the same."""
    name = name.replace("\\", "/").casefold()
    return name[2:] if name.startswith("./") else name
