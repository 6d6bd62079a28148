"""The Keras adapter: weights and architecture apart, what is refused, hostile archives."""

from __future__ import annotations

import contextlib
import copy
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.adapters.graph_encode import encode  # noqa: E402
from safemodel.adapters.keras import forgotten, loading, saving, variables  # noqa: E402
from safemodel.adapters.needs import needs_of  # noqa: E402
from safemodel.bundle.contents import Contents  # noqa: E402
from safemodel.bundle.write import write  # noqa: E402
from safemodel.errors import (  # noqa: E402
    ArchitectureError,
    NotAllowedError,
    SafemodelError,
    StateMismatchError,
    UnsavableError,
    UsageError,
)
from safemodel.format.manifest import Adapter  # noqa: E402

from . import keras_hostile as hostile  # noqa: E402

L = keras.layers
pytestmark = pytest.mark.xdist_group("keras")


def network(width: int = 4, outputs: int = 1, name: str | None = None) -> Any:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            L.Dense(width, activation="relu"),
            L.Dense(width),
            L.Dense(outputs, name=name),
        ]
    )
    model.compile("adam", "mse", run_eagerly=True)
    return model


def values(model: Any) -> list[Any]:
    return list(model.get_weights())


def equal(first: Any, second: Any) -> bool:
    return all(map(np.array_equal, values(first), values(second)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.safemodel"


# Halves


def test_weights_alone(path: Path) -> None:
    model, other = network(), network()  # Keras gives their layers different names
    sm.save(model, path, architecture=False)
    with pytest.raises(ArchitectureError, match="weights of a Sequential") as caught:
        sm.load(path)
    assert "load_weights" in (caught.value.hint or "")
    assert not equal(model, other)
    assert sm.load_weights(path, into=other).complete
    assert equal(model, other)


def test_weights_of_a_whole_model(path: Path) -> None:
    model, other = network(), network()
    sm.save(model, path)
    assert sm.load_weights(path, into=other).complete
    assert equal(model, other)


def test_some_weights(path: Path) -> None:
    model, other = network(outputs=2, name="old"), network(outputs=5, name="head")
    sm.save(model, path, architecture=False)
    before = values(other)
    with pytest.raises(StateMismatchError, match="missing: head/kernel, head/bias"):
        sm.load_weights(path, into=other)
    assert all(map(np.array_equal, before, values(other)))
    assert sm.load_weights(path, into=other, only=["dense*"]).complete
    assert all(map(np.array_equal, values(model)[:4], values(other)[:4]))
    assert all(map(np.array_equal, before[4:], values(other)[4:]))
    report = sm.load_weights(path, into=other, strict=False)
    assert report.unexpected == ("old/kernel", "old/bias")


def test_weights_of_another_shape(path: Path) -> None:
    model, other = network(), network(width=5)
    sm.save(model, path, architecture=False)
    with pytest.raises(StateMismatchError, match=r"dense/kernel: expected float32 \[3, 5\]"):
        sm.load_weights(path, into=other)
    report = sm.load_weights(path, into=other, strict=False)
    assert report.mismatched[0].name == "dense/kernel"


def test_only_reads_what_is_wanted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.bundle.verified import VerifiedBundle

    model, other = network(), network()
    sm.save(model, path)
    read: list[str] = []
    original = VerifiedBundle.tensor

    def tensor(self: Any, name: str) -> Any:
        read.append(name)
        return original(self, name)

    monkeypatch.setattr(VerifiedBundle, "tensor", tensor)
    sm.load_weights(path, into=other, only=["dense_1/*"])
    assert sorted(read) == ["dense_1/bias", "dense_1/kernel"]


def test_a_model_that_is_not_built_has_nowhere_to_put_them(path: Path) -> None:
    sm.save(network(), path, architecture=False)
    with pytest.raises(StateMismatchError, match="has not been built"):
        sm.load_weights(path, into=keras.Sequential([L.Dense(1)]))


def test_a_model_that_is_not_built_has_no_weights_alone(path: Path) -> None:
    with pytest.raises(UnsavableError, match="has not been built"):
        sm.save(keras.Sequential([L.Dense(1)]), path, architecture=False)
    assert not path.exists()


def test_several_models_are_several_archives(path: Path) -> None:
    with pytest.raises(UnsavableError, match="with models or layers") as caught:
        sm.save({"a": network(), "b": [network()]}, path)
    assert caught.value.hint == "save each to an archive of its own"


def test_architecture_alone(path: Path) -> None:
    model = network()
    sm.save(model, path, weights=False)
    with sm.open(path) as bundle:
        assert not bundle.tensors
    again = sm.load(path)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.optimizer is not None
    assert not equal(model, again)
    sm.save(model, path)
    assert not equal(model, sm.load_architecture(path))
    sm.save(model, path, weights=False)
    with pytest.raises(ArchitectureError, match="no weights"):
        sm.load_weights(path, into=model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "cpu"}, "device="),
        ({"only": ["x"]}, "needs into="),
        ({"into": object()}, "no model or layer"),
        ({"into": "m", "only": "dense*"}, "list of patterns"),
        ({"prefix": "x"}, "prefix="),
    ],
)
def test_arguments_that_make_no_sense(path: Path, arguments: Any, message: str) -> None:
    model = network()
    sm.save(model, path)
    if arguments.get("into") == "m":
        arguments = {**arguments, "into": model}
    with pytest.raises(UsageError, match=message):
        sm.load(path, **arguments)


