"""Where generators register. Each returns a Bundle, the bytes of a file, or folder entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .bundle import Bundle, Entry


@dataclass(frozen=True)
class Adopted:
    """A folder or file that is no bundle, its detached signature, and the SHA-256 of its files."""

    signature: bytes
    entries: list[Entry]
    files: dict[str, str]


Made = Bundle | bytes | list[Entry] | Adopted
Generator = Callable[[], Made]

NOW = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Vector:
    """One vector: how it is made, how it is read, and what comes of it."""

    name: str
    comment: str
    make: Generator
    expect: str = "success"
    mode: str = "open"
    encoding: str = "archive"
    trust: Any = ("acme",)
    names: tuple[str, ...] | None = None
    request: dict[str, str] = field(default_factory=dict)
    now: str = NOW
    generated: bool = False
    read: tuple[str, ...] | None = None
    signers: tuple[str, ...] | None = None
    bundle: Generator | None = None


VECTORS: list[Vector] = []


def _add(vector: Vector) -> None:
    if any(vector.name == one.name for one in VECTORS):
        raise ValueError(f"two vectors named {vector.name}")
    VECTORS.append(vector)


def reject(
    name: str, expect: str, comment: str, mode: str = "open", **options: Any
) -> Callable[[Generator], Generator]:
    """Register a generator of something that must be refused."""

    def register(make: Generator) -> Generator:
        _add(Vector(name, comment, make, expect, mode, **options))
        return make

    return register


def accept(name: str, comment: str, **options: Any) -> Callable[[Generator], Generator]:
    """Register a generator of something that must be accepted, in every mode."""

    def register(make: Generator) -> Generator:
        options.setdefault("mode", "verify")
        _add(Vector(name, comment, make, **options))
        return make

    return register
