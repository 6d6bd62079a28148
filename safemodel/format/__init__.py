"""The bytes of format 1: canonical JSON, names, digests, weights, container, manifest.

Everything in this room is a pure function between bytes and values: no I/O, no clock, no keys,
no framework. A reader gets hostile bytes, is bounded by limits.py, and accepts exactly the bytes
that the writer next to it would have made (spec/format.md).
"""

from __future__ import annotations

from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
