"""A confined child that opens and runs mutated models that our audit let pass: it must survive.

Arguments: a folder with `0.onnx`, `1.onnx`, ..., the number of the first, and a log, to which the
number of each goes before it is opened. ONNX Runtime may refuse a model; it may not crash, or run
on without end.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

SECONDS = 20
MEMORY = 4 << 30
TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def main() -> None:
    """Open and run each."""
    folder, first, log = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    onnxruntime.set_default_logger_severity(4)
    for path in sorted(folder.glob("*.onnx"), key=lambda path: int(path.stem)):
        if int(path.stem) < first:
            continue
        log.write_text(path.stem)
        signal.alarm(SECONDS)
        with contextlib.suppress(Exception):  # refused, in one of a dozen ways
            use(path.read_bytes())
    log.write_text("done")


def use(graph: bytes) -> None:
    """What a session of ours does with it, and a run."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.load_model_format", "ONNX")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feeds: dict[str, Any] = {}
    for item in session.get_inputs():
        shape = [size if isinstance(size, int) and 0 < size < 100 else 4 for size in item.shape]
        feeds[item.name] = np.ones(shape or (4, 4), TYPES.get(item.type, np.float32))
    session.run(None, feeds)


if __name__ == "__main__":
    main()
