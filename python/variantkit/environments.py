"""Private environments to build in, and commands whose output goes to a log."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.errors import BuildError, StorageError
from variantkit.files import storage, write_atomically
from variantkit.interrupts import Stopped, interrupt_deferred
from variantkit.together import stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BuildEnvironment", "run_logged"]

# What every build needs beside the project's own `build-system.requires`.
_ALWAYS = ("build>=1.2", "cmake>=3.26", "ninja>=1.11", "tomli>=2; python_version < '3.11'")

# And what the wheel of a classifier needs, which is built by one Python only: jsonschema stands on a compiled package that has
# no wheels for some of them (rpds-py, for the free-threaded 3.13).
_FOR_CLASSIFIERS = ("jsonschema>=4.20", "tomli-w>=1.1")

_TAIL = 25

_SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Bytes that are left on a full disk.
_NO_ROOM = 64 * 1024

# Seconds that a command has to end after it was told to.
_GRACE = 5.0


class BuildEnvironment:
    """A virtual environment with a project's build requirements, made once and used again.

    `classifiers` says that wheels of classifiers are built in it.
    """

    def __init__(
        self, directory: Path, interpreter: Path, requires: Sequence[str], *, classifiers: bool = False
    ) -> None:
        self.directory = directory
        self.interpreter = interpreter
        self.requires = sorted({*requires, *_ALWAYS, *(_FOR_CLASSIFIERS if classifiers else ())})

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.directory / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def ensure(self) -> None:
        """Make the environment, or add to it what is missing; raise `BuildError` when that fails.

        One in which an installer was killed is made anew: it may say that something is installed of which half is there.
        """
        stamp = self.directory / "requires.txt"
        installed: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            installed = set(stamp.read_text(encoding="utf-8").splitlines())
        if installed.issuperset(self.requires):
            return
        if installed:
            stamp.unlink()
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        log = self.directory.parent / f"{self.directory.name}.log"
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if not self.python.exists():
            make = (
                [uv, "venv", "--quiet", "--python", str(self.interpreter)]
                if uv
                else [str(self.interpreter), "-m", "venv"]
            )
            run_logged([*make, str(self.directory)], log)
        install = (
            [uv, "pip", "install", "--python", str(self.python)] if uv else [str(self.python), "-m", "pip", "install"]
        )
        run_logged([*install, *sorted(installed | set(self.requires))], log)
        write_atomically(stamp, "\n".join(sorted(installed | set(self.requires))) + "\n")


def run_logged(command: Sequence[str | Path], log: Path, env: dict[str, str] | None = None) -> None:
    """Run `command` with its output in `log`; raise `BuildError` with the last lines when it fails.

    The command gets a process group of its own, and an interrupt ends all of it before it is passed on, as does the failure
    of what runs beside it (`variantkit.together`); when this process is killed, all of it ends too. Raises `StorageError`
    where there is no room for its output.
    """
    words = [str(word) for word in command]
    with storage(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"$ {shlex.join(words)}\n", encoding="utf-8")
    posix = os.name == "posix"
    process = None
    with log.open("a", encoding="utf-8") as file:
        try:
            with interrupt_deferred():
                process = subprocess.Popen(
                    [sys.executable, "-IS", str(_SUPERVISOR), *words] if posix else words,
                    stdin=subprocess.PIPE if posix else subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=env,
                    start_new_session=True,
                )
            status = _wait(process)
        except OSError as error:
            msg = f"{words[0]} cannot be started: {error.strerror}. Install it, or name another one."
            raise BuildError(msg) from error
        except BaseException:
            if process is not None:
                _end(process)
            raise
        finally:
            if process is not None and process.stdin is not None:
                process.stdin.close()
    if not status:
        return
    if shutil.disk_usage(log.parent).free < _NO_ROOM:
        msg = f"{Path(words[0]).name} failed, and there is no room left for {log}. Make room there, and run this again."
        raise StorageError(msg)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:])
    msg = f"{Path(words[0]).name} failed with status {status}:\n{tail}\nThe whole output is in {log}"
    raise BuildError(msg)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the status of a process when it has ended; raise `Stopped` when it shall not go on."""
    if stopped() is None:
        return process.wait()
    while not stopped():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=0.2)
    raise Stopped


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started, and return when none of them can write any more."""
    if sys.platform == "win32":
        process.terminate()
        process.wait()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        # The leader is gone, but a compiler or a backend of its group may still be at work.
        deadline = time.monotonic() + _GRACE
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
