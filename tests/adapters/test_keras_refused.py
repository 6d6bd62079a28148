"""What a configuration of Keras must not name: refused by the table, and without Keras."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.adapters.keras import checking
from safemodel.errors import ArchitectureError, NotAllowedError

from . import keras_hostile as hostile

ROOT = Path(__file__).resolve().parents[2]
GOOD = hostile.model(
    hostile.dense(activation="relu"),
    compile_config={"optimizer": "adam", "loss": "mse", "metrics": ["accuracy"]},
)


def test_a_good_configuration_passes() -> None:
    assert checking.check(GOOD) == frozenset()


@pytest.mark.parametrize("name", hostile.CONFIGS)
def test_refused(name: str) -> None:
    config = json.loads(json.dumps(hostile.CONFIGS[name]))
    with pytest.raises(ArchitectureError) as caught:
        checking.check(config)
    assert caught.value.place
    assert isinstance(caught.value, NotAllowedError) == (name == "own" or ">" in str(caught.value))


@pytest.mark.parametrize("allow", [["os>system"], ["system", "os.system", "Popen", "eval"], ["*"]])
def test_allow_opens_no_module(allow: list[str]) -> None:
    for config in hostile.CONFIGS.values():
        if config != hostile.CONFIGS["registered"]:
            with pytest.raises(ArchitectureError):
                checking.check(config, allow)


def test_a_class_of_ones_own_needs_to_be_allowed() -> None:
    config = hostile.CONFIGS["own"]
    with pytest.raises(NotAllowedError, match="mine>Mine") as caught:
        checking.check(config)
    assert caught.value.hint is not None
    assert "allow=['mine>Mine']" in caught.value.hint
    assert checking.check(config, ["mine>Mine"]) == {"mine>Mine"}


@pytest.mark.parametrize("index", range(len(hostile.FUNCTIONS)))
def test_what_an_own_class_holds_is_audited_too(index: int) -> None:
    own = hostile.obj(
        "Mine", {"a": [hostile.FUNCTIONS[index]]}, "mine", registered_name="mine>Mine"
    )
    with pytest.raises(ArchitectureError):
        checking.check(hostile.model(own), ["mine>Mine"])


def test_refusals_say_what_to_do() -> None:
    for name, word in {
        "Lambda-lambda": "register", "StringLookup-0": "list", "TFSMLayer-0": "SavedModel",
        "TorchModuleWrapper": "pytorch.md", "standardize-0": "register",
    }.items():  # fmt: skip
        with pytest.raises(ArchitectureError) as caught:
            checking.check(hostile.CONFIGS[name])
        assert word in (caught.value.hint or ""), (name, caught.value.hint)


def test_auditing_imports_no_framework() -> None:
    code = (
        "import json, sys\n"
        "from safemodel.adapters.keras.checking import check\n"
        "check(json.load(sys.stdin))\n"
        "print([m for m in ('keras', 'tensorflow', 'numpy', 'torch') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(GOOD),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"


# Bounds


def nested(depth: int) -> Any:
    layer = hostile.dense()
    for _ in range(depth):
        layer = hostile.obj("TimeDistributed", {"layer": layer})
    return hostile.model(layer)


def test_depth_is_bounded() -> None:
    checking.check(nested(20))
    with pytest.raises(ArchitectureError, match="too deep"):
        checking.check(nested(500))


def test_what_holds_itself_is_refused() -> None:
    config: Any = copy.deepcopy(GOOD)
    config["config"]["layers"].append(config)
    with pytest.raises(ArchitectureError, match="too deep"):
        checking.check(config)


def functional(inner: Any, calls: int) -> Any:
    def tensor(index: int) -> Any:
        config = {"shape": [None, 3], "dtype": "float32", "keras_history": ["i", index, 0]}
        return {"class_name": "__keras_tensor__", "config": config}

    nodes = [{"args": [tensor(0)], "kwargs": {}} for _ in range(calls)]
    entry = {**inner, "name": "i", "inbound_nodes": nodes}
    ends = [["i", 0, 0]]
    config = {"name": "f", "layers": [entry], "input_layers": ends, "output_layers": ends}
    return hostile.obj("Functional", config, "keras.src.models.functional")


def test_models_that_call_models_twice_are_bounded() -> None:
    config = hostile.dense()
    for _ in range(10):
        config = functional(config, 2)
    checking.check(config)
    for _ in range(8):
        config = functional(config, 2)
    with pytest.raises(ArchitectureError, match="too many calls"):
        checking.check(config)


@pytest.mark.parametrize("key", ["a+", "(a|b)*", "(.*)(.*)x", "a{1,9}", "[a-z]"])
def test_patterns_that_may_be_slow_are_refused(key: str) -> None:
    policies = hostile.obj(
        "DTypePolicyMap", {"policy_map": {key: "float32"}}, "keras.dtype_policies"
    )
    with pytest.raises(ArchitectureError):
        checking.check(hostile.model(hostile.dense(dtype=policies)))


def test_objects_of_one_number_are_of_one_class() -> None:
    first = hostile.obj("Dense", {"units": 2}, shared_object_id=1)
    other = hostile.obj("Flatten", {}, shared_object_id=1)
    with pytest.raises(ArchitectureError, match="another class"):
        checking.check(hostile.model(first, other))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["relu", "Dense", "keras.layers", "function", "__numpy__", "Sequential"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["module", "class_name", "config", "registered_name", "layers", "units", "dtype", "name",
             "inbound_nodes", "args", "kwargs", "value", "shared_object_id", "build_config"]
        )
        | st.text(max_size=3),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_anything_passes_or_is_refused(value: Any) -> None:
    for config in (value, hostile.model(value), hostile.model(hostile.obj("Dense", value))):
        try:
            checking.check(config)
        except ArchitectureError:
            continue


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


SEEDS = [GOOD, functional(hostile.dense(kernel_initializer="ones"), 2)]
SPOTS = [(seed, place) for seed in SEEDS for place in places(seed) if place]


@given(st.sampled_from(SPOTS), VALUES)
@settings(max_examples=200, deadline=None)
def test_a_changed_value_passes_or_is_refused(
    spot: tuple[Any, tuple[Any, ...]], value: Any
) -> None:
    config = copy.deepcopy(spot[0])
    inner = config
    for key in spot[1][:-1]:
        inner = inner[key]
    inner[spot[1][-1]] = value
    with contextlib.suppress(ArchitectureError):
        checking.check(config)


# What happens when archives of them are loaded


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a child that loads them all said of each, and what its audit hook saw meanwhile."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow")
    folder = tmp_path_factory.mktemp("victim")
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.keras_victim", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_loading_them_touches_nothing(touched: Any) -> None:
    assert touched["refused"].keys() == hostile.CONFIGS.keys()
    assert [name for name, (said, _) in touched["refused"].items() if not said] == []
    assert {name: seen for name, (_, seen) in touched["refused"].items() if seen} == {}
    assert touched["fine"] == ["", []]
    assert not Path(hostile.MARKER).exists()


@pytest.mark.parametrize("cve", hostile.PUBLISHED)
def test_what_was_published_is_refused_and_touches_nothing(cve: str, touched: Any) -> None:
    assert hostile.PUBLISHED[cve]
    for name in hostile.PUBLISHED[cve]:
        with pytest.raises(ArchitectureError):
            checking.check(hostile.CONFIGS[name])
        said, seen = touched["refused"][name]
        assert said
        assert seen == []
    assert not Path(hostile.MARKER).exists()


def test_the_page_lists_what_was_published() -> None:
    page = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    assert {cve for cve in hostile.PUBLISHED if cve not in page} == set()


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_texts_that_could_be_paths_are_not_opened(name: str, touched: Any) -> None:
    checking.check(hostile.TEXTS[name])
    assert touched["texts"][name][1] == []
    assert not Path(hostile.MARKER).exists()
