"""The way of a conversion: open, scan, interpret, encode, write; refused anywhere, nothing is left.

See `safemodel.convert` for what it promises.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from safemodel import adapters
from safemodel.adapters import huggingface, tensors
from safemodel.adapters import keras as keras_adapter
from safemodel.adapters import numpy as plain_adapter
from safemodel.adapters import sklearn as models_adapter
from safemodel.adapters.keras import checking
from safemodel.adapters.needs import is_name, needs_of
from safemodel.adapters.protocol import Saved
from safemodel.bundle.contents import Contents, TensorData
from safemodel.bundle.write import write
from safemodel.convert import torch_encoding
from safemodel.convert.lineage import described
from safemodel.convert.readers import Converted, read
from safemodel.convert.sources import Source, opened, streamed
from safemodel.convert.tensorflow_prefix import prefix_of
from safemodel.errors import (
    FindingsError,
    LegacyError,
    SafemodelError,
    UnconvertibleError,
    UnreadableError,
    UnsavableError,
    UsageError,
    locating,
)
from safemodel.format import metadata as metadata_format
from safemodel.format.manifest import Adapter
from safemodel.format.metadata import Metadata
from safemodel.garbage import fewer_collections
from safemodel.report.model import FileReport, Finding, Severity, Status
from safemodel.scan.budget import DEFAULT_LIMITS, Limits
from safemodel.scan.single import Scanner, Settings

_SHOWN: Final = 3  # findings that an error names
_SKLEARN: Final = "sklearn"
_UNKNOWN: Final = "SM105"
_KERAS: Final = ("SM202", "SM204")  # the same, of what Keras looks up


@dataclass(frozen=True, slots=True)
class Options:
    """What `convert` was asked for; see there."""

    metadata: Mapping[str, object] | Metadata | None = None
    signer: Any = None
    own: bool = False
    allow: tuple[str, ...] = ()
    policy: str | os.PathLike[str] | None = None
    layout: Literal["archive", "folder"] = "archive"
    oms: bool = False
    expires: datetime | None = None
    note: str | None = None
    digest: str = "blake3"
    overwrite: bool = True
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a file.

    Attributes:
        digest: of the bundle.
        report: of the scan.
        adapter: which adapter loads the bundle.
        libraries: versions that the file tells, by distribution.
        tensors, size: how many, and their bytes.
        needs: names that whoever loads it has to allow.
        owner: kind and class of the object that it is the state of, such as a module.
    """

    digest: str
    report: FileReport
    adapter: str
    libraries: Mapping[str, str]
    tensors: int
    size: int
    needs: tuple[str, ...] = ()
    owner: tuple[str, str] | None = None


@fewer_collections()
def run(
    source: str | os.PathLike[str], target: str | os.PathLike[str], options: Options
) -> Conversion:
    """Convert one file, a checkpoint of TensorFlow, or a folder.

    Raises:
        SafemodelError: see `safemodel.convert`.
    """
    path, place = os.fspath(source), os.fspath(target)
    if os.path.isdir(path):
        from safemodel.convert import folders

        return folders.run(path, place, options)
    prefix = prefix_of(path)
    if prefix is not None:
        from safemodel.convert import tensorflow_checkpoint

        return tensorflow_checkpoint.run(prefix, place, options)
    signers = signers_of(options)
    with opened(path) as file, locating(path=path):
        if file.is_same_file(place):
            raise UsageError("can't be converted into itself", hint="give another target")
        limits = limits_of(options)
        report = scanned(file, options, limits)
        try:
            return _converted(file, place, report, options, limits, signers)
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


def limits_of(options: Options) -> Limits:
    """The limits of a scan."""
    if options.max_seconds is None:
        return DEFAULT_LIMITS
    return replace(DEFAULT_LIMITS, seconds=options.max_seconds)


def scanned(file: Source, options: Options, limits: Limits, *, data: bool = False) -> FileReport:
    """Scan the bytes, and refuse them if there is anything that a person should look at.

    `data` takes a file of no format that anything loads, too.

    Raises:
        FindingsError: findings of medium severity or higher.
        UnreadableError: part of them could not be read.
    """
    settings = Settings(limits, _policy(options))
    report = Scanner(settings).scan_bytes(file.data, file.path)
    grave = [
        one
        for one in report.findings
        if one.severity >= Severity.MEDIUM and not one.unread and not _allowed(one, options.allow)
    ]
    unread = [one for one in report.findings if one.unread]
    hint = f"`safemodel scan {file.path}` shows where, `safemodel explain {{rule}}` says what it is"
    if grave:
        grave.sort(key=lambda finding: -finding.severity)
        raise FindingsError(_named(grave), hint=_own(grave) or hint.format(rule=grave[0].rule))
    if unread or report.status is Status.UNREAD:
        raise UnreadableError(
            f"could not be fully read: {_named(unread)}",
            hint=hint.format(rule=unread[0].rule) if unread else None,
        )
    if report.status is Status.SKIPPED and not data:
        raise UnconvertibleError(
            "is empty" if not file.size else "is of no format that is known here"
        )
    return report


def _named(findings: Sequence[Finding]) -> str:
    shown = "; ".join(
        f"{one.rule} {one.severity.label}: {one.message}" for one in findings[:_SHOWN]
    )
    left = len(findings) - _SHOWN
    return shown + (f"; and {left} more" if left > 0 else "")


