"""The inputs of the rows: the same numbers for every library."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["REDUCTIONS", "UNARY", "arrays"]

UNARY = frozenset({"relu", "exp", "log", "tanh", "sigmoid", "gelu", "erf"})
REDUCTIONS = frozenset({"sum", "max", "argmax"})


def arrays(kind: str, p: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    """Return the inputs of a row, those of the weights after those of the data."""
    random = np.random.default_rng(0)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray[Any, Any]:
        found: np.ndarray[Any, Any] = random.standard_normal(shape, dtype=np.float32)
        found *= np.float32(scale)
        return found

    if kind == "log":
        return [random.random(p["size"], dtype=np.float32) * np.float32(100) + np.float32(1e-3)]
    if kind in UNARY or kind in REDUCTIONS:
        return [normal(p["size"], scale=3.0)]
    if kind in {"add", "multiply", "small_add"}:
        return [normal(p["size"]), normal(p["size"])]
    if kind == "matmul":
        return [_cast(normal(p["m"], p["k"]), p["dtype"]), _cast(normal(p["k"], p["n"]), p["dtype"])]
    if kind == "linear_packed":
        return [normal(p["m"], p["k"]), normal(p["n"], p["k"], scale=0.1), normal(p["n"])]
    kind = kind.removesuffix("_packed")
    if kind == "layer_norm":
        return [normal(*p["shape"]), normal(p["shape"][-1]), normal(p["shape"][-1])]
    if kind == "batch_norm":
        channels = p["shape"][1]
        return [
            normal(*p["shape"]),
            normal(channels),
            normal(channels) ** 2 + np.float32(0.1),
            normal(channels),
            normal(channels),
        ]
    if kind == "conv2d":
        return [
            normal(p["batch"], p["channels"], p["extent"], p["extent"]),
            normal(p["filters"], p["channels"], p["kernel"], p["kernel"], scale=0.1),
            normal(p["filters"]),
        ]
    if kind == "lstm":
        gates = 4 * p["hidden"]
        return [
            normal(p["time"], p["batch"], p["inputs"]),
            normal(gates, p["inputs"], scale=0.06),
            normal(gates, p["hidden"], scale=0.06),
            normal(gates, scale=0.06),
            normal(gates, scale=0.06),
        ]
    return [normal(*p["shape"])]


def _cast(x: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    if dtype != "bfloat16":
        return x.astype(dtype)
    import ml_dtypes

    return x.astype(ml_dtypes.bfloat16)
