"""A state dict to a safetensors file, under its own names.

Such a file holds named tensors and nothing else: what else a bundle holds is refused by name. Names
that share a tensor (tied weights) are each written in full, since a file has no way to say that
they share it, and every name is there for whoever loads it. The tensors are in the order of the
archive's own weights (spec/format.md, "Weights"), so the file is aligned as those are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from safemodel import limits
from safemodel.adapters import tensors
from safemodel.bundle.output import replaced_file, write_at
from safemodel.errors import UnsavableError
from safemodel.export.bytes_of import Reader
from safemodel.export.state import read
from safemodel.export.targets import Written
from safemodel.export.values import StateDict, View, described
from safemodel.format.weights import PREFIX_SIZE, TensorSpec

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

_METADATA: Final = {"format": "pt"}  # what other readers of such files ask for
_ALIGNMENT: Final = 64
# Names that share a tensor are written in full; a few bytes must not become a full disk.
_FREE: Final = 1 << 30
_TIMES: Final = 64
_HINT: Final = 'to="pt" keeps it'


def write(bundle: VerifiedBundle, target: str, *, overwrite: bool) -> Written:
    """Write the tensors of a state dict.

    Raises:
        UnsavableError: the state is no flat dictionary of tensors, or one of them has a type that
            safetensors lacks; `place` is its name.
        SourceError: the disk refuses, or there is something at `target` already.
    """
    state = _checked(read(bundle))
    _check_size(bundle, state)
    ordered = sorted(state.items(), key=lambda item: (-_trailing(item[1]), item[0]))
    header = _header(ordered)
    reader = Reader(bundle)
    offset = 0
    with replaced_file(target, overwrite=overwrite) as descriptor:
        for piece in _pieces(header, ordered, reader):
            write_at(descriptor, [piece], offset)
            offset += len(piece)
    return Written(len(ordered), offset)


def _checked(state: object) -> dict[str, View]:
    if not isinstance(state, dict) or type(state) not in (dict, StateDict):
        raise UnsavableError(
            f"{described(state)}, and a safetensors file holds a dictionary of tensors", hint=_HINT
        )
    for name, value in state.items():
        _check_entry(name, value)
    return state


def _check_entry(name: object, value: object) -> None:
    if not isinstance(name, str) or name == "__metadata__" or not _is_text(name):
        raise UnsavableError(f"a key that can't be the name of a tensor: {name!r:.60}", hint=_HINT)
    problem = hint = None
    if not isinstance(value, View):
        problem = f"{described(value)}, which a safetensors file can't hold"
    elif value.dtype not in _TYPES:
        shown = f"an array of {value.array}" if value.array else described(value)
        problem, hint = f"{shown}, a type that safetensors lacks", _HINT
    elif value.conj or value.neg:
        problem = "a conjugate or negative view, which a safetensors file can't hold"
    if problem is not None:
        raise UnsavableError(problem, place=name, hint=hint or _HINT)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


# PyTorch's types that safetensors has under the name that they are stored by.
_TYPES: Final = {
    name: stored
    for name, (stored, unit) in tensors.STORED.items()
    if not unit and (stored not in ("U8", "U16") or name in ("uint8", "uint16"))
}


def _check_size(bundle: VerifiedBundle, state: dict[str, View]) -> None:
    size = sum(_nbytes(view) for view in state.values())
    stored = sum(info.nbytes for info in bundle.tensors.values())
    if size > _FREE + _TIMES * stored:
        raise UnsavableError(
            f"{size} bytes, since each name is written in full, out of {stored} that are shared",
            hint=_HINT,
        )


def _nbytes(view: View) -> int:
    return view.count * view.itemsize


def _trailing(view: View) -> int:
    """The power of two that divides the length, up to 64: so tensors without holes are aligned."""
    size = _nbytes(view) | _ALIGNMENT
    return size & -size


def _header(ordered: list[tuple[str, View]]) -> bytes:
    document: dict[str, object] = {"__metadata__": _METADATA}
    begin = 0
    for name, view in ordered:
        end = begin + TensorSpec(name, _TYPES[view.dtype], view.shape).nbytes
        document[name] = {
            "dtype": _TYPES[view.dtype],
            "shape": list(view.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    body += b" " * (-(PREFIX_SIZE + len(body)) % _ALIGNMENT)
    if len(body) > limits.MAX_WEIGHTS_HEADER:
        raise UnsavableError("names and shapes of more bytes than a safetensors header may have")
    return len(body).to_bytes(PREFIX_SIZE, "little") + body


def _pieces(header: bytes, ordered: list[tuple[str, View]], reader: Reader) -> Iterator[memoryview]:
    yield memoryview(header)
    for _, view in ordered:
        yield from reader.logical(view)
