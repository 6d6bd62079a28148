"""Starting is quick because little is imported; that is what is tested, not seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import safemodel

HEAVY = {
    "argparse",
    "asyncio",
    "blake3",
    "cryptography",
    "dataclasses",
    "hashlib",
    "isal",
    "joblib",
    "json",
    "numpy",
    "pathlib",
    "re",
    "rich",
    "sklearn",
    "tempfile",
    "torch",
    "typing",
}


def imported(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter without site packages' own hooks has after `code`."""
    program = f"import sys; before = set(sys.modules)\n{code}\nafter = set(sys.modules)\n"
    program += "import json; print(json.dumps(sorted(after - before)))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_safemodel_imports_nothing_else() -> None:
    found = imported("import safemodel")
    assert found == {"safemodel"}
    assert not HEAVY & found


def test_verify_imports_no_framework_and_no_table(tmp_path) -> None:
    # A missing file: everything is imported, and there is an answer without a bundle.
    code = "from safemodel.cli import main; main(['verify', sys.argv[1]])"
    found = imported(code, str(tmp_path / "missing"))
    assert "safemodel.bundle.opening" in found
    assert not {"numpy", "torch", "sklearn", "rich", "asyncio", "logging", "tempfile"} & found
    assert not {name for name in found if name.startswith("safemodel.adapters")}
    assert {name for name in found if name.startswith("safemodel.cli.")} <= {
        f"safemodel.cli.{name}"
        for name in ("options", "output", "parser", "progress", "signers", "source", "verify")
    }


def test_every_public_name_is_there() -> None:
    for name in safemodel.__all__:
        assert getattr(safemodel, name) is not None
        assert name in dir(safemodel)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = safemodel.lod  # type: ignore[attr-defined]


def test_importing_all_by_star_gives_the_public_names() -> None:
    found: dict[str, object] = {}
    exec("from safemodel import *", found)
    assert set(safemodel.__all__) <= found.keys()
