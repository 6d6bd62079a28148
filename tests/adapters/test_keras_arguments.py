"""Every argument of every class of the table, given paths, addresses, functions and modules.

The list is made of the table and of the signatures of Keras itself. What takes such a text is in
`TEXTS`, each with what Keras does with it; nothing takes a function that somebody chose.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from safemodel.adapters.keras import checking
from safemodel.adapters.keras.refused import REFUSED
from safemodel.adapters.keras.specs import SpecError
from safemodel.adapters.keras.table import Class, table

from . import keras_hostile as hostile

CLASSES = {f"{one.module}.{one.name}": one for one in table().classes.values()}
WORDS = ["os", "eval", "os.system"]
# What takes one of these texts as it is, by argument: the classes, and why that is no danger.
# Keras neither opens nor looks up any of them; test_keras_refused.py loads them under a hook.
TEXTS = {
    "mask_token": (["StringLookup"], "compared with the input"),
    "oov_token": (["StringLookup"], "given for what is not in the vocabulary"),
    "mask_value": (["Hashing"], "compared with the input"),
    "vocabulary": (["StringLookup", "TextVectorization"], "a list: tokens, never one text"),
    "feature_names": (["Cross"], "keys of `features`"),
    "features": (["FeatureSpace"], "compared with eight words; others are an error of Keras"),
}
# What takes words, but no path and no address: letters, digits and a little more
NAMES = {
    "bias_axes": (["EinsumDense"], "letters of an equation"),
    "equation": (["EinsumDense"], "letters of an equation"),
    "subscripts": (["Einsum"], "letters of an equation"),
    "exclude_layers": (["Muon"], "a pattern of linear time for paths of variables"),
}


def forms(value: Any) -> Iterator[Any]:
    yield from (value, [value], {"a": value})


def takes(one: Class, argument: str, value: Any) -> bool:
    """Whether the checker lets a value through, in any form; asked once of each spec."""
    key = repr((one.arguments[argument], argument == "name", one.role == "policy", value))
    if key not in _TAKEN:
        _TAKEN[key] = _takes(one, argument, value)
    return _TAKEN[key]


_TAKEN: dict[str, bool] = {}


def _takes(one: Class, argument: str, value: Any) -> bool:
    for form in forms(value):
        try:
            checking.Checker(frozenset())._arguments({argument: form}, one)
        except SpecError:
            continue
        return True
    return False


def arguments() -> Iterator[tuple[Class, str]]:
    for one in CLASSES.values():
        for argument in one.arguments:
            yield one, argument


def test_no_argument_takes_a_function_or_object_of_somebody() -> None:
    assert len(CLASSES) > 500
    assert [
        f"{one.name}.{argument}"
        for one, argument in arguments()
        for value in hostile.FUNCTIONS
        if takes(one, argument, value)
    ] == []


def test_what_takes_a_path_or_an_address_is_known() -> None:
    found: dict[str, set[str]] = {}
    for one, argument in arguments():
        if any(takes(one, argument, value) for value in hostile.PATHS[:4]):
            found.setdefault(argument, set()).add(one.name)
    names = {key: set(classes) for key, (classes, _) in TEXTS.items()}
    assert found == names | {"exclude_layers": {"Muon"}}  # a pattern may have a slash


def test_what_takes_a_name_of_a_module_or_function_is_known() -> None:
    found: dict[str, set[str]] = {}
    for one, argument in arguments():
        if argument != "name" and any(takes(one, argument, word) for word in WORDS):
            found.setdefault(argument, set()).add(one.name)
    known = TEXTS | NAMES
    assert found == {key: set(classes) for key, (classes, _) in known.items()}


def test_a_vocabulary_is_never_one_text() -> None:
    for name in ("StringLookup", "IntegerLookup", "TextVectorization"):
        one = CLASSES[f"keras.layers.{name}"]
        for path in (*hostile.PATHS, *WORDS, "", "a"):
            with pytest.raises(SpecError):
                checking.Checker(frozenset())._arguments({"vocabulary": path}, one)


# Against Keras itself

pytestmark = pytest.mark.xdist_group("keras")
needs_keras = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None,
    reason="needs Keras",
)


def of_keras() -> Iterator[tuple[str, type]]:
    """The classes that a configuration of Keras can be of, by their public modules."""
    import keras

    for module in ("layers", "models", "optimizers", "losses", "metrics", "initializers",
                   "constraints", "regularizers", "quantizers", "dtype_policies"):  # fmt: skip
        for name, kind in vars(getattr(keras, module)).items():
            if isinstance(kind, type) and not name.startswith("_"):
                yield f"keras.{module}.{name}", kind


def parameters(kind: type) -> list[str]:
    """The names of the arguments of a class, its parents' among them."""
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base) and base is not object:
            given = inspect.signature(base.__init__).parameters.values()
            found |= {
                p.name: None for p in given if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            }
    return [name for name in found if name != "self"]


@needs_keras
def test_every_argument_that_keras_has_is_of_the_table_or_refused() -> None:
    seen, unknown = 0, []
    for place, kind in of_keras():
        name = place.rpartition(".")[2]
        one = CLASSES.get(place)
        for parameter in parameters(kind):
            seen += 1
            for value in (*hostile.PATHS[:4], *hostile.FUNCTIONS[:2], hostile.FUNCTIONS[14]):
                config = hostile.obj(name, {parameter: value}, place.rpartition(".")[0])
                try:
                    checking.Checker(frozenset()).any_object(config)
                except SpecError:
                    continue
                if one is None or parameter not in TEXTS or name not in TEXTS[parameter][0]:
                    unknown.append(f"{place}({parameter}={value!r:.60})")
    assert seen > 2500
    assert unknown == []


@needs_keras
def test_what_keras_says_is_a_path_or_callable_is_refused() -> None:
    """By the words of its own documentation, which say more than the names."""
    suspicious = ("path to", "file path", "filepath", "filename", "url", "callable", "lambda")
    found = set()
    for place, kind in of_keras():
        name, text = kind.__name__, inspect.getdoc(kind) or ""
        for parameter in parameters(kind):
            told = text.partition(f"\n    {parameter}: ")[2].partition("\n    \n")[0][:600].lower()
            if any(word in told for word in suspicious):
                found.add(f"{name}.{parameter}")
                one = CLASSES.get(place)
                for value in (hostile.MARKER, "http://127.0.0.1:9/x", *hostile.FUNCTIONS):
                    assert (
                        one is None
                        or parameter not in one.arguments
                        or parameter in TEXTS
                        or not takes(one, parameter, value)
                    ), (place, parameter, value)
    assert {"TFSMLayer.filepath", "StringLookup.vocabulary"} <= found
    assert len(found) > 20


@needs_keras
def test_layers_that_the_table_lacks_have_a_reason() -> None:
    import keras

    names: dict[type, set[str]] = {}  # some have several
    for place, kind in of_keras():
        if place.startswith("keras.layers.") and issubclass(kind, keras.Layer):
            names.setdefault(kind, set()).add(place)
    lacking = {kind.__name__ for kind, places in names.items() if not places & CLASSES.keys()}
    assert {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"} <= lacking
    public = {name for name in lacking if name not in REFUSED}
    assert public <= {"Layer", "Wrapper"}, public
