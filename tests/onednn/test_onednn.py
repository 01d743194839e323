"""oneDNN as a helper: what it takes, what it keeps between calls, threads, fork, and what is said where it is missing."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ndkernels as nk
from ndkernels import _libraries
from variantkit import loader
from variantkit.matrix import read_matrix

ROOT = Path(__file__).resolve().parent.parent.parent

KEPT = 256


@pytest.fixture(autouse=True)
def asked_for() -> Iterator[None]:
    with nk.helpers("onednn"):
        yield


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype("float32")


def cache() -> dict[str, int]:
    (opened,) = (each for each in nk.show_config("dicts")["helpers"]["opened"] if each["name"] == "onednn")
    found: dict[str, int] = opened["cache"]
    return found


IMAGES, FILTERS = floats(2, 6, 19, 23), floats(8, 6, 3, 3)
LSTM = (floats(20, 11), floats(20, 5), floats(20), floats(20, seed=1))
CASES: dict[str, Callable[[], Any]] = {
    "matmul": lambda: nk.matmul(floats(37, 65), floats(65, 41)),
    "matmul of transposed": lambda: nk.matmul(floats(65, 37).T, floats(41, 65).T),
    "matmul of stacks": lambda: nk.matmul(floats(3, 1, 7, 9), floats(4, 9, 5)),
    "matmul of int8": lambda: nk.matmul(np.ones((4, 70), "int8"), np.ones((70, 5), "int8")),
    "linear": lambda: nk.linear(floats(3, 5, 33), floats(9, 33), floats(9)),
    "linear, relu": lambda: nk.linear(floats(5, 33), floats(9, 33), floats(9), activation="relu"),
    "linear, gelu": lambda: nk.linear(floats(5, 33), floats(9, 33), activation="gelu"),
    "conv1d": lambda: nk.conv1d(floats(2, 4, 30), floats(6, 4, 5), stride=2),
    "conv2d": lambda: nk.conv2d(IMAGES, FILTERS, floats(8), stride=2, padding=1),
    "conv2d in groups": lambda: nk.conv2d(IMAGES, floats(8, 3, 3, 3), groups=2),
    "conv2d dilated": lambda: nk.conv2d(IMAGES, FILTERS, dilation=2),
    "conv2d, channels last": lambda: nk.conv2d(IMAGES.transpose(0, 2, 3, 1).copy(), FILTERS, layout="NHWC"),
    "conv3d": lambda: nk.conv3d(floats(1, 2, 6, 7, 8), floats(3, 2, 3, 3, 3)),
    "gradients of conv2d": lambda: nk.conv2d_backward(floats(2, 8, 17, 21), IMAGES, FILTERS),
    "avg_pool2d": lambda: nk.avg_pool2d(floats(2, 6, 18, 22), 2),
    "layer_norm": lambda: nk.layer_norm(floats(37, 65), 65, floats(65), floats(65, seed=1)),
    "batch_norm": lambda: nk.batch_norm(IMAGES, floats(6), abs(floats(6)) + 1, floats(6), floats(6)),
    "lstm": lambda: nk.lstm(floats(7, 3, 11), [LSTM])[0],
    "lstm, batch first, with states": lambda: nk.lstm(
        floats(3, 7, 11), [LSTM], batch_first=True, initial=(floats(1, 3, 5), floats(1, 3, 5, seed=1))
    )[0],
    "lstm, last states": lambda: nk.lstm(floats(7, 11), [LSTM[:2]])[1],
    "local_response_norm": lambda: nk.local_response_norm(IMAGES, 5),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_kernels_compute(name: str) -> None:
    before = cache()
    results = CASES[name]()
    after = cache()
    assert after["hits"] > before["hits"]  # it is asked before it computes, so that one call is two
    with nk.helpers("off"):
        expected = CASES[name]()
    several = isinstance(results, tuple)
    for one, other in zip(results if several else [results], expected if several else [expected], strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * float(abs(other).max()))


@pytest.mark.parametrize(
    ("op", "shapes", "options", "why"),
    [
        ("matmul", [(8, 8), (8, 8)], {"dtype": "float64"}, "onednn does not take float64"),
        ("softmax", [(8, 8)], {}, "onednn has no softmax"),
        ("max_pool2d", [(1, 2, 8, 8)], {"kernel_size": 2}, "onednn has no max_pool"),
        ("matmul", [(3, 0), (0, 4)], {}, "onednn does not take this call"),
    ],
)
def test_the_rest_is_left_to_the_kernels(
    op: str, shapes: list[tuple[int, ...]], options: dict[str, Any], why: str
) -> None:
    explained = nk.explain(op, *shapes, **options)
    assert not explained.helper
    assert explained.reason == why


SHARED: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "linear": (floats(70, 33), lambda w: nk.linear(floats(5, 33), w)),
    "matmul": (floats(33, 70), lambda w: nk.matmul(floats(3, 5, 33), w)),
    "conv2d": (FILTERS, lambda w: nk.conv2d(IMAGES, w, padding=1)),
    "lstm": ([LSTM], lambda w: nk.lstm(floats(7, 3, 11), w)[0]),
}


@pytest.mark.parametrize("op", SHARED)
def test_weights_are_reordered_once_for_many_calls(op: str) -> None:
    weights, call = SHARED[op]
    with nk.helpers("off"):
        expected = call(weights)
    for _ in range(2):  # a second handle of equal weights has an order of its own
        packed = nk.prepack(op, weights)
        for _ in range(3):
            np.testing.assert_allclose(call(packed), expected, rtol=0, atol=3e-6 * float(abs(expected).max()))
        del packed


def test_nan_is_kept_by_activations() -> None:
    x = np.float32([[np.nan, 1], [2, 3]])
    result = nk.linear(x, np.eye(2, dtype="float32"), activation="relu")
    np.testing.assert_array_equal(np.isnan(result), [[True, True], [False, False]])


def test_what_is_kept_has_a_bound() -> None:
    before = cache()
    for n in range(1, KEPT + 40):
        np.testing.assert_array_equal(
            nk.matmul(np.ones((2, n), "float32"), np.ones((n, 3), "float32")), np.full((2, 3), n)
        )
    after = cache()
    assert after["entries"] == KEPT
    assert after["evictions"] >= before["evictions"] + 39
    assert after["misses"] >= before["misses"] + KEPT


def test_eight_threads_compute_at_once() -> None:
    x, w = floats(4, 16, 30, 30), floats(8, 16, 3, 3)
    expected = nk.conv2d(x, w).tobytes()
    wrong: list[int] = []

    def work(number: int) -> None:
        for i in range(40):
            k = number * 40 + i + 1  # of a shape that no other call has
            if (
                nk.conv2d(x, w).tobytes() != expected
                or (nk.matmul(np.ones((3, k), "float32"), np.ones((k, 2), "float32")) != k).any()
            ):
                wrong.append(number)
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_computes_with_the_kernels() -> None:
    a = np.random.default_rng(0).integers(-8, 9, (300, 300)).astype("float32")
    expected = nk.matmul(a, a).tobytes()
    stop = threading.Event()

    def others() -> None:
        while not stop.is_set():
            nk.matmul(a, a)

    thread = threading.Thread(target=others, daemon=True)
    thread.start()
    try:
        for _ in range(3):
            if (pid := os.fork()) == 0:
                signal.alarm(20)
                explained = nk.explain("matmul", (300, 300), (300, 300))
                os._exit(0 if nk.matmul(a, a).tobytes() == expected and not explained.helper else 3)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        stop.set()
        thread.join(timeout=60)
    assert nk.matmul(a, a).tobytes() == expected


def test_it_is_found_where_it_is_installed() -> None:
    found = _libraries.find_library(_libraries.LIBRARIES["onednn"])
    assert (Path(found.path).name, found.version) == ("libdnnl.so.3", "2023.2.0")


def test_the_rows_require_what_is_opened() -> None:
    library = _libraries.LIBRARIES["onednn"]
    rows = [row for row in read_matrix(ROOT).rows if "onednn" in row.helpers]
    assert [row.name for row in rows] == ["onednn", "onednn-avx2", "onednn-avx512"]
    for row in rows:
        assert row.requires == (f"{library.distribution}=={_libraries.find_library(library).version}",)


def said_by(code: str, classifier: str, helpers: str = "") -> str:
    """What a process prints that loads that classifier."""
    here = str(Path(nk.__file__).parent.parent)  # built in place
    environ = {**os.environ, "PYTHONPATH": here, "NDKERNELS_CLASSIFIER": classifier, "NDKERNELS_WARN": "0"}
    environ["NDKERNELS_HELPERS"] = helpers
    result = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    return result.stdout + result.stderr


ASK = """
import ndkernels
try:
    ndkernels.helpers("onednn")
