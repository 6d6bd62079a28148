"""What attributes of operators may be, beyond their kind: by role, with bounds.

Bounds are for what a file writes; what is computed when the graph runs is checked by TensorFlow,
and where it does not check, by `guards.py`. Implements spec/tensorflow-operators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

INT64: Final = 2**63
# Dimensions of a tensor, in TensorFlow.
MAX_RANK: Final = 254
MAX_TEXT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Role:
    """What values of an attribute may be; `holds` gets the list, or one value as a list of it."""

    text: str
    holds: Callable[[Sequence[Any]], bool]


ROLES: Final[Mapping[str, Role]] = {}
