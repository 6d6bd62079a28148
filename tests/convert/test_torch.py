"""Files of `torch.save`: what `save` makes of what `torch.load` gives, without PyTorch."""

from __future__ import annotations

import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402
from safemodel.cli import main  # noqa: E402
from safemodel.errors import ArchitectureError, FindingsError  # noqa: E402
from safemodel.trust.policy import UNSIGNED  # noqa: E402

from .support import convert_in_child, expected, written  # noqa: E402
from .torch_cases import CASES, NOT_LEGACY, WHOLE  # noqa: E402

JOBS: dict[str, tuple[Callable[[], Any], bool]] = {
    **{f"zip {name}": (make, True) for name, make in {**CASES, **WHOLE}.items()},
    **{
        f"legacy {name}": (make, False)
        for name, make in {**CASES, **WHOLE}.items()
        if name not in NOT_LEGACY
    },
}


def saved(make: Callable[[], Any], path: Path, *, zipped: bool = True) -> Path:
    """The file that `torch.save` makes of what is made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(make(), path, _use_new_zipfile_serialization=zipped)
    return path


def loaded(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("torch")
    jobs = []
    for name, (make, zipped) in JOBS.items():
        path = saved(make, place / f"{name}.pt", zipped=zipped)
        jobs.append((path, path.with_suffix(".safemodel")))
    assert convert_in_child(jobs, place) == [""] * len(jobs)
    return place


@pytest.mark.parametrize("name", JOBS)
def test_is_what_save_makes_of_the_loaded_object(name: str, folder: Path) -> None:
    source = folder / f"{name}.pt"
    assert written(source.with_suffix(".safemodel")) == expected(loaded(source))


def test_the_archive_loads(folder: Path) -> None:
    given = loaded(folder / "zip shared.pt")
    found = sm.load(folder / "zip shared.safemodel", trust=UNSIGNED)
    for name, tensor in given.items():
        assert torch.equal(found[name], tensor)
        assert found[name].stride() == tensor.stride()
    found["base"][1, 0] = -1
    assert found["row"][0] == -1


def test_a_module_goes_into_one(folder: Path) -> None:
    source = folder / "zip module.safemodel"
    module, target = loaded(folder / "zip module.pt"), WHOLE["module"]()
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.zero_()
    assert sm.load(source, trust=UNSIGNED, into=target).complete
    for one, other in zip(module.state_dict().values(), target.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ArchitectureError, match="not the module itself"):
        sm.load(source, trust=UNSIGNED)


def test_the_framework_is_named(folder: Path) -> None:
    found = sm.inspect(folder / "zip state dict.safemodel").manifest
    assert found.framework == "torch"
    assert found.adapter is not None
    assert found.adapter.name == "torch"


def test_versions_are_those_of_the_adapter() -> None:
    from safemodel.adapters import tensors
    from safemodel.adapters import torch as adapter

    assert (tensors.VERSION, tensors.FRAMEWORK) == (adapter.VERSION, adapter.FRAMEWORK)


def test_a_column_of_a_large_array_is_saved(tmp_path: Path) -> None:
    for number, array in enumerate((np.arange(4_000_000.0), np.arange(4_000_000, dtype="u1"))):
        path = tmp_path / f"{number}.safemodel"
        sm.save(array[::4000], path, signer=None)
        assert np.array_equal(sm.load(path, trust=UNSIGNED), array[::4000])


_MEASURE = """
import sys
import types
import safemodel as sm

def peak():
    with open("/proc/self/status") as file:  # rusage has what the parent process had
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) << 10

sm.convert(sys.argv[1], sys.argv[1] + ".small", signer=None)
before = peak()
sm.convert(sys.argv[2], sys.argv[2] + ".out", signer=None)
print(peak() - before, before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "size", [200_000_000, pytest.param(1_500_000_000, marks=pytest.mark.slow)], ids=str
)
def test_large_files_take_little_memory(zipped: bool, size: int, tmp_path: Path) -> None:
    def make() -> Any:
        return {name: torch.zeros(size // 2, dtype=torch.uint8) for name in ("a", "b")}

    small = saved(lambda: {"a": torch.zeros(3)}, tmp_path / "small.pt", zipped=zipped)
    large = saved(make, tmp_path / "large.pt", zipped=zipped)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(small), str(large)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    more, before = map(int, done.stdout.split())
    assert more < 100_000_000
    assert before + more < 200_000_000


def test_the_command_line_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(WHOLE["linear"], tmp_path / "model.pt")
    assert main(["convert", str(source), "--unsigned"]) == 0
    said = capsys.readouterr()
    assert "torch.nn.modules.linear.Linear" in said.err
    assert "into=MODULE" in said.err
    assert "2 tensors" in said.out
    module = torch.nn.Linear(2, 2)
    assert sm.load(f"{source}.safemodel", trust=UNSIGNED, into=module).complete


def test_a_class_of_your_own(tmp_path: Path) -> None:
    class_ = type("Net", (torch.nn.Linear,), {"__module__": "acme_net"})
    module = types.ModuleType("acme_net")
    module.Net = class_  # type: ignore[attr-defined]
    sys.modules["acme_net"] = module
    try:
        source = saved(lambda: class_(2, 3), tmp_path / "model.pt")
        wanted = expected(loaded(source))
    finally:
        del sys.modules["acme_net"]
    with pytest.raises(FindingsError, match=r"acme_net\.Net"):
        sm.convert(source, tmp_path / "a.safemodel", signer=None)
    assert not (tmp_path / "a.safemodel").exists()
    sm.convert(source, tmp_path / "a.safemodel", signer=None, allow=["acme_net.Net"])
    assert written(tmp_path / "a.safemodel") == wanted
    assert wanted[0]["state_of"] == {"kind": "module", "class": "acme_net.Net"}
