"""Programs of hostile signers: what they make of a good one that has something of everything.

`EDITS` change the program of `Rich` (tensorflow_rich.py) so that it must be refused when it is
loaded, `CALLS` so that it can be loaded and must do no harm when it is called. `payloads` are
strings that somebody would put wherever a program has a string. Imports no TensorFlow.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from safemodel.adapters.tensorflow.table import table
from tests.adapters.mutate import mutate

Edit = Callable[[Any], None]


def edited(program: Any, edit: Edit) -> Any:
    made = copy.deepcopy(program)
    edit(made)
    return made


# Strings


def payloads(marker: str) -> list[str]:
    """Strings that would make `marker` a file, or reach something that is in no table."""
    call = f"__import__('pathlib').Path({marker!r}).touch()"
    return [
        call,
        f"x);{call}#",
        f"x\n    {call}\n",
        f"{{{call}}}",
        f"lambda: {call}",
        "os.system",
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "PyFunc",
        "EagerPyFunc",
        "SaveV2",
        "RestoreV2",
        "VarHandleOp",
        "DebugIdentityV2",
        "PrintV2",
        "XlaLaunch",
        "_XlaRun",
        "_Send",
        "_Recv",
        "_HostSend",
        "Placeholder",
        "_Arg",
        "_Retval",
        "SymbolicGradient",
        "AddV2 ",
        "addv2",
        "tf.raw_ops.AddV2",
        "__class__",
        "__dict__",
        "__globals__",
        "__call__",
        "variables",
        "_program",
        "_setattr_tracking",
        "..",
        f"../../../../../../..{marker}",
        marker,
        f"file://{marker}",
        f"/job:localhost/task:0{marker}",
        "/device:CPU:0",
        "resource",
        "variant",
        "string",
        "float32_ref",
        "qint8",
        "",
        "\x00",
        "a" * 4096,
        "é.ü",
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


def swept(program: Any, marker: str, step: int) -> Iterator[Any]:
    """The program with one payload of so many, in turn, in each sort of place of a string."""
    text = json.dumps(program)
    count = sum(1 for _ in strings(program))
    for place in range(count):
        for payload in payloads(marker)[place % step :: step]:
            made = json.loads(text)
            holder, key, is_key = next(itertools.islice(strings(made), place, None))
            if is_key:
                entries = [(payload if name == key else name, one) for name, one in holder.items()]
                holder.clear()
                holder.update(entries)
            else:
                holder[key] = payload
            yield made


# Edits


def _main(program: Any) -> Any:
    """The function of the first entry, and of it the last: others come before it."""
    return program["functions"][program["entries"]["__call__"]["function"]]


def _first(program: Any, op: str) -> Any:
    return next(
        node for function in program["functions"] for node in function["nodes"] if node["op"] == op
    )


def _shift(function: Any, by: int, place: int = 0) -> None:
    """Renumber the nodes of a function after some were put at a place among them."""

    def moved(number: Any) -> Any:
        return number + by if isinstance(number, int) and number >= place else number

    for node in function["nodes"][place + by :]:
        node["in"] = [[moved(first), second] for first, second in node["in"]]
        if "after" in node:
            node["after"] = [moved(one) for one in node["after"]]
    function["outputs"] = [[moved(first), second] for first, second in function["outputs"]]


def _with_nodes(*nodes: Any) -> Edit:
    """Nodes in front of the others of the main function."""

    def edit(program: Any) -> None:
        function = _main(program)
        function["nodes"][:0] = copy.deepcopy(list(nodes))
        _shift(function, len(nodes))

    return edit


def node(op: str, *inputs: Any, **attrs: Any) -> Any:
    made = {"op": op, "in": list(inputs)}
    return {**made, "attrs": attrs} if attrs else made


def _with(op: str, *inputs: Any, **attrs: Any) -> Edit:
    return _with_nodes(node(op, *inputs, **attrs))


def const(value: Any, dtype: str = "int32", shape: Any = ()) -> Any:
    values = value if isinstance(value, list) else [value]
    said = {"dtype": dtype, "shape": list(shape), "values": values}
    return node("Const", dtype=dtype, value=said)


def _set(*path: Any, to: Any) -> Edit:
    def edit(program: Any) -> None:
        holder = program
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = to

    return edit


def _in_main(*path: Any, to: Any) -> Edit:
    return lambda program: _set(*path, to=to)(_main(program))


def _in_first(op: str, *path: Any, to: Any) -> Edit:
    return lambda program: _set(*path, to=to)(_first(program, op))


def _in_call(*path: Any, to: Any) -> Edit:
    return _set("entries", "__call__", *path, to=to)


def _own_number(key: str, of: str, ahead: int = 0) -> Edit:
    """A node names its own function, or one after it."""

    def edit(program: Any) -> None:
        for number, function in enumerate(program["functions"]):
            for one in function["nodes"]:
                if one["op"] == of:
                    one["attrs"][key] = {"function": number + ahead}

    return edit


def _deep_calls(program: Any) -> None:
    """Each function calls the one before it twice: 2**40 calls."""
    shape = {"dtype": "float32", "shape": None}
    made = [{"inputs": [shape], "nodes": [], "outputs": [["in", 0]]}]
    for number in range(40):
        attrs = {"Tin": ["float32"], "Tout": ["float32"], "f": {"function": number}}
        nodes = [
            {"op": "PartitionedCall", "in": [["in", 0]], "attrs": attrs},
            {"op": "PartitionedCall", "in": [[0, 0]], "attrs": attrs},
        ]
        made.append({"inputs": [shape], "nodes": nodes, "outputs": [[1, 0]]})
    _add_functions(program, made)


def _add_functions(program: Any, made: Any) -> None:
    """Functions before the others, whose numbers change."""

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            if "function" in value:
                value["function"] += len(made)
            for item in value.values():
                walk(item)

    walk(program["functions"])
    walk(program["entries"])
    program["functions"][:0] = made


def _nested(kind: str, levels: int, leaf: Any) -> Any:
    for _ in range(levels):
        leaf = {"dict": [["k", leaf]]} if kind == "dict" else {kind: [leaf]}
    return leaf


def _variable(program: Any) -> list[Any]:
    """References to the inputs of the main function that are variables."""
    inputs = enumerate(_main(program)["inputs"])
    return [["in", place] for place, one in inputs if "variable" in one]


def _of_variable(op: str, **attrs: Any) -> Edit:
    """An operator gets a variable where it wants a tensor."""

    def edit(program: Any) -> None:
        _with(op, _variable(program)[0], **attrs)(program)

    return edit


def _give_variable(program: Any) -> None:
    _main(program)["outputs"][0] = _variable(program)[0]


def _pass_variable(program: Any) -> None:
    """A function that gives the variable that it gets."""
    shape = {"variable": {"dtype": "float32", "shape": [4, 4]}}
    _add_functions(program, [{"inputs": [shape], "nodes": [], "outputs": [["in", 0]]}])
    place = next(
        place for place, one in enumerate(_main(program)["inputs"])
        if one.get("variable", {}).get("dtype") == "float32"
    )  # fmt: skip
    attrs = {"Tin": ["resource"], "Tout": ["resource"], "f": {"function": 0}}
    _with("StatefulPartitionedCall", ["in", place], **attrs)(program)


def _swap_captures(program: Any) -> None:
    captures = program["entries"]["__call__"]["captures"]
    captures.reverse()


I0, N0 = ["in", 0], [0, 0]
F32 = "float32"
BIG = 2**40
# What JSON of an archive can't have is refused by the parser all the same.
UNWRITABLE: dict[str, Edit] = {
    "an argument that nests": _in_call("args", 0, to=_nested("list", 5000, {"input": 0})),
    "a result that nests": _in_call("result", to=_nested("dict", 5000, {"constant": None})),
    "text of megabytes": _in_call("result", to={"constant": "a" * (1 << 20)}),
}
EDITS: dict[str, Edit] = {
    # the program
    "a program with more": _set("python", to="print(1)"),
    "no functions": _set("functions", to=[]),
    "functions by name": _set("functions", to={"f": {}}),
    "a function that nothing calls": lambda p: p["functions"].append(p["functions"][0]),
    "a function with a name": _in_main("name", to="x"),
    "a function that is text": _set("functions", 0, to="tf.io.read_file"),
    # nodes
    "a node with a name": _in_main("nodes", 0, "name", to="x/y:0"),
    "a node with a device": _in_main("nodes", 0, "device", to="/job:worker/task:1"),
    "an operator by number": _in_main("nodes", 0, "op", to=3),
    "an operator that is not there": _with("Nothing", I0),
    "an operator in another case": _with("relu", I0),
    "an operator that is source": _with("Relu;import os", I0),
    "a function as an operator": _with("__inference_f_1", I0),
    "a gradient by name": _with("SymbolicGradient", I0, Tin=[F32], Tout=[F32], f={"function": 0}),
    "a placeholder": _with("Placeholder", dtype=F32, shape=[4]),
    "an argument as a node": _with("_Arg", T=F32, index=0),
    "inputs that are an object": _in_main("nodes", 0, "in", to={"x": I0}),
    "an input by name": _with("Relu", "x:0", T=F32),
    "an input of three": _with("Relu", ["in", 0, 0], T=F32),
    "an input of another sort": _with("Relu", ["out", 0], T=F32),
    "an input below zero": _with("Relu", ["in", -1], T=F32),
    "an input that is not there": _with("Relu", ["in", 999], T=F32),
    "an input that is true": _with("Relu", ["in", True], T=F32),
    "an output that is not there": _with_nodes(
        node("Relu", I0, T=F32), node("Relu", [0, 1], T=F32)
    ),
    "an output below zero": _with_nodes(node("Relu", I0, T=F32), node("Relu", [0, -1], T=F32)),
    "a node that takes itself": _with("Relu", N0, T=F32),
    "a node that takes a later one": _with("Relu", [1, 0], T=F32),
    "a node before the first": _with("Relu", [-1, 0], T=F32),
    "a circle": _with_nodes(node("Relu", [1, 0], T=F32), node("Relu", N0, T=F32)),
    "a node that waits for itself": _with_nodes({**node("Relu", I0, T=F32), "after": [0]}),
    "a node that waits for a later one": _with_nodes({**node("Relu", I0, T=F32), "after": [3]}),
    "a node that waits for text": _with_nodes({**node("Relu", I0, T=F32), "after": ["^x"]}),
    "a node that waits for nothing": _with_nodes({**node("Relu", I0, T=F32), "after": []}),
    "a node that waits twice": _with_nodes(
        node("Relu", I0, T=F32), {**node("Relu", I0, T=F32), "after": [0, 0]}
    ),
    "too few inputs": _with("AddV2", I0, T=F32),
    "too many inputs": _with("Relu", I0, I0, T=F32),
    "an input of another type": _with("Relu", I0, T="float64"),
    "inputs of two types": _with_nodes(const(1), node("AddV2", I0, N0, T=F32)),
    "text where numbers are": _with_nodes(const("x", "string"), node("AddV2", I0, N0, T=F32)),
    # attributes
    "an attribute that is not there": _with("Relu", I0, T=F32, f="x"),
    "a hidden attribute": _with("Relu", I0, T=F32, _class=["loc:@x"]),
    "a gradient as an attribute": _with("Relu", I0, T=F32, _gradient_op_type="PyFunc"),
    "a compiler as an attribute": _with("Relu", I0, T=F32, _XlaMustCompile=True),
    "an attribute that is missing": _with("Cast", I0, SrcT=F32),
    "an attribute of another kind": _with("MatMul", I0, I0, T=F32, transpose_a=1),
    "an attribute that is a list": _with("MatMul", I0, I0, T=F32, transpose_a=[True]),
    "a type that is none": _with("Cast", I0, SrcT=F32, DstT="object"),
    "a type by number": _with("Cast", I0, SrcT=F32, DstT=1),
    "a type of references": _with("Cast", I0, SrcT=F32, DstT="float32_ref"),
    "a type that is a resource": _with("Cast", I0, SrcT=F32, DstT="resource"),
    "a type that the operator has not": _with("Relu", I0, T="string"),
    "a list as a number": _with("ConcatV2", I0, I0, I0, N=BIG, T=F32),
    "a list of more than there is": _with("AddN", I0, N=3, T=F32),
    "a list of fewer than one": _with("AddN", N=0, T=F32),
    "a list below zero": _with("AddN", N=-1, T=F32),
    "outputs without end": _with("Unpack", I0, T=F32, num=BIG),
    "a split without end": _with_nodes(const(0), node("Split", N0, I0, T=F32, num_split=BIG)),
    "an attribute that is written without need": _with("MatMul", I0, I0, T=F32, transpose_a=False),
    "attributes that are empty": _with_nodes({**node("Relu", I0), "attrs": {}}),
    "a padding that is source": _with(
        "MaxPool", I0, ksize=[1, 1, 1, 1], strides=[1, 1, 1, 1], padding="os.system"
    ),
    "an order of axes that is text": _with(
        "MaxPool",
        I0,
        ksize=[1, 1, 1, 1],
        strides=[1, 1, 1, 1],
        padding="SAME",
        data_format="%n%n",
    ),
    "a float that is text": _with("LeakyRelu", I0, alpha="0.2"),
    "a float as a number": _with("LeakyRelu", I0, alpha=1),
    "a float of no number": _with("LeakyRelu", I0, alpha={"float": "print(1)"}),
    # constants
    "a constant of terabytes": _with(
        "Const", dtype="int32", value={"dtype": "int32", "shape": [BIG], "values": [0]}
    ),
    "a constant of more than it says": _with(
        "Const", dtype="int32", value={"dtype": "int32", "shape": [1], "values": [0, 1]}
    ),
    "a constant of sizes below zero": _with(
        "Const", dtype="int32", value={"dtype": "int32", "shape": [-1], "values": []}
    ),
    "a constant out of its range": _with(
        "Const", dtype="int8", value={"dtype": "int8", "shape": [], "values": [300]}
    ),
    "a constant of two types": _with(
        "Const", dtype="int64", value={"dtype": "int32", "shape": [], "values": [0]}
    ),
    "a constant of a resource": _with(
        "Const", dtype="resource", value={"dtype": "resource", "shape": [], "bytes": ""}
    ),
    "a constant of a variant": _with(
        "Const", dtype="variant", value={"dtype": "variant", "shape": [], "bytes": ""}
    ),
    "a constant of bytes that lack": _with(
        "Const", dtype=F32, value={"dtype": F32, "shape": [2], "bytes": "00"}
    ),
    "a constant of bytes that are none": _with(
        "Const", dtype=F32, value={"dtype": F32, "shape": [], "bytes": "zz zz zz"}
    ),
    "a constant with too many axes": _with(
        "Const", dtype="int32", value={"dtype": "int32", "shape": [1] * 300, "values": [0]}
    ),
    "a constant that is nowhere": _with("Const", dtype=F32, value={"tensor": "../secret"}),
    "a constant of the state": _with("Const", dtype=F32, value={"tensor": "state.w"}),
    "a constant that is a proto": _with("Const", dtype=F32, value={"proto": "CAES"}),
    # functions
    "a function that is not there": _in_first(
        "StatelessWhile", "attrs", "body", to={"function": 10_000}
    ),
    "a function before the first": _in_first(
        "StatelessWhile", "attrs", "body", to={"function": -1}
    ),
    "a function by name": _in_first("StatelessWhile", "attrs", "body", to={"function": "body"}),
    "a function as a number": _in_first("StatelessWhile", "attrs", "body", to=0),
    "a function with attributes": _in_first(
        "StatelessWhile", "attrs", "body", to={"function": 0, "attrs": {}}
    ),
    "a function that runs itself": _own_number("body", "StatelessWhile"),
    "a function that runs a later one": _own_number("body", "StatelessWhile", 1),
    "functions that run one another": _deep_calls,
    "a function of other inputs": lambda p: _set(
        "cond", to=_first(p, "StatelessWhile")["attrs"]["body"]
    )(_first(p, "StatelessWhile")["attrs"]),
    "a function where none is": _with("Relu", I0, T=F32, f={"function": 0}),
    "a call without a function": _with("PartitionedCall", I0, Tin=[F32], Tout=[F32]),
    "a call far away": _with("RemoteCall", I0, I0, Tin=[F32], Tout=[F32], f={"function": 0}),
    "a batch of calls": _with(
        "BatchFunction",
        I0,
        Tin=[F32],
        Tcaptured=[],
        Tout=[F32],
        f={"function": 0},
        num_batch_threads=1000,
        max_batch_size=1,
        batch_timeout_micros=1,
    ),
    "a loop side by side": _in_first("StatelessWhile", "attrs", "parallel_iterations", to=BIG),
    "a loop of no type": _in_first("StatelessWhile", "attrs", "T", to=[]),
    # variables
    "a variable that a node makes": _with("VarHandleOp", dtype=F32, shape=[4], shared_name="w"),
    "a variable as a tensor": _of_variable("Relu", T=F32),
    "a variable as any": _of_variable("Identity", T="resource"),
    "a variable in a list": lambda p: _with("Pack", *_variable(p)[:2], N=2, T="resource")(p),
    "a variable that is given": _give_variable,
    "a variable that a function gives": _pass_variable,
    "a variable of another type": _of_variable("ReadVariableOp", dtype="float64"),
    "a variable read as text": _of_variable("ReadVariableOp", dtype="string"),
    "a tensor as a variable": _with("ReadVariableOp", I0, dtype=F32),
    "a text as a variable": _with_nodes(
        const("w", "string"), node("ReadVariableOp", N0, dtype=F32)
    ),
    "a variable that is destroyed": _of_variable("DestroyResourceOp"),
    "a variable that is a table": _of_variable("LookupTableSizeV2"),
    "a variable that is an iterator": _of_variable(
        "IteratorGetNext", output_types=[F32], output_shapes=[[4]]
    ),
    "an argument that is a variable": lambda p: _set(
        "inputs", 0, to={"variable": {"dtype": F32, "shape": [-1, 4]}}
    )(_main(p)),
    "an input of a variant": lambda p: _set("inputs", 0, to={"dtype": "variant", "shape": []})(
        _main(p)
    ),
    "an input of a resource": lambda p: _set("inputs", 0, to={"dtype": "resource", "shape": []})(
        _main(p)
    ),
    "an input with a name": lambda p: _set(
        "inputs", 0, to={"dtype": F32, "shape": [-1, 4], "name": "x"}
    )(_main(p)),
    "an input of a size below zero": lambda p: _set(
        "inputs", 0, to={"dtype": F32, "shape": [-2, 4]}
    )(_main(p)),
    "an input of too many axes": lambda p: _set("inputs", 0, to={"dtype": F32, "shape": [1] * 300})(
        _main(p)
    ),
    "captures in another order": _swap_captures,
    "captures that lack": lambda p: p["entries"]["__call__"]["captures"].pop(),
    "captures twice": lambda p: p["entries"]["__call__"]["captures"].extend(
        p["entries"]["__call__"]["captures"]
    ),
    "a capture by name": _in_call("captures", 0, to={"variable": "w"}),
    "a capture of Python": _in_call("captures", 0, to={"object": "os.system"}),
    "a capture that is nowhere": _in_call("captures", 0, to={"variable": ["nowhere"]}),
    "a capture of a class": _in_call("captures", 0, to={"variable": ["__class__"]}),
    "a capture of a tensor that is nowhere": _in_call("captures", 0, to={"tensor": "nowhere"}),
    # entries
    "no entries": _set("entries", to={}),
    "entries in a list": _set("entries", to=[]),
    "an entry with more": _in_call("code", to="print(1)"),
    "an entry of Python": _set("entries", "__reduce__", to={}),
    "an entry of no function": _in_call("function", to=99),
    "an entry of a function by name": _in_call("function", to="f"),
    "an entry of a loop's function": _in_call("function", to=0),
    "a signature that takes arguments by position": lambda p: p.update(
        signatures={"serving_default": p["entries"]["encode"]}
    ),
    "a signature with a name that breaks": lambda p: p.update(
        signatures={"a\nb": p["entries"]["encode"]}
    ),
    "signatures in a list": _set("signatures", to=[]),
    "no signatures, but a place for them": _set("signatures", to={}),
    "arguments that are an object": _in_call("args", to={}),
    "an argument twice": _in_call("args", 0, to={"tuple": [{"input": 0}, {"input": 0}]}),
    "an argument that is not there": _in_call("args", 0, to={"input": 99}),
    "an argument left out": _in_call("args", 0, to={"constant": None}),
    "an argument of a class": _in_call("args", 0, to={"object": "os.system"}),
    "an argument of a named tuple": _in_call("args", 0, to={"namedtuple": ["os", []]}),
    "a name that is no identifier": _in_call("parameters", to=["x=print(1)"]),
    "a name of text that breaks": _in_call("parameters", to=["x\n"]),
    "names that repeat": _in_call("parameters", to=["x", "x"]),
    "more names than arguments": _in_call("parameters", to=list("abcdefgh")),
    "names that are numbers": _in_call("parameters", to=[1, 2]),
    "an argument by two names": lambda p: p["entries"]["__call__"]["kwargs"].append(
        [p["entries"]["__call__"]["parameters"][0], {"constant": 1}]
    ),
    "a result that is not there": _in_call("result", to={"output": 99}),
    "a result that is an input": _in_call("result", to={"input": 0}),
    "a result of a class": _in_call("result", to={"class": "os.system"}),
    "a result with equal keys": _in_call(
        "result", to={"dict": [["a", {"output": 0}], ["a", {"output": 0}]]}
    ),
    "a result with a key that is none": _in_call("result", to={"dict": [[None, {"output": 0}]]}),
    "a result without what is computed": _in_call("result", to={"constant": None}),
}
for _name in ("save", "w", "variables", "_variables", "entry", "__class__", "with_name_scope"):
    if _name.startswith("_"):
        EDITS[f"an entry {_name}"] = lambda p, name=_name: p["entries"].update(
            {name: p["entries"].pop("encode")}
        )


def _computed(*nodes: Any) -> Edit:
    """Nodes whose last one is a result, so that they run."""

    def edit(program: Any) -> None:
        _with_nodes(*nodes)(program)
        function, entry = _main(program), program["entries"]["__call__"]
        function["outputs"].append([len(nodes) - 1, 0])
        last = {"output": len(function["outputs"]) - 1}
        entry["result"] = {"tuple": [entry["result"], last]}

    return edit


def _endless(program: Any) -> None:
    """A loop whose list doubles for ever, or until there is no memory."""
    loop = _first(program, "StatelessWhile")["attrs"]
    condition = program["functions"][loop["cond"]["function"]]
    always = {"dtype": "bool", "shape": [], "values": [1]}
    condition["nodes"] = [node("Const", dtype="bool", value=always)]
    condition["outputs"] = [[0, 0]]
    body = program["functions"][loop["body"]["function"]]
    place = next(place for place, one in enumerate(body["inputs"]) if one["dtype"] == F32)
    kept = body["outputs"][place]
    last = len(body["nodes"])
    body["nodes"] += [const(0), node("ConcatV2", kept, kept, [last, 0], N=2, T=F32)]
    body["outputs"][place] = [last + 1, 0]


# What no check of a file can see, since it is computed: loaded, and then it must do no harm.
CALLS: dict[str, Edit] = {
    "a loop without an end": _endless,
    "zeros of terabytes": _computed(
        const([2**20, 2**20], shape=[2]),
        node("Const", dtype=F32, value={"dtype": F32, "shape": [], "bytes": "00000000"}),
        node("Fill", N0, [1, 0], T=F32),
    ),
    "repeats of terabytes": _computed(
        const([2**20, 2**20], shape=[2]), node("Tile", I0, N0, T=F32)
    ),
    "a range of terabytes": _computed(
        const(0, "int64"),
        const(BIG, "int64"),
        const(1, "int64"),
        node("Range", N0, [1, 0], [2, 0], Tidx="int64"),
    ),
    "a shape of another size": _computed(
        const([2**20, 2**10], shape=[2]), node("Reshape", I0, N0, T=F32)
    ),
    "a shape below zero": _computed(const([-5, -7], shape=[2]), node("Reshape", I0, N0, T=F32)),
    "rows far outside": _computed(
        const([2**31 - 1, -(2**31)], shape=[2]),
        const(0),
        node("GatherV2", I0, N0, [1, 0], Tparams=F32, Tindices="int32", Taxis="int32"),
    ),
    "an axis far outside": _computed(
        const([0], shape=[1]),
        const(2**31 - 1),
        node("GatherV2", I0, N0, [1, 0], Tparams=F32, Tindices="int32", Taxis="int32"),
    ),
    "padding of terabytes": _computed(
        const([2**30, 2**30, 2**30, 2**30], shape=[2, 2]), node("Pad", I0, N0, T=F32)
    ),
    "padding below zero": _computed(
        const([-5, -5, -5, -5], shape=[2, 2]), node("Pad", I0, N0, T=F32)
    ),
    "a slice far outside": _computed(
        const([2**31 - 1, 0], shape=[2]),
        const([2**31 - 1, 4], shape=[2]),
        node("Slice", I0, N0, [1, 0], T=F32, Index="int32"),
    ),
    "a division by nothing": _computed(const(1), const(0), node("FloorDiv", N0, [1, 0], T="int32")),
    "a remainder by nothing": _computed(
        const(1), const(0), node("FloorMod", N0, [1, 0], T="int32")
    ),
    "a pattern of another place": _computed(
        const([0, 1, 5], shape=[3]), node("Transpose", I0, N0, T=F32)
    ),
    "an image of terabytes": _computed(
        const([1, 2, 2, 1], shape=[4]),
        node("Reshape", I0, N0, T=F32),
        const([2**20, 2**20], shape=[2]),
        node("ResizeBilinear", [1, 0], [2, 0], T=F32),
    ),
    "one-hot of terabytes": _computed(
        const([1], shape=[1]),
        const(2**31 - 1),
        const(1),
        const(0),
        node("OneHot", N0, [1, 0], [2, 0], [3, 0], T="int32", TI="int32"),
    ),
    "a list of terabytes": _computed(
        const([2**20, 2**20], shape=[2]),
        const(2**31 - 1),
        node("TensorListReserve", N0, [1, 0], element_dtype=F32, shape_type="int32"),
        const([2**20, 2**20], shape=[2]),
        node("TensorListStack", [2, 0], [3, 0], element_dtype=F32),
    ),
    "a bincount of terabytes": _computed(
        const([1], shape=[1]),
        const(2**31 - 1),
        node("Const", dtype=F32, value={"dtype": F32, "shape": [0], "bytes": ""}),
        node("Bincount", N0, [1, 0], [2, 0], T=F32),
    ),
}

HUGE = {name for name in CALLS if "terabytes" in name or "end" in name}


# At random

WORDS = [
    *sorted(table()),
    F32,
    "int32",
    "string",
    "resource",
    "variant",
    "in",
    "tensor",
    "variable",
]


def mutated(program: Any, seed: int) -> Any:
    return mutate(program, seed, WORDS)


def grafted(program: Any, seed: int) -> Any:
    """The program with an operator of another node in place of one that has as many inputs."""
    rng = random.Random(seed)
    made = copy.deepcopy(program)
    nodes = [one for function in made["functions"] for one in function["nodes"]]
    rows = list(table().values())
    for _ in range(rng.choice([1, 1, 2])):
        target = rng.choice(nodes)
        fitting = [
            row
            for row in rows
            if len(row.inputs) == len(target["in"])
            and len(row.outputs) == 1
            and {"T", "Tidx"} & row.attributes.keys()
        ]
        if fitting:
            target["op"] = rng.choice(fitting).name
            attrs = target.get("attrs", {})
            known = table()[target["op"]].attributes
            kept = {name: value for name, value in attrs.items() if name in known}
            target.pop("attrs", None)
            if kept:
                target["attrs"] = kept
        else:
            rng.shuffle(target["in"])
    return made
