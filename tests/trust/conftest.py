"""Keys for the tests of this room, made once."""

from __future__ import annotations

import pytest

from safemodel.trust.keys import Signer
from tests.trust.helpers import ALGORITHMS


@pytest.fixture(scope="session")
def keys() -> dict[str, Signer]:
    """One signer of each kind."""
    return {name: Signer.generate(name) for name in ALGORITHMS}


@pytest.fixture(scope="session")
def signer(keys: dict[str, Signer]) -> Signer:
    return keys["ecdsa-p256"]


@pytest.fixture(scope="session")
def stranger() -> Signer:
    return Signer.generate()
