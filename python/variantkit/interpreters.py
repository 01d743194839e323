"""The Python interpreters of this machine that a base wheel can be built for."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.errors import InterpreterNotFoundError
from variantkit.matrix import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Interpreter", "abi_named", "abi_of", "choose_interpreters", "find_interpreters"]

_VERSION = re.compile(r"(?:python)?3\.(\d{1,3})(t?)")

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

    Of a virtual environment, the interpreter that it was made from is given. Looked at: the running interpreter, `extra`, every
    `python3.N` in each directory of PATH, pyenv's versions and manylinux's /opt/python. An interpreter that does not start, has
    no headers or is not CPython is left out.
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


def choose_interpreters(root: Path, wanted: Iterable[str] | None = None) -> list[Interpreter]:
    """Return one interpreter per base wheel of the project in `root`: one per ABI, and one for the stable ABI.

    `wanted` are tags such as "cp311", or "cp312-abi3" for the stable ABI, or versions, "3.11"; without it, all that this
    machine can build.
    Raises `InterpreterNotFoundError` when there is none, or when a wanted one is not there.
    """
    api = read_pyproject(root).get("tool", {}).get("scikit-build", {}).get("wheel", {}).get("py-api", "")
    by_abi: dict[str, Interpreter] = {}
    for interpreter in find_interpreters():
        if interpreter.version >= (3, 10):
            by_abi.setdefault(abi_of(api, interpreter), interpreter)
    if not by_abi:
        msg = (
            f"No Python 3.10 or later with its headers was found, not even the running one, {sys.executable}. "
            f"Install the headers; on Debian and Ubuntu: apt install python3-dev"
        )
        raise InterpreterNotFoundError(msg)
    if wanted is None:
        return list(by_abi.values())
    wanted = list(dict.fromkeys(abi_named(api, each) for each in wanted))
    missing = [tag for tag in wanted if tag not in by_abi]
    if missing:
        msg = (
            f"No Python for {', '.join(missing)} was found on this machine (found: {', '.join(by_abi) or 'none'}). "
            f"Install it, with its headers, or leave it out."
        )
        raise InterpreterNotFoundError(msg)
    return [by_abi[tag] for tag in wanted]


def abi_named(api: str, word: str) -> str:
    """Return which base wheel is meant by a version such as "3.11" or "3.14t"; everything else is a tag already."""
    found = _VERSION.fullmatch(word)
    if found is None:
        return word
    version = (3, int(found[1]))
    return abi_of(api, Interpreter(executable=Path(), version=version, free_threaded=bool(found[2])))


def abi_of(api: str, interpreter: Interpreter) -> str:
    """Return which base wheel the interpreter builds, by scikit-build-core's setting `wheel.py-api`."""
    if api.startswith("py"):
        return "py3-none"  # no extension module: one wheel for all
    if api.startswith("cp") and interpreter.version >= (int(api[2]), int(api[3:])) and not interpreter.free_threaded:
        return f"{api}-abi3"
    return interpreter.tag