def test_nothing_left_to_save(path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is left"):
        sm.save(network(), path, architecture=False, weights=False)
    with pytest.raises(UsageError, match="no weights by themselves"):
        sm.save({"a": np.ones(2)}, path, architecture=False)


# Refused at save


class Unregistered(L.Layer):
    def call(self, x: Any) -> Any:
        return x


def unregistered(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("layer", "message", "hint"),
    [
        (lambda: L.Lambda(lambda x: x + 1), "holds Python code", "register"),
        (lambda: Unregistered(), "Unregistered", "register"),
        (lambda: L.Dense(2, activation=unregistered), "unregistered", "register"),
        (lambda: L.TextVectorization(standardize=unregistered), "standardize", "register"),
    ],
)
def test_refused_at_save(path: Path, layer: Any, message: str, hint: str) -> None:
    model = keras.Sequential([layer()])
    with pytest.raises(UnsavableError, match=message) as caught:
        sm.save(model, path)
    assert hint in (caught.value.hint or "")
    assert caught.value.place
    assert not path.exists()


def test_an_optimizer_by_itself_is_refused(path: Path) -> None:
    with pytest.raises(UnsavableError, match="by itself"):
        sm.save(keras.optimizers.Adam(), path)


# Own code


@keras.saving.register_keras_serializable("acme")
class Gate(L.Layer):
    def build(self, shape: Any) -> None:
        self.gate = self.add_weight(shape=(shape[-1],), name="gate")
        self.built = True

    def call(self, x: Any) -> Any:
        return x * self.gate


def test_own_classes_need_to_be_allowed(path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), Gate(), L.Dense(2)])
    sm.save(model, path)
    with pytest.raises(NotAllowedError, match="acme>Gate") as caught:
        sm.load(path)
    assert "allow=['acme>Gate']" in (caught.value.hint or "")
    with sm.open(path) as bundle:
        assert needs_of(bundle.manifest.architecture) == ["acme>Gate"]
    assert equal(model, sm.load(path, allow=["acme>Gate"]))
    registered = keras.saving.get_custom_objects()
    gate = registered.pop("acme>Gate")
    try:
        with pytest.raises(ArchitectureError, match="nothing is registered"):
            sm.load(path, allow=["acme>Gate"])
    finally:
        registered["acme>Gate"] = gate


