"""Start `child`, with a time limit, and make of how it ended what happened."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from variantkit.doctor.facts import Outcome

__all__ = ["Ended", "absolute_path", "ending", "start"]

# The path of this process, so that the child sees the same packages whatever was said on the command line.
_BEGIN = (
    "import sys; n = int(sys.argv[1]); sys.path[:] = sys.argv[2 : 2 + n]; "
    "from variantkit.doctor.child import main; sys.exit(main(sys.argv[2 + n :]))"
)

# https://learn.microsoft.com/openspecs/windows_protocols/ms-erref/596a1078-e883-4972-9bbc-49e60bebca55
_WINDOWS = {
    0xC0000005: "STATUS_ACCESS_VIOLATION",
    0xC0000006: "STATUS_IN_PAGE_ERROR",
    0xC000001D: "STATUS_ILLEGAL_INSTRUCTION",
    0xC0000094: "STATUS_INTEGER_DIVIDE_BY_ZERO",
    0xC00000FD: "STATUS_STACK_OVERFLOW",
    0xC0000374: "STATUS_HEAP_CORRUPTION",
    0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """A child that has ended: what it said, and how it ended; `why` is empty where all was well."""

    outcome: Outcome
    why: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0

    def said(self, key: str, default: Any = None) -> Any:
        """Return the last value that the child gave under that key."""
        return next((message[key] for message in reversed(self.messages) if key in message), default)

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The checks that failed, with what was wrong; what is wrong with many of them is told of the first."""
        first: dict[str, str] = {}
        for message in self.messages:
            if "failed" in message:
                first.setdefault(message["problem"], message["failed"])
        return [(failed, problem) for problem, failed in first.items()]


def start(
    arguments: Sequence[str], *, limit: float, environ: Mapping[str, str], path: Sequence[object] | None = None
) -> Ended:
    """Run the child with these arguments and wait for it, `limit` seconds at most."""
    entries = absolute_path(sys.path if path is None else path)
    command = [sys.executable, *_flags(), "-c", _BEGIN, str(len(entries)), *entries, *arguments]
    began = time.monotonic()
    try:
        child = subprocess.run(
            command, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as expired:
        return ending(None, expired.stdout or b"", expired.stderr or b"", limit)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the environment or the path
        return Ended(outcome="not run", why=f"{sys.executable} could not be started: {error}")
    return ending(child.returncode, child.stdout, child.stderr, time.monotonic() - began)


def absolute_path(path: Sequence[object]) -> list[str]:
    """Return the entries of a path as they are found from any folder; the empty one means the current folder."""
    found = []
    for entry in path:
        if isinstance(entry, str):
            with contextlib.suppress(OSError):  # the current folder was removed
                found.append(str(Path(entry).absolute()))
    return found


def ending(status: int | None, stdout: bytes, stderr: bytes, seconds: float) -> Ended:
    """Return what a child with this exit status, None where it was stopped at the limit, and this output has done."""
    messages = tuple(_messages(stdout))
    ended = Ended(outcome="passed", messages=messages, seconds=seconds)
    check = ended.said("check")
    during = f" in {check!r}" if check and not ended.said("done") else " when the process ended" if check else ""
    if status is None:
        return dataclasses.replace(ended, outcome="timed out", why=f"no answer{during} in {seconds:g} seconds")
    name = _signal(status)
    if name:
        return dataclasses.replace(ended, outcome="crashed", why=f"it died by {name}{during}")
    if error := ended.said("error"):
        return dataclasses.replace(ended, outcome="failed", why=error)
    if ended.problems:
        return dataclasses.replace(
            ended, outcome="failed", why="; ".join(f"{failed}: {problem}" for failed, problem in ended.problems[:3])
        )
    if status != 0 or not messages:
        last = stderr.decode(errors="replace").strip().splitlines()
        words = f": {last[-1][:300]}" if last else ""
        return dataclasses.replace(ended, outcome="failed", why=f"it ended with status {status}{during}{words}")
    return ended


def _flags() -> list[str]:
    """Return the options of this interpreter that decide what can be imported."""
    flags = sys.flags
    given = {
        "-I": flags.isolated, "-E": flags.ignore_environment, "-s": flags.no_user_site, "-S": flags.no_site,
        "-B": flags.dont_write_bytecode,
    }  # fmt: skip
    gil = sys._xoptions.get("gil")
    return [*(flag for flag, wanted in given.items() if wanted), *([f"-Xgil={gil}"] if gil is not None else [])]


def _messages(stdout: bytes) -> list[dict[str, Any]]:
    found = []
    for line in stdout.splitlines():
        try:
            message = json.loads(line)
        except ValueError:  # a child that died in the middle of a line, or a program that is no child
            continue
        if isinstance(message, dict):
            found.append(message)
    return found


def _signal(status: int) -> str:
    """Return the name of what killed a process with that status, "" where it ended by itself."""
    if status >= 0x80000000:
        return _WINDOWS.get(status, f"the exception 0x{status:08X}")
    if status >= 0:
        return ""
    try:
        name = signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
    described = signal.strsignal(-status)
    return f"{name} ({described})" if described else name
