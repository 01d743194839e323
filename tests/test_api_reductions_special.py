"""The reductions at their limits: NaN, infinities, nothing at all, precision, threads and wrong arguments."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ndkernels

if TYPE_CHECKING:
    from collections.abc import Iterator

DTYPES = ("float32", "float64")
FLOATS = ("sum", "prod", "mean", "var", "std", "max", "min", "logsumexp")
PLACES = ("argmax", "argmin")
NAMES = (*FLOATS, *PLACES, "all", "any")


@pytest.fixture
def threads() -> Iterator[None]:
    before = ndkernels.get_num_threads()
    yield
    ndkernels.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (5,), (33,), (5000,), (40_000,)])
def test_nan_wins_wherever_it_is(dtype: str, shape: tuple[int]) -> None:
    for place in {0, 1, shape[0] // 2, shape[0] - 2, shape[0] - 1} & set(range(shape[0])):
        x = np.random.default_rng(0).random(shape).astype(dtype)
        x[place] = np.nan
        x[-1] = np.nan
        table = np.stack([np.ones_like(x), x, x[::-1]], axis=1)  # columns
        for name in FLOATS:
            assert np.isnan(getattr(ndkernels, name)(x)), name
            np.testing.assert_array_equal(np.isnan(getattr(ndkernels, name)(table, axis=0)), [False, True, True])
        for name in PLACES:
            assert getattr(ndkernels, name)(x) == place
            np.testing.assert_array_equal(getattr(ndkernels, name)(table, axis=0), getattr(np, name)(table, axis=0))
        assert ndkernels.all(x)
        assert ndkernels.any(np.where(np.isnan(x), x, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_negative_nan_and_signed_zeros(dtype: str) -> None:
    x = np.array([1, -np.nan, 2], dtype)
    for name in ("max", "min"):
        assert np.isnan(getattr(ndkernels, name)(x))
    zeros = np.array([0.0, -0.0] * 20, dtype)
    assert ndkernels.argmax(zeros) == 0
    assert ndkernels.argmin(zeros) == 0
    assert not ndkernels.any(zeros)


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinities(dtype: str) -> None:
    inf = np.inf
    x = np.array([[1, inf, 2], [1, -inf, 2], [inf, -inf, 0], [-inf] * 3, [inf] * 3], dtype)
    for view, axis in ((x, 1), (x.T, 0), (np.asfortranarray(x), 1), (np.repeat(x.T, 20, axis=0), 0)):
        np.testing.assert_array_equal(
            ndkernels.logsumexp(view, axis=axis)[[0, 2, 3, 4]], np.array([inf, inf, -inf, inf], dtype)
        )
        np.testing.assert_array_equal(ndkernels.sum(view, axis=axis), [inf, -inf, np.nan, -inf, inf])
        np.testing.assert_array_equal(ndkernels.max(view, axis=axis), [inf, 2, inf, -inf, inf])
        np.testing.assert_array_equal(ndkernels.min(view, axis=axis), [1, -inf, -inf, -inf, inf])
        assert np.isnan(ndkernels.var(view, axis=axis)).all()
    np.testing.assert_allclose(ndkernels.logsumexp(x[1]), np.log(np.e + np.e**2), rtol=1e-6)
    # One leaf of -inf beside one with numbers, in both orders.
    y = np.full(70_000, -inf, dtype)
    y[-1] = 5
    assert ndkernels.logsumexp(y) == 5
    assert ndkernels.logsumexp(y[::-1].copy()) == 5
    assert ndkernels.argmax(y) == y.size - 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_logsumexp_of_what_exp_overflows_for(dtype: str) -> None:
    x = np.random.default_rng(0).uniform(-3000, 3000, (500, 40)).astype(dtype)
    exact = np.log(np.exp(x.astype("longdouble") - x.max()).sum(axis=0)) + x.max()
    np.testing.assert_allclose(ndkernels.logsumexp(x, axis=0), exact.astype(dtype), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(ndkernels.logsumexp(x.T.copy(), axis=1), exact.astype(dtype), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_along_an_axis(dtype: str) -> None:
    x = np.empty((3, 0, 2), dtype)
    values = {"sum": 0, "prod": 1, "mean": np.nan, "var": np.nan, "std": np.nan, "logsumexp": -np.inf}
    values |= {"all": True, "any": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, value in values.items():
            function = getattr(ndkernels, name)
            np.testing.assert_array_equal(function(x, axis=1), np.full((3, 2), value))
            np.testing.assert_array_equal(function(x), value)
            np.testing.assert_array_equal(function(x, axis=(0, 1), keepdims=True), np.full((1, 1, 2), value))
    for name in NAMES:
        assert getattr(ndkernels, name)(x, axis=0).shape == (0, 2)
        assert getattr(ndkernels, name)(np.empty((0, 5, 70), dtype), axis=1).shape == (0, 70)
    for name in ("max", "min", *PLACES):
        message = rf"x: has shape \(3, 0, 2\), and the {name} of no elements has no value. Pass an array"
        with pytest.raises(ValueError, match=message):
            getattr(ndkernels, name)(x, axis=1)
        with pytest.raises(ValueError, match=message):
            getattr(ndkernels, name)(x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_no_dimensions(dtype: str, name: str) -> None:
    x = np.array(3, dtype)
    expected = {"var": 0, "std": 0, "argmax": 0, "argmin": 0, "all": True, "any": True}.get(name, 3)
    np.testing.assert_array_equal(getattr(ndkernels, name)(x), expected)
    assert getattr(ndkernels, name)(x, keepdims=True).shape == ()


@pytest.mark.parametrize("shape", [(1_000_000,), (100_000, 10), (1000, 1000)])
def test_float32_sums_are_pairwise(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).random(shape, dtype=np.float32)
    for view in (x, x.T):
        exact = view.sum(axis=0, dtype="float64")
        np.testing.assert_allclose(ndkernels.sum(view, axis=0), exact, rtol=1e-6)
        np.testing.assert_allclose(ndkernels.mean(view, axis=0), exact / view.shape[0], rtol=1e-6)


@pytest.mark.parametrize("offset", [0, 1e4, 1e6, -1e7])
@pytest.mark.parametrize("shape", [(300_000, 3), (1000, 300), (40, 40)])
def test_float32_variance_far_from_zero(offset: float, shape: tuple[int, ...]) -> None:
    x = (np.random.default_rng(2).standard_normal(shape) * 3 + offset).astype("float32")
    exact = x.var(axis=0, dtype="float64")
    for view in (x, x.T.copy().T, x[::-1]):
        np.testing.assert_allclose(ndkernels.var(view, axis=0), exact, rtol=2e-6)
        np.testing.assert_allclose(ndkernels.std(view, axis=0), np.sqrt(exact), rtol=2e-6)
        np.testing.assert_allclose(ndkernels.var(view), x.var(dtype="float64"), rtol=2e-6)


def test_the_variance_of_equal_numbers_is_zero() -> None:
    for value in (0.1, 1e12, -3.3):
        assert float(ndkernels.var(np.full(100_000, value, "float32"))) <= (abs(value) * 1e-7) ** 2
        assert (ndkernels.var(np.full((100, 70), value)) <= (abs(value) * 1e-15) ** 2).all()


def test_the_variance_of_a_trend_is_that_of_the_fractions() -> None:
    x = np.arange(10_000, dtype="float64") + 1e9
    exact = Fraction(10_000**2 - 1, 12)
    np.testing.assert_allclose(ndkernels.var(x), float(exact), rtol=1e-13)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_the_number_of_threads(name: str) -> None:
    x = np.random.default_rng(3).standard_normal((1500, 400)).astype("float32")
    function = getattr(ndkernels, name)
    for view in (x, x.T, x.reshape(-1, 4), x[:, ::2]):
        results = []
        for count in (1, 2, 3, 7):
            ndkernels.set_num_threads(count)
            results.append([function(view, axis=axis).tobytes() for axis in (None, 0, 1)])
        assert all(each == results[0] for each in results)


@pytest.mark.parametrize("name", NAMES)
def test_errors_name_the_argument(name: str) -> None:
    function: Any = getattr(ndkernels, name)
    with pytest.raises(TypeError, match="x: dtype int64 is not supported"):
        function(np.arange(3))
    with pytest.raises(ValueError, match="axis: 1 is out of range for x with 1 dimensions; accepted are -1 to 0"):
        function(np.zeros(3), axis=1)
    with pytest.raises(TypeError, match="axis: got float; accepted are None"):
        function(np.zeros(3), axis=0.5)
    with pytest.raises(TypeError, match="keepdims: got int; accepted are True and False"):
        function(np.zeros(3), keepdims=1)
    with pytest.raises(ValueError, match=r"out: has shape \(2,\), and the result has \(\)"):
        function(np.zeros(3), out=np.zeros(2, function(np.zeros(3)).dtype))
    with pytest.raises(TypeError, match="out: has dtype int8, and the result has"):
        function(np.zeros(3), out=np.zeros((), "int8"))


def test_errors_of_single_functions() -> None:
    for name in PLACES:
        with pytest.raises(TypeError, match="axis: got tuple; accepted are None and an integer"):
            getattr(ndkernels, name)(np.zeros((2, 3)), axis=(0, 1))
    with pytest.raises(ValueError, match="axis: 0 is given twice"):
        ndkernels.max(np.zeros((2, 3)), axis=(0, -2))
    for name in ("var", "std"):
        with pytest.raises(TypeError, match="correction: got str; accepted is a number"):
            getattr(ndkernels, name)(np.zeros(3), correction="1")
        with pytest.raises(ValueError, match="correction: nan is out of range"):
            getattr(ndkernels, name)(np.zeros(3), correction=float("nan"))
    with pytest.raises(TypeError, match="x: dtype bool is not supported"):
        ndkernels.sum(np.zeros(3, bool))
