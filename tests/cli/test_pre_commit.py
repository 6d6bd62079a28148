"""The pre-commit hook in a real repository, and the GitHub Action's script."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "scan"
NEEDED = ("safemodel", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
COMMIT = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "x")


class Command:
    def __reduce__(self):
        return os.system, ("touch owned",)


GOOD = pickle.dumps({"weights": [0.5]})
BAD = pickle.dumps(Command())


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """This project as others get it: a repository with one commit."""
    pytest.importorskip("pre_commit")
    if shutil.which("git") is None:
        pytest.skip("needs git")
    folder = tmp_path / "published"
    folder.mkdir()
    for name in NEEDED:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, *COMMIT)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's repository, with a model and a text."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "good.pkl").write_bytes(GOOD)
    (folder / "README.md").write_text("# Models\n")
    return folder


def configure(repository: Path, published: Path, **hook: object) -> None:
    entry = {"id": "safemodel-scan", **hook}
    repo = {"repo": str(published), "rev": git(published, "rev-parse", "HEAD"), "hooks": [entry]}
    (repository / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repo]}))


def commit(repository: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Commit everything, with the hook installed as pre-commit installs it."""
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")}
    environment["PYTHONPATH"] = str(ROOT)  # for the hook that runs from here
    pre_commit = [sys.executable, "-m", "pre_commit"]
    subprocess.run([*pre_commit, "install"], cwd=repository, env=environment, check=True)
    git(repository, "add", "-A")
    return subprocess.run(
        ["git", *COMMIT], cwd=repository, env=environment, capture_output=True, text=True
    )


def check(repository: Path, tmp_path: Path) -> None:
    """A good commit, a bad one, and one that tries to talk to the hook."""
    done = commit(repository, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (repository / "weights").write_bytes(BAD)  # whatever it is called
    (repository / "--exit-zero").write_text("x")
    (repository / "--skip").write_bytes(BAD)
    done = commit(repository, tmp_path)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "weights: SM101 critical" in said
    assert "--skip: SM101 critical" in said
    assert not (repository / "owned").exists()
    assert git(repository, "rev-list", "--count", "HEAD") == "1"


def test_the_hook(repository: Path, published: Path, tmp_path: Path) -> None:
    """With the environment of these tests in place of one that pre-commit makes."""
    entry = f"{sys.executable} -m safemodel scan --skip-unknown"
    configure(repository, published, language="system", entry=entry)
    check(repository, tmp_path)


@pytest.mark.slow
def test_the_hook_in_an_environment_of_its_own(
    repository: Path, published: Path, tmp_path: Path
) -> None:
    configure(repository, published)
    check(repository, tmp_path)


def test_the_entries_are_the_same_as_those_tested() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "safemodel scan --skip-unknown"
    assert hook["args"][-1] == "--"
    assert hook["types"] == ["file"]


# The action


def steps() -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load((ACTION / "action.yml").read_text())["runs"][
        "steps"
    ]
    return found


def test_the_action_is_pinned() -> None:
    used = [str(step["uses"]) for step in steps() if "uses" in step]
    assert len(used) == 2
    for name in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), name


def test_no_input_is_part_of_a_script() -> None:
    scripts = [str(step["run"]) for step in steps() if "run" in step]
    assert len(scripts) == 3
    for script in [*scripts, (ACTION / "scan.sh").read_text()]:
        assert "${{" not in script


@pytest.mark.skipif(shutil.which("bash") is None or os.name != "posix", reason="needs bash")
@pytest.mark.parametrize(
    ("paths", "code"),
    [
        ("good.pkl\n", 0),
        ("good.pkl\nbad models/bad.pkl", 1),
        ("missing", 2),
        ("--exit-zero\nbad models", 1),
        (".", 1),
    ],
)
def test_the_script_of_the_action(tmp_path: Path, paths: str, code: int) -> None:
    import json

    binary = tmp_path / "bin"
    binary.mkdir()
    (binary / "safemodel").write_text(f'#!/bin/sh\nexec {sys.executable} -m safemodel "$@"\n')
    (binary / "safemodel").chmod(0o755)
    work = tmp_path / "work"
    (work / "bad models").mkdir(parents=True)
    (work / "good.pkl").write_bytes(GOOD)
    (work / "bad models" / "bad.pkl").write_bytes(BAD)
    (work / "--exit-zero").write_bytes(GOOD)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "SAFEMODEL_BIN": str(binary),
        "RUNNER_TEMP": str(temporary), "GITHUB_OUTPUT": str(tmp_path / "output"),
        "INPUT_PATHS": paths, "INPUT_FAIL_ON": "medium", "INPUT_BASELINE": "", "INPUT_POLICY": "",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", str(ACTION / "scan.sh")], cwd=work, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert outputs["code"] == str(code)
    document = json.loads(Path(outputs["sarif"]).read_text())
    results = document["runs"][0]["results"]
    assert any(result["level"] == "error" for result in results) is (code == 1)
    assert ("SM" in done.stdout) is bool(code)
    assert not (work / "owned").exists()
