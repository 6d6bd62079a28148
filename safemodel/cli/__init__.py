"""The command line: the only room that prints. `main` is the entry point; one module a verb.

The rules, in full in spec/cli.md: results go to stdout and nothing else does; errors go to stderr
as `safemodel: error: ...` and `safemodel: hint: ...`; text that comes from a file is escaped; the
exit code is 0 for yes, 1 for no, 2 for not answered. Only the module of the verb that was asked
for is imported, and it imports only what it needs: starting must not cost more than the work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from safemodel.cli import output, parser
from safemodel.errors import SafemodelError, UsageError

INTERRUPTED = 130  # 128 + SIGINT and SIGPIPE, as shells have it
BROKEN_PIPE = 141
NOT_ANSWERED = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Never raises, never prints a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        output.prepare_streams()
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; Python would complain about it once more at exit.
        output.discard_stdout()
        code = BROKEN_PIPE
    except OSError as error:
        output.print_error(f"can't write the result: {error.strerror or error}")
        output.discard_stdout()
        code = NOT_ANSWERED
    return code


def _run(arguments: list[str]) -> int:
    out = output.Output.of_arguments(arguments)
    try:
        options = parser.parse(arguments)
        out = output.Output.of_options(options)
        code: int = options.run(options, out)
        out.finish()
    except SystemExit as stop:  # argparse, after --help and --version
        code = stop.code if isinstance(stop.code, int) else NOT_ANSWERED
    except SafemodelError as error:
        code = out.failed(error)
    except MemoryError:
        code = out.failed(UsageError("there is not enough memory for this"))
    except (KeyboardInterrupt, OSError):
        raise
    except Exception as error:
        if os.environ.get("SAFEMODEL_DEBUG"):
            raise
        code = out.failed(_internal(error))
    return code


def _internal(error: Exception) -> UsageError:
    return UsageError(
        f"internal error: {type(error).__name__}: {error}",
        hint="this is a bug in safemodel, please report it; SAFEMODEL_DEBUG=1 shows where it is",
    )
