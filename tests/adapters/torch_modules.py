"""Modules of PyTorch of every sort, tiny: what the tests save, load, run and train.

`MODULES` maps a family to its cases by name: how to build the module, what to call it with, which
sizes may differ, and whether `torch.export` can make a graph of it (torch_case.py). Everything
follows from seeds, so that a fresh interpreter makes the same.
"""

from __future__ import annotations

import importlib.util

from . import torch_modules_parts, torch_modules_sequence, torch_modules_vision
from .torch_case import Case

MODULES: dict[str, dict[str, Case]] = {
    "vision": torch_modules_vision.CASES,
    "sequence": torch_modules_sequence.CASES,
    "parts": torch_modules_parts.CASES,
}
if importlib.util.find_spec("transformers") is not None:
    from . import torch_modules_hub

    MODULES["hub"] = torch_modules_hub.CASES


def every() -> dict[str, Case]:
    """All cases of all families by name."""
    return {name: case for family in MODULES.values() for name, case in family.items()}
