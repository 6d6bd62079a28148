"""Which adapter saves an object: a closed table of the packages that classes are of.

Knows no framework: classes are told by the names of their modules. Implements docs/architecture.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from safemodel.errors import UnsavableError, UsageError

# The root package of a class says which adapter. Mixed containers go to the first that is met in
# the order of _PREFERENCE; the adapters for frameworks know NumPy's kinds too.
_PACKAGES: Final[Mapping[str, str]] = {
    "numpy": "numpy",
    "catboost": "sklearn",
    "category_encoders": "sklearn",
    "imblearn": "sklearn",
    "keras": "keras",
    "lightgbm": "sklearn",
    "onnx": "onnx",
    "safemodel.adapters.onnx.files": "onnx",  # a class of ours that names a file
    "pandas": "sklearn",
    "scipy": "sklearn",
    "sklearn": "sklearn",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "transformers.modeling_utils": "transformers",  # what all of its models inherit from
    "xgboost": "sklearn",
}
_PREFERENCE: Final = ("sklearn", "onnx", "keras", "tensorflow", "transformers", "torch", "numpy")

_CONTAINERS: Final = (dict, list, tuple, set, frozenset)
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes, bytearray, slice, range)


def choose(obj: object) -> str:
    """The adapter for an object: that of its class, or of what its containers hold.

    Raises:
        UnsavableError: no adapter has a class like that.
        UsageError: a path of a model, and no model.
    """
    if isinstance(obj, str | os.PathLike) and os.fspath(obj).endswith(".onnx"):
        # Else a string would be saved as the value that it is, and nobody means that.
        raise UsageError(
            "a path was given, and no model",
            hint=f"to save the model in that file: sm.OnnxFile({os.fspath(obj)!r})",
        )
    found: set[str] = set()
    for leaf in _leaves(obj):
        adapter = _by_class(type(leaf))
        if adapter == _PREFERENCE[0]:
            return adapter
        if adapter is not None:
            found.add(adapter)
        elif leaf is obj and not isinstance(obj, (*_CONTAINERS, *_PLAIN)):
            kind = type(obj)
            raise UnsavableError(
                f"no adapter for {kind.__module__}.{kind.__qualname__}",
                hint="save its state instead: plain containers, numbers, strings and arrays",
            )
    return next((name for name in _PREFERENCE if name in found), "numpy")


def _by_class(kind: type) -> str | None:
    for base in kind.__mro__:
        module = base.__module__
        adapter = _PACKAGES.get(module) or _PACKAGES.get(module.partition(".")[0])
        if adapter is not None:
            return adapter
    return None


def _leaves(obj: object) -> Iterator[object]:
    """The object if it is no container, else what its containers hold; each container once."""
    seen: set[int] = set()
    stack = [obj]
    while stack:
        item = stack.pop()
        if not isinstance(item, _CONTAINERS) or _by_class(type(item)) is not None:
            yield item
        elif id(item) not in seen:
            seen.add(id(item))
            if isinstance(item, dict):
                stack.extend(item.keys())
                stack.extend(item.values())
            else:
                stack.extend(item)
