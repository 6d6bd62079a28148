"""A fresh interpreter that makes modules again and loads their archives.

Argument: a folder with `NAME.safemodel`. Each archive is loaded into a module of
the class, made with another seed. Prints a line of JSON for each: what the module shows of itself,
or what went wrong.
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
    from tests.adapters.torch_modules import every

    torch.set_num_threads(1)
    for name, case in every().items():
        path = folder / f"{name}.safemodel"
        if not path.exists():
            continue
        try:
            module = torch_case.build(case, seed=2)
            report = sm.load(path, into=module, trust=sm.UNSIGNED)
            found: object = torch_case.life(case, module) if report.complete else str(report)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        print(json.dumps([name, found]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
