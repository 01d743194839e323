"""The elementary functions and activations over all exponents of float32, and over ranges of float64, in ulps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ndkernels

if TYPE_CHECKING:
    from collections.abc import Callable

Wide = np.longdouble
SCALE = 2 * math.sqrt(2 / math.pi)


def erf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(value) for value in x.astype("float64").tolist()])


def gelu(x: np.ndarray) -> np.ndarray:
    tails = [math.erfc(-value / math.sqrt(2)) / 2 for value in x.astype("float64").tolist()]
    return x.astype("float64") * np.array(tails)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    w = x.astype("float64")
    return w / (1 + np.exp(-SCALE * w * (1 + 0.044715 * w * w)))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 21))))


# For each function its definition, which is computed in a wider type, and the largest error that is allowed, in ulps.
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "exp": (np.exp, 2),
    "log": (np.log, 2),
    "sin": (np.sin, 2),
    "cos": (np.cos, 2),
    "tanh": (np.tanh, 4),
    "erf": (erf, 4),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 2),
    "gelu": (gelu, 2),
    "gelu_tanh": (gelu_tanh, 2),
    "silu": (lambda x: x / (1 + np.exp(-x)), 2),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 1))), 2),
    "softplus": (softplus, 2),
    "sqrt": (np.sqrt, 0.5),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 2),
}


def call(name: str, x: np.ndarray) -> np.ndarray:
    if name == "gelu_tanh":
        return ndkernels.gelu(x, approximate="tanh")
    result: np.ndarray = getattr(ndkernels, name)(x)
    return result


def check(name: str, x: np.ndarray, exact: np.ndarray) -> None:
    """The error, in units of the last place of the right result, which is rounded for that."""
    got = call(name, x)
    right = exact.astype(x.dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(right))
    finite = np.isfinite(right)
    np.testing.assert_array_equal(got[~finite], right[~finite])
    error = np.abs(got[finite] - exact[finite]) / np.spacing(np.abs(right[finite])).astype(exact.dtype)
    worst = int(np.argmax(error))
    assert error[worst] <= FUNCTIONS[name][1], (x[finite][worst], got[finite][worst], exact[finite][worst])


def every_exponent(step: int) -> np.ndarray:
    """A sample of all bit patterns of float32, and of where most functions change."""
    patterns = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view("float32")
    rng = np.random.default_rng(0)
    near = [rng.uniform(-bound, bound, 40_000).astype("float32") for bound in (1, 5, 20, 110)]
    ends = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.1754944e-38, 3.4028235e38, -3.4028235e38])
    return np.concatenate([patterns, *near, ends])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_float32_over_all_exponents(name: str) -> None:
    x = every_exponent(40_009 if name in {"erf", "gelu"} else 9973)
    check(name, x, FUNCTIONS[name][0](x.astype("float64")))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in {"erf", "gelu", "gelu_tanh"}])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_float64_against_long_double(name: str) -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-bound, bound, 20_000) for bound in (1, 5, 40, 745)])
    if name not in {"sin", "cos"}:
        x = np.concatenate([x, np.exp(rng.uniform(-744, 709, 20_000)) * rng.choice([-1, 1], 20_000)])
    check(name, x, FUNCTIONS[name][0](x.astype(Wide)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_next_to_multiples_of_half_pi(name: str, dtype: str) -> None:
    """Where the reduction to [-pi / 4, pi / 4] leaves next to nothing of the argument."""
    multiples = np.concatenate([np.arange(1, 5000), np.random.default_rng(2).integers(5000, 2**40, 5000)])
    x = (multiples.astype(Wide) * (np.arctan(Wide(1)) * 2)).astype(dtype)
    x = np.concatenate([x, -x, np.nextafter(x, x.dtype.type(0)), np.nextafter(x, x.dtype.type(np.inf))])
    check(name, x, FUNCTIONS[name][0](x.astype(Wide)))


# Rounded from 50 digits, with mpmath.
FLOAT64_POINTS = {
    "erf": [
        (1e-300, 1.1283791670955126e-300),
        (1e-09, 1.1283791670955127e-09),
        (0.3, 0.3286267594591274),
        (-0.7, -0.6778011938374184),
        (0.99, 0.8385080695553698),
        (1.01, 0.8468104962282768),
        (-1.5, -0.9661051464753108),
        (2.5, 0.999593047982555),
        (3.7, 0.9999998328489421),
        (-5.5, -0.9999999999999927),
        (6.5, 1.0),
        (-2.0963, -0.9969693893112483),
        (0.3538, 0.38317047259032044),
        (-1.0404, -0.8588029148342816),
        (0.8314, 0.7603160626561036),
        (1.0058, 0.8450944792938646),
    ],
    "gelu": [
        (1e-300, 5e-301),
        (1e-09, 5.000000003989423e-10),
        (-1e-05, -4.999960105771961e-06),
        (0.3, 0.1853734266566858),
        (-0.7, -0.1693745565561511),
        (-1.5, -0.1002108019032871),
        (2.5, 2.4844758366855597),
        (-3.7, -0.00039885901386633657),
        (-5.5, -1.0444259356238245e-07),
        (-8.5, -8.05760459887282e-17),
        (-9.25, -1.0382786071978384e-19),
        (12.5, 12.5),
        (-20.0, -5.507248237212468e-88),
        (-37.5, -1.7270073785932332e-306),
        (-38.3, -1.17355e-319),
        (-5.2137, -4.825559558402195e-07),
        (-5.842, -1.5065877279802913e-08),
        (4.0496, 4.049496117127507),
        (-2.8878, -0.005601558921636405),
        (-3.188, -0.0022835729519774268),
        (5.9477, 5.947699991913019),
    ],
    "gelu_tanh": [
        (1e-300, 5e-301),
        (1e-09, 5.000000003989423e-10),
        (-1e-05, -4.999960105771961e-06),
        (0.3, 0.18537092354275925),
        (-0.7, -0.16942986529488324),
        (-1.5, -0.10042842301976708),
        (2.5, 2.484915733910001),
        (-3.7, -0.00027180602139205363),
        (-5.5, -5.9276402638802624e-09),
        (-8.5, -1.0174447308598297e-24),
        (-9.25, -1.069637326414865e-30),
        (12.5, 12.5),
        (-11.0, -1.4847686071591383e-48),
        (-18.9, -9.183946980156195e-222),
        (-0.3568, -0.1286743678303886),
        (4.0375, 4.037441334659459),
        (-0.2838, -0.11019640066666385),
        (1.6688, 1.589250326153451),
        (-4.1926, -2.710618212852083e-05),
        (1.6183, 1.5326793440662658),
    ],
    "sin": [
        (100000.0, 0.03574879797201651),
        (2500000000.0, -0.9919073050007502),
        (1000000000000000.0, 0.8582727931702359),
        (1e22, -0.8522008497671888),
        (-3.7e100, 0.24942738006863951),
        (1.7976931348623157e308, 0.004961954789184062),
        (5.319372648326541e255, 1.0),
        (355.0, -3.014435335948845e-05),
        (103993.0, -1.9129335778423752e-05),
        (790371278.813, -0.5829378484911876),
        (49781270.239, 0.9935617967829999),
        (518084416.242, -0.9775426097622952),
        (368103340.436, 0.9491518493481141),
        (-936235357.45, -0.2216679115272877),
        (554545231.32, -0.9940410433816156),
    ],
    "cos": [
        (100000.0, -0.9993608074382124),
        (2500000000.0, -0.12696416142419395),
        (1000000000000000.0, -0.5131937377869703),
        (1e22, 0.523214785395139),
        (-3.7e100, 0.9683935057981825),
        (1.7976931348623157e308, -0.9999876894265599),
        (5.319372648326541e255, -4.687165924254628e-19),
        (355.0, -0.999999999545659),
        (103993.0, 0.9999999998170342),
        (195634864.685, 0.03600630203252684),
        (-426774451.519, -0.9610243422994537),
        (-1007144594.823, -0.4575443852393815),
        (784963764.311, 0.07459282453051666),
        (-58520886.484, -0.6279275124696276),
        (469920798.723, 0.990853050939573),
    ],
}


@pytest.mark.parametrize("name", FLOAT64_POINTS)
def test_float64_at_points(name: str) -> None:
    x, right = np.array(FLOAT64_POINTS[name]).T
    error = np.abs(call(name, x) - right) / np.spacing(np.abs(right))
    assert (error <= FUNCTIONS[name][1]).all(), list(zip(x, error, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_keep_their_sign(dtype: str) -> None:
    zeros = np.array([0.0, -0.0], dtype)
    for name in ("sin", "tanh", "erf", "sqrt", "gelu", "silu", "elu", "leaky_relu"):
        got = getattr(ndkernels, name)(zeros)
        np.testing.assert_array_equal(got, zeros, name)
        np.testing.assert_array_equal(np.signbit(got), [False, True], name)
    np.testing.assert_array_equal(np.signbit(ndkernels.negative(zeros)), [True, False])
    np.testing.assert_array_equal(np.signbit(ndkernels.abs(zeros)), [False, False])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_power_against_a_wider_type(dtype: str) -> None:
    rng = np.random.default_rng(2)
    count = 40_000
    x = np.exp(rng.uniform(-80, 80, count)).astype(dtype)
    x[::3] = rng.uniform(0.5, 2, x[::3].size)
    y = rng.uniform(-2, 2, count).astype(dtype)
    y[::3] = rng.uniform(-700, 700, y[::3].size)
    y[1::7] = np.rint(y[1::7])
    x[::7] *= -1
    exact = np.power(x.astype("float64" if dtype == "float32" else Wide), y)
    got, right = ndkernels.power(x, y), exact.astype(dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(right))
    finite = np.isfinite(right)
    np.testing.assert_array_equal(got[~finite], right[~finite])
    error = np.abs(got[finite] - exact[finite]) / np.spacing(np.abs(right[finite])).astype(exact.dtype)
    assert error.max() <= 2, (x[finite][error.argmax()], y[finite][error.argmax()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_power_of_special_values(dtype: str) -> None:
    tiny, huge = np.finfo(dtype).tiny, np.finfo(dtype).max
    special = [np.nan, np.inf, 0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 1e10, 2.0**23 + 1, 2.0**52 + 1, 2.0**53 - 1, tiny, huge]
    values = np.array([*special, *(-value for value in special)], dtype)
    got, right = ndkernels.power(values[:, None], values), np.power(values[:, None], values)
    np.testing.assert_array_equal(np.signbit(got)[~np.isnan(right)], np.signbit(right)[~np.isnan(right)])
    np.testing.assert_allclose(got, right, rtol=4 * np.finfo(dtype).eps)
