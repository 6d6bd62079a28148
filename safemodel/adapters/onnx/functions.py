"""The functions that a model defines, and who calls whom.

ONNX Runtime replaces each call by the body of the function, so calls in a circle never end and
calls of calls grow exponentially. Implements spec/onnx.md, "Functions".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain

from safemodel import limits
from safemodel.adapters.onnx.operators import domain_of
from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LimitError

Key = tuple[str, str, str]  # domain, name, overload
Sizes = dict[Key | None, int]


def key_of(function: Message) -> Key:
    """What a node must say to call a function."""
    return domain_of(function), function.get("name", ""), function.get("overload", "")


class Functions:
    """The functions of a model, the calls among them, and how many nodes each has of its own."""

    def __init__(self) -> None:
        self._calls: dict[Key | None, Counter[Key]] = {None: Counter()}
        self._nodes: Counter[Key | None] = Counter()
        self._parameters: dict[Key, tuple[int, int]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._calls

    def add(self, function: Message) -> None:
        """Know a function.

        Raises:
            ArchitectureError: it has no name, or there is another one of it; a value is made twice
                in it, or an output never.
        """
        key = key_of(function)
        if not key[1] or key in self._calls:
            raise ArchitectureError(f"a second function {key[1]!r:.100}, or one without a name")
        inputs, outputs = function.all("input"), function.all("output")
        made = [*inputs, *filter(None, chain(*(n.all("output") for n in function.all("node"))))]
        if len(set(made)) < len(made) or len(set(outputs)) < len(outputs):
            raise ArchitectureError(f"the function {key[1]:.100} has two values of one name")
        if not set(outputs) <= set(made):
            raise ArchitectureError(f"the function {key[1]:.100} never makes an output")
        self._parameters[key] = len(inputs), len(outputs)
        self._calls[key] = Counter()

    def call(self, caller: Key | None, called: Key, node: Message) -> None:
        """Count a call; the caller is a function, or None for a graph.

        Raises:
            ArchitectureError: it has more inputs or outputs than the function.
        """
        inputs, outputs = self._parameters[called]
        # ONNX Runtime 1.31 takes it that there are as many, and reads what lies behind them.
        if len(node.all("input")) > inputs or len(node.all("output")) > outputs:
            raise ArchitectureError("a call with more inputs or outputs than the function has")
        self._calls[caller][called] += 1

    def count(self, caller: Key | None) -> None:
        """Count a node that is no call."""
        self._nodes[caller] += 1

    def check_calls(self) -> None:
        """Refuse calls in a circle, and bodies in bodies that are too deep or too many.

        Raises:
            ArchitectureError: a function calls itself.
            LimitError: too deep, or too many nodes.
        """
        sizes: Sizes = {}
        self._size(None, sizes, [])
        for key in self._calls:
            self._size(key, sizes, [])

    def _size(self, key: Key | None, sizes: Sizes, callers: list[Key | None]) -> int:
        if key in sizes:
            return sizes[key]
        if key in callers:
            raise ArchitectureError(f"the function {key[1] if key else ''!s:.100} calls itself")
        if len(callers) > limits.MAX_ONNX_CALLS:
            raise LimitError(f"more than {limits.MAX_ONNX_CALLS} functions that call one another")
        callers.append(key)
        calls: Mapping[Key, int] = self._calls[key]
        total = self._nodes[key] + sum(
            times * max(1, self._size(called, sizes, callers)) for called, times in calls.items()
        )
        callers.pop()
        if total > limits.MAX_ONNX_NODES:
            raise LimitError(
                f"more than {limits.MAX_ONNX_NODES} nodes when functions are put in place"
            )
        sizes[key] = total
        return total
