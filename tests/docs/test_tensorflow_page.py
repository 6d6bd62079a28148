"""The page about TensorFlow is run from top to bottom."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_scan_pages import blocks

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow")
def test_the_page_works(tmp_path: Path) -> None:
    shown = [text for _, language, text in blocks("tensorflow") if language == "python"]
    assert len(shown) == 2
    last = (
        "assert report.complete and all(one is not None for one in gradients)\n"
        "print(sorted(names))\n"
    )
    code = "\n".join(shown).replace(
        'sm.load("run.safemodel", into', 'report = sm.load("run.safemodel", into'
    )
    names = "names = [one.name for one in again.variables]\n"
    (tmp_path / "page.py").write_text(code + names + last)
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SAFEMODEL_CONFIG": str(tmp_path / "config")},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("['Variable:0', 'w:0']\n")
