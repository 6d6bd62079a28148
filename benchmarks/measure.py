"""Time and peak memory of one operation in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def measured(operation: Callable[[], object]) -> str:
    """Run it once; a line of JSON with seconds, and bytes of memory needed on top at the peak.

    The peak is the kernel's high-water mark of resident memory, set back before the operation.
    """
    before = _memory("VmRSS")
    if _CLEAR.exists():
        _CLEAR.write_text("5")
    start = time.perf_counter()
    kept = operation()
    seconds = time.perf_counter() - start
    peak = max(0, _memory("VmHWM") - before)
    del kept
    return json.dumps({"seconds": seconds, "peak": float(peak)})


def _memory(field: str) -> int:
    if not _STATUS.exists():
        return 0
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0
