"""Write the table of the operators that ONNX and ONNX Runtime themselves have.

    python tests/census/onnx_operators.py safemodel/scan/tables/onnx.txt

Reviewed by hand: none of them opens a file or a connection or calls Python, but for EPContext,
which the scanner looks at by itself.
"""

from __future__ import annotations

import sys
import textwrap
from collections import defaultdict

import onnx
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime


def main() -> None:
    names: dict[str, set[str]] = defaultdict(set)
    for schema in onnx.defs.get_all_schemas_with_history():
        names[schema.domain].add(schema.name)
    for schema in runtime.get_all_operator_schema():
        names[schema.domain].add(schema.name)
    lines = [
        f"# onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__};"
        " written by tests/census/onnx_operators.py"
    ]
    for domain in sorted(names):
        lines.append(f"[{domain or 'ai.onnx'}]")
        lines += textwrap.wrap(" ".join(sorted(names[domain])), 100, break_on_hyphens=False)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
