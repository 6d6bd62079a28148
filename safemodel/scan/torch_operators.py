"""Which operators a model's graph may call: TorchScript, mobile bytecode and exported programs.

`tables.torch` is the closed table of harmless ones; what is dangerous is explained here;
everything else is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.scan import tables
from safemodel.scan.evidence import bounded

if TYPE_CHECKING:
    from safemodel.scan.scope import Scope

_FILES: Final = "reads or writes a file of the model's choice"
_CONNECTS: Final = "talks to other processes"
_PYTHON: Final = "runs Python code"

# what an operator does; with no name, every one of the namespace
_DANGERS: Final[dict[tuple[str, str], str]] = {
    ("aten", "save"): _FILES,
    ("aten", "from_file"): _FILES,
    ("prim", "PythonOp"): _PYTHON,
    ("prim", "IgnoredPythonOp"): _PYTHON,
    ("prim", "rpc_async"): _CONNECTS,
    ("prim", "rpc_remote"): _CONNECTS,
    ("prim", "rpc_sync"): _CONNECTS,
    ("image", "read_file"): _FILES,
    ("image", "write_file"): _FILES,
    ("video_reader", ""): _FILES,
    ("torchaudio", "sox_io_load_audio_file"): _FILES,
    ("torchaudio", "sox_io_save_audio_file"): _FILES,
    ("torchaudio", "sox_effects_apply_effects_file"): _FILES,
    ("torchaudio", "sox_io_get_info"): _FILES,
    ("c10d", ""): _CONNECTS,
    ("_c10d_functional", ""): _CONNECTS,
    ("symm_mem", ""): _CONNECTS,
    ("distributed_rpc", ""): _CONNECTS,
}
# C++ classes that TorchScript archives of PyTorch itself have (torch.classes.NAMESPACE.NAME)
_CLASS_NAMESPACES: Final = frozenset(
    {"_nnapi", "metal", "mkldnn", "onednn", "quantized", "rnn", "sparse", "vulkan", "xnnpack"}
)


def danger(namespace: str, name: str) -> str:
    """What a dangerous operator does; empty for all others."""
    return _DANGERS.get((namespace, name)) or _DANGERS.get((namespace, ""), "")


def is_known(namespace: str, name: str) -> bool:
    """Whether an operator is in the table of harmless ones."""
    return name in tables.torch(namespace)


def is_known_class(name: str) -> bool:
    """Whether a C++ class, as NAMESPACE.NAME, is one of PyTorch's own."""
    return name.partition(".")[0] in _CLASS_NAMESPACES


def judge_operator(namespace: str, name: str, offset: int | None, scope: Scope) -> None:
    """Report an operator that is dangerous or unknown."""
    full = bounded(f"{namespace}::{name}")
    evidence = (("operator", f"{namespace}::{name}"),)
    what = danger(namespace, name)
    if what:
        scope.find("SM158", f"calls {full}, which {what}", offset=offset, evidence=evidence)
    elif not name or not namespace:
        message = (
            f"takes the namespace {bounded(namespace or 'torch')} as a value, to hide what it calls"
        )
        scope.find("SM158", message, offset=offset, evidence=evidence)
    elif not is_known(namespace, name):
        scope.find("SM159", f"calls the operator {full}", offset=offset, evidence=evidence)
