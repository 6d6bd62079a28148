"""`safemodel init`: the user's own key, and what to do next."""

from __future__ import annotations

import argparse

from safemodel.cli import options as shared
from safemodel.cli.output import Output, escape
from safemodel.errors import SafemodelError

EXAMPLES = """\
  safemodel init
  safemodel init -o alice.pub              and your public key in a file, for others
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "-o", "--output", metavar="PUB", help="write your public key to this new file"
    )
    shared.add_output(parser)


def run(options: argparse.Namespace, out: Output) -> int:
    """Make the key if there is none, and say where everything is."""
    from safemodel.trust import store

    there = _exists()
    key = shared.own_signer(out).public_key
    folder = store.config_dir()
    if options.output is not None:
        key.save(options.output)
    out.line(f"key id         {key.algorithm}:{key.key_id}")
    out.line(f"configuration  {escape(str(folder))}")
    if options.output is not None:
        out.line(f"public key     {escape(options.output)}")
    for line in _NEXT:
        out.line(line)
    out.document(
        {
            "created": not there,
            "algorithm": key.algorithm,
            "key_id": key.key_id,
            "public_key": options.output,
            "pem": key.pem,
            "config_dir": str(folder),
        }
    )
    return 0


def _exists() -> bool:
    from safemodel.trust import store

    try:
        return store.own_signer(create=False) is not None
    except SafemodelError:
        return True  # there and unusable: making it again will say why


_NEXT = (
    "",
    "next:",
    "  safemodel.save(model, 'm.safemodel')             in Python: signs with this key",
    "  safemodel.load('m.safemodel')                    and this accepts only what it signed",
    "  safemodel init -o me.pub                         your public key, for others",
    "  safemodel sign m.safemodel                       sign what someone else made",
    "  safemodel trust add acme.pub --name 'acme/*'     accept someone else's models",
    "  safemodel verify m.safemodel                     check who signed it, and every byte",
)
