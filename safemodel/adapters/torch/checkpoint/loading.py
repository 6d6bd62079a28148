"""A checkpoint put back into the objects that the caller made.

Every part is compared with its object before any object is changed; random states come last, since
making objects may draw from them. Implements spec/checkpoints.md, "Loading".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import torch

from safemodel import limits
from safemodel.adapters.graph_decode import Decoder, decode
from safemodel.adapters.protocol import PARTLY, LoadReport
from safemodel.adapters.torch import into as into_state
from safemodel.adapters.torch.checkpoint import random_states, shards, spreading
from safemodel.adapters.torch.checkpoint.merging import Merge
from safemodel.adapters.torch.checkpoint.parts import ARGUMENTS, KEY, named
from safemodel.adapters.torch.checkpoint.ranks import current
from safemodel.adapters.torch.checkpoint.shards import NotCoveredError
from safemodel.adapters.torch.decoding import BUILDERS, PARSERS
from safemodel.errors import ArchitectureError, StateMismatchError, WrongModelError, locating

if TYPE_CHECKING:
    from safemodel.bundle.tensor import Tensor
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

_BESIDE: Final = frozenset({"rng", "generators", "extra"})
_CLASS_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")
MAX_RANKS: Final = 4_096
_MAX_BUDGETS: Final = 8


@dataclass(frozen=True, slots=True)
class States:
    """What a checkpoint holds: the state of each part, by its name, and what is beside them.

    `parts` has kind and class of each. When several ranks saved it and the state of all of them
    was merged, `differing` are the paths where they differ, `partial` those that some ranks lack;
    `of_all` merges them, where `root` is that of one rank.
    """

    root: dict[str, Any]
    parts: Mapping[str, tuple[str, str]]
    step: int | None
    differing: tuple[str, ...] = ()
    partial: frozenset[str] = frozenset()
    of_all: Callable[[], States] | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a checkpoint; see `safemodel.adapters.checkpoints.CheckpointReport`."""

    step: int | None
    extra: Any
    reports: Mapping[str, LoadReport]
    absent: tuple[str, ...]
    left: tuple[str, ...]
    differing: tuple[str, ...]


