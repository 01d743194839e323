"""Fixtures: the wheels of this tree, built once, and fresh environments to install them into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments import Environment, build_project, clean_environ

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of this tree, and no older ones; building them again costs a second where nothing has changed."""
    command = [sys.executable, "-m", "tools.build", "--werror", "--out", str(ROOT / "build" / "dist")]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    folder = tmp_path_factory.mktemp("wheelhouse")
    for name in built:
        shutil.copy2(ROOT / name, folder)
    return folder


@pytest.fixture(scope="session")
def index(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a package index with the wheels of this tree, and nothing else."""
    from variantkit.index import write_index

    return write_index(wheelhouse.glob("*.whl"), tmp_path_factory.mktemp("index") / "published").as_uri()


@pytest.fixture(scope="session")
def kernel_library(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the path of the kernel library of a classifier, taken from its wheel."""
    folder = tmp_path_factory.mktemp("kernels")

    def library(classifier: str) -> Path:
        name = f"libndkernels_{classifier.replace('-', '_')}.so"
        target = folder / name
        if not target.exists():
            for wheel in sorted(wheelhouse.glob("ndkernels*.whl")):
                with zipfile.ZipFile(wheel) as archive:
                    for member in archive.namelist():
                        if member.endswith(f"/{name}"):
                            target.write_bytes(archive.read(member))
                            target.chmod(0o755)
        assert target.exists(), f"no wheel in {wheelhouse} holds {name}"
        return target

    return library


@pytest.fixture(scope="session")
def prepared_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip, NumPy and py-cpuinfo from PyPI, to be copied and never used itself."""
    folder = tmp_path_factory.mktemp("prepared") / "env"
    environment = Environment.create(folder)
    environment.uv_install("numpy", "py-cpuinfo", "tomli")
    return folder


@pytest.fixture
def fresh_environment(prepared_environment: Path, tmp_path: Path) -> Environment:
    """A fresh virtual environment with pip and NumPy, and nothing of this tree."""
    return Environment.copy(prepared_environment, tmp_path / "env")


@pytest.fixture(scope="session")
def installed_all(prepared_environment: Path, index: str, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the base wheel and every classifier wheel, installed by pip; tests must not change it."""
    environment = Environment.copy(prepared_environment, tmp_path_factory.mktemp("all") / "env")
    environment.pip("install", "--index-url", index, "ndkernels[all]")
    return environment


@pytest.fixture
def environment_of_all(installed_all: Environment, tmp_path: Path) -> Environment:
    """A copy of `installed_all` that a test may damage."""
    return Environment.copy(installed_all.folder, tmp_path / "env")


@pytest.fixture(scope="session")
def built_saxpy(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second customer's project, built as its maintainers would; tests must not change it."""
    project = tmp_path_factory.mktemp("saxpy") / "saxpy"
    shutil.copytree(ROOT / "tests" / "projects" / "saxpy", project, ignore=shutil.ignore_patterns("build", "dist"))
    result = build_project(project, wheelhouse)
    assert result.returncode == 0, result.stderr
    return project


@pytest.fixture
def saxpy(built_saxpy: Path, tmp_path: Path) -> Path:
    """A copy of the second customer's project with its build environment and nothing built."""
    project = tmp_path / "saxpy"
    built = shutil.ignore_patterns("dist", "cmake", "stamps", "projects", "logs", "base", "stage", "wheels")
    shutil.copytree(
        built_saxpy,
        project,
        symlinks=True,
        ignore=lambda folder, names: (
            built(folder, names) if Path(folder) in {built_saxpy, built_saxpy / "build"} else set()
        ),
    )
    return project


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the caller's settings out of the tests."""
    for name in os.environ.keys() - clean_environ().keys():
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def compiler() -> str:
    """The C compiler, for tests that make a library of their own."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert found, "the tests need the C compiler that the wheels were built with"
    return found
