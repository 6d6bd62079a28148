"""Files that are made to hang, fill or crash whoever looks at them. `FILES` has them by name.

None is a model that anybody would miss: whatever a scan says of them, it does not say yes.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

from tests.hostile import bombs, tars
from tests.hostile.bombs import archive, central, end, local

MANY = 10**6
HUGE = (1 << 63) - 1
MAX32 = (1 << 32) - 1
MAX64 = (1 << 64) - 1

FILES: dict[str, Callable[[], bytes]] = {}
SPARSE: dict[str, tuple[bytes, int, bytes]] = {}  # begin, size of the file, end

Make = Callable[[], bytes]


def hostile(make: Make) -> Make:
    FILES[make.__name__] = make
    return make


def u32(number: int) -> bytes:
    return struct.pack("<L", number)


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


# Pickles


def _pickle(name: str, data: bytes, times: int = 1, tail: bytes = b"") -> None:
    FILES[f"pickle_{name}"] = lambda: data * times + tail


P4 = b"\x80\x04"
_pickle("marks", b"(", MANY, b".")
_pickle("marks_popped", b"(1", MANY)
_pickle("tuples_in_one_another", b"\x80\x02N" + b"\x85" * MANY + b"0")
_pickle("lists_in_one_another", b"\x80\x02" + b"]" * MANY + b"a" * (MANY - 1))
_pickle("dictionaries_in_one_another", b"\x80\x02" + b"}N" * MANY)
_pickle("memo_far_away", P4 + b"Nr\xff\xff\xff\xff")
_pickle("memo_many", P4 + b"N" + b"\x94" * MANY)
_pickle("memo_key_of_a_million_digits", b"Np" + b"9" * MANY + b"\n")
_pickle("memo_negative", b"Np-1\n.")
_pickle("doubled_by_dup", b"\x80\x02N" + b"2\x86" * 5000)
_pickle("doubled_lists", P4 + b"](" + b"N" * 10 + b"e\x94" + b"](" * 1 + b"h\0" * 10 + b"e\x94")
FILES["pickle_doubled_lists_by_memo"] = lambda: (
    P4
    + b"]q\0"
    + b"".join(
        b"](" + b"j" + u32(level) + b"j" + u32(level) + b"er" + u32(level + 1)
        for level in range(5000)
    )
)
_pickle("doubled_and_hashed", b"\x80\x02}N" + b"2\x86" * 64 + b"Ns", tail=b"(")
_pickle("integer_of_a_million_digits", b"L" + b"9" * MANY + b"L\n")
_pickle("integers_of_many_digits", b"I" + b"7" * 4000 + b"\n", 1000)
_pickle("integer_declared_2_GiB", b"\x80\x02\x8b" + u32((1 << 31) - 1) + bytes(100))
_pickle("integer_negative_size", b"\x80\x02\x8b" + u32(1 << 31) + b".")
_pickle("integer_of_8_MB", b"\x80\x02\x8b" + u32(8 << 20) + b"\x01" * (8 << 20))
_pickle("float_of_a_million_digits", b"F" + b"1" * MANY + b"\n")
_pickle("text_declared_8_EiB", P4 + b"\x8d" + u64(HUGE) + b"x")
_pickle("bytes_declared_16_EiB", P4 + b"\x8e" + u64(MAX64) + b"x")
_pickle("bytearray_declared_16_EiB", b"\x80\x05\x96" + u64(MAX64) + b"x")
_pickle("string_negative_size", b"T" + u32(MAX32) + b"x.")
_pickle("frame_declared_8_EiB", P4 + b"\x95" + u64(HUGE) + b"N.")
_pickle("frames_empty", P4 + b"\x95" + u64(0), 100_000)
_pickle("frames_in_frames", P4 + (b"\x95" + u64(900_000)) * 100_000)
_pickle("protocols", b"\x80\x04", MANY)
_pickle("protocol_255", b"\x80\xffN.")
_pickle("a_million_pickles", P4 + b"N.", MANY // 5, b"\x80")
_pickle("globals_unknown", b"")
FILES["pickle_globals_unknown"] = lambda: b"".join(
    b"cunknown.m%d\nname%d\n0" % (index, index) for index in range(100_000)
)
FILES["pickle_global_of_a_megabyte"] = lambda: (
    b"c" + b"a." * (MANY // 2) + b"\n" + b"b." * (MANY // 2) + b"\n."
)
_pickle("calls", b"cos\nsystem\n" + b"2)R0" * 200_000)
_pickle("calls_of_calls", b"cm\nn\n" + b")R" * 300_000)
_pickle("builds", b"cm\nn\n" + b"}b" * 300_000)
_pickle("string_without_an_end", b"S'" + b"a" * (10 * MANY))
_pickle("escapes", b"S'" + b"\\x41" * MANY + b"'\n")
_pickle("unicode_escapes", b"V" + b"\\u0041" * MANY + b"\n")
_pickle("buffers_out_of_band", b"\x80\x05" + b"\x97" * MANY)
_pickle("persistent", b"Px\n0" * 200_000)
_pickle("extensions", b"\x80\x02" + b"\x84" + u32(1) + b"0", 1)
_pickle("set_of_a_million", P4 + b"\x8f(" + b"K\x01" * MANY + b"\x90")
_pickle("stack_of_millions", P4 + b"N" * (5 * MANY))


@hostile
def pickle_in_pickle() -> bytes:
    core = b"N."
    for _ in range(60):
        core = P4 + b"c_pickle\nloads\nB" + u32(len(core)) + core + b"\x85R."
    return core


@hostile
def pickle_cut_off() -> bytes:
    return pickle.dumps({"weights": bytes(10**6), "names": list(range(10**5))})[:-1]


# Compressed streams

FILES["gzip_10_GB"] = lambda: bombs.gzip_of(bombs.zeros(10_000))
FILES["zlib_10_GB"] = lambda: bombs.zlib_of(bombs.zeros(10_000))
FILES["bzip2_40_GB"] = lambda: bombs.bzip2_zeros(1000)
FILES["xz_32_GB"] = lambda: bombs.xz_zeros(500)
FILES["zstd_80_GB"] = lambda: bombs.zstd_zeros(600_000)
FILES["gzip_of_pickle_bomb"] = lambda: bombs.gzip_of(bombs.deflated(b"(" * bombs.MEGABYTE, 5000))
FILES["gzip_of_tar_bomb"] = lambda: bombs.gzip_of(
    bombs.deflated(b"".join(tars.header(b"%d" % n) for n in range(2000)), 5000)
)
FILES["gzip_in_gzip_1000"] = lambda: bombs.nested_gzip(1000)
FILES["gzip_in_gzip_10_GB"] = lambda: gzip.compress(bombs.gzip_of(bombs.zeros(10_000)))
FILES["gzip_a_million_members"] = lambda: gzip.compress(b"", mtime=0) * (MANY // 2) + b"\x1f\x8b"
FILES["gzip_endless_name"] = lambda: b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"a" * (8 << 20)
FILES["gzip_cut_off"] = lambda: gzip.compress(os.urandom(10**5))[:-5000]
FILES["gzip_wrong_crc"] = lambda: gzip.compress(P4 + b"N.")[:-8] + bytes(8)
FILES["gzip_unknown_method"] = lambda: b"\x1f\x8b\x07\0\0\0\0\0\0\xff" + bytes(100)
FILES["gzip_of_noise"] = lambda: b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + os.urandom(10**5)
FILES["bzip2_cut_off"] = lambda: bz2.compress(os.urandom(10**5))[:-5000]
FILES["bzip2_of_noise"] = lambda: b"BZh9" + os.urandom(10**5)
FILES["xz_cut_off"] = lambda: lzma.compress(os.urandom(10**5))[:-5000]
FILES["xz_of_noise"] = lambda: b"\xfd7zXZ\0" + os.urandom(10**5)
FILES["lzma_dictionary_of_4_GiB"] = lambda: bombs.lzma_alone(MAX32)
FILES["zstd_window_of_2_TiB"] = lambda: bombs.zstd_window(41)
FILES["zstd_window_of_1_GiB"] = lambda: bombs.zstd_window(30)
FILES["zstd_skip_4_GiB"] = lambda: b"\x50\x2a\x4d\x18" + u32(MAX32) + b"x"
FILES["zstd_skips"] = lambda: (b"\x50\x2a\x4d\x18" + u32(0)) * 500_000 + b"x"
FILES["zstd_of_noise"] = lambda: b"\x28\xb5\x2f\xfd" + os.urandom(10**5)
FILES["lz4_of_noise"] = lambda: b"\x04\x22\x4d\x18" + os.urandom(10**5)
FILES["lz4_legacy_block_of_4_GiB"] = lambda: b"\x02\x21\x4c\x18" + u32(0x7FFFFF) + bytes(1000)
FILES["gzip_of_zip_of_gzip"] = lambda: gzip.compress(
    archive((b"x.gz", bombs.gzip_of(bombs.zeros(5000))))
)


@hostile
def xz_in_xz() -> bytes:
    core = P4 + b"N"
    for _ in range(100):
        core = lzma.compress(core, preset=0)
    return core


# ZIP archives

FILES["zip_10_GB"] = lambda: bombs.compressed_member(b"zeros.pkl", bombs.zeros(10_000), MAX32)
FILES["zip_bzip2_40_GB"] = lambda: bombs.compressed_member(
    b"zeros", bombs.bzip2_zeros(1000), MAX32, 12
)
FILES["zip_overlapping"] = lambda: bombs.overlapping(3000, 100)
FILES["zip_onion"] = lambda: bombs.onion(200)
FILES["zip_in_zip_100"] = lambda: bombs.nested_zip(100)
FILES["zip_branching"] = lambda: bombs.branching_zip(6, 16)
FILES["zip_member_of_pickle_bomb"] = lambda: bombs.compressed_member(
    b"a/data.pkl", bombs.deflated(b"(" * bombs.MEGABYTE, 2000), 2000 << 20
)
FILES["zip_says_65535_members"] = lambda: end(0xFFFF, 0, 0)
FILES["zip_says_4_GiB_of_directory"] = lambda: local(b"a", b"x") + end(1, MAX32, 10)
FILES["zip64_says_8_EiB"] = lambda: (
    b"PK\x06\x06"
    + u64(44)
    + struct.pack("<2H2L", 45, 45, 0, 0)
    + u64(HUGE) * 4
    + b"PK\x06\x07"
    + u32(0)
    + u64(0)
    + u32(1)
    + end(0xFFFF, MAX32, MAX32)
)
FILES["zip_sizes_declared_4_GiB"] = lambda: _lying(size=MAX32 - 1, packed=MAX32 - 1)
FILES["zip64_sizes_declared_16_EiB"] = lambda: _lying(
    size=MAX32, packed=MAX32, extra=struct.pack("<2H2Q", 1, 16, MAX64, MAX64)
)
FILES["zip_names_of_64_KiB"] = lambda: (
    archive(*((b"%05d" % index + b"n" * 65_000, b"") for index in range(200))) + b"x"
)
FILES["zip_encrypted"] = lambda: _lying(flags=1)
FILES["zip_unknown_method"] = lambda: _lying(method=97)
FILES["zip_deflate_of_noise"] = lambda: bombs.compressed_member(b"n", os.urandom(5000), 10**6)
FILES["zip_lzma_dictionary_of_4_GiB"] = lambda: bombs.compressed_member(
    b"n", b"\x09\x14\x05\x00\x5d\xff\xff\xff\xff" + bytes(100), 1000, 14
)
FILES["zip_lzma_bad_properties"] = lambda: bombs.compressed_member(
    b"n", b"\x09\x14\xff\xff\xff" + bytes(100), 1000, 14
)
FILES["zip_local_headers_only"] = lambda: b"".join(
    local(b"%d.pkl" % index, P4 + b"N.", flags=8, crc=0, size=0, packed=0)
    for index in range(50_000)
)
FILES["zip_signatures_only"] = lambda: b"PK\x03\x04" * (2 * MANY)
FILES["zip_unlisted_without_an_end"] = lambda: (
    local(b"a", b"", flags=8) * 100_000 + bytes(8 << 20) + b"1"
)
FILES["zip_3000_end_records"] = lambda: archive((b"a", b"N."), comment=b"".join(
    end(1, 47, 0)[:-2] + struct.pack("<H", 65_000 - 22 * index) for index in range(1, 2900)
))  # fmt: skip
FILES["zip_end_in_comment"] = lambda: archive((b"a", b"N."), comment=archive((b"b", b"N.")))
FILES["zip_escaping"] = lambda: archive((b"../../x", b""), (b"/etc/x", b""), (b"C:\\x", b""))
FILES["zip_same_names"] = lambda: archive((b"data.pkl", b"N."), (b"DATA.PKL", b"]."))
FILES["zip_nul_in_name"] = lambda: archive((b"data.pkl\0.txt", b"N."))
FILES["zip_directory_in_itself"] = lambda: _directory_in_itself()


@hostile
def zip_of_300000_members() -> bytes:
    header = central(b"a", 0)
    directory = header * 300_000
    front = local(b"a")
    return front + directory + end(300_000, len(directory), len(front))


@hostile
def zip_cut_off() -> bytes:
    return archive((b"a/data.pkl", P4 + b"N."), (b"a/data/0", bytes(1000)))[:-60]


def _lying(**said: int | bytes) -> bytes:
    body = local(b"a.pkl", P4 + b"N.", **said)
    directory = central(b"a.pkl", 0, P4 + b"N.", **said)
    return body + directory + end(1, len(directory), len(body))


def _directory_in_itself() -> bytes:
    """A member whose local header lies in the directory that lists it."""
    name = local(b"b", b"N.")
    directory = central(name, 46, b"N.")
    return directory + end(1, len(directory), 0)


# tar archives

FILES["tar_without_an_end"] = lambda: b"".join(tars.header(b"%d" % n) for n in range(20_000)) + b"x"
FILES["tar_size_8_EiB"] = lambda: _tar_size(b"\x80" + bytes(3) + u64(HUGE)[::-1])
FILES["tar_size_negative"] = lambda: _tar_size(b"\xff" * 12) + tars.END
FILES["tar_long_name_8_GiB"] = lambda: tars.header(b"long", (1 << 33) - 1, b"L") + b"x" * 1024
FILES["tar_long_names_in_a_row"] = lambda: tars.member(b"long", b"name", b"L") * 50_000
FILES["tar_pax_declared_4_GiB"] = lambda: tars.header(b"pax", (1 << 32), b"x") + b"x" * 1024
FILES["tar_pax_record_of_a_googol"] = lambda: (
    tars.member(b"pax", b"9" * 100 + b" path=x\n", b"x") + tars.member(b"a", b"x") + tars.END
)
FILES["tar_pax_size"] = lambda: tars.pax((b"size", b"9" * 30)) + tars.member(b"a", b"x") + tars.END
FILES["tar_pax_other_size"] = lambda: (
    tars.pax((b"size", b"1024")) + tars.member(b"a", b"x" * 512) + bytes(512) + tars.END
)
FILES["tar_sparse_map_without_an_end"] = lambda: (
    tars.header(b"a", 1000, b"S", magic=b"ustar  \0", extended=b"\1")
    + (bytes(504) + b"\1" + bytes(7)) * 20_000
)
FILES["tar_in_tar_100"] = lambda: _nested_tar(100)
FILES["tar_devices"] = lambda: (
    tars.header(b"zero", 0, b"3") + tars.header(b"fifo", 0, b"6") + tars.END
)
FILES["tar_link_out"] = lambda: tars.header(b"w", 0, b"2", target=b"../../etc/passwd") + tars.END
FILES["tar_two_at_once"] = lambda: (tars.member(b"a", b"N.") + tars.END) * 2
FILES["tar_cut_off"] = lambda: tars.member(b"a.pkl", P4 + b"B" + u32(5000) + bytes(5000))[:2000]
FILES["tar_of_one_header_after_another"] = lambda: tars.header(b"a", 0) * 30_000 + b"\1"


def _tar_size(field: bytes) -> bytes:
    return tars.header(b"a.pkl", field) + b"x" * 600


def _nested_tar(depth: int) -> bytes:
    core = b"N."
    for _ in range(depth):
        core = tars.member(b"x.tar", core) + tars.END
    return core


# Tensors and graphs

NPY = b"\x93NUMPY\x01\x00"


def _npy(text: bytes, data: bytes = b"") -> Make:
    return lambda: NPY + struct.pack("<H", len(text)) + text + data


FILES["npy_shape"] = _npy(
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }\n" % (HUGE, HUGE)
)
FILES["npy_number_of_60000_digits"] = _npy(
    b"{'descr': '<f8', 'shape': (" + b"9" * 60_000 + b",)}\n"
)
FILES["npy_brackets"] = _npy(b"(" * 60_000)
FILES["npy_header_of_4_GiB"] = lambda: b"\x93NUMPY\x02\x00" + u32(MAX32) + b"{" * 1000
FILES["npy_version_9"] = lambda: b"\x93NUMPY\x09\x00" + bytes(100)
FILES["npy_dtype_in_dtype"] = _npy(
    b"{'descr': "
    + b"[('a', " * 5000
    + b"'<f8'"
    + b")]" * 5000
    + b", 'fortran_order': False, 'shape': ()}"
)
FILES["npy_item_size"] = _npy(
    b"{'descr': '|V%d', 'fortran_order': False, 'shape': (3,), }\n" % HUGE
)
FILES["npy_objects_cut_off"] = _npy(
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", P4 + b"]"
)
FILES["safetensors_header_of_8_EiB"] = lambda: u64(1 << 39) + b"{" + b" " * 100
FILES["safetensors_brackets"] = lambda: _safetensors(b'{"a":' + b"[" * MANY)
FILES["safetensors_offsets"] = lambda: _safetensors(
    b'{"a":{"dtype":"F32","shape":[%d,%d],"data_offsets":[0,%d]}}' % (HUGE, HUGE, HUGE)
)
FILES["safetensors_number_of_a_million_digits"] = lambda: _safetensors(
    b'{"a":{"dtype":"F32","shape":[' + b"9" * MANY + b'],"data_offsets":[0,4]}}'
)
FILES["safetensors_cut_off"] = lambda: _safetensors(
    b'{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
)
FILES["gguf_counts"] = lambda: b"GGUF" + u32(3) + u64(MAX64) + u64(MAX64)
FILES["gguf_string_of_16_EiB"] = lambda: b"GGUF" + u32(3) + u64(0) + u64(1) + u64(MAX64) + b"x"
FILES["gguf_arrays_in_arrays"] = lambda: (
    b"GGUF" + u32(3) + u64(0) + u64(1) + u64(1) + b"a" + u32(9) + (u32(9) + u64(1)) * 100_000
)
FILES["gguf_array_of_16_EiB"] = lambda: (
    b"GGUF" + u32(3) + u64(0) + u64(1) + u64(1) + b"a" + u32(9) + u32(4) + u64(MAX64) + bytes(1000)
)
FILES["gguf_empty_strings"] = lambda: (
    b"GGUF"
    + u32(3)
    + u64(0)
    + u64(1)
    + u64(1)
    + b"a"
    + u32(9)
    + u32(8)
    + u64(MANY)
    + bytes(7 * MANY)
)
FILES["hdf5_signature_only"] = lambda: b"\x89HDF\r\n\x1a\n"
FILES["hdf5_of_noise"] = lambda: b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0" + os.urandom(10**5)
FILES["hdf5_addresses_of_zero"] = lambda: (
    b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\4\0\x10\0" + bytes(10**4)
)
FILES["hdf5_offsets_of_255_bytes"] = lambda: b"\x89HDF\r\n\x1a\n\2\xff\xff\0" + b"\xff" * 10**4
FILES["hdf5_behind_a_user_block"] = lambda: bytes(512) + b"\x89HDF\r\n\x1a\n" + b"\xff" * 100
FILES["onnx_field_of_8_EiB"] = lambda: b"\x08\x08\x12\x07pytorch\x3a" + b"\xff" * 8 + b"\x7f" + b"x"
FILES["onnx_messages_in_messages"] = lambda: b"\x08\x08\x12\x07pytorch" + _proto(0x3A, 30_000)
FILES["onnx_endless_number"] = lambda: b"\x08" + b"\xff" * MANY
FILES["onnx_cut_off"] = lambda: b"\x08\x08\x12\x07pytorch\x3a\xff\xff\x03\x0a\x05\x0a\x01"
FILES["graph_cut_off"] = lambda: b"\x0a\x80\x80\x01\x0a\x05Const\x12\x05Const" + bytes(100)


def _safetensors(text: bytes) -> bytes:
    return u64(len(text)) + text


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes((*found, number))


def _proto(tag: int, depth: int) -> bytes:
    """Messages in one another, from the inside, without copying quadratically."""
    parts: list[bytes] = []
    size = 0
    for _ in range(depth):
        head = bytes((tag,)) + _varint(size)
        parts.append(head)
        size += len(head)
    return b"".join(reversed(parts))


# Text

FILES["json_brackets"] = lambda: b"[" * MANY
FILES["json_objects"] = lambda: b'{"a":' * MANY
FILES["keras_brackets"] = lambda: archive(
    (b"metadata.json", b"{}"),
    (b"config.json", b'{"class_name":"Sequential","config":' + b'{"a":' * 100_000),
    (b"model.weights.h5", b""),
)
FILES["keras_number"] = lambda: archive(
    (b"metadata.json", b"{}"),
    (b"config.json", b'{"class_name":"Sequential","config":' + b"9" * MANY + b"}"),
    (b"model.weights.h5", b""),
)
FILES["tokenizer_template"] = lambda: (
    b'{"chat_template": "' + b"{% if a %}" * 50_000 + b"{{ " + b"(" * 50_000 + b'"}'
)

# What is recognised, and no more than that

FILES["seven_zip"] = lambda: b"7z\xbc\xaf\x27\x1c\0\4" + os.urandom(100)
FILES["rar"] = lambda: b"Rar!\x1a\x07\x01\0" + os.urandom(100)
FILES["tflite"] = lambda: b"\x1c\0\0\0TFL3" + os.urandom(100)
FILES["program"] = lambda: b"\x7fELF\2\1\1" + bytes(100)
FILES["java"] = lambda: b"\xac\xed\0\5sr\0\x11java.util.HashMap" + bytes(30)
FILES["git_lfs_pointer"] = lambda: (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
)

# Two things at once

FILES["pickle_and_zip"] = lambda: P4 + b"cos\nsystem\n." + archive((b"a", b"N."))
FILES["tar_name_is_a_pickle"] = lambda: tars.member(b"cos\nsystem\n(S'true'\ntR.", b"N.") + tars.END

# Sparse files: nothing on disk, and terabytes to whoever reads them

TERABYTE = 1 << 40
SPARSE["sparse_zeros"] = (b"", TERABYTE, b"")
SPARSE["sparse_pickle"] = (P4 + b"N.", TERABYTE, b"")
SPARSE["sparse_bytes"] = (P4 + b"\x8e" + u64(TERABYTE - 12), TERABYTE, b"")
SPARSE["sparse_zip"] = (local(b"a", b"N."), TERABYTE, b"")
SPARSE["sparse_before_zip"] = (b"x", TERABYTE, archive((b"a", b"N.")))
SPARSE["sparse_tar"] = (tars.member(b"a", b"N.") + tars.END, TERABYTE, b"")
SPARSE["sparse_gzip"] = (gzip.compress(b"N."), TERABYTE, b"")
SPARSE["sparse_npy"] = (NPY, TERABYTE, b"")
SPARSE["sparse_text"] = (b"S'", TERABYTE, b"")
SPARSE["sparse_noughts"] = (b"(" * 100, TERABYTE, b"")


def write(name: str, folder: Path) -> Path:
    """Make one of them."""
    path = folder / name
    if name in FILES:
        path.write_bytes(FILES[name]())
        return path
    begin, size, tail = SPARSE[name]
    with path.open("wb") as file:
        file.write(begin)
        file.truncate(size)
        file.seek(size - len(tail))
        file.write(tail)
    return path


ALL = (*FILES, *SPARSE)
