"""joblib: pickles whose arrays are raw bytes behind the opcode that describes them.

`joblib.load` uses Python's own unpickler; `pickle.load` would take the arrays for opcodes. Both
are readings of the same bytes, so the handler of pickles calls this one when it meets an array
wrapper, and reports what the plain reading reaches as well.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError, UnreadableError
from safemodel.legacy.joblib import Companion, InlineArray, parse_wrapper, wrapper_kind
from safemodel.legacy.pickle_facts import Failure, Instance
from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded
from safemodel.scan.judge import Judge, Loader

if TYPE_CHECKING:
    from safemodel.legacy.content import Content, Reader
    from safemodel.legacy.pickle_facts import Build, Stop
    from safemodel.report.model import Finding
    from safemodel.scan.scope import Scope

# Packages of which modules may have a `dtype`; those of others were looked through: none has.
_WITH_DTYPE: Final = (
    "cupy",
    "dask",
    "jax",
    "numpy",
    "pandas",
    "scipy.io",
    "scipy.opt",
    "tensorflow",
    "torch",
    "xarray",
)
_WRAPPER: Final = "ArrayWrapper"
_COMPUTED: Final = re.compile(r"<instance at offset (\d+)>")  # in a name
_ON_OBJECTS: Final = frozenset({"SM110", "SM111"})
_DANGERS: Final = frozenset({"SM101", "SM102", "SM114", "SM120"})


def read(content: Content, reader: Reader, scope: Scope) -> tuple[Judge, Stop | Failure, Reader]:
    """Judge one pickle as `joblib.load` reads it, from where the reader is.

    Also returns the reader that is behind its end: another one, if it had to be read twice.
    """
    start = reader.offset
    for values in (False, True):
        arrays = _Arrays(content)
        loader = Loader("joblib", after_build=arrays.after_build, values=values)
        judged = Judge(scope, loader)
        end = judged.run(reader, dialect="python")
        if arrays.complete or values:
            break
        reader = content.reader()
        reader.advance(start)
    for inner in arrays.inner:
        inner.report(content)
    return judged, end, reader


def report_plain(
    judged: Judge, content: Content, scope: Scope, wrappers: Mapping[int, int]
) -> None:
    """Report what `pickle.load` would reach in a pickle that joblib reads differently.

    It takes arrays for opcodes. In an honest file it fails there: at numbers at once, in an array
    of objects, which is a pickle with a memo of its own, where that first uses the memo. NumPy
    gets its `dtype` so; the plain reading looks it up in whatever the outer memo has instead, and
    raises. What comes behind that place counts only if it is a known danger, or of the standard
    library.

    Args:
        wrappers: the offset of each array wrapper, and of its state, behind which the array is.
    """
    if not judged.harmful:
        return
    findings = scope.record.findings
    before = len(findings)
    scope.record.counts[:] = 0, 0  # what is left out leaves nothing else out
    judged.report(content, failure=False)
    end = min((_offset(found) for found in findings[before:] if _is_lost(found)), default=None)
    findings[before:] = [
        _toned(found, wrappers)
        for found in findings[before:]
        if found.severity >= Severity.HIGH
        and not _is_chance(found, wrappers)
        and (end is None or _offset(found) < end or _is_certain(found, scope))
    ]
    scope.record.recount()


def _is_chance(found: Finding, wrappers: Mapping[int, int]) -> bool:
    """Whether it is what numbers of an array look like by chance, and what does nothing.

    A code of the extension registry is in no fresh process, and whoever adds one is found for
    that. A wrapper of an array has no methods that would get a state or items, and is no text to
    look up a name by: the unpickler raises. No module has a name that can't be printed.
    """
    if not _is_behind(found, wrappers):
        return False
    if found.rule in _ON_OBJECTS:
        return _global(found).endswith(_WRAPPER)
    if found.rule == "SM107":
        return dict(found.evidence).get("callee", "").endswith(f"{_WRAPPER}()")
    name = _global(found)
    computed = any(int(offset) in wrappers for offset in _COMPUTED.findall(name))
    return found.rule == "SM109" or computed or not name.isprintable()


def _toned(found: Finding, wrappers: Mapping[int, int]) -> Finding:
    """A finding as serious as it is where it may be chance: one opcode makes it.

    What the array wrapper and the objects before it are appended to is mostly an object of a
    class in the tables, and these have no such method: the unpickler raises.
    """
    low = found.rule == "SM110" and "items" in found.message and _is_behind(found, wrappers)
    return replace(found, severity=Severity.LOW) if low else found


def _is_behind(found: Finding, wrappers: Mapping[int, int]) -> bool:
    """Whether it is in what joblib takes for the first array, or behind that."""
    return _offset(found) > min(wrappers.values())


def _offset(found: Finding) -> int:
    return found.location.offset or 0


def _global(found: Finding) -> str:
    return dict(found.evidence).get("global", "")


def _is_lost(found: Finding) -> bool:
    """Whether it is `dtype` of what has none."""
    module, _, name = _global(found).rpartition(".")
    has = module.startswith(_WITH_DTYPE) or "array_api_compat" in module
    return name == "dtype" and not has


def _is_certain(found: Finding, scope: Scope) -> bool:
    if found.rule in _DANGERS or found.location.inside != scope.inside:
        return True
    root = _global(found).partition(".")[0]
    return root in sys.stdlib_module_names and not _is_lost(found)


class _Arrays:
    """Goes over the arrays of one pickle.

    Attributes:
        inner: the judgements of arrays of objects, which are pickles of their own.
        complete: whether every data type was at hand as a whole.
    """

    __slots__ = ("_content", "complete", "inner")

    def __init__(self, content: Content) -> None:
        self._content = content
        self.inner: list[Judge] = []
        self.complete = True

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
        if not array.dtype.complete:
            # read again, with everything kept; until then its size will do
            self.complete = False
        elif array.dtype.problem:
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
