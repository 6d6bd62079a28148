"""The configuration folder: the user's own key, and the keys of others that they trust.

Knows where the folder is and the form of its files: `own.key`, `trust.json`, and the empty
`trust.lock` that is held while the store changes. The only module of this room that writes there.
Spec: spec/signing.md, "Own key" and "Trust store".
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from safemodel import limits
from safemodel.errors import FormatError, JsonError, KeyFileError, UsageError, locating
from safemodel.format.canonical_json import JsonValue
from safemodel.trust import policy, strict_json
from safemodel.trust.keys import PublicKey, Signer, reason
from safemodel.trust.policy import TrustedKey

OWN_KEY_FILE: Final = "own.key"
TRUST_FILE: Final = "trust.json"
OWN_LABEL: Final = "your own key"
VERSION: Final = 1

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_ENTRY_KEYS: Final = frozenset({"public_key", "names"})


def config_dir() -> Path | None:
    """The folder for keys and trust; None where a user has no home."""
    chosen = os.environ.get("SAFEMODEL_CONFIG")
    if chosen:
        return Path(chosen)
    shared = os.environ.get("XDG_CONFIG_HOME")
    # A relative one must be ignored (XDG Base Directory Specification): it would let the current
    # folder, perhaps a downloaded one, say whom to trust.
    if shared and Path(shared).is_absolute():
        return Path(shared) / "safemodel"
    try:
        return _platform_folder(sys.platform, os.environ.get("APPDATA")) / "safemodel"
    except RuntimeError:
        return None


def _platform_folder(platform: str, appdata: str | None) -> Path:
    if platform == "win32" and appdata:
        return Path(appdata)
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / ".config"


def own_signer(
    *, create: bool = True, notice: Callable[[str], None] | None = None
) -> Signer | None:
    """The user's own key, made if there is none yet and `create` says so.

    `notice` is called with one line when a key was made. None if there is no key and none could
    be made: no home, or a folder that can't be written. A key file that is there and can't be
    used is an error, never replaced.
    """
    folder = config_dir()
    if folder is None:
        return None
    path = folder / OWN_KEY_FILE
    if _exists(path):
        return _load_own(path)
    if not create:
        return None
    signer = Signer.generate()
    try:
        made = _publish(path, signer.pem())
    except OSError:
        return None
    if not made:  # another process was faster
        return _load_own(path)
    if notice is not None:
        notice(f"made your signing key, {path} (key id {signer.public_key.key_id})")
    return signer


def _exists(path: Path) -> bool:
    """Whether the file is there. A folder that may not be entered is as good as none.

    Programs in containers often have the home of someone else.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    except OSError as error:
        raise KeyFileError(f"can't be read: {reason(error)}", path=str(path)) from error
    return True


_OWN_HINT: Final = (
    "put a copy back that is whole, readable and without a password; or move the file away, and "
    "the next save makes a new key (what the old one signed then counts no longer by itself)"
)


def _load_own(path: Path) -> Signer:
    try:
        return Signer.load(path)
    except KeyFileError as error:
        # What helps with other keys does not here: this one is found by its name, and used without
        # a password.
        error.hint = _OWN_HINT
        raise


def _publish(path: Path, data: bytes) -> bool:
    """Make the file with all of its content at once; False if there is one already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = _write_temporary(path, data)
    try:
        # Unlike a rename, a link never replaces: two first saves at once end with one key.
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        return _create(path, data)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _create(path: Path, data: bytes) -> bool:
    try:
        handle = os.open(path, _NEW_FILE | getattr(os, "O_BINARY", 0), 0o600)
    except FileExistsError:
        return False
    try:
        _fill(handle, data)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_temporary(path: Path, data: bytes) -> Path:
    """A file beside `path` with this content on disk, readable by its owner only."""
    import tempfile  # slow to import, and only writers come here

    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        _fill(handle, data)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _replace(path: Path, data: bytes) -> None:
    temporary = _write_temporary(path, data)
    try:
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The keys of others, by key id, each with the names that it counts for."""

    keys: Mapping[str, TrustedKey] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def load(cls) -> TrustStore:
        """The store of this user; empty if there is none yet."""
        path = _path()
        if path is None or not _exists(path):
            return cls()
        try:
            with open(path, "rb") as file:
                data = file.read(limits.MAX_TRUST_STORE + 1)
        except OSError as error:
            raise KeyFileError(
                f"the trust store can't be read: {reason(error)}", path=str(path)
            ) from error
        with locating(path=str(path)):
            return cls.parse(data)

    @classmethod
    def parse(cls, data: bytes) -> TrustStore:
        """The store in these bytes, strictly: this file decides who is believed."""
        try:
            return cls(
                MappingProxyType(_parse(strict_json.parse(data, max_size=limits.MAX_TRUST_STORE)))
            )
        except (FormatError, KeyFileError, UsageError) as error:
            raise KeyFileError(
                f"not a trust store: {error.message}", place=error.place, hint=_REPAIR
            ) from error

    def encode(self) -> bytes:
        """The bytes of the store: readable JSON, sorted."""
        entries: dict[str, JsonValue] = {}
        for key_id, trusted in self.keys.items():
            names: list[JsonValue] = list(trusted.names or ())
            entry: dict[str, JsonValue] = {"public_key": trusted.key.pem, "names": names}
            if trusted.label is not None:
                entry["label"] = trusted.label
            entries[key_id] = entry
        value = {"version": VERSION, "keys": entries}
        return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode("utf-8")


