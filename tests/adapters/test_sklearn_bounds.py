"""Archives that cost little to write and much to read: every amplification has a bound."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import compose, dummy, ensemble, linear_model, preprocessing, tree
from sklearn.feature_extraction import text

from safemodel.adapters import sklearn as adapter
from safemodel.adapters.graph import renumber
from safemodel.errors import ArchitectureError, NotAllowedError

from .sklearn_cases import Y2, X
from .sklearn_support import MemoryBundle, Stored, in_memory


def _hostile(
    model: Any, change: Callable[[list[dict[str, Any]], int], None], **stored: Stored
) -> MemoryBundle:
    """A saved model after `change(nodes, number of the next node)`, with more tensors."""
    bundle = in_memory(adapter.save(model))
    graph = bundle.architecture["graph"]
    change(graph["nodes"], len(graph["nodes"]))
    graph["nodes"] = renumber(graph["root"], graph["nodes"])
    used = str(graph["nodes"])
    kept = {name: one for name, one in bundle.stored.items() if repr(name) in used}
    return MemoryBundle(bundle.architecture, {**kept, **stored}, bundle.libraries)


def _load(bundle: MemoryBundle, **options: Any) -> Any:
    return adapter.load(bundle, **options)  # type: ignore[arg-type]


def test_a_list_that_stands_in_another_many_times_is_not_checked_each_time() -> None:
    def change(nodes: list[dict[str, Any]], new: int) -> None:
        nodes[0]["state"]["active_"] = {"ref": new}
        nodes.append({"kind": "list", "items": [{"ref": new + 1} for _ in range(4000)]})
        nodes.append({"kind": "list", "items": [0] * 4000})

    with pytest.raises(ArchitectureError, match="far more often"):
        _load(_hostile(linear_model.Lars().fit(X, Y2), change))


def _one_hot(references: int, size: int, strides: list[int] | None = None) -> MemoryBundle:
    def change(nodes: list[dict[str, Any]], new: int) -> None:
        state = nodes[0]["state"]
        state["categories_"], state["_n_features_outs"] = {"ref": new}, {"ref": new + 2}
        state["n_features_in_"] = references
        nodes.append({"kind": "list", "items": [{"ref": new + 1} for _ in range(references)]})
        array: dict[str, Any] = {"kind": "ndarray", "dtype": "<f8", "data": "cats"}
        if strides is not None:
            array.update({"shape": [size], "strides": strides, "offset": 0})
        nodes.append(array)
        nodes.append({"kind": "list", "items": [size] * references})

    data = np.arange(size, dtype="<f8") if strides is None else np.zeros(1)
    model = preprocessing.OneHotEncoder(handle_unknown="ignore").fit(np.zeros((2, 1)))
    return _hostile(model, change, cats=Stored("F64", data.shape, data.tobytes()))


def test_references_to_one_array_get_one_copy() -> None:
    model = _load(_one_hot(references=50, size=10_000))
    assert len(set(map(id, model.categories_))) == 1
    with pytest.raises(ArchitectureError, match="far more often"):
        _load(_one_hot(references=5000, size=100_000))
    with pytest.raises(ArchitectureError, match="repeats"):
        _load(_one_hot(references=1, size=100_000, strides=[0]))


def test_copies_of_each_tree_are_counted() -> None:
    trees, size = 400, 1 << 20
    model = ensemble.RandomForestRegressor(trees, max_depth=1, bootstrap=False)
    bundle = in_memory(adapter.save(model.fit(np.zeros((2, 1)), np.zeros(2))))
    graph = bundle.architecture["graph"]
    node = graph["nodes"][0]["trees"]
    node["common"]["monotonic_cst"] = {"ref": len(graph["nodes"])}
    node["copied"] = sorted([*node["copied"], "monotonic_cst"])
    graph["nodes"].append({"kind": "ndarray", "dtype": "|i1", "data": "cst"})
    graph["nodes"] = renumber(graph["root"], graph["nodes"])
    bundle.stored["cst"] = Stored("I8", (size,), bytes(size))
    with pytest.raises(ArchitectureError, match=r"overlap|cop|bytes"):
        _load(MemoryBundle(bundle.architecture, bundle.stored, bundle.libraries))


def _sparse(count: int, size: int, strides: list[int] | None) -> MemoryBundle:
    def change(nodes: list[dict[str, Any]], new: int) -> None:
        nodes[0]["items"] = [{"ref": new + i} for i in range(count)]
        arrays = {name: {"ref": new + count + i} for i, name in enumerate(("indptr", "indices"))}
        arrays["data"] = {"ref": new + count + 2}
        matrix = {"kind": "scipy.sparse", "class": "csr_matrix", "shape": [1, size]}
        nodes += [{**matrix, "arrays": copy.deepcopy(arrays)} for _ in range(count)]
        views: dict[str, Any] = {}
        if strides is not None:
            views = {"shape": [size], "strides": strides, "offset": 0}
        nodes.append({"kind": "ndarray", "dtype": "<i4", "data": "p"})
        nodes.append({"kind": "ndarray", "dtype": "<i4", "data": "i", **views})
        nodes.append({"kind": "ndarray", "dtype": "|i1", "data": "d", **views})

    held = size if strides is None else 1
    return _hostile(
        [],
        change,
        p=Stored("I32", (2,), np.array([0, size], "<i4").tobytes()),
        i=Stored("I32", (held,), np.arange(held, dtype="<i4").tobytes()),
        d=Stored("I8", (held,), bytes(held)),
    )


def test_indices_of_sparse_matrices_are_copied_a_bounded_number_of_times() -> None:
    first, second = _load(_sparse(2, 100, None))
    assert not np.shares_memory(first.indices, second.indices)
    with pytest.raises(ArchitectureError, match=r"overlap|cop|bytes"):
        _load(_sparse(1000, 1 << 20, None))
    with pytest.raises(ArchitectureError, match="repeats"):
        _load(_sparse(1, 1 << 20, [0]))


SCALER = preprocessing.StandardScaler()
SELECTOR = r"(?:\w|[a-z]|.)*!"


def test_a_slow_pattern_of_a_column_selector_needs_leave() -> None:
    selector = compose.make_column_selector(pattern=SELECTOR)
    bundle = in_memory(adapter.save(compose.ColumnTransformer([("a", SCALER, selector)])))
    for allow in ([], [f"token_pattern:{SELECTOR}"]):
        with pytest.raises(NotAllowedError) as caught:
            _load(bundle, allow=allow)
        assert repr(f"column_pattern:{SELECTOR}") in str(caught.value.hint)
    model = _load(bundle, allow=[f"column_pattern:{SELECTOR}"])
    assert model.transformers[0][2].pattern == SELECTOR
    simple = compose.make_column_selector(pattern=r"^(num)_\d+")
    assert _load(in_memory(adapter.save([simple])))[0].pattern == simple.pattern


def test_patterns_are_not_compiled_at_load(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "(?i)" + "[\u0100-\ud7ff]" * 90
    bundles = [
        in_memory(adapter.save(text.CountVectorizer(token_pattern=one)))
        for one in (slow, r"\w+\d", r"(a+)+")
    ]
    compiled: list[str] = []
    monkeypatch.setattr("safemodel.adapters.sklearn.patterns.re.compile", compiled.append)
    for bundle, loads in zip(bundles, (False, True, False), strict=True):
        if loads:
            _load(bundle)
        else:
            with pytest.raises(NotAllowedError):
                _load(bundle)
    assert compiled == []


def test_patterns_of_one_load_are_few() -> None:
    many = [text.HashingVectorizer(token_pattern=f"a{i}") for i in range(1001)]
    _load(in_memory(adapter.save(many[:1000])))
    with pytest.raises(ArchitectureError, match="1000 patterns"):
        _load(in_memory(adapter.save(many)))


@pytest.mark.parametrize(
    ("model", "attribute"),
    [
        (preprocessing.StandardScaler(with_mean=False, with_std=False), "n_features_in_"),
        (preprocessing.Normalizer(), "n_features_in_"),
        (preprocessing.FunctionTransformer(), "n_features_in_"),
        (preprocessing.RobustScaler(with_centering=False, with_scaling=False), "n_features_in_"),
        (text.TfidfTransformer(use_idf=False), "n_features_in_"),
        (tree.DecisionTreeRegressor(), "n_outputs_"),
        (ensemble.RandomForestRegressor(2), "n_outputs_"),
        (ensemble.RandomTreesEmbedding(2), "_n_features_out"),
        (dummy.DummyClassifier(), "n_outputs_"),
        (dummy.DummyClassifier(), "n_classes_"),
        (dummy.DummyRegressor(), "n_outputs_"),
    ],
    ids=str,
)
def test_a_size_that_nothing_has_is_refused(model: Any, attribute: str) -> None:
    bundle = in_memory(adapter.save(model.fit(X, Y2)))
    _load(bundle)
    bundle.architecture["graph"]["nodes"][0]["state"][attribute] = 2**31 - 1
    with pytest.raises(ArchitectureError):
        _load(bundle)


def test_as_many_features_as_an_array_has_are_no_more_than_that() -> None:
    model = preprocessing.MaxAbsScaler().fit(np.ones((1, 3)))
    wide = np.ones(10_000_001)
    model.n_features_in_, model.max_abs_, model.scale_ = len(wide), wide, wide
    assert _load(in_memory(adapter.save(model))).n_features_in_ == len(wide)


def test_large_honest_models_are_within_all_bounds() -> None:
    words = {f"word{i}": i for i in range(1_000_000)}
    vectorizer = text.CountVectorizer(vocabulary=words)
    vectorizer.fixed_vocabulary_, vectorizer.vocabulary_ = True, words
    again = _load(in_memory(adapter.save([vectorizer, vectorizer.stop_words])))
    assert again[0].vocabulary_ == words


def test_small_tensors_are_read_once_in_the_order_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrays = [np.full(3, i, "<i8") for i in range(50)]
    model = [tree.DecisionTreeRegressor().fit(X, Y2), *arrays]
    bundle = in_memory(adapter.save(model))
    bundle.stored = dict(sorted(bundle.stored.items(), reverse=True))
    bundle = MemoryBundle(bundle.architecture, bundle.stored, bundle.libraries)
    read: list[str] = []
    original = bundle.tensor

    def tensor(name: str) -> Any:
        read.append(name)
        return original(name)

    monkeypatch.setattr(bundle, "tensor", tensor)
    again = _load(bundle)
    assert read == list(bundle.stored)
    assert all((one == other).all() for one, other in zip(again[1:], arrays, strict=True))
