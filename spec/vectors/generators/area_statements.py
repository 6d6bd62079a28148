"""Statements (signing.md): what was signed, and over what."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import signing, writer
from .bundle import Bundle, with_weights
from .registry import accept, reject

Statement = dict[str, Any]


def manifest(edit: Callable[[Statement], Any] = lambda value: None, **predicate: Any) -> Bundle:
    """A bundle signed by an edited manifest statement."""
    bundle = Bundle()
    statement = signing.manifest_statement(bundle.manifest_bytes, **predicate)
    edit(statement)
    bundle.signatures = dict([signing.signature_file("acme", statement)])
    return bundle


def spelled(spell: Callable[[Statement], bytes]) -> Bundle:
    """A bundle signed by a manifest statement in another spelling."""
    bundle = Bundle()
    statement = spell(signing.manifest_statement(bundle.manifest_bytes))
    bundle.signatures = dict([signing.signature_file("acme", statement)])
    return bundle


def oms(edit: Callable[[Statement], Any]) -> Bundle:
    """A bundle signed by an edited OMS statement, its subject digest left as it was."""
    return Bundle().oms(edit)


def listed(edit: Callable[[list[Statement]], Any]) -> Bundle:
    """A bundle signed by an OMS statement over edited resources."""
    bundle = Bundle()
    resources = bundle.oms_resources()
    edit(resources)
    statement = signing.oms_statement(resources)
    bundle.signatures = dict([signing.signature_file("acme", statement, "oms")])
    return bundle


def ignoring(*paths: str) -> Bundle:
    """A bundle signed by an OMS statement with other ignored paths."""
    return oms(_set("predicate", "serialization", "ignore_paths", value=list(paths)))


def _set(*path: Any, value: Any) -> Callable[[Any], None]:
    def edit(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return edit


_SUBJECT = ("subject", 0)

# name, comment, edit of a manifest statement, error
_MANIFEST: list[tuple[str, str, Callable[[Statement], Any], str]] = [
    ("type", "in-toto Statement v0.1", _set("_type", value="https://in-toto.io/Statement/v0.1"), "SignatureFormatError"),
    ("predicate-unknown", "a statement about something else",
     _set("predicateType", value="https://slsa.dev/provenance/v1"), "UnsupportedError"),
    ("predicate-v2", "a later manifest statement",
     _set("predicateType", value="https://safemodel.dev/statement/manifest/v2"), "UnsupportedError"),
    ("unknown-key", "an unknown key", _set("comment", value="x"), "SignatureFormatError"),
    ("predicate-key", "an unknown key in the predicate", _set("predicate", "until", value="x"), "SignatureFormatError"),
    ("subject-none", "no subject", _set("subject", value=[]), "SignatureFormatError"),
    ("subject-two", "two subjects", lambda v: v["subject"].append(v["subject"][0]), "SignatureFormatError"),
    ("subject-name", "another subject name", _set(*_SUBJECT, "name", value="model"), "SignatureFormatError"),
    ("subject-algorithm", "another digest algorithm",
     lambda v: v["subject"][0].update(digest={"sha512": "0" * 128}), "SignatureFormatError"),
    ("subject-algorithms", "two digest algorithms",
     lambda v: v["subject"][0]["digest"].update(md5="0" * 32), "SignatureFormatError"),
    ("subject-upper", "a digest in upper case",
     lambda v: v["subject"][0]["digest"].update(sha256=v["subject"][0]["digest"]["sha256"].upper()), "SignatureFormatError"),
    ("note-empty", "an empty note", _set("predicate", "note", value=""), "SignatureFormatError"),
    ("note-null", "null for a note", _set("predicate", "note", value=None), "SignatureFormatError"),
    ("note-long", "a note of 4,097 bytes", _set("predicate", "note", value="x" * 4097), "LimitError"),
    ("expires-fraction", "a fraction of a second",
     _set("predicate", "expires", value="2027-01-01T00:00:00.5Z"), "SignatureFormatError"),
    ("expires-zone", "a time zone", _set("predicate", "expires", value="2027-01-01T00:00:00+01:00"), "SignatureFormatError"),
    ("expires-date", "a date only", _set("predicate", "expires", value="2027-01-01"), "SignatureFormatError"),
    ("expires-lower", "lower-case letters", _set("predicate", "expires", value="2027-01-01t00:00:00z"), "SignatureFormatError"),
    ("expires-impossible", "the 30th of February",
     _set("predicate", "expires", value="2027-02-30T00:00:00Z"), "SignatureFormatError"),
    ("expires-leap-second", "a leap second", _set("predicate", "expires", value="2026-12-31T23:59:60Z"), "SignatureFormatError"),
    ("expires-number", "seconds since 1970", _set("predicate", "expires", value=1798761600), "SignatureFormatError"),
    ("other-bundle", "a good signature over another bundle",
     _set(*_SUBJECT, "digest", value={"sha256": "0" * 64}), "BadSignatureError"),
]  # fmt: skip

# name, comment, edit of the statement as a value, resulting in other bytes
_SPELLINGS: list[tuple[str, str, Callable[[Statement], bytes]]] = [
    ("spaces", "white space", lambda value: json.dumps(value, sort_keys=True).encode()),
    ("order", "keys out of order", lambda value: json.dumps(value, separators=(",", ":")).encode()),
    ("duplicate", "a key twice", lambda value: writer.canonical(value)[:-1] + b',"subject":[]}'),
    ("not-json", "no JSON", lambda value: b"hello"),
    ("empty", "no bytes", lambda value: b""),
]  # fmt: skip

# name, comment, edit of an OMS statement, error
_OMS: list[tuple[str, str, Callable[[Statement], Any], str]] = [
    ("predicate-v02", "an earlier version of the predicate",
     _set("predicateType", value="https://model_signing/Digests/v0.2"), "UnsupportedError"),
    ("root", "a subject digest that is not that of the resources",
     _set(*_SUBJECT, "digest", value={"sha256": "0" * 64}), "SignatureFormatError"),
    ("method", "digests of shards", _set("predicate", "serialization", "method", value="shards"), "SignatureFormatError"),
    ("hash-type", "another digest algorithm",
     _set("predicate", "serialization", "hash_type", value="blake2b"), "SignatureFormatError"),
    ("symlinks", "links that may be followed",
     _set("predicate", "serialization", "allow_symlinks", value=True), "SignatureFormatError"),
    ("symlinks-zero", "0 is not false",
     _set("predicate", "serialization", "allow_symlinks", value=0), "SignatureFormatError"),
    ("serialization-key", "an unknown key",
     _set("predicate", "serialization", "shard_size", value=1), "SignatureFormatError"),
    ("predicate-key", "an unknown key", _set("predicate", "expires", value="x"), "SignatureFormatError"),
    ("resource-key", "an unknown key of a resource",
     _set("predicate", "resources", 0, "size", value=1), "SignatureFormatError"),
    ("resource-algorithm", "another algorithm for one resource",
     _set("predicate", "resources", 0, "algorithm", value="sha512"), "SignatureFormatError"),
    ("resource-upper", "a digest in upper case",
     lambda v: v["predicate"]["resources"][0].update(digest="A" * 64), "SignatureFormatError"),
]  # fmt: skip

# name, comment, edit of the resources, error
_RESOURCES: list[tuple[str, str, Callable[[list[Statement]], Any], str]] = [
    ("missing", "a member is not signed", lambda r: r.pop(0), "BadSignatureError"),
    ("extra", "a signed file is not there", lambda r: r.append(signing.resource("z", b"")), "BadSignatureError"),
    ("empty", "nothing is signed", lambda r: r.clear(), "BadSignatureError"),
    ("no-manifest", "the manifest is not signed", lambda r: r.pop(1), "BadSignatureError"),
    ("manifest-only", "only the manifest is signed", lambda r: r.pop(0), "BadSignatureError"),
    ("other-manifest", "another manifest is signed",
     lambda r: r[1].update(digest="0" * 64), "BadSignatureError"),
    ("twice", "a file twice, with two digests",
     lambda r: r.append(signing.resource("README.md", b"evil")), "SignatureFormatError"),
    ("traversal", "a file outside", lambda r: r.append(signing.resource("../x", b"")), "SignatureFormatError"),
    ("absolute", "an absolute path", lambda r: r.append(signing.resource("/x", b"")), "SignatureFormatError"),
    ("dot", "a single file beside others", lambda r: r.append(signing.resource(".", b"")), "SignatureFormatError"),
    ("backslash", "a backslash", lambda r: r.append(signing.resource("a\\b", b"")), "SignatureFormatError"),
]  # fmt: skip

# name, comment, ignored paths
_IGNORED: list[tuple[str, str, list[str]]] = [
    ("all", "everything is ignored", ["."]),
    ("empty", "an empty path", [""]),
    ("outside", "a path outside", ["../x"]),
    ("listed", "a file that is listed is ignored", ["signatures", "README.md"]),
    ("listed-slash", "the same, with a slash", ["signatures", "README.md/"]),
]


def _register() -> None:
    for name, comment, edit, error in _MANIFEST:
        reject(f"statement-{name}", error, comment)(lambda edit=edit: manifest(edit))
    for name, comment, spell in _SPELLINGS:
        reject(f"statement-spelling-{name}", "SignatureFormatError", comment)(
            lambda spell=spell: spelled(spell)
        )
    for name, comment, edit, error in _OMS:
        reject(f"oms-{name}", error, comment)(lambda edit=edit: oms(edit))
    for name, comment, edit, error in _RESOURCES:
        reject(f"oms-resource-{name}", error, comment)(lambda edit=edit: listed(edit))
    for name, comment, paths in _IGNORED:
        reject(f"oms-ignore-{name}", "SignatureFormatError", comment)(
            lambda paths=paths: ignoring(*paths)
        )


_register()


@reject("statement-expired", "ExpiredError", "expired a second ago", now="2027-01-31T00:00:01Z")
def _() -> Bundle:
    return manifest(expires="2027-01-31T00:00:00Z")


@reject(
    "statement-expired-now",
    "ExpiredError",
    "expires at this very second",
    now="2027-01-31T00:00:00Z",
)
def _() -> Bundle:
    return manifest(expires="2027-01-31T00:00:00Z")


@reject(
    "oms-other-digest",
    "DigestMismatchError",
    "the SHA-256 of other bytes: only `verify` sees it",
    "verify",
)
def _() -> Bundle:
    return listed(lambda resources: resources[0].update(digest="0" * 64))


@reject("oms-ignored-file", "BadSignatureError", "a member that is ignored and not listed")
def _() -> Bundle:
    bundle = Bundle()
    statement = signing.oms_statement(bundle.oms_resources()[1:])
    _set("predicate", "serialization", "ignore_paths", value=["signatures", "README.md"])(statement)
    bundle.signatures = dict([signing.signature_file("acme", statement, "oms")])
    return bundle


@reject(
    "oms-ed25519",
    "SignatureFormatError",
    "signed with a kind of key that OMS does not have",
    trust=("ed25519",),
)
def _() -> Bundle:
    bundle = Bundle()
    statement = signing.oms_statement(bundle.oms_resources())
    bundle.signatures = dict([signing.signature_file("ed25519", statement, "oms")])
    return bundle


@accept("statement-expires", "expires in a second", now="2027-01-30T23:59:59Z")
def _() -> Bundle:
    return manifest(expires="2027-01-31T00:00:00Z")


@accept("statement-note", "a note of 4,096 bytes")
def _() -> Bundle:
    return manifest(note="\u00e9" * 2048)


@accept("statement-one-expired", "one expired, one not", trust=("acme", "p384"), signers=("p384",))
def _() -> Bundle:
    bundle = manifest(expires="2020-01-01T00:00:00Z")
    statement = signing.manifest_statement(bundle.manifest_bytes)
    bundle.signatures = dict(
        [*bundle.signature_files.items(), signing.signature_file("p384", statement)]
    )
    return bundle


@accept("oms", "an OMS statement over all members")
def _() -> Bundle:
    return with_weights().oms()


@accept("oms-pretty", "an OMS statement in the spelling of another tool")
def _() -> Bundle:
    bundle = with_weights()
    statement = json.dumps(signing.oms_statement(bundle.oms_resources()), indent=2).encode()
    bundle.signatures = dict([signing.signature_file("acme", statement, "oms")])
    return bundle


@accept("oms-order", "resources in another order")
def _() -> Bundle:
    return listed(lambda resources: resources.reverse())


@accept("oms-annotations", "annotations of others are ignored")
def _() -> Bundle:
    return oms(lambda value: value["predicate"]["resources"][0].update(annotations={"x": [1]}))


@accept("oms-git-ignored", "the paths that the stock tool ignores by itself")
def _() -> Bundle:
    return ignoring("signatures", ".git", ".gitignore", "/somewhere/model.sig")


@accept("oms-cosigned", "made later by another tool, which also lists the first signature",
        trust=("acme", "p384"), signers=("acme", "p384"))  # fmt: skip
def _() -> Bundle:
    bundle = Bundle()
    first = bundle.signature_files
    resources = bundle.oms_resources() + [signing.resource(*pair) for pair in first.items()]
    statement = signing.oms_statement(resources)
    _set("predicate", "serialization", "ignore_paths", value=[])(statement)
    bundle.signatures = first | dict([signing.signature_file("p384", statement, "oms")])
    return bundle


@accept("oms-and-manifest", "both kinds of statement by one key", signers=("acme", "acme"))
def _() -> Bundle:
    bundle = with_weights()
    first = bundle.signature_files
    bundle.signatures = first | (bundle.oms().signatures or {})
    return bundle
