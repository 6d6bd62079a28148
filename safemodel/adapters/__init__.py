"""Live objects to bundles and back: `save` and `load`, and the table of adapters.

An adapter is a module of this package; it is imported when an object or a manifest needs it, and
only then its framework. At save it is chosen by the packages of the object's class, at load by
the manifest's adapter name in the same closed table: no import is ever named by data.

Notices (a key was made, nothing was signed) go to the logger `safemodel` as warnings: without any
logging set up Python writes them to standard error, one line each.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from safemodel.adapters.choosing import choose
from safemodel.errors import (
    ArchitectureError,
    MissingLibraryError,
    UnsupportedError,
    UsageError,
    locating,
)
from safemodel.garbage import fewer_collections

if TYPE_CHECKING:
    from datetime import datetime

    from safemodel.adapters.protocol import AdapterModule
    from safemodel.bundle.contents import Payload
    from safemodel.bundle.opening import Source
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.metadata import Metadata
    from safemodel.trust.keys import SigningKey
    from safemodel.trust.policy import TrustLike

__all__ = ["OWN_KEY", "load", "save"]


@dataclass(frozen=True, slots=True)
class _Entry:
    module: str
    extra: str
    packages: tuple[str, ...]  # what it needs installed


# The adapters, by the name that manifests carry.
_ADAPTERS: Final[Mapping[str, _Entry]] = {
    "keras": _Entry("safemodel.adapters.keras.adapter", "keras", ("numpy", "keras")),
    "numpy": _Entry("safemodel.adapters.numpy", "numpy", ("numpy",)),
    "onnx": _Entry("safemodel.adapters.onnx", "onnx", ("numpy", "onnx")),
    "sklearn": _Entry("safemodel.adapters.sklearn", "sklearn", ("numpy", "scipy", "sklearn")),
    "tensorflow": _Entry(
        "safemodel.adapters.tensorflow.adapter", "tensorflow", ("numpy", "tensorflow")
    ),
    "torch": _Entry("safemodel.adapters.torch", "torch", ("numpy", "torch")),
    "transformers": _Entry(
        "safemodel.adapters.transformers",
        "transformers",
        ("numpy", "tokenizers", "torch", "transformers"),
    ),
    "torch_checkpoint": _Entry("safemodel.adapters.torch.checkpoint", "torch", ("numpy", "torch")),
}

# Who saves a model with its graph, where that is not who saves it without.
_WITH_GRAPH: Final[Mapping[str, str]] = {"transformers": "torch"}


class _OwnKey:
    """The type of OWN_KEY."""

    def __repr__(self) -> str:
        return "OWN_KEY"


OWN_KEY: Final = _OwnKey()


@fewer_collections()
def save(
    obj: object,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, object] | Metadata | None = None,
    signer: SigningKey | Sequence[SigningKey] | _OwnKey | None = OWN_KEY,
    layout: Literal["archive", "folder"] = "archive",
    oms: bool = False,
    expires: datetime | None = None,
    note: str | None = None,
    digest: str = "blake3",
    members: Mapping[str, Payload] | None = None,
    weights: bool = True,
    architecture: bool = True,
    onnx_inputs: object | None = None,
    tokenizer: object | None = None,
    example_inputs: object | None = None,
    dynamic_shapes: object | None = None,
) -> str:
    """Save a model or the state of one, signed, and return the bundle digest.

    Args:
        obj: an estimator; a module, an optimizer or a scheduler, whose state is saved; or arrays,
            tensors and plain values in any nesting of containers.
        path: where to put it. An archive takes the place of a file that is there, in one step; a
            folder must be new.
        metadata: what the model says of itself: `name`, `version`, `description` and so on.
        signer: a key or several; None leaves the bundle unsigned. Without it your own key signs,
            which the first save makes.
        layout: `"archive"`, one file, or `"folder"`.
        oms: sign an OpenSSF Model Signing statement, which other tools verify too.
        expires: until when the signature holds, a `datetime` with a time zone.
        note: a remark that is signed with it.
        digest: the algorithm of the chunk digests, `"blake3"` or `"sha256"`.
        members: further files to put into the bundle, by name.
        weights, architecture: False leaves out what fitting added to an estimator, or the
            variables of a Keras model; or all but these, for `load_weights` (Keras).
        onnx_inputs: inputs of the model, such as rows of its training data: it is stored as ONNX
            too, if both give the same outputs for them. `onnx_session` opens that form.
        tokenizer: the tokenizer of a model of Transformers; `load_tokenizer` gives it back.
        example_inputs: the arguments of a module, a tuple, or `(args, kwargs)`: its graph is saved
            beside its state, and `load` gives a module that needs no class. A dictionary of such
            tuples by name saves several methods. With TensorFlow they may be `tf.TensorSpec`, and
            a `tf.function` with an `input_signature` needs none.
        dynamic_shapes: which sizes of these inputs may differ, as `torch.export` takes it.

    Raises:
        UnsavableError: part of the object can't be represented; `place` is its path.
        MissingLibraryError: a library that the object needs is not installed.
        UsageError: an argument that makes no sense, alone or with the others.
        FormatError: it would be no legal bundle: a name of a member, a size, a count.
        KeyFileError: your own key is there, and can't be used.
        SourceError: the disk refuses, or there is a folder at `path`.
    """
    from safemodel.adapters import apart
    from safemodel.bundle.contents import Contents
    from safemodel.bundle.write import write
    from safemodel.format import metadata as metadata_format
    from safemodel.format.manifest import Adapter

    checked = metadata_format.make(metadata or {})
    name = choose(obj)
    if example_inputs is not None:
        name = _WITH_GRAPH.get(name, name)
    adapter = import_adapter(name)
    options = _options(
        adapter,
        "SAVE_OPTIONS",
        tokenizer=tokenizer,
        example_inputs=example_inputs,
        dynamic_shapes=dynamic_shapes,
    )
    saved = apart.halves(obj, adapter, options, architecture=architecture, weights=weights)
    if onnx_inputs is not None:
        from safemodel.adapters.onnx import both

        saved = both.add(obj, saved, onnx_inputs)
    twice = sorted(saved.members.keys() & (members or {}).keys())
    if twice:
        raise UsageError(f"the adapter makes a member {twice[0]} itself")
    contents = Contents(
        framework=saved.framework or adapter.FRAMEWORK,
        adapter=Adapter(name, adapter.VERSION),
        libraries=saved.libraries,
        architecture=saved.architecture,
        training_state=saved.training_state,
        metadata=checked,
        tensors=saved.tensors,
        members={**saved.members, **(members or {})},
        extra=saved.extra,
    )
    written = write(
        path,
        contents,
        signers=signing_with(signer),
        layout=layout,
        oms=oms,
        expires=expires,
        note=note,
        digest=digest,
    )
    for line in saved.notices:
        notice(line)
    return written


@fewer_collections()
def load(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    mapped: bool = False,
    strict: bool = True,
    prefix: str | Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
) -> Any:
    """Verify a bundle and give back what was saved.

    Args:
        source: path of an archive or of a folder, or the bytes of an archive.
        trust: who may have signed it: a public key or its file, `TrustedKeys`, `UNSIGNED`; None is
            your own key and trust store.
        name, version, digest: which model is wanted; a version is a PEP 440 specifier.
        into: a model, an optimizer or a scheduler of yours whose state is replaced; a LoadReport is
            returned then. `dict` gives the bare state of one.
        device: where the tensors go, for PyTorch; the CPU without it.
        allow: what only the caller may permit; a refusal for the want of it says what to write.
        mapped: tensors become views of the mapped file, verified at each access. Only for storage
            that nobody else can write: bytes could change after they were verified.
        strict: whether all of the state must fit `into`; if not, what fits is loaded and the report
            says what does not.
        prefix: takes the entries of a module's state whose names begin so, and cuts it off:
            `prefix="encoder."` loads that part of a larger model. A dictionary says what stands
            there instead: `{"": "backbone."}` puts it in front of all names.
        only: patterns (`fnmatch`) of names of `into` that are to be loaded, as `["encoder.*"]`.
            What `prefix` and `only` leave out is neither missing nor unexpected, nor read.

    Raises:
        SourceError: the file is missing, unreadable, or no bundle.
        FormatError: it is malformed, or needs a newer safemodel (UnsupportedError).
        VerificationError: unsigned, untrusted, not the model asked for, or bytes that differ.
        KeyFileError: a key or the trust store can't be read.
        ArchitectureError: it describes something that must not be built, or (NotAllowedError) that
            `allow` must name.
        StateMismatchError: the state does not fit `into`, which is unchanged; or code of `into`
            itself raised, and it may be changed in part.
        MissingLibraryError: its framework is not installed.
        UsageError: an argument that makes no sense, alone or with the others.
    """
    from safemodel.bundle import open_bundle

    if isinstance(allow, str):
        raise UsageError(
            "allow= is a list of strings, and a single one was given", hint=f"allow=[{allow!r}]"
        )
    with open_bundle(
        source, trust=trust, name=name, version=version, digest=digest, mapped=mapped
    ) as bundle:
        recorded = bundle.manifest.adapter
        with locating(path=bundle.path):
            if recorded is None:
                raise ArchitectureError(
                    "no adapter made this bundle, so there is no object to load",
                    hint="open it with safemodel.open() and read its tensors",
                )
            if recorded.name not in _ADAPTERS:
                raise UnsupportedError(
                    f"made by the adapter {recorded.name!r}, which this version does not have",
                    hint="update safemodel",
                )
            adapter = import_adapter(recorded.name)
            if not 1 <= recorded.version <= adapter.VERSION:
                raise UnsupportedError(
                    f"made by version {recorded.version} of the adapter {recorded.name}; "
                    f"this one knows versions up to {adapter.VERSION}",
                    hint="update safemodel",
                )
            seen = own_form(bundle)
            options = _options(adapter, "LOAD_OPTIONS", prefix=prefix, only=only)
            return adapter.load(
                seen, into=into, device=device, allow=allow, strict=strict, **options
            )


def _options(adapter: AdapterModule, known: str, **given: object) -> dict[str, Any]:
    """The options that were given; `known` names those that the adapter has."""
    options = {name: value for name, value in given.items() if value is not None}
    for name in sorted(options.keys() - getattr(adapter, known, frozenset())):
        raise UsageError(f"{name}= makes no sense for what the adapter {adapter.NAME} saves")
    return options


def own_form(bundle: VerifiedBundle) -> VerifiedBundle:
    """The bundle as an adapter sees it: without the tensors of a second form, ONNX."""
    if not bundle.manifest.extra:
        return bundle
    from safemodel.adapters.onnx import both

    return both.own_form(bundle)


def import_adapter(name: str) -> AdapterModule:
    """The module of an adapter of the table.

    Raises:
        MissingLibraryError: its framework is not installed.
    """
    entry = _ADAPTERS[name]
    try:
        module: AdapterModule = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if error.name not in entry.packages:
            raise
        raise MissingLibraryError(
            f"{error.name} is not installed", hint=f"pip install 'safemodel[{entry.extra}]'"
        ) from error
    return module


def unfitted(model: object) -> object:
    """Return a model with its architecture alone.

    Raises:
        UsageError: there is no such thing for what its adapter saves.
    """
    adapter = import_adapter(choose(model))
    make: Callable[[object], object] | None = getattr(adapter, "unfitted", None)
    if make is None:
        raise UsageError(
            f"what the adapter {adapter.NAME} saves has no architecture apart from its weights",
            hint="this is for estimators of scikit-learn and models of Keras",
        )
    return make(model)


def signing_with(
    signer: SigningKey | Sequence[SigningKey] | _OwnKey | None,
) -> Sequence[SigningKey]:
    """The keys that `signer=` of `save` stands for; the first use makes the user's own.

    Raises:
        KeyFileError: your own key is there, and can't be used.
    """
    if signer is None:
        return ()
    if not isinstance(signer, _OwnKey):
        from safemodel.trust.keys import signing_keys

        return signing_keys(signer)
    from safemodel.trust.store import own_signer

    own = own_signer(notice=notice)
    if own is None:
        notice("saved unsigned: there is no folder for your key (set SAFEMODEL_CONFIG to one)")
        return ()
    return (own,)


def notice(line: str) -> None:
    import logging

    logging.getLogger("safemodel").warning("safemodel: %s", line)
