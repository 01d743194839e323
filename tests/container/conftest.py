"""Fixtures: the image, made here, and the wheels that cibuildwheel builds in it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tools  # noqa: F401 -- so that `variantkit` is that of this tree
from containers import Built, build_command
from environments import clean_environ


@pytest.fixture(scope="session")
def container(root: Path) -> dict[str, str]:
    """The environment in which cibuildwheel takes the image of this tree; it is made where it is not there yet."""
    command = [sys.executable, "-m", "ci.container.image"]
    made = subprocess.run(command, cwd=root, env=clean_environ(), stdout=subprocess.PIPE, text=True, check=False)
    assert made.returncode == 0, "the image could not be made; the reason is above"
    exports = dict(shlex.split(line)[1].split("=", 1) for line in made.stdout.splitlines())
    assert exports.keys() >= {"CIBW_CONTAINER_ENGINE", "CIBW_MANYLINUX_X86_64_IMAGE", "CONTAINERS_STORAGE_CONF"}
    return {**clean_environ(), **exports}


@pytest.fixture(scope="session")
def abis(container: dict[str, str]) -> list[str]:
    """Two base wheels that can be built in the image: for one version of Python, this one if possible, and abi3."""
    command = ["podman", "run", "--rm", container["CIBW_MANYLINUX_X86_64_IMAGE"], "ls", "/opt/python"]
    listing = subprocess.run(command, env=container, capture_output=True, text=True, check=True).stdout
    tags = {line.partition("-")[2] for line in listing.split()}
    old = sorted(tags & {"cp310", "cp311"})
    assert old, f"the image has no Python 3.10 or 3.11, only {sorted(tags)}; install one on this machine"
    assert "cp312" in tags, f"the image has no Python 3.12, only {sorted(tags)}; install it on this machine"
    here = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    return [here if here in old else old[-1], "cp312-abi3"]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheels go; there are no others in it."""
    return tmp_path_factory.mktemp("container") / "dist"


@pytest.fixture(scope="session")
def arguments(wheelhouse: Path, abis: list[str]) -> list[str]:
    """What is built: a classifier with an ISA note, and two base wheels."""
    return ["--classifiers", "avx2,generic", "--python", ",".join(abis), "--out", str(wheelhouse)]


@pytest.fixture(scope="session")
def built(root: Path, container: dict[str, str], abis: list[str], arguments: list[str], wheelhouse: Path) -> Built:
    """The wheels, built in containers now, whatever was built before."""
    for stamp in (root / "build" / "stamps").glob("container-*.json"):
        stamp.unlink()
    result = subprocess.run(
        build_command(*arguments), cwd=root, env=container, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    wheels = {}
    for line in result.stdout.splitlines():
        distribution, _, python, *_ = Path(line).name.split("-")
        wheels[f"{distribution} {python}"] = wheelhouse / Path(line).name
    assert sorted(wheelhouse.iterdir()) == sorted(wheels.values())
    return Built(wheels=wheels, abis=abis, said=result.stderr)


@pytest.fixture(scope="session")
def _small_project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the second customer's project is built; its environment and its downloads are kept between tests."""
    project = tmp_path_factory.mktemp("customer") / "saxpy"
    (project / "build").mkdir(parents=True)
    (project / "build" / "container-cache").symlink_to(root / "build" / "container-cache")
    return project


@pytest.fixture
def small_project(
    _small_project: Path, root: Path, built: Built, container: dict[str, str]
) -> tuple[Path, dict[str, str]]:
    """The second customer's project, never built, and the environment in which it finds variantkit where this tree put it."""
    for made in ("dist", "build/stamps", "build/wheels", "build/logs"):
        shutil.rmtree(_small_project / made, ignore_errors=True)
    ignored = shutil.ignore_patterns("build", "dist")
    shutil.copytree(root / "tests" / "projects" / "saxpy", _small_project, ignore=ignored, dirs_exist_ok=True)
    links = str(built.wheels["variantkit py3"].parent)
    return _small_project, {**container, "UV_FIND_LINKS": links, "PIP_FIND_LINKS": links}
