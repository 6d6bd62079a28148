"""Boosters of XGBoost: what compiled code would follow is checked, what it gets is canonical."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

import safemodel as sm
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.sklearn.library import INSTALLED
from safemodel.adapters.sklearn.scope import SAVING, Audit, SpecError, TooMuchError
from safemodel.adapters.sklearn.xgboost_booster import PARTS
from safemodel.adapters.sklearn.xgboost_model import emit, parse_model
from safemodel.errors import ArchitectureError, UnsavableError

from .sklearn_support import in_memory

HERE = Path(__file__).parent
RELEASES = sorted((HERE / "xgboost_models").glob("*.ubj"))
VICTIM = HERE / "xgboost_victim.py"
(BOOSTER,) = PARTS
_RNG = np.random.RandomState(5)
SIZE = 120
X = _RNG.normal(size=(SIZE, 5)).astype(np.float32)
X[::9, 0] = np.nan
X[:, 3] = _RNG.randint(0, 6, size=SIZE)
X[:, 4] = _RNG.randint(0, 40, size=SIZE)
Y = np.nan_to_num(X[:, 0]) + X[:, 3] % 3 + X[:, 4] % 7
Y3 = (Y % 3).astype(int)
FRAME = pd.DataFrame(X[:, :2], columns=["a", "b"])
FRAME["k"] = pd.Categorical([("x", "yy", "zü", "")[i % 4] for i in range(SIZE)])
FRAME["n"] = pd.Categorical(_RNG.randint(0, 7, SIZE) * 3)


def _train(params: dict[str, Any], target: Any = Y, rounds: int = 2, **matrix: Any) -> Any:
    chosen = {"nthread": 1, "max_depth": 3, **params}
    return xgb.train(chosen, xgb.DMatrix(matrix.pop("data", X), target, **matrix), rounds)


MODELS: dict[str, Callable[[], Any]] = {
    "plain": lambda: _train({}),
    "multi": lambda: _train({"objective": "multi:softprob", "num_class": 3}, Y3),
    "dart": lambda: _train({"booster": "dart"}),
    "linear": lambda: _train({"booster": "gblinear"}),
    "quantiles": lambda: _train({"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]}),
    "vectors": lambda: _train({"multi_strategy": "multi_output_tree"}, np.column_stack([Y, Y3])),
    "categories": lambda: _train(
        {"max_cat_to_onehot": 1},
        feature_types=["q", "q", "q", "c", "c"],
        feature_names=list("abcde"),
        enable_categorical=True,
    ),
    "frame": lambda: _train({}, data=FRAME, enable_categorical=True),
    "pruned": lambda: xgb.train(
        {"process_type": "update", "updater": "prune", "gamma": 20, "nthread": 1},
        xgb.DMatrix(X, Y),
        2,
        xgb_model=_train({"max_depth": 6}),
    ),
    "unbiased": lambda: _train(
        {"objective": "rank:ndcg", "lambdarank_unbiased": True},
        Y3,
        qid=np.repeat(np.arange(10), SIZE // 10),
    ),
    "constraints": lambda: _train(
        {"monotone_constraints": "(1,0,-1)", "interaction_constraints": "[[0,1],[2,3]]"}
    ),
}


@functools.cache
def _handle(name: str) -> bytes:
    return bytes(MODELS[name]().__getstate__()["handle"])


def _arguments(name: str) -> dict[str, Any]:
    return parse_model(_handle(name))


def _check(arguments: dict[str, Any]) -> None:
    BOOSTER.check(arguments, INSTALLED, SAVING)


def _finished(arguments: dict[str, Any]) -> Any:
    """The booster that checked arguments become."""
    _check(arguments)
    booster = object.__new__(xgb.Booster)
    vars(booster).update(arguments)
    assert BOOSTER.finish is not None
    BOOSTER.finish(booster)
    return booster


@pytest.mark.parametrize("name", MODELS)
def test_the_document_comes_out_as_xgboost_wrote_it(name: str) -> None:
    arguments = _arguments(name)
    _check(arguments)
    assert emit(arguments) == _handle(name)


@pytest.mark.parametrize("name", MODELS)
def test_model_files_are_read_too(name: str) -> None:
    model = MODELS[name]()
    files = [bytes(model.save_raw(form)) for form in ("ubj", "json")]
    for data in files:
        arguments = parse_model(data)
        _check(arguments)
        assert arguments["config"] is None
        assert emit(arguments) == files[0]


@pytest.mark.filterwarnings("ignore:.*older version:UserWarning")
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_models_of_other_releases_are_as_xgboost_itself_loads_them(path: Path) -> None:
    data = path.read_bytes()
    arguments = parse_model(data)
    assert ".".join(map(str, arguments["version"])) == path.stem
    assert emit(arguments) == data
    theirs = object.__new__(xgb.Booster)
    theirs.__setstate__({"handle": bytearray(data)})
    ours = _finished(arguments)
    rows = np.ascontiguousarray(X[:, [0, 1, 3]])
    assert (ours.inplace_predict(rows) == theirs.inplace_predict(rows)).all()
    assert ours.save_raw() == theirs.save_raw()


# Hostile models

Change = Callable[[dict[str, Any]], None]


def _put(array: str, position: int, value: float) -> Change:
    def change(arguments: dict[str, Any]) -> None:
        changed = arguments["arrays"][array].copy()
        changed[position] = value
        arguments["arrays"][array] = changed

    return change


def _array(name: str, make: Callable[[Any], Any]) -> Change:
    def change(arguments: dict[str, Any]) -> None:
        arguments["arrays"][name] = make(arguments["arrays"][name])

    return change


def _set(*path: Any, to: Any) -> Change:
    def change(arguments: dict[str, Any]) -> None:
        target = arguments
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return change


def _without(*path: Any) -> Change:
    def change(arguments: dict[str, Any]) -> None:
        target = arguments
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]

    return change


def _chain(levels: int) -> Change:
    """One tree that is nothing but a long path."""

    def change(arguments: dict[str, Any]) -> None:
        arrays, count = arguments["arrays"], 2 * levels + 1
        left = np.full(count, -1, "<i4")
        left[:1], left[2 : count - 1 : 2] = 1, np.arange(3, count, 2)
        right = np.where(left > 0, left + 1, -1).astype("<i4")
        parents = np.full(count, 2**31 - 1, "<i4")
        for children in (left, right):
            parents[children[children > 0]] = np.flatnonzero(children > 0)
        for name in ("loss_changes", "sum_hessian", "split_conditions", "base_weights"):
            arrays[name] = np.ones(count, "<f4")
        for name in ("default_left", "split_type"):
            arrays[name] = np.zeros(count, "u1")
        arrays.update(left_children=left, right_children=right, parents=parents)
        arrays.update(split_indices=np.zeros(count, "<i4"), nodes=np.array([count], "<i4"))
        arrays.update(tree_info=np.zeros(1, "<i4"), iteration_indptr=np.array([0, 1], "<i4"))

    return change


LEARNER = ("table", "learner_model_param")
TRAIN = ("config", "gradient_booster", "tree_train_param")
HOSTILE: dict[str, tuple[str, Change]] = {
    "left child beyond the tree": ("plain", _put("left_children", 0, 10**6)),
    "left child negative": ("plain", _put("left_children", 0, -7)),
    "left child is the root": ("plain", _put("left_children", 1, 0)),
    "own child": ("plain", _put("left_children", 1, 1)),
    "a cycle": ("plain", _put("left_children", 3, 1)),
    "no left child but a right one": ("plain", _put("left_children", 0, -1)),
    "right child beyond the tree": ("plain", _put("right_children", 0, 10**6)),
    "right child of a leaf": ("plain", _put("right_children", -1, 1)),
    "both children the same": ("plain", _put("right_children", 0, 1)),
    "parent beyond the tree": ("plain", _put("parents", 2, 10**6)),
    "parent negative": ("plain", _put("parents", 2, -1)),
    "another parent": ("plain", _put("parents", 2, 1)),
    "root below a node": ("plain", _put("parents", 0, 1)),
    "feature that is not there": ("plain", _put("split_indices", 0, 5)),
    "feature negative": ("plain", _put("split_indices", 0, -1)),
    "root deleted": ("plain", _put("split_indices", 0, 2**31 - 1)),
    "inner node deleted": ("plain", _put("split_indices", 1, 2**31 - 1)),
    "deleted without its mark": ("pruned", _array("default_left", np.zeros_like)),
    "direction neither left nor right": ("plain", _put("default_left", 0, 2)),
    "kind of split unknown": ("plain", _put("split_type", 0, 2)),
    "split on categories without any": ("plain", _put("split_type", 0, 1)),
    "categories not in order": ("categories", _array("categories", lambda a: a[::-1].copy())),
    "category negative": ("categories", _put("categories", 0, -1)),
    "category too large": ("categories", _put("categories", -1, 1 << 24)),
    "no categories for a split": ("categories", _put("categories_sizes", 0, 0)),
    "more categories than there are": ("categories", _put("categories_sizes", 0, 2**40)),
    "negative categories": ("categories", _put("categories_sizes", 0, -(2**40))),
    "trees without nodes": ("plain", _put("nodes", 0, 0)),
    "trees with other numbers of nodes": ("plain", _put("nodes", 0, 3)),
    "nodes beyond memory": ("plain", _put("nodes", 0, 2**31 - 1)),
    "a node less": ("plain", _array("left_children", lambda a: a[:-1].copy())),
    "a weight less": ("plain", _array("base_weights", lambda a: a[:-1].copy())),
    "other numbers": ("plain", _array("left_children", lambda a: a.astype("<i8"))),
    "numbers of another order": ("plain", _array("left_children", lambda a: a.astype(">i4"))),
    "numbers of two dimensions": ("plain", _array("left_children", lambda a: a.reshape(-1, 1))),
    "numbers that repeat themselves": (
        "plain",
        _array("loss_changes", lambda a: np.lib.stride_tricks.as_strided(a, a.shape, (0,))),
    ),
    "no array": ("plain", _array("left_children", lambda a: a.tolist())),
    "an array too few": ("plain", _without("arrays", "sum_hessian")),
    "all trees gone": ("plain", _without("arrays", "nodes")),
    "an array too many": ("plain", _set("arrays", "handle", to=np.zeros(1, "<i4"))),
    "weights of another booster": ("plain", _set("arrays", "weights", to=np.zeros(6, "<f4"))),
    "a path of a thousand": ("plain", _chain(1000)),
    "output that is not there": ("multi", _put("tree_info", 0, 3)),
    "output negative": ("multi", _put("tree_info", 0, -1)),
    "rounds beyond the trees": ("plain", _put("iteration_indptr", -1, 1000)),
    "rounds that go back": ("plain", _put("iteration_indptr", 1, -1)),
    "rounds that begin later": ("plain", _put("iteration_indptr", 0, 1)),
    "no rounds": ("plain", _array("iteration_indptr", lambda a: a[:0].copy())),
    "drop weights too few": ("dart", _array("weight_drop", lambda a: a[:1].copy())),
    "linear weights too few": ("linear", _array("weights", lambda a: a[:-1].copy())),
    "no linear weights": ("linear", _array("weights", lambda a: a[:0].copy())),
    "no position biases": ("unbiased", _without("arrays", "ti+")),
    "leaf weights too few": ("vectors", _array("leaf_weights", lambda a: a[:-2].copy())),
    "leaf that has no weights": ("vectors", _put("right_children", -1, 10**6)),
    "leaf with the weights of another": ("vectors", _put("right_children", -1, 0)),
    "leaves of another size": ("vectors", _set("table", "leaf_size", to=7)),
    "leaves with one number": ("vectors", _set("table", "leaf_size", to=1)),
    "more features": ("linear", _set(*LEARNER, "num_feature", to="6")),
    "fewer features": ("plain", _set(*LEARNER, "num_feature", to="2")),
    "features that nothing has": ("plain", _set(*LEARNER, "num_feature", to="2147483647")),
    "features that are no number": ("plain", _set(*LEARNER, "num_feature", to="5x")),
    "more classes": ("multi", _set(*LEARNER, "num_class", to="4")),
    "classes and targets": ("multi", _set(*LEARNER, "num_target", to="2")),
    "fewer targets": ("quantiles", _set(*LEARNER, "num_target", to="1")),
    "scores too few": ("multi", _set(*LEARNER, "base_score", to="[1,2]")),
    "score not finite": ("plain", _set(*LEARNER, "base_score", to="[nan]")),
    "score not a list": ("plain", _set(*LEARNER, "base_score", to="[[1]]")),
    "names too few": ("categories", _set("table", "feature_names", to=["a"])),
    "best iteration before the first": (
        "plain",
        _set("table", "attributes", to={"best_iteration": "-2"}),
    ),
    "attribute that is no string": ("plain", _set("table", "attributes", to={"a": 1})),
    "objective unknown": ("plain", _set("table", "objective", to={"name": "my:own"})),
    "objective with a parameter": (
        "plain",
        _set("table", "objective", "file", to={"name": "/etc/passwd"}),
    ),
    "objective for other classes": (
        "multi",
        _set("table", "objective", "softmax_multiclass_param", to={"num_class": "9"}),
    ),
    "booster of another kind": ("plain", _set("table", "booster", to="gblinear")),
    "configuration of another booster": (
        "plain",
        _set("config", "learner_train_param", "booster", to="dart"),
    ),
    "metric unknown": ("plain", _set("config", "metrics", to=[{"name": "mine"}])),
    "updater unknown": ("plain", _set("config", "gradient_booster", "updater", to=[{"name": "x"}])),
    "device that is a path": ("plain", _set("config", "generic_param", "device", to="/dev/sda")),
    "threads without end": ("plain", _set("config", "generic_param", "nthread", to="100000")),
    "a parameter too many": ("plain", _set("config", "generic_param", "verbosity", to="3")),
    "bins beyond memory": ("plain", _set(*TRAIN, "max_bin", to="2147483647")),
    "classes that nothing has": ("plain", _set(*LEARNER, "num_class", to="65536")),
    "trees a round without end": (
        "plain",
        _set("table", "gbtree_model_param", "num_parallel_tree", to="20000"),
    ),
    "constraints of features that are not there": (
        "constraints",
        _set(*TRAIN, "interaction_constraints", to="[[0,5]]"),
    ),
    "constraints that are no lists": ("plain", _set(*TRAIN, "interaction_constraints", to="[[0,")),
    "more constraints than features": (
        "constraints",
        _set(*TRAIN, "monotone_constraints", to="(1,1,1,1,1,1)"),
    ),
    "frame with categories out of order": ("frame", _put("sorted_idx", 0, 1)),
    "frame with a category beyond": ("frame", _put("sorted_idx", 0, 100)),
    "frame with other segments": ("frame", _put("feature_segments", 2, 1)),
    "frame with strings beyond": (
        "frame",
        _set("categories", 2, "offsets", to=np.array([0, 99], "<i4")),
    ),
    "frame with unknown categories": ("frame", _set("categories", 3, "type", to=8)),
    "frame with a feature less": ("frame", lambda arguments: arguments["categories"].pop()),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_models_are_refused(what: str) -> None:
    name, change = HOSTILE[what]
    arguments = copy.deepcopy(_arguments(name))
    _check(arguments)
    change(arguments)
    with pytest.raises(SpecError):
        _check(arguments)


def test_a_path_of_five_hundred_is_no_harm() -> None:
    """With four times as many the library's own recursion goes beyond a stack of 8 MiB."""
    arguments = _arguments("plain")
    _chain(500)(arguments)
    booster = _finished(arguments)
    assert len(booster.get_dump(dump_format="json", with_stats=True)) == 1


