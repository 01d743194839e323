"""The kernel library of each classifier that this machine runs, through its C ABI and without the binding."""

from __future__ import annotations

import ctypes
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from kernel_abi import (
    ABI_MISMATCH,
    ADD,
    COPY,
    DIVIDE,
    EQUAL,
    EXP,
    INVALID_ARGUMENT,
    MAXIMUM,
    MULTIPLY,
    OUT_OF_MEMORY,
    RELU,
    SIN,
    SUBTRACT,
    SUM,
    UNSUPPORTED_DTYPE,
    Host,
    HostTable,
    KernelLibrary,
    describe,
)
from variantkit.host import detect
from variantkit.matrix import read_matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]

CLASSIFIERS = read_matrix(Path(__file__).resolve().parent.parent).rows
HERE = detect().features
RUNNABLE = [c.name for c in CLASSIFIERS if HERE.issuperset(c.features)]
FLOATS = ("float32", "float64")
BINARY = {ADD: np.add, SUBTRACT: np.subtract, MULTIPLY: np.multiply, DIVIDE: np.divide, MAXIMUM: np.maximum}
# On both sides of every vector width, of four and of eight vectors.
LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 260)
SHAPES = ((), (1, 5), (5, 1), (3, 0), (17, 33), (2, 3, 4), (5, 1, 9), (2, 3, 4, 5), (40, 3), (3, 300))


@pytest.fixture(scope="module", params=RUNNABLE)
def path(request: pytest.FixtureRequest, kernel_library: Callable[[str], Path]) -> Path:
    return kernel_library(request.param)


