"""Versions of snapshots, and a source tree with another version."""

from __future__ import annotations

import datetime
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from variantkit import generate
from variantkit.errors import MatrixError
from variantkit.matrix import read_pyproject
from variantkit.source_tree import copy_sources
from variantkit.versions import set_version, snapshot_version

DAY = datetime.date(2026, 11, 24)
releases = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


def test_a_snapshot_is_numbered_by_its_day() -> None:
    assert snapshot_version("0.1.0", DAY, []) == "0.1.1.dev2026112401"
    assert snapshot_version("0.1.0", DAY, ["0.1.0", "0.1.1.dev2026112301"]) == "0.1.1.dev2026112401"
    assert snapshot_version("0.1.0", DAY, ["0.1.1.dev2026112401", "0.1.1.dev2026112402"]) == "0.1.1.dev2026112403"


def test_a_number_that_became_free_is_taken() -> None:
    assert snapshot_version("0.1.0", DAY, ["0.1.1.dev2026112402"]) == "0.1.1.dev2026112401"


def test_a_snapshot_of_another_release_takes_no_number() -> None:
    assert snapshot_version("0.2.0", DAY, ["0.1.1.dev2026112401"]) == "0.2.1.dev2026112401"


@pytest.mark.parametrize(
    ("version", "start"), [("1", "1.0.1"), ("1.2", "1.2.1"), ("1.2.3.4", "1.2.4"), ("1.2.9", "1.2.10")]
)
def test_versions_of_any_length(version: str, start: str) -> None:
    assert snapshot_version(version, DAY, []) == f"{start}.dev2026112401"


def test_ninety_nine_snapshots_a_day_are_enough() -> None:
    taken = [f"0.1.1.dev20261124{number:02}" for number in range(1, 100)]
    assert snapshot_version("0.1.0", DAY, taken[:-1]) == "0.1.1.dev2026112499"
    with pytest.raises(MatrixError, match=r"There are 99 snapshots of 2026-11-24 already\. Publish into another index"):
        snapshot_version("0.1.0", DAY, taken)


@given(releases, st.dates(min_value=datetime.date(1970, 1, 1)), st.integers(0, 5))
def test_a_snapshot_lies_between_two_releases_and_after_those_before(
    version: str, day: datetime.date, before: int
) -> None:
    taken: list[str] = []
    for _ in range(before + 1):
        taken.append(snapshot_version(version, day, taken))
    assert sorted(taken, key=Version) == taken
    tomorrow = snapshot_version(version, day + datetime.timedelta(1), taken) if day < datetime.date.max else None
    for each in taken:
        own = Version(each)
        assert str(own) == each, "it is written as it is normalised"
        assert own.is_devrelease
        # It leads to the next release in the third place.
        assert Version(version) < own or len(Version(version).release) > 3
        assert own < Version(own.base_version)
        assert tomorrow is None or own < Version(tomorrow)


# A tree with another version


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository."""
    folder = tmp_path_factory.mktemp("tree") / "copy"
    copy_sources(root, folder)
    return folder


@pytest.fixture
def saxpy(root: Path, tmp_path: Path) -> Path:
    """A copy of the second customer's project."""
    folder = tmp_path / "saxpy"
    shutil.copytree(root / "tests" / "projects" / "saxpy", folder, ignore=shutil.ignore_patterns("build", "dist"))
    return folder


def without_versions(value: Any, versions: tuple[str, ...]) -> Any:
    """Return a table with its versions left out."""
    if isinstance(value, dict):
        return {key: without_versions(item, versions) for key, item in value.items()}
    if isinstance(value, list):
        return [without_versions(item, versions) for item in value]
    return re.sub("|".join(map(re.escape, versions)), "V", value) if isinstance(value, str) else value


