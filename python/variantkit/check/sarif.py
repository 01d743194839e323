"""The findings of a check as SARIF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variantkit.check.registry import RULES
from variantkit.sarif import Entry, report

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.check.findings import Result

__all__ = ["sarif"]


def sarif(result: Result, root: Path) -> str:
    """Return the result as SARIF; the addresses of files are relative to `root` where they lie below it."""
    return report(
        "variantkit check",
        [RULES[identifier] for identifier in result.rules],
        (Entry(file=each.file, rule=each.rule, message=each.message, level=each.level) for each in result.findings),
        status=result.status,
        unchecked=result.unchecked,
        notes=result.notes,
        root=root,
    )
