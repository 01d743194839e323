"""ndkernels.matmul through an installed BLAS, against NumPy: what it takes, and that the own kernel computes the rest."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ndkernels
from blas_under_test import NAME
from ndkernels import _binding

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = ""
TASKS = Path("/proc/self/task")


@pytest.fixture(autouse=True)
def _forced() -> Iterator[None]:
    with ndkernels.helpers(NAME):
        yield


def integers(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Small integers: their products are exact in any order of summation."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


def computed_by(x1: np.ndarray, x2: np.ndarray, out: np.ndarray | None = None) -> str:
    """Return the helper that these very arrays go to, or OWN."""
    ((operation, helper, *_),) = _binding.explain(lambda: ndkernels.matmul(x1, x2, out=out))
    assert operation == "matmul"
    return helper


def check(x1: np.ndarray, x2: np.ndarray, by: str, out: np.ndarray | None = None) -> None:
    """Compare with NumPy, and look who has computed it."""
    expected = np.matmul(x1, x2)
    assert computed_by(x1, x2, out) == by
    got = ndkernels.matmul(x1, x2, out=out)
    assert out is None or got is out
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape1", "shape2"),
    [
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((3,), (3,)),
        ((1,), (1,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 1, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((7, 1, 2, 3), (5, 3, 4)),
        ((7, 5, 2, 3), (3, 4)),
        ((7, 5, 2, 3), (7, 1, 3, 4)),
        ((1,) * 30 + (2, 3), (3, 4)),
        ((5, 2, 1), (5, 1, 4)),
        ((67, 129), (129, 35)),
        ((3, 130, 70), (70, 131)),
        ((257, 300), (300, 261)),
    ],
)
def test_shapes(dtype: str, shape1: tuple[int, ...], shape2: tuple[int, ...]) -> None:
    check(integers(shape1, dtype), integers(shape2, dtype, 1), NAME)


@pytest.mark.parametrize(
    ("shape1", "shape2"),
    [((2, 0), (0, 4)), ((0, 3), (3, 4)), ((2, 3), (3, 0)), ((0,), (0,)), ((0, 2, 3), (3, 4)), ((5, 2, 0), (0, 4))],
)
def test_nothing_to_multiply_is_left_to_the_own_kernel(shape1: tuple[int, ...], shape2: tuple[int, ...]) -> None:
    check(integers(shape1), integers(shape2), OWN)
    assert "does not take this shape" in ndkernels.explain("matmul", shape1, shape2).reason


@pytest.mark.parametrize("dtype", ["float16", "int8", "bfloat16"])
def test_other_dtypes_are_left_to_the_own_kernel(dtype: str) -> None:
    explanation = ndkernels.explain("matmul", (2, 3), (3, 4), dtype=dtype)
    assert not explanation.helper
    assert explanation.reason == f"{NAME} does not take {dtype}"
    x1, x2 = np.full((2, 3), 2, "int8"), np.full((3, 4), 3, "int8")
    np.testing.assert_array_equal(ndkernels.matmul(x1, x2), np.full((2, 4), 18, "int32"))


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers, each time lying differently in memory."""
    rows, columns = x.shape
    spread = np.zeros((2 * rows, 3 * columns), x.dtype)[::2, ::3]
    spread[...] = x
    every_other = np.zeros((2 * rows, columns), x.dtype)[::2]
    every_other[...] = x
    return {
        "rows": x.copy(),
        "columns": np.asfortranarray(x),
        "padded rows": every_other,
        "padded columns": np.pad(x.T, ((0, 0), (0, 5)))[:, :rows].T,
        "spread": spread,
        "backwards": x[::-1].copy()[::-1],
    }


