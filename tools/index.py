"""`python -m tools.index`: publish the wheels in dist/ as a static package index in build/index/."""

from __future__ import annotations

import sys

from . import ROOT, imports

if __name__ == "__main__":
    with imports("index"):
        from variantkit.cli import index, run

    sys.exit(run(lambda: index.main(sys.argv[1:], prog="python -m tools.index", root=ROOT)))
