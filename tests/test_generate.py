"""What is written from classifiers.toml: it has not drifted, and it says what the matrix says."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from variantkit import generate
from variantkit.errors import MatrixError
from variantkit.matrix import Matrix, read_matrix
from variantkit.report import locate


@pytest.fixture(scope="module")
def matrix(root: Path) -> Matrix:
    return read_matrix(root)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of the project, as far as generating needs it."""
    (tmp_path / "docs").mkdir()
    for name in ("classifiers.toml", "pyproject.toml", "docs/installing.md"):
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


def test_nothing_that_is_generated_has_drifted(root: Path) -> None:
    assert generate.drift(root) == [], "run: python -m tools.matrix --write"


def test_drift_is_seen_and_mended(copy: Path) -> None:
    generate.write(copy)
    assert generate.drift(copy) == []
    classifiers = copy / "classifiers.toml"
    classifiers.write_text(classifiers.read_text().replace("-mtune=haswell", "-mtune=znver3"))
    assert {path.name for path in generate.drift(copy)} == {"classifiers.cmake", "classifiers.md"}
    assert {path.name for path in generate.write(copy)} == {"classifiers.cmake", "classifiers.md"}
    assert generate.drift(copy) == []
    assert generate.write(copy) == []


def test_a_new_version_reaches_all_that_names_it(copy: Path) -> None:
    generate.write(copy)
    pyproject = copy / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.1.0"', 'version = "0.2.0"', 1))
    written = {path.name for path in generate.write(copy)}
    assert written == {"classifiers.cmake", "_catalogue.py", "pyproject.toml", "installing.md"}
    assert "ndkernels-avx2==0.2.0" in pyproject.read_text()


def test_pyproject_without_markers(copy: Path) -> None:
    pyproject = copy / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("# end generated: extras", ""))
    with pytest.raises(MatrixError, match="Add these two lines"):
        generate.render(copy)


def test_the_catalogue_is_the_matrix(root: Path, matrix: Matrix) -> None:
    catalogue = locate("none", str(root / matrix.generate.catalogue)).catalogue
    assert catalogue.names == tuple(row.name for row in matrix.rows)
    for row, entry in zip(matrix.rows, catalogue.classifiers, strict=True):
        assert (entry.rank, entry.device, entry.platforms, entry.level) == (
            row.rank,
            row.device,
            row.platforms,
            row.level,
        )
        assert entry.features == frozenset(row.features)
    assert (catalogue.distribution, catalogue.base, catalogue.prefix) == ("ndkernels", "generic", "NDKERNELS")


def test_cmake_has_the_flags_of_every_row(root: Path, matrix: Matrix) -> None:
    text = (root / matrix.generate.cmake).read_text()
    for row in matrix.rows:
        found = re.search(rf"set\(VARIANTKIT_{row.name}_COMPILE_FLAGS_GNU (.*)\)", text)
        assert found is not None
        assert tuple(found[1].split()) == tuple(f'"{flag}"' for flag in row.compile_flags["gcc"])


def test_there_is_a_preset_per_row(root: Path, matrix: Matrix) -> None:
    presets = json.loads((root / matrix.generate.presets).read_text())["configurePresets"]
    assert [preset["cacheVariables"]["VARIANTKIT_WHEEL"] for preset in presets] == [row.name for row in matrix.rows]


def test_variables_of_the_project_are_in_the_page_and_in_the_catalogue(copy: Path) -> None:
    path = copy / "classifiers.toml"
    mine = '[[variable]]\nname = "NDKERNELS_COLOUR"\nvalues = ["red"]\ndoc = "Its \\\\colour: → 🎨."\n\n'
    path.write_text(path.read_text().replace("[[variable]]", f"{mine}[[variable]]", 1))
    matrix = read_matrix(copy)
    namespace: dict[str, Any] = {}
    exec(generate.catalogue(matrix, "1.0"), namespace)
    colour, *others = namespace["CATALOGUE"].variables
    assert (colour.name, colour.default, colour.values, colour.doc) == (
        "NDKERNELS_COLOUR", "", ("red",), "Its \\colour: → 🎨.",
    )  # fmt: skip
    assert [each.name for each in others] == [each.name for each in matrix.variable[1:]]
    page = generate.render(copy)[copy / matrix.generate.environment]
    assert "| `NDKERNELS_COLOUR` | none | `red` | Its \\colour: → 🎨. |" in page
    matrix = dataclasses.replace(matrix, variable=())
    assert "variable" not in generate.catalogue(matrix, "1.0").lower()


def test_an_extra_asks_for_nothing_where_its_classifier_is_not_published(matrix: Matrix) -> None:
    from packaging.requirements import Requirement

    (text,) = generate.extras(matrix, "1.0")["avx2"]
    marker = Requirement(text).marker
    assert marker is not None
    assert marker.evaluate({"sys_platform": "linux", "platform_machine": "x86_64"})
    assert not marker.evaluate({"sys_platform": "linux", "platform_machine": "aarch64"})
    assert not marker.evaluate({"sys_platform": "win32", "platform_machine": "AMD64"})


def test_all_is_every_cpu_classifier_but_the_base_and_those_on_request(matrix: Matrix) -> None:
    extras = generate.extras(matrix, "1.0")
    assert list(extras) == ["onednn", "avx2", "onednn-avx2", "avx512", "onednn-avx512", "all"]
    assert extras["all"] == extras["avx2"] + extras["avx512"]


def test_flags_keep_their_blanks_and_dollars_in_cmake(copy: Path) -> None:
    classifiers = copy / "classifiers.toml"
    text = classifiers.read_text().replace('"-Wl,-z,x86-64-v3"', "'-Wl,-rpath,$ORIGIN/../a b\"c'", 1)
    classifiers.write_text(text)
    generate.write(copy)
    assert r'"-Wl,-rpath,\$ORIGIN/../a b\"c"' in (copy / "native" / "classifiers.cmake").read_text()
