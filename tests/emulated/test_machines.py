"""Every emulated machine with every set of installed classifiers: the best that it can run is loaded and computes rightly.

A self-test ends in a SIGILL where a library has an instruction that the machine has not; there must be none.
"""

from __future__ import annotations

import itertools
import signal

import pytest

from emulation import BASE, CLASSIFIERS, FEATURES, MACHINES, NEVER, RANKS, SUBSETS, Run

Runs = dict[tuple[str, tuple[str, ...]], Run]

CASES = list(itertools.product(MACHINES, SUBSETS))
AVX512 = {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}


def best_of(names: frozenset[str]) -> str:
    return max(names | {BASE}, key=RANKS.__getitem__)


def name_of(case: tuple[str, tuple[str, ...]]) -> str:
    return f"{case[0]}-{'+'.join((BASE, *case[1]))}"


@pytest.fixture(params=CASES, ids=name_of)
def case(request: pytest.FixtureRequest) -> tuple[str, tuple[str, ...]]:
    chosen: tuple[str, tuple[str, ...]] = request.param
    return chosen


def test_every_classifier_runs_on_some_machine_or_is_known_to_run_on_none() -> None:
    assert frozenset().union(*MACHINES.values()) | NEVER == set(CLASSIFIERS)


def test_no_process_dies_by_an_illegal_instruction(runs: Runs) -> None:
    assert len(runs) == len(MACHINES) * 2 ** len(CLASSIFIERS)
    assert [name_of(case) for case, run in runs.items() if run.status in (-signal.SIGILL, 128 + signal.SIGILL)] == []
    assert [name_of(case) for case, run in runs.items() if run.status != 0] == []


def test_the_numbers(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    checks = sum(len(run.answer["checks"]) + len(run.answer["threaded"]) for run in runs.values())
    seconds = sum(run.seconds for run in runs.values())
    with capsys.disabled():
        print(
            f"\nemulated: {len(MACHINES)} machines x {len(SUBSETS)} sets of classifiers = {len(runs)} processes, "
            f"{checks} checks of operators, 0 SIGILL, {seconds:.0f} s of processes"
        )
    assert checks >= len(runs) * 20


def test_the_best_that_runs_is_loaded_and_every_operator_is_right(
    case: tuple[str, tuple[str, ...]], runs: Runs
) -> None:
    machine, installed = case
    found = runs[case].answer
    expected = best_of(MACHINES[machine] & set(installed))
    assert found["config"]["classifier"] == expected
    assert [item["classifier"] for item in found["config"]["installed"]] == [BASE, *installed]
    assert {name: problem for name, problem in found["checks"].items() if problem} == {}
    assert len(found["threaded"]) == 8
    assert all(found["threaded"].values()), found["threaded"]
    names = {name.split()[0] for name in found["checks"]}
    assert names >= {"add", "subtract", "multiply", "divide", "maximum", "relu", "exp", "sum", "matmul"}


def test_what_does_not_run_is_refused_by_the_loader_and_by_the_dynamic_linker(
    case: tuple[str, tuple[str, ...]], runs: Runs
) -> None:
    machine, installed = case
    found = runs[case].answer
    for name in CLASSIFIERS:
        runs_here = name in MACHINES[machine]
        assert (found["missing"][name] == []) == runs_here
        if not runs_here:
            why = "this machine lacks " + ", ".join(found["missing"][name])
            assert found["config"]["rejected"][name] == why
            assert found["forced"][name].startswith("ClassifierNotRunnableError: ")
            assert why in found["forced"][name]
        elif name in installed:
            assert found["forced"][name] == "loaded"
        else:
            assert found["forced"][name].startswith("ClassifierNotInstalledError: ")
    # Whoever goes round the loader meets the ISA note in the library.
    assert set(found["opened"]) == {BASE, *installed}
    for name, what in found["opened"].items():
        if name == BASE or name in MACHINES[machine]:
            assert what == name
        else:
            assert what.startswith("refused: ")
            assert "CPU ISA level is lower than required" in what


def test_why_avx512_is_refused(case: tuple[str, tuple[str, ...]], runs: Runs) -> None:
    machine, _ = case
    found = runs[case].answer
    missing = set(found["missing"]["avx512"])
    assert missing >= AVX512
    # QEMU lacks nothing but AVX-512 itself; that it is CPUID that says so, and not the real machine's kernel.
    assert missing - set(found["missing"]["avx2"]) == AVX512
    if "avx2" in MACHINES[machine]:
        assert missing == AVX512
    assert AVX512 & set(found["sources"]["cpuid"]) == set()


def test_the_kernel_that_describes_the_real_machine_is_not_believed(
    case: tuple[str, tuple[str, ...]], runs: Runs
) -> None:
    machine, _ = case
    sources = runs[case].answer["sources"]
    assert "avx2" in sources["kernel"]
    assert ("avx2" in sources["cpuid"]) == (FEATURES["avx2"] <= set(sources["cpuid"])) == ("avx2" in MACHINES[machine])


def test_warnings_and_log_say_what_is_to_be_said(case: tuple[str, tuple[str, ...]], runs: Runs) -> None:
    machine, installed = case
    run = runs[case]
    found = run.answer
    loaded = best_of(MACHINES[machine] & set(installed))
    best = best_of(MACHINES[machine])
    if loaded == best:
        assert found["warnings"] == []
    else:
        ((category, message),) = found["warnings"]
        assert category == "BetterVariantWarning"
        assert f"this machine can run {best}" in message
    (line,) = [line for line in run.errors.splitlines() if line.startswith("ndkernels ")]
    assert f": loaded {loaded} from /" in line
    unfit = [name for name in installed if name not in MACHINES[machine]]
    for name in unfit:
        assert name in line.partition("Installed, but not for this machine: ")[2]
    assert bool(unfit) == ("Installed, but not for this machine" in line)


def test_detect_agrees(case: tuple[str, tuple[str, ...]], runs: Runs) -> None:
    machine, installed = case
    found = runs[case].answer["detect"]
    loaded, best = best_of(MACHINES[machine] & set(installed)), best_of(MACHINES[machine])
    assert found["status"] == (0 if loaded == best else 10)
    rows = {row["name"]: row for row in found["report"]["classifiers"]}
    assert {name for name in RANKS if rows[name]["runnable"]} == {BASE, *MACHINES[machine]}
    assert [name for name, row in rows.items() if row["chosen"]] == [loaded]
