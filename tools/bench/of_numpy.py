"""The rows of the suite, computed by NumPy where it has one function for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import data

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prepare", "versions"]


def versions() -> dict[str, str]:
    """Return what is measured."""
    return {"numpy": np.__version__}


def prepare(kind: str, p: dict[str, Any], threads: int) -> Callable[[], object]:
    """Return the call that is timed; raises LookupError where this library has no such function."""
    del threads  # the environment of the process says it
    if kind not in {"add", "multiply", "exp", "log", "tanh", "sum", "max", "argmax", "matmul", "small_add", "relu"}:
        raise LookupError(kind)
    if p.get("dtype") == "bfloat16":
        raise LookupError(kind)
    x = data.arrays(kind, p)
    if kind in {"add", "multiply"}:
        function, out = getattr(np, kind), np.empty_like(x[0])
        return lambda: function(x[0], x[1], out=out)
    if kind == "small_add":
        return lambda: np.add(x[0], x[1])
    if kind == "relu":
        out, zero = np.empty_like(x[0]), np.float32(0)
        return lambda: np.maximum(x[0], zero, out=out)
    if kind in data.UNARY:
        function, out = getattr(np, kind), np.empty_like(x[0])
        return lambda: function(x[0], out=out)
    if kind == "matmul":
        out = np.empty((p["m"], p["n"]), x[0].dtype)
        return lambda: np.matmul(x[0], x[1], out=out)
    function = getattr(np, kind)
    return lambda: function(x[0])
