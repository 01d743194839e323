"""`python -m variantkit`: the same as the command `variantkit`."""

from __future__ import annotations

import sys

from variantkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
