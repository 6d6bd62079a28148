"""State put into modules, optimizers, schedulers: all of it or nothing, and nothing but values."""

from __future__ import annotations

import copy
from collections import OrderedDict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from safemodel import adapters  # noqa: E402
from safemodel.adapters import torch as adapter  # noqa: E402
from safemodel.adapters.protocol import LoadReport  # noqa: E402
from safemodel.adapters.torch.decoding import BUILDERS, PARSERS  # noqa: E402
from safemodel.adapters.torch.into import put  # noqa: E402
from safemodel.adapters.torch.selecting import cut, selection  # noqa: E402
from safemodel.errors import (  # noqa: E402
    ArchitectureError,
    DigestMismatchError,
    StateMismatchError,
    UsageError,
)
from tests.adapters.support import Codec, MemoryBundle  # noqa: E402

nn = torch.nn


class Net(nn.Module):  # type: ignore[misc,name-defined]
    def __init__(self, width: int = 4, more: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.second = nn.Linear(width, 2)
        if more:
            self.third = nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x))


def snapshot(module: Any) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def unchanged(module: Any, before: dict[str, Any]) -> bool:
    return all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    adapters.save(Net(), tmp_path / "net.safemodel")
    return tmp_path / "net.safemodel"


def test_a_module_takes_its_state_back(tmp_path: Path) -> None:
    model, other = Net(), Net()
    adapters.save(model, tmp_path / "net.safemodel")
    report = adapters.load(tmp_path / "net.safemodel", into=other)
    assert report == LoadReport()
    assert str(report) == "all entries loaded"
    assert unchanged(other, snapshot(model))


def test_a_plain_state_dict_goes_into_a_module_too(tmp_path: Path) -> None:
    model, other = Net(), Net()
    adapters.save(model.state_dict(), tmp_path / "net.safemodel")
    adapters.load(tmp_path / "net.safemodel", into=other)
    assert unchanged(other, snapshot(model))


def test_a_module_on_the_meta_device_gets_memory(saved: Path) -> None:
    with torch.device("meta"):
        model = Net()
    adapters.load(saved, into=model)
    model(torch.ones(1, 3)).sum().backward()


def test_what_a_module_takes_for_its_own_has_no_holes(tmp_path: Path) -> None:
    # Loaded into memory of its own such a tensor is copied; taken for a parameter, it would be
    # written beyond its end by fused optimizers.
    state = {**Net().state_dict()}
    name = next(name for name, _ in Net().named_parameters())
    state[name] = torch.zeros(()).expand(state[name].shape)
    adapters.save(state, tmp_path / "net.safemodel")
    model = Net()
    adapters.load(tmp_path / "net.safemodel", into=model)
    assert not model.state_dict()[name].any()
    with torch.device("meta"):
        empty = Net()
    with pytest.raises(StateMismatchError, match="without holes"):
        adapters.load(tmp_path / "net.safemodel", into=empty)
    report = adapters.load(tmp_path / "net.safemodel", into=empty, strict=False)
    assert [mismatch.name for mismatch in report.mismatched] == [name]
    assert empty.state_dict()[name].is_meta


def test_without_an_object_the_error_says_what_to_pass(saved: Path) -> None:
    with pytest.raises(ArchitectureError, match=r"state of a .*\.Net") as caught:
        adapters.load(saved)
    assert "into=module" in (caught.value.hint or "")
    assert "into=dict" in (caught.value.hint or "")
    state: Any = adapters.load(saved, into=dict)
    assert list(state) == ["first.weight", "first.bias", "second.weight", "second.bias"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Net(5), r"mismatched: first.weight: expected float32 \[5, 3\], found float32 \[4, 3\]"),
        (Net(more=True), r"missing: third.weight, third.bias"),
        (nn.Linear(3, 4), r"missing: weight, bias; unexpected: first.weight"),
        (Net().half(), r"expected float16 \[4, 3\], found float32"),
    ],
    ids=["shape", "missing", "other", "dtype"],
)
def test_what_does_not_fit_changes_nothing(saved: Path, model: Any, words: str) -> None:
    before = snapshot(model)
    with pytest.raises(StateMismatchError, match=words):
        adapters.load(saved, into=model)
    assert unchanged(model, before)


