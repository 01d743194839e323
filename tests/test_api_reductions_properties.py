"""Properties of the reductions that hold for any array: hypothesis looks for one that breaks them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import ndkernels

FAST = settings(
    derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
NUMBERS = st.floats(-1000, 1000, width=32)
ANY = st.one_of(NUMBERS, st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]))


@st.composite
def cases(draw: st.DrawFn, elements: st.SearchStrategy[float] = ANY) -> tuple[np.ndarray[Any, Any], Any]:
    """Return an array of any layout and an axis of it."""
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=9))
    x = draw(arrays.arrays(draw(st.sampled_from(["float32", "float64"])), shape, elements=elements))
    x = x.transpose(draw(st.permutations(range(x.ndim))))
    x = x[tuple(slice(None, None, draw(st.sampled_from([1, -1, 2]))) for _ in shape)]
    return x, draw(st.one_of(st.none(), st.integers(-x.ndim, x.ndim - 1)))


@FAST
@given(cases())
def test_selections_are_those_of_numpy(case: tuple[np.ndarray[Any, Any], Any]) -> None:
    x, axis = case
    for name in ("max", "min", "argmax", "argmin", "all", "any"):
        np.testing.assert_array_equal(getattr(ndkernels, name)(x, axis=axis), getattr(np, name)(x, axis=axis))


@FAST
@given(cases(NUMBERS))
def test_sums_are_within_their_bound(case: tuple[np.ndarray[Any, Any], Any]) -> None:
    x, axis = case
    wide = x.astype("longdouble")  # NumPy in float64 is no nearer to the truth than what is tested
    bound = 16 * np.finfo(x.dtype).eps
    magnitude = np.abs(wide).sum(axis=axis)
    assert (np.abs(ndkernels.sum(x, axis=axis) - wide.sum(axis=axis)) <= bound * magnitude).all()
    square = (wide**2).mean(axis=axis)
    assert (np.abs(ndkernels.var(x, axis=axis) - wide.var(axis=axis)) <= bound * square + 1e-37).all()


@FAST
@given(cases(NUMBERS))
def test_logsumexp_lies_between_max_and_max_plus_log_count(case: tuple[np.ndarray[Any, Any], Any]) -> None:
    x, axis = case
    most = ndkernels.max(x, axis=axis).astype("float64")
    got = ndkernels.logsumexp(x, axis=axis)
    count = x.size if axis is None else x.shape[axis]
    slack = 4 * np.finfo(x.dtype).eps * (np.abs(most) + 1)
    assert (got >= most - slack).all()
    assert (got <= most + math.log(count) + slack).all()


@FAST
@given(cases())
def test_two_axes_are_one_after_the_other(case: tuple[np.ndarray[Any, Any], Any]) -> None:
    x, _ = case
    last = x.ndim - 1
    for name in ("max", "min", "all", "any"):
        function = getattr(ndkernels, name)
        step = function(function(x, axis=0, keepdims=True), axis=last)
        np.testing.assert_array_equal(function(x, axis=tuple({0, last}), keepdims=True).reshape(step.shape), step)
