"""Convolutions against their definition, computed in float64 by NumPy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ndkernels

CONV = {1: ndkernels.conv1d, 2: ndkernels.conv2d, 3: ndkernels.conv3d}
LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
# Of the largest element of the result: float32 includes Winograd's algorithm.
TOLERANCE = {"float32": 2e-5, "float64": 1e-13}


def reference(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int = 1,
) -> np.ndarray:
    """Channels first; one product per tap of the kernel."""
    x = np.pad(x.astype("float64"), ((0, 0), (0, 0), *padding))
    weight = weight.astype("float64")
    kernel = weight.shape[2:]
    extents = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)]
    channels, filters = weight.shape[1], weight.shape[0] // groups
    result = np.zeros((x.shape[0], weight.shape[0], *extents))
    for tap in product(*map(range, kernel)):
        where = tuple(
            slice(t * d, t * d + (e - 1) * s + 1, s) for t, d, e, s in zip(tap, dilation, extents, stride, strict=True)
        )
        for group in range(groups):
            part = x[(slice(None), slice(group * channels, (group + 1) * channels), *where)]
            taps = weight[(slice(group * filters, (group + 1) * filters), slice(None), *tap)]
            result[:, group * filters : (group + 1) * filters] += np.moveaxis(np.tensordot(taps, part, (1, 1)), 0, 1)
    if bias is not None:
        result += bias.astype("float64").reshape(-1, *(1,) * len(kernel))
    return result


def assert_close(got: np.ndarray, want: np.ndarray, dtype: str, scale: float = 1) -> None:
    assert (got.dtype, got.shape) == (np.dtype(dtype), want.shape)
    if want.size:
        np.testing.assert_allclose(got, want, rtol=0, atol=scale * TOLERANCE[dtype] * max(1e-3, np.abs(want).max()))


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def as_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def as_first(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, -1, 1)


def views(x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same values with other strides."""
    doubled = np.zeros(tuple(2 * n + 1 for n in x.shape), x.dtype)
    spread = doubled[tuple(slice(1, 1 + 2 * n, 2) for n in x.shape)]
    spread[...] = x
    return {
        "plain": x,
        "turned": np.ascontiguousarray(x[..., ::-1])[..., ::-1],
        "fortran": np.asfortranarray(x),
        "spread": spread,
        "last": as_first(np.ascontiguousarray(as_last(x))),
    }


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_every_combination(spatial: int, dtype: str) -> None:
    for stride, begin, end, dilation, kernel, groups in product((1, 2, 3), (0, 1), (0, 2), (1, 2), (1, 2, 3), (1, 2)):
        x = random((2, 3 * groups, *(7, 6, 9)[:spatial]), dtype, stride)
        weight = random((2 * groups, 3, *(kernel, 1 + kernel % 3, kernel)[:spatial]), dtype, 1)
        bias = random((2 * groups,), dtype, 2)
        arguments: dict[str, Any] = {
            "stride": (stride, 1, stride)[:spatial],
            "padding": ((begin, end), (end, begin), (begin, begin))[:spatial],
            "dilation": (dilation, 1, dilation)[:spatial],
            "groups": groups,
        }
        want = reference(x, weight, bias, **arguments)
        assert_close(CONV[spatial](x, weight, bias, **arguments), want, dtype)
        last = CONV[spatial](as_last(x), weight, bias, layout=LAYOUTS[spatial][1], **arguments)
        assert_close(as_first(last), want, dtype)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_combination(data: st.DataObject) -> None:
    spatial = data.draw(st.integers(1, 3))
    groups = data.draw(st.integers(1, 3))
    dtype = data.draw(st.sampled_from(sorted(TOLERANCE)))
    numbers = lambda low, high: tuple(data.draw(st.integers(low, high)) for _ in range(spatial))
    kernel, stride, dilation = numbers(1, 4), numbers(1, 3), numbers(1, 3)
    padding = tuple(zip(numbers(0, 3), numbers(0, 3), strict=True))
    most = (40, 12, 6)[spatial - 1]
    extents = tuple(
        max(n, d * (k - 1) + 1 - sum(p)) for n, d, k, p in zip(numbers(1, most), dilation, kernel, padding, strict=True)
    )
    channels, filters = data.draw(st.integers(1, 19)), data.draw(st.integers(1, 19))
    x = random((data.draw(st.integers(0, 3)), groups * channels, *extents), dtype)
    weight = random((groups * filters, channels, *kernel), dtype, 1)
    bias = random((groups * filters,), dtype, 2) if data.draw(st.booleans()) else None
    arguments: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    want = reference(x, weight, bias, **arguments)
    name = data.draw(st.sampled_from(["plain", "turned", "fortran", "spread", "last"]))
    got = CONV[spatial](views(x)[name], views(weight)[data.draw(st.sampled_from(["plain", "turned", "last"]))], bias, **arguments)  # fmt: skip
    assert_close(got, want, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("channels", [1, 3, 15, 17, 33])
@pytest.mark.parametrize("filters", [1, 3, 15, 17, 33])
def test_larger_images_of_odd_channel_counts(channels: int, filters: int, dtype: str) -> None:
    for (height, width), kernel, stride, pad in (
        ((19, 35), 3, 1, 1),
        ((28, 28), 3, 1, 0),
        ((14, 14), 3, 2, 1),
        ((7, 7), 3, 1, 1),
        ((30, 31), 7, 2, 3),
        ((15, 17), 1, 1, 0),
        ((15, 17), 1, 2, 0),
        ((5, 70), 3, 1, 2),
    ):
        x = random((2, channels, height, width), dtype)
        weight = random((filters, channels, kernel, kernel), dtype, 1)
        bias = random((filters,), dtype, 2)
        arguments: dict[str, Any] = {"stride": (stride, stride), "padding": ((pad, pad),) * 2, "dilation": (1, 1)}
        want = reference(x, weight, bias, **arguments)
        assert_close(ndkernels.conv2d(x, weight, bias, **arguments), want, dtype)
        last = ndkernels.conv2d(as_last(x), weight, bias, layout="NHWC", **arguments)
        assert_close(as_first(last), want, dtype)


@pytest.mark.parametrize(("batch", "channels", "filters", "size", "kernel", "stride"), [
    (1, 64, 64, 56, 3, 1),
    (8, 128, 128, 28, 3, 1),
    (1, 512, 70, 7, 3, 1),
    (8, 96, 130, 7, 3, 1),
    (1, 300, 250, 14, 3, 2),
    (2, 700, 300, 14, 1, 1),
    (1, 3, 64, 112, 7, 2),
])  # fmt: skip
def test_layers_of_networks(batch: int, channels: int, filters: int, size: int, kernel: int, stride: int) -> None:
    x = random((batch, channels, size, size), "float32")
    weight = random((filters, channels, kernel, kernel), "float32", 1)
    arguments: dict[str, Any] = {"stride": (stride, stride), "padding": ((kernel // 2,) * 2,) * 2, "dilation": (1, 1)}
    got = ndkernels.conv2d(x, weight, **arguments)
    assert_close(got, reference(x, weight, **arguments), "float32")


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_depthwise(layout: str, multiplier: int, dtype: str) -> None:
    for channels, size, kernel, stride, dilation in product((1, 17), ((9, 40), (7, 7)), (3, 5), (1, 2, 3), (1, 2)):
        x = random((2, channels, *size), dtype)
        weight = random((channels * multiplier, 1, kernel, kernel), dtype, 1)
        bias = random((channels * multiplier,), dtype, 2)
        arguments: dict[str, Any] = {
            "stride": (stride, stride),
            "padding": ((kernel, 1), (2, kernel)),
            "dilation": (dilation, dilation),
            "groups": channels,
        }
        want = reference(x, weight, bias, **arguments)
        got = ndkernels.conv2d(as_last(x) if layout == "NHWC" else x, weight, bias, layout=layout, **arguments)
        assert_close(as_first(got) if layout == "NHWC" else got, want, dtype)


@pytest.mark.parametrize("name", ["plain", "turned", "fortran", "spread", "last"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_any_strides_of_everything(name: str, kernel: int) -> None:
    x, weight = random((2, 20, 18, 21), "float32"), random((18, 20, kernel, kernel), "float32", 1)
    want = reference(x, weight, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1))
    out = views(np.empty(want.shape, "float32"))[name]
    assert ndkernels.conv2d(views(x)[name], views(weight)[name], padding=1, out=out) is out
    assert_close(out, want, "float32")


def test_broadcast_inputs() -> None:
    x = np.broadcast_to(random((1, 1, 9, 1), "float64"), (3, 4, 9, 8))
    weight = np.broadcast_to(random((1, 4, 1, 1), "float64"), (5, 4, 3, 3))
    bias = np.broadcast_to(np.float64(2), (5,))
    want = reference(x, weight, bias, stride=(2, 2), padding=((1, 1), (1, 1)), dilation=(1, 1))
    assert_close(ndkernels.conv2d(x, weight, bias, stride=2, padding=1), want, "float64")


def test_out_that_shares_memory_with_x() -> None:
    x, weight = random((1, 4, 8, 8), "float32"), random((4, 4, 3, 3), "float32", 1)
    want = ndkernels.conv2d(x, weight, padding=1)
    ndkernels.conv2d(x, weight, padding=1, out=x)
    np.testing.assert_array_equal(x, want)


def test_padding_by_name() -> None:
    x = random((1, 2, 10, 11), "float64")
    for kernel, dilation in product((1, 2, 3, 4), (1, 2)):
        weight = random((3, 2, kernel, kernel), "float64", 1)
        reach = dilation * (kernel - 1)
        pads = ((reach // 2, reach - reach // 2),) * 2
        want = reference(x, weight, stride=(1, 1), padding=pads, dilation=(dilation, dilation))
        assert want.shape[2:] == x.shape[2:]
        assert_close(ndkernels.conv2d(x, weight, padding="same", dilation=dilation), want, "float64")
        want = reference(x, weight, stride=(1, 1), padding=((0, 0),) * 2, dilation=(dilation, dilation))
        assert_close(ndkernels.conv2d(x, weight, padding="valid", dilation=dilation), want, "float64")


def test_empty_arrays() -> None:
    weight = np.ones((3, 2, 2, 2), "float32")
    assert ndkernels.conv2d(np.ones((0, 2, 4, 5), "float32"), weight).shape == (0, 3, 3, 4)
    none = ndkernels.conv2d(np.ones((1, 0, 4, 5), "float32"), np.ones((3, 0, 2, 2), "float32"), np.ones(3, "float32"))
    np.testing.assert_array_equal(none, np.ones((1, 3, 3, 4), "float32"))
    assert ndkernels.conv2d(np.ones((1, 2, 4, 5), "float32"), np.ones((0, 2, 2, 2), "float32")).shape == (1, 0, 3, 4)
    x = np.ones((0, 2, 4, 5), "float32")
    grad_x, grad_weight, grad_bias = ndkernels.conv2d_backward(np.ones((0, 3, 3, 4), "float32"), x, weight)
    assert grad_x.shape == x.shape
    assert not grad_weight.any()
    assert not grad_bias.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("channels", "extent"), [(1, 9), (16, 32)])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinities_and_nan_stay_where_the_kernel_meets_them(
    value: float, channels: int, extent: int, dtype: str
) -> None:
    """Also with as many channels as Winograd's algorithm takes."""
    x = np.ones((1, channels, extent, extent), dtype)
    x[0, 0, 4, 4] = value
    got = ndkernels.conv2d(x, np.ones((channels, channels, 3, 3), dtype), padding=1)
    np.testing.assert_array_equal(got[:, :, 3:6, 3:6], np.full((1, channels, 3, 3), value))
    assert (~np.isfinite(got)).sum() == 9 * channels


def test_sums_on_the_way_may_overflow() -> None:
    x, weight = np.full((1, 16, 32, 32), 1e37, "float32"), np.full((16, 16, 3, 3), 1e-9, "float32")
    np.testing.assert_allclose(ndkernels.conv2d(x, weight), np.full((1, 16, 30, 30), 1.44e30), rtol=1e-5)


def test_threads_change_nothing() -> None:
    threads = ndkernels.get_num_threads()
    cases = [
        ((2, 40, 30, 31), (50, 40, 3, 3), 1),
        ((1, 300, 7, 7), (200, 300, 1, 1), 1),
        ((3, 32, 40, 40), (32, 1, 3, 3), 32),
    ]
    try:
        for x_shape, w_shape, groups in cases:
            for stride in (1, 2):
                x, weight = random(x_shape, "float32"), random(w_shape, "float32", 1)
                results = []
                for count in (1, 2, 3, 7):
                    ndkernels.set_num_threads(count)
                    y = ndkernels.conv2d(x, weight, padding=1, groups=groups, stride=stride)
                    gradients = ndkernels.conv2d_backward(y, x, weight, padding=1, groups=groups, stride=stride)
                    results.append(b"".join(each.tobytes() for each in (y, *gradients)))
                assert len(set(results)) == 1
    finally:
        ndkernels.set_num_threads(threads)


def test_errors_name_the_argument() -> None:
    x, weight = np.zeros((1, 4, 5, 6), "float32"), np.zeros((6, 2, 3, 3), "float32")
    with pytest.raises(
        ValueError, match=r"weight: the kernel spans 7 places along the height .* larger than the input"
    ):
        ndkernels.conv2d(x, np.zeros((6, 4, 7, 1), "float32"))
    with pytest.raises(ValueError, match="weight: has 2 channels per group and 1 groups, and the input has 4 channels"):
        ndkernels.conv2d(x, weight)
    with pytest.raises(ValueError, match="groups: 4 does not divide weight's 6 filters"):
        ndkernels.conv2d(x, weight, groups=4)
    with pytest.raises(ValueError, match="x: has 3 dimensions; accepted are 4"):
        ndkernels.conv2d(x[0], weight)
    with pytest.raises(ValueError, match="weight: has 4 dimensions; accepted are 3"):
        ndkernels.conv1d(x[0], weight)
    with pytest.raises(TypeError, match="weight: has dtype float64, and float32 is needed"):
        ndkernels.conv2d(x, weight.astype("float64"), groups=2)
    with pytest.raises(TypeError, match="x: dtype int64 is not supported"):
        ndkernels.conv2d(np.zeros((1, 4, 5, 6), "int64"), weight)
    with pytest.raises(ValueError, match=r"bias: has shape \(5,\), and \(6,\) is needed"):
        ndkernels.conv2d(x, weight, np.zeros(5, "float32"), groups=2)
    with pytest.raises(ValueError, match="stride: 0 is too small"):
        ndkernels.conv2d(x, weight, stride=0, groups=2)
    with pytest.raises(ValueError, match="padding: -1 is too small"):
        ndkernels.conv2d(x, weight, padding=-1, groups=2)
    with pytest.raises(ValueError, match="padding: got 'full'; accepted are 'same', 'valid'"):
        ndkernels.conv2d(x, weight, padding="full", groups=2)
    with pytest.raises(ValueError, match=r"padding: 'same' has no meaning with stride \(2, 2\)"):
        ndkernels.conv2d(x, weight, padding="same", stride=2, groups=2)
    with pytest.raises(ValueError, match=r"padding: got .* with pairs, one for each of height and width is needed"):
        ndkernels.conv2d(x, weight, padding=((1, 1), 1), groups=2)
    with pytest.raises(ValueError, match="layout: got 'CHWN'; accepted are 'NCHW' and 'NHWC'"):
        ndkernels.conv2d(x, weight, layout="CHWN", groups=2)
    with pytest.raises(ValueError, match="out: has shape"):
        ndkernels.conv2d(x, weight, groups=2, out=np.zeros(3, "float32"))
    with pytest.raises(ValueError, match=r"grad_out: has shape \(1, 6, 5, 6\), and the result .* has \(1, 6, 3, 4\)"):
        ndkernels.conv2d_backward(np.zeros((1, 6, 5, 6), "float32"), x, weight, groups=2)
    with pytest.raises(ValueError, match="output_padding: 1 is too large"):
        ndkernels.conv_transpose2d(x, np.zeros((4, 2, 3, 3), "float32"), output_padding=1)
    with pytest.raises(ValueError, match="which is empty"):
        ndkernels.conv_transpose2d(x, np.zeros((4, 2, 1, 1), "float32"), padding=3)
    with pytest.raises(ValueError, match="the kernel is larger than the input"):
        ndkernels.im2col(x, 7)


def test_sizes_that_would_overflow_are_refused() -> None:
    x = np.broadcast_to(np.float32(0), (1, 1, 2**30, 2**30))
    with pytest.raises((ValueError, MemoryError, RuntimeError)):
        ndkernels.conv2d(x, np.zeros((1, 1, 1, 1), "float32"))
    weight = np.broadcast_to(np.float32(0), (1, 1, 2**30, 2**30))
    with pytest.raises(ValueError, match="larger than the input"):
        ndkernels.conv2d(np.zeros((1, 1, 2, 2), "float32"), weight, dilation=2**31 - 1)
