"""Writing files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from variantkit.files import write_atomically


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert write_atomically(path, "text")
    os.utime(path, (1, 1))
    assert not write_atomically(path, "text")
    assert path.stat().st_mtime == 1
    assert write_atomically(path, b"other")
    assert path.read_bytes() == b"other"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_others_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
