"""What the tests of this room share: names of kinds, and JSON to tamper with."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

ALGORITHMS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519")
OMS_ALGORITHMS = ALGORITHMS[:3]
DIGEST = "ab" * 32


def edited(data: bytes, change: Callable[[Any], object], **style: Any) -> bytes:
    """A JSON file after `change` was applied to its value."""
    value = json.loads(data)
    change(value)
    return json.dumps(value, **style).encode()


def payload_of(data: bytes) -> bytes:
    return base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"])
