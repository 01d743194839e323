"""The lines that the selector page shows: for each release those of every tool that gets this release and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from variantkit import requirement_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from variantkit.selector import Page, Release

__all__ = ["ADDRESS", "EVERY", "VARIANTS", "VERSION", "Table", "all_lines", "tools"]

ADDRESS = "ADDRESS_OF_THIS_PAGE/simple/"
"""What stands in the lines for the address of the index."""

VERSION = "\ue000"
"""What stands in the lines for the version, so that releases share them."""

VARIANTS = "uv-variants"
"""The name of uv among the tools when it chooses by itself."""

EVERY = ""
"""What stands for the classifier where the lines are the same for all."""

Table = dict[str, dict[str, str]]
"""Lines by tool and classifier."""


def tools() -> list[str]:
    """Return the tools in the order in which they are offered."""
    # What cannot be had of pip for an older release is to be had of its requirements file, so the two stand together.
    first = ["pip", "requirements", "uv", VARIANTS]
    return [*first, *(tool for tool in requirement_lines.TOOLS if tool not in first)]


def all_lines(page: Page, lines: Callable[..., str]) -> tuple[list[Table], list[int]]:
    """Return the tables of lines that differ, and for each release the number of its table."""
    best = _best_compatible(page)
    tables: list[Table] = []
    numbers = []
    for release in page.releases:
        table = _table(page, release, lines, compatible=release.version in best)
        if table not in tables:
            tables.append(table)
        numbers.append(tables.index(table))
    return tables, numbers


def _table(page: Page, release: Release, lines: Callable[..., str], *, compatible: bool) -> Table:
    """Return the lines of the tools that get this release; `compatible` says whether `~=` with its version does."""
    wanted: dict[str, Any] = {
        "distribution": page.distribution,
        "version": release.version,
        "index": ADDRESS,
        "companions": page.companions,
    }
    entries = release.ordered
    newest = release.yanked is None and release in (page.suggested, *page.kept[:1])
    table: Table = {}
    for tool in tools():
        if tool != VARIANTS:
            texts = [lines(tool, extra=None if entry.base else entry.name, **wanted) for entry in entries]
        elif release.variants:
            texts = [lines("uv", extra=None, variants=True, **wanted)]
        else:
            continue
        exact = all(f"=={release.version}" in text for text in texts)
        if newest or exact or (compatible and all(f"~={release.version}" in text for text in texts)):
            marked = [text.replace(release.version, VERSION) for text in texts]
            names = [entry.name for entry in entries]
            table[tool] = {EVERY: marked[0]} if len(set(marked)) == 1 else dict(zip(names, marked, strict=True))
    return table


def _best_compatible(page: Page) -> set[str]:
    """Return the versions V that are the highest of those which `~=V` allows."""
    final = [release for release in page.kept if not release.early]
    best = set()
    for release in final:
        numbers = release.parsed.release
        series = numbers[: max(1, len(numbers) - 1)]  # what is compatible with 1.2.3 is every 1.2 from there on
        better = (
            other
            for other in final
            if other.parsed.release[: len(series)] == series
            and other.parsed.epoch == release.parsed.epoch
            and other.parsed > release.parsed
        )
        if not any(better):
            best.add(release.version)
    return best
