"""Run operators of TensorFlow with hostile inputs and attributes, in processes that may die.

A call is run at once, with its gradient, or as the node of a graph whose inputs are constants or
placeholders. TensorFlow is imported once, in a process that forks those that may die. A call can be
made again: `python -m tests.adapters.tensorflow_operator_fuzz NAME SEED NUMBER`.

TensorFlow asks for ten seconds again and again for memory that it can't have. So a call in which
nothing runs is left, and made again later, side by side with others like it.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.adapters.tensorflow_operator_calls import Lists, Variable, calls
from tests.adapters.torch_operator_fuzz import FLOATS, INTEGERS

ROOT = Path(__file__).resolve().parents[2]
SILENCE = float(os.environ.get("SILENCE", "60"))
# How long a call may use no time of the processor before it is left for later, and how many then
# are made at once.
IDLE = 1.5
SIDE_BY_SIDE = 24
# What a process may have beyond what it has at first.
MEMORY = 3 << 27
# How many calls one process makes.
AT_ONCE = 400
# How many calls of one are made in a graph.
TRACED = float(os.environ.get("TRACED", "0.1"))
KINDS = ["float32", "float64", "float16", "int64", "int32", "int16", "int8", "bool"]
KINDS += ["uint8", "uint16", "uint32", "uint64"]
KINDS += ["complex64", "complex128"]
TEXTS = [b"", b"a", b"\x00", b"\xff\xfe", b"1e999", b"-9223372036854775809", b"%n%s", b"a" * 5000]
TEXTS += [b"(((a*)*)*)*b", b"[", b"\\9", "ä€\U0001f600".encode(), b"0x", b"nan", b"=", b"YQ=="]


class Mutator:
    """Changes a call: some of its arguments, each a little or wholly."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def call(self, given: dict[str, Any], row: Any) -> None:
        rng = self.rng
        names = sorted(given)
        unset = sorted(set(row.attributes) - set(given))
        if unset and rng.random() < 0.35:
            name = rng.choice(unset)
            value = self.attribute(row.attributes[name], None)
            if value is not None:
                given[name] = value
        if rng.random() < 0.15:
            self.retyped(given, row)
        for name in rng.sample(names, min(len(names), rng.choice((1, 1, 1, 2, 2, 3)))):
            if name in row.attributes:
                given[name] = self.attribute(row.attributes[name], given[name])
            else:
                given[name] = self.value(given[name])

    def retyped(self, given: dict[str, Any], row: Any) -> None:
        """Another type for all inputs of one."""
        chosen = self.rng.choice([one.type for one in row.inputs] or [""])
        kinds = sorted(row.attributes[chosen].allowed or ()) if chosen in row.attributes else []
        kind = self.rng.choice([kind for kind in kinds if kind in KINDS] or [""])
        for one in row.inputs:
            value = given[one.name]
            if kind and one.type == chosen and not one.several:
                given[one.name] = self.cast(value, kind)
            if isinstance(value, Variable) and kind and "dtype" not in row.attributes:
                given[one.name] = self.cast(value, kind)

    def cast(self, value: Any, kind: str) -> Any:
        if isinstance(value, list):
            return [self.cast(item, kind) for item in value]
        if isinstance(value, Variable):
            return Variable(self.cast(value.value, kind))
        array = value if isinstance(value, Lists) else np.asarray(value)
        with np.errstate(all="ignore"):
            plain = not isinstance(array, Lists) and array.dtype != object
            return array.astype(kind) if plain else array

    def attribute(self, attribute: Any, value: Any) -> Any:
        if attribute.many:
            return self.listed(attribute, list(value or attribute.default or []))
        return self.single(attribute, value)

    def single(self, attribute: Any, value: Any) -> Any:
        rng = self.rng
        if attribute.kind == "bool":
            return rng.random() < 0.5
        if attribute.kind == "int":
            near = type(value) is int and rng.random() < 0.3
            return value + rng.randrange(-3, 4) if near else rng.choice(INTEGERS)
        if attribute.kind == "float":
            return float(np.float32(rng.choice(FLOATS))) if rng.random() < 0.9 else 0.3
        if attribute.kind in {"string", "type"}:
            if attribute.allowed:
                return rng.choice(sorted(attribute.allowed))
            return rng.choice(TEXTS).decode("latin-1")
        if attribute.kind == "shape":
            return [rng.choice((-1, 0, 1, 2, 3, 2**31, 2**40)) for _ in range(rng.randrange(5))]
        return value

    def listed(self, attribute: Any, values: list[Any]) -> list[Any]:
        rng = self.rng
        way = rng.random()
        if way < 0.15 and values:
            values.pop(rng.randrange(len(values)))
        elif way < 0.3:
            values.append(self.single(attribute, values[-1] if values else None))
        elif way < 0.35:
            values = []
        elif way < 0.45:
            values = [self.single(attribute, None) for _ in range(rng.randrange(8))]
        elif values:
            at = rng.randrange(len(values))
            values[at] = self.single(attribute, values[at])
        return values

    def value(self, value: Any) -> Any:
        rng = self.rng
        if isinstance(value, Variable):
            return Variable(self.value(value.value))
        if isinstance(value, Lists):
            kind = rng.choice(KINDS) if rng.random() < 0.3 else value.kind
            shape = tuple(rng.choice((0, 1, 2, 3)) for _ in range(rng.randrange(4)))
            return Lists(kind, rng.choice((0, 1, 3, 5)), shape)
        if isinstance(value, list):
            return self.several(value)
        array = np.asarray(value)
        ways = [self.filled] * 8 + [self.shaped] * 7 + [self.typed]
        for _ in range(rng.choice((1, 1, 2))):
            with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError):
                array = rng.choice(ways)(array)
        return array

    def several(self, values: list[Any]) -> list[Any]:
        rng, values = self.rng, list(values)
        way = rng.random()
        if way < 0.2 and values:
            values.pop(rng.randrange(len(values)))
        elif way < 0.4 and values:
            values.append(rng.choice(values))
        elif values:
            at = rng.randrange(len(values))
            values[at] = self.value(values[at])
        return values

    def typed(self, array: Any) -> Any:
        if array.dtype == object:
            return array
        with np.errstate(all="ignore"):
            return array.astype(self.rng.choice(KINDS))

    def filled(self, array: Any) -> Any:
        array, rng = array.copy(), self.rng
        if array.dtype == object:
            bad: Any = rng.choice(TEXTS)
        elif array.dtype.kind in "iu":
            info = np.iinfo(array.dtype)
            bad = min(max(rng.choice(INTEGERS), info.min), info.max)
        else:
            bad = rng.choice(FLOATS) if array.dtype.kind in "fc" else rng.random() < 0.5
        with np.errstate(all="ignore"):
            if array.size == 0 or rng.random() < 0.3:
                array[...] = bad
            else:
                for _ in range(rng.choice((1, 1, 2))):
                    array.flat[rng.randrange(array.size)] = bad
        return array

    def shaped(self, array: Any) -> Any:
        rng, rank = self.rng, array.ndim
        way = rng.randrange(10)
        axis = rng.randrange(rank) if rank else 0
        if way == 0:
            return array.reshape(-1)
        if way == 1:
            return np.expand_dims(array, rng.randrange(rank + 1))
        if way == 2 and rank:
            return np.take(array, 0, axis)
        if way == 3 and rank:
            return np.take(array, [], axis)
        if way == 4 and rank:
            return np.take(array, [0], axis)
        if way == 5 and rank:
            return np.moveaxis(array, axis, 0)
        if way == 6 and rank:
            return np.repeat(np.take(array, [0], axis), rng.choice((2, 5, 64, 1000)), axis)
        if way == 7 and rank:
            return np.concatenate([array, array], axis)
        if way == 8:
            shape = [rng.choice((0, 1, 2, 3, 5)) for _ in range(rng.randrange(7))]
            return np.zeros(shape, array.dtype) if array.dtype != object else array[:0]
        return array.reshape(-1)[:1].reshape(())


