"""One case for every function, and how far the classifiers may be apart on it.

They compute the same formulas with vectors of other widths, and so add in another order, or fuse a multiplication with an
addition. `docs/operators.md` shows the tolerances; a test compares it with this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import ndkernels as nk

__all__ = ["CASES", "Case"]

EACH = "each value"
LARGEST = "the largest value"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call, and by how many units of its result's precision two classifiers may differ on it."""

    run: Callable[[], Any]
    tolerance: float  # in eps of the result's dtype
    relative_to: str = LARGEST


@cache
def numbers(*shape: int, seed: int = 0, low: float = -3.0, high: float = 3.0, dtype: str = "float32") -> np.ndarray:
    """Random numbers, read-only because all cases share them."""
    found = np.random.default_rng((seed, *shape)).uniform(low, high, shape).astype(dtype)
    found.flags.writeable = False
    return found


def elementwise(
    name: str, tolerance: float, *, operands: int = 1, low: float = -3.0, high: float = 3.0, **more: Any
) -> Case:
    """Two rows whose elements do not follow each other, enough for several threads."""
    function = getattr(nk, name)
    operand = [numbers(2, 400_003, seed=i, low=low, high=high)[:, ::2] for i in range(operands)]
    return Case(run=lambda: function(*operand, **more), tolerance=tolerance, relative_to=EACH)


def reduction(name: str, tolerance: float, **more: Any) -> Case:
    function = getattr(nk, name)
    x = numbers(37, 300, 61, low=0.5, high=1.5)
    return Case(
        run=lambda: [function(x, axis=axis, **more) for axis in (None, 0, 1, 2)], tolerance=tolerance, relative_to=EACH
    )


IMAGE = (3, 6, 19, 23)
BATCH = numbers(*IMAGE)
FILTERS = numbers(8, 6, 3, 3, seed=1)


def lstm_weights(gates: int, inputs: int, hidden: int) -> list[tuple[np.ndarray, ...]]:
    return [
        tuple(numbers(*shape, seed=i + 7, low=-0.3, high=0.3)
              for i, shape in enumerate(((gates * hidden, inputs), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,))))
    ]  # fmt: skip


