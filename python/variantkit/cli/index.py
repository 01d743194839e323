"""`variantkit index`: write a static package index (PEP 503) from wheels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.index import write_index

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Write the index and print how to install from it."""
    here = root or Path()
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("wheels", nargs="*", type=Path, help=f"wheels, or directories of wheels ({here / 'dist'})")
    parser.add_argument(
        "--out", type=Path, default=here / "build" / "index", metavar="DIR", help="where to publish (%(default)s)"
    )
    options = parser.parse_args(arguments)
    wheels: list[Path] = []
    for path in options.wheels or [here / "dist"]:
        wheels += sorted(path.glob("*.whl")) if path.is_dir() else [path]
    if not wheels:
        parser.error("there are no wheels to publish; build them first")
    simple = write_index(wheels, options.out)
    print(f"{len(wheels)} wheels published. What they require and is not among them has to be installed before:\n")
    print(f"    python -m pip install --index-url {simple.as_uri()} NAME")
    return 0
