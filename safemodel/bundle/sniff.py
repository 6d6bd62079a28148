"""Say what a file is that is no archive, so that the error tells people what to do.

Pure: from the first and last bytes to an error. It decides nothing about archives: it is asked
only after the container reader has refused.
"""

from __future__ import annotations

from safemodel.errors import (
    GitLfsPointerError,
    NotABundleError,
    SafemodelError,
    TruncatedError,
)
from safemodel.format.container import local_header
from safemodel.format.names import MANIFEST_NAME
from safemodel.format.weights import is_weights_name

HEAD = 4096
_LFS = b"version https://git-lfs.github.com/spec/"
_LOCAL_HEADER = b"PK\x03\x04"
_CENTRAL_HEADER = b"PK\x01\x02"
_CENTRAL_SIZE, _CENTRAL_NAME_LENGTH = 46, 28
_END_RECORDS = (b"PK\x05\x06", b"PK\x06\x06")

_SAVE = "save the model with safemodel.save(model, path)"
_LEGACY_HINT = f"legacy model files are not bundles; {_SAVE}"
_PLAIN_HINT = (
    "a plain file is signed with `safemodel sign FILE`, and verified with `--signature FILE`"
)

# What people try to open by mistake, by its first bytes.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5?)", _LEGACY_HINT),
    (b"\x93NUMPY", "a NumPy .npy file", _LEGACY_HINT),
    (b"GGUF", "a GGUF file", _PLAIN_HINT),
    (b"\x1f\x8b", "a gzip file", _LEGACY_HINT),
    (b"BZh", "a bzip2 file", _LEGACY_HINT),
    (b"\xfd7zXZ\x00", "an xz file", _LEGACY_HINT),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _LEGACY_HINT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", _LEGACY_HINT),
    (b"\x7fELF", "a program", _LEGACY_HINT),
    (b"%PDF", "a PDF", _PLAIN_HINT),
)


def refusal(head: bytes, tail: bytes, size: int, error: SafemodelError) -> SafemodelError:
    """The most helpful error for bytes that are no archive.

    `head` and `tail` are the first and last bytes of the file, `error` is what the container
    reader said; it comes back unchanged when the file looks like a damaged archive of ours.
    """
    if size == 0:
        return NotABundleError("is empty", hint="the download or copy may have failed; get it anew")
    if is_lfs_pointer(head):
        return lfs_pointer(size)
    if head.startswith(_LOCAL_HEADER):
        return _zip_refusal(head, tail, error)
    if _ends(tail) and _lists_manifest(tail):
        return error
    what, hint = _describe(head)
    return NotABundleError(f"is {what}, not a safemodel archive", hint=hint)


def is_lfs_pointer(head: bytes) -> bool:
    """Whether a file that begins so is a Git LFS pointer."""
    return head.startswith(_LFS)


def lfs_pointer(size: int, *, place: str | None = None) -> GitLfsPointerError:
    """The error for a Git LFS pointer of this size."""
    return GitLfsPointerError(
        f"is a Git LFS pointer ({size} bytes), not the file itself",
        place=place,
        hint="run `git lfs pull` in that repository",
    )


def _zip_refusal(head: bytes, tail: bytes, error: SafemodelError) -> SafemodelError:
    if _ends(tail):
        if _lists_manifest(tail) or is_weights_name(_first_name(head)):
            return error
    elif _begins_as_ours(head):
        return TruncatedError(
            "ends before its central directory",
            hint="the download or copy was cut short; get the file anew",
        )
    return NotABundleError(
        "is a ZIP file (PyTorch, Keras, NumPy .npz?), not a safemodel archive",
        hint=f"{_LEGACY_HINT}; {_PLAIN_HINT}",
    )


def _ends(tail: bytes) -> bool:
    return any(record in tail for record in _END_RECORDS)


def _lists_manifest(tail: bytes) -> bool:
    """Whether the central directory has a `manifest.json`, wherever it may lie in `tail`."""
    name = MANIFEST_NAME.encode("ascii")
    at = tail.find(name)
    while at >= 0:
        header = tail[max(0, at - _CENTRAL_SIZE) : at]
        length = header[_CENTRAL_NAME_LENGTH : _CENTRAL_NAME_LENGTH + 2]
        if header.startswith(_CENTRAL_HEADER) and int.from_bytes(length, "little") == len(name):
            return True
        at = tail.find(name, at + 1)
    return False


def _first_name(head: bytes) -> str:
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    return name.decode("ascii", "replace")


def _begins_as_ours(head: bytes) -> bool:
    """Whether this is the first local header of one of our archives, or the beginning of it."""
    name = _first_name(head)
    if len(head) < 30 or not name.isascii():
        return False
    crc, size = (int.from_bytes(head[at : at + 4], "little") for at in (14, 18))
    return is_weights_name(name) or head.startswith(local_header(name, size, crc, 0))


def _describe(head: bytes) -> tuple[str, str]:
    """What a file that begins so is, and what to do with it."""
    for magic, description, hint in _MAGIC:
        if head.startswith(magic):
            return description, hint
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 10**8:
        return "a bare safetensors file", f"{_SAVE}; or keep it: {_PLAIN_HINT}"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle file", _LEGACY_HINT
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page", f"perhaps what came in place of a download; {_PLAIN_HINT}"
    return ("a text file" if _is_text(head) else "something else"), _PLAIN_HINT


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
