"""Which model (signing.md, "Which model"): a good signature by a trusted key is not enough."""

# ruff: noqa: E501  (one vector a line)

from __future__ import annotations

from typing import Any

from .bundle import Bundle
from .registry import accept, reject

UNNAMED: dict[str, Any] = {"version": "3.1"}


def model(name: str | None = "acme/fraud", version: str | None = "3.1") -> Bundle:
    """A bundle with this name and version."""
    said = {"name": name, "version": version}
    return Bundle(metadata={key: value for key, value in said.items() if value is not None})


# name, comment, model name, model version, what is asked for
_WRONG: list[tuple[str, str, str | None, str | None, dict[str, str]]] = [
    ("name", "another model", "acme/fraud", "3.1", {"name": "acme/other"}),
    ("name-case", "names are compared by case", "acme/fraud", "3.1", {"name": "Acme/Fraud"}),
    ("name-prefix", "a name is not a prefix", "acme/fraud", "3.1", {"name": "acme"}),
    ("name-missing", "the model has no name", None, "3.1", {"name": "acme/fraud"}),
    ("version-older", "a rollback", "acme/fraud", "2.9", {"name": "acme/fraud", "version": ">=3"}),
    ("version-exact", "another version", "acme/fraud", "3.1", {"version": "3.2"}),
    ("version-missing", "the model has no version", "acme/fraud", None, {"version": ">=3"}),
    ("version-incomparable", "a version that can't be compared", "acme/fraud", "final", {"version": ">=3"}),
    ("version-prerelease", "a release candidate is not what >=3 asks for", "acme/fraud", "4.0rc1", {"version": ">=3"}),
    ("version-upper", "above the range", "acme/fraud", "4.0", {"version": ">=3,<4"}),
    ("version-numeric", "3.10 is later than 3.9", "acme/fraud", "3.9", {"version": ">=3.10"}),
    ("digest", "another bundle", "acme/fraud", "3.1", {"digest": "0" * 64}),
]  # fmt: skip

# name, comment, model name, model version, what is asked for
_RIGHT: list[tuple[str, str, str | None, str | None, dict[str, str]]] = [
    ("name", "the model asked for", "acme/fraud", "3.1", {"name": "acme/fraud", "version": ">=3,<4"}),
    ("version-equal", "3.1.0 is 3.1", "acme/fraud", "3.1.0", {"version": "3.1"}),
    ("version-local", "a version that is not PEP 440, asked for exactly", "acme/fraud", "final", {"version": "final"}),
    ("version-prerelease", "a release candidate that was asked for", "acme/fraud", "4.0rc2", {"version": ">=4.0rc1"}),
    ("digest", "by its digest", None, None, {"digest": model(None, None).digest}),
]  # fmt: skip

# name, comment, model name, names that the key counts for, what is asked for
_SCOPES: list[tuple[str, str, str | None, str, dict[str, str]]] = [
    ("other", "a key for other models", "acme/fraud", "initech/*", {}),
    ("exact", "a key for one other model", "acme/fraud", "acme/other", {}),
    ("prefix", "a name that only begins like the pattern", "acmeevil/fraud", "acme/*", {}),
    ("itself", "the prefix itself is not below it", "acme", "acme/*", {}),
    ("unnamed", "a key with names, and a model without", None, "acme/*", {}),
    (
        "requested",
        "the name asked for decides, not the manifest's",
        "acme/fraud",
        "acme/*",
        {"name": "initech/pay"},
    ),
]


def _register() -> None:
    for name, comment, called, version, request in _WRONG:
        reject(f"identity-wrong-{name}", "WrongModelError", comment, request=request)(
            lambda called=called, version=version: model(called, version)
        )
    for name, comment, called, version, request in _RIGHT:
        accept(f"identity-{name}", comment, request=request)(
            lambda called=called, version=version: model(called, version)
        )
    for name, comment, called, pattern, request in _SCOPES:
        reject(
            f"identity-scope-{name}",
            "UntrustedSignerError",
            comment,
            names=(pattern,),
            request=request,
        )(lambda called=called: model(called))


_register()


@reject("identity-swapped", "WrongModelError", "the key counts for what is asked, the manifest says otherwise",
        names=("initech/*",), request={"name": "initech/pay"})  # fmt: skip
def _() -> Bundle:
    return model("acme/fraud")


@reject("identity-digest-first", "WrongModelError", "another bundle, whose manifest is not even JSON",
        request={"digest": "0" * 64})  # fmt: skip
def _() -> Bundle:
    return Bundle(manifest=b"{", signers=())


@accept("identity-scope-below", "a key for all below a prefix", names=("acme/*",))
def _() -> Bundle:
    return model("acme/fraud/eu")


@accept("identity-scope-same", "a key for exactly this model", names=("acme/fraud",))
def _() -> Bundle:
    return model()


@accept("identity-scope-all", "a key for every model, named or not", names=("*",))
def _() -> Bundle:
    return model(None)
