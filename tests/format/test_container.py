"""The container: every ZIP program opens it, and the reader accepts no other bytes."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel import limits
from safemodel.errors import (
    ContainerError,
    FormatError,
    LimitError,
    MemberNameError,
    SafemodelError,
    TruncatedError,
)
from safemodel.format import container
from safemodel.format.container import Entry

FULL32 = 0xFFFFFFFF
KEY_ID = "ab" * 32
SIGNATURE = f"signatures/{KEY_ID}.manifest.sigstore.json"

payload_names = st.from_regex(r"\A[a-z][a-z0-9_-]{0,6}(/[a-z][a-z0-9]{0,4})?(\.bin)?\Z") | (
    st.sampled_from(["weights.safetensors", "weights-00001-of-00002.safetensors", "weights.bin"])
)
contents = st.builds(
    lambda payload, manifest, signatures: (
        payload | {"manifest.json": manifest} | dict.fromkeys(signatures, b"{}")
    ),
    st.dictionaries(payload_names, st.binary(max_size=40), max_size=5),
    st.binary(max_size=40),
    st.sets(st.sampled_from([SIGNATURE, SIGNATURE.replace("manifest", "oms")])),
)


def entries_of(members: Mapping[str, bytes]) -> tuple[Entry, ...]:
    signatures = [name for name in members if name.startswith("signatures/")]
    payload = [name for name in members if name not in (*signatures, "manifest.json")]
    order = container.member_order(payload, signatures)
    planned = container.plan([(name, len(members[name])) for name in order])
    return tuple(replace(entry, crc32=zlib.crc32(members[entry.name])) for entry in planned)


def archive(members: Mapping[str, bytes]) -> bytes:
    written = bytearray()
    entries = entries_of(members)
    for entry in entries:
        assert entry.header_offset == len(written)
        written += container.local_header(*_header_arguments(entry))
        assert entry.data_offset == len(written)
        written += members[entry.name]
        assert entry.end == len(written)
    return bytes(written) + container.tail(entries)


def _header_arguments(entry: Entry) -> tuple[str, int, int, int]:
    return entry.name, entry.size, entry.crc32, entry.header_offset


def parse(data: bytes) -> tuple[Entry, ...]:
    """What a reader does: it reads the end, then as much as that says."""
    length = container.tail_length(data[-98:], len(data))
    return container.parse_tail(memoryview(data)[-length:], len(data))


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed")
    assert path, f"{name} must be installed where CI is set"
    return path


def check_with_tools(path: Path) -> None:
    for command in (["unzip", "-tq"], ["7z", "t", "-bd"], ["zipinfo", "-t"]):
        arguments = [tool(command[0]), *command[1:], str(path)]
        result = subprocess.run(arguments, capture_output=True, text=True)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        assert "warning" not in output.lower(), output


@given(contents)
def test_zipfile_reads_every_archive(members: dict[str, bytes]) -> None:
    try:
        data = archive(members)
    except MemberNameError:  # a file that is another's folder
        return
    entries = parse(data)
    assert entries == entries_of(members)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == members
        for info, entry in zip(opened.infolist(), entries, strict=True):
            assert info.filename == entry.name
            assert (info.header_offset, info.file_size) == (entry.header_offset, entry.size)
            assert (info.compress_type, info.flag_bits) == (zipfile.ZIP_STORED, 0)
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.create_system, info.create_version, info.extract_version) == (0, 20, 20)
            assert (info.external_attr, info.internal_attr, info.comment) == (0, 0, b"")
            assert info.extra == b""
            if entry.name.endswith(".safetensors"):
                assert entry.data_offset % 4096 == 0
            else:
                assert entry.data_offset == entry.header_offset + 30 + len(entry.name)


def test_other_programs_read_an_archive(tmp_path: Path) -> None:
    members = {
        "weights-00001-of-00002.safetensors": os.urandom(70_001),
        "weights-00002-of-00002.safetensors": os.urandom(10),
        "a/b/c.txt": b"text",
        "README.md": b"",
        "manifest.json": b"{}",
        SIGNATURE: b"{}",
    }
    path = tmp_path / "m.safemodel"
    path.write_bytes(archive(members))
    check_with_tools(path)
    subprocess.run([tool("unzip"), "-q", str(path), "-d", str(tmp_path / "out")], check=True)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in members} == members


@pytest.mark.parametrize("before", [*range(4096 - 60, 4096), *range(10), 2000])
def test_weights_are_aligned_with_the_least(before: int, tmp_path: Path) -> None:
    """All residues around the ones where the field would be shorter than it can be."""
    name = "weights.safetensors"
    header = container.local_header(name, 5, 7, before)
    extra = header[30 + len(name) :]
    needed = -(before + 30 + len(name)) % 4096
    assert (before + len(header)) % 4096 == 0
    assert len(extra) == (needed if needed == 0 or needed >= 6 else needed + 4096)
    if extra:
        assert struct.unpack_from("<3H", extra) == (0xD935, len(extra) - 4, 4096)
        assert not any(extra[6:])


def test_every_length_of_the_alignment_field_is_read_by_others(tmp_path: Path) -> None:
    """Two shards, so that the second lies at offsets which the first one's size decides."""
    first, second = "weights-00001-of-00002.safetensors", "weights-00002-of-00002.safetensors"
    lengths = set()
    for size in (4032, 4031, 4030, 4029, 4028, 4027, 4026, 4025, 4024, 1):
        members = {first: b"x" * size, second: b"abc", "manifest.json": b"{}"}
        data = archive(members)
        entry = parse(data)[1]
        lengths.add(entry.data_offset - entry.header_offset - 30 - len(second))
        path = tmp_path / f"{size}.zip"
        path.write_bytes(data)
        check_with_tools(path)
        with zipfile.ZipFile(path) as opened:
            assert opened.testzip() is None
    assert lengths >= {0, 4097, 4101, 6, 7}


