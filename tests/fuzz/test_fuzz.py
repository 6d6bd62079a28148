"""Each fuzz target over its corpus, and for some seconds under libFuzzer where it is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import fuzz_pickle, fuzz_scan

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SECONDS = 20
TARGETS = {"pickle": fuzz_pickle.run, "scan": fuzz_scan.run}
CORPUS = [
    (target, path)
    for target, folders in {"pickle": ("pickle",), "scan": ("pickle", "scan")}.items()
    for folder in folders
    for path in sorted((HERE / "corpus" / folder).iterdir())
]


@pytest.mark.parametrize(("target", "path"), CORPUS, ids=lambda part: getattr(part, "name", part))
def test_the_corpus(target: str, path: Path) -> None:
    data = path.read_bytes()
    TARGETS[target](data)
    TARGETS[target](data[: len(data) // 2])


def test_the_corpora_are_small() -> None:
    paths = [path for path in (HERE / "corpus").rglob("*") if path.is_file()]
    assert len(paths) > 40
    assert sum(path.stat().st_size for path in paths) < 200_000


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris")
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_fuzz(target: str, tmp_path: Path) -> None:
    shutil.copytree(HERE / "corpus" / target, tmp_path / "corpus")
    done = subprocess.run(
        [
            sys.executable,
            HERE / f"fuzz_{target}.py",
            tmp_path / "corpus",
            HERE / "corpus" / "pickle",
            f"-max_total_time={SECONDS}",
            "-timeout=30",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={tmp_path}/",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=SECONDS + 120,
        check=False,
    )
    assert not done.returncode, done.stderr[-4000:].decode(errors="replace")
