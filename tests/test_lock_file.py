"""One writer at a time, with real processes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from variantkit.errors import BusyError, StorageError
from variantkit.lock_file import only_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import sys
from pathlib import Path
from variantkit.lock_file import only_writer

with only_writer(Path(sys.argv[1]), say=lambda text: print(text, flush=True)):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock of a folder until it is told otherwise."""
    script = folder.with_name("holder.py")
    script.write_text(HOLDER)
    started = subprocess.Popen(
        [sys.executable, str(script), str(folder), "two words"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def line(holder: subprocess.Popen[str]) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().rstrip("\n")


def let_go(holder: subprocess.Popen[str]) -> None:
    assert holder.stdin is not None
    holder.stdin.write("\n")
    holder.stdin.flush()


def test_whoever_does_not_wait_is_told_who_holds_it(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with process(folder) as holder:
        assert line(holder) == "held"
        with pytest.raises(BusyError) as caught, only_writer(folder, wait=False):
            pytest.fail("two hold it")
        message = str(caught.value)
        assert message.startswith(f"{folder} is being written by process {holder.pid} on {platform.node()} since 2")
        assert message.endswith(f"(holder.py {folder} 'two words'). Try again when it has finished.")
        let_go(holder)
        holder.wait()
    with only_writer(folder, wait=False):
        pass


def test_the_second_waits_says_for_whom_and_comes_after_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with process(folder) as first:
        assert line(first) == "held"
        with process(folder) as second:
            assert line(second).startswith(f"waiting: {folder} is being written by process {first.pid} on ")
            let_go(first)
            assert line(second) == "held"
            assert json.loads((folder / ".lock.json").read_text())["pid"] == second.pid
            let_go(second)
            second.wait()
    assert not (folder / ".lock.json").exists()


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with process(folder) as holder:
        assert line(holder) == "held"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert json.loads((folder / ".lock.json").read_text())["pid"] == holder.pid
        with only_writer(folder, wait=False):
            assert json.loads((folder / ".lock.json").read_text())["pid"] == os.getpid()
    assert not (folder / ".lock.json").exists()


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"pid": 1}', "\ud800"])
def test_where_the_holder_cannot_be_told_it_is_another_process(tmp_path: Path, text: str | None) -> None:
    with only_writer(tmp_path):
        (tmp_path / ".lock.json").unlink()
        if text is not None:
            (tmp_path / ".lock.json").write_bytes(text.encode(errors="surrogatepass"))
        with pytest.raises(BusyError, match="is being written by another process"), only_writer(tmp_path, wait=False):
            pytest.fail("two hold it")


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_it_is_given_back_whatever_happens(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), only_writer(tmp_path):
        raise error
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with only_writer(tmp_path, wait=False):
        pass


def test_other_folders_have_other_locks(tmp_path: Path) -> None:
    with only_writer(tmp_path / "a", wait=False), only_writer(tmp_path / "b", wait=False):
        assert (tmp_path / "a" / ".lock.json").exists()


def test_what_a_killed_one_has_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "..lock.json.abc.partial").touch()
    (tmp_path / "other").touch()
    with only_writer(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".lock.json", "other"]


def test_a_command_is_named_as_people_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/variantkit/__main__.py", "index", "--out", "a b"])
    with only_writer(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["command"] == "variantkit index --out 'a b'"


def test_a_full_disk_while_it_is_held(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be written: .*\. Make room there"), only_writer(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match=r"Choose a place where files can be written"), only_writer(folder):
            pytest.fail("a file is no folder")