def test_the_order_of_members() -> None:
    payload = ["z", "a/b", "weights-00002-of-00002.safetensors", "weights.bin", "B",
               "weights-00001-of-00002.safetensors"]  # fmt: skip
    oms = SIGNATURE.replace("manifest", "oms")
    assert container.member_order(payload, iter([oms, SIGNATURE])) == (
        "weights-00001-of-00002.safetensors",
        "weights-00002-of-00002.safetensors",
        "B",
        "a/b",
        "weights.bin",
        "z",
        "manifest.json",
        SIGNATURE,
        oms,
    )
    assert container.member_order([], []) == ("manifest.json",)


@pytest.mark.parametrize(
    ("payload", "signatures"),
    [
        (["manifest.json"], []),
        (["signatures/a"], []),
        (["Manifest.json"], []),
        (["../a"], []),
        (["a", "A"], []),
        (["a", "a/b"], []),
        (["a", "a"], []),
        ([], ["signatures/a"]),
        ([], [SIGNATURE, SIGNATURE]),
    ],
)
def test_names_are_checked(payload: list[str], signatures: list[str]) -> None:
    with pytest.raises(MemberNameError):
        container.member_order(payload, signatures)


def test_the_number_of_signatures_is_limited() -> None:
    signatures = [f"signatures/{i:064x}.oms.sigstore.json" for i in range(65)]
    assert len(container.member_order([], signatures[:64])) == 65
    with pytest.raises(LimitError):
        container.member_order([], signatures)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("manifest.json", limits.MAX_MANIFEST_SIZE),
        (SIGNATURE, limits.MAX_SIGNATURE_FILE),
        ("a", limits.MAX_MEMBER_SIZE),
    ],
)
def test_sizes_are_limited(name: str, limit: int) -> None:
    assert container.plan([(name, limit)])[0].size == limit
    with pytest.raises(LimitError):
        container.plan([(name, limit + 1)])
    order = container.member_order(["a"], [SIGNATURE])
    sizes = [(member, limit + 1 if member == name else 0) for member in order]
    tail = forged([Entry(member, size, 0, 0, 0) for member, size in sizes])
    with pytest.raises(LimitError):
        container.parse_tail(tail, len(tail))


