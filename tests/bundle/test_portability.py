"""What other systems lack is taken away, and everything must work all the same.

The functions are chosen when the modules are imported; so each test is a process of its own that
first removes what Windows or macOS do not have, and then runs the ordinary tests.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WINDOWS = """
import mmap, os
for name in ("preadv", "pwritev", "copy_file_range", "sched_getaffinity", "fchmod", "link",
             "sysconf", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK"):
    delattr(os, name)
os.supports_dir_fd = set()
os.supports_fd = set()
real_map = mmap.mmap
class Map(real_map):
    def __new__(cls, fileno, length, **arguments):
        assert not {"flags", "prot"} & set(arguments)
        return real_map.__new__(cls, fileno, length, **arguments)
for name in ("MAP_PRIVATE", "MAP_ANONYMOUS", "MADV_HUGEPAGE", "PROT_READ", "PROT_WRITE"):
    delattr(mmap, name)
mmap.mmap = Map
"""
MACOS = """
import mmap, os
for name in ("copy_file_range", "sched_getaffinity"):
    delattr(os, name)
del mmap.MADV_HUGEPAGE
import platform
real = os.uname
os.uname = lambda: type("U", (), {"machine": "arm64"})()
"""

CHECKS = """
import os, sys, tempfile
sys.path.insert(0, {root!r})
from pathlib import Path
from safemodel.bundle import inspect, pack, sign, unpack, verify
from safemodel.bundle.opening import open_bundle
from safemodel.bundle.write import write
from safemodel.errors import *
from safemodel.trust.policy import UNSIGNED
from tests.bundle.attacks import TRUST, outcome, refused, refused_or_same, flips
from tests.bundle.samples import content, contents, everything, signer, small, tensor, verified

folder = Path(tempfile.mkdtemp(dir={tmp!r}))
MIB = 1 << 20
model = contents(tensor("a", (9 * MIB + 5,)), tensor("b", (7,)), members=small().members)
a, f = folder / "a", folder / "f"
digest = write(a, model, signers=[signer()])
assert write(f, model, signers=[signer()], layout="folder", oms=True) == digest
write(a, model, signers=[signer()])                        # over the old one
sign(a, signer("second"), oms=True)
sign(f, signer("second"))
expected = verified(a, trust=TRUST)
for source in (a, f, a.read_bytes()):
    assert refused_or_same(source, expected) == 0
assert expected["tensors"]["a"][2] == content("a", 9 * MIB + 5)
unpack(a, folder / "u")
pack(folder / "u", folder / "p")
assert (folder / "p").read_bytes() == a.read_bytes()
for target in (folder / "p",):
    try:
        pack(f, target)
    except SourceError:
        pass
    else:
        raise SystemExit("overwritten")
pack(f, folder / "p", overwrite=True)
inspect(f)
with open_bundle(a, trust=TRUST, mapped=True) as bundle:
    assert bytes(bundle.rows("a", 5, 9).buffer) == content("a", 9)[5:]
    bundle.tensor("b").buffer[:] = bytes(7)
assert verified(a, trust=TRUST) == expected

plain = folder / "plain"
(plain / "sub").mkdir(parents=True)
(plain / "sub" / "x").write_bytes(content("x", 3 * MIB))
(signature,) = sign(plain, signer())
with verify(plain, trust=TRUST, signature=signature) as files:
    assert files.read("sub/x") == content("x", 3 * MIB)

(f / "README.md").write_bytes(b"# a model\\n")
refused(f)
(f / "README.md").write_bytes(b"# A model\\n")
(f / "extra").write_bytes(b"")
refused(f)
(f / "extra").unlink()
(f / "extra").symlink_to("README.md")
refused(f)
(f / "extra").unlink()
assert refused_or_same(f, expected) == 0
refused(folder / "nowhere")
data = a.read_bytes()
for length in range(0, len(data), len(data) // 50):
    refused(data[:length])
with open_bundle(f, trust=TRUST) as bundle:
    os.truncate(f / "weights.safetensors", 100)
    for use in (bundle.load_weights, lambda: bundle.tensor("a")):
        try:
            use()
        except ChangedFileError:
            pass
        else:
            raise SystemExit("truncated, and accepted")
left = [name for name in os.listdir(folder) if name.endswith(".partial")]
assert not left, left
print("all is well")
"""


@pytest.mark.parametrize("system", ["WINDOWS", "MACOS"])
def test_everything_works_without_what_other_systems_lack(tmp_path: Path, system: str) -> None:
    code = globals()[system] + CHECKS.format(root=str(ROOT), tmp=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout == "all is well\n", done.stderr
