"""What `import` would load on many pretended machines: a script for the Python of an environment, run with -I -S.

Arguments: a JSON object with `hook` and `library` (folders to import from), `package`, `folders` (each with some of the
package's classifiers), and `runs` ([host file, folder, sources that cannot be read]). Prints a JSON list with the outcome of
each run: the classifier, or the error, or the signal. Each run is a fork, so that a thousand of them cost seconds.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    task = json.loads(sys.argv[1])
    sys.path[:0] = [task["hook"], task["library"]]
    # What messages need is imported once and not in each fork; nothing of the loader is among it.
    import importlib.metadata  # noqa: F401

    from variantkit.hostfile import read

    hosts = {path: read(path) for path in sorted({run[0] for run in task["runs"]})}
    print(json.dumps([outcome(task, hosts[path], folder, without) for path, folder, without in task["runs"]]))


def outcome(task: Any, recorded: Any, folder: str, without: list[str]) -> list[str]:
    """Import in a child process, and return what it was about to open, and where that lies."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, json.dumps(imported(task["package"], recorded, folder, without)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(answer) if status == 0 else [f"exit status {status}", ""]  # type: ignore[no-any-return]  # of ours


def imported(package: str, recorded: Any, folder: str, without: list[str]) -> list[str]:
    from pretended import NotOpenedError, Pretence, install

    sys.path.insert(0, folder)
    install(Pretence(host=recorded.name, without=tuple(without), open_libraries=False), recorded)
    try:
        __import__(package)
    except NotOpenedError as error:
        return [error.classifier, error.path]
    except ImportError as error:
        return [type(error).__name__, ""]
    return ["it was opened", ""]


if __name__ == "__main__":
    main()