def edges(name: str) -> list[dict[str, Any]]:
    """Calls of an operator with one input of another rank or length, or out of every bound."""
    from safemodel.adapters.tensorflow.table import operator

    row = operator(name)
    assert row is not None
    given = calls()[name][0]
    found = []
    for one in row.inputs:
        value = given[one.name]
        if isinstance(value, Variable):
            array = np.asarray(value.value)
            found += [{**given, one.name: Variable(changed)} for changed in _edges(array)]
            continue
        if isinstance(value, Lists):
            continue
        listed = isinstance(value, list)
        if listed and not value:
            continue
        array = np.asarray(value[0] if listed else value)
        for changed in _edges(array):
            found.append({**given, one.name: [changed, *value[1:]] if listed else changed})
    return found


def _edges(array: Any) -> Iterator[Any]:
    if array.size:
        yield array.reshape(-1)[:1].reshape(())
    yield array[None]
    yield array.reshape(-1)
    yield array.reshape(-1)[:0]
    if array.ndim:
        yield array[:0]
        yield array[:-1]
        yield np.concatenate([array, array[:1]])
    if array.dtype.kind not in "iu":
        return
    info = np.iinfo(array.dtype)
    for value in (-1, 0, 1, 2**20, 2**30, 2**31 - 1, 2**40, info.min, info.max):
        if info.min <= value <= info.max:
            yield np.full_like(array, value)
            if array.size > 1:
                changed = array.copy()
                changed.flat[-1] = value
                yield changed


