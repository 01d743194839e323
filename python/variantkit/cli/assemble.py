"""`variantkit assemble`: make variant wheels (PEP 825) from base and classifier wheels, without compiling."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit import variants
from variantkit.assemble import Assembler, migrate_file, read_release
from variantkit.errors import VariantError
from variantkit.matrix import read_matrix
from variantkit.wheel import find_wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Assemble, or bring old metadata up to date, and print the paths of what was written."""
    here = root or Path()
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=f"format {variants.CURRENT} of the metadata is written; uv reads it with --preview-features wheel-variants",
    )
    parser.add_argument("--root", type=Path, default=here, help="the project, with its classifiers.toml (here)")
    parser.add_argument(
        "files", nargs="*", type=Path, help=f"base and classifier wheels, or directories of them ({here / 'dist'})"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the variant wheels go (beside the first base wheel)"
    )
    parser.add_argument(
        "--migrate",
        action="store_true",
        help="rewrite the metadata of variant wheels and of -variants.json files in place, from an older format",
    )
    options = parser.parse_args(arguments)
    if options.migrate:
        return _migrate(parser, options.files)

    matrix = read_matrix(options.root)
    release = read_release(matrix, find_wheels(options.files or [options.root / "dist"]))
    assembler = Assembler(matrix, release, options.out or release.bases[0].path.parent)
    jobs = assembler.plan()
    made = []
    for number, job in enumerate(jobs, 1):
        made.append(assembler.make(*job))
        note = "  unchanged" if made[-1].unchanged else ""
        print(f"[{number:>{len(str(len(jobs)))}}/{len(jobs)}] {os.path.relpath(made[-1].path)}{note}")
    if index_file := assembler.write_index_file(made):
        print(os.path.relpath(index_file.path))
    else:
        print(
            f"No row of {options.root / 'classifiers.toml'} has properties (key `variant`), so there are no variants."
        )
    return 0


def _migrate(parser: argparse.ArgumentParser, paths: Sequence[Path]) -> int:
    files: list[Path] = []
    for path in paths:
        labelled = [wheel.path for wheel in find_wheels([path]) if wheel.name.label] if path.is_dir() else [path]
        files += [*labelled, *sorted(path.glob("*-variants.json"))] if path.is_dir() else labelled
    if not files:
        parser.error("name the variant wheels and -variants.json files to bring up to date, or a directory of them")
    for path in files:
        try:
            changed = migrate_file(path)
        except VariantError as error:
            msg = f"{path}: {error}"
            raise VariantError(msg) from error
        print(f"{os.path.relpath(path)}  {'brought up to date' if changed else 'unchanged'}")
    return 0
