"""The manifest: one encoding for what it says, and nothing else is accepted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel import limits
from safemodel.errors import (
    JsonError,
    LimitError,
    ManifestError,
    MemberNameError,
    SafemodelError,
    UnsupportedError,
)
from safemodel.format import digests, manifest, weights
from safemodel.format.manifest import Adapter, FileEntry, Manifest
from safemodel.format.metadata import Metadata

MIB = 1 << 20
DIGEST = base64.b64encode(bytes(range(32))).decode()

Document = dict[str, object]


def entry(size: int, media_type: str = "text/plain", chunk: int = MIB) -> FileEntry:
    count = digests.chunk_count(size, chunk)
    return FileEntry(size, size % 7, media_type, bytes(i % 256 for i in range(32 * count)))


json_values = st.recursive(
    st.booleans()
    | st.integers(-9, 9)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    lambda inner: (
        st.lists(inner | st.none(), max_size=3)
        | st.dictionaries(st.text("abc ~", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
files = st.dictionaries(
    st.from_regex(r"\A[a-z][a-z0-9]{0,3}\.[a-z]{1,3}\Z").filter(
        lambda name: (
            name[:4] not in ("con.", "prn.", "aux.", "nul.")
            and name[:3] + name[4:5] not in ("com.", "lpt.")
        )
    ),
    st.integers(0, 3 * MIB).map(entry),
    max_size=3,
)
manifests = st.builds(
    Manifest,
    framework=st.none() | st.sampled_from(["numpy", "scikit-learn", "a+b.c_d"]),
    adapter=st.none() | st.builds(Adapter, st.sampled_from(["numpy", "a_1"]), st.integers(1, 99)),
    libraries=st.dictionaries(st.sampled_from(["numpy", "scikit-learn"]), st.just("1.0rc1 x")),
    architecture=st.none() | json_values,
    training_state=st.none() | json_values,
    metadata=st.just(Metadata()) | st.just(Metadata(name="acme/fraud", metrics={"a": "1"})),
    files=files,
    algorithm=st.sampled_from(sorted(digests.ALGORITHMS)),
    extra=st.dictionaries(st.sampled_from(["x-a", "x-b.c"]), json_values),
)


@given(manifests)
def test_a_manifest_survives_its_encoding(chosen: Manifest) -> None:
    data = manifest.encode(chosen)
    again = manifest.parse(memoryview(data))
    assert again == chosen
    assert manifest.encode(again) == data


@given(manifests, st.data())
def test_a_changed_manifest_is_refused_or_another_one(
    chosen: Manifest, data: st.DataObject
) -> None:
    encoding = bytearray(manifest.encode(chosen))
    at = data.draw(st.integers(0, min(len(encoding), 300) - 1))
    encoding[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = manifest.parse(encoding)
    except SafemodelError:
        return
    assert manifest.encode(parsed) == encoding
    assert parsed != chosen


@given(st.binary(max_size=50))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    with pytest.raises(SafemodelError):
        manifest.parse(data)


def test_the_empty_bundle() -> None:
    data = b'{"files":{},"safemodel":1}'
    assert manifest.encode(Manifest()) == data
    assert manifest.parse(data) == Manifest()
    assert manifest.parse(data).chunk_size == MIB


def test_an_algorithm_without_files_means_nothing() -> None:
    chosen = Manifest(algorithm="sha256")
    assert chosen.algorithm == "blake3"
    assert manifest.parse(manifest.encode(chosen)) == chosen


@pytest.mark.parametrize("algorithm", ["blake3", "sha256"])
def test_files_and_their_digests(algorithm: str) -> None:
    chosen = Manifest(
        algorithm=algorithm,
        files={"a.bin": entry(MIB + 1), "b.txt": entry(0), "weights.safetensors":
               entry(2 * MIB, weights.MEDIA_TYPE)},
    )  # fmt: skip
    document = json.loads(manifest.encode(chosen))
    assert document["files"]["b.txt"] == {
        algorithm: "",
        "crc32": 0,
        "media_type": "text/plain",
        "size": 0,
    }
    assert len(base64.b64decode(document["files"]["a.bin"][algorithm])) == 64
    parsed = manifest.parse(manifest.encode(chosen))
    assert parsed.algorithm == algorithm
    assert parsed.files["a.bin"].chunk_digest(1) == chosen.files["a.bin"].digests[32:]


def test_the_chunk_size_follows_from_all_files() -> None:
    size = 65_536 * MIB
    chosen = Manifest(files={"a": entry(size, chunk=2 * MIB), "b": entry(1)})
    assert chosen.chunk_size == 2 * MIB
    assert manifest.parse(manifest.encode(chosen)) == chosen
    with pytest.raises(ManifestError, match="digest"):
        manifest.encode(Manifest(files={"a": entry(size, chunk=MIB), "b": entry(1)}))


def document() -> Document:
    return {
        "safemodel": 1,
        "framework": "numpy",
        "adapter": {"name": "numpy", "version": 1},
        "libraries": {"numpy": "2.4.6"},
        "architecture": {"graph": [1]},
        "training_state": {"step": 1},
        "metadata": {"name": "acme/fraud"},
        "files": {
            "a.txt": {"size": 3, "crc32": 1, "media_type": "text/plain", "blake3": DIGEST},
            "b.txt": {"size": 0, "crc32": 0, "media_type": "text/plain", "blake3": ""},
        },
        "x-a": 1,
    }


def encoded(changed: Document) -> bytes:
    return json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_document_is_accepted() -> None:
    """So that the cases below are refused for what they change."""
    data = encoded(document())
    assert manifest.encode(manifest.parse(data)) == data


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[(key, None) for key in document() if key != "files"],
        *[(key, {}) for key in ("adapter", "libraries", "metadata", "requires", "framework")],
        *[(key, []) for key in ("adapter", "libraries", "metadata", "requires", "files")],
        *[(key, "") for key in ("adapter", "libraries", "metadata", "requires", "framework")],
        *[(key, value) for key in ("adapter", "libraries", "metadata", "files", "safemodel",
                                   "requires", "framework") for value in (True, 0, "é")],
        ("safemodel", "1"),
        ("safemodel", -1),
        ("safemodel", [1]),
        ("framework", "a b"),
        ("framework", "-a"),
        ("framework", "a" * 65),
        ("adapter", {"name": "numpy"}),
        ("adapter", {"version": 1}),
        ("adapter", {"name": "numpy", "version": 0}),
        ("adapter", {"name": "numpy", "version": True}),
        ("adapter", {"name": "numpy", "version": "1"}),
        ("adapter", {"name": "os.path", "version": 1}),
        ("adapter", {"name": "_a", "version": 1}),
        ("adapter", {"name": "A", "version": 1}),
        ("adapter", {"name": "numpy", "version": 1, "x-a": 1}),
        ("libraries", {"numpy": ""}),
        ("libraries", {"numpy": 2}),
        ("libraries", {"numpy": " 2"}),
        ("libraries", {"numpy": "2" * 65}),
        ("libraries", {"a b": "2"}),
        ("libraries", {"": "2"}),
        ("metadata", {"author": "me"}),
        ("requires", ["B"]),
        ("requires", ["b", "a"]),
        ("requires", ["a", "a"]),
        ("requires", [""]),
        ("requires", [1]),
        ("requires", "a"),
        ("x-b", None),
        ("x-", 1),
        ("author", 1),
        ("Safemodel", 1),
        ("chunk_size", 1),
    ],
)  # fmt: skip
def test_other_fields_are_refused(key: str, value: object) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.parse(encoded({**document(), key: value}))
    assert str(caught.value.place).startswith("manifest")


@pytest.mark.parametrize("missing", ["safemodel", "files"])
def test_what_must_be_there(missing: str) -> None:
    changed = document()
    del changed[missing]
    with pytest.raises(ManifestError):
        manifest.parse(encoded(changed))


@pytest.mark.parametrize(
    "data", [b"[]", b"1", b"null", b'"a"', b"{}", b'{"files":{}}', b'{"safemodel":1}']
)
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        manifest.parse(data)


def change_file(change: Callable[[Document], object], name: str = "a.txt") -> bytes:
    changed = document()
    entries = changed["files"]
    assert isinstance(entries, dict)
    change(entries[name])
    return encoded(changed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[(key, value) for key in ("size", "crc32", "media_type", "blake3")
          for value in (None, True, -1, [], {}, ["a"])],
        *[(key, "3") for key in ("size", "crc32")],
        *[(key, 3) for key in ("media_type", "blake3")],
        ("size", (1 << 50) + 1),
        ("size", 0),
        ("size", MIB + 1),
        ("crc32", 1 << 32),
        ("media_type", ""),
        ("media_type", "text"),
        ("media_type", "/plain"),
        ("media_type", "text/"),
        ("media_type", "text/plain; charset=utf-8"),
        ("media_type", "text/Plain"),
        ("media_type", "text/plain\n"),
        ("media_type", "a/" + "b" * 126),
        ("blake3", ""),
        ("blake3", DIGEST[:-1]),
        ("blake3", DIGEST + "="),
        ("blake3", DIGEST + "\n"),
        ("blake3", DIGEST[:-2] + "9="),  # bits that decoding drops
        ("blake3", DIGEST.replace("A", " ")),
        ("blake3", "-_" + DIGEST[2:]),
        ("blake3", DIGEST + DIGEST),
        ("blake3", base64.b64encode(bytes(64)).decode()),
        ("blake3", base64.b64encode(bytes(31)).decode()),
        ("sha256", DIGEST),
        ("x-a", 1),
        ("name", "a"),
    ],
)  # fmt: skip
def test_other_file_entries_are_refused(key: str, value: object) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.parse(change_file(lambda entry: entry.__setitem__(key, value)))
    assert str(caught.value.place).startswith("manifest.files.a.txt")


@pytest.mark.parametrize("key", ["size", "crc32", "media_type", "blake3"])
def test_all_fields_of_a_file_must_be_there(key: str) -> None:
    with pytest.raises(ManifestError, match="missing"):
        manifest.parse(change_file(lambda entry: entry.pop(key)))


def test_one_algorithm_for_all_files() -> None:
    with pytest.raises(ManifestError):
        manifest.parse(change_file(lambda e: e.update(sha256=e.pop("blake3")), "b.txt"))
    with pytest.raises(ManifestError):
        manifest.parse(change_file(lambda e: e.update(sha256=e.pop("blake3")), "a.txt"))
    with pytest.raises(ManifestError):
        manifest.parse(change_file(lambda e: e.update(md5=e.pop("blake3")), "a.txt"))


@pytest.mark.parametrize(
    "name", ["manifest.json", "signatures/a", "../a", "", "a.txt/b", "A.TXT", "con", "a\\b"]
)
def test_names_of_files_are_checked(name: str) -> None:
    changed = document()
    entries = changed["files"]
    assert isinstance(entries, dict)
    entries[name] = entries["b.txt"]
    with pytest.raises(MemberNameError):
        manifest.parse(encoded(changed))


def test_weights_have_their_media_type_and_all_their_shards() -> None:
    shards = weights.shard_names(2)
    right = entry(64, weights.MEDIA_TYPE)
    chosen = Manifest(files=dict.fromkeys(shards, right))
    assert manifest.parse(manifest.encode(chosen)) == chosen
    with pytest.raises(ManifestError, match="safetensors"):
        manifest.encode(Manifest(files={shards[0]: right, shards[1]: entry(64)}))
    with pytest.raises(ManifestError, match="belong together"):
        manifest.encode(Manifest(files={shards[1]: right}))


def test_the_number_of_files_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest itself is a member too."""
    monkeypatch.setattr(limits, "MAX_MEMBERS", 4)
    empty = entry(0)
    fitting = Manifest(files={f"m{i}": empty for i in range(3)})
    assert manifest.parse(manifest.encode(fitting)) == fitting
    with pytest.raises(LimitError):
        manifest.encode(replace(fitting, files={**fitting.files, "one": empty}))


