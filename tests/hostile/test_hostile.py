"""Hostile files: each ends within its budget and its memory, and the answer is never yes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from safemodel.scan import engine
from safemodel.scan.opening import opened
from tests.hostile import files

ROOT = Path(__file__).parents[2]
MEMORY = 512 << 20  # half of what is permitted: others run beside us
LATE = 2.5  # seconds: what nobody interrupts, on a busy machine


class Measure:
    """A running `measure` process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.measure"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def ask(self, path: Path, seconds: float) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("no pipes")
        self._process.stdin.write(json.dumps([str(path), seconds]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def measure() -> Iterator[Measure]:
    running = Measure()
    yield running
    running.close()


def test_a_digest_ends_in_time(tmp_path: Path) -> None:
    path = files.write("sparse_bytes", tmp_path)
    with opened(str(path)) as data:
        assert data is not None
        assert engine.digest(data, 0.1) is None


def check(measure: Measure, path: Path, seconds: float) -> None:
    found = measure.ask(path, seconds)
    assert "error" not in found
    assert found["code"] in (1, 2)
    assert found["seconds"] < seconds + LATE
    assert found["memory"] < MEMORY
    assert "SM909" not in found["rules"]


def test_there_are_enough() -> None:
    assert len(files.ALL) >= 60


@pytest.mark.parametrize("name", files.ALL)
def test_within_a_short_budget(name: str, measure: Measure, tmp_path: Path) -> None:
    check(measure, files.write(name, tmp_path), 0.25)


@pytest.mark.slow
@pytest.mark.parametrize("name", files.ALL)
def test_within_a_longer_budget(name: str, measure: Measure, tmp_path: Path) -> None:
    check(measure, files.write(name, tmp_path), 10)


CUT = ("pickle_cut_off", "gzip_cut_off", "xz_cut_off", "zip_cut_off", "tar_cut_off")
SAMPLE = (
    *CUT,
    "gguf_counts",
    "git_lfs_pointer",
    "hdf5_of_noise",
    "keras_brackets",
    "npy_shape",
    "pickle_in_pickle",
    "safetensors_brackets",
    "xz_in_xz",
    "zip_end_in_comment",
    "zip_in_zip_100",
    "zip_nul_in_name",
)


def test_on_the_command_line(tmp_path: Path) -> None:
    """All of them in one folder, and each named alone would be no."""
    for name in SAMPLE:
        files.write(name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "safemodel", "scan", "--format", "json", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads(done.stdout)
    told = {Path(file["path"]).name for file in report["files"] if file["findings"]}
    assert told == set(SAMPLE)


@pytest.mark.parametrize("name", CUT)
def test_what_is_cut_off_is_not_answered(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "safemodel", "scan", str(files.write(name, tmp_path))],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert name in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
