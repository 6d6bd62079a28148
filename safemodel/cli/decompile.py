"""Shows pickles as Python, by fickling, for `safemodel explain --decompile`.

fickling is a parser of hostile bytes that may hang, fail or be wrong. It runs in a process of its
own that has little time and memory, gets the bytes on a pipe, and is believed in nothing.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from safemodel.errors import MissingLibraryError, UnreadableError

MAX_BYTES: Final = 16 << 20
MAX_TEXT: Final = 1 << 20
SECONDS: Final = 20

# Nothing of the current folder is imported (-P); the limits hold where the system has them.
_PROGRAM: Final = f"""
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
import ast, io
from fickling.fickle import StackedPickle
stacked = StackedPickle.load(io.BytesIO(sys.stdin.buffer.read()))
text = "\\n\\n".join(ast.unparse(one.ast) for one in stacked)
sys.stdout.buffer.write(text[:{MAX_TEXT}].encode("utf-8", "backslashreplace"))
"""


def decompile(data: memoryview) -> str:
    """The bare pickles at the beginning of some bytes, as Python.

    Raises:
        MissingLibraryError: fickling is not installed.
        UnreadableError: it can't read them, or takes too long.
    """
    import importlib.util

    if importlib.util.find_spec("fickling") is None:
        raise MissingLibraryError(
            "decompiling needs fickling", hint="pip install 'safemodel[fickling]'"
        )
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"decompiling is for files of up to {MAX_BYTES} bytes")
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and program)
            [sys.executable, "-P", "-c", _PROGRAM],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"fickling took longer than {SECONDS} seconds") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
        raise UnreadableError(
            f"fickling can't decompile it: {said or 'it died'}",
            hint="the account without --decompile is not fickling's",
        )
    return done.stdout.decode("utf-8", "backslashreplace")