# Hostile archives, validly made


def archive(root: Any, path: Path) -> bytes:
    encoded = encode(root, handlers=saving.HANDLERS, inlines=saving.INLINES)
    contents = Contents(
        framework="keras",
        adapter=Adapter("keras", 1),
        libraries={"keras": keras.__version__},
        architecture={"graph": encoded.graph},
        tensors=encoded.tensors,
    )
    write(path, contents, signers=())
    return path.read_bytes()


def root_of(model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    caught = []
    monkeypatch.setattr(saving, "encode", lambda root, **_: caught.append(root))
    saving.graph_of(model, architecture=True, weights=True)
    monkeypatch.undo()
    return caught[0]


def test_a_shape_that_is_not_stored_allocates_nothing(path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for layers in (
        [hostile.dense(units=2**31 - 1)],
        [hostile.obj("EinsumDense", {"equation": "ab,bc->ac", "output_shape": [2**31 - 1]})],
        [hostile.dense(units=60_000), hostile.obj("Dense", {"units": 60_000, "name": "d2"})],
    ):
        data = archive(
            {"class": "x", "backend": "y", "model": hostile.model(*layers), "owners": []}, path
        )
        with pytest.raises(ArchitectureError, match="not in the archive"):
            sm.load(data, trust=sm.UNSIGNED)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_an_architecture_larger_than_memory_is_refused(path: Path) -> None:
    config = hostile.model(
        hostile.dense(units=2**31 - 1), hostile.obj("Dense", {"units": 2**31 - 1, "name": "e"})
    )
    data = archive({"class": "x", "backend": "y", "model": config}, path)
    with pytest.raises(ArchitectureError, match="more than this machine has"):
        sm.load(data, trust=sm.UNSIGNED)


def test_stored_variables_must_be_those_of_the_model(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network()
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    good = root_of(model, monkeypatch)
    assert equal(model, sm.load(archive(good, path), trust=sm.UNSIGNED))

    def changed(change: Any) -> Any:
        root = {**good, "owners": [dict(owner) for owner in good["owners"]]}
        root["owners"] = [{**o, "variables": list(o["variables"])} for o in root["owners"]]
        change(root)
        return root

    def live(value: Any, name: str) -> Any:
        return variables.Live(name, keras.Variable(value))

    first = next(i for i, owner in enumerate(good["owners"]) if owner["variables"])
    kernel = good["owners"][first]["variables"][0].path
    changes = {
        "another shape": lambda r: r["owners"][first]["variables"].__setitem__(0, live(np.ones((9, 9), "f"), kernel)),
        "another dtype": lambda r: r["owners"][first]["variables"].__setitem__(0, live(np.ones((3, 4), "i4"), kernel)),
        "one more": lambda r: r["owners"][first]["variables"].append(live(np.ones(1, "f"), "x")),
        "one less": lambda r: r["owners"][first]["variables"].pop(),
        "no layer": lambda r: r["owners"][first].update(path="nowhere"),
        "twice": lambda r: r["owners"].append(dict(r["owners"][first])),
        "no owners": lambda r: r.update(owners=[]),
        "owner": lambda r: r["owners"].append(7),
        "vocabulary": lambda r: r["owners"][first].update(vocabulary=["a"]),
        "alpha": lambda r: r["owners"][first].update(lora_alpha=2.0),
        "build": lambda r: r["owners"][first].update(build={"input_shape": "/etc/passwd"}),
        "switched": lambda r: r["owners"][first].update(switched=[99]),
        "frozen": lambda r: r["owners"][first].update(frozen=False),
        "optimizer": lambda r: r.update(optimizer={"class": "Adam", "built": False, "variables": []}),
        "trained": lambda r: r.update(optimizer={**good["optimizer"], "trained": ["x"]}),
        "tracker": lambda r: r.update(loss_tracker=[]),
        "metrics": lambda r: r.update(metrics={"names": None, "flat_metrics": [{"output": None, "metrics": [{"config": hostile.FUNCTIONS[0], "variables": []}]}], "flat_weighted_metrics": []}),
        "losses": lambda r: r.update(losses={"predicted": "x", "true": None, "variables": []}),
        "unknown": lambda r: r.update(more=1),
        "no class": lambda r: r.pop("class"),
        "not compiled": lambda r: r["model"].pop("compile_config", None),
    }  # fmt: skip
    for what, change in changes.items():
        with pytest.raises(ArchitectureError):
            pytest.fail(f"{what}: {sm.load(archive(changed(change), path), trust=sm.UNSIGNED)}")


SPOTS = st.lists(st.integers(0, 50), min_size=1, max_size=12)
JUNK = (
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["relu", "/etc/passwd", "Adam", "dense"])
    | st.lists(st.integers(0, 3), max_size=3) | st.dictionaries(st.text(max_size=3), st.none(), max_size=2)
)  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> Any:
    model = network()
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    with pytest.MonkeyPatch.context() as patch:
        root = root_of(model, patch)
    return _stored(root)


def _stored(value: Any) -> Any:
    if isinstance(value, variables.Live):
        return _Memory(value)
    if isinstance(value, dict):
        return {key: _stored(item) for key, item in value.items()}
    return [_stored(item) for item in value] if isinstance(value, list) else value


class _Tensor:
    def __init__(self, array: Any) -> None:
        self.shape, self.buffer = array.shape, memoryview(bytearray(array.tobytes()))


def _Memory(live: Any) -> Any:  # noqa: N802
    array = live.variable._value.numpy()
    return variables.Stored(live.path, live.path, str(array.dtype), _Tensor(array))  # type: ignore[arg-type]


@given(spot=SPOTS, junk=JUNK)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_changed_root_loads_or_is_refused(whole: Any, spot: list[int], junk: Any) -> None:
    root = _copied(whole)
    inner: Any = root
    for index, number in enumerate(spot):
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            break
        key = keys[number % len(keys)]
        if index == len(spot) - 1 or not isinstance(inner[key], (dict, list)):
            inner[key] = junk
            break
        inner = inner[key]
    with contextlib.suppress(SafemodelError):
        loading.model_of(loading.root_of(root), ())


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


# What Keras forgets


def test_forgotten_arguments_are_kept() -> None:
    cases = {
        "delta": keras.losses.Huber(0.25), "axis": keras.losses.CosineSimilarity(axis=0),
        "gain": keras.initializers.Identity(3.0), "sparse": L.CategoryEncoding(3, sparse=True),
        "seed": L.RandomGrayscale(seed=4), "dtype": keras.losses.Hinge(dtype="float64"),
        "use_cudnn": L.LSTM(2, use_cudnn=False), "fill_value": L.MaxNumBoundingBoxes(2, fill_value=-3),
        "from_sorted_ids": keras.metrics.SparseTopKCategoricalAccuracy(from_sorted_ids=True),
    }  # fmt: skip
    for name, made in cases.items():
        with forgotten.remembering():
            config = made.get_config()
        again = type(made).from_config(copy.deepcopy(config))
        with forgotten.remembering():
            assert again.get_config()[name] == config[name], name
    for kind in forgotten.FORGOTTEN:  # nothing of it stays
        assert "remember" not in kind.get_config.__qualname__
        assert kind.get_config.__qualname__ != "_complete.<locals>.get_config"


# Odd models


def test_a_model_that_was_never_built(path: Path) -> None:
    model = keras.Sequential([L.Dense(3), L.Dropout(0.2)])
    model.compile("adam", "mse")
    sm.save(model, path)
    again = sm.load(path)
    assert not again.built
    again(np.ones((2, 4), "float32"))
    assert again.count_params() == 15


def compiled_inside() -> Any:
    """A model in a model in a model, each compiled in its own way and trained."""
    inner = network(name="head")
    inner.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
    middle = keras.Sequential([keras.Input((3,)), inner, L.Dense(1)], name="middle")
    middle.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mae", run_eagerly=True)
    outer = keras.Sequential([keras.Input((3,)), middle])
    outer.compile("rmsprop", "mse", run_eagerly=True)
    for model in (inner, middle, outer):
        model.train_on_batch(np.ones((2, 3)), np.zeros((2, 1)))
    return outer


def test_models_in_a_model_keep_what_they_were_compiled_with(path: Path) -> None:
    outer = compiled_inside()
    digest = sm.save(outer, path, signer=None)
    again = sm.load(path, trust=sm.UNSIGNED)
    assert sm.save(again, path, signer=None) == digest
    for model in (outer, again):
        middle = model.layers[0]
        models = [middle.layers[0], middle, model]
        kinds = [type(one.optimizer).__name__ for one in models]
        assert kinds == ["Adam", "SGD", "RMSprop"]
        for _ in range(2):
            for one in models:
                one.train_on_batch(np.ones((2, 3)), np.zeros((2, 1)))
    assert equal(outer, again)
    results = [one.layers[0].layers[0].get_metrics_result() for one in (outer, again)]
    assert {k: float(v) for k, v in results[0].items()} == {
        k: float(v) for k, v in results[1].items()
    }
    sm.save(outer, path, weights=False)
    fresh = sm.load(path)
    assert fresh.layers[0].layers[0].optimizer.iterations == 0


@pytest.fixture(scope="module")
def compiled_root(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is saved of it, which loads as it is; tests change copies of its entries."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        root = root_of(compiled_inside(), monkeypatch)
    data = archive(root, tmp_path_factory.mktemp("inside") / "m.safemodel")
    assert sm.load(data, trust=sm.UNSIGNED).compiled
    return root


@pytest.mark.parametrize(
    "change",
    [
        lambda inner: inner.append(dict(inner[0])),
        lambda inner: inner[0].update(path="nowhere"),
        lambda inner: inner[0].update(path=""),
        lambda inner: inner[0].update(path="middle/dense"),
        lambda inner: inner[0].update(more=1),
        lambda inner: inner[0].update(compile="adam"),
        lambda inner: inner[0].update(compile={"optimizer": hostile.FUNCTIONS[0]}),
        lambda inner: inner[0].update(compile={"loss": hostile.FUNCTIONS[0]}),
        lambda inner: inner[0].update(compile={"loss": "mse", "code": "x"}),
        lambda inner: inner[0].pop("compile"),
        lambda inner: inner[0].pop("optimizer"),
        lambda inner: inner[0].update(optimizer=inner[1]["optimizer"]),
        lambda inner: inner.append(7),
    ],
)
def test_changed_entries_of_models_in_a_model_are_refused(
    path: Path, compiled_root: dict[str, Any], change: Any
) -> None:
    root = compiled_root | {"inner": [dict(entry) for entry in compiled_root["inner"]]}
    change(root["inner"])
    with pytest.raises(ArchitectureError):
        sm.load(archive(root, path), trust=sm.UNSIGNED)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.Nadam(0.1),
        lambda: keras.optimizers.ScheduleFreeAdamW(0.1),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1, momentum=0.9)),
    ],
)
def test_optimizers_in_a_process_that_has_made_others(path: Path, make: Any) -> None:
    model = network()
    model.compile(make(), "mse", run_eagerly=True)
    x, y = np.ones((2, 3), "float32"), np.zeros((2, 1), "float32")
    model.train_on_batch(x, y)
    digest = sm.save(model, path, signer=None)
    keras.Variable(0.0)  # Keras counts those without a name
    again = sm.load(path, trust=sm.UNSIGNED)
    assert sm.save(again, path, signer=None) == digest
    model.train_on_batch(x, y)
    again.train_on_batch(x, y)
    assert equal(model, again)