@pytest.fixture(scope="module")
def library(path: Path) -> KernelLibrary:
    return KernelLibrary(path)


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def layouts(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Iterator[Array]:
    """Arrays of one shape: C order, off the alignment of vectors, and for axes: F order, every second, reversed."""
    yield random(shape, dtype, seed)
    yield random((int(np.prod(shape)) + 1,), dtype, seed)[1:].reshape(shape)
    if shape:
        yield random(shape[::-1], dtype, seed).T
        yield random(tuple(2 * n + 1 for n in shape), dtype, seed)[tuple(slice(1, 1 + 2 * n, 2) for n in shape)]
        yield random(shape, dtype, seed)[(slice(None, None, -1),) * len(shape)]


def inputs(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Iterator[Array]:
    yield from layouts(shape, dtype, seed)
    for first in (0, 1):
        thin = tuple(1 if axis % 2 == first else n for axis, n in enumerate(shape))
        yield np.broadcast_to(random(thin, dtype, seed), shape)


def outputs(shape: tuple[int, ...], dtype: str) -> Iterator[Array]:
    for out in layouts(shape, dtype):
        out[...] = np.nan
        yield out


def tolerance(dtype: str, ulps: float) -> float:
    return ulps * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("classifier", [c.name for c in CLASSIFIERS])
def test_one_symbol_only_libc_and_no_constructors(kernel_library: Callable[[str], Path], classifier: str) -> None:
    """Two libraries in one process share nothing, and loading one runs no code of a foreign instruction set."""
    with kernel_library(classifier).open("rb") as stream:
        elf = ELFFile(stream)
        symbols = elf.get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        defined = [s.name for s in symbols.iter_symbols() if s.name and s["st_shndx"] != "SHN_UNDEF"]
        dynamic = elf.get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection)
        needed = {vars(tag)["needed"] for tag in dynamic.iter_tags("DT_NEEDED")}
        constructors = elf.get_section_by_name(".init_array")
        pointers = 0 if constructors is None else constructors["sh_size"] // 8
    assert defined == ["ndkernels_open"]
    assert needed <= {"libc.so.6", "libm.so.6"}
    assert pointers <= 1  # the C runtime's own frame_dummy


@pytest.mark.parametrize("change", [-1, 1])
def test_another_abi_major_is_refused(library: KernelLibrary, change: int) -> None:
    assert library.status_of_open(2 + change, library.host.table) == (ABI_MISMATCH, False)


def test_a_host_that_offers_less_is_refused(library: KernelLibrary) -> None:
    small = HostTable.from_buffer_copy(library.host.table)
    small.struct_size -= 8
    assert library.status_of_open(2, small) == (ABI_MISMATCH, False)


def test_the_table_names_the_library(path: Path, library: KernelLibrary) -> None:
    assert path.name == f"libndkernels_{library.table.classifier.decode().replace('-', '_')}.so"
    assert (library.table.abi_major, library.table.abi_minor) == (2, 2)
    assert library.table.struct_size == ctypes.sizeof(type(library.table))


def test_another_dtype_is_unsupported(library: KernelLibrary) -> None:
    whole, real = np.zeros((4, 4), "int32"), np.zeros((4, 4), "float32")
    assert library.status("unary", EXP, whole, whole) == UNSUPPORTED_DTYPE
    half = whole.astype("float16")
    assert library.status("unary", SIN, half, half) == UNSUPPORTED_DTYPE
    assert library.status("binary", ADD, half, half, half) == UNSUPPORTED_DTYPE
    assert library.status("binary", EQUAL, real, real, real) == INVALID_ARGUMENT
    assert library.status("binary", ADD, whole, whole, whole) == UNSUPPORTED_DTYPE
    assert library.status("reduce", SUM, whole, whole) == UNSUPPORTED_DTYPE
    assert library.status("matmul", whole, whole, whole) == UNSUPPORTED_DTYPE
    assert library.status("binary", ADD, real, real.astype("float64"), real) == INVALID_ARGUMENT


def test_shapes_and_enumerators_that_the_contract_forbids(library: KernelLibrary) -> None:
    a, b = np.zeros((4, 5), "float32"), np.zeros((4, 6), "float32")
    assert library.status("unary", 99, a, a) == INVALID_ARGUMENT
    assert library.status("binary", 99, a, a, a) == INVALID_ARGUMENT
    assert library.status("reduce", 99, a, a) == INVALID_ARGUMENT
    assert library.status("unary", COPY, a, b) == INVALID_ARGUMENT
    assert library.status("binary", ADD, a, b, a) == INVALID_ARGUMENT
    assert library.status("reduce", SUM, a, np.zeros((4, 2), "float32")) == INVALID_ARGUMENT
    assert library.status("matmul", a, b, b) == INVALID_ARGUMENT
    assert library.status("matmul", a[0], a[0], a[0]) == INVALID_ARGUMENT
    elsewhere = describe(a)
    elsewhere.device_type = 2
    assert library.status("unary", COPY, elsewhere, a) == INVALID_ARGUMENT


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [*((n,) for n in LENGTHS), *SHAPES], ids=str)
def test_elementwise_over_layouts(library: KernelLibrary, shape: tuple[int, ...], dtype: str) -> None:
    for x1, out in itertools.product(inputs(shape, dtype), outputs(shape, dtype)):
        np.testing.assert_array_equal(library.call("unary", COPY, x1, out), x1)
        np.testing.assert_array_equal(library.call("unary", RELU, x1, out), np.maximum(x1, 0))
        exact = np.exp(x1.astype("float64"))
        np.testing.assert_allclose(library.call("unary", EXP, x1, out), exact, rtol=tolerance(dtype, 2))
    for x1, x2 in itertools.product(inputs(shape, dtype), inputs(shape, dtype, 1)):
        for (op, function), out in zip(BINARY.items(), itertools.cycle(outputs(shape, dtype))):
            np.testing.assert_array_equal(library.call("binary", op, x1, x2, out), function(x1, x2))


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "int32", "float32", "int64", "float64"])
@pytest.mark.parametrize("shape", [(0,), (1,), (17,), (600,), (5, 9), (3, 4, 130)], ids=str)
def test_copy_of_every_dtype_over_layouts(library: KernelLibrary, shape: tuple[int, ...], dtype: str) -> None:
    numbers = (np.random.default_rng(3).standard_normal(shape) * 100).astype(dtype)
    wide = np.zeros(tuple(2 * n for n in shape), dtype)
    every_second = (slice(None, None, -2),) * len(shape)
    for x in (numbers, np.broadcast_to(numbers[:1], shape), np.asfortranarray(numbers), numbers[::-1]):
        for out in (np.zeros(shape, dtype), np.zeros(shape[::-1], dtype).T, wide[every_second]):
            np.testing.assert_array_equal(library.call("unary", COPY, x, out), x)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_output_may_be_an_input(library: KernelLibrary, dtype: str) -> None:
    for length, x in ((n, x) for n in LENGTHS for x in layouts((n,), dtype)):
        other = random((length,), dtype, 1)
        expected = (x - other) * (x - other)
        library.call("binary", SUBTRACT, x, other, x)
        np.testing.assert_array_equal(library.call("binary", MULTIPLY, x, x, x), expected)


