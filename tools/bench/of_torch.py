"""The rows of the suite, computed by torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import data

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prepare", "versions"]


def versions() -> dict[str, str]:
    """Return what is measured."""
    import torch

    return {"torch": torch.__version__}


def prepare(kind: str, p: dict[str, Any], threads: int) -> Callable[[], object]:
    """Return the call that is timed; raises LookupError where this library has no such function."""
    import torch
    from torch.nn import functional as f

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    if p.get("dtype") == "bfloat16":
        x = [torch.from_numpy(each.astype("float32")).to(torch.bfloat16) for each in data.arrays(kind, p)]
    else:
        x = [torch.from_numpy(each) for each in data.arrays(kind, p)]
    if kind == "linear_packed":
        return lambda: f.linear(x[0], x[1], x[2])
    kind = kind.removesuffix("_packed")
    if kind in {"add", "multiply"}:
        function, out = getattr(torch, kind), torch.empty_like(x[0])
        return lambda: function(x[0], x[1], out=out)
    if kind == "small_add":
        return lambda: torch.add(x[0], x[1])
    if kind == "relu":
        return lambda: torch.relu(x[0])
    if kind == "gelu":
        return lambda: f.gelu(x[0])
    if kind in data.UNARY:
        function, out = getattr(torch, kind), torch.empty_like(x[0])
        return lambda: function(x[0], out=out)
    if kind in data.REDUCTIONS:
        function = getattr(torch, kind)
        return lambda: function(x[0])
    if kind == "matmul":
        out = torch.empty((p["m"], p["n"]), dtype=x[0].dtype)
        return lambda: torch.matmul(x[0], x[1], out=out)
    if kind == "softmax":
        return lambda: torch.softmax(x[0], -1)
    if kind == "layer_norm":
        return lambda: f.layer_norm(x[0], (p["shape"][-1],), x[1], x[2])
    if kind == "batch_norm":
        return lambda: f.batch_norm(x[0], x[1], x[2], x[3], x[4])
    if kind in {"max_pool2d", "avg_pool2d"}:
        function = getattr(f, kind)
        return lambda: function(x[0], p["kernel"], stride=p["stride"], padding=p["padding"])
    if kind == "local_response_norm":
        return lambda: f.local_response_norm(x[0], p["window"])
    if kind == "conv2d":
        return lambda: f.conv2d(x[0], x[1], x[2], stride=p["stride"], padding=p["padding"])
    if kind == "lstm":
        module = torch.nn.LSTM(p["inputs"], p["hidden"])
        for parameter, value in zip(module.parameters(), x[1:], strict=True):
            parameter.copy_(value)
        return lambda: module(x[0])
    raise LookupError(kind)