def read_states(
    bundle: VerifiedBundle,
    expected_step: int | None = None,
    *,
    rank: int = 0,
    ranks: int = 1,
) -> States:
    """The states of a checkpoint, as they were given to `save`; for one of so many ranks.

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
    if type(architecture) is not dict or architecture.keys() not in ({"graph"}, {"ranks"}):
        raise ArchitectureError("the architecture of a checkpoint is an object graph")
    if "graph" in architecture:
        bundle.load_weights()
        return States(_decoded(architecture["graph"], bundle, parts), parts, step)
    graphs = architecture["ranks"]
    if type(graphs) is not list or not 0 < len(graphs) <= MAX_RANKS:
        raise ArchitectureError(f"ranks are 1 to {MAX_RANKS} object graphs")
    of_all = partial(_merged, graphs, bundle, parts, step)
    if len(graphs) != ranks:
        return of_all()
    root = _Budgeted(bundle, 1).decode(graphs[rank], parts)
    return States(root, parts, step, of_all=of_all)


def _decoded(
    graph: JsonValue, bundle: VerifiedBundle, parts: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    return _check_root(decode(graph, bundle, builders=BUILDERS, parsers=PARSERS), parts)


def _check_root(root: object, parts: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    if type(root) is not dict or not parts.keys() <= root.keys() <= parts.keys() | _BESIDE:
        raise ArchitectureError("the states of a checkpoint are not those of its parts")
    return root


class _Budgeted:
    """Graphs of several ranks over one bundle, which share tensors and what they may copy."""

    def __init__(self, bundle: VerifiedBundle, graphs: int) -> None:
        self._bundle = bundle
        self._read: dict[str, Tensor] = {}
        self._budget = -1
        self._times = min(graphs, _MAX_BUDGETS)
        self.tensors = bundle.tensors

    def tensor(self, name: str) -> Tensor:
        """A tensor of the bundle, in the same memory each time."""
        if name not in self._read:
            self._read[name] = self._bundle.tensor(name)
        return self._read[name]

    def decode(self, graph: JsonValue, parts: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
        decoder = Decoder(graph, self, shards.BUILDERS, PARSERS, {"bundle": self})
        decoder.budget = decoder.budget * self._times if self._budget < 0 else self._budget
        root = decoder.run(partial=True)
        self._budget = decoder.budget
        return _check_root(root, parts)


def _merged(
    graphs: list[JsonValue],
    bundle: VerifiedBundle,
    parts: Mapping[str, tuple[str, str]],
    step: int | None,
) -> States:
    source = _Budgeted(bundle, len(graphs))
    roots = [source.decode(graph, parts) for graph in graphs]
    left = {name: roots[0].pop(name) for name in ("rng",) if name in roots[0]}
    for root in roots[1:]:
        root.pop("rng", None)
    merge = Merge()
    root = merge.merge(roots)
    return States(
        {**root, **left},
        parts,
        step,
        differing=(*merge.differing, *(["rng"] if left else [])),
        partial=frozenset(merge.partial),
    )


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
    rank, ranks = current()
    states = read_states(bundle, expected_step, rank=rank, ranks=ranks)
    work = _Work(states, strict)
    for name, obj in objects.items():
        work.compare(name, obj)
    work.compare_generators(passed)
    work.compare_global(rng)
    extra = work.extra()
    reports = work.finish()
    done = {*objects, *(f"generators.{name}" for name in passed), *(["rng"] if rng else [])}
    left = [name for name in _contents(states.root) if name not in done]
    return Restored(
        states.step,
        extra,
        reports,
        tuple(work.absent),
        (*left, *work.left),
        tuple(path for path in states.differing if path.startswith("extra")) + tuple(work.taken),
    )


def _contents(root: dict[str, Any]) -> list[str]:
    names = [name for name in root if name not in ("extra", "generators")]
    return names + [f"generators.{name}" for name in root.get("generators", ())]


class _Work:
    """A load under way: everything is compared by `compare...`, and `finish` changes objects."""

    def __init__(self, states: States, strict: bool) -> None:
        self._states = states
        self._root = states.root
        self._strict = strict
        self._reports: dict[str, LoadReport] = {}
        self._jobs: list[Any] = []
        self.absent: list[str] = []
        self.left: list[str] = []
        self.taken: list[str] = []
        self._merged: States | None = None

    def compare(self, name: str, obj: Any) -> None:
        if name not in self._root:
            self.absent.append(name)
            return
        with locating(place=name):
            state = self._state(name, obj)
            report, fitting = into_state.compare(state, obj)
        self._reports[name] = report
        self._jobs.append(partial(_take, name, fitting, obj))

    def _state(self, name: str, obj: Any) -> Any:
        """The state of a part as this rank needs it, its tensors spread as those of the object."""
        states, state = self._covering(lambda root: spreading.fitted_state(root[name], obj))
        self._note_differing(name, states)
        if isinstance(obj, torch.nn.Module) and isinstance(state, dict) and states.partial:
            # Entries that only some ranks have are no surprise where they are not wanted.
            own = obj.state_dict()
            for key in [key for key in state if f"{name}.{key}" in states.partial]:
                if key not in own:
                    del state[key]
        return state

    def extra(self) -> Any:
        """What the caller saved besides."""
        return self._covering(lambda root: spreading.assembled(root.get("extra")))[1]

    def _covering(self, make: Callable[[dict[str, Any]], Any]) -> tuple[States, Any]:
        """What is made of the state of this rank, or else, when shards are missing, of all."""
        try:
            return self._states, make(self._root)
        except NotCoveredError:
            pass
        try:
            states = self._all()
            return states, make(states.root)
        except NotCoveredError:
            raise ArchitectureError("a tensor of which shards are missing") from None

    def _all(self) -> States:
        if self._merged is None and self._states.of_all is not None:
            self._merged = self._states.of_all()
        return self._merged or self._states

    def _note_differing(self, name: str, states: States) -> None:
        self.taken += [path for path in states.differing if f"{path}.".startswith(f"{name}.")]

    def compare_generators(self, passed: Mapping[str, Any]) -> None:
        saved = self._root.get("generators", {})
        if type(saved) is not dict or not all(type(name) is str for name in saved):
            raise ArchitectureError("generators of a checkpoint have names")
        for name, generator in passed.items():
            if name in saved:
                self._note_differing(f"generators.{name}", self._states)
                self._jobs += random_states.check_generator(
                    saved[name], generator, f"generators.{name}"
                )
            else:
                self.absent.append(f"generators.{name}")

    def compare_global(self, rng: bool) -> None:
        if not rng:
            return
        if "rng" in self._states.differing:  # those of other ranks mean nothing to this one
            self.left.append("rng")
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
            if self.taken:
                wrong.append(f"differs between the ranks that saved it: {_some(self.taken)}")
            if wrong:
                raise StateMismatchError("; ".join(wrong)[:2000], hint=PARTLY)
        for job in self._jobs:
            job()
        return self._reports


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _take(name: str, fitting: dict[Any, Any], obj: Any) -> None:
    with locating(place=name):
        into_state.take(fitting, obj)
