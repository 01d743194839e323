"""ndkernels.sum against NumPy."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")


def integers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Small integers: their sums are exact in any order."""
    return np.random.default_rng(0).integers(-8, 9, shape).astype(dtype)


def check(got: np.ndarray, expected: np.ndarray) -> None:
    assert type(got) is np.ndarray
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected, strict=False)
    assert got.shape == np.shape(expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_every_set_of_axes(dtype: str, keepdims: bool) -> None:
    x = integers((3, 4, 5, 2), dtype)
    views = [x, x.transpose(3, 1, 0, 2), x[::-1, ::2, ::-2], np.broadcast_to(x[:1], (6, 4, 5, 2)), np.asfortranarray(x)]
    axes = [None, *range(-4, 4), *chain.from_iterable(combinations(range(4), n) for n in range(5)), (-1, 0), (2, -4)]
    for view in views:
        for axis in axes:
            check(ndkernels.sum(view, axis=axis, keepdims=keepdims), np.sum(view, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (0, 3), (2, 0, 3), (1,), (1, 1, 1), (100_003,), (3, 50_001)])
def test_every_kind_of_shape(dtype: str, shape: tuple[int, ...]) -> None:
    x = integers(shape, dtype)
    for axis in (None, *range(len(shape))):
        for keepdims in (False, True):
            check(ndkernels.sum(x, axis=axis, keepdims=keepdims), np.sum(x, axis=axis, keepdims=keepdims))


def test_the_sum_over_nothing_is_zero() -> None:
    np.testing.assert_array_equal(ndkernels.sum(np.ones((3, 0)), axis=1), np.zeros(3))


def test_numpy_integers_are_axes() -> None:
    x = integers((2, 3), "float64")
    check(ndkernels.sum(x, axis=np.int64(1)), x.sum(axis=1))
    check(ndkernels.sum(x, axis=(np.int8(-2),)), x.sum(axis=0))


def test_float32_keeps_its_precision_over_a_million_elements() -> None:
    x = np.random.default_rng(1).random(1_000_000, dtype=np.float32)
    exact = float(x.sum(dtype=np.float64))
    assert abs(float(ndkernels.sum(x)) - exact) / exact < 1e-6


@pytest.mark.parametrize("keepdims", [False, True])
def test_out(keepdims: bool) -> None:
    x = integers((4, 5), "float64")
    expected = x.sum(axis=0, keepdims=keepdims)
    out = np.empty((10, 2))[::2, 0].reshape(expected.shape)
    assert ndkernels.sum(x, axis=0, keepdims=keepdims, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_out_may_be_a_part_of_x() -> None:
    x = integers((4, 5), "float64")
    expected = x.sum(axis=0)
    ndkernels.sum(x, axis=0, out=x[1])
    np.testing.assert_array_equal(x[1], expected)


@pytest.mark.parametrize(
    ("axis", "error", "message"),
    [
        (2, ValueError, r"axis: 2 is out of range for x with 2 dimensions; accepted are -2 to 1"),
        (-3, ValueError, r"axis: -3 is out of range"),
        ((0, 5), ValueError, r"axis: 5 is out of range"),
        (10**30, ValueError, r"axis: \d+ is out of range"),
        ((1, -1), ValueError, r"axis: 1 is given twice. Name each axis once"),
        (1.0, TypeError, r"axis: got float; accepted are None, an integer or a tuple of integers"),
        ([0], TypeError, r"axis: got list; accepted are None, an integer or a tuple of integers"),
        ((0, "1"), TypeError, r"axis: got str; accepted"),
        ((None,), TypeError, r"axis: got NoneType; accepted"),
    ],
)
def test_a_bad_axis_is_named(axis: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ndkernels.sum(np.ones((2, 3)), axis=axis)


def test_an_array_without_dimensions_has_no_axis() -> None:
    with pytest.raises(ValueError, match=r"axis: 0 is out of range for x with 0 dimensions. Pass axis=None"):
        ndkernels.sum(np.float64(1), axis=0)


def test_keepdims_must_be_a_bool() -> None:
    with pytest.raises(TypeError, match=r"keepdims: got int; accepted are True and False"):
        ndkernels.sum(np.ones(3), keepdims=1)
