"""`python -m tools.bench`: measure every kernel under each classifier that runs here, beside NumPy, torch and onnxruntime.

Each library computes in a process of its own; they take turns sample by sample, and the figures are medians. A table is
printed; JSON and a chart (PNG, SVG) are written, one set for each number of threads.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.bench import chart, report
from tools.bench.cases import CASES
from tools.bench.driver import PEERS, measure, workers


def main(arguments: list[str]) -> int:
    """Run the suite and return the exit status."""
    options = _parser().parse_intermixed_args(arguments)
    chosen = [
        case
        for case in CASES
        if not options.only or any(fnmatch.fnmatch(case.name, f"*{each}*") for each in options.only)
    ]
    if not chosen:
        print(f"no row fits {' or '.join(options.only)}; --list shows them all", file=sys.stderr)
        return 2
    if options.list:
        for case in chosen:
            print(case.name)
        return 0
    try:
        import ndkernels  # noqa: F401 -- loads the library, which decides what can be run
    except ImportError as error:
        print(f"{error}\nrun: .venv/bin/nox -s bench_kernels, which builds and installs everything", file=sys.stderr)
        return 2
    peers = tuple(each for each in PEERS if importlib.util.find_spec(each) is not None and each in options.peers)
    for absent in sorted(set(options.peers) - set(peers)):
        print(f"{absent} is not installed, and is left out; for it: python -m pip install {absent}", file=sys.stderr)
    for threads in options.threads or sorted({1, len(os.sched_getaffinity(0))}):
        result = _run(chosen, threads, peers, options)
        _finish(result, options.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("only", nargs="*", metavar="ROW", help="rows whose names hold this; * and ? stand for anything")
    parser.add_argument("--list", action="store_true", help="show the names of the rows and end")
    parser.add_argument(
        "--threads", type=int, action="append", metavar="N", help="may be repeated (default: 1, and all CPUs)"
    )
    parser.add_argument(
        "--rounds", type=int, default=9, metavar="N", help="samples of each library for each row (%(default)s)"
    )
    parser.add_argument(
        "--classifier",
        action="append",
        metavar="NAME",
        help="may be repeated; NAME+HELPER asks a helper first (default: all that run here)",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        default=list(PEERS),
        metavar="NAME",
        help="of numpy, torch and onnxruntime (all)",
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "bench", metavar="DIR",
        help="where JSON and charts go; benchmarks/results holds the ones that are committed (%(default)s)",
    )  # fmt: skip
    return parser


def _run(chosen: list[Any], threads: int, peers: tuple[str, ...], options: argparse.Namespace) -> dict[str, Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from variantkit import loader

    loaded = loader.load("ndkernels")
    runnable = [item.classifier for item in loaded.installed if item.classifier in loaded.decision.runnable]
    classifiers = options.classifier or runnable
    rows = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with workers(classifiers, threads, peers) as running, Progress(*columns, transient=True) as progress:
        limits = {worker.name: worker.ask(do="limits") for worker in running if worker.name in classifiers}
        task = progress.add_task("", total=len(chosen))
        for case in chosen:
            progress.update(task, description=f"{case.name:<36}")
            rows.append(measure(case, running, options.rounds).as_json())
            progress.advance(task)
        versions = {
            name: version for worker in running for name, version in worker.versions.items() if name != "classifier"
        }
    return {
        "machine": {**_benchmarks_machine().describe(), "versions": versions},
        "threads": threads,
        "rounds": options.rounds,
        "classifiers": classifiers,
        "limits": limits,
        "rows": rows,
    }


def _benchmarks_machine() -> Any:
    """Import benchmarks/machine.py, which says the same of every result."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("machine")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def _finish(result: dict[str, Any], folder: Path) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 140).print(report.table(result))
    for line in report.summary(result):
        print(line)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kernels-{_benchmarks_machine().slug(result['machine'])}-{result['threads']}t.json"
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
    written = [path]
    if importlib.util.find_spec("matplotlib") is not None:
        written += chart.draw(result, path)
    else:
        print(
            "no chart, because matplotlib is not installed; for it: python -m pip install matplotlib", file=sys.stderr
        )
    for each in written:
        print(f"written to {os.path.relpath(each)}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        sys.exit(130)
