"""An unpickler that looks nothing up and calls nothing: it writes down what a real one would do.

A tool of the tests, independent of the scanner whose tables it feeds: CPython's own Python
unpickler, with everything that leaves plain data replaced by a stand-in. It is meant for files
that the census made itself.
"""

from __future__ import annotations

import _compat_pickle
import io
import pickle
from typing import Any, BinaryIO, ClassVar

MAX_SHAPES = 12
MAX_EXAMPLES = 4
MAX_PARENTS = 8
JOBLIB = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),
}


class Name:
    """A global that would be looked up."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __str__(self) -> str:
        return f"{self.module} {self.name}"


class Thing:
    """What a call would return. Its methods are those that opcodes use on other than plain data."""

    def __init__(self, callee: Any, arguments: Any, record: Record) -> None:
        self.callee = callee
        self.arguments = arguments
        self.state: Any = None
        self.record = record

    def append(self, item: Any) -> None:
        self.record.use(self.callee, "APPEND")
        self.record.parents(item, f"item of {describe(self.callee)}")

    def extend(self, items: Any) -> None:
        for item in items:
            self.append(item)

    def add(self, item: Any) -> None:
        self.record.use(self.callee, "ADDITEMS")
        self.record.parents(item, f"item of {describe(self.callee)}")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.record.use(self.callee, "SETITEM")
        self.record.parents((key, value), f"item of {describe(self.callee)}")


def describe(value: Any) -> str:
    """`module.name` of a global, or what else it is."""
    if isinstance(value, Name):
        return f"{value.module}.{value.name}"
    if isinstance(value, Thing):
        return f"<{describe(value.callee)}>"
    return type(value).__name__


def shape(value: Any, depth: int = 3) -> str:
    """The abstract shape of a value, such as `(str, bool, [int])`."""
    if isinstance(value, Name):
        return f"@{describe(value)}"
    if isinstance(value, Thing):
        return describe(value)
    if isinstance(value, tuple):
        if not depth or len(value) > 12:
            return "tuple"
        inner = ", ".join(shape(item, depth - 1) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list | set | frozenset):
        kinds = sorted({shape(item, depth - 1) for item in list(value)[:50]}) if depth else []
        inner = "|".join(kinds[:4]) + ("|..." if len(kinds) > 4 else "")
        return f"[{inner}]" if isinstance(value, list) else f"{type(value).__name__}[{inner}]"
    if isinstance(value, dict):
        if not depth:
            return "dict"
        keys = "|".join(sorted({shape(key, 1) for key in list(value)[:50]}))
        return f"dict[{keys}]"
    return "None" if value is None else type(value).__name__


def example(value: Any) -> str:
    """The value as text, with stand-ins for everything that is not plain data."""
    if isinstance(value, Name | Thing):
        return shape(value)
    if isinstance(value, tuple | list):
        inner = ", ".join(example(item) for item in value[:8])
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {example(v)}" for k, v in list(value.items())[:4]) + "}"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


class Record:
    """What is known of each global after any number of pickles."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], dict[str, Any]] = {}
        self.persistent: dict[str, int] = {}
        self.problems: list[str] = []

    def entry(self, name: Name) -> dict[str, Any]:
        return self.names.setdefault(
            (name.module, name.name),
            {"count": 0, "uses": {}, "arguments": [], "examples": [], "states": [], "in": []},
        )

    def look_up(self, module: str, name: str) -> Name:
        found = Name(module, name)
        self.entry(found)["count"] += 1
        return found

    def use(self, target: Any, opcode: str) -> None:
        while isinstance(target, Thing):
            target = target.callee
        if isinstance(target, Name):
            uses = self.entry(target)["uses"]
            uses[opcode] = uses.get(opcode, 0) + 1

    def call(self, callee: Any, arguments: Any, opcode: str) -> Thing:
        self.use(callee, opcode)
        if not isinstance(callee, Name):
            self.problems.append(f"{opcode} calls {describe(callee)}")
        elif callee.module == "copyreg" and callee.name in ("_reconstructor", "__newobj__"):
            self.parents(arguments, f"argument of {describe(callee)}")
            self.use(arguments[0], callee.name)
            return Thing(arguments[0], arguments[1:], self)
        else:
            entry = self.entry(callee)
            limited(entry["arguments"], shape(arguments), MAX_SHAPES)
            if opcode not in ("NEWOBJ", "NEWOBJ_EX"):
                limited(entry["examples"], example(arguments), MAX_EXAMPLES)
            self.parents(arguments, f"argument of {describe(callee)}")
        return Thing(callee, arguments, self)

    def build(self, target: Any, state: Any) -> None:
        self.use(target, "BUILD")
        owner = target
        while isinstance(owner, Thing):
            owner = owner.callee
        if isinstance(owner, Name):
            limited(self.entry(owner)["states"], shape(state, 2), MAX_SHAPES)
        else:
            self.problems.append(f"BUILD on {describe(target)}")
        if isinstance(target, Thing):
            target.state = state
        self.parents(state, f"state of {describe(owner)}")

    def parents(self, value: Any, where: str, depth: int = 4) -> None:
        """Note where globals are handed on as values."""
        if isinstance(value, Name):
            entry = self.entry(value)
            limited(entry["in"], where, MAX_PARENTS)
            entry["uses"]["reference"] = entry["uses"].get("reference", 0) + 1
        elif depth and isinstance(value, tuple | list | set | frozenset):
            for item in list(value)[:500]:
                self.parents(item, where, depth - 1)
        elif depth and isinstance(value, dict):
            for key, item in list(value.items())[:500]:
                self.parents((key, item), where, depth - 1)


