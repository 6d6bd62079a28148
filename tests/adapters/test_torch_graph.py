"""Modules saved with their graph: called, trained, moved, saved again, without their classes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safemodel as sm  # noqa: E402
from safemodel.adapters.torch.export import LoadedModule  # noqa: E402
from safemodel.errors import (  # noqa: E402
    NotAllowedError,
    StateMismatchError,
    UnsavableError,
    UsageError,
)

nn = torch.nn
Dim = torch.export.Dim
Pair = namedtuple("Pair", "first second")


class Small(nn.Module):
    """A bit of everything that matters: tied weights, statistics, dropout, buffers, constants."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.4)
        self.first = nn.Linear(4, 4, bias=False)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.unused = nn.Parameter(torch.randn(2))
        self.frozen = nn.Parameter(torch.randn(4), requires_grad=False)
        self.scale = torch.full((4,), 1.5)
        self.register_buffer("hidden", torch.randn(4), persistent=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        x = self.drop(self.norm(self.first(x))) * self.scale + self.hidden
        return self.second(x) * torch.tensor([1.0, 2.0, 3.0, 4.0]) + self.frozen

    def encode(self, x: Any, factor: float = 1.0) -> Any:
        return self.first(x) * factor


def small() -> Any:
    torch.manual_seed(0)
    return Small()


def saved(module: Any, path: Path, *inputs: Any, **options: Any) -> Any:
    sm.save(module, path, example_inputs=inputs, signer=None, **options)
    return sm.load(path, trust=sm.UNSIGNED)


def seeded(module: Any, *inputs: Any, **named: Any) -> Any:
    torch.manual_seed(5)
    return module(*inputs, **named)


def same(first: Any, second: Any) -> bool:
    return bool(torch.equal(first, second))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    path = folder / "small.safemodel"
    examples = {"forward": (torch.randn(3, 4),), "encode": (torch.randn(3, 4), 2.0)}
    dynamic = {"forward": ({0: Dim("rows", max=50)},)}
    sm.save(small(), path, example_inputs=examples, dynamic_shapes=dynamic, signer=None)
    return path


@pytest.fixture
def loaded(archive: Path) -> Any:
    return sm.load(archive, trust=sm.UNSIGNED)


def test_both_forms_are_those_of_the_module(loaded: Any) -> None:
    module, x = small(), torch.randn(5, 4)
    assert loaded.training
    assert same(seeded(module, x), seeded(loaded, x))
    assert same(module.norm.running_mean, loaded.norm.running_mean)
    assert same(module.calls, loaded.calls)
    module.eval()
    loaded.eval()
    assert same(module(x), loaded(x))


def test_names_ties_and_kinds_are_those_of_the_module(loaded: Any) -> None:
    module = small()
    assert [name for name, _ in loaded.named_parameters()] == [
        name for name, _ in module.named_parameters()
    ]
    assert list(loaded.state_dict()) == list(module.state_dict())
    assert dict(loaded.named_buffers()).keys() == dict(module.named_buffers()).keys()
    assert loaded.first.weight is loaded.second.weight
    assert not loaded.frozen.requires_grad


def test_training_goes_on_bit_for_bit(loaded: Any) -> None:
    module, x = small(), torch.randn(6, 4)
    for one in (module, loaded):
        optimizer = torch.optim.AdamW(one.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            seeded(one, x).square().mean().backward()
            optimizer.step()
    state = loaded.state_dict()
    assert all(same(value, state[name]) for name, value in module.state_dict().items())


def test_saved_again_it_is_the_same_archive(archive: Path, loaded: Any, tmp_path: Path) -> None:
    sm.save(loaded, tmp_path / "again.safemodel", signer=None)
    assert (tmp_path / "again.safemodel").read_bytes() == archive.read_bytes()
    seeded(loaded, torch.randn(5, 4))
    sm.save(loaded, tmp_path / "later.safemodel", signer=None)
    later = sm.load(tmp_path / "later.safemodel", trust=sm.UNSIGNED)
    assert same(later.calls, loaded.calls)
    assert same(later.norm.running_mean, loaded.norm.running_mean)


def test_the_state_still_goes_into_the_class(archive: Path) -> None:
    module = small()
    with torch.no_grad():
        for value in module.parameters():
            value.zero_()
    assert sm.load(archive, trust=sm.UNSIGNED, into=module).complete
    assert same(module.first.weight, small().first.weight)
    state = sm.load(archive, trust=sm.UNSIGNED, into=dict)
    assert list(state) == list(small().state_dict())


def test_part_of_the_state_goes_into_a_part(archive: Path) -> None:
    layer = nn.Linear(4, 4, bias=False)
    assert sm.load(archive, trust=sm.UNSIGNED, into=layer, prefix="first.").complete
    assert same(layer.weight, small().first.weight)
    state = sm.load(archive, trust=sm.UNSIGNED, into=dict, only=["n*", "h*", "const*"])
    assert all(name.startswith("norm.") for name in state)


def test_a_state_goes_into_a_loaded_module(archive: Path, loaded: Any) -> None:
    with torch.no_grad():
        loaded.first.weight.zero_()
    assert sm.load(archive, trust=sm.UNSIGNED, into=loaded).complete
    assert same(loaded.first.weight, small().first.weight)


def test_other_methods_are_entries(loaded: Any) -> None:
    module, x = small(), torch.randn(3, 4)
    assert loaded.entries == ("encode", "forward")
    for call in (loaded.encode, loaded.entry("encode")):
        assert same(call(x, 2.0), module.encode(x, 2.0))
        assert same(call(x), module.encode(x, 2.0))  # what is always the same may be left out
    with pytest.raises(UsageError, match="holds no method 'decode'"):
        loaded.entry("decode")
    with pytest.raises(AttributeError):
        loaded.decode  # noqa: B018


def test_copies_are_of_their_own(loaded: Any) -> None:
    x = torch.randn(3, 4)
    expected = loaded.eval()(x)
    for copied in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        assert same(copied(x), expected)
        assert copied.first.weight is copied.second.weight
        with torch.no_grad():
            copied.first.weight.zero_()
        assert not same(copied(x), expected)
        assert same(loaded(x), expected)


def test_it_moves_and_changes_its_type(loaded: Any) -> None:
    module, x = small().eval().double(), torch.randn(3, 4, dtype=torch.float64)
    assert same(loaded.eval().double()(x), module(x))
    meta = copy.deepcopy(loaded).to("meta")
    assert meta(x.to("meta")).device.type == "meta"


def test_its_parameters_can_be_replaced_for_a_call(loaded: Any) -> None:
    x, module = torch.randn(3, 4), small().eval()
    other = {name: torch.zeros_like(value) for name, value in loaded.named_parameters()}
    expected = torch.func.functional_call(module, other, (x,))
    assert same(torch.func.functional_call(loaded.eval(), other, (x,)), expected)


def test_parts_can_be_parametrized(loaded: Any) -> None:
    class Twice(nn.Module):
        def forward(self, weight: Any) -> Any:
            return 2 * weight

    x = torch.randn(3, 4)
    expected = loaded.encode(x, 2.0)
    nn.utils.parametrize.register_parametrization(loaded.first, "weight", Twice())
    assert same(loaded.encode(x, 2.0), 2 * expected)
    with pytest.raises(UnsavableError, match="got other parts"):
        sm.save(loaded, "nowhere", signer=None)
    del loaded.frozen
    with pytest.raises(UsageError, match="no tensor 'frozen' any more"):
        loaded(x)


def test_hooks_run(loaded: Any) -> None:
    seen = []
    loaded.register_forward_hook(lambda *given: seen.append(given[0]))
    loaded(torch.randn(3, 4))
    assert seen == [loaded]


def test_it_can_be_compiled_and_exported(loaded: Any) -> None:
    x = torch.randn(3, 4)
    expected = loaded.eval()(x)
    assert same(torch.compile(loaded, backend="eager")(x), expected)
    assert same(torch.export.export(loaded, (x,)).module()(x), expected)
    again = torch.export.export(loaded.train(), (x,)).module()
    assert same(seeded(again, x), seeded(loaded, x))


def test_it_can_be_saved_as_a_part_of_another(loaded: Any, tmp_path: Path) -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = loaded
            self.head = nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.inner(x))

    outer, x = Outer(), torch.randn(3, 4)
    again = saved(outer, tmp_path / "m.safemodel", x)
    assert same(seeded(again, x), seeded(outer, x))
    assert same(again.eval()(x), outer.eval()(x))
    assert list(again.state_dict()) == list(outer.state_dict())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((torch.ones(3, 5),), r"argument x is \[3, 5\], and the model was exported for \[3, 4\]"),
        ((torch.ones(51, 4),), r"is \[51, 4\], and the model was exported for \[0 to 50, 4\]"),
        ((torch.ones(4),), r"argument x is \[4\]"),
        ((torch.ones(3, 4), 1), "2 arguments by position, 1 are taken"),
        (([1.0],), "argument x is list, and the model was exported for a tensor"),
        ((), "argument x is missing"),
    ],
)
def test_other_arguments_are_refused(inputs: Any, message: str, loaded: Any) -> None:
    with pytest.raises(UsageError, match=message):
        loaded(*inputs)


