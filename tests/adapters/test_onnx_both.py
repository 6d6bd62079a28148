"""Two forms in one bundle: the model's own, and ONNX; both give the same."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("skl2onnx")

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import safemodel as sm
from safemodel.errors import ArchitectureError, UnsavableError, UsageError
from tests.adapters.onnx_support import run, unsigned

RNG = np.random.default_rng(0)
X = RNG.random((60, 6), dtype=np.float32)
Y = (X[:, 0] + X[:, 1] > X[:, 2] + 0.5).astype(int) + (X[:, 3] > 0.7)


NAMES = (
    "forest", "pipeline", "ridge", "boosting", "network", "clusters", "neighbours", "isolation",
    "components",
)  # fmt: skip


@cache
def _models() -> dict[str, Any]:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.ensemble import GradientBoostingRegressor, IsolationForest, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "forest": RandomForestClassifier(5, random_state=0).fit(X, Y),
            "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
            "ridge": Ridge().fit(X, X[:, :2]),
            "boosting": GradientBoostingRegressor(n_estimators=4).fit(X, Y),
            "network": MLPClassifier((64, 32), max_iter=20, random_state=0).fit(X, Y),
            "clusters": KMeans(3, n_init=1, random_state=0).fit(X),
            "neighbours": KNeighborsClassifier().fit(X, Y),
            "isolation": IsolationForest(n_estimators=4, random_state=0).fit(X),
            "components": PCA(2).fit(X),
        }


@pytest.mark.parametrize("name", NAMES)
def test_an_estimator_in_both_forms(name: str, tmp_path: Path) -> None:
    model = _models()[name]
    path = tmp_path / "m.safemodel"
    sm.save(model, path, signer=None, onnx_inputs=X)
    own = sm.load(path, trust=sm.UNSIGNED)
    assert type(own) is type(model)
    outputs = run(unsigned(path), [X])
    if hasattr(own, "predict"):
        assert np.allclose(outputs[0].reshape(-1), own.predict(X).reshape(-1), 1e-3, 1e-4)
    if hasattr(own, "predict_proba"):
        assert np.allclose(outputs[1], own.predict_proba(X), 1e-3, 1e-4)
    if not hasattr(own, "predict"):
        assert np.allclose(outputs[0], own.transform(X), 1e-3, 1e-4)
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        record: Any = bundle.manifest.extra["x-onnx"]
        assert record["prefix"] == "onnx:"
        assert record["relative"] == "0.001"
        assert bundle.manifest.framework == "scikit-learn"


def test_a_frame_and_names_of_columns(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = pandas.DataFrame(X[:, :3], columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, Y)
    path = tmp_path / "m.safemodel"
    sm.save(model, path, signer=None, onnx_inputs=frame)
    session = unsigned(path)
    assert [item.name for item in session.get_inputs()] == ["a", "b", "c"]
    columns = [X[:, number : number + 1] for number in range(3)]
    assert np.allclose(run(session, columns)[0][:, 0], model.predict(frame), 1e-3)


def test_a_module_in_both_forms(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(20, 300), torch.nn.ReLU(), torch.nn.BatchNorm1d(300), torch.nn.Dropout(),
        torch.nn.Linear(300, 2),
    )  # fmt: skip
    module[2].eval()
    path = tmp_path / "m.safemodel"
    sm.save(module, path, signer=None, onnx_inputs=torch.rand(4, 20))
    assert [part.training for part in module] == [True, True, False, True, True]
    state = sm.load(path, trust=sm.UNSIGNED, into=dict)
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())
    rows = torch.rand(9, 20)  # another number of rows than at save
    expected = module.eval()(rows).detach().numpy()
    assert np.allclose(run(unsigned(path), [rows.numpy()])[0], expected, 1e-4, 1e-5)
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert {"0.weight", "onnx:0.weight"} <= set(bundle.tensors)


def test_names_that_clash(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Clash(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_module("onnx:0", torch.nn.Linear(20, 300))

        def forward(self, x: Any) -> Any:
            return self.get_submodule("onnx:0")(x)

    path = tmp_path / "m.safemodel"
    sm.save(Clash(), path, signer=None, onnx_inputs=torch.rand(4, 20))
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert any(name.startswith("onnx2:") for name in bundle.tensors)
    assert unsigned(path).get_inputs()
    assert "onnx:0.weight" in sm.load(path, trust=sm.UNSIGNED, into=dict)


def test_two_saves_in_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np, safemodel as sm\n"
        "from sklearn.neural_network import MLPClassifier\n"
        "x = np.random.default_rng(0).random((50, 4), dtype=np.float32)\n"
        "m = MLPClassifier((90, 9), max_iter=5, random_state=0).fit(x, x[:, 0] > 0.5)\n"
        "sm.save(m, sys.argv[1], signer=None, onnx_inputs=x)\n"
    )
    made = []
    for number in range(2):
        path = tmp_path / f"{number}.safemodel"
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "PYTHONWARNINGS": "ignore"}
        subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
        made.append(path.read_bytes())
    assert made[0] == made[1]


def test_forms_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.adapters.onnx import exporting

    monkeypatch.setattr(exporting, "_dense", lambda output: np.asarray(output) + 0.01)
    with pytest.raises(UnsavableError, match="differs from the model's own"):
        sm.save(_models()["ridge"], tmp_path / "m.safemodel", onnx_inputs=X)
    assert not (tmp_path / "m.safemodel").exists()


def test_what_has_no_second_form(tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge

    with pytest.raises(UsageError, match="onnx_inputs"):
        sm.save({"a": np.arange(3)}, tmp_path / "m.safemodel", onnx_inputs=X)
    with pytest.raises(UnsavableError, match="skl2onnx can't convert it"):
        sm.save(Ridge(), tmp_path / "m.safemodel", onnx_inputs=X)


@pytest.mark.parametrize("record", ["onnx:", {"prefix": ""}, {"prefix": "0."}, {}, ["onnx:"]])
def test_a_record_that_hides_other_tensors(
    record: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safemodel.adapters.onnx import both

    add = both.add

    def forged(*arguments: Any) -> Any:
        saved = add(*arguments)
        return replace(saved, extra={both.KEY: record})

    monkeypatch.setattr(both, "add", forged)
    path = tmp_path / "m.safemodel"
    sm.save(_models()["network"], path, signer=None, onnx_inputs=X)
    for use in (sm.load, sm.onnx_session):
        with pytest.raises(ArchitectureError, match="prefix"):
            use(path, trust=sm.UNSIGNED)


def test_tensors_with_the_prefix_that_the_graph_does_not_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safemodel.adapters.onnx import both
    from safemodel.bundle.contents import TensorData
    from safemodel.format.weights import TensorSpec

    add = both.add

    def forged(*arguments: Any) -> Any:
        saved = add(*arguments)
        extra = TensorData(TensorSpec("onnx:~", "U8", (3,)), lambda: (b"abc",))
        return replace(saved, tensors=(*saved.tensors, extra))

    monkeypatch.setattr(both, "add", forged)
    path = tmp_path / "m.safemodel"
    sm.save(_models()["ridge"], path, signer=None, onnx_inputs=X)
    with pytest.raises(ArchitectureError, match="onnx:~"):
        unsigned(path)
