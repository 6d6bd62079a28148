"""Whatever `torch.load` reads: for bytes that a pickle hands to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.scan import formats

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

_KINDS: Final = ("zip", "tar", "torch_legacy", "pickle")  # in the order of `torch.load`


def scan(content: Content, scope: Scope) -> bool:
    """Scan by every format that fits; what is nothing else is the first of five pickles."""
    fitted = [name for name in _KINDS[:3] if formats.handler(name).scan(content, scope)]
    if not fitted and formats.handler("pickle").scan(content, scope):
        fitted.append("pickle")
    for name in fitted:
        scope.fits(name)
    return bool(fitted)
