"""Images, (N, C, spatial...) or (N, spatial..., C): what pooling and resampling ask of their shapes and layouts."""

from __future__ import annotations

from ndkernels._checks import array, choice, integers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["LAYOUTS", "Layout", "image", "layout_for", "read_shape", "spatial_of"]

LAYOUTS = (("NCW", "NWC"), ("NCHW", "NHWC"), ("NCDHW", "NDHWC"))


class Layout:
    """Where the axes of an image are."""

    __slots__ = ("batched", "last", "spatial")

    def __init__(self, spatial: int, last: int, *, batched: bool) -> None:
        self.spatial = spatial
        self.last = last
        self.batched = batched

    def extents(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial extents of a shape."""
        start = self.batched + 1 - self.last
        return tuple(shape[start : start + self.spatial])

    def shape(self, like: Sequence[int], extents: Sequence[int]) -> tuple[int, ...]:
        """Return a shape with other spatial extents."""
        start = self.batched + 1 - self.last
        return (*like[:start], *extents, *like[start + self.spatial :])


def layout_for(ndim: int, spatial: int, layout: Any, name: str) -> Layout:
    """Return the layout of an array of `ndim` dimensions; one without a batch has an axis less."""
    words = LAYOUTS[spatial - 1]
    if layout in LAYOUTS[1]:  # for any number of axes, as in the convolutions
        layout = words[LAYOUTS[1].index(layout)]
    last = choice(words[0] if layout is None else layout, "layout", words)
    word = words[last]
    if ndim not in {spatial + 1, spatial + 2}:
        raise ValueError(
            f"{name}: has {ndim} dimensions; accepted are {spatial + 2} ({', '.join(word)}) and {spatial + 1} "
            f"({', '.join(word[1:])}). Reshape it."
        )
    return Layout(spatial, last, batched=ndim == spatial + 2)


def image(x: Array, spatial: int, layout: Any, name: str = "x") -> tuple[NDArray[Any], Layout]:
    """Return an array of float32 or float64, and its layout; no spatial axis of it is empty."""
    checked = array(x, name)
    found = layout_for(checked.ndim, spatial, layout, name)
    if 0 in found.extents(checked.shape):
        raise ValueError(
            f"{name}: has shape {checked.shape}, a spatial axis of which is empty. Pass an image with elements."
        )
    return checked, found


def read_shape(value: Any, grad: NDArray[Any], layout: Layout, name: str = "x_shape") -> tuple[int, ...]:
    """Return the shape of what a gradient belongs to."""
    shape = integers(tuple(value) if isinstance(value, (tuple, list)) else value, grad.ndim, name)
    if layout.shape(shape, layout.extents(grad.shape)) != grad.shape:
        raise ValueError(
            f"{name}: {shape} has another batch or other channels than the gradient of shape {grad.shape}. Pass the shape "
            "that the array had in the forward direction."
        )
    if 0 in layout.extents(shape):
        raise ValueError(f"{name}: a spatial axis of {shape} is empty. Pass the shape of an image with elements.")
    return shape


def spatial_of(ndim: int, name: str) -> int:
    """Return the number of spatial axes of an image with a batch."""
    if not 3 <= ndim <= 5:
        raise ValueError(
            f"{name}: has {ndim} dimensions; accepted are 3 to 5: batch, channels and one to three spatial axes. Reshape it."
        )
    return ndim - 2
