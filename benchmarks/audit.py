"""How fast machine code is audited, on one core.

Two large native files of other projects, as PyPI has them, are read and decoded in one process, alternately: the OpenBLAS of
numpy, with kernels for every CPU since 2003, and the library of faiss-cpu, with many small functions for four levels. The figure is the median over the rounds of the instructions
of a file by the CPU seconds that it took to know what each of its functions needs; what it takes LIEF to read the file before
is a figure of its own, and so is what iced-x86 takes to decode the same bytes where nothing is asked.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import machine
from iced_x86 import Decoder

from variantkit.audit.binary import Binary, read_binary
from variantkit.audit.decode import code_use

LIMIT = 2.0
FILES = {"numpy": "openblas", "faiss-cpu": "libfaiss.so"}


def main() -> int:
    """Measure, print a table, write the result; status 1 when the largest file is read slower than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dry-run", action="store_true", help="do not write benchmarks/results")
    options = parser.parse_args()

    rows: dict[str, dict[str, Any]] = {}
    for distribution, words in FILES.items():
        path = largest(distribution, words)
        rows[path.name] = {"distribution": distribution, "mib": round(path.stat().st_size / 2**20, 1), "path": path}
    samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in rows}
    for number in range(options.rounds + 1):
        for name, row in rows.items():
            (binary,), reading = timed(read_binary, row["path"].read_bytes())
            use, decoding = timed(code_use, binary)
            _, bare = timed(only_decoded, binary)
            row.update(instructions=use.instructions, functions=len(use.functions), undecoded=len(use.undecoded))
            if number:  # the first round makes the tables and fills the disk cache
                samples[name].append((reading, decoding, bare))
        print(f"\rround {number}/{options.rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)

    print(f"{'':<48} {'instructions':>12} {'read':>7} {'audited':>8} {'rate':>10} {'iced-x86 alone':>15}")
    for name, row in rows.items():
        del row["path"]
        reading, decoding, bare = (statistics.median(values) for values in zip(*samples[name], strict=True))
        row.update(
            read_s=round(reading, 2),
            audited_s=round(decoding, 2),
            million_per_s=round(row["instructions"] / decoding / 1e6, 2),
            iced_alone_million_per_s=round(row["instructions"] / bare / 1e6, 2),
        )
        print(
            f"{name:<48} {row['instructions']:>12,} {reading:>5.1f} s {decoding:>6.1f} s "
            f"{row['million_per_s']:>6.2f} M/s {row['iced_alone_million_per_s']:>11.2f} M/s"
        )
    rate = max(rows.values(), key=lambda row: row["instructions"])["million_per_s"]
    print(f"\n{rate:.2f} million instructions per second in the largest; the limit is {LIMIT:.0f} million")
    result = {
        "machine": machine.describe("iced-x86", "lief", *FILES),
        "rounds": options.rounds,
        "limit_million_per_s": LIMIT,
        "rows": rows,
    }
    if not options.dry_run:
        print(f"written to {os.path.relpath(machine.save('audit', result))}")
    return 0 if rate >= LIMIT else 1


def largest(distribution: str, words: str) -> Path:
    """Return the largest native file of an installed distribution with these words in its name."""
    files = metadata.files(distribution) or []
    paths = [Path(str(file.locate())) for file in files if ".so" in file.name and words in file.name]
    return max(paths, key=lambda path: path.stat().st_size)


def timed(function: Any, *arguments: Any) -> tuple[Any, float]:
    """Return what a function gives, and the CPU seconds that it takes."""
    start = time.process_time()
    value = function(*arguments)
    return value, time.process_time() - start


def only_decoded(binary: Binary) -> None:
    """Decode all code, and do nothing with it."""
    for code in binary.code:
        for _ in Decoder(64, code.data, ip=code.address):
            pass


if __name__ == "__main__":
    sys.exit(main())
