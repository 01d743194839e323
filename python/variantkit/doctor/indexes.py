"""What an installer's own settings name, an index or a folder, so that a command finds what was installed from there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Configured", "configured"]

Configured = Literal["", "folder", "index"]

_INDEXES = {
    "pip": ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    "uv": ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
}
_FOLDERS = {"pip": "PIP_FIND_LINKS", "uv": "UV_FIND_LINKS"}
_INDEX = re.compile(r"^\s*(\[\[index\]\]|(extra[-_])?index([-_]url)?\s*[=:])", re.MULTILINE)
_FOLDER = re.compile(r"^\s*find[-_]links\s*[=:]", re.MULTILINE)
_NO_INDEX = re.compile(r"^\s*no[-_]index\s*[=:]\s*(1|true|yes|on)\b", re.MULTILINE | re.IGNORECASE)
_TRUE = {"1", "true", "yes", "on"}


def configured(installer: str, environ: Mapping[str, str], *, root: str = "/", prefix: str = sys.prefix) -> Configured:
    """Return whether the environment, or a file of settings, names an index, or only a folder with distributions.

    An index that is switched off counts as none. `root` is where the folders of the machine's settings begin, `prefix` is
    the environment of this Python.
    """
    name = "uv" if installer == "uv" else "pip"
    files = _uv_files(environ, Path(root)) if name == "uv" else _pip_files(environ, Path(root), Path(prefix))
    texts = [_text(file) for file in files]

    def there(variables: Iterable[str], setting: re.Pattern[str]) -> bool:
        return any(environ.get(each, "").strip() for each in variables) or any(map(setting.search, texts))

    off = environ.get(f"{name.upper()}_NO_INDEX", "").strip().lower() in _TRUE or any(map(_NO_INDEX.search, texts))
    if not off and there(_INDEXES[name], _INDEX):
        return "index"
    return "folder" if there([_FOLDERS[name]], _FOLDER) else ""


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
