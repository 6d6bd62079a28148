"""Which model: names, versions in PEP 440 order, digests."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import SafemodelError, UsageError, WrongModelError
from safemodel.trust.identity import Requested, check_digest, check_model
from tests.trust.helpers import DIGEST


def check(requested: Requested, name: str | None = None, version: str | None = None) -> None:
    check_model(requested, name=name, version=version, digest=DIGEST)


def test_nothing_asked_is_any_model() -> None:
    check(Requested())
    check(Requested(), "acme/fraud", "3.1")


def test_names() -> None:
    check(Requested("acme/fraud"), "acme/fraud")
    for name in (None, "", "acme/Fraud", "acme/fraud2", "acme", "acme/fraud "):
        with pytest.raises(WrongModelError, match="'acme/fraud' was asked for"):
            check(Requested("acme/fraud"), name)
    with pytest.raises(UsageError):
        Requested("")


def test_digests() -> None:
    for digest in (DIGEST, DIGEST.upper(), f"sha256:{DIGEST}"):
        check(Requested(digest=digest))
        check_digest(Requested(digest=digest), DIGEST)
    with pytest.raises(WrongModelError, match=DIGEST):
        check(Requested(digest="cd" * 32))
    for digest in ("", "ab", DIGEST + "0", "sha512:" + DIGEST, "zz" * 32, DIGEST + "\n"):
        with pytest.raises(UsageError):
            Requested(digest=digest)


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("3.1", "3.1"),
        ("3.1", "3.1.0"),
        ("v3.1", "3.1"),
        ("final-2024", "final-2024"),
        (">=3", "3"),
        (">=3", "3.10"),
        (">=3.9", "3.10"),
        (">=3,<4", "3.99"),
        (" >=3 , <4 ", "3.99"),
        ("==3.*", "3.7"),
        ("~=3.1", "3.9"),
        ("!=3.1", "3.2"),
        (">=3rc1", "3rc2"),
        ("==3rc1", "3rc1"),
        ("===3.1", "3.1"),
        (">=1!0", "1!0"),
    ],
)
def test_versions_that_fit(wanted: str, version: str) -> None:
    check(Requested(version=wanted), version=version)


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("3.1", "3.2"),
        ("3.1", "3.1rc1"),
        ("3.1", "3.1+cpu"),
        ("3.1", "1!3.1"),
        ("final-2024", "final-2025"),
        ("final-2024", "3.1"),
        ("3.1", "final-2024"),
        (">=3", "2.99"),
        (">=3.10", "3.9"),
        (">=3", "3rc1"),
        (">=3", "4.0.dev1"),
        (">=3,<4", "4"),
        (">=3", "final-2024"),
        (">=3", "3.x"),
        (">=3", ""),
        (">=3", "9" * 5000),
        (">=3", "9" * 101),
        ("!=3", "final"),
        ("3.1", "\uff13.1"),
        (">=3", "3 .1"),
    ],
)
def test_versions_that_do_not(wanted: str, version: str) -> None:
    with pytest.raises(WrongModelError):
        check(Requested(version=wanted), version=version)


def test_a_model_without_version() -> None:
    for wanted in ("3.1", ">=0"):
        with pytest.raises(WrongModelError, match="has no version"):
            check(Requested(version=wanted))


@pytest.mark.parametrize("wanted", ["", ">", ">=", ">=x", "=3", ">=3;", "<>3", "x" * 101])
def test_ranges_that_make_no_sense(wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        Requested(version=wanted)
    assert caught.value.exit_code == 2


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20), st.sampled_from(["3.1", ">=3", "==3.*", "~=1.2", "===x", "x"]))
def test_arbitrary_versions_raise_our_errors_only(version: str, wanted: str) -> None:
    with contextlib.suppress(WrongModelError):
        check(Requested(version=wanted), version=version)


@settings(max_examples=200, deadline=None)
@given(st.text("<>=!~.*,0123456789abcrv+- ", max_size=12))
def test_arbitrary_ranges_raise_our_errors_only(wanted: str) -> None:
    with contextlib.suppress(SafemodelError):
        check(Requested(version=wanted), version="3.1")
