"""SavedModels and `.keras` files out of a bundle: a process without safemodel serves the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

import numpy as np  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.errors import SourceError, UnsavableError, VerificationError  # noqa: E402
from tests.convert import test_saved_model as made  # noqa: E402

pytestmark = pytest.mark.xdist_group("keras")

CHILD = Path(__file__).with_name("served.py")


def export(source: Path, target: Path, to: str = "savedmodel", **options: Any) -> Path:
    sm.export(source, target, to=to, trust=sm.UNSIGNED, **options)
    return target


def bundle(obj: Any, path: Path, **options: Any) -> Path:
    sm.save(obj, path / "m.safemodel", signer=None, **options)
    return path / "m.safemodel"


def served(*asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What a process with TensorFlow alone gives, for each."""
    subprocess.run(
        [sys.executable, str(CHILD)],
        input="".join(json.dumps(one) + "\n" for one in asked),
        text=True, check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    return [dict(np.load(one["inputs"].replace("in.npz", "out.npz"))) for one in asked]


def inputs(path: Path, **arrays: Any) -> str:
    np.savez(path / "in.npz", **arrays)
    return str(path / "in.npz")


def keras_model() -> Any:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("another backend")
    keras.utils.set_random_seed(3)
    return keras.Sequential([
        keras.layers.Input((4,)), keras.layers.Dense(8, activation="relu"),
        keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), keras.layers.Dense(2),
    ])  # fmt: skip


def test_functions_and_signatures_go_out(tmp_path: Path) -> None:
    live, method, args, _ = made.dense()
    signature = tf.function(
        lambda x: {"y": live.run(x)}, input_signature=[made.spec(None, 3, name="x")]
    )
    source = made.convert(made.saved(live, tmp_path, signatures={"classify": signature}), tmp_path)
    loaded = tf.saved_model.load(str(export(source, tmp_path / "exported")))
    assert made.same(getattr(loaded, method)(*args), live.run(*args))
    assert made.same(loaded.signatures["classify"](x=args[0])["y"], live.run(*args))


@pytest.mark.slow
def test_other_processes_serve_the_same(tmp_path: Path) -> None:
    """A module, one with loops and counters, a converted SavedModel, and a model of Keras."""
    asked: list[dict[str, Any]] = []
    wanted: list[Any] = []

    def ask(name: str, source: Path, call: str | None, results: Any, **arrays: Any) -> None:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for kind in ("savedmodel", "keras") if call is None else ("savedmodel",):
            target = export(source, folder / f"{kind}.keras", kind)
            (folder / kind).mkdir()
            place = inputs(folder / kind, **arrays)
            call = call or "serve"
            asked.append({"kind": kind, "path": str(target), "inputs": place, "call": call})
            wanted.append(results)

    for case in (made.dense, made.control_flow, made.nested):
        live, method, args, _ = case()
        (tmp_path / case.__name__).mkdir()
        source = made.convert(made.saved(live, tmp_path / case.__name__), tmp_path / case.__name__)
        loaded = made.load(source)
        results = [np.asarray(one) for one in tf.nest.flatten(loaded.entry(method)(*args))]
        given = [np.int32(one) if type(one) is int else one for one in args]
        arrays = {f"a{number}": one for number, one in enumerate(given)}
        ask(case.__name__, source, method, results, **arrays)
    live, _, args, _ = made.dense()
    signature = tf.function(
        lambda x: {"y": live.run(x)}, input_signature=[made.spec(None, 3, name="x")]
    )
    (tmp_path / "signed").mkdir()
    source = made.saved(live, tmp_path / "signed", signatures={"classify": signature})
    ask(
        "signed",
        made.convert(source, tmp_path / "signed"),
        "classify",
        live.run(args[0]),
        x=args[0],
    )
    model = keras_model()
    x = made.numbers(5, 4)
    (tmp_path / "keras").mkdir()
    ask("keras", bundle(model, tmp_path / "keras"), None, model.predict(x, verbose=0), x=x)
    for one, found, results in zip(asked, served(*asked), wanted, strict=True):
        theirs = list(found.values())
        mine = results if isinstance(results, list) else [results]
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            assert np.array_equal(np.asarray(a), b), one


