"""Configurations of Keras 1 and 2, and of `.h5` files, as Keras 3 writes them now.

Older files name classes without modules, arguments as they were called then, and calls of layers as
lists; functions of TensorFlow among the layers are operations here. All of it is rewritten by what
the table of the adapter says of each argument, so whatever is not known stays as it is, for
`adapters.keras.checking` to refuse. Nothing is looked up, and no Keras is needed. Implements
docs/convert.md, "Keras".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from safemodel.adapters.keras import checking
from safemodel.adapters.keras.graphs import check_compiled
from safemodel.adapters.keras.specs import Either, Many, Object, Spec, SpecError
from safemodel.adapters.keras.specs import Table as Dictionary
from safemodel.adapters.keras.table import Class, table
from safemodel.convert import keras_1, keras_2_graphs, keras_2_training
from safemodel.convert.keras_2_tables import ALIASES, DROPPED, HARD_SIGMOID, RENAMED, STRINGS
from safemodel.errors import ArchitectureError

MAX_DEPTH: Final = 110  # below what checking permits, since rewriting adds some
# Modules of all releases in which classes of Keras say they are
_MODULE: Final = re.compile(
    r"(?:builtins|(?:tf_keras|keras|tensorflow\.keras|tensorflow\.python\.keras|tf\.keras)(?:\..*)?)"
)
_MODELS: Final = frozenset({"Functional", "Model", "Sequential"})
_FUNCTIONS: Final = frozenset({"lossfunction", "metricfunction"})
_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "activation": ("layer",),
    "loss": ("loss",),
    "metric": ("metric", "loss"),
}


@dataclass(frozen=True, slots=True)
class Modern:
    """A configuration as Keras 3 writes it, and what could not be kept of the old one."""

    config: Any
    notices: tuple[str, ...]


def modern(config: Any, training: Any, version: str | None) -> Modern:
    """Rewrite the configuration of a model.

    `config` and `training` are the values of `model_config` and `training_config` of a `.h5` file,
    or the object in `config.json` of a `.keras` file and None; `version` is what the file says of
    the Keras that wrote it. The result is for `checking.check`; what it was compiled with is in it
    only if that permits it.

    Raises:
        ArchitectureError: it is no plain value, or nested too deeply.
    """
    checking.check_plain(config)
    checking.check_plain(training)
    writer = Writer(version)
    model = writer.object(config, "layer", 0)
    if type(model) is not dict:
        return Modern(model, ())
    given = model.pop("compile_config", None) if training is None else training
    if given is not None and type(given) is dict:
        _compile(model, given, writer)
    return Modern(model, tuple(dict.fromkeys(writer.notices)))


def _compile(model: dict[str, Any], given: dict[str, Any], writer: Writer) -> None:
    compiled = keras_2_training.compile_config(given, model, writer)
    if compiled is None:
        return
    try:
        checking.check_plain(compiled)
        checker = checking.Checker(_Registered())
        checking.run(lambda: check_compiled(compiled, checker))
    except ArchitectureError as error:
        where = f" ({error.place})" if error.place else ""
        writer.notices.append(f"what it was compiled with is not kept: {error.message}{where}")
        return
    model["compile_config"] = compiled


class _Registered(frozenset[str]):
    """Every name that somebody can have registered; which are trusted is asked at load."""

    def __contains__(self, name: object) -> bool:
        return type(name) is str and ">" in name


class Writer:
    """One configuration under way.

    Attributes:
        old: whether Keras 1 or 2 wrote it.
        notices: what changes, or is lost.
    """

    def __init__(self, version: str | None) -> None:
        major = (version or "1").split(".", 1)[0]
        self.old = major in ("1", "2") or not major.isdigit()
        self.first = major == "1" and version is not None
        self.notices: list[str] = []

    def object(self, value: Any, role: str, depth: int, dtype: Any = None) -> Any:
        """An object of a role, or what stands for one; anything else as it is."""
        if depth > MAX_DEPTH:
            raise ArchitectureError("a configuration that is nested too deeply")
        if type(value) is str:
            return self._text(value, role, dtype)
        if type(value) is not dict or type(value.get("class_name")) is not str:
            return value
        if value["class_name"] in ("__tuple__", "TensorShape") and "items" in value:
            return value["items"]
        if value["class_name"] == "function" and self.old and value.get("module") == "builtins":
            name = value.get("config")
            own = ">" in str(value.get("registered_name"))
            return value if own or type(name) is not str else self._text(name, role, dtype)
        if value["class_name"].startswith("__") or value["class_name"] == "function":
            return value
        return self._instance(value, role, depth)

    def _text(self, value: str, role: str, dtype: Any) -> Any:
        known = table().strings.get(role, frozenset())
        if self.old and role == "activation" and value == "hard_sigmoid":
            return _hard_sigmoid(dtype)
        if value not in known:
            value = STRINGS.get(role, {}).get(value, value)
        if role in _FUNCTIONS or (">" in value and role in ("activation", "loss", "metric")):
            return _object("builtins", "function", value, value)
        return value

    def _instance(self, value: dict[str, Any], role: str, depth: int) -> Any:
        name, module = _plain_name(value["class_name"]), value.get("module")
        registered = value.get("registered_name")
        if type(registered) is str and ">" in registered and _plain_name(registered) == registered:
            return self._own(value, registered.rpartition(">")[2], depth)
        if name in _MODELS and role == "layer":
            return self._model(value, name, depth)
        if ">" in name:
            return self._own({**value, "registered_name": name}, name.rpartition(">")[2], depth)
        if module is not None and not (type(module) is str and _MODULE.fullmatch(module)):
            return value
        config = value.get("config")
        if self.old and type(config) is dict and role == "layer":
            name, config = keras_1.layer(name, config)
        found = find(role, name)
        if found is None or type(config) is not dict:
            return {**value, "module": module or "keras", "registered_name": None}
        return {
            **_kept(value, built=not self.old),
            "module": found.module,
            "class_name": found.name,
            "config": self._arguments(config, found, depth + 1),
            "registered_name": None,
        }

    def _own(self, value: dict[str, Any], name: str, depth: int) -> Any:
        """Of a registered class: objects in its arguments can be of any role."""
        config = value.get("config")
        if type(config) is dict and {"layers", "input_layers", "output_layers"} <= config.keys():
            config = self._functional(config, depth)
        return {
            **_kept(value),
            "module": value.get("module") or "builtins",
            "class_name": name,
            "config": config,
            "registered_name": value["registered_name"],
        }

    # Arguments

    def _arguments(self, config: dict[str, Any], found: Class, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        renamed = RENAMED.get(found.name, {})
        if self.old:
            config = keras_2_training.semantics(config, found, self)
        for name, argument in config.items():
            name = renamed.get(name, name)
            spec = found.arguments.get(name)
            if spec is None:
                if not _may_go(found, name, argument):
                    result[name] = argument
                continue
            result[name] = self._argument(argument, spec, depth, config.get("dtype"))
        return result

    def _argument(self, value: Any, spec: Spec, depth: int, dtype: Any) -> Any:
        if type(value) is dict and value.get("class_name") in ("__tuple__", "TensorShape"):
            value = value.get("items", value)
        roles = _roles(spec)
        if "policy" in roles and type(value) is dict and value.get("class_name") in _POLICIES:
            named = value.get("config")
            return named.get("name") if type(named) is dict else value
        if type(value) is list and not isinstance(spec, Object):
            return (
                [self._argument(one, spec, depth + 1, dtype) for one in value] if roles else value
            )
        if type(value) is dict and "class_name" not in value:
            return {k: self._argument(v, spec, depth + 1, dtype) for k, v in value.items()}
        for role in roles:
            if type(value) is str or find(role, _class_name(value)) or len(roles) == 1:
                return self.object(value, role, depth, dtype)
        return value

    # Models

    def _model(self, value: dict[str, Any], name: str, depth: int) -> Any:
        config = value.get("config")
        if name == "Sequential":
            new, module = self._sequential(config, depth), "keras"
        else:
            new, module, name = (
                self._functional(config, depth),
                "keras.src.models.functional",
                "Functional",
            )
        return {
            **_kept(value, built=not self.old),
            "module": module,
            "class_name": name,
            "config": new,
            "registered_name": name,
        }

    def _sequential(self, config: Any, depth: int) -> Any:
        if type(config) is list:
            config = {"layers": config}
        if type(config) is not dict or type(config.get("layers")) is not list:
            return config
        layers = [self.object(layer, "layer", depth + 1) for layer in config["layers"]]
        first = config["layers"][0] if config["layers"] else None
        if self.old and (entry := _input_layer(first)) is not None:
            layers.insert(0, entry)
        kept = ("name", "trainable", "dtype", "build_input_shape")
        result = {key: config[key] for key in kept if key in config}
        return {**self._common(result), "layers": layers}

    def _functional(self, config: Any, depth: int) -> Any:
        if type(config) is not dict or type(config.get("layers")) is not list:
            return config
        result = self._common({**config, "layers": []})
        for layer in config["layers"]:
            new = keras_2_graphs.operation(layer, self) if type(layer) is dict else layer
            if new is layer:
                new = self.object(layer, "layer", depth + 1)
                if type(new) is dict and type(layer) is dict:
                    new |= {key: layer[key] for key in ("name", "inbound_nodes") if key in layer}
            result["layers"].append(new)
        return keras_2_graphs.functional(result, self) if self.old else result

    def _common(self, config: dict[str, Any]) -> dict[str, Any]:
        policy = config.get("dtype")
        if type(policy) is dict:
            config["dtype"] = self._argument(policy, Object("policy"), 0, None)
        return config


_POLICIES: Final = frozenset({"Policy", "PolicyV1", "DTypePolicy", "FloatDTypePolicy"})


def find(role: str, name: str) -> Class | None:
    """The class of the table that a name without a module stands for."""
    index = _index()
    for one in _ROLES.get(role, (role,)):
        found = index.get((one, name)) or index.get((one, ALIASES.get(one, {}).get(name, "")))
        if found is not None:
            return found
    return None


@cache
def _index() -> dict[tuple[str, str], Class]:
    return {(one.role, one.name): one for one in reversed(list(table().classes.values()))}


def _roles(spec: Spec) -> tuple[str, ...]:
    """The roles of objects that a spec permits."""
    if isinstance(spec, Object):
        return (spec.role,)
    if isinstance(spec, (Many, Dictionary)):
        return _roles(spec.item)
    if isinstance(spec, Either):
        return tuple(role for one in spec.specs for role in _roles(one))
    return ()


def _class_name(value: Any) -> str:
    name = value.get("class_name") if type(value) is dict else None
    return _plain_name(name) if type(name) is str else ""


def _plain_name(name: str) -> str:
    """Without the package of Keras 2 itself."""
    return (
        re.sub(r"\A(?:Custom|Keras|Addons)>(?=Adam|[A-Z])", "", name)
        if name.startswith("Custom>")
        else name
    )


def _may_go(found: Class, name: str, value: Any) -> bool:
    """Whether an argument says nothing that Keras 3 would do otherwise."""
    for owner in (found.name, f"[{found.role}]"):
        permitted = DROPPED.get(owner, {}).get(name)
        if permitted is not None and (not permitted or value in permitted):
            return True
    return False


def _kept(value: Mapping[str, Any], *, built: bool = True) -> dict[str, Any]:
    """What an object has besides its class and arguments; the shapes it was `built` for with it.

    Shapes of Keras 2 are in other forms where there are several; calls build all that is its own.
    """
    result = {key: value[key] for key in ("shared_object_id", "compile_config") if key in value}
    shapes = value.get("build_config")
    if built and type(shapes) is dict:
        try:
            checking.check_shapes(shapes)
        except SpecError:
            return result
        result["build_config"] = shapes
    return result


def _object(module: str, name: str, config: Any, registered: str | None = None) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


def _hard_sigmoid(dtype: Any) -> dict[str, Any]:
    """What Keras 2 means by it: 0.2 x + 0.5 from 0 to 1. That of Keras 3 is x / 6 + 0.5."""
    given = {"dtype": dtype} if type(dtype) is str else {}
    parts = [
        _object("keras.layers", name, {**arguments, **given}) for name, arguments in HARD_SIGMOID
    ]
    return _object("keras.layers", "Pipeline", {"name": "hard_sigmoid", "layers": parts})


def _input_layer(first: Any) -> dict[str, Any] | None:
    """The input of a Sequential whose first layer says its shape itself."""
    config = first.get("config") if type(first) is dict else None
    kind = first.get("class_name") if type(first) is dict else None
    if type(config) is not dict or type(kind) is not str or kind in ("InputLayer", *_MODELS):
        return None
    shape = keras_1.input_shape(kind, config)
    if shape is None:
        return None
    dtype = config.get("input_dtype") or ("int32" if kind == "Embedding" else config.get("dtype"))
    name = config.get("name")
    arguments: dict[str, Any] = {"batch_shape": shape}
    if type(dtype) is str and "mixed" not in dtype:
        arguments["dtype"] = dtype
    if type(name) is str:
        arguments["name"] = f"{name}_input"
    return _object("keras.layers", "InputLayer", arguments)
