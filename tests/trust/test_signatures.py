"""Signature files: what `check` and `accept` let through, and every way to be refused."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel import limits
from safemodel.errors import (
    BadSignatureError,
    ExpiredError,
    LimitError,
    SafemodelError,
    SignatureFormatError,
    UnsignedError,
    UnsupportedError,
    UntrustedSignerError,
    UsageError,
)
from safemodel.trust import dsse, statements
from safemodel.trust.keys import Signer
from safemodel.trust.materials import PublicKeyMaterial
from safemodel.trust.oms import OmsStatement
from safemodel.trust.policy import UNSIGNED, TrustedKeys
from safemodel.trust.signatures import (
    Requested,
    VerifiedSignature,
    accept,
    check,
    check_detached,
    claims,
    detached_claim,
    file_name,
    sign_manifest,
    sign_oms,
)
from safemodel.trust.statements import ManifestStatement
from tests.trust.helpers import ALGORITHMS, DIGEST, OMS_ALGORITHMS, edited, payload_of

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
OTHER_DIGEST = "cd" * 32


def trusting(*signers: Signer, names: str | None = None) -> TrustedKeys:
    return TrustedKeys(*(signer.public_key for signer in signers), names=names)


def resigned(signer: Signer, payload: bytes, kind: str = "manifest") -> tuple[str, bytes]:
    """A valid signature over any payload at all: the signer is hostile, or has another tool."""
    key = signer.public_key
    signature = signer.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
    file = dsse.SignatureFile(PublicKeyMaterial(key.oms_hint), payload, signature)
    return file_name(key.key_id, kind), dsse.encode(file)


def oms_over(*names: str, digest: str = DIGEST) -> OmsStatement:
    return OmsStatement.over(dict.fromkeys(names, "11" * 32) | {"manifest.json": digest})


class TestValid:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_manifest_statement(self, keys: dict[str, Signer], algorithm: str) -> None:
        signer = keys[algorithm]
        name, data = sign_manifest(signer, DIGEST, note="für A", expires=NOW)
        earlier = NOW - timedelta(seconds=1)
        found = check({name: data}, bundle_digest=DIGEST, trust=trusting(signer), now=earlier)
        assert found == (
            VerifiedSignature(
                name, signer.public_key, None, ManifestStatement(DIGEST, NOW, "für A")
            ),
        )
        assert found[0].kind == "manifest"
        assert name == f"signatures/{signer.public_key.key_id}.manifest.sigstore.json"

    @pytest.mark.parametrize("algorithm", OMS_ALGORITHMS)
    def test_oms_statement(self, keys: dict[str, Signer], algorithm: str) -> None:
        signer = keys[algorithm]
        name, data = sign_oms(signer, oms_over("weights.safetensors"))
        found = check({name: data}, bundle_digest=DIGEST, trust=trusting(signer))
        assert found[0].statement == oms_over("weights.safetensors")
        assert found[0].kind == "oms"
        assert name == f"signatures/{signer.public_key.key_id}.oms.sigstore.json"

    def test_same_bytes_every_time(self, keys: dict[str, Signer]) -> None:
        for signer in keys.values():
            again = Signer.load(signer.pem())
            assert sign_manifest(signer, DIGEST) == sign_manifest(again, DIGEST)

    def test_several_signers_are_sorted_by_file(self, keys: dict[str, Signer]) -> None:
        files = dict(sign_manifest(signer, DIGEST) for signer in keys.values())
        files |= dict(sign_oms(keys[name], oms_over()) for name in OMS_ALGORITHMS)
        found = check(files, bundle_digest=DIGEST, trust=trusting(*keys.values()))
        assert [one.file for one in found] == sorted(files)
        assert len(found) == 7
        assert {one.statement.bundle_digest for one in found} == {DIGEST}

    def test_an_unknown_key_neither_helps_nor_harms(self, signer: Signer, stranger: Signer) -> None:
        files = dict([sign_manifest(signer, DIGEST), sign_manifest(stranger, DIGEST)])
        found = check(files, bundle_digest=DIGEST, trust=trusting(signer))
        assert [one.key for one in found] == [signer.public_key]

    def test_the_label_is_the_callers(self, signer: Signer, tmp_path: Any) -> None:
        signer.public_key.save(tmp_path / "acme.pub")
        files = dict([sign_manifest(signer, DIGEST)])
        found = check(files, bundle_digest=DIGEST, trust=TrustedKeys(tmp_path / "acme.pub"))
        assert found[0].label == "acme"

    def test_another_spelling_of_the_file(self, signer: Signer) -> None:
        """Sigstore's JSON comes from many tools: pretty-printed, other orders, fields omitted."""
        name, data = sign_manifest(signer, DIGEST)

        def omit_defaults(file: Any) -> None:
            del file["verificationMaterial"]["tlogEntries"]
            del file["dsseEnvelope"]["signatures"][0]["keyid"]

        for style in ({"indent": 2}, {}):
            for change in (omit_defaults, lambda _: None):
                other = edited(data, change, **style)
                assert other != data
                assert check({name: other}, bundle_digest=DIGEST, trust=trusting(signer))


