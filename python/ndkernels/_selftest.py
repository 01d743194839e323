"""The self-test of a kernel library: every function of its table, against plain Python arithmetic.

`ndkernels doctor` runs it, in a process in which the library to be tested is the one that is loaded.
"""

from __future__ import annotations

import itertools
import math
import operator
from typing import TYPE_CHECKING, Any

from ndkernels._selftest_operators import CHECKS
from variantkit.selftest import SelfTest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ndkernels._binding import Library

__all__ = ["self_test"]

# Around the widths of vectors (4, 8, 16), so that whole vectors, tails and their masks are used.
_SIZES = (0, 1, 3, 7, 8, 17, 67)
# Enough for several threads (elementwise/visit.hpp, reduction: grains of up to 2^18 elements; matmul.cpp: of 2^20 products).
_MANY = 2**20 + 3
_DTYPES = {"float32": 2.0**-23, "float64": 2.0**-52}
_OPERATOR_DTYPES = tuple(_DTYPES)
_SPECIAL = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -2.5)


def _divide(a: float, b: float) -> float:
    """Divide as IEEE 754 does, where Python raises."""
    if b != 0.0:
        return a / b
    if a == 0.0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _divide,
    "maximum": lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else max(a, b),
}
_UNARY: dict[str, Callable[[float], float]] = {
    "relu": lambda a: a if math.isnan(a) else max(a, 0.0),
    "exp": lambda a: math.inf if a > 700 else math.exp(a),
}


def self_test(library: Library) -> SelfTest:
    """Return the checks of the loaded library, which is the one that is given."""
    import ndkernels

    return SelfTest(checks=_checks(library), threads=ndkernels.get_num_threads())


def _checks(library: Library) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "the library in use", lambda: _identity(library)
    # The arguments lie in NumPy arrays, and every result does.
    yield "import numpy", _numpy
    for dtype in _DTYPES:
        for name in _BINARY:
            yield f"{name} {dtype}", _bound(_binary, name, dtype)
        for name in _UNARY:
            yield f"{name} {dtype}", _bound(_unary, name, dtype)
        yield f"copy {dtype}", _bound(_copy, dtype)
        yield f"sum {dtype}", _bound(_sum, dtype)
        yield f"matmul {dtype}", _bound(_matmul, dtype)
    for dtype in _OPERATOR_DTYPES:
        for names, function in CHECKS.items():
            yield f"{', '.join(names)} {dtype}", _bound(function, dtype)


def _numpy() -> str:
    import numpy as np  # it raises on a CPU that is older than NumPy's own baseline

    return "" if np.add(1, 1) == 2 else "1 + 1 is not 2"


def _bound(function: Callable[..., Iterator[str]], *arguments: str) -> Callable[[], str]:
    """Return a check that ends with the first thing that is wrong."""
    return lambda: next((problem for problem in function(*arguments) if problem), "")


def _identity(library: Library) -> str:
    import ndkernels

    used = ndkernels.show_config("dicts") or {}
    if (used["classifier"], used["path"]) == (library.classifier, library.path):
        return ""
    return f"it is {used['classifier']} at {used['path']}, where {library.classifier} was opened"


def _numbers(count: int, step: float = 0.375, start: float = -3.0) -> list[float]:
    """Return numbers that float32 holds exactly, and whose sums and products of two it does, too."""
    return [start + step * (index * 7 % 23) for index in range(count)]


