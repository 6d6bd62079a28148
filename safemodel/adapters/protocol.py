"""What an adapter is: a module with these names, and what passes between it and the bundle.

Knows no framework. Implements spec/format.md, "Architecture".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from safemodel.errors import StateMismatchError

if TYPE_CHECKING:
    from safemodel.bundle.contents import Payload, TensorData
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

PARTLY: Final = "pass strict=False to load what fits and get a report of the rest"


@dataclass(frozen=True, slots=True)
class Saved:
    """What an adapter makes of a live object.

    `libraries` maps the libraries that the object comes from to their versions. The adapter must
    read it back from exactly this, but for `notices`: lines to show to whoever saves it.
    `extra` has `x-` fields for the manifest.
    """

    architecture: JsonValue
    tensors: tuple[TensorData, ...]
    libraries: Mapping[str, str]
    training_state: JsonValue = None
    members: Mapping[str, Payload] = field(default_factory=dict)
    framework: str | None = None  # where it is not the adapter's
    notices: tuple[str, ...] = ()
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An entry that is on both sides and does not fit: what the object has, what the archive."""

    name: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.name}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of the state that was loaded into an object (`into=`).

    `missing`: entries of the object that the archive does not have, left as they were.
    `unexpected`: entries of the archive that the object does not have.
    `mismatched`: entries of another shape or type, left as they were.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[Mismatch, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every entry found its place."""
        return not (self.missing or self.unexpected or self.mismatched)

    def check(self, *, strict: bool) -> None:
        """Refuse what does not fit wholly, if it must.

        Raises:
            StateMismatchError: it is `strict`, and not every entry found its place.
        """
        if strict and not self.complete:
            raise StateMismatchError(str(self), hint=PARTLY)

    def __str__(self) -> str:
        if self.complete:
            return "all entries loaded"
        groups = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("mismatched", tuple(map(str, self.mismatched))),
        )
        return "; ".join(f"{what}: {_some(names)}" for what, names in groups if names)


def _some(names: Sequence[str]) -> str:
    # Names of a file are for people: nothing in them may be an order to a terminal.
    shown = ", ".join(
        name if name.isprintable() else repr(name)[1:-1] for name in map(str, names[:5])
    )
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


class AdapterModule(Protocol):
    """A module of `safemodel.adapters`: named in the manifest, versioned, with both directions."""

    NAME: str
    VERSION: int
    FRAMEWORK: str

    def save(self, obj: object, **options: Any) -> Saved:
        """Turn an object into tensors and JSON.

        `options` are those that the adapter names in `SAVE_OPTIONS`, if it has any.

        Raises:
            UnsavableError: part of it can't be represented; `place` is its path.
        """

    def load(
        self,
        bundle: VerifiedBundle,
        *,
        into: object | None = None,
        device: object | None = None,
        allow: Sequence[str] = (),
        strict: bool = True,
        **options: Any,
    ) -> object:
        """Rebuild the object, or put its state into `into` and return a LoadReport.

        `options` are those that the adapter names in `LOAD_OPTIONS`, if it has any.

        Raises:
            ArchitectureError: the architecture must not be built.
            StateMismatchError: the state does not fit `into`; `into` is unchanged. Or code of
                `into` itself raises, and it may be changed in part.
        """