def forged(entries: Sequence[Entry]) -> bytes:
    """A tail that fits a file of its own length, whatever the entries say."""
    data = bytearray(container.tail(entries))
    offset = min(entries[-1].end, FULL32)
    if data[-98:-94] == b"PK\x06\x06":
        data = data[:-98] + data[-22:]
    assert struct.unpack_from("<L", data, len(data) - 6)[0] == offset
    data[-6:-2] = bytes(4)
    return bytes(data)


def test_the_whole_is_limited_to_what_a_file_can_be() -> None:
    members = [(f"m{i}", 1 << 50) for i in range(8192)]
    assert container.plan(members[:8191])
    with pytest.raises(LimitError):
        container.plan(members)


@given(contents, st.data())
def test_a_changed_archive_is_refused_or_canonical(
    members: dict[str, bytes], data: st.DataObject
) -> None:
    try:
        whole = bytearray(archive(members))
    except MemberNameError:
        return
    length = container.tail_length(whole, len(whole))
    at = len(whole) - 1 - data.draw(st.integers(0, length - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        entries = parse(bytes(whole))
    except SafemodelError:
        return
    assert container.tail(entries) == whole[-length:]
    assert entries != entries_of(members)


@given(contents, st.data())
def test_a_cut_or_longer_archive_is_refused(members: dict[str, bytes], data: st.DataObject) -> None:
    try:
        whole = archive(members)
    except MemberNameError:
        return
    at = data.draw(st.integers(0, len(whole) - 1))
    more = data.draw(st.binary(min_size=1, max_size=30))
    for changed in (whole[:at], whole[:at] + whole[at + 1 :], whole[:at] + more + whole[at:]):
        with pytest.raises(FormatError):
            check_all(changed)


def check_all(data: bytes) -> None:
    """Parse and compare the local headers too, as `verify` does."""
    for entry in parse(data):
        if data[entry.header_offset : entry.data_offset] != container.local_header(
            *_header_arguments(entry)
        ):
            raise ContainerError("local header")
        if zlib.crc32(data[entry.data_offset : entry.end]) != entry.crc32:
            raise ContainerError("content")


@given(
    st.binary(max_size=150)
    | st.binary(max_size=99).map(lambda data: data + b"PK\x05\x06" + bytes(18))
    | st.binary(max_size=60).map(lambda data: b"PK\x01\x02" + data + container.tail(SMALL)[-22:])
)
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    for size in (len(data), 0, 1 << 40):
        check_refused(data, size)


def check_refused(data: bytes, size: int) -> None:
    with contextlib.suppress(FormatError):
        assert 0 < container.tail_length(data, size) <= size
    with pytest.raises(FormatError):
        container.parse_tail(data, size)


SMALL = container.plan([("manifest.json", 2)])


@given(st.data())
def test_any_records_raise_only_our_errors(data: st.DataObject) -> None:
    """Plausible structures with arbitrary numbers in them."""
    number = st.sampled_from([0, 1, 2, 45, 46, 0xFFFF, FULL32, 1 << 50, (1 << 64) - 1])
    draw = lambda bits: data.draw(number) & ((1 << bits) - 1)  # noqa: E731
    records = b""
    for _ in range(data.draw(st.integers(0, 2))):
        name = data.draw(st.sampled_from([b"manifest.json", b"a", b"", b"\xff", b"../a"]))
        extra = data.draw(st.sampled_from([b"", b"\1\0", struct.pack("<2H2Q", 1, 16, 1 << 63, 0)]))
        records += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0x21, 0, draw(32), draw(32),
            draw(16) if data.draw(st.booleans()) else len(name), len(extra), 0, 0, 0, 0, draw(32),
        ) + name + extra  # fmt: skip
    if data.draw(st.booleans()):
        count = draw(64)
        records += struct.pack(
            "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, draw(64), draw(64)
        ) + struct.pack("<4sLQL", b"PK\x06\x07", 0, draw(64), 1)
    count = draw(16)
    records += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, draw(32), draw(32), 0)
    for size in (len(records), draw(64)):
        check_refused(records, size)