@pytest.mark.parametrize("dtype", FLOATS)
def test_special_values_are_those_of_ieee(library: KernelLibrary, dtype: str) -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e30], dtype)
    x1, x2 = (np.ascontiguousarray(a) for a in np.meshgrid(special, special))
    for op, function in BINARY.items():
        with np.errstate(all="ignore"):
            expected = function(x1, x2)
        np.testing.assert_array_equal(library.call("binary", op, x1, x2, np.empty_like(x1)), expected)
    np.testing.assert_array_equal(library.call("unary", RELU, x1, np.empty_like(x1)), np.maximum(x1, 0))


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"), [("float32", -103.9, 88.7), ("float64", -745.1, 709.7)], ids=FLOATS
)
def test_exp_down_to_denormal_numbers(library: KernelLibrary, dtype: str, lowest: float, highest: float) -> None:
    x = np.linspace(lowest, highest, 100_001).astype(dtype)
    out = library.call("unary", EXP, x, np.empty_like(x))
    exact = np.exp(x.astype("longdouble"))
    ulp = np.spacing(exact.astype(dtype)).astype("longdouble")
    assert float((np.abs(out - exact) / ulp).max()) < 1.1
    assert (out > 0).all()
    ends = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, highest + 0.1, lowest - 0.5, 1e30, -1e30], dtype)
    expected = np.array([np.nan, np.inf, 0, 1, 1, np.inf, 0, np.inf, 0], dtype)
    np.testing.assert_array_equal(library.call("unary", EXP, ends, np.empty_like(ends)), expected)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [*((n,) for n in LENGTHS), *SHAPES], ids=str)
def test_sum_over_any_axes_and_layouts(library: KernelLibrary, shape: tuple[int, ...], dtype: str) -> None:
    numbers = range(len(shape))
    for axes in itertools.chain.from_iterable(itertools.combinations(numbers, n) for n in range(len(shape) + 1)):
        for x in inputs(shape, dtype):
            exact = x.astype("float64").sum(axis=axes, keepdims=True)
            bound = tolerance(dtype, 8) * np.abs(x).astype("float64").sum(axis=axes, keepdims=True)
            for out in outputs(exact.shape, dtype):
                assert (np.abs(library.call("reduce", SUM, x, out) - exact) <= bound).all()


def test_the_sum_of_many_floats_is_pairwise(library: KernelLibrary) -> None:
    x = random((1 << 20, 2), "float32") ** 2
    exact = x.astype("float64").sum(axis=0, keepdims=True)
    for view in (x, np.asfortranarray(x), x[::-1]):
        out = library.call("reduce", SUM, view, np.empty((1, 2), "float32"))
        np.testing.assert_allclose(out, exact, rtol=tolerance("float32", 2))  # one after the other: some 1000


@pytest.mark.parametrize("dtype", FLOATS)
def test_sum_of_special_values(library: KernelLibrary, dtype: str) -> None:
    for values, expected in (([np.nan], np.nan), ([np.inf], np.inf), ([np.inf, -np.inf], np.nan), ([-np.inf], -np.inf)):
        x = np.concatenate([np.ones(300, dtype), np.array(values, dtype), np.ones(30, dtype)])
        np.testing.assert_array_equal(library.call("reduce", SUM, x, np.empty(1, dtype)), [expected])


