"""The Python interpreters of this machine that a base wheel can be built for."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["Interpreter", "find_interpreters"]

_PROBE = """
import json, os, sys, sysconfig
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": sys.version_info[:2],
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
}))
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A CPython with its headers."""

    executable: Path
    version: tuple[int, int]
    free_threaded: bool

    @property
    def tag(self) -> str:
        """The PEP 425 ABI tag without its flags, "cp311" or "cp313t"."""
        return f"cp{self.version[0]}{self.version[1]}{'t' if self.free_threaded else ''}"


def find_interpreters(extra: list[Path] | None = None) -> list[Interpreter]:
    """Return the interpreters found, one per tag, oldest first; the running one comes before others of its tag.

    Of a virtual environment, the interpreter that it was made from is given. Looked at: the running interpreter, `extra`, every `python3.N` in each directory of PATH, pyenv's versions and
    manylinux's /opt/python. An interpreter that does not start, has no headers or is not CPython is left out.
    """
    found: dict[str, Interpreter] = {}
    for path in [Path(sys.executable), *(extra or []), *_candidates()]:
        interpreter = _probe(path)
        if interpreter is not None:
            found.setdefault(interpreter.tag, interpreter)
    return sorted(found.values(), key=lambda interpreter: (interpreter.version, interpreter.free_threaded))


def _candidates() -> list[Path]:
    paths: list[Path] = []
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        if directory:
            paths += sorted(Path(directory).glob("python3.[0-9]*[0-9]"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    paths += sorted(pyenv.glob("versions/*/bin/python3"))
    paths += sorted(Path("/opt/python").glob("cp*/bin/python"))
    return list(dict.fromkeys(paths))


def _probe(path: Path) -> Interpreter | None:
    try:
        # -I: nothing of the caller's environment or directory takes part.
        run = subprocess.run([path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True)
        facts = json.loads(run.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if facts["implementation"] != "cpython" or not facts["headers"]:
        return None
    major, minor = facts["version"]
    return Interpreter(
        executable=Path(facts["executable"]), version=(major, minor), free_threaded=facts["free_threaded"]
    )