def test_arguments_by_name(loaded: Any) -> None:
    x = torch.randn(3, 4)
    loaded.eval()
    assert same(loaded(x=x), loaded(x))
    with pytest.raises(UsageError, match="unknown argument y"):
        loaded(x, y=1)
    with pytest.raises(UsageError, match="unknown argument x"):
        loaded(x, x=x)
    with pytest.raises(UsageError, match=r"argument factor is 3\.0, and"):
        loaded.encode(x, 3.0)


class Nested(nn.Module):
    """Containers in and out."""

    def forward(self, batch: Any, pair: Any, *, mask: Any = None, power: int = 2) -> Any:
        x, (y, z) = batch["x"], pair
        out = Pair(x + y, [z**power, None, 3, "text", {"n": x.shape[0], 7: 1.5}])
        return {"out": out, "masked": x if mask is None else x * mask}


def test_containers_of_every_sort(tmp_path: Path) -> None:
    module = Nested()

    def arguments(n: int) -> Any:
        x = torch.ones(n, 2)
        return ({"x": x}, (x, [x][0])), {"mask": x * 2, "power": 3}

    batch = {0: Dim("n")}
    loaded = saved(
        module,
        tmp_path / "m.safemodel",
        *arguments(3),
        dynamic_shapes={
            "batch": {"x": batch},
            "pair": (batch, batch),
            "mask": batch,
            "power": None,
        },
    )
    args, kwargs = arguments(5)
    there, here = loaded(*args, **kwargs), module(*args, **kwargs)
    assert type(there["out"]) is tuple
    assert same(there["out"][0], here["out"].first)
    assert there["out"][1][1:] == [None, 3, "text", {"n": 5, 7: 1.5}]
    assert same(there["masked"], here["masked"])
    with pytest.raises(UsageError, match="argument batch must be a dictionary with the keys x"):
        loaded({"y": args[0]["x"]}, args[1], **kwargs)
    with pytest.raises(UsageError, match="argument pair must be a tuple of 2"):
        loaded(args[0], args[1][:1], **kwargs)
    with pytest.raises(UsageError, match=r"argument pair\[1\] is \[4, 2\]"):
        loaded(args[0], (args[1][0], torch.ones(4, 2)), **kwargs)
    with pytest.raises(UsageError, match="argument power is 2, and"):
        loaded(*args, mask=kwargs["mask"], power=2)