def patched(position: int, change: bytes) -> bytes:
    """A small archive with bytes of its tail replaced, counted from its end."""
    data = bytearray(archive({"a": b"A", "b": b"B", "manifest.json": b"{}"}))
    start = len(data) + position
    assert data[start : start + len(change)] != change
    data[start : start + len(change)] = change
    return bytes(data)


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (-2, b"\1\0"),  # a comment of one byte
        (-18, b"\1\0"),  # disks
        (-16, b"\1\0"),
        (-14, b"\2\0"),  # counts
        (-12, b"\4\0"),
        (-14, b"\xff\xff\xff\xff"),
        (-10, b"\xff\xff\xff\xff"),
        (-6, b"\xff\xff\xff\xff"),
        (-6, b"\1\0\0\0"),
        (-22 - 59, b"X"),
        (-22 - 59 + 4, b"\x14\3"),  # made on Unix
        (-22 - 59 + 6, b"\x2d"),  # version 45 without need
        (-22 - 59 + 8, b"\1"),  # encrypted
        (-22 - 59 + 8, b"\0\x08"),  # UTF-8
        (-22 - 59 + 10, b"\x08"),  # deflated
        (-22 - 59 + 12, b"\1"),  # time
        (-22 - 59 + 14, b"\x22"),  # date
        (-22 - 59 + 20, b"\1"),  # compressed size
        (-22 - 59 + 24, b"\1"),  # size
        (-22 - 59 + 24, b"\xff\xff\xff\xff"),
        (-22 - 59 + 28, b"\x0c"),  # name length
        (-22 - 59 + 28, b"\x0e"),
        (-22 - 59 + 28, b"\xff\xff"),
        (-22 - 59 + 30, b"\1"),  # extra length
        (-22 - 59 + 32, b"\1"),  # comment length
        (-22 - 59 + 34, b"\1"),  # disk
        (-22 - 59 + 36, b"\1"),  # internal attributes
        (-22 - 59 + 38, b"\1"),  # external attributes
        (-22 - 59 + 42, b"\0"),  # offset
        (-22 - 59 + 46, b"n"),  # no manifest
        (-22 - 59 - 47 + 46, b"a"),  # a, a
        (-22 - 59 - 47 + 46, b"/"),
        (-22 - 59 - 47 + 46, b"\xe9"),
        (-22 - 59 - 47 + 46, b"0"),  # out of order
    ],
)
def test_other_tails_are_refused(position: int, change: bytes) -> None:
    assert parse(archive({"a": b"A", "b": b"B", "manifest.json": b"{}"}))
    with pytest.raises((ContainerError, MemberNameError)):
        parse(patched(position, change))


def test_a_crc_is_taken_as_it_is() -> None:
    """It is compared with the manifest, by who has that."""
    entries = parse(patched(-22 - 59 + 16, b"\1\2\3\4"))
    assert entries[2].crc32 == 0x04030201


def test_bytes_around_an_archive_are_refused() -> None:
    data = archive({"a": b"A", "manifest.json": b"{}"})
    for changed in (b"#!/bin/sh\n" + data, data[:31] + b"A" + data[31:]):
        with pytest.raises(ContainerError, match="bytes in a file of"):
            parse(changed)
    with pytest.raises(ContainerError, match="after the end"):
        parse(data + b"\n")
    for changed in (data[:-1], data[:-22], data[:20], b""):
        with pytest.raises(TruncatedError):
            parse(changed)


def test_a_gap_between_members_is_refused() -> None:
    """Also when offsets, directory and file size agree about it."""
    first, manifest = container.plan([("a", 1), ("manifest.json", 2)])
    moved = replace(
        manifest, header_offset=manifest.header_offset + 1, data_offset=manifest.data_offset + 1
    )
    tail = container.tail([first, moved])
    with pytest.raises(ContainerError):
        container.parse_tail(tail, moved.end + len(tail))
    overlapping = [first, replace(moved, header_offset=0, data_offset=43)]
    tail = container.tail(overlapping)
    with pytest.raises(ContainerError):
        container.parse_tail(tail, overlapping[-1].end + len(tail))


