"""`safemodel trust`: whose models are accepted without being named on the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from safemodel import limits
from safemodel.cli import options as shared
from safemodel.cli.output import Output, escape, key_text
from safemodel.errors import UsageError

if TYPE_CHECKING:
    from safemodel.trust.policy import TrustedKey

EXAMPLES = """\
  safemodel trust add acme.pub --name 'acme/*' --label acme
  safemodel trust list
  safemodel trust remove 9f3c5a7be1d20c44              no model of theirs any more
  safemodel trust remove acme --name acme/fraud        for this name only
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the three actions."""
    actions = parser.add_subparsers(
        prog=parser.prog, dest="action", metavar="ACTION", required=True
    )
    add = actions.add_parser(
        "add",
        help="accept models by a key, for some names",
        allow_abbrev=False,
        formatter_class=parser.formatter_class,
    )
    add.add_argument("key", metavar="PUB", help="their public key: a PEM file or env:NAME")
    _add_names(add, required=True, meaning="accept models of this name; acme/* is all below acme/")
    add.add_argument("--label", metavar="TEXT", help="what to call them (default: the file's name)")
    add.set_defaults(act=_add)
    listing = actions.add_parser(
        "list", help="show them", allow_abbrev=False, formatter_class=parser.formatter_class
    )
    listing.set_defaults(act=_list)
    remove = actions.add_parser(
        "remove",
        help="accept them no longer",
        allow_abbrev=False,
        formatter_class=parser.formatter_class,
    )
    remove.add_argument("key", metavar="KEY", help="a label, a public key file, or a key id")
    _add_names(remove, required=False, meaning="only for this name (default: for all)")
    remove.set_defaults(act=_remove)
    for child in (add, listing, remove):
        shared.add_output(child)


def _add_names(parser: argparse.ArgumentParser, *, required: bool, meaning: str) -> None:
    parser.add_argument(
        "--name",
        action="append",
        dest="names",
        required=required,
        metavar="NAME",
        help=f"{meaning}; may be given several times",
    )


def run(options: argparse.Namespace, out: Output) -> int:
    """Do the action."""
    code: int = options.act(options, out)
    return code


def _add(options: argparse.Namespace, out: Output) -> int:
    from safemodel.trust import store
    from safemodel.trust.keys import PublicKey

    key = PublicKey.load(options.key)
    label = options.label or _label_of(options.key)
    trusted = store.add(key, tuple(options.names), label=label)
    out.line(f"trusted: {text_of(trusted)}")
    out.line(f"key id:  {key.algorithm}:{key.key_id}")
    out.note("compare the key id with its owner, over another channel than the file's")
    out.document({"keys": [fields_of(trusted)]})
    return 0


def _label_of(source: str) -> str | None:
    import os

    if source.startswith("env:"):
        return None
    name = os.path.basename(source).removesuffix(".pub")
    fits = name.isprintable() and 0 < len(name.encode("utf-8")) <= limits.MAX_LABEL
    return name if fits else None


def _list(options: argparse.Namespace, out: Output) -> int:
    from safemodel.trust import store

    keys = sorted(
        store.TrustStore.load().keys.values(), key=lambda one: (one.label or "", one.key.key_id)
    )
    own = store.own_signer(create=False)
    if own is not None:
        key = own.public_key
        out.line(f"{store.OWN_LABEL} ({key_text(key.algorithm, key.key_id)}): every name")
    for trusted in keys:
        out.line(text_of(trusted))
    if own is None and not keys:
        out.note("nobody is trusted yet: `safemodel init`, `safemodel trust add KEY.pub`")
    own_key = own.public_key if own else None
    out.document(
        {
            "own_key": own_key and {"algorithm": own_key.algorithm, "key_id": own_key.key_id},
            "keys": [fields_of(trusted) for trusted in keys],
        }
    )
    return 0


def _remove(options: argparse.Namespace, out: Output) -> int:
    from safemodel.trust import store

    key_id = _find(options.key)
    names = tuple(options.names) if options.names else None
    left = store.remove(key_id, names)
    out.line(f"no longer trusted: {escape(options.key)}{_for(names)}")
    if left is not None:
        out.line(f"still trusted: {text_of(left)}")
    out.document({"keys": [] if left is None else [fields_of(left)]})
    return 0


def _for(names: tuple[str, ...] | None) -> str:
    return f" for {', '.join(map(escape, names))}" if names else ""


def _find(given: str) -> str:
    """The key id behind a label, a file or a key id.

    Raises:
        UsageError: two keys have the label.
    """
    import os

    from safemodel.trust import store
    from safemodel.trust.keys import PublicKey

    labelled = [i for i, one in store.TrustStore.load().keys.items() if one.label == given]
    if len(labelled) > 1:
        raise UsageError(f"two keys are called {given!r}", hint="give the key id")
    if labelled:
        return labelled[0]
    if os.path.isfile(given):
        return PublicKey.load(given).key_id
    return given.rpartition(":")[2]


def text_of(trusted: TrustedKey) -> str:
    """One line for people."""
    names = ", ".join(trusted.names) if trusted.names else "every name"
    label = escape(trusted.label or "no label")
    return f"{label} ({key_text(trusted.key.algorithm, trusted.key.key_id)}): {escape(names)}"


def fields_of(trusted: TrustedKey) -> dict[str, object]:
    """The entry as JSON."""
    return {
        "label": trusted.label,
        "algorithm": trusted.key.algorithm,
        "key_id": trusted.key.key_id,
        "names": list(trusted.names) if trusted.names is not None else None,
    }
