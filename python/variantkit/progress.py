"""A list of steps with elapsed times: a live line on a terminal, one line per step in a log."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from variantkit.interrupts import Stopped
from variantkit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as _Live
    from rich.progress import TaskID

__all__ = ["Progress", "Step", "passing"]


class Step:
    """A step that is running; whoever runs it may say how it went."""

    def __init__(self) -> None:
        self.note = ""


class Progress:
    """Shows `total` steps on `stream` (stderr), one after the other or, from several threads, beside each other."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self._stream = stream or sys.stderr
        self._lock = threading.RLock()
        self._begun = 0
        self._running = 0  # steps at this moment
        self._live: _Live | None = None
        self._unfinished = ""  # the beginning of a line, which its step has not ended yet

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Run one step; its line ends with the seconds it took and with `Step.note`."""
        step = Step()
        started = time.perf_counter()
        head, task, note = title, None, "failed"
        try:  # from here on an interrupt finds a line to end
            with self._lock:
                self._begun += 1
                self._running += 1
                number = f"[{self._begun:>{len(str(self.total))}}/{self.total}]"
                head = f"{number} {title:<44}"
                task = self._show(f"{number} {title}", head)
            yield step
            note = step.note
        except (KeyboardInterrupt, Stopped):
            note = "stopped"
            raise
        finally:
            with self._lock:
                self._running -= 1
                self._end(head, f" {time.perf_counter() - started:6.1f} s  {note}".rstrip(), task)

    def _show(self, text: str, head: str) -> TaskID | None:
        """Show that a step runs: a spinner on a terminal, else the beginning of its line."""
        if self._live is None:
            self._live = self._spinners()
        if self._live is not None:
            return self._live.add_task(text, total=None)
        before, self._unfinished = self._unfinished, head
        print("\n" if before else "", head, sep="", end="", file=self._stream, flush=True)
        return None

    def _end(self, head: str, tail: str, task: TaskID | None) -> None:
        if self._live is not None and task is not None:
            self._live.remove_task(task)
            if not self._running:
                self._live.stop()
                self._live = None
        if self._live is not None:
            self._live.console.print(head + tail, markup=False, highlight=False, soft_wrap=True)
            return
        if self._unfinished == head:
            head = ""
        elif self._unfinished:
            print(file=self._stream)
        self._unfinished = ""
        print(head + tail, file=self._stream, flush=True)

    def _spinners(self) -> _Live | None:
        """Return spinners where there is a terminal for them."""
        if not self._stream.isatty():
            return None
        try:
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        except ImportError:
            return None
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        live = Progress(*columns, console=Console(file=self._stream), transient=True)
        live.start()
        return live


@contextlib.contextmanager
def passing(stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Give what shows a text in one line on a terminal, which is gone at the end; elsewhere nothing is shown."""
    out = stream or sys.stderr
    if not out.isatty():
        yield lambda _: None
        return

    def show(text: str) -> None:
        print(
            "\r\x1b[K", printable(text)[: shutil.get_terminal_size().columns - 1], sep="", end="", file=out, flush=True
        )

    try:
        yield show
    finally:
        show("")
