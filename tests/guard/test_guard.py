"""Under the guard hostile files do nothing, and what programs do all day goes on."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.attacks.asking import Oracle, oracle_of
from tests.attacks.assemble import Name, assemble
from tests.attacks.containers import CONTAINERS
from tests.attacks.gadgets import GADGETS

ROOT = Path(__file__).parents[2]
_LOADERS = {"torch", "numpy", "numpy-appended", "pandas", "joblib", "joblib-mmap", "dill"}


def run(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **variables},
        timeout=120,
        check=False,
    )


def guarded(*command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A program under `safemodel guard`."""
    return subprocess.run(
        [sys.executable, "-m", "safemodel", "guard", *options, "--", sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


# Attacks


@pytest.mark.parametrize("name", GADGETS)
def test_a_hostile_pickle_does_nothing(name: str, oracles: dict[str, Oracle], place: Path) -> None:
    path = place / "model.pkl"
    path.write_bytes(assemble(GADGETS[name](str(place / "m" / "x"))))
    oracle = oracle_of(oracles, "")
    assert not oracle.executes("pickle", path, place / "m", {"scan": False})


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("scan", [False, True], ids=["hook", "scan"])
def test_a_hostile_file_does_nothing(
    name: str, scan: bool, oracles: dict[str, Oracle], place: Path
) -> None:
    container = CONTAINERS[name]
    library = container.loader.partition("-")[0]
    if library in _LOADERS and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    path = place / f"model{container.ending}"
    path.write_bytes(container.wrap(assemble(GADGETS["files: os.mkdir"](str(place / "m" / "x")))))
    oracle = oracle_of(oracles, "")
    assert not oracle.executes(container.loader, path, place / "m", {"scan": scan})


def test_the_oracle_would_have_seen_it(oracles: dict[str, Oracle], place: Path) -> None:
    path = place / "model.pkl"
    path.write_bytes(assemble(Name("os", "mkdir")(str(place / "m" / "x"))))
    assert oracle_of(oracles, "").executes("pickle", path, place / "m")


HOSTILE = """
    import pickle, sys
    import safemodel as sm
    from tests.attacks.assemble import Name, assemble
    hostile = assemble(Name("os", "getpid")())
"""


def test_the_refusal_teaches() -> None:
    result = run(
        HOSTILE
        + """
    sm.guard.install()
    try:
        pickle.loads(hostile)
    except sm.guard.BlockedError as error:
        print(error)
        print(error.hint)
    """
    )
    assert result.stdout.startswith("stopped unpickling of os.getpid: it "), result
    assert "safemodel scan" in result.stdout


def test_warn_goes_on() -> None:
    result = run(
        HOSTILE
        + """
    import os, warnings
    sm.guard.install("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert pickle.loads(hostile) == os.getpid()
    print([w.category.__name__ for w in caught], str(caught[0].message))
    """
    )
    assert "['GuardWarning'] stopped unpickling of os.getpid" in result.stdout, result


def test_the_block_ends_the_guard() -> None:
    result = run(
        HOSTILE
        + """
    import os
    with sm.guard.active():
        try:
            pickle.loads(hostile)
        except sm.guard.BlockedError:
            print("blocked")
    print(pickle.loads(hostile) == os.getpid())
    """
    )
    assert result.stdout == "blocked\nTrue\n", result


def test_a_laxer_guard_inside_does_not_loosen() -> None:
    result = run(
        HOSTILE
        + """
    sm.guard.install()
    with sm.guard.active("warn"):
        try:
            pickle.loads(hostile)
        except sm.guard.BlockedError:
            print("blocked")
    """
    )
    assert "blocked" in result.stdout, result


def test_python_2_names_are_mapped() -> None:
    result = run(
        """
    import pickle
    import safemodel as sm
    sm.guard.install()
    print(pickle.loads(b"c__builtin__\\nset\\n((lp0\\nI1\\natR."))
    try:
        pickle.loads(b"c__builtin__\\neval\\n(V1\\ntR.")
    except sm.guard.BlockedError as error:
        print(error)
    """
    )
    assert result.stdout.startswith("{1}\nstopped unpickling of __builtin__.eval"), result


def test_cached_extensions_are_forgotten() -> None:
    result = run(
        """
    import copyreg, os, pickle
    import safemodel as sm
    copyreg.add_extension("os", "getpid", 240)
    assert pickle.loads(b"\\x82\\xf0.") is os.getpid  # now it is in the cache
    sm.guard.install()
    try:
        pickle.loads(b"\\x82\\xf0.")
    except sm.guard.BlockedError:
        print("blocked")
    """
    )
    assert result.stdout == "blocked\n", result


def test_own_classes_are_allowed_by_name() -> None:
    result = run(
        """
    import pickle
    import safemodel as sm
    class Model:
        pass
    data = pickle.dumps(Model())
    with sm.guard.active():
        try:
            pickle.loads(data)
        except sm.guard.BlockedError as error:
            print(error.hint)
    with sm.guard.active(allow=["__main__.Model"]):
        print(type(pickle.loads(data)).__name__)
    """
    )
    assert 'allow=["__main__.Model"]' in result.stdout, result
    assert result.stdout.endswith("\nModel\n"), result


def test_own_classes_are_allowed_to_loaders_too(tmp_path: Path) -> None:
    """What the guard permits, the scan before the load must not stop."""
    pytest.importorskip("joblib")
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\n[[allow]]\nnames = ["__main__.Other"]\n')
    result = run(
        """
    import sys
    import joblib
    import safemodel as sm
    class Model:
        pass
    class Other:
        pass
    policy = sys.argv[2]
    joblib.dump([Model(), Other()], sys.argv[1])
    with sm.guard.active(allow=["__main__.Model"], policy=policy):
        print([type(one).__name__ for one in joblib.load(sys.argv[1])])
    with sm.guard.active(policy=policy):
        try:
            joblib.load(sys.argv[1])
        except sm.guard.BlockedError as error:
            print(error.message)
    """,
        str(tmp_path / "model.joblib"),
        str(policy),
    )
    assert result.stdout.startswith("['Model', 'Other']\njoblib.load was stopped: SM10"), result


def test_a_guard_that_only_warns_leaves_enforcing_to_the_other(tmp_path: Path) -> None:
    """Each guard judges by its own tables, in its own mode."""
    pytest.importorskip("joblib")
    result = run(
        """
    import sys
    import joblib
    import safemodel as sm
    class Model:
        pass
    joblib.dump(Model(), sys.argv[1])
    with sm.guard.active(allow=["__main__.Model"]), sm.guard.active("warn"):
        print(type(joblib.load(sys.argv[1])).__name__)
    """,
        str(tmp_path / "model.joblib"),
    )
    assert result.stdout == "Model\n", result
    assert "GuardWarning" in result.stderr


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "numpy.memmap"])
def test_dangerous_names_can_not_be_allowed(name: str) -> None:
    result = run(
        f"""
    import safemodel as sm
    try:
        sm.guard.install(allow=[{name!r}])
    except sm.errors.UsageError as error:
        print(error)
    """
    )
    assert f"{name} can't be allowed" in result.stdout, result


