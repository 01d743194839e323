"""What an import costs, beside what others do at the same moment.

Every command is a process of its own; the rounds are interleaved, so that a slow moment of the machine hits all of them.
The figure is the median over the rounds of the command's time minus that of `pass` in the same round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

import machine

COMMANDS = {
    "python -c pass": "pass",
    "import ndkernels": "import ndkernels",
    "import numpy": "import numpy",
    "import archspec.cpu; archspec.cpu.host()": "import archspec.cpu; archspec.cpu.host()",
    "import cpuinfo; cpuinfo.get_cpu_info()": "import cpuinfo; cpuinfo.get_cpu_info()",
    "import faiss": "import faiss",
}
LIMIT_MS = 15.0


def main() -> int:
    """Measure, print a table, write the result; status 1 when `import ndkernels` is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--dry-run", action="store_true", help="do not write benchmarks/results")
    options = parser.parse_args()

    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    # Byte code is written, as pip does when it installs; uv leaves that to the first import.
    without = ("NDKERNELS_", "PYTHONDONTWRITEBYTECODE")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(without)}
    for number in range(options.rounds + 1):
        for name, code in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environ, stderr=subprocess.DEVNULL)
            if number:  # the first round fills the disk cache and writes .pyc files
                seconds[name].append(time.perf_counter() - start)
        print(f"\rround {number}/{options.rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)

    bare = seconds["python -c pass"]
    rows = {
        name: {
            "whole_ms": round(1e3 * statistics.median(values), 2),
            "over_bare_ms": round(1e3 * statistics.median(a - b for a, b in zip(values, bare, strict=True)), 2),
        }
        for name, values in seconds.items()
    }
    print(f"{'':<44} {'whole process':>14} {'over bare Python':>18}")
    for name, row in rows.items():
        print(f"{name:<44} {row['whole_ms']:>11.1f} ms {row['over_bare_ms']:>15.1f} ms")
    cost = rows["import ndkernels"]["over_bare_ms"]
    print(f"\nimport ndkernels costs {cost:.1f} ms; the limit is {LIMIT_MS:.0f} ms")
    result = {
        "machine": machine.describe("ndkernels", "numpy", "archspec", "py-cpuinfo", "faiss-cpu"),
        "rounds": options.rounds,
        "limit_ms": LIMIT_MS,
        "rows": rows,
    }
    if not options.dry_run:
        print(f"written to {os.path.relpath(machine.save('startup', result))}")
    return 0 if cost <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
