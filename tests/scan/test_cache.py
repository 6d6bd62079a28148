"""The cache: found by content, and by nothing that a stranger can choose."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from safemodel.errors import SourceError
from safemodel.report.model import FileReport
from safemodel.scan import cache, engine, opening
from safemodel.scan import policy as policies
from safemodel.scan.budget import Limits
from safemodel.scan.folder import scan_paths
from safemodel.scan.single import Settings
from tests.scan import fake_engine

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")


class Counter:
    """The fake engine, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, data: memoryview, path: str, **options: Any) -> FileReport:
        self.asked += 1
        return fake_engine.scan_bytes(data, path, **options)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    found = Counter()
    monkeypatch.setattr(engine, "scan_bytes", found)
    return found


def settings(tmp_path: Path, **options: Any) -> Settings:
    return Settings(cache=str(tmp_path / "cache"), **options)


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.json"))


def test_a_content_is_scanned_once_whatever_it_is_called(tmp_path: Path, counter: Counter) -> None:
    (tmp_path / "a").write_text("Bad")
    (tmp_path / "b").write_text("Bad")
    first = scan_paths([str(tmp_path / "a")], settings(tmp_path))
    second = scan_paths([str(tmp_path / "b")], settings(tmp_path))
    assert counter.asked == 1
    assert second.files[0].path == second.findings[0].location.path == str(tmp_path / "b")
    assert first.files[0].sha256 == second.files[0].sha256
    assert first.findings[0].message == second.findings[0].message


def test_a_time_is_no_reason(tmp_path: Path, counter: Counter) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    status = file.stat()
    scan_paths([str(file)], settings(tmp_path))
    file.write_text("B")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert scan_paths([str(file)], settings(tmp_path)).exit_code() == 1
    assert counter.asked == 2


def test_another_version_policy_rule_set_or_limit_is_another_scan(
    tmp_path: Path, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("x")
    policy = policies.parse("version = 1")
    for options in ({}, {"policy": policy}, {"limits": Limits(depth=3)}):
        scan_paths([str(tmp_path / "a")], settings(tmp_path, **options))
    assert counter.asked == 3
    monkeypatch.setattr(cache, "RULESET", "another")
    scan_paths([str(tmp_path / "a")], settings(tmp_path))
    assert counter.asked == 4
    monkeypatch.setattr("safemodel.__version__", "another")
    scan_paths([str(tmp_path / "a")], settings(tmp_path))
    assert counter.asked == 5


@pytest.mark.parametrize("kind", ["E", "M"])
def test_failures_are_not_kept(tmp_path: Path, counter: Counter, kind: str) -> None:
    (tmp_path / "a").write_text(kind)
    for _ in range(2):
        assert scan_paths([str(tmp_path / "a")], settings(tmp_path)).exit_code() == 2
    assert counter.asked == 2
    assert not entries(tmp_path)


def damage(data: bytes) -> list[bytes]:
    head, body = data.split(b"\n", 1)
    found = json.loads(body)
    found["findings"] = []
    forged = json.dumps(found).encode()
    return [
        b"",
        data[:-1],
        data + b" ",
        head,
        body,
        forged,
        head + b"\n" + forged,
        b"0" * 64 + b"\n" + forged,
        data.replace(b"critical", b"info"),
        bytes(1000),
        b"[" * 100_000,
    ]


def test_a_damaged_entry_is_none(tmp_path: Path, counter: Counter) -> None:
    (tmp_path / "a").write_text("B")
    scan_paths([str(tmp_path / "a")], settings(tmp_path))
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    for number, data in enumerate(damage(whole), 2):
        entry.write_bytes(data)
        assert scan_paths([str(tmp_path / "a")], settings(tmp_path)).exit_code() == 1
        assert counter.asked == number
        assert entry.read_bytes() == whole


def test_an_entry_of_another_content_is_none(tmp_path: Path, counter: Counter) -> None:
    (tmp_path / "good").write_text("x")
    (tmp_path / "bad").write_text("B")
    scan_paths([str(tmp_path / "good")], settings(tmp_path))
    (good,) = entries(tmp_path)
    scan_paths([str(tmp_path / "bad")], settings(tmp_path))
    (bad,) = set(entries(tmp_path)) - {good}
    bad.write_bytes(good.read_bytes())
    assert scan_paths([str(tmp_path / "bad")], settings(tmp_path)).exit_code() == 1
    assert counter.asked == 3


def test_a_mapped_file_is_not_kept(
    tmp_path: Path, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_PRIVATE", 10)
    (tmp_path / "a").write_text("x" * 11)
    for _ in range(2):
        scan_paths([str(tmp_path / "a")], settings(tmp_path))
    assert counter.asked == 2
    assert not entries(tmp_path)


@posix
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    with pytest.raises(SourceError, match="others may write"):
        scan_paths([str(tmp_path / "a")], settings(tmp_path))


def test_a_folder_that_can_be_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "file/below", "\0"):
        with pytest.raises(SourceError, match="can't be used"):
            scan_paths([], Settings(cache=str(tmp_path / name)))


@posix
def test_what_is_made_is_the_users_alone(tmp_path: Path, counter: Counter) -> None:
    (tmp_path / "a").write_text("x")
    scan_paths([str(tmp_path / "a")], settings(tmp_path))
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {".json"}


def test_a_cache_that_cannot_be_written_is_as_good_as_none(
    tmp_path: Path, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("B")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert scan_paths([str(tmp_path / "a")], settings(tmp_path)).exit_code() == 1
    assert not list((tmp_path / "cache").rglob("*.*"))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_CACHE_HOME": "/c"}, "/c/safemodel/scan"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/safemodel/scan"),
        ({"XDG_CACHE_HOME": "relative"}, None),
    ],
)
@pytest.mark.skipif("sys.platform != 'linux'")
def test_the_users_folder(variables, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.default_folder() == expected
