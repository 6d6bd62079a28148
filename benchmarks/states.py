"""State dicts: save, load, one tensor, mapped, signing, verifying, and cold starts."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.groups import PLAIN, Group, Operation, own_signer, plain_write, synced, trusted
from benchmarks.measure import in_page_cache

TENSOR_BYTES = 10_000_000
ONE = "layers.7.weight"

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
)


def prepare(folder: Path) -> None:
    """Make the files, signed by a key of their own."""
    if (folder / "unpacked").exists():
        return
    import safetensors.torch
    import torch

    import safemodel as sm

    state = state_dict(folder)
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


def state_dict(folder: Path) -> dict[str, Any]:
    """Tensors of 10 MB, as many as the size has."""
    import torch

    size = int((folder / "sizes").read_text().split()[0])
    torch.manual_seed(0)
    count = max(8, size // TENSOR_BYTES)
    return {f"layers.{i}.weight": torch.rand(TENSOR_BYTES // 4000, 1000) for i in range(count)}


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
    sm.save({"weights": list(range(100))}, path, signer=own_signer(folder))
    return _process("-m", "safemodel", "verify", str(path), "--trust", str(folder / "key.pub"))


# Saving


def write_plain(folder: Path) -> Operation:
    arrays = [tensor.numpy() for tensor in state_dict(folder).values()]
    return plain_write(arrays, folder / "out.bin")


def save_safemodel(folder: Path, **options: Any) -> Operation:
    import safemodel as sm

    state, signer = state_dict(folder), own_signer(folder)
    sm.save({"warm": next(iter(state.values()))[:1].clone()}, folder / "warm.safemodel")
    return lambda: sm.save(state, folder / "out.safemodel", signer=signer, **options)


def save_safemodel_oms(folder: Path) -> Operation:
    return save_safemodel(folder, oms=True)


def save_safetensors(folder: Path) -> Operation:
    import safetensors.torch

    state = state_dict(folder)

    def operation() -> None:
        safetensors.torch.save_file(state, folder / "out.safetensors")
        synced(folder / "out.safetensors")

    return operation


def save_torch(folder: Path) -> Operation:
    import torch

    state = state_dict(folder)

    def operation() -> None:
        torch.save(state, folder / "out.pt")
        synced(folder / "out.pt")

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

    trust = trusted(folder)
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

    trust = trusted(folder)
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

    signer = own_signer(folder)
    path = in_page_cache(folder / "unpacked")
    return lambda: sm.sign(path, signer, **options)


def sign_safemodel_oms(folder: Path) -> Operation:
    import safemodel as sm

    signer = own_signer(folder)
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

    trust = trusted(folder)
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