def test_not_strict_loads_what_fits_and_reports_the_rest(saved: Path) -> None:
    model = Net(5, more=True)
    report: Any = adapters.load(saved, into=model, strict=False)
    assert report.missing == ("third.weight", "third.bias")
    assert report.unexpected == ()
    assert [entry.name for entry in report.mismatched] == [
        "first.weight",
        "first.bias",
        "second.weight",
    ]
    state: Any = adapters.load(saved, into=dict)
    assert torch.equal(model.second.bias, state["second.bias"])


def test_an_object_of_another_kind_is_refused(saved: Path) -> None:
    for target, error in [
        (torch.optim.SGD(Net().parameters(), 0.1), StateMismatchError),
        ([1], UsageError),
        ("net", UsageError),
    ]:
        with pytest.raises(error):
            adapters.load(saved, into=target)
    with pytest.raises(UsageError, match="device="):
        adapters.load(saved, into=Net(), device="cpu")


def test_a_refusal_by_the_object_itself_is_ours(saved: Path) -> None:
    class Picky(Net):
        def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("not today")

    with pytest.raises(StateMismatchError, match="not today"):
        adapters.load(saved, into=Picky())


def test_an_object_whose_own_code_raises_half_way_is_not_called_unchanged(saved: Path) -> None:
    def hook(module: Any, keys: Any) -> None:
        raise RuntimeError("not today")

    late = Net()
    late.register_load_state_dict_post_hook(hook)
    before = snapshot(late)
    with pytest.raises(StateMismatchError, match="refused its state: not today") as caught:
        adapters.load(saved, into=late)
    assert not unchanged(late, before)
    assert "may hold part of the new state" in (caught.value.hint or "")

    other = Net(5)  # its hook is never reached, so what is said of changes stays true
    other.register_load_state_dict_post_hook(hook)
    before = snapshot(other)
    with pytest.raises(StateMismatchError) as caught:
        adapters.load(saved, into=other)
    assert unchanged(other, before)
    assert "may hold" not in (caught.value.hint or "")


def trained() -> tuple[Any, Any]:
    model = Net()
    optimizer = torch.optim.AdamW(
        [{"params": model.first.parameters()}, {"params": model.second.parameters(), "lr": 0.5}]
    )
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_an_optimizer_takes_its_state_back(tmp_path: Path) -> None:
    _, optimizer = trained()
    adapters.save(optimizer, tmp_path / "o.safemodel")
    model = Net()
    other = torch.optim.AdamW(
        [{"params": model.first.parameters()}, {"params": model.second.parameters()}]
    )
    assert adapters.load(tmp_path / "o.safemodel", into=other) == LoadReport()
    assert other.param_groups[1]["lr"] == 0.5
    first, second = optimizer.state_dict(), other.state_dict()
    assert first["param_groups"] == second["param_groups"]
    for number, entry in first["state"].items():
        for name, value in entry.items():
            assert torch.equal(value, second["state"][number][name])


def test_an_optimizer_of_other_parameters_is_refused(tmp_path: Path) -> None:
    _, optimizer = trained()
    adapters.save(optimizer, tmp_path / "o.safemodel")
    for strict in (True, False):
        with pytest.raises(StateMismatchError, match=r"\[4\] parameters, found \[2, 2\]"):
            adapters.load(
                tmp_path / "o.safemodel",
                into=torch.optim.AdamW(Net().parameters()),
                strict=strict,
            )


SMALL = {name: torch.ones(1) for name in ("step", "exp_avg", "exp_avg_sq")}


