"""From facts to findings: a pure function, the sum of those that look at files, at the machine, and at what was run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variantkit.doctor import of_files, of_machine, of_runs, of_speed
from variantkit.doctor.findings import RULES

if TYPE_CHECKING:
    from variantkit.doctor.facts import Facts
    from variantkit.doctor.findings import Finding

__all__ = ["diagnose"]


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Return everything that is wrong, the worst first; the same facts give the same findings."""
    found = [finding for part in (of_files, of_runs, of_machine, of_speed) for finding in part.findings(facts)]
    order = list(RULES)
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.rule)))
