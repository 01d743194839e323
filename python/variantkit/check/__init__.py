"""The check of a release: rules over a set of wheels, or over a published index, before anybody installs from it."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING

# Importing these registers their rules.
from variantkit.check import (  # noqa: F401 -- importing a module of rules registers them
    comparison,
    content_rules,
    file_rules,
    index_rules,
    library_rules,
    part_rules,
    release_rules,
    requirement_rules,
    tool_rules,
    variant_rules,
)
from variantkit.check.findings import Finding, Result
from variantkit.check.reading import read
from variantkit.check.registry import chosen
from variantkit.check.sarif import sarif
from variantkit.errors import UncheckedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from variantkit.check.model import Files
    from variantkit.check.registry import Problem, Rule
    from variantkit.matrix import Matrix

__all__ = ["Finding", "Result", "check", "sarif"]


def check(
    paths: Sequence[Path],
    *,
    matrix: Matrix | None,
    root: Path | None = None,
    against: Path | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    strict: bool = False,
) -> Result:
    """Check wheels, sdists and folders of them as one release, and each index among `paths` for itself.

    `root` is the project, for the settings of check-wheel-contents; `against` is a folder with another build of the
    release, which must be the same to the byte. With `strict`, warnings count as errors. Raises `WheelError` when there is
    nothing to check, and `MatrixError` when the matrix contradicts itself; everything else is a finding.
    """
    rules = list(chosen(select, ignore))
    findings: list[Finding] = []
    unchecked: list[str] = []
    notes: list[str] = []
    run: set[str] = set()
    count = 0
    for files in read(paths, matrix=matrix, root=root, against=against):
        count += len(files.wheels) + len(files.sdists) + len(files.tables) + len(files.unreadable)
        able = [each for each in rules if _can_run(each, files)]
        run |= {each.id for each in able}
        notes += _notes(rules, files)
        for each, problems in _problems(able, files, unchecked):
            findings += (_finding(each, problem, strict=strict) for problem in problems)
    if not run:
        unchecked.append("None of these rules can be run on these files. Choose others with --select.")
    return Result(
        findings=tuple(sorted(set(findings))),
        rules=tuple(sorted(run)),
        files=count,
        unchecked=tuple(dict.fromkeys(unchecked)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _can_run(each: Rule, files: Files) -> bool:
    there = {
        "": True,
        "tool": True,
        "matrix": files.family is not None,
        "index": files.index is not None,
        "folder": files.index is None,
        "against": files.against is not None,
    }
    return there[each.needs]


def _notes(rules: Iterable[Rule], files: Files) -> list[str]:
    left_out = [each.id for each in rules if each.needs == "matrix"]
    if files.family is not None or not left_out:
        return []
    reason = (
        f"nothing of {files.matrix.project.distribution} is among the files"
        if files.matrix is not None
        else "there is no classifiers.toml; name its folder with --root"
    )
    return [f"{', '.join(left_out)} were left out: {reason}"]


def _problems(rules: Iterable[Rule], files: Files, unchecked: list[str]) -> list[tuple[Rule, list[Problem]]]:
    """Run rules; those that start another program run beside the others."""
    rules = list(rules)
    done: list[tuple[Rule, list[Problem]]] = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        started = {each.id: pool.submit(_find, each, files) for each in rules if each.needs == "tool"}
        for each in rules:
            found = started[each.id].result() if each.id in started else _find(each, files)
            if isinstance(found, str):
                unchecked.append(found)
            else:
                done.append((each, found))
    return done


def _find(each: Rule, files: Files) -> list[Problem] | str:
    """Return what a rule finds, or why it could not be checked."""
    try:
        return list(each.find(files))
    except UncheckedError as error:
        return f"{each.id}: {error}"
    except OSError as error:
        return f"{each.id}: {error.filename} cannot be read: {error.strerror}. Mend that and check again."


def _finding(each: Rule, problem: Problem, *, strict: bool) -> Finding:
    mend = each.mend if problem.mend is None else problem.mend
    return Finding(
        file=problem.file,
        rule=each.id,
        message=f"{problem.what.rstrip('.')}. {mend}" if mend else problem.what,
        level="error" if strict else problem.level or each.level,
    )