@pytest.mark.parametrize("version", [2, 99, limits.MAX_SAFE_INTEGER])
def test_later_versions_are_unsupported_whatever_else_they_say(version: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        manifest.parse(encoded({"safemodel": version, "new": {}}))
    assert "upgrade" in str(caught.value.hint)


def test_required_features_are_unsupported_whatever_they_add() -> None:
    with pytest.raises(UnsupportedError, match=r"sparse, zstd"):
        manifest.parse(encoded({**document(), "requires": ["sparse", "zstd"], "new": {}}))
    with pytest.raises(UnsupportedError):
        manifest.encode(Manifest(requires=("sparse",)))


def test_known_features_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "KNOWN_REQUIRES", frozenset({"a", "b"}))
    chosen = Manifest(requires=("a", "b"))
    assert manifest.parse(manifest.encode(chosen)) == chosen


@pytest.mark.parametrize("key", ["architecture", "training_state"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        lambda text: [1, {"a": text}],
        lambda text: {text: 1} if text.isascii() else [text],
    ],
)
@pytest.mark.parametrize("character", ["a", "é", "日", "😀"])
def test_long_strings_travel_as_tensors(
    key: str, wrap: Callable[[str], object], character: str
) -> None:
    count = 4096 // len(character.encode())
    fitting = {**document(), key: wrap(character * count)}
    assert manifest.encode(manifest.parse(encoded(fitting))) == encoded(fitting)
    with pytest.raises(LimitError) as caught:
        manifest.parse(encoded({**document(), key: wrap(character * (count + 1))}))
    assert caught.value.place == f"manifest.{key}"


