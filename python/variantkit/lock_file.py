"""One writer at a time in a directory; whoever has to wait is told for whom."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from typing import TYPE_CHECKING

from variantkit.errors import BusyError
from variantkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["only_writer"]


@contextlib.contextmanager
def only_writer(folder: Path, *, wait: bool = True, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of `folder`; while another process has it, wait and `say` who, or raise `BusyError`.

    The operating system gives the lock back when its holder ends in any way, so that a killed one blocks nobody.
    """
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / ".lock.json"
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        if not wait:
            msg = f"{folder} is being written by {_describe(holder)}. Try again when it has finished."
            raise BusyError(msg) from None
        say(f"waiting: {folder} is being written by {_describe(holder)}")
        lock.acquire()
    try:
        words = shlex.join([sys.argv[0].rpartition("/")[2], *sys.argv[1:]])
        facts = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "command": words,
        }
        write_atomically(holder, json.dumps(facts) + "\n")
        yield
        holder.unlink(missing_ok=True)
    finally:
        lock.release()


def _describe(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {facts['pid']} on {facts['host']} since {facts['since']} ({facts['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
