"""Run by the Python of another release: saves the cases, or loads them and says what comes out.

    python versions_child.py save FOLDER
    python versions_child.py load FOLDER

Each prints one line of JSON: case -> why it was not saved, or what came of the load. Knows nothing
of pytest.
"""

from __future__ import annotations

import importlib
import json
import math
import pickle
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).parents[2]))

import safemodel as sm
from safemodel.errors import SafemodelError

# Until 1.8 it took no notice of missing values.
CHANGED = ("decision_path",)
# Numbers that scikit-learn itself makes another way since 1.8, or draws anew each time.
CHANGED_CASES = {
    "GradientBoostingClassifier-forest": "the smallest probability that init= may give",
    "IterativeImputer-posterior": "drawn",
}
FAMILIES = sorted(Path(__file__).parent.glob("sklearn_*cases.py"))


def cases() -> Any:
    """All cases that this release can make; families of libraries that are not there are not."""
    found = importlib.import_module("tests.adapters.sklearn_cases")
    for path in FAMILIES:
        try:
            importlib.import_module(f"tests.adapters.{path.stem}")
        except (AttributeError, ImportError) as error:
            print(f"left out {path.stem}: {error}", file=sys.stderr)
    return found


def chosen(every: dict[str, Any]) -> dict[str, Any]:
    """The first case of each class, and a third of the others."""
    seen: set[str] = set()
    found = {}
    for name, make in every.items():
        kind = name.partition("-")[0]
        if kind not in seen or zlib.crc32(name.encode()) % 3 == 0:
            found[name] = make
        seen.add(kind)
    return found


def save(folder: Path) -> dict[str, str]:
    """Save each case, with what its methods give; return why some could not be."""
    module = cases()
    unsaved = {}
    for name, make in chosen(module.CASES).items():
        try:
            case = make()
        except Exception as error:  # a class or parameter that this release does not have
            print(f"left out {name}: {error!s:.100}", file=sys.stderr)
            continue
        try:
            sm.save(case.model, folder / f"{name}.safemodel", signer=None)
        except SafemodelError as error:
            unsaved[name] = str(error)
            continue
        expected = flat(module.outputs(case.model, case.data))
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(expected))
    return unsaved


def load(folder: Path) -> dict[str, str]:
    """Load each and compare."""
    module = cases()
    outcomes = {}
    for path in sorted(folder.glob("*.safemodel")):
        name = path.name.removesuffix(".safemodel")
        if name in module.CASES:
            outcomes[name] = outcome(module, name, path)
    return outcomes


def outcome(module: Any, name: str, path: Path) -> str:
    try:
        case = module.CASES[name]()
    except Exception:
        case = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = sm.load(path, trust=sm.UNSIGNED)
        except SafemodelError as error:
            return f"refused: {error.message} | {error.hint}"
    warned = any(one.category.__name__ == "InconsistentVersionWarning" for one in caught)
    if not warned and hasattr(model, "fit"):  # kernels are no estimators
        return "no warning"
    if case is None:
        return "equal"  # there is no data to compare with: the class loads
    if name in CHANGED_CASES:
        return "equal"
    expected = pickle.loads((path.parent / f"{name}.pickle").read_bytes())
    found = flat(module.outputs(model, case.data))
    return compare(found, expected)


def compare(found: dict[str, Any], expected: dict[str, Any]) -> str:
    for key in sorted(expected.keys() & found.keys()):
        if key.startswith(CHANGED):
            continue
        one, other = found[key], expected[key]
        if isinstance(other, str) or isinstance(one, str):
            failed = [str(side) for side in (one, other) if isinstance(side, str)]
            if len(failed) == 1 and failed[0].startswith("!"):
                return f"different: {key}: {failed[0]:.200}"
            continue
        if one.shape != other.shape or not np.allclose(one, other, 1e-5, 1e-6, equal_nan=True):
            return f"different: {key}"
    return "equal"


def flat(outputs: dict[str, Any]) -> dict[str, Any]:
    """Numbers of outputs as arrays, and errors as strings with a mark."""
    found: dict[str, Any] = {}
    for name, value in outputs.items():
        if isinstance(value, str):
            found[name] = f"!{value}"
            continue
        parts = value if isinstance(value, list | tuple) else [value]
        for index, part in enumerate(parts):
            found[f"{name}.{index}"] = numbers(part)
    return found


def numbers(part: Any) -> Any:
    if sp.issparse(part):
        return np.asarray(part.todense(), dtype=float)
    try:
        return np.asarray(part, dtype=float)
    except (TypeError, ValueError):
        flattened = [str(item) for item in np.asarray(part, dtype=object).ravel().tolist()]
        return np.array([math.fsum(map(ord, text)) for text in flattened])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    verb, where = sys.argv[1], Path(sys.argv[2])
    print(json.dumps({"save": save, "load": load}[verb](where)))
