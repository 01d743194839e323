"""A release without a fault, to be broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from check_release import Release, make_release


@pytest.fixture(scope="session")
def built_release(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release without a fault; tests must not change it."""
    return make_release(tmp_path_factory.mktemp("release"), root / "tests" / "projects" / "saxpy")


@pytest.fixture
def release(built_release: Release, tmp_path: Path) -> Release:
    """A release without a fault, for a test to break."""
    shutil.copytree(built_release.root, tmp_path / "project")
    shutil.copytree(built_release.dist, tmp_path / "dist")
    return Release(tmp_path / "project", tmp_path / "dist")
