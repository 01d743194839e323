"""Arrays of other libraries come in through DLPack or the buffer protocol, without a copy."""

from __future__ import annotations

import array
import gc
import weakref
from typing import Any

import array_api_strict as xp
import numpy as np
import pytest

import ndkernels


class Exporter:
    """What another library's array looks like: nothing but DLPack's two methods."""

    def __init__(self, x: np.ndarray) -> None:
        self._x = x
        self.calls: list[dict[str, Any]] = []

    def __dlpack__(self, **options: Any) -> Any:
        self.calls.append(options)
        return self._x.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._x.__dlpack_device__()


class OldExporter(Exporter):
    """From before DLPack had versions: `__dlpack__` takes a stream and nothing else."""

    def __dlpack__(self, *, stream: Any = None) -> Any:
        return self._x.__dlpack__(stream=stream)


class OnDevice(Exporter):
    """An array in the memory of something else than the CPU."""

    def __init__(self, device: tuple[int, int]) -> None:
        super().__init__(np.ones(3))
        self._device = device

    def __dlpack__(self, **options: Any) -> Any:
        msg = "asking for the data may wait for the device"
        raise AssertionError(msg)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


@pytest.mark.parametrize("exporter", [Exporter, OldExporter])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_function_reads_dlpack(exporter: type[Exporter], dtype: str) -> None:
    x = np.arange(12, dtype=dtype).reshape(3, 4)
    for view in (x, x.T, x[::-1, ::-2], x[1:, 1:], x[0, 0, ...], x[:0]):
        other = exporter(view)
        np.testing.assert_array_equal(ndkernels.add(other, view), view + view)
        np.testing.assert_array_equal(ndkernels.relu(other), view)
        np.testing.assert_array_equal(ndkernels.sum(other), view.sum())
        if view.ndim == 2:
            np.testing.assert_array_equal(ndkernels.matmul(other, exporter(view.T)), view @ view.T)


@pytest.mark.parametrize("exporter", [Exporter, OldExporter])
def test_out_through_dlpack_is_written_where_it_lies(exporter: type[Exporter]) -> None:
    memory = np.zeros((3, 4))
    out = exporter(memory[:, ::2])
    assert ndkernels.add(np.ones((3, 2)), np.ones(2), out=out) is out
    np.testing.assert_array_equal(memory, [[2, 0, 2, 0]] * 3)


def test_the_owner_gets_its_array_back() -> None:
    x = np.ones(1000)
    gone = weakref.ref(x)
    other = Exporter(x)
    ndkernels.relu(other)
    with pytest.raises(ValueError, match="x1 and x2"):
        ndkernels.add(other, np.ones(7))
    del x, other
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("device", "name"),
    [((2, 0), "cuda:0"), ((8, 0), "metal:0"), ((10, 3), "rocm:3"), ((99, 1), "DLPack device type 99:1")],
)
def test_another_device_is_refused_by_name_and_not_touched(device: tuple[int, int], name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"x2: lies on device {name}; accepted is cpu memory. Copy it to the CPU first"
    ):
        ndkernels.add(np.ones(3), OnDevice(device))
    with pytest.raises(ValueError, match=rf"out: lies on device {name}"):
        ndkernels.exp(np.ones(3), out=OnDevice(device))


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"x: dtype with DLPack code 0 and 64 bits is not supported"):
        ndkernels.relu(Exporter(np.ones(3, "int64")))


def test_an_exporter_that_fails_is_the_cause() -> None:
    class Failing(Exporter):
        def __dlpack__(self, **options: Any) -> Any:
            msg = "it requires a gradient"
            raise BufferError(msg)

    with pytest.raises(ValueError, match=r"x1: its __dlpack__ could not be read: it requires a gradient.") as caught:
        ndkernels.add(Failing(np.ones(3)), np.ones(3))
    assert isinstance(caught.value.__cause__, BufferError)


def test_what_is_no_capsule_is_refused() -> None:
    class Lying(Exporter):
        def __dlpack__(self, **options: Any) -> Any:
            return 42

    with pytest.raises(TypeError, match=r"x: got Lying, whose __dlpack__ did not return a capsule of DLPack"):
        ndkernels.relu(Lying(np.ones(3)))


def test_a_read_only_export_is_not_written() -> None:
    x = np.ones(3)
    x.flags.writeable = False
    # NumPy before 2.1 cannot export a read-only array at all.
    reason = "is read-only" if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else "its __dlpack__ could not be read"
    with pytest.raises(ValueError, match=f"out: {reason}"):
        ndkernels.relu(np.zeros(3), out=Exporter(x))
    assert x.all()


def test_arrays_of_the_array_api_standard() -> None:
    x = xp.reshape(xp.arange(6, dtype=xp.float32), (2, 3))
    np.testing.assert_array_equal(ndkernels.matmul(x, x.T), np.from_dlpack(x) @ np.from_dlpack(x).T)


@pytest.mark.parametrize("letter", ["f", "d"])
def test_the_buffer_protocol_is_enough(letter: str) -> None:
    numbers = array.array(letter, [1, -2, 3])
    for x in (numbers, memoryview(numbers), memoryview(numbers).toreadonly()):
        result = ndkernels.relu(x)
        assert result.tolist() == [1, 0, 3]
        assert result.dtype == np.dtype(letter)
    assert ndkernels.relu(memoryview(numbers)[::-1]).tolist() == [3, 0, 1]
