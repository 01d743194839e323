"""`python -m tools.lock`: add the variant wheels of an index to a pylock.toml."""

from __future__ import annotations

import sys

from . import ROOT, imports

if __name__ == "__main__":
    with imports("lock"):
        from variantkit.cli import lock, run

    sys.exit(run(lambda: lock.main(sys.argv[1:], prog="python -m tools.lock", root=ROOT)))