def test_variables_of_optimizers_are_made_of_what_is_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network()
    model.train_on_batch(np.ones((2, 3)), np.zeros((2, 1)))
    sm.save(model, path)
    made = []
    zeros = keras.initializers.Zeros.__call__
    monkeypatch.setattr(
        keras.initializers.Zeros,
        "__call__",
        lambda self, shape, dtype=None: made.append(tuple(shape)) or zeros(self, shape, dtype),
    )
    again = sm.load(path)
    assert set(made) <= {()}  # counters
    assert again.optimizer.iterations == 1


def test_files_of_models_in_a_model_lose_what_they_were_compiled_with(tmp_path: Path) -> None:
    outer = compiled_inside()
    outer.save(tmp_path / "m.keras")
    sm.convert(tmp_path / "m.keras", tmp_path / "m.safemodel")
    again = sm.load(tmp_path / "m.safemodel")
    assert equal(outer, again)
    assert again.compiled
    assert not again.layers[0].compiled


def test_a_sequential_is_built_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = [L.Dense(2, name=f"i{i}") for i in range(3)]
    layers = [L.Dense(2, name=f"d{i}") for i in range(12)]
    model = keras.Sequential([keras.Input((2,)), *layers, keras.Sequential(inner, name="inner")])
    digest = sm.save(model, path, signer=None)
    calls: list[str] = []
    call = L.Dense.compute_output_spec
    monkeypatch.setattr(
        L.Dense,
        "compute_output_spec",
        lambda self, *a, **k: calls.append(self.name) or call(self, *a, **k),
    )
    again = sm.load(path, trust=sm.UNSIGNED)
    assert sorted(calls) == sorted([f"d{i}" for i in range(12)] + [f"i{i}" for i in range(3)])
    assert equal(model, again)
    assert again.built
    assert len(again.layers) == 13
    assert sm.save(again, path, signer=None) == digest
    assert keras.Sequential.add.__qualname__ == "Sequential.add"  # nothing of it stays
    assert keras.Sequential.from_config.__qualname__ == "Sequential.from_config"


