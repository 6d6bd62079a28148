"""Member names: those that pass are the same file on every system."""

from __future__ import annotations

import ntpath
import re
import sys
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from safemodel.errors import LimitError, MemberNameError
from safemodel.format import names

KEY_ID = "0123456789abcdef" * 4

permitted = [
    "a",
    "README.md",
    "weights-00001-of-00003.safetensors",
    "_x/y-",
    "a/b/c/d/e/f/g/h",
    "x" * 200,
    "com.txt",
    "com10",
    "lpt/nulls/con_.txt",
    "aux-1",
    "git/gitmodules",
    "0.1..2",
]
refused = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/..",
    "../a",
    "a/./b",
    ".git",
    ".gitattributes",
    "a/.git/config",
    ".hidden",
    "-a",
    "a/-b",
    "a.",
    "a./b",
    "a..",
    "a b",
    " a",
    "a ",
    "a\\b",
    "C:",
    "c:a",
    "a:stream",
    "a\n",
    "a\x00",
    "a\x7f",
    "é",
    "\uff41",
    "\u212a",  # the Kelvin sign folds to k
    "a\u202eb",
    "\ud800",
    "a*",
    "a?",
    "~",
    "$a",
    "con",
    "CON",
    "Con.txt",
    "a/nul",
    "nul.tar.gz",
    "prn/a",
    "AUX.",
    "com1",
    "COM9.safetensors",
    "com0",
    "lpt1.x",
    "x" * 201,
    "a/b/c/d/e/f/g/h/i",
    "a" * 100_000,
    "/" * 100_000,
]


@pytest.mark.parametrize("name", permitted)
def test_portable_names_are_permitted(name: str) -> None:
    names.check_member_name(name)
    names.check_payload_name(name)


@pytest.mark.parametrize("name", refused, ids=lambda name: ascii(name[:20]))
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(MemberNameError) as caught:
        names.check_member_name(name)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def reserved(name: str) -> bool:
    """Whether Windows keeps the name for itself, as the installed Python knows it."""
    if sys.version_info >= (3, 13):
        return ntpath.isreserved(name)
    return PureWindowsPath(name).is_reserved()


@given(st.text("aA0_.-/ \\:cCoOnN1é\n", max_size=12) | st.text(max_size=12))
def test_what_is_permitted_means_the_same_everywhere(name: str) -> None:
    try:
        names.check_member_name(name)
    except MemberNameError:
        return
    assert name.isascii()
    assert PurePosixPath(name).parts == PureWindowsPath(name).parts == tuple(name.split("/"))
    assert not reserved(name)
    assert not any(part.startswith(".") or part.endswith(".") for part in name.split("/"))


@given(st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,20}(/[A-Za-z0-9_][a-z._-]{0,9}){0,7}\Z"))
def test_the_grammar_is_permitted(name: str) -> None:
    assume(not re.search(r"\.(/|\Z)", name))
    assume(not reserved(name))
    assume(not re.search(r"(?i)(\A|/)(con|prn|aux|nul|(com|lpt)[0-9])(\.|/|\Z)", name))
    names.check_member_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "Manifest.JSON",
        "manifest.json/a",
        "signatures",
        "signatures/a",
        "SIGNATURES/a",
    ],
)
def test_payload_does_not_take_the_names_of_the_format(name: str) -> None:
    names.check_member_name(name)
    with pytest.raises(MemberNameError, match="reserved"):
        names.check_payload_name(name)


@pytest.mark.parametrize("name", ["a/manifest.json", "signatures.txt", "a/signatures/b"])
def test_payload_may_take_names_like_them(name: str) -> None:
    names.check_payload_name(name)


@pytest.mark.parametrize("kind", ["manifest", "oms"])
def test_names_of_signature_files(kind: str) -> None:
    name = f"signatures/{KEY_ID}.{kind}.sigstore.json"
    names.check_signature_name(name)
    assert names.is_signature_name(name)


@pytest.mark.parametrize(
    "name",
    [
        f"signatures/{KEY_ID}.other.sigstore.json",
        f"signatures/{KEY_ID}.oms.json",
        f"signatures/{KEY_ID[1:]}.oms.sigstore.json",
        f"signatures/{KEY_ID.upper()}.oms.sigstore.json",
        f"signatures/a/{KEY_ID}.oms.sigstore.json",
        f"signature/{KEY_ID}.oms.sigstore.json",
        f"signatures/{KEY_ID}.oms.sigstore.json\n",
        f"x/signatures/{KEY_ID}.oms.sigstore.json",
        "signatures/../a",
        "signatures",
    ],
)
def test_other_names_of_signature_files_are_refused(name: str) -> None:
    with pytest.raises(MemberNameError):
        names.check_signature_name(name)


def test_only_what_lies_in_the_folder_is_a_signature() -> None:
    assert names.is_signature_name("signatures/x")
    assert not names.is_signature_name("signatures")
    assert not names.is_signature_name("a/signatures/x")


@pytest.mark.parametrize(
    "together",
    [
        [],
        ["a", "b", "a.b", "a-b"],
        ["a/b", "a/c", "b"],
        ["a/b/c", "a/b.c", "a-b/c"],
        ["a/B", "b/B"],
    ],
)
def test_names_that_go_together(together: list[str]) -> None:
    names.check_member_names(together)
    names.check_member_names(reversed(together))


@pytest.mark.parametrize(
    ("together", "words"),
    [
        (["a", "a"], "same file"),
        (["a", "A"], "same file"),
        (["x/README", "x/readme"], "same file"),
        (["a", "a/b"], "also a folder"),
        (["a/b", "a/b/c/d"], "also a folder"),
        (["A", "a/b"], "also a folder"),
        (["a/x", "A/y"], "differ only in case"),
        (["a/b/x", "a/B/y"], "differ only in case"),
        (["a", ".."], "portable"),
    ],
)
def test_names_that_do_not_go_together(together: list[str], words: str) -> None:
    for order in (together, together[::-1]):
        with pytest.raises(MemberNameError, match=words):
            names.check_member_names(order)


def test_the_number_of_members_is_limited() -> None:
    names.check_member_names(f"m{i}" for i in range(100_000))
    with pytest.raises(LimitError):
        names.check_member_names(f"m{i}" for i in range(100_001))
