"""Operators of TensorFlow that run functions, with functions that aren't what they say.

    python -m tests.adapters.tensorflow_function_calls

Each program is read, built and called, with its gradient, in a process that may die: forked from
one that has imported TensorFlow. Prints a JSON object: the name of each to what became of it.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

from safemodel.adapters.tensorflow.table import table

F32, I32 = "float32", "int32"
SHAPES: list[Any] = [None, [], [2], [3], [2, 2], [0], [-1]]
SECONDS = 40


def const(dtype: str, shape: list[int], *values: Any) -> Any:
    value = {"dtype": dtype, "shape": shape, "values": list(values)}
    return node("Const", dtype=dtype, value=value)


def node(op: str, *inputs: Any, **attrs: Any) -> Any:
    """A node, without attributes that have their default."""
    known = table()[op].attributes
    kept = {name: value for name, value in attrs.items() if value != known[name].default}
    return {"op": op, "in": list(inputs)} | ({"attrs": kept} if kept else {})


def spec(dtype: str, shape: Any) -> Any:
    return {"dtype": dtype, "shape": shape}


def function(inputs: list[Any], outputs: list[Any], *nodes: Any) -> Any:
    return {"inputs": inputs, "nodes": list(nodes), "outputs": outputs}


X = ["in", 0]
INT = {"T": I32}
FLOAT = {"T": F32}
SQUARE = node("Mul", X, X, T=F32)
DOUBLE = (const(I32, [], 0), node("ConcatV2", X, X, [0, 0], T=F32, N=2, Tidx=I32))
FLAT = (const(I32, [1], -1), node("Reshape", X, [0, 0], T=F32, Tshape=I32))
SUM = (const(I32, [1], 0), node("Sum", X, [0, 0], T=F32, Tidx=I32, keep_dims=False))
BODIES = {"square": (SQUARE,), "double": DOUBLE, "flat": FLAT, "sum": SUM}


def body(name: str, shape: Any) -> Any:
    nodes = BODIES[name]
    return function([spec(F32, shape)], [[len(nodes) - 1, 0]], *nodes)


def main(shape: Any, *nodes: Any) -> Any:
    """A function of one tensor that gives what its last node gives, and its shape."""
    last = len(nodes) - 1
    return function(
        [spec(F32, shape)],
        [[last, 0], [last + 1, 0], [last + 2, 0]],
        *nodes,
        node("Shape", [last, 0], T=F32, out_type=I32),
        node("ZerosLike", [last, 0], T=F32),
    )


def calls() -> Iterator[tuple[str, list[Any]]]:
    """Functions that take and give other shapes than they say: the last is called."""
    for inner, name, outer in itertools.product(SHAPES, BODIES, (None, [2])):
        yield (
            f"call {name} {inner} of {outer}",
            [
                body(name, inner),
                main(outer, node("PartitionedCall", X, Tin=[F32], Tout=[F32], f={"function": 0})),
            ],
        )


def branches() -> Iterator[tuple[str, list[Any]]]:
    kinds = {"Tin": [F32], "Tout": [F32]}
    both = {"then_branch": {"function": 0}, "else_branch": {"function": 1}}
    for (one, other), said in itertools.product(
        itertools.permutations(BODIES, 2), (None, [2], [3, 3], [0])
    ):
        shapes = {"output_shapes": [said]}
        for condition in (const("bool", [], 1), const("bool", [2], 0, 1), const(I32, [0])):
            kind = condition["attrs"]["dtype"]
            branch = node("If", [0, 0], X, Tcond=kind, **kinds, **both, **shapes)
            functions = [body(one, None), body(other, [2])]
            yield (
                f"if {one} {other} {said} {condition['attrs']['value']}",
                [
                    *functions,
                    main(None, condition, branch),
                ],
            )
        for index in (-1, 1, 2**31 - 1, -(2**31)):
            chosen = node(
                "Case", [0, 0], X, branches=[{"function": 0}, {"function": 1}], **kinds, **shapes
            )
            yield (
                f"case {one} {other} {said} {index}",
                [
                    body(one, None),
                    body(other, None),
                    main(None, const(I32, [], index), chosen),
                ],
            )


def loops() -> Iterator[tuple[str, list[Any]]]:
    """Loops as TensorFlow makes them: a counter, the most there may be, and a value."""
    taken = [spec(I32, None), spec(I32, None), spec(F32, None)]
    below = (const(I32, [], 3), node("Less", ["in", 0], [0, 0], **INT))
    conditions = {
        "counted": function(taken, [[1, 0]], *below),
        "of one": function(taken, [[2, 0]], *below, node("Pack", [1, 0], T="bool", N=1, axis=0)),
        "empty": function(taken, [[0, 0]], const("bool", [0])),
        "never": function(taken, [[0, 0]], const("bool", [], 0)),
    }
    for (what, condition), name, said in itertools.product(
        conditions.items(), BODIES, (None, [2], [0], [2, 2])
    ):
        value = [{**one, "in": [["in", 2] if ref == X else ref for ref in one["in"]]}
                 for one in BODIES[name]]  # fmt: skip
        last = len(value)
        more = (*value, const(I32, [], 1), node("AddV2", ["in", 0], [last, 0], **INT))
        step = function(
            [spec(I32, []), spec(I32, []), spec(F32, said)],
            [[last + 1, 0], ["in", 1], [last - 1, 0]],
            *more,
        )
        attrs = {"cond": {"function": 0}, "body": {"function": 1}, "T": [I32, I32, F32]}
        for op, most, shapes in (
            ("While", -1, [None, None, said]),
            ("StatelessWhile", 2, [None, None, said]),
            ("StatelessWhile", -(2**31), [[3], [0], said]),
        ):
            loop = node(op, [0, 0], [1, 0], X, **attrs, output_shapes=shapes)
            given = node("Identity", [2, 2], T=F32)
            yield (
                f"loop {op} {most} {what} {name} {said}",
                [
                    condition,
                    step,
                    main(None, const(I32, [], 0), const(I32, [], most), loop, given),
                ],
            )


def lists() -> Iterator[tuple[str, list[Any]]]:
    """Loops and branches whose lists are of other shapes and lengths in each turn."""
    made = (const(I32, [1], 2), const(I32, [], 3))
    reserve = node("TensorListReserve", [0, 0], [1, 0], element_dtype=F32, shape_type=I32)
    for length, place, said in itertools.product((0, 1, 5), (-1, 0, 4, 2**31 - 1), ([1], [])):
        shape = const(I32, [len(said)], *said)
        other = node("TensorListReserve", [0, 0], [1, 0], element_dtype=F32, shape_type=I32)
        inner = function([spec("variant", [])], [[2, 0]], shape, const(I32, [], length), other)
        same = function([spec("variant", [])], [X])
        branch = node(
            "If", [3, 0], [2, 0], Tcond="bool", Tin=["variant"], Tout=["variant"],
            then_branch={"function": 0}, else_branch={"function": 1}, output_shapes=[None],
        )  # fmt: skip
        item = node("TensorListGetItem", [5, 0], [6, 0], [0, 0], element_dtype=F32)
        write = node("TensorListSetItem", [4, 0], [1, 0], X, element_dtype=F32)
        for flag in (0, 1):
            nodes = (*made, reserve, const("bool", [], flag), branch, write, const(I32, [], place))
            yield f"list {length} {place} {said} {flag}", [inner, same, main(None, *nodes, item)]


def programs() -> Iterator[tuple[str, Any]]:
    for name, functions in itertools.chain(calls(), branches(), loops(), lists()):
        entry = {
            "function": len(functions) - 1,
            "parameters": ["x"],
            "args": [{"input": 0}],
            "kwargs": [],
            "result": {"tuple": [{"output": 0}, {"output": 1}, {"output": 2}]},
            "captures": [],
        }
        yield name, {"functions": functions, "entries": {"f": entry}}


def become(tf: Any, said: Any) -> str:
    from safemodel.adapters.tensorflow.building import Functions
    from safemodel.adapters.tensorflow.parsing import parse
    from safemodel.errors import ArchitectureError

    def none(value: Any) -> Any:
        raise ArchitectureError("no variable")

    try:
        program = parse(said, {}, none)
        run = Functions(program, {}, none).entry(program.entries["f"])
    except ArchitectureError as error:
        return f"refused: {error}"
    ended = []
    for shape in ([2], [3], [0], [], [2, 2]):
        x = tf.ones(shape)
        try:
            with tf.GradientTape() as tape:
                tape.watch(x)
                found = run(x)
            [one.numpy() for one in found]
            slope = tape.gradient(found[0], x)
            ended.append("ok" if slope is None else f"ok {slope.numpy().shape}")
        except (tf.errors.OpError, ValueError, TypeError, LookupError) as error:
            ended.append(type(error).__name__)
    return " ".join(ended)


def apart(tf: Any, chosen: list[tuple[str, Any]]) -> dict[str, str]:
    """What becomes of these in a process of their own; of the last one if it dies, that."""
    read, write = os.pipe()
    process = os.fork()
    if not process:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name, said in chosen:
            signal.alarm(SECONDS)
            os.write(write, f"{json.dumps(name)}\n".encode())
            os.write(write, f"{json.dumps(become(tf, said)[:200])}\n".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    status = os.waitpid(process, 0)[1]
    if len(lines) % 2 or status:
        lines.append(f"died {os.waitstatus_to_exitcode(status)}")
    return dict(zip(lines[::2], lines[1::2], strict=True))


def all_of(step: int) -> dict[str, str]:
    import tensorflow as tf

    chosen = list(programs())[::step]
    found: dict[str, str] = {}
    while len(found) < len(chosen):
        found |= apart(tf, chosen[len(found) : len(found) + 200])
    return found


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps(all_of(int(sys.argv[1]))), flush=True)
