"""The scikit-learn adapter: estimators with state schemas, nested in one another.

One table (`tables.SCHEMAS`) audits what is saved and constructs what is loaded: for each class
every attribute with its types, ranges and shapes, and the relations between objects that compiled
code relies on. What it does not know is refused, at save with the path of the attribute. Outputs
and continued training after a load are bit-identical. Implements spec/sklearn.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters import numpy as base
from safemodel.adapters.graph_encode import EncodedGraph, encode
from safemodel.adapters.protocol import Saved
from safemodel.adapters.sklearn import (
    catboost_estimators,
    containers,
    frames_build,
    halves,
    own,
    words,
)
from safemodel.adapters.sklearn.library import DISTRIBUTIONS, INSTALLED, Library
from safemodel.adapters.sklearn.loading import Loading
from safemodel.adapters.sklearn.nesting import check_nesting
from safemodel.adapters.sklearn.packed import Streamer
from safemodel.adapters.sklearn.saving import Saving
from safemodel.adapters.sklearn.scope import Audit
from safemodel.adapters.sklearn.versions import Releases
from safemodel.errors import ArchitectureError, UnsavableError, UsageError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle
    from safemodel.format.canonical_json import JsonValue

NAME: Final = "sklearn"
VERSION: Final = 1
FRAMEWORK: Final = "scikit-learn"
# Models of these are none of scikit-learn's, by the root package of their class.
_FRAMEWORKS: Final = {name: name for name in ("catboost", "lightgbm", "pandas", "xgboost")}

_HANDLERS: Final = {
    **base.HANDLERS,
    dict: words.encode_dict,
    list: words.encode_list,
    np.random.RandomState: containers.encode_random_state,
}


def save(obj: object) -> Saved:
    """Turn an estimator into tensors and JSON.

    Raises:
        UnsavableError: part of it has no schema; `place` is its path.
    """
    encoded, packages = encode_model(obj, INSTALLED)
    versions = {name: sys.modules[name].__version__ for name in packages if name in sys.modules}
    architecture: JsonValue = {"graph": encoded.graph}
    return Saved(
        architecture,
        encoded.tensors,
        named(versions),
        framework=framework_of(obj),
        notices=(*own.notices(architecture), *catboost_estimators.notices(encoded.graph)),
    )


def framework_of(obj: object) -> str:
    """The framework that a model is of, by the root package of its class."""
    return _FRAMEWORKS.get(type(obj).__module__.partition(".")[0], FRAMEWORK)


def encode_model(obj: object, library: Library) -> tuple[EncodedGraph, frozenset[str]]:
    """Encode an object whose classes a library knows; return the packages that it comes from.

    Raises:
        UnsavableError: part of it has no schema; `place` is its path.
    """
    saving = Saving(library)
    encoded = encode(
        obj, handlers=_HANDLERS, inlines=base.INLINES, fallback=saving.fallback, name="model"
    )
    graph: Any = encoded.graph
    try:
        check_nesting(graph["nodes"])
    except ArchitectureError as error:
        hint = "give each place an estimator of its own"
        raise UnsavableError(error.message, hint=hint) from None
    packages = saving.packages | {"numpy"}
    return encoded, frozenset(packages | {"scipy"} if "sklearn" in packages else packages)


def named(versions: Mapping[str, str]) -> dict[str, str]:
    """Return versions by the name of the distribution, from those by package."""
    return {DISTRIBUTIONS.get(name, name): version for name, version in versions.items()}


def load(
    bundle: VerifiedBundle,
    *,
    into: object | None = None,
    device: object | None = None,
    allow: Sequence[str] = (),
    strict: bool = True,
) -> object:
    """Rebuild the estimator, or put what fitting added to it into `into` and return a LoadReport.

    `allow` may hold patterns that may be slow: `"token_pattern:..."` for those of text
    vectorizers, `"column_pattern:..."` for those of column selectors.

    Raises:
        ArchitectureError: the architecture describes something that must not be built, such as a
            class without a schema.
        NotAllowedError: a pattern that only the caller can allow; the hint says what to write.
    """
    if device not in (None, "cpu"):
        raise UsageError(f"scikit-learn has no device {device!r}")
    architecture = bundle.manifest.architecture
    if type(architecture) is not dict or architecture.keys() != {"graph"}:
        raise ArchitectureError("the architecture of a model is an object graph and nothing else")
    releases = Releases(bundle.manifest.libraries, DISTRIBUTIONS)
    saved_by = bundle.manifest.libraries.get("scikit-learn")
    stored = sum(tensor.nbytes for tensor in bundle.tensors.values())
    loading = Loading(saved_by, Audit(frozenset(allow).__contains__, stored), allow, releases)
    builders = {
        **base.BUILDERS,
        **words.BUILDERS,
        **frames_build.BUILDERS,
        **loading.builders(),
    }
    decoder = Streamer(architecture["graph"], bundle, builders)
    own.check_allowed(decoder.nodes, allow)
    decoder.read()
    try:
        model = decoder.run()
        loading.finish()
    except ArchitectureError as error:
        releases.explain(error)
        raise
    return model if into is None else halves.put(model, into, strict=strict)


def unfitted(model: object) -> object:
    """Return an estimator with its parameters alone, as `sklearn.base.clone` does.

    Raises:
        UsageError: it is no estimator.
    """
    return halves.unfitted(model)
