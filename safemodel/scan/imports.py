"""Judge a dotted name that a configuration has a library import, and mostly call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded

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


def judge_import(
    module: str, name: str, key: str, scope: Scope, *, unknown: Severity = Severity.HIGH
) -> None:
    """Report a name, unless it is one of a library of models, and harmless.

    Args:
        module: its dotted name.
        name: of the class or function; "" if the module alone is imported.
        key: where it was found.
        unknown: of names of packages that are neither known nor of the standard library.
    """
    dotted = f"{module}.{name}" if name else module
    evidence = [("key", key), ("name", dotted)]
    danger = scope.names.danger(module, name) if name else None
    if danger is not None:
        scope.find(
            "SM511",
            f"{key} imports {bounded(dotted)}, which {danger.reason}",
            severity=Severity.CRITICAL,
            evidence=evidence,
        )
    elif not f"{dotted}.".startswith(_LIBRARIES) or "__" in dotted:
        standard = module.partition(".")[0] in sys.stdlib_module_names
        hidden = "__" in dotted
        scope.find(
            "SM511",
            f"{key} imports {bounded(dotted)}, {'of the standard library, ' if standard else ''}"
            "which is not known here",
            severity=Severity.HIGH if standard or hidden else unknown,
            evidence=evidence,
        )
