"""`python -m tools.audit`: prove that no wheel of the release can crash the machine that it is chosen for."""

from __future__ import annotations

import sys

from . import ROOT, imports

if __name__ == "__main__":
    with imports("audit"):
        from variantkit.cli import audit, run

    sys.exit(run(lambda: audit.main(sys.argv[1:], prog="python -m tools.audit", root=ROOT)))
