"""How much one file may cost: seconds, bytes, members, depth, opcodes.

A `Budget` is made for each file that is scanned, and shared by everything nested in it. Passing it
is a finding (SM902), and what was not read is never called harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from safemodel.errors import BudgetError
from safemodel.limits import GIB, MIB

MAX_HELD: Final = 384 * MIB  # of what came out of decompressors, at a time
RELIEF: Final = 0.005  # seconds in which not more than some 50 MB are looked at


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one file.

    Attributes:
        seconds: of wall-clock time.
        inflated: bytes that may come out of decompressors, together.
        ratio: the same, in multiples of the file's size; the larger of `GIB` and this counts.
        members: of all containers together.
        depth: of containers in one another.
        opcodes: of all pickles together.
        findings: that are reported one by one.
    """

    seconds: float = 120.0
    inflated: int = 256 * GIB
    ratio: int = 1000
    members: int = 200_000
    depth: int = 8
    opcodes: int = 2_000_000_000
    findings: int = 1_000


DEFAULT_LIMITS: Final = Limits()


class Budget:
    """What is left of the limits for one file."""

    __slots__ = (
        "_deadline",
        "_relieve",
        "_relieved",
        "held",
        "inflated",
        "inflated_limit",
        "limits",
        "members",
        "opcodes",
    )

    def __init__(
        self,
        limits: Limits = DEFAULT_LIMITS,
        size: int | None = None,
        relieve: Callable[[], None] | None = None,
    ) -> None:
        """`relieve` is called now and then: it may give memory back that was only looked at."""
        self.limits = limits
        self._relieve = relieve
        self.inflated = 0
        self.held = 0
        self.members = 0
        self.opcodes = 0
        self.inflated_limit = min(limits.inflated, max(GIB, (size or 0) * limits.ratio))
        self._relieved = time.monotonic()
        self._deadline = self._relieved + limits.seconds

    @property
    def seconds_left(self) -> float:
        """Until the deadline; may be negative."""
        return self._deadline - time.monotonic()

    def check_time(self) -> None:
        """Raises:
        BudgetError: the deadline has passed.
        """
        now = time.monotonic()
        if self._relieve is not None and now - self._relieved > RELIEF:
            self._relieved = now
            self._relieve()
        if now > self._deadline:
            raise BudgetError(f"took longer than {self.limits.seconds:g} seconds")

    def inflate(self, count: int) -> None:
        """Account for bytes that came out of a decompressor; called for each piece.

        Raises:
            BudgetError: too many, or too late.
        """
        self.inflated += count
        if self.inflated > self.inflated_limit:
            raise BudgetError(f"inflates to more than {self.inflated_limit} bytes")
        self.check_time()

    def hold(self, count: int) -> None:
        """Account for bytes that are kept in memory; negative when they are let go of.

        Raises:
            BudgetError: too many at a time.
        """
        if count > 0 and self.held + count > MAX_HELD:
            raise BudgetError(f"needs more than {MAX_HELD} bytes of memory after decompression")
        self.held += count

    def member(self) -> None:
        """Account for one more nested member.

        Raises:
            BudgetError: too many, or too late.
        """
        self.members += 1
        if self.members > self.limits.members:
            raise BudgetError(f"holds more than {self.limits.members} members")
        self.check_time()

    def spend_opcodes(self, count: int) -> None:
        """Account for opcodes that a pickle machine ran.

        Raises:
            BudgetError: too many, or too late.
        """
        self.opcodes += count
        if self.opcodes > self.limits.opcodes:
            raise BudgetError(f"holds more than {self.limits.opcodes} pickle opcodes")
        self.check_time()
