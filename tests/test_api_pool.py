"""ndkernels.max_pool1d to 3d and avg_pool1d to 3d against their definition, window by window."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")
LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


def windows(extent: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> list[list[int]]:
    """The places of each window's elements, those in the padding included. Source: torch's pooling_output_shape."""
    room = extent + 2 * padding - dilation * (kernel - 1) - 1
    count = -(-room // stride) + 1 if ceil else room // stride + 1
    if ceil and (count - 1) * stride >= extent + padding:
        count -= 1
    return [[o * stride - padding + t * dilation for t in range(kernel)] for o in range(count)]


def pooled(x: np.ndarray, axes: list[list[list[int]]], reduce: Callable[..., Any]) -> np.ndarray:
    """x (N, C, spatial...) reduced over the product of the windows of each axis: reduce(values, places, window)."""
    extents = x.shape[2:]
    result = []
    for window in itertools.product(*axes):
        places = [[i for i in axis if 0 <= i < extent] for axis, extent in zip(window, extents, strict=True)]
        result.append(reduce(x[(slice(None), slice(None), *np.ix_(*places))].reshape(*x.shape[:2], -1), places, window))
    return np.stack(result, -1).reshape(*x.shape[:2], *(len(axis) for axis in axes))


def largest(values: np.ndarray, _places: Any, _window: Any) -> np.ndarray:
    return values.max(-1) if values.shape[-1] else np.full(values.shape[:2], -np.inf, values.dtype)


def mean(padded: Callable[[Any, Any], int]) -> Callable[..., np.ndarray]:
    return lambda values, places, window: values.astype("float64").sum(-1) / padded(places, window)


def elements(places: Any, _window: Any) -> int:
    return int(np.prod([len(axis) for axis in places]))


def data(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) * 20 - 10).astype(dtype)


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def views(x: np.ndarray) -> Iterator[np.ndarray]:
    """The same array with other strides."""
    yield x
    yield np.asfortranarray(x)
    yield np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    yield np.repeat(x, 2, axis=-1)[..., ::2]
    yield np.moveaxis(channels_last(x), -1, 1)


ONE_AXIS = [
    (extent, kernel, stride, padding, dilation, ceil)
    for extent in (1, 2, 3, 5, 8, 15, 17, 33, 70)
    for kernel in (1, 2, 3, 5)
    for stride in (1, 2, 3)
    for padding in range(kernel // 2 + 1)
    for dilation in (1, 2)
    for ceil in (False, True)
    if extent + 2 * padding >= dilation * (kernel - 1) + 1
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_over_one_axis(dtype: str) -> None:
    for extent, kernel, stride, padding, dilation, ceil in ONE_AXIS:
        x = data((1, 5, extent), dtype)
        arguments = (kernel, stride, padding, dilation, ceil)
        want = pooled(x, [windows(extent, *arguments)], largest)
        np.testing.assert_array_equal(ndkernels.max_pool1d(x, *arguments), want, str((extent, arguments)))
        got = ndkernels.max_pool1d(channels_last(x), *arguments, layout="NWC")
        np.testing.assert_array_equal(got, channels_last(want), str((extent, arguments)))
        values, places = ndkernels.max_pool1d(x, *arguments, return_indices=True)
        assert places.dtype == np.int64
        np.testing.assert_array_equal(values, want)
        found = np.take_along_axis(x, np.maximum(places, 0), axis=2)
        np.testing.assert_array_equal(np.where(places < 0, -np.inf, found), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("include_pad", [True, False])
def test_avg_over_one_axis(dtype: str, include_pad: bool) -> None:
    for extent, kernel, stride, padding, dilation, ceil in ONE_AXIS:
        if dilation > 1:
            continue
        x = data((1, 5, extent), dtype)
        arguments = (kernel, stride, padding, ceil, include_pad)

        def divisor(places: Any, window: Any, end: int = extent + padding) -> int:
            return sum(i < end for i in window[0]) if include_pad else elements(places, window)

        want = pooled(x, [windows(extent, kernel, stride, padding, 1, ceil)], mean(divisor))
        tolerance = {"rtol": 8 * np.finfo(dtype).eps, "atol": 32 * np.finfo(dtype).eps}
        np.testing.assert_allclose(ndkernels.avg_pool1d(x, *arguments), want, **tolerance)
        got = ndkernels.avg_pool1d(channels_last(x), *arguments, layout="NWC")
        np.testing.assert_allclose(got, channels_last(want), **tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 19, 70])
@pytest.mark.parametrize(
    ("extents", "kernel", "stride", "padding"),
    [
        ((9, 37), (3, 3), (2, 2), (1, 1)),
        ((8, 28), (2, 2), (2, 2), (0, 0)),
        ((5, 18), (3, 2), (1, 3), (0, 1)),
        ((3, 5, 17), (2, 3, 3), (1, 2, 1), (1, 1, 1)),
        ((5, 6, 7), (3, 3, 3), (2, 2, 2), (1, 0, 1)),
    ],
)
def test_two_and_three_axes(
    dtype: str, channels: int, extents: tuple[int, ...], kernel: Any, stride: Any, padding: Any
) -> None:
    axes = len(extents)
    x = data((2, channels, *extents), dtype)
    max_pool, avg_pool = (getattr(ndkernels, f"{kind}_pool{axes}d") for kind in ("max", "avg"))
    moved = [windows(e, k, s, p, 1, False) for e, k, s, p in zip(extents, kernel, stride, padding, strict=True)]
    maxima, means = pooled(x, moved, largest), pooled(x, moved, mean(elements))
    tolerance = {"rtol": 8 * np.finfo(dtype).eps, "atol": 64 * np.finfo(dtype).eps}
    for view in views(x):
        np.testing.assert_array_equal(max_pool(view, kernel, stride, padding), maxima)
        got = avg_pool(view, kernel, stride, padding, count_include_pad=False)
        np.testing.assert_allclose(got, means, **tolerance)
    last = channels_last(x)
    np.testing.assert_array_equal(max_pool(last, kernel, stride, padding, layout=LAST[axes]), channels_last(maxima))
    got = avg_pool(last, kernel, stride, padding, count_include_pad=False, layout=LAST[axes])
    np.testing.assert_allclose(got, channels_last(means), **tolerance)
    values, places = max_pool(last, kernel, stride, padding, return_indices=True, layout=LAST[axes])
    found = np.take_along_axis(last.reshape(2, -1, channels), places.reshape(2, -1, channels), axis=1)
    np.testing.assert_array_equal(found.reshape(values.shape), channels_last(maxima))
    np.testing.assert_array_equal(values, channels_last(maxima))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_special_values_at_every_place(dtype: str, special: float) -> None:
    for place in range(40):
        x = data((1, 4, 3, 40), dtype)
        x[:, :, place % 3, place] = special
        for kernel, stride in ((3, 1), (3, 2), (2, 2), (3, 3)):
            moved = [windows(extent, kernel, stride, 1, 1, False) for extent in x.shape[2:]]
            want = pooled(x, moved, largest)
            np.testing.assert_array_equal(ndkernels.max_pool2d(x, kernel, stride, 1), want)
            last = ndkernels.max_pool2d(channels_last(x), kernel, stride, 1, layout="NHWC")
            np.testing.assert_array_equal(last, channels_last(want))
            values, places = ndkernels.max_pool2d(x, kernel, stride, 1, return_indices=True)
            np.testing.assert_array_equal(values, want)
            found = np.take_along_axis(x.reshape(1, 4, -1), places.reshape(1, 4, -1), axis=2)
            np.testing.assert_array_equal(found.reshape(want.shape), want)
            means = ndkernels.avg_pool2d(x, kernel, stride, 1)
            assert (np.isnan(means) == np.isnan(pooled(x, moved, mean(elements)))).all()


def test_which_of_equal_elements_an_index_names() -> None:
    assert ndkernels.max_pool1d(np.float32([[[1, 2, 2]]]), 3, return_indices=True)[1] == 1
    assert ndkernels.max_pool1d(np.float32([[[-np.inf, -np.inf]]]), 2, return_indices=True)[1] == 0
    assert ndkernels.max_pool1d(np.float32([[[np.nan, 2, np.nan, 3]]]), 4, return_indices=True)[1] == 2


def test_a_window_that_misses_the_image() -> None:
    values, places = ndkernels.max_pool1d(np.float32([[[7]]]), 2, 1, 1, 2, return_indices=True)
    assert (values, places) == (-np.inf, -1)
    assert ndkernels.max_pool1d(np.float32([[[7]]]), 2, 1, 1, 2) == -np.inf
    assert ndkernels.max_pool2d(np.float32([[[[7]]]]), (2, 1), 1, (1, 0), (2, 1)) == -np.inf


def test_no_batch_and_empty_batches() -> None:
    x = data((3, 8, 9))
    np.testing.assert_array_equal(ndkernels.max_pool2d(x, 2), ndkernels.max_pool2d(x[None], 2)[0])
    np.testing.assert_array_equal(ndkernels.avg_pool2d(x, 2), ndkernels.avg_pool2d(x[None], 2)[0])
    for shape in ((0, 3, 8, 9), (2, 0, 8, 9)):
        want = (*shape[:2], 4, 4)
        assert ndkernels.max_pool2d(np.empty(shape), 2).shape == want
        assert ndkernels.avg_pool2d(np.empty(shape), 2).shape == want
        assert [each.shape for each in ndkernels.max_pool2d(np.empty(shape), 2, return_indices=True)] == [want, want]
        assert ndkernels.max_pool2d_backward(np.empty(want), np.empty(want, "int64"), shape).shape == shape
        assert ndkernels.avg_pool2d_backward(np.empty(want), shape, 2).shape == shape


@pytest.mark.own_bits
def test_out_and_its_strides() -> None:
    x = data((2, 5, 9, 40))
    for pool in (ndkernels.max_pool2d, ndkernels.avg_pool2d):
        want = pool(x, 3, 2, 1)
        out = np.empty(want.shape[::-1], "float32").T
        assert pool(x, 3, 2, 1, out=out) is out
        np.testing.assert_array_equal(out, want)
    overlapping = x.copy()
    got = ndkernels.max_pool2d(overlapping, 3, 1, 1, out=overlapping)
    np.testing.assert_array_equal(got, ndkernels.max_pool2d(x, 3, 1, 1))


def test_errors_name_the_argument() -> None:
    x = data((1, 2, 5, 5))
    with pytest.raises(ValueError, match="padding: 2 is more than half of the kernel size 3"):
        ndkernels.max_pool2d(x, 3, 1, 2)
    with pytest.raises(ValueError, match="kernel_size: a window that spans 6 elements does not fit into the 5"):
        ndkernels.avg_pool2d(x, 6)
    with pytest.raises(ValueError, match="kernel_size: 0 is too small"):
        ndkernels.max_pool2d(x, 0)
    with pytest.raises(ValueError, match="stride: 0 is too small"):
        ndkernels.max_pool2d(x, 2, 0)
    with pytest.raises(ValueError, match="kernel_size: has 3 entries, and 2 are needed"):
        ndkernels.max_pool2d(x, (1, 1, 1))
    with pytest.raises(ValueError, match="x: has 2 dimensions; accepted are 4"):
        ndkernels.max_pool2d(x[0, 0], 1)
    with pytest.raises(ValueError, match="a spatial axis of which is empty"):
        ndkernels.max_pool2d(x[:, :, :0], 1)
    with pytest.raises(ValueError, match="layout: got 'NWC'; accepted are 'NCHW' and 'NHWC'"):
        ndkernels.max_pool2d(x, 1, layout="NWC")
    with pytest.raises(TypeError, match="ceil_mode: got int; accepted are True and False"):
        ndkernels.max_pool2d(x, 1, ceil_mode=1)
    with pytest.raises(TypeError, match="x: dtype int64 is not supported"):
        ndkernels.max_pool2d(np.ones((1, 1, 2, 2), "int64"), 1)
    with pytest.raises(ValueError, match=r"out: has shape \(2,\)"):
        ndkernels.max_pool2d(x, 2, out=np.empty(2, "float32"))
