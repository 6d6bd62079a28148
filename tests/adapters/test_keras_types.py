"""The table of Keras' classes: the page that is rendered from it, and what is installed."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

import pytest

from safemodel.adapters.keras.refused import REFUSED
from safemodel.adapters.keras.table import table

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_types_is_that_of_the_table() -> None:
    where = ROOT / "spec" / "render_keras.py"
    spec = importlib.util.spec_from_file_location("render_keras", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "spec" / "keras-types.md").read_text(encoding="utf-8")
    assert written == module.render(), "run `python spec/render_keras.py`"


@pytest.mark.parametrize(
    "word", ["file", "path", "url", "save", "load", "fetch", "exec", "eval", "lambda", "module"]
)
def test_no_argument_or_function_speaks_of_files_or_code(word: str) -> None:
    names = {name for one in table().classes.values() for name in one.arguments}
    names |= {name for one in table().functions.values() for name in one}
    names |= {name for one in table().strings.values() for name in one}
    assert [name for name in names if word in name.lower().split("_")] == []


def test_what_is_refused_is_not_in_the_table() -> None:
    assert not {name for _, name in table().classes} & REFUSED.keys()


@pytest.fixture(scope="module")
def keras() -> Any:
    pytest.importorskip("tensorflow")
    return pytest.importorskip("keras")


def _installed(keras: Any) -> dict[tuple[str, str], Any]:
    import importlib

    return {
        where: getattr(importlib.import_module(where[0]), where[1]) for where in table().classes
    }


@pytest.mark.xdist_group("keras")
def test_every_class_is_installed_and_takes_its_arguments(keras: Any) -> None:
    from_config = {
        "vocabulary_size",
        "oov_method",
        "vocabulary_dtype",
        "rms_scaling",
    }  # of **kwargs
    for where, kind in _installed(keras).items():
        known = set()
        for base in kind.__mro__:
            if "__init__" in vars(base):
                known |= set(inspect.signature(base.__init__).parameters)
        if issubclass(kind, keras.layers.Layer):
            known |= {"activity_regularizer", "trainable", "dtype", "name"}
        if where[1] not in ("MeanMetricWrapper", "LossFunctionWrapper"):  # keywords of a function
            unknown = table().classes[where].arguments.keys() - known - from_config
            assert not unknown - {"dtype"}, (where, unknown)


@pytest.mark.xdist_group("keras")
def test_every_public_class_is_in_the_table_or_refused(keras: Any) -> None:
    bases = {
        "layers": {"Layer", "Wrapper", "InputSpec", "GroupedQueryAttention"},
        "optimizers": {"Optimizer", "OptimizerMap", "LossScaleOptimizer"},
        "losses": {"Loss"},
        "metrics": {"Metric"},
        "initializers": {"Initializer"},
        "regularizers": {"Regularizer"},
        "constraints": {"Constraint"},
    }
    listed = {name for _, name in table().classes}
    for module, left_out in bases.items():
        public = {
            kind.__name__
            for kind in vars(getattr(keras, module)).values()
            if inspect.isclass(kind) and kind.__module__.startswith("keras.src")
        }
        assert public - listed - left_out - REFUSED.keys() == set(), module
