"""What `only=` chooses, and what is said if that is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from safemodel.adapters.only import chosen, nothing_chosen
from safemodel.errors import UsageError


def test_patterns() -> None:
    wanted = chosen(["encoder/*", "b"], "x")
    assert [path for path in ("encoder/w", "b", "a/b", "Encoder/w") if wanted(path)] == [
        "encoder/w",
        "b",
    ]
    assert not chosen([], "x")("a")


@pytest.mark.parametrize("only", ["encoder/*", [1], [None]])
def test_no_patterns(only: Any) -> None:
    with pytest.raises(UsageError, match=r"\['encoder/\*'\]"):
        chosen(only, "encoder/*")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ("", "it has no variables"),
        ("ab", "it has a, b"),
        ("abcd", "it has a, b, c, d"),
        ("abcde", "it has a, b, c, d, ..."),
    ],
)
def test_nothing_is_chosen(paths: str, said: str) -> None:
    assert nothing_chosen(iter(paths)).hint == said