@dataclasses.dataclass
class Output:
    """What a model of today returns."""

    logits: Any
    hidden: Any = None


def test_data_classes_come_back_as_dictionaries(tmp_path: Path) -> None:
    class Model(nn.Module):
        def forward(self, x: Any) -> Any:
            return Output(x + 1)

    torch.export.register_dataclass(Output, serialized_type_name="tests.Output")
    loaded = saved(Model(), tmp_path / "m.safemodel", torch.ones(2))
    assert same(loaded(torch.ones(2))["logits"], torch.full((2,), 2.0))


class Flow(nn.Module):
    """Control flow that torch.export keeps."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.kind = kind

    def forward(self, x: Any) -> Any:
        return getattr(self, self.kind)(x)

    def cond(self, x: Any) -> Any:
        return torch.cond(x.sum() > 0, lambda x: self.layer(x), lambda x: x.sin(), (x,))

    def nested(self, x: Any) -> Any:
        def inner(x: Any) -> Any:
            return torch.cond(x.max() > 1, lambda x: self.layer(x) + 1, lambda x: x * 2, (x,))

        return torch.cond(x.sum() > 0, inner, lambda x: x.sin(), (x,))

    def loop(self, x: Any) -> Any:
        from torch._higher_order_ops.while_loop import while_loop

        count = torch.zeros((), dtype=torch.int64)
        return while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, self.layer(x)), (count, x))

    def rows(self, x: Any) -> Any:
        from torch._higher_order_ops.map import map as map_rows

        return map_rows(lambda row, other: row.cos() + self.layer(other), x, x.sum(0))

    def scan(self, x: Any) -> Any:
        from torch._higher_order_ops.scan import scan

        return scan(lambda held, row: (held + self.layer(row), held * row), torch.zeros(3), x)

    def gradients(self, x: Any) -> Any:
        with torch.no_grad():
            still = self.layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            half = self.layer(x)
        return still, half, self.layer(x)


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("nested", "scan")]


@pytest.mark.parametrize("kind", ["cond", "loop", "rows", "gradients", *SLOW])
def test_control_flow(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, x = Flow(kind), torch.randn(4, 3)
    loaded = saved(module, tmp_path / "m.safemodel", x)
    assert type(loaded) is LoadedModule
    for given in (x.abs(), -x.abs(), x.abs() / 10):
        here, there = module(given), loaded(given)
        if isinstance(here, torch.Tensor):
            here, there = (here,), (there,)
        for one, other in zip(here, there, strict=True):
            assert one.dtype == other.dtype
            assert kind in ("cond", "nested") or one.requires_grad == other.requires_grad
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)
    if there[-1].requires_grad:
        there[-1].sum().backward()
        assert loaded.layer.weight.grad is not None or kind == "nested"


def test_sizes_are_computed(tmp_path: Path) -> None:
    class Sizes(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            rows, columns = x.shape
            out = x.reshape(-1, columns // 2) if columns % 2 == 0 else x
            return out, torch.zeros(rows * 2 + 1), y[: rows // 2], x.new_ones(rows, 3)

    loaded = saved(
        Sizes(),
        tmp_path / "m.safemodel",
        *(torch.ones(4, 6), torch.ones(9)),
        dynamic_shapes=({0: Dim.AUTO, 1: Dim.AUTO}, {0: Dim.AUTO}),
    )
    for rows, columns in ((4, 6), (5, 6), (7, 10)):
        given = torch.randn(rows, columns), torch.randn(20)
        for here, there in zip(Sizes()(*given), loaded(*given), strict=True):
            assert same(here, there)
    # What the module would have done otherwise is not in the graph.
    with pytest.raises(RuntimeError, match="outside of what the model was exported for"):
        loaded(torch.randn(4, 7), torch.randn(9))


def test_conditions_of_the_code_are_checked(tmp_path: Path) -> None:
    class Branches(nn.Module):
        def forward(self, batch: Any, times: int = 2, *, more: Any = None) -> Any:
            x, (y, z) = batch["x"]
            if x.shape[0] % 3 == 1 and z.shape[0] != y.shape[0] and more.shape[0] < 2 * y.shape[0]:
                return x * times
            return x

    def arguments(x: int, y: int, z: int, more: int) -> Any:
        batch = {"x": (torch.ones(x), (torch.ones(y), torch.ones(z)))}
        return (batch, 3), {"more": torch.ones(more)}

    size = {0: Dim.AUTO}
    dynamic = {"batch": {"x": (size, (size, size))}, "times": None, "more": size}
    loaded = saved(
        Branches(), tmp_path / "m.safemodel", *arguments(4, 5, 6, 7), dynamic_shapes=dynamic
    )
    args, named = arguments(7, 4, 9, 2)
    assert same(loaded(*args, **named), torch.full((7,), 3.0))
    for wrong in ((8, 4, 9, 2), (7, 9, 9, 2), (7, 4, 9, 8)):
        args, named = arguments(*wrong)
        with pytest.raises(RuntimeError, match="outside of what the model was exported for"):
            loaded(*args, **named)


def test_equal_sizes_stay_equal_and_multiples_multiples(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return x.reshape(-1, 2).sum(1) + y

    size = Dim("n")
    loaded = saved(
        Two(),
        tmp_path / "m.safemodel",
        *(torch.ones(8), torch.ones(4)),
        dynamic_shapes=({0: 2 * size}, {0: size}),
    )
    assert loaded(torch.ones(12), torch.ones(6)).shape == (6,)
    with pytest.raises(UsageError, match=r"argument x is \[5\], and the model was .* \[2n\]"):
        loaded(torch.ones(5), torch.ones(2))
    with pytest.raises(UsageError, match=r"argument y is \[5\], and .* \[6\]"):
        loaded(torch.ones(12), torch.ones(5))


def test_one_form_if_both_are_the_same(tmp_path: Path) -> None:
    loaded = saved(nn.Linear(2, 2), tmp_path / "m.safemodel", torch.ones(1, 2))
    assert len(loaded._program.forms) == 1
    assert same(loaded.eval()(torch.ones(1, 2)), loaded.train()(torch.ones(1, 2)))


def test_a_mode_that_can_not_be_exported(tmp_path: Path, caplog: Any) -> None:
    class Only(nn.Module):
        def forward(self, x: Any) -> Any:
            if self.training and x.sum() > 0:
                return x
            return x + 1

    with pytest.raises(UnsavableError, match=r"torch\.export can't make a graph"):
        saved(Only(), tmp_path / "m.safemodel", torch.ones(2))
    loaded = saved(Only().eval(), tmp_path / "m.safemodel", torch.ones(2))
    assert "can't be exported in train mode" in caplog.text
    assert same(loaded(torch.ones(2)), torch.full((2,), 2.0))
    with pytest.raises(UsageError, match="holds no forward in train mode"):
        loaded.train()(torch.ones(2))


def test_a_module_that_has_one_mode_alone(tmp_path: Path, caplog: Any) -> None:
    x = torch.ones(1, 2)
    exported = torch.export.export(nn.Linear(2, 2), (x,)).module()
    with pytest.raises(NotImplementedError):
        exported.train(not exported.training)
    loaded = saved(exported, tmp_path / "m.safemodel", x)
    assert "can't change its mode" in caplog.text
    assert same(loaded(x), exported(x))
    with pytest.raises(UsageError, match="mode"):
        loaded.train(not exported.training)(x)


def test_a_release_that_does_not_tell_conditions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = torch.export.export

    def older(*args: Any, **options: Any) -> Any:
        exported: Any = export(*args, **options)
        del exported._guards_code
        return exported

    monkeypatch.setattr(torch.export, "export", older)
    with pytest.raises(UnsavableError, match="does not say when a graph holds"):
        saved(nn.Linear(2, 2), tmp_path / "m.safemodel", torch.ones(1, 2))


class Through(torch.autograd.Function):
    """Rounds, and lets gradients through as if it had not."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients


