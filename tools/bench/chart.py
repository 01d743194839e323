"""The chart of a run: one bar for each row and classifier, on a scale where twice as fast is as far as half as fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["draw"]

_COLOURS = {"generic": "#9aa5b1", "avx2": "#4c8bf5", "avx512": "#17a673"}


def draw(result: dict[str, Any], path: Path) -> list[Path]:
    """Write `path` with the suffixes .png and .svg and return both."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.fonttype"] = "none"  # letters as text, and not each as a drawing
    from matplotlib import pyplot, ticker

    rows = [row for row in result["rows"] if row["ratios"]][::-1]
    names = result["classifiers"]
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.075 * len(rows) * (1 + len(names))), layout="constrained")
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        axes.barh(
            [i + 0.4 - (place + 0.5) * height for i in range(len(rows))],
            [row["ratios"].get(name, 1.0) - 1.0 for row in rows],
            height=height, left=1.0, label=name, color=_COLOURS.get(name),
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.plot(
        [row["target"] or 1.0 for row in rows],
        range(len(rows)),
        "|",
        color="#d64545",
        markersize=6,
        label="target (avx512)",
    )
    axes.set_yticks(range(len(rows)), [f"{row['name']}  ({row['best']})" for row in rows], fontsize=7)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel("speed, of the best peer's (in brackets): right of 1 is faster")
    threads = f"{result['threads']} thread{'s' * (result['threads'] > 1)}"
    axes.set_title(f"{result['machine']['cpu']}, {threads}, {result['machine']['date']}", fontsize=9)
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(axis="x", linewidth=0.3)
    written = []
    for suffix in (".png", ".svg"):
        target = path.with_suffix(suffix)
        figure.savefig(target, dpi=110, metadata={"Date": None} if suffix == ".svg" else None)
        written.append(target)
    pyplot.close(figure)
    return written
