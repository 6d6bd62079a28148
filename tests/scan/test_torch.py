"""PyTorch's checkpoints, of every age: real ones are quiet, and no pickle in them is overlooked."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import Severity, Status
from tests.scan import pickles as p
from tests.scan.scanning import check_quiet, rules, scan, worst

HIGH, CRITICAL, LOW = Severity.HIGH, Severity.CRITICAL, Severity.LOW
EVIL = p.call(p.name("posix", "system"), p.text("id"))
FLOAT = p.old_name("torch", "FloatStorage")
ORDERED = p.call(p.name("collections", "OrderedDict"))
PERSID = b"Q"


def storage(
    key: bytes = p.text("0"),
    kind: bytes = FLOAT,
    location: bytes = p.text("cpu"),
    count: bytes = p.number(4),
    *more: bytes,
) -> bytes:
    return p.values(p.text("storage"), kind, key, location, count, *more) + PERSID


def tensor(of: bytes) -> bytes:
    return p.call(
        p.name("torch._utils", "_rebuild_tensor_v2"),
        of,
        p.number(0),
        p.values(p.number(4)),
        p.values(p.number(1)),
        b"\x89",
        ORDERED,
    )


def archive(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as written:
        for name, data in members:
            written.writestr(name, data)
    return stream.getvalue()


def checkpoint(pickle: bytes = p.whole(tensor(storage())), data: bytes = bytes(16)) -> bytes:
    return archive(
        ("archive/data.pkl", pickle),
        ("archive/byteorder", b"little"),
        ("archive/data/0", data),
        ("archive/version", b"3\n"),
        ("archive/.data/serialization_id", b"0" * 40),
    )


def test_a_checkpoint_is_quiet_and_its_data_are_not_looked_at() -> None:
    check_quiet(checkpoint(), "torch_zip")
    check_quiet(checkpoint(data=p.whole(EVIL)[:16]), "torch_zip")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        pytest.param(checkpoint(p.whole(EVIL)), "SM101", id="plain"),
        pytest.param(checkpoint(p.whole(tensor(storage()) + EVIL)), "SM101", id="behind a tensor"),
        pytest.param(checkpoint(p.whole(p.NONE) + p.whole(EVIL)), "SM101", id="second pickle"),
        pytest.param(archive(("a/DATA.PKL", p.whole(EVIL))), "SM101", id="other case"),
        pytest.param(
            archive(("a/x", b""), ("A/data.pkl", p.whole(EVIL))), "SM101", id="other root"
        ),
        pytest.param(archive(("a", b""), ("a/data.pkl", p.whole(EVIL))), "SM101", id="no root"),
        pytest.param(
            archive(("a/data.pkl", p.whole(p.NONE)), ("a/data/7", p.whole(EVIL))),
            "SM101",
            id="data that no tensor has",
        ),
        pytest.param(
            archive(("a/data.pkl", p.whole(EVIL)), ("a/constants.pkl", p.whole(p.NONE))),
            "SM101",
            id="called TorchScript",
        ),
        pytest.param(checkpoint(p.whole(storage(key=ORDERED))), "SM154", id="computed key"),
        pytest.param(checkpoint(p.whole(storage(location=ORDERED))), "SM154", id="location"),
        pytest.param(checkpoint(p.whole(storage(kind=p.text("x")))), "SM154", id="type"),
        pytest.param(
            checkpoint(p.whole(storage(kind=p.name("mycompany", "Storage")))), "SM154", id="class"
        ),
        pytest.param(checkpoint(p.whole(storage(count=p.number(-1)))), "SM154", id="negative"),
        pytest.param(checkpoint(p.whole(p.text("x") + PERSID)), "SM154", id="text"),
        pytest.param(checkpoint(p.whole(p.values(p.text("x")) + PERSID)), "SM154", id="kind"),
        pytest.param(checkpoint(p.whole(storage(count=p.number(5)))), "SM155", id="beyond"),
        pytest.param(
            checkpoint(p.whole(storage(), storage(count=p.number(9)))), "SM155", id="beyond later"
        ),
    ],
)
def test_checkpoints_that_are_not_honest(data: bytes, rule: str) -> None:
    found = rules(scan(data))
    assert rule in found
    assert max(found.values()) >= HIGH


def test_small_oddities_are_low() -> None:
    assert rules(scan(checkpoint(data=bytes(32)))) == {"SM157": LOW}
    missing = archive(("a/data.pkl", p.whole(tensor(storage()))))
    assert rules(scan(missing)) == {"SM157": LOW}
    order = archive(("a/data.pkl", p.whole(p.NONE)), ("a/byteorder", b"middle"))
    assert rules(scan(order)) == {"SM157": LOW}


def test_a_storage_type_is_one_in_any_module() -> None:
    """`torch.load` maps the name and never looks the module up."""
    check_quiet(checkpoint(p.whole(tensor(storage(kind=p.name("nowhere", "FloatStorage"))))))
    assert worst(checkpoint(p.whole(p.name("os", "UntypedStorage")))) >= HIGH


# The format before 1.6

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
SYSTEM = p.whole(p.pairs(p.text("little_endian"), b"\x88"))


def legacy(
    *,
    heads: tuple[bytes, bytes, bytes] = (MAGIC, PROTOCOL, SYSTEM),
    main: bytes = p.whole(tensor(storage(p.text("0"), FLOAT, p.text("cpu"), p.number(4), p.NONE))),
    keys: bytes = p.whole(p.listed(p.text("0"))),
    data: bytes = (4).to_bytes(8, "little") + bytes(16),
) -> bytes:
    return b"".join((*heads, main, keys, data))


def test_the_old_format_is_quiet() -> None:
    check_quiet(legacy(), "torch_legacy")
    other_spelling = b"\x80\x04L119547037146038801333356L\n."
    check_quiet(legacy(heads=(other_spelling, PROTOCOL, SYSTEM)), "torch_legacy")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(legacy(heads=(p.whole(EVIL), PROTOCOL, SYSTEM)), id="instead of the magic"),
        pytest.param(legacy(heads=(p.PROTO + EVIL + MAGIC[2:], PROTOCOL, SYSTEM)), id="in front"),
        pytest.param(legacy(heads=(MAGIC, p.whole(EVIL), SYSTEM)), id="protocol"),
        pytest.param(legacy(heads=(MAGIC, PROTOCOL, p.whole(EVIL))), id="system"),
        pytest.param(legacy(main=p.whole(EVIL)), id="main"),
        pytest.param(legacy(keys=p.whole(EVIL)), id="keys"),
        pytest.param(legacy() + p.whole(EVIL), id="behind"),
        pytest.param(legacy() + legacy(main=p.whole(EVIL)), id="second file"),
        pytest.param(MAGIC + p.whole(EVIL), id="cut off"),
    ],
)
def test_all_five_pickles_are_judged(data: bytes) -> None:
    assert worst(data) is CRITICAL


def test_storages_of_the_old_format_are_accounted_for() -> None:
    assert scan(legacy()[:-1]).status is Status.UNREAD
    assert scan(legacy(data=(5).to_bytes(8, "little") + bytes(20))).status is Status.UNREAD
    assert scan(legacy(keys=p.whole(p.listed(p.text("1"))))).status is Status.UNREAD
    view = p.values(p.text("v"), p.number(2), p.number(9))
    beyond = storage(p.text("0"), FLOAT, p.text("cpu"), p.number(4), view)
    assert rules(scan(legacy(main=p.whole(beyond))))["SM154"] is HIGH


def test_source_text_is_noted_and_its_class_judged() -> None:
    def module(cls: bytes) -> bytes:
        saved = p.values(p.text("module"), cls, p.text("a.py"), p.text("class A: ..."))
        return legacy(main=p.whole(p.make(saved + PERSID)), keys=p.whole(b"]"), data=b"")

    assert rules(scan(module(p.old_name("torch.nn.modules.linear", "Linear")))) == {"SM156": LOW}
    assert worst(module(p.old_name("posix", "system"))) >= HIGH
    assert worst(module(ORDERED)) >= HIGH


# The format before 0.1.10


def tar(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as written:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def tar_members() -> dict[str, bytes]:
    entry = p.whole(p.values(p.number(1), p.text("cpu"), FLOAT))
    shape = p.whole(p.values(p.number(2), p.number(1), p.old_name("torch", "FloatTensor")))
    sizes = b"".join(n.to_bytes(8, "little") for n in (1, 4, 1, 0))
    return {
        "sys_info": SYSTEM,
        "storages": p.whole(p.number(1)) + entry + b"\4" + bytes(7) + bytes(16) + p.whole(b"]"),
        "tensors": p.whole(p.number(1)) + shape + sizes,
        "pickle": p.whole(p.text("2") + PERSID),
    }


def test_the_oldest_format_is_quiet() -> None:
    check_quiet(tar(**tar_members()), "torch_tar")


@pytest.mark.parametrize("name", ["sys_info", "storages", "tensors", "pickle"])
def test_every_member_of_the_oldest_format_is_judged(name: str) -> None:
    members = tar_members()
    assert worst(tar(**{**members, name: p.whole(EVIL)})) is CRITICAL
    assert worst(tar(**{**members, name: members[name] + p.whole(EVIL)})) is CRITICAL
    last = members[name].rpartition(p.whole(b"]"))[0] + p.whole(EVIL)
    assert worst(tar(**{**members, name: last})) is CRITICAL


def test_links_and_forged_references_in_the_oldest_format() -> None:
    members = tar_members()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:") as written:
        for name, data in members.items():
            member = tarfile.TarInfo("other" if name == "storages" else name)
            member.size = len(data)
            written.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("storages")
        link.type, link.linkname = tarfile.LNKTYPE, "other"
        written.addfile(link)
    assert worst(stream.getvalue()) >= HIGH
    assert worst(tar(**{**members, "pickle": p.whole(ORDERED + PERSID)})) >= HIGH


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([legacy(), checkpoint(), tar(**tar_members())]),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4),
)
def test_any_mutation_has_a_report(sample: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(sample)
    for at, byte in changes:
        data[at % len(data)] = byte
    scan(bytes(data))


# Real ones


def _saved(value: Any, **options: Any) -> bytes:
    torch = pytest.importorskip("torch")
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def _network() -> Any:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.zeros(2, 1, 8, 8)).sum().backward()
    optimizer.step()
    return network, optimizer


def _values() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    network, optimizer = _network()
    base = torch.zeros(10)
    return {
        "state": network.state_dict(),
        "module": network,
        "training": {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "n": 3},
        "views": [base, base[2:4], base.view(5, 2).t(), base[::2]],
        "types": [
            torch.zeros(3, dtype=getattr(torch, name))
            for name in ["uint8", "int16", "bool", "bfloat16", "complex64", "half"]
        ],
        "empty": [torch.zeros(0), torch.zeros(0, 3)],
        "parameter": torch.nn.Parameter(torch.zeros(2)),
        "generator": torch.get_rng_state(),
        "none": {"a": 1},
    }


def _new_values() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return {
        "new types": [
            torch.zeros(3, dtype=torch.float8_e4m3fn),
            torch.zeros(2, dtype=torch.uint16),
        ],
        "sparse": [torch.eye(3).to_sparse(), torch.eye(3).to_sparse_csr()],
        "meta": torch.zeros(3, device="meta"),
        "untyped": torch.UntypedStorage(7),
        "quantized": torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.qint8),
        "device": [torch.device("cpu"), torch.Size([1]), torch.float32, torch.strided],
    }


@pytest.mark.filterwarnings("ignore")
def test_real_checkpoints_are_quiet() -> None:
    for value in {**_values(), **_new_values()}.values():
        check_quiet(_saved(value), "torch_zip")


@pytest.mark.filterwarnings("ignore")
def test_real_files_of_the_old_format_are_quiet() -> None:
    for name, value in _values().items():
        data = _saved(value, _use_new_zipfile_serialization=False)
        report = scan(data)
        assert report.status is Status.SCANNED
        assert "torch_legacy" in report.formats
        assert {finding.rule for finding in report.findings} <= {"SM156"}, name
        assert bool(report.findings) == (name == "module")


@pytest.mark.filterwarnings("ignore")
def test_tensors_in_plain_pickles_are_quiet() -> None:
    import pickle

    network, _ = _network()
    for protocol in range(6):
        check_quiet(pickle.dumps(network, protocol), "torch_legacy")


def test_many_tensors_take_little_time() -> None:
    torch = pytest.importorskip("torch")
    data = _saved({f"layer.{i}": torch.zeros(1) for i in range(3000)})
    check_quiet(data, "torch_zip")
