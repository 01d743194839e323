"""Pages as a repository would have them, for tests of the selector page."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from variantkit.matrix import Matrix, read_matrix
from variantkit.selector import Entry, Page, Release

__all__ = ["HOSTILE", "TOOLS_OF", "hostile", "many", "realistic", "several_platforms", "withdrawn"]

ROOT = Path(__file__).resolve().parents[2]

_ABIS = ("cp310", "cp311", "cp312-abi3", "cp313t", "cp314t")
_SIZES = {"generic": 412_000, "avx2": 214_000, "avx512": 1_263_000}

_PROJECTS = {"uv", "poetry", "pdm", "hatch", "pixi"}
_EXACT = {"conda", "docker", "requirements"}

TOOLS_OF = {
    "0.2.0": {"pip", "uv-variants"} | _PROJECTS | _EXACT,
    "0.1.0": _PROJECTS | _EXACT,  # the other two would get 0.2.0
    "0.2.1.dev2026112401": {"pip", "uv-variants"} | _PROJECTS | _EXACT,
}
"""The tools that can get each release of `realistic`."""

HOSTILE = """</script><script>document.title="taken"</script><!--<script>"'&amp;<img src=x onerror=document.title=1>"""
"""What a wheel or a matrix may try."""


def realistic() -> Page:
    """The classifiers of this project in two releases, the older one with fewer of them, and a snapshot."""
    return Page(
        distribution="ndkernels",
        summary="Fast n-d array kernels that load the best binary your machine can run",
        releases=(
            Release(version="0.2.1.dev2026112401", snapshot=True, classifiers=_entries(1.01), abis=_ABIS),
            Release(version="0.2.0", classifiers=_entries(1.0), abis=_ABIS),
            Release(version="0.1.0", classifiers=_entries(0.9)[:2], abis=_ABIS[:3]),
        ),
        companions=("variantkit",),
        others=("variantkit",),
    )


def several_platforms() -> Page:
    """A release for three systems; what there is differs from one to the other."""
    base = Entry(
        name="base",
        summary="every machine",
        platforms=("linux-x86_64", "linux-aarch64", "macos-arm64", "windows-x86_64"),
        base=True,
        sizes={"linux-x86_64": 900_000, "linux-aarch64": 800_000, "macos-arm64": 700_000, "windows-x86_64": 600_000},
    )
    fast = Entry(
        name="avx2",
        summary="most PCs",
        rank=10,
        level="x86-64-v3",
        platforms=("linux-x86_64", "windows-x86_64"),
        features=("avx", "avx2", "fma"),
        sizes={"linux-x86_64": 400_000, "windows-x86_64": 500_000},
        label="avx2",
    )
    gpu = Entry(
        name="cuda-13",
        summary="NVIDIA GPUs",
        device="cuda",
        rank=10,
        platforms=("linux-x86_64",),
        sizes={"linux-x86_64": 2_400_000_000},
    )
    release = Release(version="1.0", classifiers=(gpu, fast, base), abis=("cp312-abi3",))
    older = Release(version="0.9", classifiers=(dataclasses.replace(base, platforms=("linux-x86_64",)),))
    return Page(distribution="saxpy", releases=(release, older))


def withdrawn() -> Page:
    """A page whose newest release was withdrawn, for a reason."""
    page = realistic()
    final = dataclasses.replace(page.releases[1], version="0.3.0", yanked="wrong results on <old> CPUs")
    return dataclasses.replace(page, releases=(final, *page.releases))


def many(count: int = 200) -> Page:
    """A page with as many releases as a project has after years."""
    page = realistic()
    releases = tuple(
        dataclasses.replace(page.releases[1], version=f"0.{minor}.0", classifiers=_entries(1 + minor / 1000))
        for minor in range(count, 0, -1)
    )
    return dataclasses.replace(page, releases=releases)


def hostile() -> Page:
    """A page where everything that is free text tries to leave its place."""
    page = realistic()
    releases = tuple(
        dataclasses.replace(
            release,
            yanked=HOSTILE if release.version == "0.1.0" else None,
            classifiers=tuple(
                dataclasses.replace(entry, summary=HOSTILE, level=HOSTILE) for entry in release.classifiers
            ),
        )
        for release in page.releases
    )
    return dataclasses.replace(page, summary=HOSTILE, releases=releases, others=(HOSTILE,))


@functools.cache
def _matrix() -> Matrix:
    return read_matrix(ROOT)


def _entries(scale: float) -> tuple[Entry, ...]:
    matrix = _matrix()
    return tuple(
        Entry(
            name=row.name,
            summary=row.summary,
            device=row.device,
            level=row.level,
            rank=row.rank,
            platforms=row.platforms,
            features=row.features,
            base=row.name == matrix.project.base,
            label=None if row.name == matrix.project.base else row.label,
            sizes={"linux-x86_64": round(_SIZES[row.name] * scale)},
        )
        for row in matrix.rows
        if not row.on_request
    )
