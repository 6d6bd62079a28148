"""The verbs and the argument parser. Imports the module of the verb in question and no other."""

from __future__ import annotations

import argparse
import importlib
import os
from typing import Final, NoReturn, Protocol, cast

import safemodel
from safemodel.cli.output import Output
from safemodel.errors import UsageError

# In the order of the journey.
VERBS: Final = {
    "init": "make your own key and say what to do next",
    "keygen": "make a key pair",
    "sign": "sign a bundle, or any file or folder",
    "verify": "check who signed a model, and every byte of it",
    "inspect": "show what a bundle holds and who signed it",
    "scan": "say what a file would do if something loaded it",
    "convert": "turn a legacy file or folder into an archive; unpickles nothing",
    "export": "write what a bundle holds as a file of another format",
    "explain": "say what a rule is about, or what the pickles in a file would do",
    "guard": "run a program that can't unpickle what is not known to be harmless",
    "pack": "turn a bundle folder into an archive",
    "unpack": "turn an archive into a folder",
    "trust": "say whose models you accept: add, list, remove",
    "completion": "print a completion script for bash, zsh or fish",
}

_DESCRIPTION = (
    "Machine-learning models in an archive that is verified before it is read, and a scanner that "
    "says what other files would do."
)
_EPILOG = """\
Examples:
  safemodel scan downloads/
  safemodel init
  safemodel verify model.safemodel --trust acme.pub --name acme/fraud
  safemodel inspect model.safemodel

`safemodel VERB --help` explains a verb. Exit codes: 0 yes, 1 no, 2 not answered.
"""


class Verb(Protocol):
    """What a verb's module has. (Modules are checked against it by the tests.)"""

    EXAMPLES: str

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace, out: Output) -> int: ...


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"run `{self.prog} --help`")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """The help formatter, without the import of shutil that every argument would cost."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width(), max_help_position=28)


def _width() -> int:
    try:
        return min(100, int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)) - 2
    except (OSError, ValueError):
        return 78


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse a whole command line; the result has `run`.

    Raises:
        UsageError: the arguments make no sense.
    """
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    if verb is not None and arguments[0] == verb and verb not in VERBS:
        raise UsageError(f"there is no verb {verb!r}", hint=_closest(verb))
    options, unknown = build(verb).parse_known_args(arguments)
    if unknown:
        raise UsageError(
            f"there is no option or place for {unknown[0]!r}", hint=f"run `safemodel {verb} --help`"
        )
    return options


def build(only: str | None = None, *, everything: bool = False) -> argparse.ArgumentParser:
    """The parser, with the options of the verb `only`, or of all verbs."""
    parser = Parser(
        prog="safemodel",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"safemodel {safemodel.__version__}")
    verbs = parser.add_subparsers(
        prog="safemodel", metavar="VERB", dest="verb", required=True, parser_class=Parser
    )
    for name, summary in VERBS.items():
        child = verbs.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=Formatter,
            allow_abbrev=False,
        )
        if everything or name == only:
            module = load(name)
            child.epilog = f"Examples:\n{module.EXAMPLES}"
            child.set_defaults(run=module.run)
            module.configure(child)
    return parser


def load(verb: str) -> Verb:
    """The module of a verb of the table."""
    return cast(Verb, importlib.import_module(f"safemodel.cli.{verb}"))


def _closest(verb: str) -> str:
    import difflib

    found = difflib.get_close_matches(verb, VERBS, n=1)
    return f"did you mean `safemodel {found[0]}`?" if found else "verbs: " + ", ".join(VERBS)
