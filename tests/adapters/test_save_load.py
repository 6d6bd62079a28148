"""`save` and `load`: which adapter, whose key, and errors before anything is built."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safemodel import adapters
from safemodel.bundle import inspect, open_bundle
from safemodel.bundle.contents import Contents, Payload
from safemodel.bundle.write import write
from safemodel.errors import (
    ArchitectureError,
    MissingLibraryError,
    UnsavableError,
    UnsignedError,
    UnsupportedError,
    UntrustedSignerError,
    UsageError,
)
from safemodel.format.manifest import Adapter
from safemodel.trust.keys import Signer
from safemodel.trust.policy import UNSIGNED, TrustedKeys

STATE = {"a": np.arange(3.0)}


def loaded(path: Path, **options: Any) -> Any:
    return adapters.load(path, **options)


def test_own_models_just_work_and_the_first_save_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapters.save(STATE, tmp_path / "a.safemodel")
    (record,) = caplog.records
    assert record.name == "safemodel"
    assert "made your signing key" in record.message
    adapters.save(STATE, tmp_path / "b.safemodel")
    assert len(caplog.records) == 1
    assert np.array_equal(loaded(tmp_path / "a.safemodel")["a"], STATE["a"])
    with open_bundle(tmp_path / "a.safemodel") as bundle:
        assert len(bundle.signers) == 1


def test_without_a_folder_for_the_key_it_warns_and_saves_unsigned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SAFEMODEL_CONFIG", str(tmp_path / "file" / "folder"))
    adapters.save(STATE, tmp_path / "a.safemodel")
    assert "unsigned" in caplog.records[0].message
    assert caplog.records[0].levelno == logging.WARNING
    with pytest.raises(UnsignedError):
        loaded(tmp_path / "a.safemodel")
    assert loaded(tmp_path / "a.safemodel", trust=UNSIGNED).keys() == STATE.keys()


def test_the_notice_is_one_line_on_standard_error(tmp_path: Path) -> None:
    program = "import numpy, safemodel as sm; sm.save([numpy.ones(2)], 'a.safemodel')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "SAFEMODEL_CONFIG": str(tmp_path / "c")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert done.stderr.startswith("safemodel: made your signing key")
    assert done.stderr.count("\n") == 1


def test_signers_given_by_the_caller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = [Signer.generate(), Signer.generate()]
    path = tmp_path / "a.safemodel"
    adapters.save(STATE, path, signer=keys)
    assert not caplog.records
    loaded(path, trust=TrustedKeys(keys[1].public_key))
    with pytest.raises(UntrustedSignerError):
        loaded(path)
    adapters.save(STATE, path, signer=keys[0])
    loaded(path, trust=TrustedKeys(keys[0].public_key))
    adapters.save(STATE, path, signer=None)
    with pytest.raises(UnsignedError):
        loaded(path)


def test_what_a_bundle_says_of_itself(tmp_path: Path) -> None:
    digest = adapters.save(
        STATE,
        tmp_path / "a.safemodel",
        metadata={"name": "acme/x", "version": "2"},
        members={"README.md": Payload(b"# x\n", "text/markdown")},
    )
    manifest = inspect(tmp_path / "a.safemodel").manifest
    assert manifest.adapter == Adapter("numpy", 1)
    assert manifest.framework == "numpy"
    assert manifest.libraries == {"numpy": np.__version__}
    assert manifest.metadata.name == "acme/x"
    with open_bundle(tmp_path / "a.safemodel", name="acme/x", version=">=2") as bundle:
        assert bundle.digest == digest
        assert bundle.member("README.md") == b"# x\n"


def test_the_same_object_has_the_same_digest(tmp_path: Path) -> None:
    digests = {
        adapters.save({"b": {3, 1}, **STATE}, tmp_path / f"{i}.safemodel", signer=None)
        for i in range(3)
    }
    assert len(digests) == 1


def test_objects_choose_their_adapter() -> None:
    choose = adapters.choose
    assert choose(STATE) == "numpy"
    assert choose(np.float64(1)) == "numpy"
    assert choose([1, {"a": (None, "x")}]) == "numpy"
    loop: list[Any] = []
    loop.append(loop)
    assert choose(loop) == "numpy"
    torch = pytest.importorskip("torch")
    assert choose([np.ones(1), {"a": (torch.ones(1),)}]) == "torch"
    assert choose(OrderedDict(a=torch.ones(1))) == "torch"
    assert choose({torch.float32: 1}) == "torch"
    assert choose(torch.nn.Linear(1, 1)) == "torch"
    assert choose(type("Net", (torch.nn.Module,), {})()) == "torch"
    linear = pytest.importorskip("sklearn.linear_model")
    assert choose(linear.Ridge()) == "sklearn"
    assert choose([linear.Ridge(), torch.ones(1)]) == "sklearn"


def test_an_object_of_nobody_is_refused(tmp_path: Path) -> None:
    class Thing:
        pass

    with pytest.raises(UnsavableError, match=r"no adapter for .*Thing"):
        adapters.save(Thing(), tmp_path / "a.safemodel")
    with pytest.raises(UnsavableError, match=r"x\.0: can't represent a .*Thing"):
        adapters.save({"x": [Thing()]}, tmp_path / "a.safemodel")
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_adapters_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.safemodel"
    for adapter, error in [
        (Adapter("os", 1), UnsupportedError),
        (Adapter("numpy", 2), UnsupportedError),
        (None, ArchitectureError),
    ]:
        write(path, Contents(adapter=adapter))
        with pytest.raises(error) as caught:
            loaded(path, trust=UNSIGNED)
        assert caught.value.path == str(path)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_missing_library_is_named_with_the_command(name: str, tmp_path: Path) -> None:
    program = (
        "import sys, safemodel as sm\n"
        f"sys.modules[{name!r}] = None\n"
        "from safemodel.errors import MissingLibraryError\n"
        "try: sm.load(sys.argv[1], trust=sm.UNSIGNED)\n"
        "except MissingLibraryError as error: print(error.message, error.hint)\n"
    )
    write(tmp_path / "a.safemodel", Contents(adapter=Adapter(name, 1), architecture={}))
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.safemodel")],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{name} is not installed pip install 'safemodel[{name}]'\n"


def test_saving_without_the_library_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "safemodel.adapters.numpy", raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingLibraryError):
        adapters.import_adapter("numpy")


def test_a_member_is_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safemodel.adapters import numpy as adapter
    from safemodel.adapters.protocol import Saved

    payload = {"x.txt": Payload(b"", "text/plain")}
    saved = Saved(None, (), {}, members=payload)
    monkeypatch.setattr(adapter, "save", lambda obj: saved)
    with pytest.raises(UsageError, match=r"x\.txt"):
        adapters.save(STATE, tmp_path / "a.safemodel", members=payload)


@pytest.mark.parametrize(
    "architecture", [None, [], {"graph": 1}, {"graph": {}, "more": 1}], ids=str
)
def test_an_architecture_of_something_else_is_refused(architecture: Any, tmp_path: Path) -> None:
    write(
        tmp_path / "a.safemodel", Contents(adapter=Adapter("numpy", 1), architecture=architecture)
    )
    with pytest.raises(ArchitectureError):
        loaded(tmp_path / "a.safemodel", trust=UNSIGNED)
