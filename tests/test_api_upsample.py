"""ndkernels.upsample against its definition, and its backward function as the adjoint."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64")
LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def data(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) * 2 - 1).astype(dtype)


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def matrix(extent: int, size: int, mode: str, align: bool, factor: float | None) -> np.ndarray:
    """What one axis is multiplied by. Source: ATen's UpSample.h; nearest computes places in float32."""
    result = np.zeros((size, extent))
    for o in range(size):
        if "nearest" in mode:
            step = np.float32(extent) / np.float32(size) if factor is None else np.float32(1 / factor)
            place = (np.float32(o) + np.float32(0.5 * (mode == "nearest-exact"))) * step
            result[o, min(math.floor(place), extent - 1)] = 1
            continue
        if align:
            place = o * (extent - 1) / (size - 1) if size > 1 else 0.0
        else:
            place = (o + 0.5) * (extent / size if factor is None or extent == size else 1 / factor) - 0.5
        place = min(max(place, 0.0), extent - 1)
        low = math.floor(place)
        result[o, low] += 1 - (place - low)
        result[o, min(low + 1, extent - 1)] += place - low
    return result


def resampled(x: np.ndarray, sizes: tuple[int, ...], mode: str, align: bool, factors: Any) -> np.ndarray:
    result = x.astype("float64")
    for i, size in enumerate(sizes):
        by = matrix(x.shape[2 + i], size, mode, align, None if factors is None else factors[i])
        result = np.moveaxis(np.tensordot(by, result, (1, 2 + i)), 0, 2 + i)
    return result