def test_categories_that_take_far_more_memory_than_the_file_are_refused() -> None:
    arguments = _arguments("plain")
    count = 4096
    _chain(1)(arguments)
    arrays = arguments["arrays"]
    for name in ("left_children", "right_children", "parents", "split_indices", "loss_changes",
                 "sum_hessian", "split_conditions", "base_weights", "default_left"):  # fmt: skip
        arrays[name] = np.tile(arrays[name], count)
    arrays["split_type"] = np.tile(np.array([1, 0, 0], "u1"), count)
    arrays["categories"] = np.full(count, (1 << 24) - 1, "<i4")
    arrays["categories_sizes"] = np.ones(count, "<i8")
    arrays["nodes"] = np.full(count, 3, "<i4")
    arrays["tree_info"] = np.zeros(count, "<i4")
    arrays["iteration_indptr"] = np.arange(count + 1, dtype="<i4")
    audit = Audit(lambda _: True, sum(array.nbytes for array in arrays.values()))
    with pytest.raises(TooMuchError):
        BOOSTER.check(arguments, INSTALLED, audit)


def test_hostile_archives_do_not_free_what_they_name() -> None:
    """A booster frees its `handle` when it goes: an archive must never give it one."""
    bundle = in_memory(adapter.save(MODELS["plain"]()))
    (node,) = (one for one in bundle.architecture["graph"]["nodes"] if "arguments" in one)
    node["arguments"]["handle"] = 12345
    with pytest.raises(ArchitectureError):
        adapter.load(bundle)  # type: ignore[arg-type]


