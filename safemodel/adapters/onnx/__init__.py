"""The ONNX adapter: a model is `graph.onnx`, and large initializers are tensors of the weights.

An unpacked bundle opens with ONNX Runtime as it is. Everything in the graph is read by our own
parser and checked against closed tables before `onnx` or `onnxruntime` see a byte. `load` gives
back an `onnx.ModelProto`, `onnx_session` an ONNX Runtime session over the verified memory.
Implements spec/onnx.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from safemodel.adapters.onnx.checking import Audit
from safemodel.adapters.onnx.files import OnnxFile
from safemodel.adapters.onnx.loading import BOOL, check_all_used, data_of, describe, open_model
from safemodel.adapters.onnx.operators import permit
from safemodel.adapters.onnx.saving import GRAPH, MEDIA_TYPE, draft, make
from safemodel.adapters.protocol import Saved
from safemodel.bundle.contents import Payload
from safemodel.errors import ArchitectureError, MissingLibraryError, UsageError

if TYPE_CHECKING:
    import onnx

    from safemodel.bundle.verified import VerifiedBundle

NAME: Final = "onnx"
VERSION: Final = 1
FRAMEWORK: Final = "onnx"


def save(obj: object) -> Saved:
    """Turn an `onnx.ModelProto`, or the model in an `OnnxFile`, into a graph and tensors.

    Raises:
        UnsavableError: no model, or part of it can't be represented; `place` says which.
        SourceError: a file can't be read.
    """
    made = make(draft(obj))
    libraries = {}
    if not isinstance(obj, OnnxFile):
        from safemodel.adapters.onnx.protos import VERSION as ONNX_VERSION

        libraries["onnx"] = ONNX_VERSION
    members = {GRAPH: Payload(made.graph, MEDIA_TYPE)}
    return Saved(
        describe(made.model, made.audit),
        made.tensors,
        libraries,
        members=members,
        notices=notices(made.audit),
    )


def notices(audit: Audit) -> tuple[str, ...]:
    """Say what whoever loads the model will have to allow."""
    if not audit.domains:
        return ()
    needed = [permit(domain) for domain in sorted(audit.domains)]
    return (f"whoever loads the model has to allow its custom operators: allow={needed!r}",)


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
) -> onnx.ModelProto:
    """Give back the model, with all its tensors in it.

    `allow` may have `"onnx-domain:NAME"` for domains of operators that are not in our table.

    Raises:
        ArchitectureError: the graph says something that must not be.
        NotAllowedError: an operator that only the caller can allow; the hint says what to write.
    """
    if into is not None:
        raise UsageError("into= has no meaning for ONNX", hint="load without into=")
    if device not in (None, "cpu"):
        raise UsageError(
            f"a ModelProto has no device {device!r}",
            hint="sm.onnx_session(path, providers=[...]) runs it on one",
        )
    opened = open_model(bundle, allow)
    if bundle.manifest.architecture != describe(opened.model, opened.audit):
        raise ArchitectureError("the architecture is not what the graph says")
    check_all_used(bundle, opened)
    try:
        from safemodel.adapters.onnx.protos import whole
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f"{error.name} is not installed", hint="pip install 'safemodel[onnx]'"
        ) from error

    for place in opened.places:
        if place[1].dtype == BOOL:
            data_of(bundle, place)  # all that can be refused is refused before anything is built
    numbers = {
        initializer.get("name"): number
        for number, initializer in enumerate(opened.model.get("graph").all("initializer"))
    }
    data = ((numbers[place[0].name], data_of(bundle, place)) for place in opened.places)
    return whole(opened.graph, data)