class TestRefused:
    def test_no_signature(self, signer: Signer) -> None:
        with pytest.raises(UnsignedError) as caught:
            check({}, bundle_digest=DIGEST, trust=trusting(signer))
        assert "UNSIGNED" in (caught.value.hint or "")

    def test_strangers_only(self, signer: Signer, stranger: Signer) -> None:
        files = dict([sign_manifest(stranger, DIGEST), sign_oms(stranger, oms_over())])
        with pytest.raises(UntrustedSignerError) as caught:
            check(files, bundle_digest=DIGEST, trust=trusting(signer))
        assert stranger.public_key.key_id in str(caught.value)
        assert "safemodel trust add KEY.pub --name NAME" in (caught.value.hint or "")

    def test_many_strangers_are_counted(self, signer: Signer) -> None:
        name, data = sign_manifest(Signer.generate(), DIGEST)
        files = {file_name(f"{i:064x}", "manifest"): data for i in range(6)}
        with pytest.raises(UntrustedSignerError, match="and 2 more"):
            check(files, bundle_digest=DIGEST, trust=trusting(signer))
        assert name not in files

    def test_anothers_signature_under_a_trusted_name(
        self, signer: Signer, stranger: Signer
    ) -> None:
        """The name and the hint are the attacker's to choose."""
        payload = statements.encode(ManifestStatement(DIGEST))
        signature = stranger.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
        key = signer.public_key
        name = file_name(key.key_id, "manifest")
        posing = dsse.SignatureFile(PublicKeyMaterial(key.oms_hint), payload, signature)
        with pytest.raises(BadSignatureError) as caught:
            check({name: dsse.encode(posing)}, bundle_digest=DIGEST, trust=trusting(signer))
        assert caught.value.place == name
        renamed = {name: sign_manifest(stranger, DIGEST)[1]}
        with pytest.raises(SignatureFormatError, match="named after one key"):
            check(renamed, bundle_digest=DIGEST, trust=trusting(signer))
        hinted = {file_name(stranger.public_key.key_id, "manifest"): dsse.encode(posing)}
        with pytest.raises(SignatureFormatError, match="named after one key"):
            check(hinted, bundle_digest=DIGEST, trust=trusting(signer))

    def test_a_bad_one_by_a_trusted_key_beside_a_good_one(self, keys: dict[str, Signer]) -> None:
        first, second = keys["ecdsa-p256"], keys["ed25519"]
        files = dict([sign_manifest(first, DIGEST), sign_manifest(second, DIGEST)])
        name = file_name(second.public_key.key_id, "manifest")
        files[name] = edited(
            files[name], lambda f: f["dsseEnvelope"]["signatures"][0].update(sig="A" * 88)
        )
        with pytest.raises(SafemodelError) as caught:
            check(files, bundle_digest=DIGEST, trust=trusting(first, second))
        assert isinstance(caught.value, (BadSignatureError, SignatureFormatError))
        assert check(
            {n: d for n, d in files.items() if n != name},
            bundle_digest=DIGEST,
            trust=trusting(first, second),
        )

    @pytest.mark.parametrize("trusted", [True, False])
    def test_over_another_bundle(self, signer: Signer, stranger: Signer, trusted: bool) -> None:
        trust = trusting(signer if trusted else stranger)
        for name, data in (sign_manifest(signer, DIGEST), sign_oms(signer, oms_over())):
            with pytest.raises(BadSignatureError, match="over something else") as caught:
                check({name: data}, bundle_digest=OTHER_DIGEST, trust=trust)
            assert caught.value.place == name
        name, data = sign_oms(signer, OmsStatement.over({"a": DIGEST}))
        with pytest.raises(BadSignatureError, match="over something else"):
            check({name: data}, bundle_digest=DIGEST, trust=trust)

    def test_payload_swapped_between_two_valid_signatures(self, signer: Signer) -> None:
        name, mine = sign_manifest(signer, DIGEST)
        other = json.loads(sign_manifest(signer, DIGEST, note="other")[1])

        def swap(file: Any) -> None:
            file["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"]

        with pytest.raises(BadSignatureError, match="not one by key"):
            check({name: edited(mine, swap)}, bundle_digest=DIGEST, trust=trusting(signer))

    @pytest.mark.parametrize(
        "name",
        [
            "x.sigstore.json",
            "signatures/x.sigstore.json",
            "signatures/{id}.sigstore.json",
            "signatures/{id}.other.sigstore.json",
            "signatures/{id}.manifest.sigstore.json\n",
            "signatures/{ID}.manifest.sigstore.json",
            "signatures/a/{id}.manifest.sigstore.json",
        ],
    )
    def test_file_names(self, signer: Signer, name: str) -> None:
        key_id = signer.public_key.key_id
        name = name.format(id=key_id, ID=key_id.upper())
        _, data = sign_manifest(signer, DIGEST)
        with pytest.raises(SignatureFormatError, match="not the name of a signature"):
            check({name: data}, bundle_digest=DIGEST, trust=UNSIGNED)

    def test_the_kind_in_the_name(self, signer: Signer) -> None:
        _, manifest = sign_manifest(signer, DIGEST)
        _, oms = sign_oms(signer, oms_over())
        for kind, data in (("oms", manifest), ("manifest", oms)):
            name = file_name(signer.public_key.key_id, kind)
            with pytest.raises(SignatureFormatError, match="named as a signature of kind"):
                check({name: data}, bundle_digest=DIGEST, trust=trusting(signer))

    def test_too_many(self, signer: Signer) -> None:
        _, data = sign_manifest(signer, DIGEST)
        files = {file_name(f"{i:064x}", "manifest"): data for i in range(65)}
        with pytest.raises(LimitError):
            check(files, bundle_digest=DIGEST, trust=UNSIGNED)
        with pytest.raises(LimitError):
            claims(files)

    def test_too_large(self, signer: Signer) -> None:
        name, data = sign_manifest(signer, DIGEST)
        padded = data + b" " * (limits.MAX_SIGNATURE_FILE - len(data))
        assert check({name: padded}, bundle_digest=DIGEST, trust=trusting(signer))
        with pytest.raises(LimitError):
            check({name: padded + b" "}, bundle_digest=DIGEST, trust=trusting(signer))


