"""A configuration of Keras, audited by the closed table before Keras sees it.

`check` walks plain values: what `keras.saving.serialize_keras_object` gives, what an archive holds,
what a `config.json` holds. Nothing is looked up, imported or made, and no Keras is needed. Each
object must be of the table, with the arguments that its entry has; those of the caller's own
classes, which `allow` names, may hold whatever is plain or of the table. Implements spec/keras.md,
"Configuration".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from safemodel.adapters.keras import graphs
from safemodel.adapters.keras.refused import REFUSED
from safemodel.adapters.keras.specs import (
    MAX_DEPTH,
    SpecError,
    describe,
    is_array,
    is_integer,
    is_name,
    is_shape,
)
from safemodel.adapters.keras.table import Class, table
from safemodel.adapters.needs import REGISTERED
from safemodel.errors import ArchitectureError, NotAllowedError

MAX_VALUES: Final = 8_000_000
_OBJECT: Final = frozenset(
    {
        *("module", "class_name", "config", "registered_name"),
        *("build_config", "compile_config", "shared_object_id"),
    }
)
_IN_GRAPH: Final = frozenset({"name", "inbound_nodes"})
# Where the two classes of models that have no code of their own are, in all releases of Keras 3
FUNCTIONAL: Final = frozenset(
    {
        *(("keras", "Functional"), ("keras.models", "Functional"), ("keras", "Model")),
        *(("keras.src.models.functional", "Functional"), ("keras.src.engine.functional", "Model")),
    }
)
SEQUENTIAL: Final = frozenset(
    {("keras", "Sequential"), ("keras.models", "Sequential"), ("keras.src.models", "Sequential")}
)
# Which classes, by their role in the table, stand for what an argument needs
_ACCEPTED: Final[Mapping[str, frozenset[str]]] = {
    "activation": frozenset({"layer"}),
    "layer": frozenset({"layer"}),
    "loss": frozenset({"loss"}),
    "metric": frozenset({"metric", "loss"}),
}
_FUNCTIONS: Final[Mapping[str, str]] = {"lossfunction": "loss", "metricfunction": "metric"}


class RefusedError(SpecError):
    """Something that is of no table, or whose entry says why it is refused; with what to do."""

    def __init__(self, message: str, place: str = "", *, hint: str, own: bool = False) -> None:
        super().__init__(message, place)
        self.hint = hint
        self.own = own

    def below(self, place: str) -> RefusedError:
        return RefusedError(self.message, place + self.place, hint=self.hint, own=self.own)


def is_registered(name: str) -> bool:
    """Whether a name is of the form that classes of a caller's own are registered by."""
    return bool(REGISTERED.fullmatch(name))


def check(config: Any, allow: Iterable[str] = (), role: str = "layer") -> frozenset[str]:
    """Audit the configuration of an object of a role; return the names of `allow` that it needs.

    Models are of the role `layer`.

    Raises:
        NotAllowedError: it names a class or function of somebody's own that `allow` does not.
        ArchitectureError: anything else that the table does not permit; `place` says where.
    """
    check_plain(config)
    checker = Checker(allow if isinstance(allow, frozenset) else frozenset(allow))
    run(lambda: checker.object(config, role))
    return frozenset(checker.used)


def check_compiled(
    config: Any, allow: Iterable[str] = (), *, exact: bool = False
) -> frozenset[str]:
    """Audit what a model was compiled with; return the names of `allow` that it needs.

    Without an optimizer it is for a class of the caller's own, which takes other arguments; not
    so with `exact`.

    Raises:
        NotAllowedError, ArchitectureError: see `check`.
    """
    check_plain(config)
    checker = Checker(allow if isinstance(allow, frozenset) else frozenset(allow))
    if type(config) is dict and "optimizer" not in config and not exact:
        run(lambda: checker.own_values(config))
    else:
        run(lambda: graphs.check_compiled(config, checker))
    return frozenset(checker.used)


def run(audit: Callable[[], None]) -> None:
    """Run an audit; what it refuses is an error of ours.

    Raises:
        NotAllowedError, ArchitectureError: see `check`.
    """
    try:
        audit()
    except RefusedError as error:
        kind = NotAllowedError if error.own else ArchitectureError
        raise kind(error.message, place=error.place.lstrip(".") or None, hint=error.hint) from None
    except SpecError as error:
        raise ArchitectureError(error.message, place=error.place.lstrip(".") or None) from None


