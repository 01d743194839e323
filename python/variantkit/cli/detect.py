"""`variantkit detect`: report what this machine can run, what is installed, what is loaded and what to install."""

from __future__ import annotations

import argparse
import json
from importlib import metadata
from typing import TYPE_CHECKING

from variantkit import report
from variantkit.errors import HostFileError, PackageNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["BETTER", "NOTHING", "main"]

BETTER = 10
"""Exit status when a better classifier could be installed."""

NOTHING = 1
"""Exit status when nothing can be loaded, and no better classifier could be installed either."""


def main(arguments: Sequence[str], *, prog: str, package: str | None = None, catalogue: Path | None = None) -> int:
    """Report and return the exit status that the help text describes.

    `package` is reported on when none is named, and `catalogue` is its catalogue where it is not installed.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog="exit status: 0 the best classifier is installed, 10 a better one could be installed, 2 bad arguments, "
        "1 nothing can be loaded and no command would change that",
    )
    parser.add_argument(
        "package",
        nargs="?",
        default=package,
        help="an installed package (%(default)s)" if package else "an installed package (all that use variantkit)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print the report as JSON (schema: variantkit/detect.schema.json)"
    )
    form.add_argument("--why-not", metavar="CLASSIFIER", help="explain why this classifier is not loaded")
    parser.add_argument("--host", metavar="FILE", help="report on a recorded machine instead of this one")
    options = parser.parse_args(arguments)

    host = None
    if options.host:
        from variantkit import hostfile

        try:
            host = hostfile.read(options.host).detect(all_sources=True)
        except OSError as error:
            msg = f"{options.host} cannot be read: {error.strerror}. Name a recorded machine, such as those in tests/data/hosts."
            raise HostFileError(msg) from error
    names = [options.package] if options.package else _customers()
    if options.json and len(names) > 1:
        parser.error(f"--json reports on one package; name one of: {', '.join(names)}")
    status = 0
    for number, name in enumerate(names):
        found = report.locate(name, str(catalogue) if catalogue and name == package else None)
        data = report.gather(found, host)
        if options.json:
            print(json.dumps(data, indent=2))
        elif options.why_not:
            print(report.why_not(data, options.why_not))
        else:
            print(("\n" if number else "") + report.render(data))
        if data["better"]:
            status = BETTER
        elif data["loaded"] is None:
            status = status or NOTHING
    return status


def _customers() -> list[str]:
    """Return the installed packages that say, by an entry point, that variantkit loads them."""
    names = sorted({entry.name for entry in metadata.entry_points(group="variantkit")})
    if not names:
        msg = "No installed package says that variantkit loads it. Name the package to report on."
        raise PackageNotFoundError(msg)
    return names
