"""A fresh interpreter that loads every archive of a folder of models of Transformers.

Argument: a folder with `NAME.safemodel`. Each is loaded twice, the second time under an audit hook
that notes every file, socket, process and piece of code that the load opens, starts or compiles.
Prints a line of JSON for each: what the model gives, and what was noted; or what went wrong.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

_noted: list[str] = []
_watching: list[str] = []
_EVENTS = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.spawn", "urllib.",
           "ctypes.dlopen", "pickle.", "marshal.", "import", "os.putenv")  # fmt: skip


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open":
        opened = arguments[0]
        if not isinstance(opened, int) and os.fspath(opened) != _watching[0]:
            _noted.append(f"open {opened!s}")
    elif event.startswith(_EVENTS) or event in ("compile", "exec"):
        _noted.append(f"{event} {arguments!s:.200}")


def main(folder: Path) -> None:
    from safemodel import adapters
    from safemodel.trust.policy import UNSIGNED

    if any(name.startswith(("torch", "numpy", "transformers")) for name in sys.modules):
        raise SystemExit("imported too early")
    for path in sorted(folder.glob("*.safemodel")):
        name = path.stem
        try:
            model = adapters.load(str(path), trust=UNSIGNED)
            _watching.append(str(path))
            model = adapters.load(str(path), trust=UNSIGNED)
            _watching.clear()
            from tests.adapters import transformers_cases

            found: object = [transformers_cases.life(name, model), sorted(set(_noted))[:5]]
        except Exception as error:
            _watching.clear()
            found = f"{type(error).__name__}: {error}"
        _noted.clear()
        print(json.dumps([name, found]))


if __name__ == "__main__":
    sys.addaudithook(_hook)
    main(Path(sys.argv[1]))
