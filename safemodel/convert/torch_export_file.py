"""Exported programs (`.pt2`): their weights, which are raw members that a JSON file describes.

The graph is not converted: its operators and expressions are for `torch.export.load`, which runs
what they say. The state can be put `into` the module that was exported.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from safemodel.adapters.tensors import ITEM_SIZES
from safemodel.convert.archives import Archive
from safemodel.convert.torch_files import check_order, read_zip
from safemodel.convert.torch_modules import Module
from safemodel.convert.torch_storages import Block, Blocks, Storage
from safemodel.convert.torch_tensors import Tensor, odd, strided
from safemodel.errors import DamagedError, UnconvertibleError
from safemodel.legacy import json_text
from safemodel.scan.budget import Limits

_CLASS: Final = "torch.export.ExportedProgram"
_MARK: Final = "archive_format"
_WEIGHTS: Final = "data/weights/"
_CONFIG: Final = "_weights_config.json"
_OLD: Final = "serialized_state_dict.pt"  # until PyTorch 2.6
_MAX_JSON: Final = 256 << 20
_STRIDED: Final = 7
# torch/_export/serde/schema.py, ScalarType
_DTYPES: Final = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}


def read_export(data: memoryview, limits: Limits) -> Any:
    """The state of the program in an archive of `torch.export.save`, as that of a module.

    Raises:
        UnconvertibleError: part of it has no interpretation.
        LegacyError: it is damaged.
    """
    archive = Archive(data, limits)
    if _OLD in archive.members:
        return _module(_entries(read_zip(archive.content(_OLD), limits)))
    root = next(iter(archive.members), "").partition("/")[0]
    if f"{root}/{_MARK}" not in archive.members:
        raise UnconvertibleError("is an exported program of an unknown release")
    check_order(archive, root)
    folder = f"{root}/{_WEIGHTS}"
    configs = [name for name in archive.members if _is_config(name, folder)]
    older = [name for name in archive.members if name.startswith(folder) and name.endswith(".pt")]
    if len(older) == 1 and not configs:
        return _module(_entries(read_zip(archive.content(older[0]), limits)))
    if len(configs) != 1:
        raise UnconvertibleError(
            f"is an exported program with {len(configs)} models",
            hint="load it where you trust it, and save the state_dict of each",
        )
    return _module(_weights(archive, folder, configs[0]))


def _is_config(name: str, folder: str) -> bool:
    return name.startswith(folder) and name.endswith(_CONFIG)


def _module(entries: dict[str, Tensor]) -> Module:
    return Module(_CLASS, state=OrderedDict((key, one.bare()) for key, one in entries.items()))


def _entries(state: Any) -> dict[str, Tensor]:
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise odd("an exported program")
    if any(type(name) is not str for name in state):
        raise odd("an exported program")
    return dict(state)


def _weights(archive: Archive, folder: str, name: str) -> dict[str, Tensor]:
    tree = json_text.parse(bytes(archive.content(name)), max_size=_MAX_JSON)
    config = tree.value.get("config") if isinstance(tree.value, dict) else None
    if tree.duplicates or not isinstance(config, dict):
        raise DamagedError("no description of weights", place=name)
    blocks = Blocks()
    known: dict[str, Block] = {}
    found: dict[str, Tensor] = {}
    for key, entry in config.items():
        path = entry.get("path_name") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(path, str):
            raise odd("an exported program")
        if entry.get("use_pickle") is not False:
            raise UnconvertibleError("a weight that is not stored as its bytes", place=key)
        if path not in known:
            known[path] = blocks.add(archive.content(folder + path))
        found[key] = _tensor(known[path], entry.get("tensor_meta"))
    return found


def _tensor(block: Block, meta: Any) -> Tensor:
    if not isinstance(meta, dict) or meta.get("layout") != _STRIDED:
        raise odd("an exported program")
    code = meta.get("dtype")
    dtype = _DTYPES.get(code) if type(code) is int else None
    if dtype is None or dtype not in ITEM_SIZES:
        raise UnconvertibleError(f"a weight of an unknown type {code!r:.40}")
    shape, strides = _integers(meta.get("sizes")), _integers(meta.get("strides"))
    (offset,) = _integers([meta.get("storage_offset")])
    storage = Storage(block, 0, len(block.data), dtype, "cpu")
    return strided(storage, dtype, offset, shape, strides)


def _integers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list):
        raise odd("an exported program")
    found = [one.get("as_int") if isinstance(one, dict) else None for one in values]
    whole = tuple([one for one in found if type(one) is int])
    if len(whole) != len(values) or any(len(one) != 1 for one in values):
        raise odd("an exported program")
    return whole
