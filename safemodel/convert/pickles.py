"""A pickle or joblib file to one object: the pickle machine, and what its values become.

The machine gives the whole value tree and runs nothing. A container that changes after something
was made of it would not be what a real unpickler had seen, so that is refused; picklers do not
write it. joblib's arrays lie in the stream behind their wrappers: they become views of the file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from safemodel.convert import arrays, containers, dtypes, random_states
from safemodel.convert.models import Models, Rules
from safemodel.convert.values import NOTHING, Interpreter, Made, Rule, Steps
from safemodel.errors import DamagedError, UnconvertibleError
from safemodel.legacy.content import Reader
from safemodel.legacy.joblib import Companion, InlineArray, parse_wrapper, wrapper_kind
from safemodel.legacy.pickle_facts import (
    Build,
    Call,
    Extension,
    Failure,
    Instance,
    Items,
    Mutate,
    Oddity,
    Pairs,
    Persistent,
    Stop,
    Value,
)
from safemodel.legacy.pickle_machine import MachineLimits, trace

_LIMITS: Final = MachineLimits(blocks=20_000_000)  # every value is kept
RULES: Final[Mapping[str, Rule]] = {
    **containers.RULES,
    **dtypes.RULES,
    **arrays.RULES,
    **random_states.RULES,
}
_SWAPPED: Final = ">" if sys.byteorder == "little" else "<"


class Unpickled:
    """The interpretation of the pickles of one file.

    Attributes:
        models: the rules for objects of libraries, and what they found out.
        root: the object, where a reader of another format put it.
    """

    def __init__(
        self,
        data: memoryview,
        *,
        allow: Sequence[str] = (),
        more: Mapping[str, Rule] | None = None,
    ) -> None:
        """`allow`: names of the user's own classes; `more`: rules besides those for pickles."""
        self.data = data
        self.root: Any = None
        self.models = Models(allow)
        self._more = more or {}
        self._inline: dict[int, tuple[Instance, Any]] = {}
        self._work = Interpreter(data, self._rules(), self._named, self._persistent)

    def _persistent(self, key: Value) -> Any:
        """What a persistent id stands for."""
        raise UnconvertibleError(
            "asks its loader for objects by persistent id, as files of PyTorch do"
        )

    def _rules(self) -> Mapping[str, Rule]:
        fixed: dict[str, Rule] = {**RULES, **self._more}
        return Rules(WithWrappers(fixed, self._wrapper), self.models)

    def _named(self, name: str) -> Any:
        for table in (containers.NAMES.get(name, NOTHING), arrays.name_of(name)):
            if table is not NOTHING:
                return table
        return self.models.named(name)

    def know(self, value: Value, made: Any) -> None:
        """Say what a value is."""
        self._work.know(value, made)

    def run(self, value: Value) -> Any:
        """What a value becomes."""
        return self._work.run(value)

    def whole(self) -> Any:
        """The object of a file that is one pickle and nothing else.

        Raises:
            UnconvertibleError: part of it has no interpretation, or there is more in the file.
            DamagedError: it is no pickle, or its end is missing.
        """
        reader = Reader(self.data)
        found = self.one(reader)
        left = len(self.data) - reader.offset
        if left:
            raise UnconvertibleError(
                f"{left} bytes behind the pickle",
                hint="a file with several pickles can't be converted: save each alone",
            )
        return found

    def one(self, reader: Reader) -> Any:
        """The object of the pickle where the reader is, which is left behind it.

        Raises:
            UnconvertibleError, DamagedError: as `whole`.
        """
        root = self._trace(reader)
        return self._work.run(root)

    def _trace(self, reader: Reader, *, plain: bool = False) -> Value:
        """The value of a pickle; `plain`: one without arrays of joblib's."""
        used = _Used()
        steps = trace(reader, limits=_LIMITS, values=True)
        reply: int | None = None
        while True:
            fact = steps.send(reply)
            reply = None
            if type(fact) is Call:
                used.note(fact.result.arguments)
            elif type(fact) is Build:
                used.note(fact.state)
                self._built(fact, reader, plain)
            elif type(fact) is Stop:
                break
            elif isinstance(fact, Failure):
                raise DamagedError(fact.message, offset=fact.offset)
            elif isinstance(fact, Persistent):
                self._asked(fact)
            elif isinstance(fact, Extension):
                raise UnconvertibleError("uses a code of the copyreg extension registry")
            elif isinstance(fact, Mutate) and not isinstance(fact.target, Instance):
                raise UnconvertibleError(f"puts items into something (byte {fact.offset})")
            elif isinstance(fact, Oddity) and fact.ambiguous:
                raise UnconvertibleError(fact.message)
        used.check()
        return fact.value

    def _asked(self, fact: Persistent) -> None:
        """Look at a persistent id when the pickle gets there."""
        self._persistent(fact.id)

    def _built(self, fact: Build, reader: Reader, plain: bool) -> None:
        target = fact.target
        if not isinstance(target, Instance) or fact.again:
            raise UnconvertibleError(f"sets state a second time (byte {fact.offset})")
        if wrapper_kind(target) is None:
            return
        found = parse_wrapper(target, fact.state)
        if isinstance(found, Companion) or plain:
            raise UnconvertibleError("an array in another file, as joblib wrote it before 0.10")
        self._inline[id(target)] = target, self._array(found, fact.state, reader)

    def _array(self, array: InlineArray, state: Value, reader: Reader) -> Any:
        """The array whose bytes the reader is at, which it goes over."""
        attributes = dict(state.items) if isinstance(state, Pairs) else {}
        dtype = self._work.run(attributes["dtype"])
        if dtype.hasobject or isinstance(dtype, np.dtypes.StringDType):
            found = self._work.run(self._trace(reader, plain=True))
            if type(found) is not np.ndarray or not found.dtype.hasobject:
                raise UnconvertibleError("an array of objects that is none")
            return found
        if array.dtype.problem or dtype.itemsize != array.dtype.size:
            raise UnconvertibleError("an array with a dtype that contradicts itself")
        if array.aligned:
            reader.advance(reader.read(1)[0])
        fortran = attributes["order"] == "F"
        made = arrays.shaped(array.shape, dtype, reader.read(array.size), fortran)
        if not made.size:  # no buffer is below it, and its strides are those of this
            sizes = array.shape[::-1] if fortran else array.shape
            made = np.empty(0, dtype).reshape(sizes)
            return made.transpose() if fortran else made
        return _native(made)

    def _wrapper(self, made: Made, work: Interpreter) -> Steps:
        yield from ()
        if id(made.value) not in self._inline:
            raise UnconvertibleError("an array wrapper without its array")
        return self._inline[id(made.value)][1]


