"""Changed and hostile files of PyTorch: refused with an error of ours, or an archive that loads."""

from __future__ import annotations

import functools
import io
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.adapters import numpy as plain_adapter  # noqa: E402
from safemodel.adapters import torch as adapter  # noqa: E402
from safemodel.convert.converting import encoded  # noqa: E402
from safemodel.convert.readers import read  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402
from safemodel.scan.budget import DEFAULT_LIMITS  # noqa: E402

from ..adapters.sklearn_support import in_memory  # noqa: E402
from .test_torch_other import PROGRAMS, SCRIPTS  # noqa: E402
from .torch_cases import CASES, WHOLE  # noqa: E402

FORMATS = {
    "zip": ("zip", "torch_zip"),
    "legacy": ("torch_legacy",),
    "script": ("zip", "torch_script"),
    "program": ("torch_export", "zip"),
}


def file_of(obj: Any, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(obj, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def pickle_of(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read("archive/data.pkl")


def with_pickle(data: bytes, pickled: bytes) -> bytes:
    """The archive with another pickle, its CRC-32 and sizes those of it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.infolist():
            name = member.filename
            new.writestr(name, pickled if name.endswith("data.pkl") else old.read(member))
    return buffer.getvalue()


def converted(data: bytes, form: str) -> Any:
    """What a file becomes, loaded.

    Raises:
        SafemodelError: it is refused; and nothing else.
    """
    name, saved = encoded(read(memoryview(bytearray(data)), FORMATS[form], DEFAULT_LIMITS))
    into = dict if "state_of" in saved.architecture else None
    chosen: Any = adapter if name == "torch" else plain_adapter
    return chosen.load(in_memory(saved), into=into)


def edited(data: bytes, edits: list[tuple[int, int, int]]) -> bytes:
    found = bytearray(data)
    for place, byte, how in edits:
        at = place % max(len(found), 1)
        found[at : at + (1, 0, 2)[how]] = (bytes([byte]), bytes([byte]), b"")[how]
    return bytes(found)


NAMES = ("shared", "strides", "sparse", "quantized", "parameters", "optimizer", "module", "plain")
OLD_NAMES = NAMES[:-1]


@functools.cache
def case(name: str, *, zipped: bool = True) -> bytes:
    """The file of a case, made once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return file_of({**CASES, **WHOLE}[name](), zipped=zipped)


EDITS = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 2)),
    min_size=1,
    max_size=3,
)


def check(data: bytes, form: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            converted(data, form)
        except SafemodelError:
            return


@settings(max_examples=250, deadline=None)
@given(name=st.sampled_from(NAMES), edits=EDITS)
def test_a_changed_pickle(name: str, edits: list[tuple[int, int, int]]) -> None:
    data = case(name)
    check(with_pickle(data, edited(pickle_of(data), edits)), "zip")


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(NAMES), edits=EDITS)
def test_a_changed_archive(name: str, edits: list[tuple[int, int, int]]) -> None:
    check(edited(case(name), edits), "zip")


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(OLD_NAMES), edits=EDITS)
def test_a_changed_old_file(name: str, edits: list[tuple[int, int, int]]) -> None:
    check(edited(case(name, zipped=False), edits), "legacy")


