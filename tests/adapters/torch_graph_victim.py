"""A confined child that loads hostile programs and uses what loads: nothing may come of it.

Arguments: a folder, and what to do. `archives` loads each `NAME.safemodel`, validly signed. With
`swept`, `calls`, and `random FIRST COUNT` the program of `Rich` is changed here. Prints a line of
JSON for each: its name, what became of it, and what an audit hook saw that must not be. The name
goes to the file `log` first, for the case that the child dies.
"""

from __future__ import annotations

import copy
import json
import os
import re
import resource
import signal
import sys
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

import torch  # noqa: E402

import safemodel as sm  # noqa: E402
from safemodel.adapters.torch import export  # noqa: E402
from safemodel.adapters.torch.export.control import CONTROL  # noqa: E402
from safemodel.adapters.torch.operators import ARITHMETIC, OPERATORS  # noqa: E402
from safemodel.errors import SafemodelError  # noqa: E402
from tests.adapters import torch_graph_attacks as attacks  # noqa: E402
from tests.adapters.mutate import mutate  # noqa: E402

SECONDS = 20
MEMORY = 12 << 30
# All that the source of a graph may consist of.
SOURCE = re.compile(
    r"(?:[cfgmv][0-9]+|own|def|return|del|None|True|False|\b[is]\b|[0-9]+|[\s(),:=\[\]{}*-])*"
)
FORBIDDEN = (
    *("import", "os.", "subprocess.", "socket.", "ctypes.", "pickle.", "shutil.", "code.__new__"),
    *("marshal.", "builtins.input", "webbrowser.", "urllib.", "tempfile.", "sqlite3."),
)
WORDS = [*OPERATORS, *ARITHMETIC, *CONTROL, "linear.weight", "linear.bias", "parameter", "constant"]
_SEEN: list[str] = []
_READ: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "compile" and arguments[1] == "<program>":
        source = arguments[0]
        text = source.decode() if isinstance(source, bytes) else str(source)
        if not SOURCE.fullmatch(text):
            _SEEN.append(f"compile {text[:300]!r}")
    elif event == "exec":
        if getattr(arguments[0], "co_filename", None) != "<program>":
            _SEEN.append(f"exec {arguments[0]!r:.200}")
    elif event == "open":
        if str(arguments[0]) not in _READ or arguments[1] not in ("r", "rb", None):
            _SEEN.append(f"open {arguments!r:.200}")
    elif event == "mmap.__new__":
        if arguments[0] != -1:  # memory that is no file's is for tensors
            _SEEN.append(f"{event} {arguments!r:.200}")
    elif event == "compile" or event.startswith(FORBIDDEN):
        _SEEN.append(f"{event} {arguments!r:.200}")


def _load(path: Path) -> Any:
    _READ[:] = [str(path), str(Path(os.environ["SAFEMODEL_CONFIG"], "own.key"))]
    return sm.load(path)


def _archives(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(folder.glob("*.safemodel")):
        yield path.stem, lambda path=path: _load(path)


def _state() -> OrderedDict[str, Any]:
    module = attacks.rich()
    state = OrderedDict(module.state_dict(keep_vars=False))
    state["scale"] = module.scale
    state["constant.0"] = torch.tensor([0, 2])
    return state


def _programs(program: Any, what: list[str], folder: Path) -> Iterator[Any]:
    for name, edited in _changed(program, what, str(folder / "marker")):
        yield name, lambda edited=edited: export.rebuild(edited, (), _state(), "x.Rich")


def _changed(program: Any, what: list[str], marker: str) -> Iterator[tuple[str, Any]]:
    if "swept" in what:
        for number, edited in enumerate(attacks.swept(program, marker)):
            yield f"swept/{number}", edited
    if "calls" in what:
        for name, edit in attacks.CALLS.items():
            yield f"calls/{name}", _edited(program, edit)
    if "random" in what:
        first, count = (int(number) for number in what[-2:])
        for seed in range(first, first + count):
            yield f"random/{seed}", mutate(program, seed, WORDS)
            yield f"grafted/{seed}", attacks.grafted(program, seed)


def _edited(program: Any, edit: Any) -> Any:
    made = copy.deepcopy(program)
    edit(made)
    return made


def _become(make: Any) -> str:
    """What becomes of a program: refused, or what happens when it is used."""
    try:
        module = make()
    except SafemodelError as error:
        return f"refused {type(error).__name__}: {error}"
    except Exception as error:
        return f"failed {type(error).__name__}: {error}"
    try:
        attacks.use(module)
    except Exception as error:
        return f"stopped {type(error).__name__}: {error}"
    return "harmless"


def _warm_up(program: Any, sample: Path) -> None:
    """Have everything imported that is ours, and that PyTorch imports when it runs something."""
    for _ in range(2):
        attacks.use(export.rebuild(program, (), _state(), "x.Rich"))
        attacks.use(sm.load(sample))
        for edit in attacks.CALLS.values():
            _become(lambda edit=edit: export.rebuild(_edited(program, edit), (), _state(), "x"))


def _check_hook() -> None:
    """The hook must see what it is there for."""
    compile("import os", "<program>", "exec")
    with Path(__file__).open():
        pass
    if len(_SEEN) != 2:
        raise SystemExit(f"the audit hook saw {_SEEN}")


def main(folder: Path, what: list[str]) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    program = json.loads((folder / "program.json").read_text())
    log = (folder / "log").open("w")
    _warm_up(program, folder / "good" / "rich.safemodel")
    todo = _archives(folder) if what == ["archives"] else _programs(program, what, folder)
    sys.addaudithook(_hook)
    _check_hook()
    for name, make in todo:
        log.seek(0)
        log.truncate()
        log.write(name)
        log.flush()
        signal.alarm(SECONDS)
        _SEEN.clear()
        became = _become(make)
        seen = list(_SEEN)
        print(json.dumps([name, became[:300], seen]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
