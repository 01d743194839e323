"""From facts to findings: a pure function, the sum of those that look at files, at the machine, and at what was run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from variantkit.doctor import of_duplicates, of_files, of_machine, of_runs, of_speed
from variantkit.doctor.findings import RULES
from variantkit.doctor.words import hint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from variantkit.doctor.facts import Facts
    from variantkit.doctor.findings import Finding

__all__ = ["diagnose"]


_PARTS = (of_duplicates, of_files, of_runs, of_machine, of_speed)


def diagnose(facts: Facts, ignored: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return everything that is wrong, the worst first, each cause once; the same facts give the same findings.

    Findings of the kinds in `ignored` are left out.
    """
    found = [finding for part in _PARTS for finding in part.findings(facts) if finding.rule not in ignored]
    order = list(RULES)
    ordered = sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.rule))
    return _by_cause(dataclasses.replace(finding, hint=hint(finding.mend, facts.configured)) for finding in ordered)


def _by_cause(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put each finding that follows from one before it under that."""
    causes: list[Finding] = []
    for finding in findings:
        for number, cause in enumerate(causes):
            if cause.about & finding.about:
                causes[number] = dataclasses.replace(cause, follows=(*cause.follows, finding))
                break
        else:
            causes.append(finding)
    return tuple(causes)
