"""The TensorFlow adapter, state: variables, trees, checkpoints, what is refused, hostile graphs."""

from __future__ import annotations

import contextlib
import copy
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.bundle.contents import Contents, TensorData  # noqa: E402
from safemodel.bundle.write import write  # noqa: E402
from safemodel.errors import (  # noqa: E402
    ArchitectureError,
    SafemodelError,
    StateMismatchError,
    UnsavableError,
    UsageError,
)
from safemodel.format.manifest import Adapter  # noqa: E402
from safemodel.format.weights import TensorSpec  # noqa: E402

pytestmark = pytest.mark.xdist_group("keras")


class Net(tf.Module):  # type: ignore[misc]
    def __init__(self, seed: int = 0, width: int = 3) -> None:
        super().__init__()
        made = np.random.default_rng(seed).normal(size=(2, width)).astype("float32")
        self.w = tf.Variable(made, name="w")
        self.layers = [{"b": tf.Variable(made[0], trainable=False)}, 7, None]
        self.same = self.w
        self.pair = (tf.Variable(["a", b"\xff"]), "text")


def save(obj: Any, path: Path) -> Path:
    sm.save(obj, path / "m.safemodel", signer=None)
    return path / "m.safemodel"


def load(path: Path, **options: Any) -> Any:
    return sm.load(path, trust=sm.UNSIGNED, **options)


