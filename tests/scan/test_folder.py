"""Folders: every file, in order, whatever one of them does to the process that scans it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from safemodel.errors import SafemodelError
from safemodel.report.model import Report, Severity, Status
from safemodel.scan import engine, folder, pool
from safemodel.scan.budget import Limits
from safemodel.scan.folder import scan_paths
from safemodel.scan.single import Settings
from safemodel.scan.walk import walk
from tests.scan import fake_engine

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and signals of POSIX")
FAKE = "import tests.scan.fake_engine; tests.scan.fake_engine.install()"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake engine here, in forked processes, and in those that are started anew."""
    monkeypatch.setattr(engine, "scan_bytes", fake_engine.scan_bytes)
    root = str(Path(__file__).parents[2])
    program = f"import sys; sys.path.append({root!r}); {FAKE}; {pool.PROGRAM}"
    monkeypatch.setattr(pool, "PROGRAM", program)


def make(root: Path, contents: dict[str, str]) -> None:
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def rules(report: Report, root: Path) -> dict[str, str]:
    """The first rule of each file that has one, by its name below the root."""
    return {
        os.path.relpath(file.path, root): file.findings[0].rule
        for file in report.files
        if file.findings
    }


def settings(seconds: float = 120.0) -> Settings:
    return Settings(Limits(seconds=seconds))


# Walking


def names(root: Path, **options: object) -> list[str]:
    return [os.path.relpath(item.path, root) for item in walk(str(root), **options)]  # type: ignore[arg-type]


def test_a_walk_is_in_the_order_of_names_and_leaves_out_git(tmp_path: Path) -> None:
    files = ("b.pkl", "a/z.pkl", "a/b/c.pkl", "c", ".git/x.pkl", "a/.git/y.pkl", ".hidden", "a.d")
    make(tmp_path, dict.fromkeys(files, ""))
    expected = [".hidden", "a/b/c.pkl", "a/z.pkl", "a.d", "b.pkl", "c"]
    assert names(tmp_path) == expected