@functools.cache
def archive_of(form: str) -> bytes:
    """A TorchScript archive or an exported program."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "script":
            torch.jit.save(SCRIPTS["scripted"](), buffer)
        else:
            build, given = PROGRAMS["mixed"]
            torch.export.save(torch.export.export(build(), (given,)), buffer)
    return buffer.getvalue()


@settings(max_examples=80, deadline=None)
@given(form=st.sampled_from(["script", "program"]), member=st.integers(0, 100), edits=EDITS)
def test_a_changed_program(form: str, member: int, edits: list[tuple[int, int, int]]) -> None:
    data = archive_of(form)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [one.filename for one in archive.infolist() if one.file_size > 6]
    name = names[member % len(names)]
    changed = members_changed(data, lambda n, d: edited(d, edits) if n == name else d)
    check(changed, form)


NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 7, 2**31, 2**53, 2**62, -1, -(2**63), 10**40])


@settings(max_examples=250, deadline=None)
@given(name=st.sampled_from(NAMES), changes=st.lists(st.tuples(st.integers(0, 500), NUMBERS)))
def test_changed_numbers(name: str, changes: list[tuple[int, int]]) -> None:
    """Integers of the pickle in place of which others stand: sizes, strides, offsets, keys."""
    data = case(name)
    check(with_pickle(data, renumbered(pickle_of(data), changes)), "zip")


def renumbered(pickled: bytes, changes: list[tuple[int, int]]) -> bytes:
    import pickletools

    places = [
        (at, len(opcode.name) and {"BININT1": 2, "BININT2": 3, "BININT": 5}.get(opcode.name, 0))
        for opcode, _, at in pickletools.genops(pickled)
    ]
    integers = [(at, size) for at, size in places if size]
    found, wanted = bytearray(), dict(changes)
    last = 0
    for number, (at, size) in enumerate(integers):
        if number in wanted:
            value = wanted[number]
            raw = value.to_bytes(17, "little", signed=True)
            found += pickled[last:at] + b"\x8a" + bytes([len(raw)]) + raw
            last = at + size
    return bytes(found) + pickled[last:]


# Refused, with what it says


class Raw:
    """Pickled as a call, whatever it says of itself."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.call = getattr(torch._utils, name), arguments

    def __reduce__(self) -> Any:
        return self.call


def claimed(
    shape: Any, strides: Any, offset: Any = 0, *, hooks: Any = None, wants: Any = False
) -> bytes:
    """A tensor over four floats."""
    storage = torch.zeros(4)._typed_storage()
    arguments = (storage, offset, shape, strides, wants, hooks or OrderedDict())
    return file_of([Raw("_rebuild_tensor_v2", *arguments)])


def sparse(layout: Any, *parts: Any) -> bytes:
    return file_of([Raw("_rebuild_sparse_tensor", layout, parts)])


def coo(indices: Any, count: int, shape: Any, *flag: bool) -> bytes:
    places = torch.tensor(indices, dtype=torch.int64).reshape(2, -1)
    return sparse(torch.sparse_coo, places, torch.ones(count), torch.Size(shape), *flag)


def csr(rows: Any, columns: Any, shape: Any) -> bytes:
    values = torch.ones(len(columns))
    parts = torch.tensor(rows), torch.tensor(columns), values, torch.Size(shape)
    return sparse(torch.sparse_csr, *parts)


def quantized(dtype: Any, *scheme: Any, shape: Any = (4,), strides: Any = (1,)) -> bytes:
    given = torch._empty_affine_quantized([4], scale=1.0, zero_point=0, dtype=dtype)
    storage = given._typed_storage()
    arguments = (storage, 0, shape, strides, scheme, False, OrderedDict())
    return file_of([Raw("_rebuild_qtensor", *arguments)])


def doubled() -> bytes:
    """Sixty modules, each of the one before it twice."""
    module: Any = nn.Linear(1, 1)
    for _ in range(60):
        module = nn.Sequential(module, module)
    return file_of(module)


def circular() -> bytes:
    module = nn.Sequential(nn.Linear(1, 1))
    module._modules["me"] = module
    return file_of(module)


def repeated_module() -> bytes:
    """A thousand times one module of a thousand parameters, in 30 kB."""
    module, root = nn.Module(), nn.Module()
    module._parameters = dict.fromkeys(map(str, range(1000)), nn.Parameter(torch.ones(1)))
    root._modules = dict.fromkeys(map(str, range(1000)), module)
    return file_of(root)


