"""A copy of a project's own files: what git tracks, or where there is no git what is not built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from variantkit.errors import BuildError
from variantkit.files import write_atomically

__all__ = ["copy_sources", "source_files"]

_BUILT = {"build", "dist", "__pycache__"}


def source_files(root: Path) -> list[Path]:
    """Return the files of the project, relative to `root`: those that git tracks or does not ignore."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        names = [Path(name) for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
        for directory, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in _BUILT and not name.startswith(".")]
            names += [Path(directory, name).relative_to(root) for name in files]
    return sorted({name for name in names if (root / name).is_file()})


def copy_sources(root: Path, target: Path) -> None:
    """Make `target` hold the files of the project in `root`, and beside its own build folder nothing else.

    A file that is the same keeps its time stamp, so that nothing is built again for it. Raises `BuildError` when there are
    no files.
    """
    files = source_files(root)
    if not files:
        msg = f"{root} has no files of its own. Run this in a checkout of the project."
        raise BuildError(msg)
    for name in files:
        write_atomically(target / name, (root / name).read_bytes())
        (target / name).chmod((root / name).stat().st_mode & 0o777)
    for path in sorted(target.rglob("*"), reverse=True):
        name = path.relative_to(target)
        if path.is_file() and name not in files and name.parts[0] not in _BUILT and "__pycache__" not in name.parts:
            path.unlink()
