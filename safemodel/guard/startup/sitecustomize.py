"""Installs the guard when Python starts: `safemodel guard` puts this folder on PYTHONPATH.

Every Python process of the program inherits it. A `sitecustomize` that this one hides is run next.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _install() -> None:
    from safemodel import guard

    allow = [name for name in os.environ.get("SAFEMODEL_GUARD_ALLOW", "").split(",") if name]
    mode = os.environ.get("SAFEMODEL_GUARD", "enforce")
    guard.install(
        "warn" if mode == "warn" else "enforce",
        policy=os.environ.get("SAFEMODEL_GUARD_POLICY"),
        allow=allow,
        scan=os.environ.get("SAFEMODEL_GUARD_SCAN", "1") != "0",
    )


def _chain() -> None:
    """Run the `sitecustomize` that would have been found without this folder."""
    import importlib.machinery
    import importlib.util

    others = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _stop(reason: str) -> None:
    """Without a guard the program must not run. `site` would only print what an import raises."""
    sys.stderr.write(f"safemodel: error: the guard could not be installed: {reason}\n")
    sys.stderr.flush()
    os._exit(2)


try:
    _install()
except BaseException as error:  # nothing here may let the program go on unguarded
    _stop(f"{type(error).__name__}: {error}")
_chain()
