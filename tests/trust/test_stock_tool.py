"""Both directions with the stock `model_signing` command, over real files.

What we sign it verifies, also after changes that it must notice; what it signs we parse and
verify, also where it writes what we would not.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from safemodel import limits
from safemodel.errors import (
    BadSignatureError,
    DigestMismatchError,
    SignatureFormatError,
    UntrustedSignerError,
)
from safemodel.trust import dsse, statements
from safemodel.trust.keys import PublicKey, Signer
from safemodel.trust.oms import Chunks, OmsStatement, Resource
from safemodel.trust.policy import TrustedKeys
from safemodel.trust.signatures import (
    check,
    check_detached,
    file_name,
    sign_manifest,
    sign_oms,
)
from tests.trust.helpers import OMS_ALGORITHMS, edited, payload_of

COMMAND = Path(sys.executable).parent / "model_signing"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("model_signing") is None or not COMMAND.exists(),
    reason="model_signing is not installed",
)


def stock(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def stock_verifies(folder: Path, signature: Path, key: PublicKey) -> bool:
    public = folder.parent / f"{key.key_id}.pub"
    public.write_text(key.pem)
    done = stock("verify", "key", folder, "--signature", signature, "--public_key", public)
    assert (done.returncode == 0) == ("Verification succeeded" in done.stdout + done.stderr)
    return done.returncode == 0


def stock_signs(model: Path, signature: Path, signer: Signer, *options: str) -> bytes:
    private = signature.parent / "private.key"
    if not private.exists():
        private.write_bytes(signer.pem())
    done = stock("sign", "key", model, "--signature", signature, "--private_key", private, *options)
    assert done.returncode == 0, done.stderr
    return signature.read_bytes()


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def payload_digests(folder: Path) -> dict[str, str]:
    return {n: d for n, d in digests(folder).items() if not n.startswith("signatures/")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files with every kind of name that the two tools might order or spell differently."""
    root = tmp_path / "model"
    contents = {
        "manifest.json": b"{}",
        "weights.safetensors": bytes(3_000_000),
        "a.txt": b"1",
        "a/b.txt": b"2",
        "a-b.txt": b"3",
        "empty": b"",
        ".hidden": b"4",
        "ä ö.txt": b"5",
        "z/y/x": b"6",
    }
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def manifest_digest(folder: Path) -> str:
    return digests(folder)["manifest.json"]


@pytest.mark.parametrize("algorithm", OMS_ALGORITHMS)
def test_it_verifies_ours(folder: Path, keys: dict[str, Signer], algorithm: str) -> None:
    signer = keys[algorithm]
    name, data = sign_oms(signer, OmsStatement.over(payload_digests(folder)))
    (folder / "signatures").mkdir()
    (folder / name).write_bytes(data)
    assert stock_verifies(folder, folder / name, signer.public_key)
    (folder / "a/b.txt").write_bytes(b"x")
    assert not stock_verifies(folder, folder / name, signer.public_key)


def test_it_verifies_ours_among_three_after_a_move(
    folder: Path, tmp_path: Path, keys: dict[str, Signer]
) -> None:
    statement = OmsStatement.over(payload_digests(folder))
    digest = manifest_digest(folder)
    files = dict(
        [
            sign_oms(keys["ecdsa-p256"], statement),
            sign_oms(keys["ecdsa-p384"], statement),
            sign_manifest(keys["ed25519"], digest),
        ]
    )
    moved = folder.rename(tmp_path / "other")
    (moved / "signatures").mkdir()
    for name, data in files.items():
        (moved / name).write_bytes(data)
    for name in ("ecdsa-p256", "ecdsa-p384"):
        key = keys[name].public_key
        assert stock_verifies(moved, moved / file_name(key.key_id, "oms"), key)
    trust = TrustedKeys(*(keys[n].public_key for n in ("ecdsa-p256", "ecdsa-p384", "ed25519")))
    assert len(check(files, bundle_digest=digest, trust=trust)) == 3


def test_it_ignores_our_chunk_digests(folder: Path, tmp_path: Path, signer: Signer) -> None:
    """An adopted folder: detached, with chunk digests for reading parts of it."""
    statement = OmsStatement.build(
        Resource(name, digest, Chunks("blake3", limits.MIN_CHUNK, bytes(96)))
        for name, digest in digests(folder).items()
    )
    _, data = sign_oms(signer, statement, detached=True)
    (tmp_path / "model.sig").write_bytes(data)
    assert b"safemodel.dev/chunks" in payload_of(data)
    assert stock_verifies(folder, tmp_path / "model.sig", signer.public_key)
    found = check_detached(data, file="model.sig", trust=TrustedKeys(signer.public_key))
    assert found is not None
    assert found.statement == statement