def _set(*path: Any) -> Callable[[Any], None]:
    """A change that puts the last of `path` where the others lead."""

    def change(file: Any) -> None:
        *steps, last, value = path
        for step in steps:
            file = file[step]
        file[last] = value

    return change


def _sig(file: Any) -> Any:
    return file["dsseEnvelope"]["signatures"][0]


MALFORMED: list[tuple[str, Callable[[Any], object]]] = [
    ("media type 0.2", _set("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2")),
    ("media type of another type", _set("mediaType", 3)),
    ("unknown key", _set("x", 1)),
    ("unknown key in the material", _set("verificationMaterial", "x", 1)),
    ("unknown key in the key", _set("verificationMaterial", "publicKey", "rawBytes", "")),
    ("unknown key in the envelope", _set("dsseEnvelope", "x", 1)),
    ("unknown key in the signature", _set("dsseEnvelope", "signatures", 0, "cert", "")),
    ("no media type", lambda f: f.pop("mediaType")),
    ("no material", lambda f: f.pop("verificationMaterial")),
    ("no envelope", lambda f: f.pop("dsseEnvelope")),
    ("no payload", lambda f: f["dsseEnvelope"].pop("payload")),
    ("no payload type", lambda f: f["dsseEnvelope"].pop("payloadType")),
    ("no signatures", lambda f: f["dsseEnvelope"].pop("signatures")),
    ("no signer", lambda f: f["verificationMaterial"].pop("publicKey")),
    ("no hint", lambda f: f["verificationMaterial"]["publicKey"].pop("hint")),
    ("no sig", lambda f: _sig(f).pop("sig")),
    ("material is a list", _set("verificationMaterial", [])),
    ("log entries are null", _set("verificationMaterial", "tlogEntries", None)),
    ("log entries are an object", _set("verificationMaterial", "tlogEntries", {})),
    ("hint is null", _set("verificationMaterial", "publicKey", "hint", None)),
    ("hint is empty", _set("verificationMaterial", "publicKey", "hint", "")),
    ("hint in capitals", lambda f: f["verificationMaterial"]["publicKey"].update(hint="AB" * 32)),
    ("signatures is an object", _set("dsseEnvelope", "signatures", {})),
    ("zero signatures", _set("dsseEnvelope", "signatures", [])),
    ("two signatures", lambda f: f["dsseEnvelope"]["signatures"].append(_sig(f))),
    ("signature is a string", _set("dsseEnvelope", "signatures", 0, "x")),
    ("keyid", _set("dsseEnvelope", "signatures", 0, "keyid", "x")),
    ("keyid null", _set("dsseEnvelope", "signatures", 0, "keyid", None)),
    ("payload type", _set("dsseEnvelope", "payloadType", "application/json")),
    ("payload is null", _set("dsseEnvelope", "payload", None)),
    ("payload empty", _set("dsseEnvelope", "payload", "")),
    ("sig empty", _set("dsseEnvelope", "signatures", 0, "sig", "")),
    ("sig long", _set("dsseEnvelope", "signatures", 0, "sig", "AAAA" * 3000)),
    ("sig is a number", _set("dsseEnvelope", "signatures", 0, "sig", 1)),
    ("sig not base64", _set("dsseEnvelope", "signatures", 0, "sig", "é")),
    ("sig url-safe", _set("dsseEnvelope", "signatures", 0, "sig", "__--")),
    ("sig with a line break", lambda f: _sig(f).update(sig=_sig(f)["sig"] + "\n")),
    ("sig unpadded", _set("dsseEnvelope", "signatures", 0, "sig", "AA")),
    ("sig padded twice", _set("dsseEnvelope", "signatures", 0, "sig", "AAAA====")),
    ("sig with hidden bits", _set("dsseEnvelope", "signatures", 0, "sig", "AB==")),
]


