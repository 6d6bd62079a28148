"""Metadata: each field has its grammar, and callers may be less strict than files."""

from __future__ import annotations

import decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import ManifestError, UsageError
from safemodel.format import canonical_json, metadata
from safemodel.format.fields import Fields
from safemodel.format.metadata import Lineage, Metadata, Reference

DIGEST = {"sha256": "ab" * 32}

lines = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
versions = st.from_regex(r"\A[!-~]([ -~]{0,9}[!-~])?\Z")
json_values = st.booleans() | st.lists(st.integers(0, 9)) | st.dictionaries(st.just("k"), st.none())
extensions = st.dictionaries(st.from_regex(r"\Ax-[a-z0-9][a-z0-9._-]{0,9}\Z"), json_values)
references = st.builds(
    Reference,
    name=lines,
    version=st.none() | versions,
    uri=st.none() | lines,
    size=st.none() | st.integers(0, 1 << 50),
    digest=st.dictionaries(st.sampled_from(["sha256", "blake3"]), st.just("00" * 32)),
)
lists_of_references = st.lists(references, max_size=2).map(tuple)
metadatas = st.builds(
    Metadata,
    name=st.none() | st.from_regex(r"\A[A-Za-z0-9_]{1,9}(/[A-Za-z0-9_][.-]?[a-z_]){0,7}\Z"),
    version=st.none() | versions,
    description=st.none() | lines.map(lambda line: f"{line}\n\t"),
    license=st.none() | lines,
    task=st.none() | lines,
    tags=st.sets(lines, max_size=3).map(sorted).map(tuple),
    metrics=st.dictionaries(
        st.from_regex(r"\A[ -~]{1,9}\Z"),
        st.floats(allow_nan=False, allow_infinity=False).map(repr)
        | st.decimals(allow_nan=False, allow_infinity=False, places=3).map("{:f}".format),
        max_size=3,
    ),
    datasets=lists_of_references,
    lineage=st.builds(
        Lineage,
        base_models=lists_of_references,
        sources=lists_of_references,
        tool=st.none() | lines,
        scan=st.none() | json_values,
    ),
    extra=extensions,
)


def parse(document: object) -> Metadata:
    return metadata.parse(Fields(document, "metadata"))  # type: ignore[arg-type]


@given(metadatas)
def test_metadata_survives_its_document(chosen: Metadata) -> None:
    document = metadata.document(chosen)
    data = canonical_json.encode(document)
    again = parse(canonical_json.decode(data, max_size=1 << 20))
    assert again == chosen
    assert canonical_json.encode(metadata.document(again)) == data
    assert metadata.make(document) == chosen


def test_nothing_said_is_an_empty_document() -> None:
    assert metadata.document(Metadata()) == {}
    assert parse({}) == Metadata()
    assert metadata.make({}) == Metadata()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "acme/fraud"),
        ("name", "a/b/c/d/e/f/g/h"),
        ("name", "x" * 200),
        ("name", "Llama-3.1-8B_it"),
        ("version", "v" * 64),
        ("version", "1.0 beta"),
        ("description", "d" * 65_536),
        ("description", "a\n\tb \u2028 é"),
        ("license", "Apache-2.0 OR MIT"),
        ("license", "l" * 256),
        ("task", "日" * 64),
        ("tags", ["a", "b", "é"]),
        ("metrics", {"auc": "0.5", "a b": "-0.25", "n": "10", "e": "1e-05", "f": "1.5e+300"}),
        ("metrics", {"m" * 128: "1" * 64}),
        ("datasets", [{"name": "d"}]),
        ("datasets", [{"name": "d", "size": 1 << 50}, {"name": "d", "size": 0}]),
        ("datasets", [{"name": "d", "digest": {"sha512": "0f" * 64, "md5": "0f" * 16}}]),
        ("lineage", {"scan": {}}),
        ("lineage", {"scan": False}),
        ("lineage", {"tool": "t" * 256}),
        ("lineage", {"sources": [{"name": "n" * 1024, "uri": "u" * 2048, "digest": DIGEST}]}),
        ("x-team", {"a": [None, ""]}),
        ("x-" + "a" * 62, []),
    ],
)
def test_permitted_fields(field: str, value: object) -> None:
    document = {field: value}
    assert metadata.document(parse(document)) == document


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, wrong) for field in ("name", "version", "description", "license", "task")
          for wrong in (None, "", 1, True, [], {}, ["a"], "a\x00", "a\x1b[m", "a\x7f", "\x85")],
        *[(field, wrong) for field in ("tags", "datasets") for wrong in (None, [], "a", {}, 1)],
        *[(field, wrong) for field in ("metrics", "lineage") for wrong in (None, [], "a", {}, 1)],
        *[("name", name) for name in ("/", "a/", "/a", "a//b", "a b", "é", ".a", "a.", "-a", "a-",
                                      "a/../b", "a\\b", "a\n", "a@b", "x" * 201, "a/" * 8 + "a")],
        *[("version", version) for version in (" 1", "1 ", "1\n", "é", "v" * 65)],
        ("description", "d" * 65_537),
        ("description", "a\rb"),
        ("license", "a\nb"),
        ("license", "l" * 257),
        ("task", "t" * 65),
        ("task", "\ud800"),
        ("tags", ["b", "a"]),
        ("tags", ["a", "a"]),
        ("tags", [""]),
        ("tags", ["t" * 65]),
        ("tags", [1]),
        ("tags", [None]),
        *[("metrics", {"m": value}) for value in (
            None, 1, True, "", "1,5", "+1", ".5", "5.", "01", "1E5", "1e", "nan", "inf", "0x1",
            " 1", "1\n", "--1", "\u0661", "1" * 65)],
        ("metrics", {"": "1"}),
        ("metrics", {"é": "1"}),
        ("metrics", {"m" * 129: "1"}),
        *[("datasets", [value]) for value in (
            "d", None, {}, {"name": ""}, {"name": 1}, {"version": "1"}, {"name": "d", "x-a": 1},
            {"name": "d", "size": -1}, {"name": "d", "size": True}, {"name": "d", "size": "1"},
            {"name": "d", "size": (1 << 50) + 1}, {"name": "d", "version": " 1"},
            {"name": "n" * 1025}, {"name": "d", "uri": "u" * 2049}, {"name": "d", "uri": None},
            {"name": "d", "digest": {}}, {"name": "d", "digest": {"sha256": "AB" * 32}},
            {"name": "d", "digest": {"sha256": "a"}}, {"name": "d", "digest": {"sha256": "a" * 33}},
            {"name": "d", "digest": {"SHA": "ab" * 32}}, {"name": "d", "digest": {"a": "ab" * 65}},
            {"name": "d", "digest": {"a": "ab" * 15}},
            {"name": "d", "digest": {"a" * 33: "ab" * 32}})],
        ("lineage", {"scan": None}),
        ("lineage", {"tool": ""}),
        ("lineage", {"sources": []}),
        ("lineage", {"base_models": {}}),
        ("lineage", {"other": 1}),
        ("lineage", {"x-other": 1}),
        ("x-a", None),
        ("x-", 1),
        ("x-A", 1),
        ("x-.", 1),
        ("x-" + "a" * 63, 1),
        ("X-a", 1),
        ("author", "me"),
        ("", 1),
    ],
)  # fmt: skip
def test_other_fields_are_refused(field: str, value: object) -> None:
    with pytest.raises(ManifestError) as caught:
        parse({field: value})
    assert str(caught.value.place).startswith("metadata")