def test_a_deep_folder_needs_no_recursion(tmp_path: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(400):
            os.mkdir("d")
            os.chdir("d")
        Path("x.pkl").write_text("x")
    finally:
        os.chdir(here)
    found = list(walk(str(tmp_path)))
    assert len(found) == 1
    assert found[0].unread or found[0].path.endswith("x.pkl")
    # pytest's own removal of old folders recurses
    for _ in range(2):
        os.system(f"rm -rf {tmp_path}/d")  # noqa: S605


@posix
def test_links_lead_nowhere(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    make(root, {"a/model.pkl": "x", ".git/hook.pkl": "x"})
    make(other, {"secret": "x"})
    for name, target in {
        "again": "a/model.pkl",
        "loop": ".",
        "folder": "a",
        "out": "../other/secret",
        "out_folder": "../other",
        "gone": "nowhere",
        "self": "self",
        "git": ".git/hook.pkl",
        "git_folder": ".git",
        "device": "/dev/zero",
    }.items():
        (root / name).symlink_to(target)
    found = {os.path.relpath(item.path, root): item for item in walk(str(root))}
    assert found["again"].skipped
    assert found["folder"].skipped
    assert found["out"].unread == "a link that leads elsewhere is not followed"
    assert found["out_folder"].unread
    assert found["loop"].unread
    assert found["gone"].unread == "a link to nothing"
    assert found["self"].unread
    assert found["device"].unread
    # What is not scanned by its own name is scanned by that of the link.
    assert (found["git"].unread, found["git"].skipped, found["git"].size) == (None, False, 1)
    assert found["git_folder"].unread
    assert found["a/model.pkl"].size == 1
    assert len(found) == 11


@posix
def test_a_link_to_what_is_excluded_is_scanned(tmp_path: Path) -> None:
    make(tmp_path, {"old/model.pkl": "x"})
    (tmp_path / "model.pkl").symlink_to("old/model.pkl")
    (item,) = walk(str(tmp_path), lambda path: path == "old")
    assert (item.size, item.skipped) == (1, False)


@posix
def test_the_cache_of_hugging_face_is_followed_into_its_blobs(tmp_path: Path) -> None:
    make(tmp_path, {"models--a/blobs/abc": "x", "models--b/blobs/def": "x"})
    snapshot = tmp_path / "models--a" / "snapshots" / "main"
    (snapshot / "sub").mkdir(parents=True)
    (snapshot / "model.pkl").symlink_to("../../blobs/abc")
    (snapshot / "sub" / "model.pkl").symlink_to("../../../blobs/abc")
    (snapshot / "other.pkl").symlink_to("../../../models--b/blobs/def")
    (snapshot / "blobs").symlink_to("../../blobs")
    found = {os.path.relpath(item.path, snapshot): item for item in walk(str(snapshot))}
    assert found["model.pkl"].size == 1
    assert found["sub/model.pkl"].size == 1
    assert found["other.pkl"].unread
    assert found["blobs"].unread
    # From above, the blobs are scanned by their own names.
    assert [i.path for i in walk(str(tmp_path / "models--a")) if i.size is not None] == [
        str(tmp_path / "models--a" / "blobs" / "abc")
    ]


@posix
def test_pipes_and_sockets_are_skipped_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    report = scan_paths([str(tmp_path)], settings())
    assert report.files[0].status is Status.SKIPPED
    assert report.exit_code() == 0
    named = scan_paths([str(tmp_path / "pipe")], settings())
    assert rules(named, tmp_path) == {"pipe": "SM904"}
    assert named.exit_code() == 2


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root can read anything")
def test_what_may_not_be_read_is_unread(tmp_path: Path) -> None:
    make(tmp_path, {"file.pkl": "x", "folder/x.pkl": "x"})
    (tmp_path / "file.pkl").chmod(0)
    (tmp_path / "folder").chmod(0)
    try:
        report = scan_paths([str(tmp_path)], settings())
    finally:
        (tmp_path / "folder").chmod(0o700)
    assert set(rules(report, tmp_path).values()) == {"SM904"}
    assert len(report.files) == 2


def test_a_folder_that_cannot_be_listed_is_unread(tmp_path: Path, monkeypatch) -> None:
    make(tmp_path, {"a/x.pkl": "x", "b.pkl": "x"})
    real = os.scandir

    def scandir(path: str):
        if path.endswith("a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = list(walk(str(tmp_path)))
    assert found[0].unread == "the folder can't be read: permission denied"
    assert found[1].size == 1


# Scanning


def test_missing_empty_and_unknown(tmp_path: Path, fake: None) -> None:
    make(tmp_path, {"folder/empty": "", "folder/notes.txt": "S", "empty": "", "notes.txt": "S"})
    inside = scan_paths([str(tmp_path / "folder")], settings())
    assert [file.status for file in inside.files] == [Status.SKIPPED] * 2
    assert inside.exit_code() == 0
    strict = scan_paths([str(tmp_path / "folder")], settings(), strict=True)
    assert set(rules(strict, tmp_path).values()) == {"SM905"}
    assert strict.exit_code(strict=True) == 2
    for name, rule in {"empty": "SM905", "notes.txt": "SM905", "missing": "SM904"}.items():
        named = scan_paths([str(tmp_path / name)], settings())
        assert rules(named, tmp_path) == {name: rule}
        assert named.exit_code() == 2
    assert scan_paths(["nul\0"], settings()).files[0].findings[0].rule == "SM904"


def test_a_defect_is_no_verdict(tmp_path: Path, fake: None) -> None:
    make(tmp_path, {"a": "x", "b": "E", "c": "M", "d": "B"})
    report = scan_paths([str(tmp_path)], settings())
    assert rules(report, tmp_path) == {"b": "SM909", "c": "SM902", "d": "SM413"}
    assert report.exit_code() == 1
    assert report.exit_code(Severity.CRITICAL) == 1


def test_the_digest_is_that_of_files_with_findings(tmp_path: Path, fake: None) -> None:
    import hashlib

    make(tmp_path, {"a": "x", "d": "B"})
    good, bad = scan_paths([str(tmp_path)], settings()).files
    assert good.sha256 is None
    assert bad.sha256 == hashlib.sha256(b"B").hexdigest()


def test_a_large_file_is_mapped_and_has_the_same_digest(tmp_path: Path, fake: None) -> None:
    import hashlib

    data = b"B" + bytes(1 << 18)
    (tmp_path / "large").write_bytes(data)
    (file,) = scan_paths([str(tmp_path / "large")], settings()).files
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_files_over_the_size_are_unread(tmp_path: Path, fake: None) -> None:
    make(tmp_path, {"a": "x" * 11})
    report = scan_paths([str(tmp_path)], Settings(max_size=10))
    assert rules(report, tmp_path) == {"a": "SM902"}


# Processes


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use processes for any two files."""
    monkeypatch.setattr(folder, "POOL_FILES", 1)


KINDS = {"a": "x", "b": "D", "c": "B", "d": "E", "e": "x", "f": "D", "g": "D", "h": "B", "i": "x"}
if os.name == "posix":
    KINDS["j"] = "K"


@pytest.mark.parametrize("fork", [True, False])
def test_a_process_that_dies_takes_one_file_with_it(
    tmp_path: Path, fake: None, several: None, monkeypatch, fork: bool
) -> None:
    if not fork:
        monkeypatch.setattr(pool, "_may_fork", lambda: False)
    make(tmp_path, KINDS)
    seen: list[str] = []
    report = scan_paths(
        [str(tmp_path)],
        settings(),
        jobs=2,
        progress=lambda file, total: seen.append(os.path.basename(file.path)),
    )
    assert [os.path.basename(file.path) for file in report.files] == sorted(KINDS)
    assert sorted(seen) == sorted(KINDS)
    expected = {name: {"B": "SM413"}.get(kind, "SM909") for name, kind in KINDS.items()}
    found = rules(report, tmp_path)
    assert found == {name: rule for name, rule in expected.items() if KINDS[name] != "x"}


def test_a_process_that_hangs_is_stopped(
    tmp_path: Path, fake: None, several: None, monkeypatch
) -> None:
    monkeypatch.setattr(pool, "GRACE", 0.0)
    make(tmp_path, {"a": "x", "b": "H", "c": "x", "d": "L", "e": "B"})
    begun = time.monotonic()
    report = scan_paths([str(tmp_path)], settings(1.0), jobs=2)
    assert time.monotonic() - begun < 20
    assert rules(report, tmp_path) == {"b": "SM909", "d": "SM909", "e": "SM413"}
    assert "took longer than 1 seconds" in report.files[1].findings[0].message


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="bounds of Linux")
@pytest.mark.parametrize("alone", [True, False])
def test_memory_is_bounded(tmp_path: Path, fake: None, several: None, alone: bool) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    make(tmp_path, {"a": "G"} if alone else {"a": "G", "b": "G", "c": "B"})
    report = scan_paths([str(tmp_path)], settings(), watched=True, jobs=2)
    found = rules(report, tmp_path)
    assert found.pop("c", "SM413") == "SM413"
    assert set(found.values()) == {"SM902"}
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@posix
def test_a_small_file_that_hangs_here_is_stopped(tmp_path: Path, fake: None, monkeypatch) -> None:
    monkeypatch.setattr(folder, "GRACE", 0.0)
    make(tmp_path, {"a": "x", "d": "L", "e": "B"})
    report = scan_paths([str(tmp_path)], settings(0.2), watched=True)
    assert rules(report, tmp_path) == {"d": "SM902", "e": "SM413"}


def test_a_large_file_alone_is_watched(tmp_path: Path, fake: None) -> None:
    make(tmp_path, {"a": "D" + "x" * folder.WATCHED_BYTES})
    report = scan_paths([str(tmp_path / "a")], settings(), watched=True)
    assert rules(report, tmp_path) == {"a": "SM909"}
    assert report.files[0].findings[0].message == "the scan failed: its process died"


def test_many_files_in_batches(tmp_path: Path, fake: None) -> None:
    make(tmp_path, {f"{number:04}": "B" if number % 7 == 0 else "x" for number in range(500)})
    report = scan_paths([str(tmp_path)], settings(), jobs=3)
    assert len(report.files) == 500
    assert len(report.findings) == 72


@posix
def test_workers_do_not_outlive_an_interrupt(
    tmp_path: Path, fake: None, several: None, monkeypatch
) -> None:
    make(tmp_path, {"a": "x", "b": "H", "c": "H"})
    started: list[int] = []
    real = os.fork

    def fork() -> int:
        found = real()
        started.append(found)
        return found

    def interrupt(file: object, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(KeyboardInterrupt):
        scan_paths([str(tmp_path)], settings(), jobs=2, progress=interrupt)
    for process in started:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@posix
def test_a_worker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import os, sys; sys.path.append(sys.argv[1]); from safemodel.scan import pool\n"
        "from safemodel.scan.single import Settings\n"
        "p = pool.Pool(Settings(), 2); p._start(2)\n"
        "print(*[one.forked for one in p._workers], flush=True); os._exit(0)"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True)
    workers = [int(word) for word in done.stdout.split()]
    for _ in range(100):
        alive = [pid for pid in workers if Path(f"/proc/{pid}/stat").exists()
                 and " Z " not in Path(f"/proc/{pid}/stat").read_text()]  # fmt: skip
        if not alive:
            break
        time.sleep(0.05)
    assert not alive


def test_threads_are_a_reason_not_to_fork() -> None:
    event = threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    try:
        assert not pool._may_fork()
    finally:
        event.set()
        thread.join()


@pytest.mark.parametrize(
    "reply",
    ["{", "[]", "{}", '{"status": "scanned"}', "[" * 100_000, '{"status": 1e999}'],
)
@posix
def test_a_reply_that_is_none_costs_the_file_only(
    tmp_path: Path, fake: None, several: None, monkeypatch, reply: str
) -> None:
    from safemodel.scan import worker

    real = worker.json.dumps
    monkeypatch.setattr(pool, "_may_fork", lambda: True)
    monkeypatch.setattr(
        worker.json, "dumps", lambda value, **o: reply if "path" in value else real(value, **o)
    )
    make(tmp_path, {"a": "x", "b": "x"})
    report = scan_paths([str(tmp_path)], settings(), jobs=2)
    assert set(rules(report, tmp_path).values()) <= {"SM909"}
    assert rules(report, tmp_path)
    assert report.exit_code() == 2


def test_never_raises_our_errors(tmp_path: Path) -> None:
    with pytest.raises(SafemodelError):  # but for what was asked of it
        scan_paths([], Settings(cache=str(tmp_path / "no" / "\0")))
