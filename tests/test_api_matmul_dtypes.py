"""ndkernels.matmul of 16-bit floats and of 8-bit integers."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest

import ndkernels
from ndkernels import _binding
from variantkit import loader

HOST = loader.load("ndkernels").host
# What the kernels may use beyond their classifier: nothing, and where the machine has it what multiplies pairs of bfloat16.
PAIRS = "avx512_bf16"
BEYOND = (
    [[], [PAIRS]]
    if ndkernels.show_config("dicts")["classifier"].endswith("avx512") and PAIRS in HOST.features
    else [[]]
)

HALVES = (np.dtype("float16"), np.dtype(ml_dtypes.bfloat16))
SHAPES = [(1, 1, 1), (3, 2, 5), (13, 17, 33), (1, 40, 50), (40, 50, 1), (65, 300, 67), (500, 20, 530), (7, 1100, 9)]


@pytest.fixture(autouse=True, params=BEYOND, ids=lambda names: "+".join(names) or "level")
def beyond(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    _binding.set_features(request.param)
    yield request.param
    _binding.set_features(sorted(HOST.features))


def flushed(x: np.ndarray, beyond: list[str]) -> np.ndarray:
    """The instruction for pairs of bfloat16 takes subnormal numbers for 0, and gives 0 for them."""
    if PAIRS not in beyond or x.dtype != ml_dtypes.bfloat16:
        return x
    return np.where(abs(x.astype("float32")) < np.finfo("float32").tiny, x.dtype.type(0), x)


def views(x: np.ndarray) -> list[np.ndarray]:
    """The same numbers, each time lying differently in memory."""
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    return [x, np.asfortranarray(x), wide[::2, ::3], x[::-1, ::-1].copy()[::-1, ::-1]]


def bounds(x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The product in float64, and by how much one with sums of float32 and a rounded result may differ from it."""
    wide1, wide2 = x1.astype("float64"), x2.astype("float64")
    exact = wide1 @ wide2
    sums = x1.shape[-1] * np.finfo("float32").eps * (abs(wide1) @ abs(wide2))
    return exact, sums + float(ml_dtypes.finfo(x1.dtype).eps) / 2 * (abs(exact) + sums) + 1e-40


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_halves_are_added_up_in_float32_and_rounded_once(dtype: np.dtype, m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m + k + n)
    x1, x2 = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    exact, allowed = bounds(x1, x2)
    got = ndkernels.matmul(x1, x2)
    assert (got.dtype, got.shape) == (dtype, (m, n))
    assert (abs(got.astype("float64") - exact) <= allowed).all()


@pytest.mark.parametrize("dtype", [*HALVES, np.dtype("int8")], ids=str)
def test_layouts(dtype: np.dtype) -> None:
    rng = np.random.default_rng(0)
    x1, x2 = (rng.integers(-5, 6, shape).astype(dtype) for shape in ((19, 35), (35, 37)))
    expected = x1.astype("int32") @ x2.astype("int32")
    result = np.dtype("int32") if dtype == np.int8 else dtype
    for a in views(x1):
        for b in views(x2):
            for out in views(np.zeros(expected.shape, result)):
                assert ndkernels.matmul(a, b, out=out) is out
                np.testing.assert_array_equal(out, expected.astype(result))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_every_16_bit_pattern_passes_through_and_comes_back(dtype: np.dtype, beyond: list[str]) -> None:
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype)
    got = ndkernels.matmul(numbers[:, None], np.ones((1, 1), dtype))[:, 0]
    nan = np.isnan(numbers.astype("float32"))
    np.testing.assert_array_equal(got[~nan], flushed(numbers[~nan] + dtype.type(0), beyond))
    assert np.isnan(got[nan].astype("float32")).all()


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_rounding_is_to_nearest_even_in_every_range(dtype: np.dtype, beyond: list[str]) -> None:
    # Sums of two numbers of the type, which float32 holds exactly: ties, subnormal results, and overflow.
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 2**16, (2, 40000), dtype=np.uint16).view(dtype)
    numbers = numbers[:, np.isfinite(numbers.astype("float32")).all(axis=0)]
    with np.errstate(over="ignore", invalid="ignore"):
        first, second = (flushed(row, beyond).astype("float32") for row in numbers)
        expected = flushed((first + second).astype(dtype), beyond)
    got = ndkernels.matmul(np.ascontiguousarray(numbers.T)[:, None, :], np.ones((2, 1), dtype))[:, 0, 0]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_overflow_is_infinite_and_nan_stays(dtype: np.dtype) -> None:
    large = np.full((20, 40), ml_dtypes.finfo(dtype).max, dtype)
    assert np.isposinf(ndkernels.matmul(large, large.T).astype("float32")).all()
    large[3, 5] = np.nan
    assert np.isnan(ndkernels.matmul(large, np.ones((40, 30), dtype))[3].astype("float32")).all()


@pytest.mark.parametrize(("m", "k", "n"), [*SHAPES, (0, 3, 2), (2, 0, 3), (2, 3, 0), (5, 7, 32), (3, 1025, 65)])
def test_int8_is_exact(m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m + k + n)
    x1, x2 = (rng.integers(-128, 128, shape).astype("int8") for shape in ((m, k), (k, n)))
    got = ndkernels.matmul(x1, x2)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, x1.astype("int32") @ x2.astype("int32"))


@pytest.mark.parametrize("k", [1, 2, 3, 2**16, 2**17 - 1])
def test_int8_extremes_do_not_wrap_below_two_to_the_seventeenth(k: int) -> None:
    for first, second in ((-128, -128), (-128, 127), (127, 127)):
        x1, x2 = np.full((3, k), first, "int8"), np.full((k, 2), second, "int8")
        np.testing.assert_array_equal(ndkernels.matmul(x1, x2), np.full((3, 2), first * second * k, "int32"))


def test_batches_broadcast() -> None:
    rng = np.random.default_rng(4)
    x1, x2 = (rng.integers(-9, 9, shape).astype("int8") for shape in ((4, 1, 5, 6), (3, 6, 7)))
    np.testing.assert_array_equal(ndkernels.matmul(x1, x2), np.matmul(x1.astype("int32"), x2.astype("int32")))
    halves = [x.astype("float16") for x in (x1, x2)]
    np.testing.assert_array_equal(ndkernels.matmul(*halves), np.matmul(x1.astype("int32"), x2.astype("int32")))


def test_dtypes_that_do_not_fit_are_named() -> None:
    with pytest.raises(TypeError, match="x1 and x2: have dtypes int8 and float32"):
        ndkernels.matmul(np.ones((2, 2), "int8"), np.ones((2, 2), "float32"))
    with pytest.raises(TypeError, match="out: has dtype int8, and the result has int32"):
        ndkernels.matmul(np.ones((2, 2), "int8"), np.ones((2, 2), "int8"), out=np.ones((2, 2), "int8"))
    with pytest.raises(TypeError, match="x1: dtype int64 is not supported"):
        ndkernels.matmul(np.ones((2, 2), "int64"), np.ones((2, 2), "int64"))


@pytest.mark.own_bits
def test_pairs_are_multiplied_where_the_machine_can(beyond: list[str]) -> None:
    # It can be seen by what becomes of a subnormal number.
    smallest = np.array([[1]], np.uint16).view(ml_dtypes.bfloat16)
    one = np.ones((1, 1), ml_dtypes.bfloat16)
    used = PAIRS in beyond
    assert (ndkernels.matmul(smallest, one) == 0).all() == used
    assert (ndkernels.linear(smallest, one) == 0).all() == used
