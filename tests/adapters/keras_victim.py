"""A child that loads archives of hostile configurations, and says what that touched.

    python -m tests.adapters.keras_victim FOLDER

Each archive is validly made, by the writer itself, of a configuration of keras_hostile.py. An audit
hook sees every open, import, exec, socket and process from the first load on.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import safemodel as sm
from safemodel.adapters.graph_encode import encode
from safemodel.adapters.keras.saving import HANDLERS, INLINES
from safemodel.bundle.contents import Contents
from safemodel.bundle.write import write
from safemodel.errors import ArchitectureError
from safemodel.format.manifest import Adapter
from tests.adapters import keras_hostile as hostile

WATCHED = ("open", "import", "exec", "compile", "socket", "subprocess", "os.", "shutil", "ctypes",
           "pickle", "marshal", "urllib", "tempfile", "glob")  # fmt: skip
seen: list[str] = []
armed = False


def hook(event: str, arguments: Any) -> None:
    if armed and event.startswith(WATCHED):
        seen.append(f"{event} {arguments!r:.200}")


def archive(root: dict[str, Any], path: Path) -> bytes:
    """An unsigned archive of a root, whatever it says."""
    encoded = encode(root, handlers=HANDLERS, inlines=INLINES)
    contents = Contents(
        framework="keras",
        adapter=Adapter("keras", 1),
        libraries={"keras": keras.__version__},
        architecture={"graph": encoded.graph},
        tensors=encoded.tensors,
    )
    write(path, contents, signers=())
    data = path.read_bytes()
    path.unlink()
    return data


def root(config: Any) -> dict[str, Any]:
    return {"class": "Sequential", "backend": "tensorflow", "model": config, "owners": []}


def watched(data: bytes) -> tuple[str, list[str]]:
    """Load an archive; what it was refused with, or nothing, and what it touched."""
    global armed
    seen.clear()
    said = ""
    armed = True
    try:
        sm.load(data, trust=sm.UNSIGNED)
    except ArchitectureError as error:
        said = str(error)[:200]
    armed = False
    return said, list(seen)


def main() -> None:
    folder = Path(sys.argv[1])
    good = hostile.model(hostile.dense(activation="relu"))
    fine = archive({"class": "m", "backend": "tensorflow", "model": good}, folder / "g")
    sm.load(fine, trust=sm.UNSIGNED)(np.ones((1, 3), "float32"))  # what is imported late
    vocabulary = hostile.model(hostile.obj("StringLookup", {"vocabulary": ["a"]}))
    without = {"class": "m", "backend": "tensorflow"}
    sm.load(archive({**without, "model": vocabulary}, folder / "g"), trust=sm.UNSIGNED)
    archives = {
        name: archive(root(config), folder / "m") for name, config in hostile.CONFIGS.items()
    }
    texts = {
        name: archive({**without, "model": config}, folder / "m")
        for name, config in hostile.TEXTS.items()
    }
    sys.addaudithook(hook)
    print(
        json.dumps(
            {
                "refused": {name: watched(data) for name, data in archives.items()},
                "texts": {name: watched(data) for name, data in texts.items()},
                "fine": watched(fine),
            }
        )
    )


if __name__ == "__main__":
    main()
