"""State put into an object that the caller made: a module, an optimizer, a scheduler, a scaler.

Everything is compared before anything is changed; only code of the object's own can stop a load
half-way. The object decides which entries there are; the
archive only gives values, so no attribute can be added or shadowed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.parameter import is_lazy

from safemodel.adapters.protocol import LoadReport, Mismatch
from safemodel.adapters.torch import selecting, tables
from safemodel.errors import ArchitectureError, StateMismatchError, UsageError

if TYPE_CHECKING:
    from safemodel.adapters.torch.selecting import Selection

KINDS: Final[Mapping[str, type]] = {
    "module": torch.nn.Module,
    "optimizer": torch.optim.Optimizer,
    "scheduler": torch.optim.lr_scheduler.LRScheduler,
    "scaler": torch.amp.GradScaler,
}

# The state of optimizers, entry by entry; fused kernels trust the shapes.
_LIKE_PARAMETER: Final = frozenset(
    {
        "acc_delta", "ax", "exp_avg", "exp_avg_sq", "exp_inf", "max_exp_avg_sq",
        "momentum_buffer", "prev", "square_avg", "grad_avg", "step_size", "sum",
    }
)  # fmt: skip
_ONE_NUMBER: Final = frozenset({"step", "eta", "mu", "mu_product"})
# What schedulers add to the groups of an optimizer, and newer versions to their own.
_GROUP_EXTRAS: Final = frozenset(
    {
        "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "swa_lr", "param_names",
        "decoupled_weight_decay",
    }
)  # fmt: skip


def kind_of(obj: object) -> str | None:
    """Which kind of object with state this is, if any."""
    return next((kind for kind, base in KINDS.items() if isinstance(obj, base)), None)


def check_target(into: object, saved: str | None) -> object:
    """The object to put state of the saved kind into.

    Raises:
        UsageError: not an object with state.
        StateMismatchError: of another kind than what was saved.
    """
    kind = kind_of(into)
    if kind is None:
        raise UsageError(
            f"into= is a {tables.kind_name(into)}, which has no state to replace",
            hint="pass a module, an optimizer, a scheduler, a gradient scaler, or dict",
        )
    if saved is not None and saved != kind:
        raise StateMismatchError(
            f"the archive holds the state of a {saved}, and into= is of another kind: {kind}",
            hint="pass an object of that kind, or into=dict for the bare state",
        )
    return into


def check_selection(into: Any, chosen: Selection) -> None:
    """Check that parts of a state can be put into an object, and that it has what is asked for.

    Raises:
        UsageError: not a module.
        StateMismatchError: a pattern of `only=` names no entry of it.
    """
    if not isinstance(into, torch.nn.Module):
        raise UsageError(f"prefix= and only= are for modules, not for a {tables.kind_name(into)}")
    chosen.check_names(into.state_dict(), f"the {type(into).__name__}")


def put(state: object, into: Any, *, strict: bool, chosen: Selection | None = None) -> LoadReport:
    """Replace the state of `into`, all of it, what is `chosen`, or (not strict) what fits.

    Raises:
        StateMismatchError: it does not fit, and `into` is unchanged; or it fits, and a method or
            hook of `into` itself raises: then `into` may be changed in part, as the hint says.
    """
    report, fitting = compare(state, into, chosen)
    report.check(strict=strict)
    take(fitting, into)
    return report


def compare(
    state: object, into: Any, chosen: Selection | None = None
) -> tuple[LoadReport, dict[Any, Any]]:
    """Compare state with that of an object, which stays as it is: a report, and what fits.

    Raises:
        ArchitectureError: no dictionary.
        StateMismatchError: nothing of it can fit.
    """
    if not isinstance(state, dict):
        raise ArchitectureError("the state of an object must be a dictionary")
    if isinstance(into, torch.nn.Module):
        return _compare_modules(state, into, chosen)
    if isinstance(into, torch.optim.Optimizer):
        return _compare_optimizers(state, into)
    return _compare_plain(state, into.state_dict())


def take(state: dict[Any, Any], into: Any) -> None:
    """Put state that `compare` found to fit into an object.

    Raises:
        StateMismatchError: code of the object itself raises; it may be changed in part.
    """
    try:
        if isinstance(into, torch.nn.Module):
            # Parameters without memory take the loaded ones for their own.
            into.load_state_dict(state, strict=False, assign=_is_empty(into.state_dict()))
        elif state:
            into.load_state_dict(state)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # Its own code has run: only a copy of all its state, made each time, could undo that.
        raise StateMismatchError(
            f"the object refused its state: {error!s:.300}",
            hint="its own code raised this while it took the state over, so it may hold part of "
            "the new state; do not use it, make a new one",
        ) from error


def _is_empty(own: Any) -> bool:
    return any(isinstance(value, torch.Tensor) and value.is_meta for value in own.values())


class _Findings:
    """A report in the making."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.mismatched: list[Mismatch] = []

    def report(self) -> LoadReport:
        return LoadReport(tuple(self.missing), tuple(self.unexpected), tuple(self.mismatched))

    def compare_keys(self, own: Any, new: Any, prefix: str = "") -> list[Any]:
        """Note which keys are on one side only; return those on both."""
        self.missing += [f"{prefix}{key}" for key in own if key not in new]
        self.unexpected += [f"{prefix}{key}" for key in new if key not in own]
        return [key for key in own if key in new]

    def mismatch(self, name: str, expected: str, found: str) -> None:
        self.mismatched.append(Mismatch(name, expected, found))


