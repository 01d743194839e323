"""Run functions beside each other, a few at a time; a failure of one, or an interrupt, ends the commands of all."""

from __future__ import annotations

import concurrent.futures
import contextvars
import threading
from typing import TYPE_CHECKING, Any, TypeVar, final

from variantkit.interrupts import Stopped, interrupt_deferred

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Together", "stopped"]

_Result = TypeVar("_Result")

_stop: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("stop", default=None)


def stopped() -> bool | None:
    """Say whether the function that is running shall end, or None where it runs beside no other."""
    event = _stop.get()
    return None if event is None else event.is_set()


@final
class Together:
    """Functions that run beside each other, `jobs` at a time, and have all ended when the block has.

    The first failure is raised at the end of the block, when the others have been told to stop and have stopped.
    """

    def __init__(self, jobs: int) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=jobs)
        self._stop = threading.Event()
        self._futures: list[concurrent.futures.Future[Any]] = []

    def __enter__(self) -> Together:
        return self

    def start(self, function: Callable[..., _Result], *arguments: object) -> concurrent.futures.Future[_Result]:
        """Run a function as soon as there is room for it; those that were started earlier come first."""
        # An interrupt between a thread's start and its entry in the pool would leave it to run on, and nobody to wait.
        with interrupt_deferred():
            future = self._pool.submit(contextvars.copy_context().run, self._run, function, *arguments)
            self._futures.append(future)
        return future

    def _run(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        _stop.set(self._stop)
        if self._stop.is_set():
            raise Stopped
        try:
            return function(*arguments)
        except BaseException:
            self._stop.set()  # now, before this thread takes up the next
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                concurrent.futures.wait(self._futures, return_when=concurrent.futures.FIRST_EXCEPTION)
        finally:
            failed = error is not None or not all(each.done() and each.exception() is None for each in self._futures)
            if failed:
                self._stop.set()
            self._pool.shutdown(cancel_futures=failed)
        if error is None:
            failures = [each.exception() for each in self._futures if not each.cancelled()]
            for failure in sorted(filter(None, failures), key=lambda each: isinstance(each, Stopped)):
                raise failure