def test_the_tail_is_given_whole() -> None:
    data = archive({"a": b"A", "manifest.json": b"{}"})
    length = container.tail_length(data, len(data))
    for wrong in (length - 1, length + 1):
        with pytest.raises(ContainerError):
            container.parse_tail(data[-wrong:], len(data))


def test_archives_of_other_programs_are_refused_with_advice() -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as writer:
            writer.writestr("manifest.json", b"{}" * 50)
        with pytest.raises(ContainerError) as caught:
            parse(buffer.getvalue())
        assert "safemodel pack" in str(caught.value.hint)
    with pytest.raises(ContainerError, match="order"):
        parse(b"PK\x05\x06" + bytes(18))  # an empty archive


def counted(count: int) -> dict[str, bytes]:
    return {f"m{i}": b"" for i in range(count - 1)} | {"manifest.json": b"{}"}


@pytest.mark.parametrize(("count", "zip64"), [(0xFFFE, False), (0xFFFF, True)])
def test_many_members(count: int, zip64: bool, tmp_path: Path) -> None:
    data = archive(counted(count))
    assert (data[-98:-94] == b"PK\x06\x06") is zip64
    assert struct.unpack("<H", data[-12:-10])[0] == min(count, 0xFFFF)
    assert len(parse(data)) == count
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(opened.namelist()) == count
    if zip64:
        path = tmp_path / "many.zip"
        path.write_bytes(data)
        check_with_tools(path)


def test_too_many_members_are_refused_before_they_are_read() -> None:
    entries = container.plan([(f"m{i}", 0) for i in range(100_001)])
    tail = container.tail(entries)
    with pytest.raises(LimitError):
        container.tail_length(tail[-98:], entries[-1].end + len(tail))


def test_a_directory_is_no_larger_than_its_members_need() -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 275, 0, 0)
    with pytest.raises(ContainerError, match="too large"):
        container.tail_length(end, 275 + 22)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 274, 0, 0)
    assert container.tail_length(end, 274 + 22) == 274 + 22


def sparse(path: Path, sizes: Sequence[tuple[str, int]]) -> tuple[Entry, ...]:
    """Write an archive of zeros, of which the file system stores only the headers."""
    entries = tuple(
        replace(entry, crc32=crc_of_zeros(entry.size)) for entry in container.plan(sizes)
    )
    with path.open("wb") as file:
        for entry in entries:
            file.seek(entry.header_offset)
            file.write(container.local_header(*_header_arguments(entry)))
        file.seek(entries[-1].end)
        file.write(container.tail(entries))
    return entries


def crc_of_zeros(size: int) -> int:
    """The CRC-32 of zeros, by squaring the operator "one zero byte more" (a 32 x 32 matrix)."""

    def apply(matrix: list[int], vector: int) -> int:
        result = 0
        for row in matrix:
            if vector & 1:
                result ^= row
            vector >>= 1
        return result

    matrix = [(zlib.crc32(b"\0", (1 << i) ^ FULL32) ^ FULL32) for i in range(32)]
    state = FULL32
    while size:
        if size & 1:
            state = apply(matrix, state)
        matrix = [apply(matrix, row) for row in matrix]
        size >>= 1
    return state ^ FULL32


def test_the_crc_of_zeros() -> None:
    for size in (0, 1, 7, 1000):
        assert crc_of_zeros(size) == zlib.crc32(bytes(size))


