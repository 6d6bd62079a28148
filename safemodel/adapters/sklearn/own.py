"""Classes and functions from outside our tables: the user's own, and other packages'.

They are code, which no archive holds: it holds a name, and the attributes of an object. At load
only the caller can allow a name, in so many words; what is then imported is the caller's string,
and must be a class that pickling itself would rebuild from its `__dict__` alone. So a load runs no
code of it but the module's own: no `__init__`, no `__setstate__`, no `__new__`. Implements
spec/sklearn.md, "Own classes".
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.needs import is_name, needs_of, needs_of_nodes
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.errors import ArchitectureError, MissingLibraryError, NotAllowedError

if TYPE_CHECKING:
    from safemodel.adapters.graph_decode import Node
    from safemodel.adapters.sklearn.library import Entry, Library
    from safemodel.adapters.sklearn.schema import Schema
    from safemodel.format.canonical_json import JsonValue

# Nobody's own: a caller who is talked into allowing one of these would be attacked by it.
_CLOSED: Final = frozenset(sys.stdlib_module_names - {"__main__"}) | frozenset(
    (
        *("catboost", "cloudpickle", "dill", "joblib", "keras", "lightgbm", "numpy", "onnx"),
        *("onnxruntime", "pandas", "pip", "pkg_resources", "polars", "safemodel", "scipy"),
        *("setuptools", "sklearn", "skops", "tensorflow", "torch", "xgboost"),
    )
)
_MOVED: Final = "move it into a module that whoever loads the model can import too"
_PLAIN: Final = "only objects that are their attributes and nothing more can be rebuilt"


@dataclass(frozen=True, slots=True)
class Own:
    """An object of a class outside the tables: its qualified name and its attributes.

    `base` is the nearest class of the table that its class is derived from.
    """

    qualified: str
    state: Mapping[str, Any]
    base: Entry | None = None


def qualified_name(kind: Any) -> str:
    """Return the name by which a class or function is imported."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_closed(name: str) -> bool:
    """Whether a name is of a package whose code can't be allowed one by one."""
    return name.partition(".")[0] in _CLOSED


# Live objects


def own_of(value: Any, library: Library) -> Own | None:
    """Return what an object of a class outside the tables consists of; None if it is none.

    Raises:
        SpecError: it can't be rebuilt from its attributes.
    """
    kind = type(value)
    if is_closed(qualified_name(kind)):
        return None
    state = getattr(value, "__dict__", None)
    if type(state) is not dict or isinstance(value, type | types.FunctionType | types.ModuleType):
        return None
    check_class(kind)
    check_importable(kind)
    base = base_of(kind, library)
    left = frozenset() if base is None else base.schema.caches
    kept = {name: one for name, one in state.items() if name not in left}
    if base is not None:
        kept.update(dict.fromkeys(base.schema.resets & kept.keys()))
    check_names(kind, kept)
    return Own(qualified_name(kind), kept, base)


def own_function_of(value: Any) -> str | None:
    """Return the name of a function outside the tables; None if it is no function of anybody's.

    Raises:
        SpecError: it has no name to import it by.
    """
    if type(value) is not types.FunctionType or is_closed(f"{value.__module__}."):
        return None
    check_importable(value)
    return qualified_name(value)


def check_importable(value: Any) -> None:
    """Refuse a class or function that its name does not lead to.

    Raises:
        SpecError: it is a lambda, made in a function, or hidden behind another.
    """
    name = qualified_name(value)
    what = "class" if isinstance(value, type) else "function"
    if "<lambda>" in name:
        raise SpecError(f"is a lambda, which has no name to import it by: {_MOVED}")
    if "<locals>" in name:
        raise SpecError(f"is a {what} made in a function, {name}: {_MOVED}")
    found: Any = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not value or not is_name(name):
        raise SpecError(f"is a {what} that its name {name} does not lead to: {_MOVED}")


def check_class(kind: type) -> None:
    """Refuse a class whose objects are more than their attributes.

    Raises:
        SpecError: it says itself how it is pickled, or is made of more than a `__dict__`.
    """
    named = qualified_name(kind)
    for method in ("__reduce__", "__reduce_ex__", "__new__"):
        if getattr(kind, method) is not getattr(object, method):
            raise SpecError(f"is of {named}, which has a {method} of its own: {_PLAIN}")
    usual = _usual_methods(kind)
    for method in ("__getstate__", "__setstate__"):
        found = getattr(kind, method, None)
        if found is not getattr(object, method, None) and found not in usual:
            raise SpecError(f"is of {named}, which has a {method} of its own: {_PLAIN}")
    for base in kind.__mro__:
        if vars(base).get("__slots__"):
            raise SpecError(f"is of {named}, which has __slots__: {_PLAIN}")
    for method in ("__getnewargs__", "__getnewargs_ex__"):
        if hasattr(kind, method):
            raise SpecError(f"is of {named}, which has a {method} of its own: {_PLAIN}")


