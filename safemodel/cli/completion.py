"""`safemodel completion`: a static completion script, made from the parser.

Completing runs no Python: the script holds all verbs, options and choices.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from safemodel.cli.output import Output

EXAMPLES = """\
  source <(safemodel completion bash)
  safemodel completion zsh > "${fpath[1]}/_safemodel"
  safemodel completion fish > ~/.config/fish/completions/safemodel.fish
"""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a verb: its spellings, what it takes, what it is for."""

    flags: tuple[str, ...]
    choices: tuple[str, ...]
    takes_value: bool
    help: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the argument."""
    parser.add_argument("shell", choices=tuple(SHELLS))


def run(options: argparse.Namespace, out: Output) -> int:
    """Print the script."""
    from safemodel.cli.parser import VERBS, build

    parser = build(everything=True)
    verbs = {name: tuple(_options(child)) for name, child in _children(parser)}
    words = {name: _words(child) for name, child in _children(parser)}
    out.line(SHELLS[options.shell](VERBS, verbs, words).rstrip("\n"))
    return 0


def _children(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if action.option_strings:
            choices = tuple(str(choice) for choice in action.choices or ())
            takes_value = action.nargs != 0
            yield Option(tuple(action.option_strings), choices, takes_value, action.help or "")
        elif isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _options(child)


def _words(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    """The fixed words that may follow a verb: `add`, `bash`."""
    found: list[str] = []
    for action in parser._actions:
        if not action.option_strings and action.choices:
            found += [str(choice) for choice in action.choices]
    return tuple(found)


Options = dict[str, tuple[Option, ...]]
Words = dict[str, tuple[str, ...]]


def bash(verbs: dict[str, str], options: Options, words: Words) -> str:
    """For bash: one function, files where nothing else fits."""
    lines = ["_safemodel() {", "  local cur prev verb words", "  COMPREPLY=()"]
    lines += ['  cur="${COMP_WORDS[COMP_CWORD]}"', '  prev="${COMP_WORDS[COMP_CWORD-1]}"']
    lines += ['  verb="${COMP_WORDS[1]}"', '  if [ "$COMP_CWORD" -eq 1 ]; then']
    lines += [f'    COMPREPLY=($(compgen -W "{" ".join(verbs)} --help --version" -- "$cur"))']
    lines += ["    return", "  fi", '  case "$verb $prev" in']
    for verb, found in options.items():
        for option in found:
            if option.choices:
                patterns = "|".join(f'"{verb} {flag}"' for flag in option.flags)
                reply = f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$cur"))'
                lines.append(f"    {patterns}) {reply}; return ;;")
    lines += ["  esac", '  case "$verb" in']
    for verb, found in options.items():
        every = dict.fromkeys(flag for option in found for flag in option.flags)
        text = " ".join((*words[verb], *every))
        lines.append(f'    {verb}) words="{text}" ;;')
    lines += ["  esac", '  COMPREPLY=($(compgen -W "$words" -- "$cur"))']
    lines += ['  case "$cur" in -*) ;; *) COMPREPLY+=($(compgen -f -- "$cur")) ;; esac', "}"]
    lines += ["complete -o filenames -F _safemodel safemodel"]
    return "\n".join(lines)


def zsh(verbs: dict[str, str], options: Options, words: Words) -> str:
    """For zsh: `_arguments` a verb."""
    lines = ["#compdef safemodel", "_safemodel() {", "  local -a verbs", "  verbs=("]
    lines += [f"    {_quote(f'{verb}:{summary}')}" for verb, summary in verbs.items()]
    lines += ["  )", "  if (( CURRENT == 2 )); then", "    _describe verb verbs"]
    lines += ["    return", "  fi"]
    lines += ['  local verb="$words[2]"', "  shift words", "  (( CURRENT-- ))", '  case "$verb" in']
    for verb, found in options.items():
        arguments = [_quote(spec) for option in found for spec in _zsh_specs(option)]
        if words[verb]:
            arguments.append(_quote(f"1:word:({' '.join(words[verb])})"))
        arguments.append(_quote("*:path:_files"))
        lines.append(f"    {verb}) _arguments {' '.join(dict.fromkeys(arguments))} ;;")
    # In $fpath this file is the body of the function on its first call; sourced, it registers it.
    lines += ["  esac", "}", 'if [ "$funcstack[1]" = "_safemodel" ]; then', '  _safemodel "$@"']
    lines += ["else", "  compdef _safemodel safemodel", "fi"]
    return "\n".join(lines)


def _zsh_specs(option: Option) -> Iterator[str]:
    text = option.help.replace("[", "(").replace("]", ")").replace(":", ",")
    value = f":value:({' '.join(option.choices)})" if option.choices else ":value:_files"
    for flag in option.flags:
        yield f"*{flag}[{text}]{value if option.takes_value else ''}"


def fish(verbs: dict[str, str], options: Options, words: Words) -> str:
    """For fish: one `complete` line an option."""
    lines = [
        f"complete -c safemodel -f -n __fish_use_subcommand -a {verb} -d {_quote(summary)}"
        for verb, summary in verbs.items()
    ]
    for verb, found in options.items():
        where = f"complete -c safemodel -n '__fish_seen_subcommand_from {verb}'"
        if words[verb]:
            lines.append(f"{where} -a {_quote(' '.join(words[verb]))}")
        for option in dict.fromkeys(found):
            names = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in option.flags
            )
            value = f" -x -a {_quote(' '.join(option.choices))}" if option.choices else " -r"
            takes = value if option.takes_value else ""
            lines.append(f"{where} {names}{takes} -d {_quote(option.help)}")
    return "\n".join(lines)


def _quote(text: str) -> str:
    """In single quotes, for all three shells (the texts are ours and hold no backslash)."""
    return "'" + text.replace("'", "'\\''") + "'"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
