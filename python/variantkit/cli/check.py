"""`variantkit check`: find what is wrong with a release, or with a published index, before anybody else does."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.check import check, sarif
from variantkit.check.registry import RULES, markdown
from variantkit.cli.arguments import given_path, report_file, rule_names
from variantkit.files import write_atomically
from variantkit.matrix import read_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from variantkit.check import Result

__all__ = ["main"]


def main(
    arguments: Sequence[str],
    *,
    prog: str,
    root: Path | None = None,
    rebuild: Callable[[Path, Path], object] | None = None,
) -> int:
    """Return 0 when nothing is wrong, 1 with errors, 2 when something could not be checked.

    `rebuild` builds the release of the project in its first argument again, into the folder in its second; it is given
    where more than that project belongs to the release.
    """
    here = root or Path()
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, epilog="exit status: 0 clean, 1 errors, 2 something could not be checked"
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=given_path,
        metavar="PATH",
        help=f"wheels, sdists, folders of them, or a published index ({here / 'dist'})",
    )
    parser.add_argument(
        "--root",
        type=given_path,
        default=here,
        help="the project, whose classifiers.toml the release is held against (here)",
    )
    parser.add_argument(
        "--select", type=rule_names, metavar="RULE,...", help="only these rules, by id or how it begins (all)"
    )
    parser.add_argument("--ignore", metavar="RULE,...", help="not these rules")
    parser.add_argument("--strict", action="store_true", help="warnings are errors")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--sarif", type=report_file, metavar="FILE", help="also write the findings as SARIF 2.1.0")
    parser.add_argument("--rules", action="store_true", help="print the table of rules (docs/checks.md) and stop")
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--against",
        type=given_path,
        metavar="DIR",
        help="a folder with another build of the release, to be the same to the byte",
    )
    other.add_argument("--rebuild", action="store_true", help="build the release again, and compare with that")
    options = parser.parse_args(arguments)
    if options.rules:
        print(markdown(), end="")
        return 0
    if options.root != here and not options.root.is_dir():
        parser.error(f"{options.root} is not there; name the folder of the project")
    select, ignore = _rules(parser, options.select), _rules(parser, options.ignore)
    matrix = read_matrix(options.root) if (options.root / "classifiers.toml").exists() else None

    def run(against: Path | None) -> Result:
        return check(
            options.paths or [options.root / "dist"],
            matrix=matrix,
            root=options.root,
            against=against,
            select=select,
            ignore=ignore,
            strict=options.strict,
        )

    if options.rebuild:
        from variantkit.cli import release

        with tempfile.TemporaryDirectory(prefix="variantkit-rebuild-") as folder:
            (rebuild or release.rebuild)(options.root, Path(folder))
            result = run(Path(folder))
    else:
        result = run(options.against)
    if options.sarif:
        write_atomically(options.sarif, sarif(result, options.root))
    print(result.json() if options.json else result.text())
    return result.status


def _rules(parser: argparse.ArgumentParser, text: str | None) -> list[str]:
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if not any(identifier.startswith(word) for identifier in RULES):
            parser.error(f"there is no rule {word}; --rules prints them")
    return words
