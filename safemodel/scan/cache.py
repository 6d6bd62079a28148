"""Reports on contents that were scanned before. Only on request.

An entry is found by the digest of the content, of the rules, limits and policy, never by a path
or a time. Only bytes that were read into private memory are looked up or stored, so that nobody
can swap them between the digest and the scan. An entry that is damaged, or that somebody else
could have written, is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import astuple
from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError, SourceError
from safemodel.format.digests import digest
from safemodel.report import json_report
from safemodel.scan.rules import RULESET
from safemodel.scan.walk import reason

if TYPE_CHECKING:
    from safemodel.report.model import FileReport
    from safemodel.scan.budget import Limits

_LAYOUT: Final = "1"
_MAX_ENTRY: Final = 16 << 20
_PASSING: Final = frozenset({"SM902", "SM904", "SM909"})  # may be otherwise the next time


def default_folder() -> str | None:
    """The user's folder for such things; None where there is no home."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "") or os.path.expanduser("~/.cache")
    return os.path.join(base, "safemodel", "scan") if os.path.isabs(base) else None


class Cache:
    """A folder of reports, of one version, rule set, policy and limits.

    Raises:
        SourceError: the folder can't be made, or others may write to it.
    """

    def __init__(self, folder: str, limits: Limits, policy: str) -> None:
        import safemodel

        self.folder = folder
        parts = (_LAYOUT, safemodel.__version__, RULESET, astuple(limits), policy)
        self._context = json.dumps(parts).encode("ascii")
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            status = os.stat(folder)
        except (OSError, ValueError) as error:
            raise SourceError(f"the cache can't be used: {reason(error)}", path=folder) from error
        if os.name == "posix" and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
            raise SourceError(
                "the cache can't be used: others may write to it", path=folder,
                hint="take a folder that is yours alone (mode 700)",
            )  # fmt: skip

    def key(self, data: memoryview) -> str:
        """What a content is found by."""
        content = digest("blake3", [data])
        return digest("blake3", [content, self._context]).hex()

    def load(self, key: str, path: str) -> FileReport | None:
        """The report on a content that is called `path` now; None if there is none."""
        try:
            with open(self._place(key), "rb") as file:
                data = file.read(_MAX_ENTRY + 1)
            written, _, body = data.partition(b"\n")
            if written != _seal(key, body):
                return None
            return json_report.file_of(json.loads(body), path)
        except (OSError, ValueError, RecursionError, DamagedError):
            return None

    def store(self, key: str, file: FileReport) -> None:
        """Keep a report. A cache that can't be written is as good as none."""
        if any(finding.rule in _PASSING for finding in file.findings):
            return
        body = json.dumps(json_report.file_fields(file), ensure_ascii=True).encode("ascii")
        if len(body) > _MAX_ENTRY // 2:
            return
        place = self._place(key)
        temporary = f"{place}.{os.getpid()}.{os.urandom(8).hex()}"
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
            try:
                with open(temporary, "xb") as stream:
                    stream.write(_seal(key, body) + b"\n" + body)
                os.replace(temporary, place)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)

    def _place(self, key: str) -> str:
        return os.path.join(self.folder, key[:2], f"{key[2:]}.json")


def _seal(key: str, body: bytes) -> bytes:
    """What a whole entry of this key begins with."""
    return digest("blake3", [key.encode("ascii"), body]).hex().encode("ascii")
