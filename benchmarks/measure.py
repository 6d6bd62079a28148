"""Time and peak memory of one operation in this process."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
REPEATS = 3


def measured(operation: Callable[[], object]) -> str:
    """Run it three times in a row; a line of JSON with the best seconds and the peak memory.

    A virtual machine gives free memory back to its host, and whoever comes first pays for getting
    it again, many times what the operation costs; the runs that follow at once do not. The peak is
    what the first run needed on top: the kernel's high-water mark of resident memory.
    """
    before = _memory("VmRSS")
    if _CLEAR.exists():
        _CLEAR.write_text("5")
    times = []
    peak = 0
    for _ in range(REPEATS):
        start = time.perf_counter()
        kept = operation()
        times.append(time.perf_counter() - start)
        peak = peak or max(1, _memory("VmHWM") - before)
        del kept
        gc.collect()
    return json.dumps({"seconds": min(times), "peak": float(peak)})


def in_page_cache(path: Path) -> Path:
    """Read a file, or all files of a folder, so that the operation does not wait for the disk."""
    for file in [path] if path.is_file() else filter(Path.is_file, path.rglob("*")):
        with open(file, "rb", buffering=0) as source:
            buffer = bytearray(1 << 22)
            while source.readinto(buffer):
                pass
    return path


def _memory(field: str) -> int:
    if not _STATUS.exists():
        return 0
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0
