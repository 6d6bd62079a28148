"""SM340 to SM359: files of weights that are meant to hold nothing but numbers."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

_AGAIN: Final = "Get the file from its publisher again, and compare its digest."

RULES: Final = (
    Rule(
        "SM340",
        "gguf-overflow",
        Severity.HIGH,
        "A GGUF file with numbers that corrupt a reader's memory",
        "A count, a length, a number of dimensions or an offset is beyond anything a model has, "
        "and such that sizes computed from it overflow.",
        "Readers in C allocate by it and write past the end: CVE-2024-21802, CVE-2024-21825, "
        "CVE-2024-21836, CVE-2024-23496, CVE-2024-23605, CVE-2025-53630 in llama.cpp. That can be "
        "made to run code.",
        "A tensor with 4294967295 dimensions.",
        "Do not load it.",
    ),
    Rule(
        "SM341",
        "gguf-irregular",
        Severity.MEDIUM,
        "A GGUF file that readers understand differently",
        "A key or tensor that occurs twice, tensors that overlap or leave holes, an unknown type.",
        "One reader takes the first, another the last; what lies in a hole is none of the model's.",
        "`tokenizer.chat_template` twice.",
        _AGAIN,
    ),
    Rule(
        "SM345",
        "safetensors-irregular",
        Severity.MEDIUM,
        "A safetensors file that the stock reader refuses",
        "Tensors overlap, leave holes or have another size than their shape needs, or the header "
        "has a name twice or is not plain JSON.",
        "Readers that check less read other bytes than they should, or another tensor than the one "
        "that was reviewed; a hole can hold a file of another format.",
        "Two tensors with the same `data_offsets`.",
        _AGAIN,
    ),
    Rule(
        "SM346",
        "bytes-after-weights",
        Severity.MEDIUM,
        "Bytes behind the last tensor",
        "A file of weights goes on where its last tensor ends.",
        "No loader of the format reads them. Another one may: a ZIP archive is found from its end.",
        "A safetensors file with a ZIP archive appended.",
        _AGAIN,
    ),
)
