"""A child of test_keras_hostile.py: converts hostile files, or loads what became of them.

    python keras_hostile_child.py convert|load FOLDER NAME ...

Prints a JSON object: name to [outcome, what was touched, seconds]. An audit hook sees every file
that is opened, module that is imported, code that is run and socket that is made meanwhile; memory
is limited.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
MODE, FOLDER, *NAMES = sys.argv[1:]
FORBIDDEN = {"convert": ("keras", "tensorflow", "h5py", "torch", "pyfive"), "load": ("h5py",)}[MODE]
MEMORY = 1 << 30  # of address space, beyond what is there at the beginning

import safemodel as sm  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402

if MODE == "load":
    import keras  # noqa: F401

seen: list[str] = []
watching = False
_EVENTS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "exec",
    "os.fork",
)


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not watching:
        return
    if event == "import" and str(arguments[0]).split(".")[0] in FORBIDDEN:
        seen.append(f"import {arguments[0]}")
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.fsdecode(arguments[0])
        if "marker" in path or path.startswith(("/etc/passwd", "http")):
            seen.append(f"open {path}")
    elif event in _EVENTS and not (event == "exec" and _is_import(arguments)):
        seen.append(event)


def _is_import(arguments: tuple[Any, ...]) -> bool:
    """Code of a module of an installed package, or what dataclasses make of their own."""
    name = getattr(arguments[0], "co_filename", "")
    return os.path.isabs(name) or name.startswith("<")


def one(name: str) -> str:
    archive = Path(FOLDER) / f"{name}.safemodel"
    try:
        if MODE == "convert":
            sm.convert(Path(FOLDER) / name, archive, signer=None)
        else:
            sm.load(archive, trust=sm.UNSIGNED)
    except SafemodelError as error:
        return f"refused: {type(error).__name__}: {error}"[:300]
    except MemoryError:
        return "MEMORY"
    except Exception as error:
        return f"BROKEN: {type(error).__name__}: {error}"[:300]
    return "done"


def _size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> None:
    global watching
    one("warm up")
    limit = _size() + MEMORY * (1 if MODE == "convert" else 4)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.addaudithook(hook)
    results = {}
    for name in NAMES:
        seen.clear()
        began = time.process_time()
        watching = True
        outcome = one(name)
        watching = False
        results[name] = [outcome, list(seen), time.process_time() - began]
    print("RESULTS " + json.dumps(results))


if __name__ == "__main__":
    main()
