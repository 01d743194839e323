"""One writer at a time in a directory; whoever has to wait is told for whom."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.errors import BusyError
from variantkit.files import storage, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["only_writer"]

_LOCK = ".lock"
_HOLDER = ".lock.json"


@contextlib.contextmanager
def only_writer(folder: Path, *, wait: bool = True, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of `folder`; while another process has it, wait and `say` who, or raise `BusyError`.

    The operating system gives the lock back when its holder ends in any way, so that a killed one blocks nobody. Raises
    `StorageError` where there is no room in `folder`, or nothing may be written, also while the lock is held.
    """
    import filelock

    holder = folder / _HOLDER
    lock = filelock.FileLock(folder / _LOCK)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            if not wait:
                msg = f"{folder} is being written by {_describe(holder)}. Try again when it has finished."
                raise BusyError(msg) from None
            say(f"waiting: {folder} is being written by {_describe(holder)}")
            lock.acquire()
    try:
        for path in folder.glob(f".{_HOLDER}.*"):  # of one that was killed while it wrote this
            path.unlink()
        facts = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "command": _command(),
        }
        write_atomically(holder, json.dumps(facts) + "\n")
        with storage(folder, read_too=True):
            yield
    finally:
        try:
            holder.unlink(missing_ok=True)
        finally:
            lock.release()


def _command() -> str:
    """Return the command that this process was started with, as people type it."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    return shlex.join([name, *sys.argv[1:]])


def _describe(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {facts['pid']} on {facts['host']} since {facts['since']} ({facts['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
