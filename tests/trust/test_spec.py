"""The example of spec/signing.md, and its numbers, are those of the code."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from safemodel import limits
from safemodel.trust import dsse, oms, statements
from safemodel.trust.algorithms import ALGORITHMS
from safemodel.trust.keys import PublicKey, Signer
from safemodel.trust.signatures import sign_manifest

SPEC = (Path(__file__).parents[2] / "spec" / "signing.md").read_text(encoding="utf-8")
SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721


def test_the_example() -> None:
    example = SPEC[SPEC.index("## Example") :]
    signer = Signer(ec.derive_private_key(SECRET, ec.SECP256R1()))
    key = signer.public_key
    pem = "".join(line.strip() + "\n" for line in example.splitlines() if line.startswith("    "))
    assert PublicKey.load(pem) == key
    assert f"`{key.key_id}`" in example
    assert f"`{key.oms_hint}`" in example
    digest = hashlib.sha256(b"").hexdigest()
    moment = datetime(2027, 1, 31, tzinfo=UTC)
    _, data = sign_manifest(signer, digest, expires=moment, note="approved")
    file = dsse.parse(data)
    assert f"\n    {file.payload.decode()}\n" in example
    assert f"\n    {base64.b64encode(file.signature).decode()}\n" in example


def test_the_table_of_keys() -> None:
    for name, row in ALGORITHMS.items():
        line = next(one for one in SPEC.splitlines() if one.startswith(f"| `{name}`"))
        assert f"`{row.spki_prefix.hex()}`" in line
        assert f"({row.key_size})" in line
        assert ("| yes |" in line) == row.oms


def test_names_and_numbers() -> None:
    text = re.sub(r"\s+", " ", SPEC)
    for constant in (
        dsse.MEDIA_TYPE,
        dsse.PAYLOAD_TYPE,
        statements.STATEMENT_TYPE,
        statements.MANIFEST_PREDICATE,
        oms.PREDICATE,
        oms.CHUNKS_ANNOTATION,
        *oms.GIT_NAMES,
    ):
        assert constant in text
    numbers = [
        f"more than {limits.MAX_SIGNATURES} signature files",
        f"over {limits.MAX_SIGNATURE_FILE // limits.MIB} MiB, detached",
        f"detached ones over {limits.MAX_DETACHED_SIGNATURE_FILE // limits.MIB} MiB",
        f"deeper than {limits.MAX_SIGNATURE_DEPTH}",
        f"{limits.MAX_SIGNATURE_TOKENS:,} commas",
        f"over {limits.MAX_SIGNATURE_VALUE // limits.KIB} KiB",
        f"1 to {limits.MAX_NOTE} bytes",
        f"over {limits.MAX_RESOURCE_NAME} bytes",
        f"{limits.MAX_MEMBERS:,} resources",
        f"{limits.MAX_IGNORE_PATHS:,} ignored",
        f"over {limits.MAX_KEY_FILE // limits.KIB} KiB",
        f"at most {limits.MAX_TRUST_STORE // limits.MIB} MiB",
        f"1 to {limits.MAX_LABEL} bytes",
        f"at most {limits.MAX_MODEL_NAME} characters",
        f"longer than {limits.MAX_VERSION} characters",
    ]
    assert [one for one in numbers if one not in text] == []
