"""The commands of this repository, `python -m tools.NAME`: they parse arguments, call variantkit and print.

They run from a bare checkout: where variantkit is not installed, the one in this tree is used.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).resolve().parent.parent

if importlib.util.find_spec("variantkit") is None:
    sys.path.insert(0, str(ROOT / "python"))
