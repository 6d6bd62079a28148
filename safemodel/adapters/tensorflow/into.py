"""State put into an object that the caller made: a module, a checkpoint, a tree of variables.

Both are walked together, part by part, by name. Everything is compared before anything is changed.
The object decides which variables there are; the archive only gives values. Implements
spec/tensorflow.md, "State put into an object".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

from safemodel.adapters.only import nothing_chosen
from safemodel.adapters.protocol import LoadReport, Mismatch
from safemodel.adapters.tensorflow import walk
from safemodel.adapters.tensorflow.facts import StoredModule
from safemodel.adapters.tensorflow.values import tensor_of
from safemodel.adapters.tensorflow.variables import Stored
from safemodel.errors import UsageError

if TYPE_CHECKING:
    Wanted = Callable[[str], bool]

_CONTAINERS: Final = (dict, list, tuple)
_MAX_FACTS: Final = 16  # of an archive that one object is compared with
_MAX_PATH: Final = 1000


def check_target(into: object) -> None:
    """Check that state can be put into an object.

    Raises:
        UsageError: it is nothing that holds variables.
    """
    inner = walk.bare(into)
    if not (walk.is_variable(inner) or walk.is_tracked(inner) or isinstance(into, _CONTAINERS)):
        raise UsageError(
            f"into= is a {type(into).__name__}, which holds no variables",
            hint="pass a tf.Module, a tf.train.Checkpoint, or a list or dictionary of variables",
        )


def put(root: object, into: Any, wanted: Wanted | None, *, strict: bool) -> LoadReport:
    """Replace the variables of `into`, all of them or those that are wanted; return a report.

    Raises:
        StateMismatchError: they do not fit, and `into` is unchanged.
    """
    if isinstance(into, tf.train.Checkpoint) and _has_counter(root):
        _ = into.save_counter  # a checkpoint makes it when it is first looked at
    pairs = _Pairs(wanted)
    pairs.walk(root, into)
    report = pairs.report()
    if wanted is not None and not pairs.own:
        raise nothing_chosen(_own_paths(root, into))
    report.check(strict=strict)
    # Read, and verified, before the first is changed; TensorFlow's tensors are no copies.
    fitting = [(variable, tensor_of(stored)) for variable, stored in pairs.fitting()]
    with tf.init_scope():
        for variable, value in fitting:
            variable.assign(value, read_value=False)
    return report


def named(root: object) -> dict[str, Stored]:
    """The variables of an archive by their paths, once each."""
    found = dict(_below(root))
    return {path: one for path, one in found.items() if one.is_variable}


def _own_paths(root: object, into: object) -> list[str]:
    """The paths of all variables of an object."""
    pairs = _Pairs(None)
    pairs.walk(root, into)
    return [path for path, _ in pairs.own.values()]


def _has_counter(root: object) -> bool:
    return isinstance(root, StoredModule) and "save_counter" in root.parts


class _Pairs:
    """Variables of an object, each with the stored one at the same place."""

    def __init__(self, wanted: Wanted | None) -> None:
        self._wanted = wanted
        self.own: dict[int, tuple[str, Any]] = {}
        self._stored: dict[int, Stored] = {}  # by the variable
        self._clashes: list[Mismatch] = []
        self._used: set[int] = set()
        self._all: dict[int, str] = {}

    def walk(self, root: object, into: object) -> None:
        """Walk both together. What stands at several places is compared at each."""
        for path, stored in _below(root):
            if stored.is_variable and self._is_wanted(path):
                self._all.setdefault(id(stored), path)
        queue: list[tuple[Any, Any, str]] = [(root, walk.bare(into), "")]
        seen: dict[int, set[int]] = {}
        for stored, obj, path in queue:  # which holds them all: ids stay unique
            if walk.is_variable(obj):
                if self._is_wanted(path):
                    self._variable(stored, obj, path)
                continue
            facts = seen.setdefault(id(obj), set())
            if id(stored) in facts or len(facts) > _MAX_FACTS:
                continue
            facts.add(id(stored))
            below = _parts(stored)
            for name, child in _own_parts(obj, path):
                queue.append((below.get(name), child, _join(path, name)))

    def _is_wanted(self, path: str) -> bool:
        return self._wanted is None or self._wanted(path)

    def _variable(self, stored: Any, variable: Any, path: str) -> None:
        self.own.setdefault(id(variable), (path, variable))
        if type(stored) is not Stored or not stored.is_variable:
            return
        self._used.add(id(stored))
        known = self._stored.setdefault(id(variable), stored)
        if known is not stored:
            self._clashes.append(Mismatch(path, "one variable", "two of the archive"))

    def report(self) -> LoadReport:
        """What became of each."""
        return LoadReport(
            missing=tuple(path for key, (path, _) in self.own.items() if key not in self._stored),
            unexpected=tuple(path for key, path in self._all.items() if key not in self._used),
            mismatched=(
                *(
                    Mismatch(path, said(variable), str(self._stored[key]))
                    for key, (path, variable) in self.own.items()
                    if key in self._stored and not fits(variable, self._stored[key])
                ),
                *self._clashes,
            ),
        )

    def fitting(self) -> Iterator[tuple[Any, Stored]]:
        """The variables to change, with what they get."""
        clashing = {mismatch.name for mismatch in self._clashes}
        for key, (path, variable) in self.own.items():
            stored = self._stored.get(key)
            if stored is not None and path not in clashing and fits(variable, stored):
                yield variable, stored


def fits(variable: Any, stored: Stored) -> bool:
    """Whether a variable can take a stored value."""
    same = variable.dtype.name == stored.dtype
    return same and bool(variable.shape.is_compatible_with(stored.shape))


def said(variable: Any) -> str:
    """A variable as a report says it."""
    shape = variable.shape
    return f"{variable.dtype.name} {'of any shape' if shape.rank is None else shape.as_list()}"


def _own_parts(obj: Any, path: str) -> list[tuple[str, Any]]:
    if walk.is_tracked(obj):
        return walk.children(obj, path)
    if isinstance(obj, dict):
        return [(str(key), walk.bare(value)) for key, value in obj.items()]
    if isinstance(obj, list | tuple):
        return [(str(number), walk.bare(item)) for number, item in enumerate(obj)]
    return []


def _parts(stored: Any) -> Mapping[str, Any]:
    """What is in a fact, by the names that an object would have for it."""
    if type(stored) is StoredModule:
        return stored.parts
    if isinstance(stored, dict):
        return {str(key): value for key, value in stored.items()}
    if isinstance(stored, list | tuple):
        return {str(number): item for number, item in enumerate(stored)}
    return {}


def _below(root: object) -> Iterator[tuple[str, Stored]]:
    """All values of an archive with the first path to each."""
    seen: set[int] = set()
    queue: list[tuple[str, Any]] = [("", root)]
    for path, one in queue:
        if id(one) in seen:
            continue
        seen.add(id(one))
        if type(one) is Stored:
            yield path, one
        queue += [(_join(path, name), part) for name, part in _parts(one).items()]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}"[:_MAX_PATH] if path else name
