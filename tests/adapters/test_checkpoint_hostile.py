"""Checkpoints that are validly signed and hostile: one of our errors, and nothing is changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import safemodel as sm
from safemodel import errors
from safemodel.bundle.contents import Contents, TensorData
from safemodel.bundle.write import finish_shards, write, write_shard
from safemodel.format.manifest import Adapter
from safemodel.format.weights import TensorSpec

torch = pytest.importorskip("torch")

from safemodel.adapters.torch.checkpoint import saving  # noqa: E402
from safemodel.adapters.torch.checkpoint.merging import Merge  # noqa: E402


def objects() -> dict[str, Any]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


def contents(**changes: Any) -> Contents:
    made = saving.save(objects(), step=4, extra={"a": [1, "b"]}, generators=torch.Generator())
    fields = {
        "framework": "torch",
        "adapter": Adapter("torch_checkpoint", 1),
        "libraries": made.libraries,
        "architecture": made.architecture,
        "training_state": made.training_state,
        "tensors": made.tensors,
    }
    return Contents(**{**fields, **changes})


def refused(path: Path, data: Contents, match: str | None = None) -> None:
    """It is written without a word of ours, and neither kind of load takes it."""
    write(path, data)
    mine = objects()
    before = copy.deepcopy({name: one.state_dict() for name, one in mine.items()})
    states = torch.get_rng_state(), random.getstate()
    with pytest.raises(errors.SafemodelError, match=match) as caught:
        sm.load_checkpoint(path, **mine, trust=sm.UNSIGNED)
    assert isinstance(caught.value, (errors.ArchitectureError, errors.StateMismatchError))
    assert str(before) == str({name: one.state_dict() for name, one in mine.items()})
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()


STATES: dict[str, Any] = {
    "none": None,
    "a list": [],
    "a string": "parts",
    "without parts": {"step": 1},
    "empty parts": {"parts": {}},
    "parts as a list": {"parts": []},
    "another field": {"parts": {"model": {"kind": "module", "class": "A"}}, "code": 1},
    "an unknown part": {"parts": {"system": {"kind": "module", "class": "A"}}},
    "an unknown key": {"parts": {"model.a b": {"kind": "module", "class": "A"}}},
    "an empty key": {"parts": {"model.": {"kind": "module", "class": "A"}}},
    "another kind": {"parts": {"model": {"kind": "optimizer", "class": "A"}}},
    "a kind that is no string": {"parts": {"model": {"kind": 1, "class": "A"}}},
    "a class with control characters": {"parts": {"model": {"kind": "module", "class": "\n"}}},
    "a long class": {"parts": {"model": {"kind": "module", "class": "A" * 201}}},
    "a part without a class": {"parts": {"model": {"kind": "module"}}},
    "a part that is not there": {"parts": {"scaler": {"kind": "scaler", "class": "A"}}},
    "fewer parts than states": {"parts": {"model": {"kind": "module", "class": "A"}}},
}


@pytest.mark.parametrize("name", STATES)
def test_training_state(name: str, tmp_path: Path) -> None:
    refused(tmp_path / "c", contents(training_state=STATES[name]))


@pytest.mark.parametrize("step", [-1, True, "1", None, [], {}])
def test_step(step: Any, tmp_path: Path) -> None:
    state = {**contents().training_state, "step": step}  # type: ignore[dict-item]
    refused(tmp_path / "c", contents(training_state=state), "step")


@pytest.mark.parametrize(
    "architecture",
    [
        None,
        [],
        {},
        {"graph": 1},
        {"ranks": 1},
        {"ranks": []},
        {"ranks": [1]},
        {"ranks": [{}] * 5000},
        {"graph": {"root": 1, "nodes": []}},
        {"graph": {"root": 1, "nodes": []}, "ranks": []},
        {"graph": {"root": {"ref": 0}, "nodes": [{"kind": "dict", "items": []}]}},
        {"graph": {"root": {"ref": 0}, "nodes": [{"kind": "shard"}]}},
    ],
)
def test_architecture(architecture: Any, tmp_path: Path) -> None:
    refused(tmp_path / "c", contents(architecture=architecture))


def _root(change: Callable[[dict[str, Any]], object]) -> Contents:
    """A checkpoint whose states were changed before they were encoded."""
    original = saving.encode

    def encode(root: Any, **options: Any) -> Any:
        change(root)
        return original(root, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "encode", encode)
        return contents()


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a method of the scheduler": lambda r: r["scheduler"].update(step=1),
    "a dunder of the scheduler": lambda r: r["scheduler"].update(__class__=1),
    "a model that is a list": lambda r: r.update(model=[1]),
    "an optimizer that is a tensor": lambda r: r.update(optimizer=torch.ones(1)),
    "no groups": lambda r: r["optimizer"].pop("param_groups"),
    "groups of something else": lambda r: r["optimizer"].update(param_groups=[1]),
    "moments of another shape": lambda r: r["optimizer"]["state"][0].update(exp_avg=torch.ones(7)),
    "moments that overlap": lambda r: r["optimizer"]["state"][0].update(
        exp_avg=torch.ones(1).expand(2, 3)
    ),
    "weights of another shape": lambda r: r["model"].update(weight=torch.ones(2, 2)),
    "an unknown random state": lambda r: r["rng"].update(system=1),
    "random states as a list": lambda r: r.update(rng=[]),
    "python as another generator": lambda r: r["rng"].update(python=r["rng"]["torch"]),
    "python as words": lambda r: r["rng"].update(python=[1, 2]),
    "python with infinity": lambda r: r["rng"]["python"].set_state(
        (*r["rng"]["python"].get_state()[:3], 1, float("inf"))
    ),
    "torch as a tensor": lambda r: r["rng"].update(torch=torch.ones(5056, dtype=torch.uint8)),
    "numpy as another": lambda r: r["rng"].update(numpy=torch.Generator()),
    "cuda as a number": lambda r: r["rng"].update(cuda=1),
    "cuda of another length": lambda r: r["rng"].update(cuda=[torch.ones(3, dtype=torch.uint8)]),
    "cuda of another type": lambda r: r["rng"].update(cuda=[torch.ones(16)]),
    "another thing beside": lambda r: r.update(hooks=1),
    "another part": lambda r: r.update({"model.b": {}}),
    "a part that is missing": lambda r: r.pop("model"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_states(name: str, tmp_path: Path) -> None:
    refused(tmp_path / "c", _root(CHANGES[name]))


@pytest.mark.parametrize("names", [[1], {1: torch.Generator()}, "x", torch.ones(1)])
def test_generators(names: Any, tmp_path: Path) -> None:
    refused(tmp_path / "c", _root(lambda r: r.update(generators=names)))


# Shards

SHARD = {"kind": "shard", "dtype": "float32", "data": "w", "shape": [4, 3], "offset": [0, 0]}


def _sharded(
    folder: Path,
    nodes: list[Any],
    tensors: dict[str, Any],
    kind: str = "dict",
    stored: str = "F32",
) -> Path:
    """A checkpoint of two ranks whose models have a `weight` that is these nodes."""
    graphs: list[Any] = [
        {
            "root": {"ref": 0},
            "nodes": [
                {"kind": "dict", "items": [["model", {"ref": 1}]]},
                {
                    "kind": kind,
                    "items": [["weight", {"ref": 2}]],
                    **({"factory": None} if kind == "defaultdict" else {}),
                },
                node,
            ],
        }
        for node in nodes
    ]
    state = {"parts": {"model": {"kind": "module", "class": "A"}}}
    data = [
        TensorData(
            TensorSpec(name, stored, tuple(value.shape)), lambda value=value: (value.numpy(),)
        )
        for name, value in tensors.items()
    ]
    path = folder / "c"
    path.mkdir()
    name = "weights.safetensors"
    entry = write_shard(str(path), name, data, digest="blake3", chunk=1 << 20)
    made = contents(architecture={"ranks": graphs}, training_state=state, tensors=())
    finish_shards(str(path), made, {name: entry})
    return path


def _with_weight() -> Any:
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.zeros(4, 3))
    return module


def test_shards_that_fit(tmp_path: Path) -> None:
    values = {"w": torch.arange(6.0).reshape(2, 3), "x": torch.arange(6.0).reshape(2, 3) + 6}
    nodes = [SHARD, {**SHARD, "data": "x", "offset": [2, 0]}]
    module = _with_weight()
    sm.load_checkpoint(_sharded(tmp_path, nodes, values), model=module, trust=sm.UNSIGNED)
    assert torch.equal(module.weight.flatten(), torch.arange(12.0))


BAD_SHARDS: dict[str, list[Any]] = {
    "one is missing": [SHARD, SHARD],
    "they overlap": [SHARD, {**SHARD, "data": "x", "offset": [1, 0]}],
    "outside": [SHARD, {**SHARD, "data": "x", "offset": [3, 0]}],
    "far outside": [SHARD, {**SHARD, "data": "x", "offset": [2**53 - 1, 0]}],
    "a negative offset": [SHARD, {**SHARD, "data": "x", "offset": [-2, 0]}],
    "another rank": [SHARD, {**SHARD, "data": "x", "offset": [2]}],
    "another shape": [SHARD, {**SHARD, "data": "x", "offset": [2, 0], "shape": [5, 3]}],
    "a shape of terabytes": [{**SHARD, "shape": [2**40, 3]}] * 2,
    "another type": [SHARD, {**SHARD, "data": "x", "dtype": "float64"}],
    "an unknown type": [SHARD, {**SHARD, "data": "x", "dtype": "system"}],
    "booleans": [SHARD, {**SHARD, "data": "x", "dtype": "bool"}],
    "no such tensor": [SHARD, {**SHARD, "data": "nothing"}],
    "a name that is none": [SHARD, {**SHARD, "data": 1}],
    "a field too many": [SHARD, {**SHARD, "code": 1}],
    "offsets that are none": [SHARD, {**SHARD, "offset": "00"}],
    "a list": [SHARD, {"kind": "list", "items": []}],
    "empty and huge": [
        {**SHARD, "data": "empty", "shape": [0, 2**53 - 1, 2**53 - 1], "offset": [0, 0, 0]}
    ]
    * 2,
}


@pytest.mark.parametrize("name", BAD_SHARDS)
def test_shards(name: str, tmp_path: Path) -> None:
    values = {"w": torch.ones(2, 3), "x": torch.ones(2, 3), "empty": torch.ones(0, 1, 1)}
    module = _with_weight()
    path = _sharded(tmp_path, BAD_SHARDS[name], values)
    for attempt in (
        lambda: sm.load_checkpoint(path, model=module, trust=sm.UNSIGNED),
        lambda: sm.load(path, trust=sm.UNSIGNED),
    ):
        with pytest.raises((errors.ArchitectureError, errors.StateMismatchError)):
            attempt()
    assert not module.weight.any()


@pytest.mark.parametrize("value", [None, 5])
def test_states_of_ranks_that_are_no_dictionaries(value: Any, tmp_path: Path) -> None:
    graphs: Any = [
        {
            "root": {"ref": 0},
            "nodes": [
                {"kind": "dict", "items": [["model", value], ["extra", {"ref": 1}]]},
                {"kind": "dict", "items": [[key, 1]]},
            ],
        }
        for key in ("a", "b")
    ]
    state = {"parts": {"model": {"kind": "module", "class": "A"}}}
    path = tmp_path / "c"
    write(path, contents(architecture={"ranks": graphs}, training_state=state, tensors=()))
    with pytest.raises(errors.ArchitectureError, match="must be a dictionary"):
        sm.load_checkpoint(path, model=_with_weight(), trust=sm.UNSIGNED)


def test_everything_that_differs_between_ranks_is_found() -> None:
    merge = Merge()
    shared, other = {"v": 1, "w": 2}, {"v": 2, "w": 2}
    roots = [{"a": 0, "b": 0, "c": shared, "d": shared}, {"a": 1, "b": 1, "c": other, "d": other}]
    assert merge.merge(roots) == roots[0]
    assert merge.differing == ["a", "b", "c.v", "d"]
    merge = Merge()
    left, right = {"x": torch.tensor(float("nan")), 1: (1, [2])}, {"y": None, 1: (1, [2])}
    again = {"x": torch.tensor(float("nan")), 1: (1, [3])}
    merged = merge.merge([{"m": left}, {"m": right}, {"m": again}])
    assert list(merged["m"]) == ["x", 1, "y"]
    assert merge.differing == ["m.1.1.0"]
    assert merge.partial == {"m.x", "m.y"}


def test_shards_of_booleans(tmp_path: Path) -> None:
    module = torch.nn.Module()
    module.register_buffer("weight", torch.zeros(4, 3, dtype=torch.bool))
    values = {"w": torch.ones(2, 3, dtype=torch.bool), "x": torch.ones(2, 3, dtype=torch.bool)}
    nodes = [
        {**SHARD, "dtype": "bool"},
        {**SHARD, "dtype": "bool", "data": "x", "offset": [2, 0]},
    ]
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
    path = _sharded(good, nodes, values, stored="BOOL")
    sm.load_checkpoint(path, model=module, trust=sm.UNSIGNED)
    assert module.weight.all()
    values["x"] = values["x"].view(torch.uint8) * 2
    module.weight.zero_()
    path = _sharded(bad, nodes, values, stored="BOOL")
    with pytest.raises(errors.ArchitectureError, match="boolean"):
        sm.load_checkpoint(path, model=module, trust=sm.UNSIGNED)
    assert not module.weight.any()


def test_states_of_ranks_that_hold_themselves_or_fan_out(tmp_path: Path) -> None:
    def graph(nodes: list[Any]) -> Any:
        return {
            "root": {"ref": 0},
            "nodes": [
                {"kind": "dict", "items": [["model", {"ref": 1}], ["extra", {"ref": 2}]]},
                {"kind": "dict", "items": []},
                *nodes,
            ],
        }

    levels = 40
    fan = [{"kind": "list", "items": [{"ref": i + 3}, {"ref": i + 3}]} for i in range(levels)]
    fan.append({"kind": "list", "items": []})
    deep = [{"kind": "list", "items": [{"ref": i + 3}]} for i in range(900)]
    deep.append({"kind": "list", "items": []})
    loop = [{"kind": "list", "items": [{"ref": 2}]}]
    state = {"parts": {"model": {"kind": "module", "class": "A"}}}
    for index, (nodes, fine) in enumerate([(fan, True), (deep, False), (loop, False)]):
        path = tmp_path / str(index)
        architecture = {"ranks": [graph(nodes), graph(nodes)]}
        write(path, contents(architecture=architecture, training_state=state, tensors=()))
        if fine:
            assert sm.load(path, trust=sm.UNSIGNED)["extra"]
        else:
            with pytest.raises(errors.ArchitectureError, match="deeper"):
                sm.load(path, trust=sm.UNSIGNED)


def test_state_dicts_of_other_kinds_of_dictionaries(tmp_path: Path) -> None:
    values = {"w": torch.ones(2, 3), "x": torch.ones(2, 3)}
    module = _with_weight()
    for kind in ("Counter", "defaultdict"):
        folder = tmp_path / kind
        folder.mkdir()
        nodes = [SHARD, {**SHARD, "data": "x", "offset": [2, 0]}]
        path = _sharded(folder, nodes, values, kind)
        try:
            sm.load_checkpoint(path, model=module, trust=sm.UNSIGNED)
        except (errors.ArchitectureError, errors.StateMismatchError):
            assert not module.weight.any()


# Anything

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "model", "w", "float32"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["parts", "step", "kind", "class", "model", "graph", "ranks", "items"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["shard", "dict", "tensor", "list"]),
        "dtype": st.sampled_from(["float32", "bool", "x"]) | _JSON,
        "data": st.sampled_from(["w", "x", "y"]) | _JSON,
        "shape": st.lists(st.integers(-1, 5), max_size=3) | _JSON,
        "offset": st.lists(st.integers(-1, 5), max_size=3) | _JSON,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(state=_JSON, architecture=_JSON)
def test_any_json(state: Any, architecture: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "c"
    write(path, contents(training_state=state, architecture=architecture, tensors=()))
    with pytest.raises(errors.SafemodelError):
        sm.load_checkpoint(path, **objects(), trust=sm.UNSIGNED)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(change=_FIELDS, other=_FIELDS)
def test_any_shards(change: Any, other: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    values = {"w": torch.ones(2, 3), "x": torch.ones(2, 3)}
    nodes = [{**SHARD, **change}, {**SHARD, "data": "x", "offset": [2, 0], **other}]
    path = _sharded(tmp_path_factory.mktemp("any"), nodes, values)
    module = _with_weight()
    try:
        sm.load_checkpoint(path, model=module, trust=sm.UNSIGNED)
    except (errors.ArchitectureError, errors.StateMismatchError):
        assert not module.weight.any()
    else:
        assert bool((module.weight == 1).all())