def _compare_modules(
    state: dict[Any, Any], module: Any, chosen: Selection | None
) -> tuple[LoadReport, dict[Any, Any]]:
    findings = _Findings()
    own = module.state_dict()
    fitting: Any = OrderedDict()
    if hasattr(state, "_metadata"):
        metadata: Any = state._metadata
        if chosen is not None:
            metadata = selecting.rename_metadata(metadata, chosen)
        fitting._metadata = _fitting_metadata(metadata, getattr(own, "_metadata", {}))
    # What becomes a parameter itself must be one that optimizers can write to.
    taken = {name for name, _ in _parameters(module)} if _is_empty(own) else set()
    if chosen is not None:
        own = {key: value for key, value in own.items() if chosen.wanted(key)}
    for key in findings.compare_keys(own, state):
        expected, found = own[key], state[key]
        fits = is_lazy(expected) or _describe(expected) == _describe(found)
        if fits and key in taken and _has_holes(found):
            findings.mismatch(str(key), f"{_describe(expected)} without holes", "strides with them")
        elif fits:
            fitting[key] = found
        else:
            findings.mismatch(str(key), _describe(expected), _describe(found))
    return findings.report(), fitting


def _parameters(module: Any) -> Iterator[tuple[str, Any]]:
    return module.named_parameters(remove_duplicate=False)  # type: ignore[no-any-return]


def _has_holes(value: object) -> bool:
    strided = isinstance(value, torch.Tensor) and value.layout is torch.strided
    return strided and not tables.is_dense(value)


def _fitting_metadata(metadata: Any, own: Any) -> Any:
    """The versions of the parts of a module: what could stop a load half-way is left out."""
    return OrderedDict(
        (key, {"version": value["version"]})
        for key, value in metadata.items()
        if key in own and type(value) is dict and type(value.get("version")) is int
    )


def _describe(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    layout = "" if value.layout is torch.strided else f" {value.layout}".replace("torch.", "")
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}{layout}"


def _compare_plain(state: dict[Any, Any], own: dict[Any, Any]) -> tuple[LoadReport, dict[Any, Any]]:
    findings = _Findings()
    fitting = _fit_dict(state, own, "", findings)
    return findings.report(), fitting


def _fit_dict(new: Any, own: Any, prefix: str, findings: _Findings) -> dict[Any, Any]:
    fitting = dict(own)  # what the archive lacks stays as it was
    for key in findings.compare_keys(own, new, prefix):
        fitting[key] = _fit(new[key], own[key], f"{prefix}{key}", findings)
    return fitting


def _fit(new: Any, own: Any, name: str, findings: _Findings) -> Any:
    """The new value if it is of the kind of the object's own, else its own."""
    if type(own) is dict and type(new) is dict and own and all(type(key) is str for key in own):
        return _fit_dict(new, own, f"{name}.", findings)
    if type(own) is list and type(new) is list and any(type(item) is dict for item in own):
        if len(own) == len(new):
            pairs = enumerate(zip(new, own, strict=True))
            return [_fit(a, b, f"{name}.{index}", findings) for index, (a, b) in pairs]
    elif _sort(new) in _PLAIN_STATE and _alike(own, new):
        return new
    findings.mismatch(name, _describe(own), _describe(new))
    return own


