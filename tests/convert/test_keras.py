"""Files that Keras writes, converted: models go on as they were, except for what a file drops.

Every model of tests/adapters/keras_models.py is written by Keras itself as `.keras`, as `.h5` and as
`.weights.h5`, converted, loaded, and compared bit for bit: what it predicts, two
steps of training, all of its variables; and saved again. `DROPPED` is what docs/keras.md lists.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import safemodel as sm
from safemodel import errors
from safemodel.adapters.needs import needs_of
from safemodel.convert import converting
from safemodel.report.model import Finding, Location, Severity
from tests.adapters import keras_hostile as hostile

FORMS = ("keras", "h5", "weights.h5")
FEW = ("first_model", "own_layer", "dropouts")
AS_KERAS = "is as Keras makes it of the file, and not as it was"
# Of which models the files drop something so that not even Keras goes on as before
DROPPED: Mapping[str, Mapping[str, str]] = {
    "keras": {
        "adapters of LoRA": "lora",
        "vocabularies that a layer learned": "adapted_string_lookup",
    },
    "h5": {
        "vocabularies that a layer learned": "adapted_integer_lookup adapted_string_lookup "
        "feature_space text_vectorization text_vectorization_tf_idf",
        "shapes for which a model of your own was built": "own_model own_training_step "
        "own_model_with_frozen_part",
    },
    "weights.h5": {},
}
CHILD = Path(__file__).with_name("keras_child.py")
ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.xdist_group("keras"),
    pytest.mark.skipif(
        importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None,
        reason="needs keras and tensorflow",
    ),
]


def run(folder: Path, form: str) -> dict[str, str]:
    """What differs, by model and format, of all models, in a process of their own."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), form],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=5000,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("RESULTS "))
    found: dict[str, str] = json.loads(line.removeprefix("RESULTS "))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a few models in all formats, converted and compared here."""
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("another backend")
    from tests.convert import keras_child

    path = tmp_path_factory.mktemp("keras")
    found = keras_child.compared(path, list(FORMS), list(FEW))
    assert found == {f"{name} {form}": "" for name in FEW for form in FORMS}
    return path


@pytest.mark.slow
@pytest.mark.timeout(6000)
@pytest.mark.parametrize("form", FORMS)
def test_every_model_in_every_format(form: str, tmp_path: Path) -> None:
    found = run(tmp_path, form)
    assert len(found) >= (110 if form == "h5" else 120)  # Keras itself can't write the others
    differing = {key.partition(" ")[0] for key, said in found.items() if said not in ("", AS_KERAS)}
    assert differing == {name for names in DROPPED[form].values() for name in names.split()}


def test_what_a_file_drops_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "keras.md").read_text()
    for reasons in DROPPED.values():
        for reason in reasons:
            assert f"| {reason} |" in text


def test_it_needs_neither_keras_nor_hdf5(folder: Path, tmp_path: Path) -> None:
    script = (
        "import sys, safemodel as sm\n"
        "for name in sys.argv[2:]:\n"
        "    sm.convert(name, sys.argv[1], signer=None)\n"
        "bad = {'keras', 'tensorflow', 'h5py', 'torch', 'jax', 'pyfive'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    files = [str(folder / f"first_model.{form}") for form in FORMS]
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "m.safemodel"), *files],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_classes_of_ones_own_must_be_named(folder: Path, tmp_path: Path) -> None:
    for form in ("keras", "h5"):
        with pytest.raises(errors.FindingsError) as refused:
            sm.convert(folder / f"own_layer.{form}", tmp_path / "m", signer=None)
        assert "tests>OwnLayer" in str(refused.value.hint)
        sm.convert(
            folder / f"own_layer.{form}",
            tmp_path / "m.safemodel",
            signer=None,
            allow=["tests>OwnLayer", "tests>own_activation"],
        )
        architecture = sm.inspect(tmp_path / "m.safemodel").manifest.architecture
        assert needs_of(architecture) == ["tests>OwnLayer", "tests>own_activation"]


@pytest.mark.parametrize(
    ("evidence", "allowed"),
    [
        ({"object": "x", "module": "m", "name": "Mine", "registered": "my>Mine"}, True),
        ({"object": "x", "name": "my>Mine"}, True),
        ({"object": "(top)", "name": "Mine"}, True),
        ({"object": "x", "module": "os", "name": "Mine"}, False),
        ({"object": "x", "module": "m", "name": "Mine", "registered": "other>Mine"}, False),
        ({"object": "x", "name": "system"}, False),
    ],
)
def test_which_findings_a_named_class_explains(evidence: dict[str, str], allowed: bool) -> None:
    for rule in ("SM202", "SM204"):
        found = Finding(rule, Severity.HIGH, "", Location(""), tuple(evidence.items()))
        assert converting._allowed(found, ["my>Mine"]) == allowed
    other = Finding("SM201", Severity.HIGH, "", Location(""), tuple(evidence.items()))
    assert not converting._allowed(other, ["my>Mine"])


def test_the_archive_says_where_it_comes_from(folder: Path, tmp_path: Path) -> None:
    for form, size in (("keras", 3), ("h5", 3), ("weights.h5", 0)):
        sm.convert(folder / f"first_model.{form}", tmp_path / "m.safemodel", signer=None)
        manifest = sm.inspect(tmp_path / "m.safemodel").manifest
        assert manifest.framework == "keras"
        assert manifest.adapter is not None
        assert manifest.adapter.name == "keras"
        assert len(str(dict(manifest.libraries).get("keras", "")).split(".")) == (size or 1)
        (source,) = manifest.metadata.lineage.sources
        assert source.name == f"first_model.{form}"


def test_weights_of_a_model_that_has_none(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((4, 1)), keras.layers.MaxPooling1D()])
    model.save_weights(tmp_path / "m.weights.h5")
    sm.convert(tmp_path / "m.weights.h5", tmp_path / "m.safemodel", signer=None)
    assert sm.load_weights(tmp_path / "m.safemodel", into=model, trust=sm.UNSIGNED).complete


def test_weights_alone_are_no_model(folder: Path, tmp_path: Path) -> None:
    sm.convert(folder / "first_model.weights.h5", tmp_path / "m.safemodel", signer=None)
    with pytest.raises(errors.ArchitectureError, match="weights"):
        sm.load(tmp_path / "m.safemodel", trust=sm.UNSIGNED)


class Weights:
    """Archives of weights for a model of two layers, and that model."""

    def __init__(self, folder: Path) -> None:
        import keras

        self.keras = keras
        self.folder = folder
        self.archives: dict[str, Path] = {}
        source = self.model()
        for form in ("weights.h5", "keras", "h5"):
            path = folder / f"two.{form}"
            (source.save_weights if form == "weights.h5" else source.save)(path)
            self.archives[form] = folder / f"two.{form}.safemodel"
            sm.convert(path, self.archives[form], signer=None)
        self.source = source

    def model(self, width: int = 3, layers: int = 2) -> Any:
        keras = self.keras
        parts = [keras.layers.Dense(width) for _ in range(layers)]
        return keras.Sequential([keras.Input((4,)), *parts])

    def values(self, model: Any) -> list[Any]:
        return [value.tolist() for value in model.get_weights()]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return Weights(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("form", FORMS)
def test_weights_into_a_model(weights: Weights, form: str) -> None:
    model = weights.model()
    report = sm.load_weights(weights.archives[form], into=model, trust=sm.UNSIGNED)
    assert report.complete
    assert weights.values(model) == weights.values(weights.source)


@pytest.mark.parametrize("form", FORMS)
def test_some_weights_into_a_model(weights: Weights, form: str) -> None:
    model = weights.model()
    before = weights.values(model)
    report = sm.load_weights(
        weights.archives[form], into=model, only=["dense/*"], trust=sm.UNSIGNED
    )
    assert report.complete
    wanted = weights.values(weights.source)
    assert weights.values(model) == [wanted[0], wanted[1], before[2], before[3]]
    with pytest.raises(errors.StateMismatchError, match="only="):
        sm.load_weights(weights.archives[form], into=model, only=["x/*"], trust=sm.UNSIGNED)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", [{"width": 5}, {"layers": 1}, {"layers": 3}])
def test_weights_that_do_not_fit(weights: Weights, form: str, other: Mapping[str, int]) -> None:
    model = weights.model(**other)
    before = weights.values(model)
    with pytest.raises(errors.StateMismatchError):
        sm.load_weights(weights.archives[form], into=model, trust=sm.UNSIGNED)
    assert weights.values(model) == before
    report = sm.load_weights(weights.archives[form], into=model, strict=False, trust=sm.UNSIGNED)
    assert not report.complete


@pytest.mark.slow
@pytest.mark.parametrize("form", ["keras", "weights.h5"])
def test_a_large_file_takes_little_memory(form: str, tmp_path: Path) -> None:
    h5py, np = pytest.importorskip("h5py"), pytest.importorskip("numpy")
    inner = tmp_path / "model.weights.h5"
    with h5py.File(inner, "w") as file:
        for index in range(6):
            file[f"layers/dense_{index}/vars/0"] = np.ones((5000, 5000), "f4")
    source = tmp_path / f"m.{form}"
    if form == "keras":
        config = hostile.model(hostile.dense())
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
            archive.writestr("config.json", json.dumps(config))
            archive.write(inner, "model.weights.h5")
    else:
        source = inner
    script = (
        "import resource, sys, safemodel as sm\n"
        "sm.convert(sys.argv[1], sys.argv[2], signer=None)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(source), str(tmp_path / "m.safemodel")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert source.stat().st_size > 600_000_000
    assert int(done.stdout) < 300
