"""Unpickling between the processes of one program, told by who calls the unpickler.

`multiprocessing`, `concurrent.futures`, loky (joblib) and torch's workers send each other pickles
of whatever the program computes with: a guard that stopped these would be switched off. They are
told by the code object of the innermost frame outside of `pickle`: no file can put one there.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Final

# module -> qualified names of the functions in it that unpickle what another process sent
_SITES: Final = {
    "multiprocessing.connection": ("_ConnectionBase.recv",),
    "multiprocessing.queues": ("Queue.get", "SimpleQueue.get"),
    "multiprocessing.spawn": ("_main",),
    "joblib.externals.loky.cloudpickle_wrapper": ("_reconstruct_wrapper",),
    "torch.multiprocessing.queue": ("ConnectionWrapper.recv",),
    "torch.multiprocessing.spawn": ("ProcessContext.join",),
}
# The main module of a loky worker unpickles its own process object.
_LOKY_MAIN: Final = "joblib.externals.loky.backend.popen_loky_posix"

_codes: dict[str, tuple[CodeType, ...]] = {}


def between_processes(frame: FrameType | None) -> bool:
    """Whether the unpickler that raised the event in `frame` reads from another process."""
    while frame is not None and frame.f_globals.get("__name__") == "pickle":
        frame = frame.f_back
    if frame is None:
        return False
    code = frame.f_code
    return any(code in _codes_of(module) for module in _SITES) or _is_loky_main(frame)


def _codes_of(module_name: str) -> tuple[CodeType, ...]:
    """The code objects of a module's sites; none while it is not imported."""
    found = _codes.get(module_name)
    if found is not None:
        return found
    module = sys.modules.get(module_name)
    if module is None:
        return ()
    codes = []
    for qualified in _SITES[module_name]:
        value: object = module
        for part in qualified.split("."):
            value = getattr(value, part, None)
        code = getattr(value, "__code__", None)
        if isinstance(code, CodeType):
            codes.append(code)
    _codes[module_name] = tuple(codes)
    return _codes[module_name]


def _is_loky_main(frame: FrameType) -> bool:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    return (
        main is not None
        and frame.f_globals is vars(main)
        and frame.f_code.co_name == "<module>"
        and getattr(spec, "name", None) == _LOKY_MAIN
    )
