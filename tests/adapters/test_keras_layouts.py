"""Archives that keep the layout of a file of Keras, from a hostile signer: only errors of ours."""

from __future__ import annotations

import copy
import importlib.util
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import safemodel as sm
from safemodel.adapters.keras import laid_out
from safemodel.adapters.keras.laid_out import Foreign
from safemodel.adapters.keras.variables import Stored
from safemodel.bundle.contents import Contents
from safemodel.bundle.write import write
from safemodel.errors import ArchitectureError, SafemodelError, StateMismatchError
from safemodel.format.manifest import Adapter

from . import keras_hostile as hostile

np = pytest.importorskip("numpy")
needs_keras = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None,
    reason="needs keras and tensorflow",
)


def variable(
    path: str, shape: tuple[int, ...], dtype: str = "float32", value: float = 1
) -> Foreign:
    raw = np.full(shape, value, dtype).tobytes()
    return Foreign(path, dtype, shape, lambda: iter((memoryview(raw),)))


def group(path: str, *variables: Foreign) -> dict[str, Any]:
    return {"path": path, "variables": list(variables)}


KERNEL, BIAS = "layers/dense/vars/0", "layers/dense/vars/1"
COUNTS = [variable("optimizer/vars/0", (), "int64"), variable("optimizer/vars/1", ())]


def roots() -> dict[str, Any]:
    """Good ones, of both layouts."""
    config = hostile.model(hostile.dense(), compile_config={"optimizer": "sgd", "loss": "mse"})
    config["config"]["build_input_shape"] = [None, 3]
    kernel, bias = variable(KERNEL, (3, 2)), variable(BIAS, (2,))
    common = {"class": "Sequential", "backend": "", "model": config}
    return {
        "keras3": common
        | {
            "laid_out": {
                "layout": "keras3",
                "groups": [group("layers/dense", kernel, bias), group("optimizer", *COUNTS)],
            }
        },
        "h5": common
        | {
            "laid_out": {
                "layout": "h5",
                "groups": [group("dense", kernel, bias)],
                "optimizer": list(COUNTS),
            }
        },
    }


def load(root: Any, folder: Path, **more: Any) -> Any:
    graph = laid_out.graph_of(root)
    contents = Contents(
        framework="keras",
        adapter=Adapter("keras", 1),
        architecture={"graph": graph.graph},
        tensors=graph.tensors,
    )
    write(folder / "m.safemodel", contents, signers=())
    return sm.load(folder / "m.safemodel", trust=sm.UNSIGNED, **more)


