"""The files that scanners are compared on. Nothing here is loaded."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_MARKER = "/tmp/marker"  # noqa: S108 (a name in a payload; it never runs)
_ENDINGS = {
    "pickle": ".pkl",
    "pickle-python": ".pkl",
    "pickle-loads": ".pkl",
    "pickle-twice": ".pkl",
    "gzip": ".pkl.gz",
    "joblib": ".joblib",
    "joblib-mmap": ".joblib",
    "dill": ".pkl",
    "cloudpickle": ".pkl",
    "pandas": ".pkl",
    "torch": ".pt",
    "numpy": ".npy",
    "numpy-appended": ".npy",
}


def hostile(folder: Path) -> None:
    """Every case of tests/attacks, with the ending that its loader's users give it."""
    from tests.attacks.assemble import assemble
    from tests.attacks.containers import CONTAINERS, TAR_NAME
    from tests.attacks.formats import FORMATS
    from tests.attacks.gadgets import GADGETS
    from tests.attacks.test_attacks import CASES

    for number, case in enumerate(CASES):
        container = {**CONTAINERS, "tar name": TAR_NAME}[case.container]
        ending = container.ending or _ENDINGS[container.loader]
        if case.container.startswith("npz"):
            ending = ".npz"
        data = container.wrap(assemble(GADGETS[case.gadget](_MARKER), case.form))
        (folder / f"{number:04d}{ending}").write_bytes(data)
    scratch = folder.parent / "scratch"
    for number, form in enumerate(FORMATS.values()):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        made = form.make(_MARKER, scratch)
        made.rename(folder / f"f{number:03d}-{made.name.replace(' ', '-')}")
    shutil.rmtree(scratch, ignore_errors=True)


def benign(folder: Path) -> None:
    """Every file of tests/benign that some loader unpickles, runs or parses.

    Each group is made in a process of its own: TensorFlow and others change each other's files.
    """
    from tests.benign.test_benign import GROUPS

    for group in GROUPS:
        command = [sys.executable, "-m", "benchmarks.scan_corpus", group, str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _benign_group(name: str, folder: Path) -> None:
    from tests.benign.corpus import Corpus
    from tests.benign.test_benign import GROUPS

    with tempfile.TemporaryDirectory() as temporary:
        corpus = Corpus(Path(temporary))
        GROUPS[name].make(corpus)
        for item in corpus.items:
            if item.expect and item.path.exists():  # else it has gone along with its folder
                flat = "-".join(item.path.relative_to(corpus.folder).parts)
                shutil.move(item.path, folder / f"{name}-{flat}".replace(" ", "-"))


def _large(folder: Path) -> dict[str, Path]:
    return {
        "tiny pickle": folder / "tiny.pkl",
        "vocabulary of a million entries, 19 MB": folder / "vocabulary.pkl",
        "forest of 200 MB, pickle": folder / "forest.pkl",
        "forest of 200 MB, joblib": folder / "forest.joblib",
        "forest of 200 MB, joblib with zlib": folder / "forest-zlib.joblib",
        "checkpoint of 1 GB, torch": folder / "checkpoint.pt",
        "folder of 2,000 small pickles": folder / "small",
    }


def large(folder: Path) -> dict[str, Path]:
    """The files that are timed, made where they are missing."""
    cases = _large(folder)
    if not all(path.exists() for path in cases.values()):
        # In a process of its own: children begin with the memory of the one that starts them.
        command = [sys.executable, "-m", "benchmarks.scan_corpus", "large", str(folder)]
        subprocess.run(command, check=True)
    return cases


def _make_large(cases: dict[str, Path]) -> None:
    import joblib
    import numpy
    import torch
    from sklearn.ensemble import RandomForestClassifier

    generator = numpy.random.default_rng(0)
    cases["tiny pickle"].write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    words = {f"word{number}": number for number in range(1_000_000)}
    cases["vocabulary of a million entries, 19 MB"].write_bytes(pickle.dumps(words, protocol=4))
    data = generator.normal(size=(40_000, 8))
    forest = RandomForestClassifier(30, n_jobs=2, random_state=0)
    forest.fit(data, generator.integers(0, 2, size=len(data)))
    while len(pickle.dumps(forest)) < 200_000_000:
        forest.estimators_ += [pickle.loads(pickle.dumps(tree)) for tree in forest.estimators_[:10]]
    with open(cases["forest of 200 MB, pickle"], "wb") as file:
        pickle.dump(forest, file)
    joblib.dump(forest, cases["forest of 200 MB, joblib"])
    joblib.dump(forest, cases["forest of 200 MB, joblib with zlib"], compress=3)
    state = {f"layer{number}.weight": torch.randn(1000, 2500) for number in range(100)}
    torch.save({"state_dict": state, "epoch": 3}, cases["checkpoint of 1 GB, torch"])
    small = cases["folder of 2,000 small pickles"]
    small.mkdir(exist_ok=True)
    for number in range(2_000):
        model = {"weights": generator.normal(size=10), "epoch": number}
        (small / f"model{number}.pkl").write_bytes(pickle.dumps(model))


if __name__ == "__main__":
    if sys.argv[1] == "large":
        _make_large(_large(Path(sys.argv[2])))
    else:
        _benign_group(sys.argv[1], Path(sys.argv[2]))
