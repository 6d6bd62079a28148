"""Models that another release of a library saved: what is filled in, and what a refusal says.

One table serves several releases: a schema has the parameters and attributes of all of them. A
parameter that the installed class has and the saving release did not know gets the constructor's
default, as a new estimator would; scikit-learn's own unpickling leaves it out, and the first use
of it fails. What else is missing or of another shape is refused. Implements "Versions" of
docs/sklearn.md.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.errors import ArchitectureError, NotAllowedError

if TYPE_CHECKING:
    from safemodel.adapters.sklearn.library import Entry

_RELEASE: Final = re.compile(r"\d{1,5}(\.\d{1,5}){1,3}[a-z0-9.+]{0,20}")
_PLAIN: Final = frozenset({type(None), bool, int, float, str})


class Releases:
    """Which releases saved an archive, by distribution, beside those that are installed."""

    def __init__(self, saved: Mapping[str, str], distributions: Mapping[str, str]) -> None:
        self._saved = saved
        self._distributions = distributions

    def changed(self, module: str) -> tuple[str, str, str] | None:
        """Return distribution, saved and installed release of a module's package, if they differ.

        None also if the archive does not say, or the package is not imported.
        """
        root = module.partition(".")[0]
        name = self._distributions.get(root, root)
        saved = self._saved.get(name)
        installed = getattr(sys.modules.get(root), "__version__", None)
        if saved is None or installed is None or saved == installed:
            return None
        return name, saved, str(installed)

    def complete(self, entry: Entry, state: dict[str, Any]) -> None:
        """Give parameters that the saving release did not have the defaults of the installed."""
        if entry.required and self.changed(entry.schema.module) is not None:
            for name, default in _defaults(entry.kind).items():
                if name in entry.required:
                    state.setdefault(name, default)

    def explain(self, error: ArchitectureError) -> None:
        """Give a refusal that another release may be the reason for that hint."""
        if isinstance(error, NotAllowedError):
            return
        for root in ("sklearn", *self._distributions):
            found = self.changed(root)
            if found is not None and _RELEASE.fullmatch(found[1]):
                name, saved, installed = found
                error.hint = (
                    f"{name} {saved} saved it and {installed} is installed; if that is the reason: "
                    f"pip install {name}=={saved}"
                )
                return


@functools.cache
def _defaults(kind: type) -> Mapping[str, Any]:
    """The plain defaults of a constructor, by parameter."""
    parameters = inspect.signature(kind).parameters.values()
    return {one.name: one.default for one in parameters if type(one.default) in _PLAIN}
