"""Every recorded machine with every set of installed classifiers, against what its file says by hand.

Nothing that is expected here comes from the code under test: the file has what runs on the machine (`runnable` of this
project's matrix, `wide` of a made-up one, the lowest rank first) and which of the features that are asked for it lacks.
"""

from __future__ import annotations

import re
import time
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import pytest

from hosts import CATALOGUE, RECORDED, WIDE
from variantkit.errors import (
    ClassifierError,
    ClassifierNotInstalledError,
    ClassifierNotRunnableError,
    UnknownClassifierError,
)
from variantkit.select import Installed, Policy, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.catalogue import Catalogue, Classifier
    from variantkit.host import Host

# In seconds; with the limit of the session "emulated", a quarter of an hour for all machines that nobody here has.
LIMIT = 300
Key = Literal["runnable", "wide"]
MATRICES: dict[Key, Catalogue] = {"runnable": CATALOGUE, "wide": WIDE}
HOSTS: dict[str, Host] = {name: recorded.detect() for name, recorded in RECORDED.items()}


@pytest.fixture(scope="module", autouse=True)
def in_time() -> Iterator[None]:
    """Fail where all tests here together have taken longer than `LIMIT`."""
    started = time.monotonic()
    yield
    taken = time.monotonic() - started
    assert taken <= LIMIT, f"all sets on all recorded machines took {taken:.0f} s, and {LIMIT} s are allowed"


def have(names: frozenset[str] | set[str]) -> tuple[Installed, ...]:
    return tuple(
        Installed(classifier=name, version="1.2.0", abi="1.0", path=f"/x/{name}.so", size=1) for name in sorted(names)
    )


def subsets(catalogue: Catalogue) -> Iterator[frozenset[str]]:
    for count in range(len(catalogue.names) + 1):
        yield from map(frozenset, combinations(catalogue.names, count))


def in_rank_order(catalogue: Catalogue) -> list[str]:
    return [row.name for row in sorted(catalogue.classifiers, key=lambda row: -row.rank)]


def missing(name: str, row: Classifier) -> tuple[str, ...]:
    """Return what the machine lacks of a row, after its file; of another architecture it has nothing."""
    recorded = RECORDED[name]
    ours = "armv8-a" if recorded.machine in ("aarch64", "arm64") else "x86-64"
    if not row.level.startswith(ours):
        return tuple(sorted(row.features))
    return tuple(sorted(row.features & set(recorded.expected["lacks"].split())))


def obstacle(name: str, row: Classifier) -> str:
    platform = f"{RECORDED[name].system}-{RECORDED[name].machine}"
    if platform not in row.platforms:
        return f"it is built for {', '.join(row.platforms)}, and this is {platform}"
    lacks = missing(name, row)
    return f"this machine lacks {', '.join(lacks)}" if lacks else ""


@pytest.mark.parametrize("key", MATRICES)
@pytest.mark.parametrize("name", RECORDED)
def test_a_file_does_not_contradict_itself(name: str, key: Key) -> None:
    """`runnable` and `wide` are written apart from `lacks`; whoever mistypes one of them is told here."""
    runs = RECORDED[name].expected[key]
    catalogue = MATRICES[key]
    assert runs == [row for row in reversed(in_rank_order(catalogue)) if row in runs], "the lowest rank goes first"
    for row in catalogue.classifiers:
        assert (row.name in runs) == (obstacle(name, row) == ""), row.name


@pytest.mark.parametrize("key", MATRICES)
@pytest.mark.parametrize("name", RECORDED)
def test_every_set_of_installed_classifiers(name: str, key: Key) -> None:
    catalogue, host = MATRICES[key], HOSTS[name]
    order = in_rank_order(catalogue)
    rows = {row.name: row for row in catalogue.classifiers}
    runs = [row for row in order if row in RECORDED[name].expected[key]]
    obstacles = {row: obstacle(name, rows[row]) for row in order}
    lacks = {row: missing(name, rows[row]) for row in order}
    for installed in subsets(catalogue):
        decision = select(catalogue, have(installed), host)

        usable = [row for row in runs if row in installed]
        chosen = usable[0] if usable else None
        above = runs[: runs.index(chosen)] if chosen else runs
        why = {row: f"{chosen} is ranked higher" if row in installed else "it is not installed" for row in runs}
        rejected = tuple((row, obstacles[row] or why[row]) for row in order if row != chosen)

        assert decision.chosen == chosen, installed
        assert decision.rejected == rejected, installed
        assert decision.better == tuple(above), installed
        unfit = [row for row in order if row in installed and obstacles[row]]
        assert decision.reason == reason(chosen, runs, above, unfit), installed
        assert (decision.missing, decision.runnable, decision.defective) == (lacks, tuple(runs), ()), installed
        assert decision.recommended == (runs[0] if runs else None), installed


def reason(chosen: str | None, runs: list[str], above: list[str], unfit: list[str]) -> str:
    if chosen is None and not runs:
        return "no classifier can run on this machine."
    if chosen is None:
        return f"no usable library is installed; {', '.join(runs)} could run on this machine."
    more = f" Installed, but not for this machine: {', '.join(unfit)}." if unfit else ""
    if not above:
        return f"{chosen} is the best classifier that this machine can run.{more}"
    could = ", ".join(above)
    return f"{chosen} is the best usable classifier among those installed; {could} could be installed.{more}"


@pytest.mark.parametrize("key", MATRICES)
@pytest.mark.parametrize("name", RECORDED)
def test_a_forced_classifier_is_taken_or_gives_the_right_error(name: str, key: Key) -> None:
    catalogue, host = MATRICES[key], HOSTS[name]
    names = frozenset(catalogue.names)
    for forced in (*catalogue.names, "avx1024"):
        every = subsets(catalogue) if key == "runnable" else [set(), {forced} & names, names - {forced}, names]
        for installed in every:
            error, words = outcome(name, key, forced, installed)
            if error is None:
                decision = select(catalogue, have(set(installed)), host, Policy(forced=forced))
                assert (decision.chosen, decision.forced, decision.better) == (forced, True, ()), installed
                continue
            with pytest.raises(ClassifierError, match=re.escape(words)) as caught:
                select(catalogue, have(set(installed)), host, Policy(forced=forced))
            assert caught.type is error, (forced, installed)


def outcome(
    name: str, key: Key, forced: str, installed: frozenset[str] | set[str]
) -> tuple[type[ClassifierError] | None, str]:
    """Return the error that a forced classifier gives, and what it says; that it cannot run goes before all else."""
    row = MATRICES[key].get(forced)
    if row is None:
        return UnknownClassifierError, "no such classifier"
    if forced not in RECORDED[name].expected[key]:
        return ClassifierNotRunnableError, f"{forced} cannot run here, because {obstacle(name, row)}; "
    if forced not in installed:
        return ClassifierNotInstalledError, f"{forced} is not installed (installed: {', '.join(sorted(installed))}"
    return None, ""


def test_how_many_there_are() -> None:
    """The numbers of docs/safety.md."""
    sets = sum(2 ** len(catalogue.names) for catalogue in MATRICES.values())
    assert len(RECORDED) >= 139
    assert sets == 8 + 1024
    assert len({name for name, recorded in RECORDED.items() if recorded.cpuid is not None}) >= 100
    kinds = {(recorded.system, recorded.machine) for recorded in RECORDED.values()}
    assert kinds >= {("linux", "x86_64"), ("linux", "aarch64"), ("windows", "x86_64"), ("macos", "arm64")}
