"""The static package index."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from variantkit.errors import IndexingError
from variantkit.index import write_index


def wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Make the smallest wheel that has metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{name}-{version}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.10\n",
        )
    return path


def test_pages_list_every_wheel_with_its_hash(tmp_path: Path) -> None:
    one, two = wheel(tmp_path, "some_name"), wheel(tmp_path, "some_name", "2.0")
    simple = write_index([two, one], tmp_path / "index")
    assert 'href="some-name/"' in (simple / "index.html").read_text()
    page = (simple / "some-name" / "index.html").read_text()
    links = re.findall(r'href="([^"#]+)#sha256=([0-9a-f]+)" data-requires-python="([^"]+)"', page)
    assert [link[0] for link in links] == [one.name, two.name]
    for name, digest, requires in links:
        assert hashlib.sha256((simple / "some-name" / name).read_bytes()).hexdigest() == digest
        assert requires == "&gt;=3.10"


def test_a_new_release_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "index"
    old = write_index([wheel(tmp_path / "a", "first")], target)
    kept = old.resolve()
    new = write_index([wheel(tmp_path / "b", "second")], target)
    assert new == old
    assert sorted(path.name for path in new.iterdir()) == ["index.html", "second"]
    assert not kept.exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".index")] == [target.resolve().name]


def test_a_failed_release_leaves_the_old_one_untouched(tmp_path: Path) -> None:
    target = tmp_path / "index"
    simple = write_index([wheel(tmp_path / "a", "first")], target)
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    with pytest.raises(IndexingError, match=r"broken-1\.0-py3-none-any\.whl is not a wheel that can be published"):
        write_index([wheel(tmp_path / "b", "second"), broken], target)
    assert sorted(path.name for path in simple.iterdir()) == ["first", "index.html"]
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".index")]) == 1


def test_a_folder_that_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "precious").touch()
    with pytest.raises(IndexingError, match="is not an index that was written here"):
        write_index([wheel(tmp_path, "first")], tmp_path / "index")
    assert (tmp_path / "index" / "precious").exists()


def test_a_file_name_that_is_no_wheel(tmp_path: Path) -> None:
    path = tmp_path / "thing.whl"
    path.touch()
    with pytest.raises(IndexingError):
        write_index([path], tmp_path / "index")


def test_two_wheels_of_one_name_are_refused_and_neither_is_touched(tmp_path: Path) -> None:
    one, two = wheel(tmp_path / "a", "same"), wheel(tmp_path / "b", "same")
    with zipfile.ZipFile(two, "a") as archive:
        archive.writestr("more", "content")
    before = one.read_bytes(), two.read_bytes()
    with pytest.raises(IndexingError, match="was given twice"):
        write_index([one, two], tmp_path / "index")
    with pytest.raises(IndexingError, match="was given twice"):
        write_index([one, one], tmp_path / "index")
    assert (one.read_bytes(), two.read_bytes()) == before
