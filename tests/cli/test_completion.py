"""Completion scripts, in the shells that are there."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from safemodel.cli.parser import VERBS, build, load


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_has_every_verb_and_option(run, shell) -> None:
    result = run("completion", shell)
    assert result.code == 0
    for verb in VERBS:
        assert verb in result.out
    for option in ("trust", "unsigned", "password-file", "oms", "signature", "force"):
        assert option in result.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_accepts_the_script(run, shell, tmp_path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(run("completion", shell).out)
    subprocess.run([shell, "-n", script], check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["safemodel", "ver"], {"verify"}),
        (["safemodel", "verify", "--tr"], {"--trust"}),
        (["safemodel", "verify", "--format", ""], {"text", "json"}),
        (["safemodel", "completion", "b"], {"bash"}),
        (["safemodel", "trust", "r"], {"remove"}),
    ],
)
def test_bash_completes(run, tmp_path, words, expected) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = run("completion", "bash").out
    quoted = " ".join(f"'{word}'" for word in words)
    script += f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _safemodel\n"
    script += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(
        [bash, "--norc"], input=script, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert set(done.stdout.split()) == expected


def test_every_verb_has_a_module_and_help() -> None:
    for verb in VERBS:
        module = load(verb)
        assert module.EXAMPLES.strip().startswith(("safemodel", "source", "curl"))
        assert callable(module.run)
    assert build(everything=True).format_help()
