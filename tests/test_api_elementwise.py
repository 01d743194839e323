"""add, subtract, multiply, divide, maximum, relu and exp against NumPy, for every layout of memory."""

from __future__ import annotations

import numpy as np
import pytest

import ndkernels

BINARY = ("add", "subtract", "multiply", "divide", "maximum")
UNARY = {"relu": lambda x: np.maximum(x, 0), "exp": np.exp}
DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 1e-6, "float64": 1e-14}


def numbers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-4, 4, shape).astype(dtype)


def layouts(dtype: str) -> dict[str, np.ndarray]:
    """Views of shape (6, 5), one for each way to lie in memory, and some other shapes."""
    base = numbers((12, 10), dtype, 1)
    return {
        "contiguous": numbers((6, 5), dtype, 2),
        "fortran": np.asfortranarray(numbers((6, 5), dtype, 3)),
        "every other": base[::2, ::2],
        "negative strides": base[::-2, ::-2],
        "transposed": numbers((5, 6), dtype, 4).T,
        "columns reversed": base[:6, 4::-1],
        "broadcast row": np.broadcast_to(numbers((5,), dtype, 5), (6, 5)),
        "read-only": read_only(numbers((6, 5), dtype, 6)),
    }


def read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def check(got: np.ndarray, expected: np.ndarray, *, exact: bool) -> None:
    assert type(got) is np.ndarray
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if exact:
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=TOLERANCE[expected.dtype.name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_binary_on_every_pair_of_layouts(name: str, dtype: str) -> None:
    for x1 in layouts(dtype).values():
        for x2 in layouts(dtype).values():
            check(getattr(ndkernels, name)(x1, x2), getattr(np, name)(x1, x2), exact=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_unary_on_every_layout(name: str, dtype: str) -> None:
    for x in layouts(dtype).values():
        check(getattr(ndkernels, name)(x), UNARY[name](x), exact=name == "relu")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    ("shape1", "shape2"),
    [
        ((), ()),
        ((), (3,)),
        ((4, 1), (3,)),
        ((2, 1, 3), (1, 4, 1)),
        ((5, 1, 2), (7, 1)),
        ((0,), (1,)),
        ((2, 0, 3), (3,)),
        ((1,), ()),
        ((1,) * 32, (2,)),
        ((1000,), (1,)),
        ((33, 65), (33, 1)),
        ((129, 513), (129, 513)),
    ],
)
def test_broadcasting_is_that_of_numpy(name: str, dtype: str, shape1: tuple[int, ...], shape2: tuple[int, ...]) -> None:
    for a, b in ((shape1, shape2), (shape2, shape1)):
        x1, x2 = numbers(a, dtype, 7), numbers(b, dtype, 8)
        check(getattr(ndkernels, name)(x1, x2), np.asarray(getattr(np, name)(x1, x2)), exact=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (257,), (3, 1, 5), (1,) * 32, (2,) * 10])
def test_unary_on_every_kind_of_shape(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    x = numbers(shape, dtype)
    check(getattr(ndkernels, name)(x), np.asarray(UNARY[name](x)), exact=name == "relu")


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], dtype)
    column = x[:, None]
    with np.errstate(all="ignore"):
        for name in BINARY:
            check(getattr(ndkernels, name)(column, x), getattr(np, name)(column, x), exact=True)
        check(ndkernels.exp(x), np.exp(x), exact=False)
    np.testing.assert_array_equal(ndkernels.relu(x), np.array([np.nan, np.inf, 0, 0, 0, 1], dtype))


def test_a_result_is_new_memory_even_for_the_identity() -> None:
    x = np.ones(4)
    result = ndkernels.relu(x)
    assert not np.shares_memory(result, x)
    assert result.flags.writeable
    assert result.flags.owndata


def test_numpy_scalars_are_arrays_without_dimensions() -> None:
    result = ndkernels.add(np.float32(2), np.float32(3))
    assert result.shape == ()
    assert result.dtype == np.float32
    assert result == 5
