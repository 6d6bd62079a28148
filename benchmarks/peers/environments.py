"""Make the environment of each peer, once, where the caller wants them."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

# Package and version, what it forgets to declare, and what it needs for all that it can read.
REQUIREMENTS = {
    "picklescan": ("picklescan==1.0.5",),
    "modelscan": ("modelscan[h5py]==0.8.8", "tensorflow-cpu==2.21.0"),
    "fickling": ("fickling==0.1.12", "typing_extensions"),
    "modelaudit": ("modelaudit==0.2.54",),
    "hayward": ("hayward==1.4.1",),
}


def python_of(peer: str, root: Path) -> Path:
    """The interpreter of a peer's environment, made if it is not there."""
    home = root / peer
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-qq", *REQUIREMENTS[peer]]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (home / "ready").touch()
    return python
