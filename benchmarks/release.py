"""What a release costs, beside building each classifier for each Python separately, as others do; and what an index costs.

**Release.** `python -m tools.release` in a fresh clone with nothing built: everything (its private build environments are
made, from PyPI or uv's cache), again with nothing changed, and after one line of a kernel was changed.

**Separately.** A wheel that holds the binding and the kernels of one classifier is compiled for each classifier and each
Python ABI, each from nothing in a build tree of its own, with the classifier's flags for all of it. Both ways use the same
compiler, no ccache, the same build environments, made before, and one wheel after the other with ninja on all CPUs; ours
is measured before and after the other, and the mean is taken, so that a slow quarter of an hour hits both. Ours is
`tools.build`'s part: each classifier once, the base wheel once per ABI.

**Index.** 200 releases of 30 wheels of a few hundred bytes, published at once, and then a release more, again and again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machine

from variantkit.build import Builder, choose_interpreters
from variantkit.index import Repository
from variantkit.matrix import read_matrix
from variantkit.progress import Progress
from variantkit.wheel import Entry, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {
    "from_nothing_s": 720.0,
    "again_s": 20.0,
    "one_kernel_file_s": 120.0,
    "ratio_to_separate": 0.35,
    "index_200_releases_s": 10.0,
    "one_release_more_s": 1.0,
}
TIME = (2026, 11, 24, 0, 0, 0)


def main() -> int:
    """Measure, print, write the result; status 1 when something is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="one Python, one classifier, 20 releases; nothing is written"
    )
    parser.add_argument(
        "--only", choices=("release", "separate", "index"), help="measure one of them; nothing is written"
    )
    options = parser.parse_args()
    os.environ["CCACHE_DISABLE"] = "1"
    rows: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="release-benchmark-") as folder:
        if options.only in {None, "release"}:
            rows |= measure_release(Path(folder), quick=options.quick)
        if options.only in {None, "separate"}:
            rows |= measure_separate(Path(folder), quick=options.quick)
        if options.only in {None, "index"}:
            rows |= measure_index(Path(folder), releases=20 if options.quick else 200)
    for name, value in rows.items():
        print(f"{name:<28} {value:8.2f}" + (f"   limit {LIMITS[name]:g}" if name in LIMITS else ""))
    if not options.quick and options.only is None:
        result = {"machine": machine.describe(), "limits": LIMITS, "rows": rows}
        print(f"written to {os.path.relpath(machine.save('release', result))}")
    return int(any(rows[name] > limit for name, limit in LIMITS.items() if name in rows))


def clone(folder: Path, name: str) -> Path:
    """Return a fresh clone of what is committed."""
    target = folder / name
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(target)], check=True)
    return target


def measure_release(folder: Path, *, quick: bool) -> dict[str, float]:
    """Time a whole release: from nothing, with nothing changed, with one kernel file changed."""
    tree = clone(folder, "release")
    words = ["--classifiers", "avx2", "--python", choose_interpreters(ROOT)[0].tag] if quick else []

    def run(*more: str) -> float:
        with timed() as seconds:
            subprocess.run([sys.executable, "-m", "tools.release", *words, *more], cwd=tree, check=True)
        return seconds[0]

    found = {"from_nothing_s": run(), "again_s": run()}
    kernel = tree / "native" / "kernels" / "elementwise.cpp"
    kernel.write_text(kernel.read_text() + "namespace { [[maybe_unused]] constexpr int changed = 1; }\n")
    return {**found, "one_kernel_file_s": run("--replace")}


def measure_separate(folder: Path, *, quick: bool) -> dict[str, float]:
    """Time the compilations of a release, and one of each classifier for each Python."""
    interpreters = choose_interpreters(ROOT)[: 1 if quick else None]
    names = [row.name for row in read_matrix(ROOT).published("linux-x86_64")][-2 if quick else 0 :]
    trees = {name: clone(folder, f"separate-{name}") for name in names}
    for name, tree in trees.items():
        # The base wheel of this tree is one of that classifier: it compiles those kernels, and the binding with their flags.
        generated = tree / "native" / "classifiers.cmake"
        base = read_matrix(ROOT).project.base
        generated.write_text(generated.read_text().replace(f'VARIANTKIT_BASE "{base}"', f'VARIANTKIT_BASE "{name}"'))
    ours = clone(folder, "ours")
    environments = build_environments(ours, interpreters)

    def build_ours(number: int) -> float:
        builder = Builder(root=ours, out=folder / "out", progress=Progress(0), work=folder / f"work-{number}")
        (folder / f"work-{number}").mkdir()
        (folder / f"work-{number}" / "envs").symlink_to(ours / "build" / "envs")
        with timed() as seconds:
            builder.build(list(dict.fromkeys([*names, builder.matrix.project.base])), interpreters)
        return seconds[0]

    before = build_ours(1)
    separate = 0.0
    for name, tree in trees.items():
        for tag, python in environments.items():
            command = [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "separate-out", tree]
            with timed() as seconds:
                subprocess.run(
                    [*command, f"-Cbuild-dir={folder / 'trees' / f'{name}-{tag}'}"], check=True, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )  # fmt: skip
            separate += seconds[0]
            print(f"separate {name} {tag}: {seconds[0]:.1f} s", flush=True)
    mine = (before + build_ours(2)) / 2
    return {
        "classifiers": len(names),
        "abis": len(interpreters),
        "compilations_s": mine,
        "separate_s": separate,
        "ratio_to_separate": mine / separate,
    }


def build_environments(tree: Path, interpreters: list[Any]) -> dict[str, Path]:
    """Make the build environments, which both ways use, and return their Pythons."""
    from variantkit.environments import BuildEnvironment
    from variantkit.matrix import read_pyproject

    requires = read_pyproject(tree)["build-system"]["requires"]
    found = {}
    for interpreter in interpreters:
        environment = BuildEnvironment(tree / "build" / "envs" / interpreter.tag, interpreter.executable, requires)
        environment.ensure()
        found[interpreter.tag] = environment.python
    return found


def measure_index(folder: Path, *, releases: int) -> dict[str, float]:
    """Time the publication of many releases at once, and of one more."""
    wheels = folder / "wheels"
    for number in range(releases + 5):
        for each in range(30):
            name = "demo" if each < 24 else f"demo-extra{each}"
            stem = f"{name.replace('-', '_')}-{number}.0"
            info = f"{stem}.dist-info"
            text = f"Metadata-Version: 2.4\nName: {name}\nVersion: {number}.0\nRequires-Python: >=3.10\n\n"
            entries = {
                f"{info}/METADATA": Entry(data=text.encode()),
                f"{info}/WHEEL": Entry(data=f"Wheel-Version: 1.0\nBuild: {each}\nTag: py3-none-any\n".encode()),
                f"{name.replace('-', '_')}.py": Entry(data=f"number = {number, each}\n".encode()),
            }
            path = wheels / str(number) / f"{stem}-py3-none-manylinux_2_{each + 5}_x86_64.whl"
            write_wheel(path, entries, info, TIME)
    repository = Repository(folder / "index")
    with timed() as seconds:
        repository.publish([wheels / str(number) for number in range(releases)])
    more = []
    for number in range(releases, releases + 5):
        with timed() as each_seconds:
            repository.publish([wheels / str(number)])
        more.append(each_seconds[0])
    return {"releases": releases, "index_200_releases_s": seconds[0], "one_release_more_s": statistics.median(more)}


@contextlib.contextmanager
def timed() -> Iterator[list[float]]:
    """Give a list that has the seconds which the block took, when it has ended."""
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
