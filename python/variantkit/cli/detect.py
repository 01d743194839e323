"""`variantkit detect`: report what this machine can run, what is installed, what is loaded and what to install."""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from variantkit import report, requirement_lines
from variantkit.errors import HostFileError, PackageNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from variantkit.catalogue import Catalogue

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
        "1 nothing can be loaded and no command would change that. With --for: 0 the lines were printed, whatever is "
        "installed; 1 there are none, because no classifier runs on the machine",
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
    form.add_argument(
        "--for",
        dest="tool",
        choices=requirement_lines.TOOLS,
        metavar="TOOL",
        help=f"print only the lines that install the best classifier for the machine with {', '.join(requirement_lines.TOOLS)}",
    )
    parser.add_argument("--host", metavar="FILE", help="report on a recorded machine instead of this one")
    lines = parser.add_argument_group("with --for")
    lines.add_argument("--index", metavar="ADDRESS", help="the simple repository that has the wheels")
    lines.add_argument(
        "--companions",
        metavar="NAME,...",
        help="what else is to be taken from that index (variantkit); empty for nothing",
    )
    lines.add_argument(
        "--variants", action="store_true", help="let uv choose among variant wheels, a preview; it needs no extra"
    )
    options = parser.parse_args(arguments)
    _check(parser, options)

    host = None
    if options.host:
        from variantkit import hostfile

        try:
            host = hostfile.read(options.host).detect(all_sources=True)
        except OSError as error:
            msg = f"{options.host} cannot be read: {error.strerror}. Name a recorded machine, such as those in tests/data/hosts."
            raise HostFileError(msg) from error
    names = [options.package] if options.package else _customers()
    if (options.json or options.tool) and len(names) > 1:
        form_name = "--json reports on" if options.json else "--for is about"
        parser.error(f"{form_name} one package; name one of: {', '.join(names)}")
    status = 0
    for number, name in enumerate(names):
        found = report.locate(name, str(catalogue) if catalogue and name == package else None)
        data = report.gather(found, host)
        if options.tool:
            return _print_lines(found.catalogue, data, options)
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


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    given = [name for name in ("index", "companions", "variants") if getattr(options, name) not in {None, False}]
    if given and not options.tool:
        parser.error(f"--{given[0]} goes with --for")
    if options.variants and options.tool != "uv":
        parser.error("--variants goes with --for uv, the only tool that chooses among variant wheels")
    # It is put between quotation marks, in shell commands too.
    if options.index is not None and not re.fullmatch(r"[^\s\"'`$\\]+", options.index):
        parser.error(
            "--index: an address has no blanks, quotation marks, dollars and backslashes; encode them as %20 and so on"
        )


def _print_lines(catalogue: Catalogue, data: dict[str, Any], options: argparse.Namespace) -> int:
    """Print the lines for the recommended classifier, and nothing else to stdout."""
    best = data["recommended"]
    if best is None:
        print(f"No classifier of {catalogue.distribution} runs on this machine: {data['reason']}", file=sys.stderr)
        return NOTHING
    more = (
        {} if options.companions is None else {"companions": [name for name in options.companions.split(",") if name]}
    )
    among = options.tool == "uv" and not options.variants
    excluding = {name for pair in requirement_lines.exclusions(catalogue) for name in pair} if among else set()
    text = requirement_lines.lines(
        options.tool,
        distribution=catalogue.distribution,
        version=catalogue.version,
        # What excludes another extra cannot be required always; it is one of the extras below.
        extra=None if best == catalogue.base or best in excluding else best,
        index=options.index,
        variants=options.variants,
        **more,
    )
    print("\n\n".join([text, requirement_lines.conflicts(catalogue)] if excluding else [text]))
    return 0


def _customers() -> list[str]:
    """Return the installed packages that say, by an entry point, that variantkit loads them."""
    names = sorted({entry.name for entry in metadata.entry_points(group="variantkit")})
    if not names:
        msg = "No installed package says that variantkit loads it. Name the package to report on."
        raise PackageNotFoundError(msg)
    return names
