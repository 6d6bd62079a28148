"""The adapter for models of Transformers: rebuilt from their configuration, without their code.

The class is one of a closed table of the installed library (`huggingface.classes`), the
configuration plain data that is checked field by field, the tensors are the state of the model, as
the adapter for PyTorch stores it. Nothing is downloaded, `trust_remote_code` is never given, no
kernel is looked up. Files of a tokenizer are members. Implements spec/transformers.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import transformers

from safemodel.adapters import huggingface
from safemodel.adapters import torch as state_adapter
from safemodel.adapters.huggingface.config import decode_fields
from safemodel.adapters.huggingface.fields import ATTENTION, GENERATION
from safemodel.adapters.protocol import Saved
from safemodel.adapters.torch.staging import device_of
from safemodel.adapters.transformers import building, saving, tokenizers, training
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue
    from safemodel.format.manifest import Manifest

NAME: Final = "transformers"
VERSION: Final = huggingface.VERSION
FRAMEWORK: Final = "transformers"
SAVE_OPTIONS: Final = frozenset({"tokenizer"})
LOAD_OPTIONS: Final = state_adapter.LOAD_OPTIONS

_KEYS: Final = frozenset({"class", "config", "generation", "attention", "names"}) | training.KEYS


def save(obj: object, *, tokenizer: object | None = None) -> Saved:
    """Turn a model into its state, its class and its configuration.

    A model of a class of your own is saved as its state alone. `tokenizer` is a tokenizer of the
    library, whose files become members.

    Raises:
        UnsavableError: part of it can't be represented, or could not be built again.
    """
    saved = state_adapter.save(obj)
    members = {} if tokenizer is None else tokenizers.members(tokenizer)
    if not isinstance(obj, transformers.PreTrainedModel) or not saving.in_table(obj):
        notice = f"{saving.class_name(obj)} is in no table: its state is saved, to be loaded into="
        return Saved(
            saved.architecture, saved.tensors, saving.versions(), members=members, notices=(notice,)
        )
    described, notices = saving.describe(obj, obj.state_dict(), saved.tensors)
    architecture: Any = {"graph": _graph(saved.architecture), "model": described}
    return Saved(architecture, saved.tensors, saving.versions(), members=members, notices=notices)


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
    prefix: str | Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
) -> object:
    """Build the model; or put its state into a module. `into=dict` gives the bare state.

    A model is built on the host and moved to the `device`; a state goes there as it is verified.

    Raises:
        ArchitectureError: it must not be built, or needs what the tensors are not.
        StateMismatchError: the state does not fit `into`.
        UsageError: a device that is none, or is not here.
    """
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or "model" not in architecture:
        # A model of a class that is in no table.
        return state_adapter.load(
            bundle, into=into, device=device, strict=strict, prefix=prefix, only=only
        )
    if architecture.keys() != {"graph", "model"}:
        raise ArchitectureError("the architecture of a model is the graph of its state and a model")
    seen = _with_state(bundle, architecture)
    if into is not None or prefix is not None or only is not None:
        return state_adapter.load(
            seen, into=into, device=device, strict=strict, prefix=prefix, only=only
        )
    place = device_of(device)
    with _of_another_release(bundle):
        model: Any = _model(seen, _check_model(architecture["model"]))
    return model if place is None else model.to(place)


@contextmanager
def _of_another_release(bundle: VerifiedBundle) -> Iterator[None]:
    """Say so, if what is refused was saved with another release of the library."""
    try:
        yield
    except ArchitectureError as error:
        saved = bundle.manifest.libraries.get("transformers")
        installed = transformers.__version__
        if error.hint is None and saved is not None and saved != installed:
            error.hint = f"it is of transformers {saved}, and {installed} is installed"
        raise


def _model(bundle: VerifiedBundle, described: dict[str, JsonValue]) -> object:
    stored = bundle.tensors
    largest = max([len(stored), *(size for info in stored.values() for size in info.shape)])
    fields = decode_fields(described["config"], largest)
    generation = None
    if "generation" in described:
        generation = decode_fields(described["generation"], largest, GENERATION)
    kind = building.model_class(cast("str", described["class"]))
    by_model = "names" not in described
    config = building.make_config(kind.config_class, fields, of_file=not by_model)
    fixed: frozenset[str] = frozenset()
    if not by_model:
        fixed = building.check_built(kind, config, stored, None)
    state: Any = state_adapter.load(bundle, into=dict)
    if not isinstance(state, dict) or any(type(name) is not str for name in state):
        raise ArchitectureError("the state of a model must be a dictionary of tensors by name")
    if by_model:
        fixed = building.check_built(kind, config, stored, state)
    else:
        building.check_plain(state)
    attention = cast("str | None", described.get("attention"))
    model = building.build(kind, config, state, attention)
    if by_model:
        building.take_exactly(model, state)
    training.restore(model, described, fixed)
    if generation is not None:
        if not model.can_generate():
            raise ArchitectureError("parameters of generation for a model that does not generate")
        with building.refusing("the configuration of generation"), building.quiet():
            make: Any = transformers.GenerationConfig
            model.generation_config = make(**generation)
    return model


def _check_model(described: JsonValue) -> dict[str, JsonValue]:
    if type(described) is not dict or not {"class", "config"} <= described.keys() <= _KEYS:
        raise ArchitectureError("a model has a class, a configuration, and perhaps others")
    if type(described["class"]) is not str:
        raise ArchitectureError("the class of a model must be a name")
    if described.get("attention", ATTENTION[0]) not in ATTENTION:
        raise ArchitectureError(f"unknown attention {described['attention']!r:.60}")
    if described.get("names", "file") != "file":
        raise ArchitectureError("names must be those of files, or absent")
    training.check(described)
    return described


def _graph(architecture: JsonValue) -> JsonValue:
    return architecture["graph"]  # type: ignore[index,call-overload]  # the adapter's own


class _State:
    """A verified bundle as the adapter for PyTorch sees it: the state of a module."""

    def __init__(self, bundle: VerifiedBundle, manifest: Manifest) -> None:
        self._bundle = bundle
        self.manifest = manifest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bundle, name)


def _with_state(bundle: VerifiedBundle, architecture: dict[str, JsonValue]) -> VerifiedBundle:
    plain: JsonValue = {"graph": architecture["graph"]}
    return cast("VerifiedBundle", _State(bundle, replace(bundle.manifest, architecture=plain)))