@pytest.mark.parametrize(("change"), [c for _, c in MALFORMED], ids=[n for n, _ in MALFORMED])
@pytest.mark.parametrize("trusted", [True, False])
def test_malformed_files(signer: Signer, change: Callable[[Any], object], trusted: bool) -> None:
    """Refused whoever signed: what tools could read differently is no signature."""
    name, data = sign_manifest(signer, DIGEST)
    trust = trusting(signer) if trusted else UNSIGNED
    with pytest.raises(SignatureFormatError) as caught:
        check({name: edited(data, change)}, bundle_digest=DIGEST, trust=trust)
    assert caught.value.place == name


@pytest.mark.parametrize(
    "change",
    [
        _set("verificationMaterial", "tlogEntries", [{}]),
        _set("verificationMaterial", "timestampVerificationData", {}),
        lambda f: f.update(verificationMaterial={"certificate": {"rawBytes": ""}}),
        lambda f: f.update(verificationMaterial={"x509CertificateChain": {"certificates": []}}),
    ],
)
def test_material_of_a_later_version(signer: Signer, change: Callable[[Any], object]) -> None:
    name, data = sign_manifest(signer, DIGEST)
    with pytest.raises(UnsupportedError, match="this version does not check"):
        check({name: edited(data, change)}, bundle_digest=DIGEST, trust=trusting(signer))


def test_a_kind_of_a_later_version_beside_a_good_one(signer: Signer) -> None:
    """A bundle that is also signed in a way of tomorrow loads today; that way does not count."""
    name, data = sign_manifest(signer, DIGEST)
    later_name, later = sign_manifest(Signer.generate(), DIGEST)
    change = _set("verificationMaterial", {"certificate": {"rawBytes": ""}})
    files = {name: data, later_name: edited(later, change)}
    (only,) = check(files, bundle_digest=DIGEST, trust=trusting(signer))
    assert only.file == name
    with pytest.raises(UnsupportedError, match="this version does not check"):
        check(files, bundle_digest=DIGEST, trust=trusting(Signer.generate()))


