"""Archives and compressed streams through the whole scanner: all that is in them is found."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import safemodel as sm
from safemodel.report.model import Severity, Status
from safemodel.scan import rules as all_rules
from safemodel.scan.formats import HANDLERS, handler
from safemodel.scan.formats.tar import TAR_KINDS
from safemodel.scan.formats.zip import ZIP_KINDS
from safemodel.scan.rules import containers
from tests.hostile import bombs, files, tars
from tests.hostile.bombs import archive, central, end, local
from tests.scan.scanning import check_quiet, rules, scan

EVIL = b"cos\nsystem\n(S'true'\ntR."
GOOD = pickle.dumps({"a": [1, 2, 3]})

Wrap = Callable[[bytes], bytes]


def zipped(method: int) -> Wrap:
    def wrap(data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as made:
            made.writestr("folder/member.bin", data)
        return stream.getvalue()

    return wrap


def tarred(data: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        info = tarfile.TarInfo("member.bin")
        info.size = len(data)
        made.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def library(name: str) -> Wrap:
    def wrap(data: bytes) -> bytes:
        made: bytes = pytest.importorskip(name).compress(data)
        return made

    return wrap


WRAPS: dict[str, Wrap] = {
    "stored": zipped(zipfile.ZIP_STORED),
    "deflated": zipped(zipfile.ZIP_DEFLATED),
    "zip_bzip2": zipped(zipfile.ZIP_BZIP2),
    "zip_lzma": zipped(zipfile.ZIP_LZMA),
    "tar": tarred,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "lz4": library("lz4.frame"),
    "zstd": library("zstandard"),
}


@pytest.mark.parametrize("outer", WRAPS)
@pytest.mark.parametrize("inner", WRAPS)
def test_two_in_one_another(outer: str, inner: str) -> None:
    report = scan(WRAPS[outer](WRAPS[inner](EVIL)))
    assert rules(report)["SM101"] is Severity.CRITICAL
    assert report.status is Status.SCANNED
    assert set(rules(scan(WRAPS[outer](WRAPS[inner](GOOD)))).values()) <= {Severity.LOW}


@pytest.mark.parametrize("wrap", WRAPS)
def test_large_members_in_streams(wrap: str) -> None:
    """Beyond what is looked at first, in an archive that is never in memory."""
    large = tarred(pickle.dumps(bytes(3 << 20)) + EVIL)
    assert rules(scan(WRAPS[wrap](large)))["SM101"] is Severity.CRITICAL


def test_formats_are_told_from_the_outside_in() -> None:
    assert scan(gzip.compress(tarred(GOOD))).formats == ("gzip", "tar", "pickle")


FINDINGS: dict[str, list[bytes]] = {
    "SM401": [
        files.FILES["zip_directory_in_itself"](),
        local(b"b", b"1") + central(b"a", 0, b"1") + end(1, 47, 32),
    ],
    "SM402": [archive((b"a", GOOD), (b"a", EVIL)), archive((b"a", GOOD), (b"A", GOOD))],
    "SM403": [archive((b"a", b"1"), comment=archive((b"b", b"2")))],
    "SM404": [archive((b"a", b"1" * 500)) + archive((b"b", b"2"))],
    "SM405": [
        archive((b"a", b"1")) + b"tail",
        local(b"a", b"1") + b"gap" + central(b"a", 0, b"1") + end(1, 47, 35),
        tars.member(b"a", b"1") + tars.END + b"tail",
    ],
    "SM406": [local(b"a", b"1") + central(b"a", 0, b"1") + central(b"b", 0, b"1") + end(2, 94, 32)],
    "SM407": [
        archive((b"../a", b"")),
        tars.member(b"/a", b"") + tars.END,
        tars.header(b"a", 0, b"2", target=b"../b") + tars.END,
    ],
    "SM408": [archive((b"a\0b", b"")), tars.member(b"a\x1b[2J", b"") + tars.END],
    "SM409": [
        local(b"a", b"1", crc=1) + central(b"a", 0, b"1", crc=1) + end(1, 47, 32),
        bombs.compressed_member(b"a", bombs.deflated(b"x", 1), 1),
        bombs.compressed_member(b"a", bombs.deflated(b"x", 9), 3),
    ],
    "SM411": [
        gzip.compress(GOOD) + b"tail",
        zlib.compress(GOOD) + b"tail",
        bombs.compressed_member(b"a", bombs.deflated(b"x", 1) + b"tail", 1),
    ],
    "SM413": [tars.member(EVIL, b"") + tars.END],
    "SM414": [tars.header(b"a", 0, b"3") + tars.END, tars.header(b"a", 0, b"6") + tars.END],
    "SM415": [
        files.FILES["tar_pax_other_size"](),
        (tars.member(b"a", GOOD) + tars.END) * 2,
    ],
}


@pytest.mark.parametrize("rule", FINDINGS)
def test_findings(rule: str) -> None:
    for data in FINDINGS[rule]:
        report = scan(data)
        assert rules(report)[rule] == all_rules.RULES[rule].severity
        assert rules(scan(gzip.compress(data))).get(rule) == all_rules.RULES[rule].severity


def test_every_rule_of_containers_is_tried_here() -> None:
    assert {rule.id for rule in containers.RULES} == {*FINDINGS, "SM421"}


EVERYWHERE = {
    "first of two": archive((b"a", EVIL), (b"a", GOOD)),
    "last of two": archive((b"a", GOOD), (b"a", EVIL)),
    "unlisted": archive((b"a", EVIL), (b"b", b"x" * 500)) + archive((b"b", b"2")),
    "in the comment": archive((b"a", b"1"), comment=archive((b"b", EVIL))),
    "comment": archive((b"a", b"1"), comment=EVIL),
    "before": EVIL + archive((b"a", b"1")),
    "behind": archive((b"a", b"1")) + EVIL,
    "behind tar": tars.member(b"a", b"1") + tars.END + EVIL,
    "behind gzip": gzip.compress(b"x") + EVIL,
    "behind deflate": bombs.compressed_member(b"a", bombs.deflated(b"x", 1) + EVIL, 1),
    "second tar": tars.member(b"a", b"1") + tars.END + tars.member(b"b", EVIL) + tars.END,
    "no end record": archive((b"a", EVIL))[:-20],
    "wrong CRC": local(b"a", EVIL, crc=1) + central(b"a", 0, EVIL, crc=1) + end(1, 47, 31 + 24),
    "other name": local(b"b", EVIL) + central(b"a", 0, EVIL) + end(1, 47, 31 + 24),
    "stored, says deflate": local(b"a", EVIL) + central(b"a", 0, EVIL, method=8) + end(1, 47, 55),
    "cut off gzip": gzip.compress(EVIL)[:-6],
    "gzip with a wrong CRC": gzip.compress(EVIL)[:-8] + bytes(8),
    "tar with a cut member": tars.header(b"a", 10_000) + EVIL,
    "gap": local(b"a", b"1") + EVIL + central(b"a", 0, b"1") + end(1, 47, 32 + 24),
}


@pytest.mark.parametrize("where", EVERYWHERE)
def test_a_pickle_is_found_everywhere(where: str) -> None:
    assert rules(scan(EVERYWHERE[where])).get("SM101") is Severity.CRITICAL


def test_an_archive_in_a_pickle_is_no_trick() -> None:
    """Keras pickles its models so: the archive is a literal, near the end."""
    data = pickle.dumps({"model": archive((b"config", b"{}")), "after": 1}, 4)
    assert set(rules(scan(data)).values()) <= {Severity.LOW, Severity.INFO}


def test_text_that_is_compressed_is_nothing() -> None:
    check_quiet(gzip.compress(b"a,b,c\n1,2,3\n" * 1000), "gzip")


def test_padding_is_low() -> None:
    for data in (gzip.compress(GOOD, mtime=0), bz2.compress(GOOD), archive((b"a", GOOD))):
        assert set(rules(scan(data + bytes(512))).values()) <= {Severity.LOW}


def test_unread_members_are_named() -> None:
    report = scan(files.FILES["zip_encrypted"]())
    (finding,) = report.findings
    assert (finding.rule, report.status) == ("SM903", Status.UNREAD)
    assert "'a.pkl'" in finding.message
    assert finding.remedy


def test_own_archives(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "own.safemodel"
    sm.save({"weights": numpy.arange(1000.0), "names": ["a", "b"]}, path)
    check_quiet(path.read_bytes(), "safemodel_archive")
    again = io.BytesIO()
    with zipfile.ZipFile(path) as one, zipfile.ZipFile(again, "w") as other:
        for name in one.namelist():
            other.writestr(name, one.read(name))
    assert rules(scan(again.getvalue()))["SM421"] is Severity.MEDIUM
    changed = bytearray(path.read_bytes())
    changed[10] ^= 1
    assert rules(scan(bytes(changed)))["SM421"] is Severity.MEDIUM


def test_a_manifest_of_something_else_is_no_archive_of_ours() -> None:
    check_quiet(archive((b"manifest.json", b'{"name": "extension"}')))


def test_all_handlers_are_there() -> None:
    for name in HANDLERS:
        assert callable(handler(name).scan)


@pytest.mark.parametrize(("kinds", "method"), [(ZIP_KINDS, "scan_zip"), (TAR_KINDS, "scan_tar")])
def test_all_kinds_are_there(kinds: dict[str, tuple[str, ...]], method: str) -> None:
    for name in kinds:
        module = __import__(f"safemodel.scan.formats.{name}", fromlist=[method])
        assert callable(getattr(module, method))
