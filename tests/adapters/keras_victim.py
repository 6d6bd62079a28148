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


def main() -> None:
    global armed
    folder = Path(sys.argv[1])
    good = hostile.model(hostile.dense(activation="relu"))
    fine = archive({"class": "m", "backend": "tensorflow", "model": good}, folder / "g")
    sm.load(fine, trust=sm.UNSIGNED)(np.ones((1, 3), "float32"))  # what is imported late
    archives = {
        name: archive(root(config), folder / "m") for name, config in hostile.CONFIGS.items()
    }
    loaded = []
    sys.addaudithook(hook)
    for name, data in archives.items():
        armed = True
        try:
            sm.load(data, trust=sm.UNSIGNED)
        except ArchitectureError:
            armed = False
        else:
            armed = False
            loaded.append(name)
    armed = True
    sm.load(fine, trust=sm.UNSIGNED)(np.ones((1, 3), "float32"))
    armed = False
    print(json.dumps({"number": len(archives), "loaded": loaded, "events": seen[:20]}))


if __name__ == "__main__":
    main()
