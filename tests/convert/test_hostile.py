"""Small pickles that would take for ever, or fill the memory, are refused quickly."""

from __future__ import annotations

import pickle

import pytest

from safemodel.convert.converting import encoded
from safemodel.convert.readers import read
from safemodel.errors import SafemodelError
from safemodel.scan.budget import DEFAULT_LIMITS

_DEEP = 200_000


def doubled(first: bytes, again: bytes) -> bytes:
    """Sixty containers, each of the one before it twice."""
    steps = [again % ((b"h" + bytes([number])) * 2) for number in range(60)]
    return b"\x80\x04" + first + b"".join(b"0" + step for step in steps)


LISTS = doubled(b"]\x94K\x01a", b"]\x94(%se")
TUPLES = doubled(b"K\x01\x85\x94", b"%s\x86\x94")
LAST = b"h" + bytes([60])
HUGE = (
    b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    b"(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ftcnumpy\ndtype\n(X\x02\x00\x00\x00V0\x89\x88tR"
    b"\x89C\x00tb."
)
FILES = {
    "lists": LISTS + b".",
    "tuples": TUPLES + b".",
    "tuples as key": TUPLES + b"0}" + LAST + b"Ns.",
    "tuples in a set": TUPLES + b"0\x8f(" + LAST + b"\x90.",
    "deep list": b"\x80\x04" + b"]" * _DEEP + b"a" * (_DEEP - 1) + b".",
    "deep tuple": b"\x80\x04K\x01" + b"\x85" * _DEEP + b".",
    "deep key": b"\x80\x04}K\x01" + b"\x85" * _DEEP + b"Ns.",
    "deep dict": b"\x80\x04" + b"}K\x01" * _DEEP + b"N" + b"s" * _DEEP + b".",
    "equal hashes": pickle.dumps({number * (2**61 - 1): 1 for number in range(30_000)}),
    "items without bytes": HUGE,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", FILES)
def test_is_refused(name: str) -> None:
    with pytest.raises(SafemodelError):
        encoded(read(memoryview(bytearray(FILES[name])), ("pickle",), DEFAULT_LIMITS))
