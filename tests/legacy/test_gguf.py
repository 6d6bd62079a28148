"""GGUF: what the real writer writes is read; numbers that overflow readers in C are told."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy.gguf import GgufFacts, parse_gguf

U32, STRING, ARRAY, U64 = 4, 8, 9, 10


def text(value: bytes, order: str = "<", word: str = "Q") -> bytes:
    return struct.pack(f"{order}{word}", len(value)) + value


def entry(key: bytes, kind: int, value: bytes, order: str = "<", word: str = "Q") -> bytes:
    return text(key, order, word) + struct.pack(f"{order}I", kind) + value


def tensor(name: bytes, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(entries: tuple[bytes, ...] = (), tensors: tuple[bytes, ...] = (), data: int = 0) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    head += b"".join((*entries, *tensors))
    return head + bytes(-len(head) % 32 + data)


def read(data: bytes) -> GgufFacts:
    return parse_gguf(memoryview(data))


PLAIN = gguf(
    (
        entry(b"general.architecture", STRING, text(b"llama")),
        entry(b"tokenizer.chat_template", STRING, text(b"{{ messages }}")),
        entry(
            b"tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 2) + text(b"a") + text(b"b")
        ),
        entry(b"tokenizer.ggml.scores", ARRAY, struct.pack("<IQ2f", 6, 2, 0.5, 1.5)),
    ),
    (tensor(b"a", (4, 2)), tensor(b"b", (8,), 1, 32)),
    64,
)


def test_plain() -> None:
    facts = read(PLAIN)
    assert (facts.version, facts.big_endian, facts.tensors, facts.damage) == (3, False, 2, None)
    assert facts.oddities == ()
    assert [(item.key, item.text) for item in facts.templates] == [
        ("tokenizer.chat_template", "{{ messages }}")
    ]
    assert facts.templates[0].offset == PLAIN.index(b"{{ messages")
    assert facts.keys[-1] == "tokenizer.ggml.scores"
    assert (facts.data, facts.end) == (len(PLAIN) - 64, len(PLAIN) - 16)


@pytest.mark.parametrize("big", [False, True])
def test_the_real_writer(tmp_path: Path, big: bool) -> None:
    gguf_package: Any = pytest.importorskip("gguf")
    numpy: Any = pytest.importorskip("numpy")
    path = tmp_path / "model.gguf"
    endian = gguf_package.GGUFEndian.BIG if big else gguf_package.GGUFEndian.LITTLE
    writer = gguf_package.GGUFWriter(path, "llama", endianess=endian)
    writer.add_name("a model")
    writer.add_custom_alignment(64)
    writer.add_bool("x.flag", True)
    writer.add_float64("x.number", 1.5)
    writer.add_token_list(["<s>", "</s>", "a" * 300])
    writer.add_array("x.numbers", [1, 2, 3])
    writer.add_chat_template(
        [{"name": "default", "template": "{{ a }}"}, {"name": "tool_use", "template": "{{ b }}"}]
    )
    writer.add_tensor("a", numpy.ones((5, 7), numpy.float32))
    writer.add_tensor("b", numpy.ones((3,), numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    facts = read(path.read_bytes())
    assert facts.oddities == ()
    assert facts.damage is None
    assert (facts.version, facts.big_endian, facts.tensors) == (3, big, 2)
    found = {item.key: item.text for item in facts.templates}
    assert found["tokenizer.chat_template"] == "{{ a }}"
    assert found["tokenizer.chat_template.tool_use"] == "{{ b }}"
    assert facts.end <= path.stat().st_size < facts.end + 64


@pytest.mark.parametrize(("version", "word"), [(1, "I"), (2, "Q")])
def test_older_versions(version: int, word: str) -> None:
    head = b"GGUF" + struct.pack(f"<I2{word}", version, 1, 1)
    head += entry(b"tokenizer.chat_template", STRING, text(b"{{ x }}", word=word), word=word)
    head += text(b"t", word=word) + struct.pack(f"<I2{word}IQ", 2, 3, 4, 0, 0)
    facts = read(head + bytes(-len(head) % 32 + 48))
    assert facts.templates[0].text == "{{ x }}"
    assert (facts.version, facts.tensors, facts.oddities, facts.damage) == (version, 1, (), None)


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60),  # CVE-2024-23605
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0),  # CVE-2024-21836
        gguf((entry(b"a", STRING, struct.pack("<Q", (1 << 64) - 1)),)),  # CVE-2024-23496
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, (1 << 64) - 1) + bytes(64),
        gguf((entry(b"a", ARRAY, struct.pack("<IQ", U64, 1 << 61)),)),  # CVE-2024-21825
        gguf((entry(b"a", ARRAY, struct.pack("<IQ", STRING, 1 << 61)),)),
        gguf((), (tensor(b"a", (1,) * 5),), 64),  # CVE-2024-21802
        gguf((), (text(b"a") + struct.pack("<I", 1 << 30),), 64),
        gguf((), (tensor(b"a", (1 << 33, 1 << 33)),), 64),  # CVE-2025-53630
        gguf((), (tensor(b"a", ((1 << 64) - 1,)),), 64),
        gguf((), (tensor(b"a", (1,), 0, (1 << 64) - 4),), 64),
        gguf((entry(b"general.alignment", U32, struct.pack("<I", 0)),)),
        gguf((entry(b"general.alignment", U32, struct.pack("<I", 3)),)),
        gguf((entry(b"general.alignment", STRING, text(b"32")),)),
    ],
    ids=range(14),
)
def test_overflows(data: bytes) -> None:
    assert 2 in {oddity.weight for oddity in read(data).oddities}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gguf((entry(b"a", 7, b"\x01"),) * 2), "the key a occurs twice"),
        (gguf((), (tensor(b"a", (4,)), tensor(b"a", (4,), 0, 32)), 64), "tensor a occurs twice"),
        (gguf((), (tensor(b"a", (64,)), tensor(b"b", (4,), 0, 32)), 256), "shares bytes"),
        (gguf((), (tensor(b"a", (4,)), tensor(b"b", (4,), 0, 8)), 256), "not aligned"),
        (gguf((), (tensor(b"a", (4,)), tensor(b"b", (4,), 0, 4096)), 8192), "belong to none"),
    ],
)
def test_ambiguities(data: bytes, said: str) -> None:
    oddities = read(data).oddities
    assert any(said in oddity.message for oddity in oddities)
    assert {oddity.weight for oddity in oddities} == {1}


def test_a_type_of_the_future() -> None:
    facts = read(gguf((), (tensor(b"a", (64,), 77), tensor(b"b", (64,), 0, 4096)), 8192))
    assert [oddity.weight for oddity in facts.oddities] == [0]


@pytest.mark.parametrize("cut", range(24, len(PLAIN) - 80, 7))
def test_cut_off(cut: int) -> None:
    facts = read(PLAIN[:cut])
    assert isinstance(facts.damage, DamagedError)
    assert not facts.oddities
    if cut > PLAIN.index(b"tokenizer.ggml.tokens"):
        assert facts.templates[0].text == "{{ messages }}"


def test_cut_off_in_the_data() -> None:
    facts = read(PLAIN[:-40])
    assert facts.damage is None
    assert facts.end > len(PLAIN) - 40


@pytest.mark.parametrize(
    "data", [b"", b"GGUF", b"GGML" + bytes(20), b"GGUF" + bytes(20), b"GGUF\x09" + bytes(20)]
)
def test_not_gguf(data: bytes) -> None:
    with pytest.raises(DamagedError):
        read(data)


def test_bombs() -> None:
    nested = b"".join(struct.pack("<IQ", ARRAY, 1) for _ in range(10_000))
    assert isinstance(read(gguf((entry(b"a", ARRAY, nested),))).damage, BudgetError)
    empty = struct.pack("<IQ", STRING, 3_000_000) + bytes(24_000_000)
    started = time.monotonic()
    spent: list[int] = []
    facts = parse_gguf(memoryview(gguf((entry(b"a", ARRAY, empty),))), spend=spent.append)
    assert facts.damage is None
    assert time.monotonic() - started < 5
    assert len(spent) > 40
    many = gguf(tuple(entry(b"%d" % number, 7, b"\x00") for number in range(20_000)))
    assert len(read(many).keys) == 20_000
    assert time.monotonic() - started < 8


def test_templates_in_arrays() -> None:
    value = struct.pack("<IQ", STRING, 2) + text(b"{{ a }}") + text(b"{{ b }}")
    facts = read(gguf((entry(b"tokenizer.chat_templates", ARRAY, value),)))
    assert [item.text for item in facts.templates] == ["{{ a }}", "{{ b }}"]


@settings(max_examples=200)
@given(
    st.binary(max_size=200).map(lambda tail: b"GGUF\x03\x00\x00\x00" + tail)
    | st.tuples(st.integers(0, len(PLAIN) - 1), st.binary(min_size=1, max_size=9)).map(
        lambda change: PLAIN[: change[0]] + change[1] + PLAIN[change[0] + len(change[1]) :]
    )
    | st.binary(max_size=50)
)
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(LegacyError):
        read(data)
