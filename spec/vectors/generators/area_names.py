"""Member names (format.md, "Member names"): the same file on every system, or no file at all."""

from __future__ import annotations

from . import writer
from .bundle import Bundle
from .registry import accept, reject

# name of the vector, comment, member names
_NAMES: list[tuple[str, str, list[str]]] = [
    ("traversal", "climbs out of the folder", ["../evil"]),
    ("traversal-inside", "climbs inside", ["a/../b"]),
    ("absolute", "an absolute path", ["/etc/passwd"]),
    ("drive", "a Windows drive", ["C:evil"]),
    ("backslash", "a backslash, which separates on Windows", ["a\\..\\b"]),
    ("dot-component", "a component that is a dot", ["a/./b"]),
    ("empty-component", "two slashes", ["a//b"]),
    ("trailing-slash", "a name that ends like a folder", ["a/"]),
    ("empty", "an empty name", [""]),
    ("trailing-dot", "a trailing dot, which Windows drops", ["README.md."]),
    ("folder-trailing-dot", "a folder with a trailing dot", ["a./b"]),
    ("hidden", "a hidden file", [".bashrc"]),
    ("git", "files that git would run", [".git/hooks/post-checkout"]),
    ("dash", "a name that looks like an option", ["-rf"]),
    ("space", "a space", ["a b"]),
    ("stream", "an alternate data stream", ["a:b"]),
    ("wildcard", "a wildcard", ["a*"]),
    ("newline", "a line feed", ["a\nb"]),
    ("nul", "a zero byte, where C strings end", ["a\0b"]),
    ("non-ascii", "a letter beyond ASCII", ["caf\u00e9"]),
    ("full-width", "a full-width dot", ["a\uff0eb"]),
    ("device", "a Windows device", ["CON"]),
    ("device-extension", "a Windows device with an extension", ["nul.txt"]),
    ("device-number", "a numbered device with two extensions", ["Com1.tar.gz"]),
    ("device-folder", "a device as a folder", ["aux/b"]),
    ("case", "two names that differ in case only", ["A", "a"]),
    ("case-folder", "a folder in two spellings", ["A/x", "a/y"]),
    ("file-and-folder", "a file that is also a folder", ["a", "a/b"]),
    ("file-and-folder-case", "the same, in another case", ["A", "a/b"]),
    ("long", "201 bytes", ["a" * 201]),
    ("deep", "nine components", ["/".join("abcdefghi")]),
    ("manifest-case", "the manifest's name in another case", ["Manifest.json"]),
    ("manifest-folder", "the manifest's name as a folder", ["manifest.json/a"]),
    ("signatures-case", "the signature folder in another case", ["SIGNATURES/a"]),
    ("signatures-file", "the signature folder as a file", ["signatures"]),
]


def named(names: list[str]) -> Bundle:
    """A bundle with members of these names."""
    return Bundle(members=dict.fromkeys(names, b"x"))


def _register() -> None:
    for name, comment, names in _NAMES:
        reject(f"names-{name}", "MemberNameError", comment)(lambda names=names: named(names))


_register()


@reject("names-manifest-only", "MemberNameError", "a name in the manifest that no archive can have")
def _() -> Bundle:
    entry = writer.file_entry(b"", "a/b")
    return Bundle().change(lambda document: document["files"].update({"../evil": entry}))


@reject("names-signature-declared", "MemberNameError", "a payload member among the signatures")
def _() -> Bundle:
    entry = writer.file_entry(b"", "a/b")
    return Bundle().change(lambda document: document["files"].update({"signatures/a": entry}))


@accept("names-limits", "200 bytes, eight components, every permitted character")
def _() -> Bundle:
    return named(["a" * 200, "/".join("abcdefgh"), "_x", "0-._Z", "console.log", "com", "nulls/x"])


@accept("names-pickle", "a member is bytes: a pickle is never loaded, whatever its name")
def _() -> Bundle:
    return Bundle(members={"model.pkl": b"cos\nsystem\n(S'exit 1'\ntR.", "a/setup.py": b"1/0\n"})
