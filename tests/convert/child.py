"""Converts files under an audit hook: no framework, no unpickling, no code of any file, no socket.

python child.py JOBS     a JSON list of [source, target] pairs; prints what became of each
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2]))

FRAMEWORKS = frozenset(
    (
        *("catboost", "category_encoders", "cloudpickle", "dill", "imblearn", "joblib", "keras"),
        *("lightgbm", "onnx", "onnxruntime", "pandas", "pickle", "polars", "scipy", "sklearn"),
        *("skops", "tensorflow", "torch", "xgboost"),
    )
)
# NumPy itself imports it; nothing of it may be called
_HARMLESS_IMPORTS = frozenset({"pickle"})
_FORBIDDEN = (
    "pickle.",
    "socket.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.",
    "ctypes.",
)
_SEEN: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "import":
        root = str(arguments[0]).partition(".")[0]
        if root in FRAMEWORKS - _HARMLESS_IMPORTS:
            _SEEN.append(f"import {arguments[0]}")
    elif event.startswith(_FORBIDDEN) or event in ("exec", "compile", "code.__new__"):
        _SEEN.append(f"{event} {arguments!r:.200}")


def warm_up() -> None:
    """Import what is ours before the hook is armed: importing a module runs its code."""
    import importlib
    import pkgutil

    import numpy.random

    import safemodel
    import safemodel.adapters
    import safemodel.convert
    import safemodel.legacy
    import safemodel.scan

    for room in ("convert", "legacy", "scan", "report", "format", "trust", "bundle"):
        package = importlib.import_module(f"safemodel.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"safemodel.{room}."):
            importlib.import_module(found.name)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "a.npy")
        numpy.save(source, numpy.arange(3))
        safemodel.convert(source, Path(folder, "a.safemodel"), signer=None)
    import _compat_pickle
    import bz2
    import encodings.cp437
    import encodings.latin_1
    import encodings.raw_unicode_escape
    import encodings.utf_8_sig
    import lzma
    import zlib

    import isal.isal_zlib
    import lz4.frame

    del bz2, encodings, lzma, zlib, _compat_pickle, isal, lz4


def convert_all(jobs: list[list[str]]) -> list[str]:
    """What each conversion says: nothing, or its error."""
    import safemodel
    from safemodel.errors import SafemodelError

    said = []
    for source, target in jobs:
        try:
            safemodel.convert(source, target, signer=None)
        except SafemodelError as error:
            said.append(f"{type(error).__name__}: {error}")
        else:
            said.append("")
    return said


def main(jobs: str) -> None:
    """Convert and report."""
    wanted = json.loads(Path(jobs).read_text())
    warm_up()
    sys.addaudithook(_hook)
    said = convert_all(wanted)
    there = sorted(FRAMEWORKS & set(sys.modules) - _HARMLESS_IMPORTS)
    print(json.dumps({"said": said, "seen": _SEEN, "there": there}))


if __name__ == "__main__":
    main(sys.argv[1])
