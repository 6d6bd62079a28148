"""Known functions whose harmlessness is a matter of what *they* call for the pickle.

A schema of a table that begins with `@` names one of these. Each returns why the call is not
permitted, as the end of a sentence that begins with "calls X"; "" where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from safemodel.legacy.pickle_facts import Global, Instance, Items, Pairs
from safemodel.scan.values import ARRAY_MAKERS, DILL_TYPES, resolve

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value

# Why a callee may not be used with these arguments: by "new" or "call", or, not looking at the
# arguments, as a "class", an "enum", a "constant" or "known"; or a "method" of an instance.
Permits: TypeAlias = "Callable[[Value, Value, str], str]"

_ARGUMENTS: Final = "with arguments that it is not known to be harmless with"
_COMPUTED: Final = "to get at an attribute when the pickle runs"

# What `copyreg._reconstructor` may have for a base: built-in types, which only take data over.
_BASES: Final = frozenset(
    {
        "builtins.bool",
        "builtins.bytearray",
        "builtins.bytes",
        "builtins.complex",
        "builtins.dict",
        "builtins.float",
        "builtins.frozenset",
        "builtins.int",
        "builtins.list",
        "builtins.set",
        "builtins.str",
        "builtins.tuple",
        "datetime.tzinfo",
    }
)


_ARRAYS: Final = frozenset({"numpy.ndarray", "numpy.matrix", "numpy.recarray"})


def _newobj(items: list[Value], permits: Permits) -> str:
    """`copyreg.__newobj__(cls, *args)` is NEWOBJ."""
    if not items:
        return _ARGUMENTS
    return permits(items[0], Items("tuple", items[1:], len(items) - 1), "new")


def _newobj_ex(items: list[Value], permits: Permits) -> str:
    """`copyreg.__newobj_ex__(cls, args, kwargs)` is NEWOBJ_EX; without keywords only."""
    if len(items) != 3 or not isinstance(items[2], Pairs) or items[2].count:
        return _ARGUMENTS
    return permits(items[0], items[1], "new")


def _reconstructor(items: list[Value], permits: Permits) -> str:
    """`copyreg._reconstructor(cls, base, state)`: `base.__new__(cls, state)`, for protocol 0."""
    if len(items) != 3:
        return _ARGUMENTS
    why = permits(items[0], None, "class")
    if why:
        return why
    why = permits(items[2], None, "any")
    if why:
        return why
    base = items[1]
    if not isinstance(base, Global) or not base.literal:
        return "where what it calls is computed"
    if base.full_name == "builtins.object":
        return "" if items[2] is None else _ARGUMENTS
    if base.full_name == "builtins.dict" and not isinstance(items[2], Pairs):
        return _ARGUMENTS
    return "" if base.full_name in _BASES else _ARGUMENTS


def _apply(items: list[Value], permits: Permits) -> str:
    """`torch._tensor._rebuild_from_type_v2(func, type, args, state)`: `func(*args)`."""
    rebuild = resolve(items[0]) if len(items) == 4 else None
    if rebuild is None or not rebuild.name.startswith("_rebuild_"):
        return _ARGUMENTS
    return (
        permits(items[0], items[2], "call")
        or permits(items[1], None, "class")
        or permits(items[3], None, "any")
    )


def _getattr(items: list[Value], permits: Permits) -> str:
    """`getattr(owner, name)`, which is how a pickle refers to a method or to a dotted name.

    The owner is a global, and the dotted name is known or is a member of an enumeration; or it is
    an instance of a class of which the table lists the method.
    """
    name = items[1] if len(items) == 2 else None
    if type(name) is not str:
        return _COMPUTED
    owner = items[0]
    found = resolve(owner)
    if found is not None:
        dotted = Global(found.module, f"{found.name}.{name}", found.offset, found.opcode)
        if not permits(dotted, None, "known"):
            return ""
        if name == "__new__":
            return permits(found, None, "class")
        return _COMPUTED if name.startswith("_") else permits(found, None, "enum")
    if type(owner) is Instance:
        return permits(owner, name, "method")
    # A method of plain data, but for those that get at attributes of their arguments.
    plain = type(owner) in (str, bytes, int, float, bool, Items, Pairs)
    return "" if plain and not name.startswith(("_", "format")) else _COMPUTED


def _attrgetter(items: list[Value], permits: Permits) -> str:
    """`operator.attrgetter(*names)` and `methodcaller(name, ...)`, which keep names."""
    for name in items:
        if type(name) is not str:
            return _ARGUMENTS
        if any(not part or part.startswith("_") for part in name.split(".")):
            return "with an attribute that is not public"
    return ""


def _methodcaller(items: list[Value], permits: Permits) -> str:
    return _attrgetter(items[:1], permits) if items else _ARGUMENTS


def _dill_type(items: list[Value], permits: Permits) -> str:
    """`dill._dill._load_type(name)`: a type by a name of dill's own."""
    return "" if len(items) == 1 and items[0] in DILL_TYPES else _ARGUMENTS


def _dill_namedtuple(items: list[Value], permits: Permits) -> str:
    """`dill._dill._create_namedtuple(name, fields, module)` imports the class if it is there."""
    if len(items) != 3 or type(items[0]) is not str or type(items[2]) is not str:
        return _ARGUMENTS
    return permits(Global(items[2], items[0], 0, "REDUCE"), None, "class")


def _dill_array(items: list[Value], permits: Permits) -> str:
    """`dill._dill._create_array(function, arguments, state, attributes)` calls the function.

    Then it gives the array its state, and its `__dict__` the attributes: none here.
    """
    if len(items) != 4:
        return _ARGUMENTS
    function, arguments, attributes = resolve(items[0]), items[1], items[3]
    if attributes is not None and (type(attributes) is not Pairs or attributes.count):
        return _ARGUMENTS
    if function is None or function.full_name not in ARRAY_MAKERS or type(arguments) is not Items:
        return _ARGUMENTS
    made = resolve(arguments.items[0]) if arguments.items else None
    if made is None or made.full_name not in _ARRAYS:
        return _ARGUMENTS
    return permits(function, arguments, "call")


def _ufunc(items: list[Value], permits: Permits) -> str:
    """`numpy.core._ufunc_reconstruct(module, name)` imports one and gets the other from it."""
    if len(items) != 2 or type(items[0]) is not str or type(items[1]) is not str:
        return _COMPUTED
    return permits(Global(items[0], items[1], 0, "REDUCE"), None, "constant")


SPECIAL: Final[dict[str, Callable[[list[Value], Permits], str]]] = {
    "@newobj": _newobj,
    "@newobj_ex": _newobj_ex,
    "@reconstructor": _reconstructor,
    "@apply": _apply,
    "@getattr": _getattr,
    "@attrgetter": _attrgetter,
    "@methodcaller": _methodcaller,
    "@ufunc": _ufunc,
    "@dill_type": _dill_type,
    "@dill_array": _dill_array,
    "@dill_namedtuple": _dill_namedtuple,
}
