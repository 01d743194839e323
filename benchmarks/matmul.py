"""matmul under each classifier, beside NumPy, on one thread.

Each classifier needs a process of its own, and NumPy is measured in each of them, alternating call by call: a ratio is
taken within one process and one moment. The figure is the median over the calls.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import machine

TARGET = 0.6
"""Of NumPy's speed, for 1024 x 1024 float32 under the best classifier of an AVX-512 machine."""

SIZES = (64, 128, 256, 512, 1024, 2048)


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """Time both libraries in this process; returns {"float32 1024": {"ours": GFLOP/s, "numpy": …, "ratio": …}}."""
    import numpy as np

    import ndkernels

    ndkernels.set_num_threads(1)
    rows = {}
    for dtype, sizes in (("float32", SIZES), ("float64", (1024,))):
        for size in sizes:
            random = np.random.default_rng(size)
            a, b = (random.standard_normal((size, size)).astype(dtype) for _ in range(2))
            out = np.empty((size, size), dtype)
            times: dict[str, list[float]] = {"ours": [], "numpy": []}
            # Many calls per sample where a call is short, so that the clock and the call overhead do not decide.
            calls = max(1, round(2e7 / size**3))
            end = time.perf_counter() + seconds
            while time.perf_counter() < end or len(times["ours"]) < 7:
                for name, function in (("ours", ndkernels.matmul), ("numpy", np.matmul)):
                    start = time.perf_counter()
                    for _ in range(calls):
                        function(a, b, out=out)
                    times[name].append((time.perf_counter() - start) / calls)
            speed = {name: 2e-9 * size**3 / statistics.median(values) for name, values in times.items()}
            rows[f"{dtype} {size}"] = {
                "ours": round(speed["ours"], 1),
                "numpy": round(speed["numpy"], 1),
                "ratio": round(statistics.median(n / o for o, n in zip(times["ours"], times["numpy"], strict=True)), 3),
            }
    return rows


def main() -> int:
    """Measure every runnable classifier, print a table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="per row and classifier (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="do not write benchmarks/results")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.seconds)))
        return 0

    import ndkernels  # noqa: F401 -- loads it
    from variantkit import loader

    loaded = loader.load("ndkernels")
    results = {}
    for name in [item.classifier for item in loaded.installed if item.classifier in loaded.decision.runnable]:
        print(f"measuring {name} ...", file=sys.stderr)
        environ = {**os.environ, "NDKERNELS_CLASSIFIER": name, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environ.pop("OPENBLAS_CORETYPE", None)  # NumPy's OpenBLAS chooses its code itself
        run = subprocess.run(
            [sys.executable, __file__, "--child", "--seconds", str(options.seconds)],
            env=environ, check=True, capture_output=True, text=True,
        )  # fmt: skip
        results[name] = json.loads(run.stdout)

    print(f"{'GFLOP/s, one thread':<16}" + "".join(f"{name:>12} {'of NumPy':>9}" for name in results))
    for row in next(iter(results.values())):
        print(
            f"{row:<16}"
            + "".join(f"{rows[row]['ours']:>12.1f} {rows[row]['ratio']:>9.2f}" for rows in results.values())
        )
    if not options.dry_run:
        found = {"machine": machine.describe("ndkernels", "numpy"), "target_ratio": TARGET, "rows": results}
        print(f"written to {os.path.relpath(machine.save('matmul', found))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
