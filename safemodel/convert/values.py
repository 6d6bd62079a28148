"""The value tree of a pickle to objects: plain containers, and everything that a table makes.

What the pickle machine says of a pickle (`legacy/pickle_facts.py`) is turned into real lists,
dictionaries and numbers; whatever is called or has a state goes to the rule of exactly its name,
and without one it is refused with its place. Values that the pickle shares become one object.
Nothing is imported, looked up or called by a name from the file, and nothing recurses: a rule is
a generator that asks for the values that it needs, and gets what they became.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from safemodel import limits
from safemodel.adapters.graph_work import check_hashes
from safemodel.errors import ArchitectureError, UnconvertibleError
from safemodel.legacy.pickle_facts import Blob, Global, Instance, Items, Pairs, Persistent, Value
from safemodel.legacy.pickle_literals import string_literal
from safemodel.legacy.torch_storage import module_class

# What a rule asks for: a value, and what people call its place ("" where it has no name).
Steps: TypeAlias = "Generator[tuple[Value, object], Any, Any]"
Rule: TypeAlias = "Callable[[Made, Interpreter], Steps]"
Name: TypeAlias = "Callable[[str], Any]"  # what a global is, as a value

NOTHING: Final = object()  # of a name that is in no table
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_NEW: Final = frozenset({"copyreg.__newobj__", "copyreg.__newobj_ex__"})
_RECONSTRUCT: Final = "copyreg._reconstructor"
_SEQUENCES: Final = frozenset({list, tuple})
_HASHED: Final = frozenset({tuple, frozenset})
_MAX_PLACE: Final = 20  # parts of a place that are shown
_MAX_DEPTH: Final = 3 * limits.MAX_GRAPH_DEPTH  # a node is two or three values
_MAX_WEIGHT: Final = 50_000_000
_MAX_KEY: Final = 1_000  # items of one key, unfolded: each is hashed, by recursion


@dataclass(frozen=True, slots=True)
class Made:
    """A call, in one form for all protocols.

    Attributes:
        value: the call itself, with its state and what was put into it.
        name: qualified, of the function or class.
        new: whether an object of a class is made without its constructor.
        arguments: without the class, if `new`.
        base: of protocols 0 and 1: the built-in class and the value that a `new` object is made
            of; None where it is a plain object.
    """

    value: Instance
    name: str
    new: bool
    arguments: tuple[Value, ...]
    base: tuple[str, Value] | None = None


@dataclass(slots=True, eq=False)
class _Frame:
    steps: Steps
    value: Value
    label: object = ""


class Interpreter:
    """Turns values into objects, each of them once.

    Attributes:
        data: the bytes that the pickle is in, for literals that the machine did not keep.
    """

    def __init__(
        self,
        data: memoryview,
        rules: Mapping[str, Rule],
        name: Name,
        persistent: Callable[[Value], Any] | None = None,
    ) -> None:
        """`rules` are by qualified name; `name` says what a global is that is used as a value,
        `persistent` what an id stands for.
        """
        self.data = data
        self._persistent = persistent
        self._rules = rules
        self._name = name
        self._known: dict[int, tuple[Any, Any]] = {}  # with the values: their ids stay theirs
        self._open: set[int] = set()
        self._weights: dict[int, int] = {}  # of sequences in `_known`: their items, unfolded

    def know(self, value: Value, made: Any) -> None:
        """Say what a value is, before its parts are: they may refer to it."""
        self._known[id(value)] = value, made

    def run(self, root: Value) -> Any:
        """What a value becomes.

        Raises:
            UnconvertibleError: part of it has no interpretation; `place` says which.
        """
        frames: list[_Frame] = []
        wanted: Value = root
        label: object = ""
        while True:
            found = self._at_once(wanted)
            if found is NOTHING:
                if id(wanted) in self._open:
                    raise _placed(UnconvertibleError("is part of itself"), frames, label)
                if frames:
                    frames[-1].label = label
                if len(frames) > _MAX_DEPTH:
                    raise UnconvertibleError(f"is nested deeper than {_MAX_DEPTH} values")
                self._open.add(id(wanted))
                try:
                    frames.append(_Frame(self._steps(wanted), wanted))
                except UnconvertibleError as error:
                    raise _placed(error, frames) from None
                found = None
            while frames:
                frame = frames[-1]
                try:
                    wanted, label = frame.steps.send(found)
                    break
                except StopIteration as done:
                    found = done.value
                except UnconvertibleError as error:
                    raise _placed(error, frames[:-1]) from None
                except ArchitectureError as error:
                    raise _placed(UnconvertibleError(error.message), frames[:-1]) from None
                except (ArithmeticError, LookupError, TypeError, ValueError):
                    raise _placed(_odd(frame.value), frames[:-1]) from None
                self._known[id(frame.value)] = frame.value, found
                self._open.discard(id(frame.value))
                frames.pop()
            else:
                return found

    def _at_once(self, value: Value) -> Any:
        """What a value is, if that takes no work; else NOTHING."""
        if type(value) in _PLAIN:
            return value
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        if (
            type(value) is Items
            and value.kind == "tuple"
            and _PLAIN.issuperset(map(type, value.items))
        ):
            found = tuple(value.items)
            self.know(value, found)
            return found
        return NOTHING

    def _steps(self, value: Value) -> Steps:
        if isinstance(value, Instance):
            return self._call(value)
        if isinstance(value, Items):
            return self._items(value)
        if isinstance(value, Pairs):
            return self._pairs(value)
        return _done(self._leaf(value))

    # Plain data

    def _items(self, value: Items) -> Steps:
        if value.kind == "list":
            made: list[Any] = []
            self.know(value, made)
            made += yield from self.each(value.items)
            self._weigh(made)
            return made
        if value.kind == "set":
            found: set[Any] = set()
            self.know(value, found)
            found.update(hashable((yield from self.each(value.items))))
            return found
        items = yield from self.each(value.items)
        if value.kind == "frozenset":
            return frozenset(hashable(items))
        several = tuple(items)
        self._weigh(several)
        return several

    def _weigh(self, made: list[Any] | tuple[Any, ...]) -> None:
        """Refuse what unfolds without end: lists of lists, each twice in the next."""
        if _SEQUENCES.isdisjoint(map(type, made)):
            return
        weights = self._weights
        total = sum(
            weights.get(id(one), len(one)) if type(one) in _SEQUENCES else 1 for one in made
        )
        if total > _MAX_WEIGHT:
            raise UnconvertibleError("refers to the same lists far more often than objects do")
        weights[id(made)] = total

    def _pairs(self, value: Pairs) -> Steps:
        made: dict[Any, Any] = {}
        self.know(value, made)
        made.update((yield from self.entries(value.items)))
        return made

    def each(self, values: list[Value]) -> Generator[tuple[Value, object], Any, list[Any]]:
        """What the values of a list are."""
        if _PLAIN.issuperset(map(type, values)):
            return list(values)
        found = []
        for index, value in enumerate(values):
            found.append(value if type(value) in _PLAIN else (yield value, index))
        return found

    def entries(
        self, pairs: list[tuple[Value, Value]]
    ) -> Generator[tuple[Value, object], Any, dict[Any, Any]]:
        """What the pairs of a dictionary are; of two with one key the later counts."""
        keys, made = [], []
        for key, value in pairs:
            keys.append(key if type(key) in _PLAIN else (yield key, "key"))
            made.append(value if type(value) in _PLAIN else (yield value, keys[-1]))
        return dict(zip(hashable(keys), made, strict=True))

    def _leaf(self, value: Value) -> Any:
        if isinstance(value, Global):
            if not value.literal:
                raise UnconvertibleError(f"a name that is made while it is loaded{_at(value)}")
            found = self._name(value.full_name)
            if found is NOTHING:
                raise unknown(value.full_name, value)
            return found
        if isinstance(value, Blob):
            return self._literal(value)
        if isinstance(value, Persistent) and self._persistent is not None:
            return self._persistent(value.id)
        raise UnconvertibleError("something that only its own loader knows")

    def _literal(self, blob: Blob) -> Any:
        raw = self.raw(blob)
        if blob.kind == "int":
            raise UnconvertibleError("an integer of thousands of digits")
        if blob.kind == "bytearray":
            return bytearray(raw)
        if blob.kind == "bytes" and blob.form != "quoted":
            return bytes(raw)
        if blob.form == "quoted":  # a string of Python 2, which loads as text
            return string_literal(bytes(raw)).decode("latin1")
        if blob.kind == "buffer":
            raise UnconvertibleError("a buffer outside of an array")
        codec = {"latin1": "latin1", "escaped": "raw-unicode-escape"}.get(blob.form, "utf-8")
        errors = "surrogatepass" if codec == "utf-8" else "strict"
        try:
            return str(raw, codec, errors)
        except UnicodeDecodeError:
            raise UnconvertibleError("text that is not in its encoding") from None

    def raw(self, blob: Blob) -> memoryview:
        """The bytes of a literal, where they are."""
        if blob.data is not None:
            return memoryview(blob.data)
        return self.data[blob.offset : blob.offset + blob.size]

    # Calls

    def _call(self, value: Instance) -> Steps:
        made = normal(value)
        rule = self._rules.get(made.name)
        if rule is None:
            raise unknown(made.name, value)
        return rule(made, self)

    def arguments(self, made: Made) -> Generator[tuple[Value, object], Any, list[Any]]:
        """What the arguments of a call are."""
        return self.each(list(made.arguments))


def _odd(value: Value) -> UnconvertibleError:
    """The error for arguments or a state that a rule stumbled over."""
    name = normal(value).name if isinstance(value, Instance) else "a value"
    return UnconvertibleError(f"{name} in a form that no pickler writes")


def _done(found: Any) -> Steps:
    """The steps to what is there already: none."""
    yield from ()
    return found


def normal(value: Instance) -> Made:
    """A call in the form that does not depend on the protocol.

    Raises:
        UnconvertibleError: a call that no pickler writes.
    """
    callee, arguments = _method(_global(value.callee)), value.arguments
    if not isinstance(callee, Global) or not callee.literal:
        raise UnconvertibleError(f"calls something that is made while it is loaded{_at(value)}")
    if not isinstance(arguments, Items) or value.keywords is not None:
        raise UnconvertibleError(f"calls {callee.full_name} in a way that no pickler does")
    given, name = tuple(arguments.items), callee.full_name
    if name == _RECONSTRUCT and len(given) == 3:
        cls, base = _class(given[0]), _class(given[1])
        plain = base == "builtins.object" and given[2] is None
        return Made(value, cls, True, (), None if plain else (base, given[2]))
    if name in _NEW and given:
        return Made(value, _class(given[0]), True, given[1:])
    return Made(value, name, value.opcode.startswith("NEWOBJ"), given)


def _method(callee: Value) -> Value:
    """A method of a class that a pickle gets by `getattr`, as one global."""
    if not isinstance(callee, Instance) or not isinstance(callee.callee, Global):
        return callee
    given = callee.arguments.items if isinstance(callee.arguments, Items) else []
    if callee.callee.full_name != "builtins.getattr" or len(given) != 2:
        return callee
    owner, name = given
    if not isinstance(owner, Global) or type(name) is not str or not owner.literal:
        return callee
    return Global(owner.module, f"{owner.name}.{name}", owner.offset, owner.opcode)


def _global(value: Value) -> Value:
    """A class with its source, in old files of PyTorch, as the class alone."""
    return module_class(value.id) if isinstance(value, Persistent) else value


def _class(value: Value) -> str:
    value = _global(value)
    if not isinstance(value, Global) or not value.literal:
        raise UnconvertibleError("makes an object of something that is no class")
    return value.full_name


def only_called(made: Made) -> None:
    """Refuse a call whose result gets a state or items, or is an object made without one.

    Raises:
        UnconvertibleError: it does.
    """
    value = made.value
    if made.new or value.state is not None or value.mutations:
        raise UnconvertibleError(f"{made.name} in a form that no pickler writes{_at(value)}")


def hashable(items: list[Any]) -> list[Any]:
    """The same items, which can be keys.

    Raises:
        UnconvertibleError: one of them can't, or they are chosen to have one hash.
    """
    kinds = set(map(type, items))
    if kinds == {str}:
        return items
    if not _HASHED.isdisjoint(kinds):
        for item in items:
            if type(item) in _HASHED:
                _check_key(item)
    try:
        check_hashes(items)
    except ArchitectureError as error:
        raise UnconvertibleError(error.message) from None
    return items


def _check_key(key: Any) -> None:
    """Refuse a key that takes long to hash, or is nested deeply.

    Raises:
        UnconvertibleError: it does, or is.
    """
    pending, seen = [key], 0
    while pending:
        item = pending.pop()
        if type(item) in _HASHED:
            pending += item
        seen += 1
        if seen > _MAX_KEY or len(pending) > _MAX_KEY:
            raise UnconvertibleError(f"a key of more than {_MAX_KEY} items")


def unknown(name: str, value: Global | Instance) -> UnconvertibleError:
    """The error for a name that no table has."""
    return UnconvertibleError(
        f"there is no interpretation of {name}{_at(value)}",
        hint="load it where you trust it, and save it with safemodel.save",
    )


def _at(value: Global | Instance) -> str:
    return f" (byte {value.offset})"


def _shown(label: object) -> str:
    """A part of a place; what is no plain key could take for ever to print."""
    return str(label)[:60] if type(label) in _PLAIN else type(label).__name__


def _placed(
    error: UnconvertibleError, frames: list[_Frame], last: object = ""
) -> UnconvertibleError:
    """Say where in the object it is: `steps.1.1.coef_`."""
    labels = [_shown(label) for label in [*(frame.label for frame in frames), last]]
    labels = [label for label in labels if label]
    if len(labels) > _MAX_PLACE:
        labels = [*labels[: _MAX_PLACE // 2], "...", *labels[-_MAX_PLACE // 2 :]]
    error.place = error.place or ".".join(labels) or None
    return error
