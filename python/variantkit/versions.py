"""Versions of snapshots, and giving a source tree another version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from variantkit import generate
from variantkit.errors import MatrixError
from variantkit.files import write_atomically
from variantkit.matrix import read_pyproject

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["set_version", "snapshot_version"]


def snapshot_version(version: str, day: datetime.date, published: Iterable[str]) -> str:
    """Return the version of the next snapshot after the release `version`: A.B.(C+1).devYYYYMMDDNN (PEP 440).

    It sorts before the release that it leads to. NN counts the snapshots of one day among the `published` versions, from
    01 to 99. Raises `MatrixError` when all of them are taken.
    """
    major, minor, micro = (*Version(version).release, 0, 0)[:3]
    start = f"{major}.{minor}.{micro + 1}.dev{day:%Y%m%d}"
    taken = {str(Version(each)) for each in published}
    for number in range(1, 100):
        if (wanted := f"{start}{number:02}") not in taken:
            return wanted
    msg = f"There are 99 snapshots of {day} already. Publish into another index, or tomorrow."
    raise MatrixError(msg)


def set_version(root: Path, version: str, also: Sequence[Path] = ()) -> None:
    """Give the project in `root` another version, and the projects `also` of the same tree, and what pins them.

    Raises `MatrixError` where a pyproject.toml does not say its name, and its version on a line of its own, below [project].
    """
    folders = [root, *also]
    before = {}
    for folder in folders:
        project = read_pyproject(folder).get("project", {})
        if not {"name", "version"} <= project.keys():
            msg = f"{folder / 'pyproject.toml'} has no name and version below [project]. Write them there."
            raise MatrixError(msg)
        before[canonicalize_name(project["name"])] = project["version"]
    for folder in folders:
        path = folder / "pyproject.toml"
        text, count = re.subn(
            r'(?ms)(^\[project\]\n(?:(?!^\[).)*?^version = ")[^"]+(")',
            rf"\g<1>{version}\g<2>",
            path.read_text(encoding="utf-8"),
        )
        if count != 1:
            msg = f'{path} has no line `version = "…"` below [project]. Write it so; the version of a snapshot goes there.'
            raise MatrixError(msg)
        for name, old in before.items():
            spelt = name.replace("-", "[-_.]+")
            pin = rf"""(?i)(["']{spelt} *(?:\[[^]]*\])? *== *){re.escape(old)}(?=["'; ,])"""
            text = re.sub(pin, rf"\g<1>{version}", text)
        write_atomically(path, text)
    generate.write(root)
