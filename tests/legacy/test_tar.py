"""tar archives: the members that tarfile finds, and any bytes."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import tar
from safemodel.legacy.content import Stream, View
from safemodel.legacy.sniff import formats
from tests.attacks.readers import READERS
from tests.hostile.tars import END, header, member, padded, pax


def members(data: bytes) -> list[tar.TarMember]:
    return list(tar.members(View(data).reader()))


def names(data: bytes) -> list[str]:
    return [found.name for found in members(data)]


def kinds(data: bytes) -> set[str]:
    return {oddity.kind for found in members(data) for oddity in found.oddities}


def written(form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as made:
        for name, data in (("a.pkl", b"N."), ("n" * 180 + "/b", b"x" * 1000), ("ü", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a.pkl"
        made.addfile(link)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
    return stream.getvalue()


FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


@pytest.mark.parametrize("form", FORMS[1:])
def test_archives_of_tarfile(form: int) -> None:
    found = members(written(form))
    assert [one.name for one in found] == ["a.pkl", "n" * 180 + "/b", "ü", "link", "folder"]
    assert [one.kind for one in found] == ["file", "file", "file", "symbolic link", "folder"]
    assert [one.size for one in found] == [2, 1000, 0, 0, 0]
    assert not kinds(written(form))


def test_over_a_stream_it_is_the_same() -> None:
    data = written(tarfile.PAX_FORMAT)
    stream = Stream(lambda: iter([data[at : at + 100] for at in range(0, len(data), 100)]))
    assert list(tar.members(stream.reader())) == members(data)


def test_data_are_where_they_are_said_to_be() -> None:
    data = member(b"a", b"one") + member(b"b", b"two") + END
    assert [data[m.data_offset : m.data_offset + m.size] for m in members(data)] == [
        b"one",
        b"two",
    ]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pax((b"size", b"1024")) + member(b"a", b"x" * 512) + bytes(512) + END, "disagreement"),
        (pax((b"size", b"many")) + member(b"a", b"x") + END, "disagreement"),
        (member(b"pax", b"nonsense", b"x") + member(b"a", b"x") + END, "disagreement"),
        (header(b"link", 512, b"2", target=b"a") + END, "disagreement"),
        (member(b"../a", b"") + END, "escape"),
        (member(b"/a", b"") + END, "escape"),
        (header(b"link", 0, b"2", target=b"../../a") + END, "escape"),
        (header(b"link", 0, b"2", target=b"/a") + END, "escape"),
        (header(b"link", 0, b"1", target=b"../a") + END, "escape"),
        (member(b"a\n", b"") + END, "name"),
    ],
)
def test_oddities(data: bytes, kind: str) -> None:
    assert kinds(data) == {kind}


def test_links_within_the_folder_are_nothing_odd() -> None:
    assert not kinds(header(b"a/b/link", 0, b"2", target=b"../c") + END)


def test_a_pax_size_counts_as_it_does_for_tarfile() -> None:
    data = pax((b"size", b"1024")) + header(b"a", 0) + padded(b"x" * 1024) + member(b"b", b"") + END
    assert [(found.name, found.size) for found in members(data)] == [("a", 1024), ("b", 0)]
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        assert found.getnames() == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (header(b"a", 0)[:300], DamagedError),
        (header(b"long", 1 << 30, b"L"), BudgetError),
        (member(b"long", b"x", b"L") * 100, BudgetError),
        (header(b"pax", 1000, b"x") + b"x", DamagedError),
        (header(b"a", 1000) + b"x", DamagedError),
    ],
)
def test_errors(data: bytes, error: type[LegacyError]) -> None:
    with pytest.raises(error):
        members(data)


SEEDS = [
    *(written(form) for form in FORMS[1:]),
    pax((b"path", b"name"), (b"size", b"3")) + member(b"a", b"xyz") + END,
    member(b"long", b"name" * 50, b"L") + member(b"a", b"xyz") + END,
    header(b"sparse", 512, b"S", magic=b"ustar  \0") + bytes(512) + END,
]


def sealed(data: bytearray) -> bytes:
    """With the digests of all blocks that may be headers made right again."""
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, min(len(data) - 1, 3000)))] = draw(
            st.sampled_from(b"\0\x01\x20\x2e\x2f\x30\x31\x37\x38\x78\x80\xff")
        )
    return sealed(data) if draw(st.booleans()) else bytes(data)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_what_tarfile_finds_is_found(data: bytes) -> None:
    found: set[tuple[int, int]] = set()
    seen: set[tuple[int, int]] = set()
    failed = False
    try:
        for one in tar.members(View(data).reader()):
            if one.kind == "file":
                found.add((one.data_offset, one.size))
    except LegacyError:
        failed = True
    with contextlib.suppress(Exception), tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            # Of a negative size, which base 256 can spell, it reads nothing.
            if info.isreg() and not info.issparse() and info.size >= 0:
                seen.add((info.offset_data, info.size))
    assert failed or seen <= found


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=1200), mutated()))
def test_any_bytes(data: bytes) -> None:
    try:
        for found in tar.members(View(data).reader()):
            assert found.size >= 0
            assert 0 < found.data_offset <= len(data)
    except LegacyError:
        pass


@pytest.mark.parametrize("name", [name for name in READERS if name.startswith("tar")])
def test_numbers_as_tarfile_reads_them(name: str) -> None:
    data = READERS[name][0](b"N.")
    with tarfile.open(fileobj=io.BytesIO(data)) as real:
        assert names(data) == real.getnames()
    assert "tar" in formats(View(data))
