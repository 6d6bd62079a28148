"""Tampering with an archive: each case is refused, or yields exactly the original content."""

from __future__ import annotations

import contextlib
import itertools
import random
from pathlib import Path

import pytest

from safemodel.bundle import inspect, sign
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import (
    BadSignatureError,
    ContainerError,
    DigestMismatchError,
    SafemodelError,
    SignatureFormatError,
    TruncatedError,
    UnsignedError,
    WrongModelError,
)
from safemodel.format.metadata import Metadata
from safemodel.trust.policy import UNSIGNED

from .attacks import (
    TRUST,
    flips,
    members_of,
    outcome,
    rebuilt,
    refused,
    refused_or_same,
)
from .samples import everything, signer, small, verified


def archive(folder: Path, seed: int = 0, **arguments: object) -> bytes:
    path = folder / "m.safemodel"
    write(path, small(seed), signers=[signer()], **arguments)  # type: ignore[arg-type]
    return path.read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return archive(tmp_path_factory.mktemp("other"), seed=1)


# Different bits by each way in; together every byte by every way, and every bit of every byte.
@pytest.mark.parametrize(
    ("way", "pattern"),
    [("verify", 0x01), ("open", 0x20), ("load", 0x80), ("mapped", 0xFF)],
)
def test_every_flipped_byte_is_refused(data: bytes, way: str, pattern: int) -> None:
    for position, changed in flips(data, pattern):
        found = outcome(way, changed)
        assert isinstance(found, SafemodelError), f"{way} accepted a flip at {position}"
        assert found.path == "<bytes>"


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_refused_by_every_way(data: bytes, bit: int) -> None:
    for _, changed in flips(data, 1 << bit):
        refused(changed)


def test_flips_are_found_without_trust_in_anyone(data: bytes) -> None:
    """UNSIGNED detects damage: all but what makes the signature another one."""
    original = verified(data, trust=UNSIGNED)
    accepted = []
    for position, changed in flips(data, 0x10):
        found = outcome("verify", changed, trust=UNSIGNED)
        if not isinstance(found, SafemodelError):
            assert found == original
            accepted.append(position)
    name, signature = members_of(data)[-1]
    assert name.startswith("signatures/")
    start = data.index(signature)
    # The bytes of the signature file are guarded by their CRC-32, also when nobody verifies it.
    assert not [p for p in accepted if not start <= p < start + len(signature)]
    assert accepted == []


def test_flips_behind_consistent_container_fields_are_refused(data: bytes) -> None:
    """An attacker who repairs CRCs, headers and directory is stopped by digests and signature."""
    members = members_of(data)
    for index, (name, content) in enumerate(members):
        kinds = set()
        for _, changed in flips(content, 0x01):
            rest = [*members[:index], (name, changed), *members[index + 1 :]]
            found = outcome("verify", rebuilt(rest))
            assert isinstance(found, SafemodelError), name
            kinds.add(type(found))
        assert kinds or not content
        if name == "manifest.json":
            assert kinds == {BadSignatureError}  # before it is parsed at all
        if name == "README.md":
            assert kinds == {ContainerError}  # the CRC-32 of the manifest


def test_payload_flips_with_the_same_crc_are_refused(data: bytes) -> None:
    """The local and central CRC-32 left as they are: only the chunk digest can tell."""
    members = dict(members_of(data))
    weights = members["weights.safetensors"]
    start = data.index(weights)
    for position in range(start, start + len(weights)):
        changed = bytearray(data)
        changed[position] ^= 0x04
        for error in refused(bytes(changed)):
            assert isinstance(error, DigestMismatchError)
            assert error.place is not None
            assert error.place.startswith("weights.safetensors")


def test_a_whole_load_looks_at_the_headers_of_all_members(data: bytes) -> None:
    for name in (b"README.md", b"assets/empty.txt"):
        at = data.index(name) - 1
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with open_bundle(changed, trust=TRUST) as bundle, pytest.raises(ContainerError):
            bundle.load_weights()


