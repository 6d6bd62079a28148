"""One private block of memory for a whole load.

Fresh memory is what a load really costs: a page fault for every 4 KiB. One anonymous mapping with
huge pages costs a fraction of many small allocations, and tensors are views of it.
"""

from __future__ import annotations

import mmap
import os

from safemodel.errors import LimitError

_HUGE_PAGE = 2 << 20
_LARGE = 1 << 20


def allocate(size: int) -> memoryview:
    """Zeroed, writable, page-aligned private memory; it lives as long as any view of it.

    Raises:
        LimitError: the machine does not have that much.
    """
    if size == 0:
        return memoryview(bytearray())
    _check_physical(size)
    try:
        block = mmap.mmap(-1, size, **_PRIVATE)
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise LimitError(f"{size} bytes of memory can't be had: {error}", hint=_HINT) from error
    if size >= _HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(block)


def allocate_any(size: int) -> memoryview:
    """As `allocate`, but little memory comes from the heap: a mapping is at least a page.

    Raises:
        LimitError: the machine does not have that much.
    """
    return allocate(size) if size >= _LARGE else memoryview(bytearray(size))


_PRIVATE: dict[str, int] = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
)
_HINT = "read single tensors with `safemodel.open(...)`, or load with mapped=True"


def _check_physical(size: int) -> None:
    """Refuse what this machine can't hold, before anything is allocated for it."""
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not known here: the allocation itself decides
        return
    if 0 < physical < size:
        raise LimitError(
            f"this takes {size} bytes; the machine has {physical} bytes of memory",
            hint=_HINT,
        )
