"""The reductions against their definitions in NumPy and float64: axes, layouts and sizes."""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ndkernels

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

DTYPES = ("float32", "float64")
WIDER = {"float32": "float64", "float64": "longdouble"}
TOLERANCE = {"float32": 4e-6, "float64": 1e-14}


def logsumexp(x: Array, **options: Any) -> Array:
    most = x.max(**{**options, "keepdims": True}, initial=-np.inf)
    total = np.log(np.exp(x - most).sum(**{**options, "keepdims": True})) + most
    return total.reshape(x.sum(**options).shape)


ADDING: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "var": np.var,
    "std": np.std,
    "logsumexp": logsumexp,
}
SELECTING: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "all": np.all,
    "any": np.any,
    "argmax": np.argmax,
    "argmin": np.argmin,
}


def numbers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """From 0.9 to 1.1, so that products stay small and nothing cancels."""
    return (np.random.default_rng(seed).random(shape) * 0.2 + 0.9).astype(dtype)


def check(name: str, x: Array, **options: Any) -> None:
    got = getattr(ndkernels, name)(x, **options)
    assert type(got) is np.ndarray
    if name in SELECTING:
        expected = SELECTING[name](x, **options)
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(got, expected, err_msg=f"{name} {x.shape} {x.strides} {options}")
    else:
        expected = np.asarray(ADDING[name](x.astype(WIDER[str(x.dtype)]), **options))
        assert (got.dtype, got.shape) == (x.dtype, expected.shape)
        np.testing.assert_allclose(
            got,
            expected.astype("float64"),
            rtol=TOLERANCE[str(x.dtype)] * (16 if name == "prod" else 1),
            atol=TOLERANCE[str(x.dtype)] / 16,
            err_msg=f"{name} {x.shape} {x.strides} {options}",
        )


def layouts(dtype: str) -> list[Array]:
    x = numbers((3, 5, 4, 18), dtype)
    x[1, 2, 1] = 0.5  # the same for many, so that the first of several counts
    x[0, :, 2, ::3] = 1.5
    wide = numbers((7, 2, 3, 70), dtype)
    return [
        x,
        x.transpose(3, 1, 0, 2),
        np.asfortranarray(x),
        x[::-1, ::2, ::-2, 1::3],
        np.broadcast_to(x[:1], (6, 5, 4, 18)),
        np.broadcast_to(x[..., :1], (3, 5, 4, 21)),
        wide,
        wide.transpose(1, 0, 2, 3)[:, ::-1],
        wide[..., ::-1].T,
    ]


def axes_of(name: str) -> list[Any]:
    if name.startswith("arg"):
        return [None, *range(-4, 4)]
    return [None, -1, *chain.from_iterable(combinations(range(4), n) for n in range(5))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ADDING, *SELECTING])
def test_every_set_of_axes_of_every_layout(name: str, dtype: str) -> None:
    for x in layouts(dtype):
        for axis in axes_of(name):
            for keepdims in (False, True):
                check(name, x, axis=axis, keepdims=keepdims)


# On both sides of one, two, eight and sixteen vectors, of a block, a leaf and a segment.
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 255, 257, 1023, 1025, 2049, 16383, 16385]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ADDING, *SELECTING])
def test_every_length(name: str, dtype: str) -> None:
    for length in LENGTHS:
        x = 1 + (numbers((length,), dtype, length) - 1) / 64
        check(name, x)
        check(name, x[::-1])
        check(name, np.repeat(x, 2)[1::2])
        check(name, x.reshape(length, 1), axis=0)
        check(name, x.reshape(1, length), axis=0)
        check(name, np.concatenate([x[:300], x[:300]]).reshape(2, -1), axis=0)
        check(name, np.repeat(x[:600, None], 3, axis=1), axis=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ADDING, *SELECTING])
def test_many_elements_are_reduced_in_groups(name: str, dtype: str) -> None:
    x = numbers((100_000, 6), dtype)
    if name == "prod":  # exact, where half a million roundings would add up
        x = np.where(x < 1, x.dtype.type(-1), x.dtype.type(1))
    for view in (x, x.T, x[::-1, ::-1], x.reshape(300, 2000), x.reshape(-1)):
        for axis in (None, 0, view.ndim - 1):
            check(name, view, axis=axis)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_extremum_at_every_place(name: str, dtype: str) -> None:
    value = 2 if name.endswith("max") else 0
    for length in (1, 3, 16, 37, 130):
        for place in range(length):
            x = numbers((length,), dtype)
            x[place] = value
            check(name, x)
            x[place:] = value
            check(name, x)
            check(name, np.broadcast_to(x[:, None], (length, 19)).copy(), axis=0)


@pytest.mark.parametrize("name", ["all", "any"])
@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
def test_one_truth_at_every_place(name: str, dtype: str) -> None:
    for length in (1, 3, 37, 130, 5000):
        for place in range(0, length, 1 + length // 40):
            x = np.full(length, name == "all").astype(dtype)
            assert bool(getattr(ndkernels, name)(x)) is (name == "all")
            x[place] = name == "any"
            check(name, x)
            check(name, np.broadcast_to(x[:130, None], (min(length, 130), 19)).copy(), axis=0)
            check(name, x.reshape(1, -1).T[::-1], axis=0)


@pytest.mark.parametrize("correction", [0, 1, 0.5, 2])
def test_the_correction_of_the_variance(correction: float) -> None:
    x = numbers((40, 7), "float64")
    for axis in (0, 1, None):
        expected = x.var(axis=axis, ddof=correction)
        np.testing.assert_allclose(ndkernels.var(x, axis=axis, correction=correction), expected, rtol=1e-12)
        np.testing.assert_allclose(ndkernels.std(x, axis=axis, correction=correction), np.sqrt(expected), rtol=1e-12)


@pytest.mark.parametrize("name", [*ADDING, *SELECTING])
@pytest.mark.parametrize("keepdims", [False, True])
def test_out(name: str, keepdims: bool) -> None:
    x = numbers((6, 5), "float64")
    function = getattr(ndkernels, name)
    expected = function(x, axis=0, keepdims=keepdims)
    out = np.zeros((10, 2), expected.dtype)[::2, 0].reshape(expected.shape)
    assert function(x, axis=0, keepdims=keepdims, out=out) is out
    np.testing.assert_array_equal(out, expected)
    if expected.dtype == x.dtype:
        function(x, axis=0, keepdims=keepdims, out=x[1:2] if keepdims else x[1])
        np.testing.assert_array_equal(x[1], expected.reshape(-1))