@pytest.mark.parametrize("value", [None, 1, [], "a", True])
def test_metadata_is_an_object(value: object) -> None:
    with pytest.raises(ManifestError, match="not an object"):
        parse(value)


def test_errors_name_the_place() -> None:
    with pytest.raises(ManifestError) as caught:
        parse({"lineage": {"sources": [{"name": "a"}, {"name": "b", "size": -1}]}})
    assert caught.value.place == "metadata.lineage.sources[1].size"
    with pytest.raises(ManifestError, match=r"not sorted") as caught:
        parse({"tags": ["b", "a"]})
    assert caught.value.place == "metadata.tags"


def test_callers_may_be_less_strict() -> None:
    made = metadata.make(
        {
            "name": "acme/fraud",
            "version": None,
            "description": "",
            "tags": {"b", "a"},
            "metrics": {"auc": 0.93, "n": 3, "s": "0.10", "tiny": 1e-5, "yes": True},
            "datasets": ("d", {"name": "e"}),
            "lineage": {"base_models": ["acme/base"], "tool": "t", "scan": {}}
            | {"sources": ({"name": "old.pkl", "digest": DIGEST},)},
            "x-a": [1],
            "x-b": {},
        }
    )
    assert made == Metadata(
        name="acme/fraud",
        tags=("a", "b"),
        metrics={"auc": "0.93", "n": "3", "s": "0.10", "tiny": "1e-05", "yes": "1"},
        datasets=(Reference(name="d"), Reference(name="e")),
        lineage=Lineage(
            base_models=(Reference(name="acme/base"),),
            sources=(Reference(name="old.pkl", digest=DIGEST),),
            tool="t",
            scan={},
        ),
        extra={"x-a": [1], "x-b": {}},
    )
    assert metadata.make(made) is made


def test_callers_may_say_nothing() -> None:
    """In as many words: only what the format keeps verbatim is not left out."""
    lineage = {"base_models": (), "sources": [], "tool": "", "scan": None}
    assert metadata.make({"name": "", "tags": [], "metrics": {}, "lineage": lineage}) == Metadata()


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    made = metadata.make({"metrics": {"a": numpy.float32(0.5), "b": numpy.int64(7)}})
    assert made.metrics == {"a": "0.5", "b": "7"}


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a b"},
        {"name": 1},
        {"author": "me"},
        {1: "a"},
        {"version": 3.1},
        {"tags": "a"},
        {"tags": [1]},
        {"tags": [["a"]]},
        {"metrics": {"a": float("nan")}},
        {"metrics": {"a": float("inf")}},
        {"metrics": {"a": decimal.Decimal(1)}},
        {"metrics": {1: 2}},
        {"metrics": [("a", 1)]},
        {"datasets": "d"},
        {"datasets": [1]},
        {"lineage": {"base_models": "b"}},
        {"lineage": [1]},
        {"x-a": 1.5},
        {"x-a": 1 << 60},
        {"x-a": (1,)},
        {"description": "\ud800"},
    ],
)
def test_callers_get_usage_errors(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        metadata.make(values)
