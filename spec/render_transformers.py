"""Render transformers-tables.md from the tables of the code: python spec/render_transformers.py."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from safemodel.adapters.huggingface import classes, fields  # noqa: E402

PAGE = HERE / "transformers-tables.md"
_HEAD = """# Tables of the adapter for Transformers

Rendered from the code by `python spec/render_transformers.py`. What they are for, says
[transformers.md](transformers.md).

## Classes

Modules in `transformers.models`, classes of configurations with their `model_type` in files, and
classes of models.

| module | configuration | `model_type` | models |
|---|---|---|---|
"""


def render() -> str:
    """The page."""
    by_module: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in classes.MODELS.values():
        module = entry.module.removeprefix("transformers.models.")
        by_module[module, entry.config].append(f"`{entry.name}`")
    lines = [
        f"| `{module}` | `{config}` | `{classes.MODEL_TYPES[config]}` "
        f"| {', '.join(sorted(names))} |\n"
        for (module, config), names in sorted(by_module.items())
    ]
    page = _HEAD + "".join(lines)
    for title, table in (
        ("Fields of a configuration", fields.FIELDS),
        ("Fields of a configuration of generation", fields.GENERATION),
    ):
        kinds: dict[str, list[str]] = defaultdict(list)
        for name, kind in table.items():
            kinds[kind].append(f"`{name}`")
        page += f"\n## {title}\n\n| kind | fields |\n|---|---|\n"
        for kind, names in sorted(kinds.items()):
            page += f"| `{kind}` | {', '.join(sorted(names))} |\n"
    page += "\n## Arguments that need be no field of a class\n\n"
    return page + ", ".join(f"`{name}`" for name in sorted(fields.ARGUMENTS)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render())
