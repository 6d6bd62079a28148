"""The options that several verbs share, and what they mean for the library.

Implements spec/cli.md, "Signing and trusting".
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from safemodel.cli.output import Output, escape, is_terminal, key_text
from safemodel.errors import KeyFileError, SourceError, UsageError

if TYPE_CHECKING:
    from safemodel.trust.keys import PublicKey, Signer
    from safemodel.trust.policy import Trust

PASSWORD_VARIABLE = "SAFEMODEL_PASSWORD"  # noqa: S105 (the name of the variable)
_MAX_PASSWORD_FILE = 4096


# What is added to a verb's parser


def add_output(parser: argparse.ArgumentParser, *, report_file: bool = False) -> None:
    """--format, --color, --quiet; and -o for a report in a file."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default) or json"
    )
    if report_file:
        group.add_argument(
            "-o", "--output", dest="destination", metavar="FILE", help="write the result to FILE"
        )
    group.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: auto"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="no notes, no text result")


def add_trust(parser: argparse.ArgumentParser) -> None:
    """--trust, --unsigned: who may have signed."""
    group = parser.add_argument_group("who may have signed it")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--trust",
        "--key",
        action="append",
        metavar="PUB",
        help="this public key, a PEM file or env:NAME; may be given several times "
        "(default: your own key and `safemodel trust list`)",
    )
    one.add_argument(
        "--unsigned",
        action="store_true",
        help="anyone or no one: finds damage, but no attack",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """--name, --version, --digest: which model it must be."""
    group = parser.add_argument_group("which model it must be")
    group.add_argument("--name", metavar="NAME", help="its name, such as acme/fraud")
    group.add_argument(
        "--version", metavar="SPEC", help="its version: 3.1, or a range such as '>=3,<4'"
    )
    group.add_argument("--digest", metavar="HEX", help="its bundle digest (SHA-256)")


def add_signature_file(parser: argparse.ArgumentParser, meaning: str) -> None:
    """--signature: a detached signature file."""
    parser.add_argument("--signature", metavar="FILE", help=meaning)


def add_password(group: argparse._ArgumentGroup, *, meaning: str, otherwise: str) -> None:
    """--password-file: of a key that is read, or for one that is made."""
    group.add_argument(
        "--password-file",
        metavar="FILE",
        help=f"{meaning} is the first line of FILE (else ${PASSWORD_VARIABLE}, else {otherwise})",
    )


# What the options mean


def trust_of(options: argparse.Namespace) -> Trust | None:
    """Who may have signed; None is the default trust.

    Raises:
        KeyFileError: a key can't be read.
    """
    if options.unsigned:
        from safemodel.trust.policy import UNSIGNED

        return UNSIGNED
    if options.trust:
        from safemodel.trust.policy import TrustedKeys

        return TrustedKeys(*options.trust)
    return None


def check_model(options: argparse.Namespace) -> None:
    """Refuse a --name, --version or --digest that makes no sense, before any model is read.

    Raises:
        UsageError: such as a version that is neither a version nor a range.
    """
    from safemodel.trust.identity import Requested

    Requested(options.name, options.version, options.digest)


def load_signer(source: str, options: argparse.Namespace) -> Signer:
    """The private key of --signer, with its password if it has one.

    Raises:
        KeyFileError: it can't be read, or the password is wrong.
    """
    from safemodel.trust.keys import Signer

    password = given_password(options)
    try:
        return Signer.load(source, password=password)
    except KeyFileError as error:
        encrypted = password is None and "encrypted" in error.message
        if not encrypted or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
            raise
    return Signer.load(source, password=ask_password(f"password of {escape(source)}: "))


def given_password(options: argparse.Namespace) -> str | None:
    """The password from --password-file or the environment.

    Raises:
        SourceError: the file can't be read.
        UsageError: it holds no password.
    """
    path = options.password_file
    if path is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    try:
        with open(path, encoding="utf-8") as file:
            line = file.readline(_MAX_PASSWORD_FILE).rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SourceError(f"the password can't be read: {reason}", path=path) from error
    if not line:
        raise UsageError("the first line holds no password", path=path)
    return line


def ask_password(prompt: str) -> str:
    """Ask on the terminal, without an echo."""
    import getpass

    try:
        password = getpass.getpass(prompt)
    except EOFError:
        password = ""
    if not password:
        raise UsageError("no password was given")
    return password


def own_signer(out: Output) -> Signer:
    """The user's own key, made when there is none yet.

    Raises:
        KeyFileError: there is no place to keep it.
    """
    from safemodel.trust import store

    signer = store.own_signer(create=True, notice=out.note)
    if signer is None:
        folder = store.config_dir()
        reason = "no home folder to make one in" if folder is None else f"{folder} can't be written"
        raise KeyFileError(
            f"there is no key of yours, and {reason}",
            hint="give a key with --signer, or a folder with SAFEMODEL_CONFIG",
        )
    return signer


def shown_key(key: PublicKey) -> str:
    """A key for people."""
    return key_text(key.algorithm, key.key_id)
