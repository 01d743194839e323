"""What the doctor says: facts and findings as text for a person, and as plain data for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.doctor.facts import Facts, SelfTestRun
    from variantkit.doctor.findings import Finding

__all__ = ["SCHEMA_VERSION", "broken", "data", "healthy", "outcome", "text"]

SCHEMA_VERSION = 1

_SHOWN = 4
_WORST = {True: "and something is broken", False: "and it could be faster"}


def healthy(findings: Sequence[Finding]) -> bool:
    """Return whether nothing breaks the package, and nothing makes it slow."""
    return all(finding.level == "note" for finding in findings)


def data(facts: Facts, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return everything that was looked at, and what was found, as values that can be written as JSON."""
    python, host, cpus, imported = facts.interpreter, facts.host, facts.cpus, facts.imported
    return {
        **_head(facts.catalogue.distribution, findings),
        "version": facts.catalogue.version,
        "python": {name: getattr(python, name) for name in python.__dataclass_fields__},
        "host": {
            "platform": host.platform,
            "vendor": host.vendor,
            "brand": host.brand,
            "hypervisor": facts.hypervisor or host.hypervisor,
            "features": sorted(host.features),
            "sources": {source.name: sorted(source.features) for source in host.sources},
            "disagreements": host.disagreements,
            "withheld": list(host.withheld),
        },
        "cpus": {"present": cpus.present, "allowed": cpus.allowed, "quota": cpus.quota, "load": cpus.load},
        "threads": facts.threads,
        "installed": [item.as_dict() for item in facts.installed],
        "distributions": [
            {
                "name": item.name,
                "version": item.version,
                "metadata": item.metadata,
                "damage": [str(each) for each in item.damage],
            }
            for item in facts.distributions
        ],
        "import": {
            "outcome": imported.outcome,
            "why": imported.why,
            "classifier": imported.classifier,
            "path": imported.path,
            "held_back": imported.held_back,
            "openmp": list(imported.openmp),
        },
        "self_tests": [{name: getattr(run, name) for name in run.__dataclass_fields__} for run in facts.self_tests],
        "unchecked": list(facts.unchecked),
    }


def broken(distribution: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the report on a package that is too broken to be looked at."""
    return {**_head(distribution, findings), "version": None}


def _head(distribution: str, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "distribution": distribution,
        "healthy": healthy(findings),
        "findings": [_finding(each) for each in findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level,
        "message": finding.message,
        "mend": finding.mend,
        "hint": finding.hint,
        "follows": [{"rule": each.rule, "level": each.level, "message": each.message} for each in finding.follows],
    }


def text(facts: Facts, findings: Sequence[Finding]) -> str:
    """Return the report for a person; it ends in "healthy", or in the findings."""
    python, host, imported = facts.interpreter, facts.host, facts.imported
    kind = ", ".join(
        words
        for words, there in (
            (python.libc, python.libc),
            ("free-threaded", python.free_threaded),
            ("frozen", python.frozen),
            ("32-bit", python.bits == 32),
            ("a subinterpreter", python.subinterpreter),
        )
        if there
    )
    virtual = f", virtual ({facts.hypervisor})" if facts.hypervisor else ", virtual" if host.hypervisor else ""
    sources = ", ".join(source.name for source in host.sources) or "none"
    agree = "they agree" if len(host.sources) > 1 else "nothing to compare"
    if host.disagreements:
        agree = f"they disagree on {', '.join(sorted(host.disagreements))}"
    loaded = f"{imported.classifier} from {imported.path}" if imported.classifier else f"nothing ({imported.outcome})"
    if imported.held_back:
        loaded += f"; not tried: {imported.held_back}, which a program would load"
    lines = [
        f"{facts.catalogue.distribution} {facts.catalogue.version}",
        "",
        f"python       {python.version}, {python.executable or 'no executable'}{f' ({kind})' if kind else ''}",
        f"machine      {host.platform}, {host.brand or host.vendor or 'unknown CPU'}{virtual}",
        f"sources      {sources}; {agree}",
        f"cpus         {_cpus(facts)}",
        f"loaded       {loaded}",
        *(f"self-test    {_self_test(run)}" for run in facts.self_tests),
        "",
    ]
    return "\n".join([*lines, *outcome(findings)])


def outcome(findings: Sequence[Finding]) -> list[str]:
    """Return the lines of the findings, and of what they come to."""
    lines = []
    hints: set[str] = set()
    for finding in findings:
        lines.append(f"{finding.level:<6} {finding.rule}: {finding.message}")
        lines += [f"       hence {each.rule}: {each.message}" for each in finding.follows[:_SHOWN]]
        if len(finding.follows) > _SHOWN:
            lines.append(f"       hence {len(finding.follows) - _SHOWN} more, which --json has")
        lines.append(f"       mend: {finding.mend}")
        if finding.hint and finding.hint not in hints:
            lines.append(f"       hint: {finding.hint}")
            hints.add(finding.hint)
        lines.append("")
    if healthy(findings):
        return [*lines, "healthy"]
    count = sum(finding.level != "note" for finding in findings)
    breaks = any(finding.level == "breaks" for finding in findings)
    return [*lines, f"not healthy: {count} finding{'' if count == 1 else 's'}, {_WORST[breaks]}"]


def _cpus(facts: Facts) -> str:
    cpus = facts.cpus
    parts = [f"{cpus.allowed} of {cpus.present}"]
    parts.append("no quota" if cpus.quota is None else f"a quota of {cpus.quota:g}")
    if cpus.load is not None:
        parts.append(f"load {cpus.load:.2f}")
    if facts.threads:
        parts.append("1 thread is used" if facts.threads == 1 else f"{facts.threads} threads are used")
    return ", ".join(parts)


def _self_test(run: SelfTestRun) -> str:
    if run.outcome == "passed":
        what = f"{run.checks} checks" if run.checks else "it was opened; there is no self-test"
        return f"{run.classifier:<12} passed ({what}, {run.seconds:.1f} s)"
    return f"{run.classifier:<12} {run.outcome}: {run.why}"
