"""Estimators and PyTorch modules to ONNX, with the converters of others, and both compared.

skl2onnx and `torch.onnx` do the work; this module calls them, takes what would differ between
machines out of the result, and compares its outputs with those of the model itself. Implements
spec/onnx.md, "Two forms".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.onnx.files import OnnxFile
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import MissingLibraryError, UnsavableError, UsageError

# ONNX computes in other orders, and converters go from 64 to 32 bits.
RELATIVE: Final = 1e-3
ABSOLUTE: Final = 1e-4
_METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
_HINT: Final = "pip install 'safemodel[onnx-export]'"


@dataclass(frozen=True, slots=True)
class Exported:
    """A model in a file, what to feed it with, and outputs of the original.

    `outputs` are in the order of the model's, or (with `names`) by the method that gave them.
    """

    file: OnnxFile
    feeds: Mapping[str, Any]
    outputs: Sequence[Any]
    names: Sequence[str] = ()


def export(obj: object, inputs: object, folder: str) -> Exported:
    """Convert a fitted estimator or a module, into a file in `folder`.

    Raises:
        UnsavableError: the converter can't.
        UsageError: nothing that has a converter, or inputs that it does not take.
        MissingLibraryError: the converter is not installed.
    """
    roots = [base.__module__.partition(".")[0] for base in type(obj).__mro__]
    path = os.path.join(folder, "model.onnx")
    if "torch" in roots:
        return _export_module(obj, inputs, path)
    if "sklearn" in roots:
        return _export_estimator(obj, inputs, path)
    raise UsageError(
        f"onnx_inputs= is for scikit-learn estimators and PyTorch modules, not for {type(obj)}",
        hint="convert it yourself and save the onnx.ModelProto",
    )


def _export_estimator(obj: Any, inputs: Any, path: str) -> Exported:
    try:
        import skl2onnx
        from sklearn.base import is_classifier
    except ModuleNotFoundError as error:
        raise MissingLibraryError(f"{error.name} is not installed", hint=_HINT) from error
    options = {"zipmap": False} if is_classifier(obj) else None
    # Some of its converters know no later one: IsolationForest asks for it.
    opsets = {"": skl2onnx.__max_supported_opset__, "ai.onnx.ml": 3}
    with _converting("skl2onnx"):
        model = skl2onnx.to_onnx(
            obj, inputs[:1], options=options, name=type(obj).__name__, target_opset=opsets
        )
        with open(path, "wb") as file:
            file.write(model.SerializeToString())
    columns = getattr(inputs, "columns", None)
    if columns is None:
        feeds = {model.graph.input[0].name: np.asarray(inputs)}
    else:
        feeds = {str(name): inputs[name].to_numpy().reshape(-1, 1) for name in columns}
    methods = [name for name in _METHODS if hasattr(obj, name)]
    outputs = [_dense(getattr(obj, name)(inputs)) for name in methods]
    return Exported(OnnxFile(path), feeds, outputs, methods)


def _dense(output: Any) -> Any:
    return np.asarray(output.toarray() if hasattr(output, "toarray") else output)


def _export_module(obj: Any, inputs: Any, path: str) -> Exported:
    import torch

    if not isinstance(obj, torch.nn.Module):
        raise UsageError(
            f"onnx_inputs= is for modules, not for {type(obj).__name__}", hint="save the module"
        )
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    if not args or not all(isinstance(item, torch.Tensor) for item in args):
        raise UsageError("onnx_inputs= for a module is a tensor, or a tuple of tensors")
    names = [f"input_{number}" for number in range(len(args))]
    training = [part for part in obj.modules() if part.training]
    obj.eval()
    try:
        with torch.no_grad():
            outputs = [item.cpu().numpy() for item in _flat(obj(*args), torch.Tensor)]
        results = [f"output_{number}" for number in range(len(outputs))]
        batch = {name: {0: "batch"} for name, item in zip(names, args, strict=True) if item.ndim}
        batch |= {
            name: {0: "batch"} for name, item in zip(results, outputs, strict=True) if item.ndim
        }
        with _converting("torch.onnx"):
            torch.onnx.export(
                obj, args, path, dynamo=False, verbose=False, input_names=names,
                output_names=results, dynamic_axes=batch,
            )  # fmt: skip
    finally:
        for part in training:
            part.training = True
    feeds = {name: item.detach().cpu().numpy() for name, item in zip(names, args, strict=True)}
    return Exported(OnnxFile(path), feeds, outputs)


def _flat(output: Any, kind: type) -> Iterator[Any]:
    if isinstance(output, kind):
        yield output
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _flat(item, kind)
    elif isinstance(output, dict):
        for item in output.values():
            yield from _flat(item, kind)
    elif output is not None:
        raise UnsavableError(f"a module whose output holds a {type(output).__name__}")


class _converting:  # noqa: N801 - reads as a function
    """Say of what a converter raises that it can't, and keep its warnings to itself."""

    def __init__(self, converter: str) -> None:
        import warnings

        self.converter = converter
        self.warnings = warnings.catch_warnings(action="ignore")

    def __enter__(self) -> None:
        self.warnings.__enter__()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.warnings.__exit__(None, None, None)
        if isinstance(error, Exception):
            raise UnsavableError(
                f"{self.converter} can't convert it: {type(error).__name__}: {error!s:.300}",
                hint="save it without onnx_inputs=",
            ) from error


