"""`python -m tools.demo`: the whole way in one command.

Builds the wheels, writes the index, installs the base wheel with pip into a fresh environment, reports, adds the best
classifier for this machine, reports again, and times the same matmul under the base classifier and under the best.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

from . import ROOT

_TIMING = """
import json, os, statistics, time
import numpy, ndkernels
size = 1024
random = numpy.random.default_rng(0)
a, b = (random.standard_normal((size, size), dtype=numpy.float32) for _ in range(2))
ndkernels.set_num_threads(1)
seconds = []
while len(seconds) < 5 or sum(seconds) < 1:
    start = time.perf_counter()
    c = ndkernels.matmul(a, b)
    seconds.append(time.perf_counter() - start)
error = float(abs(c - a.astype("f8") @ b.astype("f8")).max())
print(json.dumps({"seconds": statistics.median(seconds), "gflops": 2e-9 * size**3 / statistics.median(seconds), "error": error}))
"""


def main(arguments: list[str]) -> int:
    """Run the demonstration and return its exit status."""
    from variantkit.build import Builder
    from variantkit.environments import run_logged
    from variantkit.host import this_machine
    from variantkit.index import write_index
    from variantkit.interpreters import choose_interpreters
    from variantkit.matrix import read_matrix
    from variantkit.progress import Progress

    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "demo", help="where the environment goes (%(default)s)"
    )
    work = parser.parse_args(arguments).work.resolve()

    started = time.perf_counter()
    matrix = read_matrix(ROOT)
    names = [row.name for row in matrix.published("-".join(this_machine()))]
    # One interpreter is enough to show it: the one this runs on, which the fresh environment gets too.
    found = choose_interpreters(ROOT)
    here = [each for each in found if each.version == sys.version_info[:2]] or found[:1]
    progress = Progress(0)
    builder = Builder(root=ROOT, out=ROOT / "build" / "dist", progress=progress)
    progress.total = builder.count(names, here) + 5

    wheels = [builder.pure_wheel(ROOT / "python", here[0]), *builder.build(names, here)]
    with progress.step("package index") as step:
        simple = write_index(wheels, work / "index")
        step.note = f"{len(wheels)} wheels"
    environment = work / "venv"
    python = environment / "bin" / "python"
    environ = _fresh(environment)
    log = ROOT / "build" / "logs"
    with progress.step("fresh environment, with NumPy from PyPI"):
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(environment)
        run_logged(
            [python, "-m", "pip", "install", "numpy", "py-cpuinfo", "tomli"], log / "demo-numpy.log", env=environ
        )
    index = ["--index-url", simple.as_uri(), "--no-cache-dir"]
    distribution = matrix.project.distribution
    with progress.step(f"pip install {distribution}"):
        run_logged([python, "-m", "pip", "install", *index, distribution], log / "demo-base.log", env=environ)
    print('\n$ python -c "import ndkernels"', flush=True)
    subprocess.run([python, "-c", f"import {matrix.project.package}"], cwd=work, env=environ, check=True)
    print(flush=True)
    before = _report(python, environ, work)
    recommended = before["recommended"]
    if recommended != matrix.project.base:
        print(flush=True)
        wanted = f"{distribution}[{recommended}]"
        with progress.step(f'pip install "{wanted}"'):
            run_logged([python, "-m", "pip", "install", *index, wanted], log / "demo-best.log", env=environ)
        print(flush=True)
        after = _report(python, environ, work)
        if after["loaded"]["classifier"] != recommended:
            print(f"error: {recommended} was installed, but {after['loaded']['classifier']} is loaded", file=sys.stderr)
            return 1
    _time(python, environ, work, sorted({matrix.project.base, recommended}, key=names.index))
    print(f"\nTried in {os.path.relpath(environment)}; use it with: source {os.path.relpath(environment)}/bin/activate")
    print(f"The whole demonstration took {time.perf_counter() - started:.0f} s.")
    return 0


def _fresh(environment: Path) -> dict[str, str]:
    """Return an environment in which nothing of this checkout and no setting of ours is seen."""
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "NDKERNELS_", "VIRTUAL_ENV"))
    }
    environ["VIRTUAL_ENV"] = str(environment)
    environ["PATH"] = os.pathsep.join([str(environment / "bin"), environ.get("PATH", "")])
    return environ


def _report(python: Path, environ: dict[str, str], work: Path) -> dict[str, Any]:
    """Show `variantkit detect` of the fresh environment and return it."""
    command = [str(python), "-m", "variantkit", "detect", "ndkernels"]
    print("$ python -m variantkit detect ndkernels", flush=True)
    # 10 says that a better classifier could be installed, which is what is shown here.
    shown = subprocess.run(command, cwd=work, env=environ, check=False)
    data = subprocess.run([*command, "--json"], cwd=work, env=environ, check=False, capture_output=True, text=True)
    if shown.returncode not in {0, 10}:
        raise SystemExit(shown.returncode)
    report: dict[str, Any] = json.loads(data.stdout)
    return report


def _time(python: Path, environ: dict[str, str], work: Path, names: list[str]) -> None:
    """Time one matmul under each classifier, interleaved, and print the ratio."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(3):
        for name in names:
            run = subprocess.run(
                [python, "-c", _TIMING], cwd=work, check=True, capture_output=True, text=True,
                env={**environ, "NDKERNELS_CLASSIFIER": name},
            )  # fmt: skip
            results[name].append(json.loads(run.stdout))
    print("\nmatmul of two 1024 x 1024 float32 matrices on one thread:\n")
    best = {name: min(runs, key=lambda run: run["seconds"]) for name, runs in results.items()}
    slowest = best[names[0]]["seconds"]
    for name, result in best.items():
        print(
            f"  {name:<10} {1e3 * result['seconds']:7.1f} ms  {result['gflops']:6.1f} GFLOP/s"
            f"  {slowest / result['seconds']:4.1f}x  (largest error {result['error']:.1e})"
        )


if __name__ == "__main__":
    from variantkit.cli import run

    sys.exit(run(lambda: main(sys.argv[1:])))
