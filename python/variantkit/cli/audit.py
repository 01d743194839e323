"""`variantkit audit`: prove that no native file needs more of a machine than its label promises."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.cli.arguments import given_path, report_file, rule_names
from variantkit.errors import UncheckedError, VariantkitError
from variantkit.features import LEVELS
from variantkit.files import write_atomically
from variantkit.progress import passing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.audit import AuditResult

__all__ = ["main"]

_LEVELS = sorted(level for level in LEVELS if level.startswith("x86-64"))
_SYMBOLS = Path("build", "symbols")
_DIST = (Path("dist"), Path("build", "release", "dist"), Path("build", "dist"))


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Return 0 when nothing is wrong, 1 with violations, 2 when something could not be audited."""
    here = root or Path()
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, epilog="exit status: 0 clean, 1 violations, 2 something could not be audited"
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=given_path,
        metavar="PATH",
        help=f"wheels, folders of wheels, folders of packages, native files (the first that is there of "
        f"{', '.join(str(here / each) for each in _DIST)}: what a build or a release has made)",
    )
    parser.add_argument(
        "--root",
        type=given_path,
        default=here,
        help="the project, whose classifiers.toml the files are held against (here)",
    )
    parser.add_argument(
        "--level",
        choices=_LEVELS,
        default="",
        help="hold all files against this level, and not against classifiers.toml",
    )
    parser.add_argument(
        "--symbols",
        type=given_path,
        metavar="DIR",
        help=f"unstripped builds of the same code, which name functions ({here / _SYMBOLS}, where that is)",
    )
    parser.add_argument(
        "--allow-undecoded",
        action="store_true",
        help="code for other machines than x86-64, which is not decoded, is no reason to exit with 2",
    )
    parser.add_argument(
        "--select", type=rule_names, metavar="RULE,...", help="only these rules, by id or how it begins (all)"
    )
    parser.add_argument("--ignore", metavar="RULE,...", help="not these rules")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--sarif", type=report_file, metavar="FILE", help="also write the findings as SARIF 2.1.0")
    parser.add_argument("--rules", action="store_true", help="print the page on the rules (docs/audit.md) and stop")
    parser.add_argument("--quiet", action="store_true", help="do not say on a terminal what is looked at")
    options = parser.parse_args(arguments)
    try:
        return _audit(parser, options, here)
    except ModuleNotFoundError as error:
        raise _missing(error) from error


def _missing(error: ModuleNotFoundError) -> UncheckedError:
    if (error.name or "").startswith("variantkit"):
        raise error
    return UncheckedError(
        f"{error.name} is not installed. Install what an audit needs: python -m pip install 'variantkit[release]'"
    )


def _audit(parser: argparse.ArgumentParser, options: argparse.Namespace, here: Path) -> int:
    # What a distribution needs only for an audit is imported here, so that a missing one is told as such.
    from variantkit.audit.report import sarif
    from variantkit.audit.result import AuditResult
    from variantkit.audit.rules import markdown

    if options.rules:
        print(markdown(), end="")
        return 0
    failure: VariantkitError | None = None
    try:
        result = _result(parser, options, here)
    except (VariantkitError, ModuleNotFoundError) as error:
        failure = error if isinstance(error, VariantkitError) else _missing(error)
        result = AuditResult(findings=(), rules=(), files=0, instructions=0, seconds=0, unaudited=(str(failure),))
    # Programs are told in the same document that there is no outcome.
    if options.sarif:
        write_atomically(options.sarif, sarif(result, options.root))
    if options.json:
        print(result.json())
    if failure is not None:
        raise failure
    if not options.json:
        print(result.text())
    return result.status


def _result(parser: argparse.ArgumentParser, options: argparse.Namespace, here: Path) -> AuditResult:
    if options.root != here and not options.root.is_dir():
        msg = f"{options.root} is not there. Name the folder of the project."
        raise UncheckedError(msg)
    if options.symbols is not None and not options.symbols.is_dir():
        msg = f"{options.symbols} is not a folder. Name one with unstripped builds."
        raise UncheckedError(msg)
    from variantkit.audit import audit
    from variantkit.audit.auditing import check_tools
    from variantkit.audit.rules import RULES, register
    from variantkit.matrix import read_matrix

    check_tools()  # which the rules need already
    register()
    chosen = {name: _rules(parser, getattr(options, name), RULES) for name in ("select", "ignore")}
    symbols = options.symbols or options.root / _SYMBOLS
    with passing() as show:
        return audit(
            options.paths or [_built(options.root)],
            matrix=read_matrix(options.root) if (options.root / "classifiers.toml").exists() else None,
            level=options.level,
            symbols=symbols if symbols.is_dir() else None,
            allow_undecoded=options.allow_undecoded,
            progress=(lambda _: None) if options.quiet else show,
            **chosen,
        )


def _built(root: Path) -> Path:
    """Return the folder of wheels that is audited where none is named."""
    places = [root / each for each in _DIST]
    for each in places:
        if each.is_dir():
            return each
    msg = f"There are no wheels in {_either(places)}. Build some, or name what is to be audited."
    raise UncheckedError(msg)


def _either(places: Sequence[Path]) -> str:
    return f"{', '.join(map(str, places[:-1]))} or {places[-1]}"


def _rules(parser: argparse.ArgumentParser, text: str | None, known: Iterable[str]) -> list[str]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if not any(identifier.startswith(word) for identifier in known):
            parser.error(f"there is no rule {word}; --rules prints them")
    return words
