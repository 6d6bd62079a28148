"""The folder (format.md, "Folder"): the declared regular files and nothing else."""

from __future__ import annotations

from functools import partial

from . import writer
from .bundle import Bundle, Entry, with_weights
from .registry import accept as _accept
from .registry import reject as _reject

reject = partial(_reject, encoding="folder")
accept = partial(_accept, encoding="folder")


def content(path: str, data: bytes) -> Entry:
    """A regular file."""
    return {"path": path, "content": writer.b64(data)}


def replaced(path: str, entry: Entry) -> list[Entry]:
    """A good folder in which one file is something else."""
    return [entry if one["path"] == path else one for one in with_weights().entries()]


def added(*entries: Entry) -> list[Entry]:
    """A good folder with more in it."""
    return [*with_weights().entries(), *entries]


@reject("folder-link-file", "FolderError", "a declared member is a symbolic link")
def _() -> list[Entry]:
    target = content("elsewhere/README.md", b"# A model\n")
    return [*replaced("README.md", {"path": "README.md", "link": "elsewhere/README.md"}), target]


@reject("folder-link-outside", "FolderError", "a link to a file of the system")
def _() -> list[Entry]:
    return replaced("README.md", {"path": "README.md", "link": "/etc/passwd"})


@reject("folder-link-folder", "FolderError", "a folder that is a symbolic link")
def _() -> list[Entry]:
    return added({"path": "assets", "link": "/tmp"})


@reject("folder-link-signatures", "FolderError", "the signature folder is a symbolic link")
def _() -> list[Entry]:
    kept = [one for one in Bundle().entries() if not one["path"].startswith("signatures/")]
    return [*kept, {"path": "signatures", "link": "/tmp"}]


@reject("folder-link-manifest", "FolderError", "the manifest is a symbolic link")
def _() -> list[Entry]:
    return replaced("manifest.json", {"path": "manifest.json", "link": "README.md"})


@reject("folder-link-dangling", "FolderError", "an extra link that leads nowhere")
def _() -> list[Entry]:
    return added({"path": "extra", "link": "nowhere"})


@reject("folder-fifo", "FolderError", "a FIFO: opening it must not wait for a writer")
def _() -> list[Entry]:
    return replaced("README.md", {"path": "README.md", "fifo": True})


@reject("folder-extra-file", "FolderError", "a file that the manifest does not declare")
def _() -> list[Entry]:
    return added(content("modeling_evil.py", b"1/0\n"))


@reject("folder-extra-nested", "FolderError", "an undeclared file in a folder of its own")
def _() -> list[Entry]:
    return added(content("assets/evil.py", b"1/0\n"))


@reject("folder-extra-weights", "FolderError", "an undeclared second weights file")
def _() -> list[Entry]:
    return added(content("weights-00001-of-00001.safetensors", b""))


@reject("folder-hidden-file", "MemberNameError", "a hidden file, which no bundle can declare")
def _() -> list[Entry]:
    return added(content(".DS_Store", b""))


@reject("folder-git", "MemberNameError", "a git repository inside")
def _() -> list[Entry]:
    return added(content(".git/config", b""))


@reject("folder-case", "MemberNameError", "an extra file that differs from another in case only")
def _() -> list[Entry]:
    return added(content("readme.md", b""))


@reject("folder-missing", "MissingMemberError", "a declared member is not there")
def _() -> list[Entry]:
    return [one for one in with_weights().entries() if one["path"] != "README.md"]


@reject("folder-member-is-folder", "MissingMemberError", "a folder where a member belongs")
def _() -> list[Entry]:
    return replaced("README.md", {"path": "README.md", "folder": True})


@reject("folder-truncated", "TruncatedError", "a member that is shorter than declared")
def _() -> list[Entry]:
    return replaced("README.md", content("README.md", b"# A mod"))


@reject("folder-longer", "FolderError", "a member that is longer than declared")
def _() -> list[Entry]:
    return replaced("README.md", content("README.md", b"# A model\n\n"))


@reject("folder-git-lfs", "GitLfsPointerError", "Git LFS left a pointer in place of the weights")
def _() -> list[Entry]:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    return replaced(writer.WEIGHTS, content(writer.WEIGHTS, pointer))


@reject("folder-flip", "DigestMismatchError", "one letter of a member", "load")
def _() -> list[Entry]:
    return replaced("README.md", content("README.md", b"# B model\n"))


@reject("folder-flip-weights", "DigestMismatchError", "one bit of a tensor", "load")
def _() -> list[Entry]:
    data = bytearray(with_weights().payload[writer.WEIGHTS])
    data[-1] ^= 1
    return replaced(writer.WEIGHTS, content(writer.WEIGHTS, bytes(data)))


@reject("folder-flip-manifest", "BadSignatureError", "one letter of the manifest")
def _() -> list[Entry]:
    data = with_weights().manifest_bytes.replace(b"acme/fraud", b"acme/frauds")
    return replaced("manifest.json", content("manifest.json", data))


@reject("folder-no-manifest", "NotABundleError", "files, but no manifest")
def _() -> list[Entry]:
    return [content("README.md", b"# A model\n")]


@reject("folder-weights-only", "MissingMemberError", "weights, but no manifest")
def _() -> list[Entry]:
    return [one for one in with_weights().entries() if one["path"] != "manifest.json"]


@reject("folder-empty", "NotABundleError", "nothing in it")
def _() -> list[Entry]:
    return []


@reject("folder-signature-name", "SignatureFormatError", "another file among the signatures")
def _() -> list[Entry]:
    return added(content("signatures/README.md", b""))


@reject("folder-signature-nested", "SignatureFormatError", "a signature in a folder too deep")
def _() -> list[Entry]:
    name, data = next(iter(Bundle().signature_files.items()))
    return added(content(name.replace("signatures/", "signatures/a/"), data))


@reject("folder-deep", "LimitError", "a file nine folders deep")
def _() -> list[Entry]:
    return added(content("/".join("abcdefghi") + "/x", b""))


@reject("folder-unsigned", "UnsignedError", "no signatures folder")
def _() -> list[Entry]:
    return Bundle(signers=()).entries()


@accept("folder-plain", "a folder")
def _() -> Bundle:
    return with_weights(members={"README.md": b"# A model\n", "a/b/c.txt": b"", "a/d": b"d"})


@accept("folder-empty-folder", "a folder without files is not part of the content",
        bundle=with_weights)  # fmt: skip
def _() -> list[Entry]:
    return added({"path": "assets", "folder": True})


@accept("folder-oms", "an OMS statement over a folder")
def _() -> Bundle:
    return with_weights().oms()


@accept("folder-signers", "two signatures, of which one key is trusted", trust=("p384",),
        signers=("p384",))  # fmt: skip
def _() -> Bundle:
    return with_weights(signers=("acme", "p384"))