EXPRESSED = {"rows", "columns", "padded rows", "padded columns"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts(dtype: str) -> None:
    x1, x2 = integers((37, 41), dtype), integers((41, 29), dtype, 1)
    for name1, a in layouts(x1).items():
        for name2, b in layouts(x2).items():
            for name3, out in outs(dtype).items():
                check(a, b, NAME if {name1, name2, name3} <= EXPRESSED else OWN, out)


def outs(dtype: str) -> dict[str, np.ndarray]:
    """Where a result of 37 x 29 may go, with something in it that must not take part."""
    filled = layouts(np.ones((37, 29), dtype))
    for each in filled.values():
        each[...] = np.nan
    return filled


def test_what_lies_around_a_result_is_left_alone() -> None:
    for order in ("C", "F"):
        memory = np.full((8, 9), 7, "float32", order=order)
        check(integers((5, 3)), integers((3, 6)), NAME, memory[2:7, 1:7])
        memory[2:7, 1:7] = 7
        assert (memory == 7).all()


def test_extents_of_one_may_have_any_stride() -> None:
    row, column = np.broadcast_to(integers((1, 6)), (1, 6)), integers((6, 1))
    strange = np.lib.stride_tricks.as_strided
    check(strange(row, (1, 6), (-12, 4)), integers((6, 5)), NAME)
    check(integers((5, 6)), strange(column, (6, 1), (4, 0)), NAME)
    check(integers((12,))[::2], integers((6, 5)), NAME)  # a vector that is spread is a column of a matrix
    check(integers((5, 6)), integers((12,))[::2], NAME)
    check(integers((12,))[::-2], integers((6, 5)), OWN)
    check(np.broadcast_to(integers((1,)), (6,)), integers((6, 5)), OWN)


def test_stacks_in_every_layout() -> None:
    x1, x2 = integers((4, 3, 5, 6)), integers((4, 3, 6, 7), seed=1)
    check(x1.transpose(1, 0, 2, 3), x2.transpose(1, 0, 2, 3), NAME)
    check(x1.swapaxes(2, 3).copy().swapaxes(2, 3), x2[:, ::-1], NAME)
    check(x1[::-1, 1:], x2[:, :1], NAME)
    check(x1, np.broadcast_to(x2[0, 0], (4, 3, 6, 7)), NAME)
    check(x1[:, :, ::2], x2[0, 0], NAME)
    check(x1[:, :, :1], x2[0, 0], NAME)
    check(x1[..., :4], x2[0, 0, :4], NAME)
    out = np.full((3, 5, 4, 7), np.nan, "float32").transpose(2, 0, 1, 3)
    check(x1, x2[0, 0], NAME, out)
    out = np.full((4, 3, 7, 5), np.nan, "float32").swapaxes(2, 3)
    check(x1, x2[0, 0], NAME, out)


def test_views_by_chance() -> None:
    """Random slices, transposes and broadcasts; what each goes to is its own business, the numbers are not."""
    random = np.random.default_rng(5)

    def view(shape: tuple[int, ...]) -> np.ndarray:
        axes = random.permutation(len(shape))
        steps = random.choice([1, 1, 1, 2, -1], len(shape))
        memory = integers(tuple(int(shape[axis] * abs(steps[axis]) + random.integers(0, 2)) for axis in axes))
        turned = memory.transpose(np.argsort(axes))
        cut = tuple(slice(None, None, step) for step in steps)
        return turned[cut][tuple(slice(extent) for extent in shape)]

    seen = set()
    for _ in range(400):
        batch = tuple(int(extent) for extent in random.integers(1, 4, random.integers(0, 3)))
        m, k, n = (int(extent) for extent in random.integers(1, 9, 3))
        x1, x2, out = view((*batch, m, k)), view((*batch, k, n)), view((*batch, m, n))
        if batch and random.random() < 0.3:
            x2 = np.broadcast_to(x2[:1], x2.shape)
        by = computed_by(x1, x2, out)
        seen.add(by)
        check(x1, x2, by, out)
    assert seen == {NAME, OWN}


def test_rounding_is_that_of_a_dot_product() -> None:
    rng = np.random.default_rng(3)
    x1, x2 = rng.standard_normal((200, 300)), rng.standard_normal((300, 150))
    np.testing.assert_allclose(ndkernels.matmul(x1, x2), x1 @ x2, rtol=1e-12, atol=1e-12)
    got = ndkernels.matmul(x1.astype("float32"), x2.astype("float32"))
    np.testing.assert_allclose(got, x1 @ x2, rtol=1e-4, atol=1e-4)


def test_infinity_and_nan_go_through() -> None:
    x1 = np.float32([[1, np.nan, 1], [np.inf, 0, 0], [1, 1, 1]])
    got = ndkernels.matmul(x1, np.ones((3, 2), "float32"))
    np.testing.assert_array_equal(got, np.float32([[np.nan] * 2, [np.inf] * 2, [3, 3]]))


def test_out_may_share_memory_with_the_factors() -> None:
    for position in (0, 1):
        factors = [integers((16, 16)), integers((16, 16), seed=1)]
        expected = factors[0] @ factors[1]
        ndkernels.matmul(*factors, out=factors[position])
        np.testing.assert_array_equal(factors[position], expected)
    memory = integers((24, 8), "float64")
    expected = memory[:8] @ memory[8:16]
    ndkernels.matmul(memory[:8], memory[8:16], out=memory[4:12])
    np.testing.assert_array_equal(memory[4:12], expected)


def test_functions_that_are_made_of_products_use_it() -> None:
    explanation = ndkernels.explain("linear_backward", (5, 3), (5, 4), (3, 4))
    assert explanation.implementation == NAME
    assert explanation.operations == (("matmul", NAME),) * 3
    grad, x, weight = integers((5, 3)), integers((5, 4)), integers((3, 4))
    got = ndkernels.linear_backward(grad, x, weight)
    for ours, expected in zip(got, (grad @ weight, grad.T @ x, grad.sum(axis=0)), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_it_follows_the_number_of_threads() -> None:
    a = integers((300, 300))
    library = ctypes.CDLL(next(each["path"] for each in opened() if each["name"] == NAME))
    before = ndkernels.get_num_threads()
    try:
        for count in (3, 1, 2):
            ndkernels.set_num_threads(count)
            if NAME == "mkl":
                limit = library.MKL_Get_Max_Threads()
                check(a, a, NAME)
                assert library.MKL_Get_Max_Threads() == limit  # what others of the process have is not changed
            else:
                check(a, a, NAME)
                assert library.scipy_openblas_get_num_threads64_() == count
    finally:
        ndkernels.set_num_threads(before)


@pytest.mark.skipif(NAME != "mkl", reason="what OpenBLAS was told can be asked of it")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="MKL takes no more threads than there are cores")
def test_mkl_starts_as_many_threads_as_it_may() -> None:
    """Seen by a new Python thread, which starts a team of its own."""
    a = integers((1000, 1000))
    before = ndkernels.get_num_threads()
    started: dict[int, int] = {}

    def compute(count: int) -> None:
        ndkernels.set_num_threads(count)
        threads = len(list(TASKS.iterdir()))
        ndkernels.matmul(a, a)
        started[count] = len(list(TASKS.iterdir())) - threads

    try:
        for count in (1, 2):
            thread = threading.Thread(target=compute, args=(count,))
            thread.start()
            thread.join()
    finally:
        ndkernels.set_num_threads(before)
    assert started == {1: 0, 2: 1}


def opened() -> list[dict[str, str]]:
    config = ndkernels.show_config("dicts")
    assert config is not None
    return list(config["helpers"]["opened"])


def test_eight_python_threads_at_once_while_another_one_switches() -> None:
    a, b = integers((120, 130)), integers((130, 140), seed=1)
    expected = (a @ b).tobytes()
    results: list[bytes] = []
    start = threading.Barrier(9)

    def work() -> None:
        start.wait()
        results.extend(ndkernels.matmul(a, b).tobytes() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    for _ in range(200):
        with ndkernels.helpers("off"):
            assert not ndkernels.explain("matmul", (2, 3), (3, 4)).helper
    for thread in threads:
        thread.join()
    assert len(results) == 160
    assert set(results) == {expected}
