"""The part of the self-test that is about operators: a small case of each, against its definition in float64.

Gradients are checked by what makes them gradients: for a function that is linear in an argument, the inner product of its
result with any g is that of the argument with the gradient; for others a difference quotient takes the function's place.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CHECKS"]


def _values(*shape: int, dtype: str = "float64", seed: int = 1) -> Any:
    """Return numbers in [-2, 2) that look random, and are the same on every machine."""
    import numpy as np

    count = int(np.prod(shape))
    found = (np.arange(count, dtype=np.int64) * 7919 + seed * 104729) * 2654435761 % 65536
    return (found / 16384.0 - 2.0).astype(dtype).reshape(shape)


def _apart(what: str, got: Any, expected: Any, dtype: str, tolerance: float) -> str:
    """Return how the result differs by more than `tolerance` eps of its largest value, or an empty string."""
    import numpy as np

    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        return f"{what}: the result has shape {got.shape}, where {expected.shape} was expected"
    if got.size == 0:
        return ""
    bound = tolerance * np.finfo(dtype).eps * max(1.0, float(np.abs(expected).max()))
    difference = np.abs(got.astype("float64") - expected)
    if not (difference <= bound).all():  # NaN is not
        place = np.unravel_index(int(np.argmax(np.where(difference <= bound, 0, 1))), got.shape)
        return f"{what}: element {tuple(map(int, place))} is {got[place]!r}, where {expected[place]!r} was expected"
    return ""


def _adjoint(
    what: str, result: Any, grad: Any, pairs: list[tuple[Any, Any]], dtype: str, tolerance: float
) -> Iterator[str]:
    """Compare <result, grad> with <argument, gradient> for each argument that the result is linear in."""
    import numpy as np

    left = float((np.asarray(result, "float64") * np.asarray(grad, "float64")).sum())
    scale = float(np.abs(np.asarray(result, "float64") * np.asarray(grad, "float64")).sum())
    for place, (argument, gradient) in enumerate(pairs):
        right = float((np.asarray(argument, "float64") * np.asarray(gradient, "float64")).sum())
        if not abs(left - right) <= tolerance * np.finfo(dtype).eps * max(scale, 1.0):
            yield f"{what}: gradient {place} gives {right!r}, where {left!r} was expected"


def _slope(what: str, function: Callable[..., Any], x: Any, grad: Any, gradient: Any, dtype: str) -> str:
    """Compare a gradient with the difference quotient of <grad, function> along one direction, in float64."""
    import numpy as np

    exact = x.astype("float64")
    way = _values(*x.shape, seed=9)
    step = 2.0**-20
    ahead, behind = (
        float((function(exact + sign * step * way) * np.asarray(grad, "float64")).sum()) for sign in (1, -1)
    )
    expected = (ahead - behind) / (2 * step)
    got = float((np.asarray(gradient, "float64") * way).sum())
    scale = float(np.abs(np.asarray(gradient, "float64") * way).sum())
    if abs(got - expected) <= (2.0**-18 if dtype == "float64" else 2.0**-12) * max(scale, 1.0):
        return ""
    return f"{what}: the slope is {got!r}, where {expected!r} was expected"


def _elementary(dtype: str) -> Iterator[str]:
    import math

    import numpy as np

    import ndkernels as nk

    def sigmoid(v: float) -> float:
        return 1.0 / (1.0 + math.exp(-v))

    functions: dict[str, Callable[[float], float]] = {
        "negative": lambda v: -v, "abs": abs, "sin": math.sin, "cos": math.cos, "tanh": math.tanh, "erf": math.erf,
        "sigmoid": sigmoid, "silu": lambda v: v * sigmoid(v), "softplus": lambda v: math.log1p(math.exp(v)),
        "leaky_relu": lambda v: v if v > 0 else 0.01 * v, "elu": lambda v: v if v > 0 else math.expm1(v),
        "gelu": lambda v: v * 0.5 * math.erfc(-v / math.sqrt(2)),
    }  # fmt: skip
    positive: dict[str, Callable[[float], float]] = {
        "sqrt": math.sqrt, "rsqrt": lambda v: 1.0 / math.sqrt(v), "log": math.log,
    }  # fmt: skip
    x = _values(131, dtype=dtype) * np.dtype(dtype).type(4)  # the steep and the flat parts of most functions
    for operand, some in ((x, functions), (np.abs(x) + x.dtype.type(0.125), positive)):
        for name, function in some.items():
            for view in (operand, operand[::-2]):
                expected = np.array([function(v) for v in view.tolist()])
                yield _apart(name, getattr(nk, name)(view), expected, dtype, 8)
    y = _values(131, dtype=dtype, seed=2)
    wide = [x.astype("float64"), y.astype("float64")]
    yield _apart("minimum", nk.minimum(x, y), np.minimum(*wide), dtype, 0)
    yield _apart("power", nk.power(np.abs(x), y), np.abs(wide[0]) ** wide[1], dtype, 8)
    yield _apart("clip", nk.clip(x, -1.0, 1.0), wide[0].clip(-1, 1), dtype, 0)
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        expected = getattr(np, name)(x, y)
        yield "" if np.array_equal(getattr(nk, name)(x, y), expected) else f"{name}: the result is not NumPy's"
    yield _apart("where", nk.where(x > y, x, y), np.maximum(*wide), dtype, 0)


def _reductions(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    x = _values(5, 67, 9, dtype=dtype)
    exact = x.astype("float64")
    for axis in (0, 1, 2, None):
        for name in ("mean", "var", "std", "max", "min"):
            expected = getattr(np, name)(exact, axis=axis)
            yield _apart(f"{name} over {axis}", getattr(nk, name)(x, axis=axis), expected, dtype, 64)
        expected = np.log(np.exp(exact).sum(axis=axis))
        yield _apart(f"logsumexp over {axis}", nk.logsumexp(x, axis=axis), expected, dtype, 64)
        for name in ("argmax", "argmin", "all", "any"):
            same = np.array_equal(getattr(nk, name)(x, axis=axis), getattr(np, name)(x, axis=axis))
            yield "" if same else f"{name} over {axis}: the result is not NumPy's"
        near = 1 + x / x.dtype.type(64)
        yield _apart(f"prod over {axis}", nk.prod(near, axis=axis), near.astype("float64").prod(axis=axis), dtype, 4096)


def _softmax(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    for shape, axis in (((3, 67), 1), ((5, 9, 40), 1), ((17, 3), 0)):
        x = _values(*shape, dtype=dtype)
        powers = np.exp(x.astype("float64"))
        expected = powers / powers.sum(axis, keepdims=True)
        yield _apart(f"softmax {shape}", nk.softmax(x, axis=axis), expected, dtype, 64)
        yield _apart(f"log_softmax {shape}", nk.log_softmax(x, axis=axis), np.log(expected), dtype, 64)
        grad = _values(*shape, dtype=dtype, seed=2)
        for forward, backward in ((nk.softmax, nk.softmax_backward), (nk.log_softmax, nk.log_softmax_backward)):
            gradient = backward(grad, forward(x, axis=axis), axis=axis)
            yield _slope(backward.__name__, lambda x, f=forward, a=axis: f(x, axis=a), x, grad, gradient, dtype)


def _norms(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    x, weight, bias = _values(7, 67, dtype=dtype), _values(67, dtype=dtype, seed=2), _values(67, dtype=dtype, seed=3)
    exact = x.astype("float64")
    centred = exact - exact.mean(1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * weight + bias
    yield _apart("layer_norm", nk.layer_norm(x, 67, weight, bias), expected, dtype, 64)
    expected = exact / np.sqrt((exact**2).mean(1, keepdims=True) + 1e-5) * weight
    yield _apart("rms_norm", nk.rms_norm(x, 67, weight, eps=1e-5), expected, dtype, 64)
    grad = _values(7, 67, dtype=dtype, seed=4)
    gradient = nk.layer_norm_backward(grad, x, 67, weight)[0]
    yield _slope(
        "layer_norm_backward", lambda x: nk.layer_norm(x, 67, weight.astype("float64")), x, grad, gradient, dtype
    )
    x, grad = _values(2, 5, 3, 7, dtype=dtype), _values(2, 5, 3, 7, dtype=dtype, seed=2)
    exact = x.astype("float64")
    out, mean, variance, *_ = nk.batch_norm(x, None, None, training=True)
    moments = exact.mean((0, 2, 3)), exact.var((0, 2, 3))
    yield _apart("batch_moments, mean", mean, moments[0], dtype, 16)
    yield _apart("batch_moments, variance", variance, moments[1], dtype, 16)
    columns = [each.reshape(1, 5, 1, 1) for each in moments]
    yield _apart("batch_norm", out, (exact - columns[0]) / np.sqrt(columns[1] + 1e-5), dtype, 64)
    gradient = nk.batch_norm_backward(grad, x, mean, variance)[0]
    yield _slope(
        "batch_norm_backward", lambda x: nk.batch_norm(x, None, None, training=True)[0], x, grad, gradient, dtype
    )
    squares = np.zeros_like(exact)
    for channel, other in itertools.product(range(5), repeat=2):
        if -1 <= other - channel <= 1:
            squares[:, channel] += exact[:, other] ** 2
    expected = exact / (2.0 + 0.5 / 3 * squares) ** 0.75
    yield _apart("local_response_norm", nk.local_response_norm(x, 3, alpha=0.5, k=2.0), expected, dtype, 64)
    gradient = nk.local_response_norm_backward(grad, x, 3, alpha=0.5, k=2.0)
    name = "local_response_norm_backward"
    yield _slope(name, lambda x: nk.local_response_norm(x, 3, alpha=0.5, k=2.0), x, grad, gradient, dtype)


def _dropout(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    # The first numbers of Philox4x32-10 for the seed 0, of which the first four are published.
    words = np.array([0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8])
    got = nk.dropout(np.ones(67, dtype), 0.6, seed=0)
    yield _apart("dropout", got[:4], np.where(words >= int(0.6 * 2**32), 2.5, 0.0), dtype, 4)
    yield "" if 10 <= int((got != 0).sum()) <= 44 else "dropout: the numbers are not evenly spread"


def _convolved(x: Any, weight: Any, stride: int, padding: int) -> Any:
    """Return the convolution of images in float64, pixel by pixel."""
    import numpy as np

    x = np.pad(x.astype("float64"), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    high, wide = weight.shape[2:]
    rows, columns = (x.shape[2] - high) // stride + 1, (x.shape[3] - wide) // stride + 1
    result = np.empty((x.shape[0], weight.shape[0], rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        window = x[:, :, i * stride : i * stride + high, j * stride : j * stride + wide]
        result[:, :, i, j] = np.tensordot(window, weight.astype("float64"), ((1, 2, 3), (1, 2, 3)))
    return result


def _convolution(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    # The first has as many channels and places as Winograd's algorithm needs.
    for channels, height, size, stride, padding in (
        (16, 23, 3, 1, 1),
        (5, 11, 3, 1, 1),
        (5, 11, 3, 2, 0),
        (5, 11, 1, 1, 0),
        (5, 11, 5, 2, 2),
    ):
        x = _values(2, channels, height, height + 2, dtype=dtype)
        weight = _values(19, channels, size, size, dtype=dtype, seed=2)
        what = f"conv2d of {channels} channels with {size}x{size} and stride {stride}"
        result = nk.conv2d(x, weight, stride=stride, padding=padding)
        yield _apart(what, result, _convolved(x, weight, stride, padding), dtype, 512)
        grad = _values(*result.shape, dtype=dtype, seed=3)
        dx, dweight, _ = nk.conv2d_backward(grad, x, weight, stride=stride, padding=padding)
        yield from _adjoint(f"the gradient of {what}", result, grad, [(x, dx), (weight, dweight)], dtype, 512)
    columns = nk.im2col(_values(1, 2, 4, 5, dtype=dtype), 3)
    windows = [_values(1, 2, 4, 5)[0, :, i : i + 3, j : j + 3].reshape(-1) for i in range(2) for j in range(3)]
    yield _apart("im2col", columns[0], np.stack(windows, axis=1), dtype, 0.5)


def _linear(dtype: str) -> Iterator[str]:
    import ndkernels as nk

    x, weight, bias = (
        _values(9, 33, dtype=dtype),
        _values(21, 33, dtype=dtype, seed=2),
        _values(21, dtype=dtype, seed=3),
    )
    expected = x.astype("float64") @ weight.astype("float64").T + bias
    yield _apart("linear", nk.linear(x, weight, bias), expected, dtype, 256)
    yield _apart("linear with relu", nk.linear(x, weight, bias, activation="relu"), expected.clip(0), dtype, 256)


def _packed(dtype: str) -> Iterator[str]:
    import ndkernels as nk
    from ndkernels._contractions import matmul  # whose public name has a check of its own

    x, weight = _values(9, 33, dtype=dtype), _values(40, 33, dtype=dtype, seed=2)
    product = matmul(x, weight.T)
    yield _apart("prepacked linear", nk.linear(x, nk.prepack("linear", weight)), product, dtype, 0)
    yield _apart("prepacked matmul", matmul(x, nk.prepack("matmul", weight.T)), product, dtype, 0)
    x, weight = _values(1, 16, 19, 19, dtype=dtype), _values(16, 16, 3, 3, dtype=dtype, seed=2)
    got = nk.conv2d(x, nk.prepack("conv2d", weight))
    yield _apart("prepacked convolution", got, nk.conv2d(x, weight), dtype, 0)
    x = _values(4, 3, 6, dtype=dtype)
    for name, gates in (("lstm", 4), ("gru", 3)):
        weights = _values(gates * 9, 6, dtype=dtype, seed=2), _values(gates * 9, 9, dtype=dtype, seed=3)
        function = getattr(nk, name)
        got = function(x, nk.prepack(name, weights))[0]
        yield _apart(f"prepacked {name}", got, function(x, weights)[0], dtype, 0)


def _pooling(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    x = _values(2, 3, 11, 37, dtype=dtype)
    exact = x.astype("float64")
    for size, stride in ((2, 2), (3, 2), (3, 1)):
        windows = np.lib.stride_tricks.sliding_window_view(exact, (size, size), (2, 3))[:, :, ::stride, ::stride]
        largest, indices = nk.max_pool2d(x, size, stride=stride, return_indices=True)
        yield _apart(f"max_pool {size}/{stride}", largest, windows.max((4, 5)), dtype, 0)
        means = nk.avg_pool2d(x, size, stride=stride)
        yield _apart(f"avg_pool {size}/{stride}", means, windows.mean((4, 5)), dtype, 16)
        grad = _values(*means.shape, dtype=dtype, seed=2)
        dx = nk.avg_pool2d_backward(grad, x.shape, size, stride=stride)
        yield from _adjoint("avg_pool_backward", means, grad, [(x, dx)], dtype, 64)
        dx = nk.max_pool2d_backward(grad, indices, x.shape)
        yield from _adjoint("max_pool_backward", largest, grad, [(x, dx)], dtype, 64)
    yield _apart("global_pool", nk.global_avg_pool(x), exact.mean((2, 3), keepdims=True), dtype, 32)


def _upsample(dtype: str) -> Iterator[str]:
    import ndkernels as nk

    x = _values(2, 3, 5, 7, dtype=dtype)
    doubled = nk.upsample(x, scale_factor=2)
    yield _apart("upsample", doubled, x.astype("float64").repeat(2, 2).repeat(2, 3), dtype, 0)
    grad = _values(*doubled.shape, dtype=dtype, seed=2)
    smooth = nk.upsample(x, scale_factor=2, mode="bilinear")
    dx = nk.upsample_backward(grad, x.shape, scale_factor=2, mode="bilinear")
    yield from _adjoint("upsample_backward", smooth, grad, [(x, dx)], dtype, 64)


def _recurrent(dtype: str) -> Iterator[str]:
    import numpy as np

    import ndkernels as nk

    def sigmoid(x: Any) -> Any:
        return 1.0 / (1.0 + np.exp(-x))

    x, hidden = _values(4, 3, 6, dtype=dtype), 9
    for name, gates in (("lstm", 4), ("gru", 3)):
        shapes = ((gates * hidden, 6), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,))
        weights = tuple(_values(*shape, dtype=dtype, seed=i) / x.dtype.type(4) for i, shape in enumerate(shapes))
        w, r, b, c = (each.astype("float64") for each in weights)
        h, cell, steps = np.zeros((3, hidden)), np.zeros((3, hidden)), []
        for step in x.astype("float64"):
            left, right = np.split(step @ w.T + b, gates, 1), np.split(h @ r.T + c, gates, 1)
            if name == "lstm":
                i, f, g, o = (p + q for p, q in zip(left, right, strict=True))
                cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(cell)
            else:
                reset, update = sigmoid(left[0] + right[0]), sigmoid(left[1] + right[1])
                h = (1 - update) * np.tanh(left[2] + reset * right[2]) + update * h
            steps.append(h)
        function = getattr(nk, name)
        yield _apart(name, function(x, [weights])[0], np.stack(steps), dtype, 256)
        grad = _values(4, 3, hidden, dtype=dtype, seed=8)
        gradient = getattr(nk, f"{name}_backward")(grad, x, [weights])[0]
        wide = [tuple(each.astype("float64") for each in weights)]
        yield _slope(f"{name}_backward", lambda x, f=function, w=wide: f(x, w)[0], x, grad, gradient, dtype)


# By the operators of the kernel library that each is about.
CHECKS: dict[tuple[str, ...], Callable[[str], Iterator[str]]] = {
    ("where", "the functions of each element"): _elementary,
    ("variance", "standard_deviation", "the other reductions"): _reductions,
    ("softmax", "log_softmax", "softmax_backward", "log_softmax_backward"): _softmax,
    (
        "layer_norm", "rms_norm", "layer_norm_backward", "batch_norm", "batch_moments", "batch_norm_backward",
        "local_response_norm", "local_response_norm_backward",
    ): _norms,
    ("dropout",): _dropout,
    ("convolution", "convolution_input_gradient", "convolution_weight_gradient", "im2col"): _convolution,
    ("linear",): _linear,
    ("matmul_pack", "matmul", "convolution_pack", "lstm_pack", "gru_pack"): _packed,
    ("max_pool", "max_pool_backward", "avg_pool", "avg_pool_backward", "global_pool"): _pooling,
    ("upsample", "upsample_backward"): _upsample,
    ("lstm", "lstm_backward", "gru", "gru_backward"): _recurrent,
}  # fmt: skip
