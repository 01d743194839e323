"""What a release costs, beside building each classifier for each Python separately, as others do; and what an index costs.

**Release.** `python -m tools.release` in a fresh clone of what is committed, with its own build folder and no ccache: from
nothing, again with nothing changed, and after one line of a kernel was changed. What is downloaded from PyPI is not part of
that: the private build environments are made once before, in another folder, with an empty cache of uv, which is a row of
its own (with the network of that hour); the release then makes its own from that cache. Pythons and a compiler are there.

**Separately.** A wheel with the binding and the kernels of one classifier is compiled for each classifier and each Python
ABI, from nothing, in a build tree of its own, as a project does that has one wheel per combination. Both ways use the same
backend, compiler, flags and build environments (made before), no ccache, and ninja on all CPUs; separate wheels are built
one after the other, as cibuildwheel does, and those of a release two at a time, as it does. Of a release, only the same part
is counted: each classifier once, and the base wheel once per ABI, which also packs the library of its classifier, with
the audit of each wheel, which the separate ones do not have. It is made three times, before the separate wheels, between them
and after them, so that a slow quarter of an hour hits both; its median counts. The ratio of CPU seconds says what is left of
it where nothing runs beside anything else.

**Index.** 200 releases of 30 wheels of a few hundred bytes each, base wheels with labels and wheels of classifiers, are
published at once in an empty folder, with a front page; then one release more is added, again and again. Medians.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import machine

from variantkit import variants
from variantkit.build import Builder
from variantkit.environments import BuildEnvironment
from variantkit.index import Repository
from variantkit.interpreters import choose_interpreters
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.progress import Progress
from variantkit.wheel import Entry, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.interpreters import Interpreter

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {
    "from_nothing_s": 720.0,
    "again_s": 20.0,
    "one_kernel_file_s": 120.0,
    "ratio_to_separate": 0.35,
    "index_all_releases_s": 10.0,
    "index_one_more_s": 1.0,
}
TIME = (2026, 11, 24, 0, 0, 0)
PLATFORM = "manylinux_2_27_x86_64.manylinux_2_28_x86_64"


def main() -> int:
    """Measure, print, write the result; status 1 when something is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one Python, two classifiers, 20 releases: to see that it works; nothing is written",
    )
    parser.add_argument(
        "--only", choices=("release", "separate", "index"), help="measure one of them; nothing is written"
    )
    options = parser.parse_args()
    os.environ["CCACHE_DISABLE"] = "1"
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="release-benchmark-") as folder:
        if options.only in {None, "release"}:
            rows |= measure_release(Path(folder), quick=options.quick)
        if options.only in {None, "separate"}:
            rows |= measure_separate(Path(folder), quick=options.quick)
        if options.only in {None, "index"}:
            rows |= measure_index(Path(folder), releases=20 if options.quick else 200)
    limits = {} if options.quick else LIMITS
    for name, value in rows.items():
        limit = f"   limit {limits[name]:g}" if name in limits else ""
        print(f"{name:<28} {value:10.2f}{limit}" if isinstance(value, float) else f"{name:<28} {value:>10}")
    if not options.quick and options.only is None:
        result = {"machine": {**machine.describe(), "compiler": compiler()}, "limits": LIMITS, "rows": rows}
        print(f"written to {os.path.relpath(machine.save('release', result))}")
    return int(any(rows[name] > limit for name, limit in limits.items() if name in rows))


def measure_release(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Time a whole release: from nothing, with nothing changed, with one line of a kernel changed."""
    interpreters = choose_interpreters(ROOT)[: 1 if quick else None]
    os.environ["UV_CACHE_DIR"] = str(folder / "uv-cache")
    tree = clone(folder, "release")
    with timed() as environments:
        build_environments(folder / "downloads", tree, interpreters)
    chosen = ["--classifiers", "avx2"] if quick else []
    command = [sys.executable, "-m", "tools.release", *chosen, "--python", ",".join(abis(interpreters))]

    def run(*more: str) -> float:
        with timed() as seconds:
            subprocess.run([*command, *more], cwd=tree, check=True, stdout=subprocess.DEVNULL)
        return seconds[0]

    found: dict[str, Any] = {"environments_from_pypi_s": environments[0], "from_nothing_s": run()}
    found["again_s"] = statistics.median(run() for _ in range(3))
    kernel, changed = tree / "native" / "kernels" / "elementwise" / "unary.cpp", []
    block = "constexpr std::int64_t kFloatBlock = {};"
    for before, after in ((512, 256), (256, 384), (384, 128))[: 1 if quick else None]:
        text = kernel.read_text(encoding="utf-8")
        assert block.format(before) in text
        kernel.write_text(text.replace(block.format(before), block.format(after), 1), encoding="utf-8")
        changed.append(run("--replace"))
    return {**found, "one_kernel_file_s": statistics.median(changed)}


def measure_separate(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Time the compilations of a release, and one for each classifier and each Python; they take turns."""
    interpreters = choose_interpreters(ROOT)[: 1 if quick else None]
    base = read_matrix(ROOT).project.base
    names = [row.name for row in read_matrix(ROOT).published("linux-x86_64")][: 2 if quick else None]
    ours = clone(folder, "ours")
    environments = build_environments(folder / "environments", ours, interpreters)
    mine: list[Cost] = []
    separate: list[Cost] = []

    def release() -> None:
        out = folder / f"ours-{len(mine)}"
        shutil.copytree(folder / "environments", out / "work" / "envs", symlinks=True)
        progress = Progress(len(names) + len(interpreters) + 1)
        builder = Builder(root=ours, out=out / "dist", work=out / "work", progress=progress)
        with cost(mine):
            builder.build(names, interpreters)

    release()
    trees = [(name, tag, python) for name in names for tag, python in environments.items()]
    for name, tag, python in trees:
        tree = folder / f"separate-{name}"
        if not tree.exists():
            clone(folder, tree.name)
            # The base wheel of this tree is one of that classifier.
            generated = tree / "native" / "classifiers.cmake"
            text = generated.read_text(encoding="utf-8")
            assert f'VARIANTKIT_BASE "{base}"' in text
            text = text.replace(f'VARIANTKIT_BASE "{base}"', f'VARIANTKIT_BASE "{name}"')
            generated.write_text(text, encoding="utf-8")
        words = [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "separate-out", tree]
        command = [*map(str, words), f"-Cbuild-dir={folder / 'trees' / f'{name}-{tag}'}"]
        with cost(separate):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"separately {name} for {tag}: {separate[-1].seconds:.1f} s", file=sys.stderr, flush=True)
        if len(separate) == len(trees) // 2:
            release()
    release()
    seconds, cpu = (statistics.median(each) for each in zip(*mine, strict=True))
    all_seconds, all_cpu = (sum(each) for each in zip(*separate, strict=True))
    return {
        "classifiers": len(names),
        "abis": len(interpreters),
        "compilations_s": seconds,
        "separate_s": all_seconds,
        "ratio_to_separate": seconds / all_seconds,
        "cpu_ratio_to_separate": cpu / all_cpu,
    }


