"""The options of the activation functions, and float16 and bfloat16, which are stored so and computed in float32."""

from __future__ import annotations

import inspect
import math
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ndkernels

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh", "exp", "erf")
HALVES = {"float16": np.dtype("float16"), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_number_of_16_bits(name: str, dtype: str) -> None:
    """Each result is that of float32, rounded once."""
    x = np.arange(2**16, dtype="uint16").view(HALVES[dtype])
    got = getattr(ndkernels, name)(x)
    assert (got.dtype, got.shape) == (x.dtype, x.shape)
    right = getattr(ndkernels, name)(x.astype("float32")).astype(x.dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(right))
    numbers = ~np.isnan(right)
    np.testing.assert_array_equal(got.view("uint16")[numbers], right.view("uint16")[numbers])


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 511, 512, 513, 1030])
def test_16_bits_at_every_length_and_stride(dtype: str, length: int) -> None:
    base = np.random.default_rng(length).uniform(-4, 4, 3 * length + 2).astype(HALVES[dtype])
    for x in (base[:length], base[1 : length + 1], base[: 2 * length : 2], base[length:0:-1][:length]):
        out = np.full(2 * len(x) + 2, 9, HALVES[dtype])
        for target in (out[1 : 1 + len(x)], out[1 : 1 + 2 * len(x) : 2]):
            out[...] = 9
            ndkernels.tanh(x, out=target)
            np.testing.assert_array_equal(target, ndkernels.tanh(x.astype("float32")).astype(x.dtype))
            assert out[0] == 9
            assert out[-1] == 9
    own = base.copy()
    np.testing.assert_array_equal(ndkernels.silu(own, out=own), ndkernels.silu(base))


@pytest.mark.parametrize("dtype", HALVES)
def test_where_16_bits_are_not_taken_they_are_refused(dtype: str) -> None:
    x = np.ones(3, HALVES[dtype])
    with pytest.raises(TypeError, match=rf"^x: dtype {dtype} is not supported; accepted are float32 and float64"):
        ndkernels.log(x)
    with pytest.raises(TypeError, match=rf"^x1: dtype {dtype} is not supported"):
        ndkernels.add(x, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_options_have_the_meaning_of_torch(dtype: str) -> None:
    x = np.linspace(-5, 5, 41).astype(dtype)
    wide = x.astype("float64")
    close: dict[str, Any] = {"rtol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(ndkernels.leaky_relu(x), np.where(wide > 0, wide, 0.01 * wide), **close)
    got = ndkernels.leaky_relu(x, negative_slope=-2)
    np.testing.assert_allclose(got, np.where(wide > 0, wide, -2 * wide), **close)
    np.testing.assert_allclose(ndkernels.elu(x, alpha=0.5), np.where(wide > 0, wide, 0.5 * np.expm1(wide)), **close)
    right = np.where(wide * 2 > 3, wide, np.log1p(np.exp(2 * wide)) / 2)
    np.testing.assert_allclose(ndkernels.softplus(x, beta=2, threshold=3), right, **close)
    np.testing.assert_array_equal(ndkernels.gelu(x, approximate="none"), ndkernels.gelu(x))
    right = 0.5 * wide * (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))
    np.testing.assert_allclose(ndkernels.gelu(x, approximate="tanh"), right, rtol=64 * np.finfo(dtype).eps, atol=1e-13)


def test_wrong_options_are_named() -> None:
    x = np.ones(3)
    with pytest.raises(TypeError, match=r"^alpha: got str; accepted is a number"):
        ndkernels.elu(x, alpha="1")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"^approximate: got int; accepted are 'none' and 'tanh'"):
        ndkernels.gelu(x, approximate=1)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"^approximate: got 'fast'; accepted are 'none' and 'tanh'"):
        ndkernels.gelu(x, approximate="fast")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"relu\(\) got an unexpected keyword argument 'alpha'"):
        ndkernels.relu(x, alpha=1)  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_clip(dtype: str) -> None:
    x = np.array([-np.inf, -2, -0.5, 0, 0.5, 2, np.inf, np.nan], dtype)
    for low, high in ((-1, 1), (None, 1), (-1, None), (1, -1), (-np.inf, np.inf), (np.float32(0.5), True)):
        np.testing.assert_array_equal(ndkernels.clip(x, low, high), np.clip(x, low, high))
    np.testing.assert_array_equal(ndkernels.clip(x, min=-1, max=1), np.clip(x, -1, 1))
    np.testing.assert_array_equal(ndkernels.clip(x), x)
    assert not np.shares_memory(ndkernels.clip(x), x)
    assert np.isnan(ndkernels.clip(x, np.nan, 1)).all()
    assert np.isnan(ndkernels.clip(x, 0, np.nan)).all()
    limits = np.array([[-1], [0]], dtype)
    np.testing.assert_array_equal(ndkernels.clip(x, limits, 1), np.clip(x, limits, 1))
    np.testing.assert_array_equal(ndkernels.clip(x, max=limits), np.minimum(x, limits))
    np.testing.assert_array_equal(ndkernels.clip(x, limits, limits + 1), np.clip(x, limits, limits + 1))
    own = x.copy()
    assert ndkernels.clip(own, x - 1, 1, out=own) is own
    np.testing.assert_array_equal(own, np.clip(x, x - 1, 1))


