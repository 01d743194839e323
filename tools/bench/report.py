"""The table of a run, and its summary."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["geometric_mean", "share", "summary", "table"]


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean of ratios; NaN of none."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def share(row: dict[str, Any], name: str, limits: dict[str, float]) -> float:
    """Return how near to the machine's limit a classifier came: the least time that the roofline allows, of the time taken.

    The roofline is that of Williams, Waterman and Patterson (CACM 52(4), 2009): no computation takes less time than its
    operations at the peak of the multiply-add units, nor less than its bytes at the bandwidth of memory. Small inputs lie
    in caches and may come out above 1.
    """
    dtype = "float64" if "float64" in row["name"] else "float32"
    peak = limits[dtype] * limits["threads"]
    least: float = max(row["flops"] / peak, row["bytes"] / limits["bytes"])
    return least / float(row["seconds"][name])


def table(result: dict[str, Any]) -> Any:
    """Return a rich table of one run: per row the speeds, the best peer, our ratio to it and the share of the limit."""
    from rich.table import Table

    found = Table(
        title=f"{result['threads']} thread{'s' * (result['threads'] > 1)}: ratio to the best peer (share of the limit)"
    )
    found.add_column("row")
    for name in result["classifiers"]:
        found.add_column(name, justify="right")
    found.add_column("best peer")
    found.add_column("target", justify="right")
    family = None
    for row in result["rows"]:
        found.add_section() if family not in {None, row["family"]} else None
        family = row["family"]
        cells = [row["name"]]
        for name in result["classifiers"]:
            if name not in row["seconds"]:
                cells.append("none")
                continue
            text = f"{share(row, name, result['limits'][name]):.0%}"
            if name in row["ratios"]:
                text = f"{row['ratios'][name]:.2f} ({text})"
            missed = (
                row["target"]
                and name == result["classifiers"][-1]
                and row["ratios"].get(name, math.inf) < row["target"]
            )
            cells.append(f"[red]{text}[/red]" if missed else text)
        best = row["best"]
        cells.append("" if best is None else f"{best} {_time(row['seconds'][best])}")
        cells.append("" if row["target"] is None else f"{row['target']:.2f}")
        found.add_row(*cells)
    return found


def summary(result: dict[str, Any]) -> list[str]:
    """Return one line for each classifier: the geometric mean over the rows, and how many targets are met."""
    lines = []
    for name in result["classifiers"]:
        rows = [row for row in result["rows"] if name in row["ratios"]]
        if not rows:
            lines.append(f"{name}: no row that a peer has, too; install onnxruntime, and torch==2.13.0")
            continue
        met = sum(row["ratios"][name] >= row["target"] for row in rows if row["target"])
        # No peer has weights that are prepacked, so these rows are not part of the mean.
        plain = [row for row in rows if row["family"] != "prepacked"] or rows
        mean = geometric_mean([row["ratios"][name] for row in plain])
        line = f"{name}: geometric mean {mean:.2f} over {len(plain)} rows, {met} of {sum(1 for row in rows if row['target'])} targets met"
        for family, said in (("convolution", "convolutions"), ("prepacked", "prepacked")):
            ratios = [row["ratios"][name] for row in rows if row["family"] == family]
            if ratios:
                line += f"; {said} {geometric_mean(ratios):.2f}, the slowest {min(ratios):.2f}"
        lines.append(line)
    return lines


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
