"""The tables of names: well-formed, reviewed, and about the classes that are installed here.

That they have every name of real models is what tests/census compares.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from safemodel.scan import names
from safemodel.scan.names import Tables
from safemodel.scan.names.entry import Entry
from safemodel.scan.names.reading import TableError, read_dangerous, read_known
from safemodel.scan.schema import SchemaError, compile_schema
from safemodel.scan.special import SPECIAL
from safemodel.scan.states import STATES

FOLDER = Path(names.__file__).parent
FILES = sorted((FOLDER / "known").glob("*.names"))
TABLES = Tables()


def entries() -> list[tuple[str, str, str, Entry]]:
    return [
        (file.stem, module, name, entry)
        for file in FILES
        for module, found in read_known(file.read_text()).items()
        for name, entry in found.items()
    ]


ENTRIES = entries()


def test_there_are_tables() -> None:
    assert len(FILES) > 30
    assert len(ENTRIES) > 2500


def test_every_schema_compiles() -> None:
    for _, module, name, entry in ENTRIES:
        for schema in (entry.call, entry.new):
            if schema is not None:
                assert schema in SPECIAL or compile_schema(schema), (module, name)
        if entry.state:
            assert entry.state in STATES or compile_schema(entry.state), (module, name)


def test_every_call_has_a_reason() -> None:
    for _, module, name, entry in ENTRIES:
        if entry.call not in (None, "plain"):
            assert len(entry.reason) > 10, f"{module}.{name}"


def test_a_file_is_about_its_own_package() -> None:
    import sys

    for stem, module, _, _ in ENTRIES:
        root = module.partition(".")[0]
        assert (
            module == "*" or root == stem or (stem == "python" and root in sys.stdlib_module_names)
        )


def test_every_file_says_how_it_was_reviewed() -> None:
    for file in FILES:
        text = file.read_text()
        assert "# Reviewed" in text or "reviewed by kind" in text, file.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[m]\nclass A A", "twice"),
        ("[m]\ncall f(any)", "reason"),
        ("[m]\ncall f(any:", "not closed"),
        ("[m]\nclass(frob) A", "no option"),
        ("[m]\nclass(call any) A", "reason"),
        ("[m]\nnonsense", "not understood"),
        ("[m]\ncall f() -> frob: a reason", "no option"),
    ],
)
def test_a_file_that_is_not_well_formed(text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_known(text)
    with pytest.raises(TableError):
        read_dangerous("nonsense")
    with pytest.raises(TableError):
        read_dangerous("family - reason: module")


@pytest.mark.parametrize(
    "text",
    ["frob", "any any", "list[any", "tuple(any", "name(a", "'text", "any |", "sample any", ")"],
)
def test_a_schema_that_is_not_well_formed(text: str) -> None:
    with pytest.raises(SchemaError):
        compile_schema(text)


# Harmless, under any use: what the guard asks

NEVER_HARMLESS = [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "compile"),
    ("builtins", "open"),
    ("builtins", "getattr"),
    ("builtins", "setattr"),
    ("builtins", "type"),
    ("builtins", "globals"),
    ("builtins", "vars"),
    ("builtins", "__import__"),
    ("builtins", "input"),
    ("builtins", "breakpoint"),
    ("builtins", "super"),
    ("operator", "attrgetter"),
    ("operator", "methodcaller"),
    ("_operator", "attrgetter"),
    ("_operator", "methodcaller"),
    ("numpy", "memmap"),
    ("numpy", "load"),
    ("numpy", "save"),
    ("numpy", "fromfile"),
    ("numpy.core", "_ufunc_reconstruct"),
    ("numpy._core", "_ufunc_reconstruct"),
    ("torch", "load"),
    ("torch", "save"),
    ("torch.fx.graph_module", "reduce_graph_module"),
    ("joblib", "load"),
    ("joblib.memory", "Memory"),
    ("sklearn.externals.joblib.memory", "Memory"),
    ("pandas", "read_pickle"),
    ("pandas", "eval"),
    ("pickle", "loads"),
    ("_pickle", "loads"),
    ("types", "CodeType"),
    ("types", "FunctionType"),
    ("cloudpickle.cloudpickle", "_make_function"),
    ("dill._dill", "_create_function"),
    ("functools", "reduce"),
    ("importlib", "import_module"),
    ("polars.lazyframe.frame", "LazyFrame"),
    ("skorch.net", "NeuralNet"),
    ("torch.utils.data.dataloader", "DataLoader"),
    ("xgboost.core", "DMatrix"),
    ("sympy", "sympify"),
]


@pytest.mark.parametrize(("module", "name"), NEVER_HARMLESS)
def test_never_harmless(module: str, name: str) -> None:
    assert not TABLES.harmless(module, name)


def test_whatever_runs_code_of_its_state_is_bound_to_its_uses() -> None:
    for _, module, name, entry in ENTRIES:
        if entry.state.startswith("@"):
            assert not entry.harmless, f"{module}.{name}"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("copyreg", "_reconstructor"),
        ("_codecs", "encode"),
        ("collections", "OrderedDict"),
        ("sklearn.ensemble._forest", "RandomForestClassifier"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.storage", "_load_from_bytes"),
        ("xgboost.core", "Booster"),
        ("lightgbm.basic", "Booster"),
    ],
)
def test_what_models_need_is_harmless(module: str, name: str) -> None:
    assert TABLES.harmless(module, name)


def test_what_is_known_and_dangerous_at_once_has_a_schema() -> None:
    """Such a name is only known in uses that someone wrote down; it is never simply a class."""
    for _, module, name, entry in ENTRIES:
        danger = TABLES.danger(module, name) if module != "*" else None
        if danger is not None and entry.role == "function":
            assert entry.call not in (None, "*any"), f"{module}.{name}"


# Lookups with a stranger's text


@pytest.mark.parametrize(
    "module",
    [
        "",
        ".",
        "..",
        "../python",
        "python",
        "known",
        "/etc/passwd",
        "sklearn/../x",
        "a\0b",
        "x" * 5000,
    ],
)
def test_strange_modules_are_unknown(module: str) -> None:
    assert TABLES.lookup(module, "name") is None
    assert TABLES.danger(module, "name") is None
    assert not TABLES.harmless(module, "name")


def test_a_name_is_exact() -> None:
    assert TABLES.lookup("numpy", "ndarray") is not None
    for module, name in (
        ("numpy.", "ndarray"),
        (".numpy", "ndarray"),
        ("Numpy", "ndarray"),
        ("numpy", "ndarray "),
        ("numpy", "Ndarray"),
        ("numpy", "ndarray.tofile"),
        ("numpy", ""),
    ):
        assert TABLES.lookup(module, name) is None


def test_methods_of_any_class_are_of_their_package_only() -> None:
    assert TABLES.lookup("keras.src.layers.core.dense", "Dense._unpickle_model") is not None
    assert TABLES.lookup("keras.src.layers.core.dense", "_unpickle_model") is None
    assert TABLES.lookup("sklearn.base", "Dense._unpickle_model") is None


# What is installed here


def known(cls: type) -> bool:
    entry = TABLES.lookup(cls.__module__, cls.__qualname__)
    return entry is not None and entry.role == "class"


def test_every_estimator_is_known() -> None:
    pytest.importorskip("sklearn")
    from sklearn.utils import all_estimators

    assert [name for name, cls in all_estimators() if not known(cls)] == []


@pytest.mark.parametrize(
    "package", ["torch.nn", "torch.optim", "torch.optim.lr_scheduler", "torch.distributions"]
)
def test_every_class_of_torch_is_known(package: str) -> None:
    pytest.importorskip("torch")
    module = importlib.import_module(package)
    public = [cls for name, cls in vars(module).items() if inspect.isclass(cls) and name[0] != "_"]
    ours = [cls for cls in public if cls.__module__.startswith(package.rpartition(".")[0])]
    assert [cls for cls in ours if not known(cls)] == []


def test_every_distribution_of_scipy_is_known_with_its_state() -> None:
    stats = pytest.importorskip("scipy.stats")
    for value in vars(stats).values():
        if isinstance(value, stats.rv_continuous | stats.rv_discrete):
            entry = TABLES.lookup(type(value).__module__, type(value).__qualname__)
            assert entry is not None
            assert entry.state == "@distribution"
            template = value._parse_arg_template
            assert STATES["@distribution"](_state(template)), value.name


def _state(template: str):  # type: ignore[no-untyped-def]
    from safemodel.legacy.pickle_facts import Pairs

    return Pairs([("_parse_arg_template", template)], 1)


def test_known_classes_of_python_do_not_call_what_their_state_names() -> None:
    """Classes whose own `__setstate__` is written in Python: each was read.

    A new one here is one to read, for what it does with a state of somebody's choice.
    """
    written = set()
    for stem, module, name, entry in ENTRIES:
        if entry.role != "class" or stem not in REVIEWED:
            continue
        try:
            value = importlib.import_module(module)
            for part in name.split("."):
                value = getattr(value, part)
            function = inspect.getattr_static(value, "__setstate__")
        except (ImportError, AttributeError):
            continue
        if inspect.isfunction(function):
            written.add(
                f"{function.__module__}.{function.__qualname__.removesuffix('.__setstate__')}"
            )
    assert written - READ == set()


REVIEWED = ("sklearn", "pandas", "scipy", "numpy", "xgboost", "lightgbm", "statsmodels", "torch")
READ = {
    "dataclasses._dataclass_setstate",
    "lightgbm.basic.Booster",
    "numpy.ma.MaskedArray",
    "numpy.ma.core.MaskedArray",
    "numpy.polynomial._polybase.ABCPolyBase",
    "pandas.core.arrays.arrow.array.ArrowExtensionArray",
    "pandas.core.arrays.categorical.Categorical",
    "pandas.core.arrays.sparse.array.SparseArray",
    "pandas.core.arrays.string_.StringDtype",
    "pandas.core.dtypes.dtypes.CategoricalDtype",
    "pandas.core.dtypes.dtypes.DatetimeTZDtype",
    "pandas.core.dtypes.dtypes.IntervalDtype",
    "pandas.core.generic.NDFrame",
    "pandas.core.internals.managers.SingleBlockManager",
    "scipy.interpolate._rbfinterp.RBFInterpolator",
    "scipy.sparse._coo.coo_matrix",
    "scipy.spatial.transform._rotation.Rotation",
    "scipy.stats._distn_infrastructure.rv_generic",
    "sklearn.base.BaseEstimator",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.isotonic.IsotonicRegression",
    "sklearn.utils._bunch.Bunch",
    "statsmodels.base.data.ModelData",
    "statsmodels.base.wrapper.ResultsWrapper",
    # What torch.compile puts before that of Module, if a test of this process compiled.
    "torch._dynamo.mutation_guard.install_generation_tagging_init.<locals>.patched_setstate",
    "torch._tensor.Tensor",
    "torch.ao.nn.quantized.modules.conv._ConvNd",
    "torch.nn.modules.activation.LogSoftmax",
    "torch.nn.modules.activation.MultiheadAttention",
    "torch.nn.modules.activation.Softmax",
    "torch.nn.modules.activation.Softmin",
    "torch.nn.modules.conv._ConvNd",
    "torch.nn.modules.module.Module",
    "torch.nn.modules.module._WrappedHook",
    "torch.nn.modules.pooling.AvgPool3d",
    "torch.nn.modules.rnn.RNNBase",
    "torch.nn.modules.transformer.TransformerDecoderLayer",
    "torch.nn.modules.transformer.TransformerEncoderLayer",
    "torch.nn.modules.upsampling.Upsample",
    "torch.optim._adafactor.Adafactor",
    "torch.optim.adadelta.Adadelta",
    "torch.optim.adagrad.Adagrad",
    "torch.optim.adam.Adam",
    "torch.optim.adamax.Adamax",
    "torch.optim.adamw.AdamW",
    "torch.optim.asgd.ASGD",
    "torch.optim.nadam.NAdam",
    "torch.optim.optimizer.Optimizer",
    "torch.optim.radam.RAdam",
    "torch.optim.rmsprop.RMSprop",
    "torch.optim.rprop.Rprop",
    "torch.optim.sgd.SGD",
    "torch.utils.hooks.RemovableHandle",
    "xgboost.core.Booster",
}
