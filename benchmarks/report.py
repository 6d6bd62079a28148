"""The results as Markdown and as a plot."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

Results = dict[str, list[dict[str, float]]]


def table(group: Any, results: Results) -> list[str]:
    """One group as lines of Markdown: medians, spread, ratio to the first case, peak memory."""
    base = [run["seconds"] for run in results[group.cases[0]]]
    lines = [
        f"### {group.title}",
        "",
        "| case | median s | min to max | ratio to first | peak memory on top, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for case in group.cases:
        seconds = [run["seconds"] for run in results[case]]
        ratio = statistics.median(a / b for a, b in zip(seconds, base, strict=True))
        peak = statistics.median(run["peak"] for run in results[case]) / 1e6
        lines.append(
            f"| {case} | {statistics.median(seconds):.4f} | {min(seconds):.4f} to "
            f"{max(seconds):.4f} | {ratio:.2f} | {peak:.0f} |"
        )
    return lines


def write(
    folder: Path, groups: list[Any], results: dict[str, Results], machine: str, command: str
) -> None:
    """Write RESULTS.md and results.svg into `folder`."""
    lines = [
        "# Results",
        "",
        f"Made by `{command}`",
        f"on {machine}, files in the page cache. Medians over",
        "rounds in which the cases of a group took turns, each the best of three runs in a process",
        "of its own; ratios are medians of the ratios within a round. Every writer ends with",
        "fsync. `model_signing` is timed as a whole process, the others after imports. For",
        "`sign` and `verify`, `sha256_plain` is one thread of SHA-256 over the same bytes.",
        "",
        "![the same as bars](results.svg)",
        "",
    ]
    for group in groups:
        lines += [*table(group, results[group.name]), ""]
    (folder / "RESULTS.md").write_text("\n".join(lines))
    _plot(folder / "results.svg", groups, results)


def _plot(path: Path, groups: list[Any], results: dict[str, Results]) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "safemodel"
    heights = [len(group.cases) for group in groups]
    figure, axes = plt.subplots(
        len(groups), figsize=(9, 0.45 * sum(heights) + 0.7 * len(groups)), height_ratios=heights
    )
    for axis, group in zip(axes, groups, strict=True):
        cases = list(reversed(group.cases))
        found = results[group.name]
        medians = [statistics.median(run["seconds"] for run in found[case]) for case in cases]
        ours = ["#2a6f97" if "safemodel" in case else "#b0b7bf" for case in cases]
        bars = axis.barh(cases, medians, color=ours)
        axis.bar_label(bars, [f"{value:.3g} s" for value in medians], padding=3, fontsize=8)
        axis.set_title(group.title, loc="left", fontsize=10)
        axis.tick_params(labelsize=8)
        axis.margins(x=0.15)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
