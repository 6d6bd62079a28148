"""A confined child that meets hostile functions of TensorFlow: nothing may come of any of them.

    python tensorflow_victim.py FOLDER saved                   save what reaches files, and so on
    python tensorflow_victim.py FOLDER exported                the same as SavedModels
    python tensorflow_victim.py FOLDER edits                   load what hostile signers made
    python tensorflow_victim.py FOLDER swept | swept all       and other changes of `Rich`
    python tensorflow_victim.py FOLDER calls | huge
    python tensorflow_victim.py FOLDER random FIRST COUNT

Prints a line of JSON for each: its name, what became of it, and what an audit hook saw that must
not be. The name goes to the file `log` first, for the case that the child dies. Where hostile
work begins and ends, it looks for the files BEGIN and END, for whoever traces its system calls.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import tensorflow as tf  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.adapters import OWN_KEY, signing_with  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402
from tests.adapters import tensorflow_attacks as attacks  # noqa: E402
from tests.adapters import tensorflow_forbidden as forbidden  # noqa: E402
from tests.adapters.tensorflow_rich import Archive, use  # noqa: E402

SECONDS = 60
MEMORY = 8 << 30
FORBIDDEN = (
    *("import", "os.", "subprocess.", "socket.", "ctypes.", "pickle.", "shutil.", "code.__new__"),
    *("marshal.", "builtins.input", "webbrowser.", "urllib.", "tempfile.", "sqlite3.", "exec"),
    *("compile", "glob."),
)
_SEEN: list[str] = []
_READ: list[str] = []
_armed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _armed:
        return
    if event == "open":
        if str(arguments[0]) not in _READ or arguments[1] not in ("r", "rb", None):
            _SEEN.append(f"open {arguments!r:.200}")
    elif event == "mmap.__new__":
        if arguments[0] != -1:  # memory that is no file's is for tensors
            _SEEN.append(f"{event} {arguments!r:.200}")
    elif event.startswith(FORBIDDEN):
        _SEEN.append(f"{event} {arguments!r:.200}")


def _load(path: Path, **options: Any) -> Any:
    _READ[:] = [str(path), str(Path(os.environ["SAFEMODEL_CONFIG"], "own.key"))]
    return sm.load(path, **options)


def _edits(folder: Path, made: Archive) -> Iterator[tuple[str, Any]]:
    """Archives that are validly signed."""
    for name, edit in attacks.EDITS.items():
        path = folder / "edited.safemodel"
        if made.write(attacks.edited(made.program, edit), path, signing_with(OWN_KEY)):
            yield f"edits/{name}", lambda path=path: _load(path)
        else:
            yield f"edits/{name}", _unwritable


def _programs(folder: Path, made: Archive, what: list[str]) -> Iterator[tuple[str, Any]]:
    """Archives of programs that are changed."""
    if "edits" in what:
        yield from _edits(folder, made)
    path = folder / "changed.safemodel"
    for name, program in _changed(made.program, folder, what):
        written = made.write(program, path)
        yield name, (lambda: _load(path, trust=sm.UNSIGNED)) if written else _unwritable


def _unwritable() -> Any:
    raise SafemodelError("no archive can have it")


def _changed(program: Any, folder: Path, what: list[str]) -> Iterator[tuple[str, Any]]:
    if "swept" in what:
        step = 1 if "all" in what else 19
        for number, made in enumerate(attacks.swept(program, str(folder / "marker"), step)):
            yield f"swept/{number}", made
    for name, edit in attacks.CALLS.items():
        # TensorFlow waits half a minute for memory before it says that there is none.
        if ("huge" if name in attacks.HUGE else "calls") in what:
            yield f"calls/{name}", attacks.edited(program, edit)
    if "random" in what:
        first, count = (int(number) for number in what[-2:])
        for seed in range(first, first + count):
            yield f"random/{seed}", attacks.mutated(program, seed)
            yield f"grafted/{seed}", attacks.grafted(program, seed)


def _become(make: Any) -> str:
    """What becomes of a program: refused, or what happens when it is used."""
    try:
        module = make()
    except SafemodelError as error:
        return f"refused {type(error).__name__}: {error}"
    except Exception as error:
        return f"failed {type(error).__name__}: {error}"
    try:
        use(module)
    except Exception as error:
        return f"stopped {type(error).__name__}: {error}"
    return "harmless"


def _saved(folder: Path) -> Iterator[tuple[str, Any]]:
    for name in forbidden.FORBIDDEN:
        module = forbidden.module(name, folder / "files")
        path = folder / "out.safemodel"
        yield name, lambda module=module, path=path: sm.save(module, path, signer=None)


def _warm_up(folder: Path, made: Archive) -> None:
    """Have everything imported that is ours, and that TensorFlow imports when it runs something."""
    path = folder / "warm.safemodel"
    edits = ("a shape below zero", "an axis far outside", "a division by nothing")
    programs = [attacks.edited(made.program, attacks.CALLS[name]) for name in edits]
    for program in (made.program, made.program, *programs):
        made.write(program, path)
        _become(lambda: _load(path, trust=sm.UNSIGNED))
    made.write(made.program, path, signing_with(OWN_KEY))
    use(_load(path))


def _check_hook() -> None:
    """The hook must see what it is there for."""
    global _armed
    _armed = True
    compile("import os", "<program>", "exec")
    with Path(__file__).open():
        pass
    _armed = False
    if len(_SEEN) != 2:
        raise SystemExit(f"the audit hook saw {_SEEN}")


def _meet(name: str, make: Any, log: Any, about: str = "") -> None:
    global _armed
    log.seek(0)
    log.truncate()
    log.write(name)
    log.flush()
    signal.alarm(SECONDS)
    _SEEN.clear()
    _armed = True
    became = _become(make)
    _armed = False
    seen = [event for event in _SEEN if about in event]
    print(json.dumps([name, became[:400], seen]), flush=True)


def main(folder: Path, what: list[str]) -> None:
    tf.get_logger().setLevel("ERROR")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    log = (folder / "log").open("w")
    sys.addaudithook(_hook)
    if what == ["exported"]:
        forbidden.prepare(folder / "files")
        for name in forbidden.FORBIDDEN:
            module = forbidden.module(name, folder / "files")
            tf.saved_model.save(module, folder / "models" / name)
            print(json.dumps([name, "harmless", []]))
        return
    if what == ["saved"]:
        files = folder / "files"
        forbidden.prepare(files)
        for name, make in _saved(folder):
            _meet(name, make, log, about=str(files))
        if not forbidden.untouched(files):
            raise SystemExit("something was made or changed")
        return
    made = Archive.rich()
    _warm_up(folder, made)
    _check_hook()
    (folder / "BEGIN").exists()
    for name, make in _programs(folder, made, what):
        _meet(name, make, log)
    (folder / "END").exists()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
