"""Configurations of `.keras` files in the form that the table checks; no Keras is needed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.adapters.keras import checking
from safemodel.convert import keras_config
from safemodel.errors import SafemodelError
from tests.adapters import keras_hostile as hostile


def modern(config: Any, release: str = "3.15.1") -> Any:
    return keras_config.modern(config, release, [])


def test_numbers_of_shared_objects_are_counted() -> None:
    first, second = hostile.dense(), hostile.dense()
    first["shared_object_id"] = second["shared_object_id"] = 139743660047120
    policy = hostile.obj("DTypePolicy", {"name": "float32"}, "keras", shared_object_id=7)
    first["config"]["dtype"] = policy
    found = modern(hostile.model(first, second))
    layers = found["config"]["layers"]
    assert [layer.get("shared_object_id") for layer in layers] == [None, 1, 1]
    assert "shared_object_id" not in layers[1]["config"]["dtype"]


def test_a_factor_that_keras_could_not_read_again() -> None:
    shear = hostile.obj(
        "RandomShear", {"name": "s", "x_factor": [-0.5, 0.5], "y_factor": [0.0, 0.2]}
    )
    found = modern(hostile.model(shear))["config"]["layers"][1]["config"]
    assert (found["x_factor"], found["y_factor"]) == (0.5, [0.0, 0.2])


def test_an_optimizer_of_the_torch_backend() -> None:
    adam = hostile.obj(
        "Adam", {"learning_rate": 0.1}, "keras.src.backend.torch.optimizers.torch_adam"
    )
    adam["registered_name"] = "Adam"
    found = modern(hostile.model(hostile.dense(), compile_config={"optimizer": adam}))
    assert checking.check(found) == frozenset()
    assert found["compile_config"]["optimizer"]["module"] == "keras.optimizers"


@pytest.mark.parametrize("release", ["3.15.1", ""])
def test_what_is_refused_stays_so(release: str) -> None:
    for name in hostile.CONFIGS:
        config = json.loads(json.dumps(hostile.CONFIGS[name]))
        before = copy.deepcopy(config)
        with pytest.raises(SafemodelError):
            pytest.fail(f"{name}: {checking.check(modern(config, release))}")
        assert config == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["module", "class_name", "config", "shared_object_id", "layers", "x"]),
            inner | st.sampled_from(["Dense", "Sequential", "keras", "keras.layers", "function"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from(["3.1", "2.9", ""]))
def test_any_json(config: Any, release: str) -> None:
    try:
        checking.check(modern(config, release))
    except SafemodelError:
        return
    assert config["class_name"]