# Ordinary work

PARALLEL = """
    import safemodel as sm
    sm.guard.install()
    import numpy, sklearn.ensemble
    generator = numpy.random.default_rng(0)
    data = generator.normal(size=(60, 4))
    target = (data[:, 0] > 0).astype(int)
    model = sklearn.ensemble.BaggingClassifier(n_estimators=4, n_jobs=2).fit(data, target)
    print(model.predict(data).shape)
"""


def test_bagging_in_processes_works() -> None:
    pytest.importorskip("sklearn")
    result = run(PARALLEL)
    assert result.stdout == "(60,)\n", result


def test_bagging_in_processes_works_under_the_command(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PARALLEL))
    result = guarded(str(program))
    assert (result.returncode, result.stdout) == (0, "(60,)\n"), result


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_pool_works(method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import concurrent.futures, multiprocessing
            import safemodel as sm

            class Own:
                def __init__(self, value):
                    self.value = value

            def double(own):
                return Own(own.value * 2)

            if __name__ == "__main__":
                sm.guard.install()
                context = multiprocessing.get_context({method!r})
                with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                    print([own.value for own in pool.map(double, [Own(1), Own(2)])])
                with context.Pool(2) as pool:
                    print([own.value for own in pool.map(double, [Own(3)])])
            """
        )
    )
    expected = "[2, 4]\n[6]\n"
    plain = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert plain.stdout == expected, plain
    under = guarded(str(program))
    assert under.stdout == expected, under


def test_a_data_loader_works() -> None:
    pytest.importorskip("torch")
    result = run(
        """
    import safemodel as sm
    sm.guard.install()
    import torch
    from torch.utils.data import DataLoader, Dataset
    class Numbers(Dataset):
        def __len__(self):
            return 8
        def __getitem__(self, index):
            return torch.full((2,), float(index))
    print(sum(batch.sum().item() for batch in DataLoader(Numbers(), 2, num_workers=2)))
    """
    )
    assert result.stdout == "56.0\n", result


def test_real_models_load() -> None:
    pytest.importorskip("sklearn")
    result = run(
        """
    import io, pickle
    import joblib, numpy, pandas, sklearn.ensemble, sklearn.pipeline, sklearn.preprocessing
    import safemodel as sm
    sm.guard.install()
    data = numpy.random.default_rng(0).normal(size=(40, 3))
    target = (data[:, 0] > 0).astype(int)
    model = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.ensemble.RandomForestClassifier(5)
    ).fit(data, target)
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict(data) == model.predict(data)).all()
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    assert (joblib.load(buffer).predict(data) == model.predict(data)).all()
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert pickle.loads(pickle.dumps(frame)).equals(frame)
    print("loaded")
    """
    )
    assert result.stdout == "loaded\n", result


def test_a_checkpoint_loads() -> None:
    pytest.importorskip("torch")
    result = run(
        """
    import io, torch
    import safemodel as sm
    sm.guard.install()
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters())
    for thing in (model, {"model": model.state_dict(), "optimizer": optimizer.state_dict()}):
        buffer = io.BytesIO()
        torch.save(thing, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=False)
    print("loaded")
    """
    )
    assert result.stdout == "loaded\n", result


# Loaders


def test_a_loader_is_stopped_by_the_scan(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    path = tmp_path / "model.joblib"
    path.write_bytes(assemble(Name("os", "mkdir")(str(tmp_path / "x"))))
    for first in (
        "import joblib, safemodel as sm\nsm.guard.install()",
        "import safemodel as sm\nsm.guard.install()\nimport joblib",
    ):
        result = run(
            f"{first}\ntry:\n    joblib.load({str(path)!r})\n"
            "except sm.guard.BlockedError as error:\n    print(error)\n    print(error.hint)"
        )
        assert "joblib.load was stopped: SM1" in result.stdout, result
        assert f"safemodel scan {path}" in result.stdout
    assert not (tmp_path / "x").exists()


def test_a_file_object_is_scanned_and_put_back(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    result = run(
        """
    import io
    import numpy, safemodel as sm
    sm.guard.install()
    buffer = io.BytesIO()
    numpy.save(buffer, numpy.arange(3))
    buffer.seek(0)
    print(numpy.load(buffer))
    """
    )
    assert result.stdout == "[0 1 2]\n", result


# The command


def test_the_command_guards_children_too(tmp_path: Path) -> None:
    hostile = tmp_path / "model.pkl"
    hostile.write_bytes(assemble(Name("os", "mkdir")(str(tmp_path / "x"))))
    load = f"import pickle; pickle.load(open({str(hostile)!r}, 'rb'))"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {load!r}])"
    result = guarded("-c", child)
    assert "BlockedError" in result.stderr, result
    assert not (tmp_path / "x").exists()


def test_the_command_passes_the_exit_code_on() -> None:
    assert guarded("-c", "raise SystemExit(7)").returncode == 7


def test_the_command_warns(tmp_path: Path) -> None:
    hostile = tmp_path / "model.pkl"
    hostile.write_bytes(assemble(Name("os", "mkdir")(str(tmp_path / "x"))))
    code = f"import pickle; pickle.load(open({str(hostile)!r}, 'rb'))"
    result = guarded("-c", code, options=("--warn",))
    assert "GuardWarning" in result.stderr, result
    assert (tmp_path / "x").exists()


def test_the_command_refuses_what_it_can_not_start() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "safemodel", "guard", "--", "no-such-program"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert result.returncode == 2
    assert "safemodel: error: no-such-program: there is no such program" in result.stderr


def test_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'ran'\n")
    result = subprocess.run(
        [sys.executable, "-m", "safemodel", "guard", "--", sys.executable, "-c", "print(mine)"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )
    assert result.stdout == "ran\n", result


def test_without_its_guard_a_program_does_not_run(tmp_path: Path) -> None:
    broken = tmp_path / "policy.toml"
    broken.write_text("version = 1\n")
    startup = ROOT / "safemodel" / "guard" / "startup"
    result = subprocess.run(
        [sys.executable, "-c", "print('ran')"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": f"{startup}{os.pathsep}{ROOT}",
            "SAFEMODEL_GUARD_POLICY": str(tmp_path / "missing.toml"),
        },
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert "the guard could not be installed" in result.stderr
