"""`python -m tools.release`: build, repair, assemble, check and publish everything of a release in one command."""

from __future__ import annotations

import sys
from pathlib import Path

from . import ROOT, imports

if __name__ == "__main__":
    with imports("release"):
        from variantkit.cli import release, run

    sys.exit(run(lambda: release.main(sys.argv[1:], prog="python -m tools.release", root=ROOT, also=[Path("python")])))
