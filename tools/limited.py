"""`python -m tools.limited SECONDS COMMAND...`: run a command that has to be finished by then, with all that it starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

_TOO_LONG = 124  # as `timeout` has it
_GRACE = 20


def main(arguments: list[str]) -> int:
    """Return the exit status of the command, 124 with a line on stderr where it was stopped."""
    seconds, *command = arguments
    # A group of its own, so that what it has started ends with it.
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait(float(seconds))
    except subprocess.TimeoutExpired:
        _stop(process)
        print(
            f"error: {' '.join(command)} has not ended after {float(seconds) / 60:g} minutes, and was stopped. Find out what has "
            "become slow, or raise the limit and say why.",
            file=sys.stderr,
        )
        return _TOO_LONG
    except KeyboardInterrupt:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
