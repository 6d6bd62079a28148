"""joblib: pickles whose arrays are raw bytes behind the opcode that describes them.

`joblib.load` uses Python's own unpickler; `pickle.load` would take the arrays for opcodes. Both
are readings of the same bytes, so the handler of pickles calls this one when it meets an array
wrapper, and reports what the plain reading reaches as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safemodel.errors import DamagedError, UnreadableError
from safemodel.legacy.joblib import Companion, InlineArray, parse_wrapper, wrapper_kind
from safemodel.legacy.pickle_facts import Failure, Instance
from safemodel.scan.evidence import bounded
from safemodel.scan.judge import Judge, Loader

if TYPE_CHECKING:
    from safemodel.legacy.content import Content, Reader
    from safemodel.legacy.pickle_facts import Build, Stop
    from safemodel.scan.scope import Scope


def read(content: Content, reader: Reader, scope: Scope) -> tuple[Judge, Stop | Failure]:
    """Judge one pickle as `joblib.load` reads it, from where the reader is."""
    arrays = _Arrays(content)
    judged = Judge(scope, Loader("joblib", after_build=arrays.after_build))
    end = judged.run(reader, dialect="python")
    for inner in arrays.inner:
        inner.report(content)
    return judged, end


class _Arrays:
    """Goes over the arrays of one pickle.

    Attributes:
        inner: the judgements of arrays of objects, which are pickles of their own.
    """

    __slots__ = ("_content", "inner")

    def __init__(self, content: Content) -> None:
        self._content = content
        self.inner: list[Judge] = []

    def after_build(self, fact: Build, reader: Reader, scope: Scope) -> int:
        """Go over what `joblib.load` reads after a BUILD; 0, as the reader is moved itself."""
        target = fact.target
        kind = wrapper_kind(target)
        if kind is None or not isinstance(target, Instance):
            return 0
        try:
            if fact.again:
                raise DamagedError("an array wrapper that gets state a second time")
            found = parse_wrapper(target, fact.state)
        except DamagedError as error:
            scope.find("SM150", bounded(error.message), offset=fact.offset)
            return 0
        if isinstance(found, Companion):
            _companion(found, fact, scope)
        else:
            self._inline(found, fact, reader, scope)
        return 0

    def _inline(self, array: InlineArray, fact: Build, reader: Reader, scope: Scope) -> None:
        if array.dtype.problem:
            scope.find("SM152", f"a data type with {array.dtype.problem}", offset=fact.offset)
        if array.dtype.has_object:
            judged = Judge(scope)
            self.inner.append(judged)
            end = judged.run(reader, dialect="python")
            if isinstance(end, Failure):
                raise DamagedError("an array of objects that is no pickle", offset=end.offset)
            return
        if array.aligned:
            reader.advance(reader.read(1)[0])
        reader.advance(array.size)


def _companion(array: Companion, fact: Build, scope: Scope) -> None:
    name = bounded(array.filename)
    if not array.beside:
        scope.find(
            "SM151",
            f"loads an array from {name}",
            offset=fact.offset,
            evidence=(("filename", array.filename),),
        )
        return
    scope.unread(
        UnreadableError(
            f"a part of it is in another file, {name}, which its loader may unpickle",
            hint=f"scan {name} too, or the folder; save the model again with a current joblib",
            offset=fact.offset,
        )
    )
