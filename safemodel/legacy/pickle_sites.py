"""What each opcode does at a site: look up a global, call, build, or use a method of an object.

A handler returns its facts in the order in which a real unpickler gets there, and raises
`StuckError` where the unpickler raises before anything ran. Where that depends on what a call
returned, the machine goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.legacy import pickle_opcodes as op
from safemodel.legacy.pickle_facts import (
    Blob,
    Build,
    Call,
    Extension,
    Global,
    Instance,
    Items,
    Mutate,
    Pairs,
    Persistent,
)
from safemodel.legacy.pickle_input import StuckError
from safemodel.legacy.pickle_literal_ops import line_of, signed_of
from safemodel.legacy.pickle_names import MAPPED_BELOW, from_python2
from safemodel.legacy.pickle_state import CALLABLES, KEEP, MAX_BESIDES, OPAQUE, check_hashable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from safemodel.legacy.pickle_facts import Fact, Value
    from safemodel.legacy.pickle_state import State

    Handler: TypeAlias = Callable[[State], "tuple[Fact, ...]"]

_NOT_ITERABLE: Final = frozenset({type(None), bool, int, float})


# Names


def _global(state: State, opcode: str, module: Value, name: Value) -> Global:
    """`find_class`: what cannot be known before is described in angle brackets."""
    literal = type(module) is str and type(name) is str
    raw = (
        (module if type(module) is str else _describe(module)),
        (name if type(name) is str else _describe(name)),
    )
    found = from_python2(*raw) if state.proto < MAPPED_BELOW else raw
    return Global(*found, state.at, opcode, None if found == raw else raw, literal)


def _describe(value: Value) -> str:
    if type(value) is Blob:
        return f"<{value.size} bytes at offset {value.offset}>"
    return f"<{type(value).__name__.lower()} at offset {getattr(value, 'offset', '?')}>"


def global_(state: State) -> tuple[Fact, ...]:
    module = line_of(state).decode()
    name = line_of(state).decode()
    found = _global(state, "GLOBAL", module, name)
    state.stack.append(found)
    return (found,)


def stack_global(state: State) -> tuple[Fact, ...]:
    stack = state.stack
    name = stack.pop()
    module = stack.pop()
    for part in (name, module):
        text = type(part) is str or (type(part) is Blob and part.kind == "str")
        if not text and type(part) not in OPAQUE:
            raise StuckError("STACK_GLOBAL requires str")
    found = _global(state, "STACK_GLOBAL", module, name)
    stack.append(found)
    return (found,)


def persid(state: State) -> tuple[Fact, ...]:
    found = Persistent(state.source.line().decode("ascii"), state.at)
    state.stack.append(found)
    return (found,)


def binpersid(state: State) -> tuple[Fact, ...]:
    found = Persistent(state.stack.pop(), state.at)
    state.stack.append(found)
    return (found,)


def ext1(state: State) -> tuple[Fact, ...]:
    return _extension(state, state.source.take(1)[0])


def ext2(state: State) -> tuple[Fact, ...]:
    return _extension(state, int.from_bytes(state.source.take(2), "little"))


def ext4(state: State) -> tuple[Fact, ...]:
    return _extension(state, signed_of(state))


def _extension(state: State, code: int) -> tuple[Fact, ...]:
    if code <= 0:
        raise StuckError("EXT specifies code <= 0")
    found = Extension(code, state.at)
    state.stack.append(found)
    return (found,)


# Calls


def _call(
    state: State, opcode: str, callee: Value, arguments: Value, keywords: Value = None
) -> Call:
    """Call something, unless a real unpickler can't."""
    if type(callee) not in OPAQUE:
        raise StuckError(f"a {_kind(callee)} is called")
    if type(arguments) not in OPAQUE and not (
        type(arguments) is Items and arguments.kind == "tuple"
    ):
        number = type(arguments) is Blob and arguments.kind == "int"
        if state.c or type(arguments) in _NOT_ITERABLE or number:
            raise StuckError(f"the arguments of a call are a {_kind(arguments)}")
    result = Instance(callee, arguments, keywords, state.at, opcode)
    state.stack.append(result)
    return Call(result)


def _kind(value: Value) -> str:
    if type(value) is Items or type(value) is Blob:
        return value.kind
    return "dict" if type(value) is Pairs else type(value).__name__


def reduce(state: State) -> tuple[Fact, ...]:
    arguments = state.stack.pop()
    callee = state.stack.pop()
    return (_call(state, "REDUCE", callee, arguments),)


