"""The JSON of an exported PyTorch program: what in it would become code (SM162 to SM165).

The keys are those of torch/_export/serde/schema.py. A key counts wherever it stands: what a loader
makes of the tree around it is not followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy import json_text
from safemodel.legacy.torch_expression import is_plain_name, why_not_arithmetic
from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded
from safemodel.scan.torch_operators import judge_operator

if TYPE_CHECKING:
    from safemodel.legacy.json_text import JsonValue
    from safemodel.scan.scope import Scope

_Found: TypeAlias = "tuple[str, JsonValue]"

_TARGETS: Final = frozenset({"target", "as_operator"})
_EXPRESSIONS: Final = frozenset({"expr_str", "guards_code"})
_NAMES: Final = frozenset(
    {
        "as_name",
        "buffer_name",
        "custom_obj_name",
        "forward_arg_names",
        "fqn",
        "name",
        "parameter_name",
        "tensor_constant_name",
        "user_input_name",
    }
)
_TABLES: Final = frozenset(
    {"tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values", "custom_obj_values"}
)
_TREES: Final = frozenset({"in_spec", "out_spec"})
_OPERATOR: Final = frozenset(
    [
        "abs",
        "add",
        "and_",
        "ceil",
        "contains",
        "eq",
        "floor",
        "floordiv",
        "ge",
        "getitem",
        "gt",
        "inv",
        "invert",
        "is_",
        "is_not",
        "le",
        "lshift",
        "lt",
        "matmul",
        "mod",
        "mul",
        "ne",
        "neg",
        "not_",
        "or_",
        "pos",
        "pow",
        "round",
        "rshift",
        "sub",
        "truediv",
        "trunc",
        "truth",
        "xor",
    ]
)
_MATH: Final = frozenset(
    [
        "acos",
        "asin",
        "atan",
        "ceil",
        "cos",
        "cosh",
        "exp",
        "floor",
        "isfinite",
        "isinf",
        "isnan",
        "log",
        "log10",
        "log2",
        "pow",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "trunc",
    ]
)
_SYMBOLIC: Final = frozenset(
    [
        "_check",
        "_sym_acos",
        "_sym_asin",
        "_sym_atan",
        "_sym_cos",
        "_sym_cosh",
        "_sym_log2",
        "_sym_sin",
        "_sym_sinh",
        "_sym_sqrt",
        "_sym_tan",
        "_sym_tanh",
        "sym_constrain_range",
        "sym_constrain_range_for_size",
        "sym_float",
        "sym_fresh_size",
        "sym_int",
        "sym_ite",
        "sym_max",
        "sym_min",
        "sym_not",
        "sym_sqrt",
        "sym_sum",
    ]
)
_HIGHER_ORDER: Final = frozenset(
    [
        "associative_scan",
        "auto_functionalized",
        "auto_functionalized_v2",
        "cond",
        "executorch_call_delegate",
        "flex_attention",
        "flex_attention_backward",
        "foreach_map",
        "hints_wrapper",
        "invoke_quant",
        "invoke_quant_packed",
        "invoke_subgraph",
        "map_impl",
        "out_dtype",
        "print",
        "run_const_graph",
        "run_and_save_rng_state",
        "run_with_rng_state",
        "scan",
        "strict_mode",
        "tag_activation_checkpoint",
        "while_loop",
        "while_loop_stack_output",
        "with_effects",
        "wrap",
        "wrap_activation_checkpoint",
        "wrap_with_autocast",
        "wrap_with_set_grad_enabled",
    ]
)
# what a default factory may be: calling it makes an empty value
_FACTORIES: Final = frozenset(
    {"bool", "bytes", "dict", "float", "int", "list", "set", "str", "tuple"}
)


def judge_program(tree: JsonValue, scope: Scope) -> None:
    """Report what in the tree would be evaluated, called, imported or break out of a name."""
    for key, value in _strings(tree):
        if key in _TARGETS:
            _target(value, scope)
        elif key in _EXPRESSIONS:
            why = why_not_arithmetic(value)
            if why:
                message = f"{key.partition('_')[0]} {why}: {bounded(value, 120)}"
                scope.find("SM162", message, evidence=((key, value),))
        elif key in _NAMES:
            if not is_plain_name(value):
                message = f"{key} is {bounded(value, 120)!r}"
                scope.find("SM164", message, evidence=((key, value),))
        elif key in _TREES:
            _tree(value, scope)


def _strings(tree: JsonValue) -> Iterator[tuple[str, str]]:
    """Every string with its key: lists have the key of what holds them, tables their keys."""
    waiting: list[_Found] = [("", tree)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif isinstance(value, dict):
            if key in _TABLES:
                yield from (("name", name) for name in value)
            elif key == "range_constraints":
                yield from (("expr_str", name) for name in value)
            elif key == "as_string_to_argument":
                yield from (("", name) for name in value)
            waiting += value.items()


def _target(target: str, scope: Scope) -> None:
    """Judge the target of a node: where the loader looks it up, and what it finds there."""
    parts = target.split(".")
    known: frozenset[str] | None = None
    if parts[:2] == ["torch", "ops"] and parts[2:3] == ["higher_order"]:
        if len(parts) == 4:
            if parts[3] not in _HIGHER_ORDER:
                message = f"calls {bounded(target)}"
                scope.find("SM159", message, evidence=(("target", target),))
            return
    elif parts[:2] == ["torch", "ops"]:
        if len(parts) in (4, 5) and all(_is_word(part) for part in parts):
            judge_operator(parts[2], parts[3], None, scope)
            return
    elif parts[0] == "_operator":
        known = _OPERATOR
    elif parts[0] == "math":
        known = _MATH
    elif parts[0] == "torch":
        known = _SYMBOLIC
    if known is not None and len(parts) == 2 and parts[1] in known:
        return
    evidence = (("target", target),)
    scope.find("SM163", f"a node calls {bounded(target)}", evidence=evidence)


def _is_word(text: str) -> bool:
    return text.isascii() and text.isidentifier() and not text.startswith("__")


def _tree(text: str, scope: Scope) -> None:
    """Judge the description of a tree, which is JSON in a string."""
    if not text:
        return
    try:
        tree = json_text.parse(text.encode("utf-8", "surrogatepass")).value
    except DamagedError:
        message = f"describes inputs by {bounded(text, 80)!r}"
        scope.find("SM165", message, severity=Severity.LOW)
        return
    except BudgetError as error:  # another parser may get further
        scope.unread(error)
        return
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            _named_type(value, scope)


def _named_type(value: dict[str, JsonValue], scope: Scope) -> None:
    if "__enum__" in value:
        name = str(value.get("fqn"))
        evidence = (("enumeration", name),)
        scope.find("SM165", f"imports the enumeration {bounded(name)}", evidence=evidence)
    module = value.get("default_factory_module")
    name = str(value.get("default_factory_name"))
    if module is not None and (module != "builtins" or name not in _FACTORIES):
        full = f"{module}.{name}"
        evidence = (("factory", full),)
        scope.find(
            "SM165",
            f"imports and calls the factory {bounded(full)}",
            severity=Severity.HIGH,
            evidence=evidence,
        )
