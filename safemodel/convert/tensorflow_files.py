"""The files of a checkpoint or a SavedModel of TensorFlow, and the bundle that is written of them.

Files are opened once, as they are needed, and are what they were when the last byte was read. A
link that leads out of the folder is refused. Implements docs/convert.md, "TensorFlow".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters import notice
from safemodel.adapters.tensorflow import VERSION
from safemodel.bundle.contents import Contents
from safemodel.convert import converting
from safemodel.convert.lineage import described
from safemodel.convert.sources import Source, opened
from safemodel.errors import (
    SafemodelError,
    SourceError,
    UnconvertibleError,
    UnsavableError,
    UsageError,
    locating,
)
from safemodel.format import metadata as metadata_format
from safemodel.format.manifest import Adapter
from safemodel.report.model import FileReport, Status
from safemodel.scan import walk
from safemodel.scan.budget import Budget

if TYPE_CHECKING:
    from safemodel.adapters.graph_encode import EncodedGraph
    from safemodel.format.canonical_json import JsonValue

ADAPTER: Final = "tensorflow"
MAX_GRAPH: Final = 2 << 30  # bytes of a saved_model.pb; protobuf has no larger message
_RELEASE: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,40}")
_SHOWN: Final = 6


class Files:
    """The files of one conversion, in the folder `root`.

    Attributes:
        used: those that were opened, with what a scan says of them.
    """

    def __init__(self, root: str, options: converting.Options, stack: ExitStack) -> None:
        self.root, self.options = root, options
        self.used: list[tuple[Source, FileReport]] = []
        self._stack = stack
        self._limits = converting.limits_of(options)

    def data(self, path: str) -> Source:
        """Open a file that is nothing but values: no scan knows a format of it.

        Raises:
            SourceError: it is missing, can't be read, or is a link out of the folder.
        """
        file = self._open(path)
        self.used.append((file, FileReport(path, Status.SKIPPED, size=file.size)))
        return file

    def scanned(self, path: str) -> Source:
        """Open a file, and refuse it if its scan has findings.

        Raises:
            SourceError: it is missing, can't be read, or is a link out of the folder.
            FindingsError: findings of medium severity or higher.
            UnreadableError: part of it could not be read.
        """
        file = self._open(path)
        if file.size > MAX_GRAPH:
            raise UnconvertibleError(f"has {file.size} bytes", path=path)
        with locating(path=path):
            report = converting.scanned(file, self.options, self._limits)
        self.used.append((file, report))
        return file

    def _open(self, path: str) -> Source:
        place = path
        while len(place) > len(self.root):
            if walk.leads_elsewhere(place, self.root):
                raise SourceError(
                    "is a link that leads out of the folder", path=place, hint="copy what it names"
                )
            place = os.path.dirname(place)
        return self._stack.enter_context(opened(path))

    def spend(self, data: memoryview) -> Callable[[int], None]:
        """What parsers of a file call, so that none goes on for ever."""
        budget = Budget(self._limits, len(data))
        return lambda count: budget.check_time()

    def write(
        self,
        target: str,
        graph: EncodedGraph,
        program: JsonValue,
        *,
        kind: str,
        release: str,
        signers: Sequence[Any],
    ) -> converting.Conversion:
        """Write the bundle.

        Raises:
            SafemodelError: see `safemodel.convert`.
        """
        for file, _ in self.used:
            if file.is_same_file(target):
                raise UsageError("can't be converted into itself", hint="give another target")
        libraries = {"tensorflow": release} if _RELEASE.fullmatch(release) else {}
        architecture: dict[str, JsonValue] = {"graph": graph.graph}
        if program is not None:
            architecture["program"] = program
        metadata = metadata_format.make(self.options.metadata or {})
        contents = Contents(
            framework=ADAPTER,
            adapter=Adapter(ADAPTER, VERSION),
            libraries=libraries,
            architecture=architecture,
            metadata=partial(described, metadata, self.used),
            tensors=converting.watching(graph.tensors, [file for file, _ in self.used]),
        )
        for file, _ in self.used:
            file.check_unchanged()
        return converting.Conversion(
            converting.written(target, contents, self.options, signers),
            replace(self.used[0][1], formats=(kind,)),
            ADAPTER,
            libraries,
            len(graph.tensors),
            sum(tensor.spec.nbytes for tensor in graph.tensors),
        )


@contextmanager
def converting_files(
    root: str, path: str, target: str, options: converting.Options
) -> Iterator[Files]:
    """The files of a conversion, closed again; errors say which file.

    Raises:
        SafemodelError: see `safemodel.convert`.
    """
    if os.path.realpath(target).startswith(os.path.join(os.path.realpath(path), "")):
        raise UsageError("would be written into the folder itself", hint="give another target")
    with ExitStack() as stack, locating(path=path):
        try:
            yield Files(root, options, stack)
        except UnsavableError as error:
            raise UnconvertibleError(error.message, place=error.place, hint=error.hint) from None
        except (SafemodelError, OSError):
            raise
        except (MemoryError, RecursionError) as error:
            raise UnconvertibleError(f"needs too much memory ({type(error).__name__})") from None
        except Exception as error:  # the net below tables that read hostile values
            if os.environ.get("SAFEMODEL_DEBUG"):
                raise
            raise UnconvertibleError(
                f"holds something that its table did not expect ({type(error).__name__})"
            ) from None


def left_out(what: str, reasons: Mapping[str, str] | Sequence[str]) -> None:
    """Tell whoever converts what the archive does not have, and why."""
    if not reasons:
        return
    said = (
        [f"{name} ({why})" if why else name for name, why in reasons.items()]
        if isinstance(reasons, Mapping)
        else list(reasons)
    )
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    notice(f"left out {what}: {', '.join(one[:300] for one in said[:_SHOWN])}{more}")
