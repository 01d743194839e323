"""ndkernels.softmax against the definition in float64."""

from __future__ import annotations

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")


def expected(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x.astype("float64") - x.max(axis=axis, keepdims=True).astype("float64"))
    return powers / powers.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65, 1000])
def test_every_length(dtype: str, count: int) -> None:
    x = (np.random.default_rng(count).random((3, count)) * 20 - 10).astype(dtype)
    got = ndkernels.softmax(x)
    assert (got.dtype, got.shape) == (x.dtype, x.shape)
    np.testing.assert_allclose(got, expected(x, -1), rtol=32 * np.finfo(dtype).eps)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_every_axis_and_any_strides(axis: int) -> None:
    x = np.random.default_rng(0).random((6, 5, 8), dtype=np.float32)
    for view in (x, x.T, x[::-1, ::2], np.broadcast_to(x[:1], x.shape)):
        np.testing.assert_allclose(ndkernels.softmax(view, axis=axis), expected(view, axis), rtol=1e-6)


def test_large_values_do_not_overflow_and_nan_fills_its_row() -> None:
    x = np.float32([[1e38, 1e38], [-1e38, 0], [np.nan, 0], [-np.inf, 0], [np.inf, 0]])
    np.testing.assert_array_equal(
        ndkernels.softmax(x), np.float32([[0.5, 0.5], [0, 1], [np.nan, np.nan], [0, 1], [np.nan, np.nan]])
    )


def test_out_and_in_place() -> None:
    x = np.random.default_rng(0).random((7, 9))
    want = ndkernels.softmax(x)
    assert ndkernels.softmax(x, out=x) is x
    np.testing.assert_array_equal(x, want)


def test_empty_arrays() -> None:
    assert ndkernels.softmax(np.empty((3, 0), "float32")).shape == (3, 0)
    assert ndkernels.softmax(np.empty((0, 3), "float32")).shape == (0, 3)


def test_errors_name_the_argument() -> None:
    with pytest.raises(TypeError, match="x: dtype int64 is not supported"):
        ndkernels.softmax(np.arange(3))
    with pytest.raises(ValueError, match="axis: 1 is out of range for an array of 1 dimensions"):
        ndkernels.softmax(np.zeros(3), axis=1)
    with pytest.raises(TypeError, match="axis: got float; accepted is an integer"):
        ndkernels.softmax(np.zeros(3), axis=0.5)
    with pytest.raises(ValueError, match=r"out: has shape \(2,\), and the result has \(3,\)"):
        ndkernels.softmax(np.zeros(3), out=np.zeros(2))
