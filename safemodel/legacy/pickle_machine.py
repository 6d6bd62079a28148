"""The abstract pickle machine: what a pickle would do, without doing it.

It runs the opcodes of protocols 0 to 5 over abstract values, as CPython's unpicklers run them over
real ones (`Modules/_pickle.c`, `Lib/pickle.py`), and yields a fact at each site. Nothing is
imported that the pickle names, nothing recurses, and memory stays in proportion to the input.

The few places where it knowingly goes on though the default unpickler raises are those where
another loader, or another version, would not: a persistent id or an extension code, an 8-bit
string that is not ASCII, and whatever depends on what a call returned or changed.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError
from safemodel.legacy import pickle_literal_ops, pickle_sites, pickle_stack_ops
from safemodel.legacy import pickle_opcodes as op
from safemodel.legacy.pickle_facts import Build, Failure, Instance, Items, Pairs, Stop
from safemodel.legacy.pickle_input import Input, StuckError
from safemodel.legacy.pickle_state import (
    BLOB,
    DEFAULT,
    LENGTH_BITS,
    LENGTH_MASK,
    NO_ITEMS,
    NO_PAIRS,
    POOLED,
    MachineLimits,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from safemodel.legacy.content import Reader
    from safemodel.legacy.pickle_facts import Fact
    from safemodel.legacy.pickle_input import Dialect

__all__ = ["DEFAULT", "MachineLimits", "trace"]

_ROUND: Final = 1 << 16  # opcodes between two looks at the budget
_MARGIN: Final = 16  # more than an opcode without a payload takes, and one behind it
_FAR: Final = -1  # no opcode
_INT: Final = Struct("<i").unpack_from
_UINT: Final = Struct("<I").unpack_from
_DOUBLE: Final = Struct(">d").unpack_from

_BINFLOAT: Final = op.BINFLOAT  # as names of this module, which are found faster
_BINGET: Final = op.BINGET
_BININT: Final = op.BININT
_BININT1: Final = op.BININT1
_BININT2: Final = op.BININT2
_BINPUT: Final = op.BINPUT
_BINUNICODE: Final = op.BINUNICODE
_LONG_BINGET: Final = op.LONG_BINGET
_LONG_BINPUT: Final = op.LONG_BINPUT
_MEMOIZE: Final = op.MEMOIZE
_SHORT_BINUNICODE: Final = op.SHORT_BINUNICODE
_NONE: Final = op.NONE
_EMPTY_LIST: Final = op.EMPTY_LIST
_EMPTY_DICT: Final = op.EMPTY_DICT
_TUPLE1: Final = op.TUPLE1
_TUPLE2: Final = op.TUPLE2

_TABLE: Final = {
    **pickle_literal_ops.HANDLERS,
    **pickle_stack_ops.HANDLERS,
    **pickle_sites.HANDLERS,
}
_HANDLERS: Final = tuple(_TABLE.get(code) for code in range(256))


def trace(
    reader: Reader,
    *,
    limits: MachineLimits = DEFAULT,
    dialect: Dialect = "c",
    values: bool = False,
    spend: Callable[[int], None] | None = None,
) -> Generator[Fact, int | None, None]:
    """Yield the facts of one pickle, which begins at the reader's position.

    The last is a `Stop`, and the reader is left behind the pickle, or a `Failure`. After a `Build`
    the consumer may move the reader forwards, or trace another pickle from it, and may `send` how
    many more bytes to go over.

    Args:
        dialect: which unpickler; they disagree about damaged pickles, hence after a `Failure` or
            an ambiguous `Oddity` the others are worth a look.
        values: keep all that containers hold, for conversion, not only the first 32 values.
        spend: called with a number of opcodes every so often; may raise `BudgetError`.
    """
    source = Input(reader, dialect)
    state = State(source, dialect, limits, values=values)
    spent = 0
    try:
        source.refill(1)
        while not state.ending:
            facts = _run(state)
            if source.oddities:
                yield from source.oddities
                source.oddities = []
            for fact in facts:
                if type(fact) is Build:
                    source.hand_over()
                    window = reader.window
                    source.take_over(window, (yield fact) or 0)
                    if len(state.memo.objects) >= state.plenty and type(fact.target) is Instance:
                        fact.target.state = state.lighter(fact.state)
                else:
                    yield fact
            if state.failing is not None:
                raise state.failing
            if state.opcodes - spent >= _ROUND:
                state.check()
                if spend is not None:
                    spend(state.opcodes - spent)
                spent = state.opcodes
        if spend is not None:
            spend(state.opcodes - spent)
        source.hand_over()
        yield Stop(state.value, state.proto, state.opcodes, source.offset)
    except StuckError as stuck:
        yield from source.oddities
        source.hand_over()
        yield Failure(stuck.message, state.at, state.opcodes, stuck.truncated, stuck.budget)
    except BudgetError as error:
        source.hand_over()
        yield Failure(error.message, state.at, state.opcodes, budget=True)


def _run(state: State) -> tuple[Fact, ...]:
    """Run opcodes until there are facts or oddities, or a round is over.

    What models are full of is done in place: strings, numbers and the memo. Everything else, and
    what is near the end of a chunk or fails, is done by its handler, from its first byte.
    """
    source, memo, stack = state.source, state.memo, state.stack
    entries, objects, pool = memo.entries, memo.objects, memo.pool
    chunk, pos, push = source.chunk, source.pos, stack.append
    safe = len(chunk) - _MARGIN
    pooled = POOLED if memo.dense and not state.values else -1
    plenty = state.plenty
    facts: tuple[Fact, ...] | None = None
    done = merged = 0
    try:
        for done in range(1, _ROUND + 1):  # noqa: B007 - counted when it ends
            code = chunk[pos] if pos < safe else _FAR
            if code == _SHORT_BINUNICODE or code == _BINUNICODE:  # noqa: SIM109
                if code == _SHORT_BINUNICODE:
                    start = pos + 2
                    stop = start + chunk[pos + 1]
                else:
                    start = pos + 5
                    stop = start + _UINT(chunk, pos + 1)[0]
                if stop < safe and stop - start <= BLOB:
                    raw = chunk[start:stop]
                    try:
                        push(raw.decode())
                    except UnicodeDecodeError:
                        pass
                    else:
                        pos = stop
                        if stop - start > pooled:
                            continue
                        code = chunk[stop]
                        if code == _MEMOIZE:
                            pos = stop + 1
                        elif code == _LONG_BINPUT:
                            if _UINT(chunk, stop + 1)[0] != len(entries):
                                continue
                            pos = stop + 5
                        elif code == _BINPUT and chunk[stop + 1] == len(entries):
                            pos = stop + 2
                        else:
                            continue
                        entries.append(len(pool) << LENGTH_BITS | stop - start)
                        pool += raw
                        merged += 1
                        continue
            elif code == _BININT:
                push(_INT(chunk, pos + 1)[0])
                pos += 5
                continue
            elif code == _BININT1:
                push(chunk[pos + 1])
                pos += 2
                continue
            elif code == _BININT2:
                push(chunk[pos + 1] | chunk[pos + 2] << 8)
                pos += 3
                continue
            elif code == _BINFLOAT:
                push(_DOUBLE(chunk, pos + 1)[0])
                pos += 9
                continue
            elif code == _LONG_BINPUT or code == _BINPUT or code == _MEMOIZE:  # noqa: SIM109
                index, stop = len(entries), pos + 1
                if code == _LONG_BINPUT:
                    index, stop = _UINT(chunk, stop)[0], pos + 5
                elif code == _BINPUT:
                    index, stop = chunk[stop], pos + 2
                if stack and memo.dense and index == len(entries):
                    top = stack[-1]
                    if len(objects) >= plenty and (type(top) is Items or type(top) is Pairs):
                        entries.append(state.light_entry(top))
                    else:
                        objects.append(top)
                        entries.append(-1 - len(objects))
                    pos = stop
                    continue
            elif code == _NONE:
                push(None)
                pos += 1
                continue
            elif code == _EMPTY_LIST:
                push(Items("list", NO_ITEMS, 0))
                pos += 1
                continue
            elif code == _EMPTY_DICT:
                push(Pairs(NO_PAIRS, 0))
                pos += 1
                continue
            elif code == _TUPLE1:
                if stack:
                    stack[-1] = Items("tuple", [stack[-1]], 1)
                    pos += 1
                    continue
            elif code == _TUPLE2:
                if len(stack) > 1:
                    items = stack[-2:]
                    del stack[-2:]
                    push(Items("tuple", items, 2))
                    pos += 1
                    continue
            elif code == _BINGET or code == _LONG_BINGET:  # noqa: SIM109
                index = chunk[pos + 1] if code == _BINGET else _UINT(chunk, pos + 1)[0]
                if index < len(entries):
                    entry = entries[index]
                    if entry < -1:
                        push(objects[-2 - entry])
                        pos += 2 if code == _BINGET else 5
                        continue
                    if entry != -1:
                        start = entry >> LENGTH_BITS
                        push(pool[start : start + (entry & LENGTH_MASK)].decode())
                        pos += 2 if code == _BINGET else 5
                        continue

            state.stack = stack
            state.at = source.base + pos
            if code == _FAR:
                source.pos = pos
                code = source.take(1)[0]
            else:
                source.pos = pos + 1
            handler = _HANDLERS[code]
            if handler is None:
                raise StuckError(f"no opcode {code:#04x}")
            facts = handler(state)
            if facts or source.oddities or state.ending:
                break
            if source.chunk is not chunk:
                chunk = source.chunk
                safe = len(chunk) - _MARGIN
            pos = source.pos
            if state.stack is not stack:
                stack = state.stack
                push = stack.append
            if not memo.dense:
                pooled = -1
        else:
            state.stack = stack
            source.pos = pos
    except IndexError:
        raise StuckError("the stack is empty") from None
    except ValueError as error:
        raise StuckError(str(error)) from None
    finally:
        state.opcodes += done + merged
    return facts or ()
