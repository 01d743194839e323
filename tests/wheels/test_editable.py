"""An editable install, as contributors of a project make one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from environments import Environment

pytestmark = pytest.mark.wheels

SHOW = """
import json, ndkernels, numpy
config = ndkernels.show_config("dicts")
print(json.dumps([config["classifier"], config["path"], ndkernels.__file__, float(ndkernels.sum(numpy.ones(5)))]))
"""


def test_an_editable_install_loads_the_library_that_lies_elsewhere(
    fresh_environment: Environment, wheelhouse: Path, root: Path, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    for name in ("native", "python", "pyproject.toml", "classifiers.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        checkout.mkdir(exist_ok=True)
        copy(root / name, checkout / name)
    fresh_environment.uv_install("scikit-build-core>=1.1", "nanobind>=3.1", "cmake>=3.26", "ninja")
    fresh_environment.pip("install", "--no-index", "--no-deps", *map(str, wheelhouse.glob("variantkit-*.whl")))
    fresh_environment.pip("install", "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(checkout))

    classifier, library, module, result = fresh_environment.json(SHOW, NDKERNELS_WARN="0")
    assert (classifier, result) == ("generic", 5.0)
    assert Path(module).is_relative_to(checkout)
    assert Path(library).is_relative_to(fresh_environment.site_packages)
    report = fresh_environment.run("-m", "variantkit", "detect", check=False)
    assert "kernel, cpuid, py-cpuinfo" in report.stdout
    assert f"loaded       generic from {library}" in report.stdout
