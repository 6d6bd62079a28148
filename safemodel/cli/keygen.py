"""`safemodel keygen`: a new key pair in two files."""

from __future__ import annotations

import argparse

from safemodel.cli import options as shared
from safemodel.cli.output import Output, escape
from safemodel.errors import KeyFileError, UsageError

EXAMPLES = """\
  safemodel keygen -o acme.key                 writes acme.key and acme.pub
  safemodel keygen -o acme.key --password-file secret.txt
  safemodel keygen -o acme.key --algorithm ed25519
"""

ALGORITHMS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="KEY",
        default="safemodel.key",
        help="the private key; the public one is beside it, as .pub (default: safemodel.key)",
    )
    parser.add_argument(
        "--algorithm",
        choices=ALGORITHMS,
        default=ALGORITHMS[0],
        help="default: ecdsa-p256, which every OpenSSF Model Signing tool verifies; "
        "ed25519 is for manifest statements only",
    )
    shared.add_password(
        parser.add_argument_group("password"),
        meaning="the password that encrypts the private key",
        otherwise="it is not encrypted",
    )
    shared.add_output(parser)


def public_path(path: str) -> str:
    """Where the public key goes: `acme.key` and `acme` have `acme.pub`."""
    return path.removesuffix(".key") + ".pub"


def run(options: argparse.Namespace, out: Output) -> int:
    """Make the key pair."""
    from safemodel.trust.keys import Signer

    public = public_path(options.output)
    if options.output.endswith(".pub"):
        raise UsageError(
            "is the name of a public key", path=options.output, hint="name it acme.key, say"
        )
    password = shared.given_password(options)
    signer = Signer.generate(options.algorithm)
    signer.save(options.output, password)
    try:
        signer.public_key.save(public)
    except (UsageError, KeyFileError):
        # Both or none: a private key without its public half would only puzzle people.
        import os

        os.unlink(options.output)
        raise
    key = signer.public_key
    out.line(f"private key  {escape(options.output)} (keep it to yourself)")
    out.line(f"public key   {escape(public)} (give it to whoever loads your models)")
    out.line(f"key id       {key.algorithm}:{key.key_id}")
    out.document(
        {
            "private_key": options.output,
            "public_key": public,
            "algorithm": key.algorithm,
            "key_id": key.key_id,
            "encrypted": password is not None,
        }
    )
    return 0
