"""Releases of this tree as tests get them, and the commands that make them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.tags import parse_tag, sys_tags

if TYPE_CHECKING:
    from environments import Environment

__all__ = ["Release", "Tool", "left_of_us", "partial_index", "sha256", "tool"]

Tool = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs one of this checkout's commands."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """What `python -m tools.release` has made: the finished files in `dist`, and the `index` that they are published in."""

    version: str
    dist: Path
    index: Path

    def wheel(self, distribution: str, label: str = "") -> Path:
        """The wheel for the Python that runs the tests; `label` is that of a variant."""
        here = frozenset(sys_tags())
        found = []
        for path in self.dist.glob(f"{distribution}-{self.version}-*.whl"):
            parts = path.stem.split("-")
            if parts[5:] == ([label] if label else []) and here & parse_tag("-".join(parts[2:5])):
                found.append(path)
        assert len(found) == 1, (distribution, label, found)
        return found[0]

    @property
    def python(self) -> str:
        """The base wheel for this Python, as `tools.release --python` calls it."""
        _, _, python, abi, _ = self.wheel("ndkernels").stem.split("-")
        return f"{python}-abi3" if abi == "abi3" else abi

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        """What the index says of the files of this version, by name."""
        page = json.loads((self.index / "simple" / project / "index.json").read_text(encoding="utf-8"))
        return {each["filename"]: each for each in page["files"] if f"-{self.version}" in each["filename"]}


def tool(root: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `python -m tools.WORDS` in the checkout."""
    command = [sys.executable, "-m", *words]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert not check or result.returncode == 0, f"{command} gave {result.returncode}:\n{result.stdout}\n{result.stderr}"
    return result


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def partial_index(release: Release, target: Path, keep: Callable[[str], bool]) -> Path:
    """Copy the index of a release without what `keep` says False of, as file names of the project that has variants."""
    shutil.copytree(release.index, target, symlinks=True)
    page = target / "simple" / "ndkernels"
    document = json.loads((page / "index.json").read_text(encoding="utf-8"))
    document["files"] = [each for each in document["files"] if keep(each["filename"])]
    lines = (page / "index.html").read_text(encoding="utf-8").splitlines()
    dropped = [
        line for line in lines if line.startswith("<a ") and not keep(line.rpartition("</a>")[0].rpartition(">")[2])
    ]
    assert dropped, "nothing is left out of this index"
    for name, text in (
        ("index.json", json.dumps(document)),
        ("index.html", "\n".join(line for line in lines if line not in dropped)),
    ):
        (page / name).unlink()
        (page / name).write_text(text, encoding="utf-8")
    return target


def left_of_us(environment: Environment) -> list[str]:
    """What the project has left in an environment: files and folders, relative to it."""
    found = (path.relative_to(environment.folder) for path in environment.folder.rglob("*"))
    return [str(path) for path in found if re.search("ndkernels|variantkit", str(path))]
