"""Publishes on request, each time in a child process that can be killed; what it needs is imported once.

    python publisher.py

A line of JSON asks for a publication, `{"folder": …, "files": […], "replace": …, "now": …, "die_at": …}`. Two lines answer:
the process that is at it, which has a process group of its own, and how it ended, as `[status, text]`: a negative status is
a signal. With `die_at`, the process kills itself just before its change number `die_at` to the file system.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import filelock  # noqa: F401 -- imported late by those who use it, as the next

from variantkit import front, selector  # noqa: F401 -- imported late by those who use them
from variantkit.errors import VariantkitError
from variantkit.index import Repository

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _die_at(number: int) -> None:
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _publish(order: dict[str, Any]) -> str:
    repository = Repository(Path(order["folder"]), wait=order.get("wait", True))
    if order.get("die_at"):
        _die_at(order["die_at"])
    published = repository.publish(map(Path, order["files"]), replace=order.get("replace", False), now=order.get("now"))
    return f"{len(published.added)} added, {len(published.removed)} removed, {published.unchanged} unchanged"


def _child(order: dict[str, Any], answer: int) -> None:
    try:
        status, text = 0, _publish(order)
    except VariantkitError as error:
        status, text = 2, f"{type(error).__name__}: {error}"
    except BaseException as error:  # noqa: BLE001 -- told to whoever asked
        status, text = 1, repr(error)
    os.write(answer, text.encode())
    os._exit(status)


def main() -> None:
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _child(json.loads(line), writing)
        os.close(writing)
        os.setpgid(child, child)
        print(child, flush=True)
        with os.fdopen(reading, "rb") as answer:
            text = answer.read().decode()
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text]), flush=True)


if __name__ == "__main__":
    main()
