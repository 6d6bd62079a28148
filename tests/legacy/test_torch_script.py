"""The names in TorchScript source: what real modules have, and what hides from a search."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy.torch_script import parse_script


def names(source: str) -> set[str]:
    found = parse_script(source.encode())
    return {f"{each.namespace}.{each.name}" for each in found.operators}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = torch.add(a, b)", {"aten.add"}),
        ("x = torch . save (a)", {"aten.save"}),
        ("x = (torch\n  .\n save)(a)", {"aten.save"}),
        ("x = torch \\\n .save(a)", {"aten.save"}),
        ("x = torch. # comment\n  save(a)", {"aten.save"}),
        ("x = ops.image.write_file(a)", {"image.write_file"}),
        ("ops.prim.RaiseException('x')", {"prim.RaiseException"}),
        ("f = ops.image", {"image."}),
        ("f = ops\ng = torch", {".", "aten."}),
        ("x = 'torch.save(a)' # torch.save(a)", set()),
        ("x = 'a\\'' + torch.save('b')", {"aten.save"}),
        ("x = '''a'b\n''' + torch.save('b')", {"aten.save"}),
        ('x = """a"b\\"""c""" + torch.save(d)', {"aten.save"}),
        ("x = '' 'a' \"\" + torch.save(d)", {"aten.save"}),
        ("x = self.torch.save(a)", set()),
        ("x = __torch__.a.b(1)", set()),
        ("x = 1.torch.save(d)", {"aten.save"}),
        ("x = 1else torch.save(d)", {"aten.save"}),
        ("x = 1e5torch.save(d)", {"aten.save"}),
        ("x = [torch.save(d), -torch.relu(d)]", {"aten.save", "aten.relu"}),
    ],
)
def test_operators(source: str, expected: set[str]) -> None:
    assert names(source) == expected


def test_classes() -> None:
    found = parse_script(b"x : __torch__.torch.classes.quantized.LinearPackedParamsBase\n")
    assert [name for name, _ in found.classes] == ["quantized.LinearPackedParamsBase"]
    assert found.operators == ()


def test_offsets_are_those_of_the_first() -> None:
    found = parse_script(b"  torch.add(torch.add(a))")
    assert [each.offset for each in found.operators] == [2]


@pytest.mark.parametrize(
    "source", [b"x = `id`", b"x = 'abc", b"x = 'a\nb'", b"\x00", b"x = \xc3\xa9"]
)
def test_what_the_language_does_not_have(source: bytes) -> None:
    with pytest.raises(DamagedError):
        parse_script(source)


@given(st.binary(max_size=100) | st.text("torchps.\\\n'\"# ()1e", max_size=60).map(str.encode))
def test_any_bytes(source: bytes) -> None:
    with contextlib.suppress(LegacyError):
        parse_script(source)


def test_quotes_without_end_take_linear_time() -> None:
    with pytest.raises(DamagedError):
        parse_script(b"'''" + b"\\'" * 200_000)
    with pytest.raises(DamagedError):
        parse_script(b"x = " + b'"\\' * 200_000)
