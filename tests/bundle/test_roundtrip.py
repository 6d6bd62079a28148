"""Write a bundle, read it back: same content in every encoding, same bytes every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from safemodel.bundle.write import write
from safemodel.trust.policy import TrustedKeys

from .samples import everything, signer, small, verified

TRUST = TrustedKeys(signer().public_key)


@pytest.mark.parametrize("digest", ["blake3", "sha256"])
@pytest.mark.parametrize("layout", ["archive", "folder"])
@pytest.mark.parametrize("oms", [False, True])
def test_written_bundle_reads_back(tmp_path: Path, layout: str, digest: str, oms: bool) -> None:
    path = tmp_path / "m"
    written = write(path, small(), signers=[signer()], layout=layout, digest=digest, oms=oms)
    found = verified(path, trust=TRUST)
    assert found == everything(path, trust=TRUST) == everything(path, trust=TRUST, whole=True)
    assert found["digest"] == written
    assert found["signers"] == [signer().public_key.key_id]
    assert found["members"]["README.md"] == b"# A model\n"
    assert found["members"]["assets/empty.txt"] == b""
    expected = {t.spec.name: b"".join(t.pieces()) for t in small().tensors}
    assert {name: data for name, (_, _, data) in found["tensors"].items()} == expected
