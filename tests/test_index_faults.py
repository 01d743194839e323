"""Publications in which a step fails: a reader sees the old pages or the new ones, and the next publication succeeds."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from index_reader import IndexReader
from publications import tree
from tiny_wheels import matrix, row, wheel
from variantkit import incoming
from variantkit.errors import IndexingError
from variantkit.incoming import files_in, inspect, store
from variantkit.index import Repository
from variantkit.variants import describe, dumps, for_label

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = "2026-11-24T12:00:00Z"

# Whatever changes the file system, or writes into it.
STEPS: tuple[tuple[Any, str], ...] = (
    (Path, "mkdir"), (Path, "open"), (Path, "rename"), (Path, "replace"), (Path, "symlink_to"),
    (Path, "unlink"), (Path, "write_bytes"), (Path, "write_text"), (Path, "chmod"),
    (os, "link"), (os, "fdopen"), (shutil, "rmtree"), (tempfile, "mkstemp"),
)  # fmt: skip


class Faults:
    """Makes the step of a number fail, and remembers which it was; 0 lets all of them pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = self.seen = 0
        self.error = errno.ENOSPC
        self.failed = ""
        for owner, name in STEPS:
            monkeypatch.setattr(owner, name, self._failing(getattr(owner, name), name))

    def arm(self, number: int, error: int) -> None:
        self.number, self.error, self.seen, self.failed = number, error, 0, ""

    def _failing(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def step(*arguments: Any, **more: Any) -> Any:
            if self.number and not _changes_nothing(name, arguments, more):
                self.seen += 1
                if self.seen == self.number:
                    self.failed = name
                    raise OSError(self.error, os.strerror(self.error), str(arguments[0]) if arguments else None)
            return function(*arguments, **more)

        return step


def _changes_nothing(name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> bool:
    if name == "open":
        return (arguments[1:] or (more.get("mode", "r"),))[0] in {"r", "rb"}
    if name == "mkdir":
        return more.get("exist_ok", False) and arguments[0].exists()
    return name == "unlink" and not os.path.lexists(arguments[0])


def release(folder: Path, version: str, labels: tuple[str, ...], origin: bytes = b"") -> list[Path]:
    """Make the wheels of a release, as few as there can be: with these labels, or without one a base wheel."""
    document = describe(matrix(row("avx2", 20), row("avx512", 30, level="x86-64-v4")))
    made = [] if labels else [wheel(folder, f"demo-{version}-py3-none-any.whl", {"origin": origin})]
    for label in labels:
        more = {"variant.json": dumps(for_label(document, label)).encode()}
        made.append(wheel(folder, f"demo-{version}-py3-none-any-{label}.whl", {"origin": origin}, more=more))
    return made


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """An index in which a release was replaced once, so that there is something to be forgotten."""
    target = tmp_path / "before"
    other = wheel(tmp_path / "1", "other-1.0-py3-none-any.whl")
    Repository(target).publish([*release(tmp_path / "1", "1.0", ("avx2",)), other], now=NOW)
    Repository(target).publish(release(tmp_path / "2", "1.0", ("avx512",), b"2"), replace=True, now=NOW)
    return target


@pytest.mark.parametrize("story", ["the first", "another content"])
def test_each_step_in_turn(story: str, before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = story == "the first"
    files = release(tmp_path / "3", "1.0", ("avx512",), b"3")
    start = tmp_path / "nothing" if first else before
    whole = tmp_path / "whole"
    if not first:
        shutil.copytree(start, whole, symlinks=True)
    Repository(whole).publish(files, replace=True, now=NOW)
    wanted, old, new = tree(whole), IndexReader(start).look(), IndexReader(whole).look()
    assert old != new

    faults = Faults(monkeypatch)
    failed = []
    for number in range(1, 1000):
        target = tmp_path / "target"
        if not first:
            shutil.copytree(start, target, symlinks=True)
        faults.arm(number, errno.ENOSPC if number % 2 else errno.EROFS)
        try:
            Repository(target).publish(files, replace=True, now=NOW)
        except IndexingError as error:
            message = str(error)
            assert "What was published before is untouched; make room, or choose another place" in message
        else:
            # The last step is behind us, or it was one on which nothing depends.
            message = ""
        faults.number = 0
        failed.append(faults.failed)
        step = f"step {number}, {faults.failed}"
        seen = IndexReader(target).look()
        assert seen in (old, new), step
        assert message or seen == new, step
        Repository(target).publish(files, replace=True, now=NOW)
        assert IndexReader(target).look() == new, step
        assert tree(target) == wanted, step
        shutil.rmtree(target)
        if faults.seen < number:
            break
    assert {"mkdir", "replace", "rename", "symlink_to", "write_text"} <= set(failed)
    assert len(failed) > 40
    assert failed[-1] == ""


def test_a_full_disk_is_told_of_with_what_to_do(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = release(tmp_path / "3", "2.0", ("avx2",))
    old = IndexReader(before).look()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        with pytest.raises(IndexingError) as caught:
            Repository(before).publish(files)
    assert str(caught.value) == (
        f"{before} cannot be written: No space left on device. What was published before is untouched; make room, or choose "
        "another place, and publish again."
    )
    assert IndexReader(before).look() == old
    assert Repository(before).publish(files).added


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_file_that_changes_while_it_is_being_published(
    before: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = release(tmp_path / "3", "2.0", ("avx2",))
    old = tree(before)
    real = incoming.inspect

    def slow(path: Path, *more: Any) -> Any:
        inspected = real(path, *more)
        if path == files[-1]:
            path.unlink() if change == "removed" else path.write_bytes(b"changed")
        return inspected

    monkeypatch.setattr("variantkit.index.inspect", slow)
    with pytest.raises(IndexingError, match=r"was changed, or removed, while it was being published\. Publish again"):
        Repository(before).publish(files)
    assert tree(before) == old


def test_what_is_stored_is_what_was_looked_at(tmp_path: Path) -> None:
    (path,) = files_in([wheel(tmp_path, "demo-1.0-py3-none-any.whl")])
    new = inspect(path, NOW)
    store(new, tmp_path / "index")
    assert (tmp_path / "index" / new.file.place).read_bytes() == path.read_bytes()
    path.write_bytes(b"other")
    # It is there already, and so its source is not looked at any more.
    store(new, tmp_path / "index")
    with pytest.raises(IndexingError):
        store(new, tmp_path / "elsewhere")
    assert [path for path in (tmp_path / "elsewhere").rglob("*.whl") if path.is_file()] == []
