"""The command of a package that is loaded through variantkit: `NAME doctor`, `NAME detect`.

The package makes `[project.scripts] NAME = "variantkit.cli.customer:main"`, with the name of the package. It is not imported
for it: a package that cannot be imported is what the doctor is for.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.cli import run

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_COMMANDS = {
    "doctor": "find out why it does not work, or not as fast as it could, and what mends it",
    "detect": "report what this machine can run and which classifier to install",
}
_WRONG_INPUT = 2


def _installed() -> str:
    """Return variantkit with the version that is installed, as an installer takes it."""
    from importlib import metadata

    try:
        return f"variantkit=={metadata.version('variantkit')}"
    except metadata.PackageNotFoundError:
        return "variantkit"


def main(arguments: Sequence[str] | None = None, *, package: str = "", prog: str = "") -> int:
    """Run a command for a package, by default for that which the script is called after, and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    package = package or Path(sys.argv[0]).name.removesuffix(".exe").removesuffix("-script.py")
    prog = prog or package
    if not words or words[0] in {"-h", "--help"}:
        print(f"usage: {prog} COMMAND [ARGUMENTS]\n")
        for name, text in _COMMANDS.items():
            print(f"  {name:<8} {text}")
        print(f"\n`{prog} COMMAND --help` tells more.")
        return 0 if words else _WRONG_INPUT
    if words[0] not in _COMMANDS:
        print(f"{prog}: {words[0]!r} is not a command; known are: {', '.join(_COMMANDS)}.", file=sys.stderr)
        return _WRONG_INPUT
    try:
        module = importlib.import_module(f"variantkit.cli.{words[0]}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "variantkit":
            raise
        cure = f"{sys.executable or 'python'} -m pip install --force-reinstall --no-deps {_installed()}"
        print(f"{prog} {words[0]} needs variantkit, which is damaged ({error}): {cure}", file=sys.stderr)
        return _WRONG_INPUT
    return run(lambda: module.main(words[1:], prog=f"{prog} {words[0]}", package=package))
