"""Helpers of the tests of conversions: files as the libraries write them, and what they become."""

from __future__ import annotations

import importlib
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from safemodel import bundle
from safemodel.adapters import numpy as plain_adapter
from safemodel.adapters import sklearn as adapter
from safemodel.adapters.protocol import Saved
from safemodel.format import canonical_json
from safemodel.trust.policy import UNSIGNED

from ..adapters.sklearn_support import in_memory

CHILD = Path(__file__).with_name("child.py")
CODECS: tuple[Any, ...] = (
    0,
    ("zlib", 3),
    ("gzip", 1),
    ("bz2", 3),
    ("lzma", 1),
    ("xz", 1),
    ("lz4", 1),
)


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written and read: a protocol of pickle, or a codec of joblib."""

    name: str
    protocol: int | None = None
    codec: Any = 0

    def dump(self, obj: Any, path: Path) -> None:
        if self.protocol is None:
            joblib.dump(obj, path, compress=self.codec)
        else:
            path.write_bytes(pickle.dumps(obj, self.protocol))

    def load(self, path: Path) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.protocol is None:
                return joblib.load(path)
            return pickle.loads(path.read_bytes())


PICKLES = tuple(Form(f"protocol{number}", number) for number in range(6))
JOBLIBS = tuple(Form(f"joblib-{codec[0] if codec else 'plain'}", None, codec) for codec in CODECS)


def forms(number: int) -> tuple[Form, Form]:
    """One form of pickle and one of joblib, in rotation."""
    return PICKLES[number % len(PICKLES)], JOBLIBS[number % len(JOBLIBS)]


def content(saved: Saved) -> tuple[Any, dict[str, tuple[str, tuple[int, ...], bytes]]]:
    """Architecture and tensors."""
    held = in_memory(saved)
    tensors = {name: (one.dtype, one.shape, one.data) for name, one in held.stored.items()}
    data = canonical_json.encode(held.architecture)
    return canonical_json.decode(data, max_size=len(data)), tensors


def expected(obj: Any) -> tuple[Any, Any]:
    """What `sm.save` writes of the object that the real loader returned."""
    from safemodel import adapters

    name = adapters.choose(obj)
    chosen: Any = {"sklearn": adapter, "numpy": plain_adapter}.get(name)
    if chosen is None:
        chosen = importlib.import_module(f"safemodel.adapters.{name}")
    return content(chosen.save(obj))


def written(path: Path) -> tuple[Any, Any]:
    """Architecture and tensors of a bundle."""
    with bundle.open_bundle(str(path), trust=UNSIGNED) as opened:
        tensors = {}
        for name in opened.tensors:
            one = opened.tensor(name)
            tensors[name] = (one.dtype, tuple(one.shape), bytes(one.buffer))
        return opened.manifest.architecture, tensors


def convert_in_child(jobs: Sequence[tuple[Path, Path]], folder: Path) -> list[str]:
    """Convert files in a process of their own, under the audit hook; what each said."""
    listed = folder / "jobs.json"
    listed.write_text(json.dumps([[str(source), str(target)] for source, target in jobs]))
    done = subprocess.run(
        [sys.executable, str(CHILD), str(listed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["seen"], found["seen"][:10]
    assert not found["there"], found["there"]
    said: list[str] = found["said"]
    return said


def converted_forms(objects: Mapping[str, Any], kinds: Sequence[Form], folder: Path) -> Path:
    """All objects in all forms, converted by one child into a folder."""
    jobs = []
    for name, obj in objects.items():
        for form in kinds:
            source = folder / f"{name}-{form.name}"
            form.dump(obj, source)
            jobs.append((source, source.with_suffix(".safemodel")))
    assert convert_in_child(jobs, folder) == [""] * len(jobs)
    return folder


def assert_as_saved(name: str, kinds: Sequence[Form], folder: Path) -> None:
    """Each form of an object became what `save` makes of the loaded object."""
    for form in kinds:
        source = folder / f"{name}-{form.name}"
        assert written(source.with_suffix(".safemodel")) == expected(form.load(source)), form.name
