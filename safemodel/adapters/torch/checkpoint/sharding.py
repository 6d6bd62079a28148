"""Who writes what, when all ranks save one checkpoint together.

Each rank describes what it has; rank 0 finds what is the same, gives each tensor a name and a rank
that writes it, and rewrites the graphs. Pure: knows neither files nor processes. Implements
spec/checkpoints.md, "Several ranks".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safemodel.bundle.contents import TensorData
from safemodel.bundle.write import weights_size
from safemodel.errors import UsageError
from safemodel.format.digests import chunk_size, digest
from safemodel.format.weights import TensorSpec, shard_names

if TYPE_CHECKING:
    from safemodel.adapters.protocol import Saved
    from safemodel.format.canonical_json import JsonValue


@dataclass(frozen=True, slots=True)
class Plan:
    """`graphs` of all ranks over the final names; `writes[rank]` maps own names to final ones.

    `members[rank]` is the weights member of a rank, empty if it writes nothing.
    """

    graphs: list[JsonValue]
    writes: list[dict[str, str]]
    members: list[str]
    chunk: int


def describe(saved: Saved, rank: int) -> JsonValue:
    """What a rank has: its graph, and of each tensor what makes it the same as another's."""
    architecture: Any = saved.architecture
    return {
        "rank": rank,
        "graph": architecture["graph"],
        "state": saved.training_state,
        "tensors": [
            {
                "name": tensor.spec.name,
                "dtype": tensor.spec.dtype,
                "shape": list(tensor.spec.shape),
                "digest": digest(
                    "blake3", [memoryview(p).cast("B") for p in _pieces(tensor)]
                ).hex(),
            }
            for tensor in saved.tensors
        ],
    }


def _pieces(tensor: TensorData) -> list[Any]:
    return [piece for piece in tensor.pieces() if memoryview(piece).nbytes]


def plan(answers: Sequence[Any]) -> Plan:
    """Give each tensor of all ranks a name, and a rank that writes it.

    Raises:
        UsageError: the ranks do not save the same parts.
    """
    state = answers[0]["state"]
    for rank, answer in enumerate(answers):
        if answer["state"] != state:
            raise UsageError(f"rank {rank} saves other parts, or another step, than rank 0")
    names = _Names()
    renamed = [_renamed(names, answer) for answer in answers]
    chosen = _writers(names, len(answers))
    writes = [
        {own: final for own, final in mine.items() if chosen[final] == rank}
        for rank, mine in enumerate(renamed)
    ]
    graphs = [
        _rewritten(answer["graph"], mine) for answer, mine in zip(answers, renamed, strict=True)
    ]
    numbered = iter(shard_names(sum(1 for mine in writes if mine)))
    members = [next(numbered) if mine else "" for mine in writes]
    sizes = [
        weights_size([names.specs[final] for final in mine.values()]) for mine in writes if mine
    ]
    return Plan(graphs, writes, members, chunk_size(sizes))


def _writers(names: _Names, ranks: int) -> dict[str, int]:
    """Which rank writes each tensor: of those that have it, the one with the least to write."""
    load = [0] * ranks
    chosen: dict[str, int] = {}
    for name in sorted(names.specs, key=lambda name: (-names.specs[name].nbytes, name)):
        rank = min(names.holders[name], key=lambda rank: load[rank])
        load[rank] += names.specs[name].nbytes
        chosen[name] = rank
    return chosen


def _renamed(names: _Names, answer: Any) -> dict[str, str]:
    rank = answer["rank"]
    return {
        one["name"]: names.of(rank, one["name"], one["dtype"], tuple(one["shape"]), one["digest"])
        for one in answer["tensors"]
    }


def _rewritten(graph: Any, mine: dict[str, str]) -> JsonValue:
    """A graph over the final names of its tensors."""
    nodes = [
        {**node, "data": mine[node["data"]]} if "data" in node else node for node in graph["nodes"]
    ]
    rewritten = {**graph, "nodes": nodes}
    if "names" in graph:
        rewritten["names"] = {mine[name]: real for name, real in graph["names"].items()}
    return rewritten


class _Names:
    """The final names: `specs` of each, and which ranks have its tensor."""

    def __init__(self) -> None:
        self.specs: dict[str, TensorSpec] = {}
        self.holders: dict[str, list[int]] = {}
        self._same: dict[Any, str] = {}

    def of(self, rank: int, name: str, dtype: str, shape: tuple[int, ...], content: str) -> str:
        """The final name of a tensor: that of one that is the same, else a new one."""
        key = (name, dtype, shape, content)
        if key not in self._same:
            final, number = name, 2
            while final in self.specs:
                final, number = f"{name[:1000]}~{number}", number + 1
            self._same[key] = final
            self.specs[final] = TensorSpec(final, dtype, shape)
        final = self._same[key]
        self.holders.setdefault(final, []).append(rank)
        return final
