"""Builds that do not go to their end: nothing is half-written, the message helps, and the next build goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from environments import build_command, build_project

pytestmark = pytest.mark.wheels


def test_ctrl_c_in_a_build(saxpy: Path, wheelhouse: Path) -> None:
    command, environ = build_command(saxpy, wheelhouse)
    # A shell that runs the tests in the background has them ignore SIGINT, and the build would inherit that.
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )  # fmt: skip
    # The first wheel is being built once its log is there.
    log = saxpy / "build" / "logs" / "saxpy_fast_v2.log"
    deadline = time.monotonic() + 120
    while not log.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.exists(), process.communicate()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted; nothing is left half-done" in errors
    assert "Traceback" not in errors
    assert list((saxpy / "dist").glob("*")) == []

    again = build_project(saxpy, wheelhouse)
    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == 2
    assert sorted(path.suffix for path in (saxpy / "dist").iterdir()) == [".whl", ".whl"]


def test_a_compiler_error_names_the_log_and_shows_its_end(saxpy: Path, wheelhouse: Path) -> None:
    (saxpy / "saxpy.cpp").write_text("this is not C++;\n")
    result = build_project(saxpy, wheelhouse, "--classifiers", "fast-v2")
    assert result.returncode == 1
    assert "saxpy.cpp:1:1: error" in result.stderr
    assert "The whole output is in" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--classifiers", "avx9"], "Choose one of: sse2, fast-v2"),
        (["--python", "cp27"], "No Python for cp27 was found"),
    ],
)
def test_wrong_arguments_say_what_is_right(root: Path, wheelhouse: Path, arguments: list[str], words: str) -> None:
    result = build_project(root / "tests" / "projects" / "saxpy", wheelhouse, *arguments)
    assert result.returncode == 2
    assert words in result.stderr
