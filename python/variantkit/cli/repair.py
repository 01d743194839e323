"""`variantkit repair`: make built wheels fit to be published: platform tags, and the same bytes for the same inputs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.matrix import read_matrix
from variantkit.progress import Progress
from variantkit.repair import Repairer
from variantkit.wheel import find_wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Repair and print the paths of the repaired wheels."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=root or Path(), help="the project, with its classifiers.toml (here)"
    )
    parser.add_argument("wheels", nargs="+", type=Path, help="wheels, or directories of wheels")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the repaired wheels go")
    options = parser.parse_args(arguments)
    wheels = find_wheels(options.wheels)
    if not wheels:
        parser.error("there are no wheels to repair; build them first")
    repairer = Repairer(read_matrix(options.root), options.out, options.root / "build")
    progress = Progress(len(wheels))
    for wheel in wheels:
        with progress.step(f"repair {wheel.name.distribution} {wheel.name.python}") as step:
            path, reused = repairer.repair(wheel)
            step.note = "unchanged" if reused else path.name
        print(os.path.relpath(path))
    return 0
