"""What spec/transformers.md says of kinds, bounds and files is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from safemodel.adapters.huggingface import config, fields, tokenizer

SPEC = Path(__file__).resolve().parents[2] / "spec"
TEXT = (SPEC / "transformers.md").read_text()


def test_the_tables_are_those_of_the_code() -> None:
    code = "import render_transformers as r; print(r.render() == r.PAGE.read_text())"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SPEC
    )
    assert run.stdout.strip() == "True", "run python spec/render_transformers.py"


def test_kinds_are_those_of_the_tables() -> None:
    rows = re.findall(r"^\| ((?:`[a-z]+`(?:, )?)+) \|", TEXT.split("*L* is the largest")[1], re.M)
    named = {name for row in rows for name in re.findall(r"`([a-z]+)`", row)}
    assert named == {*fields.FIELDS.values()} | {*fields.GENERATION.values()}
    assert re.search(r"`dtype` \| (.*) \|", TEXT).group(1).count("float") == len(fields.DTYPES)  # type: ignore[union-attr]


def test_bounds_are_those_of_the_code() -> None:
    flat = " ".join(TEXT.split())
    assert f"{config.MAX_VALUES:,} VALUEs, {config.MAX_DEPTH} in one another" in flat
    assert f"and at least {config.MAX_COUNT:,}" in flat
    assert f"at most {config.MAX_TEXT} printable characters" in flat
    assert f"at most {config.MAX_ITEMS:,} of the above" in flat
    assert config.MAX_SUM == 2**20
    assert config.MAX_LENGTH == 2**31
    for name, most in (
        (tokenizer.TOKENIZER, tokenizer.MAX_TOKENIZER),
        (tokenizer.CONFIG, tokenizer.MAX_CONFIG),
        (tokenizer.TEMPLATE, tokenizer.MAX_TEMPLATE),
    ):
        assert re.search(rf"`{name}` \((?:at most )?{most >> 20} MiB\)", flat), name
