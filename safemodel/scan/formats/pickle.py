"""Bare pickles: one, or several behind one another, and what follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy.pickle_facts import Failure, Global, Instance, Items, Pairs, Stop
from safemodel.legacy.pickle_input import DIALECTS
from safemodel.report.model import Severity
from safemodel.scan.judge import PLAIN, Judge, Loader
from safemodel.scan.nested import section

if TYPE_CHECKING:
    from safemodel.legacy.content import Content, Reader
    from safemodel.legacy.pickle_facts import Build
    from safemodel.legacy.pickle_input import Dialect
    from safemodel.scan.scope import Scope

_PROTO: Final = 0x80
_MAX_PROTOCOL: Final = 5
_MIN_OPCODES: Final = 4  # of a pickle without PROTO that other bytes follow
_MAX_READINGS: Final = 32  # ends that differ between unpicklers, in one content
_MAX_PADDING: Final = 1 << 20
_PADDING: Final = b"\0\n\r\t "
_WRAPPER: Final = "ArrayWrapper"
_MAX_WRAPPERS: Final = 1000  # a plain reading does not get beyond the first, where they are honest


def scan(content: Content, scope: Scope) -> bool:
    """Judge every pickle of some content, and account for what is behind them.

    Without a PROTO opcode at the start the bytes could be text. They are a pickle if they are read
    to their STOP, or if a call or a dangerous name was reached on the way: that has run, whatever
    comes after it.
    """
    return follow(content, scope, PLAIN)


def follow(content: Content, scope: Scope, loader: Loader) -> bool:
    """The same, for pickles that some loader reads in its own way."""
    return _Chain(content, scope, loader).follow()


class _Chain:
    """The pickles of some content, each read as every unpickler reads it."""

    def __init__(self, content: Content, scope: Scope, loader: Loader) -> None:
        self._content = content
        self._scope = scope
        self._loader = loader
        self._count = 0
        self._place = 0  # of the second pickle
        self._starts = [0]  # of chains that are still to be followed
        self._known = {0}

    def follow(self) -> bool:
        """Judge all; whether there is at least one pickle."""
        while self._starts:
            start = self._starts.pop()
            reader = self._content.reader()
            reader.advance(start)
            behind = self._one(reader, start)
            while behind is not None and not _ended(behind):
                behind = self._one(behind, behind.offset)
        return bool(self._count)

    def _one(self, reader: Reader, start: int) -> Reader | None:
        """Judge one pickle; a reader behind its end, None if no other can follow it."""
        self._scope.budget.check_time()
        definite = _announced(reader)
        watch = _Watch()
        plain = Loader(after_build=watch.after_build)
        judged = Judge(self._scope, plain if self._loader is PLAIN else self._loader)
        end = judged.run(reader)
        if watch.wrappers:
            return self._joblib(judged, start, watch)
        runs = [(judged, end)]
        if judged.ambiguous:
            runs += [self._read(start, dialect) for dialect in DIALECTS[1:]]
        if not any(_plausible(run, stop, definite, reader) for run, stop in runs):
            if start:
                self._trailing(start)
            return None
        if self._count and start:
            self._scope.find("SM117", "holds more than one pickle", offset=self._second(start))
        self._count += 1
        for run, _ in runs:
            run.report(self._content)
        for _, stop in runs[1:]:
            if isinstance(stop, Stop) and len(self._known) < _MAX_READINGS:
                self._later(stop.end, reader)
        return reader if isinstance(end, Stop) else None

    def _joblib(self, plain: Judge, start: int, watch: _Watch) -> Reader | None:
        """Judge a pickle with arrays of joblib's as joblib reads it.

        `pickle.load` takes the arrays for opcodes: it fails there, unless someone meant it not to.
        """
        from safemodel.scan.formats import joblib

        reader = self._content.reader()
        reader.advance(start)
        judged, end, reader = joblib.read(self._content, reader, self._scope)
        self._scope.fits("joblib")
        self._count += 1
        judged.report(self._content)
        joblib.report_plain(plain, self._content, self._scope, watch.wrappers)
        return reader if isinstance(end, Stop) else None

    def _second(self, start: int) -> int:
        if self._count == 1:
            self._place = start
        return self._place

    def _read(self, start: int, dialect: Dialect) -> tuple[Judge, Stop | Failure]:
        reader = self._content.reader()
        reader.advance(start)
        judged = Judge(self._scope, self._loader)
        return judged, judged.run(reader, dialect=dialect)

    def _later(self, end: int, reader: Reader) -> None:
        if end not in self._known and end != reader.offset:
            self._known.add(end)
            self._starts.append(end)

    def _trailing(self, start: int) -> None:
        """Bytes that are no pickle, behind one: padding, or some other file."""
        size = self._content.size
        length = None if size is None else size - start
        if length == 0:
            return
        rest = section(self._content, start, length)
        padding = (
            length is not None and length <= _MAX_PADDING and not bytes(rest.view()).strip(_PADDING)
        )
        self._scope.find(
            "SM118",
            "is followed by padding" if padding else "is followed by bytes that are no pickle",
            offset=start,
            length=length,
            severity=Severity.INFO if padding else None,
        )
        if not padding:
            self._scope.scan(f"<behind the pickle, at {start}>", rest)


class _Watch:
    """Notes where a pickle has array wrappers of joblib's, whose loader reads on differently.

    Attributes:
        wrappers: the offset of each, and where it got its state first.
    """

    __slots__ = ("wrappers",)

    def __init__(self) -> None:
        self.wrappers: dict[int, int] = {}

    def after_build(self, fact: Build, reader: Reader, scope: Scope) -> int:
        """For `Loader.after_build`."""
        target = fact.target
        if type(target) is Instance and len(self.wrappers) < _MAX_WRAPPERS:
            arguments = target.arguments
            first = arguments.items[:1] if type(arguments) is Items else []
            if any(
                type(cls) is Global and cls.name.endswith(_WRAPPER)
                for cls in (target.callee, *first)
            ):
                self.wrappers.setdefault(target.offset, fact.offset)
        return 0


def _announced(reader: Reader) -> bool:
    """Whether a PROTO opcode is next: then it is a pickle, or one that is damaged."""
    reader.position = reader.need(reader.position, 2)
    head = bytes(reader.window[reader.position : reader.position + 2])
    return len(head) == 2 and head[0] == _PROTO and head[1] <= _MAX_PROTOCOL


def _ended(reader: Reader) -> bool:
    reader.position = reader.need(reader.position, 1)
    return reader.position >= len(reader.window)


def _plausible(judged: Judge, end: Stop | Failure, definite: bool, reader: Reader) -> bool:
    """Whether what was read is a pickle, rather than text that begins like one."""
    if definite or judged.harmful:
        return True
    if isinstance(end, Failure):
        return judged.exhausted
    try:
        if _ended(reader):
            return True
    except LegacyError:
        pass  # damaged behind the end: whoever reads on says so
    built = isinstance(end.value, Items | Pairs | Instance | Global)
    return built and end.opcodes >= _MIN_OPCODES