def test_clip_refuses_what_is_no_limit() -> None:
    x = np.ones(3)
    with pytest.raises(TypeError, match=r"^min: got str"):
        ndkernels.clip(x, "a", 1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="have dtypes"):
        ndkernels.clip(x, np.ones(3, "float32"))
    with pytest.raises(TypeError, match="multiple values for argument 'min'"):
        ndkernels.clip(x, 1, min=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="positional"):
        ndkernels.clip(x, 1, 2, x)  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int32", "int64", "bool"])
def test_where_over_layouts_and_broadcasting(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((), (1,), (0,), (17,), (600,), (5, 9), (3, 1, 40)):
        x1, x2 = (np.asarray((rng.random(shape) * 10).astype(dtype)) for _ in range(2))
        condition = np.asarray(rng.random(shape) < 0.5)
        np.testing.assert_array_equal(ndkernels.where(condition, x1, x2), np.where(condition, x1, x2))
        one = np.ones((), dtype)
        np.testing.assert_array_equal(ndkernels.where(condition, one, x2), np.where(condition, one, x2))
        np.testing.assert_array_equal(ndkernels.where(condition, x1, one), np.where(condition, x1, one))
        np.testing.assert_array_equal(ndkernels.where(condition.T, x1.T, x2.T), np.where(condition, x1, x2).T)
        right = np.where(condition, x1, x2)
        np.testing.assert_array_equal(ndkernels.where(condition, x1, x2, out=x1), right)
    x1, x2 = np.arange(40).astype(dtype)[::-2], np.arange(20).astype(dtype)[:, None]
    condition = (np.arange(40) % 3 == 0)[::2]
    np.testing.assert_array_equal(ndkernels.where(condition, x1, x2), np.where(condition, x1, x2))


def test_where_refuses_other_conditions_and_two_dtypes() -> None:
    x = np.ones(3)
    with pytest.raises(TypeError, match=r"^condition: dtype float64 is not supported; accepted are bool"):
        ndkernels.where(x, x, x)
    with pytest.raises(TypeError, match=r"^x1 and x2: have dtypes float64 and float32"):
        ndkernels.where(x > 0, x, x.astype("float32"))
    with pytest.raises(ValueError, match=r"^condition, x1 and x2: shapes \(2,\), \(3,\) and \(3,\)"):
        ndkernels.where(np.ones(2, bool), x, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
def test_comparisons(name: str, dtype: str) -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 5e-324, 2.0], dtype)
    function, reference = getattr(ndkernels, name), getattr(np, name)
    cases: list[tuple[np.ndarray, np.ndarray]] = [(special[:, None], special), (special[3], special[4])]
    for length in (0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 64, 67, 600):
        x1, x2 = (np.random.default_rng(seed).integers(0, 3, 2 * length).astype(dtype) for seed in (0, 1))
        cases += [(x1, x2), (x1[::2], x2[:length]), (x1, special[5]), (x1[::-1], x2)]
    for x1, x2 in cases:
        got = function(x1, x2)
        assert got.dtype == np.bool_
        np.testing.assert_array_equal(got, reference(x1, x2))
        out = np.zeros((*got.shape, 2), bool)[..., 0]
        assert function(x1, x2, out=out) is out
        np.testing.assert_array_equal(out, got)
    with pytest.raises(TypeError, match="out: has dtype float"):
        function(special, special, out=special)


def test_a_result_is_laid_out_as_the_inputs_are() -> None:
    x = np.ones((3, 5)).T
    assert ndkernels.add(x, x).flags.f_contiguous
    assert ndkernels.exp(x).flags.f_contiguous
    assert ndkernels.add(x, np.ones((5, 3))).flags.c_contiguous


def test_they_are_functions_like_others() -> None:
    assert str(inspect.signature(ndkernels.add)) == "(x1, x2, /, *, out=None)"
    assert str(inspect.signature(ndkernels.softplus)) == "(x, /, *, beta=1.0, threshold=20.0, out=None)"
    assert pickle.loads(pickle.dumps(ndkernels.gelu)) is ndkernels.gelu  # noqa: S301
    assert ndkernels.where.__module__ == "ndkernels._elementwise"
    assert (ndkernels.tanh.__doc__ or "").startswith("Take the hyperbolic tangent")
