"""`variantkit audit`: prove that no native file needs more of a machine than its label promises."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.errors import UncheckedError
from variantkit.features import LEVELS
from variantkit.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["main"]

_LEVELS = sorted(level for level in LEVELS if level.startswith("x86-64"))
_SYMBOLS = Path("build", "symbols")


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Return 0 when nothing is wrong, 1 with violations, 2 when something could not be audited."""
    here = root or Path()
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, epilog="exit status: 0 clean, 1 violations, 2 something could not be audited"
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help=f"wheels, folders of wheels, folders of packages, native files ({here / 'dist'})",
    )
    parser.add_argument(
        "--root", type=Path, default=here, help="the project, whose classifiers.toml the files are held against (here)"
    )
    parser.add_argument(
        "--level",
        choices=_LEVELS,
        default="",
        help="hold all files against this level, and not against classifiers.toml",
    )
    parser.add_argument(
        "--symbols",
        type=Path,
        metavar="DIR",
        help=f"unstripped builds of the same code, which name functions ({here / _SYMBOLS}, where that is)",
    )
    parser.add_argument(
        "--allow-undecoded",
        action="store_true",
        help="code for other machines than x86-64, which is not decoded, is no reason to exit with 2",
    )
    parser.add_argument("--select", metavar="RULE,...", help="only these rules, by id or how it begins (all)")
    parser.add_argument("--ignore", metavar="RULE,...", help="not these rules")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="also write the findings as SARIF 2.1.0")
    parser.add_argument("--rules", action="store_true", help="print the page on the rules (docs/audit.md) and stop")
    options = parser.parse_args(arguments)
    try:
        return _audit(parser, options, here)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("variantkit"):
            raise
        msg = f"{error.name} is not installed. Install what an audit needs: python -m pip install 'variantkit[release]'"
        raise UncheckedError(msg) from error


def _audit(parser: argparse.ArgumentParser, options: argparse.Namespace, here: Path) -> int:
    # What a distribution needs only for an audit is imported here, so that a missing one is told as such.
    from variantkit.audit import audit, sarif
    from variantkit.audit.rules import RULES, markdown, register
    from variantkit.matrix import read_matrix

    if options.rules:
        print(markdown(), end="")
        return 0
    if options.root != here and not options.root.is_dir():
        parser.error(f"{options.root} is not there; name the folder of the project")
    if options.symbols is not None and not options.symbols.is_dir():
        parser.error(f"{options.symbols} is not a folder; name one with unstripped builds")
    register()
    chosen = {name: _rules(parser, getattr(options, name), RULES) for name in ("select", "ignore")}
    symbols = options.symbols or options.root / _SYMBOLS
    result = audit(
        options.paths or [options.root / "dist"],
        matrix=read_matrix(options.root) if (options.root / "classifiers.toml").exists() else None,
        level=options.level,
        symbols=symbols if symbols.is_dir() else None,
        allow_undecoded=options.allow_undecoded,
        **chosen,
    )
    if options.sarif:
        write_atomically(options.sarif, sarif(result, options.root))
    print(result.json() if options.json else result.text())
    return result.status


def _rules(parser: argparse.ArgumentParser, text: str | None, known: Iterable[str]) -> list[str]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if not any(identifier.startswith(word) for identifier in known):
            parser.error(f"there is no rule {word}; --rules prints them")
    return words
