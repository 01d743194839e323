"""`python -m tools.pretend HOST.toml -- COMMAND`: run a Python command on a machine that we do not have.

The loader in the command, and in the processes that it starts, gets the CPUID, XCR0 and kernel list of the recorded machine.
What it chooses is loaded where this machine can run it, and refused with the reason where it cannot.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import ROOT
from .pretended.pretended import VARIABLE, Pretence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HOOK", "environment", "main"]

HOOK = ROOT / "tools" / "pretended"
"""The folder that a process has to have on PYTHONPATH to pretend."""


def environment(pretence: Pretence, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that pretends."""
    path = os.pathsep.join(entry for entry in (str(HOOK), base.get("PYTHONPATH", "")) if entry)
    return {**base, VARIABLE: pretence.dump(), "PYTHONPATH": path}


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status, or 2 for bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.pretend",
        description=__doc__,
        usage="%(prog)s HOST.toml [--installed A,B] [--without SOURCE] [--dry-run] -- COMMAND ...",
        epilog="python -I and -S read no PYTHONPATH or no sitecustomize, and do not pretend; a line on stderr says when it works.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("host", type=Path, metavar="HOST.toml", help="a recorded machine, as in tests/data/hosts")
    parser.add_argument("--installed", metavar="A,B", help="hide all installed classifiers but these; empty for all")
    parser.add_argument(
        "--without", action="append", default=[], choices=["cpuid", "kernel"], help="a source that cannot be read"
    )
    parser.add_argument("--dry-run", action="store_true", help="open no library, also where this machine could run it")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    options = parser.parse_args(arguments)
    from variantkit import hostfile

    try:
        hostfile.read(options.host)
    except OSError as error:
        parser.error(f"{options.host} cannot be read: {error.strerror}. Name one of tests/data/hosts.")
    names = None if options.installed is None else tuple(name for name in options.installed.split(",") if name)
    pretence = Pretence(
        host=str(options.host.resolve()),
        installed=names,
        without=tuple(options.without),
        open_libraries=not options.dry_run,
    )
    program = shutil.which(options.command[0])
    if program is None:
        parser.error(f"there is no program {options.command[0]!r}; name the Python that has the package, as after --")
    command = [program, *options.command[1:]]
    return subprocess.run(command, env=environment(pretence, os.environ), check=False).returncode


if __name__ == "__main__":
    from variantkit.cli import run

    sys.exit(run(lambda: main(sys.argv[1:])))