def test_gradients_that_code_computes_itself_are_told_of(tmp_path: Path, caplog: Any) -> None:
    class Model(nn.Module):
        def forward(self, x: Any) -> Any:
            own: Any = Through.apply(x)  # type: ignore[no-untyped-call]
            return torch.utils.checkpoint.checkpoint(torch.sin, own, use_reentrant=True)

    before = torch.autograd.Function.__dict__["apply"]
    x = torch.tensor([0.4, 1.6], requires_grad=True)
    loaded = saved(Model(), tmp_path / "m.safemodel", x.detach())
    assert same(loaded(x), Model()(x))
    assert caplog.text.count("computes its own gradients") == 1
    assert "Through computes" in caplog.text
    assert torch.autograd.Function.__dict__["apply"] is before


def test_no_module_takes_the_place_of_a_part_without_a_word(loaded: Any) -> None:
    x = torch.randn(3, 4)
    expected = loaded.eval()(x)
    with pytest.raises(UsageError, match="in the place of first") as caught:
        loaded.first = nn.Linear(4, 4)
    assert "module of yours" in (caught.value.hint or "")
    loaded.first = loaded.first
    loaded.beside = nn.Linear(4, 4)
    assert same(loaded(x), expected)
    loaded.first.weight = nn.Parameter(torch.zeros_like(loaded.first.weight))
    assert not same(loaded(x), expected)


