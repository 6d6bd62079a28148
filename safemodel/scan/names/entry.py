"""What a table says of a name. Pure data; the schemas are compiled by `safemodel.scan.schema`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_PLAIN_OBJECT: Final = frozenset({"object"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that is known to be harmless in the uses that the entry permits.

    Attributes:
        role: "class" may be made by NEWOBJ or `copyreg._reconstructor` and given state by BUILD;
            "function" may be called with arguments that `call` permits; "constant" is only
            looked up. A class may be called too, where `call` is not None.
        call: the schema of the arguments of REDUCE, INST and OBJ; None: must not be called so.
        new: the schema of the arguments of NEWOBJ; None: must not be made so.
        gives: what an instance, or the result of a call, may be given: "object" a state by BUILD,
            "slots" a pair of states, "list", "dict" and "set" items, "class" what its first
            argument may. Also "enum", for an enumeration, and methods that may be got from it, with
            a dot before their names.
        reason: why a function is harmless with these arguments.
        harmless: whether any call, with any arguments made of harmless names, is harmless: what
            the guard asks, because it sees names and no calls.
        nested: what format the call would unpickle its first argument as; "" for no such thing.
        state: the schema of the state that it may be given by BUILD; "" for any.
    """

    role: Literal["class", "function", "constant"]
    call: str | None = None
    new: str | None = None
    gives: frozenset[str] = _PLAIN_OBJECT
    reason: str = ""
    harmless: bool = True
    nested: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Danger:
    """A name that is known to be dangerous: what happens when it is called.

    Attributes:
        family: one word for the kind of harm, such as "execute" or "write".
        reason: what a call does, as the end of a sentence: "runs a program".
    """

    family: str
    reason: str
