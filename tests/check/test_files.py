"""Rules on each file for itself: archives, RECORD, names."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from check_release import TIME, VERSION, Release, entry, messages, record_of, rewrite, rules, write
from variantkit.wheel import Wheel, WheelName

if TYPE_CHECKING:
    from collections.abc import Mapping


def written(path: Path, files: Mapping[str, bytes], **options: Any) -> None:
    """Write a zip of files as they are, without a RECORD of its own."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), data, **options)


def content(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("damage", ["no zip", "empty", "cut", "flipped"])
def test_a_damaged_wheel(release: Release, damage: str) -> None:
    data = release.classifier.read_bytes()
    changed = {
        "no zip": b"this is no zip",
        "empty": b"",
        "cut": data[: len(data) // 2],
        "flipped": data[:60] + bytes(byte ^ 255 for byte in data[60:90]) + data[90:],
    }
    release.classifier.write_bytes(changed[damage])
    result = release.check()
    assert "it cannot be read as a wheel" in messages(result, "VK201")
    # Its release is now without it.
    assert {"VK303", "VK305"} <= rules(result)


def test_a_wheel_without_metadata(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.pop(entry(files, "/METADATA")))
    assert "METADATA that can be read" in messages(release.check(), "VK201")


def test_metadata_that_is_not_text(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.update({entry(files, "/METADATA"): b"Name: \xff\xfe"}))
    assert "it has metadata that is not text" in messages(release.check(), "VK201")


def test_two_dist_info_folders(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.update({"other-1.0.dist-info/METADATA": b"Name: other"}))
    assert "it has 2 .dist-info folders, and a wheel has one" in messages(release.check(), "VK201")


@pytest.mark.parametrize(
    "name", ["saxpy.whl", "saxpy-1.2.3-py3-none-any-UPPER.whl", "saxpy-1.2.3-py3-none.whl", "-variants.json"]
)
def test_a_name_that_nobody_can_read(release: Release, name: str) -> None:
    (release.dist / name).write_bytes(b"")
    result = release.check()
    assert rules(result) == {"VK202"}
    assert name in messages(result, "VK202")


def test_two_files_of_one_name(release: Release, tmp_path: Path) -> None:
    other = tmp_path / "other" / release.classifier.name
    other.parent.mkdir()
    other.write_bytes(release.classifier.read_bytes())
    result = release.check(release.dist, other)
    assert "has the same name. Leave one of the two out." in messages(result, "VK202")
    assert release.check(release.dist, release.dist, release.classifier)


def test_an_entry_that_is_there_twice(release: Release) -> None:
    with zipfile.ZipFile(release.classifier, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("saxpy_fast_v2/__init__.py", b"other")
    result = release.check()
    assert "saxpy_fast_v2/__init__.py is in the archive twice" in messages(result, "VK203")


@pytest.mark.parametrize("name", ["../outside.py", "/etc/passwd", "saxpy/../../x", "c:/x.py"])
def test_an_entry_that_leads_out_of_the_folder(release: Release, name: str) -> None:
    rewrite(release.base, lambda files: files.update({name: b""}))
    assert f"{name} would leave the folder" in messages(release.check(), "VK203")


def test_a_symbolic_link(release: Release) -> None:
    with zipfile.ZipFile(release.base, "a") as archive:
        info = zipfile.ZipInfo("saxpy/link.py", TIME)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "__init__.py")
    result = release.check()
    assert "saxpy/link.py is a symbolic link" in messages(result, "VK203")
    assert "saxpy/link.py is not in RECORD" in messages(result, "VK204")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"saxpy_fast_v2/__init__.py,sha256=", b"saxpy_fast_v2/__init__.py,sha256=A", "does not have the hash"),
        (b"saxpy_fast_v2/__init__.py,sha256=", b"saxpy_fast_v2/__init__.py,md5=", "a weaker one than SHA-256"),
        (b",18\n", b",19\n", "saxpy_fast_v2/__init__.py does not have the size that RECORD says"),
        (b"saxpy_fast_v2/__init__.py,", b"gone.py,", "gone.py is in RECORD and not in the wheel"),
        (b"saxpy_fast_v2/__init__.py,", b"gone.py,", "saxpy_fast_v2/__init__.py is not in RECORD"),
        (b"saxpy_fast_v2/__init__.py,", b"saxpy_fast_v2/__init__.py,a,", "of RECORD has 4 fields and not 3"),
        (b"saxpy_fast_v2/__init__.py,", b"\xff,", "RECORD cannot be read"),
    ],
)
def test_a_record_that_is_wrong(release: Release, old: bytes, new: bytes, message: str) -> None:
    path = release.classifier
    files = content(path)
    name = entry(files, "/RECORD")
    assert old in files[name]
    files[name] = files[name].replace(old, new, 1)
    written(path, files)
    result = release.check()
    assert rules(result) == {"VK204"}
    assert message in messages(result, "VK204")


def test_a_record_that_is_missing(release: Release) -> None:
    files = content(release.classifier)
    files.pop(entry(files, "/RECORD"))
    written(release.classifier, files)
    assert "there is no RECORD" in messages(release.check(), "VK204")


def test_a_file_in_record_twice(release: Release) -> None:
    files = content(release.classifier)
    name = entry(files, "/RECORD")
    files[name] += files[name].splitlines(keepends=True)[0]
    written(release.classifier, files)
    assert "is in RECORD twice" in messages(release.check(), "VK204")


