"""Each base wheel on the interpreters it is for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from environments import Environment, uv
from variantkit.interpreters import Interpreter, choose_interpreters, find_interpreters

pytestmark = pytest.mark.wheels

INTERPRETERS = [each for each in find_interpreters() if each.version >= (3, 10) and not each.free_threaded]

SMOKE = """
import sys
import numpy as np
import ndkernels as nk
a, b = np.arange(12, dtype="f4").reshape(3, 4), np.ones((4, 5), "f4")
assert (nk.matmul(a, b) == a @ b).all()
assert (nk.add(a, a) == a + a).all()
assert float(nk.sum(a)) == 66
print(nk.show_config("dicts")["classifier"], sys.version_info[:2])
"""


@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda each: each.tag)
def test_the_base_wheel_that_pip_takes_works(interpreter: Interpreter, index: str, tmp_path: Path) -> None:
    folder = tmp_path / "env"
    subprocess.run(
        [uv(), "venv", "--quiet", "--seed", "--python", str(interpreter.executable), str(folder)], check=True
    )
    environment = Environment(folder)
    environment.uv_install("numpy", "py-cpuinfo", "tomli")
    environment.pip("install", "--index-url", index, "ndkernels[all]")
    result = environment.script(SMOKE)
    assert str(interpreter.version) in result.stdout
    assert result.stderr == ""


def test_there_is_a_base_wheel_for_every_abi(wheelhouse: Path, root: Path) -> None:
    built = {
        wheel.name.split("-", 2)[2].removesuffix("-linux_x86_64.whl") for wheel in wheelhouse.glob("ndkernels-*.whl")
    }
    wanted = {"cp310-cp310", "cp311-cp311", "cp312-abi3"}
    versions = {each.version for each in choose_interpreters(root)}
    have = {(3, 12) if version >= (3, 12) else version for version in versions}  # noqa: FURB136 -- tuples, not numbers
    if os.environ.get("CI"):
        assert have >= {(3, 10), (3, 11), (3, 12)}, (
            "continuous integration needs Python 3.10, 3.11 and 3.12 with headers"
        )
    possible = {tag for tag in wanted if (int(tag[2]), int(tag[3:5])) in have}
    assert built >= possible
    assert built <= wanted | {"cp313-cp313t", "cp314-cp314t"}
