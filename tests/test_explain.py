"""ndkernels.explain: who would compute a call, and why; no kernel computes."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import ndkernels
from blas_under_test import NAME
from environments import clean_environ
from ndkernels import _binding

CLASSIFIER = ndkernels.show_config("dicts")["classifier"]


def test_it_prints_as_two_lines() -> None:
    with ndkernels.helpers(NAME):
        explanation = ndkernels.explain("matmul", (2, 3), (3, 4))
        other = ndkernels.explain("matmul", (2, 3), (3, 4), dtype="int8")
    assert str(explanation) == (
        f"matmul of float32 (2, 3) and (3, 4): {NAME} {explanation.version}\n  forced by helpers({NAME!r})"
    )
    assert str(other) == (f"matmul of int8 (2, 3) and (3, 4): the kernel of {CLASSIFIER}\n  {NAME} does not take int8")
    assert (explanation.implementation, explanation.helper) == (NAME, True)
    assert (other.implementation, other.helper, other.version) == (CLASSIFIER, False, ndkernels.__version__)
    assert explanation.shapes == ((2, 3), (3, 4))


def test_an_operator_that_a_helper_does_not_have() -> None:
    with ndkernels.helpers(NAME):
        explanation = ndkernels.explain("linear", (5, 4), (3, 4), activation="relu")
    assert explanation.operations == (("linear", CLASSIFIER),)
    assert explanation.reason == f"{NAME} has no linear"


def test_a_function_for_which_no_helper_is_asked() -> None:
    with ndkernels.helpers(NAME):
        for op, shapes in {"exp": [(5,)], "add": [(5, 1), (6,)], "sum": [(3, 4)], "var": [(3, 4)]}.items():
            explanation = ndkernels.explain(op, *shapes)
            assert explanation.operations == ()
            assert explanation.reason == f"no helper is asked for {op}"


def test_a_function_that_makes_several_calls() -> None:
    with ndkernels.helpers(NAME):
        explanation = ndkernels.explain("linear_backward", (5, 3), (5, 0), (3, 0))
    assert explanation.implementation == "several"
    assert explanation.operations == (("matmul", CLASSIFIER), ("matmul", CLASSIFIER), ("matmul", NAME))
    assert f"matmul by {NAME}" in str(explanation)
    assert "does not take this shape" in explanation.reason


def test_the_shapes_are_those_of_the_call() -> None:
    with ndkernels.helpers(NAME):
        assert ndkernels.explain("matmul", (3,), (7, 3, 4)).helper
        assert ndkernels.explain("matmul", [7, 2, 3], (3,), dtype="float64").helper
        assert not ndkernels.explain("matmul", (2, 0), (0, 4)).helper


def test_no_kernel_computes() -> None:
    x, out = np.ones((4, 4), "float32"), np.full((4, 4), 5, "float32")
    for mode in ("off", NAME):
        with ndkernels.helpers(mode):
            _binding.explain(lambda: (ndkernels.matmul(x, x, out=out), ndkernels.exp(x, out=out)))
            _binding.explain(lambda: (ndkernels.add(x, x.T, out=out), ndkernels.linear(x, x, out=out)))
            _binding.explain(lambda: (ndkernels.sum(x, out=out[0, 0, ...]), ndkernels.where(x > 0, x, x, out=out)))
        assert (out == 5).all()
    assert (ndkernels.matmul(x, x, out=out) == 4).all()


def test_memory_is_not_touched() -> None:
    """Three arrays of 256 MiB, in a process that never had more memory."""
    code = """
