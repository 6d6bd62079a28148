"""Architecture and weights apart: `load_architecture`, `load_weights`, and halves at save.

Both verify and load like `load`; which models have two halves, their adapter says. Implements
docs/sklearn.md, "Architecture and weights apart", and docs/keras.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from safemodel import adapters
from safemodel.errors import UsageError

if TYPE_CHECKING:
    from safemodel.adapters.protocol import AdapterModule, LoadReport, Saved
    from safemodel.bundle.opening import Source


def load_architecture(source: Source, **options: Any) -> Any:
    """Verify a bundle and give back the model in it without what training gave it.

    An estimator of scikit-learn comes back as `sklearn.base.clone` makes it: with its parameters,
    not fitted; a model of Keras with new variables. `options` are those of `load`, but for `into`.

    Raises:
        UsageError: the model has no architecture apart from its weights, or an argument makes no
            sense.
        SafemodelError: whatever `load` raises.
    """
    if "into" in options:
        raise UsageError(
            "an architecture is not put into an object", hint="use safemodel.load_weights()"
        )
    return adapters.unfitted(adapters.load(source, **options))


def load_weights(source: Source, *, into: object, **options: Any) -> LoadReport:
    """Verify a bundle and put what training gave the model in it into `into`; return a report.

    A model of Keras takes variables by path; `only=` chooses some. An estimator `into` which they
    are put must be of the same classes with equal parameters; `n_jobs`, `verbose`, `random_state`
    and `warm_start` may differ. With `strict=False` others may differ too, and the report says
    which. `options` are those of `load`.

    Raises:
        StateMismatchError: it does not fit; `into` is unchanged.
        SafemodelError: whatever `load` raises.
    """
    if into is None:
        raise UsageError("into= must be the model that the weights are for")
    report: LoadReport = adapters.load(source, into=into, **options)
    return report


def halves(
    obj: object,
    adapter: AdapterModule,
    options: Mapping[str, Any],
    *,
    architecture: bool,
    weights: bool,
) -> Saved:
    """What an adapter makes of an object, or of one half of it.

    Raises:
        UsageError: it has no such half.
        UnsavableError: part of it can't be represented.
    """
    if not architecture and not weights:
        raise UsageError("neither architecture nor weights: nothing is left to save")
    save: Any = adapter.save
    saved: Saved
    if "architecture" in getattr(adapter, "SAVE_OPTIONS", ()):
        saved = save(obj, **options, architecture=architecture, weights=weights)
    elif not architecture:
        raise UsageError(
            f"what the adapter {adapter.NAME} saves has no weights by themselves",
            hint="this is for models of Keras; whether a module is saved with its graph, "
            "example_inputs= says",
        )
    else:
        saved = save(obj if weights else adapters.unfitted(obj), **options)
    return saved
