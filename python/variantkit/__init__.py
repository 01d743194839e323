"""Build, choose and load hardware variants of a native library.

The modules that a program needs at run time (`loader`, `host`, `select` and what they use) import nothing heavy; import
them by name. This file stays empty so that importing one of them costs no more than that one.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
