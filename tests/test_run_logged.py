"""Commands that write to a log, what becomes of them when whoever started them is gone, and half-made environments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from variantkit.environments import BuildEnvironment, run_logged
from variantkit.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_the_output_and_the_command_are_in_the_log(tmp_path: Path) -> None:
    run_logged(["sh", "-c", "echo one; echo two >&2"], tmp_path / "logs" / "log")
    assert (tmp_path / "logs" / "log").read_text().splitlines() == ["$ sh -c 'echo one; echo two >&2'", "one", "two"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sh", "-c", "echo why; exit 3"], "sh failed with status 3:\n"),
        (["sh", "-c", "kill -9 $$"], "sh failed with status 137:\n"),
        (["no-such-command"], "no-such-command cannot be started: No such file or directory. Install it"),
    ],
)
def test_a_failure_is_told_with_the_end_of_the_log(command: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as failure:
        run_logged(command, tmp_path / "log")
    assert words in str(failure.value)
    assert str(failure.value).endswith(f"\nThe whole output is in {tmp_path / 'log'}")


def test_nothing_is_read_from_the_terminal(tmp_path: Path) -> None:
    run_logged(["cat"], tmp_path / "log")


@pytest.mark.skipif(os.name != "posix", reason="process groups are of POSIX")
def test_all_that_was_started_ends_with_a_killed_process(tmp_path: Path) -> None:
    shell = f"(sleep 300 & echo $! >{tmp_path / 'child'}); echo $$ >{tmp_path / 'parent'}; sleep 300"
    code = (
        "import sys; from pathlib import Path; from variantkit.environments import run_logged\n"
        f"run_logged(['sh', '-c', {shell!r}], Path({str(tmp_path / 'log')!r}))"
    )
    import variantkit

    environ = {**os.environ, "PYTHONPATH": str(Path(variantkit.__file__).parent.parent)}
    with subprocess.Popen([sys.executable, "-c", code], env=environ) as process:
        pids = [int(_when_written(tmp_path / name)) for name in ("child", "parent")]
        assert all(map(_runs, pids))
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_runs, pids))


def _when_written(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.read_text()


def _runs(pid: int) -> bool:
    """Say whether a process is there; one that has ended and was not waited for is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def test_an_environment_in_which_an_installer_was_killed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(command: Sequence[str | Path], log: Path) -> None:
        ran.append(" ".join(map(str, command)))

    monkeypatch.setattr("variantkit.environments.run_logged", run)
    folder = tmp_path / "env"
    environment = BuildEnvironment(folder, Path(sys.executable), ["one"])
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / "half").touch()
    environment.ensure()
    assert not (folder / "half").exists()
    assert len(ran) == 2
    assert " one" in ran[1]

    environment.ensure()
    assert len(ran) == 2

    # What more is needed is added; until it is there, nothing says that the environment is whole.
    (folder / "bin").mkdir()
    (folder / "bin" / "python").touch()
    more = BuildEnvironment(folder, Path(sys.executable), ["two"])

    def killed(command: Sequence[str | Path], log: Path) -> None:
        assert not (folder / "requires.txt").exists()
        assert {"one", "two"} <= set(map(str, command))
        raise KeyboardInterrupt

    monkeypatch.setattr("variantkit.environments.run_logged", killed)
    with pytest.raises(KeyboardInterrupt):
        more.ensure()
    assert not (folder / "requires.txt").exists()