def test_it_verifies_our_single_file(folder: Path, tmp_path: Path, signer: Signer) -> None:
    model = folder / "weights.safetensors"
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    _, data = sign_oms(signer, OmsStatement.over({".": digest}))
    (tmp_path / "one.sig").write_bytes(data)
    assert stock_verifies(model, tmp_path / "one.sig", signer.public_key)


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("ecdsa-p256", ()),
        ("ecdsa-p384", ("--ignore-paths", "{folder}/signatures")),
        ("ecdsa-p521", ("--no-ignore-git-paths",)),
    ],
)
def test_we_verify_its(
    folder: Path,
    tmp_path: Path,
    keys: dict[str, Signer],
    algorithm: str,
    options: tuple[str, ...],
) -> None:
    signer = keys[algorithm]
    options = tuple(option.format(folder=folder) for option in options)
    data = stock_signs(folder, tmp_path / "model.sig", signer, *options)
    trust = TrustedKeys(signer.public_key)
    found = check_detached(data, file="model.sig", trust=trust)
    assert found is not None
    statement = found.statement
    assert isinstance(statement, OmsStatement)
    statement.check_digests(digests(folder))
    name = file_name(signer.public_key.key_id, "oms")
    assert check({name: data}, bundle_digest=manifest_digest(folder), trust=trust)
    with pytest.raises(UntrustedSignerError):
        check_detached(data, file="s", trust=TrustedKeys(Signer.generate().public_key))
    (folder / "a/b.txt").write_bytes(b"x")
    with pytest.raises(DigestMismatchError) as caught:
        statement.check_digests(digests(folder))
    assert caught.value.place == "a/b.txt"


def test_we_verify_its_cosignature(
    folder: Path, tmp_path: Path, signer: Signer, keys: dict[str, Signer]
) -> None:
    """It lists the signature files that were there before; ours must not mind."""
    before = payload_digests(folder)
    (folder / "signatures").mkdir()
    ours, data = sign_oms(keys["ecdsa-p384"], OmsStatement.over(before))
    (folder / ours).write_bytes(data)
    theirs = file_name(signer.public_key.key_id, "oms")
    private = tmp_path / "p.key"
    private.write_bytes(signer.pem())
    done = stock("sign", "key", folder, "--signature", folder / theirs, "--private_key", private)
    assert done.returncode == 0
    files = {name: (folder / name).read_bytes() for name in (ours, theirs)}
    trust = TrustedKeys(signer.public_key, keys["ecdsa-p384"].public_key)
    found = check(files, bundle_digest=manifest_digest(folder), trust=trust)
    by_file = {one.file: one.statement for one in found}
    statement = by_file[theirs]
    assert isinstance(statement, OmsStatement)
    assert ours in {resource.name for resource in statement.resources}
    assert theirs in statement.ignore_paths
    assert statement.bundle_digest == by_file[ours].bundle_digest == manifest_digest(folder)
    for one in by_file.values():
        assert isinstance(one, OmsStatement)
        one.check_digests(digests(folder))
    assert stock_verifies(folder, folder / ours, keys["ecdsa-p384"].public_key)


def test_we_verify_its_single_file(folder: Path, tmp_path: Path, signer: Signer) -> None:
    model = folder / "weights.safetensors"
    data = stock_signs(model, tmp_path / "one.sig", signer)
    found = check_detached(data, file="one.sig", trust=TrustedKeys(signer.public_key))
    assert found is not None
    assert isinstance(found.statement, OmsStatement)
    found.statement.check_digests({"weights.safetensors": digests(folder)["weights.safetensors"]})
    with pytest.raises(BadSignatureError):
        found.statement.check_digests(digests(folder))


def test_what_it_accepts_and_we_refuse(folder: Path, tmp_path: Path, signer: Signer) -> None:
    """Each is accepted by the stock command, over the same folder."""
    from safemodel.trust.materials import PublicKeyMaterial

    def sign(payload: bytes) -> bytes:
        signature = signer.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
        return dsse.encode(
            dsse.SignatureFile(PublicKeyMaterial(signer.public_key.oms_hint), payload, signature)
        )

    good = statements.encode(OmsStatement.over(digests(folder)))
    nothing = statements.encode(OmsStatement("x", (), (".",)))
    doubled = OmsStatement.over(digests(folder)).resources
    ambiguous = statements.encode(OmsStatement("x", (doubled[0], *doubled), ()))
    cases = {
        "ignores everything": sign(nothing),
        "a file listed twice": sign(ambiguous),
        "the same JSON key twice": sign(
            good.replace(b'"hash_type":"sha256"', b'"hash_type":"x","hash_type":"sha256"')
        ),
        "an ignored path outside": sign(good.replace(b'["signatures"]', b'["signatures","../x"]')),
        "base64 with a line break": sign(good).replace(b'"sig":"', b'"sig":"\\n'),
        "an old hint of no key": edited(
            sign(good), lambda f: f["verificationMaterial"]["publicKey"].pop("hint")
        ),
    }
    accepted = []
    for what, data in cases.items():
        signature = tmp_path / "model.sig"
        signature.write_bytes(data)
        if stock_verifies(folder, signature, signer.public_key):
            accepted.append(what)
        with pytest.raises(SignatureFormatError):
            check_detached(data, file=what, trust=TrustedKeys(signer.public_key))
    assert accepted == list(cases)


@pytest.mark.parametrize("how", ["blake3", "shards"])
def test_digests_of_other_kinds(folder: Path, tmp_path: Path, signer: Signer, how: str) -> None:
    """Signed by the stock library in ways that its own command does not verify either."""
    from model_signing import hashing, signing

    private = tmp_path / "p.key"
    private.write_bytes(signer.pem())
    config = hashing.Config()
    if how == "blake3":
        config.use_file_serialization(hashing_algorithm="blake3")
    else:
        config.use_shard_serialization()
    signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(config).sign(
        folder, tmp_path / "model.sig"
    )
    data = (tmp_path / "model.sig").read_bytes()
    with pytest.raises(SignatureFormatError):
        check_detached(data, file="s", trust=TrustedKeys(signer.public_key))
