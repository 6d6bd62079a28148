"""Classes and functions from outside our tables: built only where a caller allows."""

from __future__ import annotations

import copy
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import compose, ensemble, linear_model, pipeline, preprocessing
from sklearn.feature_extraction.text import TfidfVectorizer

import safemodel as sm
from safemodel.adapters import sklearn as adapter
from safemodel.errors import (
    ArchitectureError,
    MissingLibraryError,
    NotAllowedError,
    UnsavableError,
)

from .sklearn_cases import DOCS, Y2, Y3, YREG, X
from .sklearn_support import MemoryBundle, fingerprint, in_memory

SOURCE = '''
"""A module of somebody's own."""
import enum
import functools
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

CALLS = []


def helper(data, power=2):
    return np.abs(data) ** power


def words(text):
    return text.lower().split()


made = lambda data: data
renamed = helper


class Table:
    """Plain, no estimator at all."""

    def __init__(self, entries):
        CALLS.append("Table.__init__")
        self.entries = entries
        self.owner = None

    def look(self, key):
        return self.entries.get(key, 0.0)


class MyTransformer(TransformerMixin, BaseEstimator):
    def __init__(self, shift=1.0, func=None):
        CALLS.append("MyTransformer.__init__")
        self.shift = shift
        self.func = func

    def fit(self, data, target=None):
        data = np.asarray(data)
        self.mean_ = data.mean(axis=0)
        self.table_ = Table({"scale": 2.0})
        self.n_features_in_ = data.shape[1]
        return self

    def transform(self, data):
        found = (np.asarray(data) - self.mean_ + self.shift) * self.table_.look("scale")
        return found if self.func is None else self.func(found)


class MyForest(RandomForestClassifier):
    def predict(self, data):
        return super().predict(data)[::-1]


class MyRegression(LogisticRegression):
    def __init__(self, extra=3, C=1.0):
        super().__init__(C=C)
        self.extra = extra


class MyScaler(StandardScaler):
    pass


class Vote(ClassifierMixin, BaseEstimator):
    def fit(self, data, target):
        self.classes_ = np.unique(target)
        return self

    def predict(self, data):
        return np.repeat(self.classes_[:1], len(data))


class Outer:
    class Inner:
        def __init__(self):
            self.x = 1


class Reducing:
    def __init__(self):
        self.x = 1

    def __reduce__(self):
        return (Reducing, ())


class Restoring:
    def __setstate__(self, state):
        CALLS.append("Restoring.__setstate__")


class Slotted:
    __slots__ = ("x",)


class SlottedBelow(Slotted):
    pass


class Making:
    def __new__(cls):
        CALLS.append("Making.__new__")
        return object.__new__(cls)


class Caching:
    @functools.cached_property
    def size(self):
        return 3


class Kind(enum.Enum):
    A = 1
'''


@pytest.fixture(scope="module")
def mypkg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "mypkg").mkdir()
    (folder / "mypkg" / "__init__.py").write_text(SOURCE)
    (folder / "mypkg" / "deep.py").write_text("class Thing:\n    pass\n")
    sys.path.insert(0, str(folder))
    try:
        import mypkg  # type: ignore[import-not-found]

        yield mypkg
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "mypkg"]:
            del sys.modules[name]


def bundle_of(model: Any) -> MemoryBundle:
    return in_memory(adapter.save(model))


def load(bundle: MemoryBundle, *allow: str) -> Any:
    return adapter.load(bundle, allow=allow)  # type: ignore[arg-type]


def own_nodes(bundle: MemoryBundle) -> list[Any]:
    return [
        node
        for node in bundle.architecture["graph"]["nodes"]
        if node["kind"] in ("sklearn.own", "sklearn.own_function")
    ]


