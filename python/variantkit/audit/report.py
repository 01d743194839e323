"""The findings of an audit as SARIF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variantkit.audit.rules import RULES
from variantkit.sarif import Entry, report

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.audit.result import AuditResult

__all__ = ["sarif"]


def sarif(result: AuditResult, root: Path) -> str:
    """Return the result as SARIF; the addresses of files are relative to `root` where they lie below it."""
    entries = (
        Entry(
            file=each.file,
            rule=each.rule,
            message=each.message,
            level=each.level,
            member=each.member,
            symbol=each.symbol,
            address=each.address,
        )
        for each in result.findings
    )
    return report(
        "variantkit audit",
        [RULES[identifier] for identifier in result.rules],
        entries,
        status=result.status,
        unchecked=result.unaudited,
        notes=result.notes,
        root=root,
    )
