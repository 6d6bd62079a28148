"""Tokenizers as members of an archive: the same, and no file of theirs says what is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

import safemodel as sm  # noqa: E402
from safemodel.adapters.huggingface.tokenizer import parse_settings  # noqa: E402
from safemodel.bundle.contents import Payload  # noqa: E402
from safemodel.errors import ArchitectureError, UnsavableError, UsageError  # noqa: E402
from tests.adapters import transformers_cases as cases  # noqa: E402

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] the model is signed un ##signed who ##se by a"
TEXTS = ["the model is signed", "unsigned by whose a", "[MASK] is é ☃"]


def bert(**options: Any) -> Any:
    return hf.BertTokenizer(vocab={word: n for n, word in enumerate(PIECES.split())}, **options)


def gpt2(**options: Any) -> Any:
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: n for n, letter in enumerate(letters)} | {"th": 256, "the": 257}
    vocab["<|end|>"] = 258
    return hf.GPT2Tokenizer(
        vocab=vocab, merges=[("t", "h"), ("th", "e")], eos_token="<|end|>", bos_token="<|end|>",
        unk_token="<|end|>", **options,
    )  # fmt: skip


def unigram(**options: Any) -> Any:
    backend = tokenizers.Tokenizer(
        tokenizers.models.Unigram(
            [("<unk>", 0.0), ("▁the", -1.0), ("▁model", -2.0), ("s", -3.0)], 0
        )
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    return hf.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", **options)


def saved(tokenizer: Any, path: Path) -> Path:
    sm.save(cases.build("bert"), path, tokenizer=tokenizer, signer=None)
    return path


@pytest.mark.parametrize("make", [bert, gpt2, unigram])
def test_a_tokenizer_is_the_same(make: Any, tmp_path: Path) -> None:
    first = make(model_max_length=40, padding_side="left", extra_special_tokens=["<tool>"])
    if first.pad_token is None:
        first.pad_token = first.unk_token
    path = saved(first, tmp_path / "m.safemodel")
    second = sm.load_tokenizer(path, trust=sm.UNSIGNED)
    assert len(first) == len(second)
    assert first.get_vocab() == second.get_vocab()
    assert first.special_tokens_map == second.special_tokens_map
    assert second.model_max_length == 40
    for text in [*TEXTS, "call <tool> the model"]:
        assert dict(first(text)) == dict(second(text)), text
        assert first.decode(first(text)["input_ids"]) == second.decode(second(text)["input_ids"])
        assert first.tokenize(text) == second.tokenize(text)
    assert dict(first(TEXTS, padding=True)) == dict(second(TEXTS, padding=True))


def test_a_chat_template_is_kept(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    first = gpt2()
    first.chat_template = template
    path = saved(first, tmp_path / "m.safemodel")
    second = sm.load_tokenizer(path, trust=sm.UNSIGNED)
    chat = [{"role": "user", "content": "the model"}]
    assert second.chat_template == template
    assert first.apply_chat_template(chat, tokenize=False) == second.apply_chat_template(
        chat, tokenize=False
    )
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        assert bundle.member("chat_template.jinja").decode() == template


def test_without_a_tokenizer_the_error_says_how_to_save_one(tmp_path: Path) -> None:
    sm.save(cases.build("bert"), tmp_path / "m.safemodel", signer=None)
    with pytest.raises(ArchitectureError, match="no tokenizer") as caught:
        sm.load_tokenizer(tmp_path / "m.safemodel", trust=sm.UNSIGNED)
    assert "tokenizer=" in (caught.value.hint or "")


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsavableError, match="none of the"):
        saved("bert-base-uncased", tmp_path / "m.safemodel")
    with pytest.raises(UsageError, match="tokenizer= makes no sense"):
        sm.save({"a": 1}, tmp_path / "m.safemodel", tokenizer=bert(), signer=None)


def test_a_tokenizer_that_works_in_python_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnsavableError, match=r"ByT5Tokenizer.* no tokenizer\.json of it") as caught:
        saved(hf.ByT5Tokenizer(), tmp_path / "m.safemodel")
    assert "is_fast" in (caught.value.hint or "")
    assert "members=" in (caught.value.hint or "")
    path = tmp_path / "members.safemodel"
    members = {"spiece.model": Payload(b"\n\x0e", "application/octet-stream")}
    sm.save(cases.build("bert"), path, members=members, signer=None)
    with sm.private_folder(path, trust=sm.UNSIGNED) as place:
        assert (place / "spiece.model").read_bytes() == b"\n\x0e"


def hostile(tmp_path: Path, config: dict[str, Any] | bytes, tokenizer: bytes | None = None) -> Path:
    """An archive whose members are an attacker's."""
    path = tmp_path / "hostile.safemodel"
    made = bert().backend_tokenizer.to_str().encode() if tokenizer is None else tokenizer
    data = config if isinstance(config, bytes) else json.dumps(config).encode()
    sm.save(
        {"a": 1},
        path,
        members={
            "tokenizer.json": Payload(made, "application/json"),
            "tokenizer_config.json": Payload(data, "application/json"),
        },
        signer=None,
    )
    return path