def changed(layout: str, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Any:
    root = copy.deepcopy(roots()[layout])
    change(root, root["laid_out"])
    return root


def first(section: dict[str, Any]) -> Any:
    return section["groups"][0]["variables"]


BOTH: dict[str, Callable[[Any, Any], object]] = {
    "owners": lambda r, s: r.update(owners=[]),
    "training state": lambda r, s: r.update(loss_tracker=[]),
    "inner": lambda r, s: r.update(inner=[]),
    "another key": lambda r, s: s.update(more=1),
    "no groups": lambda r, s: s.pop("groups"),
    "groups": lambda r, s: s.update(groups="x"),
    "a group": lambda r, s: s["groups"].append(7),
    "no path": lambda r, s: s["groups"][0].pop("path"),
    "a path": lambda r, s: s["groups"][0].update(path=7),
    "two groups": lambda r, s: s["groups"].append({**s["groups"][0], "variables": []}),
    "a layout": lambda r, s: s.update(layout="/etc/passwd"),
    "another layout": lambda r, s: s.update(layout=7),
    "no variable": lambda r, s: first(s).append(7),
    "one more": lambda r, s: first(s).append(variable("layers/dense/vars/2", (2,))),
    "one less": lambda r, s: first(s).pop(),
    "none": lambda r, s: s.update(groups=[]),
    "a shape": lambda r, s: first(s).__setitem__(0, variable(KERNEL, (2, 3))),
    "a large shape": lambda r, s: first(s).__setitem__(0, variable(KERNEL, (300, 200))),
    "a dtype": lambda r, s: first(s).__setitem__(0, variable(KERNEL, (3, 2), "float64")),
    "another dtype": lambda r, s: first(s).__setitem__(0, variable(KERNEL, (3, 2), "int32")),
    "one path": lambda r, s: first(s).__setitem__(1, variable(KERNEL, (2,))),
    "vocabularies": lambda r, s: s.update(vocabularies=[{"path": "layers/dense", "tokens": [1]}]),
    "a vocabulary": lambda r, s: s.update(vocabularies={"layers/dense": "/etc/passwd"}),
    "a model": lambda r, s: r.update(model="/etc/passwd"),
    "code": lambda r, s: r["model"]["config"]["layers"].append(hostile.FUNCTIONS[0]),
    "nothing": lambda r, s: (r.pop("model"), s.update(groups=[])),
}
KERAS_3: dict[str, Callable[[Any, Any], object]] = {
    "outside": lambda r, s: first(s).__setitem__(0, variable("layers/other/vars/0", (3, 2))),
    "above": lambda r, s: first(s).__setitem__(0, variable("layers/dense/vars/../0", (3, 2))),
    "a name": lambda r, s: first(s).__setitem__(0, variable("layers/dense/vars/__class__", (3, 2))),
    "no layer": lambda r, s: s["groups"].append(group("layers/x", variable("layers/x/vars/0", ()))),
    "attributes": lambda r, s: s["groups"].append(
        group("__class__/__base__", variable("__class__/__base__/vars/0", ()))
    ),
    "an optimizer beside": lambda r, s: s.update(optimizer=[]),
    "an optimizer": lambda r, s: s["groups"][1]["variables"].__setitem__(
        0, variable("optimizer/vars/x", (), "int64")
    ),
    "a lookup": lambda r, s: s.update(vocabularies=[{"path": "layers/dense", "tokens": ["a"]}]),
}
H5: dict[str, Callable[[Any, Any], object]] = {
    "an optimizer": lambda r, s: s.update(optimizer=7),
    "a variable twice": lambda r, s: s.update(optimizer=[variable(KERNEL, ())]),
    "a layer": lambda r, s: s["groups"].append(group("other", variable("other/vars/0", ()))),
    "of the model": lambda r, s: s["groups"].append(group("", variable("top", ()))),
}
CASES = [
    *((layout, name, change) for layout in ("keras3", "h5") for name, change in BOTH.items()),
    *(("keras3", name, change) for name, change in KERAS_3.items()),
    *(("h5", name, change) for name, change in H5.items()),
]


@needs_keras
@pytest.mark.parametrize("layout", ["keras3", "h5"])
def test_a_good_one(layout: str, tmp_path: Path) -> None:
    model = load(roots()[layout], tmp_path)
    assert np.array_equal(model.get_weights()[0], np.ones((3, 2)))
    assert int(model.optimizer.iterations) == 1
    assert float(model.optimizer.learning_rate) == 1


@needs_keras
@pytest.mark.parametrize(
    ("layout", "change"),
    [pytest.param(layout, change, id=f"{layout}: {name}") for layout, name, change in CASES],
)
def test_refused(layout: str, change: Callable[[Any, Any], object], tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError):
        load(changed(layout, change), tmp_path)


@needs_keras
@pytest.mark.parametrize("layout", ["keras3", "h5"])
def test_an_optimizer_that_does_not_fit_begins_anew(
    layout: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def change(root: Any, section: Any) -> None:
        more = [variable(f"optimizer/vars/{index}", (7,)) for index in (2, 3, 4)]
        kept = section["optimizer"] if layout == "h5" else section["groups"][1]["variables"]
        kept += more

    model = load(changed(layout, change), tmp_path)
    assert int(model.optimizer.iterations) == 0
    assert "begins anew" in caplog.text


@needs_keras
def test_counters_of_another_width(tmp_path: Path) -> None:
    def count(value: float, dtype: str) -> Any:
        def change(root: Any, section: Any) -> None:
            made = variable("optimizer/vars/0", (), dtype, value)
            section["groups"][1]["variables"][0] = made

        return change

    model = load(changed("keras3", count(7, "int32")), tmp_path)
    assert int(model.optimizer.iterations) == 7
    assert load(changed("keras3", count(2**31, "uint64")), tmp_path).optimizer.iterations == 2**31


@needs_keras
@pytest.mark.parametrize("layout", ["keras3", "h5"])
def test_into_a_model_that_is_not_changed_if_it_does_not_fit(layout: str, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    before = model.get_weights()
    for name in ("a shape", "a dtype", "one less", "none", "one more"):
        with pytest.raises(StateMismatchError):
            load(changed(layout, BOTH[name]), tmp_path, into=model)
        assert all(map(np.array_equal, model.get_weights(), before))
    with pytest.raises(StateMismatchError) as caught:
        load(changed(layout, BOTH["a shape"]), tmp_path, into=model)
    assert "dense/kernel: expected float32 [3, 2], found float32" in str(caught.value)
    assert "missing: dense/kernel" not in str(caught.value)
    assert load(roots()[layout], tmp_path, into=model).complete
    assert model.get_weights()[0].max() == 1


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("keras3"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["layout", "groups", "optimizer", "vocabularies", "path", "tokens", "x"]
            )
            | st.sampled_from(["variables"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(
    PLAIN | st.fixed_dictionaries({"layout": st.sampled_from(["keras3", "h5"]), "groups": PLAIN})
)
def test_any_section(value: Any) -> None:
    try:
        found = laid_out.parsed(value)
    except SafemodelError:
        return
    assert found.layout in ("keras3", "h5")
    assert found.stored() == []


@needs_keras
@pytest.mark.parametrize(
    ("stored", "dtype", "value", "fits"),
    [
        ("int64", "int32", 7, True),
        ("int64", "int32", 1 << 31, False),
        ("uint64", "int64", 1 << 63, False),
        ("int8", "uint8", -1, False),
        ("uint8", "int8", 200, False),
        ("uint8", "int64", 200, True),
    ],
)
def test_integers_of_another_width_are_taken_if_they_fit(
    stored: str, dtype: str, value: int, fits: bool
) -> None:
    from keras import Variable

    from safemodel.adapters.keras.placing import fitted

    class One(Stored):
        shape = (3,)

        def array(self) -> Any:
            return np.array([0, value, 1], stored)

    found = fitted(Variable([0, 0, 0], dtype=dtype), One("x", "x", stored, None))
    assert (None if found is None else [int(one) for one in found]) == (
        [0, value, 1] if fits else None
    )


@needs_keras
def test_integers_of_another_width_take_no_memory_out_of_proportion() -> None:
    from types import SimpleNamespace

    from safemodel.adapters.keras.placing import fitted

    class One(Stored):
        shape = (3_000_000,)

        def array(self) -> Any:
            return np.full(self.shape, 1 << 40, "int64")

    variable = SimpleNamespace(shape=(3_000_000,), _dtype="int32")
    tracemalloc.start()
    try:
        assert fitted(variable, One("x", "x", "int64", None)) is None
        assert tracemalloc.get_traced_memory()[1] < 4 * 8 * 3_000_000
    finally:
        tracemalloc.stop()