def _allowed(finding: Finding, allow: Sequence[str]) -> bool:
    """Whether it is about nothing but a class of Keras that the caller named."""
    if finding.rule not in _KERAS:
        return False
    evidence = dict(finding.evidence)
    if evidence.keys() == {"object", "name"}:  # `.h5` files have of a model the name alone
        bare = f">{evidence['name']}"
        return any(name == evidence["name"] or name.endswith(bare) for name in allow)
    return _registered(finding) in allow


def _registered(finding: Finding) -> str:
    """The name (`package>Name`) by which a class was registered with Keras, or nothing."""
    evidence = dict(finding.evidence)
    names = (evidence.get("registered", ""), evidence.get("name", ""))
    return next((name for name in names if checking.is_registered(name)), "")


def _own(findings: Sequence[Finding]) -> str:
    """What to write if there is nothing but classes that no table knows."""
    names = {dict(one.evidence).get("global", "") for one in findings if one.rule == _UNKNOWN}
    names |= {_registered(one) for one in findings if one.rule in _KERAS}
    if any(one.rule not in (_UNKNOWN, *_KERAS) for one in findings):
        return ""
    if not all(is_name(name) or checking.is_registered(name) for name in names):
        return ""
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return f"if that is code of yours: convert(..., allow=[{listed}]), or --allow"


def _policy(options: Options) -> Any:
    from safemodel.scan import policy as policies

    known = None if options.policy is None else policies.load(os.fspath(options.policy))
    allow = [name for name in options.allow if not checking.is_registered(name)]
    return policies.allowing(known, allow) if allow else known


def _converted(
    file: Source,
    target: str,
    report: FileReport,
    options: Options,
    limits: Limits,
    signers: Sequence[Any],
) -> Conversion:
    try:
        found = read(file.data, report.formats, limits, options.allow)
        name, saved = encoded(found)
        for line in saved.notices:
            adapters.notice(line)
    except UnsavableError as error:
        raise UnconvertibleError(error.message, place=error.place, hint=error.hint) from None
    except LegacyError as error:
        error.path = error.path or file.path
        raise
    contents = Contents(
        framework=saved.framework or plain_adapter.FRAMEWORK,
        adapter=Adapter(name, VERSIONS[name]),
        libraries=saved.libraries,
        architecture=saved.architecture,
        metadata=partial(described, metadata_format.make(options.metadata or {}), [(file, report)]),
        tensors=watching(saved.tensors, [file]),
        members=saved.members,
    )
    file.check_unchanged()
    return Conversion(
        written(target, contents, options, signers),
        report,
        name,
        saved.libraries,
        len(saved.tensors),
        sum(tensor.spec.nbytes for tensor in saved.tensors),
        tuple(needs_of(saved.architecture)),
        _owner(saved.architecture),
    )


def written(target: str, contents: Contents, options: Options, signers: Sequence[Any]) -> str:
    """Write a bundle as it was asked for; return its digest.

    Raises:
        SafemodelError: see `safemodel.convert`.
    """
    return write(
        target,
        contents,
        signers=signers,
        layout=options.layout,
        oms=options.oms,
        expires=options.expires,
        note=options.note,
        digest=options.digest,
        overwrite=options.overwrite,
    )


def _owner(architecture: Any) -> tuple[str, str] | None:
    owner = architecture.get("state_of")
    return None if owner is None else (owner["kind"], owner["class"])


def watching(tensors: Sequence[TensorData], files: Sequence[Source]) -> tuple[TensorData, ...]:
    """The same tensors; when the last of them is written, the files must be what they were."""
    left = len(tensors)

    def watched(tensor: TensorData) -> Iterator[Any]:
        nonlocal left
        for piece in tensor.pieces():
            for part in streamed(memoryview(piece)):
                yield part
                for file in files:
                    file.saw(part.nbytes)
        left -= 1
        if not left:
            for file in files:
                file.check_unchanged()

    return tuple(TensorData(one.spec, partial(watched, one)) for one in tensors)


VERSIONS: Final[Mapping[str, int]] = {
    "keras": keras_adapter.VERSION,
    "numpy": plain_adapter.VERSION,
    "sklearn": models_adapter.VERSION,
    "torch": tensors.VERSION,
    "transformers": huggingface.VERSION,
}


def encoded(found: Converted) -> tuple[str, Saved]:
    """The adapter for an object, and what that makes of it.

    Raises:
        UnsavableError: part of it can't be represented; `place` is its path.
        UnconvertibleError: nothing says which release its objects are of.
    """
    library = found.library
    if found.keras is not None:
        return "keras", found.keras
    if found.torch:
        return torch_encoding.encoded(found.root)
    if library is None or not library.used:
        return "numpy", replace(plain_adapter.save(found.root), libraries={})
    graph, packages = models_adapter.encode_model(found.root, library)
    versions = {name: text for name, text in found.versions.items() if name in packages}
    if library.needs_release and _SKLEARN not in versions:
        raise UnconvertibleError(
            "nothing in it says which release of scikit-learn wrote it, as all since 0.18 do"
        )
    libraries = models_adapter.named(versions)
    framework = models_adapter.framework_of(found.root)
    saved = Saved({"graph": graph.graph}, graph.tensors, libraries, framework=framework)
    return "sklearn", saved


def signers_of(options: Options) -> Sequence[Any]:
    """The keys that sign; the first use makes the user's own."""
    return adapters.signing_with(adapters.OWN_KEY if options.own else options.signer)
