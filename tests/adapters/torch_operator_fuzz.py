"""Run operators with hostile arguments, in processes that may die: `hunt` says which did.

The child runs under limits of memory and time, forward and backward, and notes what it is doing in
a file that the parent reads when the child dies; then the next child goes on behind it. Tensors lie
at the edge of pages that nothing may touch (`Fenced`, `torch_operator_fence.c`). Every call
follows from the seed, the operator and its number, so one can be made again:
`python -m tests.adapters.torch_operator_fuzz NAME SEED NUMBER`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 1 << 30
SILENCE = float(os.environ.get("SILENCE", "60"))
STARTING = 120.0
INTEGERS = [
    *(0, 1, -1, 2, -2, 3, -3, 4, 7, 8, 63, 64, -65, 255, 65536, 10**6, 2**31 - 1, 2**31, -(2**31)),
    *(2**33, 2**40, -(2**40), 2**62, 2**63 - 1, -(2**63), -(2**62)),
]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e300, -1e300, 1e-300, 2.0**62, 2.0**63, 1e10]
FLOATS += [float("nan"), float("inf"), float("-inf")]
DTYPES = [
    *("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"),
    *("uint16", "uint64", "bool", "complex64", "complex128", "float8_e4m3fn"),
    *("qint8", "quint8", "qint32"),
]


class Mutator:
    """Changes a call: some of its arguments, each a little or wholly."""

    def __init__(self, torch: Any, rng: random.Random) -> None:
        self.torch, self.rng = torch, rng

    def call(self, args: list[Any], kwargs: dict[str, Any], signature: Any) -> None:
        places = [one for one in signature.arguments if not one.keyword]
        slots: list[tuple[Any, Any, Any]] = [
            (args, at, place) for at, place in enumerate(places) if at < len(args)
        ]
        slots += [(kwargs, one.name, one) for one in signature.arguments if one.name in kwargs]
        missing = [one for one in places[len(args) :] if one.name not in kwargs]
        missing += [one for one in signature.arguments if one.keyword and one.name not in kwargs]
        if missing and self.rng.random() < 0.5:
            one = self.rng.choice(missing)
            with contextlib.suppress(KeyError):
                kwargs[one.name] = self.fresh(one)
        for where, key, argument in self.rng.sample(slots, min(len(slots), self.many())):
            where[key] = self.changed(where[key], argument)

    def many(self) -> int:
        return self.rng.choice((1, 1, 1, 2, 2, 3))

    def fresh(self, argument: Any) -> Any:
        base = argument.kind.base
        makers = {
            "Tensor": lambda: self.torch.rand(self.rng.choice([(), (3,), (2, 3)])),
            "int": lambda: self.rng.choice(INTEGERS),
            "SymInt": lambda: self.rng.choice(INTEGERS),
            "Scalar": lambda: self.rng.choice(FLOATS),
            "float": lambda: self.rng.choice(FLOATS),
            "bool": lambda: self.rng.random() < 0.5,
            "ScalarType": self.dtype,
        }
        value = makers[base]()
        return (
            [value] * (argument.kind.length or self.rng.randrange(4))
            if argument.kind.many
            else value
        )

    def dtype(self) -> Any:
        names = [name for name in DTYPES if not name.startswith("q")]
        return getattr(self.torch, self.rng.choice(names))

    def changed(self, value: Any, argument: Any) -> Any:
        rng = self.rng
        if argument.kind.optional and rng.random() < 0.1:
            return None
        if isinstance(value, list):
            return self.listed(value, argument)
        if isinstance(value, self.torch.Tensor):
            if argument.kind.base == "Tensor" and rng.random() < 0.04:
                return rng.choice(FLOATS)
            return self.tensor(value)
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return rng.choice(INTEGERS) if rng.random() < 0.7 else value + rng.randrange(-3, 4)
        if isinstance(value, float):
            return rng.choice(FLOATS)
        if isinstance(value, self.torch.dtype):
            return self.dtype()
        if value is None:
            with contextlib.suppress(KeyError):
                return self.fresh(argument)
        return value

    def listed(self, values: list[Any], argument: Any) -> list[Any]:
        rng, values = self.rng, list(values)
        for _ in range(rng.choice((1, 1, 2))):
            way = rng.random()
            if way < 0.15 and values:
                values.pop(rng.randrange(len(values)))
            elif way < 0.3 and values:
                values.append(rng.choice(values))
            elif way < 0.35:
                values = []
            elif way < 0.45 and values and not isinstance(values[0], self.torch.Tensor):
                values = [rng.choice(INTEGERS) for _ in range(rng.randrange(1, 8))]
            elif values:
                at = rng.randrange(len(values))
                values[at] = self.changed(values[at], argument)
        return values

    def tensor(self, value: Any) -> Any:
        ways = (self.filled, self.filled, self.filled, self.shaped, self.shaped, self.typed)
        ways = (*ways, self.strided)
        for _ in range(self.rng.choice((1, 1, 2))):
            with contextlib.suppress(RuntimeError, TypeError, ValueError, IndexError):
                value = self.rng.choice(ways)(value)
        return value

    def typed(self, value: Any) -> Any:
        name = self.rng.choice(DTYPES)
        dtype = getattr(self.torch, name)
        if name.startswith("q"):
            return self.torch.quantize_per_tensor(value.float(), 0.1, 0, dtype)
        return value.to(dtype)

    def filled(self, value: Any) -> Any:
        value, rng = value.clone(), self.rng
        whole = value.dtype.is_floating_point or value.dtype.is_complex
        bad = rng.choice(FLOATS if whole else INTEGERS)
        if value.dtype not in (self.torch.int64,) and not whole:
            info = self.torch.iinfo(value.dtype)
            bad = min(max(bad, info.min), info.max)
        if value.numel() == 0 or rng.random() < 0.3:
            return value.fill_(bad)
        flat = value.view(-1)
        for _ in range(rng.choice((1, 1, 2))):
            flat[rng.randrange(flat.numel())] = bad
        return value

    def strided(self, value: Any) -> Any:
        """The same shape with other strides: kernels may take what they are given as a block."""
        rank = value.dim()
        if not rank:
            return value
        way, axis = self.rng.randrange(4), self.rng.randrange(rank)
        if way == 0:
            return value.narrow(axis, 0, min(1, value.shape[axis])).expand(value.shape)
        if way == 1:
            return self.torch.stack([value, value], -1)[..., 0]
        if way == 2:
            return value.transpose(0, axis).contiguous().transpose(0, axis)
        return self.torch.cat([value, value], axis).narrow(axis, 1, value.shape[axis])

    def shaped(self, value: Any) -> Any:
        rng, rank = self.rng, value.dim()
        way = rng.randrange(11)
        if way == 0:
            return value.reshape(-1)
        if way == 1:
            return value.unsqueeze(rng.randrange(rank + 1))
        if way == 2 and rank:
            return value.select(rng.randrange(rank), 0)
        if way == 3 and rank:
            return value.narrow(rng.randrange(rank), 0, 0)
        if way == 4 and rank:
            return value.narrow(rng.randrange(rank), 0, 1)
        if way == 5 and rank > 1:
            return value.transpose(*rng.sample(range(rank), 2))
        if way == 6 and rank:
            axis = rng.randrange(rank)
            return value.narrow(axis, 0, 1).expand(
                [
                    rng.choice((2, 5, 64, 1000)) if at == axis else size
                    for at, size in enumerate(value.shape)
                ]
            )
        if way == 7 and rank:
            return self.torch.cat([value, value], rng.randrange(rank))
        if way == 8:
            return value.new_zeros([rng.choice((0, 1, 2, 3, 5)) for _ in range(rng.randrange(7))])
        if way == 9 and rank:
            return value.flip(rng.randrange(rank))
        return value.reshape(-1)[:1].reshape(())


def arguments(torch: Any, name: str, seed: int, number: int) -> tuple[list[Any], dict[str, Any]]:
    """The call of an operator that a seed and a number stand for."""
    from safemodel.adapters.torch.operators import OPERATORS
    from tests.adapters.torch_operator_calls import call, recorded

    rng = random.Random(f"{seed}:{name}:{number}")
    args, kwargs = call(name, rng.randrange(len(recorded()[name])), rng)
    if number:
        Mutator(torch, rng).call(args, kwargs, OPERATORS[name].signature)
    fenced = Fenced(torch, at_start=number % 4 == 3)
    return fenced.all(args), {key: fenced.all(value) for key, value in kwargs.items()}


class Fenced:
    """Copies of tensors that end, or begin, exactly at a page that nothing may touch.

    What a kernel reads or writes beyond them kills the process, which otherwise would go unseen.
    """

    def __init__(self, torch: Any, *, at_start: bool) -> None:
        self.torch, self.at_start = torch, at_start
        self.protect = ctypes.CDLL(None, use_errno=True).mprotect
        self.protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def all(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [self.all(item) for item in value]
        return self.tensor(value) if isinstance(value, self.torch.Tensor) else value

    def tensor(self, value: Any) -> Any:
        """The same values, strides and type; quantized tensors stay where they are."""
        if value.is_quantized or value.is_conj() or value.is_neg():
            return value
        steps = zip(value.shape, value.stride(), strict=True)
        span = 1 + sum((size - 1) * stride for size, stride in steps) if value.numel() else 0
        flat = self.memory(span, value.dtype)
        flat.copy_(value.detach().as_strided([span], [1], value.storage_offset()))
        return flat.as_strided(value.shape, value.stride(), flat.storage_offset())

    def memory(self, count: int, dtype: Any) -> Any:
        size = count * dtype.itemsize
        room = max(1, -(-size // mmap.PAGESIZE)) * mmap.PAGESIZE
        pages = mmap.mmap(-1, room + 2 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        for fence in (begin, begin + mmap.PAGESIZE + room):
            if self.protect(fence, mmap.PAGESIZE, 0):
                raise OSError(ctypes.get_errno(), "a page could not be closed")
        offset = mmap.PAGESIZE + (0 if self.at_start else room - size)
        if count:
            return self.torch.frombuffer(pages, dtype=dtype, count=count, offset=offset)
        one = offset if self.at_start else offset - dtype.itemsize
        return self.torch.frombuffer(pages, dtype=dtype, count=1, offset=one)[:0]


def compiled(folder: Path) -> Path | None:
    """The library that puts fences around all that PyTorch allocates; None without a compiler."""
    compiler, library = shutil.which("cc"), folder / "fence.so"
    if compiler is None:
        return None
    source = Path(__file__).with_name("torch_operator_fence.c")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    return library if subprocess.run(command, capture_output=True).returncode == 0 else None


def leaves(value: Any, torch: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item, torch)]
    return []


def written(value: Any) -> Any:
    """What a graph writes of a value: lists, and nodes for tensors and numbers."""
    from safemodel.adapters.torch.operators import NODE

    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    plain = value is None or isinstance(value, bool | str) or "torch" in str(type(value))
    return value if plain and not hasattr(value, "numel") else NODE


def one(torch: Any, name: str, seed: int, number: int) -> str:
    """Make one call, forward and backward; what it raises is fine, as long as it lives."""
    from safemodel.adapters.torch.operators import resolve
    from safemodel.errors import ArchitectureError

    torch.manual_seed(number)
    args, kwargs = arguments(torch, name, seed, number)
    resolved = resolve(name)
    try:
        resolved.check(written(args), {key: written(value) for key, value in kwargs.items()})
    except ArchitectureError:
        return "refused"
    backward = random.Random(f"{seed}:{name}:{number}:b").random() < 0.5
    try:
        if backward:
            for leaf in leaves([args, list(kwargs.values())], torch):
                if leaf.dtype.is_floating_point or leaf.dtype.is_complex:
                    leaf.requires_grad_(not name.partition(".")[0].endswith("_"))
        out = resolved.call(*args, **kwargs)
        flat = [leaf for leaf in leaves(out, torch) if leaf.requires_grad]
        if backward and flat:
            sum(leaf.abs().sum() for leaf in flat).backward()
        for leaf in leaves(out, torch):
            leaf.numel() and leaf.numel() < 10**6 and leaf.cpu().contiguous().view(-1)[0]
    except (
        RuntimeError,
        ValueError,
        TypeError,
        IndexError,
        MemoryError,
        AssertionError,
        NotImplementedError,
        ArithmeticError,
    ) as error:
        return type(error).__name__
    return "ok"


def limit() -> None:
    """Leave this process some memory beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def child(plan: dict[str, Any]) -> None:
    """Work through a plan, noting place and time in a shared file."""
    import warnings

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    one(torch, "aten::relu", 0, 0)  # what is imported and read only once
    limit()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    outcomes: dict[str, dict[str, int]] = {}
    calls = 0
    with open(plan["notes"], "r+b") as file:
        notes = mmap.mmap(file.fileno(), 24)
        for at in range(plan["first"], len(plan["names"])):
            name = plan["names"][at]
            start = plan["number"] if at == plan["first"] else 0
            for number in range(start, plan["rounds"]):
                calls += 1
                notes[:24] = struct.pack("<qqq", at, number, calls)
                outcome = one(torch, name, plan["seed"], number)
                counts = outcomes.setdefault(name, {})
                counts[outcome] = counts.get(outcome, 0) + 1
        notes[:24] = struct.pack("<qqq", len(plan["names"]), 0, 0)
    sys.stdout.write("\n" + json.dumps(outcomes))


