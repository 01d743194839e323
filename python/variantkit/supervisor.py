"""Run a command for another process, and end all that it has started when that process is gone.

A killed process cannot end its children, and a compiler that goes on would write into the build tree of the next run. So
the command is run by this script, whose standard input is a pipe that only the process which asked for it holds open: the
operating system closes it, however that process ends. It is a script and not a module, so that it starts in milliseconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

__all__: list[str] = []


def _watch() -> None:
    os.read(0, 1)  # nothing is ever written there
    os.killpg(0, signal.SIGKILL)


def _main() -> None:
    threading.Thread(target=_watch, daemon=True).start()
    # Whoever ends the whole group waits for this process, which waits for the command: it may clean up first.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        status = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{sys.argv[1]} cannot be started: {error.strerror}. Install it, or name another one.", file=sys.stderr)
        status = 127
    sys.stderr.flush()
    # As a shell tells of a command that was ended by a signal. The watcher does not end by itself.
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    _main()
