"""CatBoost's binary models (.cbm): a magic, the size of a FlatBuffer, that, further parts.

Only models of numeric features are read completely: what tables of categories, texts and
embeddings mean is said in parts behind the FlatBuffer, in formats of their own. Of other models
`parse` says that they are such, and of what kind.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from safemodel.errors import DamagedError
from safemodel.legacy.flatbuffers import Buffer, Table

MAGIC: Final = b"CBM1"
FORMAT: Final = "FlabuffersModel_v1"  # so they spell it
MAX_INFO: Final = 1000

# Numbers of fields, as CatBoost's schemas order them.
_CORE, _TREES, _FLOAT_FEATURE, _PAIR = 4, 19, 6, 2
_OTHERS: Final = {4: "categorical", 12: "text", 18: "embedding", 13: "estimated", 7: "categorical"}


@dataclass(frozen=True, slots=True)
class FloatFeature:
    """A numeric feature: where it is in the data, and the borders of its bins (float32)."""

    index: int
    flat_index: int
    borders: bytes
    name: str | None
    has_nans: bool
    nan_treatment: int


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees of a model; vectors are little-endian bytes.

    Attributes:
        splits, sizes, starts: int32; bins of all trees, how many each has, where they begin.
        steps: pairs of uint16, and leaf_ids: uint32, of trees that are not symmetric.
        values, weights, biases: float64.
    """

    dimension: int
    splits: bytes
    sizes: bytes
    starts: bytes
    features: tuple[FloatFeature, ...]
    values: bytes
    weights: bytes
    steps: bytes
    leaf_ids: bytes
    scale: float
    bias: float
    biases: bytes


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its trees, or None with the kind of features that it needs besides numeric ones."""

    trees: Trees | None
    others: tuple[str, ...]
    info: tuple[tuple[str, str], ...]


def parse(data: bytes) -> Model:
    """Parse a binary model.

    Raises:
        DamagedError: it is none.
    """
    if not data.startswith(MAGIC) or len(data) < 8:
        raise DamagedError("not a binary model of CatBoost")
    (size,) = struct.unpack_from("<I", data, 4)
    if size == 2**32 - 1 or size > len(data) - 8:
        raise DamagedError("a CatBoost model that is cut off, or over 4 GB")
    core = Buffer(data[8 : 8 + size]).root(_CORE)
    if core.string(0) != FORMAT:
        raise DamagedError("a CatBoost model of another version")
    trees = core.table(1, _TREES)
    if trees is None:
        raise DamagedError("a CatBoost model without trees")
    info = _info(core)
    parts, rest = core.count(3), len(data) - 8 - size
    others = {name for number, name in _OTHERS.items() if trees.count(number)}
    if trees.count(6):
        others.add("categorical")
    if others:
        return Model(None, tuple(sorted(others)), info)
    if parts or rest:
        raise DamagedError("a CatBoost model of numbers with something behind its trees")
    return Model(_trees(trees), (), info)


def _info(core: Table) -> tuple[tuple[str, str], ...]:
    if core.count(2) > MAX_INFO:
        raise DamagedError(f"a CatBoost model with more than {MAX_INFO} remarks")
    found: dict[str, str] = {}
    for pair in core.tables(2, _PAIR):
        key, value = pair.string(0), pair.string(1)
        if key is None or value is None or key in found:
            raise DamagedError("a CatBoost model with a remark that has no name, or another's")
        found[key] = value
    return tuple(sorted(found.items()))


def _trees(trees: Table) -> Trees:
    return Trees(
        dimension=int(trees.scalar(0, "i", 0)),
        splits=trees.vector(1, 4),
        sizes=trees.vector(2, 4),
        starts=trees.vector(3, 4),
        features=tuple(_feature(one) for one in trees.tables(5, _FLOAT_FEATURE)),
        values=trees.vector(8, 8),
        weights=trees.vector(9, 8),
        steps=trees.vector(10, 4),
        leaf_ids=trees.vector(11, 4),
        scale=trees.scalar(14, "d", 1.0),
        bias=trees.scalar(15, "d", 0.0),
        biases=trees.vector(16, 8),
    )


def _feature(table: Table) -> FloatFeature:
    return FloatFeature(
        index=int(table.scalar(1, "i", -1)),
        flat_index=int(table.scalar(2, "i", -1)),
        borders=table.vector(3, 4),
        name=table.string(4),
        has_nans=bool(table.scalar(0, "B", 0)),
        nan_treatment=int(table.scalar(5, "b", 0)),
    )
