"""Wheels that are damaged, of another matrix or another release, and files that are none: nothing of that is published."""

from __future__ import annotations

import dataclasses
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index_reader import IndexReader
from publications import Publisher, tiny_release, tree
from variantkit.cli import main
from variantkit.lock_file import only_writer
from variantkit.wheel import Entry, Wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Customer


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def one_bit_of_the_library(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(b".so") + 1000  # well inside of the compressed library
    data[place] ^= 0x10
    path.write_bytes(data)


def another_library_than_in_record(path: Path) -> None:
    wheel = Wheel(path)
    library = next(name for name in wheel.files if name.endswith(".so"))
    record = wheel.read(f"{wheel.dist_info}/RECORD")
    _rewrite(wheel, {library: wheel.entries[library].data + b"more"}, record)


def a_file_that_record_does_not_know(path: Path) -> None:
    wheel = Wheel(path)
    _rewrite(wheel, {"more.py": b"import os\n"}, wheel.read(f"{wheel.dist_info}/RECORD"))


def _rewrite(wheel: Wheel, changes: dict[str, bytes], record: bytes) -> None:
    """Change files of a wheel and leave its RECORD as it was."""
    contents, time = {name: entry.data for name, entry in wheel.entries.items()} | changes, wheel.time
    with zipfile.ZipFile(wheel.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**contents, f"{wheel.dist_info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(name, time), data)


def another_matrix(path: Path) -> None:
    """Make the wheel as one that was built before a row of classifiers.toml was changed; nothing else is wrong with it."""
    wheel = Wheel(path)
    folder, fields = next(iter(wheel.manifests.items()))
    manifest = "".join(f"{key}: {value}\n" for key, value in {**fields, "Row": "0123456789abcdef"}.items())
    entries = {**wheel.entries, f"{folder}/MANIFEST": Entry(data=manifest.encode())}
    write_wheel(path, entries, wheel.dist_info, wheel.time)


DAMAGES: dict[Callable[[Path], None], str] = {
    truncated: "cannot be read as a wheel",
    empty: "cannot be read as a wheel",
    one_bit_of_the_library: "is damaged at",
    another_library_than_in_record: "does not have the hash that RECORD says",
    a_file_that_record_does_not_know: "more.py is not in RECORD",
    another_matrix: "was built from another version of classifiers.toml: the row 'fast-v2' has changed since",
}


@pytest.mark.parametrize(
    ("step", "damage"),
    [
        *(
            ("repair", damage) for damage in DAMAGES if damage is not another_matrix
        ),  # it needs only the row's link flags
        *((step, damage) for step in ("assemble", "index") for damage in DAMAGES),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_damaged_wheel_is_refused(
    step: str,
    damage: Callable[[Path], None],
    released: Customer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out, project = tmp_path / "source", tmp_path / "out", tmp_path / "saxpy"
    shutil.copytree(released.project, project, ignore=shutil.ignore_patterns("build"))
    shutil.copytree(released.project / "build" / "release" / ("built" if step == "repair" else "dist"), source)
    if step == "assemble":
        for path in source.glob("*-fast_v2.whl"):
            path.unlink()
    (damaged,) = source.glob("saxpy_fast_v2-*.whl")
    damage(damaged)
    assert main([step, "--root", str(project), str(source), "--out", str(out)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {damaged} "), error
    assert DAMAGES[damage] in error
    assert error.endswith((". Build it again.", ". Build it again, or leave it out.")), error
    assert not list(out.rglob("*fast_v2*")), "something was made of a damaged wheel"
    if step == "index":
        assert IndexReader(out).look() == {}


def test_wheels_of_two_releases_are_not_assembled(
    released: Customer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(released.dist, tmp_path / "source")
    wheel = Wheel(next((tmp_path / "source").glob("saxpy_fast_v2-*.whl")))
    info = "saxpy_fast_v2-1.2.4.dist-info"
    entries = {
        name.replace(wheel.dist_info, info): Entry(data=entry.data.replace(b"1.2.3", b"1.2.4"))
        for name, entry in wheel.entries.items()
    }
    write_wheel(tmp_path / "source" / wheel.path.name.replace("1.2.3", "1.2.4"), entries, info, wheel.time)
    words = ["--root", str(released.project), str(tmp_path / "source"), "--out", str(tmp_path / "out")]
    assert main(["assemble", *words]) == 2
    assert capsys.readouterr().err.endswith("are of different versions. Assemble one release at a time.\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"foreign", "is neither a wheel nor an sdist that can be published"),
        ("notes.whl", b"foreign", "cannot be read as a wheel"),
        ("demo-1.0.tar.gz", b"foreign", "is neither a wheel nor an sdist that can be published"),
        ("demo-1.0-py3-none-any.whl", b"foreign", "cannot be read as a wheel"),
        ("nothing-1.0-py3-none-any.whl", None, "cannot be read as a wheel"),
    ],
)
def test_a_foreign_file_is_not_published(
    name: str, content: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, wheels = tmp_path / "index", [str(path) for path in tiny_release(tmp_path / "wheels", "1.1")]
    assert main(["index", "--root", str(tmp_path), *wheels, "--out", str(index)]) == 0
    before = tree(index)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    other = [str(path) for path in tiny_release(tmp_path / "wheels", "1.2")]
    assert main(["index", "--root", str(tmp_path), *other, str(tmp_path / name), "--out", str(index)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert words in error
    assert error.endswith("uild it again, or leave it out."), error
    assert tree(index) == before


def test_an_sdist_without_its_end_is_not_published(
    released: Customer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sdist = tmp_path / "saxpy-1.2.3.tar.gz"
    sdist.write_bytes(next(released.dist.glob("*.tar.gz")).read_bytes()[:-10])
    assert main(["index", "--root", str(tmp_path), str(sdist), "--out", str(tmp_path / "index")]) == 2
    assert "is neither a wheel nor an sdist that can be published" in capsys.readouterr().err
    assert IndexReader(tmp_path / "index").look() == {}


def test_a_file_that_changes_while_its_publication_waits(publisher: Publisher, tmp_path: Path) -> None:
    index, wheels = tmp_path / "index", tiny_release(tmp_path / "wheels", "1.0")
    assert publisher.publish(index, wheels).status == 0
    before = tree(index)
    later = tiny_release(tmp_path / "wheels", "1.1")
    with only_writer(index):
        waiting = publisher.begin(index, later)
        waiting.until_it_waits()
        tiny_release(tmp_path / "wheels", "1.1", "another content")
    ended = waiting.end()
    assert ended.status == 2, ended
    assert "was changed, or removed, while it was being published. Publish again." in ended.text
    assert tree(index) == before
    assert publisher.publish(index, later).status == 0
    assert len(IndexReader(index).look()["demo"]) == 8


def test_a_release_does_again_what_was_damaged_in_its_build_folder(
    variantkit: Customer, released: Customer, tmp_path: Path
) -> None:
    project = tmp_path / "saxpy"
    shutil.copytree(released.project, project, symlinks=True)
    shutil.rmtree(project / "build" / "cmake")  # it knows where it was made
    customer = dataclasses.replace(variantkit, project=project)
    customer.run("release")
    whole = tree(customer.dist)
    build = project / "build"
    truncated(next(build.glob("wheels/*/saxpy_fast_v2-*.whl")))
    another_library_than_in_record(next(build.glob("release/built/saxpy-*.whl")))
    one_bit_of_the_library(next(customer.dist.glob("saxpy_fast_v2-*.whl")))
    another_library_than_in_record(next(customer.dist.glob("*-fast_v2.whl")))
    empty(next(customer.dist.glob("*.tar.gz")))
    (customer.dist / "notes.whl").write_text("foreign")
    (customer.dist / "saxpy-1.2.2-py3-none-any.whl").write_text("of another release")
    for stamp in build.glob("stamps/*.json"):
        if "sse2" in stamp.name:
            stamp.write_text("{")
    result = customer.run("release")
    assert tree(customer.dist) == whole
    assert "0 new, 6 unchanged" in result.stderr
    IndexReader(build / "index").look()


def test_a_changed_matrix_is_noticed_before_anything_is_built(
    variantkit: Customer, released: Customer, tmp_path: Path
) -> None:
    shutil.copytree(released.project, tmp_path / "saxpy", ignore=shutil.ignore_patterns("build"))
    customer = dataclasses.replace(variantkit, project=tmp_path / "saxpy")
    customer.edit("classifiers.toml", '"-O3", "-march=x86-64-v2"', '"-O2", "-march=x86-64-v2"')
    result = customer.run("release", check=False)
    assert result.returncode == 2
    assert "classifiers.cmake has drifted from classifiers.toml. Run: variantkit matrix --write" in result.stderr
    assert not list((tmp_path / "saxpy").rglob("*.whl"))
