"""Programs of hostile signers: a good one of every part, and what they would make of it.

`EDITS` change the program of `Rich` so that it must be refused when it is loaded. `payloads` are
strings that somebody would put wherever a program has a string.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.export import Dim

from safemodel.adapters.torch.operators import OPERATORS

ROWS = {0: Dim("rows", max=8)}


class Rich(nn.Module):
    """Something of everything that a program can have."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.same = self.linear
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("scale", torch.full((4,), 0.5), persistent=False)

    def forward(self, x: Any, more: Any, *, flag: str = "on") -> Any:
        if self.training:
            self.count += 1
        y = self.same(self.linear(x)) * self.scale + more["y"][0]
        y = torch.cond(y.sum() > 0, lambda y: y.sin(), lambda y: y.cos(), (y,))
        picked = y[:, torch.tensor([0, 2])].to(torch.float64)
        return {"a": y.reshape(-1), "b": [picked, None, 3], "c": (y.shape[0] * 2, "text")}

    def encode(self, x: Any) -> Any:
        values, places = self.linear(x).topk(2, dim=-1)
        return nn.functional.pad(values, (1, 1), value=float("-inf")), places


def rich() -> Rich:
    torch.manual_seed(1)
    return Rich()


def examples() -> tuple[dict[str, Any], dict[str, Any]]:
    """`example_inputs` and `dynamic_shapes`."""
    x = torch.ones(3, 4)
    forward = (x, {"y": [torch.ones(3, 1)]})
    return (
        {"forward": (forward, {"flag": "on"}), "encode": ((x,), {})},
        {
            "forward": {"x": ROWS, "more": {"y": [ROWS]}, "flag": None},
            "encode": {"x": ROWS},
        },
    )


def use(module: Any) -> None:
    """Everything that one does with a loaded module."""
    given, _ = examples()
    for training in (False, True):
        module.train(training)
        for name, (args, kwargs) in given.items():
            outputs = module.entry(name)(*args, **kwargs)
            leaves = torch.utils._pytree.tree_leaves(outputs)
            total = sum(
                leaf.sum()
                for leaf in leaves
                if isinstance(leaf, torch.Tensor) and leaf.requires_grad and leaf.numel() < 1 << 20
            )
            if isinstance(total, torch.Tensor) and total.numel() == 1 and not total.is_complex():
                total.backward()
    repr(module)
    module.state_dict()
    copy.deepcopy(module)


