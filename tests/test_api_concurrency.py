"""The same functions from several Python threads at once: every thread gets the bytes that one alone gets.

ThreadSanitizer runs this file (the session `sanitize`), and there is nothing in it that starts a process.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ndkernels
from agreement import CASES
from ndkernels import _binding

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 8


@pytest.fixture(autouse=True)
def _four_threads() -> Iterator[None]:
    before = ndkernels.get_num_threads()
    ndkernels.set_num_threads(4)
    yield
    ndkernels.set_num_threads(before)


def parts(result: Any) -> list[np.ndarray]:
    """The arrays in a result, which may be a tuple of tuples."""
    return (
        [each for item in result for each in parts(item)] if isinstance(result, (tuple, list)) else [np.asarray(result)]
    )


@pytest.mark.parametrize("name", CASES)
def test_eight_threads_get_the_same_bytes(name: str) -> None:
    case = CASES[name]
    alone = [each.tobytes() for each in parts(case.run())]
    results: list[list[bytes] | BaseException] = []
    barrier = threading.Barrier(THREADS)

    def compute() -> None:
        try:
            barrier.wait()
            results.extend([each.tobytes() for each in parts(case.run())] for _ in range(2))
        except BaseException as error:  # noqa: BLE001 -- it is shown below
            results.append(error)

    threads = [threading.Thread(target=compute) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * (2 * THREADS)


@pytest.mark.parametrize("name", CASES)
def test_the_number_of_threads_changes_no_byte(name: str) -> None:
    case = CASES[name]
    found = []
    for count in (1, 2, 3, 4):
        ndkernels.set_num_threads(count)
        found.append([each.tobytes() for each in parts(case.run())])
    assert found == [found[0]] * 4


@pytest.fixture
def modes() -> Iterator[tuple[str, ...]]:
    """What can be switched to; what was in force is so again at the end."""
    before = _binding.get_helpers()
    # ThreadSanitizer cannot see how a library that was built without it orders what its threads do.
    if "libtsan" in os.environ.get("LD_PRELOAD", ""):
        yield ("off", "auto")
    else:
        try:
            ndkernels.helpers("openblas")
            yield ("off", "openblas", "auto")
        except ndkernels.HelperNotInstalledError:
            yield ("off", "auto")
    _binding.set_helpers(*before)


def test_some_compute_while_others_change_helpers_and_ask_who_would(modes: tuple[str, ...]) -> None:
    a = np.arange(64, dtype="float32").reshape(8, 8)
    expected = (a @ a).tobytes()
    wrong: list[object] = []
    barrier = threading.Barrier(THREADS)

    def compute() -> None:
        barrier.wait()
        wrong.extend(1 for _ in range(200) if ndkernels.matmul(a, a).tobytes() != expected)

    def change() -> None:
        barrier.wait()
        for number in range(100):
            with ndkernels.helpers(modes[number % len(modes)]):
                # Another thread may have switched meanwhile; then it says who computes and why of one and the same mode.
                said = ndkernels.explain("matmul", (2, 3), (3, 4))
            who = said.implementation if said.helper else "own"
            reasons = {
                "openblas": ("forced by helpers('openblas')",),
                "own": ("helpers are off by", "helpers are auto"),
            }
            if not said.reason.startswith(reasons[who]):
                wrong.append(str(said))

    threads = [threading.Thread(target=each) for each in [compute, change] * (THREADS // 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
