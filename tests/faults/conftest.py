"""Fixtures: publications that can be killed, and the second customer's project in an environment of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments import clean_environ, uv
from publications import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def publisher() -> Iterator[Publisher]:
    """A process that publishes in children, which can be killed."""
    with Publisher.running() as running:
        yield running


class Running:
    """A command that was started; `said` is what it has said, all of it after `end`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said = ""

    def until(self, words: str) -> None:
        """Wait until it has said these words."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + 120
        while words not in self.said:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            assert ready, f"it does not say {words!r}:\n{self.said}"
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, f"it has ended without saying {words!r}:\n{self.said}"
            self.said += more.decode()

    def send(self, number: int) -> None:
        """Send a signal, SIGKILL to its whole group."""
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended and return its exit status."""
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.said += self.process.communicate(timeout=300)[0].decode()
        return self.process.returncode


@dataclasses.dataclass(frozen=True)
class Customer:
    """A project that is released by the command `variantkit` of an environment of its own."""

    project: Path
    command: Path
    wheels: Path

    def words(self, name: str, *arguments: str | Path) -> list[str]:
        return [str(self.command), name, "--root", str(self.project), *map(str, arguments)]

    @property
    def environ(self) -> dict[str, str]:
        """What a maintainer has; variantkit, which builds need, is that of this tree."""
        path = os.pathsep.join([str(self.command.parent), "/usr/local/bin", "/usr/bin", "/bin"])
        # One Python is enough here, and to look for others takes a second each time.
        found = {"PATH": path, "PYENV_ROOT": "/nowhere"}
        return {**clean_environ(), **found, "UV_FIND_LINKS": str(self.wheels), "PIP_FIND_LINKS": str(self.wheels)}

    def run(self, name: str, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            self.words(name, *arguments), env=self.environ, capture_output=True, text=True, check=False, timeout=300
        )
        assert not check or result.returncode == 0, f"{name} gave {result.returncode}:\n{result.stdout}{result.stderr}"
        assert "Traceback" not in result.stderr, result.stderr
        return result

    @contextlib.contextmanager
    def start(self, name: str, *arguments: str | Path) -> Iterator[Running]:
        """Start a command in a process group of its own; all of it is gone when the context is left."""
        process = subprocess.Popen(
            self.words(name, *arguments), env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell that runs the tests in the background has them ignore SIGINT, and a release would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 -- no locks here
        )  # fmt: skip
        running = Running(process)
        try:
            yield running
        finally:
            running.send(signal.SIGKILL)
            running.end()

    @property
    def dist(self) -> Path:
        return self.project / "build" / "release" / "dist"

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.project / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="session")
def variantkit(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Customer:
    """The command, installed from the wheel of this tree as a maintainer would, and no project yet."""
    folder = tmp_path_factory.mktemp("variantkit")
    python = folder / "env" / "bin" / "python"
    _run(uv(), "build", "--wheel", "--out-dir", folder / "wheels", root / "python")
    _run(uv(), "venv", "--python", sys.executable, folder / "env")
    wheel = next((folder / "wheels").glob("*.whl"))
    _run(uv(), "pip", "install", "--python", python, f"{wheel}[release]", "uv")
    return Customer(folder, folder / "env" / "bin" / "variantkit", folder / "wheels")


@pytest.fixture(scope="session")
def released(variantkit: Customer, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Customer:
    """The second customer's project after its first release; tests must not change it."""
    project = tmp_path_factory.mktemp("released") / "saxpy"
    _copy(root / "tests" / "projects" / "saxpy", project)
    customer = dataclasses.replace(variantkit, project=project)
    customer.run("release", "--out", project.parent / "index")
    return customer


@pytest.fixture
def saxpy(variantkit: Customer, root: Path, tmp_path: Path) -> Customer:
    """The second customer's project, with nothing built."""
    _copy(root / "tests" / "projects" / "saxpy", tmp_path / "saxpy")
    return dataclasses.replace(variantkit, project=tmp_path / "saxpy")


def _run(*words: str | Path) -> None:
    command = [str(word) for word in words]
    result = subprocess.run(command, env=clean_environ(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command} gave {result.returncode}:\n{result.stdout}{result.stderr}"


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("build", "dist"))


@dataclasses.dataclass(frozen=True)
class SmallDisk:
    """A disk of its own that only some processes see: `inside` are words before their commands."""

    inside: tuple[str, ...]
    place: Path
    seen: Path

    def free(self) -> int:
        return shutil.disk_usage(self.seen).free

    def leave(self, free: int) -> None:
        """Fill the disk up, all but `free` bytes."""
        self.make_room()
        with (self.seen / "filler").open("wb") as file:
            file.write(bytes(self.free() - free))

    def make_room(self) -> None:
        (self.seen / "filler").unlink(missing_ok=True)

    def mount(self, options: str) -> None:
        _run(*self.inside, "mount", "-o", f"remount,{options}", self.place)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 8 MiB in a mount namespace."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.fail("A small disk is mounted in a namespace: run this session as root on Linux, or deselect it.")
    place = tmp_path / "small"
    place.mkdir()
    script = 'mount -t tmpfs -o size=8m,mode=755 tmpfs "$0" && echo ready && exec cat'
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            pytest.fail(
                "A disk of its own cannot be mounted here (unshare --mount): allow that, or deselect this session."
            )
        inside = ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt")
        yield SmallDisk(inside, place, Path(f"/proc/{holder.pid}/root{place}"))
    finally:
        holder.communicate()
