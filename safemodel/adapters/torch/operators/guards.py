"""Checks of values, for operators whose kernels don't make them: run before the kernel.

Found by running each operator with hostile values in a process of its own
(tests/adapters/test_torch_operators_hostile.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch

from safemodel.adapters.torch.operators.schema import Signature

Guard = Callable[[dict[str, Any]], None]

GUARDS: Final[Mapping[str, Guard]] = {}


def guarded(name: str, operator: Any, signature: Signature) -> Callable[..., Any]:
    """Return the operator, or a function that checks the values and then calls it."""
    guard = GUARDS.get(name)
    if guard is None:
        return operator  # type: ignore[no-any-return]
    names = [argument.name for argument in signature.arguments if not argument.keyword]

    def call(*args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            guard(dict(zip(names, args, strict=False)) | kwargs)
        return operator(*args, **kwargs)

    call.__name__ = call.__qualname__ = name.partition("::")[2].replace(".", "_")
    call.operator_name = name  # type: ignore[attr-defined]
    return call
