"""The rows of the suite, computed by ndkernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import data

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prepare", "versions"]


def versions() -> dict[str, str]:
    """Return what is measured."""
    import ndkernels

    return {"ndkernels": ndkernels.__version__, "classifier": ndkernels.show_config("dicts")["classifier"]}


def prepare(kind: str, p: dict[str, Any], threads: int) -> Callable[[], object]:
    """Return the call that is timed; raises LookupError where this library has no such function."""
    import ndkernels

    nk: Any = ndkernels  # an older one may lack some of the functions
    nk.set_num_threads(threads)
    x = data.arrays(kind, p)
    if kind in {"add", "multiply"}:
        function, out = getattr(nk, kind), np.empty_like(x[0])
        return lambda: function(x[0], x[1], out=out)
    if kind == "small_add":
        return lambda: nk.add(x[0], x[1])
    if kind in data.UNARY:
        function, out = getattr(nk, kind), np.empty_like(x[0])
        return lambda: function(x[0], out=out)
    if kind in data.REDUCTIONS:
        function = getattr(nk, kind)
        return lambda: function(x[0])
    if kind == "matmul":
        out = np.empty((p["m"], p["n"]), x[0].dtype)
        return lambda: nk.matmul(x[0], x[1], out=out)
    if kind == "softmax":
        return lambda: nk.softmax(x[0])
    if kind == "layer_norm":
        return lambda: nk.layer_norm(x[0], (p["shape"][-1],), x[1], x[2])
    if kind == "batch_norm":
        return lambda: nk.batch_norm(*x)
    if kind in {"max_pool2d", "avg_pool2d"}:
        function = getattr(nk, kind)
        return lambda: function(x[0], p["kernel"], stride=p["stride"], padding=p["padding"])
    if kind == "local_response_norm":
        return lambda: nk.local_response_norm(x[0], p["window"])
    if kind == "conv2d":
        return lambda: nk.conv2d(x[0], x[1], x[2], stride=p["stride"], padding=p["padding"])
    if kind == "linear_packed":
        packed = nk.prepack("linear", x[1])
        return lambda: nk.linear(x[0], packed, x[2])
    if kind == "conv2d_packed":
        options = {"stride": p["stride"], "padding": p["padding"]}
        packed = nk.prepack("conv2d", x[1], input_shape=x[0].shape, **options)
        return lambda: nk.conv2d(x[0], packed, x[2], **options)
    if kind == "lstm_packed":
        packed = nk.prepack("lstm", tuple(x[1:]))
        return lambda: nk.lstm(x[0], packed)
    if kind == "lstm":
        return lambda: nk.lstm(x[0], [tuple(x[1:])])
    raise LookupError(kind)
