"""A confined child that loads corrupted models and uses them: it must survive all of them.

Arguments: a file of jobs (JSON, a list of [case, [number of a corruption, ...]]; a number instead
of the list means that corruption and all behind it) and a log. Before each corruption a line goes
to the log, so that whoever started this knows what killed it. At the end of a case: how many were
refused, and how many were loaded and harmless. A third argument, "blind", turns the audit of
trees off: then it must not survive. Limits: memory, and time a corruption; an audit hook reports
what touches the outside.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import signal
import sys
import threading
import warnings
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

import joblib  # noqa: E402
import numpy as np  # noqa: E402

from safemodel.adapters import sklearn as adapter  # noqa: E402
from safemodel.adapters.sklearn import trees  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402
from tests.adapters.sklearn_all import CASES, outputs  # noqa: E402
from tests.adapters.sklearn_corrupt import corrupted, corruptions  # noqa: E402
from tests.adapters.sklearn_support import MemoryBundle, in_memory  # noqa: E402

SECONDS = 20
MEMORY = 3 << 30
WATCHED = (
    *("open", "exec", "import", "os.", "subprocess", "socket", "shutil", "ctypes", "pty"),
    *("webbrowser", "urllib", "ftplib", "smtplib", "tempfile", "pickle.find_class"),
)
# How Python's half of a library hands memory to its other half
BUFFERS = (
    *("ctypes.create_string_buffer", "ctypes.addressof", "ctypes.dlsym", "ctypes.string_at"),
    *("ctypes.cdata", "ctypes.cdata/buffer"),
)
# Libraries read their own files late, and look at the machine
HARMLESS = (sys.prefix, sys.base_prefix, "/proc/", "/sys/", str(HERE.parents[2] / "safemodel"))


class Watch:
    """Collects events that a model must not cause."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed or not event.startswith(WATCHED) or event in BUFFERS:
            return
        if event == "open" and not _writes(arguments):
            path = str(arguments[0])
            if path.startswith(HARMLESS) or path == "None":
                return
        if event == "import" and str(arguments[0]).partition(".")[0] in KNOWN:
            return
        if event in ("os.listdir", "os.scandir") and str(arguments[0]).startswith(HARMLESS):
            return
        if event == "exec" and _is_own(arguments):
            return
        self.seen.append(f"{event} {arguments!r:.120}")


KNOWN = {
    "sklearn",
    "scipy",
    "numpy",
    "pandas",
    "polars",
    "joblib",
    "threadpoolctl",
    "catboost",
    "category_encoders",
    "imblearn",
    "lightgbm",
    "narwhals",
    "patsy",
    "statsmodels",
    "xgboost",
    "safemodel",
} | {*sys.stdlib_module_names}


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags and int(flags) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _is_own(arguments: tuple[Any, ...]) -> bool:
    """Whether code that runs is a module of a library or made by the standard library."""
    name = getattr(arguments[0], "co_filename", "")
    return name.startswith(
        (sys.prefix, sys.base_prefix, "<string>", "<frozen", "<__array_function")
    )


def use(model: Any, case: Any) -> None:
    """Do what someone would do with a model: call it, look at it, train it a little.

    It gets copies: a model with `copy=False` writes into its data, which other cases are fitted on.
    """
    outputs(model, copy.deepcopy(case.data))
    outputs(model, copy.deepcopy(_first(case.data)))  # some code takes another way for one row
    again = case.train
    if isinstance(again, partial) and _is_cheap(again):
        try:
            again.func(*copy.deepcopy(again.args), model)
        except Exception:
            return
        outputs(model, copy.deepcopy(case.data))


def _is_cheap(again: partial[Any]) -> bool:
    """Whether training goes on with a little, and from what was loaded."""
    return (
        type(again.args[0]) is str and again.args[0] == "partial"
    ) or again.func.__name__ == "_update"


def _first(data: Any) -> Any:
    """The first row of the data of a case."""
    return data.iloc[:1] if hasattr(data, "iloc") else data[:1]


def attack(bundle: MemoryBundle, case: Any) -> str:
    """Load a corrupted bundle and use what comes out."""
    try:
        model = adapter.load(bundle)  # type: ignore[arg-type]
    except SafemodelError:
        return "refused"
    use(model, case)
    return "harmless"


def main(jobs: Path, log: Path) -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    watch = Watch()
    joblib.cpu_count(only_physical_cores=True)  # it asks a program once
    with log.open("a", buffering=1) as out, joblib.parallel_config(backend="threading"):
        for name, chosen in json.loads(jobs.read_text()):
            case = CASES[name]()
            bundle = in_memory(adapter.save(case.model))
            attack(bundle, case)  # imports what is imported late
            found = list(corruptions(bundle))
            counts = {"refused": 0, "harmless": 0}
            numbers = range(chosen, len(found)) if isinstance(chosen, int) else chosen
            for turn, number in enumerate(numbers):
                number %= len(found)
                line = {"case": name, "turn": turn, "number": number, "what": found[number][0]}
                out.write(json.dumps(line) + "\n")
                watch.seen.clear()
                changed = corrupted(bundle, found[number])
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                watch.armed = True
                try:
                    result = attack(changed, case)
                except BaseException as error:  # a bug of ours: anything but SafemodelError
                    result = f"{type(error).__name__}: {error}"[:300]
                watch.armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
                if watch.seen:
                    result = f"touched the outside: {watch.seen[:3]}"
                if result not in counts:
                    out.write(json.dumps({"failed": result}) + "\n")
                counts[result] = counts.get(result, 0) + 1
            out.write(json.dumps({"done": name, "counts": counts}) + "\n")


if __name__ == "__main__":
    threading.stack_size(1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.argv[3:] == ["blind"]:
        trees.audit = lambda words, features: None
        SECONDS = 3
    main(Path(sys.argv[1]), Path(sys.argv[2]))