def repeated_group() -> bytes:
    """A thousand times one group of a thousand parameters."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))])
    group = optimizer.param_groups[0]
    group["params"] *= 1000
    optimizer.param_groups = [group] * 1000
    return file_of(optimizer)


AFFINE, CHANNELS = torch.per_tensor_affine, torch.per_channel_affine
TWO = torch.ones(2, dtype=torch.float64)
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "too long": (lambda: claimed((5,), (1,)), "leaves its storage"),
    "too far": (lambda: claimed((1,), (1,), 4), "leaves its storage"),
    "behind": (lambda: claimed((0,), (1,), 5), "leaves its storage"),
    "huge": (lambda: claimed((2**40, 2**20), (0, 0)), "too long|addresses"),
    "empty and huge": (lambda: claimed((0, 2**50, 2**50), (1, 1, 1)), "too long"),
    "backwards": (lambda: claimed((2,), (-1,), 2), "not write"),
    "uneven": (lambda: claimed((2,), (1, 1)), "not write"),
    "no integers": (lambda: claimed((2.0,), (1,)), "not write"),
    "booleans": (lambda: claimed((True,), (1,)), "not write"),
    "no sizes": (lambda: claimed("ab", (1, 1)), "not write"),
    "of many axes": (lambda: claimed((1,) * 65, (1,) * 65), "not write"),
    "hooks": (lambda: claimed((2,), (1,), hooks={"a": 1}), "hooks, which are code"),
    "coo outside": (lambda: coo([[0, 9], [0, 1]], 2, (2, 2), False), "do not fit its shape"),
    "coo before": (lambda: coo([[0, -1], [0, 1]], 2, (2, 2), False), "do not fit its shape"),
    "coo of few": (lambda: coo([[0, 1], [0, 1]], 3, (2, 2), False), "do not fit its shape"),
    "coo unsorted": (lambda: coo([[1, 0], [1, 0]], 2, (2, 2), True), "says it is coalesced"),
    "coo twice": (lambda: coo([[1, 1], [1, 1]], 2, (2, 2), True), "says it is coalesced"),
    "csr outside": (lambda: csr([0, 1, 2], [0, 2], (2, 2)), "do not fit its shape"),
    "csr unsorted": (lambda: csr([0, 2, 2], [1, 0], (2, 2)), "do not fit its shape"),
    "csr backwards": (lambda: csr([0, 3, 2], [0, 1], (2, 2)), "do not fit its shape"),
    "csr of few": (lambda: csr([0, 1], [0], (2, 2)), "do not fit its shape"),
    "zero point": (lambda: quantized(torch.qint8, AFFINE, 1.0, 500), "zero point"),
    "scale": (lambda: quantized(torch.qint8, AFFINE, 1, 0), "not write"),
    "scheme": (lambda: quantized(torch.qint8, CHANNELS, 1.0, 0), "not write"),
    "axis": (lambda: quantized(torch.qint8, CHANNELS, TWO, TWO, 3), "not write"),
    "scales": (lambda: quantized(torch.qint8, CHANNELS, TWO, TWO.long(), 0), "not write"),
    "quantized and huge": (
        lambda: quantized(torch.qint8, AFFINE, 1.0, 0, shape=(2**40,), strides=(0,)),
        "far more than its storage",
    ),
    "doubled modules": (doubled, "far more often"),
    "a module a thousand times": (repeated_module, "far more often"),
    "a group a thousand times": (repeated_group, "far more parameters"),
    "a module in itself": (circular, "far more often"),
    "wanting nothing": (lambda: claimed((2,), (1,), wants=None), "not write"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused(name: str) -> None:
    make, message = HOSTILE[name]
    with pytest.raises(SafemodelError, match=message):
        converted(make(), "zip")


def members_changed(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.infolist():
            content = change(member.filename, old.read(member))
            if content is not None:
                new.writestr(member.filename, content)
    return buffer.getvalue()


MEMBERS: dict[str, tuple[Callable[[str, bytes], bytes | None], str]] = {
    "big-endian": (lambda n, d: b"big" if n.endswith("byteorder") else d, "order of bytes"),
    "no storage": (lambda n, d: None if n.endswith("data/0") else d, "not in the archive"),
    "short storage": (lambda n, d: d[:-4] if n.endswith("data/0") else d, "the pickle says"),
    "long storage": (lambda n, d: d + b"\0" * 4 if n.endswith("data/0") else d, "the pickle says"),
    "no pickle": (lambda n, d: None if n.endswith("data.pkl") else d, "archive of files"),
    "cut pickle": (lambda n, d: d[:-1] if n.endswith("data.pkl") else d, "truncated"),
    "two pickles": (lambda n, d: d * 2 if n.endswith("data.pkl") else d, "behind the pickle"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_members_that_do_not_fit(name: str) -> None:
    change, message = MEMBERS[name]
    data = members_changed(file_of({"a": torch.ones(4)}), change)
    with pytest.raises(SafemodelError, match=message):
        converted(data, "zip")


@pytest.mark.parametrize(
    ("old", "new", "content", "message"),
    [
        ("archive/byteorder", "archive/ByteOrder", b"big", "order of bytes"),
        ("archive/version", "ARCHIVE/BYTEORDER", b"big", "order of bytes|several folders"),
        ("archive/version", "other/data.pkl", b"\x80\x02N.", "several folders"),
    ],
)
def test_members_that_pytorch_finds_by_another_name(
    old: str, new: str, content: bytes, message: str
) -> None:
    """It ignores the case of names, and refuses folders beside the first."""
    buffer = io.BytesIO()
    data = io.BytesIO(file_of({"a": torch.ones(4)}))
    with zipfile.ZipFile(data) as source, zipfile.ZipFile(buffer, "w") as target:
        for member in source.infolist():
            moved = member.filename == old
            copied = content if moved else source.read(member)
            target.writestr(new if moved else member.filename, copied)
    with pytest.raises(SafemodelError, match=message):
        converted(buffer.getvalue(), "zip")


@pytest.mark.timeout(60)
def test_a_million_views_are_not_looked_at() -> None:
    storage = torch.zeros(50_000_000, dtype=torch.bool)
    storage[0] = True
    storage.view(torch.uint8)[1] = 2
    views = [storage[2 + number :] for number in range(300)]
    with pytest.raises(SafemodelError, match="far more views"):
        converted(file_of(views), "zip")


def test_a_storage_with_another_crc() -> None:
    data = bytearray(file_of({"a": torch.arange(1000)}))
    at = bytes(data).index(struct.pack("<3q", 500, 501, 502))
    data[at] ^= 1
    with pytest.raises(SafemodelError, match="CRC-32"):
        converted(bytes(data), "zip")


def test_a_boolean_that_is_none() -> None:
    data = members_changed(
        file_of(torch.tensor([True, False])),
        lambda n, d: b"\x02\x00" if n.endswith("data/0") else d,
    )
    with pytest.raises(SafemodelError, match="neither 0 nor 1"):
        converted(data, "zip")


def hooked() -> Any:
    module = nn.Linear(1, 1)
    module._register_state_dict_hook(print)
    return module


def noted(tensor: Any) -> Any:
    tensor.note = "x"
    return [tensor]


UNSTORABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "hooks": (hooked, "hooks, which are code"),
    "attributes": (lambda: noted(torch.ones(2)), "attributes of its own"),
    "noted parameter": (lambda: noted(nn.Parameter(torch.ones(2))), "attributes of its own"),
    "meta": (lambda: {"a": torch.ones(2, device="meta")}, "meta device"),
    "nested": (lambda: [torch.nested.nested_tensor([torch.ones(2)])], "nested tensor"),
    "holes": (lambda: [nn.Parameter(torch.ones(4)[::2])], "leave holes"),
    "scheme": (lambda: [torch.per_tensor_affine], "qscheme"),
    "quantize": (lambda: torch.ao.nn.quantized.Quantize(1.0, 0, torch.qint8), "code of its own"),
    "storage": (lambda: [torch.ones(2).untyped_storage()], "storage"),
    "distribution": (lambda: [torch.distributions.Normal(0.0, 1.0)], "torch.distributions"),
    "lazy": (lambda: nn.LazyLinear(2), "no tensor"),
}


@pytest.mark.parametrize("name", UNSTORABLE)
def test_what_save_refuses_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    make, message = UNSTORABLE[name]
    source, target = tmp_path / "a.pt", tmp_path / "a.safemodel"
    source.write_bytes(file_of(make()))
    with pytest.raises(SafemodelError, match=message) as caught:
        sm.convert(source, target, signer=None, allow=["builtins.print"] if name == "hooks" else [])
    assert str(source) in str(caught.value)
    assert not target.exists()
