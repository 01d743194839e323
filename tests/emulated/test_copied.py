"""An environment that was used on this machine, and is then used on a weaker one: it falls back, and says so."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from emulation import BASE, CLASSIFIERS, MACHINES, Emulator
from environments import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHOW = """
import json, logging, warnings
logging.basicConfig(level=logging.INFO)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels, numpy
ones = numpy.ones((9, 9), "f4")
print(json.dumps({"classifier": ndkernels.show_config("dicts")["classifier"],
                  "sum": float(ndkernels.sum(ndkernels.matmul(ones, ones))),
                  "warnings": [str(warning.message) for warning in caught]}))
"""


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, with its content's hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("machine", [name for name, runnable in MACHINES.items() if not runnable])
def test_an_install_that_was_used_natively_falls_back_on_a_weaker_machine(
    machine: str, emulator: Emulator, environment_with: Callable[..., Environment], tmp_path: Path
) -> None:
    environment = Environment.copy(environment_with(*CLASSIFIERS).folder, tmp_path / "env")
    home = tmp_path / "home"
    home.mkdir()
    settings = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(home)}
    native = environment.json(SHOW, **settings)
    assert native["classifier"] in CLASSIFIERS
    before = files(environment.folder)

    weaker = emulator.python(machine, environment, "-c", SHOW, **settings)
    assert weaker.answer == {"classifier": BASE, "sum": 729.0, "warnings": []}
    (line,) = [line for line in weaker.errors.splitlines() if line.startswith("INFO:ndkernels:")]
    assert f"{BASE} is the best classifier that this machine can run. Installed, but not for this machine: " in line
    for name in CLASSIFIERS:
        assert name in line.partition("Installed, but not for this machine: ")[2]

    # Nothing was written that could make the next process choose otherwise, on this machine or on that one.
    assert files(environment.folder) == before
    assert list(home.iterdir()) == []
    assert environment.json(SHOW, **settings) == native
