"""Properties of the functions that hold for any arguments: hypothesis looks for one that breaks them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import ndkernels

FAST = settings(
    derandomize=True, max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
ANY = st.one_of(st.floats(-1000, 1000, width=32), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]))
DTYPES = st.sampled_from(["float32", "float64"])
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
UNARY = ("negative", "abs", "sqrt", "rsqrt", "exp", "log", "sin", "cos", "tanh", "erf", "sigmoid", "relu",
         "leaky_relu", "elu", "gelu", "silu", "softplus")  # fmt: skip


@st.composite
def laid_out(draw: st.DrawFn, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array with the same elements, whose axes lie in memory in any order, with gaps, and backwards."""
    order = draw(st.permutations(range(x.ndim)))
    steps = [draw(st.sampled_from([1, 1, -1, 2])) for _ in order]
    memory = np.full([x.shape[axis] * abs(step) for axis, step in zip(order, steps, strict=True)], 7, x.dtype)
    view = memory[(..., *(slice(None, None, step) for step in steps))].transpose(np.argsort(order))
    view[...] = x
    return view


@st.composite
def numbers(draw: st.DrawFn, *shape: int, dtype: str = "float32") -> np.ndarray[Any, Any]:
    """Return numbers from -2 to 2 in an array of any layout."""
    x = np.random.default_rng(draw(st.integers(0, 99))).uniform(-2, 2, shape).astype(dtype)
    return draw(laid_out(x))


