"""The classes of Keras whose configuration does more than describe a computation.

Lambda, TorchModuleWrapper, TFSMLayer, the layers that stand for calls of TensorFlow, and those that
open files. For all others an address among the arguments is a finding too.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from safemodel.legacy.content import View
from safemodel.report.model import Severity
from safemodel.scan import tables
from safemodel.scan.evidence import bounded

if TYPE_CHECKING:
    from safemodel.legacy.json_text import JsonValue
    from safemodel.legacy.keras_config import KerasObject
    from safemodel.scan.keras_rules import Judge

# Arguments that some layer, tokenizer or preprocessor opens if they are text.
_PATHS: Final = frozenset(
    {
        "ckpt_to_load_from",
        "directory",
        "file_path",
        "filename",
        "filepath",
        "handle",
        "merges",
        "preset",
        "proto",
        "vocab_file",
        "vocabulary",
        "vocabulary_file",
    }
)
_SCHEMES: Final = frozenset(
    ["file", "ftp", "gs", "hdfs", "hf", "http", "https", "kaggle", "modelscope", "ram", "s3"]
)
_INLINE_PROTO: Final = 2048  # keras_hub takes a longer text for the model itself, in Base64
# Tensor-like classes whose methods tf.keras 2 stores by name.
_TENSORS: Final = frozenset(
    {
        "RaggedTensor",
        "SparseTensor",
        "Tensor",
        "sparse.SparseTensor",
        "SparseSlice",
        "IndexedSlices",
    }
)


def judge(found: KerasObject, judge: Judge, *, known: bool = True) -> None:
    """Report what is special about an object of Keras, or of nobody known."""
    config = found.config
    special = _SPECIAL.get(found.name.rpartition(">")[2])
    if not isinstance(config, dict):
        if special is not None and config is not None and not isinstance(config, list):
            judge.report("SM209", f"a {found.name} whose config is no object", found)
        return
    if special is not None:
        special(config, found, judge)
    _paths(config, found, judge, known=known)


def _lambda(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    """Every version's spelling of a Python function (keras.layers.Lambda)."""
    function = config.get("function")
    types = [config.get(f"{name}_type") for name in ("function", "output_shape", "mask")]
    code = [value for value in (function, config.get("mask")) if _is_code(value)]
    if "lambda" in types or code or _is_code(config.get("output_shape")):
        judge.report("SM201", "a Lambda layer with Python bytecode", found)
    elif isinstance(function, str):
        module = config.get("module")
        name = f"{module}.{function}" if isinstance(module, str) else function
        dangerous = module not in (None, "__main__")
        judge.report(
            "SM202" if dangerous else "SM204",
            f"a Lambda layer that calls the function {name}",
            found,
        )


def _is_code(value: JsonValue) -> bool:
    """Whether it is [code, defaults, closure], as keras.src.utils.python_utils.func_dump gives."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        value = value.get("items")
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _torch_module(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    module = config.get("module")
    if not isinstance(module, str):
        return
    judge.report("SM205", "a PyTorch module that torch.load unpickles", found)
    try:
        data = base64.b64decode(module)
    except (binascii.Error, ValueError):
        return
    judge.scope.scan(f"{found.path}.config.module", View(data))


def _saved_model(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    where = config.get("filepath", config.get("handle"))
    judge.report("SM206", f"loads the SavedModel {bounded(str(where))!r}", found)


def _tensorflow_call(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    """TFOpLambda and SlicingOpLambda: a public function of TensorFlow, by name."""
    name = config.get("function")
    plain = name.removeprefix("compat.v1.") if isinstance(name, str) else ""
    if plain not in tables.tensorflow("function"):
        judge.report("SM208", f"a layer that calls tf.{bounded(str(name))}", found)


def _tensorflow_operation(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    """TensorFlowOpLayer: an operation, as the text of a NodeDef."""
    node = config.get("node_def")
    operation = ""
    if isinstance(node, str):
        for line in node.splitlines():
            key, _, value = line.strip().partition(":")
            if key == "op":
                operation = value.strip().strip("\"'")
    if operation not in tables.tensorflow("harmless"):
        judge.report("SM208", f"a layer that runs the operation {bounded(operation)!r}", found)


def _class_method(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    owner, method = config.get("cls_ref"), config.get("method_name")
    if not isinstance(owner, str) or owner not in _TENSORS:
        judge.report(
            "SM208",
            f"a layer that calls {bounded(str(owner), 100)}.{bounded(str(method), 100)}",
            found,
        )


def _instance(config: dict[str, JsonValue], found: KerasObject, judge: Judge) -> None:
    """InstanceMethod and InstanceProperty: of a tensor, so only what is no part of Python."""
    name = config.get("method_name", config.get("attr_name"))
    if not isinstance(name, str) or any(part.startswith("_") for part in name.split(".")):
        judge.report("SM208", f"a layer that uses the attribute {bounded(str(name))}", found)


_SPECIAL: Final = {
    "ClassMethod": _class_method,
    "InstanceMethod": _instance,
    "InstanceProperty": _instance,
    "KerasLayer": _saved_model,  # of tensorflow_hub
    "Lambda": _lambda,
    "SlicingOpLambda": _tensorflow_call,
    "TFOpLambda": _tensorflow_call,
    "TFSMLayer": _saved_model,
    "TensorFlowOpLayer": _tensorflow_operation,
    "TorchModuleWrapper": _torch_module,
}


def _paths(config: dict[str, JsonValue], found: KerasObject, judge: Judge, *, known: bool) -> None:
    for key, value in config.items():
        if not isinstance(value, str) or not value or key == "name":
            continue
        if key in _PATHS and not (key == "proto" and len(value) > _INLINE_PROTO):
            severity = Severity.HIGH if known else Severity.MEDIUM
        elif _leads_elsewhere(value):
            severity = Severity.MEDIUM
        else:
            continue
        if found.name == "TFSMLayer" and key == "filepath":
            continue
        where = f"the argument {key} of {bounded(found.name, 100)}"
        message = f"{where} is a path or address: {bounded(value)!r}"
        judge.report("SM207", message, found, severity)


def _leads_elsewhere(value: str) -> bool:
    """Whether a text is an address or an absolute path, whatever the argument is called."""
    scheme, found, _ = value.partition("://")
    if found and scheme.lower() in _SCHEMES:
        return True
    return len(value) > 2 and (value.startswith(("/", "~/", "\\\\")) or value[1:3] == ":\\")
