"""tools.bench: what a run measures, says and writes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_run_gives_medians_ratios_and_shares(tmp_path: Path) -> None:
    run = bench(
        "relu in cache",
        "--rounds",
        "2",
        "--threads",
        "1",
        "--classifier",
        "generic",
        "--peers",
        "numpy",
        "--out",
        str(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    assert "relu in cache" in run.stdout
    assert "generic: geometric mean" in run.stdout
    (path,) = tmp_path.glob("kernels-*-1t.json")
    result = json.loads(path.read_text())
    (row,) = result["rows"]
    assert set(row["seconds"]) == {"generic", "numpy"}
    assert row["best"] == "numpy"
    assert 0.05 < row["ratios"]["generic"] < 50
    assert result["limits"]["generic"]["float32"] > result["limits"]["generic"]["float64"] > 1e8
    assert result["machine"]["versions"].keys() == {"ndkernels", "numpy"}


def test_the_rows_can_be_listed_and_chosen() -> None:
    run = bench("--list", "lstm")
    assert run.returncode == 0
    one = "lstm T 64, B 1, 256 to 256"
    assert run.stdout.splitlines() == ["lstm T 64, B 32, 256 to 256", one, f"{one} packed"]


def test_a_row_that_is_not_there_is_an_error() -> None:
    run = bench("nonsense")
    assert run.returncode == 2
    assert "no row fits nonsense; --list shows them all" in run.stderr


def test_the_share_is_that_of_the_roofline() -> None:
    from tools.bench.report import geometric_mean, share, summary

    limits = {"float32": 1e11, "float64": 5e10, "bytes": 1e10, "threads": 1}
    row = {"name": "matmul float32 64", "flops": 1e9, "bytes": 1e6, "seconds": {"avx2": 0.02}}
    assert share(row, "avx2", limits) == pytest.approx(0.5)  # 10 ms by the operations
    row = {"name": "add", "flops": 1e6, "bytes": 1e9, "seconds": {"avx2": 0.2}}
    assert share(row, "avx2", limits) == pytest.approx(0.5)  # 100 ms by the bytes
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert math.isnan(geometric_mean([]))
    rows = [{"ratios": {"avx2": ratio}, "target": 1.0, "family": "elementwise"} for ratio in (0.5, 2.0)]
    assert summary({"classifiers": ["avx2"], "rows": rows}) == [
        "avx2: geometric mean 1.00 over 2 rows, 1 of 2 targets met"
    ]
