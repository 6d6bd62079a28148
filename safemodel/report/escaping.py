"""Text for people: untrusted characters escaped, sizes and counts in words.

Implements spec/cli.md, "Escaping". Pure.
"""

from __future__ import annotations


def escape(text: str) -> str:
    """Text from a file, fit for a terminal: controls, bidi marks and the like become `\\x1b`.

    `isprintable` is false for every character of the Unicode categories Cc, Cf (bidi and
    zero-width marks), Cs, Co, Cn, Zl, Zp and Zs but the space.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size_text(size: int) -> str:
    """Bytes for people: `438 MB`, in powers of ten."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    units = iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while value >= 999.5 and unit != "TB":
        value /= 1000
        unit = next(units)
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def count_text(count: int, word: str) -> str:
    """`1 tensor`, `2 tensors`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