MODELS: dict[str, tuple[Callable[[Any], Any], Any, list[str]]] = {
    "transformer": (
        lambda own: own.MyTransformer(2.0).fit(X),
        X,
        ["mypkg.MyTransformer", "mypkg.Table"],
    ),
    "with a function": (
        lambda own: own.MyTransformer(func=own.helper).fit(X),
        X,
        ["mypkg.MyTransformer", "mypkg.Table", "mypkg.helper"],
    ),
    "in a pipeline": (
        lambda own: pipeline.make_pipeline(
            own.MyTransformer(), preprocessing.StandardScaler(), linear_model.LogisticRegression()
        ).fit(X, Y3),
        X,
        ["mypkg.MyTransformer", "mypkg.Table"],
    ),
    "in a column transformer": (
        lambda own: compose.ColumnTransformer(
            [("a", own.MyTransformer(), [0, 1]), ("b", "passthrough", [2])]
        ).fit(X),
        X,
        ["mypkg.MyTransformer", "mypkg.Table"],
    ),
    "function": (
        lambda own: preprocessing.FunctionTransformer(own.helper, kw_args={"power": 3}).fit(X),
        X,
        ["mypkg.helper"],
    ),
    "tokenizer": (
        lambda own: TfidfVectorizer(tokenizer=own.words, token_pattern=None).fit(DOCS),
        DOCS,
        ["mypkg.words"],
    ),
    "derived forest": (
        lambda own: own.MyForest(n_estimators=5, random_state=0).fit(X, Y3),
        X,
        ["mypkg.MyForest"],
    ),
    "derived regression": (
        lambda own: own.MyRegression(extra=5).fit(X, Y2),
        X,
        ["mypkg.MyRegression"],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_allowed_comes_back(mypkg: Any, name: str) -> None:
    make, data, needed = MODELS[name]
    model = make(mypkg)
    bundle = bundle_of(model)
    mypkg.CALLS.clear()
    found = load(bundle, *needed)
    assert mypkg.CALLS == []  # no code of theirs ran
    assert type(found) is type(model)
    method = "transform" if hasattr(model, "transform") else "predict"
    assert fingerprint(getattr(found, method)(data)) == fingerprint(getattr(model, method)(data))
    again = bundle_of(found)
    assert (again.architecture, again.stored) == (bundle.architecture, bundle.stored)


@pytest.mark.parametrize("name", MODELS)
def test_a_refusal_names_all_that_is_needed(mypkg: Any, name: str) -> None:
    make, _, needed = MODELS[name]
    bundle = bundle_of(make(mypkg))
    with pytest.raises(NotAllowedError) as caught:
        load(bundle)
    listed = ", ".join(f'"{one}"' for one in needed)
    assert f"sm.load(path, allow=[{listed}])" in str(caught.value.hint)
    for left in needed:
        with pytest.raises(NotAllowedError, match=left):
            load(bundle, *(one for one in needed if one != left))


def test_what_the_caller_allows_already_stays_in_the_hint(mypkg: Any) -> None:
    bundle = bundle_of(mypkg.MyTransformer().fit(X))
    with pytest.raises(NotAllowedError) as caught:
        load(bundle, "token_pattern:a+", "mypkg.Table")
    hint = 'allow=["token_pattern:a+", "mypkg.Table", "mypkg.MyTransformer"]'
    assert hint.replace('"token_pattern:a+"', "'token_pattern:a+'") in str(caught.value.hint)


def test_allowing_a_prefix_or_another_name_is_not_allowing(mypkg: Any) -> None:
    bundle = bundle_of(mypkg.MyTransformer().fit(X))
    for other in ("mypkg", "mypkg.*", "*", "MyTransformer", "mypkg.MyTransformerX", "mypkg.my"):
        with pytest.raises(NotAllowedError):
            load(bundle, other, "mypkg.Table")


def test_nothing_is_imported_before_it_is_allowed(mypkg: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.safemodel"
    sm.save(mypkg.MyTransformer().fit(X), path, signer=None)
    child = (
        "import sys, safemodel as sm\n"
        "from safemodel.errors import NotAllowedError\n"
        "try:\n    sm.load(sys.argv[1], trust=sm.UNSIGNED)\n"
        "except NotAllowedError as error:\n    print(error.hint)\n"
        "sm.verify(sys.argv[1], trust=sm.UNSIGNED)\n"
        "sm.inspect(sys.argv[1])\n"
        "print('mypkg' in sys.modules)\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "found = sm.load(sys.argv[1], trust=sm.UNSIGNED,"
        " allow=['mypkg.MyTransformer', 'mypkg.Table'])\n"
        "print(type(found).__name__)\n"
    )
    folder = str(Path(mypkg.__file__).parents[1])
    command = [sys.executable, "-c", child, str(path), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    hint, imported, kind = done.stdout.split("\n")[:3]
    assert 'allow=["mypkg.MyTransformer", "mypkg.Table"]' in hint
    assert (imported, kind) == ("False", "MyTransformer")


def test_inspect_shows_what_a_load_will_need(mypkg: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.safemodel"
    sm.save(mypkg.MyTransformer().fit(X), path, signer=None)
    program = "import sys; from safemodel.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "inspect", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert 'allow=["mypkg.MyTransformer", "mypkg.Table"]' in done.stdout
    command += ["--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["needs_allow"] == ["mypkg.MyTransformer", "mypkg.Table"]


def test_save_says_what_a_loader_will_have_to_write(
    mypkg: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="safemodel"):
        sm.save(mypkg.MyTransformer().fit(X), tmp_path / "a.safemodel", signer=None)
        sm.save(preprocessing.StandardScaler().fit(X), tmp_path / "b.safemodel", signer=None)
    (record,) = caplog.records
    assert 'allow=["mypkg.MyTransformer", "mypkg.Table"]' in record.getMessage()


def test_objects_of_a_script_belong_to_its_main(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np, safemodel as sm\n"
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Mine(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, data, target=None):\n        self.mean_ = data.mean(0)\n"
        "        return self\n"
        "if sys.argv[2] == 'save':\n"
        "    sm.save(Mine().fit(np.eye(2)), sys.argv[1], signer=None)\n"
        "else:\n"
        "    print(sm.load(sys.argv[1], trust=sm.UNSIGNED, allow=['__main__.Mine']).mean_)\n"
    )
    (tmp_path / "script.py").write_text(script)
    path = str(tmp_path / "a.safemodel")

    def run(*command: str) -> Any:
        whole = [sys.executable, *command]
        return subprocess.run(
            whole, capture_output=True, text=True, check=False, timeout=60, env=env
        )

    env = {**os.environ, "PYTHONPATH": str(Path(sm.__file__).parents[1])}
    done = run(str(tmp_path / "script.py"), path, "save")
    assert done.returncode == 0, done.stderr
    assert '"__main__.Mine"' in done.stderr
    assert "better in a module" in done.stderr
    assert run(str(tmp_path / "script.py"), path, "load").stdout == "[0.5 0.5]\n"
    other = (
        "import sys, safemodel as sm\n"
        "try:\n    sm.load(sys.argv[1], trust=sm.UNSIGNED, allow=['__main__.Mine'])\n"
        "except sm.errors.MissingLibraryError as error:\n    print(error.hint)\n"
    )
    assert "define it in yours too" in run("-c", other, path).stdout


def test_classes_in_classes_and_in_modules_below(mypkg: Any) -> None:
    import mypkg.deep as deep  # type: ignore[import-not-found]

    model = mypkg.MyTransformer(shift=[mypkg.Outer.Inner(), deep.Thing()])
    found = load(bundle_of(model), "mypkg.MyTransformer", "mypkg.Outer.Inner", "mypkg.deep.Thing")
    assert type(found.shift[0]) is mypkg.Outer.Inner
    assert type(found.shift[1]) is deep.Thing


def test_identity_is_kept(mypkg: Any) -> None:
    table = mypkg.Table({})
    found = load(
        bundle_of(mypkg.MyTransformer(shift=[table, table])), "mypkg.MyTransformer", "mypkg.Table"
    )
    assert found.shift[0] is found.shift[1]


UNSAVABLE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "lambda": (lambda own: own.made, "lambda"),
    "closure": (lambda own: _closure(1), "made in a function"),
    "an object that reduces itself": (lambda own: own.Reducing(), "__reduce__"),
    "an object that restores itself": (lambda own: own.Restoring(), "__setstate__"),
    "an object with slots": (lambda own: own.SlottedBelow(), "__slots__"),
    "an object that makes itself": (lambda own: own.Making(), "__new__"),
    "an object with a cache": (lambda own: _used(own.Caching()), "shadow"),
    "a method that is shadowed": (lambda own: _with(own.Table({}), look=3), "shadow"),
    "a dunder": (lambda own: _with(own.Table({}), __secret__=3), "shadow"),
    "an enumeration": (lambda own: own.Kind.A, "__"),
    "a class": (lambda own: own.Table, "class"),
    "a module": (lambda own: own, "module"),
    "a method": (lambda own: own.Table({}).look, "method"),
    "a function of the standard library": (lambda own: json.dumps, "function"),
    "a function of NumPy": (lambda own: np.save, "numpy"),
}


def _closure(offset: int) -> Any:
    def moved(data: Any) -> Any:
        return data + offset

    return moved


def _used(value: Any) -> Any:
    value.size  # noqa: B018
    return value


def _with(value: Any, **attributes: Any) -> Any:
    vars(value).update(attributes)
    return value


@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_has_no_name_or_more_than_attributes_is_refused_at_save(mypkg: Any, name: str) -> None:
    make, message = UNSAVABLE[name]
    with pytest.raises(UnsavableError, match=message) as caught:
        adapter.save(mypkg.MyTransformer(shift=make(mypkg)))
    assert str(caught.value.place).partition(".")[0] == "shift"


def test_an_extra_attribute_of_a_class_of_the_table_is_still_refused(mypkg: Any) -> None:
    model = preprocessing.StandardScaler().fit(X)
    model.table = mypkg.Table({})
    with pytest.raises(UnsavableError, match="no attribute that this class"):
        adapter.save(pipeline.make_pipeline(mypkg.MyTransformer(), model))


def test_children_in_tables_are_still_checked(mypkg: Any) -> None:
    model = mypkg.MyTransformer(shift=linear_model.Ridge().fit(X, YREG))
    bundle = bundle_of(model)
    for node in bundle.architecture["graph"]["nodes"]:
        if node["kind"] == "sklearn.estimator":
            node["state"]["n_features_in_"] = 4
    with pytest.raises(ArchitectureError, match="Ridge"):
        load(bundle, "mypkg.MyTransformer")


def test_what_a_base_relies_on_is_still_checked(mypkg: Any) -> None:
    bundle = bundle_of(mypkg.MyForest(n_estimators=3, random_state=0).fit(X, Y3))
    (node,) = own_nodes(bundle)
    assert "trees" in node
    node["state"]["n_features_in_"] = 4
    with pytest.raises(ArchitectureError, match="features"):
        load(bundle, "mypkg.MyForest")


def test_an_own_member_of_an_ensemble(mypkg: Any) -> None:
    model = ensemble.VotingClassifier(
        [("a", mypkg.Vote()), ("b", linear_model.LogisticRegression())]
    )
    model.fit(X, Y2)
    found = load(bundle_of(model), "mypkg.Vote")
    assert fingerprint(found.predict(X)) == fingerprint(model.predict(X))


# Hostile archives, with a caller who allows what is asked for


def hostile(mypkg: Any, change: Callable[[Any], None], *allow: str) -> None:
    bundle = bundle_of(mypkg.MyTransformer())
    bundle = MemoryBundle(copy.deepcopy(bundle.architecture), bundle.stored, bundle.libraries)
    change(own_nodes(bundle)[0])
    mypkg.CALLS.clear()
    with pytest.raises((ArchitectureError, MissingLibraryError)):
        load(bundle, *allow)
    assert mypkg.CALLS == []


@pytest.mark.parametrize(
    "name",
    ["Reducing", "Restoring", "SlottedBelow", "Slotted", "Making", "Kind", "helper", "CALLS"],
)
def test_other_classes_are_not_built_even_if_allowed(mypkg: Any, name: str) -> None:
    full = f"mypkg.{name}"
    hostile(mypkg, lambda node: node.update({"class": full, "state": {}}), full)


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "subprocess.Popen", "builtins.eval", "numpy.save", "sklearn.svm.SVC"),
        *("mypkg.np.save", "mypkg.renamed", "mypkg.BaseEstimator", "joblib.load", "pip.main"),
        *("mypkg", "", "a..b", ".a", "mypkg.\n.x", "mypkg.missing"),
        *("mypkg.MyTransformer.__class__", "nowhere.Thing"),
    ],
)
@pytest.mark.parametrize("kind", ["sklearn.own", "sklearn.own_function"])
def test_names_that_are_nobody_s_own_are_refused(mypkg: Any, name: str, kind: str) -> None:
    bundle = bundle_of(mypkg.MyTransformer(func=mypkg.helper))
    for node in own_nodes(bundle):
        if node["kind"] == kind:
            node["class" if kind == "sklearn.own" else "name"] = name
    with pytest.raises((ArchitectureError, MissingLibraryError)):
        load(bundle, name, "mypkg.MyTransformer", "mypkg.helper")


@pytest.mark.parametrize("name", ["transform", "fit", "__class__", "__dict__", "__reduce__", "__x"])
def test_attributes_that_hide_the_class_are_refused(mypkg: Any, name: str) -> None:
    hostile(mypkg, lambda node: node["state"].update({name: 3}), "mypkg.MyTransformer")


def test_names_must_be_strings(mypkg: Any) -> None:
    for other in (None, 3, ["mypkg.MyTransformer"], {"x": 1}):
        hostile(mypkg, lambda node, o=other: node.update({"class": o}), "mypkg.MyTransformer")
