"""A copy of a project's own files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from variantkit.errors import BuildError
from variantkit.source_tree import copy_sources, source_files

FILES = ("pyproject.toml", ".gitignore", "src/demo/__init__.py", "src/demo/ä b.py", "tools/run.sh")
BUILT = ("build/a.o", "dist/a.whl", "src/demo/__pycache__/x.pyc")


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.fixture(params=["git", "no git"])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that has been built in, in a repository and outside of one."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "project"
    write(folder, *FILES, *BUILT)
    (folder / ".gitignore").write_text("/build/\n/dist/\n__pycache__/\n")
    (folder / "tools" / "run.sh").chmod(0o755)
    if request.param == "git":
        git(folder, "init", "--quiet")
        git(folder, "add", "pyproject.toml")
    return folder


def listed(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return {str(path.relative_to(folder)) for path in found}


def test_the_files_of_a_project_are_those_that_are_not_built(project: Path) -> None:
    assert [str(name) for name in source_files(project)] == sorted(FILES)


def test_a_file_that_was_removed_and_not_yet_from_git_is_none(project: Path) -> None:
    (project / "pyproject.toml").unlink()
    assert Path("pyproject.toml") not in source_files(project)


def test_a_folder_of_a_repository_has_its_own_files_only(project: Path) -> None:
    assert [str(name) for name in source_files(project / "src")] == ["demo/__init__.py", "demo/ä b.py"]


def test_a_project_that_another_repository_ignores(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("unpacked/\n")
    write(tmp_path / "unpacked", *FILES, *BUILT)
    assert [str(name) for name in source_files(tmp_path / "unpacked")] == sorted(FILES)


@pytest.mark.skipif(os.name != "posix", reason="only there are names bytes")
def test_a_name_that_is_no_text(project: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(project) + b"/\xff.txt")).touch()
    except OSError:
        pytest.skip("this file system has no such names")
    assert b"\xff.txt" in [os.fsencode(name) for name in source_files(project)]


def test_a_copy_has_the_files_and_their_modes(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    copy_sources(project, target)
    assert listed(target) == set(FILES)
    assert os.access(target / "tools" / "run.sh", os.X_OK)
    assert not os.access(target / "pyproject.toml", os.X_OK)
    for name in FILES:
        assert (target / name).read_bytes() == (project / name).read_bytes()


def test_what_is_the_same_keeps_its_time_and_what_was_built_there_stays(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    copy_sources(project, target)
    write(target, *BUILT, "build/deep/b.o")
    for name in FILES:
        os.utime(target / name, (1, 1))
    (project / "pyproject.toml").write_text("changed")
    copy_sources(project, target)
    assert listed(target) == {*FILES, *BUILT, "build/deep/b.o"}
    assert [name for name in FILES if (target / name).stat().st_mtime != 1] == ["pyproject.toml"]
    assert (target / "pyproject.toml").read_text() == "changed"


def test_what_is_gone_from_the_project_goes_from_the_copy(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    copy_sources(project, target)
    write(target, "left.py", "src/left/over.py", "tools/build/x")
    (target / "link").symlink_to("nowhere")
    (target / "folder").symlink_to(project)
    (project / "tools" / "run.sh").unlink()
    copy_sources(project, target)
    assert listed(target) == set(FILES) - {"tools/run.sh"}
    assert not (target / "src" / "left").exists()
    assert (project / "pyproject.toml").exists()


def test_a_file_that_becomes_a_folder_and_the_reverse(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    copy_sources(project, target)
    (project / "tools" / "run.sh").unlink()
    (project / "tools").rmdir()
    write(project, "tools", "pyproject.d/one")
    copy_sources(project, target)
    assert (target / "tools").read_text() == "tools"
    (project / "tools").unlink()
    write(project, "tools/run.sh")
    copy_sources(project, target)
    assert (target / "tools" / "run.sh").read_text() == "tools/run.sh"


def test_a_copy_in_the_build_folder_of_the_project_itself(project: Path) -> None:
    target = project / "build" / "snapshot"
    copy_sources(project, target)
    copy_sources(project, target)
    assert listed(target) == set(FILES)


def test_a_project_without_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match=r"has no files of its own\. Run this in a checkout"):
        copy_sources(tmp_path / "empty", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
