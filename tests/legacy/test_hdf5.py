"""HDF5 metadata: the same account as h5py's, for every version it writes; and any damage."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.errors import BudgetError, DamagedError, LegacyError, UnreadableError
from safemodel.legacy import hdf5, hdf5_source
from safemodel.legacy.hdf5 import looks_like_hdf5, parse_hdf5
from safemodel.legacy.hdf5_facts import Hdf5Facts
from safemodel.legacy.hdf5_source import Source, tree2_records
from tests.legacy.hdf5_samples import VERSIONS, Account, h5py, np, sample

SMALL = [sample(version, ordered=ordered) for version in VERSIONS[::3] for ordered in (False, True)]


def facts(data: bytes) -> Hdf5Facts:
    return parse_hdf5(memoryview(data))


def assert_same(data: bytes) -> None:
    found, expected = facts(data), Account(data)
    assert found.problems == ()
    assert {(one.owner, one.name): one.value for one in found.attributes} == expected.texts
    assert {(one.path, one.shape) for one in found.datasets} == expected.datasets
    assert {(one.path, one.kind) for one in found.links} == expected.links
    assert found.end == len(data)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(
    ("groups", "attributes", "user_block", "config"),
    [
        (1, 1, 0, "{}"),
        (3, 3, 512, "{}"),
        (12, 12, 2048, '{"long": "' + "x" * 5000 + '"}'),  # dense links, dense attributes
        (100, 2, 0, "{}"),  # several levels of trees and heaps
        (2, 300, 0, '{"longer": "' + "x" * 300_000 + '"}'),
    ],
)
def test_as_h5py_reads_it(
    version: str, *, ordered: bool, groups: int, attributes: int, user_block: int, config: str
) -> None:
    data = sample(
        version,
        groups=groups,
        attributes=attributes,
        ordered=ordered,
        user_block=user_block,
        config=config,
    )
    assert_same(data)
    assert facts(data).base == user_block


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_many_groups_and_attributes(version: str) -> None:
    assert_same(sample(version, groups=3000, attributes=2))
    assert_same(sample(version, groups=1, attributes=3000))


def test_what_leads_elsewhere_is_named() -> None:
    found = facts(sample())
    links = {link.path: (link.kind, link.file, link.target) for link in found.links}
    assert links == {
        "/soft": ("soft", "", "/group00000/packed"),
        "/elsewhere": ("external", "/etc/passwd", "/x"),
    }
    outside = {one.path: (one.kind, one.files, one.complete) for one in found.outside}
    assert outside == {
        "/raw": ("external", ("/etc/passwd", "/etc/group"), True),
        "/virtual": ("virtual", ("/etc/other.h5",), True),
    }


def test_declared_sizes() -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.create_dataset("bomb", (1 << 20, 1 << 20), "f8", chunks=(16, 16), compression="gzip")
    (bomb,) = facts(out.getvalue()).datasets
    assert bomb.declared == 8 << 40


def test_texts_end_where_readers_end_them() -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        ended = h5py.h5t.C_S1.copy()
        ended.set_size(8)
        ended.set_strpad(h5py.h5t.STR_NULLTERM)
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        h5py.h5a.create(file.id, b"ended", ended, space).write(np.array(b"ab\0cd", "S8"), ended)
        file.attrs["padded"] = np.array(b"ab\0cd", "S8")
    found = {one.name: one.value for one in facts(out.getvalue()).attributes}
    assert found == {"ended": b"ab", "padded": b"ab\0cd"}


def test_a_cycle_of_groups_ends() -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["a"] = file["/"]
        file.create_group("b")["up"] = file["/"]
    assert facts(out.getvalue()).objects == 2


def test_objects_of_pytables_are_found() -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        rows = file.create_dataset("rows", (2,), h5py.vlen_dtype(np.uint8))
        rows[0] = np.frombuffer(b"first pickle.", "u1")
        rows[1] = np.frombuffer(b"second pickle.", "u1")
        rows.attrs["PSEUDOATOM"] = np.bytes_(b"object")
    data = out.getvalue()
    found = [data[start : start + size] for start, size in facts(data).pickles]
    assert b"first pickle." in found
    assert b"second pickle." in found


@pytest.mark.parametrize("data", SMALL, ids=range(len(SMALL)))
def test_missing_bytes_are_said(data: bytes) -> None:
    for cut in (1, 100, len(data) // 2):
        assert facts(data[:-cut]).problems


@pytest.mark.parametrize("data", [b"", b"\x89HDF", b"x" * 3000, b"\0" * 512 + b"\x89HDF\r\n\x1a"])
def test_no_signature(data: bytes) -> None:
    assert not looks_like_hdf5(memoryview(data))
    with pytest.raises(DamagedError):
        facts(data)


def test_a_superblock_that_lies_about_its_place() -> None:
    data = sample(VERSIONS[0], ordered=False)
    version = data[8]
    here = 24 if version == 0 else 28 if version == 1 else 12
    for base, refused in ((512, False), (len(data) + 1, True), (2**60, True)):
        moved = data[:here] + base.to_bytes(8, "little") + data[here + 8 :]
        with (
            pytest.raises(DamagedError, match="ends before")
            if refused
            else contextlib.nullcontext()
        ):
            assert facts(moved).end == len(data) - base  # as HDF5 itself corrects it
    before = b"\0" * 512 + data
    assert facts(before).end == len(before)


def test_unknown_versions_are_unread() -> None:
    data = bytearray(SMALL[0])
    data[8] = 9
    with pytest.raises(UnreadableError):
        facts(bytes(data))
    data[8], data[13] = 0, 3
    with pytest.raises(UnreadableError):
        facts(bytes(data))


def test_damage_in_one_object_does_not_hide_the_others() -> None:
    data = bytearray(sample(groups=2))
    kernel = next(one for one in facts(bytes(data)).datasets if "kernel" in one.path)
    data[kernel.offset] = 77
    found = facts(bytes(data))
    assert [problem.place for problem in found.problems] == [kernel.path]
    assert len(found.links) == 2
    assert len(found.outside) == 2


def test_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, where in (("MAX_OBJECTS", hdf5), ("MAX_FACTS", hdf5), ("MAX_KEPT", hdf5)):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, 5)
            assert any(isinstance(one, BudgetError) for one in facts(SMALL[0]).problems)
    monkeypatch.setattr(hdf5_source, "MAX_STRUCTURES", 20)
    assert any(isinstance(one, BudgetError) for one in facts(SMALL[0]).problems)


@given(st.binary(max_size=400), st.sampled_from([b"", hdf5_source.SIGNATURE]))
def test_any_bytes(data: bytes, before: bytes) -> None:
    with contextlib.suppress(LegacyError):
        facts(before + data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_mutation_gives_facts_or_a_legacy_error(choose: st.DataObject) -> None:
    data = bytearray(choose.draw(st.sampled_from(SMALL)))
    for _ in range(choose.draw(st.integers(1, 8))):
        place = choose.draw(st.integers(0, len(data) - 9))
        value = choose.draw(
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.integers(0, len(data)).map(lambda number: number.to_bytes(8, "little")),
                st.just(b"\xff" * 8),
            )
        )
        data[place : place + len(value)] = value
    with contextlib.suppress(LegacyError):
        facts(bytes(data))


@pytest.mark.parametrize("name", [b"a/b", b"a\0b", b"."])
@pytest.mark.parametrize("version", VERSIONS)
def test_names_that_libraries_read_as_others_are_problems(name: bytes, version: str) -> None:
    out = io.BytesIO()
    with h5py.File(out, "w", libver=version) as file:
        file["group/" + "~" * len(name)] = 1
    data = out.getvalue().replace(b"~" * len(name), name)
    if name == b"a\0b" and version == VERSIONS[0]:  # the name ends there
        assert parse_hdf5(memoryview(data)).datasets[0].path == "/group/a"
        return
    (problem,) = parse_hdf5(memoryview(data)).problems
    assert "name" in str(problem)


def test_records_of_trees_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = b"BTHD" + struct.pack("<BBIHHBBQHQI", 0, 1, 4096, 24, 0, 0, 0, 64, 50, 50, 0)
    source = Source(memoryview(tree.ljust(64, b"\0") + b"BTLF\0\1" + bytes(24 * 50)))
    assert len(list(tree2_records(source, 0))) == 50
    monkeypatch.setattr(hdf5_source, "MAX_STRUCTURES", 40)
    with pytest.raises(BudgetError):
        list(tree2_records(Source(source.data), 0))
