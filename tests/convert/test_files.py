"""Where files come from and where bundles go: refusals, lineage, own classes, the command line."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import jsonschema
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import safemodel as sm
from safemodel import errors
from safemodel.cli import main

from .support import expected, written

SCHEMA = Path(__file__).resolve().parents[2] / "spec" / "schemas" / "cli-convert.schema.json"
X = np.random.RandomState(0).normal(size=(20, 3))
OWN = """
from sklearn.base import BaseEstimator, TransformerMixin

class Ratio(TransformerMixin, BaseEstimator):
    def __init__(self, k=1):
        self.k = k
    def fit(self, X, y=None):
        self.mean_ = X.mean(0)
        return self
    def transform(self, X):
        return X * self.k - self.mean_
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    joblib.dump(LogisticRegression().fit(X, X[:, 0] > 0), path)
    return path


def test_the_bundle_says_where_it_comes_from(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safemodel"
    given = {"name": "a/b", "lineage": {"sources": ["before"]}}
    digest = sm.convert(model, target, metadata=given, signer=None)
    manifest = sm.inspect(target).manifest
    assert sm.inspect(target).digest == digest
    assert manifest.metadata.name == "a/b"
    before, source = manifest.metadata.lineage.sources
    assert before.name == "before"
    assert source.name == "model.joblib"
    assert source.size == model.stat().st_size
    assert source.digest == {"sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    scan: Any = manifest.metadata.lineage.scan
    assert scan["findings"] == []
    assert "joblib" in scan["formats"]
    assert manifest.libraries.keys() == {"scikit-learn"}
    sm.verify(target, trust=sm.UNSIGNED)


def test_two_conversions_are_the_same(model: Path, tmp_path: Path) -> None:
    targets = [tmp_path / "1", tmp_path / "2"]
    for target in targets:
        sm.convert(model, target, signer=None)
    assert targets[0].read_bytes() == targets[1].read_bytes()


def test_own_classes_are_allowed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "acme_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    import acme_own  # type: ignore[import-not-found]

    made = make_pipeline(acme_own.Ratio(2), LogisticRegression()).fit(X, X[:, 0] > 0)
    source, target = tmp_path / "a.pkl", tmp_path / "a.safemodel"
    source.write_bytes(pickle.dumps(made))
    with pytest.raises(errors.FindingsError) as refusal:
        sm.convert(source, target, signer=None)
    assert 'allow=["acme_own.Ratio"]' in str(refusal.value.hint)
    sm.convert(source, target, signer=None, allow=["acme_own.Ratio"])
    assert written(target) == expected(pickle.loads(source.read_bytes()))
    with pytest.raises(errors.NotAllowedError):
        sm.load(target, trust=sm.UNSIGNED)
    again = sm.load(target, trust=sm.UNSIGNED, allow=["acme_own.Ratio"])
    assert (again.predict(X) == made.predict(X)).all()
    arguments = ["convert", str(source), str(target), "--unsigned", "--force"]
    assert main([*arguments, "--allow", "acme_own.Ratio"]) == 0
    assert "acme_own.Ratio" in capsys.readouterr().err
    for name in ("os.system", "sklearn.base.clone", "no name"):
        with pytest.raises(errors.SafemodelError):
            sm.convert(source, tmp_path / "b", signer=None, allow=[name])
    del sys.modules["acme_own"]


REFUSED = {
    "empty": b"",
    "text": b"hello, world\n",
    "cut": pickle.dumps([1, 2, 3])[:-1],
    "two": pickle.dumps(1) * 2,
    "persistent": b"\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00\x8c\x03abcQ.",
    "extension": b"\x80\x02\x82\x01.",
    "unknown": b"\x80\x02cacme\nThing\n.",
    "itself": b"\x80\x02](h\x00e.",
    "global": b"\x80\x02csklearn.base\nclone\n.",
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_left_after_a_refusal(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(REFUSED[name])
    with pytest.raises(errors.SafemodelError) as refusal:
        sm.convert(source, tmp_path / "target", signer=None)
    assert refusal.value.path == str(source)
    assert os.listdir(tmp_path) == ["source"]


def test_places_are_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(pickle.dumps({"a": [1, {"b": (np.vectorize(len), 2)}]}))
    with pytest.raises(errors.SafemodelError) as refusal:
        sm.convert(source, tmp_path / "target", signer=None)
    assert refusal.value.place == "a.1.b.0.pyfunc"
    assert "builtins.len" in str(refusal.value)


def test_odd_sources_and_targets(model: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.MissingFileError):
        sm.convert(tmp_path / "missing", tmp_path / "t")
    with pytest.raises(errors.UsageError, match="into the folder itself"):
        sm.convert(tmp_path, tmp_path / "t")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.SourceError, match="no regular file"):
        sm.convert(tmp_path / "pipe", tmp_path / "t")
    with pytest.raises(errors.UsageError, match="into itself"):
        sm.convert(model, model)
    os.link(model, tmp_path / "link")
    with pytest.raises(errors.UsageError, match="into itself"):
        sm.convert(model, tmp_path / "link")


def test_a_file_that_changes_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safemodel.convert import converting

    read = converting.read

    def reading(*arguments: Any) -> Any:
        os.utime(model, ns=(1, 1))
        return read(*arguments)

    monkeypatch.setattr(converting, "read", reading)
    with pytest.raises(errors.ChangedFileError):
        sm.convert(model, tmp_path / "t", signer=None)
    assert not (tmp_path / "t").exists()


@pytest.mark.skipif(os.name == "nt", reason="there the time is that of the creation")
def test_a_file_that_changes_is_refused_though_its_time_is_put_back(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safemodel.convert import converting

    read = converting.read

    def reading(*arguments: Any) -> Any:
        before = model.stat()
        time.sleep(0.05)  # the clock of a file system has ticks
        model.write_bytes(model.read_bytes())
        os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
        return read(*arguments)

    monkeypatch.setattr(converting, "read", reading)
    with pytest.raises(errors.ChangedFileError):
        sm.convert(model, tmp_path / "t", signer=None)
    assert not (tmp_path / "t").exists()


def test_a_large_file_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.convert import sources

    monkeypatch.setattr(sources, "MAX_READ", 0)
    source = tmp_path / "a"
    joblib.dump([np.arange(1000.0), np.eye(3)], source)
    sm.convert(source, tmp_path / "t", signer=None)
    assert written(tmp_path / "t") == expected(joblib.load(source))


def test_the_command(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    target = tmp_path / "m.safemodel"
    arguments = ["convert", str(model), str(target), "--name", "a/b", "--format", "json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    validator.validate(document)
    assert document["digest"] == sm.inspect(target).digest
    assert len(document["signers"]) == 1
    assert sm.load(target, name="a/b").predict(X).shape == (20,)
    assert main(arguments) == 2
    validator.validate(json.loads(capsys.readouterr().out))
    assert main(["convert", str(model), "--unsigned"]) == 0
    assert "model.joblib.safemodel: converted from" in capsys.readouterr().out
    bad = tmp_path / "bad.pkl"
    bad.write_bytes(b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00x\x85R.")
    assert main(["convert", str(bad), str(tmp_path / "bad"), "--unsigned"]) == 1
    assert "SM101" in capsys.readouterr().err
    bad.write_bytes(REFUSED["cut"])
    assert main(["convert", str(bad), str(tmp_path / "bad"), "--unsigned"]) == 2
    assert not (tmp_path / "bad").exists()