def measure_index(folder: Path, *, releases: int, runs: int = 3, more: int = 5) -> dict[str, Any]:
    """Time the publication of many releases at once, and of one more."""
    matrix = read_matrix(ROOT)
    document = variants.describe(matrix)
    wheels = [
        synthetic_release(folder / "wheels" / str(number), f"{number // 10}.{number % 10}.0", document)
        for number in range(releases + more)
    ]
    every, one = [], []
    for run in range(runs):
        # Each in a folder of its own, and none is removed before the end: ext4 makes files more slowly after many were.
        repository = Repository(folder / f"index-{run}")
        with timed() as seconds:
            repository.publish(wheels[:releases], matrix=matrix)
        every.append(seconds[0])
        for release in wheels[releases:]:
            with timed() as seconds:
                repository.publish([release], matrix=matrix)
            one.append(seconds[0])
    return {
        "index_releases": releases,
        "index_wheels": sum(len(list(release.iterdir())) for release in wheels[:releases]),
        "index_all_releases_s": statistics.median(every),
        "index_one_more_s": statistics.median(one),
    }


def synthetic_release(folder: Path, version: str, document: dict[str, Any]) -> Path:
    """Make a release of 30 wheels of the size of their metadata, and return its folder."""
    labels = list(document["variants"])
    made = [(f"ndkernels_{label}", "py3-none", "") for label in labels if label != variants.NULL]
    for minor in range(10, 100):
        made += [("ndkernels", f"cp3{minor}-cp3{minor}", label) for label in ("", *labels)]
    for name, python, label in made[:30]:
        info = f"{name}-{version}.dist-info"
        texts = {
            f"{name}/__init__.py": f'"""{version} {python} {label}"""\n',
            f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nRequires-Python: >=3.10\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: benchmark\nTag: {python}-linux_x86_64\n",
        }
        if label:
            texts[f"{info}/variant.json"] = variants.dumps(variants.for_label(document, label))
        path = folder / ("-".join(filter(None, (name, version, python, PLATFORM, label))) + ".whl")
        write_wheel(path, {key: Entry(data=text.encode()) for key, text in texts.items()}, info, TIME)
    return folder


def clone(folder: Path, name: str) -> Path:
    """Return a fresh clone of what is committed."""
    target = folder / name
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
    return target


def build_environments(folder: Path, tree: Path, interpreters: list[Interpreter]) -> dict[str, Path]:
    """Make the build environments of a project and return their Pythons."""
    requires = read_pyproject(tree)["build-system"]["requires"]
    tool = Builder(root=tree, out=folder, progress=Progress(0)).tool(interpreters)
    found = {}
    for interpreter in interpreters:
        environment = BuildEnvironment(
            folder / interpreter.tag, interpreter.executable, requires, classifiers=interpreter == tool
        )
        environment.ensure()
        found[interpreter.tag] = environment.python
    return found


def abis(interpreters: list[Interpreter]) -> list[str]:
    """Return what `--python` calls the interpreters: the first that has the stable ABI stands for it."""
    api = read_pyproject(ROOT)["tool"]["scikit-build"]["wheel"]["py-api"]
    stable = (int(api[2]), int(api[3:]))
    return [f"{api}-abi3" if each.version >= stable and not each.free_threaded else each.tag for each in interpreters]


def compiler() -> str:
    """Return what the C++ compiler says it is."""
    command = [os.environ.get("CXX") or "c++", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


class Cost(NamedTuple):
    """What something took: time, and time of all CPUs together."""

    seconds: float
    cpu: float


@contextlib.contextmanager
def cost(costs: list[Cost]) -> Iterator[None]:
    """Add what the block and the processes that it has started took."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    yield
    costs.append(Cost(time.perf_counter() - start, sum(os.times()[:4]) - before))


@contextlib.contextmanager
def timed() -> Iterator[list[float]]:
    """Give a list that has the seconds which the block took, when it has ended."""
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
