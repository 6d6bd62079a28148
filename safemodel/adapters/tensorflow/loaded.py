"""What a load gives for a module or a checkpoint that was saved.

Implements spec/tensorflow.md, "The module".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import tensorflow as tf

from safemodel.adapters.tensorflow.building import Functions
from safemodel.adapters.tensorflow.calls import Binder, build, has_leaf
from safemodel.adapters.tensorflow.dtypes import MAX_STRING_RANK
from safemodel.adapters.tensorflow.parts import Part
from safemodel.adapters.tensorflow.program import Entry, Program, TensorType
from safemodel.adapters.tensorflow.protos import shape_of
from safemodel.errors import ArchitectureError, UsageError

CALL: Final = "__call__"


class LoadedEntry:
    """A method of a loaded module: called as it was, with tensors like those it was saved with."""

    def __init__(self, name: str, entry: Entry, program: Program, functions: Functions) -> None:
        inputs = program.functions[entry.function].inputs
        given = inputs[: len(inputs) - len(entry.captures)]
        self._inputs = [one for one in given if isinstance(one, TensorType)]  # as was checked
        self._binder = Binder(name, entry, self._inputs)
        self._entry = entry
        self._concrete = functions.entry(entry)
        self.name = name

    @property
    def variables(self) -> tuple[Any, ...]:
        """The variables that it uses."""
        return tuple(self._concrete.variables)

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        """Those of them that an optimizer changes."""
        return tuple(one for one in self.variables if one.trainable)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it.

        Raises:
            UsageError: the arguments are not like those that it was saved with.
            ArchitectureError: it gives strings with so many axes that printing them would crash.
        """
        found = self._concrete(*self._binder.bind(args, kwargs))
        given = found if isinstance(found, list | tuple) else ()
        for one in given:
            if one.dtype == tf.string and (one.shape.rank or 0) > MAX_STRING_RANK:
                raise ArchitectureError(f"strings with more than {MAX_STRING_RANK} axes")
        return build(self._entry.result, given)

    def function(self) -> Any:
        """The same as a tf.function with one signature, as SavedModels have it."""
        specs = [
            tf.TensorSpec(shape_of(one.shape), tf.as_dtype(one.dtype), name=f"input_{number}")
            for number, one in enumerate(self._inputs)
        ]

        def call(*args: Any, **kwargs: Any) -> Any:
            return self(*args, **kwargs)

        made = tf.function(call, autograph=False)
        args = [build(tree, specs) for tree in self._entry.args]
        kwargs = {name: build(tree, specs) for name, tree in self._entry.kwargs.items()}
        made.get_concrete_function(*args, **kwargs)
        # Constants can be left out of a call.
        while args and not has_leaf(self._entry.args[len(args) - 1]):
            args.pop()
        needed = {name for name, tree in self._entry.kwargs.items() if has_leaf(tree)}
        made.get_concrete_function(*args, **{name: kwargs[name] for name in needed})
        return made

    def __repr__(self) -> str:
        taken = [*self._entry.parameters, *self._entry.kwargs]
        return f"<entry {self.name}({', '.join(taken)}) of a loaded module>"


class LoadedModule(Part):
    """A module or checkpoint that was rebuilt without the code of its class.

    Its variables have the names that they had, and train on. Methods that were saved are called as
    they were, by their names or with `entry(name)`; a module that was saved without functions has
    variables only. `module["layers"]["0"]` is a part of it.
    """

    def __init__(self, class_name: str, container: str | None = None) -> None:
        super().__init__(class_name, container)
        object.__setattr__(self, "_program", None)
        object.__setattr__(self, "_entries", {})
        object.__setattr__(self, "_signatures", {})
        object.__setattr__(self, "_functions", None)

    def start(self, program: Program, functions: Functions) -> None:
        """Build the functions, which a load does once.

        Raises:
            ArchitectureError: TensorFlow refuses one.
        """
        object.__setattr__(self, "_program", program)
        object.__setattr__(self, "_functions", functions)
        for held, entries in (
            (self._entries, program.entries),
            (self._signatures, program.signatures),
        ):
            for name, entry in entries.items():
                held[name] = LoadedEntry(name, entry, program, functions)

    @property
    def entries(self) -> tuple[str, ...]:
        """The methods that were saved."""
        return tuple(self._entries)

    def entry(self, name: str) -> LoadedEntry:
        """One of the methods that were saved, by its name.

        Raises:
            UsageError: there is none of that name.
        """
        if name not in self._entries:
            raise UsageError(
                f"the archive holds no method {name!r:.100}",
                hint=f"it has {', '.join(self.entries)}"
                if self._entries
                else "it was saved without functions: give save() example_inputs=",
            )
        found: LoadedEntry = self._entries[name]
        return found

    @property
    def signatures(self) -> Mapping[str, LoadedEntry]:
        """The signatures of a SavedModel, which take tensors by name and give dictionaries."""
        return MappingProxyType(self._signatures)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module.

        Raises:
            UsageError: it was saved without this method, or the arguments are not like those that
                it was saved with.
        """
        return self.entry(CALL)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        entries = self.__dict__.get("_entries", {})
        if name not in entries:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return entries[name]

    @property
    def program(self) -> Program | None:
        """What its functions were read from."""
        known: Program | None = self._program
        return known

    def constants(self) -> dict[str, Any]:
        """The tensors of the bundle that its functions have, by name."""
        functions: Functions | None = self._functions
        return {} if functions is None else functions.constants()

    def __repr__(self) -> str:
        methods = ", ".join(self._entries) or "variables only"
        return f"<loaded module of {self.class_name}: {methods}>"

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        children = super()._trackable_children(save_type, **kwargs)
        if save_type != "savedmodel":
            return children
        functions = {name: entry.function() for name, entry in self._entries.items()}
        return {**functions, **children}  # no method in the place of a variable
