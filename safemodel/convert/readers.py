"""Which reader a file takes, by the formats that the scan found it to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from safemodel.adapters.protocol import Saved
from safemodel.convert.keras_files import read_hdf5, read_keras
from safemodel.convert.numpy_file import read_npy, read_npz
from safemodel.convert.pickles import Unpickled
from safemodel.convert.skops_file import read_skops
from safemodel.convert.sources import CODECS, inflated
from safemodel.convert.standins import StandIns
from safemodel.convert.torch_export_file import read_export
from safemodel.convert.torch_files import read_legacy, read_pickle, read_zip
from safemodel.convert.torch_script_file import read_script
from safemodel.errors import UnconvertibleError
from safemodel.scan.budget import Limits

_SKOPS: Final = frozenset({"json", "npy", "skops", "zip"})
_ARRAYS: Final = frozenset({"npy", "pickle"})
_PICKLES: Final = frozenset({"joblib", "pickle"})
_TORCH: Final = frozenset({"torch_export", "torch_legacy", "torch_script", "torch_zip"})
_NESTED: Final = frozenset({"torch", "torch_legacy"})  # storages in pickles
_WHAT: Final[Mapping[str, tuple[str, str | None]]] = {
    "gguf": ("a GGUF file, which runs no code when it is loaded", "sign it: `safemodel sign`"),
    "onnx": ("an ONNX model", "safemodel.save takes its path"),
    "saved_model": ("the graph of a SavedModel", "convert the folder that it is in"),
    "safemodel_archive": ("a safemodel archive already", None),
    "safetensors": (
        "a safetensors file, which runs no code when it is loaded",
        "sign it: `safemodel sign`",
    ),
}


@dataclass(frozen=True, slots=True)
class Converted:
    """What a file became.

    Attributes:
        root: containers, arrays, stand-ins.
        library: knows the stand-ins; None where there can be none.
        versions: of packages, by name, as far as the file tells.
        torch: whether the stand-ins are those of PyTorch.
        keras: what a file of Keras became, in the form of the adapter; `root` is None then.
    """

    root: Any
    library: StandIns | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    torch: bool = False
    keras: Saved | None = None


def read(
    data: memoryview, formats: Sequence[str], limits: Limits, allow: Sequence[str] = ()
) -> Converted:
    """Turn the bytes of a file into an object.

    Args:
        formats: those that the scan found, outermost first.
        allow: classes outside the tables whose objects are kept as their attributes.

    Raises:
        UnconvertibleError: it is of another format, or part of it has no interpretation.
        LegacyError: it is damaged.
    """
    first = formats[0] if formats else ""
    rest = set(formats[1:])
    if first in CODECS and rest <= _PICKLES and rest:
        return _unpickled(inflated(first, data, limits), allow)
    if first in _PICKLES and not rest - _PICKLES:
        return _unpickled(data, allow)
    if first in CODECS and rest & _PICKLES and not rest - _PICKLES - _NESTED:
        return Converted(read_pickle(inflated(first, data, limits)), torch=True)
    if first in _PICKLES and not rest - _PICKLES - _NESTED:
        return Converted(read_pickle(data), torch=True)
    if first == "npy" and not rest:
        return Converted(read_npy(data))
    if "skops" in formats and set(formats) <= _SKOPS:
        found = read_skops(data, limits, allow)
        return Converted(found.root, found.models.library, found.models.versions)
    if first == "zip" and rest <= _ARRAYS and "npy" in rest:
        return Converted(read_npz(data, limits))
    if first in CODECS and rest & _TORCH:
        return read(inflated(first, data, limits), formats[1:], limits, allow)
    if first == "torch_legacy":
        return Converted(read_legacy(data), torch=True)
    if "torch_export" in formats:
        return Converted(read_export(data, limits), torch=True)
    if first == "zip" and "torch_script" in rest:
        return Converted(read_script(data, limits), torch=True)
    if first == "zip" and "torch_zip" in rest:
        return Converted(read_zip(data, limits), torch=True)
    if "keras_zip" in formats:
        return Converted(None, keras=read_keras(data, limits, allow))
    if first == "hdf5":
        return Converted(None, keras=read_hdf5(data, limits, allow))
    for name in formats:
        if name in _WHAT:
            what, hint = _WHAT[name]
            raise UnconvertibleError(f"is {what}", hint=hint)
    raise UnconvertibleError(f"is of the formats {', '.join(formats)}, which are not converted")


def _unpickled(data: memoryview, allow: Sequence[str]) -> Converted:
    pickle = Unpickled(data, allow=allow)
    root = pickle.whole()
    return Converted(root, pickle.models.library, pickle.models.versions)
