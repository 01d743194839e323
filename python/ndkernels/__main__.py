"""`python -m ndkernels`: show what is loaded and why; with a command, the same as the script `ndkernels`."""

from __future__ import annotations

import sys

from ndkernels import show_config

if len(sys.argv) > 1:
    from ndkernels._command import main

    sys.exit(main(prog="python -m ndkernels"))
show_config()