def renumbered(state: dict[str, Any], entries: dict[Any, Any]) -> None:
    """Give the parameters other numbers, so that those of the object are free for something else.

    A key that is equal to a number of the object, and no integer, is one of it to PyTorch.
    """
    for group in state["param_groups"]:
        group["params"] = [number + 100 for number in group["params"]]
    state["state"] = entries


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda s: s["state"][0].update(exp_avg=torch.ones(1)), r"state.0.exp_avg"),
        (lambda s: s["state"][0].update(step=torch.ones(3)), r"state.0.step"),
        (lambda s: s["state"][0].update(exp_avg=torch.ones(1).expand(4, 3)), r"without holes"),
        (lambda s: s["state"][0].update(exp_avg=torch.ones(4, 3).to_sparse()), r"without holes"),
        (lambda s: s["state"].update({99: {}}), r"unexpected: state.99"),
        (lambda s: s["state"].update({0: [1]}), r"unexpected: state.0"),
        (lambda s: s.update(state={0.0: OrderedDict(SMALL)}), r"unexpected: state.0.0"),
        (lambda s: s.update(state={True: OrderedDict(SMALL)}), r"unexpected: state.True"),
        (lambda s: renumbered(s, {0.0: SMALL}), r"unexpected: state.0.0"),
        (lambda s: s["param_groups"][0].update(lr="fast"), r"param_groups.0.lr"),
        (lambda s: s["param_groups"][0].update(step=1), r"unexpected: param_groups.0.step"),
        (lambda s: s["param_groups"][0].update(params=[0, 0]), r"distinct"),
        (lambda s: s["param_groups"][0].update(params=[[], 0]), r"distinct"),
        (lambda s: s["param_groups"].pop(), r"parameters"),
        (lambda s: s.update(param_groups=None), r"groups"),
        (lambda s: s.update(state=[]), r"dictionary"),
        (lambda s: s.pop("state"), r"dictionary"),
        (lambda s: s.update(step=1), r"unexpected: step"),
    ],
)
def test_hostile_state_of_an_optimizer_is_refused(edit: Any, words: str) -> None:
    _, optimizer = trained()
    state = copy.deepcopy(optimizer.state_dict())
    before = copy.deepcopy(optimizer.state_dict())
    edit(state)
    with pytest.raises(StateMismatchError, match=words):
        put(state, optimizer, strict=True)
    assert str(before) == str(optimizer.state_dict())


SCHEDULERS = {
    "StepLR": lambda o: torch.optim.lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 2, 5]),
    "LambdaLR": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.5**epoch),
    "CosineAnnealingWarmRestarts": lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        o, 3
    ),
    "OneCycleLR": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=30),
    "ReduceLROnPlateau": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "SequentialLR": lambda o: torch.optim.lr_scheduler.SequentialLR(
        o,
        [
            torch.optim.lr_scheduler.LinearLR(o),
            torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
        ],
        milestones=[3],
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_takes_its_state_back(name: str, tmp_path: Path) -> None:
    def fresh() -> Any:
        optimizer = torch.optim.SGD(Net().parameters(), 0.1)
        return optimizer, SCHEDULERS[name](optimizer)

    def step(pair: Any, count: int) -> list[float]:
        rates = []
        for _ in range(count):
            pair[0].step()
            pair[1].step(*([1.0] if name == "ReduceLROnPlateau" else []))
            rates.append(pair[0].param_groups[0]["lr"])
        return rates

    first, second = fresh(), fresh()
    step(first, 4)
    for index, kind in enumerate(("optimizer", "scheduler")):
        path = tmp_path / f"{kind}.safemodel"
        adapters.save(first[index], path)
        assert adapters.load(path, into=second[index]) == LoadReport()
    assert step(first, 8) == step(second, 8)


def test_a_scheduler_gets_no_attribute_that_it_does_not_have() -> None:
    optimizer = torch.optim.SGD(Net().parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for name in ("step", "get_lr", "optimizer", "__class__"):
        state = {**scheduler.state_dict(), name: 1}
        with pytest.raises(StateMismatchError, match=f"unexpected: {name}"):
            put(state, scheduler, strict=True)
        put(state, scheduler, strict=False)
        assert name not in vars(scheduler) or name == "optimizer"
        assert scheduler.optimizer is optimizer
    with pytest.raises(StateMismatchError, match="gamma"):
        put({**scheduler.state_dict(), "gamma": "x"}, scheduler, strict=True)


def test_functions_of_a_scheduler_get_no_attribute_that_they_do_not_have() -> None:
    class Decay:
        def __init__(self) -> None:
            self.rate = 0.5

        def __call__(self, epoch: int) -> float:
            return self.rate**epoch

    optimizer = torch.optim.SGD(Net().parameters(), 0.1)
    decay = Decay()
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, decay)
    state = scheduler.state_dict()
    state["lr_lambdas"] = [{"rate": 0.25}]
    put(state, scheduler, strict=True)
    assert decay.rate == 0.25
    state["lr_lambdas"] = [{"rate": 0.25, "__call__": 1}]
    with pytest.raises(StateMismatchError, match=r"lr_lambdas\.0\.__call__"):
        put(state, scheduler, strict=True)


def test_a_scaler_takes_its_state_back(tmp_path: Path) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(1))
    scaler.update(4.0)
    adapters.save(scaler, tmp_path / "s.safemodel")
    other = torch.amp.GradScaler("cpu")
    assert adapters.load(tmp_path / "s.safemodel", into=other) == LoadReport()
    assert other.state_dict() == scaler.state_dict()
    state = {**scaler.state_dict(), "scale": "x"}
    with pytest.raises(StateMismatchError, match="scale"):
        put(state, other, strict=True)


