"""Functions of TensorFlow's modules: what is saved, how they are called, what is refused."""

from __future__ import annotations

import copy
import logging
import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.bundle.contents import Contents, TensorData  # noqa: E402
from safemodel.bundle.write import write  # noqa: E402
from safemodel.errors import ArchitectureError, UnsavableError, UsageError  # noqa: E402
from safemodel.format.manifest import Adapter  # noqa: E402
from safemodel.format.weights import TensorSpec  # noqa: E402

pytestmark = pytest.mark.xdist_group("keras")
Spec = tf.TensorSpec
OUTSIDE = tf.Variable(1.0)


class Net(tf.Module):  # type: ignore[misc]
    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        self.w = tf.Variable(tf.fill([3, 2], value), name="w")
        self.count = tf.Variable(0, trainable=False)
        self.table = tf.reshape(tf.range(600, dtype=tf.float32), [2, 300])

    def __call__(self, x: Any, *, scale: Any = 1.0, twice: bool = False) -> Any:
        y = tf.tanh(x @ self.w) * scale
        return {"y": y * 2.0 if twice else y, "none": None, "pair": (x, [y @ self.table])}

    @tf.function(input_signature=[Spec([])])  # type: ignore[untyped-decorator]
    def add(self, n: Any) -> Any:
        self.count.assign_add(tf.cast(n, tf.int32))
        return self.count.read_value()

    @tf.function  # type: ignore[untyped-decorator]
    def many(self, x: Any) -> Any:
        return x + 1


def save(obj: Any, path: Path, **options: Any) -> Path:
    sm.save(obj, path / "m.safemodel", signer=None, **options)
    return path / "m.safemodel"


def load(path: Path, **options: Any) -> Any:
    return sm.load(path, trust=sm.UNSIGNED, **options)


X = np.arange(6, dtype="float32").reshape(2, 3)
EXAMPLE = {"__call__": (Spec([None, 3]),), "add": (Spec([]),)}


def test_a_module_is_called_as_it_was(tmp_path: Path) -> None:
    net = Net()
    made = load(save(net, tmp_path, example_inputs=EXAMPLE))
    assert made.entries == ("__call__", "add")
    for mine, theirs in zip(
        *(tf.nest.flatten(one(tf.constant(X))) for one in (made, net)), strict=True
    ):
        assert (mine is None) == (theirs is None)
        assert mine is None or mine.numpy().tobytes() == theirs.numpy().tobytes()
    assert list(made(x=X)) == ["y", "none", "pair"]
    assert isinstance(made(X)["pair"], tuple)
    assert made.add(2.0).numpy() == 2
    assert made.entry("add")(n=3.0).numpy() == 5
    assert made["count"].numpy() == 5
    assert made.entry("__call__").trainable_variables == (made["w"],)
    assert "x" in repr(made.entry("__call__"))


def test_it_says_what_it_is(tmp_path: Path) -> None:
    net = load(save(Net(), tmp_path, example_inputs={"add": (Spec([]),)}))
    assert repr(net) == f"<loaded module of {__name__}.Net: add>"
    assert repr(load(save(Net(), tmp_path, example_inputs={}))).endswith("Net: variables only>")


