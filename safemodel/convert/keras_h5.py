"""`.h5` files of Keras, of all releases: a configuration in attributes, variables by layer.

`layer_names` of the weights and `weight_names` of each layer say in which order a model has them;
long lists are cut into `layer_names0`, `layer_names1`, ... Implements spec/keras.md, "Layouts of
files".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters.keras import laid_out
from safemodel.adapters.keras.laid_out import Foreign
from safemodel.errors import DamagedError, UnconvertibleError
from safemodel.legacy import json_text

if TYPE_CHECKING:
    from safemodel.convert.keras_2 import Modern
    from safemodel.convert.keras_2_training import Made
    from safemodel.legacy.hdf5_values import Values

_LAYERS: Final = "layer_names"
_NAMES: Final = "weight_names"
_FULL: Final = "/model_weights"
_TOP: Final = "top_level_model_weights"
_OPTIMIZER: Final = "/optimizer_weights"
_MODELS: Final = ("Functional", "Model", "Sequential")
ANEW: Final = "the optimizer begins anew: Keras 3 has no such state"
_MAX_PARTS: Final = 10_000
_MAX_TEXT: Final = 100  # of a release and a backend


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in an `.h5` file.

    Attributes:
        group: the one with the layers.
        layers: their names.
        release, backend: what the file says of the Keras that wrote it; empty where it does not.
    """

    group: str
    layers: tuple[str, ...]
    release: str
    backend: str

    def section(self, values: Values, config: Any, notices: list[str]) -> dict[str, Any]:
        """The variables, for the root of a graph; with a configuration those of its optimizer.

        Raises:
            LegacyError: they are not where the names say.
        """
        groups = {}
        for name in self.layers:
            if not name or name in groups:
                raise DamagedError("two layers of one name, or one without", place=name[:200])
            groups[name] = _variables(values, f"{self.group}/{name}")
        top = _variables(values, f"{self.group}/{_TOP}")
        if top:
            groups[""] = top
        groups = {name: group for name, group in groups.items() if group}
        compiled = config.get("compile_config") if isinstance(config, dict) else None
        optimizer = self._optimizer(values, compiled["optimizer"], notices) if compiled else []
        used = {f"/{one.path}" for group in groups.values() for one in group}
        unused = [
            path
            for path in values.paths
            if path not in used and not path.startswith(f"{_OPTIMIZER}/")
        ]
        if unused:
            notices.append(f"left out {len(unused)} values, such as {unused[0]:.200}")
        return laid_out.section(laid_out.H5, groups, optimizer or None)

    def _optimizer(self, values: Values, config: Any, notices: list[str]) -> list[Foreign]:
        """The variables of the optimizer, in the order of Keras 3."""
        names = names_of(values, _OPTIMIZER, _NAMES) or ()
        found = {name: foreign(values, f"{_OPTIMIZER}/{name}") for name in names}
        if len(found) != len(names):
            raise DamagedError("two variables of one name", place=_OPTIMIZER)
        if not found or self.release.partition(".")[0] not in ("", "1", "2"):
            return list(found.values())
        from safemodel.convert.keras_2_training import Made, optimizer_order

        order = optimizer_order(
            config, names, lambda name: found[name].shape, lambda name: integer(found[name])
        )
        if order is None:
            notices.append(ANEW)
            return []
        return [made(one) if isinstance(one, Made) else found[one] for one in order]


def layout_of(values: Values) -> Layout | None:
    """The layout of an `.h5` file; None if it is a `.weights.h5` of Keras 3.

    Raises:
        LegacyError: it says of itself what can't be.
    """
    full = values.text("/", "model_config") is not None
    group = _FULL if full else ""
    layers = names_of(values, group or "/", _LAYERS)
    if full and names_of(values, "/", _LAYERS) is not None:  # which Keras takes for weights alone
        raise DamagedError("two lists of layers", place=group)
    if layers is None:
        if full:
            raise DamagedError("a model without the names of its layers", place=group)
        return None
    release, backend = (_short(values, group, name) for name in ("keras_version", "backend"))
    return Layout(group, layers, release, backend)


def config_of(values: Values, layout: Layout, allow: Sequence[str]) -> Modern | None:
    """The configuration of the model in an `.h5` file, as Keras 3 writes it; None without one.

    Of a model of the caller's own class it has the name alone, and `allow` says of which package.

    Raises:
        LegacyError: it is no JSON.
        ArchitectureError: nor a configuration.
    """
    config = _json(values, "model_config")
    if config is None:
        return None
    name = config.get("class_name") if isinstance(config, dict) else None
    own = [one for one in allow if one.rpartition(">")[2] == name and ">" in one]
    if len(own) == 1 and name not in _MODELS:
        config = {**config, "class_name": own[0]}
    from safemodel.convert import keras_2  # and its tables, where they are needed

    return keras_2.modern(config, _json(values, "training_config"), layout.release or None)


def _json(values: Values, name: str) -> Any:
    text = values.text("/", name)
    if text is None:
        return None
    found = json_text.parse(text)
    if found.duplicates:
        raise DamagedError(f"says {found.duplicates[0].key!r:.60} twice", place=name)
    return found.value


def _short(values: Values, group: str, name: str) -> str:
    for owner in ("/", group):
        text = values.text(owner, name)
        if text is not None and len(text) <= _MAX_TEXT:
            return text.decode("utf-8", "replace")
    return ""


def names_of(values: Values, owner: str, name: str) -> tuple[str, ...] | None:
    """A list of names, in one attribute or in several; None if there is none.

    Raises:
        LegacyError: it is no list of text.
    """
    whole = values.texts(owner, name)
    if whole is not None:
        return whole
    found: list[str] = []
    for part in range(_MAX_PARTS):
        names = values.texts(owner, f"{name}{part}")
        if names is None:
            return tuple(found) if part else None
        found += names
    raise UnconvertibleError("a list of names in too many parts", place=owner)


def integer(variable: Foreign) -> int:
    """The value of a counter; 0 for anything else."""
    if variable.shape or not variable.dtype.startswith("int"):
        return 0
    raw = b"".join(bytes(piece) for piece in variable.pieces())
    return int.from_bytes(raw, "little", signed=True)


def made(one: Made) -> Foreign:
    """A variable that the file does not have."""
    raw = np.array(one.value, one.dtype).astype(np.dtype(one.dtype).newbyteorder("<")).tobytes()
    return Foreign(f"made/{one.path}", one.dtype, (), lambda: iter((memoryview(raw),)))


def _variables(values: Values, group: str) -> list[Foreign]:
    names = names_of(values, group, _NAMES) or ()
    if len(set(names)) != len(names):
        raise DamagedError("two variables of one name", place=group)
    return [foreign(values, f"{group}/{name}") for name in names]


def foreign(values: Values, path: str) -> Foreign:
    """The variable of a dataset.

    Raises:
        LegacyError: there is none, or not of numbers.
    """
    found = values.numbers(path)
    return Foreign(path.removeprefix("/"), found.dtype, found.shape, found.pieces)
