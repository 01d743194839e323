"""Arguments that are meant to break things: a clear error or the right result, never a crash."""

from __future__ import annotations

import ctypes
import sys
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
    assert nd.add(table, row, out=table) is table
    assert list(table[1]) == [1, -2, 8, -4]


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


def test_a_device_whose_numbers_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match=r"^x: its __dlpack_device__ could not be read") as caught:
        nd.relu(Exporter((1, Raising(ZeroDivisionError))))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(KeyboardInterrupt):
        nd.relu(Exporter((1, Raising(KeyboardInterrupt))))


class Tensor(ctypes.Structure):
    """DLTensor, followed by the two other fields of DLManagedTensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class RawExporter:
    """Hands out a DLTensor of [1, 2, 3] in which some fields were changed."""

    def __init__(self, **changes: Any) -> None:
        self.memory = (ctypes.c_double * 3)(1, 2, 3)
        fields = {"device_type": 1, "ndim": 1, "code": 2, "bits": 64, "lanes": 1, "shape": extents(3)}
        self.tensor = Tensor(**{"data": ctypes.addressof(self.memory), **fields, **changes})

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self) -> object:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self.tensor), b"dltensor", None)


def extents(*values: int) -> Any:
    return (ctypes.c_int64 * len(values))(*values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ndim": -1}, "a negative number of dimensions"),
        ({"shape": extents(-3)}, "a negative number of dimensions or elements"),
        ({"shape": None}, "or no shape"),
        ({"data": None}, "gave no memory"),
        ({"ndim": 33}, "has 33 dimensions"),
        ({"device_type": 2, "device_id": 1}, "lies on device cuda:1"),
    ],
)
def test_what_a_capsule_says_is_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^x: .*{message}"):
        nd.sum(RawExporter(**changes))
    with pytest.raises(ValueError, match=rf"^out: .*{message}"):
        nd.relu(np.ones(3), out=RawExporter(**changes))


def test_a_truthful_capsule_is_taken() -> None:
    assert nd.sum(RawExporter()) == 6
    assert nd.sum(RawExporter(data=None, shape=extents(0))) == 0
    assert nd.sum(RawExporter(ndim=0, shape=None)) == 1


def test_ctrl_c_while_a_buffer_is_made_is_not_about_its_dtype() -> None:
    class Interrupted:
        dtype = "bfloat16"

        def __buffer__(self, flags: int) -> memoryview:
            raise KeyboardInterrupt

    # Before Python 3.12 a class without C code has no buffer.
    with pytest.raises(KeyboardInterrupt if sys.version_info >= (3, 12) else TypeError):
        nd.relu(Interrupted())


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
