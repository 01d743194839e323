"""`python -m tools.assemble`: make variant wheels from base and classifier wheels, without compiling."""

from __future__ import annotations

import sys

from . import ROOT, imports

if __name__ == "__main__":
    with imports("assemble"):
        from variantkit.cli import assemble, run

    sys.exit(run(lambda: assemble.main(sys.argv[1:], prog="python -m tools.assemble", root=ROOT)))