def test_a_module_comes_back_with_its_variables(tmp_path: Path) -> None:
    net = Net()
    made = load(save(net, tmp_path))
    assert [v.name for v in made.variables] == [v.name for v in net.variables]
    assert [v.trainable for v in made.variables] == [v.trainable for v in net.variables]
    for mine, theirs in zip(made.variables, net.variables, strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.numpy().tolist() == theirs.numpy().tolist()
    assert made["w"] is made["same"]
    assert made["layers"]["0"]["b"].numpy().tolist() == net.w[0].numpy().tolist()
    assert list(made) == ["layers", "pair", "same", "w"]
    assert "w" in made
    assert "v" not in made
    assert made.class_name.endswith("Net")
    assert made.submodules == ()
    assert len(made.trainable_variables) == 2  # TensorFlow says so of texts, too
    assert len(made.non_trainable_variables) == 1


def test_the_order_of_variables_is_that_of_a_module(tmp_path: Path) -> None:
    class Outer(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.a = Net(1)
            self.b = [tf.Variable(float(n), name=f"v{n}") for n in range(12)]
            self.c = {"z": Net(2), "y": tf.Variable(3.0, name="y")}

    outer = Outer()
    made = load(save(outer, tmp_path))
    assert [v.name for v in made.variables] == [v.name for v in outer.variables]
    assert [m.class_name.rpartition(".")[2] for m in made.submodules] == ["Net", "Net"]


def test_names_of_parts_are_no_attributes(tmp_path: Path) -> None:
    module = tf.Module()
    module.kept = {"variables": tf.Variable(1.0), "_parts": tf.Variable(2.0)}
    root = tf.train.Checkpoint(put=tf.Variable(3.0), variables=module)
    made = load(save(root, tmp_path))
    assert made["put"].numpy() == 3
    assert len(made.variables) == 3
    assert callable(made.put)
    with pytest.raises(AttributeError):
        _ = made.kept


def test_a_checkpoint_of_tensorflow_goes_into_what_was_loaded(tmp_path: Path) -> None:
    net = Net(4)
    prefix = tf.train.Checkpoint(net=net).save(str(tmp_path / "ck"))
    made = load(save(Net(5), tmp_path))
    tf.train.Checkpoint(net=made).restore(prefix).assert_existing_objects_matched()
    assert made["w"].numpy().tolist() == net.w.numpy().tolist()


def test_trees_keep_their_form(tmp_path: Path) -> None:
    w = tf.Variable([1.0])
    tree = {"a": [w, {"b": (w, tf.constant([2, 3]))}], 5: 1.5, "n": None, "x": np.arange(3)}
    tree["self"] = tree
    made = load(save(tree, tmp_path))
    assert made["self"] is made
    assert made["a"][0] is made["a"][1]["b"][0]
    assert isinstance(made["a"][0], tf.Variable)
    assert made["a"][1]["b"][1].numpy().tolist() == [2, 3]
    assert made[5] == 1.5
    assert made["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_what_is_loaded_can_be_changed(tmp_path: Path, size: int) -> None:
    made = load(save([tf.Variable(tf.ones([size])), tf.ones([size])], tmp_path))
    made[0].assign_add(made[1])
    made[0].scatter_nd_add([[0]], [5.0])
    assert made[0].numpy()[0] == 7
    assert set(made[0].numpy()[1:].tolist()) <= {2.0}
    assert set(made[1].numpy().tolist()) == {1.0}


def test_shapes_that_may_change(tmp_path: Path) -> None:
    tree = [tf.Variable([[1.0]], shape=[None, 1]), tf.Variable(2.0, shape=tf.TensorShape(None))]
    made = load(save(tree, tmp_path))
    assert [v.shape.rank for v in made] == [2, None]
    made[0].assign([[1.0], [2.0]])
    made[1].assign([3.0])


# Into


def test_into_a_module(tmp_path: Path) -> None:
    path, other = save(Net(1), tmp_path), Net(2)
    held = other.w
    report = load(path, into=other)
    assert report.complete
    assert other.w is held
    assert other.w.numpy().tolist() == Net(1).w.numpy().tolist()
    assert other.pair[0].numpy().tolist() == [b"a", b"\xff"]


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    path, other = save(Net(1), tmp_path), Net(2, width=4)
    before = other.w.numpy().tolist()
    other.more = tf.Variable(1.0)
    with pytest.raises(StateMismatchError, match=r"missing: more; mismatched: same: expected"):
        load(path, into=other)
    other.pair[0].assign(["x", "y"])
    report = load(path, into=other, strict=False)
    assert report.missing == ("more",)
    assert {one.name for one in report.mismatched} == {"same", "layers.0.b"}
    assert other.w.numpy().tolist() == before
    assert other.pair[0].numpy().tolist() == [b"a", b"\xff"]


def test_into_part_of_a_module(tmp_path: Path) -> None:
    path, other = save(Net(1), tmp_path), Net(2)
    report = load(path, into=other, only=["layers.*"])
    assert report.complete
    assert other.w.numpy().tolist() == Net(2).w.numpy().tolist()
    assert other.layers[0]["b"].numpy().tolist() == Net(1).w.numpy()[0].tolist()
    with pytest.raises(StateMismatchError, match="only=") as caught:
        load(path, into=other, only=["nothing"])
    assert "it has " in str(caught.value.hint)
    assert "layers.0.b" in str(caught.value.hint)
    with pytest.raises(UsageError):
        load(path, only=["w"])


def test_two_of_the_archive_for_one_variable(tmp_path: Path) -> None:
    path = save({"a": tf.Variable(1.0), "b": tf.Variable(2.0)}, tmp_path)
    one = tf.Variable(0.0)
    with pytest.raises(StateMismatchError, match="two of the archive"):
        load(path, into={"a": one, "b": one})
    tied = save({"a": one, "b": one}, tmp_path)
    apart = {"a": tf.Variable(1.0), "b": tf.Variable(2.0)}
    assert load(tied, into=apart).complete
    assert [v.numpy() for v in apart.values()] == [0.0, 0.0]


def test_bare_values(tmp_path: Path) -> None:
    made = load(save(Net(1), tmp_path), into=dict)
    assert sorted(made) == ["layers.0.b", "pair.0", "w"] or sorted(made)[-1] in ("same", "w")
    assert all(not isinstance(value, tf.Variable) for value in made.values())


def test_a_checkpoint_with_its_counter(tmp_path: Path) -> None:
    saved = tf.train.Checkpoint(net=Net(1))
    saved.save(str(tmp_path / "ck"))
    other = tf.train.Checkpoint(net=Net(2))
    assert load(save(saved, tmp_path), into=other).complete
    assert other.save_counter.numpy() == 1


@pytest.mark.parametrize("into", [3, "text", int, lambda: None])
def test_into_what_holds_nothing(tmp_path: Path, into: Any) -> None:
    with pytest.raises(UsageError):
        load(save(Net(), tmp_path), into=into)


def test_no_device(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tf.device|makes no sense"):
        load(save(Net(), tmp_path), device="cpu")


# What can't be saved


def _untracked() -> Any:
    module = tf.Module()
    module.kept = {5: [tf.Variable(1.0)]}
    return module


def _table() -> Any:
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    return module


def _graph_tensor() -> Any:
    with tf.Graph().as_default():
        return [tf.constant(1.0)]


UNSAVABLE = {
    "untracked": _untracked,
    "table": _table,
    "graph": _graph_tensor,
    "ragged": lambda: [tf.ragged.constant([[1], [2, 3]])],
    "sparse": lambda: {"s": tf.sparse.eye(3)},
    "quantized": lambda: [tf.quantization.quantize([1.0], 0.0, 2.0, tf.qint8)[0]],
    "dataset": lambda: tf.data.Dataset.range(3),
    "function": lambda: [tf.Variable(1.0), print],
}


@pytest.mark.parametrize("name", UNSAVABLE)
def test_unsavable(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsavableError) as caught:
        save(UNSAVABLE[name](), tmp_path)
    assert str(caught.value)
    assert not list(tmp_path.iterdir())


# Hostile archives


def bundle(tmp_path: Path, architecture: Any, tensors: dict[str, Any]) -> Path:
    """An archive as a hostile signer makes it."""
    contents = Contents(
        framework="tensorflow",
        adapter=Adapter("tensorflow", 1),
        architecture=architecture,
        tensors=tuple(
            TensorData(TensorSpec(name, dtype, shape), lambda data=data: (data,))
            for name, (dtype, shape, data) in tensors.items()
        ),
    )
    write(tmp_path / "h.safemodel", contents, signers=())
    return tmp_path / "h.safemodel"


F = {"f": ("F32", (2,), b"\0" * 8)}
S = {"d": ("U8", (3,), b"abc"), "e": ("I64", (2,), np.array([1, 3], "<i8").tobytes())}
VARIABLE = {"kind": "variable", "dtype": "float32", "data": "f"}
TENSOR = {"kind": "tensor", "dtype": "float32", "data": "f"}
STRINGS = {"kind": "variable", "dtype": "string", "data": "d", "ends": "e"}


def ends(*places: int) -> dict[str, Any]:
    return {**S, "e": ("I64", (len(places),), np.array(places, "<i8").tobytes())}


def module(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "module", "class": "M", "parts": list(parts), **more}


def graph(*nodes: Any) -> dict[str, Any]:
    return {"root": {"ref": 0}, "nodes": list(nodes)}


ONE = {"ref": 1}
ITEMS = {"kind": "list", "items": [ONE]}
LIST, TUPLE = ({"kind": kind, "items": [{"ref": 2}]} for kind in ("list", "tuple"))
HOSTILE: dict[str, tuple[Any, dict[str, Any]]] = {
    "dtype": (graph({**VARIABLE, "dtype": "resource"}), F),
    "other dtype": (graph({**VARIABLE, "dtype": "int32"}), F),
    "ends of floats": (graph({**VARIABLE, "ends": "f"}), F),
    "strings without ends": (graph({"kind": "variable", "dtype": "string", "data": "d"}), S),
    "backwards": (graph(STRINGS), ends(3, 1)),
    "negative": (graph(STRINGS), ends(-1, 3)),
    "short": (graph(STRINGS), ends(1, 2)),
    "beyond": (graph(STRINGS), ends(1, 2**40)),
    "none": (graph(STRINGS), ends()),
    "overflow": (graph(STRINGS), ends(2**63 - 1, 3)),
    "name": (graph({**VARIABLE, "name": "a\n"}), F),
    "no name": (graph({**VARIABLE, "name": ""}), F),
    "trainable": (graph({**VARIABLE, "trainable": False}), F),
    "shape": (graph({**VARIABLE, "shape": [2]}), F),
    "other shape": (graph({**VARIABLE, "shape": [None, None]}), F),
    "more than it permits": (graph({**VARIABLE, "shape": [3]}), F),
    "flag": (graph({**VARIABLE, "dtype": "bool"}), {"f": ("BOOL", (1,), b"\2")}),
    "tensor with a name": (graph({**TENSOR, "name": "a"}), F),
    "twice": (graph(module(["a", ONE], ["b", {"ref": 2}]), VARIABLE, VARIABLE), F),
    "no tensor": (graph({**VARIABLE, "data": "g"}), F),
    "two of a name": (graph(module(["a", ONE], ["a", ONE]), VARIABLE), F),
    "out of order": (graph(module(["b", ONE], ["a", ONE]), VARIABLE), F),
    "empty name": (graph(module(["", ONE]), VARIABLE), F),
    "number as name": (graph(module([1, ONE]), VARIABLE), F),
    "long name": (graph(module(["a" * 1025, ONE]), VARIABLE), F),
    "plain part": (graph(module(["a", 3], ["b", ONE]), VARIABLE), F),
    "part in a list": (graph(module(["b", ONE]), LIST, VARIABLE), F),
    "tensor as part": (graph(module(["a", ONE]), TENSOR), F),
    "class": (graph(module(["a", ONE], **{"class": "a\n"}), VARIABLE), F),
    "type": (graph({"kind": "tracked", "type": "set", "parts": [["0", ONE]]}, VARIABLE), F),
    "item": (graph({"kind": "tracked", "type": "list", "parts": [["00", ONE]]}, VARIABLE), F),
    "items out of order": (
        graph({"kind": "tracked", "type": "list", "parts": [["10", ONE], ["9", ONE]]}, VARIABLE),
        F,
    ),
    "key": (graph({"kind": "dict", "items": [[ONE, 1]]}, VARIABLE), F),
    "element": (graph({"kind": "set", "items": [ONE]}, VARIABLE), F),
    "element of a frozen set": (graph({"kind": "frozenset", "items": [ONE]}, VARIABLE), F),
    "in a key": (
        graph({"kind": "dict", "items": [[ONE, 1]]}, TUPLE, VARIABLE),
        F,
    ),
}  # fmt: skip


@pytest.mark.parametrize("into", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(tmp_path: Path, name: str, into: bool) -> None:
    made, tensors = HOSTILE[name]
    path = bundle(tmp_path, {"graph": copy.deepcopy(made)}, tensors)
    options = {"into": dict} if into else {}
    with pytest.raises(ArchitectureError):
        load(path, **options)


def test_the_good_ones_are_good(tmp_path: Path) -> None:
    load(bundle(tmp_path, {"graph": graph(VARIABLE)}, F))
    made = load(bundle(tmp_path, {"graph": graph(STRINGS)}, S))
    assert made.numpy().tolist() == [b"a", b"bc"]


def test_a_module_that_holds_itself(tmp_path: Path) -> None:
    nodes = graph(module(["a", {"ref": 0}], ["b", ONE]), VARIABLE)
    made = load(bundle(tmp_path, {"graph": nodes}, F))
    assert made["a"] is made
    assert len(made.variables) == 1
    other = tf.train.Checkpoint(b=tf.Variable([1.0, 2.0]))
    other.a = other
    assert load(tmp_path / "h.safemodel", into=other).complete
    assert other.b.numpy().tolist() == [0, 0]


@pytest.mark.parametrize(
    "architecture",
    [None, [], {}, {"graph": 1}, {"graph": graph(VARIABLE), "more": 1}, {"program": {}},
     {"graph": graph(VARIABLE), "program": {}}],
)  # fmt: skip
def test_other_architectures(tmp_path: Path, architecture: Any) -> None:
    with pytest.raises(ArchitectureError):
        load(bundle(tmp_path, architecture, F))


def test_many_paths_to_one_part_take_no_time(tmp_path: Path) -> None:
    nodes = [module(["a", {"ref": n + 1}], ["b", {"ref": n + 1}]) for n in range(200)]
    path = bundle(tmp_path, {"graph": graph(*nodes, VARIABLE)}, F)
    assert len(load(path).variables) == 1
    assert len(load(path, into=dict)) == 1
    with pytest.raises(StateMismatchError):
        load(path, into=Net())


JSON = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, "", "a", "f", "float32", "string", ONE, {"ref": 0}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)  # fmt: skip
FIELDS = ("kind", "dtype", "data", "ends", "name", "trainable", "shape", "class", "parts", "type")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from([VARIABLE, STRINGS, module(["a", ONE]), module(), ITEMS])
        | st.dictionaries(st.sampled_from(FIELDS), JSON),
        min_size=1, max_size=4,
    ),
    st.sampled_from(FIELDS), JSON,
)  # fmt: skip
def test_any_graph(tmp_path: Path, nodes: list[Any], field: str, value: Any) -> None:
    nodes = copy.deepcopy(nodes)
    nodes[-1][field] = value
    architecture = {"graph": {"root": {"ref": 0}, "nodes": nodes}}
    with contextlib.suppress(SafemodelError):
        path = bundle(tmp_path, architecture, {**F, **S})
        load(path)
