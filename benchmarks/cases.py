"""The operations that are measured, ours and others', in groups that are compared.

A case is a function that imports and prepares, and returns the operation to measure. All of them
work on the same files, which `prepare` makes once. Writers end with fsync, whoever they are.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import onnx_models
from benchmarks.measure import in_page_cache, measured
from benchmarks.onnx_models import *  # noqa: F403 - its cases are found here by their names

Operation = Callable[[], object]

TENSOR_BYTES = 10_000_000
ONE = "layers.7.weight"
PLAIN = "m.safetensors"  # the plain file that is read and hashed without looking inside


@dataclass(frozen=True)
class Group:
    """Cases that are compared with the first of them."""

    name: str
    title: str
    cases: tuple[str, ...]


GROUPS = (
    Group(
        "start",
        "Cold starts, whole processes, small archive",
        ("start_python", "start_import_safemodel", "start_verify_safemodel"),
    ),
    Group(
        "save",
        "Save a state dict",
        ("write_plain", "save_safemodel", "save_safemodel_oms", "save_safetensors", "save_torch"),
    ),
    Group(
        "load",
        "Load a state dict, whole, into private memory",
        (
            "read_plain",
            "load_safemodel_torch",
            "load_safemodel_numpy",
            "load_torch",
            "load_safetensors_numpy",
            "load_safetensors_torch_private",
        ),
    ),
    Group(
        "one",
        "Open and read one tensor of 10 MB",
        ("one_safemodel", "one_safetensors", "one_torch_mmap"),
    ),
    Group(
        "mapped",
        "Open mapped; ours verifies every tensor on access",
        ("mapped_safemodel", "mapped_torch", "mapped_safetensors"),
    ),
    Group(
        "sign",
        "Sign",
        ("sha256_plain", "sign_safemodel", "sign_safemodel_oms", "sign_model_signing"),
    ),
    Group(
        "verify",
        "Verify every byte",
        ("sha256_plain", "verify_safemodel", "verify_safemodel_oms", "verify_model_signing"),
    ),
    Group(
        "small",
        "A pipeline for Iris, after imports",
        ("dump_small_joblib", "save_small_safemodel"),
    ),
    Group(
        "load_small",
        "Load a pipeline for Iris, after imports",
        ("load_small_joblib", "load_small_safemodel"),
    ),
    Group("save_forest", "Save a forest", ("save_forest_joblib", "save_forest_safemodel")),
    Group(
        "load_forest",
        "Load a forest",
        ("load_forest_joblib", "load_forest_safemodel", "load_forest_skops"),
    ),
    Group("onnx", "Open an ONNX model of 500 MB with ONNX Runtime", onnx_models.CASES),
    Group(
        "convert",
        "Convert a forest from joblib",
        ("load_forest_joblib", "convert_forest_safemodel"),
    ),
)


def prepare(folder: Path, size: int, forest: int) -> None:
    """Make the files that the cases read, unless they are there from an earlier run of this size.

    Raises:
        SystemExit: the folder has files of other sizes.
    """
    sizes = folder / "sizes"
    if sizes.exists() and sizes.read_text() != f"{size} {forest}":
        raise SystemExit(f"{folder} has files of other sizes; name another folder or remove it")
    sizes.write_text(f"{size} {forest}")
    if not (folder / "unpacked").exists():
        _prepare_state(folder, size)
    if not (folder / "forest.joblib").exists():
        _prepare_forest(folder, forest)


def _prepare_state(folder: Path, size: int) -> None:
    import safetensors.torch
    import torch

    import safemodel as sm

    state = _state(folder)
    safetensors.torch.save_file(state, folder / "m.safetensors")
    torch.save(state, folder / "m.pt")
    signer = sm.Signer.generate()
    signer.save(folder / "key.pem")
    signer.public_key.save(folder / "key.pub")
    sm.save(state, folder / "torch.safemodel", signer=signer)
    sm.unpack(folder / "torch.safemodel", folder / "unpacked")
    sm.sign(folder / "unpacked", signer, oms=True)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    sm.save(arrays, folder / "numpy.safemodel", signer=signer)


def _prepare_forest(folder: Path, size: int) -> None:
    import joblib
    import numpy as np
    import skops.io
    from sklearn.ensemble import ExtraTreesRegressor

    import safemodel as sm

    rng = np.random.default_rng(0)
    samples = 35_000
    x, y = rng.random((samples, 10), dtype=np.float32), rng.random(samples)
    trees = max(2, round(size / (2 * samples * 72)))  # a node and its value are 72 bytes
    model = ExtraTreesRegressor(trees, max_features=1, n_jobs=-1, random_state=0).fit(x, y)
    sm.save(model, folder / "forest.safemodel", signer=sm.Signer.load(folder / "key.pem"))
    skops.io.dump(model, folder / "forest.skops")
    joblib.dump(model, folder / "forest.joblib")


def _state(folder: Path) -> dict[str, Any]:
    import torch

    size = int((folder / "sizes").read_text().split()[0])
    torch.manual_seed(0)
    count = max(8, size // TENSOR_BYTES)
    return {f"layers.{i}.weight": torch.rand(TENSOR_BYTES // 4000, 1000) for i in range(count)}


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _trust(folder: Path) -> Any:
    import safemodel as sm

    return sm.TrustedKeys(folder / "key.pub")


# Starting


def _process(*arguments: str) -> Operation:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)  # writes bytecode
    return lambda: subprocess.run(command, check=True, capture_output=True, env=environment)


def start_python(folder: Path) -> Operation:
    return _process("-c", "pass")


def start_import_safemodel(folder: Path) -> Operation:
    return _process("-c", "import safemodel")


def start_verify_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    path = folder / "small.safemodel"
    sm.save({"weights": list(range(100))}, path, signer=sm.Signer.load(folder / "key.pem"))
    return _process("-m", "safemodel", "verify", str(path), "--trust", str(folder / "key.pub"))


# Saving


def write_plain(folder: Path) -> Operation:
    arrays = [tensor.numpy() for tensor in _state(folder).values()]

    def operation() -> None:
        path = folder / "out.bin"
        with open(path.with_suffix(".new"), "wb", buffering=0) as file:
            for array in arrays:
                file.write(array.data)
            os.fsync(file.fileno())
        path.with_suffix(".new").replace(path)

    return operation


def save_safemodel(folder: Path, **options: Any) -> Operation:
    import safemodel as sm

    state, signer = _state(folder), sm.Signer.load(folder / "key.pem")
    sm.save({"warm": next(iter(state.values()))[:1].clone()}, folder / "warm.safemodel")
    return lambda: sm.save(state, folder / "out.safemodel", signer=signer, **options)


def save_safemodel_oms(folder: Path) -> Operation:
    return save_safemodel(folder, oms=True)


def save_safetensors(folder: Path) -> Operation:
    import safetensors.torch

    state = _state(folder)

    def operation() -> None:
        safetensors.torch.save_file(state, folder / "out.safetensors")
        _synced(folder / "out.safetensors")

    return operation


def save_torch(folder: Path) -> Operation:
    import torch

    state = _state(folder)

    def operation() -> None:
        torch.save(state, folder / "out.pt")
        _synced(folder / "out.pt")

    return operation


# Loading


def read_plain(folder: Path) -> Operation:
    path = in_page_cache(folder / PLAIN)

    def operation() -> object:
        size = path.stat().st_size
        block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.madvise(mmap.MADV_HUGEPAGE)
        view = memoryview(block)
        with open(path, "rb", buffering=0) as file:
            done = 0
            while done < size:
                done += file.readinto(view[done : done + (1 << 30)])
        return block

    return operation


def load_safemodel_torch(folder: Path, name: str = "torch", **options: Any) -> Operation:
    import torch  # noqa: F401 - imports are not measured

    import safemodel as sm

    trust = _trust(folder)
    sm.save({"warm": [1]}, folder / "warm.safemodel")
    sm.load(folder / "warm.safemodel")
    path = in_page_cache(folder / f"{name}.safemodel")
    return lambda: sm.load(path, trust=trust, **options)


def load_safemodel_numpy(folder: Path) -> Operation:
    return load_safemodel_torch(folder, "numpy")


def load_torch(folder: Path) -> Operation:
    import torch

    path = in_page_cache(folder / "m.pt")
    return lambda: torch.load(path, weights_only=True)


def load_safetensors_numpy(folder: Path) -> Operation:
    from safetensors.numpy import load_file

    path = in_page_cache(folder / "m.safetensors")
    return lambda: load_file(path)


def load_safetensors_torch_private(folder: Path) -> Operation:
    from safetensors.torch import load_file

    path = in_page_cache(folder / "m.safetensors")
    return lambda: {k: v.clone() for k, v in load_file(path).items()}


def one_safemodel(folder: Path, **options: Any) -> Operation:
    import torch  # noqa: F401

    import safemodel as sm
    from safemodel.adapters import torch as adapter  # noqa: F401

    trust = _trust(folder)
    sm.open(folder / "numpy.safemodel", trust=trust).close()
    path = in_page_cache(folder / "torch.safemodel")

    def operation() -> object:
        with sm.open(path, trust=trust, **options) as bundle:
            return bundle.tensor(ONE).torch()

    return operation


def one_safetensors(folder: Path) -> Operation:
    import torch  # noqa: F401
    from safetensors import safe_open

    path = in_page_cache(folder / "m.safetensors")

    def operation() -> object:
        with safe_open(path, "pt") as file:
            return file.get_tensor(ONE).clone()

    return operation


def one_torch_mmap(folder: Path) -> Operation:
    import torch

    path = in_page_cache(folder / "m.pt")
    return lambda: torch.load(path, mmap=True, weights_only=True)[ONE].clone()


def mapped_safemodel(folder: Path) -> Operation:
    return load_safemodel_torch(folder, mapped=True)


def mapped_torch(folder: Path) -> Operation:
    import torch

    path = in_page_cache(folder / "m.pt")
    return lambda: torch.load(path, mmap=True, weights_only=True)


def mapped_safetensors(folder: Path) -> Operation:
    from safetensors.torch import load_file

    path = in_page_cache(folder / "m.safetensors")
    return lambda: load_file(path)


# Signing and verifying


def sha256_plain(folder: Path) -> Operation:
    import hashlib

    path = in_page_cache(folder / PLAIN)

    def operation() -> None:
        with open(path, "rb") as file:
            hashlib.file_digest(file, "sha256")

    return operation


def sign_safemodel(folder: Path, **options: Any) -> Operation:
    import safemodel as sm

    signer = sm.Signer.load(folder / "key.pem")
    path = in_page_cache(folder / "unpacked")
    return lambda: sm.sign(path, signer, **options)


def sign_safemodel_oms(folder: Path) -> Operation:
    import safemodel as sm

    signer = sm.Signer.load(folder / "key.pem")
    path = in_page_cache(folder / "unpacked")
    return lambda: sm.sign(path, signer, oms=True)


def _model_signing(*arguments: str) -> Operation:
    program = Path(sys.executable).with_name("model_signing")
    command = [str(program), *arguments]
    in_page_cache(Path(arguments[2]))
    return lambda: subprocess.run(command, check=True, capture_output=True)


def sign_model_signing(folder: Path) -> Operation:
    return _model_signing(
        "sign", "key", str(folder / "unpacked"),
        "--signature", str(folder / "model.sig"),
        "--private_key", str(folder / "key.pem"),
        "--ignore-paths", str(folder / "unpacked" / "signatures"),
    )  # fmt: skip


def verify_safemodel(folder: Path, name: str = "torch.safemodel") -> Operation:
    import safemodel as sm

    trust = _trust(folder)
    path = in_page_cache(folder / name)
    return lambda: sm.verify(path, trust=trust).close()


def verify_safemodel_oms(folder: Path) -> Operation:
    return verify_safemodel(folder, "unpacked")


def verify_model_signing(folder: Path) -> Operation:
    signature = next((folder / "unpacked" / "signatures").glob("*.oms.*"))
    return _model_signing(
        "verify", "key", str(folder / "unpacked"),
        "--signature", str(signature),
        "--public_key", str(folder / "key.pub"),
    )  # fmt: skip


# Forests


def save_forest_joblib(folder: Path) -> Operation:
    import joblib

    model = joblib.load(folder / "forest.joblib")

    def operation() -> None:
        joblib.dump(model, folder / "out.joblib")
        _synced(folder / "out.joblib")

    return operation


def save_forest_safemodel(folder: Path) -> Operation:
    import joblib

    import safemodel as sm

    model = joblib.load(folder / "forest.joblib")
    signer = sm.Signer.load(folder / "key.pem")
    sm.save({"warm": [1]}, folder / "warm.safemodel")
    return lambda: sm.save(model, folder / "out-forest.safemodel", signer=signer)


def load_forest_joblib(folder: Path) -> Operation:
    import joblib
    import sklearn.ensemble  # noqa: F401

    path = in_page_cache(folder / "forest.joblib")
    return lambda: joblib.load(path)


def load_forest_safemodel(folder: Path) -> Operation:
    import sklearn.ensemble  # noqa: F401

    import safemodel as sm

    trust = _trust(folder)
    sm.save({"warm": [1]}, folder / "warm.safemodel")
    sm.load(folder / "warm.safemodel")
    path = in_page_cache(folder / "forest.safemodel")
    return lambda: sm.load(path, trust=trust)


def load_forest_skops(folder: Path) -> Operation:
    import skops.io

    path = in_page_cache(folder / "forest.skops")
    trusted = skops.io.get_untrusted_types(file=path)
    return lambda: skops.io.load(path, trusted=trusted)


# Small models


def _pipeline(folder: Path) -> Any:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, classes = load_iris(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(features, classes)


def _twice(operation: Operation) -> Operation:
    operation()  # imports
    return operation


def dump_small_joblib(folder: Path) -> Operation:
    import joblib

    model = _pipeline(folder)
    return _twice(lambda: joblib.dump(model, folder / "small.joblib"))


def save_small_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    model, signer = _pipeline(folder), sm.Signer.load(folder / "key.pem")
    return _twice(lambda: sm.save(model, folder / "iris.safemodel", signer=signer))


def load_small_joblib(folder: Path) -> Operation:
    import joblib

    joblib.dump(_pipeline(folder), folder / "small.joblib")
    return _twice(lambda: joblib.load(folder / "small.joblib"))


def load_small_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    path, trust = folder / "iris.safemodel", _trust(folder)
    sm.save(_pipeline(folder), path, signer=sm.Signer.load(folder / "key.pem"))
    return _twice(lambda: sm.load(path, trust=trust))


# Converting


def convert_forest_safemodel(folder: Path) -> Operation:
    import safemodel as sm

    signer = sm.Signer.load(folder / "key.pem")
    source, target = folder / "forest.joblib", folder / "converted.safemodel"
    return lambda: sm.convert(source, target, signer=signer)


if __name__ == "__main__":
    case, where = sys.argv[1:]
    os.environ["SAFEMODEL_CONFIG"] = str(Path(where) / "config")
    print(measured(globals()[case](Path(where))))
