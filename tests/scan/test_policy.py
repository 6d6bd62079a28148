"""Policies: what a user may allow, and what no one may."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.errors import SourceError, UsageError
from safemodel.scan import policy
from safemodel.scan.names import Tables
from safemodel.scan.single import Settings

TEXT = """
version = 1

[[allow]]
names = ["acme.models.Net", "acme.models:Net.Inner", "acme.layers.*"]
reason = "our own, reviewed"

[[allow]]
names = ["acme.load"]
role = "function"

[[deny]]
names = ["sklearn.*", "acme.old.Net"]
reason = "is not to be used here"
"""


def test_names_are_exact() -> None:
    found = policy.parse(TEXT)
    assert found.allows("acme.models", "Net").role == "class"  # type: ignore[union-attr]
    assert found.allows("acme.models", "Net.Inner") is not None
    assert found.allows("acme", "load").role == "function"  # type: ignore[union-attr]
    for module, name in (
        ("acme.models", "Other"), ("acme", "models"), ("acme.models.Net", "x"), ("acme2", "load"),
        ("acme.models", "Net.__init__"), ("", "acme.models.Net"), ("acme", "models.Net"),
    ):  # fmt: skip
        assert found.allows(module, name) is None, (module, name)


def test_a_star_is_a_module_and_what_is_below_it() -> None:
    found = policy.parse(TEXT)
    for module in ("acme.layers", "acme.layers.attention", "acme.layers.a.b"):
        assert found.allows(module, "Net") is not None
    for module, name in (
        ("acme", "Net"),
        ("acme.layers2", "Net"),
        ("acme.layers", "os.system"),  # a way through attributes
        ("acme.layers", "Net.__init__.__globals__"),
        ("acme.layers", "__builtins__"),
        ("acme.layers", "_os"),
    ):
        assert found.allows(module, name) is None, (module, name)


def test_denied_names_win_over_the_tables() -> None:
    found = policy.parse(TEXT)
    assert found.denies("sklearn.svm", "SVC") == "is not to be used here"
    assert found.denies("sklearn.svm", "a.b") == "is not to be used here"
    assert found.denies("acme.old", "Net")
    assert found.denies("acme.models", "Net") is None
    tables = Tables(found)
    assert tables.lookup("acme.models", "Net") is not None
    assert tables.lookup("sklearn.svm", "SVC") is None
    assert tables.danger("sklearn.svm", "SVC").family == "denied"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name",
    ["os.system", "posix.system", "builtins.eval", "os.*", "subprocess.Popen", "builtins:eval",
     "importlib.*", "acme:os.system", "runpy.*"],
)  # fmt: skip
def test_what_is_known_to_be_dangerous_cannot_be_allowed(name: str) -> None:
    with pytest.raises(UsageError, match="can't be allowed"):
        policy.parse(f'version = 1\n[[allow]]\nnames = ["{name}"]')


@pytest.mark.parametrize(
    "text",
    [
        "", "version = 2", "version = '1'", "version = 1\nallow = 1", "version = 1\nmore = 1",
        "version = 1\n[[allow]]", "version = 1\n[[allow]]\nnames = 'acme.Net'",
        "version = 1\n[[allow]]\nnames = []", "version = 1\n[[allow]]\nnames = [1]",
        "version = 1\n[[allow]]\nnames = ['Net']", "version = 1\n[[allow]]\nnames = ['*']",
        "version = 1\n[[allow]]\nnames = ['.Net']", "version = 1\n[[allow]]\nnames = ['acme.']",
        "version = 1\n[[allow]]\nnames = ['acme.a b']", "version = 1\n[[allow]]\nnames = ['a.*.b']",
        "version = 1\n[[allow]]\nnames = ['a.B']\nrole = 'all'",
        "version = 1\n[[allow]]\nnames = ['a.B']\nrole = ['class']",
        "version = 1\n[[allow]]\nnames = ['a.*']\nrole = 'function'",
        "version = 1\n[[allow]]\nnames = ['a.B']\nreason = 1",
        "version = 1\n[[allow]]\nnames = ['a.B']\nseverity = 'low'",
        "version = 1\n[[deny]]\nnames = ['a.B']\nrole = 'class'", "{",
    ],
)  # fmt: skip
def test_no_policy(text: str) -> None:
    with pytest.raises(UsageError):
        policy.parse(text)


@given(st.text())
def test_any_text(text: str) -> None:
    with contextlib.suppress(UsageError):
        policy.parse(text)


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as missing:
        policy.load(str(tmp_path / "missing"))
    assert missing.value.path == str(tmp_path / "missing")
    for data in (b"{", b"\xff", b" " * (policy.MAX_POLICY + 1)):
        (tmp_path / "bad.toml").write_bytes(data)
        with pytest.raises(UsageError) as bad:
            policy.load(str(tmp_path / "bad.toml"))
        assert bad.value.path == str(tmp_path / "bad.toml")
        assert "docs/policy.md" in (bad.value.hint or "")


def test_workers_get_the_same() -> None:
    settings = Settings(policy=policy.parse(TEXT), cache="c", max_size=3)
    assert Settings.parse(settings.dump()) == settings
    assert Settings.parse(Settings().dump()) == Settings()
