"""Checkpoints: what goes in comes back, all of it is compared first, and old ones go."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safemodel as sm
from safemodel import errors

torch = pytest.importorskip("torch")


def _network() -> Any:
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)
    )


class Run:
    """A training of everything at once, whose data come from a shuffling loader."""

    def __init__(self, seed: int = 0, *, lr: float = 0.05) -> None:
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # the global one is what is tested
        self.model = _network()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 50)
        self.order = torch.Generator().manual_seed(seed)
        data = torch.utils.data.TensorDataset(torch.arange(96.0).reshape(24, 4) / 50)
        self.loader = torch.utils.data.DataLoader(data, 8, shuffle=True, generator=self.order)
        self.noise = np.random.default_rng(seed)
        self.step = 0

    @property
    def parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "generators": {"order": self.loader, "noise": self.noise},
        }

    def epoch(self) -> list[float]:
        losses = []
        for (x,) in self.loader:
            shift = random.random() + np.random.rand() + self.noise.normal()
            loss = (self.model(x) - shift).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.step += 1
            losses.append(loss.item())
        return losses


def equal(one: Any, other: Any) -> bool:
    mine, yours = one.state_dict(), other.state_dict()
    return all(torch.equal(mine[key], yours[key]) for key in mine)


def test_training_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    run = Run()
    run.epoch()
    saved = sm.save_checkpoint(tmp_path / "c.safemodel", **run.parts, step=3, extra={"best": 0.5})
    expected = run.epoch() + run.epoch()
    other = Run(7, lr=1.0)
    report = sm.load_checkpoint(tmp_path / "c.safemodel", **other.parts)
    assert (report.step, report.extra, report.complete) == (3, {"best": 0.5}, True)
    assert (report.path, report.digest) == (saved.path, saved.digest)
    assert (report.absent, report.left) == ((), ())
    assert other.epoch() + other.epoch() == expected
    assert equal(run.model, other.model)


def test_parts_that_nobody_asks_for_stay_in_the_archive(tmp_path: Path) -> None:
    run = Run()
    run.epoch()
    sm.save_checkpoint(tmp_path / "c", **run.parts)
    other = Run(1)
    before = torch.get_rng_state()
    report = sm.load_checkpoint(tmp_path / "c", model=other.model, rng=False)
    assert equal(run.model, other.model)
    assert torch.equal(before, torch.get_rng_state())
    assert report.left == ("optimizer", "scheduler", "rng", "generators.order", "generators.noise")
    assert report.step is None
    assert not other.optimizer.state_dict()["state"]


@pytest.mark.parametrize(
    "change",
    [
        {"model": torch.nn.Linear(4, 8)},
        {"model": {"other": _network()}},
        {"optimizer": torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), 0.1)},
        {"scaler": torch.amp.GradScaler("cpu")},
        {"generators": {"order": np.random.default_rng(1)}},
        {"generators": {"noise": np.random.RandomState(1)}},
        {"generators": {"noise": np.random.Generator(np.random.MT19937(1))}},
        {"generators": {"noise": random.Random(1)}},
        {"generators": {"noise": torch.Generator()}},
        {"generators": {"order": torch.utils.data.RandomSampler([1])}},
        {"generators": {"another": torch.Generator()}},
    ],
)
def test_nothing_is_changed_when_something_does_not_fit(
    change: dict[str, Any], tmp_path: Path
) -> None:
    run = Run()
    run.epoch()
    sm.save_checkpoint(tmp_path / "c", **run.parts)
    other = Run(1)
    weights = {key: value.clone() for key, value in other.model.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), other.order.get_state()
    with pytest.raises(errors.StateMismatchError):
        sm.load_checkpoint(tmp_path / "c", **{**other.parts, **change})
    assert all(torch.equal(weights[k], v) for k, v in other.model.state_dict().items())
    assert not other.optimizer.state_dict()["state"]
    assert other.scheduler.last_epoch == 0
    assert torch.equal(states[0], torch.get_rng_state())
    assert torch.equal(states[2], other.order.get_state())
    assert states[1] == random.getstate()


def test_what_fits_is_loaded_when_not_all_has_to(tmp_path: Path) -> None:
    run = Run()
    sm.save_checkpoint(tmp_path / "c", model=run.model, rng=False)
    other = _network()
    other[3] = torch.nn.Linear(8, 2)
    scaler = torch.amp.GradScaler("cpu")
    report = sm.load_checkpoint(tmp_path / "c", model=other, scaler=scaler, strict=False)
    assert report.absent == ("scaler",)
    assert [one.name for one in report.reports["model"].mismatched] == ["3.weight", "3.bias"]
    assert torch.equal(other[0].weight, run.model[0].weight)
    assert not report.complete
    assert "not in it: scaler" in str(report)


def test_several_models_and_optimizers(tmp_path: Path) -> None:
    def make(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        torch.manual_seed(seed)
        models = {"gen": torch.nn.Linear(3, 3), "disc": torch.nn.Linear(3, 1)}
        models["disc"].shared = models["gen"]
        optimizers = {key: torch.optim.Adam(m.parameters()) for key, m in models.items()}
        for key, model in models.items():
            model(torch.ones(3)).sum().backward()
            optimizers[key].step()
        return models, optimizers

    models, optimizers = make(0)
    sm.save_checkpoint(tmp_path / "c", model=models, optimizer=optimizers)
    again, others = make(1)
    report = sm.load_checkpoint(tmp_path / "c", model=again, optimizer=others)
    assert list(report.reports) == ["model.gen", "model.disc", "optimizer.gen", "optimizer.disc"]
    assert equal(models["disc"], again["disc"])
    assert equal(models["gen"], again["gen"])
    with sm.open(tmp_path / "c") as bundle:  # shared memory is stored once
        assert sorted(n for n in bundle.tensors if n.startswith("model")) == [
            "model.disc.bias", "model.disc.weight", "model.gen.bias", "model.gen.weight",
        ]  # fmt: skip


def test_load_gives_the_states_or_puts_the_model_into_a_module(tmp_path: Path) -> None:
    run = Run()
    sm.save_checkpoint(tmp_path / "c", **run.parts, extra=[1])
    states = sm.load(tmp_path / "c")
    assert list(states) == ["model", "optimizer", "scheduler", "rng", "generators", "extra"]
    other = _network()
    assert sm.load(tmp_path / "c", into=other).complete
    assert equal(run.model, other)
    with pytest.raises(errors.UsageError, match="is a module"):
        sm.load(tmp_path / "c", into=run.optimizer)
    sm.save_checkpoint(tmp_path / "d", model={"a": run.model, "b": run.model})
    with pytest.raises(errors.UsageError, match="several"):
        sm.load(tmp_path / "d", into=other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to save"),
        ({"model": 3}, "model is no module: builtins.int"),
        ({"model": {"a b": torch.nn.Linear(1, 1)}}, "no name"),
        ({"model": torch.nn.Linear(1, 1).state_dict()}, "is no module: torch.Tensor"),
        ({"optimizer": torch.nn.Linear(1, 1)}, "is no optimizer: torch.nn"),
        ({"step": -1}, "step="),
        ({"step": True}, "step="),
        ({"keep": 0, "step": 1}, "keep="),
        ({"keep": 2}, "needs step="),
        ({"generators": 7}, "not a random generator"),
    ],
)
def test_arguments_that_make_no_sense(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given = {"model": torch.nn.Linear(1, 1)} if options and "model" not in options else {}
    with pytest.raises(errors.UsageError, match=message):
        sm.save_checkpoint(tmp_path / "c", **given, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_keeps_the_last_checkpoints(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    assert sm.latest_checkpoint(tmp_path / "runs") is None
    for step in (5, 10, 15, 20):
        with torch.no_grad():
            model.bias.fill_(step)
        sm.save_checkpoint(tmp_path / "runs", model=model, step=step, keep=2)
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["step-000000015.safemodel", "step-000000020.safemodel"]
    assert sm.latest_checkpoint(tmp_path / "runs") == tmp_path / "runs" / names[1]
    report = sm.load_checkpoint(tmp_path / "runs", model=model)
    assert (report.step, model.bias.item()) == (20, 20)


def test_only_checkpoints_are_deleted(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    others = {
        "notes.txt": b"x",
        "step-000000001.safemodel": b"not a bundle",
        "step-1.safemodel": b"",
        "step-000000002": b"a file",
        ".notes.0123456789abcdef.partial": b"",
    }
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
    sm.save(model, tmp_path / "step-000000003.safemodel")
    sm.save_checkpoint(tmp_path / "step-000000004.safemodel", model=model, step=9)  # renamed
    (tmp_path / "step-000000000.safemodel").symlink_to("notes.txt")
    before = {path.name for path in tmp_path.iterdir()}
    for step in (5, 6, 7):
        sm.save_checkpoint(tmp_path, model=model, step=step, keep=1)
    assert {path.name for path in tmp_path.iterdir()} == before | {"step-000000007.safemodel"}


def test_an_earlier_step_is_refused_where_a_load_would_take_the_later(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    sm.save_checkpoint(tmp_path, model=model, step=20, keep=2)
    with pytest.raises(errors.UsageError, match="later step than 10"):
        sm.save_checkpoint(tmp_path, model=model, step=10, keep=2)
    sm.save_checkpoint(tmp_path, model=model, step=20, keep=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000020.safemodel"]


def test_a_checkpoint_that_was_renamed_is_not_the_latest(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    path = sm.save_checkpoint(tmp_path, model=model, step=1, keep=2).path
    path.rename(tmp_path / "step-000000002.safemodel")
    with pytest.raises(errors.WrongModelError, match="step 1"):
        sm.load_checkpoint(tmp_path, model=model)
    assert sm.load_checkpoint(tmp_path / "step-000000002.safemodel", model=model).step == 1


def test_a_damaged_latest_is_an_error_and_not_an_older_one(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    for step in (1, 2):
        path = sm.save_checkpoint(tmp_path, model=model, step=step, keep=2).path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.SafemodelError):
        sm.load_checkpoint(tmp_path, model=model)


def test_no_checkpoint(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    with pytest.raises(errors.MissingFileError):
        sm.load_checkpoint(tmp_path / "none", model=model)
    with pytest.raises(errors.MissingFileError, match="no checkpoint in it"):
        sm.load_checkpoint(tmp_path, model=model)
    sm.save(model, tmp_path / "m.safemodel")
    with pytest.raises(errors.ArchitectureError, match="no checkpoint"):
        sm.load_checkpoint(tmp_path / "m.safemodel", model=model)


def test_an_unsigned_checkpoint_needs_the_word(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    sm.save_checkpoint(tmp_path / "c", model=model, signer=None)
    with pytest.raises(errors.UnsignedError):
        sm.load_checkpoint(tmp_path / "c", model=model)
    sm.load_checkpoint(tmp_path / "c", model=model, trust=sm.UNSIGNED)


def test_inspect_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safemodel.cli import main

    run = Run()
    sm.save_checkpoint(tmp_path / "c", model={"net": run.model}, optimizer=run.optimizer, step=7)
    assert main(["inspect", str(tmp_path / "c")]) == 0
    assert "a checkpoint at step 7: model.net, optimizer\n" in capsys.readouterr().out


def test_a_compiled_model_is_the_model_in_it(tmp_path: Path) -> None:
    model, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    sm.save_checkpoint(tmp_path / "c", model=torch.compile(model))
    assert sm.load_checkpoint(tmp_path / "c", model=other).complete
    assert torch.equal(model.weight, other.weight)
    sm.save_checkpoint(tmp_path / "d", model=torch.nn.Linear(2, 1))
    assert sm.load_checkpoint(tmp_path / "d", model=torch.compile(model)).complete
