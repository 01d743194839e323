"""The commands of this repository, `python -m tools.NAME`: they parse arguments, call variantkit and print.

They run from a bare checkout, and always with the variantkit of this tree, also where another one is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).resolve().parent.parent

# Once the package is imported, its modules are found through it. The folder does not stay on the path: ndkernels lies
# there too, without a library, and `tools.detect` reports on the installed one.
sys.path.insert(0, str(ROOT / "python"))
try:
    import variantkit  # noqa: F401
finally:
    sys.path.remove(str(ROOT / "python"))
