"""The pool of threads: how many, from several Python threads at once, after fork, and at the end of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ndkernels
from environments import clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = "import ndkernels; print(ndkernels.get_num_threads())"


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = ndkernels.get_num_threads()
    ndkernels.set_num_threads(4)
    yield
    ndkernels.set_num_threads(before)


def run(code: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**clean_environ(), "NDKERNELS_WARN": "0", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("value", "expected"), [("1", 1), ("3", 3), (" 5 ", 5), ("7,2", 7), ("2 , x", 2), ("1024", 1024)]
)
def test_omp_num_threads_is_honoured(value: str, expected: int) -> None:
    result = run(COUNT, "-W", "error", OMP_NUM_THREADS=value)
    assert (result.stdout.strip(), result.stderr) == (str(expected), "")


@pytest.mark.parametrize("value", ["0", "-2", "four", "1.5", "1025", "99999999999999999999", ",4", "+3"])
def test_a_bad_omp_num_threads_is_named_once_and_the_default_used(value: str) -> None:
    result = run(f"{COUNT}; ndkernels.get_num_threads()", OMP_NUM_THREADS=value)
    assert int(result.stdout) >= 1
    assert result.stderr.count("RuntimeWarning") == 1
    assert f"OMP_NUM_THREADS={value} is not a number from 1 to 1024" in result.stderr
    assert "<string>:1" in result.stderr  # it points at the caller


def test_the_warning_may_be_an_error_and_the_next_call_works() -> None:
    code = """
import array, ndkernels
try:
    ndkernels.relu(array.array("d", [1.0]))
except RuntimeWarning:
    print(ndkernels.relu(array.array("d", [1.0])))
"""
    result = run(code, "-W", "error", OMP_NUM_THREADS="none")
    assert (result.stdout.strip(), result.stderr) == ("[1.]", "")


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_omp_num_threads_is_none(value: str) -> None:
    result = run(COUNT, "-W", "error", OMP_NUM_THREADS=value)
    assert int(result.stdout) >= 1
    assert result.stderr == ""


def test_the_default_is_the_physical_cores_in_the_affinity_mask() -> None:
    if not hasattr(os, "sched_getaffinity"):
        assert int(run(COUNT).stdout) >= 1
        return
    allowed = os.sched_getaffinity(0)
    lists = [Path(f"/sys/devices/system/cpu/cpu{each}/topology/thread_siblings_list") for each in allowed]
    readable = all(path.exists() for path in lists)
    cores = {path.read_text(encoding="ascii") for path in lists} if readable else allowed
    assert int(run(COUNT).stdout) == len(cores)
    one = min(allowed)
    assert run(f"import os; os.sched_setaffinity(0, [{one}]); {COUNT}").stdout.strip() == "1"


def test_set_num_threads(four_threads: None) -> None:
    assert ndkernels.get_num_threads() == 4
    for bad in (0, -1, 1025, 10**30):
        with pytest.raises(ValueError, match=r"count: -?\d+ is out of range; accepted are 1 to 1024"):
            ndkernels.set_num_threads(bad)
    for bad in (1.0, "2", None):
        with pytest.raises(TypeError, match=r"count: got \w+; accepted is an integer"):
            ndkernels.set_num_threads(bad)
    assert ndkernels.get_num_threads() == 4


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_the_number_of_threads_does_not_change_the_result(four_threads: None, count: int) -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-8, 9, (300, 200)).astype("float32")
    b = rng.integers(-8, 9, (200, 250)).astype("float32")
    ndkernels.set_num_threads(count)
    np.testing.assert_array_equal(ndkernels.matmul(a, b), a @ b)
    np.testing.assert_array_equal(ndkernels.sum(a, axis=0), a.sum(axis=0))
    large = np.tile(a, (10, 1))
    np.testing.assert_array_equal(ndkernels.add(large, a[0]), large + a[0])


def test_eight_python_threads_get_the_same_bytes(four_threads: None) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((200, 300)), rng.standard_normal((300, 250))

    def compute() -> bytes:
        total = ndkernels.sum(ndkernels.exp(a), axis=0)
        return ndkernels.matmul(a, b).tobytes() + ndkernels.add(b, b[0]).tobytes() + total.tobytes()

    expected = compute()
    results: list[bytes] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        results.extend(compute() for _ in range(5))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(results) == 40
    assert set(results) == {expected}


def test_other_python_threads_run_during_a_computation() -> None:
    """A computation of about a tenth of a second, during which this thread must be able to count."""
    a = np.ones((900, 900))
    done = threading.Event()

    def work() -> None:
        for _ in range(3):
            ndkernels.matmul(a, a)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # from now on a thread changes only where the lock is given back
    try:
        thread = threading.Thread(target=work)
        thread.start()
        ticks = 0
        while not done.is_set():
            time.sleep(0.001)
            ticks += 1
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert ticks > 5


def in_child(expected: bytes, a: np.ndarray) -> int:
    """Fork, compute in the child, and return its exit status; the child is killed after 20 seconds."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        os._exit(0 if ndkernels.matmul(a, a).tobytes() == expected else 3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_computes_with_threads_of_its_own(four_threads: None) -> None:
    a = np.random.default_rng(0).standard_normal((200, 200))
    expected = ndkernels.matmul(a, a).tobytes()  # the parent's pool exists now; the child has none of its threads
    assert [in_child(expected, a) for _ in range(3)] == [0, 0, 0]
    assert ndkernels.matmul(a, a).tobytes() == expected


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_while_other_threads_compute(four_threads: None) -> None:
    a = np.random.default_rng(0).standard_normal((200, 200))
    expected = ndkernels.matmul(a, a).tobytes()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            ndkernels.matmul(a, a)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        statuses = [in_child(expected, a) for _ in range(5)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == [0] * 5


def test_the_process_ends_while_the_pool_sleeps_or_works() -> None:
    code = """
import threading, time, numpy as np, ndkernels
ndkernels.set_num_threads(4)
a = np.ones((600, 600))
ndkernels.matmul(a, a)
def forever():
    while True:
        ndkernels.matmul(a, a)
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
print("end", flush=True)
"""
    result = run(code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "end\n", "")


def test_pool_threads_take_no_signals() -> None:
    code = """
import os, signal, threading, numpy as np, ndkernels
ndkernels.set_num_threads(4)
a = np.ones((600, 600))
ndkernels.matmul(a, a)
masks = []
for task in os.listdir("/proc/self/task"):
    with open(f"/proc/self/task/{task}/status") as file:
        text = file.read()
    if text.startswith("Name:\\tndkernels"):
        masks += [line.split()[1] for line in text.splitlines() if line.startswith("SigBlk")]
number = signal.SIGINT
print(len(masks), all(int(mask, 16) >> (number - 1) & 1 for mask in masks))
"""
    count, blocked = run(code).stdout.split()
    assert int(count) == 3
    assert blocked == "True"


@pytest.mark.parametrize("policy", ["", "active", "PASSIVE"])
def test_threads_without_work_sleep_soon(policy: str) -> None:
    code = """
import os, time, numpy as np, ndkernels
ndkernels.set_num_threads(4)
a = np.ones((600, 600))
for _ in range(20):
    assert (ndkernels.matmul(a, a) == 600).all()
def states():
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/stat") as file:
            name, _, rest = file.read().partition("(")[2].partition(") ")
        if name == "ndkernels":
            yield rest[0]
deadline = time.monotonic() + 20
while set(states()) != {"S"} and time.monotonic() < deadline:
    time.sleep(0.01)
print(*states())
"""
    assert run(code, OMP_WAIT_POLICY=policy).stdout == "S S S\n"
