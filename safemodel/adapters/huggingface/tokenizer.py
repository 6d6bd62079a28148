"""Files of a tokenizer: what an archive holds of one, checked, without any library.

`tokenizer.json` is the whole tokenizer, as the Rust library reads it; of `tokenizer_config.json`
only plain settings of a table are taken, and `chat_template.jinja` is a template that the library
renders in a sandbox when it is asked to. A class that a configuration names is never looked up.
Implements spec/transformers.md, "Tokenizer".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "tokenizer_config.json"
TEMPLATE: Final = "chat_template.jinja"
MAX_TOKENIZER: Final = 64 << 20
MAX_CONFIG: Final = 4 << 20
MAX_TEMPLATE: Final = 1 << 20
MAX_TOKENS: Final = 10_000
MAX_TEXT: Final = 4096
MAX_NUMBER: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_PATTERN: Final = 2000
MAX_GROUPS: Final = 8
MAX_REPEAT: Final = 1000

_PARTS: Final = {
    "added_tokens", "decoder", "model", "normalizer", "padding", "post_processor", "pre_tokenizer",
    "truncation", "version",
}  # fmt: skip
# References to groups, calls of them, conditions, look-behind, callouts.
_ODD: Final = re.compile(r"\\[1-9gkKXR]|\(\?[<P&R(0-9+*{~@]|\(\*")
_BRACKETS: Final = re.compile(r"\\.|[()]", re.DOTALL)
_REPEATS: Final = re.compile(r"(?<=[{,])([0-9]+)(?=[,}])")

_SPECIAL: Final = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_TOKEN_FLAGS: Final = ("lstrip", "normalized", "rstrip", "single_word", "special")

# Tokenizers that give the kind of each token, too; they say so in their code alone.
_TYPED: Final = """
    Albert BartPho Bert BertJapanese BigBird Canine ConvBert Deberta DebertaV2 Electra Ernie Funnel
    LayoutLM LayoutLMv2 LayoutLMv3 Lxmert MobileBert MRA Nystromformer QDQBert RemBert RoFormer
    RoCBert Splinter SqueezeBert Tapas XLNet
