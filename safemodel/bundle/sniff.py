"""Say what a file is that is no archive, so that the error tells people what to do.

Pure: from the first and last bytes to an error. It decides nothing about archives: it is asked
only after the container reader has refused.
"""

from __future__ import annotations

from safemodel.errors import (
    ContainerError,
    GitLfsPointerError,
    NotABundleError,
    SafemodelError,
    TruncatedError,
)

HEAD = 4096
_LFS = b"version https://git-lfs.github.com/spec/"
_LOCAL_HEADER = b"PK\x03\x04"
_END_RECORDS = (b"PK\x05\x06", b"PK\x06\x06")

_LEGACY_HINT = "legacy model files are not bundles; save the model with safemodel.save(model, path)"

# What people try to open by mistake, by its first bytes.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5?)"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF"),
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
    if any(record in tail for record in _END_RECORDS) and b"manifest.json" in tail:
        return error
    return NotABundleError(f"is {_describe(head)}, not a safemodel archive", hint=_LEGACY_HINT)


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
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    ours = name.startswith((b"weights", b"manifest.json")) or b"manifest.json" in tail
    ends = any(record in tail for record in _END_RECORDS)
    if not ends:
        return TruncatedError(
            f"{'' if ours else 'is a ZIP file that '}ends before its central directory",
            hint="the download or copy was cut short; get the file anew",
        )
    if ours or not isinstance(error, ContainerError):
        return error
    return NotABundleError(
        "is a ZIP file (PyTorch, Keras, NumPy .npz?), not a safemodel archive", hint=_LEGACY_HINT
    )


def _describe(head: bytes) -> str:
    for magic, description in _MAGIC:
        if head.startswith(magic):
            return description
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 10**8:
        return "a bare safetensors file"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle file"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if _is_text(head):
        return "a text file"
    return "something else"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
