"""Judge a chat template, wherever it was found. (What is odd in one: `legacy.jinja`.)"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError

if TYPE_CHECKING:
    from safemodel.legacy.jinja import Template
    from safemodel.scan.scope import Scope

_RULES: Final = {
    "gadget": "SM501",
    "computed": "SM501",
    "unknown": "SM502",
    "expensive": "SM503",
    "import": "SM504",
}
_MARKS: Final = ("{{", "{%", "{#")


def judge_template(text: str, scope: Scope, *, name: str = "", offset: int | None = None) -> None:
    """Report what is odd in a template.

    Args:
        name: where it is in the content, such as a key; for messages.
        offset: of its first byte in the content.
    """
    if not any(mark in text for mark in _MARKS):
        return  # it would be rendered as it is
    from safemodel.legacy import jinja

    try:
        template = jinja.read(text)
    except LegacyError as error:
        error.place, error.offset = name or None, offset
        scope.unread(error)
        return
    report_template(template, scope, name=name, offset=offset)


def report_template(
    template: Template, scope: Scope, *, name: str = "", offset: int | None = None
) -> None:
    """Report the oddities of a template that was read before."""
    prefix = f"{name}: " if name else ""
    for oddity in template.oddities:
        evidence = [("line", str(oddity.line))]
        if oddity.name:
            evidence.append(("name", oddity.name))
        scope.find(
            _RULES[oddity.kind.value],
            f"{prefix}line {oddity.line}: {oddity.message}",
            offset=offset,
            evidence=evidence,
        )