def _usual_methods(kind: type) -> tuple[Any, ...]:
    """Those of scikit-learn's BaseEstimator: they only add and compare the release."""
    for base in kind.__mro__:
        if base.__module__ == "sklearn.base" and base.__qualname__ == "BaseEstimator":
            return base.__getstate__, base.__setstate__  # type: ignore[attr-defined]  # it has
    return ()


def check_names(kind: type, state: Mapping[str, Any]) -> None:
    """Refuse attributes that would hide something of the class.

    Raises:
        SpecError: names the attribute.
    """
    from safemodel.adapters.sklearn.library import is_shadowing

    for name in state:
        if type(name) is not str or is_shadowing(kind, name):
            raise SpecError("would shadow something of the class", f".{name}")


def base_of(kind: type, library: Library) -> Entry | None:
    """Return the nearest class of the table that a class is derived from."""
    return next((one for base in kind.__mro__ if (one := library.entry(base)) is not None), None)


def check_base(base: Entry, state: Mapping[str, Any], scope: Scope) -> None:
    """Check what a class of the table relies on in an object of a class derived from it.

    The derived class may have more attributes, and parameters of its own. scikit-learn's methods,
    and the compiled code below them, follow those of the base all the same.

    Raises:
        SpecError: names the attribute.
    """
    schema: Schema = base.schema
    known = {name: value for name, value in state.items() if name in schema.names}
    try:
        schema.check(known, scope, ())
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        message = str(error).split("\n", 1)[0]
        raise SpecError(f"does not fit its base {schema.name}: {message!s:.200}") from None


def notices(architecture: JsonValue) -> tuple[str, ...]:
    """What to tell whoever saves a model that needs code from outside the archive."""
    needed = needs_of(architecture)
    if not needed:
        return ()
    listed = ", ".join(f'"{name}"' for name in needed)
    line = f"who loads this needs that code, and has to write: sm.load(path, allow=[{listed}])"
    if any(name.startswith("__main__.") for name in needed):
        line += "; what is in __main__ they must define in their own script: better in a module"
    return (line,)


# Load


def check_allowed(nodes: Sequence[Node], allow: Sequence[str]) -> None:
    """Refuse a graph that needs code which the caller does not allow; name all of it at once.

    Raises:
        NotAllowedError: the hint is what to write.
        ArchitectureError: it names what nobody can allow.
    """
    needed = needs_of_nodes(nodes)
    closed = [name for name in needed if is_closed(name)]
    if closed:
        raise ArchitectureError(f"{closed[0]:.200} is no class or function of anybody's own")
    if set(needed) <= set(allow):
        return
    several = [*allow, *(name for name in needed if name not in allow)]
    missing = ", ".join(name for name in needed if name not in allow)
    listed = ", ".join(f'"{name}"' if is_name(name) else repr(name) for name in several)
    raise NotAllowedError(
        f"it needs code from outside the archive: {missing}",
        hint=f"if you know that code and trust it: sm.load(path, allow=[{listed}])",
    )


def resolve(name: object, allow: Sequence[str]) -> Any:
    """Import what the caller allows by this name.

    Raises:
        ArchitectureError: not allowed, not there, or not what the name says.
    """
    chosen = next((one for one in allow if one == name), None)
    if chosen is None or not is_name(chosen) or is_closed(chosen):
        raise NotAllowedError(f"{name!r:.200} is not allowed")
    found = _found(chosen)
    if getattr(found, "__module__", None) is None or qualified_name(found) != chosen:
        raise ArchitectureError(f"{chosen} is not the name of what is found there")
    return found


def _found(name: str) -> Any:
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
                continue
            raise MissingLibraryError(f"{module_name} needs {error.name}") from error
        for part in parts[length:]:
            found = getattr(found, part, None)
        if found is not None and hasattr(found, "__qualname__"):
            return found
    hint = "make its package importable: install it, or add its folder to sys.path"
    if parts[0] == "__main__":
        hint = "it was defined in the script that saved the model: define it in yours too"
    raise MissingLibraryError(f"{name} is allowed, and can't be found", hint=hint)


def resolve_class(name: object, allow: Sequence[str]) -> type:
    """Import a class that the caller allows.

    Raises:
        ArchitectureError: it is none whose objects can be rebuilt.
    """
    kind = resolve(name, allow)
    if not isinstance(kind, type):
        raise ArchitectureError(f"{name} is not a class")
    try:
        check_class(kind)
    except SpecError as error:
        raise ArchitectureError(f"an object that {error.message}") from None
    return kind


def resolve_function(name: object, allow: Sequence[str]) -> types.FunctionType:
    """Import a function that the caller allows.

    Raises:
        ArchitectureError: it is none.
    """
    function = resolve(name, allow)
    if type(function) is not types.FunctionType:
        raise ArchitectureError(f"{name} is not a function")
    return function
