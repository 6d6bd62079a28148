"""Classes whose methods run or free what is in the state: which states are harmless.

A state schema of a table that begins with `@` names one of these. Each says whether the state is
one that the class itself writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from safemodel.legacy.pickle_facts import Global, Instance, Items, Pairs
from safemodel.scan.values import made_by

if TYPE_CHECKING:
    from safemodel.legacy.pickle_facts import Value

_CODE: Final = "_parse_arg_template"
_LOCATIONS: Final = (("loc=0, scale=1", "loc, scale"), ("loc=0", "loc, 1"))
_REBUILD: Final = frozenset({"restore_model_spec", "restore_design_info"})
_FUNCTIONS: Final = frozenset({"C", "I", "exp", "log", "log10", "log1p", "log2", "sqrt"})
_OPERATORS: Final = frozenset("~+-*:/^|().,0123456789 \n\t")
_KEYWORDS: Final = frozenset({"await", "else", "for", "if", "lambda", "yield"})
_MAX_FORMULA: Final = 4096

# Methods that `__setstate__` and `__del__` of the classes in the tables call on the object itself,
# or on what is in its state, after the state has replaced its attributes.
_METHODS: Final = frozenset(
    {
        "_attach_argparser_methods",
        "_attach_methods",
        "_build_f",
        "_construct_argparser",
        "_initialize",
        "_load_from_string",
        "_patch_step_function",
        "_post_setstate",
        "_set_test_evals",
        "_wrap_compute",
        "_wrap_update",
        "append",
        "astype",
        "deserialize",
        "detach",
        "extend",
        "free_network",
        "frombytes",
        "get",
        "holidays",
        "items",
        "join",
        "keys",
        "pop",
        "profile_hook_step",
        "putpalette",
        "set_weight_bias",
        "setdefault",
        "uncensor",
        "update",
        "values",
    }
)

_MAKES_CALLABLES: Final = frozenset(
    {
        "",
        "builtins.getattr",
        "functools.partial",
        "operator.attrgetter",
        "operator.itemgetter",
        "operator.methodcaller",
        "numpy.vectorize",
        "types.GenericAlias",
    }
)


def distribution(state: Value) -> bool:
    """`scipy.stats` distributions run `exec(self._parse_arg_template)`: it has to be scipy's own.

    Before scipy 1.6 the state is a dictionary for the constructor, and a random state.
    """
    if isinstance(state, Items):
        return (
            state.kind == "tuple"
            and state.count == 2
            and isinstance(state.items[0], Pairs)
            and state.items[0].count > 2  # two items could be taken for one pair of a dictionary
            and isinstance(state.items[1], Instance)
        )
    if not isinstance(state, Pairs) or not state.complete:
        return False
    return all(
        type(key) is str and (key != _CODE or (type(value) is str and _is_template(value)))
        for key, value in state.items
    )


def _is_template(code: str) -> bool:
    """Whether it is what scipy writes for some names of shape parameters."""
    start, _, rest = code.partition("def _parse_args(self,")
    shapes = rest.partition("loc=")[0]
    names = [name.strip() for name in shapes.split(",")][:-1]
    if start.strip() or not all(name.isidentifier() for name in names):
        return False
    listed = "".join(f"{name}," for name in names)
    return "".join(code.split()) in {
        "".join(_template(listed, given, used).split()) for given, used in _LOCATIONS
    }


def _template(shapes: str, given: str, used: str) -> str:
    return (
        f"def _parse_args(self, {shapes} {given}): return ({shapes}), {used}"
        f"def _parse_args_rvs(self, {shapes} {given}, size=None):"
        f" return self._argcheck_rvs({shapes} {used}, size=size)"
        f"def _parse_args_stats(self, {shapes} {given}, moments='mv'):"
        f" return ({shapes}), {used}, moments"
    )


def model_data(state: Value) -> bool:
    """`statsmodels` evaluates the formula of a model again: it has to be a plain one."""
    if not isinstance(state, Pairs) or not state.complete:
        return False
    rebuilt = False
    plain = False
    for key, value in state.items:
        if type(key) is not str:
            return False
        if key in _REBUILD:
            rebuilt = True
        elif key == "formula":
            plain = value is None or (type(value) is str and _is_formula(value))
            if not plain:
                return False
    return plain or not rebuilt


def _is_formula(text: str) -> bool:
    """Names of columns, operators, numbers, and a few functions of numpy. Nothing to get at."""
    if len(text) > _MAX_FORMULA:
        return False
    word = last = ""
    for character in text + " ":
        if character.isidentifier() or (word and character.isalnum()):
            word += character
            continue
        if word:
            if word.startswith("_") or word in _KEYWORDS:
                return False
            if (character == "(" and word not in _FUNCTIONS) or (character == "." and word != "np"):
                return False
            word = ""
        elif character == "(" and last == ")":
            return False
        if character not in _OPERATORS:
            return False
        last = character if not character.isspace() else last
    return True


def replaces_method(key: Value, value: Value) -> bool:
    """Whether an attribute of this name could be called while its object is loaded, and can be."""
    name = key_text(key)
    if name not in _METHODS and not is_special(key):
        return False
    return isinstance(value, Global) or (
        isinstance(value, Instance) and made_by(value) in _MAKES_CALLABLES
    )


def is_special(key: Value) -> bool:
    """Whether a name belongs to the language, as that of `__setstate__` does."""
    name = key_text(key)
    return name.startswith("__") and name.endswith("__")


def key_text(key: Value) -> str:
    """A literal that is text, or was made text by a call; "" for anything else."""
    if isinstance(key, Instance) and made_by(key) == "builtins.str":
        arguments = key.arguments
        key = arguments.items[0] if isinstance(arguments, Items) and arguments.items else None
    return key if type(key) is str else ""


_PREDICTOR: Final = frozenset(
    {"_InnerPredictor__is_manage_handle", "num_class", "pandas_categorical", "pred_parameter"}
)


def predictor(state: Value) -> bool:
    """LightGBM's predictor without a handle: where it manages one, its `__del__` frees that."""
    if not isinstance(state, Pairs) or not state.complete:
        return False
    managed = [value for key, value in state.items if key == "_InnerPredictor__is_manage_handle"]
    return managed == [False] and all(key in _PREDICTOR for key, _ in state.items)


STATES: Final[dict[str, Callable[[Value], bool]]] = {
    "@distribution": distribution,
    "@model_data": model_data,
    "@predictor": predictor,
}
