"""What a group of real model files is, and how its files are written.

Every file is made when a test runs, by the library that users make it with. A group is a function
that gets a `Corpus` and adds files to it; `GROUPS` of the other modules name what a group needs
and how many files it makes at least, so that none is lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder, and a format that a scan has to find in it.

    `expect` is empty for what the scanner may skip: formats that are read by no loader that runs
    code, such as the text of a LightGBM model.
    """

    path: Path
    expect: str


@dataclass(slots=True)
class Corpus:
    """The files of one group, in a folder of their own."""

    folder: Path
    items: list[Item] = field(default_factory=list)

    def add(self, name: str, content: bytes | Callable[[str], Any], expect: str) -> Path:
        """Write a file: bytes, or a function that is given the path and writes it."""
        path = self.folder / name
        if path.exists():
            raise ValueError(f"{name} is there already")
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(str(path))
        else:
            path.write_bytes(content)
        self.items.append(Item(path, expect))
        return path


@dataclass(frozen=True, slots=True)
class Group:
    """A recipe.

    Attributes:
        needs: modules without which the group is skipped.
        least: how many files it makes.
    """

    make: Callable[[Corpus], None]
    needs: tuple[str, ...]
    least: int
