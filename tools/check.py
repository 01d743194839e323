"""`python -m tools.check`: find what is wrong with the release in dist/, or with a published index."""

from __future__ import annotations

import sys
from pathlib import Path

from . import ROOT, imports

if __name__ == "__main__":
    with imports("check"):
        from variantkit.cli import check, release, run

    def rebuild(root: Path, out: Path) -> None:
        """Build the release again, with the projects that belong to it."""
        release.rebuild(root, out, also=[Path("python")])

    sys.exit(run(lambda: check.main(sys.argv[1:], prog="python -m tools.check", root=ROOT, rebuild=rebuild)))
