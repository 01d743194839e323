"""The commands of this repository, `python -m tools.NAME`: they parse arguments, call variantkit and print.

They run from a bare checkout, and always with the variantkit of this tree, also where another one is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import contextlib

__all__ = ["ROOT", "imports"]

ROOT = Path(__file__).resolve().parent.parent

# Once the package is imported, its modules are found through it. The folder does not stay on the path: ndkernels lies
# there too, without a library, and `tools.detect` reports on the installed one.
sys.path.insert(0, str(ROOT / "python"))
try:
    import variantkit  # noqa: F401
finally:
    sys.path.remove(str(ROOT / "python"))


def imports(command: str) -> contextlib.AbstractContextManager[None]:
    """End the command with what to install, where a package is missing that it imports."""
    from variantkit import cli

    return cli.imports(f"python -m tools.{command}", "python -m pip install --group release (pip 25.1 or later)")