def limited(found: list[str], value: str, limit: int) -> None:
    """Add a value that is not there yet, up to a limit."""
    if value not in found and len(found) < limit:
        found.append(value)


class Recorder(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """Runs one pickle, inertly."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, file: BinaryIO, record: Record) -> None:
        super().__init__(file, encoding="latin1")
        self.file = file
        self.record = record

    def find_class(self, module: str, name: str) -> Name:
        if self.proto < 3:
            if (module, name) in _compat_pickle.NAME_MAPPING:
                module, name = _compat_pickle.NAME_MAPPING[module, name]
            elif module in _compat_pickle.IMPORT_MAPPING:
                module = _compat_pickle.IMPORT_MAPPING[module]
        return self.record.look_up(module, name)

    def persistent_load(self, pid: Any) -> Any:
        kind = shape(pid)
        self.record.persistent[kind] = self.record.persistent.get(kind, 0) + 1
        self.record.parents(pid, "persistent id")
        if isinstance(pid, tuple) and pid and pid[0] == "module":
            return pid[1]  # a class with its source text, in torch's legacy files
        return Thing("persistent", pid, self.record)

    def get_extension(self, code: int) -> None:
        self.record.problems.append(f"extension code {code}")
        self.append(Thing("extension", code, self.record))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.record.call(self.stack[-1], arguments, "REDUCE")

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.record.call(self.stack[-1], arguments, "NEWOBJ")

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_newobj_ex(self) -> None:
        keywords = self.stack.pop()
        arguments = self.stack.pop()
        self.stack[-1] = self.record.call(self.stack[-1], (*arguments, keywords), "NEWOBJ_EX")

    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex

    def _instantiate(self, klass: Any, args: Any) -> None:
        self.append(self.record.call(klass, tuple(args), "INST/OBJ"))

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        self.record.build(target, state)
        callee = target.callee if isinstance(target, Thing) else None
        if isinstance(callee, Name) and (callee.module, callee.name) in JOBLIB:
            self.skip_array(state)

    dispatch[pickle.BUILD[0]] = load_build

    def skip_array(self, state: dict[str, Any]) -> None:
        """Go over the raw bytes that follow a joblib wrapper."""
        dtype = state["dtype"]
        if dtype.arguments[0] in ("O8", "O"):
            Recorder(self.file, self.record).load()
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self.file.read(self.file.read(1)[0])
        count = 1
        for extent in state["shape"]:
            count *= extent
        self.file.read(count * item_size(dtype))


def item_size(dtype: Thing) -> int:
    """Bytes of one item of a numpy dtype, from its arguments and state."""
    text = dtype.arguments[0]
    if not isinstance(text, str):
        return int(dtype.state[5]) if dtype.state else 1  # a type of another library
    if text[0] in "VSU":
        size = int(text[1:])
        return size * 4 if text[0] == "U" else size
    return int(text[1:])


def record(data: bytes, found: Record) -> None:
    """Run the first pickle of the bytes; of a legacy torch file, all five."""
    file = io.BytesIO(data)
    value = Recorder(file, found).load()
    if value == 0x1950A86A20F9469CFC6C:  # torch's magic number
        for _ in range(4):
            Recorder(file, found).load()
    found.parents(value, "the object itself")
