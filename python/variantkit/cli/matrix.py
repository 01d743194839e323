"""`variantkit matrix`: check classifiers.toml, write what is generated from it, and print the jobs of a release."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit import ci_github, ci_gitlab, generate
from variantkit.ci import jobs, shell
from variantkit.matrix import read_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.ci import Job
    from variantkit.matrix import Matrix

__all__ = ["main"]


def main(arguments: Sequence[str], *, prog: str, root: Path | None = None) -> int:
    """Return 0; with --check 1 when a generated file has drifted."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=root or Path(), help="the project, with its classifiers.toml (here)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the generated files that have drifted")
    what.add_argument("--check", action="store_true", help="only say which have drifted; exit status 1 if any has")
    what.add_argument("--json", action="store_true", help="print the matrix as JSON")
    what.add_argument(
        "--format",
        choices=("github", "gitlab", "shell"),
        help="print the jobs of a release: a value for GitHub's strategy.matrix, a GitLab pipeline, or a command per line",
    )
    parser.add_argument("--platform", metavar="NAME,...", help="with --format: only jobs for these (all)")
    parser.add_argument("--classifiers", metavar="NAME,...", help="with --format: only jobs for these (all)")
    options = parser.parse_args(arguments)
    if (options.platform or options.classifiers) and not options.format:
        parser.error("--platform and --classifiers choose among jobs; say how to print them with --format")

    if options.write:
        written = generate.write(options.root)
        for path in written:
            print(f"wrote {os.path.relpath(path)}")
        if not written:
            print("everything that is generated says what classifiers.toml says")
        return 0
    if options.check:
        drifted = generate.drift(options.root)
        for path in drifted:
            print(f"{os.path.relpath(path)} has drifted from classifiers.toml; run: {prog} --write", file=sys.stderr)
        return 1 if drifted else 0
    matrix = read_matrix(options.root)
    if options.format:
        found = jobs(matrix, platforms=_words(options.platform), classifiers=_words(options.classifiers))
        print(_jobs(matrix, found, options.format))
        return 0
    print(_json(matrix) if options.json else _text(matrix))
    return 0


def _words(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _jobs(matrix: Matrix, found: Sequence[Job], form: str) -> str:
    if form == "github":
        return ci_github.matrix_json(found)
    return (ci_gitlab.child_pipeline(matrix, found) if form == "gitlab" else shell(found)).rstrip("\n")


def _text(matrix: Matrix) -> str:
    lines = [f"{matrix.project.distribution}: {len(matrix.rows)} classifiers, base {matrix.project.base}", ""]
    lines.append(f"{'classifier':<16} {'rank':>4}  {'level':<10} {'platforms':<24} for")
    lines += [
        f"{row.name:<16} {row.rank:>4}  {row.level:<10} {', '.join(row.platforms):<24} {row.summary}"
        for row in matrix.rows
    ]
    return "\n".join(lines)


def _json(matrix: Matrix) -> str:
    import dataclasses

    return json.dumps(dataclasses.asdict(matrix), indent=2)
