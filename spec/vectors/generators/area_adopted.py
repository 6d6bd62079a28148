"""Adopted folders and files (signing.md, "Adopted folders"): no bundles, signed as they are."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from . import signing, writer
from .bundle import Entry
from .registry import Adopted
from .registry import accept as _accept
from .registry import reject as _reject

reject = partial(_reject, encoding="adopted", mode="verify")
accept = partial(_accept, encoding="adopted", mode="verify")

FILES = {"config.json": b"{}\n", "model/weights.bin": b"\0" * 5000, ".hidden": b"", "a b.txt": b"x"}


def chunks(data: bytes, **other: Any) -> dict[str, Any]:
    """The annotation with our chunk digests."""
    made = {
        "algorithm": "blake3",
        "chunk_size": writer.MIB,
        "digests": writer.b64(writer.digests(data)),
    }
    return {"safemodel.dev/chunks": made | other}


def resources(files: dict[str, bytes], *, annotated: bool = True) -> list[dict[str, Any]]:
    """What a statement lists."""
    listed = []
    for name in sorted(files, key=str.encode):
        one = signing.resource(name, files[name])
        listed.append(one | ({"annotations": chunks(files[name])} if annotated else {}))
    return listed


def adopted(
    edit: Callable[[list[dict[str, Any]]], Any] = lambda listed: None,
    *,
    files: dict[str, bytes] | None = None,
    extra: tuple[Entry, ...] = (),
    annotated: bool = True,
) -> Adopted:
    """A folder with these files, and a signature over an edited list of them."""
    files = FILES if files is None else files
    listed = resources(files, annotated=annotated)
    edit(listed)
    _, signature = signing.signature_file("acme", signing.oms_statement(listed), "oms")
    entries = [{"path": name, "content": writer.b64(data)} for name, data in sorted(files.items())]
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    return Adopted(signature, [*entries, *extra], digests)


def with_content(name: str, data: bytes) -> Adopted:
    """A folder in which one file is not what was signed."""
    made = adopted()
    for entry in made.entries:
        if entry["path"] == name:
            entry["content"] = writer.b64(data)
    return made


# name, comment, edit of the list, error
_LISTS: list[tuple[str, str, Callable[[list[dict[str, Any]]], Any], str]] = [
    ("missing-file", "a signed file is not there", lambda r: r.append(signing.resource("z", b"") | {"annotations": chunks(b"")}), "BadSignatureError"),
    ("unsigned-file", "a file is not signed", lambda r: r.pop(0), "BadSignatureError"),
    ("nothing", "nothing is signed", lambda r: r.clear(), "BadSignatureError"),
    ("chunks-some", "chunk digests for some files only", lambda r: r[0].pop("annotations"), "SignatureFormatError"),
    ("chunks-algorithm", "an unknown algorithm", lambda r: [one.update(annotations=chunks(b"", algorithm="md5")) for one in r], "SignatureFormatError"),
    ("chunks-algorithms", "two algorithms", lambda r: r[0].update(annotations=chunks(b"", algorithm="sha256")), "SignatureFormatError"),
    ("chunks-size", "a chunk size that is no power of two", lambda r: [one.update(annotations=chunks(b"", chunk_size=3 << 20)) for one in r], "SignatureFormatError"),
    ("chunks-size-small", "a chunk size below 1 MiB", lambda r: [one.update(annotations=chunks(b"", chunk_size=1 << 19)) for one in r], "SignatureFormatError"),
    ("chunks-length", "chunk digests of 31 bytes", lambda r: r[-1].update(annotations=chunks(b"", digests=writer.b64(bytes(31)))), "SignatureFormatError"),
    ("chunks-key", "an unknown key", lambda r: r[-1].update(annotations=chunks(b"", size=1)), "SignatureFormatError"),
    ("chunks-count", "two chunk digests for one chunk", lambda r: r[-1].update(annotations=chunks(b"", digests=writer.b64(bytes(64)))), "DigestMismatchError"),
    ("chunks-other", "chunk digests of another file: SHA-256 and chunks disagree", lambda r: r[-1].update(annotations=chunks(b"other")), "DigestMismatchError"),
    ("digest-other", "a SHA-256 of another file: SHA-256 and chunks disagree", lambda r: r[-1].update(digest="0" * 64), "DigestMismatchError"),
]  # fmt: skip


def _register() -> None:
    for name, comment, edit, error in _LISTS:
        reject(f"adopted-{name}", error, comment)(lambda edit=edit: adopted(edit))


_register()


@reject("adopted-flip", "DigestMismatchError", "one byte of a file")
def _() -> Adopted:
    return with_content("config.json", b"[}\n")


@reject("adopted-shorter", "DigestMismatchError", "a file is shorter than it was")
def _() -> Adopted:
    return with_content("model/weights.bin", b"\0" * 4999)


@reject("adopted-link", "FolderError", "a symbolic link, as in the cache of a hub")
def _() -> Adopted:
    return adopted(extra=({"path": "link", "link": "config.json"},))


@reject("adopted-extra", "BadSignatureError", "a file that came later")
def _() -> Adopted:
    return adopted(extra=({"path": "modeling.py", "content": writer.b64(b"1/0")},))


@reject("adopted-git-below", "BadSignatureError", "a git file that is not at the top")
def _() -> Adopted:
    return adopted(extra=({"path": "model/.gitignore", "content": ""},))


@reject(
    "adopted-manifest-statement", "BadSignatureError", "a statement over a bundle, and this is none"
)
def _() -> Adopted:
    made = adopted()
    statement = signing.manifest_statement(b"")
    return Adopted(signing.signature_file("acme", statement)[1], made.entries, made.files)


@reject("adopted-untrusted", "UntrustedSignerError", "signed by a stranger")
def _() -> Adopted:
    made = adopted()
    statement = signing.oms_statement(resources(FILES))
    return Adopted(
        signing.signature_file("stranger", statement, "oms")[1], made.entries, made.files
    )


@reject("adopted-not-a-signature", "SignatureFormatError", "a detached signature that is none")
def _() -> Adopted:
    made = adopted()
    return Adopted(b"{}", made.entries, made.files)


@reject(
    "adopted-single-in-folder",
    "BadSignatureError",
    "a single file is signed, and a folder is there",
)
def _() -> Adopted:
    made = adopted(files={".": b"x"})
    entry = {"path": "x", "content": writer.b64(b"x")}
    return Adopted(made.signature, [entry], made.files)


@accept("adopted-folder", "a folder, hidden files too, with chunk digests")
def _() -> Adopted:
    return adopted()


@accept("adopted-folder-plain", "the same without chunk digests")
def _() -> Adopted:
    return adopted(annotated=False)


@accept("adopted-folder-stock", "as the stock tool writes it: other order, spelling, ignored paths")
def _() -> Adopted:
    made = adopted()
    statement = signing.oms_statement(resources(FILES, annotated=False)[::-1])
    ignored = [".git", ".gitattributes", ".github", ".gitignore", "/home/me/model.sig"]
    statement["predicate"]["serialization"]["ignore_paths"] = ignored
    payload = json.dumps(statement, indent=4).encode()
    return Adopted(signing.signature_file("acme", payload, "oms")[1], made.entries, made.files)


@accept("adopted-git", "what git keeps at the top is not content")
def _() -> Adopted:
    kept = (".git/config", ".gitignore", ".gitattributes", ".github/x")
    return adopted(extra=tuple({"path": name, "content": "eA=="} for name in kept))


@accept("adopted-file", "a single file, named `.`")
def _() -> Adopted:
    return adopted(files={".": b"GGUF" + bytes(100)})


@accept("adopted-file-named", "a single file, by its own name, which is `model`")
def _() -> Adopted:
    made = adopted(files={"model": b"GGUF"})
    entry = {"path": ".", "content": made.entries[0]["content"]}
    return Adopted(made.signature, [entry], {".": made.files["model"]})