def test_classes_and_code_that_a_configuration_names_are_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: pass\n")
    path = hostile(
        tmp_path,
        {
            "tokenizer_class": "EvilTokenizer",
            "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]},
            "tokenizer_file": str(tmp_path / "evil.py"),
            "vocab_file": "/etc/passwd",
            "name_or_path": str(tmp_path),
            "init_inputs": ["x"],
            "gguf_file": "x",
            "fast_tokenizer_files": ["../evil.json"],
            "tokenizer_object": {"py/object": "evil.Evil"},
            "unk_token": "[UNK]",
        },
    )
    loaded = sm.load_tokenizer(path, trust=sm.UNSIGNED)
    assert type(loaded) is hf.PreTrainedTokenizerFast
    assert loaded.unk_token == "[UNK]"
    assert loaded.name_or_path == ""
    assert not marker.exists()


@pytest.mark.parametrize(
    "config",
    [
        b"[]", b"{", b"\xff", b"[" * 100_000, {"unk_token": 1}, {"unk_token": {"content": 1}},
        {"unk_token": {"content": "x", "__type": "Evil"}}, {"padding_side": "up"},
        {"unk_token": {"content": "x", "eval": "1"}}, {"model_max_length": -1},
        {"extra_special_tokens": {"__class__": "x", "a b": "y"}}, {"model_input_names": "x"},
        {"extra_special_tokens": ["x"] * 20_000}, {"chat_template": [{"name": "x"}]},
        {"clean_up_tokenization_spaces": 1}, {"split_special_tokens": "yes"},
    ],
    ids=lambda config: str(config)[:40],
)  # fmt: skip
def test_a_configuration_that_breaks_a_rule_is_refused(tmp_path: Path, config: Any) -> None:
    with pytest.raises(ArchitectureError):
        sm.load_tokenizer(hostile(tmp_path, config), trust=sm.UNSIGNED)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff",
        b"null",
        b'{"version":"1.0","model":{"type":"BPE","vocab":{},"merges":["a b"]}}',
    ],
    ids=str,
)
def test_a_tokenizer_that_the_library_refuses_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ArchitectureError, match=r"tokenizer\.json"):
        sm.load_tokenizer(hostile(tmp_path, {}, data), trust=sm.UNSIGNED)


PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r" {2,}",
]


def with_pattern(pattern: Any) -> dict[str, Any]:
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    return {"pre_tokenizer": split}


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"type": "WordPiece", "vocab": {"a": 2**31}}},
        {"model": {"type": "WordPiece", "vocab": {"a": 2**40}}},
        {"model": {"type": "WordPiece"}},
        {"model": []},
        {"added_tokens": [{"id": 2**31, "content": "x"}]},
        {"padding": {"strategy": {"Fixed": 2**40}}},
        {"plugins": ["evil.so"]},
        {"normalizer": json.loads("[" * 60 + "]" * 60)},
        with_pattern("(a)\\1"),
        with_pattern("(?<n>a)\\g<n>"),
        with_pattern("(?<=a)b"),
        with_pattern("(?(1)a|b)"),
        with_pattern("a{1,100000}"),
        with_pattern("(" * 20 + "a" + ")" * 20),
        with_pattern("a" * 5000),
        with_pattern(1),
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_tokenizer_that_would_take_all_memory_or_time_is_refused(
    tmp_path: Path, change: Any
) -> None:
    made = json.loads(bert().backend_tokenizer.to_str()) | change
    with pytest.raises(ArchitectureError, match=r"tokenizer\.json"):
        sm.load_tokenizer(hostile(tmp_path, {}, json.dumps(made).encode()), trust=sm.UNSIGNED)


def test_a_part_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    """The library reads both, and a parser that keeps the last would hide the first."""
    data = bert().backend_tokenizer.to_str()
    first = json.dumps(with_pattern("(a)\\1"))
    with pytest.raises(ArchitectureError, match="twice"):
        sm.load_tokenizer(
            hostile(tmp_path, {}, f"{first[:-1]},{data[1:]}".encode()), trust=sm.UNSIGNED
        )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_expressions_that_tokenizers_have_are_taken(tmp_path: Path, pattern: str) -> None:
    made = json.loads(bert().backend_tokenizer.to_str()) | with_pattern(pattern)
    path = hostile(tmp_path, {"unk_token": "[UNK]"}, json.dumps(made).encode())
    assert sm.load_tokenizer(path, trust=sm.UNSIGNED).unk_token == "[UNK]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["unk_token", "extra_special_tokens", "chat_template", "model_max_length", "tokenizer_class",
     "additional_special_tokens", "model_input_names", "padding_side", "auto_map"]
)  # fmt: skip


@given(st.dictionaries(KEYS, JSON, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_configuration_is_settings_or_an_error_of_ours(config: dict[str, Any]) -> None:
    try:
        found = parse_settings(json.dumps(config).encode())
    except ArchitectureError:
        return
    assert found.keys() <= config.keys() | {"extra_special_tokens", "model_input_names"}
    assert "auto_map" not in found
