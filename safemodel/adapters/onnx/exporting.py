"""Estimators and PyTorch modules to ONNX, with the converters of others, and both compared.

skl2onnx and `torch.onnx` do the work; this module calls them, takes what would differ between
machines out of the result, and compares its outputs with those of the model itself. Implements
spec/onnx.md, "Two forms".
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from safemodel.adapters.onnx.examples import Example, examples
from safemodel.adapters.onnx.files import OnnxFile
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import MissingLibraryError, UnsavableError, UsageError

# ONNX computes in other orders, and converters go from 64 to 32 bits.
RELATIVE: Final = 1e-3
ABSOLUTE: Final = 1e-4
_METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
_HINT: Final = "pip install 'safemodel[onnx-export]'"


@dataclass(frozen=True, slots=True)
class Call:
    """What to feed a model with, and what the original then gives."""

    feeds: Mapping[str, Any]
    outputs: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """A model in a file, and calls of it to compare.

    Outputs are in the order of the model's, or (with `names`) by the method that gave them.
    """

    file: OnnxFile
    calls: Sequence[Call]
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
    with _converting("skl2onnx can't convert it"):
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
    return Exported(OnnxFile(path), [Call(feeds, outputs)], methods)


def _dense(output: Any) -> Any:
    return np.asarray(output.toarray() if hasattr(output, "toarray") else output)


def _export_module(obj: Any, inputs: Any, path: str) -> Exported:
    import torch

    if importlib.util.find_spec("onnx") is None:
        raise MissingLibraryError("onnx is not installed", hint=_HINT)
    if not isinstance(obj, torch.nn.Module):
        raise UsageError(
            f"onnx_inputs= is for modules, not for {type(obj).__name__}", hint="save the module"
        )
    given = examples(inputs, torch.Tensor)
    training = [part for part in obj.modules() if part.training]
    obj.eval()
    try:
        with torch.no_grad():
            calls = [
                Call(
                    example.feeds(),
                    [_as_array(item) for item in _flat(_run(obj, example), torch.Tensor)],
                )
                for example in given
            ]
        results = [f"output_{number}" for number in range(len(calls[0].outputs))]
        _check_outputs(calls)
        axes = _axes(list(given[0].tensors), [list(call.feeds.values()) for call in calls])
        axes |= _axes(results, [call.outputs for call in calls])
        with _converting("torch.onnx can't convert it"):
            torch.onnx.export(
                _positional(obj, given[0]), tuple(given[0].tensors.values()), path,
                dynamo=False, verbose=False, input_names=list(given[0].tensors),
                output_names=results, dynamic_axes=axes,
            )  # fmt: skip
    finally:
        for part in training:
            part.training = True
    return Exported(OnnxFile(path), calls)


def _positional(obj: Any, example: Example) -> Any:
    """The module itself, or around it one that takes its tensors by position.

    So much the exporter can do: it takes no arguments by name, and no constants among them.
    """
    import torch

    if not example.kwargs:
        return obj
    count, names = len(example.args), list(example.tensors)[len(example.args) :]

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = obj

        def forward(self, *tensors: Any) -> Any:
            given = {**example.kwargs, **dict(zip(names, tensors[count:], strict=True))}
            return tuple(_flat(self.module(*tensors[:count], **given), torch.Tensor))

    return Positional().eval()


def _run(obj: Any, example: Example) -> Any:
    with _converting("the module can't be called so"):
        return obj(*example.args, **example.kwargs)


def _as_array(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy()


def _check_outputs(calls: Sequence[Call]) -> None:
    kinds = [[(item.ndim, item.dtype) for item in call.outputs] for call in calls]
    if any(kind != kinds[0] for kind in kinds):
        raise UnsavableError("a module that gives other kinds of outputs for other onnx_inputs=")


def _axes(names: Sequence[str], examples: Sequence[Sequence[Any]]) -> dict[str, dict[int, str]]:
    """The axes that may have any length: the first, and those that differ between examples."""
    axes: dict[str, dict[int, str]] = {}
    for name, *items in zip(names, *examples, strict=True):
        lengths = zip(*(item.shape for item in items), strict=True)
        found = {
            axis: "batch" if axis == 0 else f"{name}_{axis}"
            for axis, seen in enumerate(lengths)
            if axis == 0 or len(set(seen)) > 1
        }
        if found:
            axes[name] = found
    return axes


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
    """Say of what a converter raises what it can't, and keep its warnings to itself."""

    def __init__(self, problem: str) -> None:
        import warnings

        self.problem = problem
        self.warnings = warnings.catch_warnings(action="ignore")

    def __enter__(self) -> None:
        self.warnings.__enter__()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.warnings.__exit__(None, None, None)
        if isinstance(error, Exception):
            raise UnsavableError(
                f"{self.problem}: {type(error).__name__}: {error!s:.300}",
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
    with _converting("ONNX Runtime can't run it"):
        session = onnxruntime.InferenceSession(
            os.fspath(exported.file.path), providers=["CPUExecutionProvider"]
        )
    names = [output.name for output in session.get_outputs()]
    for call in exported.calls:
        with _converting("ONNX Runtime can't run it"):
            found = session.run(None, _typed(call.feeds, session.get_inputs()))
        _compare(names, found, call.outputs, in_order=not exported.names)
    return names


def _compare(names: Sequence[str], found: Any, wanted: Sequence[Any], *, in_order: bool) -> None:
    if in_order and len(found) != len(wanted):
        raise UnsavableError(f"{len(found)} outputs of the ONNX form for {len(wanted)}")
    for number, (name, output) in enumerate(zip(names, found, strict=True)):
        candidates = wanted[number : number + 1] if in_order else wanted
        if not any(_close(output, expected) for expected in candidates):
            raise UnsavableError(
                f"the output {name} of the ONNX form differs from the model's own by more than "
                f"{RELATIVE} relatively and {ABSOLUTE} absolutely{_largest(output, candidates)}",
                hint="give inputs like those it was trained with, in 32 bits as ONNX computes; or "
                "save it without onnx_inputs=",
            )


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
