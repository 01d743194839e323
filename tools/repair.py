"""`python -m tools.repair`: make built wheels fit to be published."""

from __future__ import annotations

import sys

from . import ROOT, imports

if __name__ == "__main__":
    with imports("repair"):
        from variantkit.cli import repair, run

    sys.exit(run(lambda: repair.main(sys.argv[1:], prog="python -m tools.repair", root=ROOT)))
