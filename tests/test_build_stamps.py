"""The records of what a file was made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from variantkit.stamps import made, remember


@pytest.fixture
def stamp(tmp_path: Path) -> Path:
    """The record of a file that was made from `digest`."""
    path = tmp_path / "out" / "a-1.whl"
    path.parent.mkdir()
    path.write_bytes(b"content")
    remember(tmp_path / "stamps" / "a.json", "digest", path)
    return tmp_path / "stamps" / "a.json"


def test_what_was_made_from_the_same_is_found(stamp: Path, tmp_path: Path) -> None:
    assert made(stamp, "digest", tmp_path / "out") == tmp_path / "out" / "a-1.whl"


def test_other_inputs_and_another_place_are_another_file(stamp: Path, tmp_path: Path) -> None:
    assert made(stamp, "other", tmp_path / "out") is None
    assert made(stamp, "digest", tmp_path) is None
    assert made(tmp_path / "none.json", "digest", tmp_path / "out") is None


@pytest.mark.parametrize("change", ["changed", "removed", "cut"])
def test_a_file_that_was_touched_is_made_again(stamp: Path, tmp_path: Path, change: str) -> None:
    path = tmp_path / "out" / "a-1.whl"
    if change == "removed":
        path.unlink()
    else:
        path.write_bytes(b"Content" if change == "changed" else b"cont")
    assert made(stamp, "digest", tmp_path / "out") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1", '"x"', "{}", '{"wheel": 1}', '{"wheel": "a-1.whl"}', "\ud800"]
)
def test_a_damaged_record_is_none(stamp: Path, tmp_path: Path, text: str) -> None:
    stamp.write_bytes(text.encode(errors="surrogatepass"))
    assert made(stamp, "digest", tmp_path / "out") is None


def test_the_same_record_is_not_written_again(stamp: Path, tmp_path: Path) -> None:
    before = stamp.stat().st_mtime_ns
    remember(stamp, "digest", tmp_path / "out" / "a-1.whl")
    assert stamp.stat().st_mtime_ns == before
    assert set(json.loads(stamp.read_text())) == {"digest", "wheel", "sha256"}
