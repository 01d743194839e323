"""What is measured: the rows of the suite, with their shapes, their work and their targets.

A row says what is computed, never how: each library's own module knows which of its functions does it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the suite."""

    name: str
    family: str
    kind: str  # the name of the function in the modules of the libraries
    parameters: dict[str, Any] = field(default_factory=dict)
    flops: float = 0.0  # floating-point operations of the definition, not of a faster algorithm
    bytes: float = 0.0  # that must be read and written once
    target: float | None = None  # ratio to the best peer on one thread with avx512, on a machine that has it


_ITEM = {"float32": 4, "float64": 8, "bfloat16": 2, "int8": 1}


def _matmul(size: int, dtype: str, target: float | None) -> Case:
    return Case(
        name=f"matmul {dtype} {size}",
        family="matmul",
        kind="matmul",
        parameters={"m": size, "k": size, "n": size, "dtype": dtype},
        flops=2.0 * size**3,
        bytes=3.0 * size * size * _ITEM[dtype],
        target=target,
    )


def _elementwise(kind: str, size: int, operands: int, target: float, flops: float = 1.0) -> Case:
    where = {4096: "in cache", 1 << 18: "in cache", 1 << 24: "out of cache"}[size]
    return Case(
        name=f"{kind} {where}",
        family="elementwise",
        kind=kind,
        parameters={"size": size},
        flops=flops * size,
        bytes=4.0 * size * (operands + 1),
        target=target,
    )


def _reduction(kind: str, size: int, target: float) -> Case:
    return Case(
        name=f"{kind} {'in' if size < 1 << 20 else 'out of'} cache",
        family="reduction",
        kind=kind,
        parameters={"size": size},
        flops=float(size),
        bytes=4.0 * size,
        target=target,
    )


# The distinct convolutions of ResNet-50 (He et al., 2015, table 1; the stride is in the 3 x 3 convolution, as torchvision
# has it): input channels, output channels, kernel, stride, extent of the input.
_RESNET = (
    (3, 64, 7, 2, 224),
    (64, 64, 1, 1, 56), (64, 64, 3, 1, 56), (64, 256, 1, 1, 56), (256, 64, 1, 1, 56),
    (256, 128, 1, 1, 56), (128, 128, 3, 2, 56), (128, 512, 1, 1, 28), (256, 512, 1, 2, 56), (512, 128, 1, 1, 28),
    (128, 128, 3, 1, 28),
    (512, 256, 1, 1, 28), (256, 256, 3, 2, 28), (256, 1024, 1, 1, 14), (512, 1024, 1, 2, 28), (1024, 256, 1, 1, 14),
    (256, 256, 3, 1, 14),
    (1024, 512, 1, 1, 14), (512, 512, 3, 2, 14), (512, 2048, 1, 1, 7), (1024, 2048, 1, 2, 14), (2048, 512, 1, 1, 7),
    (512, 512, 3, 1, 7),
)  # fmt: skip


def _conv(batch: int, row: tuple[int, int, int, int, int]) -> Case:
    channels, filters, kernel, stride, extent = row
    padding = kernel // 2
    result = (extent + 2 * padding - kernel) // stride + 1
    return Case(
        name=f"conv2d {batch}x{channels}x{extent} {filters} {kernel}x{kernel}/{stride}",
        family="convolution",
        kind="conv2d",
        parameters={
            "batch": batch, "channels": channels, "filters": filters, "kernel": kernel, "stride": stride,
            "padding": padding, "extent": extent,
        },
        flops=2.0 * batch * filters * result * result * channels * kernel * kernel,
        bytes=4.0 * (batch * (channels * extent * extent + filters * result * result) + filters * channels * kernel**2),
        target=0.8,
    )  # fmt: skip


def _layer(kind: str, shape: tuple[int, ...], target: float, passes: float = 2.0, **parameters: Any) -> Case:
    size = 1
    for extent in shape:
        size *= extent
    return Case(
        name=f"{kind} {'x'.join(map(str, shape))}",
        family="pooling" if "pool" in kind else "normalization",
        kind=kind,
        parameters={"shape": shape, **parameters},
        bytes=4.0 * size * passes,
        target=target,
    )


def _lstm(batch: int) -> Case:
    time, size = 64, 256
    return Case(
        name=f"lstm T {time}, B {batch}, {size} to {size}",
        family="recurrent",
        kind="lstm",
        parameters={"time": time, "batch": batch, "inputs": size, "hidden": size},
        flops=2.0 * time * batch * 4 * size * 2 * size,
        bytes=4.0 * (2 * 4 * size * size + 2 * time * batch * size),
        target=1.0,
    )


def _linear(k: int, n: int) -> Case:
    return Case(
        name=f"linear b1 packed {k} to {n}",
        family="prepacked",
        kind="linear_packed",
        parameters={"m": 1, "k": k, "n": n},
        flops=2.0 * k * n,
        bytes=4.0 * k * n,
        target=1.0,
    )


def _packed(case: Case) -> Case:
    """Return a row with weights that are prepacked; a peer that has nothing like it is called as a user calls it."""
    return replace(case, name=f"{case.name} packed", family="prepacked", kind=f"{case.kind}_packed", target=1.0)


CASES: tuple[Case, ...] = (
    *(_matmul(size, "float32", 1.0 if size <= 128 else 0.95) for size in (64, 128, 512, 1024, 2048)),
    _matmul(1024, "float64", 0.95),
    _matmul(1024, "bfloat16", 1.0),
    *(_elementwise(kind, 4096, operands, 1.0) for kind, operands in (("add", 2), ("multiply", 2), ("relu", 1))),
    *(_elementwise(kind, 1 << 24, operands, 1.0) for kind, operands in (("add", 2), ("multiply", 2), ("relu", 1))),
    *(_elementwise(kind, 1 << 18, 1, 1.5) for kind in ("exp", "log", "tanh", "sigmoid", "gelu", "erf")),
    *(_reduction(kind, size, 1.0) for kind in ("sum", "max", "argmax") for size in (1 << 16, 1 << 24)),
    _layer("softmax", (512, 1024), 1.1),
    _layer("layer_norm", (4096, 768), 1.1),
    _layer("batch_norm", (8, 64, 56, 56), 1.1),
    _layer("max_pool2d", (8, 64, 112, 112), 5.0, 1.25, kernel=3, stride=2, padding=1),
    _layer("avg_pool2d", (8, 256, 28, 28), 5.0, 1.25, kernel=2, stride=2, padding=0),
    _layer("local_response_norm", (8, 96, 27, 27), 5.0, window=5),
    *(_conv(batch, row) for batch in (1, 8) for row in _RESNET),
    _lstm(32),
    _lstm(1),
    *(_linear(k, n) for k, n in ((1024, 1024), (4096, 1024), (1024, 4096))),
    *(_packed(_conv(1, row)) for row in _RESNET),
    _packed(_lstm(1)),
    Case(
        name="add of 16 elements (the call)", family="call", kind="small_add", parameters={"size": 16},
        flops=16.0, bytes=192.0, target=1.0,
    ),
)  # fmt: skip
