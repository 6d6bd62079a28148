"""Expressions of exported programs: arithmetic passes, everything else has a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.legacy.torch_expression import is_plain_name, why_not_arithmetic


@pytest.mark.parametrize(
    "text",
    [
        "s0",
        "2*s77",
        "s0**2 + 3*s1 - 4",
        "-s0",
        "Max(1, s0)",
        "Mod(s0*s1, 8)",
        "Mul(Integer(4), Symbol('s74', positive=True, integer=True))",
        "Float('2.5', precision=53)",
        "FloorDiv(s0, 2)",
        "s0 // 2",
        "u0 >= 0",
        "Eq(Mod(s0, 2), 0)",
        "L['x'].size()[0] == L['k']['z'][0].size()[0]",
        "2*(L['k']['z'][0].size()[0] // 2) <= 2*L['k']['z'][0].size()[0]",
        "2 <= L['args'][0].size()[0] and L['args'][0].size()[0] <= 1000",
        "L['x'].storage_offset() == 0",
        "math.isnan(L['x'])",
        "not (s0 == 1)",
        "1.5e-07*s0",
        "int_oo",
    ],
)
def test_arithmetic(text: str) -> None:
    assert why_not_arithmetic(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "s0.__class__",
        "().__class__.__bases__",
        "eval('1')",
        "exec(s0)",
        "open('x')",
        "getattr(s0, 'x')",
        "Symbol('s0').func",
        "Lambda(s0, s0)",
        "lambda: 0",
        "[x for x in s0]",
        "s0; s1",
        "s0 := 1",
        "f'{s0}'",
        "b'abc'",
        "'a' 'b\\x00'",
        "\"');__import__('os')#\"",
        "L['\");print(1)#'] == 1",
        "s0\n",
        "s0 #",
        "math.os",
        "math.__dict__",
        "s0.size.__call__",
        "print(1)",
        "print (1)",
        "breakpoint",
        "help()",
        "L(1)",
        "s0.is_positive",
        "{1: 2}",
        "@s0",
        "1_0",
        "9" * 1000,
        "(" * 70_000,
        "\u0455\u0031",
    ],
)
def test_anything_else(text: str) -> None:
    assert why_not_arithmetic(text)


def test_names() -> None:
    for name in ("p_l_weight", "x", "d.my layer.weight", "L__self__", "blocks.0", "getattr_1"):
        assert is_plain_name(name)
    for name in (
        "x=1",
        "x'",
        'x"',
        "x)",
        "x(",
        "x\n",
        "x\\",
        "x;y",
        "x#",
        "x,y",
        "{x}",
        "x" * 9999,
    ):
        assert not is_plain_name(name)


@given(st.text(max_size=80) | st.text("sLxMax(),.'\"[]+-*/ =0123_", max_size=60))
def test_what_passes_has_no_call_but_known_ones(text: str) -> None:
    if not why_not_arithmetic(text):
        assert "__" not in text.replace("int_oo", "") or "'" in text or '"' in text
        assert not set(text) & set("\\;:{}@`#\n$?")