def hunt(
    names: list[str], *, seed: int, rounds: int, folder: Path, fences: Path | None = None
) -> tuple[list[tuple[str, int, str]], dict[str, dict[str, int]]]:
    """Calls that killed or hung a child, as (operator, number, how), and how the others ended."""
    notes = folder / "notes"
    found: list[tuple[str, int, str]] = []
    outcomes: dict[str, dict[str, int]] = {}
    first = number = 0
    while first < len(names):
        notes.write_bytes(struct.pack("<qqq", first, number, 0))
        plan = {"names": names, "first": first, "number": number, "rounds": rounds, "seed": seed}
        how, said = _watched({**plan, "notes": str(notes)}, notes, fences)
        outcomes.update(json.loads(said.rpartition("\n")[2] or "{}"))
        first, number, _ = struct.unpack("<qqq", notes.read_bytes())
        if first < len(names):
            found.append((names[first], number, how))
            number += 1
            if number >= rounds or sum(one[0] == names[first] for one in found) >= 5:
                first, number = first + 1, 0
    return found, outcomes


def _watched(plan: dict[str, Any], notes: Path, fences: Path | None) -> tuple[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if fences is not None:
        environment["LD_PRELOAD"] = str(fences)
    command = [sys.executable, "-m", "tests.adapters.torch_operator_fuzz", "--plan"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(plan))
        process.stdin.close()
        seen, since = notes.read_bytes(), time.monotonic()
        silence = STARTING
        while process.poll() is None:
            time.sleep(0.05)
            now = notes.read_bytes()
            if now != seen:
                seen, since, silence = now, time.monotonic(), SILENCE
            elif time.monotonic() - since > silence:
                process.kill()
                process.wait()
                return "hangs", ""
        return f"exit {process.returncode}", process.stdout.read()


def main() -> None:
    if sys.argv[1] == "--plan":
        child(json.load(sys.stdin))
        return
    import torch

    name, seed, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    args, kwargs = arguments(torch, name, seed, number)
    print(args, kwargs, flush=True)
    limit()
    print(one(torch, name, seed, number))


if __name__ == "__main__":
    main()
