"""`safemodel guard`: run a program that can't unpickle what no table knows to be harmless."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from safemodel.cli.output import Output
from safemodel.errors import MissingFileError, SourceError, UsageError

EXAMPLES = """\
  safemodel guard -- python app.py
  safemodel guard --warn -- pytest
  safemodel guard --allow mypackage.MyModel -- python serve.py --port 8000
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "command", nargs="+", metavar="COMMAND", help="the program and its arguments, after --"
    )
    parser.add_argument(
        "--warn", action="store_true", help="warn where a load would be stopped, and go on"
    )
    parser.add_argument("--policy", metavar="FILE", help="names that you know (docs/policy.md)")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="NAME", help="a class: mypackage.MyModel"
    )
    parser.add_argument(
        "--no-scan", action="store_true", help="do not scan files before frameworks load them"
    )
    parser.set_defaults(color="auto")


def run(options: argparse.Namespace, output: Output) -> int:
    """Become the program; returns only if there is none.

    Raises:
        UsageError: the policy or a name makes no sense.
        SourceError: the program can't be started.
    """
    from safemodel.guard.hook import Guard
    from safemodel.scan import policy

    Guard("enforce", policy.load(options.policy) if options.policy else None, tuple(options.allow))
    if any("," in name for name in options.allow):
        raise UsageError("--allow takes one name; give it again for another")
    program = options.command[0]
    sys.stdout.flush()
    try:
        os.execvpe(program, options.command, _environment(options))  # noqa: S606 (as asked)
    except FileNotFoundError as error:
        raise MissingFileError("there is no such program", path=program) from error
    except OSError as error:
        raise SourceError(f"can't be started: {error.strerror}", path=program) from error


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """The variables that make every Python of the program install the guard when it starts."""
    import safemodel.guard

    startup = Path(safemodel.guard.__file__).parent / "startup"
    package = Path(safemodel.__file__).parents[1]
    paths = [str(startup), os.environ.get("PYTHONPATH", ""), str(package)]
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "SAFEMODEL_GUARD": "warn" if options.warn else "enforce",
        "SAFEMODEL_GUARD_ALLOW": ",".join(options.allow),
        "SAFEMODEL_GUARD_SCAN": "0" if options.no_scan else "1",
    }
    if options.policy:
        variables["SAFEMODEL_GUARD_POLICY"] = os.path.abspath(options.policy)
    return variables