def test_state_that_is_no_dictionary() -> None:
    for state in ([], None, 1):
        with pytest.raises(ArchitectureError):
            put(state, Net(), strict=True)


@pytest.mark.parametrize(
    "architecture",
    [
        None,
        {},
        {"graph": {"root": None, "nodes": []}, "more": 1},
        {"graph": {"root": None, "nodes": []}, "state_of": "module"},
        {"graph": {"root": None, "nodes": []}, "state_of": {"kind": "module"}},
        {"graph": {"root": None, "nodes": []}, "state_of": {"kind": "Module", "class": "x"}},
        {"graph": {"root": None, "nodes": []}, "state_of": {"kind": "module", "class": "x\n"}},
        {"graph": {"root": None, "nodes": []}, "state_of": {"kind": "module", "class": 1}},
    ],
    ids=str,
)
def test_an_architecture_that_breaks_a_rule_is_refused(architecture: Any) -> None:
    class Bundle:
        class manifest:  # noqa: N801
            pass

        tensors: dict[str, Any] = {}  # noqa: RUF012

        def load_weights(self) -> None:
            pass

    Bundle.manifest.architecture = architecture  # type: ignore[attr-defined]
    with pytest.raises(ArchitectureError):
        adapter.load(Bundle(), into=dict)  # type: ignore[arg-type]


