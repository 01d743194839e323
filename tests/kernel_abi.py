"""The C ABI of a kernel library through ctypes, with a host table made in Python."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

OK, INVALID_ARGUMENT, UNSUPPORTED_DTYPE, OUT_OF_MEMORY, ABI_MISMATCH = range(5)
COPY, RELU, EXP, NEGATIVE, ABS, SQRT, RSQRT, LOG, SIN, COS, TANH, ERF, SIGMOID = range(13)
LEAKY_RELU, ELU, GELU, GELU_TANH, SILU, SOFTPLUS, CLIP = range(13, 20)
ADD, SUBTRACT, MULTIPLY, DIVIDE, MAXIMUM, MINIMUM, POWER = range(7)
EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL = range(7, 13)
SUM = 0
DTYPES = {
    name: number
    for number, name in enumerate(("float32", "float64", "float16", "bfloat16", "bool", "int8", "int32", "int64"), 1)
}

_libc = ctypes.CDLL(None)
_libc.aligned_alloc.restype = ctypes.c_void_p
_libc.aligned_alloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]

_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
_PARALLEL_FOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
_NUM_THREADS = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
_ALLOCATE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p)
_HAS_FEATURE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p)


class Tensor(ctypes.Structure):
    """ndk_tensor; `device` is written out."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("ndim", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
    )


class HostTable(ctypes.Structure):
    """ndk_host."""

    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("call_size", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("parallel_for", _PARALLEL_FOR),
        ("num_threads", _NUM_THREADS),
        ("allocate", _ALLOCATE),
        ("release", _RELEASE),
        ("log", _LOG),
        ("has_feature", _HAS_FEATURE),
    )


_HOST, _TENSOR = ctypes.POINTER(HostTable), ctypes.POINTER(Tensor)
_PARAMETERS = ctypes.POINTER(ctypes.c_double)


class Table(ctypes.Structure):
    """ndk_table."""

    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("abi_major", ctypes.c_uint16),
        ("abi_minor", ctypes.c_uint16),
        ("classifier", ctypes.c_char_p),
        ("version", ctypes.c_char_p),
        ("unary", ctypes.CFUNCTYPE(ctypes.c_int, _HOST, ctypes.c_int, _PARAMETERS, _TENSOR, _TENSOR)),
        ("binary", ctypes.CFUNCTYPE(ctypes.c_int, _HOST, ctypes.c_int, _TENSOR, _TENSOR, _TENSOR)),
        ("reduce", ctypes.CFUNCTYPE(ctypes.c_int, _HOST, ctypes.c_int, _TENSOR, _TENSOR)),
        ("matmul", ctypes.CFUNCTYPE(ctypes.c_int, _HOST, _TENSOR, _TENSOR, _TENSOR)),
        ("operators", ctypes.c_void_p),
        ("operator_count", ctypes.c_int32),
        ("helper_source", ctypes.c_void_p),
    )


class Host:
    """Host services on `threads` threads; `memory=False` has none to give. `live` counts what was not released."""

    def __init__(self, threads: int = 1, *, memory: bool = True) -> None:
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.live = 0
        self.parallel_calls = 0

        def parallel_for(_context: int, count: int, task: int, argument: int) -> None:
            self.parallel_calls += 1
            call = _TASK(task)
            if pool is not None:
                list(pool.map(lambda index: call(argument, index), range(count)))
                return
            for index in range(count):
                call(argument, index)

        def allocate(_context: int, size: int, alignment: int) -> int | None:
            if not memory:
                return None
            self.live += 1
            pointer: int = _libc.aligned_alloc(alignment, -(-size // alignment) * alignment)
            return pointer

        def release(_context: int, pointer: int) -> None:
            self.live -= 1
            _libc.free(pointer)

        self.table = HostTable(
            ctypes.sizeof(HostTable),
            0,
            None,
            _PARALLEL_FOR(parallel_for),
            _NUM_THREADS(lambda _context: threads),
            _ALLOCATE(allocate),
            _RELEASE(release),
            _LOG(lambda _context, _level, _message: None),
            _HAS_FEATURE(lambda _context, _name: 0),
        )


def describe(array: np.ndarray[Any, Any]) -> Tensor:
    """The array as an ndk_tensor, which borrows it."""
    extents = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
    strides = (ctypes.c_int64 * max(array.ndim, 1))(*array.strides)
    return Tensor(array.ctypes.data, extents, strides, array.ndim, DTYPES.get(array.dtype.name, 0), 1, 0)


class KernelLibrary:
    """A kernel library that was opened with a host table; every function returns its `out`."""

    def __init__(self, path: Path, host: Host | None = None) -> None:
        self.host = host or Host()
        self._open = ctypes.CDLL(str(path)).ndkernels_open
        self._open.argtypes = [ctypes.c_uint32, _HOST, ctypes.POINTER(ctypes.POINTER(Table))]
        pointer = ctypes.POINTER(Table)()
        assert self._open(2, ctypes.byref(self.host.table), ctypes.byref(pointer)) == OK
        self.table = pointer.contents

    def status_of_open(self, abi_major: int, host: HostTable) -> tuple[int, bool]:
        """The status of ndkernels_open, and whether it gave a table."""
        pointer = ctypes.POINTER(Table)()
        return self._open(abi_major, ctypes.byref(host), ctypes.byref(pointer)), bool(pointer)

    def status(
        self, function: str, *arguments: int | Tensor | np.ndarray[Any, Any], parameters: tuple[float, ...] = ()
    ) -> int:
        """The status of one call; `parameters` are those of an unary function."""
        given: list[Any] = [describe(a) if isinstance(a, np.ndarray) else a for a in arguments]
        if function == "unary":
            given.insert(1, (ctypes.c_double * max(len(parameters), 1))(*parameters))
        references = [ctypes.byref(a) if isinstance(a, Tensor) else a for a in given]
        status: int = getattr(self.table, function)(ctypes.byref(self.host.table), *references)
        assert self.host.live == 0, f"{function} kept scratch memory"
        return status

    def call(
        self, function: str, *arguments: int | np.ndarray[Any, Any], parameters: tuple[float, ...] = ()
    ) -> np.ndarray[Any, Any]:
        """One call that succeeds; the last argument is the output."""
        assert self.status(function, *arguments, parameters=parameters) == OK
        out = arguments[-1]
        assert isinstance(out, np.ndarray)
        return out