_PLAIN_STATE: Final = (type(None), float, str, list, dict, torch.Tensor)


def _sort(value: object) -> type:
    kind = type(value)
    if kind in (bool, int, float):
        return float
    return list if kind is tuple else dict if isinstance(value, dict) else kind


def _alike(own: object, new: object) -> bool:
    if isinstance(own, torch.Tensor) and isinstance(new, torch.Tensor):
        return _describe(own) == _describe(new)
    return own is None or new is None or _sort(own) == _sort(new)


def _compare_optimizers(state: dict[Any, Any], optimizer: Any) -> tuple[LoadReport, dict[Any, Any]]:
    findings = _Findings()
    own = optimizer.state_dict()
    findings.compare_keys(own, state)
    groups = _fit_groups(state.get("param_groups"), own["param_groups"], findings)
    entries = state.get("state")
    if groups is None or type(entries) is not dict:
        # Nothing fits when the parameters do not: not strict changes nothing about it.
        raise StateMismatchError(
            str(findings.report()) if groups is None else "the state must be a dictionary",
            hint="make the optimizer over the same parameters, in the same groups",
        )
    fitting = _fit_entries(entries, state["param_groups"], optimizer, own, findings)
    return findings.report(), {"state": fitting, "param_groups": groups}


def _fit_entries(
    entries: dict[Any, Any], groups: Any, optimizer: Any, own: Any, findings: _Findings
) -> dict[Any, Any]:
    """The entries of the archive by the object's own numbers: parameters match by position."""
    saved = [number for group in groups for number in group["params"]]
    numbers = [number for group in own["param_groups"] for number in group["params"]]
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    if any(type(number) is not int for number in saved) or len(set(saved)) != len(saved):
        raise StateMismatchError("the parameters of the optimizer must have distinct numbers")
    mine = dict(zip(saved, zip(numbers, parameters, strict=True), strict=True))
    fitting: dict[Any, Any] = {}
    for number, entry in entries.items():
        if number in mine and type(entry) is dict:
            own_number, parameter = mine[number]
            if _entry_fits(entry, parameter, f"state.{number}", findings):
                fitting[own_number] = entry
        elif number in own["state"] and number not in numbers:  # 0.0 and False are 0, too
            fitting[number] = entry
        else:
            findings.unexpected.append(f"state.{number}")
    return fitting


def _fit_groups(groups: Any, own: list[Any], findings: _Findings) -> list[Any] | None:
    if type(groups) is not list or any(type(group) is not dict for group in groups):
        findings.mismatch("param_groups", f"{len(own)} groups", "something else")
        return None
    sizes = [len(group["params"]) for group in own]
    given = [len(group["params"]) if _is_list(group.get("params")) else -1 for group in groups]
    if sizes != given:
        findings.mismatch("param_groups", f"{sizes} parameters", f"{given}")
        return None
    fitted = []
    for index, (group, mine) in enumerate(zip(groups, own, strict=True)):
        result = dict(mine)  # options that the archive does not know stay as they are
        for key, value in group.items():
            name = f"param_groups.{index}.{key}"
            if key == "params":
                continue
            if key in _GROUP_EXTRAS and key not in mine:
                result[key] = value
            elif key not in mine:
                findings.unexpected.append(name)
            elif mine[key] is None or value is None or _option_fits(mine[key], value):
                result[key] = value
            else:
                findings.mismatch(name, _describe(mine[key]), _describe(value))
        fitted.append(result)
    return fitted


def _is_list(value: object) -> bool:
    return type(value) is list


def _option_fits(own: Any, new: Any) -> bool:
    numbers = (bool, int, float, torch.Tensor)
    if isinstance(own, numbers) and isinstance(new, numbers):
        return not isinstance(new, torch.Tensor) or new.numel() == 1
    return _sort(own) == _sort(new)


def _entry_fits(entry: dict[Any, Any], parameter: Any, name: str, findings: _Findings) -> bool:
    fits = True
    for key, value in entry.items():
        if not isinstance(value, torch.Tensor):
            continue
        expected = None
        if key in _LIKE_PARAMETER and not (
            value.shape == parameter.shape and tables.is_dense(value)
        ):
            expected = f"{list(parameter.shape)} without holes"
        if key in _ONE_NUMBER and value.numel() != 1:
            expected = "one number"
        if expected is not None:
            findings.mismatch(f"{name}.{key}", expected, _describe(value))
            fits = False
    return fits
