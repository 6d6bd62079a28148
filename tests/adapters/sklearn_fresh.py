"""A fresh interpreter: load an archive with nothing else imported, then print outputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]


def main(folder: Path) -> None:
    from safemodel import adapters
    from safemodel.trust.policy import UNSIGNED

    if any(name.startswith(("sklearn", "numpy")) for name in sys.modules):
        raise SystemExit("imported too early")
    models: Any = adapters.load(str(folder / "all.safemodel"), trust=UNSIGNED)
    found = {"digest": [adapters.save(models, folder / "again.safemodel", signer=None)]}
    from adapters.sklearn_all import CASES, outputs
    from adapters.sklearn_support import fingerprint, train

    for name, model in models.items():
        case = CASES[name]()
        found[name] = [fingerprint(outputs(model, case.data))]
        if case.train is not None:
            train(case.train, model)
        found[name].append(fingerprint(outputs(model, case.data)))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