class Windows(NamedTuple):
    """Two-dimensional windows, and an extent that has room for one."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    extent: tuple[int, int]


@st.composite
def windows(draw: st.DrawFn, *, dilated: bool = True) -> Windows:
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    kernel = pair(1, 4)
    found = Windows(
        kernel=kernel,
        stride=pair(1, 3),
        padding=(draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))),
        dilation=pair(1, 2) if dilated else (1, 1),
        extent=pair(1, 20),
    )
    spans = [d * (k - 1) + 1 for d, k in zip(found.dilation, kernel, strict=True)]
    assume(all(e + 2 * p >= s for e, p, s in zip(found.extent, found.padding, spans, strict=True)))
    return found


def patches(x: np.ndarray[Any, Any], w: Windows, fill: float) -> np.ndarray[Any, Any]:
    """Return the windows of (n, c, height, width): (n, c, rows, columns, kernel rows, kernel columns)."""
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in w.padding)], constant_values=fill)
    spans = tuple(d * (k - 1) + 1 for d, k in zip(w.dilation, w.kernel, strict=True))
    found = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
    return found[:, :, :: w.stride[0], :: w.stride[1], :: w.dilation[0], :: w.dilation[1]]


@FAST
@given(st.data(), DTYPES, arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=9))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_two_operands_of_any_layout_give_what_numpy_gives(data: st.DataObject, dtype: str, shapes: Any) -> None:
    x1, x2 = (data.draw(laid_out(data.draw(arrays.arrays(dtype, s, elements=ANY)))) for s in shapes.input_shapes)
    for name in (*BINARY, *COMPARISONS):
        np.testing.assert_array_equal(getattr(ndkernels, name)(x1, x2), getattr(np, name)(x1, x2), err_msg=name)


@FAST
@given(st.data(), DTYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
def test_the_layout_changes_no_bit(data: st.DataObject, dtype: str, shape: tuple[int, ...]) -> None:
    x = data.draw(laid_out(data.draw(arrays.arrays(dtype, shape, elements=ANY))))
    out = data.draw(laid_out(np.zeros(shape, dtype)))
    packed = np.ascontiguousarray(x).reshape(shape)
    for name in UNARY:
        function = getattr(ndkernels, name)
        np.testing.assert_array_equal(function(x, out=out), function(packed), err_msg=name)


@FAST
@given(st.data(), DTYPES, st.integers(1, 60), st.integers(-3, 3), st.sampled_from([*UNARY, "add"]))
def test_a_result_may_overlap_an_operand(data: st.DataObject, dtype: str, count: int, shift: int, name: str) -> None:
    memory = data.draw(numbers(count + 6, dtype=dtype)).copy()
    x, out = memory[3 : 3 + count], memory[3 + shift : 3 + shift + count]
    function = getattr(ndkernels, name)
    operands = (x, x[::-1]) if name == "add" else (x,)
    right = function(*(each.copy() for each in operands))
    np.testing.assert_array_equal(function(*operands, out=out), right)


@FAST
@given(st.data(), DTYPES, st.tuples(st.integers(0, 40), st.integers(0, 70), st.integers(0, 40)), st.integers(1, 3))
def test_products_are_within_their_bound(
    data: st.DataObject, dtype: str, sizes: tuple[int, int, int], count: int
) -> None:
    m, k, n = sizes
    a = data.draw(numbers(data.draw(st.sampled_from([1, count])), m, k, dtype=dtype))
    b = data.draw(numbers(count, k, n, dtype=dtype))
    # Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.5
    bound = (k + 1) * np.finfo(a.dtype).eps * np.matmul(np.abs(a), np.abs(b), dtype="longdouble")
    exact = np.matmul(a, b, dtype="longdouble")
    assert (np.abs(ndkernels.matmul(a, b) - exact) <= bound).all()


@FAST
@given(st.data(), DTYPES, windows(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_convolutions_and_their_gradients_are_those_of_the_definition(
    data: st.DataObject, dtype: str, w: Windows, channels: int, filters: int, groups: int, last: bool
) -> None:
    x = data.draw(numbers(2, groups * channels, *w.extent, dtype=dtype))
    weight = data.draw(numbers(groups * filters, channels, *w.kernel, dtype=dtype))
    options = {"stride": w.stride, "padding": w.padding, "dilation": w.dilation, "groups": groups}
    found = patches(x.astype("float64"), w, 0).reshape(2, groups, channels, -1, math.prod(w.kernel))
    exact = np.einsum(
        "ngcpk,gfck->ngfp", found, weight.astype("float64").reshape(groups, filters, channels, -1)
    ).reshape(2, groups * filters, -1)
    got = ndkernels.conv2d(x.transpose(0, 2, 3, 1) if last else x, weight, layout="NHWC" if last else "NCHW", **options)
    got = got.transpose(0, 3, 1, 2) if last else got
    terms = channels * math.prod(w.kernel)
    # A term is at most 4; the products of Winograd's algorithm may be some times as large.
    slack = 4 * terms * 16 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(got.reshape(exact.shape), exact, rtol=0, atol=slack)

    # The gradients are the adjoint maps: <conv(x, w), g> = <x, dx> = <w, dw>, and db sums g.
    g = data.draw(numbers(*got.shape, dtype=dtype))
    dx, dw, db = ndkernels.conv2d_backward(g, x, weight, **options)
    product = np.vdot(g.astype("float64").reshape(exact.shape), exact)
    slack *= 2 * g.size
    assert abs(np.vdot(dx.astype("float64"), x.astype("float64")) - product) <= slack
    assert abs(np.vdot(dw.astype("float64"), weight.astype("float64")) - product) <= slack
    np.testing.assert_allclose(db, g.astype("float64").sum(axis=(0, 2, 3)), rtol=0, atol=slack)


@FAST
@given(st.data(), DTYPES, windows(), st.integers(1, 20))
def test_pools_are_those_of_the_definition(data: st.DataObject, dtype: str, w: Windows, channels: int) -> None:
    x = data.draw(numbers(2, channels, *w.extent, dtype=dtype))
    most = ndkernels.max_pool2d(x, w.kernel, w.stride, w.padding, w.dilation)
    np.testing.assert_array_equal(most, patches(x, w, -math.inf).max(axis=(4, 5)))
    w = w._replace(dilation=(1, 1))
    means = ndkernels.avg_pool2d(x, w.kernel, w.stride, w.padding)
    right = patches(x.astype("float64"), w, 0).mean(axis=(4, 5))
    np.testing.assert_allclose(means, right, rtol=0, atol=64 * np.finfo(x.dtype).eps)


@FAST
@given(st.data(), DTYPES, arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=20))
def test_softmax_and_normalization(data: st.DataObject, dtype: str, shape: tuple[int, ...]) -> None:
    x = data.draw(numbers(*shape, dtype=dtype))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    eps = np.finfo(x.dtype).eps
    power = np.exp(x.astype("float64"))
    right = power / power.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(ndkernels.softmax(x, axis=axis), right, rtol=16 * eps)
    np.testing.assert_allclose(ndkernels.log_softmax(x, axis=axis), np.log(right), rtol=0, atol=32 * eps)
    wide = x.astype("float64")
    centred = wide - wide.mean(axis=-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 0.1)
    np.testing.assert_allclose(ndkernels.layer_norm(x, shape[-1], eps=0.1), normal, rtol=0, atol=64 * eps)
