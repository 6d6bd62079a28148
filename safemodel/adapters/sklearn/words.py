"""Large vocabularies: many short strings in three tensors instead of many values of JSON.

A dict from strings to integers, or a list of strings, with at least 1,024 entries is stored as one
text (`words`, UTF-8), the number of characters of each word (`lengths`, I64), and for a dict its
values (`columns`, I64; `numpy` when they are numpy.int64). Order is kept. Implements
spec/sklearn.md, "Vocabularies".
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from safemodel.adapters import plain
from safemodel.adapters.graph_decode import Builder, Decoder, flag
from safemodel.adapters.graph_encode import Encoder, Node, join
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safemodel.format.canonical_json import JsonValue

_FEWEST: Final = 1024
_MAX: Final = 2**63 - 1


def encode_dict(obj: Any, path: str, encoder: Encoder) -> Node:
    """Encode a dict: packed if it is a large vocabulary, else as any dict."""
    if len(obj) < _FEWEST or set(map(type, obj)) != {str}:
        return plain.HANDLERS[dict](obj, path, encoder)
    kinds = set(map(type, obj.values()))
    if kinds not in ({int}, {np.int64}) or any(abs(value) > _MAX for value in obj.values()):
        return plain.HANDLERS[dict](obj, path, encoder)
    node: Node = {"kind": "sklearn.vocabulary"}
    if kinds == {np.int64}:
        node["numpy"] = True
    store_words(node, obj, path, encoder)
    columns = np.fromiter(obj.values(), "<i8", len(obj))
    encoder.store(node, "columns", join(path, "columns"), "I64", columns.shape, lambda: (columns,))  # type: ignore[arg-type, return-value]  # an array is a buffer
    return node


def encode_list(obj: Any, path: str, encoder: Encoder) -> Node:
    """Encode a list: packed if it is a large one of strings, else as any list."""
    if len(obj) < _FEWEST or set(map(type, obj)) != {str}:
        return plain.HANDLERS[list](obj, path, encoder)
    node: Node = {"kind": "sklearn.words"}
    store_words(node, obj, path, encoder)
    return node


def store_words(node: Node, words: Iterable[str | None], path: str, encoder: Encoder) -> None:
    """Store strings as one text with the length of each; that of a missing one (None) is -1."""
    lengths = np.array([-1 if word is None else len(word) for word in words], "<i8")
    text = "".join([word for word in words if word]).encode("utf-8", "surrogatepass")
    encoder.store(node, "words", join(path, "words"), "U8", (len(text),), lambda: (text,))
    encoder.store(node, "lengths", join(path, "lengths"), "I64", lengths.shape, lambda: (lengths,))  # type: ignore[arg-type, return-value]  # an array is a buffer


def _numbers(name: JsonValue, decoder: Decoder, fewest: int = _FEWEST) -> Any:
    tensor = decoder.claim(name)
    if tensor.dtype != "I64" or len(tensor.shape) != 1 or tensor.shape[0] < fewest:
        raise ArchitectureError(f"numbers must be at least {fewest} in a tensor of I64")
    return np.frombuffer(tensor.buffer, "<i8")


def _text(node: Node, decoder: Decoder) -> str:
    tensor = decoder.claim(node["words"])
    if tensor.dtype != "U8" or len(tensor.shape) != 1:
        raise ArchitectureError("words must be a one-dimensional tensor of U8")
    return bytes(tensor.buffer).decode("utf-8", "surrogatepass")


def read_words(node: Node, decoder: Decoder) -> list[str | None]:
    """Read what `store_words` stored, however few there are.

    Raises:
        ArchitectureError: not a text with its lengths.
    """
    text, lengths = _text(node, decoder), _numbers(node["lengths"], decoder, 0)
    missing = (lengths == -1).tolist()
    words = _cut(text, np.maximum(lengths, 0) if lengths.size and lengths.min() == -1 else lengths)
    return [None if gone else word for word, gone in zip(words, missing, strict=True)]


def _words(node: Node, decoder: Decoder) -> list[str]:
    return _cut(_text(node, decoder), _numbers(node["lengths"], decoder))


def _cut(text: str, lengths: Any) -> list[str]:
    least, most = (lengths.min(), lengths.max()) if lengths.size else (0, 0)
    if least < 0 or most > len(text) or int(lengths.sum()) != len(text):
        raise ArchitectureError("lengths that do not add up to the text")
    places = accumulate(lengths.tolist(), initial=0)
    return [text[start:stop] for start, stop in pairwise(places)]


def _create_dict(node: Node, decoder: Decoder) -> dict[str, Any]:
    words, columns = _words(node, decoder), _numbers(node["columns"], decoder)
    if len(words) != len(columns):
        raise ArchitectureError(f"{len(words)} words with {len(columns)} values")
    numpy = "numpy" in node and flag(node["numpy"], "numpy")
    vocabulary = dict(zip(words, columns if numpy else columns.tolist(), strict=True))
    if len(vocabulary) != len(words):
        raise ArchitectureError("a vocabulary with the same word twice")
    return vocabulary


BUILDERS: Final = {
    "sklearn.vocabulary": Builder(
        _create_dict,
        fields=frozenset({"words", "lengths", "columns", "numpy"}),
        required=frozenset({"words", "lengths", "columns"}),
    ),
    "sklearn.words": Builder(_words, fields=frozenset({"words", "lengths"})),
}
