"""`variantkit doctor`: find out why a package does not work, or not as fast as it could, and what mends it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from variantkit import doctor, report
from variantkit.doctor import files, indexes
from variantkit.doctor import report as words
from variantkit.doctor.words import hint, mending_unread
from variantkit.errors import PackageNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.doctor import Finding

__all__ = ["HEALTHY", "ILL", "main"]

HEALTHY = 0
"""Exit status when nothing breaks the package or makes it slow; there may be notes."""

ILL = 1
"""Exit status when there are findings."""

_LIMIT = 60.0


def main(arguments: Sequence[str], *, prog: str, package: str | None = None) -> int:
    """Look at a package, say what was found, and return the exit status that the help text describes."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__ if package is None else (__doc__ or "").replace("a package", package, 1),
        epilog="exit status: 0 healthy, 1 there are findings that break the package or make it slow, 2 wrong use. "
        f"Findings: {', '.join(doctor.RULES)}",
    )
    if package is None:
        parser.add_argument("package", nargs="?", help="an installed package (all that use variantkit)")
    parser.add_argument("--json", action="store_true", help="print everything that was looked at as JSON")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="FINDING,...", help="leave these findings out; may be repeated"
    )
    parser.add_argument(
        "--with",
        dest="together",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this module before the package, to see both in one process (a second OpenMP runtime); may be repeated",
    )
    parser.add_argument(
        "--limit", type=seconds, default=_LIMIT, metavar="SECONDS", help="for each child process (%(default)g)"
    )
    options = parser.parse_args(arguments)
    ignored = {name.strip() for given in options.ignore for name in given.split(",") if name.strip()}
    if unknown := sorted(ignored - doctor.RULES.keys()):
        parser.error(f"--ignore: {unknown[0]!r} is no finding; there are {', '.join(doctor.RULES)}")
    if bad := [name for name in options.together if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name)]:
        parser.error(f"--with: {bad[0]!r} is not the name of a module")
    wanted = package or options.package
    names = [wanted] if wanted else _customers()
    if options.json and len(names) > 1:
        parser.error(f"--json reports on one package; name one of: {', '.join(names)}")
    status = HEALTHY
    for number, name in enumerate(names):
        shown, found = _examined(name, options, ignored)
        print(("\n" if number else "") + shown)
        status = status if words.healthy(found) else ILL
    return status


def _examined(name: str, options: argparse.Namespace, ignored: set[str]) -> tuple[str, Sequence[Finding]]:
    """Return what is to be printed about one package, and its findings."""
    try:
        package = report.locate(name)
    except Exception as error:
        # Nothing of that name is wrong use; a part of it, or one that cannot be read, is what the doctor is for.
        lost = _lost(name, error)
        if lost is None:
            raise
        found: Sequence[Finding] = [lost] if lost.rule not in ignored else []
        data = words.broken(name, found)
        return (_json(data) if options.json else "\n".join([name, "", *words.outcome(found)])), found
    say = _progress if sys.stderr is not None and sys.stderr.isatty() else _silent
    facts = doctor.observe(package, limit=options.limit, together=options.together, say=say)
    say("")
    found = doctor.diagnose(facts, ignored)
    return (_json(words.data(facts, found)) if options.json else words.text(facts, found)), found


def _lost(name: str, error: Exception) -> Finding | None:
    """Return the finding for a package whose catalogue cannot be read, None where there is no such package."""
    try:
        owner = next((dist for dist, packages in _owners().items() if name in packages), "")
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except Exception:  # noqa: BLE001 -- whatever is broken, something of that name is there
        owner, spec = name, None
    if archive := _archive(list(spec.submodule_search_locations or ()) if spec else []):
        return doctor.Finding(
            rule="nothing-usable",
            message=f"The package {name} lies in an archive, {archive}, and no library can be loaded from within one.",
            mend="unpack it, or make the archive with a tool that does so at its start (shiv, or PEX with --venv)",
        )
    if not owner and (spec is None or isinstance(error, PackageNotFoundError)):
        return None
    why = "its catalogue is missing" if isinstance(error, PackageNotFoundError) else _words(error)
    mend = f"{sys.executable or 'python'} -m pip install --force-reinstall --no-deps {owner or name}"
    configured: indexes.Configured = ""
    if items := files.distributions([owner or name], [entry for entry in sys.path if entry]):
        mend = mending_unread(name, items[0])
        configured = indexes.configured(items[0].installer, os.environ)
    return doctor.Finding(
        rule="package-damaged",
        message=f"The package {name} is not as it was installed: {why}.",
        mend=mend,
        hint=hint(mend, configured),
    )


def _archive(folders: Sequence[str]) -> Path | None:
    """Return the file that a package lies in."""
    return next((parent for folder in folders for parent in Path(folder).parents if parent.is_file()), None)


def _owners() -> dict[str, set[str]]:
    """Return the names of packages by the distribution that says, by an entry point, that variantkit loads them."""
    found: dict[str, set[str]] = {}
    for dist in metadata.distributions():
        for entry in dist.entry_points:
            if entry.group == "variantkit":
                found.setdefault(str(dist.metadata["Name"]), set()).add(entry.value.partition(".")[0])
    return found


def _words(error: BaseException) -> str:
    return f"its catalogue cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"


def _customers() -> list[str]:
    names = sorted({package for packages in _owners().values() for package in packages})
    if not names:
        msg = "No installed package says that variantkit loads it. Name the package to look at."
        raise PackageNotFoundError(msg)
    return names


def seconds(value: str) -> float:
    number = float(value)
    if not 0 < number <= 86400:
        msg = "a number of seconds between 0 and 86400"
        raise argparse.ArgumentTypeError(msg)
    return number


def _progress(what: str) -> None:
    sys.stderr.write(f"\r\033[K{what}{' …' if what else ''}")
    sys.stderr.flush()


def _silent(_what: str) -> None:
    pass


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2)
