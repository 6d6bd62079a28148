"""Write the table of the operators of PyTorch, less those in `EXCLUDED`.

    python tests/census/torch_operators.py        (with torch; a test compares)

An operator is in the file if calling it with any arguments touches nothing but tensors, numbers and
text of the model, the random generator, and the standard output. Which do more was decided from
their schemas and sources: `EXCLUDED` here, and the reasons in safemodel/scan/torch_operators.py.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

TARGET = Path(__file__).parents[2] / "safemodel/scan/tables/torch.txt"
NAMESPACES = (
    "_quantized",
    "aten",
    "mkl",
    "mkldnn",
    "mkldnn_prepacked",
    "onednn",
    "prim",
    "prims",
    "profiler",
    "quantization",
    "quantized",
    "rngprims",
    "sparse",
)
EXCLUDED = {
    "aten": {"from_file", "save"},
    "prim": {"IgnoredPythonOp", "PythonOp", "rpc_async", "rpc_remote", "rpc_sync"},
}
# of libraries that are not PyTorch itself; read in their sources: tensors in, tensors out
OTHERS = {
    "torchaudio": "forced_align lfilter rnnt_loss _lfilter_core_loop _diff_iir",
    "torchvision": "_interpolate_bicubic2d_aa _interpolate_bilinear2d_aa deform_conv2d nms "
    "ps_roi_align ps_roi_pool roi_align roi_pool",
    "image": "decode_gif decode_image decode_jpeg decode_png decode_webp encode_jpeg encode_png",
    "torch_scatter": "gather_coo gather_csr scatter_max scatter_mean scatter_min scatter_mul "
    "scatter_sum segment_max_coo segment_max_csr segment_mean_coo segment_mean_csr "
    "segment_min_coo segment_min_csr segment_sum_coo segment_sum_csr",
}


def found() -> dict[str, set[str]]:
    """The names of the installed torch, by namespace."""
    import torch

    names: dict[str, set[str]] = {namespace: set() for namespace in NAMESPACES}
    for schema in torch._C._jit_get_all_schemas():
        namespace, _, name = schema.name.partition("::")
        if namespace in names and name not in EXCLUDED.get(namespace, ()):
            names[namespace].add(name)
    for namespace, words in OTHERS.items():
        names.setdefault(namespace, set()).update(words.split())
    return names


def write(names: dict[str, set[str]]) -> str:
    """The text of the file."""
    lines = ["# torch 2.13.0 (CPU); written by tests/census/torch_operators.py, reviewed there"]
    for namespace in sorted(names):
        lines.append(f"[{namespace}]")
        lines += textwrap.wrap(" ".join(sorted(names[namespace])), 100)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(write(found()), encoding="utf-8")
