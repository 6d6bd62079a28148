"""Guards of what samples images: kernels compute where they read from scales and positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.torch.operators.refusing import Guard, integers, refuse, tensor

# An image is 2 wide: zeros lie beyond, or it goes on with its border or reflection.
_FARTHEST: Final = 2**20
_SLACK: Final = 1e-6


def _resized(given: dict[str, Any]) -> None:
    image, sizes = tensor(given, "self"), integers(given["output_size"])
    axes = ["scales"] if len(sizes) == 1 else ["scales_d", "scales_h", "scales_w"][-len(sizes) :]
    for axis, size, name in zip(range(-len(sizes), 0), sizes, axes, strict=True):
        scale = given.get(name)
        if scale is None or image.dim() != len(sizes) + 2:
            continue
        if scale != scale:
            refuse(f"{name} is no number")
        if scale > 0 and size > image.shape[axis] * scale * (1 + _SLACK) + _SLACK:
            refuse(f"the size is larger than {name} makes it")


def _sampled(given: dict[str, Any]) -> None:
    grid = tensor(given, "grid")
    if given["padding_mode"] == 0 or grid.device.type != "cpu" or grid.is_complex():
        return
    if not bool((grid.detach().abs() <= _FARTHEST).all()):
        refuse("a position is far outside, or no number")


def _pooled(given: dict[str, Any]) -> None:
    # Kernels for quantized tensors read a size for each dimension without looking.
    image, sizes = tensor(given, "self"), given["output_size"]
    if image.is_quantized and (not isinstance(sizes, list | tuple) or len(sizes) != 2):
        refuse("there is not one size a dimension")


def most_of_windows(rank: int) -> Guard:
    """Of max pooling: a window that lies between the elements has no maximum, but an index."""

    def guard(given: dict[str, Any]) -> None:
        sizes = tensor(given, "self").shape[-rank:]
        paddings, dilations = (
            one * rank if len(one) == 1 else one
            for one in (integers(given.get("padding", 0)), integers(given.get("dilation", 1)))
        )
        for size, padding, dilation in zip(sizes, paddings, dilations, strict=False):
            if padding and dilation > size:
                refuse("a dilation is longer than the padded input")

    return guard


_RESIZERS: Final = (
    *("_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa", "_upsample_nearest_exact1d"),
    *("_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_bicubic2d"),
    *("upsample_bilinear2d", "upsample_linear1d", "upsample_nearest1d", "upsample_nearest2d"),
    *("upsample_nearest3d", "upsample_trilinear3d"),
)

IMAGES: Final[Mapping[str, Guard]] = {
    **{f"aten::{name}": _resized for name in _RESIZERS},
    **{
        f"aten::{name}": _sampled for name in ("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
    },
    "aten::max_pool2d": most_of_windows(2),
    "aten::max_pool2d_with_indices": most_of_windows(2),
    "aten::max_pool3d": most_of_windows(3),
    "aten::max_pool3d_with_indices": most_of_windows(3),
    **{f"aten::{name}": _pooled for name in ("_adaptive_avg_pool2d", "adaptive_avg_pool2d")},
}
