"""What the opcodes of containers, the stack and the memo do, as far as it runs nothing.

Handlers as in `pickle_literal_ops`; the containers are the pickle's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.legacy import pickle_opcodes as op
from safemodel.legacy.pickle_facts import Items, Pairs
from safemodel.legacy.pickle_input import StuckError
from safemodel.legacy.pickle_literal_ops import line_of
from safemodel.legacy.pickle_literals import index_literal
from safemodel.legacy.pickle_state import MAX_MEMO_INDEX, NO_ITEMS, NO_PAIRS, check_hashable

if TYPE_CHECKING:
    from safemodel.legacy.pickle_literal_ops import Handler
    from safemodel.legacy.pickle_state import State

# Containers


def empty_tuple(state: State) -> None:
    state.stack.append(state.nothing)


def empty_list(state: State) -> None:
    state.stack.append(Items("list", NO_ITEMS, 0))


def empty_dict(state: State) -> None:
    state.stack.append(Pairs(NO_PAIRS, 0))


def empty_set(state: State) -> None:
    state.stack.append(Items("set", NO_ITEMS, 0))


def tuple_(state: State) -> None:
    items = state.pop_mark()
    state.stack.append(state.items("tuple", items))


def tuple1(state: State) -> None:
    state.stack[-1] = Items("tuple", [state.stack[-1]], 1)


def tuple2(state: State) -> None:
    _tuple(state, 2)


def tuple3(state: State) -> None:
    _tuple(state, 3)


def _tuple(state: State, count: int) -> None:
    stack = state.stack
    if len(stack) < count:
        raise IndexError
    items = stack[-count:]
    del stack[-count:]
    stack.append(Items("tuple", items, count))


def list_(state: State) -> None:
    items = state.pop_mark()
    state.stack.append(state.items("list", items))


def dict_(state: State) -> None:
    items = state.pop_mark()
    if len(items) % 2:
        raise StuckError("odd number of items for DICT")
    pairs = Pairs(NO_PAIRS, 0)
    state.set_pairs(pairs, items)
    state.stack.append(pairs)


def frozenset_(state: State) -> None:
    items = state.pop_mark()
    check_hashable(items)
    state.stack.append(state.items("frozenset", items))


# Stack and memo


def stop(state: State) -> None:
    state.value = state.stack.pop()
    state.ending = True
    state.source.stop()
    left = len(state.stack) + len(state.below)
    if left:
        state.source.odd("values or marks are left on the stack", state.at)


def mark(state: State) -> None:
    state.mark()


def pop(state: State) -> None:
    if state.stack:
        state.stack.pop()
    elif state.below:
        state.pop_mark()
    else:
        raise IndexError


def pop_mark(state: State) -> None:
    state.pop_mark()


def dup(state: State) -> None:
    state.stack.append(state.stack[-1])


def get(state: State) -> None:
    state.stack.append(state.memo.get(index_literal(line_of(state), c=state.c)))


def binget(state: State) -> None:
    state.stack.append(state.memo.get(state.source.take(1)[0]))


def long_binget(state: State) -> None:
    state.stack.append(state.memo.get(int.from_bytes(state.source.take(4), "little")))


def put(state: State) -> None:
    index = index_literal(line_of(state), c=state.c)
    if index < 0:
        raise StuckError("negative PUT argument")
    if index >= MAX_MEMO_INDEX and state.c:
        raise StuckError("a memo index that is too large")
    state.remember(index)


def binput(state: State) -> None:
    state.remember(state.source.take(1)[0])


def long_binput(state: State) -> None:
    state.remember(int.from_bytes(state.source.take(4), "little"))


def memoize(state: State) -> None:
    state.remember(len(state.memo))


HANDLERS: Final[dict[int, Handler]] = {
    op.EMPTY_TUPLE: empty_tuple,
    op.EMPTY_LIST: empty_list,
    op.EMPTY_DICT: empty_dict,
    op.EMPTY_SET: empty_set,
    op.TUPLE: tuple_,
    op.TUPLE1: tuple1,
    op.TUPLE2: tuple2,
    op.TUPLE3: tuple3,
    op.LIST: list_,
    op.DICT: dict_,
    op.FROZENSET: frozenset_,
    op.STOP: stop,
    op.MARK: mark,
    op.POP: pop,
    op.POP_MARK: pop_mark,
    op.DUP: dup,
    op.GET: get,
    op.BINGET: binget,
    op.LONG_BINGET: long_binget,
    op.PUT: put,
    op.BINPUT: binput,
    op.LONG_BINPUT: long_binput,
    op.MEMOIZE: memoize,
}
