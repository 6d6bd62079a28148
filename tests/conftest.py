"""Settings for all tests: nothing outside a temporary folder is read or written."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before any library starts its threads: with two cores and several workers they only spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.attacks.asking import Oracle


def pytest_configure() -> None:
    """Fail when a library or program of SAFEMODEL_TEST_REQUIRE is missing; else tests skip."""
    required = [name for name in os.environ.get("SAFEMODEL_TEST_REQUIRE", "").split(",") if name]
    missing = [
        name
        for name in required
        if importlib.util.find_spec(name) is None and shutil.which(name) is None
    ]
    if missing:
        raise pytest.UsageError(f"required by SAFEMODEL_TEST_REQUIRE: {', '.join(missing)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one part of the tests, as SAFEMODEL_TEST_PART says: `3/8` is the third of eight."""
    part, _, parts = os.environ.get("SAFEMODEL_TEST_PART", "1/1").partition("/")
    kept = [
        item for item in items if zlib.crc32(item.nodeid.encode()) % int(parts) == int(part) - 1
    ]
    if len(kept) != len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


@pytest.fixture(autouse=True)
def config_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Each test has a configuration folder of its own: no test sees a real key."""
    folder = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAFEMODEL_CONFIG", str(folder))
        yield folder


@pytest.fixture(scope="session")
def oracles() -> Iterator[dict[str, Oracle]]:
    """Oracle processes that are running (tests/attacks/asking.py)."""
    running: dict[str, Oracle] = {}
    yield running
    for oracle in running.values():
        oracle.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, and `m` in it for markers: some attacks have room for little."""
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    (folder / "m").mkdir()
    yield folder
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
