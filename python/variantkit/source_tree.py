"""A copy of a project's own files: what git tracks, or where there is no git what is not built."""

from __future__ import annotations

import os
import shutil
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
        listed = os.fsdecode(subprocess.run(command, capture_output=True, check=True).stdout)
        names = [Path(name) for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if not names:  # also where the project lies in a folder that another repository ignores
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
    _remove_others(target, set(files))
    for name in files:
        write_atomically(target / name, (root / name).read_bytes())
        (target / name).chmod((root / name).stat().st_mode & 0o777)


def _remove_others(target: Path, wanted: set[Path]) -> None:
    """Remove what is not in the project any more; first of all, since a folder may have become a file, or the reverse."""
    parents = {parent for name in wanted for parent in name.parents}
    for directory, folders, files in os.walk(target):
        here = Path(directory)
        kept = _BUILT if here == target else {"__pycache__"}
        for path in [here / name for name in folders if name not in kept]:
            if path.is_symlink():
                path.unlink()
            elif path.relative_to(target) not in parents:
                shutil.rmtree(path)
        folders[:] = [name for name in folders if name not in kept and (here / name).is_dir()]
        for path in [here / name for name in files]:
            if path.is_symlink() or path.relative_to(target) not in wanted:
                path.unlink()
