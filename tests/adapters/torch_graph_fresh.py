"""A fresh interpreter that runs modules from their graphs: their classes are nowhere in it.

Argument: a folder with `NAME.safemodel`, the module, and `NAME.example.safemodel`, what it is
called with. Writes `NAME.shown.safemodel`, what the module shows of itself, and prints a line of
JSON for each that went wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]


def main(folder: Path) -> None:
    import torch

    import safemodel as sm
    from tests.adapters import torch_case

    torch.set_num_threads(1)
    for path in sorted(folder.glob("*.example.safemodel")):
        name = path.name.partition(".")[0]
        try:
            given = sm.load(path, trust=sm.UNSIGNED)
            module = sm.load(folder / f"{name}.safemodel", trust=sm.UNSIGNED)
            found = torch_case.shown(module, given["example"], given["trains"], given["other"])
            if type(module).__module__.partition(".")[0] != "safemodel":
                raise TypeError(f"a {type(module)}")
            sm.save(found, folder / f"{name}.shown.safemodel", signer=None)
        except Exception as error:
            print(json.dumps([name, f"{type(error).__name__}: {error}"]))
    if any(
        name.startswith(("tests.adapters.torch_modules", "transformers")) for name in sys.modules
    ):
        raise SystemExit("the classes were there")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
