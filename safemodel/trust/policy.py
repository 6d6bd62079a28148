"""Which keys count, and for which models: `TrustedKeys`, `UNSIGNED` and the default.

Knows keys, labels and the names that a key is trusted for. Does not know files or signatures.
Spec: spec/signing.md, "Trust".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, TypeAlias

from safemodel import limits
from safemodel.errors import UsageError
from safemodel.format.metadata import MODEL_NAME
from safemodel.trust.keys import PublicKey

_PATTERN: Final = re.compile(rf"\*|{MODEL_NAME}(?:/\*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that counts: what its owner is called here, and the names it counts for.

    `names` of None is any name, and no name too.
    """

    key: PublicKey
    label: str | None = None
    names: tuple[str, ...] | None = None

    def counts_for(self, name: str | None) -> bool:
        """Whether the key counts for a model of this name (None: the model has no name)."""
        return self.names is None or any(matches(pattern, name) for pattern in self.names)


class Trust(Protocol):
    """Whom the caller believes. Implementations are cheap to make and read files when asked."""

    @property
    def requires_signature(self) -> bool:
        """Whether there must be a signature by a key that counts."""
        ...

    def candidate_keys(self) -> Mapping[str, TrustedKey]:
        """Every key that may count for some name, by key id."""
        ...

    def accepts(self, key_id: str, name: str | None) -> bool:
        """Whether this key counts for a model of this name."""
        ...


class _Keys:
    """What is common to every trust that is a set of keys."""

    requires_signature = True

    def candidate_keys(self) -> Mapping[str, TrustedKey]:
        raise NotImplementedError

    def accepts(self, key_id: str, name: str | None) -> bool:
        found = self.candidate_keys().get(key_id)
        return found is not None and found.counts_for(name)


class TrustedKeys(_Keys):
    """Exactly these keys, for the models of these names (without `names`: for all)."""

    def __init__(
        self,
        *keys: str | os.PathLike[str] | bytes | PublicKey,
        names: str | Iterable[str] | None = None,
    ) -> None:
        if not keys:
            raise UsageError(
                "no key given", hint="for example: TrustedKeys('acme.pub'), or UNSIGNED"
            )
        scope = None if names is None else check_patterns(names)
        for key in keys:
            if not isinstance(key, (PublicKey, str, bytes, os.PathLike)):
                raise UsageError(
                    f"a {_kind(key)} is not a public key",
                    hint="give each key, or the path of its file, as an argument of its own",
                )
        loaded = [(_label(key), _key(key)) for key in keys]
        self._keys = {key.key_id: TrustedKey(key, label, scope) for label, key in loaded}

    def candidate_keys(self) -> Mapping[str, TrustedKey]:
        return self._keys

    def __repr__(self) -> str:
        return f"TrustedKeys({', '.join(self._keys)})"


class DefaultTrust(_Keys):
    """The user's own key for every model, and the trust store, each key for its names."""

    @cached_property
    def _keys(self) -> Mapping[str, TrustedKey]:
        from safemodel.trust import store

        keys = dict(store.TrustStore.load().keys)
        own = store.own_signer(create=False)
        if own is not None:
            keys[own.public_key.key_id] = TrustedKey(own.public_key, store.OWN_LABEL)
        return keys

    def candidate_keys(self) -> Mapping[str, TrustedKey]:
        return self._keys

    def __repr__(self) -> str:
        return "DefaultTrust()"


class Unsigned(DefaultTrust):
    """No signature is asked for: this finds damage and no attack, and the result has no signers.

    A signature that is there must still be valid, as far as its key is known on this machine.
    """

    requires_signature = False

    def candidate_keys(self) -> Mapping[str, TrustedKey]:
        # Not cached: the one UNSIGNED lives as long as the program, the trust store changes.
        return DefaultTrust().candidate_keys()

    def accepts(self, key_id: str, name: str | None) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNSIGNED"


UNSIGNED: Final = Unsigned()


# What a caller may write behind `trust=`: `resolve` says what it means.
TrustLike: TypeAlias = Trust | PublicKey | str | os.PathLike[str] | bytes | None


def resolve(trust: TrustLike) -> Trust:
    """What a caller's `trust=` means: nothing is the default, a key or its file is that key.

    Raises:
        UsageError: it is something else, such as a list of keys.
        KeyFileError: it names a file that holds no public key.
    """
    if trust is None:
        return DefaultTrust()
    if isinstance(trust, (PublicKey, str, bytes, os.PathLike)):
        return TrustedKeys(trust)
    if isinstance(trust, type) or not hasattr(trust, "candidate_keys"):
        raise UsageError(
            f"trust= is a {_kind(trust)}, which says nothing of whom you trust",
            hint="for example trust='acme.pub', trust=safemodel.TrustedKeys('acme.pub', 'b.pub') "
            "or trust=safemodel.UNSIGNED",
        )
    return trust


def check_patterns(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names a key may count for: exact (`acme/fraud`), below a prefix (`acme/*`), or all (`*`)."""
    patterns = (names,) if isinstance(names, str) else tuple(names)
    if not patterns:
        raise UsageError("no names given", hint="for example 'acme/*', or '*' for every model")
    for pattern in patterns:
        if len(pattern) > limits.MAX_MODEL_NAME or not _PATTERN.fullmatch(pattern):
            raise UsageError(
                f"{pattern[:100]!r} is not a name that a key can be trusted for",
                hint="a model's name such as 'acme/fraud', all below one such as 'acme/*', or '*'",
            )
    return tuple(sorted(set(patterns)))


def matches(pattern: str, name: str | None) -> bool:
    """Whether a model's name is within a pattern. Exact, and case counts."""
    if pattern == "*":
        return True
    if name is None:
        return False
    if pattern.endswith("/*"):
        prefix = pattern[:-1]
        return name.startswith(prefix) and len(name) > len(prefix)
    return name == pattern


def _kind(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _key(source: str | os.PathLike[str] | bytes | PublicKey) -> PublicKey:
    return source if isinstance(source, PublicKey) else PublicKey.load(source)


def _label(source: str | os.PathLike[str] | bytes | PublicKey) -> str | None:
    """What to call a key that came from a file: the file's name."""
    if isinstance(source, (PublicKey, bytes)) or "-----BEGIN" in os.fspath(source):
        return None
    return os.path.basename(os.fspath(source)).removesuffix(".pub") or None
