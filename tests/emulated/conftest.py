"""An environment for each set of classifiers, and every emulated machine with each of them, asked once."""

from __future__ import annotations

import itertools
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulation import MACHINES, SUBSETS, Emulator
from environments import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulation import Run

INSIDE = Path(__file__).resolve().parent / "inside.py"


@pytest.fixture(scope="session")
def inside() -> Path:
    """The script that asks everything, and prints JSON."""
    return INSIDE


@pytest.fixture(scope="session")
def emulator() -> Emulator:
    """The emulator; missing or too old is a failure, since nothing else can say what these tests say."""
    path = shutil.which("qemu-x86_64")
    assert path, "qemu-x86_64 is missing; on Debian and Ubuntu: apt install qemu-user"
    # Otherwise its kernel's list, which is that of this machine, would forbid what the emulated CPU can do.
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    assert "avx2" in flags, "these tests need a machine with AVX2: QEMU's user mode shows the real /proc/cpuinfo"
    return Emulator(path)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the last NumPy that runs on every x86-64 CPU, which is what the README says to take there."""
    environment = Environment.create(tmp_path_factory.mktemp("prepared") / "env")
    environment.uv_install("numpy<2.4", "py-cpuinfo", "tomli")
    return environment


@pytest.fixture(scope="session")
def environment_with(
    prepared: Environment, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """Give the environment with the base wheel and these classifier wheels; tests must not change it."""
    made: dict[tuple[str, ...], Environment] = {}

    def make(*classifiers: str) -> Environment:
        if classifiers not in made:
            environment = Environment.copy(prepared.folder, tmp_path_factory.mktemp("subset") / "env")
            wheels = ["ndkernels", "variantkit", *(f"ndkernels-{name}" for name in classifiers)]
            environment.uv_install("--no-index", "--no-deps", "--find-links", str(wheelhouse), *wheels)
            environment.script("import ndkernels")  # writes the byte code, which is slow in there
            made[classifiers] = environment
        return made[classifiers]

    return make


@pytest.fixture(scope="session")
def runs(emulator: Emulator, environment_with: Callable[..., Environment]) -> dict[tuple[str, tuple[str, ...]], Run]:
    """Every machine with every set of installed classifiers, asked everything once."""
    environments = {subset: environment_with(*subset) for subset in SUBSETS}

    def one(case: tuple[str, tuple[str, ...]]) -> Run:
        machine, subset = case
        return emulator.python(machine, environments[subset], INSIDE, NDKERNELS_LOG="info")

    cases = list(itertools.product(MACHINES, SUBSETS))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(cases, pool.map(one, cases), strict=True))