def arguments(name: str, seed: int, number: int) -> dict[str, Any]:
    """The call of an operator that a seed and a number stand for; those of seed -1 are edges."""
    from safemodel.adapters.tensorflow.table import operator

    if seed < 0:
        return edges(name)[number]
    rng = random.Random(f"{seed}:{name}:{number}")
    given = dict(rng.choice(calls()[name]))
    if number:
        Mutator(rng).call(given, operator(name))
    return given


class Live:
    """A call with tensors: inputs in order, attributes complete; variables are kept alive."""

    def __init__(self, tf: Any, name: str, given: dict[str, Any]) -> None:
        from safemodel.adapters.tensorflow.table import REQUIRED, operator

        self.tf, self.name, self.kept = tf, name, []
        row = operator(name)
        assert row is not None
        self.row = row
        self.attributes = {n: v for n, v in given.items() if n in row.attributes}
        self.inputs: list[Any] = []
        for one in row.inputs:
            values = given[one.name]
            listed = one.several or one.number
            tensors = [self.tensor(value) for value in (values if listed else [values])]
            kinds = [tensor.dtype.name for tensor in tensors]
            if one.several:
                self.attributes.setdefault(one.type, kinds)
            elif one.type in row.attributes and kinds:
                self.attributes.setdefault(one.type, kinds[0])
            if one.number:
                self.attributes.setdefault(one.number, len(tensors))
            self.inputs += tensors
        for attribute in row.attributes.values():
            if attribute.default is not REQUIRED:
                self.attributes.setdefault(attribute.name, attribute.default)

    def tensor(self, value: Any) -> Any:
        tf = self.tf
        if isinstance(value, Variable):
            variable = tf.Variable(value.value)
            self.kept.append(variable)
            return variable.handle
        if isinstance(value, Lists):
            with tf.device("cpu"):
                listed = tf.zeros((value.count, *value.shape), value.kind)
                return tf.raw_ops.TensorListFromTensor(
                    tensor=listed, element_shape=list(value.shape)
                )
        return tf.constant(value)

    def check(self) -> None:
        """What a reader of a graph checks.

        Raises:
            ArchitectureError: the attributes are refused, or the types of inputs don't fit them.
        """
        from safemodel.errors import ArchitectureError

        self.row.check(self.attributes)
        if self.row.input_types(self.attributes) != tuple(one.dtype.name for one in self.inputs):
            raise ArchitectureError("types of inputs")
        for variable in self.kept:
            kind = self.attributes.get("dtype", self.attributes.get("T", variable.dtype.name))
            if kind != variable.dtype.name:
                raise ArchitectureError("a variable of another type")
            if self.row.variable_length not in (None, *variable.shape[:1]) or (
                self.row.variable_length and variable.shape.rank != 1
            ):
                raise ArchitectureError("a variable of another shape")

    def protos(self) -> dict[str, Any]:
        """The attributes as a graph has them."""
        return {
            name: self.proto(self.row.attributes[name], value)
            for name, value in self.attributes.items()
        }

    def proto(self, attribute: Any, value: Any) -> Any:
        tf = self.tf
        fields = {"bool": "b", "int": "i", "float": "f", "string": "s"}
        field = fields.get(attribute.kind, attribute.kind)

        def plain(item: Any) -> Any:
            if attribute.kind == "type":
                return tf.as_dtype(item).as_datatype_enum
            if attribute.kind == "shape":
                unknown = None if item is None else [None if n < 0 else n for n in item]
                return tf.TensorShape(unknown).as_proto()
            return item.encode() if attribute.kind == "string" else item

        proto = tf.compat.v1.AttrValue()
        if attribute.many:
            proto.list.SetInParent()
            getattr(proto.list, field).extend(plain(item) for item in value)
        elif attribute.kind == "shape":
            proto.shape.CopyFrom(plain(value))
        else:
            setattr(proto, field, plain(value))
        return proto

    def node(self, inputs: list[Any]) -> list[Any]:
        """Add the operator to the current graph, behind its guard."""
        from safemodel.adapters.tensorflow.guards import guarded

        graph = self.tf.compat.v1.get_default_graph()
        inputs = guarded(self.row, self.attributes, inputs)
        made = graph.create_op(self.name, inputs, attrs=self.protos(), name="n")
        return list(made.outputs)

    def run(self) -> list[Any]:
        """Run the operator at once, with its guard; gradients are recorded."""
        from tensorflow.python.eager import context, execute

        from safemodel.adapters.tensorflow.guards import guarded

        flat: list[Any] = []
        for name, attribute in self.row.attributes.items():
            flat += [name, self.eager(attribute, self.attributes[name])]
        inputs = guarded(self.row, self.attributes, self.inputs)
        count = self.row.arity(self.attributes)[1]
        out = execute.execute(self.name.encode(), count, inputs, tuple(flat), context.context())
        found = [] if out is None or isinstance(out, self.tf.Operation) else list(out)
        if execute.must_record_gradient():
            execute.record_gradient(self.name, inputs, tuple(flat), found)
        return found

    def eager(self, attribute: Any, value: Any) -> Any:
        """An attribute as eager execution takes it."""

        def plain(item: Any) -> Any:
            if attribute.kind == "type":
                return self.tf.as_dtype(item).as_datatype_enum
            if attribute.kind == "shape":
                return None if item is None else [None if size < 0 else size for size in item]
            return item.encode() if attribute.kind == "string" else item

        return [plain(item) for item in value] if attribute.many else plain(value)

    def function(self, constant: list[bool]) -> Any:
        tf = self.tf
        values = [tensor for tensor, kept in zip(self.inputs, constant, strict=True) if kept]

        def body(*placeholders: Any) -> Any:
            rest, fixed = iter(placeholders), iter(values)
            inputs = [tf.constant(next(fixed).numpy()) if kept else next(rest) for kept in constant]
            return [one for one in self.node(inputs) if one.dtype != tf.variant]

        specs = [
            tf.TensorSpec(None, tensor.dtype)
            for tensor, kept in zip(self.inputs, constant, strict=True)
            if not kept
        ]
        return tf.function(body, autograph=False).get_concrete_function(*specs)


