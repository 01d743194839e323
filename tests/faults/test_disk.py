"""Disks that are full, that must not be written, or that are another one; and places where something else is."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index_reader import IndexReader
from publications import Publisher, tiny_release, tree

if TYPE_CHECKING:
    from .conftest import Customer, SmallDisk

PAGE = 4096


def run_inside(disk: SmallDisk, customer: Customer, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*disk.inside, *customer.words(str(words[0]), *words[1:])]
    result = subprocess.run(command, env=customer.environ, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr, result.stderr
    return result


def made_from(step: str, released: Customer) -> Path:
    return released.project / "build" / "release" / ("built" if step == "repair" else "dist")


def test_a_full_disk_wherever_it_fills_up(small_disk: SmallDisk, tmp_path: Path) -> None:
    index, seen = small_disk.place / "index", IndexReader(small_disk.seen / "index")
    releases = [tiny_release(tmp_path / version, version) for version in ("1.0", "1.1", "1.2")]
    refused = 0
    with Publisher.running(small_disk.inside) as publisher:
        for files in releases[:2]:
            assert publisher.publish(index, files).status == 0
        before, pages = tree(small_disk.seen / "index"), seen.look()
        while True:
            small_disk.leave(refused * PAGE)
            ended = publisher.publish(index, releases[2])
            if ended.status == 0:
                break
            refused += 1
            assert ended.status == 2, ended
            assert ended.text.startswith(f"IndexingError: {index} cannot be written: No space left on device."), ended
            assert ended.text.endswith("make room, or choose another place, and publish again."), ended
            assert tree(small_disk.seen / "index") == before, f"with {refused - 1} pages left"
            assert seen.look() == pages
    assert refused > 5, "the disk was never full"
    assert len(seen.look()["demo"]) == 12


def test_a_release_on_a_full_disk(small_disk: SmallDisk, released: Customer) -> None:
    index = small_disk.place / "index"
    small_disk.leave(3 * PAGE)
    result = run_inside(small_disk, released, "release", "--out", index)
    assert result.returncode == 2
    error = result.stderr.splitlines()[-1]
    assert error == (
        f"error: {index} cannot be written: No space left on device. What was published before is untouched; make room, or "
        f"choose another place, and publish again."
    )
    small_disk.make_room()
    assert run_inside(small_disk, released, "release", "--out", index).returncode == 0
    assert set(IndexReader(small_disk.seen / "index").look()) == {"saxpy", "saxpy-fast-v2"}


def test_a_project_on_a_full_disk(small_disk: SmallDisk, released: Customer) -> None:
    """The build environment is elsewhere, since it alone would fill the disk; all that is built is on it."""
    project, seen = small_disk.place / "saxpy", small_disk.seen / "saxpy"
    shutil.copytree(released.project, seen, ignore=shutil.ignore_patterns("build"))
    (seen / "build").mkdir()
    (seen / "build" / "envs").symlink_to(released.project / "build" / "envs")
    here = dataclasses.replace(released, project=project)
    for free in (0, 2 * PAGE, 20 * PAGE, 60 * PAGE, 100 * PAGE):
        small_disk.leave(free)
        result = run_inside(small_disk, here, "release")
        assert result.returncode in {1, 2}, f"with {free} bytes left: {result.stderr}"
        error = result.stderr[result.stderr.index("error: ") :]
        assert "No space left on device" in error or "no room left" in error, error
        assert IndexReader(seen / "build" / "index").look() == {}
    small_disk.make_room()
    result = run_inside(small_disk, here, "release")
    assert result.returncode == 0, result.stderr
    assert tree(seen / "build" / "release" / "dist") == tree(released.dist)
    assert set(IndexReader(seen / "build" / "index").look()) == {"saxpy", "saxpy-fast-v2"}


@pytest.mark.parametrize("step", ["repair", "assemble"])
def test_a_step_on_a_full_disk(step: str, small_disk: SmallDisk, released: Customer) -> None:
    out, seen = small_disk.place / "out", small_disk.seen / "out"
    refused = 0
    while True:
        small_disk.leave(refused * PAGE)
        result = run_inside(small_disk, released, step, made_from(step, released), "--out", out)
        if result.returncode == 0:
            break
        refused += 1
        assert result.returncode == 2, result.stderr
        error = result.stderr.splitlines()[-1]
        assert error.startswith(f"error: {out}"), error
        assert error.endswith(
            "cannot be written: No space left on device. Make room there, or choose another place, and run this again; "
            "what was finished is kept."
        ), error
        assert tree(seen).items() <= tree(released.dist).items(), (
            f"with {refused - 1} pages left, something half is there"
        )
    assert refused > 1, "the disk was never full"
    assert tree(seen)
    assert tree(seen).items() <= tree(released.dist).items()


def test_no_room_to_repair_in(small_disk: SmallDisk, released: Customer, tmp_path: Path) -> None:
    """What auditwheel needs for its work lies in the build folder, which may be on another disk than the output."""
    small_disk.leave(2 * PAGE)
    project = small_disk.seen / "project"
    command = [*small_disk.inside, str(released.command), "repair", "--root", str(small_disk.place / "project")]
    command += [str(made_from("repair", released)), "--out", str(tmp_path / "out")]
    project.mkdir()
    for name in ("classifiers.toml", "pyproject.toml"):
        (project / name).symlink_to(released.project / name)
    result = subprocess.run(command, env=released.environ, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    error = result.stderr.splitlines()[-1]
    assert "o room left for" in error or "cannot be written: No space left on device." in error
    assert "ake room there" in error
    assert not list(tmp_path.glob("out/*"))
    small_disk.make_room()
    again = subprocess.run(command, env=released.environ, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert tree(tmp_path / "out").items() <= tree(released.dist).items()


def test_a_disk_that_must_not_be_written(small_disk: SmallDisk, released: Customer) -> None:
    index = small_disk.place / "index"
    assert run_inside(small_disk, released, "index", released.dist, "--out", index).returncode == 0
    before = tree(small_disk.seen)
    small_disk.mount("ro")
    for step, out in (("index", index), ("index", small_disk.place / "new"), ("release", index)):
        words = [released.dist] if step == "index" else []
        result = run_inside(small_disk, released, step, *words, "--out", out)
        assert result.returncode == 2, result.stderr
        assert f"error: {out} cannot be written: Read-only file system." in result.stderr
        assert "choose another place" in result.stderr
    for step in ("assemble", "repair"):
        result = run_inside(small_disk, released, step, made_from(step, released), "--out", small_disk.place / "out")
        assert result.returncode == 2, result.stderr
        error = result.stderr.splitlines()[-1]
        assert error.startswith(f"error: {small_disk.place / 'out'}"), error
        assert error.endswith("cannot be written: Read-only file system. Choose a place where files can be written."), (
            error
        )
    assert tree(small_disk.seen) == before
    small_disk.mount("rw")
    assert run_inside(small_disk, released, "index", released.dist, "--out", index).returncode == 0


def test_an_index_on_another_disk_is_as_one_on_this(small_disk: SmallDisk, released: Customer, tmp_path: Path) -> None:
    index = small_disk.place / "deep" / "index"
    result = run_inside(small_disk, released, "release", "--out", index)
    assert result.returncode == 0, result.stderr
    released.run("release", "--out", tmp_path / "here")
    elsewhere = IndexReader(small_disk.seen / "deep" / "index").look()
    assert elsewhere == IndexReader(tmp_path / "here").look()
    assert elsewhere


@pytest.mark.parametrize("out", ["file", "file/index", "folder"])
def test_a_place_where_something_else_is(out: str, released: Customer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("precious")
    before = tree(tmp_path)
    for step, words in (("index", [released.dist]), ("release", [])):
        result = released.run(step, *words, "--out", tmp_path / out, check=False)
        assert result.returncode == 2, result.stderr
        error = result.stderr.splitlines()[-1]
        assert error.startswith(f"error: {tmp_path / out} "), error
        assert "choose another place" in error
        assert tree(tmp_path) == before
    if out == "folder":
        return
    for step in ("assemble", "repair"):
        result = released.run(step, made_from(step, released), "--out", tmp_path / out, check=False)
        assert result.returncode == 2, result.stderr
        assert result.stderr.splitlines()[-1].endswith("Choose a place where files can be written.")
        assert tree(tmp_path) == before