def _binary(name: str, dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels

    function, reference = getattr(ndkernels, name), _BINARY[name]

    def compare(what: str, x1: Any, x2: Any, out: Any = None) -> str:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
        wide = (np.broadcast_to(x1, shape), np.broadcast_to(x2, shape))
        expected = [reference(a, b) for a, b in zip(*(each.flatten().tolist() for each in wide), strict=True)]
        return _compared(what, function(x1, x2, out=out), shape, expected, _DTYPES[dtype])

    for size in _SIZES:
        x1, x2 = np.array(_numbers(size), dtype), np.array(_numbers(size, 0.25, 0.5), dtype)
        yield compare(f"{size} elements", x1, x2)
        yield compare(f"{size} elements and a scalar", x1, np.array(1.5, dtype))
    x1, x2 = np.array(_numbers(23), dtype), np.array(_numbers(23, 0.25, 0.5), dtype)
    expected = [reference(a, b) for a, b in zip(x1.tolist(), x2.tolist(), strict=True)]
    yield _repeated(function(np.resize(x1, _MANY), np.resize(x2, _MANY)), expected, _DTYPES[dtype])
    pairs = np.array(list(itertools.product(_SPECIAL, repeat=2)), dtype)
    yield compare("NaN, infinities and zeros", pairs[:, 0], pairs[:, 1])
    square = np.array(_numbers(35 * 6), dtype).reshape(5, 7, 6)
    yield compare("every second row backwards", square[::-2], square[::2])
    yield compare("transposed", square.T, square.T[:, :1])
    yield compare("broadcast", square, np.array(_numbers(6, 0.25, 0.5), dtype))
    out = np.zeros((6, 5, 14), dtype).transpose(1, 2, 0)[:, ::2]
    yield compare("a strided out", square, square[0], out)
    own = square.copy()
    expected = [reference(a, b) for a, b in zip(own.flatten().tolist(), own.flatten().tolist(), strict=True)]
    yield _compared("out= is the input", function(own, own, out=own), own.shape, expected, _DTYPES[dtype])


def _unary(name: str, dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels

    function, reference = getattr(ndkernels, name), _UNARY[name]
    tolerance = _DTYPES[dtype] * (4 if name == "exp" else 0)
    for size in _SIZES:
        x = np.array(_numbers(size), dtype)
        yield _compared(f"{size} elements", function(x), x.shape, [reference(a) for a in x.tolist()], tolerance)
    x = np.array(_numbers(23), dtype)
    yield _repeated(function(np.resize(x, _MANY)), [reference(a) for a in x.tolist()], tolerance)
    x = np.array((*_SPECIAL, *_SPECIAL, math.nan), dtype)
    yield _compared("NaN, infinities and zeros", function(x), x.shape, [reference(a) for a in x.tolist()], tolerance)
    x = np.array(_numbers(5 * 7 * 6), dtype).reshape(5, 7, 6).T[::-1, ::2]
    expected = [reference(a) for a in x.flatten().tolist()]
    yield _compared("strided", function(x), x.shape, expected, tolerance)


def _copy(dtype: str) -> Iterator[str]:
    """Where `out` overlaps an input in another layout, the binding computes elsewhere and lets the library copy."""
    import numpy as np

    import ndkernels

    for size in _SIZES:
        x = np.array(_numbers(size + 1), dtype)
        expected = [a + a for a in x[:-1].tolist()]
        yield _compared(f"{size} elements", ndkernels.add(x[:-1], x[:-1], out=x[1:]), (size,), expected, 0.0)
    x = np.array(_numbers(49), dtype).reshape(7, 7)
    expected = [a + a for a in x.T.flatten().tolist()]
    yield _compared("transposed onto itself", ndkernels.add(x.T, x.T, out=x), (7, 7), expected, 0.0)


def _sum(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels

    tolerance = _DTYPES[dtype] * 64
    for size in _SIZES:
        x = np.array(_numbers(size), dtype)
        yield _compared(f"{size} elements", ndkernels.sum(x), (), [math.fsum(x.tolist())], tolerance)
    x = np.array(_numbers(23), dtype)
    whole, rest = divmod(_MANY, 23)
    total = math.fsum(x.tolist()) * whole + math.fsum(x[:rest].tolist())
    yield _compared(f"{_MANY} elements", ndkernels.sum(np.resize(x, _MANY)), (), [total], tolerance)
    x = np.array(_numbers(5 * 7 * 6), dtype).reshape(5, 7, 6)
    for what, view in (("", x), (" transposed", x.T), (" backwards", x[::-1, :, ::-2])):
        for axis in (0, 1, 2, (0, 2), (0, 1, 2)):
            kept = [each for each in range(3) if each not in (axis if isinstance(axis, tuple) else (axis,))]
            rows = [0, 1, 2]
            order = [*kept, *(each for each in rows if each not in kept)]
            moved = view.transpose(order).reshape(math.prod(view.shape[each] for each in kept), -1)
            expected = [math.fsum(row) for row in moved.tolist()]
            shape = tuple(view.shape[each] for each in kept)
            yield _compared(f"axis {axis}{what}", ndkernels.sum(view, axis=axis), shape, expected, tolerance)
    bad = np.array((1.0, math.nan, *_numbers(16)), dtype)
    yield _compared("NaN", ndkernels.sum(bad), (), [math.nan], tolerance)


def _matmul(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels

    def compare(what: str, x1: Any, x2: Any, out: Any = None) -> str:
        (m, k), n = x1.shape, x2.shape[1]
        left, right = x1.tolist(), x2.T.tolist()
        expected = [math.fsum(map(operator.mul, row, column)) for row in left for column in right]
        tolerance = _DTYPES[dtype] * 4 * (k + 1)
        return _compared(f"{m}x{k} by {k}x{n}, {what}", ndkernels.matmul(x1, x2, out=out), (m, n), expected, tolerance)

    for m, k, n in ((1, 1, 1), (3, 5, 7), (7, 0, 3), (0, 4, 2), (17, 9, 33), (1, 67, 5), (31, 67, 1), (65, 40, 51)):
        x1 = np.array(_numbers(m * k), dtype).reshape(m, k)
        x2 = np.array(_numbers(k * n, 0.25, -1.5), dtype).reshape(k, n)
        yield compare("plain", x1, x2)
        # Copies in the other order, so that the views have these shapes and unusual strides.
        yield compare("transposed", x1.T.copy().T, x2.T.copy().T)
        yield compare("strided", np.repeat(x1, 2, axis=1)[:, ::2], x2[::-1], np.zeros((2 * m, n), dtype)[::2])
    # Three different rows and five different columns, many times each.
    x1, x2 = np.array(_numbers(3 * 150), dtype).reshape(3, 150), np.array(_numbers(150 * 5), dtype).reshape(150, 5)
    few = [math.fsum(map(operator.mul, row, column)) for row in x1.tolist() for column in x2.T.tolist()]
    product = ndkernels.matmul(np.tile(x1, (50, 1)), np.tile(x2, (1, 30)))
    apart = [
        _compared("150x150 by 150x150", product[i : i + 3, j : j + 5], (3, 5), few, _DTYPES[dtype] * 600)
        for i in range(0, 150, 3)
        for j in range(0, 150, 5)
    ]
    yield next((problem for problem in apart if problem), "")
    bad = np.ones((3, 4), dtype)
    bad[1, 2] = math.nan
    yield compare("NaN", bad, np.ones((4, 5), dtype))


def _repeated(result: Any, period: list[float], tolerance: float) -> str:
    """Return how a large result differs from the numbers of `period`, over and over."""
    import numpy as np

    difference = np.abs(result - np.resize(np.array(period), result.shape))
    worst = int(difference.argmax())
    if difference[worst] <= tolerance * max(map(abs, period)):
        return ""
    return f"{result.size} elements: element {worst} is {result[worst]!r}, where {period[worst % len(period)]!r} was expected"


def _compared(what: str, result: Any, shape: Sequence[int], expected: list[float], tolerance: float) -> str:
    """Return how the result differs, relative to the largest of its neighbours, or an empty string."""
    if tuple(result.shape) != tuple(shape):
        return f"{what}: the result has shape {tuple(result.shape)}, where {tuple(shape)} was expected"
    found = result.flatten().tolist()
    largest = max((abs(value) for value in expected if math.isfinite(value)), default=1.0)
    for index, (got, right) in enumerate(zip(found, expected, strict=True)):
        same = got == right or (math.isnan(got) and math.isnan(right))
        if not same and not abs(got - right) <= tolerance * max(abs(right), largest, 1.0):
            return f"{what}: element {index} is {got!r}, where {right!r} was expected"
    return ""
