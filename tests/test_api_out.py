"""`out=`: returned itself, checked strictly, and right where it shares memory with the inputs."""

from __future__ import annotations

import array

import numpy as np
import pytest

import ndkernels


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_out_is_filled_and_returned_itself(dtype: str) -> None:
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    wide = np.full((4, 6), -1, dtype)
    for out in (np.empty_like(x), np.empty((3, 2), dtype).T, wide[::2, ::2], wide[::-2, ::-2]):
        assert ndkernels.add(x, x[0], out=out) is out
        np.testing.assert_array_equal(out, x + x[0])
        assert ndkernels.relu(x, out=out) is out
        np.testing.assert_array_equal(out, x)
    assert (wide[:, 1::2][::2] == -1).all()


def test_out_leaves_its_surroundings_alone() -> None:
    wide = np.full((5, 7), 9.0)
    ndkernels.add(np.ones((3, 3)), np.ones((3, 3)), out=wide[1:4, 2:5])
    expected = np.full((5, 7), 9.0)
    expected[1:4, 2:5] = 2
    np.testing.assert_array_equal(wide, expected)


def test_out_may_be_any_writable_buffer() -> None:
    out = array.array("d", [0.0, 0.0])
    assert ndkernels.add(np.ones(2), np.ones(2), out=out) is out
    assert list(out) == [2.0, 2.0]


def test_in_place() -> None:
    x, y = np.arange(5.0), np.arange(5.0) + 1
    expected = x - y
    assert ndkernels.subtract(x, y, out=x) is x
    np.testing.assert_array_equal(x, expected)
    expected = x - y
    ndkernels.subtract(x, y, out=y)
    np.testing.assert_array_equal(y, expected)
    ndkernels.subtract(y, y, out=y)
    np.testing.assert_array_equal(y, np.zeros(5))


@pytest.mark.parametrize("size", [7, 1000, 100_000])
@pytest.mark.parametrize("shift", [-3, -1, 1, 3])
def test_out_may_be_a_shifted_view_of_an_input(shift: int, size: int) -> None:
    for function, arguments in ((ndkernels.subtract, (np.float64(5),)), (ndkernels.relu, ())):
        memory = np.arange(size + 8.0)
        x, out = memory[4 : 4 + size], memory[4 + shift : 4 + shift + size]
        expected = function(x.copy(), *arguments)
        assert function(x, *arguments, out=out) is out
        np.testing.assert_array_equal(out, expected)


def test_out_may_be_an_input_reversed_or_transposed() -> None:
    x = np.arange(9.0)
    ndkernels.relu(x, out=x[::-1])
    np.testing.assert_array_equal(x, np.arange(9.0)[::-1])
    x = np.arange(9.0).reshape(3, 3)
    expected = x + x.T
    ndkernels.add(x, x.T, out=x)
    np.testing.assert_array_equal(x, expected)
    x = np.arange(9.0).reshape(3, 3)
    expected = x + x[0]
    ndkernels.add(x, x[0], out=x)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("add", (np.ones((2, 3)), np.ones(3)), (2, 3)),
        ("exp", (np.ones((2, 3)),), (2, 3)),
        ("sum", (np.ones((2, 3)),), ()),
        ("matmul", (np.ones((2, 3)), np.ones((3, 4))), (2, 4)),
    ],
)
def test_an_out_that_does_not_fit_is_refused(
    name: str, arguments: tuple[np.ndarray, ...], shape: tuple[int, ...]
) -> None:
    function = getattr(ndkernels, name)
    with pytest.raises(TypeError, match=r"out: has dtype float32, and the result has float64. Pass an array of dtype"):
        function(*arguments, out=np.empty(shape, "float32"))
    with pytest.raises(TypeError, match=r"out: has dtype int64, and the result has float64"):
        function(*arguments, out=np.empty(shape, "int64"))
    with pytest.raises(TypeError, match=r"out: got list; accepted are"):
        function(*arguments, out=[])
    with pytest.raises(ValueError, match=r"out: has shape \(5, 5\), and the result has \(.*\). Pass an array of shape"):
        function(*arguments, out=np.empty((5, 5)))
    read_only = np.zeros(shape)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match=r"out: is read-only. Pass a writable array, or leave out= away"):
        function(*arguments, out=read_only)
    assert not read_only.any()


def test_out_is_never_broadcast() -> None:
    with pytest.raises(ValueError, match=r"out: has shape \(2, 3\), and the result has \(3,\)"):
        ndkernels.add(np.ones(3), np.ones(3), out=np.empty((2, 3)))
    repeated = np.lib.stride_tricks.as_strided(np.zeros(3), (2, 3), (0, 8))
    with pytest.raises(ValueError, match=r"out: several of its elements share memory"):
        ndkernels.add(np.ones((2, 3)), np.ones(3), out=repeated)