def test_what_every_module_has_is_no_method_to_store(tmp_path: Path) -> None:
    for name in ("state_dict", "__init__", "_apply", "no_such"):
        with pytest.raises(UsageError, match=f"'{name}'"):
            sm.save(nn.Linear(2, 2), tmp_path / "m", example_inputs={name: (torch.ones(1, 2),)})


@pytest.mark.parametrize(
    ("inputs", "dynamic"),
    [
        (torch.ones(1, 3), None),
        ((), None),
        ((torch.ones(1, 2), 1), None),
        ((torch.ones(1, 2),), ({5: torch.export.Dim("n")},)),
        ((torch.ones(1, 2),), "sizes"),
    ],
)
def test_examples_that_do_not_fit_are_what_the_hint_asks_about(
    inputs: Any, dynamic: Any, tmp_path: Path
) -> None:
    with pytest.raises(UnsavableError) as caught:
        sm.save(nn.Linear(2, 2), tmp_path / "m", example_inputs=inputs, dynamic_shapes=dynamic)
    assert "can be called with example_inputs=" in (caught.value.hint or "")
    assert not list(tmp_path.iterdir())


def test_parts_in_another_mode_stay_so(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    module[1].eval()
    loaded = saved(module, tmp_path / "m.safemodel", torch.randn(3, 2))
    assert module.training
    assert not module[1].training
    x = torch.randn(3, 2)
    assert same(module(x), loaded(x))
    assert same(loaded.get_buffer("1.running_mean"), torch.zeros(2))


def test_names_that_are_words_of_python_or_of_graphs(tmp_path: Path) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.class_ = nn.ParameterDict({"class": torch.ones(2), "None": torch.ones(2)})
            for name in ("code", "graph", "self", "entries", "_program", "entry", "saved"):
                self.register_parameter(name, nn.Parameter(torch.ones(2)))

        def forward(self, x: Any) -> Any:
            for value in self.parameters():
                x = x + value
            return x

    loaded = saved(Words(), tmp_path / "m.safemodel", torch.ones(2))
    assert same(loaded(torch.ones(2)), torch.full((2,), 10.0))
    assert loaded.entries == ("forward",)
    assert loaded.get_parameter("class_.class").shape == (2,)


def test_custom_operators_are_the_callers_to_allow(tmp_path: Path, caplog: Any) -> None:
    @torch.library.custom_op("safemodel_tests::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    twice.register_fake(torch.empty_like)

    class Custom(nn.Module):
        def forward(self, x: Any) -> Any:
            return twice(x)

    path = tmp_path / "m.safemodel"
    sm.save(Custom(), path, example_inputs=(torch.ones(2),), signer=None)
    assert "allow=['torch-op:safemodel_tests::twice']" in caplog.text
    with pytest.raises(NotAllowedError, match="safemodel_tests::twice"):
        sm.load(path, trust=sm.UNSIGNED)
    loaded = sm.load(path, trust=sm.UNSIGNED, allow=["torch-op:safemodel_tests::twice"])
    assert same(loaded(torch.ones(2)), torch.full((2,), 2.0))


@pytest.mark.parametrize(
    ("inputs", "dynamic", "message"),
    [
        ([1], None, "tuple of the arguments"),
        ({"x": torch.ones(1)}, None, "method 'x' is no tuple of arguments"),
        ({}, None, "a tuple, or a dictionary of tuples by method"),
        ({"nothing": (1,)}, None, "no method 'nothing'"),
        ({"forward": (1,)}, ({},), "must be a dictionary by method"),
        (None, ({},), r"dynamic_shapes= needs example_inputs="),
    ],
)
def test_examples_that_are_none(inputs: Any, dynamic: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        sm.save(
            nn.Linear(1, 1),
            tmp_path / "m.safemodel",
            example_inputs=inputs,
            dynamic_shapes=dynamic,
            signer=None,
        )


def test_only_modules_have_graphs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="example_inputs= are those of a module"):
        sm.save({"a": torch.ones(1)}, tmp_path / "m", example_inputs=(1,), signer=None)
    with pytest.raises(UsageError, match="example_inputs= makes no sense"):
        sm.save([1.0], tmp_path / "m", example_inputs=(1,), signer=None)


def test_a_loaded_module_with_other_parts_is_not_saved_as_it_was(
    loaded: Any, tmp_path: Path
) -> None:
    loaded.head = nn.Linear(1, 1)
    with pytest.raises(UnsavableError, match="got other parts"):
        sm.save(loaded, tmp_path / "m.safemodel", signer=None)


def test_saving_leaves_the_module_and_random_numbers_alone(tmp_path: Path) -> None:
    module = small()
    before = copy.deepcopy(module.state_dict())
    torch.manual_seed(3)
    state = torch.get_rng_state()
    saved(module, tmp_path / "m.safemodel", torch.ones(3, 4))
    assert same(torch.get_rng_state(), state)
    assert all(same(value, before[name]) for name, value in module.state_dict().items())
    assert module.training


def test_what_does_not_fit_is_still_said(archive: Path) -> None:
    with pytest.raises(StateMismatchError):
        sm.load(archive, trust=sm.UNSIGNED, into=nn.Linear(4, 4))


def test_it_is_a_module(loaded: Any) -> None:
    assert isinstance(loaded, LoadedModule)
    assert "Small, encode, forward" in repr(loaded)
