"""Findings about speed: which classifier is loaded, and how many threads share how many CPUs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from variantkit.doctor.findings import Finding
from variantkit.doctor.words import about, installing, listed, mending, normal
from variantkit.select import select_devices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.catalogue import Classifier
    from variantkit.doctor.facts import Facts

__all__ = ["CPUID_UNREAD", "findings"]

CPUID_UNREAD = "CPUID could not be read"
"""How a text in `Facts.unchecked` begins where the package's compiled module could not be asked."""

_MOST_THREADS = 1024


def findings(facts: Facts) -> Iterator[Finding]:
    """Give what makes the package slower than it could be."""
    yield from _classifier(facts)
    yield from _threads(facts)
    yield from _cpus(facts)
    for text in facts.unchecked:
        yield Finding(
            rule="unchecked",
            message=f"{text}.",
            mend="nothing need be done, unless it is this that is wrong",
            about=about(facts, "") if text.startswith(CPUID_UNREAD) else frozenset(),
        )


def _classifier(facts: Facts) -> Iterator[Finding]:
    catalogue = facts.catalogue
    decision = select_devices(catalogue, facts.installed, facts.host)[0]
    used = facts.imported.classifier or decision.chosen or ""
    row = catalogue.get(used)
    helper = _unused_helper(facts, row)
    if helper:
        yield helper
    elif used and decision.better:
        best = decision.better[0]
        lost = _lost_from(facts, best)
        yield Finding(
            rule="better-classifier",
            message=f"{catalogue.distribution} runs with {used}, and this machine can run {best}, which is faster"
            f"{f'; {lost} is installed, but without a MANIFEST that says so' if lost else ''}.",
            mend=_adding(facts, best),
            about=frozenset({normal(lost)}) if lost else frozenset(),
        )
    forced, chosen = catalogue.get(facts.forced), catalogue.get(decision.chosen or "")
    # What is forced may be damaged, and then it is the better one.
    if forced and chosen and not facts.setting_error and chosen.rank > forced.rank:
        yield Finding(
            rule="forced-classifier",
            message=f"{catalogue.prefix}_CLASSIFIER={facts.forced} keeps {decision.chosen}, which is installed and faster, from "
            "being loaded.",
            mend=f"unset {catalogue.prefix}_CLASSIFIER",
        )


def _lost_from(facts: Facts, classifier: str) -> str:
    """Return the installed distribution that should hold a classifier which was not found, "" where there is none."""
    catalogue = facts.catalogue
    manifest = f"{catalogue.package}/classifiers/{classifier}/MANIFEST"
    for item in facts.distributions:
        # The base holds it where a variant wheel was installed.
        wheel = normal(item.name) == normal(f"{catalogue.distribution}-{classifier}")
        if wheel or any(each.file == manifest for each in item.damage):
            return item.name
    return ""


def _adding(facts: Facts, classifier: str) -> str:
    """Return the command that adds a classifier; an installer takes one whose files are lost for installed."""
    lost = _lost_from(facts, classifier)
    if not lost:
        return installing(facts, classifier)
    return mending(facts, "" if normal(lost) == normal(facts.catalogue.distribution) else classifier)


def _unused_helper(facts: Facts, used: Classifier | None) -> Finding | None:
    decision = select_devices(facts.catalogue, facts.installed, facts.host)[0]
    best = facts.catalogue.get(decision.recommended or "")
    if used is None or best is None or best.rank <= used.rank:
        return None
    helpers = [name for name in best.helpers if name not in used.helpers]
    if not helpers:
        return None
    installed = any(item.classifier == best.name for item in facts.installed)
    mend = f"unset {facts.catalogue.prefix}_CLASSIFIER" if installed and facts.forced else _adding(facts, best.name)
    lost = _lost_from(facts, best.name)
    return Finding(
        rule="helper-unused",
        message=f"{listed(helpers)} is not used: it is in {best.name}, which this machine can run, and {used.name} is loaded.",
        mend=mend,
        about=frozenset({normal(lost)}) if lost and not installed else frozenset(),
    )


def _threads(facts: Facts) -> Iterator[Finding]:
    cpus, text = facts.cpus, facts.threads_variable.strip()
    first = text.partition(",")[0].strip()
    if text and not (first.isascii() and first.isdigit() and 1 <= int(first[:9]) <= _MOST_THREADS):
        yield Finding(
            rule="threads-setting",
            message=f"OMP_NUM_THREADS={text[:60]!r} is not a number from 1 to {_MOST_THREADS}, and is not used.",
            mend="set OMP_NUM_THREADS to a number, or unset it",
        )
        return
    granted = min(cpus.allowed, cpus.quota or cpus.allowed)
    whole = max(1, math.floor(granted))
    if text and int(first) == 1 and whole > 1 and facts.threads <= 1:
        yield Finding(
            rule="threads-setting",
            message=f"OMP_NUM_THREADS=1 leaves {whole - 1} of {whole} CPUs unused.",
            mend="unset OMP_NUM_THREADS, unless several processes share the CPUs",
        )
    if facts.threads > max(1, math.ceil(granted)):
        why = f"OMP_NUM_THREADS={text} asks for" if text else "a computation uses"
        limit = (
            f"the cgroup of this process grants {cpus.quota:g} CPUs"
            if cpus.quota is not None and cpus.quota <= cpus.allowed
            else f"this process may run on {cpus.allowed} CPUs"
        )
        yield Finding(
            rule="too-many-threads",
            message=f"{why} {facts.threads} threads, and {limit}: they wait for each other.",
            mend=f"set OMP_NUM_THREADS={whole}",
        )


def _cpus(facts: Facts) -> Iterator[Finding]:
    cpus = facts.cpus
    if cpus.load is not None and cpus.load > cpus.present:
        yield Finding(
            rule="busy",
            message=f"The load average is {cpus.load:.1f} on {cpus.present} CPUs: other processes take them.",
            mend="see what runs (`top`), end it, or lower OMP_NUM_THREADS",
        )
    limits = []
    if cpus.allowed < cpus.present:
        limits.append(f"its affinity allows {cpus.allowed}")
    if cpus.quota is not None and cpus.quota < cpus.present:
        limits.append(f"its cgroup grants {cpus.quota:g}")
    if limits:
        yield Finding(
            rule="fewer-cpus",
            message=f"The machine has {cpus.present} CPUs, and of these this process gets fewer: {' and '.join(limits)}.",
            mend="nothing need be done where that is meant; else `taskset`, `docker run --cpus`, or the limits of the pod",
        )
