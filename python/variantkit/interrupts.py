"""Ctrl-C, where it would do harm, and what is like it."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["Stopped", "interrupt_deferred"]


class Stopped(BaseException):
    """Raised in a function whose neighbour has failed; like an interrupt, it is not for handlers of errors."""


@contextlib.contextmanager
def interrupt_deferred() -> Iterator[None]:
    """Let Ctrl-C wait until the block has been left: a process that is being started is known then, and can be ended.

    An extension module whose initialization it cuts short can abort the whole process. Threads other than the main one
    never see it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting and callable(before):
        before(*waiting[0])
