"""Formats that are recognised, and that no parser here reads: unread, with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from safemodel.legacy.magic import Recognised, guess, recognise

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope


class Unread:
    """The handler of what one function recognises."""

    __slots__ = ("_recognise",)

    def __init__(self, recognise: Callable[[bytes], Recognised | None]) -> None:
        self._recognise = recognise

    def scan(self, content: Content, scope: Scope) -> bool:
        found = self._recognise(bytes(content.head()))
        if found is None:
            return False
        scope.find("SM903", f"is {found.what}", remedy=found.hint)
        return True


recognised: Final = Unread(recognise)
guessed: Final = Unread(guess)