def check_plain(value: Any) -> None:
    """Refuse values that are no JSON, and more or deeper ones than a model has.

    Raises:
        ArchitectureError: as said; also what holds itself.
    """
    waiting = [(value, 0)]
    seen = 0
    while waiting:
        item, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            raise ArchitectureError("a configuration that is too deep or too large")
        kind = type(item)
        if kind is list or kind is tuple:
            waiting += [(part, depth + 1) for part in item]
        elif kind is dict:
            if not all(type(key) is str for key in item):
                raise ArchitectureError("a key of a configuration that is no text")
            waiting += [(part, depth + 1) for part in item.values()]
        elif item is not None and kind not in (bool, int, float, str):
            raise ArchitectureError(f"a {kind.__name__} in a configuration")


class Checker:
    """One audit under way; what `specs.Objects` promises."""

    def __init__(self, allow: frozenset[str]) -> None:
        self.used: set[str] = set()
        self._allow = allow
        self._shared: dict[int, tuple[object, ...]] = {}
        self.calls = graphs.Calls()

    def object(self, value: Any, role: str) -> None:
        """An object of a role, or what stands for one."""
        if type(value) is str:
            if value not in table().strings.get(role, ()):
                raise SpecError(f"is {describe(value)}, which is no {role} of the table")
            return
        if type(value) is not dict or type(value.get("class_name")) is not str:
            article = "an" if role[0] in "aeiou" else "a"
            raise SpecError(f"is {describe(value)}, but must be an object: {article} {role}")
        if value["class_name"] == "function":
            self._function(value, role)
        else:
            self._instance(value, role)

    def any_object(self, value: Any) -> None:
        """An object of any role, where a class of the caller's own says which."""
        name = value.get("class_name")
        if type(name) is not str:
            raise SpecError("is an object of a class without a name")
        if name == "function":
            self._function(value, None)
        elif name.startswith("__"):
            graphs.check_value(value, None)
        else:
            self._instance(value, None)

    # Functions

    def _function(self, value: Mapping[str, Any], role: str | None) -> None:
        if value.keys() - {"module", "class_name", "config", "registered_name", "shared_object_id"}:
            raise SpecError("has keys that a function does not have")
        name, module, registered = (value.get(k) for k in ("config", "module", "registered_name"))
        if type(name) is not str or type(module) not in (str, type(None)):
            raise SpecError("is a function without a name or with a module that is no text")
        if self._is_own(name) and registered in (None, name, "function"):
            return
        roles = [_FUNCTIONS.get(role, role)] if role is not None else list(table().functions)
        modules: set[str] = set()
        for one in roles:
            modules |= table().functions.get(one, {}).get(name, frozenset())
        if not modules or not (module == "builtins" or module in modules):
            self._unknown("function", module, name, name)
        if registered not in (None, name, "function"):
            raise SpecError(f"is registered as {describe(registered)}, which must be its name")

    # Classes

    def _instance(self, value: Mapping[str, Any], role: str | None, extra: bool = False) -> None:
        unknown = value.keys() - _OBJECT - (_IN_GRAPH if extra else frozenset())
        if unknown:
            raise SpecError(f"has the key {min(unknown)!r:.60}, which an object does not have")
        module, name = value.get("module"), value["class_name"]
        config = value.get("config")
        if type(config) is not dict:
            raise SpecError(f"has a config that is {describe(config)}")
        self._check_shared(value)
        registered = value.get("registered_name")
        if self._is_own(registered):
            self._own(value)
            return
        if registered not in (None, name):
            self._unknown("class", module, name, registered)
        where = _place_of(value)
        if where in FUNCTIONAL or where in SEQUENTIAL:
            if role not in ("layer", None):
                raise SpecError(f"is a model, but must be a {role}")
            self._model(value, where in FUNCTIONAL)
            return
        found = table().classes.get(where)
        if found is None:
            self._unknown("class", module, name, registered)
        accepted = _ACCEPTED.get(role, frozenset({role})) if role is not None else None
        if accepted is not None and found.role not in accepted:
            raise SpecError(f"is a {found.qualified}, but must be a {role}")
        self._arguments(config, found)
        self._build(value)
        if value.get("compile_config") is not None:
            raise SpecError("is compiled, and no model", ".compile_config")

    def _arguments(self, config: Mapping[str, Any], found: Class) -> None:
        for name, argument in config.items():
            spec = found.arguments.get(name)
            place = f".{name[:100]}"
            if spec is None:
                raise SpecError(f"is no argument that {found.qualified} is known to have", place)
            try:
                spec.check(argument, self)
            except SpecError as error:
                raise _explained(error.below(place), found.name, name) from None
        given = config.get("name")
        if found.role != "policy" and not (given is None or is_name(given)):
            raise SpecError(f"is {describe(given)}, which can't be a name", ".name")

    def _build(self, value: Mapping[str, Any]) -> None:
        try:
            check_shapes(value.get("build_config"))
        except SpecError as error:
            raise error.below(".build_config") from None

    def _check_shared(self, value: Mapping[str, Any]) -> None:
        """Objects of one number are one object, so they must say the same of it."""
        number = value.get("shared_object_id")
        if number is None:
            return
        if not is_integer(number):
            raise SpecError("is no number", ".shared_object_id")
        said = tuple(value.get(key) for key in ("module", "class_name", "registered_name"))
        if self._shared.setdefault(number, said) != said:
            raise SpecError("is the number of an object of another class", ".shared_object_id")

    # Models

    def _model(self, value: Mapping[str, Any], functional: bool) -> None:
        config = value["config"]
        if functional:
            graphs.check_functional(config, self, exact=True)
        else:
            graphs.check_sequential(config, self)
        self._build(value)
        self._compiled(value)

    def layer_in_graph(self, value: Any) -> None:
        """An entry of a functional model: a layer or an operation, and how it is called."""
        if type(value) is not dict or type(value.get("class_name")) is not str:
            raise SpecError(f"is {describe(value)}, but must be a layer")
        found = table().classes.get(_place_of(value))
        operation = found is not None and found.role == "operation"
        self._instance(value, "operation" if operation else "layer", extra=True)

    def _compiled(self, value: Mapping[str, Any]) -> None:
        compiled = value.get("compile_config")
        if compiled is None:
            return
        try:
            graphs.check_compiled(compiled, self)
        except SpecError as error:
            raise error.below(".compile_config") from None

    # The caller's own

    def _is_own(self, name: Any) -> bool:
        if type(name) is str and name in self._allow and REGISTERED.fullmatch(name):
            self.used.add(name)
            return True
        return False

    def _own(self, value: Mapping[str, Any]) -> None:
        config = value["config"]
        if {"layers", "input_layers", "output_layers"} <= config.keys():
            graphs.check_functional(config, self, exact=False)
        else:
            self.own_values(config, ".config")
        self.own_values(value.get("build_config"), ".build_config")
        compiled = value.get("compile_config")
        if type(compiled) is dict and "optimizer" in compiled:
            self._compiled(value)
        else:
            self.own_values(compiled, ".compile_config")

    def own_values(self, value: Any, place: str = "") -> None:
        """Plain values of any kind, and objects of the table among them."""
        try:
            if type(value) is dict:
                if "class_name" in value:
                    self.any_object(value)
                    return
                for key, item in value.items():
                    self.own_values(item, f".{key[:100]}")
            elif type(value) in (list, tuple):
                for index, item in enumerate(value):
                    self.own_values(item, f"[{index}]")
        except SpecError as error:
            raise error.below(place) from None

    def _unknown(self, what: str, module: Any, name: str, registered: Any) -> NoReturn:
        if reason := REFUSED.get(name):
            raise RefusedError(f"a {name} {reason[0]}", hint=reason[1])
        full = f"{module}.{name}" if type(module) is str else name
        if type(registered) is str and REGISTERED.fullmatch(registered):
            raise RefusedError(
                f"the {what} {registered} is not of Keras: its code is the caller's",
                hint=f"import what registers it, and if you trust it: allow=[{registered!r}]",
                own=True,
            )
        raise RefusedError(
            f"the {what} {full:.200} is not in the table of what may be built",
            hint="a class or function of your own: register it with "
            "keras.saving.register_keras_serializable(), and name it with allow=",
        )


def _place_of(value: Mapping[str, Any]) -> tuple[str, str]:
    """Module and class as an object says them; no module is an empty one."""
    module = value.get("module")
    if type(module) not in (str, type(None)):
        raise SpecError("has a module that is no text")
    return module or "", value["class_name"]


def check_shapes(value: Any, depth: int = 0) -> None:
    """What a layer was built for: shapes, in lists and dictionaries.

    Raises:
        SpecError: something else.
    """
    if value is None or is_shape(value):
        return
    if depth > 16 or type(value) not in (list, tuple, dict):
        raise SpecError(f"is {describe(value)}, but must be shapes")
    for item in value.values() if type(value) is dict else value:
        check_shapes(item, depth + 1)


def _explained(error: SpecError, owner: str, argument: str) -> SpecError:
    """The same error with what to do, where the argument could name a file or code."""
    reason = REFUSED.get(f"{owner}.{argument}") or REFUSED.get(f".{argument}")
    if reason is None or isinstance(error, RefusedError):
        return error
    return RefusedError(f"{error.message}: it {reason[0]}", error.place, hint=reason[1])


__all__ = ["FUNCTIONAL", "SEQUENTIAL", "Checker", "RefusedError", "check", "is_array", "run"]
