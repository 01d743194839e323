"""`python -m tools.check`: find what is wrong with the release in dist/, or with a published index."""

from __future__ import annotations

import sys

from . import ROOT

if __name__ == "__main__":
    from variantkit.cli import check, run

    sys.exit(run(lambda: check.main(sys.argv[1:], prog="python -m tools.check", root=ROOT)))
