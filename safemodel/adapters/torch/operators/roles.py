"""What the plain arguments of operators may be: by role, with bounds.

A role is given by the argument's name, or by the row of the operator. Bounds are for literal
values, which a file chooses; what is computed from inputs is checked by PyTorch when it runs, and
where PyTorch does not check, by `guards`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from safemodel.errors import ArchitectureError

# Elements that literal sizes may ask for, in one tensor.
MAX_ELEMENTS: Final = 2**30
# What a literal may be as one size that allocates nothing by itself.
MAX_SIZE: Final = 2**48
# Of a matrix whose both sides are written.
MAX_SIDE: Final = 2**15
# What an image or a signal may grow by, in each dimension.
MAX_SCALE: Final = 1024
MAX_DIMS: Final = 64
# Kernels, strides, dilations, paddings, groups, heads.
MAX_WINDOW: Final = 2**20
_INT64: Final = 2**63
_EQUATION: Final = re.compile(r"[A-Za-z., >-]{1,300}")

Check = Callable[[Sequence[Any]], bool]


def _between(low: int, high: int) -> Check:
    return lambda values: all(low <= value <= high for value in values)


def _sizes(values: Sequence[Any]) -> bool:
    return (
        len(values) <= MAX_DIMS
        and all(-1 <= value <= MAX_SIZE for value in values)
        and math.prod(value for value in values if value > 0) <= MAX_ELEMENTS
    )


def _pad(values: Sequence[Any]) -> bool:
    if len(values) > 2 * MAX_DIMS:
        return False
    grown = [sum(values[at : at + 2]) for at in range(0, len(values), 2)]
    return all(abs(value) <= MAX_SIZE for value in values) and (
        math.prod(1 + max(more, 0) for more in grown) <= MAX_ELEMENTS
    )


def _one_of(*allowed: str) -> Check:
    return lambda values: all(value in allowed for value in values)


def _equation(values: Sequence[Any]) -> bool:
    return all(_EQUATION.fullmatch(value) is not None for value in values)


# role -> (check of the literal values, what they are, for people)
INTEGERS: Final[Mapping[str, tuple[Check, str]]] = {
    "": (_between(-_INT64, _INT64 - 1), "an integer of 64 bits"),
    "count": (_between(0, MAX_ELEMENTS), f"0 to {MAX_ELEMENTS}"),
    "dim": (_between(-MAX_DIMS, MAX_DIMS - 1), "a dimension, -64 to 63"),
    "index": (_between(-_INT64, _INT64 - 1), "an index"),
    "length": (_between(-1, MAX_ELEMENTS), f"a length up to {MAX_ELEMENTS}"),
    "offset": (_between(-MAX_SIDE, MAX_SIDE), f"-{MAX_SIDE} to {MAX_SIDE}"),
    "pad": (_pad, f"padding of all dimensions with a product up to {MAX_ELEMENTS}"),
    "reduction": (_between(0, 2), "0 none, 1 mean, 2 sum"),
    "code": (_between(-1, 9), "a code, -1 to 9"),
    "shape": (_between(-1, MAX_SIZE), f"sizes up to {MAX_SIZE}"),
    "edge": (_between(0, MAX_SIDE), f"0 to {MAX_SIDE}"),
    "sizes": (_sizes, f"sizes with a product up to {MAX_ELEMENTS}"),
    "times": (_sizes, f"repetitions with a product up to {MAX_ELEMENTS}"),
    "window": (_between(0, MAX_WINDOW), f"0 to {MAX_WINDOW}"),
}

STRINGS: Final[Mapping[str, tuple[Check, str]]] = {
    "UPLO": (_one_of("L", "U"), "L, U"),
    "approximate": (_one_of("none", "tanh"), "none, tanh"),
    "driver": (
        _one_of("gels", "gelsd", "gelss", "gelsy", "gesvd", "gesvda", "gesvdj"),
        "a driver of LAPACK",
    ),
    "equation": (_equation, "letters, commas, points and an arrow"),
    "indexing": (_one_of("ij", "xy"), "ij, xy"),
    "interpolation": (
        _one_of("linear", "lower", "higher", "midpoint", "nearest"),
        "linear, lower, higher, midpoint, nearest",
    ),
    "mode": (_one_of("reduced", "complete", "r"), "reduced, complete, r"),
    "norm": (_one_of("backward", "forward", "ortho"), "backward, forward, ortho"),
    "ord": (_one_of("fro", "nuc"), "fro, nuc"),
    "pad_mode": (
        _one_of("constant", "reflect", "replicate", "circular"),
        "constant, reflect, replicate, circular",
    ),
    "padding": (_one_of("valid", "same"), "valid, same"),
    "reduce": (
        _one_of("sum", "prod", "mean", "amax", "amin", "add", "multiply"),
        "sum, prod, mean, amax, amin, add, multiply",
    ),
    "rounding_mode": (_one_of("floor", "trunc"), "floor, trunc"),
    "side": (_one_of("left", "right"), "left, right"),
    "text": (lambda values: all(len(value) <= 1000 for value in values), "a text"),
}

_NAMED: Final[Mapping[str, str]] = {
    "dim": "dim dims dim0 dim1 dim2 dimension axis axis0 axis1 start_dim end_dim source "
    "destination dims_self dims_other ch_axis batch_dim",
    "edge": "row col",
    "sizes": "size sizes output_size n m shape",
    "shape": "normalized_shape split_size split_sizes",
    "times": "repeats",
    "length": "length steps N s window_length num_samples num_classes minlength bins total_length",
    "count": "chunks sections groups num_groups num_heads num_head embed_dim k upscale_factor "
    "downscale_factor num_layers steps",
    "window": "kernel_size stride dilation padding output_padding n_fft hop_length win_length "
    "group",
    "pad": "pad",
    "index": "index start end step padding_idx ignore_index blank diagonal offset shifts",
    "reduction": "reduction",
    "code": "interpolation_mode padding_mode normalization edge_order compute_mode mask_type",
}
_ROLES: Final = {name: role for role, names in _NAMED.items() for name in names.split()}


SCALES: Final = frozenset({"scale_factors", "scales", "scales_d", "scales_h", "scales_w"})


def integer_role(name: str, role: str) -> str:
    """The role of an argument that is an integer or several: what its row says, else by name."""
    return role or _ROLES.get(name, "")


def string_role(name: str, role: str) -> str:
    """The role of an argument that is a text: what its row says, else its name."""
    return role or name


def check_integers(name: str, role: str, values: Sequence[int]) -> None:
    """Check literal integers of one argument.

    Raises:
        ArchitectureError: they are outside the bounds of their role.
    """
    check, said = INTEGERS[integer_role(name, role)]
    if not check(values):
        raise ArchitectureError(f"argument {name!r}: {values!r:.80} is not {said}")


def check_floats(name: str, values: Sequence[float]) -> None:
    """Check literal numbers that say how much larger a result is than its input.

    Raises:
        ArchitectureError: one is not within 0 to `MAX_SCALE`.
    """
    if name in SCALES and not all(0 <= value <= MAX_SCALE for value in values):
        raise ArchitectureError(f"argument {name!r}: {values!r:.80} is not 0 to {MAX_SCALE}")


def check_strings(name: str, role: str, values: Sequence[str]) -> None:
    """Check literal texts of one argument.

    Raises:
        ArchitectureError: they are not among the words of their role.
    """
    check, said = STRINGS[string_role(name, role)]
    if not check(values):
        raise ArchitectureError(f"argument {name!r}: {values!r:.80} is not {said}")