_REPAIR: Final = "move the file away and add the keys again with `safemodel trust add`"


def add(key: PublicKey, names: str | tuple[str, ...], *, label: str | None = None) -> TrustedKey:
    """Trust a key for these names as well as those that it had; store it and return the entry."""
    added = policy.check_patterns(names)
    if label is not None:
        _check_label(label)
    with _editing() as keys:
        old = keys.get(key.key_id)
        if old is not None:
            added = policy.check_patterns(added + (old.names or ()))
            label = label if label is not None else old.label
        keys[key.key_id] = TrustedKey(key, label, added)
        return keys[key.key_id]


def remove(key_id: str, names: str | tuple[str, ...] | None = None) -> TrustedKey | None:
    """Stop trusting a key, for these names or altogether; return what is left of its entry.

    `key_id` may be shortened to a beginning of at least 8 digits that only one key has.
    """
    dropped = None if names is None else policy.check_patterns(names)
    with _editing() as keys:
        found = _find(keys, key_id)
        old = keys.pop(found)
        kept = () if dropped is None else tuple(n for n in old.names or () if n not in dropped)
        if dropped is not None and kept == old.names:
            raise UsageError(
                f"key {found} is not trusted for {', '.join(dropped)}",
                hint="it is trusted for " + ", ".join(kept),
            )
        if not kept:
            return None
        keys[found] = TrustedKey(old.key, old.label, kept)
        return keys[found]


def _find(keys: Mapping[str, TrustedKey], key_id: str) -> str:
    wanted = key_id.lower()
    found = [one for one in keys if one == wanted or (len(wanted) >= 8 and one.startswith(wanted))]
    if len(found) != 1:
        what = "more than one key in the trust store begins with" if found else "no trusted key is"
        raise UsageError(f"{what} {key_id!r}", hint="`safemodel trust list` shows them")
    return found[0]


def _path() -> Path | None:
    folder = config_dir()
    return None if folder is None else folder / TRUST_FILE


@contextlib.contextmanager
def _editing() -> Iterator[dict[str, TrustedKey]]:
    """Change the store: locked, so that no change is lost, and replaced in one step."""
    path = _path()
    if path is None:
        raise KeyFileError(
            "there is no folder for the trust store", hint="set SAFEMODEL_CONFIG to one"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            keys = dict(TrustStore.load().keys)
            yield keys
            _replace(path, TrustStore(keys).encode())
    except OSError as error:
        raise KeyFileError(
            f"the trust store can't be written: {reason(error)}", path=str(path)
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock where the system has them (not on Windows)."""
    with open(path, "ab") as file:
        try:
            import fcntl
        except ImportError:
            pass
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _parse(value: JsonValue) -> dict[str, TrustedKey]:
    found = strict_json.members(value, "the store", required=frozenset({"version", "keys"}))
    strict_json.constant(found["version"], "version", VERSION)
    entries = found["keys"]
    if not isinstance(entries, dict):
        raise JsonError("keys is not an object")
    return {key_id: _parse_entry(key_id, entry) for key_id, entry in entries.items()}


def _parse_entry(key_id: str, value: JsonValue) -> TrustedKey:
    entry = strict_json.members(
        value, "an entry", required=_ENTRY_KEYS, optional=frozenset({"label"})
    )
    pem = strict_json.text(entry["public_key"], "public_key", max_size=limits.MAX_KEY_FILE)
    key = PublicKey.load(pem.encode("utf-8"))
    if key.key_id != key_id:
        raise JsonError(f"{key_id[:64]!r} is not the id of its key")
    names = tuple(
        strict_json.text(name, "a name", max_size=limits.MAX_MODEL_NAME)
        for name in strict_json.items(entry["names"], "names")
    )
    label = None
    if "label" in entry:
        label = strict_json.text(entry["label"], "label", max_size=limits.MAX_LABEL)
        _check_label(label)
    return TrustedKey(key, label, policy.check_patterns(names))


def _check_label(label: str) -> None:
    if not label or not label.isprintable() or len(label.encode("utf-8")) > limits.MAX_LABEL:
        raise UsageError(f"a label is 1 to {limits.MAX_LABEL} printable characters")
