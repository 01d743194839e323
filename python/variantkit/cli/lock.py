"""`variantkit lock`: add the variant wheels of an index to a pylock.toml that uv or pip wrote (PEP 751, PEP 825)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.lock import lock

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:  # noqa: ARG001 -- as every command
    """Write the file and say what was added."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog="uv installs the plain wheels from the file, as before. pip refuses a lock file that lists variants: keep "
        "the one without for it, and write this one with --out pylock.variants.toml.",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("pylock.toml"), help="the lock file to read (%(default)s)"
    )
    parser.add_argument(
        "--index",
        required=True,
        metavar="DIR_OR_URL",
        help="the simple repository that it was locked from: a folder, or what pip is given as --index-url",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write this file instead of changing the one read")
    options = parser.parse_args(arguments)
    for each in lock(options.file, options.index, options.out):
        labels = ", ".join(each.labels)
        print(f"{each.name} {each.version}: {each.wheels} variant wheels ({labels})", file=sys.stderr)
    print(options.out or options.file)
    return 0
