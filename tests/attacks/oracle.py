"""The oracle: a real loader, in a confined child, given a file. Did the marker appear?

    python -m tests.attacks.oracle < requests > answers

One process imports the loaders once and forks for each file; the child has limits on processor
time, file sizes and open files, a folder of its own, and no terminal. Requests are JSON lines
`{"loader": ..., "path": ..., "folder": ..., "guard": ...}`; each answer is a JSON line
`{"executed": bool, "outcome": str}`. `guard` is null, or what safemodel.guard.install is given.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

TIMEOUT = 20.0
_LATE = 0.5  # seconds that a program started by the payload may take to get there


def _pickle(path: str) -> None:
    import pickle

    with open(path, "rb") as file:
        pickle.load(file)


def _pickle_python(path: str) -> None:
    import pickle

    with open(path, "rb") as file:
        pickle._load(file)  # type: ignore[attr-defined]


def _pickle_loads(path: str) -> None:
    import pickle

    with open(path, "rb") as file:
        pickle.loads(file.read())


def _pickle_twice(path: str) -> None:
    import pickle

    with open(path, "rb") as file:
        pickle.load(file)
        pickle.load(file)


def _gzip(path: str) -> None:
    import gzip
    import pickle

    with gzip.open(path) as file:
        pickle.load(file)


def _joblib(path: str) -> None:
    import joblib

    joblib.load(path)


def _joblib_mmap(path: str) -> None:
    import joblib

    joblib.load(path, mmap_mode="r")


def _torch(path: str) -> None:
    import torch

    torch.load(path, weights_only=False)


def _torch_jit(path: str) -> None:
    import torch

    torch.jit.load(path)


def _torch_package(path: str) -> None:
    from torch.package import PackageImporter

    PackageImporter(path).load_pickle("model", "model.pkl")


def _torch_export(path: str) -> None:
    import torch

    torch.export.load(path)


def _numpy(path: str) -> None:
    import numpy

    loaded = numpy.load(path, allow_pickle=True)
    if hasattr(loaded, "files"):
        for name in loaded.files:
            loaded[name]


def _numpy_appended(path: str) -> None:
    import numpy

    with open(path, "rb") as file:
        numpy.load(file, allow_pickle=True)
        numpy.load(file, allow_pickle=True)


def _pandas(path: str) -> None:
    import pandas

    pandas.read_pickle(path, compression="infer")


def _dill(path: str) -> None:
    import dill

    with open(path, "rb") as file:
        dill.load(file)


def _cloudpickle(path: str) -> None:
    import cloudpickle

    with open(path, "rb") as file:
        cloudpickle.load(file)


def _keras(path: str) -> None:
    import keras

    keras.models.load_model(path)


def _keras_unsafe(path: str) -> None:
    import keras

    model = keras.models.load_model(path, safe_mode=False)
    import numpy

    with contextlib.suppress(Exception):
        model(numpy.zeros((1, 2), "float32"))


def _saved_model(path: str) -> None:
    import tensorflow

    model = tensorflow.saved_model.load(path)
    for function in model.signatures.values():
        function(tensorflow.constant(0.0))


def _graph_def(path: str) -> None:
    import tensorflow

    graph = tensorflow.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())
    with tensorflow.Graph().as_default(), tensorflow.compat.v1.Session() as session:
        tensorflow.import_graph_def(graph, name="")
        for operation in session.graph.get_operations():
            session.run(operation)


def _jinja(path: str) -> None:
    """As llama-cpp-python did before CVE-2024-34359 was mended."""
    import jinja2

    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.startswith("{") and path.endswith(".json"):
        text = json.loads(text)["chat_template"]
    jinja2.Environment().from_string(text).render(  # noqa: S701 (the hole that is shown)
        messages=[], bos_token="", eos_token="", add_generation_prompt=True
    )


def _gguf(path: str) -> None:
    import gguf
    import jinja2

    field = gguf.GGUFReader(path).fields["tokenizer.chat_template"]
    text = bytes(field.parts[-1]).decode()
    jinja2.Environment().from_string(text).render(messages=[])  # noqa: S701


def _skops(path: str) -> None:
    import skops.io

    skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


LOADERS: dict[str, Callable[[str], None]] = {
    "pickle": _pickle,
    "pickle-python": _pickle_python,
    "pickle-loads": _pickle_loads,
    "pickle-twice": _pickle_twice,
    "gzip": _gzip,
    "joblib": _joblib,
    "joblib-mmap": _joblib_mmap,
    "torch": _torch,
    "torch-jit": _torch_jit,
    "torch-package": _torch_package,
    "torch-export": _torch_export,
    "numpy": _numpy,
    "numpy-appended": _numpy_appended,
    "pandas": _pandas,
    "dill": _dill,
    "cloudpickle": _cloudpickle,
    "keras": _keras,
    "keras-unsafe": _keras_unsafe,
    "saved-model": _saved_model,
    "graph-def": _graph_def,
    "jinja": _jinja,
    "gguf": _gguf,
    "skops": _skops,
}


def _confine() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (15, 15))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def _child(loader: str, path: str, folder: str, guard: dict[str, Any] | None) -> None:
    """Load the file, and end the process as a program would."""
    os.setsid()
    _confine()
    os.chdir(folder)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdout = sys.stderr = io.StringIO()
    warnings.simplefilter("ignore")
    code = 0
    if guard is not None:
        import safemodel.guard

        safemodel.guard.install(**guard)
    try:
        LOADERS[loader](path)
    except BaseException:  # whatever the file does: the marker is the answer
        code = 3
    with contextlib.suppress(BaseException):
        import atexit
        import threading

        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(1)
        atexit._run_exitfuncs()
    os._exit(code)


def _appeared(folder: str) -> bool:
    return bool(os.listdir(folder))


def judge(
    loader: str, path: str, folder: str, guard: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Fork, load, look into `folder`."""
    pid = os.fork()
    if pid == 0:
        _child(loader, path, folder, guard)
    deadline = time.monotonic() + TIMEOUT
    outcome = "timeout"
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            outcome = str(os.waitstatus_to_exitcode(status))
            break
        if _appeared(folder):
            time.sleep(0.002)
        time.sleep(0.002)
    late = time.monotonic() + (_LATE if guard is None else 0)
    while not _appeared(folder) and time.monotonic() < late:
        time.sleep(0.01)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    if outcome == "timeout":
        os.waitpid(pid, 0)
    return {"executed": _appeared(folder), "outcome": outcome}


def preload(modules: list[str]) -> None:
    """Import what the loaders need, once, before the forks."""
    import importlib

    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def main() -> None:
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    preload(sys.argv[1:])
    for line in sys.stdin:
        request = json.loads(line)
        answer = judge(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
