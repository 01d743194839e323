"""Functions that run beside each other, and the steps that are shown of them."""

from __future__ import annotations

import io
import re
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from variantkit.environments import run_logged
from variantkit.errors import BuildError
from variantkit.interrupts import Stopped
from variantkit.progress import Progress
from variantkit.together import Together, stopped

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path


def test_functions_run_beside_each_other_and_give_what_they_return() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def meet(word: str) -> str:
        meeting.wait()
        return word

    with Together(2) as together:
        found = [together.start(meet, word) for word in ("one", "two")]
    assert [each.result() for each in found] == ["one", "two"]
    assert stopped() is None


def test_no_more_of_them_than_there_are_jobs() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def run() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    with Together(1) as together:
        for _ in range(5):
            together.start(run)
    assert most == 1


def test_the_first_failure_ends_the_command_of_its_neighbour_and_starts_no_other(tmp_path: Path) -> None:
    started, told = threading.Event(), []

    def long() -> None:
        started.set()
        try:
            run_logged(["sleep", "300"], tmp_path / "sleep.log")
        except Stopped:
            told.append("stopped")
            raise

    def fail() -> None:
        assert started.wait(20)
        run_logged(["sh", "-c", "exit 3"], tmp_path / "fail.log")

    def run() -> None:
        with Together(2) as together:
            together.start(long)
            together.start(fail)
            together.start(told.append, "never")

    begin = time.monotonic()
    with pytest.raises(BuildError, match="sh failed with status 3"):
        run()
    assert time.monotonic() - begin < 100
    assert told == ["stopped"]


def test_an_interrupt_ends_the_commands_of_all(tmp_path: Path) -> None:
    started = threading.Event()

    def long() -> None:
        started.set()
        run_logged(["sleep", "300"], tmp_path / "sleep.log")

    def interrupted() -> None:
        with Together(1) as together:
            running.append(together.start(long))
            assert started.wait(20)
            raise KeyboardInterrupt

    begin = time.monotonic()
    running: list[Future[None]] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - begin < 100
    assert isinstance(running[0].exception(), Stopped)


def test_a_step_has_a_line_when_it_begins_and_a_whole_one_when_it_ends() -> None:
    stream = io.StringIO()
    progress = Progress(3, stream)
    with progress.step("alone") as step:
        assert stream.getvalue() == f"[1/3] {'alone':<44}"
        step.note = "first"
    with progress.step("outer"), progress.step("inner") as step:
        step.note = "second"
    lines = [re.sub(r"\d\.\d s", "0.0 s", line.rstrip()) for line in stream.getvalue().splitlines()]
    assert lines == [
        f"[1/3] {'alone':<44}    0.0 s  first",
        "[2/3] outer",
        f"[3/3] {'inner':<44}    0.0 s  second",
        f"[2/3] {'outer':<44}    0.0 s",
    ]


@pytest.mark.parametrize(
    ("error", "word"), [(RuntimeError, "failed"), (KeyboardInterrupt, "stopped"), (Stopped, "stopped")]
)
def test_a_step_says_what_ended_it(error: type[BaseException], word: str) -> None:
    stream = io.StringIO()
    with pytest.raises(error), Progress(1, stream).step("work"):
        raise error
    assert stream.getvalue().rstrip().endswith(word)


def test_ctrl_c_while_a_thread_starts_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its start and its entry in the pool nobody would know of it."""
    ended = []

    def work() -> None:
        time.sleep(0.3)
        ended.append(True)

    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), Together(1) as together:
        together.start(work)
    assert ended == [True]


def test_spinners_of_steps_beside_each_other_leave_their_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = Progress(2, stream)
    with progress.step("outer"), progress.step("inner"):
        pass
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert re.search(r"\[2/2\] inner +\d+\.\d s", text)
    assert re.search(r"\[1/2\] outer +\d+\.\d s", text)
