"""Statements as pure values: exact bytes, and what no signer can make us believe."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import limits
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    FormatError,
    LimitError,
    SafemodelError,
    SignatureFormatError,
    UnsupportedError,
    UsageError,
)
from safemodel.trust import oms, statements
from safemodel.trust.oms import Chunks, OmsStatement, Resource
from safemodel.trust.statements import ManifestStatement
from tests.trust.helpers import DIGEST, edited

A, B = "0a" * 32, "0b" * 32
CHUNKS = Chunks("blake3", limits.MIN_CHUNK, bytes(64))


def root_of(*digests: str) -> str:
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


class TestManifestStatement:
    def test_exact_bytes(self) -> None:
        full = ManifestStatement(DIGEST, datetime(2027, 1, 31, tzinfo=UTC), "für A")
        assert statements.encode(full).decode() == (
            '{"_type":"https://in-toto.io/Statement/v1",'
            '"predicate":{"expires":"2027-01-31T00:00:00Z","note":"für A"},'
            '"predicateType":"https://safemodel.dev/statement/manifest/v1",'
            '"subject":[{"digest":{"sha256":"' + DIGEST + '"},"name":"manifest.json"}]}'
        )
        plain = ManifestStatement(DIGEST)
        assert b'"predicate":{},' in statements.encode(plain)
        for one in (full, plain):
            assert statements.parse(statements.encode(one)) == one

    @settings(max_examples=100, deadline=None)
    @given(
        st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),
        st.none() | st.text(min_size=1, max_size=50).filter(lambda t: t.isprintable()),
    )
    def test_round_trip(self, moment: datetime, note: str | None) -> None:
        expires = moment.replace(microsecond=0, tzinfo=UTC)
        one = ManifestStatement(DIGEST, expires, note)
        assert statements.parse(statements.encode(one)) == one

    @pytest.mark.parametrize(
        "change",
        [
            lambda s: s.pop("predicate"),
            lambda s: s.update(x=1),
            lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
            lambda s: s.update(subject=[]),
            lambda s: s["subject"].append(s["subject"][0]),
            lambda s: s["subject"][0].update(uri="x"),
            lambda s: s["subject"][0].update(name="manifest.jsom"),
            lambda s: s["subject"][0].update(name="\ud800"),
            lambda s: s["subject"][0]["digest"].update(sha512="x"),
            lambda s: s["subject"][0]["digest"].update(sha256=DIGEST.upper()),
            lambda s: s["subject"][0]["digest"].update(sha256=DIGEST + "\n"),
            lambda s: s["subject"][0]["digest"].update(sha256=DIGEST[:-2]),
            lambda s: s["subject"][0].update(digest=DIGEST),
            lambda s: s["predicate"].update(maximum_age=1),
            lambda s: s["predicate"].update(note=""),
            lambda s: s["predicate"].update(note=None),
            lambda s: s["predicate"].update(note=1),
            lambda s: s.update(predicate=[]),
            lambda s: s.update(predicateType=3),
        ],
    )
    def test_malformed(self, change: Callable[[Any], object]) -> None:
        style = {"separators": (",", ":"), "sort_keys": True}
        payload = edited(statements.encode(ManifestStatement(DIGEST)), change, **style)
        with pytest.raises(SignatureFormatError):
            statements.parse(payload)

    @pytest.mark.parametrize(
        "time",
        [
            None,
            0,
            "",
            "2027-01-31",
            "2027-01-31T00:00:00",
            "2027-01-31T00:00:00z",
            "2027-01-31t00:00:00Z",
            "2027-01-31 00:00:00Z",
            "2027-01-31T00:00:00+00:00",
            "2027-01-31T00:00:00.5Z",
            "2027-01-31T00:00:60Z",
            "2027-01-31T24:00:00Z",
            "2027-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "12027-01-31T00:00:00Z",
            "\uff12027-01-31T00:00:00Z",
            "2027-01-31T00:00:00Z\n",
        ],
    )
    def test_times(self, time: Any) -> None:
        with pytest.raises(SignatureFormatError, match="expires"):
            statements.parse_time(time)

    def test_only_one_spelling(self) -> None:
        payload = statements.encode(ManifestStatement(DIGEST))
        for other in (edited(payload, lambda _: None), payload + b"\n", b" " + payload):
            with pytest.raises(SignatureFormatError, match="not canonical"):
                statements.parse(other)

    def test_a_long_note(self) -> None:
        one = ManifestStatement(DIGEST, note="x" * (limits.MAX_NOTE + 1))
        with pytest.raises(LimitError):
            statements.parse(statements.encode(one))


@pytest.mark.parametrize(
    "kind",
    [
        "https://model_signing/Digests/v0.1",
        "https://model_signing/signature/v1.1",
        "https://safemodel.dev/statement/manifest/v2",
        "https://slsa.dev/provenance/v1",
        "",
    ],
)
def test_other_predicates_are_unsupported(kind: str) -> None:
    payload = edited(
        statements.encode(ManifestStatement(DIGEST)), lambda s: s.update(predicateType=kind)
    )
    with pytest.raises(UnsupportedError, match="unknown kind"):
        statements.parse(payload)


class TestOmsStatement:
    def test_exact_bytes(self) -> None:
        one = OmsStatement.over({"b": B, "a/ä": A}, subject_name="acme")
        assert statements.encode(one).decode() == (
            '{"_type":"https://in-toto.io/Statement/v1","predicate":{"resources":['
            f'{{"algorithm":"sha256","digest":"{A}","name":"a/ä"}},'
            f'{{"algorithm":"sha256","digest":"{B}","name":"b"}}],'
            '"serialization":{"allow_symlinks":false,"hash_type":"sha256",'
            '"ignore_paths":["signatures"],"method":"files"}},'
            '"predicateType":"https://model_signing/signature/v1.0",'
            f'"subject":[{{"digest":{{"sha256":"{root_of(A, B)}"}},"name":"acme"}}]}}'
        )
        assert statements.parse(statements.encode(one)) == one

    def test_chunk_digests_travel_as_annotations(self) -> None:
        one = OmsStatement.build([Resource("a", A, CHUNKS), Resource("b", B, CHUNKS)])
        payload = statements.encode(one)
        resource = json.loads(payload)["predicate"]["resources"][0]
        assert resource["annotations"] == {
            "safemodel.dev/chunks": {
                "algorithm": "blake3",
                "chunk_size": 1048576,
                "digests": base64.b64encode(bytes(64)).decode(),
            }
        }
        assert statements.parse(payload) == one

    def test_others_annotations_are_theirs(self) -> None:
        def annotate(statement: Any) -> None:
            statement["predicate"]["resources"][0]["annotations"] = {"x": [None, "y"]}

        one = OmsStatement.over({"a": A})
        assert statements.parse(edited(statements.encode(one), annotate)) == one

    def test_any_order_and_spelling(self) -> None:
        def reverse(statement: Any) -> None:
            statement["predicate"]["resources"].reverse()
            statement["subject"][0]["digest"]["sha256"] = root_of(B, A)

        one = OmsStatement.over({"a": A, "b": B})
        other = statements.parse(edited(statements.encode(one), reverse, indent=2))
        assert other != one
        assert isinstance(other, OmsStatement)
        assert other.digests() == one.digests()

    @pytest.mark.parametrize(
        "change",
        [
            lambda p: p.update(x=1),
            lambda p: p.pop("serialization"),
            lambda p: p.pop("resources"),
            lambda p: p.update(resources={}),
            lambda p: p["serialization"].update(method="shards", shard_size=10),
            lambda p: p["serialization"].update(method="shards"),
            lambda p: p["serialization"].update(hash_type="blake3"),
            lambda p: p["serialization"].update(allow_symlinks=True),
            lambda p: p["serialization"].update(allow_symlinks=0),
            lambda p: p["serialization"].update(allow_symlinks="false"),
            lambda p: p["serialization"].update(x=1),
            lambda p: p["serialization"].pop("method"),
            lambda p: p["serialization"].update(ignore_paths="signatures"),
            lambda p: p["serialization"].update(ignore_paths=[1]),
            lambda p: p["serialization"].update(ignore_paths=["."]),
            lambda p: p["serialization"].update(ignore_paths=[""]),
            lambda p: p["serialization"].update(ignore_paths=["/"]),
            lambda p: p["serialization"].update(ignore_paths=["./"]),
            lambda p: p["serialization"].update(ignore_paths=["../x"]),
            lambda p: p["serialization"].update(ignore_paths=["a"]),
            lambda p: p["serialization"].update(ignore_paths=["./a/"]),
            lambda p: p["serialization"].update(ignore_paths=["a/b"]),
            lambda p: p["resources"][0].update(name="c"),
            lambda p: p["resources"][0].update(algorithm="blake3"),
            lambda p: p["resources"][0].update(algorithm="SHA256"),
            lambda p: p["resources"][0].update(digest="0A" * 32),
            lambda p: p["resources"][0].update(digest=B),
            lambda p: p["resources"][0].update(size=1),
            lambda p: p["resources"][0].update(annotations=[]),
            lambda p: p["resources"][0].pop("digest"),
            lambda p: p["resources"].append(p["resources"][0]),
            lambda p: p["resources"].pop(),
            lambda p: p["resources"].reverse(),
            lambda p: p["resources"].append("x"),
        ],
    )
    def test_malformed(self, change: Callable[[Any], object]) -> None:
        payload = statements.encode(OmsStatement.over({"a/b": A, "c": B}))
        with pytest.raises(SignatureFormatError):
            statements.parse(edited(payload, lambda s: change(s["predicate"])))

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "/a",
            "a/",
            "a//b",
            "./a",
            "a/.",
            "..",
            "../a",
            "a/../b",
            "a\\b",
            "a\0",
            "\ud800",
            "C:\\a",
        ],
    )
    def test_names_that_are_no_relative_path(self, name: str) -> None:
        def rename(statement: Any) -> None:
            statement["predicate"]["resources"][0]["name"] = name

        payload = edited(statements.encode(OmsStatement.over({"a": A})), rename)
        with pytest.raises(SignatureFormatError):
            statements.parse(payload)

    def test_a_long_name(self) -> None:
        with pytest.raises(LimitError):
            statements.parse(statements.encode(OmsStatement.over({"x" * 4097: A})))

    @pytest.mark.parametrize(
        "ignored",
        [
            [],
            ["signatures"],
            ["signatures/", "signatures/x.sigstore.json"],
            [".git", ".gitattributes", ".github", ".gitignore", "model.sig"],
            ["/home/me/model/.git", "/home/me/a"],
            ["a.b", "c/d", "aa", "b"],
        ],
    )
    def test_ignored_paths_that_lie_elsewhere(self, ignored: list[str]) -> None:
        def ignore(statement: Any) -> None:
            statement["predicate"]["serialization"]["ignore_paths"] = ignored

        parsed = statements.parse(
            edited(statements.encode(OmsStatement.over({"a": A, "d/c": B})), ignore)
        )
        assert isinstance(parsed, OmsStatement)
        assert parsed.ignore_paths == tuple(ignored)
        with pytest.raises(BadSignatureError, match="is there, and is not signed"):
            parsed.check_names(["a", "d/c", "b"])

    def test_ignored_paths_may_be_absent(self) -> None:
        payload = edited(
            statements.encode(OmsStatement.over({"a": A})),
            lambda s: s["predicate"]["serialization"].pop("ignore_paths"),
        )
        assert statements.parse(payload).ignore_paths == ()  # type: ignore[union-attr]

    def test_limits(self) -> None:
        statement = OmsStatement("x", tuple(Resource(f"{i}", A) for i in range(100_001)))
        with pytest.raises(LimitError):
            statements.parse(statements.encode(statement), max_size=limits.GIB)
        with pytest.raises(LimitError):
            statements.parse(
                statements.encode(OmsStatement("x", (), tuple(map(str, range(1_001)))))
            )

    @pytest.mark.parametrize(
        "change",
        [
            lambda c: c.update(algorithm="md5"),
            lambda c: c.update(algorithm=1),
            lambda c: c.update(chunk_size=True),
            lambda c: c.update(chunk_size="1048576"),
            lambda c: c.update(chunk_size=0),
            lambda c: c.update(chunk_size=-(1 << 20)),
            lambda c: c.update(chunk_size=limits.MIN_CHUNK // 2),
            lambda c: c.update(chunk_size=limits.MAX_CHUNK * 2),
            lambda c: c.update(chunk_size=limits.MIN_CHUNK + 1),
            lambda c: c.update(chunk_size=limits.MIN_CHUNK * 2),
            lambda c: c.update(chunk_size=1048576.0),
            lambda c: c.update(digests="AA=="),
            lambda c: c.update(digests=None),
            lambda c: c.update(x=1),
            lambda c: c.pop("digests"),
        ],
    )
    def test_malformed_chunks(self, change: Callable[[Any], object]) -> None:
        one = OmsStatement.build([Resource("a", A, CHUNKS), Resource("b", B, CHUNKS)])

        def apply(statement: Any) -> None:
            change(statement["predicate"]["resources"][0]["annotations"][oms.CHUNKS_ANNOTATION])

        with pytest.raises(SignatureFormatError):
            statements.parse(edited(statements.encode(one), apply))

    def test_all_or_none_have_chunks(self) -> None:
        with pytest.raises(SignatureFormatError, match="but not for all"):
            OmsStatement.build([Resource("a", A, CHUNKS), Resource("b", B)])

    def test_we_do_not_sign_signatures(self) -> None:
        with pytest.raises(UsageError, match="does not cover signatures"):
            OmsStatement.over({"signatures/x": A})

    def test_a_single_file_stands_alone(self) -> None:
        one = OmsStatement.over({".": A})
        one.check_digests({"model.gguf": A})
        for files in ({"a": A, "b": A}, {}):
            with pytest.raises(BadSignatureError):
                one.check_digests(files)
        with pytest.raises(DigestMismatchError):
            one.check_digests({"model.gguf": B})
        with pytest.raises(SignatureFormatError, match="single file"):
            OmsStatement.over({".": A, "b": B})


class TestCoverage:
    one = OmsStatement.over({"a": A, "b/c": B})

    def test_exactly_these(self) -> None:
        self.one.check_digests({"b/c": B, "a": A})
        self.one.check_digests({"b/c": B, "a": A, "signatures/x.sigstore.json": A})
        self.one.check_names({"a", "b/c"})

    @pytest.mark.parametrize(
        ("files", "error", "place"),
        [
            ({"a": A}, BadSignatureError, "b/c: is signed, and is not there"),
            ({"a": A, "b/c": B, "d": A}, BadSignatureError, "d: is there, and is not signed"),
            ({"a": A, "b/c": B, ".git": A}, BadSignatureError, ".git: is there"),
            ({"a": A, "b/c": B, "signature": A}, BadSignatureError, "signature: is there"),
            ({"a": B, "b/c": A}, DigestMismatchError, "a: differs"),
            ({"a": A, "b/c": A}, DigestMismatchError, "b/c: differs"),
            ({"A": A, "b/c": B}, BadSignatureError, "A: is there"),
            ({}, BadSignatureError, "a: is signed"),
        ],
    )
    def test_the_first_difference_is_named(
        self, files: dict[str, str], error: type[SafemodelError], place: str
    ) -> None:
        with pytest.raises(error) as caught:
            self.one.check_digests(files)
        assert str(caught.value).startswith(place)

    def test_nothing_signed_covers_nothing(self) -> None:
        OmsStatement.over({}).check_digests({})
        with pytest.raises(BadSignatureError):
            OmsStatement.over({}).check_digests({"a": A})

    def test_earlier_signature_files_may_be_listed(self) -> None:
        """What the stock tool does when it co-signs."""
        listed = OmsStatement("x", (*self.one.resources, Resource("signatures/1.json", A)))
        parsed = statements.parse(statements.encode(listed))
        assert isinstance(parsed, OmsStatement)
        parsed.check_digests({"a": A, "b/c": B})
        assert parsed.digests() == self.one.digests()

    def test_both_kinds_say_which_bundle_they_are_over(self) -> None:
        bundle = OmsStatement.over({"a": A, "manifest.json": DIGEST})
        assert bundle.bundle_digest == DIGEST
        assert self.one.bundle_digest is None
        assert ManifestStatement(DIGEST).bundle_digest == DIGEST

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_any_change_of_a_listing_is_seen(self, data: st.DataObject) -> None:
        names = st.text("abcé ./", min_size=1, max_size=6)
        digests = st.sampled_from([A, B])
        files = data.draw(st.dictionaries(names, digests, max_size=5))
        others = data.draw(st.dictionaries(names, digests, max_size=5))
        try:
            one = OmsStatement.over(files)
        except SignatureFormatError:
            return
        one.check_digests(files)
        assert statements.parse(statements.encode(one)) == one
        if others != files and "." not in files:
            with pytest.raises((BadSignatureError, DigestMismatchError)):
                one.check_digests(others)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_our_errors_only(data: bytes) -> None:
    with pytest.raises(FormatError):
        statements.parse(data)
