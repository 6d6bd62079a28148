"""Tokenizers: to members of an archive, and from the verified bytes of these.

One class of the library stands for all: it is the tokenizer that `tokenizer.json` describes, made
from memory. No file is opened, no class looked up. Implements spec/transformers.md, "Tokenizer".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tokenizers
import transformers
from tokenizers import AddedToken

from safemodel.adapters.huggingface import tokenizer as files
from safemodel.adapters.transformers.building import quiet
from safemodel.bundle.contents import Payload
from safemodel.errors import ArchitectureError, SafemodelError, UnsavableError

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle


def members(tokenizer: object) -> dict[str, Payload]:
    """The files that hold a tokenizer.

    Raises:
        UnsavableError: it is none that `tokenizer.json` can hold whole.
    """
    if not isinstance(tokenizer, transformers.PreTrainedTokenizerFast):
        raise _not_fast(tokenizer)
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": list(tokenizer.model_input_names),
        "model_max_length": tokenizer.model_max_length,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "clean_up_tokenization_spaces": bool(tokenizer.clean_up_tokenization_spaces),
        "split_special_tokens": bool(tokenizer.split_special_tokens),
    }
    for name, token in tokenizer.special_tokens_map.items():
        settings[name] = _written(token)
    template = tokenizer.chat_template
    found = {files.TOKENIZER: tokenizer.backend_tokenizer.to_str().encode()}
    if isinstance(template, str):
        found[files.TEMPLATE] = template.encode()
    elif template is not None:
        settings["chat_template"] = template
    found[files.CONFIG] = (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode()
    try:
        for name, data in found.items():
            files.check_member(name, len(data))
        files.check_tokenizer(found[files.TOKENIZER])
        files.parse_settings(found[files.CONFIG])
    except ArchitectureError as error:
        raise UnsavableError(error.message) from None
    return {
        name: Payload(data, "text/plain" if name == files.TEMPLATE else "application/json")
        for name, data in sorted(found.items())
    }


def _not_fast(tokenizer: object) -> UnsavableError:
    kind = f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"[:200]
    if not isinstance(tokenizer, transformers.PreTrainedTokenizerBase):
        return UnsavableError(f"tokenizer= is a {kind}, which is none of the library tokenizers")
    return UnsavableError(
        f"tokenizer= is a {kind}, which works in Python, out of files such as a model of "
        f"SentencePiece: there is no {files.TOKENIZER} of it, and an archive holds nothing else",
        hint="pass a fast one, if there is (is_fast); or keep the files of this one: members= for "
        "sm.save, and sm.private_folder to load it from",
    )


def _written(token: Any) -> Any:
    if isinstance(token, dict):
        return {key: _written(item) for key, item in token.items()}
    if isinstance(token, list | tuple):
        return [_written(item) for item in token]
    if isinstance(token, AddedToken):
        return {"content": token.content, "special": token.special}
    return token


def load(bundle: VerifiedBundle) -> Any:
    """The tokenizer whose files are members of a bundle.

    Raises:
        ArchitectureError: there is none, or its files are not what they must be.
    """
    there = bundle.manifest.files
    if files.TOKENIZER not in there:
        raise ArchitectureError(
            f"there is no tokenizer in this archive: no member {files.TOKENIZER}",
            hint="save one with sm.save(model, path, tokenizer=tokenizer)",
        )
    data = {}
    for name in (files.TOKENIZER, files.CONFIG, files.TEMPLATE):
        if name in there:
            files.check_member(name, there[name].size)
            data[name] = bundle.member(name)
    files.check_tokenizer(data[files.TOKENIZER])
    settings = files.parse_settings(data.get(files.CONFIG, b"{}"))
    if files.TEMPLATE in data:
        try:
            settings["chat_template"] = data[files.TEMPLATE].decode()
        except UnicodeDecodeError:
            raise ArchitectureError(f"{files.TEMPLATE} is no text") from None
    given = {name: _read(value) for name, value in settings.items() if name != "chat_template"}
    given |= {name: value for name, value in settings.items() if name == "chat_template"}
    if isinstance(given.get("chat_template"), list):
        named = given["chat_template"]
        given["chat_template"] = {item["name"]: item["template"] for item in named}
    if isinstance(given.get("extra_special_tokens"), dict):
        given["model_specific_special_tokens"] = given.pop("extra_special_tokens")
    with _refusing(), quiet():
        backend = tokenizers.Tokenizer.from_str(data[files.TOKENIZER].decode())
        make: Any = transformers.PreTrainedTokenizerFast
        return make(tokenizer_object=backend, **given)


@contextmanager
def _refusing() -> Iterator[None]:
    """What the Rust library raises, its panics too, as one of our errors."""
    try:
        yield
    except SafemodelError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error).strip().split("\n", 1)[0]
        raise ArchitectureError(f"{files.TOKENIZER} is refused: {reason:.200}") from None


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [files.token_of(item, AddedToken) for item in value]
    if isinstance(value, dict) and "content" not in value:
        return {key: files.token_of(item, AddedToken) for key, item in value.items()}
    return files.token_of(value, AddedToken)