def test_a_module_that_was_saved_goes_out_and_comes_in_again(tmp_path: Path) -> None:
    live, method, args, _ = made.dense()
    first = bundle(live, tmp_path, example_inputs={method: (made.spec(None, 3),)})
    second = tmp_path / "again.safemodel"
    sm.convert(export(first, tmp_path / "model"), second, signer=None)
    assert made.same(made.load(second).entry(method)(*args), getattr(live, method)(*args))
    assert made.load(second, into=live).complete


def test_state_alone_goes_out(tmp_path: Path) -> None:
    source = bundle(made.dense()[0].kept["w"], tmp_path)
    with pytest.raises(UnsavableError, match="no module"):
        export(source, tmp_path / "model")
    checkpoint = bundle(tf.train.Checkpoint(v=tf.Variable(2.0)), tmp_path)
    loaded = tf.saved_model.load(str(export(checkpoint, tmp_path / "model")))
    assert loaded.v.numpy() == 2.0


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    source = bundle({"a": np.zeros(3)}, tmp_path)
    for to in ("savedmodel", "keras"):
        with pytest.raises(UnsavableError):
            export(source, tmp_path / "model", to)
    with pytest.raises(UnsavableError, match="for models of Keras"):
        export(bundle(tf.train.Checkpoint(v=tf.Variable(2.0)), tmp_path), tmp_path / "m", "keras")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.safemodel"]


@pytest.mark.parametrize("name", ["__class__", "__x__", "_trackable_children"])
def test_parts_that_would_stand_before_something_are_refused(tmp_path: Path, name: str) -> None:
    source = bundle(tf.train.Checkpoint(d={name: tf.Variable(1.0)}), tmp_path)
    with pytest.raises(UnsavableError, match="a part with the name"):
        export(source, tmp_path / "model")


def test_targets_appear_wholly_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = bundle(tf.train.Checkpoint(v=tf.Variable(2.0)), tmp_path)
    (tmp_path / "model").mkdir()
    with pytest.raises(SourceError, match="is there already"):
        export(source, tmp_path / "model")

    def failing(obj: Any, path: str, **options: Any) -> None:
        Path(path).mkdir()
        raise ValueError("no\nmore")

    monkeypatch.setattr(tf.saved_model, "save", failing)
    with pytest.raises(UnsavableError, match=r"it: no$"):
        export(source, tmp_path / "other")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.safemodel", "model"]


@pytest.mark.slow
def test_a_link_is_followed(tmp_path: Path) -> None:
    source = bundle(keras_model(), tmp_path)
    (tmp_path / "old.keras").write_bytes(b"old")
    (tmp_path / "link.keras").symlink_to(tmp_path / "old.keras")
    export(source, tmp_path / "link.keras", "keras")
    assert (tmp_path / "link.keras").is_symlink()
    assert (tmp_path / "old.keras").read_bytes()[:2] == b"PK"


def test_signatures_are_checked_first(tmp_path: Path) -> None:
    source = bundle(tf.train.Checkpoint(v=tf.Variable(2.0)), tmp_path)
    with pytest.raises(VerificationError):
        sm.export(source, tmp_path / "model", to="savedmodel")


def test_a_private_folder_of_it(tmp_path: Path) -> None:
    source = bundle(tf.train.Checkpoint(v=tf.Variable(2.0)), tmp_path)
    with sm.private_folder(source, to="savedmodel", trust=sm.UNSIGNED) as folder:
        assert (folder / "saved_model.pb").is_file()


def test_the_command_line_writes_it(tmp_path: Path) -> None:
    from safemodel.cli import main

    source = bundle(tf.train.Checkpoint(v=tf.Variable(2.0)), tmp_path)
    assert main(["export", str(source), "--to", "savedmodel", "--unsigned"]) == 0
    assert (tmp_path / "m" / "saved_model.pb").is_file()
