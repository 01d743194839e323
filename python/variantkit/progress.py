"""A list of steps with elapsed times: a live line on a terminal, one line per step in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as _Live

__all__ = ["Progress", "Step"]


class Step:
    """A step that is running; whoever runs it may say how it went."""

    def __init__(self) -> None:
        self.note = ""


class Progress:
    """Shows `total` steps, one after the other, on `stream` (stderr)."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self._done = 0
        self._stream = stream or sys.stderr

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Run one step; its line ends with the seconds it took and with `Step.note`."""
        step = Step()
        number = f"[{self._done + 1:>{len(str(self.total))}}/{self.total}]"
        started = time.perf_counter()
        failed = True
        head = f"{number} {title:<44}"
        try:
            live = self._live(f"{number} {title}")
            if live is None:
                print(head, end="", file=self._stream, flush=True)
                head = ""
            with live or contextlib.nullcontext():
                yield step
            failed = False
        finally:
            self._done += 1
            note = "failed" if failed else step.note
            elapsed = time.perf_counter() - started
            print(f"{head} {elapsed:6.1f} s  {note}".rstrip(), file=self._stream, flush=True)

    def _live(self, text: str) -> _Live | None:
        """Return a spinner where there is a terminal for it."""
        if not self._stream.isatty():
            return None
        try:
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        except ImportError:
            return None
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        live = Progress(*columns, console=Console(file=self._stream), transient=True)
        live.add_task(text, total=None)
        return live
