"""ndkernels.linear and its gradients against their definitions in float64."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import ndkernels

DTYPES = ("float32", "float64", "float16")
ERF = np.vectorize(math.erf, otypes=["float64"])
ACTIVATIONS = {
    None: lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def normal(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def check(got: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, name: str | None) -> None:
    wide = [each.astype("float64") for each in (x, weight)]
    term = np.zeros(weight.shape[0]) if bias is None else bias.astype("float64")
    sums = wide[0] @ wide[1].T + term
    eps = np.finfo("float64" if x.dtype == np.float64 else "float32").eps
    # No activation has a slope above 1.13.
    error = 1.13 * (x.shape[-1] + 2) * eps * (abs(wide[0]) @ abs(wide[1]).T + abs(term))
    exact = ACTIVATIONS[name](sums)
    error += 8 * eps * abs(exact) + np.finfo(x.dtype).eps * abs(exact) + np.finfo(x.dtype).tiny
    assert (got.dtype, got.shape) == (x.dtype, sums.shape)
    assert (abs(got.astype("float64") - exact) <= error).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("with_bias", [True, False])
def test_activations(dtype: str, activation: str | None, with_bias: bool) -> None:
    for rows, k, n in ((1, 5, 7), (13, 40, 67), (50, 300, 1), (30, 1, 33), (40, 270, 130)):
        x, weight = normal((rows, k), dtype, 0) / 2, normal((n, k), dtype, 1) / 2
        bias = normal((n,), dtype, 2) if with_bias else None
        check(ndkernels.linear(x, weight, bias, activation=activation), x, weight, bias, activation)


@pytest.mark.parametrize("dtype", DTYPES)
def test_leading_axes_and_any_strides(dtype: str) -> None:
    for shape in ((6,), (3, 4, 6), (2, 3, 4, 6), (0, 6), (3, 0, 6)):
        x, weight, bias = normal(shape, dtype, 0), normal((5, 6), dtype, 1), normal((5,), dtype, 2)
        check(ndkernels.linear(x, weight, bias=bias), x, weight, bias, None)
    base = normal((6, 8, 10), dtype, 3)
    x_views = (
        base.T,
        base.transpose(1, 2, 0),
        base.transpose(2, 1, 0)[::-1, ::2],
        np.broadcast_to(base[:, 0, 0], (9, 6)),
    )
    for x, weight in product(x_views, (normal((6, 5), dtype, 1).T, normal((10, 12), dtype, 1)[::-2, ::2])):
        bias = normal((10,), dtype, 2)[::-2]
        check(ndkernels.linear(x, weight, bias, activation="relu"), x, weight, bias, "relu")
        out = np.zeros((2 * weight.shape[0], *x.shape[:-1]), dtype)[::2]
        out = np.moveaxis(out, 0, -1)
        assert ndkernels.linear(x, weight, bias, activation="tanh", out=out) is out
        check(np.ascontiguousarray(out), x, weight, bias, "tanh")


def test_no_features_leave_the_bias() -> None:
    got = ndkernels.linear(np.ones((2, 0)), np.ones((3, 0)), np.float64([-1, 0, 2]), activation="relu")
    np.testing.assert_array_equal(got, [[0, 0, 2]] * 2)
    assert ndkernels.linear(np.ones((2, 3)), np.ones((0, 3))).shape == (2, 0)


def test_special_values() -> None:
    x = np.float32([[np.nan], [np.inf], [-np.inf], [1e30], [-1e30]])
    for name, expected in (
        ("relu", [np.nan, np.inf, 0, 1e30, 0]),
        ("sigmoid", [np.nan, 1, 0, 1, 0]),
        ("tanh", [np.nan, 1, -1, 1, -1]),
    ):
        got = ndkernels.linear(x, np.ones((2, 1), "float32"), activation=name)
        np.testing.assert_array_equal(got, np.float32([expected] * 2).T)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    x, weight, bias = normal((301, 500), "float32", 0), normal((203, 500), "float32", 1), normal((203,), "float32", 2)
    before = ndkernels.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3, 8):
            ndkernels.set_num_threads(count)
            results.append(ndkernels.linear(x, weight, bias, activation="gelu").tobytes())
    finally:
        ndkernels.set_num_threads(before)
    assert len(set(results)) == 1


def test_out_may_be_an_input() -> None:
    x, weight = normal((7, 7), "float64", 0), normal((7, 7), "float64", 1)
    expected = x @ weight.T
    ndkernels.linear(x, weight, out=x)
    np.testing.assert_allclose(x, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5), (0, 5)])
def test_gradients_are_those_of_numerical_differentiation(shape: tuple[int, ...]) -> None:
    x, weight, bias = normal(shape, "float64", 0), normal((3, 5), "float64", 1), normal((3,), "float64", 2)
    grad_out = normal((*shape[:-1], 3), "float64", 3)
    gradients = ndkernels.linear_backward(grad_out, x, weight)
    for argument, gradient in zip((x, weight, bias), gradients, strict=True):
        assert gradient.shape == argument.shape
        for place in np.ndindex(argument.shape):
            values = []
            for step in (1e-4, -2e-4):
                argument[place] += step
                values.append((ndkernels.linear(x, weight, bias) * grad_out).sum())
            argument[place] += 1e-4
            assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-4, rel=1e-6, abs=1e-8)


def test_gradients_of_transposed_views_and_halves() -> None:
    x, weight, grad_out = (
        normal((5, 4, 3), "float32", 0).T,
        normal((5, 6), "float32", 1).T,
        normal((6, 4, 3), "float32", 2).T,
    )
    for dtype, rtol in (("float32", 1e-5), ("float16", 1e-2)):
        arrays = [each.astype(dtype) for each in (grad_out, x, weight)]
        got = ndkernels.linear_backward(*arrays)
        wide = [each.astype("float64") for each in arrays]
        expected = (
            wide[0] @ wide[2],
            np.tensordot(wide[0], wide[1], ((0, 1), (0, 1))),
            wide[0].sum(axis=(0, 1)),
        )
        for one, other in zip(got, expected, strict=True):
            assert one.dtype == dtype
            np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def test_errors_name_the_argument() -> None:
    x, weight = np.ones((2, 3)), np.ones((4, 3))
    with pytest.raises(ValueError, match=r"weight: has shape \(3, 4\); accepted is \(out_features, 3\)"):
        ndkernels.linear(x, weight.T)
    with pytest.raises(ValueError, match=r"bias: has shape \(3,\); accepted is \(4,\)"):
        ndkernels.linear(x, weight, np.ones(3))
    with pytest.raises(ValueError, match="x: has 0 dimensions"):
        ndkernels.linear(np.ones(()), weight)
    with pytest.raises(ValueError, match="activation: got 'swish'; accepted are 'relu' and 'gelu'"):
        ndkernels.linear(x, weight, activation="swish")
    with pytest.raises(TypeError, match="weight: has dtype float32, and float64 is needed"):
        ndkernels.linear(x, weight.astype("float32"))
    with pytest.raises(TypeError, match="x: dtype int8 is not supported"):
        ndkernels.linear(x.astype("int8"), weight)
    with pytest.raises(ValueError, match=r"out: has shape \(2, 3\), and the result has \(2, 4\)"):
        ndkernels.linear(x, weight, out=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"grad_out: has shape \(2, 3\); accepted is \(2, 4\)"):
        ndkernels.linear_backward(x, x, weight)
