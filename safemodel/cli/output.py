"""Streams, colour, escaping and documents: how anything gets to a person or a program.

Knows nothing of what is in a bundle. Implements spec/cli.md, "Streams" and "Escaping".
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from safemodel.errors import SafemodelError, SourceError
from safemodel.report.escaping import count_text as count_text
from safemodel.report.escaping import escape as escape
from safemodel.report.escaping import size_text as size_text

if TYPE_CHECKING:
    import argparse

Document = Mapping[str, object]

_BOLD, _RED, _GREEN, _YELLOW = "1", "31", "32", "33"


def key_text(algorithm: str, key_id: str) -> str:
    """A key id for people: the kind of key and its first 64 bits."""
    return f"{algorithm}:{key_id[:16]}"


# Streams


def prepare_streams() -> None:
    """Neither a stream that is closed nor a character that it lacks may end the program.

    Python has None for a stream that was closed before it began (`>&-`). From low to high, so
    that each takes the descriptor that is free, and no file of ours gets it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 (until the end)
            setattr(sys, name, null)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_stdout() -> None:
    """Send what is still buffered nowhere, after the reader has gone or the disk is full."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person is looking. A closed stream is nobody."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def colored(stream: TextIO, choice: str = "auto") -> bool:
    """Whether to colour what goes to `stream`: by --color, NO_COLOR, FORCE_COLOR, a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def _paint(text: str, code: str, on: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if on else text


def print_error(message: str, *, color: str = "auto") -> None:
    """One line on stderr."""
    _print_to_stderr("error", message, _RED, color)


def print_hint(message: str, *, color: str = "auto") -> None:
    """One line on stderr, after an error."""
    _print_to_stderr("hint", message, _YELLOW, color)


def print_note(message: str, *, color: str = "auto") -> None:
    """One line on stderr that is no error."""
    _print_to_stderr("note", message, _BOLD, color)


def _print_to_stderr(word: str, message: str, code: str, color: str) -> None:
    label = _paint(f"{word}:", code, colored(sys.stderr, color))
    # Where stderr is closed there is nobody to tell; the exit code still says it.
    with contextlib.suppress(OSError, ValueError):
        print(f"safemodel: {label} {escape(message)}", file=sys.stderr, flush=True)


class Output:
    """Where the result of one command goes: text or one JSON document, to stdout or a file."""

    def __init__(
        self,
        *,
        json: bool = False,
        verb: str | None = None,
        color: str = "auto",
        destination: str | None = None,
        quiet: bool = False,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self._verb = verb
        self._color = color
        self._destination = destination
        self._lines: list[str] = []
        self._document: dict[str, object] | None = None
        self._whole = ""

    @classmethod
    def of_options(cls, options: argparse.Namespace) -> Output:
        """What parsed options ask for."""
        return cls(
            json=getattr(options, "format", "text") == "json",
            verb=options.verb,
            color=getattr(options, "color", "auto"),
            destination=getattr(options, "destination", None),
            quiet=getattr(options, "quiet", False),
        )

    @classmethod
    def of_arguments(cls, arguments: list[str]) -> Output:
        """The output for a command line that could not be parsed: its errors come as text."""
        choice = "never" if "--color=never" in arguments else "auto"
        return cls(color=choice)

    @property
    def rich(self) -> bool:
        """Whether a person is looking at a terminal that can show more than plain text."""
        return (
            not (self.json or self.quiet)
            and self._destination is None
            and is_terminal(sys.stdout)
            and colored(sys.stdout, self._color)
        )

    def paint(self, text: str, code: str) -> str:
        """`text` in a colour, where the result goes to something that shows colours."""
        return _paint(text, code, self._destination is None and colored(sys.stdout, self._color))

    def good(self, text: str) -> str:
        """The word that says yes."""
        return self.paint(text, _GREEN)

    def bad(self, text: str) -> str:
        """The word that says no."""
        return self.paint(text, _RED)

    def strong(self, text: str) -> str:
        """A heading."""
        return self.paint(text, _BOLD)

    def line(self, text: str = "") -> None:
        """One line of the result; what comes from a file must be escaped already."""
        if self.json or self.quiet:
            return
        if self._destination is None:
            print(text)
        else:
            self._lines.append(text)

    def document(self, fields: Document) -> None:
        """The result as JSON."""
        self._document = {"verb": self._verb, "ok": True, **fields}

    def whole(self, text: str) -> None:
        """The result as one document of another kind, with its last line feed."""
        self._whole = text

    def note(self, message: str) -> None:
        """Something to know that is neither the result nor an error."""
        if not self.quiet:
            print_note(message, color=self._color)

    def error(self, error: SafemodelError) -> None:
        """An error and its hint, for people."""
        print_error(str(error), color=self._color)
        if error.hint:
            print_hint(error.hint, color=self._color)

    def failed(self, error: SafemodelError) -> int:
        """End a command that has no result; the exit code."""
        self.error(error)
        if self.json:
            self._document = {"verb": self._verb, "ok": False, "error": error_fields(error)}
            try:
                self.finish()
            except SourceError as second:
                self.error(second)
        return error.exit_code

    def finish(self) -> None:
        """Write the document, or the file that was asked for."""
        text = self._whole or "".join(f"{line}\n" for line in self._lines)
        if self.json and self._document is not None:
            import json

            # ASCII only: escapes every control and bidi character on its way.
            text = json.dumps(self._document, indent=2, ensure_ascii=True) + "\n"
        if self._destination is not None:
            write_file(self._destination, text)
        elif text:
            print(text, end="")


def error_fields(error: SafemodelError) -> dict[str, object]:
    """An error as JSON."""
    return {
        "name": type(error).__name__,
        "message": error.message,
        "path": error.path,
        "place": error.place,
        "hint": error.hint,
    }


def write_file(path: str, text: str) -> None:
    """Write a report, wholly or not at all.

    Raises:
        SourceError: it can't be written, or there is a device or a folder of that name.
    """
    from safemodel.bundle.output import replaced_file, write_at

    with replaced_file(path) as descriptor:
        write_at(descriptor, [memoryview(text.encode("utf-8", "backslashreplace"))], 0)
