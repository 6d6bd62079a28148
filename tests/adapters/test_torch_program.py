"""Programs that are none: each is refused for its reason, and no text becomes source code."""

from __future__ import annotations

import builtins
import contextlib
import copy
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from safemodel import limits  # noqa: E402
from safemodel.adapters import torch as adapter  # noqa: E402
from safemodel.adapters.torch import export  # noqa: E402
from safemodel.adapters.torch.export import compiling, parsing  # noqa: E402
from safemodel.errors import ArchitectureError, NotAllowedError  # noqa: E402

from .mutate import mutate  # noqa: E402
from .support import MemoryBundle  # noqa: E402

nn = torch.nn
V = {"value": 0}
WORDS = [
    "aten::linear", "aten::cat", "aten::from_file", "control::cond", "operator::getitem", "a.b",
    "forward", "__class__", "own", "cpu", "tensor", "value", "eval", "parameter", "float32", "\n",
    "layer", "x; import os", "0x1p+4", "nan",
]  # fmt: skip


class Model(nn.Module):
    """Something of every sort that a program can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.other = nn.Linear(4, 4)
        self.other.weight = self.layer.weight
        self.scale = torch.ones(4)
        self.register_buffer("hidden", torch.ones(4), persistent=False)

    def forward(self, batch: Any, mode: str = "text", *, more: Any = None) -> Any:
        x = self.norm(self.layer(batch["x"])) * self.scale + self.hidden
        x = torch.cond(x.sum() > 0, lambda x: self.other(x), lambda x: x.sin(), (x,))
        first, second = x.split([1, 3], 1)
        rows = x.shape[0]
        made = torch.full((rows * 2, 1), float("-inf"), dtype=torch.float32)
        return {"all": (first.softmax(-1), [second]), "n": rows + 1, "made": made, "end": x[1:]}


EXAMPLE = ({"x": torch.ones(3, 4)}, "text"), {"more": torch.ones(2)}
SIZES = {"batch": {"x": {0: torch.export.Dim.AUTO}}, "mode": None, "more": None}
SAVED = adapter.save(Model(), example_inputs=EXAMPLE, dynamic_shapes=SIZES)
ARCHITECTURE: Any = SAVED.architecture
PROGRAM: Any = ARCHITECTURE["program"]


class Bundle(MemoryBundle):
    """A bundle whose architecture somebody wrote."""

    def __init__(self, architecture: Any) -> None:
        super().__init__(SAVED.tensors)
        self.manifest = SimpleNamespace(architecture=architecture)

    def load_weights(self) -> None:
        pass


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**48), st.sampled_from([None, dict]))
def test_changed_architectures_load_or_are_refused(seed: int, into: Any) -> None:
    architecture = {**ARCHITECTURE, "program": mutate(PROGRAM, seed, WORDS)}
    with contextlib.suppress(ArchitectureError):
        adapter.load(Bundle(architecture), into=into)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))


PLACES = list(_places(PROGRAM))
plain = st.none() | st.booleans() | st.integers(-3, 2**53) | st.sampled_from(WORDS)
json_values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=8,
)


def at(place: Any, program: Any) -> Any:
    for key in place:
        program = program[key]
    return program


def put(place: Any, value: Any) -> Any:
    """The program with another value in one place."""
    program = copy.deepcopy(PROGRAM)
    at(place[:-1], program)[place[-1]] = value
    return program


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PLACES), json_values)
def test_any_json_in_any_place_is_read_or_refused(place: Any, value: Any) -> None:
    with contextlib.suppress(ArchitectureError):
        parsing.parse(put(place, value))


# What is compiled, and nothing else: numbers, and the words of the generator itself.
SOURCE = re.compile(
    r"(def|return|del|own|None|True|False|[gm]\d+|[vfc]\d+|[si]|-?\d+|[ \n,:=()\[\]{}*])*"
)
CODE = [
    "__import__('os').abort()",
    "x\n    __import__('os').abort()\n",
    "');__import__('os').abort();('",
    "f'{__import__(\"os\").abort()}'",
    'v0"]; __import__("os").abort() #',
]


@pytest.mark.parametrize("text", CODE)
def test_texts_never_become_code(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []

    def compiled(source: str, *rest: Any) -> Any:
        sources.append(source)
        return builtins.compile(source, *rest)

    monkeypatch.setattr(compiling, "compile", compiled, raising=False)
    renamed = []
    for place in PLACES:
        if isinstance(at(place, PROGRAM), str):
            renamed.append(put(place, text))
        if isinstance(place[-1], str):
            program = copy.deepcopy(PROGRAM)
            holder = at(place[:-1], program)
            holder[text] = holder.pop(place[-1])
            renamed.append(program)
    for program in renamed:
        with contextlib.suppress(ArchitectureError):
            parsed = parsing.parse(program, [f"torch-op:{text}"])
            compiling.compile_graphs(parsed.graphs, [form.graph for form in parsed.forms])
    assert len(sources) > 10  # names of tensors and of arguments are free
    for source in sources:
        assert SOURCE.fullmatch(source), source


def changed(**parts: Any) -> Any:
    return {**copy.deepcopy(PROGRAM), **parts}


def form(**parts: Any) -> Any:
    """A program of one form that gives back its input, with other parts."""
    program = {
        "operators": parts.pop("operators", []),
        "training": False,
        "state": parts.pop("slots", []),
        "graphs": parts.pop("graphs", []),
        "entries": parts.pop("entries", {"forward": {"eval": 0}}),
    }
    whole = {
        "parameters": ["x"],
        "args": [{"tensor": [None]}],
        "kwargs": [],
        "symbols": [],
        "state": [],
        "nodes": [],
        "outputs": V,
    }
    return {**program, "forms": [{**whole, **parts}]}


def node(*args: Any, op: int = 0, **kwargs: Any) -> Any:
    return {"op": op, "args": list(args), **({"kwargs": kwargs} if kwargs else {})}


def calls(*operators: str, nodes: list[Any] | None = None, **parts: Any) -> Any:
    return form(operators=list(operators), nodes=[node(V)] if nodes is None else nodes, **parts)


def slots(*names: str, kind: str = "buffer", **parts: Any) -> Any:
    return form(slots=[{"kind": kind, "names": list(names)}], **parts)


def size(symbols: list[Any], **given: Any) -> Any:
    return form(symbols=symbols, args=[{"tensor": [given]}])


def nested(levels: int, kind: str = "") -> Any:
    value: Any = V
    for _ in range(levels):
        value = {kind: [value]} if kind else [value]
    return value


N = [0, None]
REFUSED: dict[str, tuple[Any, str]] = {
    "no program": ([], "a program with other fields"),
    "more fields": (changed(code="x"), "a program with other fields"),
    "no entries": (changed(entries={}), "1 to 100 entries"),
    "unknown": (calls("aten::nothing"), "not in the table"),
    "left out": (calls("aten::from_file"), "not in the table"),
    "memory as it is": (calls("aten::empty.memory_format"), "not in the table"),
    "unknown control flow": (calls("control::exec"), "not in the table"),
    "twice": (calls("aten::sin", "aten::sin"), "sorted, and each once"),
    "unsorted": (calls("aten::sin", "aten::cos"), "sorted, and each once"),
    "for nothing": (calls("aten::sin", nodes=[]), "an operator that no node names"),
    "no such operator": (calls(), "op must be an integer"),
    "a value of later": (calls("aten::sin", nodes=[node({"value": 1})]), "not there yet"),
    "a value of never": (form(outputs={"value": 9}), "not there yet"),
    "a value below": (form(outputs={"value": -1}), "not a number of a value"),
    "too few": (calls("aten::sin", nodes=[node()]), "is missing"),
    "too many": (calls("aten::sin", nodes=[node(V, V)]), "at most 1 are taken"),
    "unknown by name": (calls("aten::sin", nodes=[node(V, out=V)]), "unknown or given"),
    "none by name": (calls("aten::sin", nodes=[{**node(V), "kwargs": {}}]), "kwargs must be"),
    "a list as a tensor": (
        calls("aten::sin", "aten::unbind.int", nodes=[node(V, op=1), node({"value": 1})]),
        "a list where one value must be",
    ),
    "a tensor as a list": (calls("aten::cat"), "one where a list must"),
    "a list in a list": (
        calls("aten::cat", "aten::unbind.int", nodes=[node(V, op=1), node([{"value": 1}])]),
        "a list in a list",
    ),
    "a list as a result": (
        calls("aten::unbind.int", outputs={"value": 1}), "an output that is a list",
    ),
    "an item of a tensor": (
        calls("operator::getitem", nodes=[node(V, 0)]), "an item of what has none",
    ),
    "an item too far": (
        calls("aten::max.dim", "operator::getitem", nodes=[
            node(V, 0), node({"value": 1}, 2, op=1)]), "or not so many",
    ),
    "a list in arithmetic": (
        calls("aten::unbind.int", "operator::add", nodes=[
            node(V), node({"value": 1}, 1, op=1)]), "a list where a number must be",
    ),
    "a text as a tensor": (calls("aten::sin", nodes=[node("x")]), "argument 'self'"),
    "a graph as a tensor": (calls("aten::sin", nodes=[node({"graph": 0})]), "runs no graph"),
    "lists too deep": (calls("aten::sin", nodes=[node(nested(9))]), "nest too deeply"),
    "outputs too deep": (form(outputs=nested(99, "list")), "nest too deeply"),
    "inputs too deep": (form(args=[nested(99, "tuple")]), "nest too deeply"),
    "a huge integer": (
        calls("aten::add.Scalar", nodes=[node(V, {"int": "9" * 30})]), "64 bits",
    ),
    "a float of its own": (
        calls("aten::add.Scalar", nodes=[node(V, {"float": "1.5"})]), "spelling",
    ),
    "a device": (
        calls("aten::zeros", nodes=[node([1], device={"device": "meta"})]), "must be own or cpu",
    ),
    "a device as text": (calls("aten::zeros", nodes=[node([1], device="cuda")]), "'device'"),
    "a gigantic tensor": (calls("aten::zeros", nodes=[node([2**40])]), "aten::zeros"),
    "a type": (
        calls("aten::zeros", nodes=[node([1], dtype={"torch_dtype": "os.system"})]),
        "unknown dtype",
    ),
    "no input": (form(args=[{"object": 1}]), "not an input"),
    "a name for no argument": (form(parameters=["x", "y"]), "more names of arguments"),
    "arguments of one name": (form(kwargs=[["x", {"tensor": []}]]), "two arguments of one name"),
    "an argument of two lines": (form(parameters=["x\n"]), "not a name of an argument"),
    "an argument by no name": (form(kwargs=[["a b", {"tensor": []}]]), "not a name of an argument"),
    "symbols out of order": (size([N, N], symbol=1), "order of their use"),
    "a symbol unused": (form(symbols=[N]), "a symbol that is not used"),
    "a symbol unknown": (size([], symbol=0), "a symbol must be"),
    "bounds upside down": (size([[5, 2]], symbol=0), "a bound must be"),
    "three bounds": (size([[5, 6, 7]], symbol=0), "list of at most 2"),
    "a size of nothing times": (size([N], symbol=0, times=0), "times must be"),
    "a size written longer": (size([N], symbol=0, plus=0), "written shorter"),
    "a constant that is a list": (form(args=[{"constant": []}]), "not a constant"),
    "a result that is a device": (form(outputs={"device": "own"}), "not a constant"),
    "keys twice": (form(outputs={"dict": [["a", V], ["a", V]]}), "two equal keys"),
    "a key that is a list": (form(outputs={"dict": [[[], V]]}), "a key must be"),
    "an entry with a dot": (form(entries={"a.b": {"eval": 0}}), "not a name for an entry"),
    "an entry of two lines": (form(entries={"forward\n": {"eval": 0}}), "not a name for"),
    "an entry of modules": (form(entries={"state_dict": {"eval": 0}}), "not a name for"),
    "an entry of Python": (form(entries={"__call__": {"eval": 0}}), "not a name for"),
    "an entry of no form": (form(entries={"forward": {"eval": 1}}), "form must be"),
    "a mode of its own": (form(entries={"forward": {"debug": 0}}), "to train, to evaluate"),
    "a form for nothing": (changed(entries={"forward": {"eval": 0}}), "each used"),
    "state that is not there": (form(state=[0]), "a number of state"),
    "state twice": (slots("a", state=[0, 0]), "given twice"),
    "a kind of its own": (slots("a", kind="code"), "unknown kind of tensor"),
    "no name": (slots(), "a tensor without a name"),
    "a constant with two": (slots("a", "b", kind="constant"), "more than it can have"),
    "a name twice": (slots("a", "a"), "used twice"),
    "a part and a tensor": (slots("a", "a.b"), "of one name"),
    "an entry and a part": (slots("f.b", entries={"f": {"eval": 0}}), "an entry and a part"),
    "parts too deep": (slots(".".join("a" * 99)), "nest too deeply"),
    "a graph for nothing": (
        form(graphs=[{"inputs": 1, "nodes": [], "outputs": [V]}]), "a graph that nothing runs",
    ),
}  # fmt: skip
NAMES = [
    "forward",
    "__class__",
    "_parameters",
    "training",
    "a..b",
    "",
    "a.forward",
    "x\n",
    "__dict__",
]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    program, message = REFUSED[name]
    with pytest.raises(ArchitectureError, match=re.escape(message)):
        parsing.parse(program)


@pytest.mark.parametrize("name", NAMES)
def test_no_tensor_has_a_name_that_modules_have_themselves(name: str) -> None:
    with pytest.raises(ArchitectureError, match="can't have the name"):
        parsing.parse(slots(name))


G = {"graph": 0}
ONE = {"inputs": 1, "nodes": [], "outputs": [V]}


def cond(*args: Any, graphs: Any = (ONE,), **kwargs: Any) -> Any:
    return calls("control::cond", graphs=list(graphs), nodes=[node(*args, **kwargs)])


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (cond(V, G, {"graph": 1}, [V]), "not there"),
        (cond(V, G, G, [V, V]), "another number"),
        (cond(V, G, V, [V]), "other arguments"),
        (cond(V, G, G, V), "other arguments"),
        (cond(V, G, G, [V], x=1), "not in the table"),
        (cond("yes", G, G, [V]), "other arguments"),
        (cond(V, G, G, [V], graphs=[{**ONE, "nodes": [node(V, G, G, [V])]}]), "not before it"),
    ],
)
def test_refused_control_flow(program: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        parsing.parse(program)


def test_graphs_run_one_another_to_a_depth() -> None:
    def chain(depth: int) -> Any:
        graphs: list[Any] = [ONE]
        for level in range(depth):
            run = node(V, {"graph": level}, {"graph": level}, [V])
            nodes = [run, node({"value": 1}, 0, op=1)]
            graphs.append({"inputs": 1, "nodes": nodes, "outputs": [{"value": 2}]})
        last = {"graph": depth}
        made = cond(V, last, last, [V], graphs=graphs)
        return {**made, "operators": ["control::cond", "operator::getitem"]}

    parsing.parse(chain(limits.MAX_PROGRAM_CALLS - 1))
    with pytest.raises(ArchitectureError, match="run one another too deeply"):
        parsing.parse(chain(limits.MAX_PROGRAM_CALLS))


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("MAX_PROGRAM_NODES", 8, "at most 8"),
        ("MAX_PROGRAM_VALUES", 12, "more than 12 values"),
        ("MAX_PROGRAM_STATE", 5, "too many parts"),
    ],
)
def test_limits(limit: str, most: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sines = [node({"value": place}) for place in range(9)]
    program = calls(
        "aten::sin", nodes=sines, slots=[{"kind": "buffer", "names": ["a.b.c.d.e.f.g"]}]
    )
    parsing.parse(program)
    monkeypatch.setattr(limits, limit, most)
    with pytest.raises(ArchitectureError, match=message):
        parsing.parse(program)


def test_custom_operators_need_leave() -> None:
    with pytest.raises(NotAllowedError, match="evil::run"):
        parsing.parse(calls("evil::run"))
    with pytest.raises(ArchitectureError, match="is registered"):
        parsing.parse(calls("evil::run"), ["torch-op:evil::run"])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1], "must be a dictionary"),
        ({}, "has no tensor 'a'"),
        ({"a": 1, "b": 1}, "has no tensor 'a'"),
        ({"a": torch.ones(2), "b": torch.ones(2)}, "several names and tensors"),
        ({"a": torch.ones(2, dtype=torch.int64)}, "can have no gradient"),
        ({"a": torch.ones(1).expand(3)}, "overlap or leave holes"),
    ],
)
def test_state_that_does_not_fit(state: Any, message: str) -> None:
    if isinstance(state, dict) and len(state) == 1:
        state = {**state, "b": state["a"]}
    with pytest.raises(ArchitectureError, match=message):
        export.rebuild(slots("a", "b", kind="parameter"), (), state, "a.Model")


@pytest.mark.parametrize("into", [None, dict])
@pytest.mark.parametrize("program", [1, [], {}, {"state": 1}, {"state": [1]}])
def test_programs_that_are_none(program: Any, into: Any) -> None:
    with pytest.raises(ArchitectureError):
        adapter.load(Bundle({**ARCHITECTURE, "program": program}), into=into)


@pytest.mark.parametrize("owner", [None, {"kind": "optimizer", "class": "a.B"}])
def test_programs_of_what_is_no_module(owner: Any) -> None:
    architecture = {**ARCHITECTURE, "state_of": owner}
    if owner is None:
        del architecture["state_of"]
    with pytest.raises(ArchitectureError, match="a program of"):
        adapter.load(Bundle(architecture))
