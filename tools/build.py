"""`python -m tools.build`: build variantkit's wheel, the classifier wheels and the base wheels into dist/."""

from __future__ import annotations

import sys

from . import ROOT, imports

if __name__ == "__main__":
    with imports("build"):
        from variantkit.cli import build, run

    sys.exit(run(lambda: build.main(sys.argv[1:], prog="python -m tools.build", root=ROOT, also=[ROOT / "python"])))
