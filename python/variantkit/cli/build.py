"""`variantkit build`: build the wheels of a project, each classifier once and the base wheel once per Python ABI."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.build import Builder, choose_interpreters
from variantkit.host import this_machine
from variantkit.matrix import read_matrix
from variantkit.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None, also: Sequence[Path] = ()) -> int:
    """Build; `also` are pure Python projects of the same tree whose wheels belong to the release."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=root or Path(), help="the project, with its classifiers.toml (here)"
    )
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="where the wheels go (ROOT/dist)")
    parser.add_argument(
        "--classifiers",
        metavar="NAME,...",
        help="which to build; the base's name means the base wheels (all of this platform)",
    )
    parser.add_argument(
        "--python",
        metavar="ABI,...",
        help="base wheels for these, such as cp311,cp312-abi3 (all Pythons found on this machine)",
    )
    parser.add_argument("--werror", action="store_true", help="compiler warnings are errors")
    options = parser.parse_args(arguments)

    matrix = read_matrix(options.root)
    here = "-".join(this_machine())
    wanted = options.classifiers.split(",") if options.classifiers else [row.name for row in matrix.published(here)]
    if not wanted:
        parser.error(f"classifiers.toml has no row for this platform, {here}; name what to build with --classifiers")
    names = [matrix.row(name).name for name in wanted]
    interpreters = choose_interpreters(options.root, options.python.split(",") if options.python else None)
    out = options.out or options.root / "dist"
    progress = Progress(0)
    builder = Builder(root=options.root, out=out, progress=progress, warnings_are_errors=options.werror)
    progress.total = builder.count(names, interpreters) + len(also)
    wheels = [builder.pure_wheel(project, interpreters[0]) for project in also]
    wheels += builder.build(names, interpreters)
    for wheel in wheels:
        print(os.path.relpath(wheel))
    return 0