def compare(exported: Exported) -> list[str]:
    """Run the converted model, and return the names of its outputs, all of which are as they must.

    Raises:
        UnsavableError: ONNX Runtime refuses it, or it gives something else than the model.
        MissingLibraryError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            "onnxruntime is not installed, and both forms have to be compared",
            hint="pip install 'safemodel[onnx]'",
        ) from error
    with _converting("onnxruntime"):
        session = onnxruntime.InferenceSession(
            os.fspath(exported.file.path), providers=["CPUExecutionProvider"]
        )
        feeds = _typed(exported.feeds, session.get_inputs())
        found = session.run(None, feeds)
    names = [output.name for output in session.get_outputs()]
    for number, (name, output) in enumerate(zip(names, found, strict=True)):
        candidates = exported.outputs if exported.names else exported.outputs[number : number + 1]
        if not any(_close(output, expected) for expected in candidates):
            raise UnsavableError(
                f"the output {name} of the ONNX form differs from the model's own by more than "
                f"{RELATIVE} relatively and {ABSOLUTE} absolutely{_largest(output, candidates)}",
                hint="give inputs like those it was trained with, in 32 bits as ONNX computes; or "
                "save it without onnx_inputs=",
            )
    return names


def _typed(feeds: Mapping[str, Any], inputs: Any) -> dict[str, Any]:
    """Inputs in the types that the model declares: text is an array of objects for ONNX Runtime."""
    wanted = {item.name: item.type for item in inputs}
    return {
        name: np.asarray(feed, object) if "string" in wanted.get(name, "") else np.asarray(feed)
        for name, feed in feeds.items()
        if name in wanted
    }


def _close(output: Any, expected: Any) -> bool:
    found, wanted = np.squeeze(np.asarray(output)), np.squeeze(np.asarray(expected))
    if found.shape != wanted.shape:
        return False
    if found.dtype.kind not in "fiub" or wanted.dtype.kind not in "fiub":
        return bool((found.astype(str) == wanted.astype(str)).all())
    return bool(np.allclose(found, wanted, RELATIVE, ABSOLUTE, equal_nan=True))


def _largest(output: Any, candidates: Sequence[Any]) -> str:
    found = np.squeeze(np.asarray(output))
    gaps = [
        float(np.max(np.abs(found - np.squeeze(wanted))))
        for wanted in map(np.asarray, candidates)
        if np.squeeze(wanted).shape == found.shape
        and found.size
        and found.dtype.kind in "fiub"
        and wanted.dtype.kind in "fiub"
    ]
    return f": by {min(gaps):.6g}" if gaps else ""


def strip(message: Message) -> None:
    """Take out what says where and how a model was made: remarks hold paths of source files."""
    message.values.pop("doc_string", None)
    if message.kind != "Model":
        message.values.pop("metadata_props", None)
    for value in message.values.values():
        for item in value if type(value) is list else (value,):
            if type(item) is Message:
                strip(item)