@pytest.mark.parametrize("value", [False, 0, "", [], {}])
def test_an_architecture_that_is_empty_is_not_absent(value: object) -> None:
    chosen = Manifest(architecture=value, training_state=value)  # type: ignore[arg-type]
    again = manifest.parse(manifest.encode(chosen))
    assert again == chosen
    assert again.architecture is not None


@pytest.mark.parametrize(
    ("chosen", "error"),
    [
        (Manifest(architecture=1.5), JsonError),  # type: ignore[arg-type]
        (Manifest(framework=""), ManifestError),
        (Manifest(adapter=Adapter("numpy", True)), ManifestError),
        (Manifest(adapter=Adapter("", 1)), ManifestError),
        (Manifest(extra={"author": 1}), ManifestError),
        (Manifest(extra={"framework": "numpy"}), ManifestError),
        (Manifest(extra={"x-a": None}), ManifestError),
        (Manifest(files={"a": entry(1)}, algorithm="size"), ManifestError),
        (Manifest(files={"a": entry(1)}, algorithm="md5"), ManifestError),
        (Manifest(files={"a": FileEntry(1, 0, "a/b", b"")}), ManifestError),
        (Manifest(files={"a/../b": entry(1)}), MemberNameError),
        (Manifest(metadata=Metadata(name="a b")), ManifestError),
        (Manifest(metadata=Metadata(tags=["a"])), ManifestError),  # type: ignore[arg-type]
    ],
)
def test_what_no_reader_accepts_is_not_written(
    chosen: Manifest, error: type[SafemodelError]
) -> None:
    with pytest.raises(error):
        manifest.encode(chosen)


def test_a_cycle_is_not_written() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(LimitError):
        manifest.encode(Manifest(architecture=cycle))  # type: ignore[arg-type]


def test_the_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    data = manifest.encode(Manifest())
    monkeypatch.setattr(limits, "MAX_MANIFEST_SIZE", len(data))
    assert manifest.parse(manifest.encode(Manifest())) == Manifest()
    monkeypatch.setattr(limits, "MAX_MANIFEST_SIZE", len(data) - 1)
    with pytest.raises(LimitError):
        manifest.parse(data)
    with pytest.raises(LimitError):
        manifest.encode(Manifest())
