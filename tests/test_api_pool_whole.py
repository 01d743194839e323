"""Adaptive and global pooling, and the backward functions of all pooling."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")
LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


def data(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) * 20 - 10).astype(dtype)


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def adaptive(x: np.ndarray, sizes: tuple[int, ...], reduce: Any) -> np.ndarray:
    result = np.empty((*x.shape[:2], *sizes))
    for place in itertools.product(*map(range, sizes)):
        cut = tuple(slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, x.shape[2:], sizes, strict=True))
        result[(slice(None), slice(None), *place)] = reduce(
            x[(slice(None), slice(None), *cut)].astype("float64"), axis=tuple(range(2, x.ndim))
        )
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("extents", "sizes"),
    [((7,), (3,)), ((100,), (1,)), ((3,), (8,)), ((7, 7), (1, 1)), ((13, 40), (5, 7)), ((4, 5, 6), (3, 2, 6))],
)
def test_adaptive(dtype: str, extents: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    axes = len(extents)
    x = data((2, 6, *extents), dtype)
    avg, largest = (getattr(ndkernels, f"adaptive_{kind}_pool{axes}d") for kind in ("avg", "max"))
    means, maxima = adaptive(x, sizes, np.mean), adaptive(x, sizes, np.max)
    tolerance = {"rtol": 16 * np.finfo(dtype).eps, "atol": 64 * np.finfo(dtype).eps}
    np.testing.assert_allclose(avg(x, sizes), means, **tolerance)
    np.testing.assert_allclose(avg(channels_last(x), sizes, layout=LAST[axes]), channels_last(means), **tolerance)
    np.testing.assert_array_equal(largest(x, sizes), maxima)
    np.testing.assert_array_equal(largest(channels_last(x), sizes, layout=LAST[axes]), channels_last(maxima))
    values, places = largest(x, sizes, return_indices=True)
    found = np.take_along_axis(x.reshape(2, 6, -1), places.reshape(2, 6, -1), axis=2)
    np.testing.assert_array_equal(values, maxima)
    np.testing.assert_array_equal(found.reshape(maxima.shape), maxima)


def test_adaptive_sizes() -> None:
    x = data((1, 2, 6, 9))
    assert ndkernels.adaptive_avg_pool2d(x, 3).shape == (1, 2, 3, 3)
    assert ndkernels.adaptive_avg_pool2d(x, (None, 3)).shape == (1, 2, 6, 3)
    np.testing.assert_array_equal(ndkernels.adaptive_max_pool2d(x, None), x)
    assert ndkernels.adaptive_max_pool2d(x, (0, 3)).shape == (1, 2, 0, 3)
    with pytest.raises(ValueError, match="output_size: has 3 entries, and 2 are needed"):
        ndkernels.adaptive_avg_pool2d(x, (1, 2, 3))
    with pytest.raises(ValueError, match="a spatial axis of which is empty"):
        ndkernels.adaptive_avg_pool2d(x[..., :0], 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 70, 7, 7), (2, 5, 1, 1), (1, 21, 100, 97), (2, 19, 3, 5, 4)])
def test_global(dtype: str, shape: tuple[int, ...]) -> None:
    x = data(shape, dtype)
    axes = tuple(range(2, x.ndim))
    means = x.astype("float64").mean(axis=axes, keepdims=True)
    maxima = x.max(axis=axes, keepdims=True)
    tolerance = {"rtol": 4 * np.finfo(dtype).eps, "atol": 16 * np.finfo(dtype).eps}
    for view in (
        x,
        np.asfortranarray(x),
        np.repeat(x, 2, -1)[..., ::2],
        np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
    ):
        np.testing.assert_allclose(ndkernels.global_avg_pool(view), means, **tolerance)
        np.testing.assert_array_equal(ndkernels.global_max_pool(view), maxima)
    last, layout = channels_last(x), LAST[x.ndim - 2]
    np.testing.assert_allclose(ndkernels.global_avg_pool(last, layout=layout), channels_last(means), **tolerance)
    np.testing.assert_array_equal(ndkernels.global_max_pool(last, layout=layout), channels_last(maxima))
    x[(0, 1) + (-1,) * len(axes)] = np.nan
    for got in (ndkernels.global_avg_pool(x), ndkernels.global_max_pool(x)):
        assert np.isnan(got).sum() == 1
        assert np.isnan(got[0, 1]).all()
    got = ndkernels.global_max_pool(channels_last(x), layout=layout)
    assert np.isnan(got[0, ..., 1]).all()
    assert np.isnan(got).sum() == 1


def test_global_sums_do_not_lose_small_numbers() -> None:
    x = np.full((1, 1, 2048, 1024), 0.1, "float32")
    assert ndkernels.global_avg_pool(x)[0, 0, 0, 0] == pytest.approx(np.float32(0.1), rel=1e-6)
    last = np.full((1, 512, 512, 5), 0.1, "float32")
    np.testing.assert_allclose(ndkernels.global_avg_pool(last, layout="NHWC"), np.float32(0.1), rtol=1e-6)


def test_global_of_nothing_and_errors() -> None:
    assert ndkernels.global_avg_pool(np.empty((0, 3, 2, 2))).shape == (0, 3, 1, 1)
    assert np.isnan(ndkernels.global_avg_pool(np.empty((1, 3, 0)))).all()
    assert (ndkernels.global_max_pool(np.empty((1, 3, 0))) == -np.inf).all()
    with pytest.raises(ValueError, match="x: has 2 dimensions; accepted are 3 to 5"):
        ndkernels.global_avg_pool(np.empty((1, 3)))
    with pytest.raises(ValueError, match="grad: has shape"):
        ndkernels.global_avg_pool_backward(np.empty((1, 3, 2)), (1, 3, 4))


def test_global_backward() -> None:
    grad = data((2, 3, 1, 1), "float64")
    got = ndkernels.global_avg_pool_backward(grad, (2, 3, 4, 5))
    np.testing.assert_allclose(got, np.broadcast_to(grad / 20, (2, 3, 4, 5)))


CASES = [
    ((7,), (3,), (2,), (1,), True),
    ((6, 9), (2, 2), (2, 2), (0, 0), False),
    ((7, 10), (3, 3), (2, 2), (1, 1), True),
    ((5, 5), (3, 2), (1, 3), (0, 1), False),
    ((3, 5, 4), (2, 3, 2), (1, 2, 2), (1, 1, 0), False),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("extents", "kernel", "stride", "padding", "ceil"), CASES)
def test_avg_backward_is_the_adjoint(
    dtype: str, last: bool, extents: Any, kernel: Any, stride: Any, padding: Any, ceil: bool
) -> None:
    axes = len(extents)
    x = data((2, 6, *extents), dtype)
    x, layout = (channels_last(x), LAST[axes]) if last else (x, None)
    forward = getattr(ndkernels, f"avg_pool{axes}d")
    backward = getattr(ndkernels, f"avg_pool{axes}d_backward")
    for include_pad in (False, True):
        arguments = (kernel, stride, padding, ceil, include_pad)
        y = forward(x, *arguments, layout=layout)
        grad = data(y.shape, dtype, 1)
        got = backward(grad, x.shape, *arguments, layout=layout)
        assert (got.shape, got.dtype) == (x.shape, x.dtype)
        assert np.vdot(y, grad) == pytest.approx(np.vdot(x, got), rel=1e-4 if dtype == "float32" else 1e-11)
        np.testing.assert_array_equal(got, backward(np.asfortranarray(grad), x.shape, *arguments, layout=layout))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("extents", "kernel", "stride", "padding", "ceil"), CASES)
def test_max_backward_by_differences(
    dtype: str, last: bool, extents: Any, kernel: Any, stride: Any, padding: Any, ceil: bool
) -> None:
    axes = len(extents)
    generator = np.random.default_rng(0)
    x = generator.permutation(12 * int(np.prod(extents))).reshape(2, 6, *extents).astype(dtype)  # no two are equal
    x, layout = (channels_last(x), LAST[axes]) if last else (x, None)
    forward = getattr(ndkernels, f"max_pool{axes}d")
    y, places = forward(x, kernel, stride, padding, 1, ceil, return_indices=True, layout=layout)
    grad = generator.integers(-5, 6, y.shape).astype(dtype)
    got = getattr(ndkernels, f"max_pool{axes}d_backward")(grad, places, x.shape, layout=layout)
    for place in generator.integers(0, x.size, 60):
        moved = x.copy()
        moved.flat[place] += 0.25
        change = forward(moved, kernel, stride, padding, 1, ceil, layout=layout) - y
        assert np.vdot(change, grad) == 0.25 * got.flat[place]


@pytest.mark.parametrize("last", [False, True])
def test_adaptive_backward(last: bool) -> None:
    x = data((2, 6, 7, 10), "float64")
    x, layout = (channels_last(x), "NHWC") if last else (x, None)
    y = ndkernels.adaptive_avg_pool2d(x, (3, 4), layout=layout)
    grad = data(y.shape, "float64", 1)
    got = ndkernels.adaptive_avg_pool2d_backward(grad, x.shape, layout=layout)
    assert np.vdot(y, grad) == pytest.approx(np.vdot(x, got))
    y, places = ndkernels.adaptive_max_pool2d(x, (3, 4), return_indices=True, layout=layout)
    got = ndkernels.max_pool2d_backward(np.ones_like(y), places, x.shape, layout=layout)
    assert got.sum() == y.size


def test_backward_errors_name_the_argument() -> None:
    grad, places = np.ones((1, 2, 3, 3)), np.zeros((1, 2, 3, 3), "int64")
    with pytest.raises(ValueError, match=r"x_shape: .* has another batch or other channels"):
        ndkernels.max_pool2d_backward(grad, places, (1, 3, 6, 6))
    with pytest.raises(ValueError, match="indices: has shape"):
        ndkernels.max_pool2d_backward(grad, places[..., :2], (1, 2, 6, 6))
    with pytest.raises(ValueError, match="indices: hold 36 to 36"):
        ndkernels.max_pool2d_backward(grad, places + 36, (1, 2, 6, 6))
    with pytest.raises(TypeError, match="indices: dtype float64"):
        ndkernels.max_pool2d_backward(grad, grad, (1, 2, 6, 6))
    with pytest.raises(ValueError, match=r"grad: has shape \(1, 2, 3, 3\), and \(1, 2, 4, 4\) is what"):
        ndkernels.avg_pool2d_backward(grad, (1, 2, 8, 8), 2)
    assert not ndkernels.max_pool2d_backward(grad, places - 1, (1, 2, 6, 6)).any()
