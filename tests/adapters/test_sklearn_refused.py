"""What the scikit-learn adapter refuses: at save with its path, at load by the schema."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import compose, ensemble, linear_model, pipeline, preprocessing, tree
from sklearn.base import BaseEstimator
from sklearn.feature_extraction import text
from sklearn.utils._mocking import CheckingClassifier

from safemodel import adapters
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.graph import renumber
from safemodel.adapters.sklearn.patterns import pattern_is_simple
from safemodel.errors import ArchitectureError, NotAllowedError, SafemodelError, UnsavableError
from safemodel.trust.keys import Signer
from safemodel.trust.policy import TrustedKeys

from .sklearn_cases import CASES, DOCS, Y2, X
from .sklearn_support import MemoryBundle, Stored, in_memory


def _local() -> Any:
    class Own(BaseEstimator):
        """A class that no table knows, and no name leads to."""

        def transform(self, data: Any) -> Any:
            return data

    return Own()


def _with(model: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def _scaler() -> Any:
    return preprocessing.StandardScaler().fit(X)


SAVES: dict[str, tuple[Callable[[], Any], str]] = {
    "an attribute of one's own": (lambda: _with(_scaler(), note=1), "note"),
    "a method that is shadowed": (lambda: _with(_scaler(), transform=np.log), "transform"),
    "a cache directory": (
        lambda: pipeline.Pipeline([("s", _scaler())], memory="cache"),
        "memory",
    ),
    "a deep attribute": (
        lambda: pipeline.Pipeline([("s", _with(_scaler(), note=1))]),
        "steps.0.1.note",
    ),
    "a class without a schema": (lambda: CheckingClassifier(), ""),
    "a step without a schema": (
        lambda: pipeline.Pipeline([("s", _scaler()), ("m", CheckingClassifier())]),
        "steps[1][1]",
    ),
    "a class of a function": (lambda: pipeline.Pipeline([("own", _local())]), "steps[0][1]"),
    "file names as input": (lambda: text.CountVectorizer(input="filename"), "input"),
    "a tokenizer": (lambda: text.CountVectorizer(tokenizer=str.split), "tokenizer"),
    "an analyzer that is code": (lambda: text.TfidfVectorizer(analyzer=str.split), "analyzer"),
    "a function": (lambda: preprocessing.FunctionTransformer(np.save), "func"),
    "a lambda": (lambda: preprocessing.FunctionTransformer(lambda x: x), "func"),
    "a keyword of a function": (
        lambda: preprocessing.FunctionTransformer(np.log, kw_args={"out": 3}),
        "kw_args",
    ),
    "a column selector that is code": (
        lambda: compose.ColumnTransformer([("a", _scaler(), lambda x: [0])]),
        "transformers[0][2]",
    ),
    "a thousand jobs": (lambda: ensemble.RandomForestClassifier(n_jobs=1000), "n_jobs"),
    "two steps of one name": (
        lambda: pipeline.Pipeline([("s", _scaler()), ("s", _scaler())]),
        "steps",
    ),
    "a scorer that is code": (lambda: linear_model.RidgeCV(scoring=max), "scoring"),
    "a random generator": (
        lambda: linear_model.Ridge(random_state=np.random.default_rng(0)),
        "random_state",
    ),
}


@pytest.mark.parametrize("name", SAVES)
def test_what_has_no_schema_is_refused_at_save_with_its_path(name: str) -> None:
    make, place = SAVES[name]
    with pytest.raises(UnsavableError) as caught:
        adapter.save(make())
    assert (caught.value.place or "") == place
    assert caught.value.hint


def _tree() -> Any:
    return tree.DecisionTreeClassifier(random_state=0).fit(X, Y2)


Change = Callable[[MemoryBundle], None]


def _word(row: int, column: int, value: int, name: str = "tree_.nodes") -> Change:
    def change(bundle: MemoryBundle) -> None:
        stored = bundle.stored[name]
        words = np.frombuffer(stored.data, "<i8").reshape(-1, 8).copy()
        words[row, column] = value
        bundle.stored[name] = Stored(stored.dtype, stored.shape, words.tobytes())

    return change


def _state(index: int, name: str, value: Any) -> Change:
    def change(bundle: MemoryBundle) -> None:
        nodes = [node for node in bundle.architecture["graph"]["nodes"] if "state" in node]
        nodes[index]["state"][name] = value

    return change


def _field(kind: str, name: str, value: Any) -> Change:
    def change(bundle: MemoryBundle) -> None:
        for node in bundle.architecture["graph"]["nodes"]:
            if node["kind"] == kind:
                node[name] = value

    return change


def _numbers(name: str, position: int, value: Any) -> Change:
    def change(bundle: MemoryBundle) -> None:
        stored = bundle.stored[name]
        kind = {"I64": "<i8", "I32": "<i4", "F64": "<f8"}[stored.dtype]
        values = np.frombuffer(stored.data, kind).copy()
        values[position] = value
        bundle.stored[name] = Stored(stored.dtype, stored.shape, values.tobytes())

    return change


LOADS: dict[str, tuple[str | Callable[[], Any], Change, str]] = {
    "a feature that does not exist": (_tree, _word(0, 2, 5), "feature above 4"),
    "a negative feature": (_tree, _word(0, 2, -7), "feature below 0"),
    "a child out of range": (_tree, _word(0, 1, 10**6), "behind its parent"),
    "a child that is its parent": (_tree, _word(0, 1, 0), "behind its parent"),
    "a child of two parents": (_tree, _word(0, 1, 1), "exactly one parent"),
    "a node with one child": (_tree, _word(0, 0, -1), "one child"),
    "padding that is not zero": (_tree, _word(0, 7, 1 << 40), "padding"),
    "a depth that is too small": (_tree, _field("sklearn.tree", "depth", 1), "depth"),
    "a tree with fewer features than its estimator": (
        _tree,
        _state(0, "n_features_in_", 6),
        "features",
    ),
    "trees of more features than their forest": (
        "RandomForestClassifier-plain",
        _state(0, "n_features_in_", 4),
        "n_features_in_",
    ),
    "a vocabulary that is no bijection": (
        "CountVectorizer-large",
        _numbers("vocabulary_.columns", 0, 10**6),
        "without gaps",
    ),
    "a vocabulary with a negative column": (
        "CountVectorizer-large",
        _numbers("vocabulary_.columns", 0, -1),
        "int from 0",
    ),
    "a memory": ("Pipeline-logistic", _state(0, "memory", "/tmp/cache"), "memory"),
    "file names as input": ("CountVectorizer-plain", _state(0, "input", "filename"), "input"),
    "a shadowed method": (_scaler, _state(0, "transform", 3), "shadow"),
    "a class attribute": (_scaler, _state(0, "__class__", 3), "shadow"),
    "sparse indices out of range": (
        "LogisticRegression-sparsified",
        _numbers("coef_.indices", 0, 5),
        "indices outside",
    ),
    "sparse pointers that fall": (
        "LogisticRegression-sparsified",
        _numbers("coef_.indptr", -1, 999),
        "does not rise",
    ),
    "a hundred thousand jobs": (_tree, _state(0, "max_depth", -4), "max_depth"),
    "columns that the encoder does not have": (
        "OneHotEncoder-plain",
        _field("list", "items", [9, 9, 9]),
        "categories_",
    ),
    "unsorted categories": (
        "OneHotEncoder-plain",
        _numbers("categories_.0", 0, 7.0),
        "does not rise",
    ),
}


@pytest.fixture(scope="module")
def bundles() -> Callable[[Any], MemoryBundle]:
    extra = {
        "CountVectorizer-large": lambda: text.CountVectorizer().fit(
            [" ".join(f"w{i}" for i in range(1500))]
        )
    }

    @functools.cache
    def make(source: Any) -> MemoryBundle:
        if isinstance(source, str):
            model = extra[source]() if source in extra else CASES[source]().model
        else:
            model = source()
        return in_memory(adapter.save(model))

    return make


@pytest.mark.parametrize("name", LOADS)
def test_hostile_state_is_refused(name: str, bundles: Callable[[Any], MemoryBundle]) -> None:
    source, change, said = LOADS[name]
    valid = bundles(source)
    adapter.load(valid)  # type: ignore[arg-type]
    hostile = MemoryBundle(copy.deepcopy(valid.architecture), dict(valid.stored), valid.libraries)
    change(hostile)
    graph = hostile.architecture["graph"]
    graph["nodes"] = renumber(graph["root"], graph["nodes"])
    with pytest.raises(ArchitectureError) as caught:
        adapter.load(MemoryBundle(hostile.architecture, hostile.stored, hostile.libraries))  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "sklearn.utils._mocking.CheckingClassifier",
        "builtins.eval",
        "sklearn.base.clone",
        "",
    ],
)
def test_a_class_outside_the_table_is_not_built(name: str) -> None:
    bundle = in_memory(adapter.save(_scaler()))
    bundle.architecture["graph"]["nodes"][0]["class"] = name
    for allow in ([], [name]):
        with pytest.raises(ArchitectureError) as caught:
            adapter.load(bundle, allow=allow)  # type: ignore[arg-type]
        assert type(caught.value) is ArchitectureError  # nothing that the caller could allow
        assert repr(name) in caught.value.message


def test_a_function_outside_the_list_is_not_built() -> None:
    bundle = in_memory(adapter.save(preprocessing.FunctionTransformer(np.log1p)))
    for node in bundle.architecture["graph"]["nodes"]:
        if node["kind"] == "sklearn.function":
            node["name"] = "save"
    with pytest.raises(ArchitectureError) as caught:
        adapter.load(bundle, allow=["save"])  # type: ignore[arg-type]
    assert type(caught.value) is ArchitectureError


def test_a_hostile_model_in_a_signed_archive_is_refused(tmp_path: Path) -> None:
    from safemodel.adapters.protocol import Saved
    from safemodel.bundle.contents import Contents, TensorData
    from safemodel.bundle.write import write
    from safemodel.format.manifest import Adapter
    from safemodel.format.weights import TensorSpec

    saved: Saved = adapter.save(_tree())
    bundle = in_memory(saved)
    _word(0, 2, 99)(bundle)
    tensors = tuple(
        TensorData(TensorSpec(name, one.dtype, one.shape), lambda one=one: (one.data,))  # type: ignore[misc]
        for name, one in bundle.stored.items()
    )
    signer = Signer.generate()
    contents = Contents(
        framework="scikit-learn",
        adapter=Adapter("sklearn", adapter.VERSION),
        libraries=saved.libraries,
        architecture=saved.architecture,
        tensors=tensors,
    )
    write(tmp_path / "a.safemodel", contents, signers=[signer])
    with pytest.raises(ArchitectureError) as caught:
        adapters.load(str(tmp_path / "a.safemodel"), trust=TrustedKeys(signer.public_key))
    assert "feature" in caught.value.message


def test_a_pattern_that_may_be_slow_needs_leave() -> None:
    pattern = r"(?u)\b(\w+)*\b"
    bundle = in_memory(adapter.save(text.CountVectorizer(token_pattern=pattern).fit(DOCS)))
    with pytest.raises(NotAllowedError) as caught:
        adapter.load(bundle)  # type: ignore[arg-type]
    assert repr(f"token_pattern:{pattern}") in str(caught.value.hint)
    model: Any = adapter.load(bundle, allow=[f"token_pattern:{pattern}"])
    assert model.token_pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "simple"),
    [
        (r"(?u)\b\w\w+\b", True),
        (r"(?u)\b\w+\b", True),
        (r"\S+", True),
        (r"[a-zA-Z]{2,}", True),
        (r"(?u)\b([a-z]+)\b", True),
        (r"\w{3,10}", True),
        (r"(a+)+", False),
        (r"(a|a)*b", False),
        (r"\w*\w*\w*x", False),
        (r"a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa", False),
        (r"(a)\1", False),
        (r"(?=a+)b", False),
        (r"(", False),
        (r"(?u)[\u4e00-\u9fff]+", True),
        (r"(?i)[a-z]+", False),
        (r"(?i:[\u0100-\ud7ff])", False),
        (r"[\u0100-\ud7ff]" * 9, False),
    ],
)
def test_only_patterns_that_cannot_be_slow_are_simple(pattern: str, simple: bool) -> None:
    assert pattern_is_simple(pattern) is simple


def test_estimators_that_double_without_end_are_refused() -> None:
    model: Any = _scaler()
    for _ in range(40):
        model = pipeline.FeatureUnion([("a", model), ("b", model)])
    with pytest.raises(UnsavableError, match="stand in one another"):
        adapter.save(model)
    bundle = in_memory(adapter.save(pipeline.FeatureUnion([("a", _scaler()), ("b", _scaler())])))
    nodes = bundle.architecture["graph"]["nodes"]
    union, unions = nodes[0], 40
    tail = len(nodes)
    for turn in range(unions):
        inner = tail + 4 * turn
        following = inner + 4 if turn < unions - 1 else 0
        nodes += [
            {**copy.deepcopy(union), "state": {**union["state"]}},
            {"kind": "list", "items": [{"ref": inner + 2}, {"ref": inner + 3}]},
            {"kind": "tuple", "items": ["a", {"ref": following}]},
            {"kind": "tuple", "items": ["b", {"ref": following}]},
        ]
        nodes[inner]["state"]["transformer_list"] = {"ref": inner + 1}
    scaler = next(i for i, node in enumerate(nodes) if "StandardScaler" in str(node.get("class")))
    nodes[tail + 4 * (unions - 1) + 2]["items"][1] = {"ref": scaler}
    nodes[tail + 4 * (unions - 1) + 3]["items"][1] = {"ref": scaler}
    graph = {"root": {"ref": tail}, "nodes": nodes}
    graph["nodes"] = renumber(graph["root"], nodes)
    with pytest.raises(ArchitectureError, match="stand in one another"):
        adapter.load(MemoryBundle({"graph": graph}, bundle.stored, bundle.libraries))  # type: ignore[arg-type]


def test_an_estimator_in_itself_is_refused() -> None:
    model = pipeline.Pipeline([("s", _scaler())])
    model.steps.append(("self", model))
    with pytest.raises(UnsavableError, match="contains itself"):
        adapter.save(model)
    bundle = in_memory(adapter.save(pipeline.Pipeline([("s", _scaler()), ("t", "passthrough")])))
    for node in bundle.architecture["graph"]["nodes"]:
        if node["kind"] == "tuple" and "passthrough" in node["items"]:
            node["items"][1] = {"ref": 0}
    with pytest.raises(ArchitectureError, match="contains itself"):
        adapter.load(bundle)  # type: ignore[arg-type]


def test_an_array_that_repeats_one_item_is_refused() -> None:
    model = linear_model.Ridge().fit(X, Y2)
    for repeated in (
        np.broadcast_to(np.array([1.0]), X.shape[1]),
        np.lib.stride_tricks.sliding_window_view(np.arange(X.shape[1] + 1.0), 2).T,
    ):
        model.coef_ = repeated
        with pytest.raises(UnsavableError, match="repeats"):
            adapter.save(model)


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": np.array([2**31 - 1, 0], "i4")},
        {"offsets": np.array([-(2**31), 0], "i4")},
        {"offsets": np.array([3, 0], "i4")},
        {"offsets": np.array([-2, 0], "i4")},
        {"offsets": np.array([2**63 - 1, 0], "i8")},
        {"offsets": np.array([0, 0], "i4")},
        {"offsets": np.array([0, 1], "i2")},
        {"data": np.ones((2, 4))},
        {"_shape": (2**31 - 1, 3)},
        {"_shape": (2, 2**31)},
        {"_shape": (0, 3)},
    ],
    ids=str,
)
def test_diagonals_that_leave_the_matrix_are_refused(change: dict[str, Any]) -> None:
    matrix = sp.dia_matrix((np.ones((2, 3)), [-1, 2]), shape=(2, 3))
    adapter.save(matrix)
    vars(matrix).update(change)
    with pytest.raises(UnsavableError):
        adapter.save(matrix)


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
@pytest.mark.parametrize("shape", [(2**31, 1), (1, 2**31), (2**62 + 1, 2**62 + 1)])
def test_shapes_beyond_the_type_of_indices_are_refused(layout: str, shape: Any) -> None:
    matrix = sp.coo_matrix(([1.0], ([0], [0])), shape=(1, 1)).asformat(layout)
    matrix._shape = shape
    with pytest.raises(UnsavableError):
        adapter.save(matrix)


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 5), (5, 1)])
def test_sparse_matrices_of_every_narrow_shape_are_kept(layout: str, shape: Any) -> None:
    matrix = sp.coo_matrix(np.ones(shape)).asformat(layout)
    again: Any = adapter.load(in_memory(adapter.save(matrix)))  # type: ignore[arg-type]
    assert again.shape == shape
    assert (again.toarray() == np.ones(shape)).all()


@pytest.mark.parametrize("layout", ["csc", "coo", "dia"])
def test_coefficients_are_sparse_in_one_layout_only(layout: str) -> None:
    model = CASES["LogisticRegression-sparsified"]().model
    model.coef_ = model.coef_.asformat(layout)
    with pytest.raises(UnsavableError, match="CSR"):
        adapter.save(model)


@pytest.mark.parametrize("attribute", ["indices", "indptr", "data"])
def test_damaged_sparse_matrices_are_not_saved(attribute: str) -> None:
    matrix = sp.csr_matrix(np.eye(3))
    setattr(matrix, attribute, getattr(matrix, attribute)[:-1])
    with pytest.raises(UnsavableError):
        adapter.save(matrix)


def test_loading_twice_from_damaged_tensors_names_the_place() -> None:
    bundle = in_memory(adapter.save(CASES["Pipeline-nested"]().model))
    name = next(name for name in bundle.stored if name.endswith("estimators_.nodes"))
    _word(0, 1, 0, name)(bundle)
    with pytest.raises(SafemodelError) as caught:
        adapter.load(MemoryBundle(bundle.architecture, bundle.stored, bundle.libraries))  # type: ignore[arg-type]
    assert "estimators_[0]" in str(caught.value)
