"""Findings about what happened when the package was tried: its import, and the self-tests of its libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variantkit.doctor.findings import Finding
from variantkit.doctor.words import about, mending
from variantkit.errors import HelperError, HelperNotInstalledError, HelperVersionError
from variantkit.features import LEVELS
from variantkit.select import select_devices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.doctor.facts import Facts, SelfTestRun

__all__ = ["findings"]

_HELPER_ERRORS = {each.__name__ for each in (HelperError, HelperNotInstalledError, HelperVersionError)}
_RULES = {"crashed": "self-test-crashed", "timed out": "self-test-timeout", "failed": "self-test-failed"}


def findings(facts: Facts) -> Iterator[Finding]:
    """Give what went wrong in the child processes."""
    yield from _settings(facts)
    broken = [run for run in facts.self_tests if run.outcome in _RULES]
    for run in broken:
        yield Finding(rule=_RULES[run.outcome], message=_message(run), mend=_cure(facts, run), about=_about(facts, run))
    yield from _import(facts, {run.classifier for run in broken})
    yield from _openmp(facts)
    if facts.interpreter.free_threaded and facts.imported.outcome == "passed" and facts.imported.gil:
        yield Finding(
            rule="gil-enabled",
            message=f"Importing {facts.catalogue.package} switched the GIL of this free-threaded Python on: one of its "
            "compiled modules does not say that it can do without.",
            mend="use a Python with a GIL, where nothing is lost by it; or set PYTHON_GIL=0 at your own risk",
        )


def _settings(facts: Facts) -> Iterator[Finding]:
    if facts.setting_error:
        message, _, cure = facts.setting_error.rpartition("; ")
        yield Finding(rule="setting", message=f"{message or facts.setting_error}.", mend=cure or "unset the variable")
    for text in facts.ignored:
        message, _, cure = text.rpartition("; ")
        yield Finding(rule="ignored-setting", message=f"{message}.", mend=cure)


def _message(run: SelfTestRun) -> str:
    if _wants_numpy(run):
        # In the same words for each of them: it is one thing.
        return f"The self-test needs NumPy, which does not work here: {run.why.partition(': ')[2] or run.why}."
    what = {"crashed": "crashed", "timed out": "hangs", "failed": "is wrong"}[run.outcome]
    return f"The classifier {run.classifier} {what}: {run.why}."


def _wants_numpy(run: SelfTestRun) -> bool:
    return "numpy" in run.check and run.outcome == "failed"


def _about(facts: Facts, run: SelfTestRun) -> frozenset[str]:
    if _wants_numpy(run):
        return frozenset({"numpy"})
    tried = [other for other in facts.self_tests if other.outcome != "not run"]
    if all(other.outcome in _RULES and other.check == "load" for other in tried):
        # None of them is loaded, so that it is very likely not this library.
        return about(facts, run.classifier) | about(facts, "")
    return about(facts, run.classifier)


def _cure(facts: Facts, run: SelfTestRun) -> str:
    if _wants_numpy(run):
        host = facts.host
        # NumPy 2.4 needs x86-64-v2. Again, because files may be lost whose .dist-info is there.
        old = host.machine == "x86_64" and bool(host.features) and bool(host.missing(LEVELS["x86-64-v2"]))
        return mending(facts, None, other='"numpy<2.4"' if old else "numpy")
    again = mending(facts, run.classifier)
    others = [row.name for row in facts.catalogue.classifiers if row.name != run.classifier]
    passed = [other.classifier for other in facts.self_tests if other.outcome == "passed"]
    use = next((name for name in reversed(others) if name in passed), "")
    if not use:
        return again
    return f"{again}; where that does not help, set {facts.catalogue.prefix}_CLASSIFIER={use} and report it"


def _asked_in_vain(why: str) -> tuple[str, str] | None:
    """Return message and cure where an import failed because of what the package's own variables ask for."""
    kind, _, text = why.partition(": ")
    if kind == "SettingError":
        message, _, cure = text.rpartition("; ")
    elif kind in _HELPER_ERRORS:
        # Where no command mends it, the last sentence says what does.
        message, _, cure = text.rstrip(".").rpartition(". Run: " if ". Run: " in text else ". ")
    else:
        return None
    return (message, cure) if message else None


def _import(facts: Facts, broken: set[str]) -> Iterator[Finding]:
    outcome = facts.imported.outcome
    if outcome in {"passed", "not run"} or facts.setting_error:
        return
    # A library that dies in its self-test may already die when it is opened; that is one thing to mend.
    decision = select_devices(facts.catalogue, facts.installed, facts.host)[0]
    if outcome in {"crashed", "timed out"} and (facts.forced or decision.chosen) in broken:
        return
    if asked := _asked_in_vain(facts.imported.why):
        yield Finding(rule="setting", message=f"{asked[0]}.", mend=asked[1])
        return
    verb = {"crashed": "crashed", "timed out": "did not come to an end"}.get(outcome, "failed")
    usable = any(not item.defect and item.version == facts.catalogue.version for item in facts.installed)
    yield Finding(
        rule="import-failed" if usable else "nothing-usable",
        message=f"`import {facts.catalogue.package}` {verb}: {_first_sentence(facts.imported.why)}.",
        mend=mending(facts, ""),
        about=about(facts, ""),
    )


def _first_sentence(text: str) -> str:
    return text.partition(" Reinstall it with: ")[0].partition(": reinstall it with: ")[0].rstrip(".")


def _openmp(facts: Facts) -> Iterator[Finding]:
    runtimes = facts.imported.openmp
    if len(runtimes) > 1:
        yield Finding(
            rule="openmp-twice",
            message=f"{len(runtimes)} OpenMP runtimes are in one process: {' and '.join(runtimes)}.",
            mend="install the packages that bring them from one source, pip or conda, and not from both; until then, import "
            "the one that computes most first, and set OMP_NUM_THREADS to half of the CPUs",
        )
