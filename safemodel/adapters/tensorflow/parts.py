"""The state of a module without its class: parts by name, and variables.

Names of the file are keys of dictionaries, never attributes, so none can stand before a method.
TensorFlow sees the parts under the names that they had: checkpoints and SavedModels have them.
Implements spec/tensorflow.md, "Modules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import tensorflow as tf


class Part(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A part of a loaded module: it holds variables and parts, and its class was left behind.

    `part["layers"]["0"]["w"]` is the variable that was `layers[0].w`.
    """

    def __init__(self, class_name: str, container: str | None = None) -> None:
        super().__init__(name="part")
        # TensorFlow would wrap and track what is set as an attribute.
        object.__setattr__(self, "_parts", {})
        object.__setattr__(self, "_class_name", class_name)
        object.__setattr__(self, "_container", container)

    @property
    def class_name(self) -> str:
        """The class of the object that was saved: information for people."""
        name: str = self._class_name
        return name

    @property
    def container(self) -> str | None:
        """`list`, `tuple` or `dict` if it was one of these."""
        kind: str | None = self._container
        return kind

    @property
    def parts(self) -> Mapping[str, Any]:
        """Variables and parts by name."""
        return MappingProxyType(self._parts)

    def __getitem__(self, name: str) -> Any:
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def put(self, parts: Mapping[str, Any]) -> None:
        """Set the parts, which a load does once."""
        self._parts.update(parts)

    @property
    def variables(self) -> tuple[Any, ...]:
        """All variables, in the order of tf.Module."""
        return tuple(self._found(lambda obj: isinstance(obj, tf.Variable)))

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        """Those that an optimizer changes."""
        return tuple(one for one in self.variables if one.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Any, ...]:
        """The others."""
        return tuple(one for one in self.variables if not one.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """All parts below this one that are no containers."""
        return tuple(
            self._found(lambda obj: isinstance(obj, Part) and not obj.container and obj is not self)
        )

    def _found(self, wanted: Callable[[Any], bool]) -> Iterator[Any]:
        """What is wanted among all parts: those of a module and its containers come first."""
        seen = {id(self)}
        modules: list[Part] = [self]
        while modules:
            below: list[Part] = []
            waiting = list(modules.pop()._parts.values())[::-1]
            while waiting:
                one = waiting.pop()
                if id(one) in seen:
                    continue
                seen.add(id(one))
                if wanted(one):
                    yield one
                if isinstance(one, Part) and one.container:
                    waiting += list(one._parts.values())[::-1]
                elif isinstance(one, Part):
                    below.append(one)
            modules += below[::-1]

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        own = super()._trackable_children(save_type, **kwargs)
        return {**own, **self._parts}

    def _lookup_dependency(self, name: str, cached_dependencies: Any = None) -> Any:
        if name in self._parts:
            return self._parts[name]
        return super()._lookup_dependency(name, cached_dependencies)
