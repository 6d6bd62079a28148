"""What bytes may be, by their bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import pickletools
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.legacy import sniff
from safemodel.legacy.content import Stream, View
from safemodel.legacy.magic import guess, is_lfs_pointer, recognise
from safemodel.legacy.sniff import formats
from tests.hostile.bombs import archive
from tests.hostile.tars import END, member

ZIP = archive((b"a", b"b"))
TAR = member(b"a", b"b") + END
HDF5 = b"\x89HDF\r\n\x1a\n"


def of(data: bytes) -> tuple[str, ...]:
    return formats(View(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pickle.dumps({}), "pickle"),
        (pickle.dumps({}, 0), "pickle"),
        (ZIP, "zip"),
        (b"#!/bin/sh\n" + ZIP, "zip"),
        (ZIP + b"tail" * 1000, "zip"),
        (TAR, "tar"),
        (HDF5, "hdf5"),
        (bytes(512) + HDF5, "hdf5"),
        (bytes(4096) + HDF5, "hdf5"),
        (b"\x93NUMPY\1\0", "npy"),
        (b"GGUF\3\0\0\0", "gguf"),
        (b"\x02\0\0\0\0\0\0\0{}", "safetensors"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (bz2.compress(b"x"), "bzip2"),
        (lzma.compress(b"x"), "xz"),
        (lzma.compress(b"x", lzma.FORMAT_ALONE), "lzma"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"\x04\x22\x4d\x18\0", "lz4"),
        (b"\x02\x21\x4c\x18\0", "lz4-legacy"),
        (b"\x5f\x2a\x4d\x18\x01\0\0\0x\x04\x22\x4d\x18", "lz4"),
        (b"\x5f\x2a\x4d\x18\x01\0\0\0x\x28\xb5\x2f\xfd", "zstd"),
        (b' {"a": 1}', "json"),
        (b"\xef\xbb\xbf[1]", "json"),
        (b"7z\xbc\xaf\x27\x1c", "recognised"),
        (b"\x1c\0\0\0TFL3", "recognised"),
    ],
)
def test_formats(data: bytes, expected: str) -> None:
    assert expected in of(data)
    if expected not in ("zip", "hdf5") or data[:2] == b"PK" or data[:4] == HDF5[:4]:
        assert expected in formats(Stream(lambda: iter([data])))


@pytest.mark.parametrize("level", range(10))
def test_all_levels_of_zlib(level: int) -> None:
    assert "zlib" in of(zlib.compress(b"x" * 100, level))


@pytest.mark.parametrize("bits", range(9, 16))
def test_all_windows_of_zlib(bits: int) -> None:
    encoder = zlib.compressobj(6, zlib.DEFLATED, bits)
    assert "zlib" in of(encoder.compress(b"x" * 100) + encoder.flush())


@pytest.mark.parametrize("preset", range(10))
def test_all_presets_of_lzma(preset: int) -> None:
    assert "lzma" in of(lzma.compress(b"x", lzma.FORMAT_ALONE, preset=preset))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG\r\n\x1a\n" + bytes(20), b"\xff\xd8\xff\xe0", b"\n\n", b"PAR1" + bytes(9)],
)
def test_what_is_none_of_them(data: bytes) -> None:
    strong = {"zip", "tar", "hdf5", "npy", "gguf", "gzip", "zlib", "recognised", "safetensors"}
    assert not strong & set(of(data))


def test_every_opcode_may_begin_a_pickle() -> None:
    for opcode in pickletools.opcodes:
        assert "pickle" in of(opcode.code.encode("latin-1") + b"x")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_of_all_forms(form: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as made:
        made.addfile(tarfile.TarInfo("a"))
    assert "tar" in of(stream.getvalue())


def test_tar_without_a_magic() -> None:
    block = bytearray(TAR)
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    assert "tar" in of(bytes(block))
    with tarfile.open(fileobj=io.BytesIO(block)) as found:
        assert found.getnames() == ["a"]


def test_two_things_at_once() -> None:
    assert {"pickle", "zip"} <= set(of(pickle.dumps(1) + ZIP))
    name = b"cos\nsystem\n(S'true'\ntR."
    assert {"pickle", "tar"} <= set(of(member(name, b"") + END))
    assert {"zip", "hdf5"} <= set(of(ZIP.ljust(512, b"\0") + HDF5))


RECOGNISED = {
    "a PMML model": b'<?xml version="1.0"?><PMML version="4.4">',
    "an OpenVINO model": b'<?xml version="1.0"?><net name="x" version="11"><layers><layer id="0">',
    "Python bytecode": b"\xa7\x0d\x0d\x0a" + bytes(12),
    "a program (Windows)": b"MZ\x90\0\x03\0" + bytes(60),
    "an R object (RDS)": b"X\n\0\0\0\x03\0\4\3\0",
    "a Java serialization stream": b"\xac\xed\0\x05sr",
    "an MXNet parameter file": b"\x12\x01" + bytes(14) + b"\1",
}


@pytest.mark.parametrize("what", RECOGNISED)
def test_recognised(what: str) -> None:
    found = recognise(RECOGNISED[what])
    assert found is not None
    assert (found.what, bool(found.hint)) == (what, True)


GUESSED = {
    "a Core ML model": b"\x08\x04\x12\x20\x0a\x10\x0a\x05image\x12\x03\x22\x01\x00",
    "a PaddlePaddle program": b"\x0a\x90\x01\x08\x00\x10\xff\xff\xff\xff\x0f\x1a\x05",
    "a Caffe model": b"\x0a\x05LeNet\xa2\x06\x30",
    "a MessagePack file (Flax?)": b"\x82\xa6params\x81\xa5dense\x80",
}


@pytest.mark.parametrize("what", GUESSED)
def test_guessed(what: str) -> None:
    found = guess(GUESSED[what])
    assert found is not None
    assert found.what == what
    assert sniff.LAST_RESORT in of(GUESSED[what])


@pytest.mark.parametrize(
    "data",
    [b"\x08\x08\x12\x07pytorch", b"\x0a\x10\x0a\x05Const\x12\x05Const", b"", b"\x81", b"\x08"],
)
def test_not_guessed(data: bytes) -> None:
    assert guess(data) is None


def test_git_lfs_pointers() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    assert is_lfs_pointer(pointer)
    found = recognise(pointer)
    assert found is not None
    assert "git lfs pull" in found.hint


MAGICS = [ZIP, TAR, HDF5, gzip.compress(b"x"), b"\x93NUMPY", b"PK\5\6", b"ustar", *GUESSED.values()]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from(MAGICS)), max_size=4))
def test_any_bytes(parts: list[bytes]) -> None:
    data = b"".join(parts)
    for content in (View(data), Stream(lambda: iter([data]))):
        assert all(isinstance(name, str) for name in formats(content))


def test_a_zip_archive_is_no_pickle_with_a_persistent_id() -> None:
    for magic in (b"PK\3\4", b"PK\5\6"):
        assert not {"joblib", "torch_legacy", "pickle"} & set(of(magic + b"\n0" * 50 + b"."))


def test_numbers_before_a_brace_are_no_header() -> None:
    size = (64).to_bytes(8, "little")
    assert "safetensors" in of(size + b'{"a"' + bytes(60))
    assert "safetensors" in of(size + b"{}" + b" " * 62)
    assert "safetensors" not in of(size + b"{e\0\0\0\0\0\0" + bytes(60))
