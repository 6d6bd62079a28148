"""Unpickles what it is told with the real unpicklers, and records what they look up and call.

A program of its own, for a child process with limits, and for any Python from 3.8 on: it reads
lines of JSON, `[dialect, data in hexadecimal]`, and answers with lines of JSON. Nothing that a
pickle names is looked up: `find_class` hands out stand-ins, which are types, can be called, and
have the methods that unpicklers use; what happens to them is an event.
"""

import copyreg
import io
import json
import pickle
import sys

EXTENSIONS = 40  # codes that are registered, from 1 on
DEPTH = 4  # of arguments that are told
LONG = 1000  # characters of a string, or bits of a number, that is not told

events: list = []
numbers: dict = {}


def number(thing: object) -> int:
    return numbers[id(thing)][0]


def describe(value: object, depth: int = DEPTH) -> str:
    """A value as `pickle_events.describe` tells the abstract one."""
    if isinstance(value, Stand):
        return f"#{number(value)}"
    kind = type(value)
    if kind in (str, bytes) and len(value) > LONG:  # type: ignore[arg-type]
        return kind.__name__
    if kind is int and value.bit_length() > LONG:  # type: ignore[attr-defined]
        return "int"
    if value is None or kind in (bool, int, str, bytes, float):
        return f"{kind.__name__}:{value!r}" if kind is not int else f"int:{value:x}"
    if kind is memoryview:
        return "buffer"
    if kind is dict:
        if not depth:
            return "dict:"
        known = {key: describe(item, depth - 1) for key, item in value.items() if type(key) is str}
        return "dict:" + json.dumps(known, sort_keys=True)
    if kind in (list, tuple):
        return f"{kind.__name__}:" + (
            json.dumps([describe(item, depth - 1) for item in value]) if depth else ""
        )
    return kind.__name__


class Stand(type):
    """What stands in for everything that a real unpickler would get from elsewhere."""

    def __new__(mcs, *_: object) -> "Stand":
        stand = super().__new__(mcs, "stand", (Base,), {})
        numbers[id(stand)] = (len(numbers), stand)
        return stand

    def __init__(cls, *_: object) -> None:
        pass

    def __call__(cls, *args: object, **keywords: object) -> "Stand":
        return called(cls, args, keywords)

    def __iter__(cls):  # type: ignore[no-untyped-def]
        return iter(())

    def keys(cls) -> list:
        return []

    def __getitem__(cls, key: object) -> None:
        raise KeyError(key)

    def __setitem__(cls, key: object, value: object) -> None:
        events.append(["set", number(cls), describe(key), describe(value)])

    def __setstate__(cls, state: object) -> None:
        events.append(["build", number(cls), describe(state)])

    def append(cls, value: object) -> None:
        events.append(["append", number(cls), describe([value])])

    def extend(cls, values: list) -> None:
        events.append(["append", number(cls), describe(values)])

    def add(cls, value: object) -> None:
        events.append(["add", number(cls), describe(value)])


class Base:
    def __new__(cls, *args: object, **keywords: object) -> Stand:  # type: ignore[misc]
        return called(cls, args, keywords)


def called(callee: object, args: tuple, keywords: dict) -> Stand:
    told = [describe(args), describe(keywords) if keywords else ""]
    result = make()
    events.append(["call", number(callee), *told, number(result)])
    return result


def make() -> Stand:
    return Stand.__new__(Stand)


class Mixin:
    """What both unpicklers are asked instead of importing and loading."""

    def find_class(self, module: str, name: str) -> Stand:
        found = make()
        if module == "<extension>":
            events.append(["extension", int(name), number(found)])
        else:
            events.append(["global", module, name, number(found)])
        return found

    def persistent_load(self, pid: object) -> Stand:
        told = describe(pid)
        found = make()
        events.append(["persistent", told, number(found)])
        return found


class CUnpickler(Mixin, pickle.Unpickler):
    pass


class PythonUnpickler(Mixin, pickle._Unpickler):  # type: ignore[name-defined]
    pass


class Memory(io.BytesIO):
    """Has all that follows at hand at once, as `loads` has, whatever the C unpickler asks for."""

    def peek(self, _: int) -> bytes:
        return self.getvalue()[self.tell() :]


def run(dialect: str, data: bytes) -> dict:
    events.clear()
    numbers.clear()
    copyreg.clear_extension_cache()
    file = Memory(data) if dialect == "c" else io.BytesIO(data)
    unpickler = PythonUnpickler if dialect == "python" else CUnpickler
    answer = {"ok": True, "error": "", "value": "", "end": 0}
    try:
        value = unpickler(file, encoding="latin1").load()
        answer["value"] = describe(value)
        answer["end"] = file.tell()
    except Exception as error:
        answer["ok"] = False
        answer["error"] = f"{type(error).__name__}: {error}"
    answer["events"] = list(events)
    return answer


def confine() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main() -> None:
    confine()
    for code in range(1, EXTENSIONS + 1):
        copyreg.add_extension("<extension>", str(code), code)
    for line in sys.stdin:
        dialect, data = json.loads(line)
        print(json.dumps(run(dialect, bytes.fromhex(data))), flush=True)


if __name__ == "__main__":
    main()