def test_it_trains_on(tmp_path: Path) -> None:
    net = Net()
    made = load(save(net, tmp_path, example_inputs=(Spec([None, 3]),)))
    found = []
    for one in (net, made):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(one(tf.constant(X))["y"])
        found.append(tape.gradient(loss, one.trainable_variables[0]).numpy().tobytes())
    assert found[0] == found[1]

    @tf.function  # type: ignore[untyped-decorator]
    def outer(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(made(x)["y"])
        return tape.gradient(loss, made["w"])

    assert outer(tf.constant(X)).numpy().tobytes() == found[0]


def test_gradients_of_branches_in_loops(tmp_path: Path) -> None:
    class Loop(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(1.5)

        @tf.function(input_signature=[Spec([], tf.int32), Spec([])])  # type: ignore[untyped-decorator]
        def __call__(self, n: Any, x: Any) -> Any:
            while n > 0:
                if n % 2 == 0:
                    x = x * self.w
                n = n - 1
            return x

    made = load(save(Loop(), tmp_path))
    with tf.GradientTape() as tape:
        loss = made(4, 2.0)
    assert loss.numpy() == 4.5
    assert tape.gradient(loss, made["w"]).numpy() == 6


def test_saved_again_it_is_the_same_bundle(tmp_path: Path) -> None:
    first = sm.save(Net(), tmp_path / "a", signer=None, example_inputs=EXAMPLE)
    made = load(tmp_path / "a")
    assert sm.save(made, tmp_path / "b", signer=None) == first
    again = load(tmp_path / "b")
    assert again(X)["pair"][1][0].numpy().tolist() == made(X)["pair"][1][0].numpy().tolist()
    made["w"].assign_add(tf.ones([3, 2]))
    assert sm.save(made, tmp_path / "c", signer=None) != first
    assert load(tmp_path / "c")["w"].numpy().tolist() == made["w"].numpy().tolist()


def test_state_of_a_module_with_functions(tmp_path: Path) -> None:
    path, other = save(Net(0.25), tmp_path, example_inputs=EXAMPLE), Net()
    assert load(path, into=other).complete
    assert other.w.numpy().max() == 0.25
    assert sorted(load(path, into=dict)) == ["count", "w"]
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert {"count", "w"} < set(bundle.tensors)


@pytest.mark.parametrize(
    "example",
    [(Spec([None, 3]),), (X,), X, [Spec([2, 3])], ((X,), {"scale": 2.0}), {"__call__": (X,)},
     ((X,), {"scale": Spec([]), "twice": True}), tf.constant(X)],
    ids=str,
)  # fmt: skip
def test_examples_of_every_form(tmp_path: Path, example: Any) -> None:
    net = Net()
    made = load(save(net, tmp_path, example_inputs=example))
    kwargs: Any = {}
    if isinstance(example, tuple) and len(example) == 2:
        kwargs = {"scale": 2.0, **({"twice": True} if "twice" in example[1] else {})}
    wanted = net(tf.constant(X), **kwargs)["y"].numpy()
    assert made(X, **kwargs)["y"].numpy().tobytes() == wanted.tobytes()


def test_functions_that_say_what_they_take(tmp_path: Path, caplog: Any) -> None:
    net = Net()
    with caplog.at_level(logging.WARNING, "safemodel"):
        made = load(save(net, tmp_path))
    assert made.entries == ("add",)
    assert "many was never called and is left out" in caplog.text
    net.many(tf.constant([1.0]))
    assert load(save(net, tmp_path)).entries == ("add", "many")
    net.many(tf.constant(1))
    caplog.clear()
    assert load(save(net, tmp_path)).entries == ("add",)
    assert "several sorts" in caplog.text


def test_state_alone(tmp_path: Path, caplog: Any) -> None:
    made = load(save(Net(), tmp_path, example_inputs={}))
    assert made.entries == ()
    with pytest.raises(UsageError, match="no method") as caught:
        made(X)
    assert "example_inputs" in str(caught.value.hint)
    module = tf.Module()
    module.v = tf.Variable(1.0)
    with caplog.at_level(logging.WARNING, "safemodel"):
        save(module, tmp_path)
    assert "variables only" in caplog.text


def test_the_order_of_arguments(tmp_path: Path) -> None:
    class Many(tf.Module):  # type: ignore[misc]
        def __call__(self, b: Any, a: Any, *, z: Any, y: Any, c: Any = None) -> Any:
            return [b["q"], b["p"], a[0], a[1], z, y, c]

    one = Spec([])
    made = load(save(Many(), tmp_path, example_inputs=(
        ({"q": one, "p": one}, (one, one)), {"z": one, "y": one})))  # fmt: skip
    found = made({"p": 2.0, "q": 1.0}, (3.0, 4.0), z=5.0, y=6.0)
    assert [None if v is None else v.numpy() for v in found] == [1, 2, 3, 4, 5, 6, None]


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "missing"),
        ((X, X), {}, "by position"),
        ((X,), {"x": X}, "given twice"),
        ((X,), {"other": 1}, "no argument 'other'"),
        ((X,), {"twice": True}, "saved for False"),
        ((X,), {"scale": 2.0}, "saved for 1.0"),
        ((X,), {"twice": 0}, "saved for False"),
        ((X[:, :2],), {}, "saved for float32"),
        ((tf.constant(X, tf.float64),), {}, "saved for float32"),
        (("text",), {}, "argument x"),
        ((object(),), {}, "argument x"),
        (([X, X],), {}, "saved for float32"),
    ],
)
def test_other_arguments(tmp_path: Path, args: Any, kwargs: Any, said: str) -> None:
    made = load(save(Net(), tmp_path, example_inputs=EXAMPLE))
    with pytest.raises(UsageError, match=said):
        made(*args, **kwargs)


