"""Gradients of convolutions by numerical differentiation, transposed convolutions and im2col by their definitions."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import ndkernels

CONV = {1: ndkernels.conv1d, 2: ndkernels.conv2d, 3: ndkernels.conv3d}
BACKWARD = {1: ndkernels.conv1d_backward, 2: ndkernels.conv2d_backward, 3: ndkernels.conv3d_backward}
LAST = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def differences(function: Any, x: np.ndarray) -> np.ndarray:
    """Return the derivatives of a function that is linear in x: exact up to rounding for any step."""
    result = np.empty(x.shape)
    zero = function(np.zeros_like(x))
    for place in np.ndindex(*x.shape):
        unit = np.zeros_like(x)
        unit[place] = 1
        result[place] = function(unit) - zero
    return result


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("last", [False, True])
def test_backward(spatial: int, last: bool) -> None:
    for stride, dilation, kernel, groups in product((1, 2, 3), (1, 2), (1, 2, 3), (1, 2)):
        x = random((2, 2 * groups, *(6, 5, 4)[:spatial]))
        weight = random((3 * groups, 2, *(kernel, 2, 1)[:spatial]), 1)
        bias = random((3 * groups,), 2)
        arguments: dict[str, Any] = {
            "stride": (stride, 2, 1)[:spatial],
            "padding": ((1, 2), (0, 1), (1, 0))[:spatial],
            "dilation": (dilation, 1, 2)[:spatial],
            "groups": groups,
        }
        if last:
            x, arguments["layout"] = np.moveaxis(x, 1, -1), LAST[spatial]
        grad_out = random(CONV[spatial](x, weight, bias, **arguments).shape, 3)

        def loss(
            x: np.ndarray,
            weight: np.ndarray,
            bias: np.ndarray,
            grad_out: np.ndarray = grad_out,
            arguments: Any = arguments,
        ) -> float:
            return float((CONV[spatial](x, weight, bias, **arguments) * grad_out).sum())

        grad_x, grad_weight, grad_bias = BACKWARD[spatial](grad_out, x, weight, **arguments)
        assert grad_x.shape == x.shape
        # A direction for the images, which have many elements, and every element of the rest.
        direction = random(x.shape, 4)
        zero = np.zeros_like(bias)
        np.testing.assert_allclose((grad_x * direction).sum(), loss(direction, weight, zero), rtol=1e-9, atol=1e-9)
        place = tuple(n - 1 for n in x.shape)
        unit = np.zeros_like(x)
        unit[place] = 1
        np.testing.assert_allclose(grad_x[place], loss(unit, weight, zero), atol=1e-12)
        if stride != 3:
            want = differences(lambda w, x=x, zero=zero: loss(x, w, zero), weight)
            np.testing.assert_allclose(grad_weight, want, atol=1e-11)
        axes = tuple(axis for axis in range(spatial + 2) if axis != (spatial + 1 if last else 1))
        np.testing.assert_allclose(grad_bias, grad_out.sum(axis=axes), atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
def test_backward_of_layers(stride: int) -> None:
    """The three gradients are those of one bilinear form: <y, grad> = <x, grad_x> = <weight, grad_weight>."""
    for channels, filters, size, kernel in ((33, 17, 28, 3), (64, 64, 14, 3), (128, 40, 7, 1), (3, 20, 40, 7)):
        x = random((2, channels, size, size)).astype("float32")
        weight = random((filters, channels, kernel, kernel), 1).astype("float32")
        y = ndkernels.conv2d(x, weight, stride=stride, padding=kernel // 2)
        grad_out = random(y.shape, 3).astype("float32")
        grad_x, grad_weight, _ = ndkernels.conv2d_backward(grad_out, x, weight, stride=stride, padding=kernel // 2)
        form = np.vdot(y.astype("float64"), grad_out)
        scale = np.linalg.norm(y) * np.linalg.norm(grad_out)
        assert abs(np.vdot(x.astype("float64"), grad_x) - form) < 1e-5 * scale
        assert abs(np.vdot(weight.astype("float64"), grad_weight) - form) < 1e-5 * scale


def transposed(
    x: np.ndarray, weight: np.ndarray, stride: int, padding: int, more: int, dilation: int, groups: int
) -> np.ndarray:
    """Every element of x adds a copy of the kernel."""
    batch, channels, height, width = x.shape
    inner, (rows, columns) = channels // groups, weight.shape[2:]
    shape = [(n - 1) * stride + dilation * (k - 1) + 1 + more for n, k in ((height, rows), (width, columns))]
    result = np.zeros((batch, weight.shape[1] * groups, *shape))
    for i, j, k, l in product(range(height), range(width), range(rows), range(columns)):
        for group in range(groups):
            own = slice(group * inner, (group + 1) * inner)
            filters = slice(group * weight.shape[1], (group + 1) * weight.shape[1])
            place = (slice(None), filters, i * stride + k * dilation, j * stride + l * dilation)
            result[place] += x[:, own, i, j] @ weight[own, :, k, l]
    return result[:, :, padding : shape[0] - padding, padding : shape[1] - padding]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed(stride: int, dilation: int, groups: int) -> None:
    for kernel, padding, more in product((1, 2, 3), (0, 1), (0, 1)):
        if more >= max(stride, dilation) or (kernel == 1 and padding and stride == 1):
            continue
        x, bias = random((2, 2 * groups, 4, 5)), random((3 * groups,), 2)
        weight = random((2 * groups, 3, kernel, kernel), 1)
        arguments: dict[str, Any] = {
            "stride": stride, "padding": padding, "output_padding": more, "dilation": dilation, "groups": groups,
        }  # fmt: skip
        want = transposed(x, weight, stride, padding, more, dilation, groups) + bias[:, None, None]
        got = ndkernels.conv_transpose2d(x, weight, bias, **arguments)
        np.testing.assert_allclose(got, want, atol=1e-12)
        last = ndkernels.conv_transpose2d(np.moveaxis(x, 1, -1), weight, bias, layout="NHWC", **arguments)
        np.testing.assert_allclose(np.moveaxis(last, -1, 1), want, atol=1e-12)

        grad_out = random(want.shape, 3)
        grad_x, grad_weight, grad_bias = ndkernels.conv_transpose2d_backward(grad_out, x, weight, **arguments)
        form = np.vdot(want - bias[:, None, None], grad_out)
        np.testing.assert_allclose(np.vdot(x, grad_x), form, atol=1e-9)
        np.testing.assert_allclose(np.vdot(weight, grad_weight), form, atol=1e-9)
        np.testing.assert_allclose(grad_bias, grad_out.sum(axis=(0, 2, 3)), atol=1e-12)

        def loss(
            w: np.ndarray, x: np.ndarray = x, grad_out: np.ndarray = grad_out, arguments: Any = arguments
        ) -> float:
            return float((ndkernels.conv_transpose2d(x, w, **arguments) * grad_out).sum())

        np.testing.assert_allclose(grad_weight, differences(loss, weight), atol=1e-11)


def columns(
    x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    extents = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)]
    found = [
        x[:, :, i * dilation[0] :: stride[0], j * dilation[1] :: stride[1]][:, :, : extents[0], : extents[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    return np.stack(found, 2).reshape(x.shape[0], x.shape[1] * len(found), -1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_im2col(dtype: str) -> None:
    x = random((2, 3, 9, 37)).astype(dtype)
    for kernel, stride, padding, dilation in product(
        ((1, 1), (3, 2)), ((1, 1), (2, 3), (1, 2)), ((0, 0), (2, 3)), ((1, 1), (2, 3))
    ):
        want = columns(x, kernel, stride, padding, dilation)
        arguments: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
        np.testing.assert_array_equal(ndkernels.im2col(x, kernel, **arguments), want)
        for view in (x[..., ::-1], x.swapaxes(2, 3), np.broadcast_to(x[:1, :1], x.shape)):
            want = columns(view, kernel, stride, padding, dilation)
            out = np.empty(want.shape[::-1], dtype).T
            assert ndkernels.im2col(view, kernel, out=out, **arguments) is out
            np.testing.assert_array_equal(out, want)
    assert ndkernels.im2col(np.ones((0, 2, 3, 3), dtype), 2).shape == (0, 8, 4)