class Body(nn.Module):  # type: ignore[misc,name-defined]
    """A larger model, with the small one in it under a name."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.encoder = Net(width)
        self.norm = nn.BatchNorm1d(2)
        self.head = nn.Linear(2, 7)


@pytest.fixture
def body(tmp_path: Path) -> tuple[Any, Path]:
    model = Body()
    adapters.save(model, tmp_path / "body.safemodel")
    return model, tmp_path / "body.safemodel"


def test_a_prefix_takes_a_part_of_a_larger_model(body: Any) -> None:
    model, path = body
    net = Net()
    assert adapters.load(path, into=net, prefix="encoder.") == LoadReport()
    assert unchanged(net, snapshot(model.encoder))
    norm = nn.BatchNorm1d(2)
    assert adapters.load(path, into=norm, prefix="norm.") == LoadReport()  # versions of parts too
    state: Any = adapters.load(path, into=dict, prefix="norm.")
    assert list(state) == list(norm.state_dict())
    assert dict(state._metadata) == {"": {"version": 2}}


def test_a_prefix_is_put_in_front_or_replaced(body: Any, saved: Path) -> None:
    source, path = body
    model = Body()
    before = snapshot(model)
    assert adapters.load(saved, into=model, prefix={"": "encoder."}) == LoadReport()
    taken: Any = adapters.load(saved, into=dict)
    assert unchanged(model.encoder, taken)
    assert torch.equal(model.head.weight, before["head.weight"])

    renamed = nn.ModuleDict({"backbone": Net(), "head": nn.Linear(2, 7), "norm": nn.BatchNorm1d(2)})
    report = adapters.load(path, into=renamed, prefix={"": "", "encoder.": "backbone."})
    assert report == LoadReport()
    assert unchanged(renamed["backbone"], snapshot(source.encoder))
    assert unchanged(renamed["head"], snapshot(source.head))


def test_only_loads_what_patterns_name(body: Any) -> None:
    source, path = body
    model = Body()
    before = snapshot(model)
    assert adapters.load(path, into=model, only=["encoder.*", "head.bias"]) == LoadReport()
    for name, tensor in model.state_dict().items():
        loaded = name.startswith("encoder.") or name == "head.bias"
        assert torch.equal(tensor, source.state_dict()[name] if loaded else before[name]), name
    # A head of another width is no obstacle to what is asked for, and one to what is not left out.
    model.head = nn.Linear(2, 9)
    adapters.load(path, into=model, only=["encoder.*", "norm.*"])
    with pytest.raises(StateMismatchError, match=r"head.weight: expected float32 \[9, 2\]"):
        adapters.load(path, into=model)


def test_prefix_and_only_together(body: Any) -> None:
    source, path = body
    net = Net()
    before = snapshot(net)
    assert adapters.load(path, into=net, prefix="encoder.", only=["second.*"]) == LoadReport()
    assert unchanged(net.second, snapshot(source.encoder.second))
    assert torch.equal(net.first.weight, before["first.weight"])
    state: Any = adapters.load(path, into=dict, prefix="encoder.", only=["*.bias"])
    assert list(state) == ["first.bias", "second.bias"]


def test_shapes_are_compared_before_a_part_is_loaded(body: Any) -> None:
    model = Body(5)
    before = snapshot(model)
    with pytest.raises(StateMismatchError, match=r"encoder.first.weight: expected float32 \[5, 3"):
        adapters.load(body[1], into=model, only=["encoder.*"])
    assert unchanged(model, before)
    report: Any = adapters.load(body[1], into=model, only=["encoder.*"], strict=False)
    assert len(report.mismatched) == 3
    assert unchanged(model.head, {"weight": before["head.weight"], "bias": before["head.bias"]})


def test_parts_that_one_side_lacks_are_reported(body: Any) -> None:
    more = Net(more=True)
    with pytest.raises(StateMismatchError, match=r"safemodel: missing: third.weight, third.bias$"):
        adapters.load(body[1], into=more, prefix="encoder.")
    assert adapters.load(body[1], into=more, prefix="encoder.", only=["[fs]*"]) == LoadReport()
    model = Body()
    del model.encoder.second
    with pytest.raises(
        StateMismatchError, match=r"safemodel: unexpected: encoder.second.weight, enc"
    ):
        adapters.load(body[1], into=model, only=["encoder.*"])


@pytest.mark.parametrize(
    ("options", "words", "near"),
    [
        ({"prefix": "encodr."}, "prefix='encodr.' names no entry of the archive", "encoder"),
        ({"only": ["encodr.*"]}, r"only='encodr.\*' names no entry of the Body", "encoder"),
        ({"only": ["head.*", "heed.bias"]}, "only='heed.bias' names no entry", "head.bias"),
        ({"prefix": {"norm.": "head."}, "only": ["head.bias2"]}, "only=", "head.bias"),
        ({"prefix": "zzz"}, "prefix=", "encoder, head, norm"),
    ],
)
def test_a_name_that_is_nowhere_is_refused(body: Any, options: Any, words: str, near: str) -> None:
    model = Body()
    before = snapshot(model)
    for strict in (True, False):
        with pytest.raises(StateMismatchError, match=words) as caught:
            adapters.load(body[1], into=model, strict=strict, **options)
        assert near in (caught.value.hint or "")
    assert unchanged(model, before)


@pytest.mark.parametrize(
    "options",
    [
        {"only": "encoder.*"}, {"only": []}, {"only": [1]}, {"only": 3}, {"prefix": 1},
        {"prefix": {}}, {"prefix": {"a": 1}}, {"prefix": ["encoder."]},
    ],
    ids=str,
)  # fmt: skip
def test_an_option_that_is_none_is_refused(body: Any, options: Any) -> None:
    with pytest.raises(UsageError):
        adapters.load(body[1], into=Body(), **options)


def test_parts_are_of_modules_alone(body: Any, tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    adapters.save(optimizer, tmp_path / "o.safemodel")
    with pytest.raises(UsageError, match="for modules"):
        adapters.load(tmp_path / "o.safemodel", into=optimizer, only=["state.*"])
    adapters.save([model.weight], tmp_path / "list.safemodel")
    with pytest.raises(StateMismatchError, match="from a dictionary"):
        adapters.load(tmp_path / "list.safemodel", into=model, prefix="a.")
    adapters.save(model.state_dict(), tmp_path / "d.safemodel")
    with pytest.raises(UsageError, match="need into="):
        adapters.load(tmp_path / "d.safemodel", prefix="a.")
    np = pytest.importorskip("numpy")
    adapters.save({"a": np.ones(3)}, tmp_path / "n.safemodel")
    with pytest.raises(UsageError, match="only= makes no sense"):
        adapters.load(tmp_path / "n.safemodel", only=["a"])
    with pytest.raises(StateMismatchError, match=r"two entries of the archive the name"):
        adapters.load(body[1], into=model, prefix={"encoder.first.": "", "head.": ""})


def test_only_the_tensors_of_the_part_are_read(tmp_path: Path) -> None:
    model = nn.ModuleDict({"big": nn.Linear(1024, 1024), "head": nn.Linear(1024, 512)})
    path = tmp_path / "m.safemodel"
    adapters.save(model, path)
    data = bytearray(path.read_bytes())
    stored = model["big"].weight.detach().numpy().tobytes()
    at = data.index(stored[:64]) + 2 * 2**20  # in a chunk that the head does not touch
    data[at] ^= 1
    path.write_bytes(data)
    fresh = nn.Linear(1024, 512)
    assert adapters.load(path, into=fresh, prefix="head.") == LoadReport()
    assert torch.equal(fresh.weight, model["head"].weight)
    with pytest.raises(DigestMismatchError):
        adapters.load(path, into=dict, prefix="big.")


def test_shared_memory_outlives_a_cut(tmp_path: Path) -> None:
    base = torch.arange(12.0)
    state = {"a.x": base[:6], "a.y": base[3:], "b.z": base.reshape(3, 4), "b.n": [1, {"k": base}]}
    adapters.save(state, tmp_path / "s.safemodel")
    part: Any = adapters.load(tmp_path / "s.safemodel", into=dict, prefix={"b.": "", "a.": "q."})
    assert sorted(part) == ["n", "q.x", "q.y", "z"]
    part["z"][0, 3] = 99
    assert part["q.x"][3] == part["q.y"][0] == part["n"][1]["k"][3] == 99
    one: Any = adapters.load(tmp_path / "s.safemodel", into=dict, only=["b.n"])
    assert torch.equal(one["b.n"][1]["k"], base)


NAMES = st.lists(st.text("ab.*", min_size=1, max_size=5), min_size=1, max_size=6, unique=True)


@given(
    names=NAMES,
    prefix=st.text("ab.", max_size=2),
    new=st.text("ab.", max_size=2),
    only=st.none() | st.lists(st.text("ab.*?", min_size=1, max_size=4), min_size=1, max_size=2),
)
@settings(max_examples=150, deadline=None)
def test_a_cut_is_what_the_rules_say(
    names: list[str], prefix: str, new: str, only: list[str] | None
) -> None:
    state = {name: [float(index)] for index, name in enumerate(names)}
    graph: Any = adapter.save(state).architecture
    before = copy.deepcopy(graph)
    chosen = selection({prefix: new}, only)
    assert chosen is not None
    expected = {
        new + name[len(prefix) :]: value
        for name, value in state.items()
        if name.startswith(prefix)
        and (only is None or any(fnmatchcase(new + name[len(prefix) :], p) for p in only))
    }
    try:
        smaller = cut(graph["graph"], chosen)
    except StateMismatchError:
        assert not expected
    else:
        assert Codec({}, {}, BUILDERS, PARSERS).load(smaller, MemoryBundle(())) == expected
    assert graph == before
