"""Calls that make plain objects of Python: sets of old protocols, bytes, counters, and the like."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from safemodel.adapters.graph import CONSTANTS, PLAIN_TYPES
from safemodel.convert.values import Interpreter, Made, Rule, Steps, hashable, only_called
from safemodel.errors import UnconvertibleError
from safemodel.legacy.pickle_facts import Mutate, Value

_MAX_BYTES: Final = 1 << 31
_LATIN1: Final = frozenset({"latin1", "latin-1"})


def odd(made: Made) -> UnconvertibleError:
    """The error for a call with arguments that no pickler writes."""
    return UnconvertibleError(f"{made.name} with arguments that no pickler writes")


def _checked(make: Callable[[Made, list[Any]], Any]) -> Rule:
    """A rule that makes an object of its arguments alone."""

    def rule(made: Made, work: Interpreter) -> Steps:
        only_called(made)
        arguments = yield from work.arguments(made)
        try:
            return make(made, arguments)
        except (TypeError, ValueError, OverflowError, UnicodeError):
            raise odd(made) from None

    return rule


def _encoded(made: Made, arguments: list[Any]) -> bytes:
    """`_codecs.encode(text, "latin1")`: bytes in protocols below 3."""
    text, codec = arguments
    if type(text) is not str or codec not in _LATIN1:
        raise odd(made)
    return text.encode("latin1")


def _bytes(made: Made, arguments: list[Any]) -> bytes:
    if not arguments:
        return b""
    return _encoded(made, arguments) if len(arguments) == 2 else _of_bytes(made, arguments)


def _of_bytes(made: Made, arguments: list[Any]) -> bytes:
    (data,) = arguments
    if type(data) not in (bytes, bytearray):
        raise odd(made)
    return bytes(data)


def _bytearray(made: Made, arguments: list[Any]) -> bytearray:
    return bytearray(_bytes(made, arguments))


def _numbers(make: Callable[..., Any], kinds: tuple[type, ...]) -> Callable[..., Any]:
    def made_of(made: Made, arguments: list[Any]) -> Any:
        if any(type(one) not in kinds for one in arguments):
            raise odd(made)
        return make(*arguments)

    return made_of


def _slice(made: Made, arguments: list[Any]) -> slice:
    start, stop, step = arguments
    return slice(start, stop, step)


def _set(kind: type) -> Callable[..., Any]:
    def made_of(made: Made, arguments: list[Any]) -> Any:
        items: list[Any] = []
        if arguments:
            (given,) = arguments
            if type(given) not in (list, tuple):
                raise odd(made)
            items = list(given)
        return kind(hashable(items))

    return made_of


def _mapping(kind: Callable[[list[Any]], Any]) -> Rule:
    """A rule of a dictionary of a class of its own: empty, of pairs or a dictionary, then items."""

    def rule(made: Made, work: Interpreter) -> Steps:
        value = made.value
        if made.new or value.state is not None:
            raise odd(made)
        arguments = yield from work.arguments(made)
        found = kind(arguments)
        work.know(value, found)
        entries = yield from work.entries(set_pairs(value.mutations))
        for key, item in entries.items():
            found[key] = item
        return found

    return rule


def set_pairs(mutations: list[Mutate] | None) -> list[tuple[Value, Value]]:
    """The pairs that were set in an object.

    Raises:
        UnconvertibleError: something else was put into it.
    """
    pairs: list[tuple[Value, Value]] = []
    for change in mutations or ():
        if not change.opcode.startswith("SETITEM") or len(change.arguments) % 2:
            raise UnconvertibleError(f"{change.opcode} on a dictionary")
        given = change.arguments
        pairs += zip(given[::2], given[1::2], strict=True)
    return pairs


def appended(mutations: list[Mutate] | None) -> list[Value]:
    """The items that were appended to an object.

    Raises:
        UnconvertibleError: something else was put into it.
    """
    items: list[Value] = []
    for change in mutations or ():
        if not change.opcode.startswith("APPEND"):
            raise UnconvertibleError(f"{change.opcode} on a sequence")
        items += change.arguments
    return items


def ordered(arguments: list[Any]) -> OrderedDict[Any, Any]:
    """An OrderedDict of the pairs that it is called with.

    Raises:
        UnconvertibleError: something else than pairs.
    """
    if not arguments:
        return OrderedDict()
    pairs = arguments[0]
    if len(arguments) != 1 or type(pairs) is not list:
        raise UnconvertibleError("an OrderedDict of something else than pairs")
    if any(type(pair) not in (list, tuple) or len(pair) != 2 for pair in pairs):
        raise UnconvertibleError("an OrderedDict of something else than pairs")
    hashable([pair[0] for pair in pairs])
    return OrderedDict(pairs)


def _counter(arguments: list[Any]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    if arguments:
        (counts,) = arguments
        if type(counts) is not dict:
            raise UnconvertibleError("a Counter of something else than a dictionary")
        dict.update(found, counts)
    return found


def _defaultdict(arguments: list[Any]) -> defaultdict[Any, Any]:
    factory = arguments[0] if arguments else None
    known = factory is None or any(factory is kind for kind in _FACTORIES)
    if len(arguments) > 1 or not known:
        raise UnconvertibleError("a defaultdict whose factory is not a plain type")
    return defaultdict(factory)


def _deque(made: Made, work: Interpreter) -> Steps:
    arguments = yield from work.arguments(made)
    if made.new or made.value.state is not None or len(arguments) > 2:
        raise odd(made)
    first = arguments[0] if arguments else ()
    most = arguments[1] if len(arguments) > 1 else None
    bounded = most is None or (type(most) is int and 0 <= most < _MAX_BYTES)
    if type(first) not in (list, tuple) or not bounded:
        raise odd(made)
    found: deque[Any] = deque(first, most)
    work.know(made.value, found)
    found.extend((yield from work.each(appended(made.value.mutations))))
    return found


RULES: Final[Mapping[str, Rule]] = {
    "_codecs.encode": _checked(_encoded),
    "builtins.bytes": _checked(_bytes),
    "builtins.bytearray": _checked(_bytearray),
    "builtins.complex": _checked(_numbers(complex, (float, int))),
    "builtins.range": _checked(_numbers(range, (int,))),
    "builtins.slice": _checked(_slice),
    "builtins.set": _checked(_set(set)),
    "builtins.frozenset": _checked(_set(frozenset)),
    "collections.OrderedDict": _mapping(ordered),
    "collections.Counter": _mapping(_counter),
    "collections.defaultdict": _mapping(_defaultdict),
    "collections.deque": _deque,
}

_FACTORIES: Final = (*PLAIN_TYPES.values(), OrderedDict)

# Globals that are values.
NAMES: Final[Mapping[str, Any]] = {
    "collections.OrderedDict": OrderedDict,
    **{f"builtins.{name}": kind for name, kind in PLAIN_TYPES.items()},
    **{f"builtins.{name}": value for name, value in CONSTANTS.items()},
}
