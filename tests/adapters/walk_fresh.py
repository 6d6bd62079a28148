"""A fresh interpreter that loads every archive of a folder, then prints outputs.

Arguments: a folder with `NAME.safemodel`, each numbered by its place in the list of recipes, and
the family of the recipes. Nothing of the libraries is imported before the first load. Prints a
line of JSON for each: outputs, and outputs after training on; or what went wrong.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]


def main(folder: Path, family: str) -> None:
    from safemodel import adapters
    from safemodel.trust.policy import UNSIGNED

    if any(name.startswith(("sklearn", "numpy")) for name in sys.modules):
        raise SystemExit("imported too early")
    models: dict[int, Any] = {}
    for path in sorted(folder.glob("*.safemodel")):
        try:
            models[int(path.stem)] = adapters.load(str(path), trust=UNSIGNED)
        except Exception as error:
            print(json.dumps([int(path.stem), f"{type(error).__name__}: {error}"]))
    from tests.adapters.sklearn_all import outputs
    from tests.adapters.sklearn_support import fingerprint
    from tests.adapters.walk import FAMILIES, Example, trained_on

    recipes = list(FAMILIES[family].values())
    for number, model in models.items():
        found = recipes[number]()
        found = Example(model, found.data, found.target)
        before = fingerprint(outputs(model, found.data))
        trained_on(found)
        print(json.dumps([number, [before, fingerprint(outputs(model, found.data))]]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
