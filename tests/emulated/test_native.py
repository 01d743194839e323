"""The best classifier of the real machine runs on it, and the one that a row of continuous integration promises.

VARIANTKIT_EXPECT_CLASSIFIER names what has to run on this machine: where it does not, the test fails and does not skip.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from emulation import BASE, CLASSIFIERS, FEATURES, RANKS, Emulator, Run
from environments import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def natively(environment: Environment, inside: Path, **environ: str) -> Run:
    words = [str(environment.python), str(inside)]
    result = subprocess.run(
        words, cwd=environment.folder, env=environment.environ(**environ), capture_output=True, text=True, check=False
    )
    return Run(status=result.returncode, output=result.stdout, errors=result.stderr, seconds=0.0)


def keep_promise(name: str, run: Callable[..., Run]) -> None:
    """Fail where the classifier cannot be loaded, or computes wrongly."""
    assert name in RANKS, f"VARIANTKIT_EXPECT_CLASSIFIER={name}: choose from {', '.join(RANKS)}"
    result = run(NDKERNELS_CLASSIFIER=name)
    assert result.status == 0, f"{name} has to run here, and does not:\n{result.errors[-2000:]}"
    found = result.answer
    assert found["config"]["classifier"] == name
    assert {check: problem for check, problem in found["checks"].items() if problem} == {}
    assert all(found["threaded"].values()), found["threaded"]


def test_the_best_for_this_machine_is_loaded_and_right(
    environment_with: Callable[..., Environment], inside: Path
) -> None:
    found = natively(environment_with(*CLASSIFIERS), inside).answer
    features = set(found["config"]["features"])
    best = max((name for name in RANKS if FEATURES[name] <= features), key=RANKS.__getitem__)
    assert found["config"]["classifier"] == best
    assert {check: problem for check, problem in found["checks"].items() if problem} == {}
    assert all(found["threaded"].values()), found["threaded"]


def test_what_has_to_run_here_runs(environment_with: Callable[..., Environment], inside: Path) -> None:
    environment = environment_with(*CLASSIFIERS)
    name = os.environ.get("VARIANTKIT_EXPECT_CLASSIFIER") or BASE
    keep_promise(name, lambda **environ: natively(environment, inside, **environ))


def test_a_promise_that_a_machine_cannot_keep_is_a_failure(
    environment_with: Callable[..., Environment], inside: Path, emulator: Emulator
) -> None:
    environment = environment_with(*CLASSIFIERS)
    with pytest.raises(AssertionError, match=r"avx512 has to run here, and does not:[^$]*lacks avx512bw"):
        keep_promise("avx512", lambda **environ: emulator.python("Haswell", environment, inside, **environ))
    with pytest.raises(AssertionError, match="choose from generic, avx2, avx512"):
        keep_promise("avx3", lambda **environ: natively(environment, inside, **environ))
