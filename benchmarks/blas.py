"""matmul by the own kernels and by helpers, OpenBLAS and MKL where no others are named, on one thread and on all.

All are measured in one process, taking turns in an order that changes with each round, each after one call that is not
timed, so that its own threads are awake; those of the others go to sleep after each call, because main() tells them to. The
figure is the median over the rounds; the ratio is taken round by round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import machine

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

SHAPES = (
    *(((size, size), (size, size)) for size in (4, 16, 32, 64, 128, 256, 512, 1024, 2048)),
    ((1, 1024), (1024, 1024)),  # one sample of a layer
    ((1024, 1024), (1024,)),
    ((16, 768), (768, 3072)),
    ((3136, 64), (64, 256)),  # a convolution of 1 x 1
    ((64, 3136), (3136, 64)),
    ((8, 12, 128, 64), (8, 12, 64, 128)),  # attention
    ((256, 16, 16), (256, 16, 16)),
    ((32, 128, 512), (512, 512)),
)


def main() -> int:
    """Measure, print a table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="per row (%(default)s)")
    parser.add_argument(
        "--helpers", nargs="+", default=["openblas", "mkl"], metavar="NAME", help="beside the own kernels"
    )
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"], metavar="DTYPE")
    parser.add_argument("--dry-run", action="store_true", help="do not write benchmarks/results")
    options = parser.parse_args()

    # Read when the libraries are opened. Threads of theirs that wait for the next call would slow down whoever is next:
    # by default those of MKL do so for 0.2 s; those of OpenBLAS for 2 to the power of this number of clock cycles.
    os.environ.update(KMP_BLOCKTIME="0", OPENBLAS_THREAD_TIMEOUT="4", GOMP_SPINCOUNT="20000")
    import ndkernels

    for name in options.helpers:
        with ndkernels.helpers(name):  # an error here, and not after an hour
            assert ndkernels.explain("matmul", (64, 64), (64, 64)).implementation == name
    config = ndkernels.show_config("dicts")
    assert config is not None
    ways = ["off", *options.helpers]
    print(f"{'GFLOP/s':<44}{'threads':>8}" + "".join(f"{way.replace('off', 'own'):>20}" for way in ways))
    rows = []
    for threads in sorted({1, config["threads"]}):
        ndkernels.set_num_threads(threads)
        for dtype in options.dtypes:
            for shapes in SHAPES:
                row = {
                    "dtype": dtype,
                    "shapes": shapes,
                    "threads": threads,
                    **measure(dtype, shapes, ways, options.seconds),
                }
                rows.append(row)
                print(line(row, ways), flush=True)
    if not options.dry_run:
        distributions = {"openblas": "scipy-openblas64", "mkl": "mkl", "onednn": "onednn-cpu-gomp"}
        described = machine.describe("numpy", *(distributions[name] for name in options.helpers))
        described["versions"]["ndkernels"] = ndkernels.__version__
        found = {"machine": described, "classifier": config["classifier"], "rows": rows}
        name = "onednn" if options.helpers == ["onednn"] else "blas"
        print(f"written to {os.path.relpath(machine.save(name, found))}")
    return 0


def measure(dtype: str, shapes: tuple[tuple[int, ...], ...], ways: list[str], seconds: float) -> dict[str, object]:
    """Time one row, by way: its "gflops", "of_own" (the own time over its, for all but "off"), and "by", who computed."""
    import numpy as np

    import ndkernels

    random = np.random.default_rng(0)
    kind: Any = dtype
    if dtype == "bfloat16":
        import ml_dtypes

        kind = ml_dtypes.bfloat16
    a, b = ((20 * random.standard_normal(shape)).astype(kind) for shape in shapes)
    out = ndkernels.matmul(a, b)
    flops = 2 * out.size * a.shape[-1]
    calls = max(1, round(2e6 / flops))
    times: dict[str, list[float]] = {way: [] for way in ways}
    end = time.perf_counter() + seconds
    rounds = 0
    while time.perf_counter() < end or rounds < 7:
        first = rounds % len(ways)
        rounds += 1
        for way in (*ways[first:], *ways[:first]):
            with ndkernels.helpers(way):
                times[way].append(timed(ndkernels.matmul, a, b, out, calls))
    by = {}
    for way in ways:
        with ndkernels.helpers(way):
            by[way] = ndkernels.explain("matmul", *shapes, dtype=dtype).implementation
    pairs = {way: list(zip(times["off"], times[way], strict=True)) for way in ways[1:]}
    return {
        "gflops": {way: round(flops / statistics.median(each) / 1e9, 2) for way, each in times.items()},
        "of_own": {way: round(statistics.median(own / its for own, its in each), 3) for way, each in pairs.items()},
        "by": by,
    }


def timed(function: Callable[..., object], a: np.ndarray, b: np.ndarray, out: np.ndarray, calls: int) -> float:
    """Return the seconds of one call."""
    function(a, b, out=out)
    start = time.perf_counter()
    for _ in range(calls):
        function(a, b, out=out)
    return (time.perf_counter() - start) / calls


def line(row: dict[str, object], ways: list[str]) -> str:
    """Return a row of the table: GFLOP/s of each, and how many times as fast as the own kernel a helper is."""
    gflops, of_own = row["gflops"], row["of_own"]
    assert isinstance(gflops, dict)
    assert isinstance(of_own, dict)
    cells = [f"{gflops[way]:>11.1f} {f'({of_own[way]:.2f})' if way in of_own else '':>8}" for way in ways]
    return (
        f"{row['dtype']} {' '.join(map(str, row['shapes'])):<{43 - len(str(row['dtype']))}}{row['threads']:>8}"
        + "".join(cells)
    )  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
