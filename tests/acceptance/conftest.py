"""Fixtures: a real release of this tree and the snapshot after it, served from an index, and real installers."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tools  # noqa: F401 -- from here on, variantkit can be imported from this tree
from environments import Environment
from index_server import IndexServer, serve_index
from machines import Machine, Uv
from releases import Release, tool

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def run_tool(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one of this checkout's commands: `run_tool("tools.index", …)`."""
    return lambda *words, check=True: tool(root, *map(str, words), check=check)


@pytest.fixture(scope="session")
def release(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of this tree, whole: every classifier, and a base wheel for every Python that is found here."""
    folder = tmp_path_factory.mktemp("release")
    tool(root, "tools.release", "--out", str(folder / "index"))
    return _newest(folder)


@pytest.fixture(scope="session")
def next_release(root: Path, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The snapshot that is released after it, in an index that has both; compiled anew, since a library says its version."""
    folder = tmp_path_factory.mktemp("next-release")
    tool(root, "tools.index", "--out", str(folder / "index"), str(release.dist))
    tool(root, "tools.release", "--snapshot", "--python", release.python, "--out", str(folder / "index"))
    return _newest(folder)


def _newest(folder: Path) -> Release:
    """Collect the newest release of an index in a folder, as it lay in the build folder, where the next takes its place."""
    index, dist = folder / "index", folder / "dist"
    page = json.loads((index / "simple" / "ndkernels" / "index.json").read_text(encoding="utf-8"))
    version = page["versions"][-1]
    dist.mkdir()
    for path in index.glob("files/*/*/*"):
        if f"-{version}" in path.name and path.suffix in {".whl", ".gz", ".json"}:
            shutil.copy2(path, dist)
    return Release(version=version, dist=dist, index=index)


@pytest.fixture(params=["html", "json"])
def served(request: pytest.FixtureRequest, release: Release) -> Iterator[IndexServer]:
    """The index of the release behind a web server that has HTML only, and behind one that answers with JSON."""
    with serve_index(release.index, negotiate=request.param == "json") as server:
        yield server


@pytest.fixture
def served_html(release: Release) -> Iterator[IndexServer]:
    """The index of the release behind a web server that knows nothing of indexes."""
    with serve_index(release.index) as server:
        yield server


@pytest.fixture
def served_both(next_release: Release) -> Iterator[IndexServer]:
    """The index that has the release and the snapshot after it."""
    with serve_index(next_release.index, negotiate=True) as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Callable[..., IndexServer]]:
    """Serve folders of the test's own: `serve(folder)`."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, **options: stack.enter_context(serve_index(folder, **options))


@pytest.fixture(scope="session")
def uv_here(tmp_path_factory: pytest.TempPathFactory) -> Uv:
    """This machine's uv, with one cache for the whole run."""
    return Uv(cache=tmp_path_factory.mktemp("uv") / "cache")


@pytest.fixture(scope="session")
def uv_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Uv]:
    """The uv of a machine of another level: `uv_on("x86-64-v3")`; a cache each, as different machines have."""
    known: dict[str, Uv] = {}

    def of(level: str) -> Uv:
        if level not in known:
            folder = tmp_path_factory.mktemp(f"uv-{level}")
            known[level] = Uv(cache=folder / "cache", machine=Machine.of_level(level, folder))
        return known[level]

    return of


@pytest.fixture
def copies(prepared_environment: Path, tmp_path: Path) -> Callable[[str], Environment]:
    """More than one fresh environment: `copies("other")`."""
    return lambda name: Environment.copy(prepared_environment, tmp_path / name)
