"""ZIP archives: what readers see is among our members, whatever the bytes."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError
from safemodel.legacy import zip as zip_module
from safemodel.legacy.search import is_filler, occurrences
from safemodel.legacy.zip import parse_zip
from safemodel.legacy.zip_facts import ZipFacts
from tests.hostile.bombs import archive, central, end, local


def parse(data: bytes) -> ZipFacts:
    return parse_zip(memoryview(data))


def kinds(data: bytes) -> set[str]:
    return {oddity.kind for oddity in parse(data).oddities}


def written(members: dict[str, bytes], method: int = 0, *, seekable: bool = True) -> bytes:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    stream = io.BytesIO() if seekable else Pipe()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


MEMBERS = {"a/data.pkl": b"N." * 10, "a/data/0": bytes(100), "empty": b"", "ü.txt": b"x" * 5000}


@pytest.mark.parametrize("method", [0, 8, 12, 14])
@pytest.mark.parametrize("seekable", [True, False])
def test_honest_archives_have_nothing_odd(method: int, seekable: bool) -> None:
    data = written(MEMBERS, method, seekable=seekable)
    facts = parse(data)
    assert (facts.oddities, facts.gaps, facts.problems) == ((), (), ())
    assert (facts.prefix, facts.end) == (0, len(data))
    assert [member.name for member in facts.members] == list(MEMBERS)
    assert [member.size for member in facts.members] == [len(data) for data in MEMBERS.values()]


def test_zip64_archives_have_nothing_odd() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made, made.open("a", "w", force_zip64=True) as member:
        member.write(b"x" * 10)
    assert parse(stream.getvalue()).oddities == ()


@pytest.mark.slow
def test_many_members_with_zip64_end_records() -> None:
    data = written({str(index): b"" for index in range(66_000)})
    facts = parse(data)
    assert (len(facts.members), facts.oddities) == (66_000, ())


def test_torch_archives_have_nothing_odd() -> None:
    torch = pytest.importorskip("torch")
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(1000)}, stream)
    facts = parse(stream.getvalue())
    assert (facts.oddities, facts.gaps, facts.problems) == ((), (), ())


LIE = {
    "name": local(b"notes.txt", b"N.") + central(b"a.pkl", 0, b"N.") + end(1, 51, 41),
    "method": local(b"a.pkl", b"N.", method=8) + central(b"a.pkl", 0, b"N.") + end(1, 51, 37),
    "crc": local(b"a.pkl", b"N.", crc=7) + central(b"a.pkl", 0, b"N.") + end(1, 51, 37),
    "size": local(b"a.pkl", b"N.", size=1) + central(b"a.pkl", 0, b"N.") + end(1, 51, 37),
    "flags": local(b"a.pkl", b"N.", flags=1) + central(b"a.pkl", 0, b"N.") + end(1, 51, 37),
    "no local header": bytes(37) + central(b"a.pkl", 0, b"N.") + end(1, 51, 37),
    "descriptor": local(b"a.pkl", b"N.", flags=8) + central(b"a.pkl", 0, b"N.") + end(1, 51, 37),
    "count": local(b"a.pkl", b"N.") + central(b"a.pkl", 0, b"N.") + end(2, 51, 37),
    "disks": local(b"a.pkl", b"N.") + central(b"a.pkl", 0, b"N.") + end(1, 51, 37)[:4] + b"\1"
    + end(1, 51, 37)[5:],
    "second name": local(b"a.pkl", b"N.")
    + central(b"a.pkl", 0, b"N.", extra=struct.pack("<2HBL", 0x7075, 10, 1, 0) + b"b.pkl")
    + end(1, 65, 37),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIE)
def test_disagreements(lie: str) -> None:
    assert "disagreement" in kinds(LIE[lie])


def test_what_disagrees_is_listed_by_both_readings() -> None:
    data = local(b"a.pkl", b"N." * 9, method=8, size=100) + central(b"a.pkl", 0, b"N." * 9)
    members = parse(data + end(1, 51, 53)).members
    assert {(member.method, member.size, member.listed) for member in members} == {
        (0, 18, True),
        (8, 100, False),
    }


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ([(b"a", b"1"), (b"a", b"2")], "duplicate"),
        ([(b"x/data.pkl", b"1"), (b"x/DATA.PKL", b"2")], "duplicate"),
        ([(b"x/data.pkl", b"1"), (b"x\\data.pkl", b"2")], "duplicate"),
        ([(b"../a", b"")], "escape"),
        ([(b"a/../../b", b"")], "escape"),
        ([(b"/etc/passwd", b"")], "escape"),
        ([(b"C:a", b"")], "escape"),
        ([(b"..\\a", b"")], "escape"),
        ([(b"data.pkl\0.txt", b"")], "name"),
        ([(b"a\x1b[31m", b"")], "name"),
    ],
)
def test_names(members: list[tuple[bytes, bytes]], kind: str) -> None:
    assert kinds(archive(*members)) == {kind}


def test_names_with_dots_lead_nowhere() -> None:
    assert kinds(archive((b"a..b/c...d/..e", b""))) == set()


def test_a_name_is_cut_at_nul_as_zipfile_does() -> None:
    assert parse(archive((b"data.pkl\0.txt", b""))).members[0].name == "data.pkl"


def test_a_prefix_moves_all_offsets() -> None:
    data = written(MEMBERS)
    facts = parse(b"#!/bin/sh\n" + data)
    assert facts.prefix == 10
    assert [member.data_offset - 10 for member in facts.members] == [
        member.data_offset for member in parse(data).members
    ]


def test_appended_archives_are_found_too() -> None:
    both = written({"one": b"1" * 500}) + written({"two": b"2"})
    facts = parse(both)
    assert {(member.name, member.listed) for member in facts.members} == {
        ("two", True),
        ("one", False),
    }
    assert "unlisted" in kinds(both)


def test_an_archive_in_the_comment() -> None:
    data = archive((b"a", b"1"), comment=archive((b"b", b"2")))
    facts = parse(data)
    assert {"a", "b"} == {member.name for member in facts.members}
    assert "directories" in kinds(data)


def test_an_archive_as_the_last_member_is_nothing_odd() -> None:
    assert kinds(archive((b"inner.zip", archive((b"a", b"1"))))) == set()


def test_offsets_that_readers_correct_or_not() -> None:
    """zipfile takes the directory before the end record, miniz the one that it points to."""
    first = local(b"a", b"1") + central(b"a", 0, b"1")
    second = central(b"b", 0, b"1")
    data = first + second + end(1, len(second), 32)
    assert "directories" in kinds(data)


def test_data_that_overlap() -> None:
    data = local(b"a", b"1") + central(b"a", 0, b"1") + central(b"b", 0, b"1") + end(2, 94, 32)
    assert "overlap" in kinds(data)


def test_without_an_end_record_local_headers_count() -> None:
    data = written(MEMBERS)[:-30]
    facts = parse(data)
    assert {member.name for member in facts.members} >= {"a/data.pkl", "a/data/0"}
    assert any(isinstance(problem, DamagedError) for problem in facts.problems)


def test_neither_end_record_nor_header() -> None:
    with pytest.raises(DamagedError):
        parse(b"PK is no archive")


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_module, "MAX_MEMBERS", 3)
    facts = parse(written({str(index): b"" for index in range(10)}))
    assert any(isinstance(problem, BudgetError) for problem in facts.problems)


def test_the_clock_is_looked_at() -> None:
    def late() -> None:
        raise BudgetError("late")

    with pytest.raises(BudgetError):
        parse_zip(memoryview(b"x" * 10_000 + archive((b"a", b""))), late)


def seen_by_zipfile(data: bytes) -> list[tuple[str, int, int, int, int]]:
    with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(data)) as found:
        warnings.simplefilter("ignore")
        return [
            (each.filename, each.header_offset, each.compress_type, each.compress_size, each.CRC)
            for each in found.infolist()
        ]


def can_be_opened(data: bytes, offset: int) -> bool:
    """Whether there is a whole local header."""
    if offset < 0 or data[offset : offset + 4] != b"PK\3\4" or len(data) < offset + 30:
        return False
    return offset + 30 + sum(struct.unpack_from("<2H", data, offset + 26)) <= len(data)


SEEDS = [
    written(MEMBERS),
    written(MEMBERS, 8, seekable=False),
    b"prefix" + written(MEMBERS, 8),
    written({"one": b"1"}) + written({"two": b"2"}),
    archive((b"a", b"1"), comment=archive((b"b", b"2"))),
    *LIE.values(),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data) - 1))
        action = draw(st.sampled_from("bwcid"))
        if action == "b":
            data[at] = draw(st.integers(0, 255))
        elif action == "w":
            data[at : at + 4] = struct.pack("<L", draw(st.integers(0, 2**32 - 1)))
        elif action == "c" and at:
            del data[at:]
        elif action == "d":
            del data[at : at + draw(st.integers(1, 40))]
        else:
            other = draw(st.sampled_from(SEEDS))
            data[at:at] = other[: draw(st.integers(0, 200))]
        if not data:
            break
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_what_zipfile_sees_is_among_the_members(data: bytes) -> None:
    try:
        facts = parse(data)
    except LegacyError:
        facts = None
    try:
        seen = seen_by_zipfile(data)
    except Exception:
        return
    known = set() if facts is None else {(m.name, m.header_offset) for m in facts.members}
    for name, offset, *_ in seen:
        if can_be_opened(data, offset):
            assert (name, offset) in known


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), mutated()))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    try:
        facts = parse(data)
    except LegacyError:
        return
    for member in facts.members:
        assert 0 <= member.data_offset <= member.data_offset + member.compressed <= len(data)
    for start, stop in facts.gaps:
        assert 0 <= start < stop <= len(data)


@given(st.binary(max_size=400), st.binary(min_size=1, max_size=3), st.integers(0, 50))
def test_occurrences(data: bytes, needle: bytes, start: int) -> None:
    found = list(occurrences(memoryview(data), needle, start, len(data)))
    assert found == [at for at in range(start, len(data)) if data.startswith(needle, at)]


@pytest.mark.parametrize("size", [1, 4096, (1 << 20) + 3])
def test_occurrences_over_windows(size: int) -> None:
    data = bytes(size) + b"PK\3\4" + bytes(size)
    assert list(occurrences(memoryview(data), b"PK\3\4", 0, len(data))) == [size]
    assert not is_filler(memoryview(data), 0, len(data))
    assert is_filler(memoryview(data), 0, size)
