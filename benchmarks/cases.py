"""The operations that are measured, ours and others', in groups that are compared.

A case is a function that imports and prepares, and returns the operation to measure; the modules of
the groups have them. All of them work on the same files, which `prepare` makes once. Writers end
with fsync, whoever they are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks import (
    keras_models,
    onnx_models,
    sklearn_models,
    states,
    torch_graphs,
    torch_models,
)
from benchmarks.groups import Operation
from benchmarks.measure import measured

_MODULES = (states, sklearn_models, onnx_models, torch_models, torch_graphs, keras_models)
GROUPS = tuple(group for module in _MODULES for group in module.GROUPS)


def prepare(folder: Path, size: int, forest: int) -> None:
    """Make the files that the cases read, unless they are there from an earlier run of this size.

    Raises:
        SystemExit: the folder has files of other sizes.
    """
    sizes = folder / "sizes"
    if sizes.exists() and sizes.read_text() != f"{size} {forest}":
        raise SystemExit(f"{folder} has files of other sizes; name another folder or remove it")
    sizes.write_text(f"{size} {forest}")
    states.prepare(folder)
    sklearn_models.prepare(folder)


def case(name: str, folder: Path) -> Operation:
    """The operation of a case of some group."""
    module = next(module for module in _MODULES if hasattr(module, name))
    operation: Operation = getattr(module, name)(folder)
    return operation


if __name__ == "__main__":
    name, where = sys.argv[1:]
    os.environ["SAFEMODEL_CONFIG"] = str(Path(where) / "config")
    print(measured(case(name, Path(where))))
