"""The front page of an index, from what is really published there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from check_release import Release, make_release
from variantkit import front
from variantkit.index import Repository
from variantkit.selector import Page
from variantkit.wheel import Wheel


@pytest.fixture(scope="module")
def release(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return make_release(tmp_path_factory.mktemp("front"), root / "tests" / "projects" / "saxpy")


def page_of(repository: Repository) -> Page:
    known = json.loads((repository.folder / ".current" / "releases.json").read_text())
    return front._page(repository.folder, known["distribution"], known["releases"], repository.projects())


def test_it_says_what_is_published(release: Release, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "index")
    repository.publish([release.dist], matrix=release.matrix)
    page = page_of(repository)
    assert page.distribution == "saxpy"
    (shown,) = page.releases
    assert (shown.version, shown.snapshot, shown.yanked) == ("1.2.3", False, None)
    assert set(shown.abis) == {"cp311", "cp312-abi3"}
    assert {entry.name: (entry.label, entry.base, entry.platforms) for entry in shown.classifiers} == {
        "sse2": (None, True, ("linux-x86_64",)),
        "fast-v2": ("fast_v2", False, ("linux-x86_64",)),
        "avx2": ("avx2", False, ("linux-x86_64",)),
    }
    assert next(entry for entry in shown.classifiers if entry.name == "fast-v2").sizes == {
        "linux-x86_64": release.classifier.stat().st_size
    }
    text = (repository.folder / "index.html").read_text()
    assert "fast-v2" in text
    assert "Nehalem, Bulldozer and later" in text


def test_only_what_is_required_is_a_companion(release: Release, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "index")
    repository.publish([release.dist], matrix=release.matrix)
    page = page_of(repository)
    assert page.others
    metadata = Wheel(release.base).metadata.get_all("Requires-Dist")
    assert all(any(line.startswith(name) for line in metadata) for name in page.companions)


def test_a_later_matrix_does_not_change_what_is_said_of_an_earlier_release(release: Release, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "index")
    repository.publish([release.dist], matrix=release.matrix)
    changed = release.matrix.row("avx2")
    other = dataclasses.replace(changed, summary="something else")
    rows = tuple(other if row == changed else row for row in release.matrix.classifier)
    repository.publish([release.classifier], matrix=dataclasses.replace(release.matrix, classifier=rows))
    assert "something else" not in (repository.folder / "index.html").read_text()
    repository.publish([release.dist], matrix=dataclasses.replace(release.matrix, classifier=rows), replace=True)
    assert "something else" in (repository.folder / "index.html").read_text()


def test_without_a_matrix_it_is_a_list(release: Release, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "index")
    repository.publish([release.dist])
    text = (repository.folder / "index.html").read_text()
    assert 'href="simple/saxpy/"' in text
    assert not (repository.folder / ".current" / "releases.json").exists()


def test_a_yanked_release_is_shown_as_such(release: Release, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "index")
    repository.publish([release.dist], matrix=release.matrix)
    repository.yank("1.2.3", "wrong sums")
    assert page_of(repository).releases[0].yanked == "wrong sums"