def inst(state: State) -> tuple[Fact, ...]:
    """The C unpickler looks for the mark first, the Python one when it has the class."""
    if state.c and not state.below:
        raise StuckError("could not find MARK")
    module = line_of(state).decode("ascii")
    name = line_of(state).decode("ascii")
    found = _global(state, "INST", module, name)
    if not state.below:
        state.fail_later("could not find MARK")
        return (found,)
    arguments = state.items("tuple", state.pop_mark())
    return found, _call(state, "INST", found, arguments)


def obj(state: State) -> tuple[Fact, ...]:
    items = state.pop_mark()
    if not items:
        raise IndexError
    arguments = state.items("tuple", items[1:])
    return (_call(state, "OBJ", items[0], arguments),)


def newobj(state: State) -> tuple[Fact, ...]:
    arguments = state.stack.pop()
    callee = state.stack.pop()
    return (_call(state, "NEWOBJ", callee, arguments),)


def newobj_ex(state: State) -> tuple[Fact, ...]:
    keywords = state.stack.pop()
    arguments = state.stack.pop()
    callee = state.stack.pop()
    if type(keywords) is not Pairs and type(keywords) not in OPAQUE:
        raise StuckError(f"the keywords of a call are a {_kind(keywords)}")
    return (_call(state, "NEWOBJ_EX", callee, arguments, keywords),)


# Objects


def build(state: State) -> tuple[Fact, ...]:
    stack = state.stack
    if len(stack) < 2:
        raise IndexError
    value = stack.pop()
    target = stack[-1]
    if type(target) in OPAQUE:
        again = False
        if type(target) is Instance:
            again = target.state is not None
            target.state = value
        if type(value) is Pairs and len(value.items) > MAX_BESIDES and not state.values:
            state.source.odd("a state of too many attributes", state.at, ambiguous=True)
        return (Build(target, value, state.at, state.source.offset, again),)
    _build_plain(state, value)
    return ()


def _build_plain(state: State, value: Value) -> None:
    """On plain data there is no `__setstate__`, no `__dict__`, and no attribute to set.

    What is in a container is no certain knowledge: a call may have changed it.
    """
    slots: Value = None
    has_slots = False
    if type(value) is Items and value.kind == "tuple" and value.count == 2:
        value, slots = value.items
        has_slots = True
    if type(value) is Items and value is state.unknown.get("tuple"):
        nothing = True
    elif state.c:
        nothing = value is None or type(value) in OPAQUE
        if has_slots:
            nothing = nothing and (type(slots) is Pairs or type(slots) in OPAQUE)
    else:
        nothing = _may_be_false(value) and _may_be_false(slots)
    if not nothing:
        raise StuckError("state is set on plain data")


def _may_be_false(value: Value) -> bool:
    if type(value) is Items:
        return value.kind in ("list", "set") or not value.count
    if type(value) is Blob:
        return value.kind == "bytearray" or not value.size
    return type(value) in OPAQUE or type(value) is Pairs or not value


def _mutate(state: State, opcode: str, target: Value, values: list[Value]) -> tuple[Fact, ...]:
    arguments = tuple(values if state.values else values[:KEEP])
    if len(values) > KEEP and not state.values and not CALLABLES.isdisjoint(map(type, values)):
        arguments += _beyond(opcode, values[KEEP:])
    fact = Mutate(target, opcode, arguments, state.at)
    if state.values and type(target) is Instance:
        if target.mutations is None:
            target.mutations = []
        target.mutations.append(fact)
    return (fact,)


def _beyond(opcode: str, values: list[Value]) -> tuple[Value, ...]:
    """What can be called, among what is not kept; with its key, where it has one."""
    if opcode != "SETITEMS":
        return tuple(value for value in values if type(value) is Global)[:MAX_BESIDES]
    pairs = zip(values[::2], values[1::2], strict=True)
    special = [pair for pair in pairs if type(pair[1]) in CALLABLES and type(pair[0]) is not int]
    return tuple(part for pair in special[:MAX_BESIDES] for part in pair)


def append(state: State) -> tuple[Fact, ...]:
    stack = state.stack
    if len(stack) < 2:
        raise IndexError
    value = stack.pop()
    return _append(state, "APPEND", stack[-1], [value])


def appends(state: State) -> tuple[Fact, ...]:
    values = state.pop_mark()
    target = state.stack[-1]
    if not values and state.c:
        return ()
    return _append(state, "APPENDS", target, values)


