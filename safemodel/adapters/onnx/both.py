"""Two forms of one model in a bundle: its own, and ONNX.

The manifest says with which prefix the tensors of the ONNX form begin, and how both were compared.
Implements spec/onnx.md, "Two forms".
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from safemodel.adapters.onnx import exporting
from safemodel.adapters.onnx.loading import describe
from safemodel.adapters.onnx.saving import GRAPH, MEDIA_TYPE, draft, make
from safemodel.bundle.contents import Payload
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.adapters.protocol import Saved
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue
    from safemodel.format.manifest import Manifest
    from safemodel.format.weights import TensorInfo

KEY: Final = "x-onnx"
_PREFIX: Final = re.compile(r"onnx[0-9]*:")


def add(obj: object, saved: Saved, inputs: object) -> Saved:
    """Add the ONNX form of a model to what is saved of it.

    Raises:
        UnsavableError: it can't be converted, or the ONNX form gives something else.
        UsageError: no inputs for this model.
        MissingLibraryError: a converter or ONNX Runtime is not installed.
    """
    taken = [tensor.spec.name for tensor in saved.tensors]
    prefix, number = "onnx:", 1
    while any(name.startswith(prefix) for name in taken):
        number += 1
        prefix = f"onnx{number}:"
    with tempfile.TemporaryDirectory(prefix="safemodel-", ignore_cleanup_errors=True) as folder:
        exported = exporting.export(obj, inputs, folder)
        outputs = exporting.compare(exported)
        source = draft(exported.file)
        exporting.strip(source.model)
        made = make(source, [tensor.spec for tensor in saved.tensors], prefix)
    compared: list[JsonValue] = [*outputs]
    record: dict[str, JsonValue] = {
        **describe(made.model, made.audit),
        "prefix": prefix,
        "compared": compared,
        "relative": str(exporting.RELATIVE),
        "absolute": str(exporting.ABSOLUTE),
    }
    return replace(
        saved,
        tensors=(*saved.tensors, *made.tensors),
        members={**saved.members, GRAPH: Payload(made.graph, MEDIA_TYPE)},
        extra={**saved.extra, KEY: record},
    )


def prefix_of(manifest: Manifest) -> str:
    """What the names of the tensors of the ONNX form begin with; nothing, if that is all there is.

    Raises:
        ArchitectureError: the manifest says something else than a prefix.
    """
    record = manifest.extra.get(KEY)
    if record is None:
        return ""
    prefix = record.get("prefix") if isinstance(record, dict) else None
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise ArchitectureError(f"{KEY} in the manifest has no prefix")
    return prefix


def own_form(bundle: VerifiedBundle) -> VerifiedBundle:
    """The bundle without the tensors of its ONNX form, if it has both.

    Raises:
        ArchitectureError: the manifest says something else than a prefix.
    """
    prefix = prefix_of(bundle.manifest)
    if not prefix or GRAPH not in bundle.manifest.files:
        return bundle
    return cast("VerifiedBundle", _Without(bundle, prefix))


class _Without:
    """A verified bundle that does not show tensors with a prefix."""

    def __init__(self, bundle: VerifiedBundle, prefix: str) -> None:
        self._bundle = bundle
        self.tensors: Mapping[str, TensorInfo] = {
            name: info for name, info in bundle.tensors.items() if not name.startswith(prefix)
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bundle, name)
