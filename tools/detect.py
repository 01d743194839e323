"""`python -m tools.detect`: report what this machine can run and which classifier of ndkernels to install."""

from __future__ import annotations

import sys

from . import ROOT

if __name__ == "__main__":
    from variantkit.cli import detect, run

    catalogue = ROOT / "python" / "ndkernels" / "_catalogue.py"
    sys.exit(
        run(lambda: detect.main(sys.argv[1:], prog="python -m tools.detect", package="ndkernels", catalogue=catalogue))
    )