class WithWrappers(dict[str, Rule]):
    """The fixed rules, with one for the wrappers of joblib, wherever that is vendored."""

    def __init__(self, fixed: dict[str, Rule], wrapper: Rule) -> None:
        super().__init__(fixed)
        self._wrapper = wrapper

    def get(self, name: str, default: Any = None) -> Any:
        if name.endswith(".NumpyArrayWrapper"):
            return self._wrapper
        return super().get(name, default)


def _native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same in the byte order of this machine, as `joblib.load` makes it."""
    dtype = array.dtype
    orders = [dtype.byteorder]
    if dtype.names is not None and dtype.fields is not None:
        orders = [field[0].byteorder for field in dtype.fields.values()]
    if orders and all(order == _SWAPPED for order in orders):
        swapped: np.ndarray[Any, Any] = array.byteswap().view(dtype.newbyteorder("="))
        return swapped
    return array


@dataclass(slots=True)
class _Used:
    """The containers that something was made of, with how much was in them then."""

    seen: list[tuple[Items | Pairs, int]] = field(default_factory=list)

    def note(self, value: Value) -> None:
        """Remember what a call or a state uses, and what that holds itself."""
        if isinstance(value, Items) and value.kind in ("tuple", "frozenset"):
            for part in value.items:
                if isinstance(part, Items | Pairs):
                    self.seen.append((part, part.count))
        elif isinstance(value, Items | Pairs):
            self.seen.append((value, value.count))

    def check(self) -> None:
        """Refuse containers that have changed since.

        Raises:
            UnconvertibleError: one has.
        """
        if any(value.count != count for value, count in self.seen):
            raise UnconvertibleError("a container that is changed after something was made of it")
