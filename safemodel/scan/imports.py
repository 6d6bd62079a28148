"""Judge a dotted name that a configuration has a library import, and mostly call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from safemodel.report.model import Severity

if TYPE_CHECKING:
    from safemodel.scan.scope import Scope

# Packages of models, layers and data in which such names are at home. They have functions that do
# more, such as `torch.load`: those are among the names that are known to be dangerous.
_LIBRARIES: Final = (
    "diffusers.",
    "keras.layers.",
    "lightning.pytorch.",
    "monai.",
    "nemo.",
    "peft.",
    "pylate.models.",
    "pytorch_lightning.",
    "sentence_transformers.",
    "timm.",
    "torch.nn.",
    "torch.optim.",
    "torchmetrics.",
    "torchvision.models.",
    "torchvision.transforms.",
    "transformers.",
    "uni2ts.",
)


def judge_import(module: str, name: str, key: str, scope: Scope) -> None:
    """Report a name, unless it is one of a library of models, and harmless.

    Args:
        module: its dotted name.
        name: of the class or function; "" if the module alone is imported.
        key: where it was found.
    """
    dotted = f"{module}.{name}" if name else module
    evidence = [("key", key), ("name", dotted)]
    danger = scope.names.danger(module, name) if name else None
    if danger is not None:
        scope.find(
            "SM511",
            f"{key} imports {dotted[:200]}, which {danger.reason}",
            severity=Severity.CRITICAL,
            evidence=evidence,
        )
    elif not f"{dotted}.".startswith(_LIBRARIES) or "__" in dotted:
        root = module.partition(".")[0]
        standard = "of the standard library, " if root in sys.stdlib_module_names else ""
        scope.find(
            "SM511", f"{key} imports {dotted[:200]}, {standard}which is not known here",
            evidence=evidence,
        )  # fmt: skip
