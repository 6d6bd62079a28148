"""Which keys count, and for which names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import KeyFileError, UsageError
from safemodel.format import metadata
from safemodel.trust import policy, store
from safemodel.trust.keys import Signer
from safemodel.trust.policy import UNSIGNED, DefaultTrust, TrustedKey, TrustedKeys


class TestTrustedKeys:
    def test_every_form_of_a_key(
        self, keys: dict[str, Signer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = keys["ed25519"].public_key
        key.save(tmp_path / "a.pub")
        monkeypatch.setenv("PUB", key.pem)
        for source in (
            key,
            tmp_path / "a.pub",
            str(tmp_path / "a.pub"),
            key.pem,
            key.pem.encode(),
            "env:PUB",
        ):
            trust = TrustedKeys(source)
            assert [one.key for one in trust.candidate_keys().values()] == [key]
            assert trust.requires_signature
            assert trust.accepts(key.key_id, None)
            assert trust.accepts(key.key_id, "any/name")
            assert key.key_id in repr(trust)

    def test_others_do_not_count(self, keys: dict[str, Signer]) -> None:
        trust = TrustedKeys(*(one.public_key for one in keys.values()))
        assert len(trust.candidate_keys()) == 4
        assert not trust.accepts("0" * 64, None)

    def test_no_key_and_no_names_are_mistakes(self, signer: Signer) -> None:
        with pytest.raises(UsageError, match="no key given"):
            TrustedKeys()
        with pytest.raises(UsageError, match="no names given"):
            TrustedKeys(signer.public_key, names=())
        with pytest.raises(KeyFileError):
            TrustedKeys("/no/such/file.pub")

    def test_names(self, signer: Signer) -> None:
        trust = TrustedKeys(signer.public_key, names=["acme/*", "beta"])
        key_id = signer.public_key.key_id
        for name in ("acme/fraud", "acme/a/b", "beta"):
            assert trust.accepts(key_id, name)
        for other in ("acme", "acme/", "Acme/fraud", "acmeX/fraud", "beta/x", "", None):
            assert not trust.accepts(key_id, other)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ["a", "a/b", None], []),
        ("a", ["a"], ["A", "a/b", "ab", "", None]),
        ("a/b", ["a/b"], ["a/B", "a", "a/b/c", None]),
        ("a/*", ["a/b", "a/b/c", "a/*"], ["a", "a/", "b/a", "aa/b", None]),
    ],
)
def test_patterns(pattern: str, yes: list[str | None], no: list[str | None]) -> None:
    assert policy.check_patterns(pattern) == (pattern,)
    assert all(policy.matches(pattern, name) for name in yes)
    assert not any(policy.matches(pattern, name) for name in no)


@given(st.text("aZ0_.-/", min_size=1, max_size=8) | st.from_regex(r"\A[a-c._/-]{1,12}\Z"))
def test_a_key_can_be_trusted_for_every_name_a_model_can_have_and_no_other(name: str) -> None:
    def permitted(call: Callable[[], object]) -> bool:
        try:
            call()
        except UsageError:
            return False
        return True

    possible = permitted(lambda: metadata.make({"name": name}))
    assert permitted(lambda: policy.check_patterns(name)) is possible
    assert permitted(lambda: policy.check_patterns(f"{name}/*")) is possible


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "**",
        "*/a",
        "a*",
        "a/*/b",
        "a/**",
        "/a",
        "a/",
        "a//b",
        "../a",
        ".a",
        "a b",
        "a?",
        "[a]",
        "é",
        "a\n",
        "a/*\n",
        "x" * 201,
        "a.",
        "a-/b",
        "a/b-/*",
        "a/b/c/d/e/f/g/h/i",
    ],
)
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="not a name that a key can be trusted for"):
        policy.check_patterns(pattern)


def test_unsigned() -> None:
    assert not UNSIGNED.requires_signature
    assert not UNSIGNED.accepts("0" * 64, None)
    assert dict(UNSIGNED.candidate_keys()) == {}
    assert repr(UNSIGNED) == "UNSIGNED"
    own = store.own_signer()
    assert own is not None
    assert list(UNSIGNED.candidate_keys()) == [own.public_key.key_id]
    assert not UNSIGNED.accepts(own.public_key.key_id, None)


class TestDefault:
    def test_own_key_counts_for_everything(self) -> None:
        assert dict(DefaultTrust().candidate_keys()) == {}
        own = store.own_signer()
        assert own is not None
        trust = DefaultTrust()
        assert trust.requires_signature
        assert trust.accepts(own.public_key.key_id, None)
        assert trust.accepts(own.public_key.key_id, "any")
        assert repr(trust) == "DefaultTrust()"

    def test_stored_keys_count_for_their_names(self, signer: Signer, stranger: Signer) -> None:
        store.add(signer.public_key, "acme/*", label="acme")
        trust = DefaultTrust()
        key_id = signer.public_key.key_id
        assert trust.candidate_keys()[key_id] == TrustedKey(signer.public_key, "acme", ("acme/*",))
        assert trust.accepts(key_id, "acme/fraud")
        assert not trust.accepts(key_id, "beta/fraud")
        assert not trust.accepts(key_id, None)
        assert not trust.accepts(stranger.public_key.key_id, "acme/fraud")

    def test_a_damaged_store_stops_everything(self, config_dir: Path) -> None:
        (config_dir / "trust.json").write_bytes(b"{}")
        with pytest.raises(KeyFileError):
            DefaultTrust().candidate_keys()
        with pytest.raises(KeyFileError):
            UNSIGNED.candidate_keys()


def test_what_trust_may_be(signer: Signer, tmp_path: Path) -> None:
    key = signer.public_key
    key.save(tmp_path / "k.pub")
    assert isinstance(policy.resolve(None), DefaultTrust)
    assert policy.resolve(UNSIGNED) is UNSIGNED
    for source in (key, tmp_path / "k.pub", str(tmp_path / "k.pub"), key.pem.encode()):
        assert policy.resolve(source).accepts(key.key_id, "x")
