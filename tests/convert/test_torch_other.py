"""TorchScript, exported programs, and pickles with tensors: their state, without PyTorch."""

from __future__ import annotations

import gzip
import importlib
import io
import pickle
import sys
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.convert import torch_modules  # noqa: E402
from safemodel.scan import names  # noqa: E402
from safemodel.trust.policy import UNSIGNED  # noqa: E402

from .support import convert_in_child, expected, written  # noqa: E402
from .torch_cases import CASES, model  # noqa: E402


class Mixed(nn.Module):
    """Attributes of every sort: shared modules, tensors that are neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2)])
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("table", torch.ones(2), persistent=False)
        self.register_buffer("flags", torch.tensor([True, False]))
        self.loose = torch.zeros(4)
        self.first = nn.Linear(2, 2)
        self.second = self.first
        self.strided = nn.Parameter(torch.arange(6.0).reshape(2, 3).t())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        found = self.second(self.first(x)) + self.loose[0] + self.table + self.weight[:2]
        return found * self.flags + self.strided[0]


def image() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()


PIXELS, ROWS = torch.ones(1, 1, 8, 8), torch.ones(2, 2)
SCRIPTS: dict[str, Callable[[], Any]] = {
    "scripted": lambda: torch.jit.script(Mixed()),
    "image": lambda: torch.jit.script(image()),
    "traced": lambda: torch.jit.trace(Mixed(), ROWS),
    "recurrent": lambda: torch.jit.script(nn.LSTM(2, 3, 2)),
    "frozen": lambda: torch.jit.freeze(torch.jit.script(image())),
}
PROGRAMS: dict[str, tuple[Callable[[], nn.Module], torch.Tensor]] = {
    "image": (image, PIXELS),
    "mixed": (Mixed, ROWS),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in SCRIPTS.items():
            torch.jit.save(make(), place / f"script {name}.pt")
        for name, (build, given) in PROGRAMS.items():
            torch.export.save(torch.export.export(build(), (given,)), place / f"{name}.pt2")
        for name in ("state dict", "shared", "typed"):
            state = CASES[name]()
            torch.save(state, place / f"{name}.pt")
            (place / f"{name}.pt.gz").write_bytes(
                gzip.compress((place / f"{name}.pt").read_bytes())
            )
            for protocol in (2, 4, 5):
                (place / f"{name} {protocol}.pkl").write_bytes(pickle.dumps(state, protocol))
            (place / f"{name}.pkl.gz").write_bytes(gzip.compress(pickle.dumps(state)))
            joblib.dump(state, place / f"{name}.joblib")
    jobs = [(path, path.with_name(path.name + ".safemodel")) for path in sorted(place.iterdir())]
    assert convert_in_child(jobs, place) == [""] * len(jobs)
    return place


def graph(path: Path) -> tuple[Any, Any, Any]:
    """What a bundle is of, its graph, its tensors."""
    architecture, tensors = written(path)
    return architecture.get("state_of"), architecture["graph"], tensors


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, folder: Path) -> None:
    source = folder / f"script {name}.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, tensors = expected(torch.jit.load(source))
    owner, *found = graph(folder / f"script {name}.pt.safemodel")
    assert found == [wanted["graph"], tensors]
    assert owner["kind"] == "module"
    assert "mangle" not in owner["class"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, folder: Path) -> None:
    source = folder / f"{name}.pt2"
    state = torch.export.load(source).state_dict
    wanted, tensors = expected(OrderedDict((key, one.detach()) for key, one in state.items()))
    owner, *found = graph(folder / f"{name}.pt2.safemodel")
    assert found == [wanted["graph"], tensors]
    assert owner == {"kind": "module", "class": "torch.export.ExportedProgram"}


@pytest.mark.parametrize("form", ["2.pkl", "4.pkl", "5.pkl", "pkl.gz", "joblib"])
@pytest.mark.parametrize("name", ["state dict", "shared", "typed"])
def test_pickle(name: str, form: str, folder: Path) -> None:
    source = folder / (f"{name} {form}" if form[0].isdigit() else f"{name}.{form}")
    if form == "pkl.gz":
        loaded = pickle.loads(gzip.decompress(source.read_bytes()))
    else:
        loaded = joblib.load(source) if form == "joblib" else pickle.loads(source.read_bytes())
    assert written(source.with_name(source.name + ".safemodel")) == expected(loaded)


@pytest.mark.parametrize("name", ["state dict", "shared", "typed"])
def test_compressed(name: str, folder: Path) -> None:
    found = (written(folder / f"{name}.{ending}.safemodel") for ending in ("pt", "pt.gz"))
    assert next(found) == next(found)


@pytest.mark.parametrize("name", ["script scripted.pt", "mixed.pt2"])
def test_the_state_goes_into_the_module(name: str, folder: Path) -> None:
    module = Mixed()
    with torch.no_grad():
        module.weight.zero_()
    report = sm.load(folder / f"{name}.safemodel", trust=UNSIGNED, into=module, strict=False)
    assert not report.missing
    assert not report.mismatched
    assert torch.equal(module.weight, torch.ones(3))


def test_an_optimizer_that_was_pickled_whole(tmp_path: Path) -> None:
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(
        [{"params": [net.weight]}, {"params": [net.bias], "lr": 0.5}], lr=0.1, momentum=0.9
    )
    net(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    source, target = tmp_path / "a.pt", tmp_path / "a.safemodel"
    torch.save(optimizer, source)
    assert convert_in_child([(source, target)], tmp_path) == [""]
    assert written(target) == expected(torch.load(source, weights_only=False))


def test_what_is_plain_but_for_its_class_becomes_plain(tmp_path: Path) -> None:
    import argparse
    import pathlib

    net = model()
    given = {
        "args": argparse.Namespace(lr=0.1, sizes=[1]),
        "where": pathlib.PurePosixPath("/a/b"),
        "model": net,
    }
    source, target = tmp_path / "a.pt", tmp_path / "a.safemodel"
    torch.save(given, source)
    assert convert_in_child([(source, target)], tmp_path) == [""]
    wanted = {"args": {"lr": 0.1, "sizes": [1]}, "where": "/a/b", "model": net.state_dict()}
    buffer = io.BytesIO()
    torch.save(wanted, buffer)
    found, tensors = written(target)
    again, others = expected(torch.load(io.BytesIO(buffer.getvalue()), weights_only=False))
    assert (found, tensors) == (again, others)


@pytest.mark.parametrize(
    "name", ["lightning_fabric.utilities.data", "pytorch_lightning.utilities.parsing"]
)
def test_the_dictionaries_of_lightning_become_plain(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands in for Lightning, which is not installed: its class is a dict with attributes."""
    for part in (name.partition(".")[0], name.rpartition(".")[0], name):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    kind = type("AttributeDict", (dict,), {"__module__": name, "__qualname__": "AttributeDict"})
    monkeypatch.setattr(sys.modules[name], "AttributeDict", kind, raising=False)
    given = {"hyper_parameters": kind(lr=0.1, layers=[1, 2]), "state_dict": {"a": torch.ones(2)}}
    source, target = tmp_path / "a.ckpt", tmp_path / "a.safemodel"
    torch.save(given, source)
    assert convert_in_child([(source, target)], tmp_path) == [""]
    wanted = {**given, "hyper_parameters": dict(given["hyper_parameters"])}
    assert written(target) == expected(wanted)


def _known_modules() -> list[type]:
    """Classes of modules that the scan knows."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module, named in names._load("torch").items():
            if not module.startswith(("torch.nn.", "torch.ao.", "torch.optim.")):
                continue
            source = importlib.import_module(module)
            found += [getattr(source, name, None) for name in named]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, nn.Module)]


def test_the_tables_of_modules_are_those_of_pytorch() -> None:
    """Versions of state dicts; classes that make theirs themselves are refused."""
    known = _known_modules()
    assert len(known) > 150
    for kind in known:
        name = f"{kind.__module__}.{kind.__qualname__}"
        own = name.startswith(torch_modules.OWN_STATE)
        own = own and not name.startswith(torch_modules.USUAL_STATE)
        lazy = "Lazy" in name  # of its own only while it has no parameters
        usual = all(
            getattr(kind, method) is getattr(nn.Module, method)
            for method in ("state_dict", "_save_to_state_dict", "get_extra_state")
        )
        assert usual or own or lazy, name
        assert own or kind._version == torch_modules.VERSIONS.get(name, 1), name
