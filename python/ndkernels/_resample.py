"""Resampling of images, with the meaning of torch.nn.functional.interpolate."""

from __future__ import annotations

import math

from ndkernels import _binding
from ndkernels._checks import array, choice, flag, integers, number
from ndkernels._images import Layout, image, layout_for, read_shape, spatial_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = ["upsample", "upsample_backward"]

LINEAR = ("linear", "bilinear", "trilinear")


def _numbers(layout: Layout, mode: Any, align_corners: Any, factors: Sequence[float]) -> tuple[Any, Any]:
    """Return the integers and the numbers that the kernels take."""
    word = choice(mode, "mode", ("nearest", LINEAR[layout.spatial - 1], "nearest-exact"))
    align = flag(align_corners, "align_corners")
    if align and word != 1:
        raise ValueError(
            f"align_corners: is True, which says nothing for the mode {mode!r}. Leave it away, or pass the mode "
            f"{LINEAR[layout.spatial - 1]!r}."
        )
    return (layout.spatial, layout.last, word, int(align)), (*(0.0,) * (3 - layout.spatial), *factors)


def _extents(layout: Layout, own: Sequence[int], size: Any, scale_factor: Any) -> tuple[tuple[int, ...], list[float]]:
    """Return the spatial extents of the result, and the factors if these and no extents were given."""
    if (size is None) == (scale_factor is None):
        given = "neither is given" if size is None else "both are given"
        raise ValueError(f"size: it or scale_factor is needed, and {given}. Pass one of them.")
    if size is not None:
        return integers(size, layout.spatial, "size", least=1), [0.0] * layout.spatial
    if isinstance(scale_factor, (tuple, list)):
        if len(scale_factor) != layout.spatial:
            raise ValueError(
                f"scale_factor: has {len(scale_factor)} entries, and {layout.spatial} are needed. Pass {layout.spatial}, or "
                "one for all."
            )
    else:
        scale_factor = [scale_factor] * layout.spatial
    factors = [number(each, "scale_factor", least=0.0, most=2.0**31) for each in scale_factor]
    extents = tuple(math.floor(extent * factor) for extent, factor in zip(own, factors, strict=True))
    if min(extents) < 1:
        raise ValueError(f"scale_factor: {scale_factor} leaves nothing of an image of {tuple(own)}. Pass a larger one.")
    return extents, factors


def upsample(
    x: Array,
    /,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> NDArray[Any]:
    """Return images of another size.

    The definition is that of torch.nn.functional.interpolate. A given scale_factor is used as it is, also where the
    extents that follow from it are rounded down.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, spatial...) with one to three spatial axes.
    size
        The spatial extents of the result: an integer for all axes, or one for each.
    scale_factor
        How much larger the result is, instead of `size`: a number for all axes, or one for each. Below 1 it is smaller;
        nothing is smoothed then.
    mode
        "nearest" takes the element floor(i / scale), "nearest-exact" floor((i + 0.5) / scale). "linear" with one
        spatial axis, "bilinear" with two and "trilinear" with three interpolate between neighbours.
    align_corners
        Whether the centres of the corner elements lie upon each other, instead of the corners of the images. Only for
        the linear modes.
    layout
        "NCHW" or, for the shape (N, H, W, C), "NHWC"; with one spatial axis "NCW" and "NWC", with three "NCDHW" and
        "NDHWC" (the former names are taken too). None is the first of them.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and arguments that are no numbers.
    ValueError
        for another number of dimensions, an empty image or result, a mode that the number of axes does not have, another
        device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> upsample(np.float64([[[0, 1]]]), scale_factor=2)
    array([[[0., 0., 1., 1.]]])
    >>> upsample(np.float64([[[0, 1]]]), size=4, mode="linear")
    array([[[0.  , 0.25, 0.75, 1.  ]]])
    """
    x = array(x, "x")
    x, found = image(x, spatial_of(x.ndim, "x"), layout)
    extents, factors = _extents(found, found.extents(x.shape), size, scale_factor)
    numbers = _numbers(found, mode, align_corners, factors)
    return _binding.call("upsample", (x,), ((found.shape(x.shape, extents), x.dtype, out),), *numbers)  # type: ignore[no-any-return]


def upsample_backward(
    grad: Array,
    /,
    x_shape: Sequence[int],
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    *,
    layout: str | None = None,
) -> NDArray[Any]:
    """Return the gradient of `upsample`'s argument.

    Parameters
    ----------
    grad
        The gradient of the result, of float32 or float64.
    x_shape
        The shape of the argument.
    scale_factor, mode, align_corners, layout
        What `upsample` was given; no scale_factor where it was given a size.

    Returns
    -------
    A new NumPy array of shape `x_shape` and grad's dtype.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and arguments that are no numbers.
    ValueError
        for shapes that do not belong together, and a mode that the number of axes does not have.

    Examples
    --------
    >>> import numpy as np
    >>> upsample_backward(np.float64([[[1, 2, 3, 4]]]), (1, 1, 2))
    array([[[3., 7.]]])
    """
    grad = array(grad, "grad")
    found = layout_for(grad.ndim, spatial_of(grad.ndim, "grad"), layout, "grad")
    shape = read_shape(x_shape, grad, found)
    extents, factors = found.extents(grad.shape), [0.0] * found.spatial
    if scale_factor is not None:
        extents, factors = _extents(found, found.extents(shape), None, scale_factor)
    if found.extents(grad.shape) != extents:
        raise ValueError(
            f"grad: has shape {grad.shape}, and {found.shape(shape, extents)} is what x_shape {shape} gives. Pass the "
            "arguments of the forward function."
        )
    numbers = _numbers(found, mode, align_corners, factors)
    return _binding.call("upsample_backward", (grad,), ((shape, grad.dtype, None),), *numbers)  # type: ignore[no-any-return]
