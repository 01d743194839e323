"""Arguments that are meant to break things: a clear error or the right result, never a crash."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

import ndkernels as nd


@pytest.mark.parametrize("kind", [ctypes.c_float, ctypes.c_double])
def test_ctypes_arrays_have_no_strides(kind: Any) -> None:
    row = (kind * 4)(1, -2, 3, -4)
    np.testing.assert_array_equal(nd.relu(row), [1, 0, 3, 0])
    table = ((kind * 4) * 3)()
    table[1][2] = 5
    assert nd.sum(table) == 5
    np.testing.assert_array_equal(nd.sum(table, axis=0), [0, 0, 5, 0])
    out = (kind * 4)()
    assert nd.add(row, row, out=out) is out
    assert list(out) == [2, -4, 6, -8]


class Raising:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __index__(self) -> int:
        raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_what_index_raises_is_passed_on(error: type[BaseException]) -> None:
    with pytest.raises(error):
        nd.sum(np.ones(3), axis=Raising(error))  # type: ignore[arg-type]
    with pytest.raises(error):
        nd.sum(np.ones(3), axis=(Raising(error),))  # type: ignore[arg-type]
    with pytest.raises(error):
        nd.set_num_threads(Raising(error))  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", [2**70, -(2**70), -1])
def test_a_huge_axis_is_out_of_range(axis: int) -> None:
    if axis == -1:
        assert nd.sum(np.ones(3), axis=axis) == 3
    else:
        with pytest.raises(ValueError, match=r"axis: .* is out of range"):
            nd.sum(np.ones(3), axis=axis)


def test_a_mask_is_not_dropped_silently() -> None:
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
    for call in (lambda: nd.sum(masked), lambda: nd.add(np.ones(3), masked), lambda: nd.exp(np.ones(3), out=masked)):
        with pytest.raises(TypeError, match="is a masked array, and its mask would be ignored"):
            call()


def test_subclasses_of_arrays_are_taken() -> None:
    matrix = np.ones((2, 3)).view(np.recarray)
    assert nd.sum(matrix) == 6


class Exporter:
    """Speaks DLPack for an array, and lies about the device."""

    def __init__(self, device: object) -> None:
        self.device = device

    def __dlpack_device__(self) -> object:
        if isinstance(self.device, Exception):
            raise self.device
        return self.device

    def __dlpack__(self, **keywords: Any) -> object:
        return np.ones(3).__dlpack__(**keywords)


@pytest.mark.parametrize(
    "device", [("a", 0), (1.9, 0), (2**40, 0), (1,), (1, 0, 0), 5, None, "ab", (None, None), RuntimeError("no device")]
)
def test_an_exporter_with_a_bad_device_is_named(device: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^x2: "):
        nd.add(np.ones(3), Exporter(device))


def test_an_exporter_with_a_good_device_is_taken() -> None:
    assert nd.sum(Exporter((1, 0))) == 3


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((4, 4), (8, 8)), ((3, 3), (16, 8)), ((2, 5), (24, 8)), ((4,), (0,)), ((3, 2, 2), (8, 8, 40))],
)
def test_out_that_overlaps_itself_is_refused(shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    out = np.lib.stride_tricks.as_strided(np.zeros(64), shape, strides)
    with pytest.raises(ValueError, match="out: several of its elements share memory"):
        nd.add(np.ones(shape), np.ones(shape), out=out)


def test_ordinary_views_are_taken_as_out() -> None:
    base = np.zeros((4, 6, 8))
    views = [
        base,
        base.T,
        base[::2, 1::3, ::-1],
        base[:, :, 3],
        base[1:2],
        base[:0],
        base.reshape(-1)[::5],
        base[2, 3, 4:5],
    ]
    views += [base.transpose(1, 2, 0)[::-1, ::3], base.diagonal(), np.zeros((1, 7, 1))[:, ::2]]
    for view in views:
        out = view if view.flags.writeable else base[0, :, :6].T
        ones = np.ones(out.shape)
        assert nd.add(ones, ones, out=out) is out
        assert (out == 2).all()
        out[...] = 0