def _append(state: State, opcode: str, target: Value, values: list[Value]) -> tuple[Fact, ...]:
    if type(target) is Items and target.kind == "list":
        state.extend(target, values)
        return ()
    if type(target) in OPAQUE:
        return _mutate(state, opcode, target, values)
    if type(target) is Blob and target.kind == "bytearray" and _fits_bytes(values):
        return _mutate(state, opcode, target, values) if values else ()
    raise StuckError(f"{opcode} to a {_kind(target)}")


def _fits_bytes(values: list[Value]) -> bool:
    return all(
        type(value) in OPAQUE or (isinstance(value, int) and 0 <= value < 256) for value in values
    )


def _fits_bytearray(values: list[Value]) -> bool:
    """Bytes at indexes; anything at what could be a slice."""
    _check_indexes(values[::2])
    pairs = zip(values[::2], values[1::2], strict=True)
    return _fits_bytes([value for key, value in pairs if type(key) not in OPAQUE])


def setitem(state: State) -> tuple[Fact, ...]:
    stack = state.stack
    if len(stack) < 3:
        raise IndexError
    value = stack.pop()
    key = stack.pop()
    target = stack[-1]
    kept = type(key) is not str or type(value) in CALLABLES
    if type(target) is Pairs and target.count >= state.keep and not kept:
        target.count += 1
        target.complete = False
        return ()
    return _setitems(state, "SETITEM", target, [key, value])


def setitems(state: State) -> tuple[Fact, ...]:
    values = state.pop_mark()
    target = state.stack[-1]
    if len(values) % 2:
        if state.c:
            raise StuckError("odd number of items for SETITEMS")
        state.fail_later("odd number of items for SETITEMS")
        values.pop()
    if not values:
        return ()
    return _setitems(state, "SETITEMS", target, values)


def _setitems(state: State, opcode: str, target: Value, values: list[Value]) -> tuple[Fact, ...]:
    if type(target) is Pairs:
        state.set_pairs(target, values)
        return ()
    if type(target) in OPAQUE:
        return _mutate(state, opcode, target, values)
    if type(target) is Items and target.kind == "list":
        _set_in_list(target, values)
        computed = not OPAQUE.isdisjoint(map(type, values[::2]))
        return _mutate(state, opcode, target, values) if computed else ()
    if type(target) is Blob and target.kind == "bytearray" and _fits_bytearray(values):
        return _mutate(state, opcode, target, values)
    raise StuckError(f"{opcode} on a {_kind(target)}")


def _set_in_list(target: Items, values: list[Value]) -> None:
    """A call may have made the list longer than it looks, so no index is out of range."""
    _check_indexes(values[::2])
    for key, value in zip(values[::2], values[1::2], strict=True):
        if isinstance(key, int):
            index = key + target.count if key < 0 else key
            if 0 <= index < len(target.items) and (target.complete or index < KEEP):
                target.items[index] = value
            elif type(value) is Global and len(target.items) <= MAX_BESIDES:
                target.items = [*target.items, value]


def _check_indexes(keys: list[Value]) -> None:
    for key in keys:
        if not isinstance(key, int) and type(key) not in OPAQUE:
            raise StuckError("an index that is not a number")


def additems(state: State) -> tuple[Fact, ...]:
    values = state.pop_mark()
    target = state.stack[-1]
    if not values and state.c:
        return ()
    if type(target) is Items and target.kind == "set":
        check_hashable(values)
        state.extend(target, values)
        return ()
    if type(target) in OPAQUE:
        return _mutate(state, "ADDITEMS", target, values) if values else ()
    raise StuckError(f"ADDITEMS to a {_kind(target)}")


HANDLERS: Final[dict[int, Handler]] = {
    op.GLOBAL: global_,
    op.STACK_GLOBAL: stack_global,
    op.PERSID: persid,
    op.BINPERSID: binpersid,
    op.EXT1: ext1,
    op.EXT2: ext2,
    op.EXT4: ext4,
    op.REDUCE: reduce,
    op.INST: inst,
    op.OBJ: obj,
    op.NEWOBJ: newobj,
    op.NEWOBJ_EX: newobj_ex,
    op.BUILD: build,
    op.APPEND: append,
    op.APPENDS: appends,
    op.SETITEM: setitem,
    op.SETITEMS: setitems,
    op.ADDITEMS: additems,
}