@pytest.mark.parametrize("start", range(2))
def test_mutated_models_are_refused_or_harmless(start: int, tmp_path: Path) -> None:
    for name in MODELS:
        (tmp_path / f"{name}.ubj").write_bytes(_handle(name))
    command = [sys.executable, "-W", "ignore", str(VICTIM), str(1000 * start), "150", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-2:], done.stderr[-1000:])
    counts = json.loads(lines[-1])
    assert counts["refused"] > 50
    assert counts["harmless"] > 20


def test_without_the_checks_mutated_models_kill(tmp_path: Path) -> None:
    (tmp_path / "plain.ubj").write_bytes(_handle("plain"))
    command = [sys.executable, "-W", "ignore", str(VICTIM), "0", "200", str(tmp_path), "blind"]
    done = subprocess.run(command, capture_output=True, timeout=280, check=False)
    assert done.returncode < 0


# Documents


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "binary format of old releases"),
        (b"CONFIG-offset:\0\0\0", "binary format of old releases"),
        (b"binf\0\0", "binary format of old releases"),
        (b"{}", "other fields"),
        (b'{"learner": [}', "no model of XGBoost"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"learner": ' + b"[" * 100_000, "no model of XGBoost"),
        (b"{L\0\0\0\0\0\0\0\x05Model", "no model of XGBoost"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        parse_model(data)


def test_fields_that_nobody_knows_are_refused() -> None:
    for path in (("learner",), ("learner", "gradient_booster", "model")):
        document = json.loads(MODELS["plain"]().save_raw("json"))
        functools.reduce(dict.__getitem__, path, document)["plugin"] = "x"
        with pytest.raises(SpecError, match="other fields"):
            parse_model(json.dumps(document).encode())


OTHERS = (
    *(None, True, -1, 0, 7, 2**70, 0.5, "", "-", "--5", "5", "gbtree", "a" * 5000),
    *([], [1], [[]], ["1"], {}, {"name": "gbtree"}),
)


@pytest.mark.parametrize("name", MODELS)
def test_documents_with_another_value_anywhere_are_refused_or_checked(name: str) -> None:
    model = MODELS[name]()
    config = json.loads(model.save_config())
    whole = {"Model": json.loads(model.save_raw("json")), "Config": config}
    _check(parse_model(json.dumps(whole).encode()))
    chosen = random.Random(name)
    counts = {"refused": 0, "harmless": 0}
    for _ in range(200):
        document = copy.deepcopy(whole)
        place: Any = document
        while True:
            keys = sorted(place) if type(place) is dict else range(len(place))
            key = chosen.choice(keys)
            if type(place[key]) not in (dict, list) or not place[key] or chosen.random() < 0.1:
                break
            place = place[key]
        place[key] = chosen.choice(OTHERS)
        try:
            _check(parse_model(json.dumps(document).encode()))
            counts["harmless"] += 1
        except SpecError:
            counts["refused"] += 1
    assert counts["refused"] > 100


def test_trees_that_say_something_else_than_their_arrays_are_refused() -> None:
    for key, other in (("num_nodes", "4"), ("num_deleted", "1"), ("num_feature", "9")):
        document = json.loads(MODELS["plain"]().save_raw("json"))
        tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
        tree["tree_param"][key] = other
        with pytest.raises(SpecError, match=other):
            parse_model(json.dumps(document).encode())


def test_vectors_of_a_release_that_keeps_them_elsewhere_are_refused() -> None:
    """XGBoost 3.2 looks for `leaf_weights` without asking whether they are there."""
    arguments = _arguments("vectors")
    del arguments["arrays"]["leaf_weights"]
    leaves = arguments["arrays"]["left_children"] == -1
    arguments["arrays"]["right_children"] = np.where(
        leaves, -1, arguments["arrays"]["right_children"]
    ).astype("<i4")
    with pytest.raises(ValueError, match="several outputs"):
        _finished(arguments)


# Saving


def test_the_manifest_names_xgboost(tmp_path: Path) -> None:
    path = tmp_path / "model.safemodel"
    sm.save(MODELS["plain"](), path, signer=None)
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert bundle.manifest.framework == "xgboost"
        assert bundle.manifest.libraries["xgboost"] == xgb.__version__


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (lambda: xgb.XGBRegressor(objective=lambda y, p: (p - y, y)), "objective"),
        (lambda: xgb.XGBRegressor(eval_metric=lambda y, p: 0.0), "eval_metric"),
        (lambda: xgb.XGBRegressor(callbacks=[xgb.callback.EarlyStopping(3)]), "callbacks"),
        (lambda: xgb.XGBRegressor(plugin="x"), "kwargs['plugin']"),
        (lambda: xgb.XGBRegressor(device="/dev/sda"), "device"),
        (lambda: xgb.XGBClassifier(n_jobs=10**6), "n_jobs"),
        (xgb.Booster, None),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(model: Any, place: str | None) -> None:
    with pytest.raises(UnsavableError) as caught:
        adapter.save(model())
    assert caught.value.place == place


def test_attributes_that_hide_a_method_are_refused() -> None:
    bundle = in_memory(adapter.save(xgb.XGBRegressor(n_estimators=2, n_jobs=1).fit(X, Y)))
    (node,) = (one for one in bundle.architecture["graph"]["nodes"] if "state" in one)
    node["state"]["get_booster"] = 3
    with pytest.raises(ArchitectureError, match="shadow"):
        adapter.load(bundle)  # type: ignore[arg-type]


def test_the_classes_of_a_wrapper_are_those_of_its_booster() -> None:
    model = xgb.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, Y3)
    bundle = in_memory(adapter.save(model))
    (node,) = (one for one in bundle.architecture["graph"]["nodes"] if "state" in one)
    node["state"]["n_classes_"] = 4
    with pytest.raises(ArchitectureError, match="has 3"):
        adapter.load(bundle)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["plain", "multi", "dart", "categories", "vectors"])
def test_training_goes_on_as_from_a_pickle(name: str) -> None:
    model = MODELS[name]()
    loaded: Any = adapter.load(in_memory(adapter.save(model)))  # type: ignore[arg-type]
    pickled = pickle.loads(pickle.dumps(model))
    categories = name == "categories"
    training = xgb.DMatrix(
        X,
        np.column_stack([Y, Y3]) if name == "vectors" else Y3,
        enable_categorical=categories,
        feature_types=["q", "q", "q", "c", "c"] if categories else None,
        feature_names=list("abcde") if categories else None,
    )
    params: dict[str, Any] = {"nthread": 1, "subsample": 0.5, "seed": 3}
    if name == "multi":
        params |= {"objective": "multi:softprob", "num_class": 3}
    if name == "vectors":
        params |= {"multi_strategy": "multi_output_tree"}
    found = []
    for one in (model, loaded, pickled):
        xgb.train({"seed": 1, "nthread": 1}, training, 1)  # the thread's random numbers, anew
        found.append(bytes(xgb.train(params, training, 3, xgb_model=one).save_raw()))
    assert found[0] == found[1] == found[2]
