"""The kinds of finding: what each means, and how bad it is. `docs/doctor.md` has them in the same words."""

from __future__ import annotations

import dataclasses
from typing import Literal

__all__ = ["RULES", "Finding", "Level", "Rule", "markdown"]

Level = Literal["breaks", "slow", "note"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A kind of finding; one of level "note" leaves a package healthy."""

    name: str
    level: Level
    what: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong here: what it is, and the command or the setting that mends it.

    `hint` is what may have to be added to the command. `about` names what it is about: of findings that have one of these in
    common, the first is the cause, and has the others in `follows`.
    """

    rule: str
    message: str
    mend: str
    hint: str = ""
    about: frozenset[str] = frozenset()
    follows: tuple[Finding, ...] = ()

    @property
    def level(self) -> Level:
        """How bad it is."""
        return RULES[self.rule].level


def _rules(level: Level, **rules: str) -> dict[str, Rule]:
    return {(name := key.replace("_", "-")): Rule(name=name, level=level, what=what) for key, what in rules.items()}


RULES: dict[str, Rule] = {
    **_rules(
        "breaks",
        duplicate="A distribution, the package or a library is installed in two places, and the path decides.",
        package_damaged="A file of an installed distribution is missing, or is not the one that RECORD lists, or RECORD is broken.",
        library_damaged="A library is missing, cut short, or is not the one that its MANIFEST describes, or RECORD lists.",
        version_mismatch="Base package, classifier wheels and loader are not of one release.",
        wrong_wheel="A wheel was made for another Python, machine or C library than this one.",
        wrong_platform="No classifier is published for this platform: another system, or a 32-bit Python.",
        nothing_usable="No library can be loaded at all.",
        setting="An environment variable asks for something that cannot be done.",
        import_failed="A fresh process could not import the package, or died of it.",
        self_test_failed="A library computes something wrong, or could not be opened.",
        self_test_crashed="A library killed the process; the signal and the operator are named.",
        self_test_timeout="A library did not come to an end within the time limit.",
        openmp_twice="Two OpenMP runtimes are in one process: threads are doubled, or it aborts (OMP: Error #15).",
    ),
    **_rules(
        "slow",
        better_classifier="A better classifier than the loaded one is published for this machine, and not installed.",
        forced_classifier="A setting forces a lower classifier than the best that is installed.",
        helper_unused="A helper library is in a classifier that could run here, and another one is loaded.",
        hidden_features="A hypervisor hides features of the CPU; the setting that shows them is named.",
        withheld_features="The operating system does not save registers that the CPU has.",
        sources_disagree="The sources of detection disagree on a feature that a classifier needs; it is not used.",
        no_avx="The CPU itself has no AVX, so that only the base classifier runs.",
        rosetta="x86-64 code is translated on an Apple CPU.",
        gil_enabled="A free-threaded Python switched its GIL on for this package.",
        threads_setting="OMP_NUM_THREADS cannot be read, or leaves all CPUs but one unused.",
        too_many_threads="More threads than CPUs that this process may use, by affinity or by its cgroup's quota.",
    ),
    **_rules(
        "note",
        source_missing="A source of detection could not be asked, so that fewer features are believed.",
        busy="Other processes take the CPUs.",
        fewer_cpus="This process may use a part of the CPUs only, by affinity or by its cgroup's quota.",
        ignored_setting="An environment variable has a value that is not used.",
        interpreter="The Python is one in which not everything could be looked at: frozen, or a subinterpreter.",
        unchecked="Something could not be looked at.",
    ),
}
"""All kinds of finding by name, the worst first."""


def markdown() -> str:
    """Return the table of all kinds of finding."""
    lines = ["| finding | level | what it means |", "| --- | --- | --- |"]
    lines += [f"| `{rule.name}` | {rule.level} | {rule.what} |" for rule in RULES.values()]
    return "\n".join(lines) + "\n"