def test_this_tree_as_a_snapshot(tree: Path) -> None:
    old, new = read_pyproject(tree)["project"]["version"], "0.1.1.dev2026112401"
    before = read_pyproject(tree)
    set_version(tree, new, [tree / "python"])
    after, toolchain = read_pyproject(tree), read_pyproject(tree / "python")
    assert (after["project"]["version"], toolchain["project"]["version"]) == (new, new)
    assert f"variantkit=={new}" in after["project"]["dependencies"]
    extras = after["project"]["optional-dependencies"]
    ours = [line for lines in extras.values() for line in lines if line.startswith("ndkernels-")]
    assert len(ours) == 7
    assert all(f"=={new}; " in requirement for requirement in ours)
    # Nothing else has changed, and what is generated says the new version.
    assert without_versions(after, (new, old)) == without_versions(before, (old,))
    assert generate.drift(tree) == []
    assert f'set(VARIANTKIT_VERSION "{new}")' in (tree / "native" / "classifiers.cmake").read_text()
    assert new in (tree / "python" / "ndkernels" / "_catalogue.py").read_text()
    # And back again: not a byte is left of it.
    set_version(tree, old, [tree / "python"])
    assert read_pyproject(tree) == before
    assert generate.drift(tree) == []


def test_only_the_pins_of_the_project_itself_follow(saxpy: Path) -> None:
    path = saxpy / "pyproject.toml"
    others = """dependencies = [
    "variantkit",
    "other==1.2.3",
    "saxpy-tools==1.2.3",
    "mysaxpy==1.2.3",
    "saxpy==1.2.30",
    "saxpy>=1.2.3",
    "SaxPy[all] == 1.2.3",
    'saxpy==1.2.3 ; python_version > "3"',
    "saxpy==1.2.3,!=1.2.4",
]
"""
    text = path.read_text().replace('dependencies = ["variantkit"]\n', others)
    assert others in text
    path.write_text(text + '\n[tool.other]\nversion = "1.2.3"\n')
    set_version(saxpy, "1.2.4.dev2026112401")
    table = read_pyproject(saxpy)
    assert table["project"]["version"] == "1.2.4.dev2026112401"
    assert table["project"]["dependencies"] == [
        "variantkit",
        "other==1.2.3",
        "saxpy-tools==1.2.3",
        "mysaxpy==1.2.3",
        "saxpy==1.2.30",
        "saxpy>=1.2.3",
        "SaxPy[all] == 1.2.4.dev2026112401",
        'saxpy==1.2.4.dev2026112401 ; python_version > "3"',
        "saxpy==1.2.4.dev2026112401,!=1.2.4",
    ]
    assert table["tool"]["other"]["version"] == "1.2.3"
    assert generate.drift(saxpy) == []
    assert "saxpy-fast-v2==1.2.4.dev2026112401; " in path.read_text()
    assert '"1.2.4.dev2026112401"' in (saxpy / "src" / "saxpy" / "_catalogue.py").read_text()


def test_a_name_of_several_words_in_any_spelling(tmp_path: Path, saxpy: Path) -> None:
    for name in ("pyproject.toml", "classifiers.toml"):
        path = saxpy / name
        path.write_text(path.read_text().replace('name = "saxpy"', 'name = "Sax-Py"', 1))
    path = saxpy / "pyproject.toml"
    path.write_text(path.read_text().replace('["variantkit"]', '["sax_py==1.2.3", "sax.py-x==1.2.3"]'))
    set_version(saxpy, "2.0")
    assert read_pyproject(saxpy)["project"]["dependencies"] == ["sax_py==2.0", "sax.py-x==1.2.3"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "1.2.3"', 'dynamic = ["version"]', "has no name and version below"),
        ('version = "1.2.3"', "version = '1.2.3'", "has no line `version = "),
        ('version = "1.2.3"', 'version="1.2.3"', "has no line `version = "),
        ("[project]", "[projects]", "has no name and version below"),
    ],
)  # fmt: skip
def test_a_version_that_does_not_stand_where_it_can_be_changed(saxpy: Path, old: str, new: str, message: str) -> None:
    path = saxpy / "pyproject.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    before = path.read_text()
    with pytest.raises(MatrixError, match=message):
        set_version(saxpy, "2.0")
    assert path.read_text() == before
