"""TorchScript archives: pickles that PyTorch's C++ reads, and code that it compiles.

`torch.load` hands an archive with `constants.pkl` to `torch.jit.load`. Python's unpickler is not
involved; what runs is the code, when the model is called, and `__setstate__` while it is loaded.
So the pickles may name classes of the archive, and the code may call the operators of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy.content import View
from safemodel.legacy.pickle_facts import Items, Pairs, Stop
from safemodel.legacy.pickle_machine import trace
from safemodel.legacy.torch_script import parse_script
from safemodel.legacy.torch_storage import is_storage_type
from safemodel.scan.evidence import bounded
from safemodel.scan.formats.torch_zip import check_records, judge_pickle, root_of
from safemodel.scan.names.entry import Entry
from safemodel.scan.torch_operators import is_known_class, judge_operator

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value
    from safemodel.legacy.zip_facts import ZipMember
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

_MARK: Final = "constants.pkl"
_OLD_MARK: Final = "model.json"  # until PyTorch 1.3
_BYTECODE: Final = "bytecode.pkl"
_MAX_SOURCE: Final = 16 << 20
_MAX_BYTECODE: Final = 64 << 20
_OPERATOR: Final = re.compile(r"[A-Za-z_]\w*::\w+", re.ASCII)
_CLASSES: Final = "__torch__.torch.classes."

_CLASS: Final = Entry("class", call="*any", new="*any", gives=frozenset({"object", "slots"}))
_FUNCTION: Final = Entry("function", call="*any")
_CONSTANT: Final = Entry("constant")


class ScriptNames(Mapping[tuple[str, str], Entry]):
    """The names that PyTorch's C++ unpickler knows (torch/csrc/jit/serialization/unpickler.cpp)."""

    def __getitem__(self, key: tuple[str, str]) -> Entry:
        module, name = key
        full = f"{module}.{name}"
        if full.startswith(_CLASSES):
            if is_known_class(full.removeprefix(_CLASSES)):
                return _CLASS
        elif module == "__torch__" or module.startswith("__torch__."):
            return _CLASS
        elif module == "torch.jit._pickle":
            return _FUNCTION
        elif is_storage_type(name):
            return _CONSTANT
        raise KeyError(key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(())

    def __len__(self) -> int:
        return 0


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Judge code and pickles of a TorchScript archive."""
    root = root_of(archive)
    if not root or not _is_script(archive, root):
        return None
    known = check_records(archive, root, scope)
    for member in archive.facts.members:
        name = member.name.lower()
        if member.is_folder or not name.startswith(root.lower() + "/"):
            continue
        if name.startswith(f"{root.lower()}/code/") and name.endswith(".py"):
            _source(archive, member, scope)
            known.add(member.name)
        elif name.endswith((".pkl", ".debug_pkl")):
            folder = member.name.rpartition(".")[0] + "/"
            known |= judge_pickle(archive, member, folder, scope, ScriptNames())
            if name.endswith("/" + _BYTECODE):
                _bytecode(archive, member, scope)
    return frozenset(known & archive.members.keys())


def _is_script(archive: ZipArchive, root: str) -> bool:
    if archive.alike(f"{root}/{_MARK}"):
        return True
    code = f"{root}/code/"
    return bool(archive.alike(f"{root}/{_OLD_MARK}")) and any(
        member.name.startswith(code) for member in archive.facts.members
    )


def _source(archive: ZipArchive, member: ZipMember, scope: Scope) -> None:
    """Judge what a source calls, by the names in it."""
    try:
        inner = scope.enter(member.name)
    except LegacyError as error:
        scope.unread(error)
        return
    try:
        names = parse_script(archive.read(member, _MAX_SOURCE))
    except LegacyError as error:
        inner.unread(error)
        return
    for operator in names.operators:
        judge_operator(operator.namespace, operator.name, operator.offset, inner)
    for cls, offset in names.classes:
        if not is_known_class(cls):
            inner.find("SM159", f"uses the C++ class {bounded(cls)}", offset=offset)


def _bytecode(archive: ZipArchive, member: ZipMember, scope: Scope) -> None:
    """Judge the operators of mobile bytecode: tables of ("aten::add", overload, arguments)."""
    try:
        inner = scope.enter(member.name)
        data = archive.read(member, _MAX_BYTECODE)
    except LegacyError as error:
        scope.unread(error)
        return
    for name in _operators(data, scope):
        namespace, _, rest = name.partition("::")
        judge_operator(namespace, rest, None, inner)


def _operators(data: bytes, scope: Scope) -> list[str]:
    found: dict[str, None] = {}
    waiting: list[Value] = [
        fact.value
        for fact in trace(View(data).reader(), values=True, spend=scope.budget.spend_opcodes)
        if isinstance(fact, Stop)
    ]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Items):
            name = _operator(value)
            if name:
                found[name] = None
            waiting += value.items
        elif isinstance(value, Pairs):
            waiting += [part for pair in value.items for part in pair]
    return list(found)


def _operator(value: Items) -> str:
    """The operator that a pair or triple names; "" if it is something else."""
    if value.kind != "tuple" or value.count not in (2, 3) or not isinstance(value.items[1], str):
        return ""
    name = value.items[0]
    if value.count == 3 and type(value.items[2]) is not int:
        return ""
    return name if isinstance(name, str) and _OPERATOR.fullmatch(name) else ""
