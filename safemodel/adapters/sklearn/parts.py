"""The objects inside estimators that are no estimators, and the functions that may stand in them.

Each kind of part is rebuilt by calling its class, from our table, with a few checked arguments.
Functions are constants of short hand-written lists; nothing is looked up by a name from the data.
Implements spec/sklearn.md, "Estimators".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.sklearn.scope import SAVING, Audit, Scope, SpecError
from safemodel.adapters.sklearn.spec import Among, Either, Exactly, Spec, describe, one_of

if TYPE_CHECKING:
    from safemodel.adapters.sklearn.library import Library


@dataclass(frozen=True, slots=True)
class Reduced:
    """What an object tells its pickler (`__reduce_ex__(2)`), or a pickle told of it.

    `arguments` are those of its constructor without the class itself; `state` is what
    `__setstate__` would get, or None. `of` reduces an object in them.
    """

    arguments: tuple[Any, ...]
    state: Any
    of: Callable[[Any], Reduced]


@dataclass(frozen=True)
class Part:
    """A class of ours to build: where it is, its arguments, and how to read them off an object.

    `read` takes what the object tells its pickler, so that it serves a live object and a pickle
    of one alike: it must look at nothing else. `also` are further qualified names that pickles
    use for it: functions that make it, modules of older releases. `check_more` checks relations.
    A `late` part may stand in a cycle: it is made empty, and filled when the graph is complete;
    its `build` gets the empty object, and may not look at arguments that are filled late too.
    An argument whose name ends in `?` may be absent. `finish` turns a late part without a `build`,
    which is nothing but its arguments, into the real thing, when every check of the load passed.
    One that is an `estimator` may stand where estimators of the table may; `parameters` are those
    that a search may set.
    """

    module: str
    name: str
    arguments: Mapping[str, Spec]
    read: Callable[[Reduced], Mapping[str, Any]]
    build: Callable[..., Any] | None = None  # gets the class (or object) and the arguments by name
    late: bool = False  # arguments may be lists: they go in when the graph is complete
    also: tuple[str, ...] = ()
    check_more: Callable[[Mapping[str, Any], Scope], None] | None = None
    finish: Callable[[Any], None] | None = None
    estimator: bool = False
    parameters: Mapping[str, Spec] = field(default_factory=dict)

    def is_unfinished(self, value: Any) -> bool:
        """Whether an object of this part is still nothing but its arguments."""
        return self.finish is not None and vars(value).keys() == self.arguments.keys()

    @property
    def qualified(self) -> str:
        """The name in architectures and messages."""
        return f"{self.module}.{self.name}"

    def arguments_of(self, value: Any, library: Library) -> dict[str, Any]:
        """Read and check the arguments that rebuild `value`.

        Raises:
            SpecError: names the argument.
        """
        arguments = dict(self.read(library.reduced(value)))
        self.check(arguments, library, SAVING)
        return arguments

    def check(self, arguments: Mapping[str, Any], library: Library, audit: Audit) -> None:
        """Check arguments, which must be exactly those of this part.

        Raises:
            SpecError: names the argument.
        """
        required = {name for name in self.arguments if not name.endswith("?")}
        known = {name.rstrip("?") for name in self.arguments}
        if not required <= arguments.keys() <= known:
            raise SpecError(f"needs exactly the arguments {', '.join(self.arguments) or 'none'}")
        scope = Scope(library, audit)
        for name, spec in ((name.rstrip("?"), spec) for name, spec in self.arguments.items()):
            if name not in arguments:
                continue
            try:
                spec.check(arguments[name], scope)
            except SpecError as error:
                raise error.below(f".{name}") from None
        if self.check_more is not None:
            self.check_more(arguments, scope)


def positional(*names: str) -> Callable[[Reduced], Mapping[str, Any]]:
    """Return a reader of the arguments of a constructor, in order."""
    return lambda reduced: dict(zip(names, reduced.arguments, strict=True))


def nothing(reduced: Reduced) -> Mapping[str, Any]:
    """Read no arguments: the class says it all."""
    return {}


def attributes(reduced: Reduced) -> Mapping[str, Any]:
    """Read all attributes of a plain object."""
    return dict(reduced.state or {})


def build_part(kind: Any, part: Part, arguments: Mapping[str, Any]) -> Any:
    """Build the object from arguments that were checked."""
    if part.build is not None:
        return part.build(kind, **arguments)
    return kind(**arguments)


def call_in_order(kind: Any, **arguments: Any) -> Any:
    """Build a compiled object, whose constructor takes no keywords."""
    return kind(*arguments.values())


@dataclass(frozen=True)
class PartOf:
    """The spec of a part of one of the named classes."""

    names: tuple[str, ...]

    def check(self, value: Any, scope: Scope) -> None:
        part = scope.library.part(type(value))
        if part is None or part.name not in self.names:
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return f"a {' or '.join(self.names)}"


def part_kinds(*names: str) -> PartOf:
    """Return the spec of a part of one of the named classes."""
    return PartOf(names)


# Functions


@dataclass(frozen=True)
class Function:
    """A function that archives may name, with a schema for each keyword that it may be given.

    `roles` say for what: an attribute permits the functions of its role. All are pure: they read
    and write nothing but their arguments.
    """

    module: str
    name: str
    keywords: Mapping[str, Spec] = field(default_factory=dict)
    roles: tuple[str, ...] = ("transform",)
    also: tuple[str, ...] = ()  # further qualified names in pickles

    @property
    def qualified(self) -> str:
        """The name in architectures and messages."""
        return f"{self.module}.{self.name}"


PARTIAL: Final = "functools.partial"


def _listed(value: Any, scope: Scope) -> Function | None:
    """The entry of a listed function, or of the one below a `functools.partial`."""
    part = scope.library.part(type(value))
    if part is not None and part.qualified == PARTIAL:
        value = scope.arguments(value)["function"]
    return scope.library.function(value)


@dataclass(frozen=True)
class FunctionFor:
    """The spec of a function that is listed for a role, perhaps with some keywords set."""

    role: str

    def check(self, value: Any, scope: Scope) -> None:
        function = _listed(value, scope)
        if function is None and scope.is_own_function(value):
            return
        if function is None or self.role not in function.roles:
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return f"a function that is listed for {self.role} (spec/sklearn-types.md)"


@dataclass(frozen=True)
class OwnFunction:
    """The spec of a function of the user's own, which the loader must allow; none is listed."""

    def check(self, value: Any, scope: Scope) -> None:
        if not scope.is_own_function(value):
            raise SpecError(f"is {describe(value)}, but must be {self}")

    def __str__(self) -> str:
        return "a function of your own that can be imported by its name"


def check_keywords(function: Any, keywords: Any, scope: Scope) -> None:
    """Check the keywords that a listed function will be called with.

    Raises:
        SpecError: names the keyword.
    """
    entry = _listed(function, scope)
    if entry is None and scope.is_own_function(function):
        return
    for key, value in (keywords or {}).items():
        if entry is None or key not in entry.keywords:
            raise SpecError(f"has {key!r:.60}, which is no keyword that is known")
        try:
            entry.keywords[key].check(value, scope)
        except SpecError as error:
            raise error.below(f"[{key!r:.60}]") from None


# A dtype as people pass it to `dtype=`: the scalar type, a Python type or a dtype object.
SCALAR_TYPES: Final[Mapping[str, type]] = {
    name: getattr(np, name)
    for name in (
        *("float16", "float32", "float64", "bool_", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64", "object_", "str_"),
    )
}
DTYPE: Final = Either(
    (
        Among(lambda: (*SCALAR_TYPES.values(), float, int, bool), "a NumPy scalar type"),
        one_of(*SCALAR_TYPES),
        Exactly(lambda: tuple({type(np.dtype(kind)) for kind in "fdegbhilqBHILQ?O"}), "a dtype"),
    )
)
