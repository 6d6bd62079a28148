"""Ranks that save together: loaded by as many, by one and by four; errors end all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import safemodel as sm
from safemodel import errors

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available())
    or not hasattr(os, "fork"),
    reason="needs gloo and fork",
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    folder, config = tmp_path_factory.mktemp("ranks"), tmp_path_factory.mktemp("key")
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.checkpoint_ranks", str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "SAFEMODEL_CONFIG": str(config), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, config, json.loads(done.stdout)


@pytest.fixture
def found(scenes: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SAFEMODEL_CONFIG", str(scenes[1]))
    return scenes[2]


@pytest.fixture
def folder(scenes: Any) -> Path:
    result: Path = scenes[0]
    return result


def test_the_same_number_of_ranks_goes_on_as_if_nothing_had_been(found: Any) -> None:
    for saved, loaded in zip(found["save 2"], found["load 2"], strict=True):
        assert loaded["step"] == 3
        assert loaded["left"] == loaded["differing"] == []
        for what in ("drawn", "numbers", "next"):
            assert loaded[what] == saved[what]
    assert found["save 2"][0]["drawn"] != found["save 2"][1]["drawn"]


def test_four_ranks_load_what_two_saved(found: Any) -> None:
    for loaded in found["load 4"]:
        assert loaded["left"] == ["rng"]
        assert loaded["numbers"] == found["save 2"][0]["numbers"]
        assert loaded["next"] == found["save 2"][0]["next"]
        assert loaded["spread"] == loaded["numbers"][0]


def test_one_process_loads_what_two_saved(found: Any, folder: Path) -> None:
    from tests.adapters.checkpoint_ranks import Training

    training = Training()
    report = sm.load_checkpoint(folder / "run", **training.parts)
    assert report.left == ("rng",)
    assert report.extra["own"] == 7
    assert training.numbers() == found["save 2"][0]["numbers"]
    training.step(4)
    assert training.numbers() == found["save 2"][0]["next"]
    states = sm.load(report.path)
    assert list(states) == ["model", "optimizer", "extra"]
    assert states["model"]["rows"].shape == (10, 3)


def test_ranks_load_what_one_process_saved(found: Any) -> None:
    for loaded in found["from one"]:
        assert loaded["numbers"] == found["one"]
        assert loaded["left"] == []
        assert loaded["error"] == "model.rows: a tensor that is spread over ranks"


def test_each_rank_writes_a_part_and_what_all_have_is_there_once(found: Any, folder: Path) -> None:
    assert sorted(path.name for path in (folder / "run").iterdir()) == [
        "step-000000002",
        "step-000000003",
    ]
    path = folder / "run" / "step-000000003"
    seen = sm.inspect(path)
    assert sorted(seen.manifest.files) == [
        "weights-00001-of-00002.safetensors",
        "weights-00002-of-00002.safetensors",
    ]
    stored: dict[str, list[str]] = {}
    for member, tensor in seen.tensors:
        stored.setdefault(member, []).append(tensor.name)
    names = [name for member in stored.values() for name in member]
    assert names.count("model.plain.weight") == 1
    assert {"model.rows", "model.rows~2"} <= set(names)
    assert all(len(member) > 5 for member in stored.values())
    sm.verify(path).close()


def test_parts_of_single_ranks_are_united(found: Any, folder: Path) -> None:
    for rank, loaded in enumerate(found["pipeline"]):
        assert loaded == {
            "extra": {"rank": rank, "epoch": 4},
            "same": True,
            "seen": rank,
            "left": [],
        }
    both = torch.nn.ModuleDict({f"layer{i}": torch.nn.Linear(2, 2) for i in (0, 1)})
    both.register_buffer("seen", torch.tensor(9.0))
    path = folder / "pipeline"
    with pytest.raises(errors.StateMismatchError, match=r"differs between the ranks.*model\.seen"):
        sm.load_checkpoint(path, model=both)
    assert both.seen.item() == 9
    report = sm.load_checkpoint(path, model=both, strict=False)
    assert report.differing == ("extra.rank", "model.seen")
    assert (report.extra, both.seen.item()) == ({"rank": 0, "epoch": 4}, 0)
    with pytest.raises(errors.StateMismatchError, match="differ in"):
        sm.load(path)
    with sm.open(path) as bundle:
        assert torch.equal(both["layer1"].weight, bundle.tensor("model.layer1.weight").torch())


def test_an_error_at_one_rank_ends_the_save_at_all(found: Any) -> None:
    own = [["UnsavableError", "extra: can't represent a builtins.builtin_function_or_method"]]
    assert found["failing"][1]["errors"] == own
    ((kind, message),) = found["failing"][0]["errors"]
    assert kind == "SourceError"
    assert "rank 1: extra: can't represent" in message
    assert found["failing"][0]["names"] == ["c"]
    for kind, message in found["other parts"]:
        assert kind in ("UsageError", "SourceError")
        assert "rank 1 saves other parts" in message


@pytest.mark.parametrize("library", ["fsdp", "ddp"])
def test_what_libraries_make_of_a_model(library: str, found: Any, folder: Path) -> None:
    from tests.adapters.checkpoint_ranks import _mlp, _steps

    for answers in found["libraries"]:
        expected, again, complete = answers[library]
        assert expected == again
        assert complete
    model = _mlp(7)
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    path = folder / library
    if library == "fsdp":
        path = folder / "packed.safemodel"
        sm.pack(folder / library, path)
    assert sm.load_checkpoint(path, model=model, optimizer=optimizer).complete
    assert _steps(model, optimizer, 2) == pytest.approx(found["libraries"][0][library][0])


def test_a_rank_that_dies_leaves_what_was_there(found: Any, folder: Path) -> None:
    kind, message, names = found["killed"][0]
    assert kind == "SourceError"
    assert "lost contact" in message
    assert names == ["step-000000001"]
    assert sm.load_checkpoint(folder / "killed", model=torch.nn.Linear(2, 2)).step == 1


def test_sharded_without_ranks(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match="not initialized"):
        sm.save_checkpoint(tmp_path / "c", model=torch.nn.Linear(1, 1), sharded=True)
