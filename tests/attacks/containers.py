"""Where a hostile pickle hides: containers, and the real loader that gets to it.

A container is a function from the pickle's bytes to the bytes of a file. `CONTAINERS` names the
loader of `oracle` that proves it, and the ending that the loader wants, if it wants one. (The
scanner is given the file without any ending.)
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.attacks.assemble import assemble
from tests.attacks.readers import READERS, npz_in_checkpoint


@dataclass(frozen=True)
class Container:
    """How a pickle is wrapped, and who opens it."""

    wrap: Callable[[bytes], bytes]
    loader: str = "pickle"
    ending: str = ""


BENIGN = assemble({"weights": [1.0, 2.0], "name": "model"}, "framed")


# NumPy


def npy(pickle: bytes, version: tuple[int, int] = (1, 0)) -> bytes:
    """An object array, whose data are a pickle."""
    text = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    length = "<H" if version == (1, 0) else "<I"
    prefix = 8 + struct.calcsize(length)
    padded = text + " " * (-(prefix + len(text) + 1) % 64) + "\n"
    return (
        b"\x93NUMPY" + bytes(version) + struct.pack(length, len(padded)) + padded.encode() + pickle
    )


def _plain_npy() -> bytes:
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"
    padded = text + " " * (-(10 + len(text) + 1) % 64) + "\n"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()
    return header + struct.pack("<2d", 1.0, 2.0)


def zipped(
    members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytes:
    """A ZIP as Python writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def npz(pickle: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    return zipped({"coef.npy": _plain_npy(), "names.npy": npy(pickle)}, method)


# PyTorch


def torch_zip(pickle: bytes, name: str = "archive/data.pkl", **more: bytes) -> bytes:
    """A checkpoint as torch.save writes it, without storages."""
    return zipped({name: pickle, "archive/version": b"3\n", "archive/byteorder": b"little", **more})


def _torch_upper(pickle: bytes) -> bytes:
    return torch_zip(pickle, "archive/DATA.PKL")


def _torch_first_of_two(pickle: bytes) -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", pickle)
            archive.writestr("archive/data.pkl", BENIGN)
            archive.writestr("archive/version", b"3\n")
        return buffer.getvalue()


def _flags(data: bytes, local: int, central: int) -> bytes:
    """Set general purpose flags of every member, in local and central headers."""
    changed = bytearray(data)
    position = 0
    while (position := data.find(b"PK\x03\x04", position)) >= 0:
        struct.pack_into("<H", changed, position + 6, local)
        position += 4
    position = 0
    while (position := data.find(b"PK\x01\x02", position)) >= 0:
        struct.pack_into("<H", changed, position + 8, central)
        position += 4
    return bytes(changed)


def _wrong_crc(data: bytes) -> bytes:
    """Make every CRC-32 wrong in the local headers (torch reads the central ones)."""
    changed = bytearray(data)
    position = 0
    while (position := data.find(b"PK\x03\x04", position)) >= 0:
        struct.pack_into("<I", changed, position + 14, 0x12345678)
        position += 4
    return bytes(changed)


def _local_name(data: bytes, old: bytes, new: bytes) -> bytes:
    """Another name of the same length in the local header."""
    return data.replace(old, new, 1)


def torch_legacy(pickle: bytes) -> bytes:
    """The five pickles of before torch 1.6."""
    return (
        assemble(0x1950A86A20F9469CFC6C, "protocol2")
        + assemble(1001, "protocol2")
        + assemble(
            {
                "protocol_version": 1001,
                "little_endian": True,
                "type_sizes": {"short": 2, "int": 4, "long": 4},
            },
            "protocol2",
        )
        + pickle
        + assemble([], "protocol2")
    )


def _torch_legacy_at(index: int) -> Callable[[bytes], bytes]:
    """The payload as one of the other pickles of a legacy file."""

    def wrap(pickle: bytes) -> bytes:
        parts = [
            assemble(0x1950A86A20F9469CFC6C, "protocol2"),
            assemble(1001, "protocol2"),
            assemble({"little_endian": True}, "protocol2"),
            assemble({}, "protocol2"),
            assemble([], "protocol2"),
        ]
        parts[index] = pickle
        return b"".join(parts)

    return wrap


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar as Python writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _torch_tar(pickle: bytes) -> bytes:
    """The format of before torch 0.1.10: torch reads `storages` first."""
    return tarred(
        {
            "sys_info": assemble({"little_endian": True}, "protocol2"),
            "storages": assemble(0, "protocol2") + assemble([], "protocol2"),
            "tensors": assemble(0, "protocol2"),
            "pickle": pickle,
        }
    )


def _tar_name(pickle: bytes) -> bytes:
    """A tar whose first member's *name* is a pickle that stops in time."""
    if b"\0" in pickle or len(pickle) > 100:
        raise ValueError("needs a short pickle without zero bytes")
    block = bytearray(tarred({"x": b"weights"}))
    block[: len(pickle)] = pickle
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


# Joblib


def _joblib(compress: Any) -> Callable[[bytes], bytes]:
    """joblib.dump's own compressor, over the pickle."""

    def wrap(pickle: bytes) -> bytes:
        from joblib.numpy_pickle_utils import _write_fileobject

        buffer = io.BytesIO()
        with _write_fileobject(buffer, compress=compress) as file:
            file.write(pickle)
        return buffer.getvalue()

    return wrap


def _after_array(pickle: bytes) -> bytes:
    """A list of a joblib array and the payload: it comes behind raw bytes."""
    import joblib
    import numpy

    buffer = io.BytesIO()
    joblib.dump([numpy.arange(100.0), "PAYLOAD"], buffer, protocol=3)  # without frames
    data = buffer.getvalue()
    placeholder = b"X\x07\x00\x00\x00PAYLOAD"
    place = data.index(placeholder)
    body = pickle[:-1]
    return data[:place] + body + data[place + len(placeholder) :]


def _in_object_array(pickle: bytes) -> bytes:
    """A joblib object array: a whole pickle follows the wrapper."""
    import joblib
    import numpy

    buffer = io.BytesIO()
    joblib.dump([numpy.array([{"a": 1}], dtype=object)], buffer, protocol=4)
    data = buffer.getvalue()
    begin = data.index(b"\x80", 4)
    end = data.index(b".", data.index(b"numpy", begin)) + 1
    return data[:begin] + pickle + data[end:]


# Streams in streams


def _zlib_npz(pickle: bytes) -> bytes:
    return npz(pickle, zipfile.ZIP_DEFLATED)


def _pandas_zip(pickle: bytes) -> bytes:
    return zipped({"frame.pkl": pickle}, zipfile.ZIP_DEFLATED)


def _pandas_tar(pickle: bytes) -> bytes:
    return tarred({"frame.pkl": pickle})


def _pandas_tar_gz(pickle: bytes) -> bytes:
    return tarred({"frame.pkl": pickle}, "w:gz")


def _zstd(pickle: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(pickle)


def _pickle_before_zip(pickle: bytes) -> bytes:
    return pickle + zipped({"archive/data.pkl": BENIGN, "archive/version": b"3\n"})


def _zip_after_text(pickle: bytes) -> bytes:
    return b"#!/bin/sh\nexit 0\n" + torch_zip(pickle)


def _second_pickle(pickle: bytes) -> bytes:
    return BENIGN + pickle


def _straddling_frame(pickle: bytes) -> bytes:
    """A frame that ends in the middle of a literal.

    The C unpickler goes by opcodes and runs what a reader by frames takes for data.
    """
    body = pickle[2:] if pickle[:1] == b"\x80" else pickle
    hidden = b"\x8c\x10" + b"A" * 16 + b"0" + body
    return b"\x80\x04\x95" + struct.pack("<Q", 6) + hidden


def _many_protos(pickle: bytes) -> bytes:
    return b"\x80\x02" * 300 + pickle


def _npy_second(pickle: bytes) -> bytes:
    return _plain_npy() + npy(pickle)


CONTAINERS: dict[str, Container] = {
    "bare": Container(bytes),
    "python unpickler": Container(bytes, "pickle-python"),
    "pickle.loads": Container(bytes, "pickle-loads"),
    "second pickle": Container(_second_pickle, "pickle-twice"),
    "many PROTO": Container(_many_protos),
    "straddling frame": Container(_straddling_frame, "pickle-loads"),
    "dill": Container(bytes, "dill"),
    "cloudpickle": Container(bytes, "cloudpickle"),
    "pandas": Container(bytes, "pandas", ".pkl"),
    "gzip": Container(gzip.compress, "gzip"),
    "gzip of two members": Container(
        lambda p: gzip.compress(p[:10]) + gzip.compress(p[10:]), "gzip"
    ),
    "pandas gzip": Container(gzip.compress, "pandas", ".pkl.gz"),
    "pandas bz2": Container(bz2.compress, "pandas", ".pkl.bz2"),
    "pandas xz": Container(lzma.compress, "pandas", ".pkl.xz"),
    "pandas zstd": Container(_zstd, "pandas", ".pkl.zst"),
    "pandas zip": Container(_pandas_zip, "pandas", ".pkl.zip"),
    "pandas tar": Container(_pandas_tar, "pandas", ".pkl.tar"),
    "pandas tar.gz": Container(_pandas_tar_gz, "pandas", ".pkl.tar.gz"),
    "joblib": Container(bytes, "joblib"),
    "joblib zlib": Container(_joblib(("zlib", 3)), "joblib"),
    "joblib gzip": Container(_joblib(("gzip", 3)), "joblib"),
    "joblib bz2": Container(_joblib(("bz2", 3)), "joblib"),
    "joblib lzma": Container(_joblib(("lzma", 3)), "joblib"),
    "joblib xz": Container(_joblib(("xz", 3)), "joblib"),
    "joblib lz4": Container(_joblib(("lz4", 3)), "joblib"),
    "joblib behind an array": Container(_after_array, "joblib"),
    "joblib behind an array, mapped": Container(_after_array, "joblib-mmap"),
    "joblib object array": Container(_in_object_array, "joblib"),
    "zlib": Container(lambda p: zlib.compress(p, 1), "joblib"),
    "npy": Container(npy, "numpy"),
    "npy 2.0": Container(lambda p: npy(p, (2, 0)), "numpy"),
    "npy 3.0": Container(lambda p: npy(p, (3, 0)), "numpy"),
    "npy behind another": Container(_npy_second, "numpy-appended"),
    "npz": Container(npz, "numpy"),
    "npz deflated": Container(_zlib_npz, "numpy"),
    "numpy of a bare pickle": Container(bytes, "numpy"),
    "torch zip": Container(torch_zip, "torch"),
    "torch zip, upper case": Container(_torch_upper, "torch"),
    "torch zip, first of two": Container(_torch_first_of_two, "torch"),
    "torch zip, encrypted flag": Container(lambda p: _flags(torch_zip(p), 1, 0), "torch"),
    "torch zip, local flags": Container(lambda p: _flags(torch_zip(p), 0x41, 0), "torch"),
    "torch zip, wrong local CRC": Container(lambda p: _wrong_crc(torch_zip(p)), "torch"),
    "torch zip, other local name": Container(
        lambda p: _local_name(torch_zip(p), b"archive/data.pkl", b"archive/data.txt"), "torch"
    ),
    "torch zip, no version": Container(
        lambda p: zipped({"x/data.pkl": p, "x/version": b"3\n", "x/README": b"hi"}), "torch"
    ),
    "torch legacy": Container(torch_legacy, "torch"),
    "torch legacy, first": Container(_torch_legacy_at(0), "torch"),
    "torch legacy, version": Container(_torch_legacy_at(1), "torch"),
    "torch legacy, system": Container(_torch_legacy_at(2), "torch"),
    "torch legacy, keys": Container(_torch_legacy_at(4), "torch"),
    "torch tar": Container(_torch_tar, "torch"),
    "pickle before a zip": Container(_pickle_before_zip, "pickle"),
    "npz in a checkpoint": Container(npz_in_checkpoint(npy), "numpy"),
    **{name: Container(*container) for name, container in READERS.items()},
}

# Only for a short pickle without zero bytes.
TAR_NAME = Container(_tar_name, "pickle")