SHAPES = [
    ((5,), (13,)),
    ((40,), (100,)),
    ((100,), (37,)),
    ((1,), (5,)),
    ((7, 9), (14, 18)),
    ((6, 33), (13, 70)),
    ((9, 50), (4, 20)),
    ((2, 3, 4), (5, 3, 9)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("extents", "sizes"), SHAPES)
@pytest.mark.parametrize(
    ("mode", "align"), [("nearest", False), ("nearest-exact", False), ("linear", False), ("linear", True)]
)
def test_sizes(dtype: str, extents: tuple[int, ...], sizes: tuple[int, ...], mode: str, align: bool) -> None:
    axes = len(extents)
    mode = LINEAR[axes] if mode == "linear" else mode
    tolerance = {"rtol": 0, "atol": 2e-5 if dtype == "float32" else 1e-13}
    for channels in (1, 3, 21):
        x = data((2, channels, *extents), dtype)
        want = resampled(x, sizes, mode, align, None)
        for view in (x, np.asfortranarray(x), np.repeat(x, 2, -1)[..., ::2], np.moveaxis(channels_last(x), -1, 1)):
            got = ndkernels.upsample(view, sizes, mode=mode, align_corners=align)
            assert got.dtype == x.dtype
            np.testing.assert_allclose(got, want, **tolerance)
        got = ndkernels.upsample(channels_last(x), sizes, mode=mode, align_corners=align, layout=LAST[axes])
        np.testing.assert_allclose(got, channels_last(want), **tolerance)


@pytest.mark.parametrize("factor", [0.5, 0.75, 1, 1.3, 1.5, 2, 2.5, 3])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear"])
def test_scale_factors(factor: float, mode: str) -> None:
    x = data((1, 3, 7, 20), "float64")
    sizes = (math.floor(7 * factor), math.floor(20 * factor))
    want = resampled(x, sizes, mode, False, (factor, factor))
    np.testing.assert_allclose(ndkernels.upsample(x, scale_factor=factor, mode=mode), want, rtol=0, atol=1e-13)
    np.testing.assert_allclose(ndkernels.upsample(x, None, (factor, factor), mode), want, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("extents", "sizes"), SHAPES)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("last", [False, True])
def test_backward_is_the_adjoint(dtype: str, extents: Any, sizes: Any, mode: str, last: bool) -> None:
    axes = len(extents)
    mode = LINEAR[axes] if mode == "linear" else mode
    x = data((2, 5, *extents), dtype)
    x, layout = (channels_last(x), LAST[axes]) if last else (x, None)
    for align in (False, True)[: 1 + (mode != "nearest")]:
        y = ndkernels.upsample(x, sizes, mode=mode, align_corners=align, layout=layout)
        grad = data(y.shape, dtype, 1)
        got = ndkernels.upsample_backward(grad, x.shape, mode=mode, align_corners=align, layout=layout)
        assert (got.shape, got.dtype) == (x.shape, x.dtype)
        tolerance = {"rel": 1e-3, "abs": 1e-4} if dtype == "float32" else {"rel": 1e-11}
        assert np.vdot(y, grad) == pytest.approx(np.vdot(x, got), **tolerance)


def test_backward_with_a_factor() -> None:
    x = data((1, 2, 7), "float64")
    y = ndkernels.upsample(x, scale_factor=1.3, mode="linear")
    grad = data(y.shape, "float64", 1)
    got = ndkernels.upsample_backward(grad, x.shape, 1.3, "linear")
    assert np.vdot(y, grad) == pytest.approx(np.vdot(x, got))


def test_nan_stays_in_its_neighbourhood_and_out_is_filled() -> None:
    x = data((1, 1, 4, 4))
    x[0, 0, 1, 1] = np.nan
    assert np.isnan(ndkernels.upsample(x, scale_factor=2)).sum() == 4
    want = ndkernels.upsample(data((2, 3, 5, 6)), (8, 20))
    out = np.empty(want.shape[::-1], "float32").T
    assert ndkernels.upsample(data((2, 3, 5, 6)), (8, 20), out=out) is out
    np.testing.assert_array_equal(out, want)
    assert ndkernels.upsample(np.empty((0, 3, 5, 6)), (8, 20)).shape == (0, 3, 8, 20)
    assert ndkernels.upsample_backward(np.empty((0, 3, 8, 20)), (0, 3, 5, 6)).shape == (0, 3, 5, 6)


@pytest.mark.parametrize("align", [False, True])
def test_the_same_size_is_the_same_image(align: bool) -> None:
    x = np.arange(12, dtype="float32").reshape(1, 1, 3, 4)
    np.testing.assert_array_equal(ndkernels.upsample(x, size=(3, 4), mode="bilinear", align_corners=align), x)
    x[0, 0, 1, 2] = np.nan
    np.testing.assert_array_equal(ndkernels.upsample(x, size=(3, 4), mode="bilinear", align_corners=align), x)


def test_errors_name_the_argument() -> None:
    x = data((1, 2, 5, 5))
    with pytest.raises(ValueError, match="size: it or scale_factor is needed, and neither is given"):
        ndkernels.upsample(x)
    with pytest.raises(ValueError, match="size: it or scale_factor is needed, and both are given"):
        ndkernels.upsample(x, 3, 2)
    with pytest.raises(ValueError, match="mode: got 'trilinear'; accepted are 'nearest' and 'bilinear'"):
        ndkernels.upsample(x, 3, mode="trilinear")
    with pytest.raises(ValueError, match="align_corners: is True, which says nothing for the mode 'nearest'"):
        ndkernels.upsample(x, 3, align_corners=True)
    with pytest.raises(ValueError, match=r"scale_factor: .* leaves nothing of an image"):
        ndkernels.upsample(x, scale_factor=0.1)
    with pytest.raises(ValueError, match="scale_factor: has 3 entries, and 2 are needed"):
        ndkernels.upsample(x, scale_factor=(1, 2, 3))
    with pytest.raises(ValueError, match="size: 0 is too small"):
        ndkernels.upsample(x, 0)
    with pytest.raises(ValueError, match="x: has 2 dimensions; accepted are 3 to 5"):
        ndkernels.upsample(x[0, 0], 2)
    with pytest.raises(ValueError, match="grad: has shape"):
        ndkernels.upsample_backward(x, (1, 2, 3, 3), 2)