"""
_WITH_TYPES: Final = frozenset(_TYPED.split())
_PLAIN_CLASSES: Final = frozenset({"PreTrainedTokenizer", "Tokenizers", "PreTrained", ""})


def parse_settings(data: bytes) -> dict[str, Any]:
    """The settings of a `tokenizer_config.json` that are in the table.

    Raises:
        ArchitectureError: no JSON, or a setting of another kind than it must be.
    """
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ArchitectureError(f"{CONFIG} is no JSON: {error!s:.100}") from None
    if not isinstance(found, dict):
        raise ArchitectureError(f"{CONFIG} must be an object")
    settings = {}
    for name, check in _SETTINGS.items():
        value = found.get(name)
        if value is None:
            continue
        if not check(value):
            raise ArchitectureError(f"{name} of the tokenizer can't be {value!r:.60}")
        settings[name] = value
    if "additional_special_tokens" in settings:
        more = settings.pop("additional_special_tokens")
        settings.setdefault("extra_special_tokens", more)
    if "model_input_names" not in settings:
        named = str(found.get("tokenizer_class") or "").removesuffix("Fast")
        stem = named.removesuffix("Tokenizer").removesuffix("Backend")
        if stem not in _PLAIN_CLASSES:
            types = ["token_type_ids"] if stem in _WITH_TYPES else []
            settings["model_input_names"] = ["input_ids", *types, "attention_mask"]
    return settings


def check_tokenizer(data: bytes) -> None:
    """Check a `tokenizer.json` before the library sees it, which takes much for granted.

    It counts from zero to the largest number of a token, and compiles regular expressions with a
    library that backtracks. Numbers are bounded by the size of the vocabulary, expressions to what
    tokenizers need.

    Raises:
        ArchitectureError: no JSON, or a name in it twice; unknown parts; a number or expression
            beyond the bounds.
    """
    try:
        found = json.loads(
            data.decode(), parse_constant=_no_constant, object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise ArchitectureError(f"{TOKENIZER} is no JSON: {error!s:.100}") from None
    if not isinstance(found, dict) or not found.keys() <= _PARTS:
        raise ArchitectureError(f"{TOKENIZER} must be an object of the parts of a tokenizer")
    model = found.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict | list):
        raise ArchitectureError(f"{TOKENIZER} has no vocabulary")
    most = max(MAX_NUMBER, 4 * len(vocabulary))
    stack: list[tuple[Any, int]] = [(found, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ArchitectureError(f"{TOKENIZER} is nested deeper than {MAX_DEPTH}")
        if isinstance(value, dict):
            _check_pattern(value)
            stack.extend([(item, depth + 1) for item in value.values()])
        elif isinstance(value, list):
            stack.extend([(item, depth + 1) for item in value])
        elif type(value) is int and not -MAX_NUMBER <= value <= most:
            raise ArchitectureError(f"{TOKENIZER} has a number of {value!s:.40}")


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file: of two parts with one name the library would read the first, too."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in an object")
    return found


def _check_pattern(value: dict[str, Any]) -> None:
    pattern = value.get("Regex")
    if pattern is None:
        return
    if type(pattern) is not str or len(pattern) > MAX_PATTERN or _ODD.search(pattern):
        raise ArchitectureError(f"{TOKENIZER} has a regular expression {pattern!r:.60}")
    depth = deepest = 0
    for match in _BRACKETS.finditer(pattern):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        deepest = max(deepest, depth)
    if deepest > MAX_GROUPS or any(int(n) > MAX_REPEAT for n in _REPEATS.findall(pattern)):
        raise ArchitectureError(f"{TOKENIZER} has an expression that nests or repeats too much")


def harmless(data: bytes) -> bytes:
    """A `tokenizer_config.json` for other programs: the settings of the table, and a class of ours.

    `data` was parsed by `parse_settings`. What names code of a stranger is not in it.
    """
    settings = parse_settings(data)
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    return (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode()


def check_member(name: str, size: int) -> None:
    """Check that a file of a tokenizer is of a size that one can be.

    Raises:
        ArchitectureError: it is larger.
    """
    most = {TOKENIZER: MAX_TOKENIZER, TEMPLATE: MAX_TEMPLATE}.get(name, MAX_CONFIG)
    if size > most:
        raise ArchitectureError(f"{name} has {size} bytes, and {most} at the most are read")


def _is_text(value: object) -> bool:
    return type(value) is str and len(value) <= MAX_TEXT


def _is_token(value: object) -> bool:
    if not isinstance(value, dict):
        return _is_text(value)
    return (
        _is_text(value.get("content"))
        and value.get("__type", "AddedToken") == "AddedToken"
        and value.keys() <= {"__type", "content", "id", *_TOKEN_FLAGS}
        and all(type(value[flag]) is bool for flag in _TOKEN_FLAGS if flag in value)
    )


def _is_tokens(value: object) -> bool:
    if isinstance(value, dict):
        return len(value) <= MAX_TOKENS and all(
            _is_text(key) and key.isidentifier() and _is_token(item) for key, item in value.items()
        )
    return isinstance(value, list) and len(value) <= MAX_TOKENS and all(map(_is_token, value))


def _is_template(value: object) -> bool:
    if isinstance(value, list):  # how older files hold several
        return len(value) <= 100 and all(
            isinstance(item, dict)
            and item.keys() == {"name", "template"}
            and _is_text(item["name"])
            and type(item["template"]) is str
            for item in value
        )
    if isinstance(value, dict):
        return len(value) <= 100 and all(type(item) is str for item in value.values())
    return type(value) is str


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 10**31  # type: ignore[operator]  # numbers


def _is_names(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 20 and all(map(_is_text, value))


_SETTINGS: Final[Mapping[str, Callable[[Any], bool]]] = {
    **{f"{name}_token": _is_token for name in _SPECIAL},
    "additional_special_tokens": _is_tokens,
    "chat_template": _is_template,
    "clean_up_tokenization_spaces": lambda value: type(value) is bool,
    "extra_special_tokens": _is_tokens,
    "model_input_names": _is_names,
    "model_max_length": _is_number,
    "padding_side": lambda value: value in ("left", "right"),
    "split_special_tokens": lambda value: type(value) is bool,
    "truncation_side": lambda value: value in ("left", "right"),
}


def token_of(value: Any, make: Callable[..., Any]) -> Any:
    """A special token: text, or what `make` makes of its parts."""
    if not isinstance(value, dict):
        return value
    flags = {flag: value[flag] for flag in _TOKEN_FLAGS if flag in value}
    return make(value["content"], **flags)