def test_a_sequential_without_layers_or_shape(path: Path) -> None:
    for model in (keras.Sequential(), keras.Sequential([keras.Input((2,))])):
        sm.save(model, path)
        assert len(sm.load(path)._layers) == len(model._layers)


def crossentropies(loss: Any) -> tuple[Any, Any, Any]:
    x = keras.Input((3,))
    ends = {name: L.Dense(n, "sigmoid", name=name)(x) for name, n in (("a", 1), ("b", 3), ("c", 3))}
    model = keras.Model(x, ends)
    model.compile("sgd", loss=loss, run_eagerly=True)
    labels = {"a": np.ones((2, 1)), "b": np.array([[0], [2]]), "c": np.eye(3)[:2]}
    return model, np.ones((2, 3), "float32"), labels


@pytest.mark.parametrize(
    "loss", ["crossentropy", {"a": "crossentropy", "b": "ce", "c": "categorical_crossentropy"}]
)
def test_totals_of_losses_that_the_labels_decide(path: Path, loss: Any) -> None:
    model, x, labels = crossentropies(loss)
    model.train_on_batch(x, labels)
    digest = sm.save(model, path, signer=None)
    again = sm.load(path, trust=sm.UNSIGNED)
    assert sm.save(again, path, signer=None) == digest
    expected = model.train_on_batch(x, labels, return_dict=True)
    assert again.train_on_batch(x, labels, return_dict=True) == expected
    assert expected.keys() == {"loss", "a_loss", "b_loss", "c_loss"}