import resource, ndkernels
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ndkernels.explain("matmul", (2, 2), (2, 2))
before = peak()
ndkernels.explain("matmul", (8192, 8192), (8192, 8192))
print(peak() - before)
"""
    environment = {**clean_environ(), "NDKERNELS_WARN": "0"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(result.stdout) < 100_000  # KiB


def test_numpy_says_nothing_about_what_lies_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a function does with NumPy itself is done; here with numbers of which NumPy would warn."""
    monkeypatch.setattr(ndkernels, "exp", lambda x: np.full_like(x, 3e38) * np.float32(10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ndkernels.explain("exp", (2,)).op == "exp"


def test_other_threads_compute_meanwhile() -> None:
    x = np.full((8, 8), 2, "float32")
    stop, wrong = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            wrong.extend(0 for each in (ndkernels.matmul(x, x) != 32, ndkernels.exp(x) < 7) if each.any())

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(300):
        ndkernels.explain("matmul", (2, 3), (3, 4))
    stop.set()
    thread.join()
    assert wrong == []


def test_after_an_error_calls_compute_again() -> None:
    with pytest.raises(ValueError, match="x1 has 3 columns and x2 has 4 rows"):
        ndkernels.explain("matmul", (2, 3), (4, 5))
    assert ndkernels.sum(np.ones(3)) == 3


@pytest.mark.parametrize(
    ("op", "near"),
    [
        ("matmull", "matmul"),
        ("conv2", "conv2d"),
        ("show_config", ""),
        ("HelperError", ""),
        ("", "matmul"),
        (3, "matmul"),
    ],
)
def test_an_unknown_function_names_some(op: str, near: str) -> None:
    with pytest.raises(
        ValueError, match=r"op: .* is unknown; accepted are the functions of this package. Pass one"
    ) as caught:
        ndkernels.explain(op, (2, 3))
    assert near in str(caught.value)


def test_a_shape_is_a_tuple() -> None:
    with pytest.raises(TypeError, match=r"shapes: got int; accepted are tuples of integers\. Pass one per array"):
        ndkernels.explain("exp", 3)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((2, -1), ValueError, "shapes: got the extent -1; accepted is 0 or more. Pass such a one."),
        (
            (2, 3.0),
            TypeError,
            "shapes: got an extent that is float; accepted are tuples of integers. Pass one per array.",
        ),
        (("2",), TypeError, "shapes: got an extent that is str; accepted are tuples of integers. Pass one per array."),
    ],
)
def test_extents_are_integers_from_0(shape: tuple[int, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        ndkernels.explain("exp", shape)
    assert ndkernels.explain("exp", (np.int64(2), 3)).shapes == ((2, 3),)


@pytest.mark.parametrize("dtype", ["float33", "", "float 32", "("])
def test_an_unknown_dtype(dtype: str) -> None:
    with pytest.raises(ValueError, match=f"^dtype: got {re.escape(repr(dtype))}; accepted is a name such as 'float32'"):
        ndkernels.explain("exp", (2,), dtype=dtype)


@pytest.mark.parametrize("dtype", [None, np.dtype("float32"), 3])
def test_a_dtype_is_a_name(dtype: object) -> None:
    with pytest.raises(TypeError, match=r"^dtype: got \w.*; accepted is a name such as 'float32'\. Pass one\.$"):
        ndkernels.explain("exp", (2,), dtype=dtype)  # type: ignore[arg-type]


def test_bfloat16_needs_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match=r"from ml_dtypes, and that is not installed\. Run: .* ml_dtypes$"):
        ndkernels.explain("exp", (2,), dtype="bfloat16")


def test_other_dtypes() -> None:
    assert ndkernels.explain("relu", (3,), dtype="bfloat16").dtype == "bfloat16"
    with pytest.raises(TypeError, match="int32"):
        ndkernels.explain("matmul", (2, 3), (3, 4), dtype="int32")


def test_every_function_can_be_asked_for() -> None:
    names = [name for name in ndkernels.__all__ if name.endswith("relu") or "pool" in name or name == "lstm"]
    assert len(names) > 10
    for name in names:
        # The number of arrays may be wrong, which the function says itself; its name never is.
        with contextlib.suppress(TypeError, ValueError):
            assert ndkernels.explain(name, (1, 4, 8, 8)).op == name
        with pytest.raises((TypeError, ValueError)) as caught:
            ndkernels.explain(name, *[(1, 4, 8, 8)] * 9)
        assert not str(caught.value).startswith("op:")
