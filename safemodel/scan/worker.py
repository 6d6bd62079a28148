"""The process that scans some of the files: requests in, file reports out, as JSON in frames.

Frames and no pickles: what comes back from a process that read hostile bytes is parsed as if it
were hostile, too. A frame is its length in four bytes, the least significant first, and the text.
"""

from __future__ import annotations

import json
import os
from typing import BinaryIO, Final

from safemodel.errors import DamagedError
from safemodel.report import json_report
from safemodel.scan.bounds import bound_memory
from safemodel.scan.single import Scanner, Settings
from safemodel.scan.walk import Item

MAX_FRAME: Final = 64 << 20


def serve(requests: BinaryIO, replies: BinaryIO, settings: Settings) -> None:
    """Scan what each request names, one reply for each, until the requests end."""
    bound_memory()
    scanner = Scanner(settings)
    while (request := read_frame(requests)) is not None:
        for path, size in json.loads(request):
            file = scanner.scan(Item(path, size))
            write_frame(replies, json.dumps(json_report.file_fields(file)))


def main() -> None:
    """Serve over standard input and output; the first request is the settings."""
    import signal
    import sys

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this one ends it
    # Nothing else that is printed may get between the frames.
    with os.fdopen(os.dup(1), "wb", buffering=0) as replies:
        os.dup2(2, 1)
        settings = read_frame(sys.stdin.buffer)
        if settings is not None:
            serve(sys.stdin.buffer, replies, Settings.parse(settings))


def read_frame(stream: BinaryIO) -> str | None:
    """The text of the next frame; None at the end, or where the frame is cut.

    Raises:
        DamagedError: it is no frame.
    """
    head = _read(stream, 4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "little")
    if size > MAX_FRAME:
        raise DamagedError(f"a frame of {size} bytes")
    data = _read(stream, size)
    try:
        return data.decode("ascii") if len(data) == size else None
    except UnicodeDecodeError as error:
        raise DamagedError("a frame that is not ASCII") from error


def _read(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := stream.read(size - len(data))):
        data += piece
    return data


def write_frame(stream: BinaryIO, text: str) -> None:
    """Send one frame. JSON text is ASCII, whatever the names in it."""
    data = text.encode("ascii")
    view = memoryview(len(data).to_bytes(4, "little") + data)
    while view:
        view = view[stream.write(view) :]
    stream.flush()