def test_what_a_loss_means_is_one_of_three(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, labels = crossentropies("crossentropy")
    model.train_on_batch(x, labels)
    root = root_of(model, monkeypatch)
    assert sorted(root["losses"]["meant"].values()) == [
        "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
    ]  # fmt: skip
    for meant in ("eval", ["eval"], {"a": "crossentropy"}, 1, {"a": {"b": "x"}}):
        root["losses"]["meant"] = meant
        with pytest.raises(ArchitectureError):
            sm.load(archive(root, path), trust=sm.UNSIGNED)


@pytest.mark.parametrize("weights", [True, False])
def test_the_scale_of_adapters_is_kept(path: Path, weights: bool) -> None:
    model = keras.Sequential([keras.Input((3,)), L.Dense(4), L.Dense(2)])
    model.layers[0].enable_lora(2, lora_alpha=7)
    model.layers[1].enable_lora(2)
    sm.save(model, path, weights=weights)
    assert [layer.lora_alpha for layer in sm.load(path).layers] == [7, 2]
    for kind in (L.Dense, L.Embedding):  # nothing of it stays
        assert kind.enable_lora.__qualname__ == f"{kind.__name__}.enable_lora"


ATTRIBUTES = {
    "layer": lambda: L.Dense(4),
    "layers": lambda: [L.Dense(4)],
    "model": lambda: network(),
    "variable": lambda: keras.Variable(np.ones(3)),
    "metric": lambda: keras.metrics.Mean(),
    "seed": lambda: keras.random.SeedGenerator(3),
}


@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_attributes_that_no_configuration_has(path: Path, kind: str, functional: bool) -> None:
    model = network()
    if functional:
        model = keras.Model(model.inputs, model.outputs)
    model.mine = ATTRIBUTES[kind]()
    with pytest.raises(UnsavableError, match="no part of what the model computes") as caught:
        sm.save(model, path)
    assert "architecture=False" in (caught.value.hint or "")
    with pytest.raises(UnsavableError):
        sm.save(keras.Sequential([keras.Input((3,)), model]), path)
    model.mine2 = model.layers[0]  # is a part of it
    del model.mine
    sm.save(network(), path)


def test_weights_of_attributes(path: Path) -> None:
    models = [network(), network()]
    for number, model in enumerate(models):
        model.extra = L.Dense(4, bias_initializer=keras.initializers.Constant(number))
        model.extra.build((None, 2))
    sm.save(models[0], path, architecture=False)
    assert sm.load_weights(path, into=models[1]).complete
    assert np.array_equal(models[1].extra.bias, np.zeros(4))


def test_names_of_tensors_and_libraries(path: Path) -> None:
    model = network()
    sm.save(model, path)
    with sm.open(path) as bundle:
        assert bundle.manifest.libraries.keys() == {"keras", "tensorflow"}
        assert sorted(name for name in bundle.tensors if "optimizer" not in name)[:6] == [
            "dense/bias", "dense/kernel", "dense_1/bias", "dense_1/kernel", "dense_2/bias", "dense_2/kernel",
        ]  # fmt: skip
        assert np.array_equal(bundle.tensor("dense/kernel").numpy(), values(model)[0])


def test_a_large_variable_is_taken_over_and_still_its_own(path: Path) -> None:
    model = keras.Sequential([keras.Input((256,)), L.Dense(256)])
    model.compile("sgd", "mse", run_eagerly=True)
    sm.save(model, path)
    first, second = sm.load(path), sm.load(path)
    x, y = np.ones((2, 256), "float32"), np.zeros((2, 256), "float32")
    before = values(second)
    first.train_on_batch(x, y)
    model.train_on_batch(x, y)
    assert equal(first, model)
    assert all(map(np.array_equal, before, values(second)))
    with sm.open(path) as bundle:
        assert np.array_equal(bundle.tensor("dense/kernel").numpy(), before[0])


def test_the_first_model_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "keras.md").read_text()
    block = page.split("```python\n")[1].split("```")[0]
    assert "keras.Sequential" in block
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["again"].optimizer.iterations == 80