MATMULS = [
    *itertools.product((0, 1, 2, 6, 7, 13), (0, 1, 3, 8, 17, 33), (0, 1, 9, 64)),
    (65, 66, 67), (130, 140, 530), (3, 700, 90), (200, 10, 1100), (1, 1100, 40), (1100, 1, 40),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
def test_matmul_over_shapes_and_layouts(library: KernelLibrary, dtype: str) -> None:
    for turn, (m, n, k) in enumerate(MATMULS):
        outs = itertools.cycle(outputs((m, n), dtype))
        others = list(inputs((k, n), dtype, 1))
        for number, x1 in enumerate(inputs((m, k), dtype)):  # every pair of layouts meets in some of the shapes
            x2 = others[(number + turn) % len(others)]
            exact = x1.astype("float64") @ x2.astype("float64")
            bound = tolerance(dtype, 8 + k / 4) * (np.abs(x1).astype("float64") @ np.abs(x2).astype("float64"))
            out = library.call("matmul", x1, x2, next(outs))
            assert (np.abs(out - exact) <= bound).all(), (m, n, k, x1.strides, x2.strides, out.strides)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("batch", [(0,), (5,), (3, 2), (150,)], ids=str)
def test_matmul_over_batches(library: KernelLibrary, batch: tuple[int, ...], dtype: str) -> None:
    x1 = random((*batch, 9, 11), dtype)
    x2 = np.broadcast_to(random((*batch[:-1], 1, 11, 20), dtype, 1), (*batch, 11, 20))
    exact = x1.astype("float64") @ x2.astype("float64")
    for out in (np.empty(exact.shape, dtype), np.empty((*batch, 20, 9), dtype).swapaxes(-1, -2)):
        np.testing.assert_allclose(library.call("matmul", x1, x2, out), exact, atol=tolerance(dtype, 100))


@pytest.mark.parametrize("dtype", FLOATS)
def test_matmul_carries_nan_and_infinity_only_where_they_belong(library: KernelLibrary, dtype: str) -> None:
    x1, x2 = random((40, 50), dtype), random((50, 61), dtype, 1)
    x1[3, 4], x2[7, 60] = np.nan, np.inf
    out = library.call("matmul", x1, x2, np.empty((40, 61), dtype))
    assert np.isnan(out[3]).all()
    assert np.isfinite(np.delete(out, 3, axis=0)[:, :60]).all()
    assert np.isinf(np.delete(out[:, 60], 3)).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_threads_change_no_result(path: Path, dtype: str) -> None:
    x, y, column = random((700, 900), dtype), random((900, 130), dtype, 1), random((900, 1), dtype, 2)
    calls: list[tuple[Any, ...]] = [
        ("unary", EXP, x, np.empty_like(x)),
        ("binary", ADD, x[::-1], x, np.empty_like(x)),
        ("reduce", SUM, x, np.empty((1, 1), dtype)),
        ("reduce", SUM, x, np.empty((1, 900), dtype)),
        ("reduce", SUM, x, np.empty((700, 1), dtype)),
        ("matmul", x, y, np.empty((700, 130), dtype)),
        ("matmul", y.T, x.T, np.empty((130, 700), dtype)),
        ("matmul", x, column, np.empty((700, 1), dtype)),
    ]
    for function, *arguments in calls:
        results = []
        for threads in (1, 2, 5):
            host = Host(threads)
            results.append(KernelLibrary(path, host).call(function, *arguments).copy())
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


def test_large_work_is_given_to_the_threads_and_small_is_not(path: Path) -> None:
    host = Host(2)
    library = KernelLibrary(path, host)
    small, large = random((16, 16), "float32"), random((600, 600), "float32")
    for x, expected in ((small, 0), (large, 4)):
        library.call("unary", EXP, x, np.empty_like(x))
        library.call("binary", ADD, x, x, np.empty_like(x))
        library.call("reduce", SUM, x, np.empty((1, 1), "float32"))
        library.call("matmul", x, x, np.empty_like(x))
        assert host.parallel_calls == expected


def test_no_memory_is_a_status(path: Path) -> None:
    library = KernelLibrary(path, Host(memory=False))
    x = random((300, 300), "float32")
    assert library.status("matmul", x, x, np.empty_like(x)) == OUT_OF_MEMORY
    assert library.call("matmul", x[:32, :32], x[:32, :32], np.empty((32, 32), "float32")).shape == (32, 32)
