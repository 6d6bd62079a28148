"""A model from its class and configuration, before and with its tensors.

The class is one of a table, the configuration was checked field by field, and still it is hostile:
the model is first built without memory, under a guard that counts what it makes, and compared with
the tensors of the archive. Only then is it built to be used, out of these tensors, without a file,
a download or random numbers. Implements spec/transformers.md, "Loading".
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.modules import module as hooks

from safemodel.adapters.huggingface.classes import MODELS
from safemodel.adapters.huggingface.config import Fields
from safemodel.adapters.huggingface.fields import ARGUMENTS, FIELDS
from safemodel.adapters.torch import tables
from safemodel.errors import ArchitectureError, SafemodelError, UnsupportedError

if TYPE_CHECKING:
    from safemodel.format.weights import TensorInfo

_ERROR: Final = 40  # the level of the library's logger that leaves warnings out
_FREE_MODULES: Final = 4000
_MODULES_PER_TENSOR: Final = 12
_FREE_BUFFERS: Final = 256 << 20  # bytes of what is worked out from a configuration: masks, angles

# What code of a library raises that does not like a configuration.
_REFUSALS: Final = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError,
    NotImplementedError, OSError, RecursionError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


def model_class(name: str) -> Any:
    """A class of the table in the library that is installed.

    Raises:
        ArchitectureError: the table does not have it.
        UnsupportedError: the library does not have it, or not with that configuration.
    """
    entry = MODELS.get(name)
    if entry is None:
        raise ArchitectureError(f"a model of the class {name!r:.100}, which the table has not")
    try:
        found = getattr(importlib.import_module(entry.module), entry.name)
    except (ImportError, AttributeError):
        found = None
    if found is None or getattr(found.config_class, "__name__", "") != entry.config:
        raise UnsupportedError(
            f"the installed transformers has no {entry.name} as it is known here"
        )
    return found


def make_config(kind: Any, fields: Mapping[str, object], *, of_file: bool = False) -> Any:
    """A configuration of a class of the library, from checked fields.

    What the class does not declare becomes an attribute, as the library makes of it, unless the
    class has something of that name. Files (`of_file`) have fields of older releases, for which
    the library has rules of its own; what can't be an attribute is passed over.

    Raises:
        ArchitectureError: a field that the class must not have, or it refuses them.
    """
    own = {field.name for field in dataclasses.fields(kind)} | kind.attribute_map.keys()
    given: dict[str, Any] = {}
    free: dict[str, Any] = {}
    for name, value in fields.items():
        if name in own or name in ARGUMENTS:
            given[name] = _prepared(kind, name, value, of_file)
        elif is_free(kind, name):
            free[name] = value
        elif not of_file:
            raise ArchitectureError(f"a {kind.__name__} has no field {name!r:.100}")
    if isinstance(given.get("id2label"), dict):
        given.setdefault("num_labels", len(given["id2label"]))
    with refusing(f"the configuration of a {kind.__name__}"), quiet():
        if of_file:
            return kind(**given, **free)
        config = kind(**given)
        for name in given.keys() - own:
            if not hasattr(config, name):  # the library takes some for the past's, and drops them
                free[name] = given[name]
        for name, value in sorted(free.items()):
            setattr(config, name, value)
    return config


def is_free(kind: Any, name: str) -> bool:
    """Whether a field of the table that a class does not declare can be an attribute of it.

    Not if the class has a method, a property or whatever else of that name.
    """
    return FIELDS.get(name, "config") not in ("config", "dtype") and not hasattr(kind, name)


def _prepared(kind: Any, name: str, value: object, of_file: bool) -> Any:
    if isinstance(value, Fields):
        spec = kind.sub_configs_defaults.get(name)
        if spec is None:
            raise ArchitectureError(f"a {kind.__name__} has no configuration {name!r:.100} in it")
        return make_config(spec.config_class, value, of_file=of_file)
    if FIELDS[name] == "dtype" and value is not None:
        return tables.DTYPES[str(value)][0]  # else the library would look the name up in torch
    if name == "id2label" and isinstance(value, dict):
        with refusing("labels"):
            return {int(key): item for key, item in value.items()}
    return value


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """What code of the library raises, as one of our errors."""
    try:
        yield
    except SafemodelError:
        raise
    except _REFUSALS as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise ArchitectureError(f"{what} can't be built: {reason:.200}") from error
    except Exception as error:  # the library checks fields with errors of its own
        if not type(error).__module__.startswith(("huggingface_hub.", "transformers.")):
            raise
        reason = str(error).strip().replace("\n", " ")
        raise ArchitectureError(f"{what} can't be built: {reason:.200}") from error


def check_built(
    kind: Any, config: Any, stored: Mapping[str, TensorInfo], state: Mapping[str, Any] | None
) -> frozenset[str]:
    """Build the model without memory, and compare it with what the archive holds.

    Returns the names of parameters that its class leaves out of training.

    `state` are the tensors by the model's names; None if the names are those of files, which the
    library maps to others.

    Raises:
        ArchitectureError: it makes more than the tensors account for, or has other entries.
    """
    with quiet(), _guard(stored), refusing(f"a {kind.__name__}"), torch.device("meta"):
        model = kind(copy.deepcopy(config))
    items = sum(math.prod(info.shape) for info in stored.values())
    needed = sum(parameter.numel() for parameter in model.parameters())
    if needed > items + _FREE_BUFFERS // 64:
        raise ArchitectureError(
            f"the configuration is of a model of {needed} parameters, and there are {items}"
        )
    fixed = frozenset(name for name, value in model.named_parameters() if not value.requires_grad)
    if state is None:
        return fixed
    own = model.state_dict()
    for name in sorted(own.keys() ^ state.keys()):
        where = "the model" if name in own else "the archive"
        raise ArchitectureError(f"an entry {name!r:.100} that only {where} has")
    for name, value in own.items():
        new = state[name]
        if not isinstance(new, torch.Tensor) or new.shape != value.shape:
            raise ArchitectureError(f"the entry {name} must be of shape {list(value.shape)}")
        if new.is_floating_point() != value.is_floating_point() or not tables.is_dense(new):
            # Fused optimizers write to as many items behind the first as there are.
            raise ArchitectureError(f"the entry {name} must be {value.dtype}, and without holes")
    return fixed


def check_plain(state: Mapping[str, Any]) -> None:
    """Check entries that the library will make parameters of, without a model to compare with.

    Raises:
        ArchitectureError: one is no tensor, or one that leaves holes or overlaps.
    """
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) or not tables.is_dense(value):
            raise ArchitectureError(f"the entry {name!r:.100} must be a tensor without holes")


@contextmanager
def _guard(stored: Mapping[str, TensorInfo]) -> Iterator[None]:
    """Stop a build in this thread that makes far more than the tensors account for."""
    thread = threading.get_ident()
    left = [_FREE_MODULES + _MODULES_PER_TENSOR * len(stored)]
    room = [_FREE_BUFFERS + 4 * sum(info.nbytes for info in stored.values())]

    def made(owner: Any, name: str, value: Any) -> None:
        if threading.get_ident() != thread:
            return
        left[0] -= 1
        if left[0] < 0:
            raise ArchitectureError(
                f"the configuration is of a model far larger than the {len(stored)} tensors"
            )

    def buffer(owner: Any, name: str, value: Any) -> None:
        made(owner, name, value)
        if isinstance(value, torch.Tensor) and threading.get_ident() == thread:
            room[0] -= value.numel() * value.element_size()
            if room[0] < 0:
                raise ArchitectureError("the configuration asks for buffers of many gigabytes")

    with ExitStack() as stack:
        for register, hook in (
            (hooks.register_module_module_registration_hook, made),
            (hooks.register_module_parameter_registration_hook, made),
            (hooks.register_module_buffer_registration_hook, buffer),
        ):
            stack.callback(register(hook).remove)
        yield


def build(
    kind: Any,
    config: Any,
    state: Mapping[str, Any],
    attention: str | None,
) -> Any:
    """The model with its tensors, which become its parameters without a copy.

    The library forgets which of them are not trained, and in which mode the modules are.

    Raises:
        ArchitectureError: the library refuses them, or they are not all that the model needs.
    """
    chosen = {} if attention is None else {"attn_implementation": attention}
    with quiet(), refusing(f"a {kind.__name__}"):
        model, found = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(state),
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
            dtype=config.dtype if config.dtype is not None else "auto",
            **chosen,
        )
    for problem in ("missing_keys", "mismatched_keys", "error_msgs"):
        names = sorted(map(str, found.get(problem) or ()))
        if names:
            raise ArchitectureError(
                f"{problem.replace('_', ' ')} of the model: {', '.join(names[:3])!s:.300}"
            )
    model.name_or_path = model.config.name_or_path = ""  # the library makes "None" of no place
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bar and no chatter of the library for a moment."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(_ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the library's
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # the library's


def take_exactly(model: Any, state: Mapping[str, Any]) -> None:
    """Make the entries of a model exactly the stored tensors: their types, strides and ties.

    The library may have converted some to the type of the model, and it ties what the
    configuration says. Entries that share their memory become one parameter.
    """
    first: dict[tuple[Any, ...], Any] = {}
    for name, own in model.state_dict(keep_vars=True).items():
        new = state[name]
        if not isinstance(own, torch.Tensor) or not isinstance(new, torch.Tensor):
            continue
        if own.dtype != new.dtype or own.data_ptr() != new.data_ptr():
            own.data = new
        if not isinstance(own, torch.nn.Parameter) or not new.numel():
            continue
        place = (new.data_ptr(), new.dtype, tuple(new.shape), tuple(new.stride()))
        known = first.setdefault(place, own)
        if known is not own:
            parent, _, leaf = name.rpartition(".")
            model.get_submodule(parent)._parameters[leaf] = known
