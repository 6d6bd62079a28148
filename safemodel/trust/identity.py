"""Which model: the name, version and digest that the caller asked for.

A valid signature says who, and not which: a signer's old or other model is validly signed too.
Spec: spec/signing.md, "Which model".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from safemodel.errors import UsageError, WrongModelError
from safemodel.limits import MAX_VERSION

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_OPERATORS: Final = ("<", ">", "=", "!", "~")


@dataclass(frozen=True, slots=True)
class Requested:
    """What was asked for. `version` is exact (`3.1`) or a PEP 440 specifier (`>=3,<4`)."""

    name: str | None = None
    version: str | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        for what in ("name", "version", "digest"):
            value = getattr(self, what)
            if not isinstance(value, str | None):
                raise UsageError(
                    f"the {what} asked for is a {type(value).__name__}, and no string",
                    hint="quote it, as in version='3' or version='>=3,<4'",
                )
        if self.name == "":
            raise UsageError("the name asked for is empty")
        if self.version is not None:
            _check_specifier(self.version)
        if self.digest is not None:
            digest = self.digest.removeprefix("sha256:").lower()
            if not _DIGEST.fullmatch(digest):
                raise UsageError(
                    "the digest asked for is not a SHA-256",
                    hint="64 hexadecimal digits, as `safemodel inspect` shows them",
                )
            object.__setattr__(self, "digest", digest)


def check_digest(requested: Requested, digest: str) -> None:
    """Raise `WrongModelError` unless this is the bundle that was asked for by its digest."""
    if requested.digest is not None and requested.digest != digest:
        raise WrongModelError(
            f"the bundle digest is {digest}, and {requested.digest} was asked for",
            hint="this is another model, or another version of it",
        )


def check_model(
    requested: Requested, *, name: str | None, version: str | None, digest: str
) -> None:
    """Raise `WrongModelError` unless the model is the one asked for, in every way asked."""
    check_digest(requested, digest)
    if requested.name is not None and requested.name != name:
        actual = "has no name" if name is None else f"is named {name!r}"
        raise WrongModelError(
            f"the model {actual}, and {requested.name!r} was asked for",
            hint="if that is the one you want, ask for it by that name",
        )
    if requested.version is not None:
        _check_version(requested.version, version)


def _check_version(wanted: str, version: str | None) -> None:
    if version is None:
        raise WrongModelError(f"the model has no version, and {wanted!r} was asked for")
    if version == wanted:
        return
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        if len(version) > MAX_VERSION:
            raise InvalidVersion(version)
        actual = Version(version)
        if _is_specifier(wanted):
            # A release candidate is not what `>=3` asks for; `>=3rc1` says that it is.
            specifier = SpecifierSet(wanted)
            fits = specifier.contains(actual, prereleases=bool(specifier.prereleases))
        else:
            fits = actual == Version(wanted)
    except InvalidVersion:
        raise WrongModelError(
            f"the version {version[:MAX_VERSION]!r} can't be compared with {wanted!r}",
            hint="versions are compared as in PEP 440; ask for exactly this one, or by digest",
        ) from None
    if not fits:
        raise WrongModelError(
            f"the model has version {version}, and {wanted!r} was asked for",
            hint="get the version that you want, or change what you ask for",
        )


def _check_specifier(wanted: str) -> None:
    if not wanted or len(wanted) > MAX_VERSION:
        raise UsageError("the version asked for is empty or too long")
    if not _is_specifier(wanted):
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(wanted)
    except InvalidSpecifier as error:
        raise UsageError(
            f"{wanted!r} is not a version, nor a range of versions",
            hint="for example '3.1', '>=3', '>=3,<4', '~=3.1' (PEP 440)",
        ) from error


def _is_specifier(wanted: str) -> bool:
    return wanted.lstrip().startswith(_OPERATORS)
