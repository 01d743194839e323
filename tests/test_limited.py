"""What has to be finished in a time is stopped with all that it has started, and that is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


def limited(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.limited", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("status", [0, 3])
def test_in_time_the_status_is_that_of_the_command(root: Path, status: int) -> None:
    done = limited(root, "30", sys.executable, "-c", f"raise SystemExit({status})")
    assert (done.returncode, done.stderr) == (status, "")


def test_what_takes_too_long_is_stopped_with_its_children(root: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    started = time.monotonic()
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '50']); open(sys.argv[1], 'w').write(str(p.pid)); p.wait()"
    done = limited(root, "3", sys.executable, "-c", script, str(note))
    assert done.returncode == 124
    assert "has not ended after 0.05 minutes, and was stopped. Find out what has become slow" in done.stderr
    assert time.monotonic() - started < 45
    child = int(note.read_text())
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        # It may be a zombie until init has taken note of it.
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {child} still runs")


def test_the_two_matrices_of_machines_have_a_quarter_of_an_hour(root: Path) -> None:
    from test_recorded import LIMIT

    text = (root / "noxfile.py").read_text(encoding="utf-8")
    assert "EMULATED_LIMIT = 600" in text
    assert LIMIT + 600 <= 15 * 60
