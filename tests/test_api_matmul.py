"""ndkernels.matmul against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")


def integers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Small integers: their products are exact in any order of summation."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


def check(got: np.ndarray, expected: np.ndarray) -> None:
    assert type(got) is np.ndarray
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape1", "shape2"),
    [
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((7, 1, 2, 3), (5, 3, 4)),
        ((1,) * 30 + (2, 3), (3, 4)),
        ((0, 3), (3, 4)),
        ((2, 0), (0, 4)),
        ((2, 3), (3, 0)),
        ((0,), (0,)),
        ((0, 2, 3), (3, 4)),
        ((67, 129), (129, 35)),
        ((3, 130, 70), (70, 131)),
        ((257, 300), (300, 261)),
    ],
)
def test_shapes(dtype: str, shape1: tuple[int, ...], shape2: tuple[int, ...]) -> None:
    x1, x2 = integers(shape1, dtype), integers(shape2, dtype, 1)
    check(ndkernels.matmul(x1, x2), np.asarray(np.matmul(x1, x2)))


def views(x: np.ndarray) -> list[np.ndarray]:
    """The same numbers, each time lying differently in memory."""
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    return [x, np.asfortranarray(x), wide[::2, ::3], x[::-1, ::-1].copy()[::-1, ::-1], x.T.copy().T]


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype: str) -> None:
    x1, x2 = integers((37, 41), dtype), integers((41, 29), dtype, 1)
    expected = np.matmul(x1, x2)
    for a in views(x1):
        for b in views(x2):
            check(ndkernels.matmul(a, b), expected)
            for out in views(np.zeros_like(expected)):
                assert ndkernels.matmul(a, b, out=out) is out
                np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 5, 300])  # 300 is cut into pieces, which are added to what is there
@pytest.mark.parametrize("m", [3, 20, 29])
def test_columns_around_each_width_of_a_vector(dtype: str, m: int, k: int) -> None:
    for n in (2, 3, 4, 5, 8, 12, 15, 16, 17, 24, 31, 40, 47, 48, 49, 80, 144):
        # Nothing lies behind either factor, and what surrounds the result stays as it is.
        x1, x2 = integers((m, k), dtype), integers((k, n), dtype, 1)
        frame = np.full((m + 2, n + 2), 77, dtype)
        for out in (frame[1:-1, 1:-1], np.asfortranarray(frame)[1:-1, 1:-1]):
            ndkernels.matmul(x1, x2, out=out)
            check(np.array(out), x1 @ x2)
        edge = np.ones(frame.shape, bool)
        edge[1:-1, 1:-1] = False
        assert (frame[edge] == 77).all()
        bias = integers((n,), dtype, 2)
        got = ndkernels.linear(x1, np.ascontiguousarray(x2.T), bias, activation="relu")
        check(got, np.maximum(x1 @ x2 + bias, 0))
        check(ndkernels.linear(x1, x2.T, bias, activation="relu"), np.maximum(x1 @ x2 + bias, 0))


def test_a_batch_of_one_matrix_seen_many_times() -> None:
    x1 = np.broadcast_to(integers((4, 5), "float64"), (3, 4, 5))
    x2 = integers((3, 5, 2), "float64", 1)
    check(ndkernels.matmul(x1, x2), np.matmul(x1, x2))


def test_rounding_is_that_of_a_dot_product() -> None:
    rng = np.random.default_rng(3)
    x1, x2 = rng.standard_normal((200, 300)), rng.standard_normal((300, 150))
    np.testing.assert_allclose(ndkernels.matmul(x1, x2), x1 @ x2, rtol=1e-12, atol=1e-12)
    got = ndkernels.matmul(x1.astype("float32"), x2.astype("float32"))
    np.testing.assert_allclose(got, x1 @ x2, rtol=1e-4, atol=1e-4)


def test_out_may_be_one_of_the_factors() -> None:
    for position in (0, 1):
        factors = [integers((16, 16), "float32"), integers((16, 16), "float32", 1)]
        expected = factors[0] @ factors[1]
        ndkernels.matmul(*factors, out=factors[position])
        np.testing.assert_array_equal(factors[position], expected)


def test_out_may_share_a_part_of_a_factor() -> None:
    memory = integers((24, 8), "float64")
    expected = memory[:8] @ memory[8:16]
    ndkernels.matmul(memory[:8], memory[8:16], out=memory[4:12])
    np.testing.assert_array_equal(memory[4:12], expected)


@pytest.mark.parametrize(
    ("shape1", "shape2", "message"),
    [
        ((2, 3), (4, 5), r"x1 and x2: shapes \(2, 3\) and \(4, 5\) do not fit: x1 has 3 columns and x2 has 4 rows"),
        ((3,), (4,), r"x1 and x2: shapes \(3,\) and \(4,\) do not fit"),
        ((2, 2, 3), (3, 3, 4), r"shapes \(2, 2, 3\) and \(3, 3, 4\) cannot be broadcast together in the axes before"),
        ((), (3,), r"x1: has 0 dimensions; matmul accepts 1 or more"),
        ((3,), (), r"x2: has 0 dimensions; matmul accepts 1 or more"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shape1: tuple[int, ...], shape2: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ndkernels.matmul(np.ones(shape1), np.ones(shape2))