def test_no_entry_stands_before_anything(tmp_path: Path) -> None:
    class Odd(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.v = tf.Variable(1.0)

        @tf.function(input_signature=[Spec([])])  # type: ignore[untyped-decorator]
        def entry(self, x: Any) -> Any:
            return x * self.v

        @tf.function(input_signature=[Spec([])])  # type: ignore[untyped-decorator]
        def parts(self, x: Any) -> Any:
            return x + self.v

    made = load(save(Odd(), tmp_path))
    assert list(made.parts) == ["v"]
    assert made.entry("entry")(2.0).numpy() == 2
    assert made.entry("parts")(2.0).numpy() == 3
    with pytest.raises(AttributeError):
        _ = made.more


def test_it_can_be_a_saved_model(tmp_path: Path) -> None:
    made = load(save(Net(), tmp_path, example_inputs=EXAMPLE))
    tf.saved_model.save(made, str(tmp_path / "saved"))
    again = tf.saved_model.load(str(tmp_path / "saved"))
    assert again(tf.constant(X))["y"].numpy().tobytes() == made(X)["y"].numpy().tobytes()
    assert again.add(tf.constant(4.0)).numpy() == 4
    assert again.w.name == "w:0"


# What can't be saved


class Bad(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.v = tf.Variable(1.0)
        keys = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
        self.table = tf.lookup.StaticHashTable(keys, 0.0)

    def looks_up(self, x: Any) -> Any:
        return self.table.lookup(tf.strings.as_string(x))

    def outside(self, x: Any) -> Any:
        return x * OUTSIDE

    def reads(self, x: Any) -> Any:
        return tf.io.read_file("/etc/passwd"), x

    def python(self, x: Any) -> Any:
        return tf.py_function(lambda y: y, [x], tf.float32)

    def prints(self, x: Any) -> Any:
        tf.print(x)
        return x

    def ragged(self, x: Any) -> Any:
        return tf.RaggedTensor.from_row_lengths(x, [1, 2])

    def raises(self, x: Any) -> Any:
        raise KeyError("of the user")

    no_method = 3


@pytest.mark.parametrize(
    ("name", "said"),
    [("outside", "no part of the module"), ("reads", "^reads: ReadFile: the operator ReadFile"),
     ("python", "^python: EagerPyFunc: the operator EagerPyFunc"), ("prints", "^prints: .*PrintV2"),
     ("ragged", "RaggedTensor"), ("raises", "of the user"),
     ("looks_up", "no variable")],
)  # fmt: skip
def test_unsavable(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UnsavableError, match=said) as caught:
        save(Bad(), tmp_path, example_inputs={name: (Spec([3]),)})
    assert name in str(caught.value)
    hints = {"reads": "read them outside", "python": "Python code", "prints": "leave tf.print out"}
    assert hints.get(name, "") in (caught.value.hint or "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "example",
    [{"no_method": ()}, {"nothing": ()}, {"a b": ()}, {"_trace": ()}, {"ragged": (OUTSIDE,)}],
)  # fmt: skip
def test_examples_that_are_none(tmp_path: Path, example: Any) -> None:
    with pytest.raises(UsageError):
        save(Bad(), tmp_path, example_inputs=example)


def test_examples_of_what_is_no_module(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        save([tf.Variable(1.0)], tmp_path, example_inputs=(Spec([]),))


def test_own_gradients_are_said_to_be_lost(tmp_path: Path, caplog: Any) -> None:
    class Own(tf.Module):  # type: ignore[misc]
        def __call__(self, x: Any) -> Any:
            return tf.custom_gradient(lambda y: (y * y, lambda dy: dy * 100.0))(x)

    with caplog.at_level(logging.WARNING, "safemodel"):
        save(Own(), tmp_path, example_inputs=(Spec([3]),))
    assert "tf.custom_gradient" in caplog.text


# Hostile archives

F: dict[str, Any] = {"f": ("F32", (2,), b"\0" * 8)}
G: dict[str, Any] = {"g": ("F32", (2,), b"\0" * 8)}
STATE = {"kind": "module", "class": "M", "parts": [["v", {"ref": 3}]]}
VARIABLE = {"kind": "variable", "dtype": "float32", "data": "f"}
TWO = {"dtype": "float32", "shape": [2]}
READ = {"op": "ReadVariableOp", "in": [["in", 1]], "attrs": {"dtype": "float32"}}
ADD = {"op": "AddV2", "in": [["in", 0], [0, 0]], "attrs": {"T": "float32"}}
FUNCTION = {"inputs": [TWO, {"variable": TWO}], "nodes": [READ, ADD], "outputs": [[1, 0]]}
ENTRY = {
    "function": 0, "parameters": ["x"], "args": [{"input": 0}], "kwargs": [],
    "result": {"output": 0}, "captures": [{"variable": ["v"]}],
}  # fmt: skip


def hostile(tmp_path: Path, change: Any = None, more: Any = ()) -> Path:
    architecture: Any = {
        "graph": {
            "root": {"ref": 0},
            "nodes": [
                {"kind": "dict", "items": [["state", {"ref": 1}], ["constants", {"ref": 2}]]},
                copy.deepcopy(STATE),
                {"kind": "dict", "items": []},
                copy.deepcopy(VARIABLE),
            ],
        },
        "program": copy.deepcopy({"functions": [FUNCTION], "entries": {"__call__": ENTRY}}),
    }  # fmt: skip
    if change is not None:
        change(architecture)
    contents = Contents(
        framework="tensorflow",
        adapter=Adapter("tensorflow", 1),
        architecture=architecture,
        tensors=tuple(
            TensorData(TensorSpec(name, dtype, shape), lambda data=data: (data,))
            for name, (dtype, shape, data) in {**F, **dict(more)}.items()
        ),
    )
    write(tmp_path / "h.safemodel", contents, signers=())
    return tmp_path / "h.safemodel"


def at(*path: Any, value: Any) -> Any:
    def change(architecture: Any) -> None:
        place = architecture
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


CAPTURES = ("program", "entries", "__call__", "captures")
NODES = ("program", "functions", 0, "nodes")
HOSTILE = {
    "no part": at(*CAPTURES, value=[{"variable": ["w"]}]),
    "no path": at(*CAPTURES, value=[{"variable": []}]),
    "a text": at(*CAPTURES, value=[{"variable": "v"}]),
    "beyond a variable": at(*CAPTURES, value=[{"variable": ["v", "v"]}]),
    "the module": at("graph", "nodes", 1, "parts", value=[["u", {"ref": 1}], ["v", {"ref": 3}]]),
    "a number": at(*CAPTURES, value=[{"variable": [0]}]),
    "a constant for it": at(*CAPTURES, value=[{"tensor": "f"}]),
    "state": at("graph", "nodes", 0, "items", 0, 0, value="states"),
    "constants": at("graph", "nodes", 2, "items", value=[["c", 1]]),
    "a variable as constant": at("graph", "nodes", 2, "items", value=[["c", {"ref": 3}]]),
    "shapes": at("program", "functions", 0, "inputs", 0, "shape", value=[3]),
    "another variable": at("graph", "nodes", 3, "dtype", value="int32"),
}


def test_the_good_one_is_good(tmp_path: Path) -> None:
    made = load(hostile(tmp_path))
    made["v"].assign([1.0, 2.0])
    assert made([1.0, 1.0]).numpy().tolist() == [2, 3]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(tmp_path: Path, name: str) -> None:
    def change(architecture: Any) -> None:
        HOSTILE[name](architecture)
        if name == "the module":
            at(*CAPTURES, value=[{"variable": ["u"]}])(architecture)

    path = hostile(tmp_path, change)
    with pytest.raises(ArchitectureError):
        load(path)


def test_a_constant_that_no_function_has(tmp_path: Path) -> None:
    def change(architecture: Any) -> None:
        nodes = architecture["graph"]["nodes"]
        nodes.append({"kind": "tensor", "dtype": "float32", "data": "g"})
        nodes[2]["items"] = [["c", {"ref": 4}]]

    with pytest.raises(ArchitectureError, match="no function has"):
        load(hostile(tmp_path, change, G))
