"""Changes of one array of a boosted model that was taken apart, and children that try them."""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

Change = Callable[[dict[str, Any]], None]


def set_item(name: str, index: Any, value: Any) -> Change:
    """Change an item of one array of a model."""

    def change(model: dict[str, Any]) -> None:
        model[name] = model[name].copy()
        model[name][index] = value

    return change


def assign(name: str, value: Any) -> Change:
    """Put something else in the place of one array or number of a model."""

    def change(model: dict[str, Any]) -> None:
        model[name] = value(model[name]) if callable(value) else value

    return change


def confine() -> None:
    """Bound what this process may take: to be called before anything else."""
    threading.stack_size(1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def try_all(attempts: Callable[[random.Random, str], str], seconds: int) -> None:
    """Try many changed models in this process and say of each what became of it.

    The command line has a seed, how many, and through what. A line goes out before each, so that
    whoever started this knows which one killed it.
    """
    seed, count, through = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for number in range(count):
        print(json.dumps({"number": number}), flush=True)
        signal.alarm(seconds)
        result = attempts(random.Random(f"{seed} {number}"), through)
        signal.alarm(0)
        print(json.dumps({"result": result}), flush=True)
    print(json.dumps({"done": True}), flush=True)
