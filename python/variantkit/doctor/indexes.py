"""Whether an installer's own settings name an index or a folder, so that a command finds what was installed from there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["configured"]

_VARIABLES = {
    "pip": ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"),
    "uv": ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
}
_SETTING = re.compile(r"^\s*(\[\[index\]\]|((extra[-_])?index([-_]url)?|find[-_]links)\s*[=:])", re.MULTILINE)


def configured(installer: str, environ: Mapping[str, str], *, root: str = "/", prefix: str = sys.prefix) -> bool:
    """Return whether the environment, or a file of settings, names an index or a folder with distributions.

    `root` is where the folders of the machine's settings begin, `prefix` is the environment of this Python.
    """
    name = "uv" if installer == "uv" else "pip"
    if any(environ.get(variable, "").strip() for variable in _VARIABLES[name]):
        return True
    files = _uv_files(environ, Path(root)) if name == "uv" else _pip_files(environ, Path(root), Path(prefix))
    return any(_SETTING.search(_text(file)) for file in files)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # there is none, or it may not be read; a NUL in its name
        return ""


def _pip_files(environ: Mapping[str, str], root: Path, prefix: Path) -> Iterator[Path]:
    """Give the files that pip may read (https://pip.pypa.io/en/stable/topics/configuration/)."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:  # pip reads none then
        return
    if named:
        yield Path(named)
    for folder in (
        *_folders(environ, "XDG_CONFIG_DIRS", str(root / "etc" / "xdg")),
        str(root / "Library/Application Support"),
    ):
        yield Path(folder, "pip", "pip.conf")
    yield root / "etc" / "pip.conf"
    home = environ.get("HOME") or environ.get("USERPROFILE", "")
    if home:
        for folder in (*_folders(environ, "XDG_CONFIG_HOME", f"{home}/.config"), f"{home}/Library/Application Support"):
            yield Path(folder, "pip", "pip.conf")
        yield Path(home, ".pip", "pip.conf")
    for variable in ("PROGRAMDATA", "APPDATA"):
        if environ.get(variable):
            yield Path(environ[variable], "pip", "pip.ini")
    yield prefix / "pip.conf"
    yield prefix / "pip.ini"


def _uv_files(environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    """Give the files that uv may read outside of a project (https://docs.astral.sh/uv/concepts/configuration-files/)."""
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
    for folder in _folders(environ, "XDG_CONFIG_DIRS", str(root / "etc" / "xdg")):
        yield Path(folder, "uv", "uv.toml")
    yield root / "etc" / "uv" / "uv.toml"
    home = environ.get("HOME", "")
    if home:
        for folder in _folders(environ, "XDG_CONFIG_HOME", f"{home}/.config"):
            yield Path(folder, "uv", "uv.toml")
    for variable in ("PROGRAMDATA", "APPDATA"):
        if environ.get(variable):
            yield Path(environ[variable], "uv", "uv.toml")


def _folders(environ: Mapping[str, str], variable: str, default: str) -> list[str]:
    return [folder for folder in (environ.get(variable) or default).split(os.pathsep) if folder]
