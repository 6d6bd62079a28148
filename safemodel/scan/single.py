"""One file: opened, looked up in the cache, scanned, and its digest taken where it is needed."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError
from safemodel.report.model import FileReport, Finding, Location, Severity, Status
from safemodel.scan import engine
from safemodel.scan.budget import DEFAULT_LIMITS, Limits
from safemodel.scan.opening import opened
from safemodel.scan.rules import RULES
from safemodel.scan.walk import reason

if TYPE_CHECKING:
    from safemodel.scan.cache import Cache
    from safemodel.scan.names import Tables
    from safemodel.scan.policy import Policy
    from safemodel.scan.walk import Item

GRACE: Final = 5.0  # seconds beyond those that a scan counts itself

_DIGEST: Final = 2.0  # seconds for a digest, when the scan took all there were


@dataclass(frozen=True, slots=True)
class Settings:
    """What a scan is told, besides what to scan.

    Attributes:
        limits: of each file.
        policy: the user's; None is without one.
        cache: the folder of the cache; None is without one.
        max_size: bytes; a larger file is unread. None is without a limit.
        digests: whether to take the SHA-256 of files without findings, too.
    """

    limits: Limits = DEFAULT_LIMITS
    policy: Policy | None = None
    cache: str | None = None
    max_size: int | None = None
    digests: bool = False

    def dump(self) -> str:
        """As text, for another process."""
        import json

        return json.dumps(
            {
                "limits": asdict(self.limits),
                "policy": None if self.policy is None else self.policy.text,
                "cache": self.cache,
                "max_size": self.max_size,
                "digests": self.digests,
            }
        )

    @classmethod
    def parse(cls, text: str) -> Settings:
        """What `dump` wrote."""
        import json

        fields = json.loads(text)
        policy = None
        if fields["policy"] is not None:
            from safemodel.scan import policy as policies

            policy = policies.parse(fields["policy"])
        return cls(
            Limits(**fields["limits"]),
            policy,
            fields["cache"],
            fields["max_size"],
            fields["digests"],
        )


class Scanner:
    """Scans one file after another."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._names = _tables(settings.policy)
        self._cache: Cache | None = None
        if settings.cache is not None:
            from safemodel.scan.cache import Cache

            policy = "" if settings.policy is None else settings.policy.text
            self._cache = Cache(settings.cache, settings.limits, policy)

    def scan(self, item: Item) -> FileReport:
        """Scan one file, or say why not. Never raises for anything that is in it."""
        if item.unread is not None:
            return unread(item.path, "SM904", f"could not be opened: {item.unread}")
        if item.skipped:
            return FileReport(item.path, Status.SKIPPED)
        try:
            with opened(item.path, private=self._cache is not None) as data:
                if data is None:
                    return unread(item.path, "SM904", "could not be opened: is no regular file")
                return self.scan_bytes(data, item.path)
        except (OSError, ValueError) as error:
            return unread(item.path, "SM904", f"could not be read: {reason(error)}")
        except (BudgetError, MemoryError) as error:  # outside of any handler
            what = str(error) or "needs too much memory"
            return unread(item.path, "SM902", what, item.size)
        except Exception as error:
            if os.environ.get("SAFEMODEL_DEBUG"):
                raise
            what = f"the scan failed: {type(error).__name__}: {error}"
            return unread(item.path, "SM909", what, item.size)

    def scan_bytes(self, data: memoryview, path: str) -> FileReport:
        """Scan bytes that are called `path`."""
        size = len(data)
        if not size:
            return FileReport(path, Status.SKIPPED, size=0)
        if self.settings.max_size is not None and size > self.settings.max_size:
            what = f"has {size:,} bytes, and --max-size is {self.settings.max_size:,}"
            return unread(path, "SM902", what, size)
        if self._cache is None or not isinstance(data.obj, bytes):
            return self._fresh(data, path)
        key = self._cache.key(data)
        found = self._cache.load(key, path)
        if found is None or (found.sha256 is None and self.settings.digests):
            found = self._fresh(data, path)
            self._cache.store(key, found)
        return found

    def _fresh(self, data: memoryview, path: str) -> FileReport:
        started = time.monotonic()
        found = engine.scan_bytes(data, path, limits=self.settings.limits, names=self._names)
        if found.sha256 is None and (found.findings or self.settings.digests):
            left = self.settings.limits.seconds - (time.monotonic() - started)
            found = replace(found, sha256=engine.digest(data, max(left, _DIGEST)))
        return found


def _tables(policy: Policy | None) -> Tables:
    from safemodel.scan.names import Tables

    return Tables(policy)


def unread(path: str, rule: str, message: str, size: int | None = None) -> FileReport:
    """A file of which nothing was read."""
    finding = Finding(rule, RULES[rule].severity, message, Location(path))
    return FileReport(path, Status.UNREAD, size=size, findings=(finding,))


def unrecognised(file: FileReport) -> FileReport:
    """A file that was to be scanned, and turned out to be of no format that is known here."""
    if file.status is not Status.SKIPPED:
        return file
    what = "is empty" if file.size == 0 else "is of no format that is known here"
    finding = Finding("SM905", Severity.MEDIUM, what, Location(file.path))
    return replace(file, status=Status.UNREAD, findings=(*file.findings, finding))