def one(tf: Any, name: str, seed: int, number: int) -> str:
    """Make one call; what it raises is fine, as long as the process lives."""
    from safemodel.errors import ArchitectureError, SafemodelError

    rng = random.Random(f"{seed}:{name}:{number}:way")
    tf.random.set_seed(number)
    try:
        live = Live(tf, name, arguments(name, seed, number))
        live.check()
    except (ArchitectureError, KeyError, MemoryError):
        return "refused"
    except (tf.errors.OpError, ValueError, TypeError, OverflowError):
        return "not-a-tensor"
    constant = [
        tensor.dtype not in (tf.resource, tf.variant) and rng.random() < 0.5
        for tensor in live.inputs
    ]
    floats = [tensor for tensor in live.inputs if tensor.dtype.is_floating]
    backward = bool(floats) and rng.random() < 0.5
    traced = rng.random() < TRACED or number == 0
    try:
        inputs = live.inputs
        if traced:
            function = live.function(constant)
            inputs = [t for t, kept in zip(live.inputs, constant, strict=True) if not kept]
        with tf.GradientTape() as tape:
            tape.watch([t for t in inputs if t.dtype.is_floating])
            out = function(*inputs) if traced else live.run()
        out = [tensor for tensor in tf.nest.flatten(out) if tensor is not None]
        if backward:
            targets = [t for t in out if t.dtype.is_floating]
            sources = [t for t in inputs if t.dtype.is_floating]
            if targets and sources:
                out += [t for t in tape.gradient(targets, sources) if t is not None]
        for tensor in out:
            if isinstance(tensor, tf.Tensor) and tf.size(tensor) < 10**6:
                tensor.numpy()
    except (
        tf.errors.OpError,
        SafemodelError,
        ValueError,
        TypeError,
        LookupError,
        MemoryError,
        AttributeError,
        NotImplementedError,
        AssertionError,
        ArithmeticError,
    ) as error:
        return type(error).__name__
    return "ok"


