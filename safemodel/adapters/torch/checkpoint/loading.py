"""A checkpoint put back into the objects that the caller made.

Every part is compared with its object before any object is changed; random states come last, since
making objects may draw from them. Implements spec/checkpoints.md, "Loading".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.adapters.graph_decode import decode
from safemodel.adapters.protocol import LoadReport
from safemodel.adapters.torch import into as into_state
from safemodel.adapters.torch.checkpoint import random_states
from safemodel.adapters.torch.checkpoint.parts import ARGUMENTS, KEY, named
from safemodel.adapters.torch.decoding import BUILDERS, PARSERS
from safemodel.errors import ArchitectureError, StateMismatchError, WrongModelError, locating

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

_BESIDE: Final = frozenset({"rng", "generators", "extra"})
_CLASS_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
_HINT: Final = "pass strict=False to load what fits and get a report of the rest"


@dataclass(frozen=True, slots=True)
class States:
    """What a checkpoint holds: the state of each part, by its name, and what is beside them.

    `parts` has kind and class of each.
    """

    root: dict[str, Any]
    parts: Mapping[str, tuple[str, str]]
    step: int | None


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a checkpoint; see `safemodel.adapters.checkpoints.CheckpointReport`."""

    step: int | None
    extra: Any
    reports: Mapping[str, LoadReport]
    absent: tuple[str, ...]
    left: tuple[str, ...]


def read_states(bundle: VerifiedBundle, expected_step: int | None = None) -> States:
    """The states of a checkpoint, as they were given to `save`.

    Raises:
        ArchitectureError: it is no checkpoint, or must not be built.
        WrongModelError: it is of another step than `expected_step`.
    """
    parts, step = _check_training_state(bundle.manifest.training_state)
    if expected_step is not None and step != expected_step:
        raise WrongModelError(
            f"is the checkpoint of step {step}, and is named as that of step {expected_step}",
            hint="somebody renamed it; to load it all the same, give the path of the file itself",
        )
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or architecture.keys() != {"graph"}:
        raise ArchitectureError("the architecture of a checkpoint is an object graph")
    bundle.load_weights()
    root = decode(architecture["graph"], bundle, builders=BUILDERS, parsers=PARSERS)
    if type(root) is not dict or not parts.keys() <= root.keys() <= parts.keys() | _BESIDE:
        raise ArchitectureError("the states of a checkpoint are not those of its parts")
    return States(root, parts, step)


def _check_training_state(value: JsonValue) -> tuple[dict[str, tuple[str, str]], int | None]:
    if type(value) is not dict or not {"parts"} <= value.keys() <= {"parts", "step"}:
        raise ArchitectureError("the training state of a checkpoint has parts and a step")
    step = value.get("step")
    if "step" in value and (type(step) is not int or not 0 <= step <= limits.MAX_SAFE_INTEGER):
        raise ArchitectureError(f"not a step: {step!r:.60}")
    given = value["parts"]
    if type(given) is not dict or not given:
        raise ArchitectureError("a checkpoint without parts")
    return {name: _check_part(name, part) for name, part in given.items()}, step  # type: ignore[return-value]  # checked


def _check_part(name: str, part: JsonValue) -> tuple[str, str]:
    argument, dot, key = name.partition(".")
    if argument not in ARGUMENTS or (dot and not KEY.fullmatch(key)):
        raise ArchitectureError(f"a checkpoint with a part {name!r:.60}")
    if type(part) is not dict or part.keys() != {"kind", "class"}:
        raise ArchitectureError("a part has a kind and a class")
    kind, class_name = part["kind"], part["class"]
    if kind != ARGUMENTS[argument]:
        raise ArchitectureError(f"{name:.60} of another kind {kind!r:.60}")
    if type(class_name) is not str or not _CLASS_NAME.fullmatch(class_name):
        raise ArchitectureError(f"{name:.60} of a class without a name")
    return str(kind), class_name


def restore(
    bundle: VerifiedBundle,
    arguments: Mapping[str, object],
    *,
    generators: object = None,
    rng: bool = True,
    strict: bool = True,
    expected_step: int | None = None,
) -> Restored:
    """Put a checkpoint into the objects in `arguments` and say what became of each.

    `expected_step` is the step that the name of the file says.

    Raises:
        ArchitectureError: it must not be built.
        WrongModelError: the checkpoint of another step than its name says.
        StateMismatchError: something does not fit, and nothing is changed; or code of an object
            itself raised, and some are.
        UsageError: an argument that makes no sense.
    """
    objects = named(arguments)
    passed = random_states.generators(generators)
    states = read_states(bundle, expected_step)
    work = _Work(states, strict)
    for name, obj in objects.items():
        work.compare(name, obj)
    work.compare_generators(passed)
    work.compare_global(rng)
    reports = work.finish()
    done = {*objects, *(f"generators.{name}" for name in passed), *(["rng"] if rng else [])}
    left = [name for name in _contents(states.root) if name not in done]
    return Restored(
        states.step,
        states.root.get("extra"),
        reports,
        tuple(work.absent),
        (*left, *work.left),
    )


def _contents(root: dict[str, Any]) -> list[str]:
    names = [name for name in root if name not in ("extra", "generators")]
    return names + [f"generators.{name}" for name in root.get("generators", ())]


class _Work:
    """A load under way: everything is compared by `compare...`, and `finish` changes objects."""

    def __init__(self, states: States, strict: bool) -> None:
        self._root = states.root
        self._strict = strict
        self._reports: dict[str, LoadReport] = {}
        self._jobs: list[Any] = []
        self.absent: list[str] = []
        self.left: list[str] = []

    def compare(self, name: str, obj: Any) -> None:
        if name not in self._root:
            self.absent.append(name)
            return
        with locating(place=name):
            report, fitting = into_state.compare(self._root[name], obj)
        self._reports[name] = report
        self._jobs.append(partial(_take, name, fitting, obj))

    def compare_generators(self, passed: Mapping[str, Any]) -> None:
        saved = self._root.get("generators", {})
        if type(saved) is not dict or not all(type(name) is str for name in saved):
            raise ArchitectureError("generators of a checkpoint have names")
        for name, generator in passed.items():
            if name in saved:
                self._jobs += random_states.check_generator(
                    saved[name], generator, f"generators.{name}"
                )
            else:
                self.absent.append(f"generators.{name}")

    def compare_global(self, rng: bool) -> None:
        if not rng:
            return
        if "rng" not in self._root:  # whoever saved it wanted it so: no mismatch
            return
        jobs, left = random_states.check(self._root["rng"])
        self._jobs += jobs
        self.left += left

    def finish(self) -> dict[str, LoadReport]:
        """Change the objects, if all of it fits or not all has to.

        Raises:
            StateMismatchError: something does not fit; or code of an object itself raises.
        """
        if self._strict:
            wrong = [f"{name}: {one}" for name, one in self._reports.items() if not one.complete]
            if self.absent:
                wrong.append(f"not in the checkpoint: {', '.join(self.absent)[:200]}")
            if wrong:
                raise StateMismatchError("; ".join(wrong)[:2000], hint=_HINT)
        for job in self._jobs:
            job()
        return self._reports


def _take(name: str, fitting: dict[Any, Any], obj: Any) -> None:
    with locating(place=name):
        into_state.take(fitting, obj)