LARGE = [FULL32 - 1, FULL32, FULL32 + 1, 5 << 30]


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("name", ["weights.safetensors", "large.bin"])
def test_large_members(name: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    entries = sparse(path, [(name, size), ("small.txt", 3), ("manifest.json", 2)])
    file_size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(-98, os.SEEK_END)
        length = container.tail_length(file.read(), file_size)
        file.seek(-length, os.SEEK_END)
        assert container.parse_tail(file.read(), file_size) == entries
        file.seek(0)
        header = file.read(entries[0].data_offset)
    zip64 = size >= FULL32
    version, crc32, compressed, plain, name_length = struct.unpack_from("<H8xLLLH", header, 4)
    assert (version, crc32) == (45 if zip64 else 20, entries[0].crc32)
    assert compressed == plain == min(size, FULL32)
    extra = header[30 + name_length :]
    if zip64:
        assert struct.unpack_from("<2H2Q", extra) == (1, 16, size, size)
    if name == "large.bin":
        assert len(extra) == (20 if zip64 else 0)
    else:
        assert len(header) == 4096
    with zipfile.ZipFile(path) as opened:
        infos = opened.infolist()
        assert [info.file_size for info in infos] == [size, 3, 2]
        assert [info.header_offset for info in infos] == [e.header_offset for e in entries]
        central = 45 if zip64 else 20
        assert (infos[0].create_version, infos[0].extract_version) == (central, central)
        second = 45 if entries[1].header_offset >= FULL32 else 20
        assert (infos[1].create_version, infos[1].extract_version) == (second, second)
        assert opened.read("small.txt") == bytes(3)
        with opened.open(name) as member:
            assert member.read(100) == bytes(100)
    # Info-ZIP takes a size of just 2^32 - 1 for a missing one when it reads the next member.
    commands = [["7z", "l", "-bd"]] + [["zipinfo"]] * (size != FULL32)
    for command in commands:
        arguments = [tool(command[0]), *command[1:], str(path)]
        result = subprocess.run(arguments, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        assert str(size) in result.stdout
        assert "warning" not in (result.stdout + result.stderr).lower()


@pytest.mark.slow
def test_other_programs_test_a_large_archive(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    sparse(path, [("weights.safetensors", FULL32 + 5), ("a", 9), ("manifest.json", 2)])
    check_with_tools(path)


def test_only_saturated_fields_are_in_the_central_zip64_field() -> None:
    entries = container.plan([("a", 1), ("b", FULL32), ("c", FULL32), ("manifest.json", 2)])
    tail = container.tail(entries)
    assert container.parse_tail(tail, entries[-1].end + len(tail)) == entries
    at = 0
    for entry, expected in zip(
        entries,
        [(), (FULL32, FULL32), (FULL32, FULL32, entries[2].header_offset),
         (entries[3].header_offset,)],
        strict=True,
    ):  # fmt: skip
        name_length, extra_length = struct.unpack_from("<2H", tail, at + 28)
        extra = tail[at + 46 + name_length : at + 46 + name_length + extra_length]
        at += 46 + name_length + extra_length
        wanted = struct.pack(f"<2H{len(expected)}Q", 1, 8 * len(expected), *expected)
        assert extra == (wanted if expected else b""), entry.name


def test_needless_and_missing_zip64_records_are_refused() -> None:
    members = {"a": b"A", "manifest.json": b"{}"}
    data = archive(members)
    count, size, offset = struct.unpack("<10xH2L2x", data[-22:])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(data) - 22, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, FULL32, FULL32, 0)
    for changed in (
        data[:-22] + record + locator + data[-22:],
        data[:-22] + record + locator + end,
        data[:-22] + end,
        end,
    ):
        with pytest.raises(ContainerError):
            parse(changed)


@pytest.mark.parametrize("size", [45, 46, 58, 60, 59 + 45])
def test_a_directory_of_another_length_than_its_headers(size: int) -> None:
    header = container.tail(SMALL)[:59]
    count = 1 + (size > 60)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, SMALL[0].end, 0)
    tail = (header * 2)[:size] + end
    assert container.tail_length(tail, SMALL[0].end + len(tail)) == len(tail)
    with pytest.raises(ContainerError):
        container.parse_tail(tail, SMALL[0].end + len(tail))


def test_offsets_that_no_file_has_are_refused() -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 59, FULL32, 0)
    for offset in ((1 << 63) - 59, (1 << 64) - 1):
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 59, offset)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, (offset + 59) % (1 << 64), 1)
        with pytest.raises(ContainerError):
            container.tail_length(record + locator + end, offset + 59 + 98)