def limit() -> None:
    """Leave this process some memory beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limited(tf: Any) -> None:
    """Prepare this process, just forked, for calls."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    one(tf, "Relu", 0, 0)
    limit()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def child(plan: dict[str, Any], file: Any, first: int, number: int) -> None:
    """Work through a plan from there, noting place and outcomes in a shared file."""
    import tensorflow as tf

    limited(tf)
    notes = mmap.mmap(file.fileno(), 24)
    count = 0
    with open(f"{file.name}.outcomes", "a", encoding="ascii") as outcomes:
        for at in range(first, len(plan["names"])):
            name = plan["names"][at]
            rounds = plan["rounds"] if plan["seed"] >= 0 else len(edges(name))
            for step in range(number if at == first else 0, rounds):
                count += 1
                if count > AT_ONCE:
                    os._exit(0)  # with what the framework keeps of each call
                notes[:24] = struct.pack("<qqq", at, step, count)
                outcome = one(tf, name, plan["seed"], step)
                outcomes.write(f"{name} {outcome}\n")
                outcomes.flush()
    notes[:24] = struct.pack("<qqq", len(plan["names"]), 0, 0)


def zygote(plan: dict[str, Any]) -> None:
    """Fork children that work through a plan; print what killed or hung them."""
    import tensorflow  # noqa: F401, imported once, before the forks

    calls()
    found: list[tuple[str, int, str]] = []
    later: list[tuple[str, int]] = []
    first = number = 0
    with open(plan["notes"], "w+b") as file:
        while first < len(plan["names"]):
            file.seek(0)
            file.write(struct.pack("<qqq", first, number, 0))
            file.flush()
            how = _forked(plan, file, first, number)
            file.seek(0)
            first, number, _ = struct.unpack("<qqq", file.read(24))
            if first == len(plan["names"]):
                break
            name = plan["names"][first]
            if how == "waits":
                later.append((name, number))
            elif how != "exit 0":
                found.append((name, number, how))
                Path(f"{file.name}.found").write_text(json.dumps(found), encoding="ascii")
            number += 1
            if number >= plan["rounds"] or sum(one[0] == name for one in found) >= plan["most"]:
                first, number = first + 1, 0
    for start in range(0, len(later), SIDE_BY_SIDE):
        found += _again(later[start : start + SIDE_BY_SIDE], plan)
    sys.stdout.write("\n" + json.dumps(found))