@pytest.mark.parametrize("way", ["verify", "open"])
def test_every_truncation_is_refused(data: bytes, way: str) -> None:
    for length in range(len(data)):
        found = outcome(way, data[:length])
        assert isinstance(found, SafemodelError)
        if length > 100:
            assert isinstance(found, TruncatedError | ContainerError)


def test_truncations_from_the_front_are_refused(data: bytes) -> None:
    for start in range(1, len(data)):
        assert isinstance(outcome("verify", data[start:]), SafemodelError)


@pytest.mark.parametrize("extra", [b"\0", b" ", b"\n", b"PK\x05\x06", b"PK\x03\x04", b"\0" * 4096])
def test_appended_prepended_and_inserted_bytes_are_refused(data: bytes, extra: bytes) -> None:
    refused(data + extra)
    refused(extra + data)
    for position in range(0, len(data), 7 if len(extra) < 100 else 61):
        found = outcome("verify", data[:position] + extra + data[position:])
        assert isinstance(found, SafemodelError)
        found = outcome("open", data[:position] + extra + data[position + len(extra) :])
        unchanged = data[position : position + len(extra)] == extra
        assert isinstance(found, SafemodelError) or unchanged


def test_two_archives_one_behind_the_other_are_refused(data: bytes, other: bytes) -> None:
    refused(data + other)
    refused(other + data)
    refused(data + data)


def test_deleted_bytes_are_refused(data: bytes) -> None:
    for position in range(len(data)):
        assert isinstance(outcome("open", data[:position] + data[position + 1 :]), SafemodelError)


def test_reordered_members_are_refused(data: bytes) -> None:
    members = members_of(data)
    assert rebuilt(members) == data
    for order in itertools.permutations(members):
        if list(order) != members:
            errors = refused(rebuilt(order))
            assert all(isinstance(error, ContainerError) for error in errors)


def test_duplicated_members_are_refused(data: bytes, other: bytes) -> None:
    members = members_of(data)
    for index, member in enumerate(members):
        for extra in (member, (member[0], b"x"), dict(members_of(other)).get(member[0])):
            if extra is None:
                continue
            twin = extra if isinstance(extra, tuple) else (member[0], extra)
            for position in range(len(members) + 1):
                refused(rebuilt([*members[:position], twin, *members[position:]]))
        refused(rebuilt([*members[:index], *members[index + 1 :]]))  # and dropped


def test_a_bundle_without_its_signature_is_unsigned(data: bytes) -> None:
    for error in refused(rebuilt(members_of(data)[:-1])):
        assert isinstance(error, UnsignedError)


@pytest.mark.parametrize(
    "name",
    [
        "readme.md",
        "README.md2",
        "assets/README.md",
        "../README.md",
        "/README.md",
        "a\\b",
        "manifest.json",
        "Manifest.json",
        "manifest.json/x",
        "weights.safetensors",
        "weights-00001-of-00001.safetensors",
        "weights-00001-of-00002.safetensors",
        "signatures/x",
        "CON",
        ".git",
        "",
        "a" * 201,
        "assets",
    ],
)
def test_renamed_members_are_refused(data: bytes, name: str) -> None:
    members = members_of(data)
    for index, (old, content) in enumerate(members):
        if old == name:
            continue
        renamed = [*members[:index], (name, content), *members[index + 1 :]]
        refused(rebuilt(renamed))
        # And in the place where its new name belongs
        refused(rebuilt(sorted(renamed, key=lambda m: _rank(m[0]))))


def _rank(name: str) -> tuple[int, str]:
    if name.startswith("weights"):
        return 0, name
    if name == "manifest.json":
        return 2, name
    return (3, name) if name.startswith("signatures/") else (1, name)


def test_added_members_are_refused(data: bytes) -> None:
    members = members_of(data)
    for name in ("AAA", "extra.txt", "assets/more.txt", "z/z/z", "signatures/evil.txt"):
        for content in (b"", b"x"):
            refused(rebuilt(sorted([*members, (name, content)], key=lambda m: _rank(m[0]))))