CASES: dict[str, Case] = {
    # exact: one rounding, or none
    **{
        name: elementwise(name, 0, operands=2)
        for name in (
            "add",
            "subtract",
            "multiply",
            "divide",
            "maximum",
            "minimum",
            "equal",
            "not_equal",
            "less",
            "less_equal",
            "greater",
            "greater_equal",
        )
    },
    **{name: elementwise(name, 0) for name in ("negative", "abs", "relu")},
    "sqrt": elementwise("sqrt", 0, low=0.0),
    "clip": elementwise("clip", 0, min=-1.0, max=2.0),
    "where": Case(
        run=lambda: nk.where(numbers(2, 500) > 0, numbers(2, 500, seed=1), numbers(500, seed=2)),
        tolerance=0,
        relative_to=EACH,
    ),
    # functions of one element
    "rsqrt": elementwise("rsqrt", 2, low=0.01),
    **{
        name: elementwise(name, 4) for name in ("exp", "sin", "cos", "sigmoid", "leaky_relu", "elu", "silu", "softplus")
    },
    "log": elementwise("log", 4, low=0.01, high=9.0),
    **{name: elementwise(name, 8) for name in ("tanh", "erf", "gelu")},
    "power": elementwise("power", 4, operands=2, low=0.1),
    # sums and products
    **{name: reduction(name, 64) for name in ("sum", "mean", "logsumexp")},
    "prod": Case(run=lambda: nk.prod(numbers(37, 300, low=0.9, high=1.1), axis=1), tolerance=256, relative_to=EACH),
    **{name: reduction(name, 256) for name in ("var", "std")},
    **{name: reduction(name, 0) for name in ("max", "min", "argmax", "argmin", "all", "any")},
    "softmax": Case(run=lambda: nk.softmax(numbers(40, 1001)), tolerance=32),
    "log_softmax": Case(run=lambda: nk.log_softmax(numbers(40, 1001)), tolerance=32),
    "matmul": Case(run=lambda: nk.matmul(numbers(5, 67, 301), numbers(301, 45)), tolerance=128),
    "linear": Case(
        run=lambda: nk.linear(numbers(67, 301), numbers(45, 301), numbers(45), activation="gelu"), tolerance=128
    ),
    "linear_backward": Case(
        run=lambda: nk.linear_backward(numbers(67, 45), numbers(67, 301), numbers(45, 301)), tolerance=128
    ),
    "prepack": Case(
        run=lambda: [
            nk.linear(numbers(67, 301), nk.prepack("linear", numbers(45, 301)), numbers(45)),
            nk.conv2d(BATCH, nk.prepack("conv2d", FILTERS, padding=1), padding=1),
        ],
        tolerance=128,
    ),
    # normalization
    "layer_norm": Case(
        run=lambda: nk.layer_norm(numbers(70, 301), (301,), numbers(301), numbers(301, seed=1)), tolerance=64
    ),
    "rms_norm": Case(run=lambda: nk.rms_norm(numbers(70, 301), (301,), numbers(301)), tolerance=64),
    "batch_norm": Case(
        run=lambda: nk.batch_norm(BATCH, numbers(6), numbers(6, low=0.5), numbers(6, seed=1), numbers(6, seed=2)),
        tolerance=16,
    ),
    "group_norm": Case(run=lambda: nk.group_norm(BATCH, 3), tolerance=64),
    "local_response_norm": Case(run=lambda: nk.local_response_norm(BATCH, 5), tolerance=16),
    "dropout": Case(run=lambda: nk.dropout(numbers(3, 1000), 0.3, seed=5), tolerance=0),
    "softmax_backward": Case(
        run=lambda: nk.softmax_backward(numbers(40, 101), nk.softmax(numbers(40, 101))), tolerance=64
    ),
    # convolution
    "conv1d": Case(run=lambda: nk.conv1d(numbers(3, 6, 99), numbers(8, 6, 5), padding=2), tolerance=256),
    "conv2d": Case(run=lambda: nk.conv2d(BATCH, FILTERS, numbers(8), padding=1), tolerance=512),
    "conv3d": Case(run=lambda: nk.conv3d(numbers(2, 4, 7, 9, 11), numbers(5, 4, 3, 3, 3), padding=1), tolerance=512),
    "conv_transpose2d": Case(
        run=lambda: nk.conv_transpose2d(BATCH, numbers(6, 4, 3, 3), stride=2, padding=1), tolerance=256
    ),
    "conv2d_backward": Case(
        run=lambda: nk.conv2d_backward(numbers(3, 8, 19, 23), BATCH, FILTERS, padding=1), tolerance=2048
    ),
    "im2col": Case(run=lambda: nk.im2col(BATCH, 3, padding=1), tolerance=0),
    # pooling and resampling
    "max_pool2d": Case(run=lambda: nk.max_pool2d(BATCH, 3, stride=2, padding=1), tolerance=0),
    "avg_pool2d": Case(run=lambda: nk.avg_pool2d(BATCH, 3, stride=2, padding=1), tolerance=8),
    "adaptive_avg_pool2d": Case(run=lambda: nk.adaptive_avg_pool2d(BATCH, (5, 7)), tolerance=8),
    "global_avg_pool": Case(run=lambda: nk.global_avg_pool(BATCH), tolerance=32),
    "global_max_pool": Case(run=lambda: nk.global_max_pool(BATCH), tolerance=0),
    "upsample": Case(run=lambda: nk.upsample(BATCH, scale_factor=2, mode="bilinear"), tolerance=8),
    # recurrent layers
    "lstm": Case(run=lambda: nk.lstm(numbers(12, 5, 20), lstm_weights(4, 20, 33)), tolerance=512),
    "gru": Case(run=lambda: nk.gru(numbers(12, 5, 20), lstm_weights(3, 20, 33)), tolerance=512),
}


def table() -> str:
    """The table of docs/operators.md."""
    lines = ["| function | classifiers agree within | of |", "| --- | ---: | --- |"]
    for name in sorted(CASES):
        case = CASES[name]
        bound = f"{case.tolerance:g} eps" if case.tolerance else "the same bits"
        lines.append(f"| `{name}` | {bound} | {case.relative_to if case.tolerance else ''} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
