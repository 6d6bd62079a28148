"""The style sheet of the HTML report: light and dark, on a screen and on paper."""

from __future__ import annotations

from typing import Final

_FILTERED: Final = ("critical", "high", "medium", "low", "info", "unread")

_RULES: Final = """
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f9, #14171c); --card: light-dark(#fff, #1d2129);
  --ink: light-dark(#1b2028, #e6e9ee); --dim: light-dark(#5d6675, #98a2b3);
  --line: light-dark(#dfe3e9, #323945);
  --critical: light-dark(#a3123a, #ff6b8e); --high: light-dark(#b83a0e, #ff8f66);
  --medium: light-dark(#8a6100, #eebc4e); --low: light-dark(#0b6a88, #62c4e6);
  --info: light-dark(#5d6675, #98a2b3); --unread: light-dark(#6b3fa0, #bd9bec);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1rem 3rem; max-width: 62rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
}
h1 { margin: .1rem 0 1rem; font-size: 1.7rem; line-height: 1.2; }
h2 { margin: 0; font-size: 1.05rem; font-family: ui-monospace, monospace; }
p { margin: .4rem 0; }
h2, p, td, code, li { overflow-wrap: anywhere; }
code { font: .9em ui-monospace, monospace; }
.tool { margin: 0; color: var(--dim); letter-spacing: .04em; }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0 0 1.2rem; padding: 0; }
.tile {
  min-width: 6.2rem; padding: .5rem .8rem; list-style: none; background: var(--card);
  border: 1px solid var(--line); border-left: .3rem solid var(--kind, var(--line));
  border-radius: .4rem;
}
.tile b { display: block; font-size: 1.4rem; line-height: 1.2; color: var(--kind, inherit); }
.tile span, .facts, footer, .place { color: var(--dim); font-size: .88rem; }
.note { padding: .5rem .8rem; border: 1px solid var(--line); border-radius: .4rem; }
input[name=show] { position: absolute; opacity: 0; }
label {
  display: inline-block; margin: 0 .3rem 1rem 0; padding: .15rem .8rem; font-size: .9rem;
  border: 1px solid var(--line); border-radius: 1rem; background: var(--card); cursor: pointer;
}
input:checked + label { background: var(--ink); color: var(--ground); }
input:focus-visible + label { outline: 2px solid var(--low); outline-offset: 2px; }
.file, .rest {
  margin: 0 0 1rem; padding: 1rem 1.2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem;
}
.facts { margin: .1rem 0; }
.finding {
  margin: .9rem 0 0; padding: .1rem 0 .1rem .9rem; border-left: .3rem solid var(--kind);
}
.what { font-weight: 600; }
.badge {
  display: inline-block; padding: 0 .5rem; border: 1px solid var(--kind); border-radius: .3rem;
  color: var(--kind); font-size: .8rem; font-weight: 600;
}
.place { display: flex; flex-wrap: wrap; margin: .3rem 0; padding: 0; list-style: none; }
.place li + li::before { content: "\\203a"; margin: 0 .5rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td {
  padding: .15rem 1rem .15rem 0; text-align: left; vertical-align: top; font-weight: 400;
}
th { color: var(--dim); white-space: nowrap; }
summary { cursor: pointer; }
.finding summary { color: var(--dim); font-size: .9rem; }
footer { margin-top: 2rem; }
@media print {
  body { max-width: none; padding: 0; background: #fff; font-size: 11px; }
  input, label { display: none; }
  .file, .rest { break-inside: avoid-page; }
}
"""


def _kinds() -> str:
    """For each kind of finding its colour, and what hides the others when it is chosen."""
    text = ""
    for kind in _FILTERED:
        text += f".{kind} {{ --kind: var(--{kind}); }}\n"
        text += f"#show-{kind}:checked ~ main :is(.finding:not(.{kind}), .file:not(.has-{kind})) "
        text += "{ display: none; }\n"
    return text


STYLE: Final = _RULES + _kinds()