class TestSpelling:
    """JSON that parsers read differently."""

    def refuse(self, signer: Signer, change: Callable[[bytes], bytes]) -> str:
        name, data = sign_manifest(signer, DIGEST)
        changed = change(data)
        assert changed != data
        with pytest.raises(SignatureFormatError) as caught:
            check({name: changed}, bundle_digest=DIGEST, trust=trusting(signer))
        return caught.value.message

    def test_duplicate_keys(self, signer: Signer) -> None:
        for key in (b'"mediaType":', b'"payload":', b'"sig":', b'"hint":'):
            message = self.refuse(signer, lambda d, k=key: d.replace(k, k + b'"x",' + k))
            assert "same key twice" in message

    def test_duplicate_keys_by_escapes(self, signer: Signer) -> None:
        escaped = b'"\\u0073ig":"x","sig":'
        assert "twice" in self.refuse(signer, lambda d: d.replace(b'"sig":', escaped))

    @pytest.mark.parametrize("number", [b"1.0", b"1e3", b"NaN", b"Infinity", b"1" * 5000, b"-0.0"])
    def test_numbers(self, signer: Signer, number: bytes) -> None:
        self.refuse(signer, lambda d: d.replace(b'"keyid":""', b'"keyid":' + number))

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: b"\xef\xbb\xbf" + d,
            lambda d: d.decode().encode("utf-16"),
            lambda d: d.decode().encode("utf-32-le"),
            lambda d: d + b"x",
            lambda d: d + d,
            lambda d: d[:-1],
            lambda d: b"",
            lambda d: b"null",
            lambda d: b"[" + d + b"]",
            lambda d: d.replace(b":", b"=", 1),
            lambda d: d.replace(b'"keyid":""', b'"keyid":"\xff"'),
            lambda d: d.replace(b'"keyid":""', b'"keyid":"\x01"'),
            lambda d: d.replace(b'"', b"'"),
            lambda d: b"// comment\n" + d,
            lambda d: d.replace(b"}]", b"},]"),
        ],
    )
    def test_not_json(self, signer: Signer, change: Callable[[bytes], bytes]) -> None:
        self.refuse(signer, change)

    @pytest.mark.parametrize(
        "data",
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"[" * 17 + b"]" * 17,
            b'"' + b'\\"' * 200_000 + b"[" * 100,
            b'"' * 500_000,
        ],
        ids=["lists", "objects", "17", "quotes", "strings"],
    )
    def test_depth_costs_nothing(self, data: bytes) -> None:
        with pytest.raises((SignatureFormatError, LimitError)):
            dsse.parse(data)

    def test_brackets_in_strings_are_no_depth(self, signer: Signer) -> None:
        name, data = sign_manifest(signer, DIGEST, note='\\"[[[[{{{{' * 20)
        assert check({name: data}, bundle_digest=DIGEST, trust=trusting(signer))

    def test_many_values_are_refused_before_they_cost_memory(self) -> None:
        with pytest.raises(LimitError, match="values"):
            dsse.parse(b"[" + b"[]," * 2_000_000, max_size=limits.MAX_DETACHED_SIGNATURE_FILE)

    @pytest.mark.parametrize("unit", [b'"', b'\\"', b"]", b'"[', b'"",', b"[],", b'{"":'])
    def test_no_file_costs_more_than_a_few_times_its_size(self, unit: bytes) -> None:
        data = b"[" + unit * (limits.MIB * 8 // len(unit))
        tracemalloc.start()
        try:
            with pytest.raises((SignatureFormatError, LimitError)):
                dsse.parse(data, max_size=limits.MAX_DETACHED_SIGNATURE_FILE)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16 * len(data)


class TestEveryByte:
    """Change any byte of a signature file: refused, or it says exactly the same."""

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_manifest(self, keys: dict[str, Signer], algorithm: str) -> None:
        signer = keys[algorithm]
        name, data = sign_manifest(signer, DIGEST, note="x", expires=NOW)
        self.tamper(name, data, trusting(signer))

    def test_oms(self, signer: Signer) -> None:
        name, data = sign_oms(signer, oms_over("a", "b/c"))
        self.tamper(name, data, trusting(signer))

    def tamper(self, name: str, data: bytes, trust: TrustedKeys) -> None:
        now = NOW - timedelta(days=1)
        original = check({name: data}, bundle_digest=DIGEST, trust=trust, now=now)
        survived = 0
        for at in range(len(data)):
            for mask in (0x01, 0x20, 0x80):
                changed = bytearray(data)
                changed[at] ^= mask
                try:
                    found = check(
                        {name: bytes(changed)}, bundle_digest=DIGEST, trust=trust, now=now
                    )
                except SafemodelError:
                    continue
                assert found == original
                survived += 1
        assert survived == 0


class TestExpiry:
    def test_the_last_second(self, signer: Signer) -> None:
        files = dict([sign_manifest(signer, DIGEST, expires=NOW)])
        trust = trusting(signer)
        assert check(files, bundle_digest=DIGEST, trust=trust, now=NOW - timedelta(microseconds=1))
        for late in (NOW, NOW + timedelta(days=1)):
            with pytest.raises(ExpiredError, match="2027-01-31T12:00:00Z") as caught:
                check(files, bundle_digest=DIGEST, trust=trust, now=late)
            assert caught.value.place in files

    def test_the_clock_is_the_default(self, signer: Signer) -> None:
        old = dict([sign_manifest(signer, DIGEST, expires=datetime(2020, 1, 1, tzinfo=UTC))])
        with pytest.raises(ExpiredError):
            check(old, bundle_digest=DIGEST, trust=trusting(signer))
        new = dict([sign_manifest(signer, DIGEST, expires=datetime(9999, 1, 1, tzinfo=UTC))])
        assert check(new, bundle_digest=DIGEST, trust=trusting(signer))

    def test_an_expired_one_beside_a_current_one(self, keys: dict[str, Signer]) -> None:
        first, second = keys["ecdsa-p256"], keys["ed25519"]
        files = dict([sign_manifest(first, DIGEST, expires=NOW), sign_manifest(second, DIGEST)])
        found = check(files, bundle_digest=DIGEST, trust=trusting(first, second), now=NOW)
        assert [one.key for one in found] == [second.public_key]

    def test_time_zones(self, signer: Signer) -> None:
        local = NOW.astimezone(timezone(timedelta(hours=5))) + timedelta(microseconds=7)
        assert sign_manifest(signer, DIGEST, expires=local) == sign_manifest(
            signer, DIGEST, expires=NOW
        )
        naive = datetime(2027, 1, 1)
        with pytest.raises(UsageError, match="time zone"):
            sign_manifest(signer, DIGEST, expires=naive)
        with pytest.raises(UsageError, match="time zone"):
            check({}, bundle_digest=DIGEST, trust=trusting(signer), now=naive)


class TestUnsigned:
    def test_nothing_is_asked_for_and_nobody_has_signed(
        self, signer: Signer, stranger: Signer
    ) -> None:
        files = dict([sign_manifest(signer, DIGEST), sign_oms(stranger, oms_over())])
        for some in ({}, files):
            found = check(some, bundle_digest=DIGEST, trust=UNSIGNED)
            assert found == ()
            assert accept(found, UNSIGNED, Requested("acme/x"), None) == ()

    def test_what_is_there_must_be_valid(self, signer: Signer) -> None:
        name, data = sign_manifest(signer, DIGEST)
        with pytest.raises(BadSignatureError):
            check({name: data}, bundle_digest=OTHER_DIGEST, trust=UNSIGNED)
        with pytest.raises(SignatureFormatError):
            check({name: b"{}"}, bundle_digest=DIGEST, trust=UNSIGNED)

    def test_signatures_by_keys_of_this_machine_are_verified(self) -> None:
        from safemodel.trust import store

        own = store.own_signer()
        assert own is not None
        name, data = sign_manifest(own, DIGEST)
        other = sign_manifest(own, DIGEST, note="x")[1]

        def swap(file: Any) -> None:
            file["dsseEnvelope"]["signatures"] = json.loads(other)["dsseEnvelope"]["signatures"]

        with pytest.raises(BadSignatureError):
            check({name: edited(data, swap)}, bundle_digest=DIGEST, trust=UNSIGNED)

    def test_an_expired_one_is_no_matter(self, signer: Signer) -> None:
        files = dict([sign_manifest(signer, DIGEST, expires=NOW)])
        assert check(files, bundle_digest=DIGEST, trust=UNSIGNED, now=NOW) == ()


class TestAccept:
    def test_names(self, keys: dict[str, Signer]) -> None:
        signer = keys["ecdsa-p256"]
        trust = trusting(signer, names="acme/*")
        found = check(dict([sign_manifest(signer, DIGEST)]), bundle_digest=DIGEST, trust=trust)
        assert accept(found, trust, Requested(), "acme/fraud") == found
        assert accept(found, trust, Requested("acme/fraud"), None) == found
        for requested, manifest in (
            (None, "beta/fraud"),
            (None, None),
            (None, "acme"),
            (None, "acme/"),
            ("beta/fraud", "acme/fraud"),
        ):
            with pytest.raises(UntrustedSignerError, match=r"counts only for acme/\*") as caught:
                accept(found, trust, Requested(requested), manifest)
            assert "safemodel trust add" in (caught.value.hint or "")

    def test_only_those_that_count_are_returned(self, keys: dict[str, Signer]) -> None:
        first, second = keys["ecdsa-p256"], keys["ed25519"]

        class Both(TrustedKeys):
            def accepts(self, key_id: str, name: str | None) -> bool:
                return key_id == second.public_key.key_id

        trust = Both(first.public_key, second.public_key)
        files = dict([sign_manifest(first, DIGEST), sign_manifest(second, DIGEST)])
        found = check(files, bundle_digest=DIGEST, trust=trust)
        assert len(found) == 2
        assert [one.key for one in accept(found, trust, Requested(), None)] == [second.public_key]

    def test_nothing_verified(self, signer: Signer) -> None:
        with pytest.raises(UnsignedError):
            accept((), trusting(signer), Requested(), None)

    def test_the_default_is_own_key_and_store(self) -> None:
        from safemodel.trust import store

        own = store.own_signer()
        assert own is not None
        found = check(dict([sign_manifest(own, DIGEST)]), bundle_digest=DIGEST)
        assert accept(found, None, Requested(), None) == found
        assert found[0].label == store.OWN_LABEL


class TestDetached:
    def test_any_name_and_more_bytes(self, signer: Signer) -> None:
        files = {f"folder {i}/é.bin": "22" * 32 for i in range(10_000)}
        statement = OmsStatement.over(files)
        name, data = sign_oms(signer, statement, detached=True)
        assert len(data) > limits.MAX_SIGNATURE_FILE
        found = check_detached(data, file="x.sig", trust=trusting(signer))
        assert found is not None
        assert found.statement == statement
        assert found.file == "x.sig"
        with pytest.raises(UsageError, match="permitted"):
            sign_oms(signer, statement)
        with pytest.raises(LimitError):
            check({name: data}, bundle_digest=DIGEST, trust=trusting(signer))

    def test_of_a_bundle(self, signer: Signer) -> None:
        for _, data in (sign_manifest(signer, DIGEST), sign_oms(signer, oms_over())):
            found = check_detached(data, file="s", trust=trusting(signer), bundle_digest=DIGEST)
            assert found is not None
            with pytest.raises(BadSignatureError, match="over something else"):
                check_detached(data, file="s", trust=trusting(signer), bundle_digest=OTHER_DIGEST)

    def test_refused(self, signer: Signer, stranger: Signer) -> None:
        _, manifest = sign_manifest(signer, DIGEST)
        _, oms = sign_oms(signer, oms_over())
        with pytest.raises(BadSignatureError, match="over a bundle, and this is none"):
            check_detached(manifest, file="s", trust=trusting(signer))
        with pytest.raises(UntrustedSignerError, match=signer.public_key.oms_hint):
            check_detached(oms, file="s", trust=trusting(stranger))
        with pytest.raises(SignatureFormatError) as caught:
            check_detached(oms[1:], file="s", trust=trusting(signer))
        assert caught.value.path == "s"
        assert check_detached(oms, file="s", trust=UNSIGNED) is None


class TestSigning:
    def test_ed25519_is_not_oms(self, keys: dict[str, Signer]) -> None:
        with pytest.raises(UsageError, match="no ed25519 keys") as caught:
            sign_oms(keys["ed25519"], oms_over())
        assert "leave --oms out" in (caught.value.hint or "")

    def test_ed25519_is_not_oms_for_readers_either(self, keys: dict[str, Signer]) -> None:
        key = keys["ed25519"]
        statement = oms_over()
        payload = statements.encode(statement)
        material = PublicKeyMaterial(key.public_key.oms_hint)
        signature = key.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
        data = dsse.encode(dsse.SignatureFile(material, payload, signature))
        with pytest.raises(SignatureFormatError, match=r"OMS statement signed by .* ed25519"):
            check_detached(data, file="s", trust=trusting(key))

    @pytest.mark.parametrize("digest", ["", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
    def test_digest(self, signer: Signer, digest: str) -> None:
        with pytest.raises(UsageError, match="bundle digest"):
            sign_manifest(signer, digest)

    @pytest.mark.parametrize("note", ["", "x" * 4097, "é" * 2049])
    def test_note(self, signer: Signer, note: str) -> None:
        with pytest.raises(UsageError, match="a note has"):
            sign_manifest(signer, DIGEST, note=note)

    def test_our_files_are_canonical(self, signer: Signer) -> None:
        for _, data in (sign_manifest(signer, DIGEST), sign_oms(signer, oms_over())):
            assert dsse.encode(dsse.parse(data)) == data
            payload = payload_of(data)
            assert statements.encode(statements.parse(payload)) == payload


def test_claims_prove_nothing_and_say_everything(signer: Signer) -> None:
    name, data = sign_manifest(signer, DIGEST, note="n")
    broken = edited(data, lambda f: _sig(f).update(sig="AAAA"))
    (claim,) = claims({name: broken})
    assert claim.file == name
    assert claim.key_id == signer.public_key.key_id
    assert claim.hint == signer.public_key.oms_hint
    assert claim.kind == "manifest"
    assert claim.statement == ManifestStatement(DIGEST, None, "n")
    assert dsse.parse(data).material.kind == "publicKey"


def test_the_claim_of_a_detached_file(signer: Signer) -> None:
    _, data = sign_oms(signer, oms_over())
    claim = detached_claim(data, file="x.sig")
    assert claim.file == "x.sig"
    assert claim.key_id is None
    assert claim.kind == "oms"
    assert claim.statement == oms_over()


def test_pae_is_that_of_dsse() -> None:
    """The example of the DSSE specification."""
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_our_errors_only(data: bytes) -> None:
    with pytest.raises(SafemodelError):
        check({file_name("0" * 64, "oms"): data}, bundle_digest=DIGEST, trust=UNSIGNED)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "_type",
                    "subject",
                    "predicateType",
                    "predicate",
                    "name",
                    "digest",
                    "sha256",
                    "serialization",
                    "resources",
                    "algorithm",
                    "mediaType",
                    "payload",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_arbitrary_json_raises_our_errors_only(value: Any) -> None:
    """As a whole file, and as a payload within a well-formed one."""
    data = json.dumps(value).encode()
    file = {
        "mediaType": dsse.MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": "0" * 64}},
        "dsseEnvelope": {
            "payload": base64.b64encode(data).decode(),
            "payloadType": dsse.PAYLOAD_TYPE,
            "signatures": [{"sig": "AAAA"}],
        },
    }
    for content in (data, json.dumps(file).encode()):
        with pytest.raises(SafemodelError):
            check({file_name("0" * 64, "oms"): content}, bundle_digest=DIGEST, trust=UNSIGNED)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_part_replaced_by_anything(data: st.DataObject) -> None:
    """Any value of a statement becomes any JSON: refused, or it covers what it says and no more."""
    original = oms_over("a", "b")
    statement = json.loads(statements.encode(original))
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in list(children):
            places.append((value, key))
            if isinstance(child, (dict, list)):
                walk(child)

    walk(statement)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(JSON)
    payload = json.dumps(statement).encode()
    try:
        parsed = statements.parse(payload)
    except SafemodelError:
        return
    assert isinstance(parsed, OmsStatement)
    assert parsed.bundle_digest in (DIGEST, None)
    if parsed.digests() != original.digests():
        with pytest.raises(BadSignatureError):
            parsed.check_digests(original.digests())
