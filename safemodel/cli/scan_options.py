"""The options of `safemodel scan`, and what they mean for the scanner."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from safemodel.cli.output import Output
from safemodel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safemodel.report.model import Report, Severity
    from safemodel.scan.baseline import Entry
    from safemodel.scan.single import Settings

FORMATS: Final = ("text", "json", "sarif", "html")
SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
_UNITS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def add(parser: argparse.ArgumentParser) -> None:
    """Everything that can be asked for."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or a folder; - is stdin")
    _add_answer(parser)
    _add_work(parser)
    _add_output(parser)


def _add_answer(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the answer")
    group.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        default="medium",
        help="exit code 1 from this severity on (default: medium)",
    )
    group.add_argument("--exit-zero", action="store_true", help="exit code 0, whatever is found")
    group.add_argument(
        "--strict", action="store_true", help="a file of no known format is unread, also in folders"
    )
    group.add_argument(
        "--skip-unknown",
        action="store_true",
        help="a file of no known format is skipped, also if it is named",
    )
    group.add_argument(
        "--policy", metavar="FILE", help="names of your own that are known good, or denied"
    )
    group.add_argument(
        "--baseline", metavar="FILE", help="findings that are accepted, for exactly these bytes"
    )
    group.add_argument(
        "--write-baseline", metavar="FILE", help="write one; the reasons are yours to fill in"
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the work")
    group.add_argument(
        "-j", "--jobs", type=_positive, metavar="N", help="processes (default: all processors)"
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files and folders of this name, or path below PATH; may be repeated",
    )
    group.add_argument(
        "--max-seconds", type=_seconds, metavar="N", help="for one file (default: 120)"
    )
    group.add_argument(
        "--max-size", type=_size, metavar="SIZE", help="larger files are unread, such as 500M"
    )
    group.add_argument(
        "--cache", action="store_true", help="remember what was scanned, in your cache folder"
    )
    group.add_argument("--cache-dir", metavar="FOLDER", help="the same in another folder of yours")


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    group.add_argument(
        "-o", "--output", dest="destination", metavar="FILE", help="write the result to FILE"
    )
    group.add_argument("--all", action="store_true", help="list every finding of a file")
    group.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: auto"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="no notes, no text result")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to a day")
    return found


def _size(text: str) -> int:
    """`500M`, `2G`, `100000`: powers of 1024, as they are with most tools that take this."""
    number = text.rstrip("kKmMgGtTiIbB")
    unit = text[len(number) :].lower().removesuffix("ib").removesuffix("b")
    if not number.isascii() or not number.isdigit() or unit not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500M")
    return int(number) << (10 * _UNITS[unit])


# What they mean


@dataclass(frozen=True, slots=True)
class Asked:
    """How strict the answer is to be."""

    fail_on: Severity
    strict: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> Asked:
        """What the options say."""
        from safemodel.report.model import Severity

        return cls(Severity[options.fail_on.upper()], options.strict)


def settings(options: argparse.Namespace) -> Settings:
    """What the scanner is told.

    Raises:
        UsageError, SourceError: the policy or the cache can't be used.
    """
    from dataclasses import replace

    from safemodel.scan.budget import DEFAULT_LIMITS
    from safemodel.scan.single import Settings

    limits = DEFAULT_LIMITS
    if options.max_seconds is not None:
        limits = replace(limits, seconds=options.max_seconds)
    policy = None
    if options.policy is not None:
        from safemodel.scan import policy as policies

        policy = policies.load(options.policy)
    return Settings(limits, policy, _cache(options), options.max_size)


def _cache(options: argparse.Namespace) -> str | None:
    if options.cache_dir is not None or not options.cache:
        folder: str | None = options.cache_dir
        return folder
    from safemodel.scan.cache import default_folder

    found = default_folder()
    if found is None:
        raise UsageError("there is no home folder to keep a cache in", hint="use --cache-dir")
    return found


def baseline(options: argparse.Namespace) -> Sequence[Entry] | None:
    """The entries of --baseline.

    Raises:
        UsageError, SourceError: it can't be read.
    """
    if options.baseline is None:
        return None
    from safemodel.scan import baseline as baselines

    return baselines.load(options.baseline)


def accept(report: Report, entries: Sequence[Entry]) -> Report:
    """The report with what the baseline covers counted only."""
    from safemodel.scan import baseline as baselines

    return baselines.apply(report, entries, baselines.today())


def write_baseline(path: str, report: Report, out: Output) -> None:
    """Write what would cover the report.

    Raises:
        SourceError: it can't be written, or there is something already.
    """
    import json
    import os

    from safemodel.cli.output import write_file
    from safemodel.errors import SourceError
    from safemodel.scan import baseline as baselines

    if os.path.lexists(path):
        raise SourceError(
            "is there already", path=path, hint="write another, and take over what you accept"
        )
    document = baselines.made_of(report)
    write_file(path, json.dumps(document, indent=2, ensure_ascii=True) + "\n")
    out.note(f"{path}: write down the reason of each entry; without one it is refused")
