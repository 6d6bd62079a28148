"""Every model of the scikit-learn tests, from files: what `save` makes of the loaded object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safemodel import adapters
from safemodel.trust.policy import UNSIGNED

from ..adapters.sklearn_all import CASES, outputs
from ..adapters.sklearn_support import fingerprint
from .support import Form, convert_in_child, expected, forms, written

# One case of each class; the slow test has all
SAMPLE = tuple({name.partition("-")[0]: name for name in reversed(CASES)}.values())


def check(names: tuple[str, ...], folder: Path) -> None:
    """Write, convert, compare."""
    made: list[tuple[str, Form, Path, Path, Any]] = []
    for number, name in enumerate(names):
        case = CASES[name]()
        for form in forms(number):
            source = folder / f"{number}-{form.name}"
            form.dump(case.model, source)
            made.append((name, form, source, source.with_suffix(".safemodel"), case.data))
    said = convert_in_child([(source, target) for _, _, source, target, _ in made], folder)
    wrong = []
    for (name, form, source, target, data), error in zip(made, said, strict=True):
        if error:
            wrong.append(f"{name} {form.name}: {error}")
            continue
        real = form.load(source)
        if written(target) != expected(real):
            wrong.append(f"{name} {form.name}: differs")
            continue
        if form.protocol is not None:
            again: Any = adapters.load(str(target), trust=UNSIGNED)
            if fingerprint(outputs(again, data)) != fingerprint(outputs(real, data)):
                wrong.append(f"{name} {form.name}: other outputs")
        source.unlink()
        target.unlink()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", range(4))
def test_models_of_every_class(part: int, tmp_path: Path) -> None:
    check(SAMPLE[part::4], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(8))
def test_all_models(part: int, tmp_path: Path) -> None:
    check(tuple(CASES)[part::8], tmp_path)