def payloads(marker: str) -> list[str]:
    """Strings that would make `marker` a file, or reach something that is in no table."""
    call = f"__import__('pathlib').Path({marker!r}).touch()"
    return [
        call,
        f"x);{call}#",
        f"x\n    {call}\n",
        f"\\n{call}",
        f"{{{call}}}",
        f"v0\r{call}",
        f"'+{call}+'",
        f"x\u2028{call}",
        f"lambda: {call}",
        "os.system",
        "os::system",
        "posix::system",
        "builtins::exec",
        "operator::attrgetter",
        "operator::methodcaller",
        "aten::from_file",
        "aten::save",
        "aten::set_.source_Storage",
        "aten::resize_",
        "aten::as_strided",
        "aten::empty.memory_format",
        "aten::_unsafe_view",
        "aten::add.Tensor;",
        "aten::add.Tensor.__class__",
        "aten::__class__",
        "aten.add.Tensor",
        "torch.ops.aten.add.Tensor",
        "prim::Print",
        "prim::PythonOp",
        "prim::CallFunction",
        "quantized::linear_unpack",
        "inductor::_alloc_from_pool",
        "higher_order::cond",
        "control::exec",
        "c10d::broadcast_",
        "__class__",
        "__dict__",
        "__globals__",
        "forward",
        "_parameters",
        "load_state_dict",
        "_program",
        "..",
        f"../../../../../../..{marker}",
        marker,
        f"file://{marker}",
        f"cpu:{marker}",
        "",
        "\x00",
        "a" * 5000,
        "é.ü",
        "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    ]


def strings(value: Any) -> Iterator[tuple[Any, Any, bool]]:
    """The first place of a string of each sort: its holder, its key, whether the key is it."""
    seen = set()
    stack = [(value, "")]
    while stack:
        item, path = stack.pop()
        found: list[tuple[Any, bool]] = []
        if isinstance(item, dict):
            found += [(key, True) for key in item]
            found += [(key, False) for key, one in item.items() if isinstance(one, str)]
            stack += [(one, f"{path}.{key}") for key, one in item.items()]
        elif isinstance(item, list):
            found += [(key, False) for key, one in enumerate(item) if isinstance(one, str)]
            stack += [(one, f"{path}.*") for one in item]
        for key, is_key in found:
            sort = path, "*" if isinstance(item, list) else key, is_key
            if sort not in seen:
                seen.add(sort)
                yield item, key, is_key


def swept(program: Any, marker: str) -> Iterator[Any]:
    """The program with a third of the payloads, in turn, in each sort of place of a string."""
    text = json.dumps(program)
    count = sum(1 for _ in strings(program))
    for place in range(count):
        for payload in payloads(marker)[place % 3 :: 3]:
            made = json.loads(text)
            holder, key, is_key = next(itertools.islice(strings(made), place, None))
            if is_key:
                entries = [(payload if name == key else name, one) for name, one in holder.items()]
                holder.clear()
                holder.update(entries)
            else:
                holder[key] = payload
            yield made


def deep(kind: str, levels: int, leaf: Any) -> Any:
    """A tree of lists or dictionaries of so many levels."""
    for _ in range(levels):
        leaf = {"dict": [["k", leaf]]} if kind == "dict" else {kind: [leaf]}
    return leaf


def _form(program: Any) -> Any:
    return program["forms"][0]


def _node(program: Any, number: int = 0) -> Any:
    return _form(program)["nodes"][number]


def _operator(program: Any, name: str) -> int:
    """The number of an operator, which is put in its place among the others."""
    before = list(program["operators"])
    program["operators"] = sorted({*before, name})
    for graph in [*program["graphs"], *program["forms"]]:
        for node in graph["nodes"]:
            node["op"] = program["operators"].index(before[node["op"]])
    number: int = program["operators"].index(name)
    return number


def _with_node(op: str, args: Any, **kwargs: Any) -> Callable[[Any], None]:
    """The first node of the first form runs that operator with these arguments."""

    def edit(program: Any) -> None:
        made = {"op": _operator(program, op), "args": args}
        if kwargs:
            made["kwargs"] = kwargs
        _form(program)["nodes"].insert(0, made)
        _shift(_form(program), 1)

    return edit


def _shift(form: Any, by: int, place: int = 0) -> None:
    """Renumber the values of nodes after some were put at a place among them."""
    first = len(form["state"]) + _inputs(form) + place

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            if value.keys() == {"value"} and value["value"] >= first:
                value["value"] += by
            else:
                walk(list(value.values()))

    walk(form["nodes"][place + by :])
    walk(form["outputs"])


def _inputs(form: Any) -> int:
    leaves = 0
    stack: list[Any] = [form["args"], [tree for _, tree in form["kwargs"]]]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            ((kind, content),) = item.items()
            if kind in ("tensor", "integer", "constant"):
                leaves += 1
            else:
                stack.append([one for _, one in content] if kind == "dict" else content)
    return leaves


def _set(*path: Any, to: Any) -> Callable[[Any], None]:
    def edit(program: Any) -> None:
        holder = program
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = to

    return edit


def _run_itself(program: Any) -> None:
    """A graph that runs itself, through control flow."""
    name = "control::cond"
    number = program["operators"].index(name)
    graph = program["graphs"][0]
    call = {"op": number, "args": [True, {"graph": 0}, {"graph": 0}, [{"value": 0}]]}
    graph["nodes"] = [call]


def _run_deeply(program: Any) -> None:
    """Each graph runs the one before it twice: 2**40 calls."""
    cond, item = (_operator(program, name) for name in ("control::cond", "operator::getitem"))
    cond = program["operators"].index("control::cond")
    graphs = program["graphs"]
    for depth in range(2, 42):
        run = [True, {"graph": depth - 1}, {"graph": depth - 1}]
        nodes = [
            {"op": cond, "args": [*run, [{"value": 0}]]},
            {"op": item, "args": [{"value": 1}, 0]},
            {"op": cond, "args": [*run, [{"value": 2}]]},
            {"op": item, "args": [{"value": 3}, 0]},
        ]
        graphs.append({"inputs": 1, "nodes": nodes, "outputs": [{"value": 4}]})


NODE = ("forms", 0, "nodes", 0)
X = {"value": 0}
BIG = 2**40
# What JSON of an archive can't have is refused by the parser all the same.
UNWRITABLE: dict[str, Callable[[Any], None]] = {
    "an input that nests": _set("forms", 0, "args", 0, to=deep("list", 5000, {"tensor": [1]})),
    "an output that nests": _set("forms", 0, "outputs", to=deep("dict", 5000, None)),
    "a string of megabytes": _with_node("aten::einsum", ["a" * (1 << 20), [X]]),
}
EDITS: dict[str, Callable[[Any], None]] = {
    "no operators": _set("operators", to=[]),
    "operators that are numbers": _set("operators", 0, to=3),
    "an operator twice": lambda p: p["operators"].append(p["operators"][0]),
    "an operator that nothing names": lambda p: p["operators"].append("aten::zeros_like"),
    "operators out of order": lambda p: p["operators"].reverse(),
    "a program with more": _set("python", to="print(1)"),
    "a node with more": _set(*NODE, "target", to="os.system"),
    "a node with a name": _set(*NODE, "name", to="x = 1; import os #"),
    "an operator by name": _set(*NODE, "op", to="aten::add.Tensor"),
    "an operator that is not there": _set(*NODE, "op", to=10_000),
    "an operator before the first": _set(*NODE, "op", to=-1),
    "an operator that is true": _set(*NODE, "op", to=True),
    "arguments that are an object": _set(*NODE, "args", to={"value": 0}),
    "a value that is not there yet": _set(*NODE, "args", to=[{"value": 10_000}]),
    "a value before the first": _set(*NODE, "args", to=[{"value": -1}]),
    "a value of two kinds": _set(*NODE, "args", to=[{"value": 0, "graph": 0}]),
    "a value of no kind": _set(*NODE, "args", to=[{"call": "os.system"}]),
    "a class": _set(*NODE, "args", to=[{"type": "os.system"}]),
    "arguments by other names": _set(*NODE, "kwargs", to={"__class__": 1}),
    "arguments by name that are source": _set(*NODE, "kwargs", to={"x=print(1)": 1}),
    "lists in lists": _set(*NODE, "args", to=[[[[[[[{"value": 0}]]]]]]]),
    "from a file": _with_node("aten::from_file", ["/etc/passwd", False, 10]),
    "to a file": _with_node("aten::save", [X, "/tmp/x"]),
    "an operator of Python": _with_node("prim::Print", [X]),
    "a getter of attributes": _with_node("operator::attrgetter", ["__class__"]),
    "an item by a string": _with_node("operator::getitem", [X, "__class__"]),
    "an item of a tensor": _with_node("operator::getitem", [X, 0]),
    "memory that is not set": _with_node("aten::empty.memory_format", [[4]]),
    "a view of any memory": _with_node("aten::as_strided", [X, [1000], [1]]),
    "another storage": _with_node("aten::set_", [X]),
    "a resize": _with_node("aten::resize_", [X, [10**6]]),
    "a number that is text": _with_node("aten::add.Scalar", [X, "1"]),
    "a tensor that is text": _with_node("aten::relu", ["os.system"]),
    "a tensor that is a list": _with_node("aten::relu", [[X]]),
    "a list that is a tensor": _with_node("aten::cat", [X]),
    "too many arguments": _with_node("aten::relu", [X, X]),
    "too few arguments": _with_node("aten::relu", []),
    "an argument twice": _with_node("aten::relu", [X], self=X),
    "a tensor of terabytes": _with_node("aten::full", [[BIG], 1]),
    "zeros of terabytes": _with_node("aten::zeros", [[2**20, 2**20]]),
    "repeats of terabytes": _with_node("aten::repeat", [X, [BIG, 1]]),
    "padding of terabytes": _with_node("aten::constant_pad_nd", [X, [BIG, BIG]]),
    "one-hot of terabytes": _with_node("aten::one_hot", [X, BIG]),
    "a size beyond 64 bits": _with_node("aten::full", [[{"int": "1" + 30 * "0"}], 1]),
    "a size below zero": _with_node("aten::full", [[-5], 1]),
    "a size that is a fraction": _with_node("aten::full", [[{"float": "0x1.8000000000000p+1"}], 1]),
    "another device": _with_node("aten::full", [[2], 1], device={"device": "cuda:0"}),
    "a device of a file": _with_node("aten::full", [[2], 1], device={"device": "/dev/zero"}),
    "a type of another world": _with_node("aten::to.dtype", [X, {"torch_dtype": "object"}]),
    "a quantized type": _with_node("aten::to.dtype", [X, {"torch_dtype": "qint8"}]),
    "a sparse layout": _with_node("aten::full", [[2], 1], layout={"torch_layout": "sparse_csr"}),
    "a dimension of billions": _with_node("aten::sum.dim_IntList", [X, [2**31]]),
    "an equation that is source": _with_node("aten::einsum", ["__import__('os')", [X]]),
    "a way to round that is source": _with_node(
        "aten::div.Tensor_mode", [X, X], rounding_mode="floor;import os"
    ),
    "a graph as an argument": _with_node("aten::relu", [{"graph": 0}]),
    "control flow that is none": _with_node("control::exec", [X]),
    "control flow by another name": _with_node("higher_order::cond", [True, {"graph": 0}]),
    "a condition without graphs": _with_node("control::cond", [True, X, X, [X]]),
    "a graph that is not there": _with_node(
        "control::cond", [True, {"graph": 99}, {"graph": 99}, [X]]
    ),
    "a graph that runs itself": _run_itself,
    "graphs that run one another": _run_deeply,
    "a graph that nothing runs": lambda p: p["graphs"].append(copy.deepcopy(p["graphs"][0])),
    "graphs with other inputs": _set("graphs", 0, "inputs", to=3),
    "a graph of a billion inputs": _set("graphs", 0, "inputs", to=10**9),
    "a graph that gives another number": _set("graphs", 0, "outputs", to=[]),
    "a form of an object": _set("forms", 0, to={}),
    "a form twice": lambda p: p["forms"].append(copy.deepcopy(p["forms"][0])),
    "no forms": _set("forms", to=[]),
    "state that is not there": _set("forms", 0, "state", 0, to=99),
    "state before the first": _set("forms", 0, "state", 0, to=-1),
    "state twice": lambda p: _form(p)["state"].append(_form(p)["state"][0]),
    "a slot without a name": _set("state", 0, "names", to=[]),
    "a slot of another name": _set("state", 0, "names", to=["nowhere.weight"]),
    "a slot of a tensor that is another": _set("state", 0, "names", 1, to="linear.bias"),
    "a slot of another kind": _set("state", 0, "kind", to="hook"),
    "a parameter that is a method": _set("state", 0, "names", 0, to="forward"),
    "a parameter of a class": _set("state", 0, "names", 0, to="__class__.weight"),
    "a part of the dictionary": _set("state", 0, "names", 0, to="__dict__.weight"),
    "a part among the parts": _set("state", 0, "names", 0, to="_modules.weight"),
    "a name of nothing": _set("state", 0, "names", 0, to=""),
    "a name of dots": _set("state", 0, "names", 0, to="..."),
    "a name with a break": _set("state", 0, "names", 0, to="linear\n.weight"),
    "a tensor and a part": _set("state", 0, "names", 0, to="linear"),
    "no entries": _set("entries", to={}),
    "an entry that is a method": _set("entries", "state_dict", to={"eval": 0}),
    "an entry that is hidden": _set("entries", "__reduce__", to={"eval": 0}),
    "an entry that calls": _set("entries", "__call__", to={"eval": 0}),
    "an entry that is source": _set("entries", "x):import os#", to={"eval": 0}),
    "an entry in a third mode": _set("entries", "encode", to={"debug": 0}),
    "an entry without a form": _set("entries", "encode", to={"eval": 99}),
    "training that is a number": _set("training", to=1),
    "sizes below zero": _set("forms", 0, "args", 0, to={"tensor": [-1, 4]}),
    "sizes that are text": _set("forms", 0, "args", 0, to={"tensor": ["s0*2", 4]}),
    "sizes that are expressions": _set(
        "forms", 0, "args", 0, to={"tensor": [{"expression": "s0*2"}, 4]}
    ),
    "a size times nothing": _set(
        "forms", 0, "args", 0, to={"tensor": [{"symbol": 0, "times": 0}, 4]}
    ),
    "a symbol that is not there": _set("forms", 0, "args", 0, to={"tensor": [{"symbol": 9}, 4]}),
    "bounds in the wrong order": _set("forms", 0, "symbols", 0, to=[9, 3]),
    "a bound that is text": _set("forms", 0, "symbols", 0, to=["0", 3]),
    "a hundred dimensions": _set("forms", 0, "args", 0, to={"tensor": [1] * 100}),
    "an input of a class": _set("forms", 0, "args", 0, to={"namedtuple": ["os", []]}),
    "an input that is an object": _set("forms", 0, "args", 0, to={"object": "os.system"}),
    "an output of a class": _set("forms", 0, "outputs", to={"class": "os.system", "args": []}),
    "an output that is not there": _set("forms", 0, "outputs", to={"value": 10_000}),
    "an output that is a graph": _set("forms", 0, "outputs", to={"graph": 0}),
    "an output with equal keys": _set(
        "forms", 0, "outputs", to={"dict": [["a", None], ["a", None]]}
    ),
    "an output with a key that is none": _set("forms", 0, "outputs", to={"dict": [[None, 1]]}),
    "names of arguments that repeat": _set("forms", 0, "parameters", to=["x", "x"]),
    "more names than arguments": _set("forms", 0, "parameters", to=list("abcdefgh")),
    "names of arguments that are none": _set("forms", 0, "parameters", to=[1, 2]),
    "an argument by two names": lambda p: _form(p)["kwargs"].append(["x", {"constant": 1}]),
}


def _chain(*nodes: tuple[str, Any]) -> Callable[[Any], None]:
    """Nodes in front of the others, the last first; `-1` stands for the value of the one before."""

    def edit(program: Any) -> None:
        form = _form(program)
        numbers = {name: _operator(program, name) for name, _ in nodes}
        numbers = {name: program["operators"].index(name) for name in numbers}
        first = len(form["state"]) + _inputs(form)
        made = []
        for place, (name, args) in enumerate(nodes):
            made.append({"op": numbers[name], "args": _resolved(args, first + place - 1)})
        form["nodes"][:0] = made
        _shift(form, len(made))

    return edit


def _resolved(value: Any, last: int) -> Any:
    if isinstance(value, list):
        return [_resolved(item, last) for item in value]
    return {"value": last} if value == {"value": -1} else value


LAST = {"value": -1}
# What no check of a file can see, since it is computed: loaded, and then it must do no harm.
CALLS: dict[str, Callable[[Any], None]] = {
    "a range of terabytes": _with_node("aten::arange", [BIG]),
    "a computed size of terabytes": _chain(
        ("aten::sym_size.int", [X, 1]),
        ("operator::pow", [LAST, 15]),
        ("aten::zeros", [[LAST, LAST]]),
    ),
    "a number without end": _chain(
        ("aten::sym_size.int", [X, 1]),
        ("operator::pow", [LAST, 31]),
        ("operator::pow", [LAST, 64]),
        ("operator::pow", [LAST, 64]),
    ),
    "a shift without end": _chain(
        ("aten::sym_size.int", [X, 1]), ("operator::lshift", [LAST, 2**40])
    ),
    "a division by nothing": _chain(
        ("aten::sym_size.int", [X, 1]), ("operator::floordiv", [LAST, 0])
    ),
    "a view of more than there is": _with_node("aten::view", [X, [2**20, 2**10]]),
    "a row far outside": _with_node("aten::select.int", [X, 0, 2**40]),
    "a row before the first": _with_node("aten::select.int", [X, 0, -(2**40)]),
    "a tensor where a number must be": _chain(("operator::mul", [X, X])),
    "a number where a tensor must be": _chain(
        ("aten::sym_size.int", [X, 1]), ("aten::relu", [LAST])
    ),
    "a tensor for a size": _with_node("aten::zeros", [[X]]),
    "an embedding far outside": _chain(
        ("aten::full", [[4], 2**40]), ("aten::embedding", [{"value": 1}, LAST])
    ),
    "an index far outside": _chain(
        ("aten::full", [[4], 2**40]), ("aten::index.Tensor", [X, [LAST]])
    ),
    "an index that is written far outside": _chain(
        ("aten::full", [[4], 2**40]), ("aten::index_fill_.int_Scalar", [{"value": 1}, 0, LAST, 0])
    ),
    "an expansion that is written": _chain(
        ("aten::expand", [X, [2**20, -1, 4]]), ("aten::add_.Scalar", [LAST, 1])
    ),
}


LITERALS: dict[str, list[Any]] = {
    "int": [-1, 0, 1, 2, 3, -2, 4, 7, 64, -64, 2**20, 2**31, 2**40],
    "float": [0, 1, -1, {"float": "inf"}, {"float": "nan"}, {"float": "0x1.0000000000000p-1"}],
    "bool": [True, False],
    "str": ["none", "mean", "sum", "reflect", "constant", "ij", "os.system"],
    "ScalarType": [{"torch_dtype": name} for name in ("float32", "int64", "bool", "complex64")],
    "MemoryFormat": [{"torch_memory_format": "channels_last"}],
}
LITERALS["SymInt"] = LITERALS["int"]
LITERALS["Scalar"] = [*LITERALS["int"], *LITERALS["float"], *LITERALS["bool"]]


def grafted(program: Any, seed: int) -> Any:
    """The program with a call of any operator in it, on values of the graph and odd literals."""
    rng = random.Random(seed)
    made = copy.deepcopy(program)
    row = OPERATORS[rng.choice(sorted(OPERATORS))]
    number = _operator(made, row.name)
    form = rng.choice(made["forms"])
    place = rng.randrange(len(form["nodes"]) + 1)
    there = len(form["state"]) + _inputs(form) + place

    def one(kind: Any) -> Any:
        if kind.base == "Tensor" or rng.random() < 0.1:
            return {"value": rng.randrange(there)}
        return rng.choice(LITERALS.get(kind.base, [None]))

    args, kwargs = [], {}
    for argument in row.signature.arguments:
        if not argument.required and rng.random() < 0.6:
            break
        kind = argument.kind
        value = [one(kind) for _ in range(rng.randrange(4))] if kind.many else one(kind)
        if argument.keyword:
            kwargs[argument.name] = value
        else:
            args.append(value)
    form["nodes"].insert(
        place, {"op": number, "args": args, **({"kwargs": kwargs} if kwargs else {})}
    )
    _shift(form, 1, place)
    _redirect(form["nodes"][place + 1 :], there, rng)
    return made


def _redirect(nodes: Any, value: int, rng: random.Random) -> None:
    """One of the values that later nodes take is that one."""
    taken = [
        (node["args"], index)
        for node in nodes
        for index, argument in enumerate(node["args"])
        if isinstance(argument, dict) and argument.keys() == {"value"}
    ]
    if taken:
        holder, index = rng.choice(taken)
        holder[index] = {"value": value}