def _forked(plan: dict[str, Any], file: Any, first: int, number: int) -> str:
    process = _apart(lambda: child(plan, file, first, number))
    seen, since, used, idle = b"", time.monotonic(), 0, time.monotonic()
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return f"exit {os.waitstatus_to_exitcode(status)}"
        time.sleep(0.02)
        file.seek(0)
        now, at = file.read(24), time.monotonic()
        if now != seen:
            seen, since, idle = now, at, at
        if (busy := _used(process)) != used:
            used, idle = busy, at
        how = "hangs" if at - since > SILENCE else "waits" if at - idle > IDLE else ""
        if how:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return how


def _apart(work: Callable[[], None]) -> int:
    """A process that does some work, and says how it went by its code."""
    process = os.fork()
    if not process:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            work()
            code = 0
        finally:
            os._exit(code)
    return process


def _used(process: int) -> int:
    """The time of the processor that one has used, in ticks; one that ended: none."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        fields = text.rpartition(")")[2].split()
        return -1 if fields[0] in "RD" else int(fields[11]) + int(fields[12])
    return 0


def _again(waited: list[tuple[str, int]], plan: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Make calls that waited again, side by side; those that don't end."""

    def work(name: str, number: int) -> None:
        import tensorflow as tf

        limited(tf)
        one(tf, name, plan["seed"], number)

    running = {_apart(lambda call=call: work(*call)): call for call in waited}
    since, found = time.monotonic(), []
    while running:
        done, status = os.waitpid(-1, os.WNOHANG)
        if done:
            code, call = os.waitstatus_to_exitcode(status), running.pop(done)
            found += [(*call, f"exit {code}")] if code else []
        elif time.monotonic() - since > SILENCE:
            for process, call in running.items():
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                found.append((*call, "hangs"))
            break
        else:
            time.sleep(0.05)
    return found


def hunt(
    names: list[str], *, seed: int, rounds: int, folder: Path, most: int = 3
) -> tuple[list[tuple[str, int, str]], dict[str, dict[str, int]]]:
    """Calls that killed or hung a child, as (operator, number, how), and how the others ended.

    An operator is left after `most` such calls. The calls of seed -1 are `edges`.
    """
    notes = folder / "notes"
    plan = {"names": names, "seed": seed, "rounds": rounds, "notes": str(notes), "most": most}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.tensorflow_operator_fuzz", "--plan"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        env={**environment, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [(name, number, how) for name, number, how in json.loads(done.stdout.splitlines()[-1])]
    outcomes: dict[str, dict[str, int]] = {}
    for line in Path(f"{notes}.outcomes").read_text(encoding="ascii").splitlines():
        name, outcome = line.split()
        counts = outcomes.setdefault(name, {})
        counts[outcome] = counts.get(outcome, 0) + 1
    return found, outcomes


def main() -> None:
    if sys.argv[1] == "--plan":
        zygote(json.load(sys.stdin))
        return
    import tensorflow as tf

    name, seed, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    one(tf, "Relu", 0, 0)
    given = arguments(name, seed, number)
    print({k: v.__dict__ if hasattr(v, "__dict__") else v for k, v in given.items()}, flush=True)
    limit()
    print(one(tf, name, seed, number), flush=True)


if __name__ == "__main__":
    main()
