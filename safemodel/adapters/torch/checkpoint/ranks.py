"""What the ranks of a training say to one another while they save: JSON, never a pickle.

They talk in a group of their own over gloo, so a thread can do it while training uses another.
Nothing here comes from a file. Implements spec/checkpoints.md, "Several ranks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.distributed as dist

from safemodel.errors import SafemodelError, SourceError, UsageError
from safemodel.format import canonical_json

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

_groups: Final[dict[str, Any]] = {}


def current() -> tuple[int, int]:
    """The number of this rank and how many there are; 0 of 1 without `torch.distributed`."""
    if not dist.is_available() or not dist.is_initialized():
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


class Ranks:
    """All ranks of the default process group. Making one is collective, and so is each call."""

    def __init__(self) -> None:
        if not dist.is_available() or not dist.is_initialized():
            raise UsageError(
                "sharded=True is for the ranks of torch.distributed, which is not initialized",
                hint="torch.distributed.init_process_group() first, or leave it out",
            )
        self.rank, self.size = current()
        world = dist.group.WORLD
        if _groups.get("world") is not world:
            _groups.update(world=world, own=dist.new_group(backend="gloo"))
        self._group = _groups["own"]

    def gather(self, value: JsonValue) -> list[JsonValue]:
        """The values of all ranks, at rank 0; an empty list at the others."""
        with _contact():
            return self._gather(canonical_json.encode(value))

    def _gather(self, data: bytes) -> list[JsonValue]:
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(sizes, torch.tensor([len(data)]), group=self._group)
        longest = max(int(size) for size in sizes)
        mine = torch.zeros(longest, dtype=torch.uint8)
        mine[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        into = [torch.empty_like(mine) for _ in range(self.size)] if self.rank == 0 else None
        dist.gather(mine, into, dst=0, group=self._group)
        pairs = zip(into or (), sizes, strict=False)
        return [_decoded(one[: int(size)]) for one, size in pairs]

    def broadcast(self, value: JsonValue) -> JsonValue:
        """The value of rank 0, at all ranks."""
        with _contact():
            return self._broadcast(canonical_json.encode(value) if self.rank == 0 else b"")

    def _broadcast(self, data: bytes) -> JsonValue:
        size = torch.tensor([len(data)])
        dist.broadcast(size, src=0, group=self._group)
        box = torch.zeros(int(size), dtype=torch.uint8)
        if self.rank == 0:
            box = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        dist.broadcast(box, src=0, group=self._group)
        return _decoded(box)

    def together(
        self,
        mine: Callable[[], JsonValue],
        of_all: Callable[[list[Any]], JsonValue],
    ) -> Any:
        """Do `mine` at each rank, then `of_all` with all results at rank 0; all get what it gives.

        Raises:
            SafemodelError: its own error at the rank where one was raised; at the others one that
                says where and what. No rank waits for one that failed.
        """
        error, answer = _attempt(mine)
        answers: list[Any] = self.gather(answer)
        wrong = [f"rank {i}: {one['error']}" for i, one in enumerate(answers) if "error" in one]
        joint: JsonValue = {"error": "; ".join(wrong)[:2000]} if wrong else None
        if self.rank == 0 and not wrong:
            own, joint = _attempt(lambda: of_all([one["value"] for one in answers]))
            error = error or own
        outcome: Any = self.broadcast(joint)
        if error is not None:
            raise error
        if "error" in outcome:
            raise SourceError(f"the checkpoint was not saved: {outcome['error']}")
        return outcome["value"]


@contextmanager
def _contact() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what gloo raises when the other end is gone, or too slow
        raise SourceError(
            f"the ranks that save it lost contact: {str(error).splitlines()[0]:.300}",
            hint="a rank has died, or did not call save_checkpoint(); the checkpoints that were "
            "there are as they were",
        ) from error


def _attempt(work: Callable[[], JsonValue]) -> tuple[BaseException | None, JsonValue]:
    try:
        return None, {"value": work()}
    except BaseException as error:  # told to the others, who wait, and raised here after that
        what = str(error) if isinstance(error, SafemodelError) else repr(error)
        return error, {"error": what.encode("utf-8", "replace").decode()[:500]}


def _decoded(data: Any) -> JsonValue:
    return canonical_json.decode(data.numpy().tobytes(), max_size=data.numel())
