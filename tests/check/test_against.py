"""Two builds of one release: same names, same bytes."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from check_release import Release, messages, rewrite, rules
from variantkit.check.comparison import differences
from variantkit.cli import check as command
from variantkit.cli import run
from variantkit.errors import WheelError


@pytest.fixture
def other(release: Release, tmp_path: Path) -> Path:
    return shutil.copytree(release.dist, tmp_path / "other")


def test_the_same_build_twice(release: Release, other: Path) -> None:
    result = release.check(against=other)
    assert result.findings == ()
    assert {"VK801", "VK802"} <= set(result.rules)
    assert not {"VK801", "VK802"} & set(release.check().rules)


def test_a_file_in_one_build_only(release: Release, other: Path) -> None:
    (other / "helper-0.5-py3-none-any.whl").unlink()
    (other / "new-0.5-py3-none-any.whl").write_bytes(b"")
    result = release.check(against=other)
    assert rules(result) == {"VK801"}
    assert f"helper-0.5-py3-none-any.whl: it is not in {other}" in messages(result, "VK801")
    assert "new-0.5-py3-none-any.whl: it is in this build only" in messages(result, "VK801")


def test_the_member_that_differs_is_named(release: Release, other: Path) -> None:
    rewrite(other / "helper-0.5-py3-none-any.whl", lambda files: files.update({"helper/__init__.py": b"HELP = None\n"}))
    result = release.check(against=other)
    assert rules(result) == {"VK802"}
    text = messages(result, "VK802")
    assert f"it is not the same in {other}: helper-0.5.dist-info/RECORD differs in content" in text
    assert "helper/__init__.py differs in content. Find what the member depends on" in text


def zipped(path: Path, *names: str, time: tuple[int, ...] = (1980, 1, 1, 0, 0, 0), mode: int = 0o644) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name, time)  # type: ignore[arg-type]
            info.external_attr = mode << 16
            archive.writestr(info, name)
    return path


def test_how_wheels_differ(tmp_path: Path) -> None:
    one = zipped(tmp_path / "one.whl", "a", "b")
    assert differences(one, zipped(tmp_path / "two.whl", "a", "c")) == "b is only in the first, c is only in the second"
    assert differences(one, zipped(tmp_path / "two.whl", "b", "a")) == "the members are in another order"
    later = zipped(tmp_path / "two.whl", "a", "b", time=(2026, 1, 1, 0, 0, 0))
    assert differences(one, later) == "a differs in time, b differs in time"
    assert differences(one, zipped(tmp_path / "two.whl", "a", "b", mode=0o755)).startswith("a differs in permissions")
    with zipfile.ZipFile(tmp_path / "two.whl", "w") as archive:
        for name in ("a", "b"):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            archive.writestr(info, name, zipfile.ZIP_DEFLATED)
    assert differences(one, tmp_path / "two.whl").startswith("a differs in compression")
    many = zipped(tmp_path / "many.whl", *"abcdefgh")
    assert differences(one, many).endswith("e is only in the second, and 3 more")
    with zipfile.ZipFile(one, "a") as archive:
        archive.comment = b"more"
    assert differences(one, zipped(tmp_path / "two.whl", "a", "b")) == (
        "the members are the same, and how they are packed differs"
    )
    one.write_bytes(b"no zip")
    assert differences(one, many) == "one of them cannot be read (File is not a zip file)"


def test_how_sdists_differ(tmp_path: Path) -> None:
    def tarred(name: str, time: int) -> Path:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo("a/PKG-INFO")
            info.mtime, info.size = time, 1
            archive.addfile(info, io.BytesIO(b"x"))
        (tmp_path / name).write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
        return tmp_path / name

    assert differences(tarred("one.tar.gz", 1), tarred("two.tar.gz", 2)) == "a/PKG-INFO differs in time"


def test_a_folder_that_is_not_there(release: Release, tmp_path: Path) -> None:
    with pytest.raises(WheelError, match="is not a directory"):
        release.check(against=tmp_path / "gone")


def test_an_index_is_not_compared(release: Release, other: Path, tmp_path: Path) -> None:
    (tmp_path / "index" / "simple").mkdir(parents=True)
    with pytest.raises(WheelError, match=r"is an index, and .* is compared with a folder"):
        release.check(tmp_path / "index", against=other)


def test_rebuild_compares_with_what_the_callable_builds(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    built = []

    def rebuild(root: Path, folder: Path) -> None:
        built.append((root, folder))
        shutil.copytree(release.dist, folder, dirs_exist_ok=True)

    words = ["--root", str(release.root), "--ignore", "VK6", str(release.dist)]
    assert run(lambda: command.main([*words, "--rebuild"], prog="check", rebuild=rebuild)) == 0
    ((root, folder),) = built
    assert root == release.root
    assert not folder.exists()

    def other(root: Path, folder: Path) -> None:
        rebuild(root, folder)
        rewrite(folder / "helper-0.5-py3-none-any.whl", lambda files: files.update({"helper/__init__.py": b""}))

    assert run(lambda: command.main([*words, "--rebuild"], prog="check", rebuild=other)) == 1
    assert "helper/__init__.py differs in content" in capsys.readouterr().out
