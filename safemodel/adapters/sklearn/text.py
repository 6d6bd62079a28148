"""State schemas of `sklearn.feature_extraction`: vectorizers of text and dicts.

A vectorizer reads what its input names only when `input` is not "content": only "content" is
permitted. Its `token_pattern` runs over every document, and a bad one takes exponential time: the
usual patterns and simple ones are permitted (`patterns.py`), others by the caller alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn.parts import DTYPE, OwnFunction
from safemodel.adapters.sklearn.patterns import Pattern
from safemodel.adapters.sklearn.schema import (
    BOOL,
    MAX_FEATURES,
    NAME,
    NON_NEGATIVE,
    POSITIVE,
    Schema,
    each,
    table,
)
from safemodel.adapters.sklearn.spec import (
    Distinct,
    Estimator,
    Int,
    Items,
    Map,
    Scope,
    Seq,
    Spec,
    SpecError,
    Text,
    either,
    floats,
    one_of,
    optional,
)

_ENCODINGS: Final = (
    *("utf-8", "utf8", "UTF-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
    *("ascii", "latin-1", "latin1", "iso-8859-1", "iso-8859-2", "iso-8859-15", "cp1250"),
    *("cp1251", "cp1252", "koi8-r", "big5", "gb2312", "gbk", "gb18030", "euc-jp", "euc-kr"),
    *("shift_jis",),
)
_VOCABULARY: Spec = Map(Text(), Int(0, MAX_FEATURES), "words")
_NGRAMS: Spec = Items((Int(1, 1000), Int(1, 1000)), (tuple, list))
_KNOWN: Final[Mapping[str, Spec]] = {
    **each(
        "alternate_sign binary lowercase smooth_idf sort sparse sublinear_tf use_idf"
        " fixed_vocabulary_",
        BOOL,
    ),
    "input": one_of("content"),
    "encoding": one_of(*_ENCODINGS),
    "decode_error": one_of("strict", "ignore", "replace"),
    "strip_accents": optional(one_of("ascii", "unicode")),
    "preprocessor": optional(OwnFunction()),
    "tokenizer": optional(OwnFunction()),
    "analyzer": either(one_of("word", "char", "char_wb"), OwnFunction()),
    "token_pattern": optional(Pattern("token_pattern", groups=1)),
    "stop_words": optional(one_of("english"), Seq(Text(), kinds=(list,))),
    "ngram_range": _NGRAMS,
    "max_df": NON_NEGATIVE,
    "min_df": NON_NEGATIVE,
    "max_features": optional(POSITIVE),
    "vocabulary": optional(Map(Text(), Int(0, MAX_FEATURES)), Seq(Text())),
    "dtype": DTYPE,
    "norm": optional(one_of("l1", "l2")),
    "n_features": Int(1, MAX_FEATURES - 1),
    "separator": NAME,
    "vocabulary_": _VOCABULARY,
    "_stop_words_id": Int(),
    "feature_names_": Distinct(Seq(Text(), "words")),
    "idf_": floats("features"),
}


def _bijection(vocabulary: Mapping[str, Any], place: str) -> None:
    """Columns are written straight into a sparse matrix: each of 0..n-1 exactly once."""
    columns = np.fromiter(vocabulary.values(), dtype=np.int64, count=len(vocabulary))
    seen = np.zeros(len(columns), dtype=bool)
    if len(columns) and columns.max() < len(columns):
        seen[columns] = True
    if not seen.all():
        raise SpecError("does not number its words from 0 without gaps", place)


def _vectorizer(state: Mapping[str, Any], scope: Scope) -> None:
    low, high = state["ngram_range"]
    if low > high:
        raise SpecError("does not rise", ".ngram_range")
    if isinstance(state.get("vocabulary"), dict):
        _bijection(state["vocabulary"], ".vocabulary")
    if "vocabulary_" in state:
        _bijection(state["vocabulary_"], ".vocabulary_")


def _weights(state: Mapping[str, Any], scope: Scope) -> None:
    """The inner transformer has one weight a word."""
    inner = state.get("_tfidf")
    if inner is None or "vocabulary_" not in state:
        return
    count = vars(inner).get("n_features_in_")
    if count is not None and count != len(state["vocabulary_"]):
        raise SpecError("has another number of features than words", "._tfidf")


def _names(state: Mapping[str, Any], scope: Scope) -> None:
    if "vocabulary_" not in state:
        return
    _bijection(state["vocabulary_"], ".vocabulary_")
    names = state["feature_names_"]
    if any(names[column] != name for name, column in state["vocabulary_"].items()):
        raise SpecError("does not fit vocabulary_", ".feature_names_")


_READING = (
    "input encoding decode_error strip_accents preprocessor tokenizer analyzer lowercase"
    " token_pattern stop_words ngram_range binary dtype"
)
_COUNTING = f"{_READING} max_df min_df max_features vocabulary"
_WEIGHING = "norm use_idf smooth_idf sublinear_tf"
_F = "sklearn.feature_extraction"
_make = table(_F, _KNOWN)
_CACHES = ("_stop_words_id",)

SCHEMAS: Final[tuple[Schema, ...]] = (
    _make(
        "CountVectorizer",
        _COUNTING,
        "vocabulary_? fixed_vocabulary_? _stop_words_id?",
        _vectorizer,
        within=f"{_F}.text",
        caches=_CACHES,
        common={},
    ),
    _make(
        "TfidfVectorizer",
        f"{_COUNTING} {_WEIGHING}",
        "vocabulary_? fixed_vocabulary_? _stop_words_id? _tfidf?",
        _vectorizer,
        _weights,
        within=f"{_F}.text",
        caches=_CACHES,
        _tfidf=Estimator(("TfidfTransformer",)),
        common={},
    ),
    _make(
        "HashingVectorizer",
        f"{_READING} n_features norm alternate_sign",
        "_stop_words_id?",
        _vectorizer,
        within=f"{_F}.text",
        caches=_CACHES,
        common={},
    ),
    _make(
        "TfidfTransformer",
        _WEIGHING,
        "n_features_in_ idf_?",
        within=f"{_F}.text",
        n_features_in_=Int(0, MAX_FEATURES, "features"),
    ),
    _make(
        "DictVectorizer",
        "dtype separator sparse sort",
        "feature_names_ vocabulary_",
        _names,
        within=f"{_F}._dict_vectorizer",
        vocabulary_=Map(Text(), Int(0, MAX_FEATURES), "words"),
        common={},
    ),
    _make(
        "FeatureHasher",
        "dtype input_type n_features alternate_sign",
        "",
        within=f"{_F}._hash",
        input_type=one_of("dict", "pair", "string"),
        common={},
    ),
)
