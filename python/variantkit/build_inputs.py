"""What a wheel is made from, so that it is built again when that has changed and not otherwise."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
from pathlib import Path

__all__ = ["compiler", "files_below", "last_commit", "toolchain"]


def last_commit(root: Path, paths: list[Path]) -> str:
    """Return the time in seconds of the last commit that changed one of `paths`, or of the last one where there are none.

    It is an empty string where there is no git or no such commit.
    """
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct", "--", *map(str, paths)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def toolchain() -> str:
    """Return what the environment says about compilers, or an empty string."""
    names = {"CC", "CXX", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS"}
    names |= {name for name in os.environ if name.startswith(("CMAKE_", "SKBUILD_"))}
    return "\n".join(f"{name}={os.environ[name]}" for name in sorted(names) if os.environ.get(name))


@functools.cache
def compiler() -> str:
    """Return what the compiler says about itself, so that another version of it builds everything anew."""
    command = [*shlex.split(os.environ.get("CXX") or "c++"), "--version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def files_below(sources: list[Path], work: Path) -> list[Path]:
    """Return the files in `sources`, without caches, hidden directories and what is built from them."""
    files = set()
    for source in sources:
        if source.is_file():
            files.add(source)
            continue
        for directory, names, members in os.walk(source):
            here = Path(directory)
            names[:] = [
                name
                for name in names
                if not name.startswith(".") and name not in {"__pycache__", "dist"} and here / name != work
            ]
            files |= {here / member for member in members if not member.startswith(".")}
    return sorted(files)