def test_other_hashes_and_signatures_are_right_too(release: Release) -> None:
    import base64
    import hashlib

    files = content(release.classifier)
    name = entry(files, "/RECORD")
    digest = base64.urlsafe_b64encode(hashlib.sha512(files["saxpy_fast_v2/__init__.py"]).digest()).rstrip(b"=")
    lines = files[name].splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if line.startswith(b"saxpy_fast_v2/__init__.py,"))
    lines[place] = b"saxpy_fast_v2/__init__.py,sha512=" + digest + b",18\n"
    files[name] = b"".join(lines)
    files[f"{name}.jws"] = b"{}"
    written(release.classifier, files)
    assert release.check()


@pytest.mark.parametrize(
    ("end", "old", "new", "message"),
    [
        (
            "/METADATA",
            b"Name: saxpy-fast-v2",
            b"Name: saxpy-fast",
            "METADATA has the name saxpy-fast, and the file name",
        ),
        ("/METADATA", b"Version: 1.2.3", b"Version: 1.2.4", "METADATA has the version 1.2.4, and the file name 1.2.3"),
        ("/METADATA", b"Version: 1.2.3", b"Version: newest", "METADATA has the version newest"),
        ("/METADATA", b"saxpy==1.2.3", b"saxpy=!", "METADATA has a requirement that cannot be read: saxpy=!"),
        ("/METADATA", b"Python: >=3.10", b"Python: new", "METADATA has a Requires-Python that cannot be read: new"),
        ("/WHEEL", b"Tag: py3-none-manylinux_2_17", b"Tag: py3-none-manylinux_2_5", "WHEEL has the tags"),
        ("/WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 2.0", "WHEEL has the version 2.0, and installers know 1"),
        ("/WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 1.0\nBuild: 7", "WHEEL has the build number 7"),
    ],
)
def test_names_that_contradict(release: Release, end: str, old: bytes, new: bytes, message: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = entry(files, f".dist-info{end}")
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    rewrite(release.classifier, change)
    assert message in messages(release.check(), "VK205")


def test_a_wheel_that_was_renamed(release: Release) -> None:
    rewrite(release.classifier, lambda files: None, release.classifier.name.replace("1.2.3", "1.2.4"))
    result = release.check()
    assert "its folder is saxpy_fast_v2-1.2.3.dist-info, which is not that of saxpy_fast_v2 1.2.4" in messages(
        result, "VK205"
    )


def test_no_wheel_file(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.update({entry(files, ".dist-info/WHEEL"): b"\xff"}))
    assert "WHEEL has metadata that is not text" in messages(release.check(), "VK205")


def sdist(release: Release, change: Any) -> Path:
    """Change the files of the sdist."""
    path = release.dist / f"saxpy-{VERSION}.tar.gz"
    with tarfile.open(path) as archive:
        files = {each.name: archive.extractfile(each).read() for each in archive.getmembers()}  # type: ignore[union-attr]
    change(files)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(buffer.getvalue()))
    return path


@pytest.mark.parametrize(
    ("change", "rule", "message"),
    [
        (lambda files: files.pop("saxpy-1.2.3/PKG-INFO"), "VK201", "it cannot be read as an sdist"),
        (lambda files: files.pop("saxpy-1.2.3/pyproject.toml"), "VK206", "it has no saxpy-1.2.3/pyproject.toml"),
        (lambda files: files.update({"other/file": b""}), "VK206", "other/file lies outside of saxpy-1.2.3/"),
        (lambda files: files.update({"saxpy-1.2.3/PKG-INFO": b"Name: x\nVersion: 1\n"}), "VK206", "has the version 1"),
        (lambda files: files.update({"saxpy-1.2.3/PKG-INFO": b"Name: x\xff"}), "VK201", "metadata that is not text"),
        (
            lambda files: files.pop("saxpy-1.2.3/LICENSE"),
            "VK502",
            "the License-File LICENSE, and it is not in the sdist",
        ),
    ],
)
def test_an_sdist_that_is_wrong(release: Release, change: Any, rule: str, message: str) -> None:
    path = sdist(release, change)
    result = release.check()
    assert rules(result) == {rule}
    assert message in messages(result, rule)
    assert {finding.file for finding in result.findings} == {path}


@pytest.mark.parametrize("data", [b"", b"no tar", gzip.compress(b"no tar")])
def test_an_sdist_that_is_none(release: Release, data: bytes) -> None:
    (release.dist / f"saxpy-{VERSION}.tar.gz").write_bytes(data)
    assert "it cannot be read as an sdist" in messages(release.check(), "VK201")


def test_ten_thousand_entries_are_no_trouble(tmp_path: Path) -> None:
    name = WheelName(distribution="many", version="1.0", python="py3", abi="none", platform="any")
    path = write(tmp_path, name, {f"many/m{number}.py": b"" for number in range(10_000)}, [])
    files = {key: each.data for key, each in Wheel(path).entries.items()}
    files["many-1.0.dist-info/RECORD"] = record_of(files, "many-1.0.dist-info")
    written(path, files)
    from variantkit.check import check

    result = check([path], matrix=None, ignore=["VK6"])
    assert result.findings == ()


def test_a_huge_comment_is_no_trouble(release: Release) -> None:
    with zipfile.ZipFile(release.classifier, "a") as archive:
        archive.comment = b"x" * 65_000
    result = release.check()
    assert rules(result) <= {"VK404"}  # it is a part of the size
