"""A tiny project of another name, built and loaded through variantkit as its own maintainers would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from environments import Environment
from variantkit import generate
from variantkit.index import write_index

pytestmark = pytest.mark.wheels

SHOW = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import saxpy
print(json.dumps({"loaded": saxpy.LOADED.classifier, "compiled": saxpy.compiled_for(), "y": saxpy.saxpy(2, [1, 2, 3], [10, 20, 30]),
                  "warnings": [str(w.message) for w in caught]}))
"""


@pytest.fixture(scope="module")
def project(root: Path) -> Path:
    return root / "tests" / "projects" / "saxpy"


@pytest.fixture(scope="module")
def wheels(built_saxpy: Path) -> list[Path]:
    return sorted((built_saxpy / "dist").glob("*.whl"))


def test_its_generated_files_have_not_drifted(project: Path) -> None:
    assert generate.drift(project) == []


def test_its_wheels_are_built(wheels: list[Path]) -> None:
    assert [wheel.name for wheel in wheels] == [
        "saxpy-1.2.3-py3-none-linux_x86_64.whl",
        "saxpy_fast_v2-1.2.3-py3-none-linux_x86_64.whl",
    ]


def test_it_is_installed_and_loads_its_best(
    wheels: list[Path], wheelhouse: Path, fresh_environment: Environment, tmp_path: Path
) -> None:
    simple = write_index([*wheels, *wheelhouse.glob("variantkit-*.whl")], tmp_path / "index").as_uri()
    fresh_environment.pip("install", "--index-url", simple, "saxpy")
    base = fresh_environment.json(SHOW)
    assert (base["loaded"], base["compiled"], base["y"]) == ("sse2", "sse2", [12, 24, 36])
    (warning,) = base["warnings"]
    assert '-m pip install "saxpy[fast-v2]"' in warning
    assert "SAXPY_WARN=0" in warning
    assert os.sep not in warning.partition("pip install")[2]

    fresh_environment.pip("install", "--index-url", simple, "saxpy[all]")
    best = fresh_environment.json(SHOW)
    assert (best["loaded"], best["compiled"], best["y"]) == ("fast-v2", "fast-v2", [12, 24, 36])
    assert best["warnings"] == []
    report = fresh_environment.run("-m", "variantkit", "detect")
    assert "loaded       fast-v2 from" in report.stdout
    # The machine that runs this may be busy; no more is left out.
    doctor = fresh_environment.run("-m", "variantkit", "doctor", "saxpy", "--ignore", "busy,fewer-cpus,source-missing")
    assert doctor.stdout.endswith("\nhealthy\n")
    for name in ("sse2", "fast-v2"):
        assert f"self-test    {name:<12} passed (2 checks, " in doctor.stdout