def test_every_mixture_of_two_signed_archives_is_refused(data: bytes, other: bytes) -> None:
    """Swaps members, manifests and signatures between two archives of one signer."""
    mine, theirs = members_of(data), members_of(other)
    originals = verified(data, trust=TRUST), verified(other, trust=TRUST)
    assert originals[0] != originals[1]
    accepted = 0
    for choice in itertools.product([0, 1], repeat=len(mine)):
        mixed = rebuilt([(mine, theirs)[which][i] for i, which in enumerate(choice)])
        accepted += refused_or_same(mixed, *originals) == 0
    # README.md and the empty member are the same in both, so that four mixtures are each of them.
    assert accepted == 8


def test_signatures_of_one_bundle_do_not_count_for_another(data: bytes, other: bytes) -> None:
    swapped = [*members_of(data)[:-1], members_of(other)[-1]]
    for error in refused(rebuilt(swapped)):
        assert isinstance(error, BadSignatureError)
        assert error.place is not None
        assert error.place.startswith("signatures/")
    for error in refused(rebuilt(swapped), trust=UNSIGNED):
        assert isinstance(error, BadSignatureError)


def test_signature_of_one_key_under_the_name_of_another_is_refused(data: bytes) -> None:
    *rest, (name, content) = members_of(data)
    stranger = signer("stranger").public_key.key_id
    renamed = (f"signatures/{stranger}.manifest.sigstore.json", content)
    for error in refused(rebuilt([*rest, renamed])):
        assert isinstance(error, SignatureFormatError)
    refused(rebuilt([*rest, (name.replace("manifest", "oms"), content)]))


def test_a_signed_model_in_place_of_another_is_refused_when_asked_for(tmp_path: Path) -> None:
    mine = everything(archive(tmp_path), trust=TRUST)
    path = tmp_path / "theirs.safemodel"
    theirs = Metadata(name="acme/spam", version="2.0")
    write(path, small(metadata=theirs), signers=[signer()])
    assert outcome("open", path) == everything(path, trust=TRUST)  # validly signed, after all
    asked = [
        {"name": "acme/fraud"},
        {"version": ">=3"},
        {"version": "3.1"},
        {"digest": mine["digest"]},
        {"name": "acme/spam", "version": ">2"},
        {"name": "acme/spam", "digest": mine["digest"]},
    ]
    for arguments in asked:
        for error in refused(path, **arguments):
            assert isinstance(error, WrongModelError)
        for error in refused(path, **arguments, trust=UNSIGNED):
            assert isinstance(error, WrongModelError)
    refused_or_same(path, everything(path, trust=TRUST), name="acme/spam", version="~=2.0")


def test_an_older_version_in_place_of_a_newer_is_refused_when_asked_for(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write(old, small(metadata=Metadata(name="acme/fraud", version="3.0")), signers=[signer()])
    write(new, small(metadata=Metadata(name="acme/fraud", version="3.1")), signers=[signer()])
    asked = {"name": "acme/fraud", "version": ">=3.1"}
    for error in refused(old, **asked):
        assert isinstance(error, WrongModelError)
    assert outcome("open", new, **asked) == everything(new, trust=TRUST)


def test_random_damage_of_a_two_signer_oms_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write(path, small(), signers=[signer()], oms=True)
    sign(path, signer("second"))
    data = path.read_bytes()
    original = verified(data, trust=TRUST)
    chance = random.Random(7)
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(chance.choice([1, 2, 3, 8])):
            start = chance.randrange(len(changed))
            kind = chance.randrange(4)
            piece = bytes(changed[start : start + chance.randrange(1, 40)])
            if kind == 0:
                changed[start] = chance.randrange(256)
            elif kind == 1:
                del changed[start : start + len(piece)]
            elif kind == 2:
                at = chance.randrange(len(changed))
                changed[at:at] = piece
            else:
                at = chance.randrange(len(changed))
                changed[at : at + len(piece)] = piece
        refused_or_same(bytes(changed), original)


def test_inspect_of_flips_raises_only_our_errors(data: bytes) -> None:
    for _, changed in flips(data, 0x01):
        with contextlib.suppress(SafemodelError):
            inspect(changed)
