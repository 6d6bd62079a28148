"""Graphs of hostile signers: refused by one of our errors, and nothing comes of any of them.

Archives are validly signed by the key that the child trusts. A payload would make a marker file;
an audit hook in the child sees what is compiled, run, imported, opened and started.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of processes")

from safemodel import adapters  # noqa: E402
from safemodel.adapters import torch as adapter  # noqa: E402
from safemodel.adapters.torch.export.parsing import parse  # noqa: E402
from safemodel.adapters.torch.operators import OPERATORS, resolve  # noqa: E402
from safemodel.bundle.contents import Contents  # noqa: E402
from safemodel.bundle.write import write  # noqa: E402
from safemodel.errors import ArchitectureError  # noqa: E402
from safemodel.format import canonical_json  # noqa: E402
from safemodel.format import metadata as metadata_format  # noqa: E402
from safemodel.format.manifest import Adapter  # noqa: E402

from . import torch_graph_attacks as attacks  # noqa: E402

VICTIM = Path(__file__).with_name("torch_graph_victim.py")
RANDOM = 150
MANY = 10_000

Became = dict[str, tuple[str, list[str]]]


@pytest.fixture(scope="module")
def saved() -> Any:
    inputs, sizes = attacks.examples()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return adapter.save(attacks.rich(), example_inputs=inputs, dynamic_shapes=sizes)


@pytest.fixture
def folder(tmp_path: Path, saved: Any) -> Path:
    return _folder(tmp_path, saved)


def _folder(tmp_path: Path, saved: Any) -> Path:
    """A folder with a good program, validly signed, and its JSON."""
    architecture = _architecture(saved)
    (tmp_path / "program.json").write_text(json.dumps(architecture["program"]))
    (tmp_path / "good").mkdir()
    _sign(saved, architecture, tmp_path / "good" / "rich.safemodel")
    return tmp_path


def _architecture(saved: Any) -> Any:
    return json.loads(canonical_json.encode(saved.architecture))


def _sign(saved: Any, architecture: Any, path: Path) -> None:
    contents = Contents(
        framework=adapter.FRAMEWORK,
        adapter=Adapter(adapter.NAME, adapter.VERSION),
        libraries=saved.libraries,
        architecture=architecture,
        training_state=None,
        metadata=metadata_format.make({}),
        tensors=saved.tensors,
    )
    write(path, contents, signers=adapters.signing_with(adapters.OWN_KEY))


def _attack(folder: Path, *what: str) -> Became:
    """What became of each in a child, and what its audit hook saw."""
    command = [sys.executable, "-W", "ignore", str(VICTIM), str(folder), *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    last = (folder / "log").read_text()
    assert done.returncode == 0, f"died at {last} of {what}: {done.stderr[-1000:]}"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    found = {name: (became, seen) for name, became, seen in lines}
    assert {name: seen for name, (_, seen) in found.items() if seen} == {}
    assert not (folder / "marker").exists()
    failed = {name: became for name, (became, _) in found.items() if became.startswith("failed")}
    assert failed == {}
    return found


def _counts(found: Became) -> collections.Counter[str]:
    return collections.Counter(became.partition(" ")[0] for became, _ in found.values())


def test_hostile_archives_are_refused_by_our_errors(folder: Path, saved: Any) -> None:
    for number, edit in enumerate(attacks.EDITS.values()):
        made = _architecture(saved)
        edit(made["program"])
        _sign(saved, made, folder / f"{number}.safemodel")
    found = _attack(folder, "archives")
    assert len(found) == len(attacks.EDITS)
    for number, name in enumerate(attacks.EDITS):
        became, _ = found[f"{number}"]
        assert became.startswith(("refused ArchitectureError", "refused FormatError")), (
            name,
            became,
        )
        # For the reason that the attack has, not for how it is written.
        assert ("must be sorted" in became) == (name in OUT_OF_ORDER), (name, became)


OUT_OF_ORDER = {
    *("an operator twice", "an operator that nothing names", "operators out of order"),
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, saved: Any) -> Became:
    """What became of programs that are changed in the child: all of them in one."""
    made = _folder(tmp_path_factory.mktemp("attacked"), saved)
    return _attack(made, "swept", "calls", "random", "0", f"{RANDOM}")


def _of(attacked: Became, what: str) -> Became:
    return {name: one for name, one in attacked.items() if name.startswith(f"{what}/")}


@pytest.mark.xdist_group("torch-attacked")
def test_payloads_in_every_place_of_a_string_do_nothing(attacked: Became) -> None:
    found = _of(attacked, "swept")
    assert len(found) > 500
    assert _counts(found)["refused"] > 0.8 * len(found)


@pytest.mark.xdist_group("torch-attacked")
def test_what_is_computed_does_no_harm(attacked: Became) -> None:
    found = _of(attacked, "calls")
    assert len(found) == len(attacks.CALLS)
    assert {name: became for name, (became, _) in found.items() if became == "harmless"} == {}


@pytest.mark.xdist_group("torch-attacked")
def test_random_edits_are_refused_or_harmless(attacked: Became) -> None:
    counts = _counts(_of(attacked, "random"))
    assert counts["refused"] > RANDOM // 2
    assert counts["harmless"] > RANDOM // 50


@pytest.mark.xdist_group("torch-attacked")
def test_any_operator_on_any_values_does_no_harm(attacked: Became) -> None:
    counts = _counts(_of(attacked, "grafted"))
    assert counts["stopped"] + counts["harmless"] > RANDOM // 4


@pytest.mark.parametrize("name", attacks.UNWRITABLE)
def test_what_no_archive_can_have_is_refused(name: str, saved: Any) -> None:
    program = _architecture(saved)["program"]
    attacks.UNWRITABLE[name](program)
    with pytest.raises(ArchitectureError, match=r"nest too deeply|more than 4 KiB"):
        parse(program)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_many_random_edits_are_refused_or_harmless(part: int, folder: Path) -> None:
    count = MANY // 10
    _attack(folder, "random", f"{1_000_000 + part * count}", f"{count}")


def test_nothing_that_is_registered_resolves_but_the_table() -> None:
    names = {
        schema.name + (f".{schema.overload_name}" if schema.overload_name else "")
        for schema in torch._C._jit_get_all_schemas()
    }
    assert len(names) > 2 * len(OPERATORS)
    for name in names - OPERATORS.keys():
        with pytest.raises(ArchitectureError):
            resolve(name)
        if name.startswith(("aten::", "prim::", "quantized::")):
            with pytest.raises(ArchitectureError):
                resolve(name, [f"torch-op:{name}"])
