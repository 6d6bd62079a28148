"""What abstract values are, as far as that is certain: for the schemas of the tables.

A function here answers True only for what is known; everything computed at load is nothing certain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from safemodel.legacy.pickle_facts import Blob, Global, Instance, Items, Pairs, Persistent

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value
    from safemodel.scan.names.entry import Entry

Known: TypeAlias = "Callable[[str, str], Entry | None]"
Match: TypeAlias = "Callable[[Value, Known], bool]"

MAX_CONTAINERS: Final = 1000  # in one argument that must be plain
MAX_WALK: Final = 50_000  # in one that must not have certain names
MAX_DOTS: Final = 8  # of a name

# What makes bytes where a protocol has no opcode for them.
_BYTES_MAKERS: Final = frozenset({"_codecs.encode", "builtins.bytes", "builtins.bytearray"})


# Dictionaries, whose items the pickle gave them itself.
_DICTIONARIES: Final = frozenset(
    {
        "builtins.dict",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
    }
)

# What can be iterated over without running anything but built-in code.
_ITERABLES: Final = frozenset(
    {
        *_BYTES_MAKERS,
        *(
            f"builtins.{name}"
            for name in ("dict", "enumerate", "filter", "frozenset", "iter", "list", "map")
        ),
        *(f"builtins.{name}" for name in ("range", "reversed", "set", "tuple", "zip")),
        *(f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")),
        *(f"itertools.{name}" for name in ("chain", "product", "repeat")),
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "numpy._core.numeric._frombuffer",
        "numpy.core.numeric._frombuffer",
        "numpy.ndarray",
        "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper",
    }
)


def made_by(value: Instance) -> str:
    """The name of the class or function that made an instance; "" where it is no plain name.

    For what is made through `copyreg` or numpy's `_reconstruct` that is the class they are given.
    """
    callee = resolve(value.callee)
    if callee is None:
        return ""
    name = callee.full_name
    if name in RECONSTRUCTORS and type(value.arguments) is Items and value.arguments.items:
        first = value.arguments.items[0]
        return first.full_name if type(first) is Global else ""
    return name


def resolve(callee: Value, depth: int = 0) -> Global | None:
    """The global that something is, if that is certain; None if it is only known at load.

    Besides a global itself that is `getattr(global, "name")`, which is how protocols below 4 write
    a dotted name, dill's name of a type, and a class that old PyTorch saved with its source.
    """
    if type(callee) is Global:
        return callee if callee.literal else None
    if type(callee) is Persistent:
        return _saved_class(callee)
    if type(callee) is not Instance or type(callee.arguments) is not Items:
        return None
    if type(callee.callee) is not Global or not callee.callee.literal:
        return None
    name = callee.callee.full_name
    items = callee.arguments.items
    if name == "builtins.getattr" and len(items) == 2 and type(items[1]) is str:
        owner = resolve(items[0], depth + 1) if depth < MAX_DOTS else None
        if owner is not None:
            return Global(owner.module, f"{owner.name}.{items[1]}", callee.offset, "REDUCE")
    elif name == "dill._dill._load_type" and len(items) == 1:
        found = DILL_TYPES.get(items[0]) if type(items[0]) is str else None
        return None if found is None else Global(*found, callee.offset, "REDUCE")
    elif name == "dill._dill._create_namedtuple" and len(items) == 3:
        named, module = items[0], items[2]
        if type(named) is str and type(module) is str:
            return Global(module, named, callee.offset, "REDUCE")
    return None


def _saved_class(value: Persistent) -> Global | None:
    """The class of ("module", class, source file, source), which is what `torch.load` returns for
    it; its first format, a tar archive, has the last three."""
    parts = value.id
    if type(parts) is not Items or parts.kind != "tuple" or len(parts.items) not in (3, 4):
        return None
    *kind, cls, _, _ = parts.items
    saved = not kind or kind[0] in ("module", b"module")
    return cls if saved and type(cls) is Global and cls.literal else None


# What dill calls the types that it does not look up by their own names. Its other names are of
# types that make functions, code or open files.
DILL_TYPES: Final = {
    "AttrGetterType": ("operator", "attrgetter"),
    "ItemGetterType": ("operator", "itemgetter"),
    "PartialType": ("functools", "partial"),
    **{
        name: ("builtins", name)
        for name in (
            "bool",
            "bytearray",
            "bytes",
            "complex",
            "dict",
            "float",
            "frozenset",
            "int",
            "list",
            "object",
            "range",
            "set",
            "slice",
            "str",
            "tuple",
        )
    },
}

# Functions that make an empty array, which gets its content by a state.
ARRAY_MAKERS: Final = frozenset(
    {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
)

# Functions that make an instance of their first argument.
RECONSTRUCTORS: Final = frozenset(
    {
        "copyreg._reconstructor",
        "copyreg.__newobj__",
        "copyreg.__newobj_ex__",
        *ARRAY_MAKERS,
    }
)


def _none(value: Value, known: Known) -> bool:
    return value is None


def _bool(value: Value, known: Known) -> bool:
    return type(value) is bool


def _int(value: Value, known: Known) -> bool:
    return type(value) is int or (type(value) is Blob and value.kind == "int")


def _float(value: Value, known: Known) -> bool:
    return type(value) is float


def _number(value: Value, known: Known) -> bool:
    return type(value) in (bool, int, float) or _int(value, known)


def _str(value: Value, known: Known) -> bool:
    return type(value) is str or (type(value) is Blob and value.kind == "str")


def _bytes(value: Value, known: Known) -> bool:
    if type(value) is Instance:
        return made_by(value) in _BYTES_MAKERS
    return type(value) is bytes or (
        type(value) is Blob and value.kind in ("bytes", "bytearray", "buffer")
    )


def anything(value: Value, known: Known) -> bool:
    """Whatever the pickle made at sites of its own, and globals that are harmless in any use.

    Others must be where a schema names them: whoever is given one could call it.
    """
    kind = type(value)
    if kind is Global:
        return _is_free(value, known)  # type: ignore[arg-type]
    if kind is not Items and kind is not Pairs:
        return True
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        if len(seen) >= MAX_WALK:
            return False
        seen.add(id(one))
        for part in _parts(one):
            kind = type(part)
            if kind is Global:
                if not _is_free(part, known):  # type: ignore[arg-type]
                    return False
            elif kind is Items or kind is Pairs:
                waiting.append(part)
    return True


def _parts(value: Value) -> list[Value]:
    """What a container holds, keys too."""
    if type(value) is Items:
        return value.items
    if type(value) is Pairs:
        return [part for pair in value.items for part in pair]
    return []


def _is_free(value: Global, known: Known) -> bool:
    """Whether a global may be handed to anyone. One that no table knows is a finding of its own."""
    entry = known(value.module, value.name)
    return entry is None or (entry.harmless and not entry.nested)


def _plain(value: Value, known: Known) -> bool:
    waiting = [value]
    seen: set[int] = set()  # shared containers could make a tree of any size
    while waiting:
        one = waiting.pop()
        if type(one) is Items or type(one) is Pairs:
            if not one.complete or len(seen) >= MAX_CONTAINERS:
                return False
            if id(one) not in seen:
                seen.add(id(one))
                waiting += _parts(one)
        elif not (
            one is None
            or type(one) in (bool, int, float, str, bytes, Blob)
            or (type(one) is Instance and _bytes(one, known))
        ):
            return False
    return True


def _instance(value: Value, known: Known) -> bool:
    return type(value) is Instance


def _unknown(value: Value, known: Known) -> bool:
    return type(value) is Global and value.literal and known(value.module, value.name) is None


def is_named(value: Value, names: frozenset[str]) -> bool:
    found = resolve(value)
    return found is not None and found.full_name in names


def _iterable(value: Value, known: Known) -> bool:
    """Not an object of some library: iterating those runs methods over what is in their state."""
    if type(value) is Instance:
        return made_by(value) in _ITERABLES
    return type(value) in (Items, Pairs, str, bytes, Blob) and anything(value, known)


def _pairs(value: Value, known: Known) -> bool:
    """Pairs that can be seen: not those of an iterator, which puts them together at load."""
    if type(value) is Items:
        return all(type(item) in (Items, str) for item in value.items) and anything(value, known)
    if type(value) is Instance:
        return made_by(value) in _DICTIONARIES
    return type(value) is Pairs and anything(value, known)


def _role(role: str) -> Match:
    """Whether something is a global in that role."""

    def match(value: Value, known: Known) -> bool:
        found = resolve(value)
        if found is None:
            return False
        entry = known(found.module, found.name)
        if entry is None:
            return False
        if role == "harmless":
            return entry.harmless and not entry.nested and not _calls(entry)
        return role in ("known", entry.role)

    return match


def _calls(entry: Entry) -> bool:
    """Whether a function calls what it is given: that is judged where the pickle calls it."""
    schema = entry.call or ""
    words = schema.replace("(", " ").replace("|", " ").replace(",", " ").split()
    return schema.startswith("@") or (entry.role == "function" and not _PICKING.isdisjoint(words))


def sampled(inner: Match) -> Match:
    """As `inner`, of which a container needs only the items that were kept to match."""

    def match(value: Value, known: Known) -> bool:
        if type(value) is Items and not value.complete:
            return inner(Items(value.kind, value.items, len(value.items)), known)
        if type(value) is Pairs and not value.complete:
            return inner(Pairs(value.items, len(value.items)), known)
        return inner(value, known)

    return match


# Words of schemas that say what may be called or made.
_PICKING: Final = frozenset({"class", "constant", "harmless", "known", "name", "unknown"})

WORDS: Final[dict[str, Match]] = {
    "none": _none,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "number": _number,
    "str": _str,
    "bytes": _bytes,
    "any": anything,
    "plain": _plain,
    "instance": _instance,
    "class": _role("class"),
    "constant": _role("constant"),
    "known": _role("known"),
    "iterable": _iterable,
    "pairs": _pairs,
    "harmless": _role("harmless"),
    "unknown": _unknown,
}
