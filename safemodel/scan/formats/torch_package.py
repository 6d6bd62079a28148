"""Archives that are programs by design: torch.package, and models of TorchServe (`.mar`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy import json_text
from safemodel.scan.evidence import bounded
from safemodel.scan.formats.torch_zip import root_of

if TYPE_CHECKING:
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

_EXTERN: Final = ".data/extern_modules"
_MANIFEST: Final = "MAR-INF/MANIFEST.json"
_MAX_MANIFEST: Final = 1 << 20
_PYTHON: Final = (".py", ".pyc", ".so", ".pyd", ".pyx")
# the handlers that TorchServe has itself
_BUILT_IN: Final = frozenset(
    {"image_classifier", "image_segmenter", "object_detector", "text_classifier", "base_handler"}
)


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Report the code that the loader of such an archive imports. None: it is none of them."""
    root = root_of(archive)
    package = bool(root) and bool(archive.alike(f"{root}/{_EXTERN}"))
    served = bool(archive.alike(_MANIFEST))
    if not package and not served:
        return None
    code = sorted(
        {member.name for member in archive.facts.members if member.name.lower().endswith(_PYTHON)}
    )
    if package:
        _report("a torch.package", code, scope)
    else:
        handler = _handler(archive, scope)
        if code or handler not in _BUILT_IN:
            _report(f"a TorchServe model with the handler {bounded(handler, 80)!r}", code, scope)
    return frozenset()


def _report(what: str, code: list[str], scope: Scope) -> None:
    files = ", ".join(bounded(name, 60) for name in code[:3])
    more = f" and {len(code) - 3} more" if len(code) > 3 else ""
    scope.find(
        "SM161",
        f"is {what}: its loader runs {files or 'code that the file names'}{more}",
        evidence=tuple(("code", name) for name in code[:20]),
    )


def _handler(archive: ZipArchive, scope: Scope) -> str:
    """The handler that a manifest names; "" if it names none that can be read."""
    handler: object = ""
    for member in archive.alike(_MANIFEST):
        try:
            tree = json_text.parse(archive.read(member, _MAX_MANIFEST)).value
        except LegacyError as error:
            scope.unread(error)
            return ""
        model = tree.get("model") if isinstance(tree, dict) else None
        found = model.get("handler") if isinstance(model, dict) else None
        if handler and found != handler:
            return ""
        handler = found
    return handler if isinstance(handler, str) else ""
