"""Small objects that stand between estimators: Bunch, `functools.partial`, metadata requests.

A Bunch is a dict whose keys are its attributes. A partial is permitted over a listed function only,
with keywords that the function's own schema permits. A metadata request says which metadata the
methods of its owner ask for; the owner itself, of which scikit-learn shows the name only, is not
stored: it is whatever the request stands in. Implements spec/sklearn.md, "Estimators".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters import plain, random_state
from safemodel.adapters.graph_decode import Builder, Decoder
from safemodel.adapters.graph_encode import Encoder, Node
from safemodel.adapters.sklearn.parts import Part, Reduced, check_keywords
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Bool,
    Const,
    Items,
    Map,
    Seq,
    Spec,
    Text,
    describe,
    either,
)
from safemodel.errors import ArchitectureError, UnsavableError

if TYPE_CHECKING:
    from collections.abc import Callable

BUNCH: Final = ("sklearn.utils._bunch", "Bunch")


@dataclass(frozen=True)
class BunchOf:
    """The spec of a Bunch: names, each with a value of one spec."""

    value: Spec

    def check(self, value: Any, scope: Scope) -> None:
        if not scope.library.is_bunch(type(value)):
            raise SpecError(f"is {describe(value)}, but must be {self}")
        Map(Text(4096), self.value).check(dict(dict.items(value)), scope)

    def __str__(self) -> str:
        return f"a Bunch of {self.value}"


def encode_bunch(obj: Any, path: str, encoder: Encoder) -> Node:
    """Encode a Bunch. Its attributes are its items; scikit-learn itself pickles nothing else."""
    items = dict(dict.items(obj))
    if any(type(key) is not str for key in items):
        raise UnsavableError("a Bunch with keys that are not strings", place=path or None)
    return {"kind": "sklearn.bunch", "items": plain.encode_pairs(items, path, encoder)}


def bunch_builder(make: Callable[[], Any]) -> Builder:
    """Return the builder of Bunches; `make` returns an empty one."""

    def fill(obj: Any, node: Node, decoder: Decoder) -> None:
        pairs = decoder.pairs(node["items"])
        # Python hashes strings with a secret: nothing else need be counted
        if any(type(key) is not str for key, _ in pairs):
            raise ArchitectureError("a Bunch has strings as keys")
        dict.update(obj, pairs)
        if len(obj) != len(pairs):
            raise ArchitectureError("a Bunch with two equal keys")

    return Builder(lambda node, decoder: make(), fill, fields=frozenset({"items"}))


# The random state of the process, which estimators keep whose random_state is None


def encode_random_state(obj: Any, path: str, encoder: Encoder) -> Node:
    """Encode a RandomState: that of the process as such, for seeds of the process to govern it."""
    if obj is np.random.mtrand._rand:
        return {"kind": "sklearn.global_random_state"}
    return random_state.HANDLERS[np.random.RandomState](obj, path, encoder)


BUILDERS: Final[Mapping[str, Builder]] = {
    "sklearn.global_random_state": Builder(lambda node, decoder: np.random.mtrand._rand)
}


# functools.partial


def _partial(reduced: Reduced) -> Mapping[str, Any]:
    function, arguments, keywords, attributes = reduced.state
    if attributes:
        raise SpecError("is a partial with attributes of its own")
    # Pairs, which exist as soon as the partial does
    return {"function": function, "arguments": arguments, "keywords": tuple(keywords.items())}


def _keywords(arguments: Mapping[str, Any], scope: Scope) -> None:
    """A partial stands over a listed function itself, and not over another partial."""
    if scope.library.function(arguments["function"]) is None:
        raise SpecError("is no function that is listed", ".function")
    try:
        check_keywords(arguments["function"], dict(arguments["keywords"]), scope)
    except SpecError as error:
        raise error.below(".keywords") from None


def _build_partial(kind: Any, function: Any, arguments: Any, keywords: Any) -> Any:
    return kind(function, **dict(keywords))


@dataclass(frozen=True)
class Anything:
    """Whatever the graph can hold: its own schema says whether it may be."""

    def check(self, value: Any, scope: Scope) -> None:
        scope.audit.look(1)

    def __str__(self) -> str:
        return "anything that can be saved"


# Metadata routing

METHODS: Final = (
    *("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba"),
    *("decision_function", "score", "split", "transform", "inverse_transform"),
    "fit_resample",  # once imbalanced-learn is imported, every request has one
)
_ALIAS: Final[Spec] = either(Const((None,)), Bool(), Text(200))
_METHOD: Final[Spec] = Const(METHODS)
_MODULE: Final = "sklearn.utils._metadata_requests"


def _requests(reduced: Reduced) -> Mapping[str, Any]:
    state = dict(reduced.state)
    state.pop("owner", None)
    asked = {name: reduced.of(one).state["_requests"] for name, one in state.items()}
    # imbalanced-learn adds a method to every request, and asks nothing for it
    if unknown := {name for name, one in asked.items() if one} - set(METHODS):
        raise SpecError(f"has requests for {min(unknown)!r:.60}, which is no method that is known")
    pairs = ((name, tuple(asked[name].items())) for name in METHODS if asked.get(name))
    return {"requests": tuple(pairs)}


def _build_requests(
    kind: Any, requests: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
) -> Any:
    """Build a request; its constructor makes one for each method that the release has."""
    made = kind(owner=None)
    for name, asked in requests:
        if name not in vars(made):
            raise SpecError(f"asks for metadata of {name}, a method that this release has not")
        vars(vars(made)[name])["_requests"] = dict(asked)
    return made


def adopt(owner: Any) -> None:
    """Tell the request of a complete object, if it has one, whose it is."""
    request = vars(owner).get("_metadata_request") if hasattr(owner, "__dict__") else None
    if request is None:
        return
    import sklearn.utils._metadata_requests as module

    # The name, before releases had something to show of the owner
    shown = owner if hasattr(module, "_routing_repr") else type(owner).__name__
    vars(request)["owner"] = shown
    for name in METHODS:
        if name in vars(request):
            vars(vars(request)[name])["owner"] = shown


def _pairs(key: Spec, value: Spec) -> Spec:
    return Seq(Items((key, value)), kinds=(tuple,))


PARTS: Final[tuple[Part, ...]] = (
    Part(
        "functools",
        "partial",
        {"function": Anything(), "arguments": Items(()), "keywords": _pairs(Text(200), Anything())},
        _partial,
        _build_partial,
        check_more=_keywords,
    ),
    Part(
        _MODULE,
        "MetadataRequest",
        {"requests": _pairs(_METHOD, _pairs(Text(200), _ALIAS))},
        _requests,
        _build_requests,
    ),
)