except ndkernels.HelperError as error:
    print(type(error).__name__, error)
print(ndkernels.explain("matmul", (2, 2), (2, 2)).helper)
"""


def test_a_classifier_without_it_names_one_that_has_it() -> None:
    said = said_by(ASK, "generic")
    assert (
        "HelperNotInstalledError onednn is asked for, and the classifier generic, which is loaded, has no code for it"
        in said
    )
    assert "Set NDKERNELS_CLASSIFIER=onednn" in said  # it is installed here
    assert said.endswith("False\n")


def test_where_the_library_is_missing_the_kernels_compute() -> None:
    classifier = nk.show_config("dicts")["classifier"]
    hide = "import ndkernels._libraries as l; l.LIBRARIES['onednn'] = l.LIBRARIES['onednn'].replace(distribution='onednn-of-nobody')"
    said = said_by(f"{hide}\n{ASK}", classifier, "off")
    assert "HelperNotInstalledError onednn is asked for, and onednn-of-nobody is not installed; wanted is" in said
    assert "onednn-of-nobody>=2023.2,<2024" in said
    assert said.endswith("False\n")


VNNI = "avx512_vnni" in loader.load("ndkernels").host.features


def test_a_rule_says_when_it_is_used_where_nobody_says_otherwise() -> None:
    with nk.helpers("auto"):
        large = nk.explain("matmul", (256, 256), (256, 256), dtype="int8")
        small = nk.explain("matmul", (16, 16), (16, 16), dtype="int8")
        floats_too = nk.explain("matmul", (256, 256), (256, 256))
        a = np.full((256, 256), 100, "int8")
        np.testing.assert_array_equal(nk.matmul(a, a), np.full((256, 256), 2560000))
    assert large.helper == VNNI
    assert ("by a rule: measured on 2026-" in large.reason) == VNNI
    assert (small.helper, floats_too.helper) == (False, False)


def test_rules_are_measured(root: Path) -> None:
    matrix = read_matrix(root)
    assert matrix.helper_rule
    for rule in matrix.helper_rule:
        evidence = json.loads((root / rule.evidence).read_text(encoding="utf-8"))
        assert evidence["machine"]["date"] == rule.date
        for row in evidence["rows"]:
            work = math.prod(row["shapes"][0]) * (row["shapes"][1][-1] if len(row["shapes"][1]) > 1 else 1)
            if row["dtype"] in rule.dtypes and work >= rule.min_work:
                assert row["of_own"][rule.helper] > 1, row


def test_where_a_rule_cannot_be_followed_one_line_says_why() -> None:
    code = """
import importlib.metadata as metadata
real = metadata.distributions
metadata.distributions = lambda **wanted: iter(()) if wanted.get("name") == "onednn-cpu-gomp" else real(**wanted)
import ndkernels
print(ndkernels.explain("matmul", (256, 256), (256, 256), dtype="int8").helper)
"""
    said = said_by(code, nk.show_config("dicts")["classifier"]).splitlines()
    assert said[0] == "False"
    assert len(said) == (2 if VNNI else 1)
    if VNNI:
        assert said[1].startswith(
            "The own kernels compute everything: onednn is asked for, and onednn-cpu-gomp is not installed"
        )
        assert " install " in said[1]
