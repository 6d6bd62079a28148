"""The node tests of the onnx package: saved, loaded, opened; outputs as before, to the last bit."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

import safemodel as sm
from tests.adapters.onnx_support import node_cases, run, same, saved, session_of, unsigned

PARTS = 8
# Of 1884 in onnx 1.23, ONNX Runtime 1.31 runs about 1,500: the others are newer than it.
RUNS_AT_LEAST = 1350


@cache
def _cases() -> list[Any]:
    return node_cases()


def _outcome(case: Any, path: Path) -> str:
    """Save, load and open one case: what became of it."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.ir_version = min(model.ir_version, 11)  # ONNX Runtime is behind ONNX
    try:
        session = session_of(model)
        before = [run(session, feeds) for feeds, _ in case.data_sets]
    except NotImplementedError:
        return "not compared"
    except Exception as error:  # ONNX Runtime has a dozen kinds
        return f"not run: {type(error).__name__}"
    saved(model, path)
    loaded = session_of(sm.load(path, trust=sm.UNSIGNED))
    for after in (loaded, unsigned(path)):
        found = [run(after, feeds) for feeds, _ in case.data_sets]
        assert all(map(same, before, found)), case.name
    return "same"


def _check(cases: list[Any], folder: Path) -> Counter[str]:
    return Counter(_outcome(case, folder / "m.safemodel") for case in cases)


def _is_telling(name: str) -> bool:
    """Cases with subgraphs, strings, sequences, and types of their own: all of them."""
    words = ("if_", "loop", "scan", "sequence", "string", "optional", "ai_onnx_ml", "constant")
    return any(word in name for word in words)


def test_a_sample_of_the_node_tests(tmp_path: Path) -> None:
    cases = [
        case for number, case in enumerate(_cases()) if number % 40 == 0 or _is_telling(case.name)
    ]
    found = _check(cases, tmp_path)
    assert found["same"] > len(cases) * 0.7, found


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_all_node_tests(part: int, tmp_path: Path) -> None:
    found = _check(_cases()[part::PARTS], tmp_path)
    print(dict(found))
    assert found["same"] >= RUNS_AT_LEAST // PARTS, found
