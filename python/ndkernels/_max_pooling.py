"""Maxima of windows, with the names and the meaning of torch.nn.functional."""

from __future__ import annotations

from ndkernels import _pooling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = [
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
]


def max_pool1d(
    x: Array,
    /,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] = 0,
    dilation: int | tuple[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> Any:
    """Return the maxima of windows, as `max_pool2d` does, of arrays (N, C, W); layouts "NCW" and "NWC"."""
    return _pooling.max_pool(1, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, out)


def max_pool1d_backward(
    grad: Array, indices: Array, /, x_shape: Sequence[int], *, layout: str | None = None
) -> NDArray[Any]:
    """Return the gradient of `max_pool1d`'s argument, as `max_pool2d_backward` does."""
    return _pooling.max_pool_backward(1, grad, indices, x_shape, layout)  # type: ignore[no-any-return]


def max_pool2d(
    x: Array,
    /,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> Any:
    """Return the maxima of windows that are moved over images.

    The definition is that of torch.nn.functional.max_pool2d and, for the values, of ONNX's MaxPool.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, H, W) or (C, H, W).
    kernel_size
        The extents of a window: an integer for all axes, or one for each.
    stride
        How far windows are apart; None for `kernel_size`.
    padding
        How much is put around the image, at most half of `kernel_size`; -inf.
    dilation
        How far the elements of a window are apart.
    ceil_mode
        Whether a last window may reach over the padding's end. It has to start in the image or before it.
    return_indices
        Whether to return the places of the maxima too.
    layout
        "NCHW", or "NHWC" for the shape (N, H, W, C); None is the former.
    out
        Where the maxima go: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; with `return_indices` a tuple of it and an int64 array of the places, flat
    over the spatial axes: of the first of equal elements. NaN propagates, and the place is the last NaN's. A window
    whose dilation makes it miss all of the image gives -inf and -1.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and arguments that are no integers.
    ValueError
        for another number of dimensions, windows that do not fit, padding of more than half of the kernel size, another
        device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return _pooling.max_pool(2, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, out)


def max_pool2d_backward(
    grad: Array, indices: Array, /, x_shape: Sequence[int], *, layout: str | None = None
) -> NDArray[Any]:
    """Return the gradient of `max_pool2d`'s argument; of `adaptive_max_pool2d`'s too.

    Parameters
    ----------
    grad
        The gradient of the maxima, of float32 or float64.
    indices
        Their places, int64, as the forward function returned them. Nothing goes to -1.
    x_shape
        The shape of the argument.
    layout
        "NCHW", or "NHWC" for the shape (N, H, W, C); None is the former.

    Returns
    -------
    A new NumPy array of shape `x_shape` and grad's dtype.

    Raises
    ------
    TypeError
        for an object that is no array, and another dtype.
    ValueError
        for shapes that do not belong together, and indices that lie outside of the image.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d_backward(np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 2), (1, 1, 2, 2))
    array([[[[0., 0.],
             [1., 0.]]]])
    """
    return _pooling.max_pool_backward(2, grad, indices, x_shape, layout)  # type: ignore[no-any-return]


def max_pool3d(
    x: Array,
    /,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] = 0,
    dilation: int | tuple[int, int, int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> Any:
    """Return the maxima of windows, as `max_pool2d` does, of arrays (N, C, D, H, W); layouts "NCDHW" and "NDHWC"."""
    return _pooling.max_pool(3, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, out)


def max_pool3d_backward(
    grad: Array, indices: Array, /, x_shape: Sequence[int], *, layout: str | None = None
) -> NDArray[Any]:
    """Return the gradient of `max_pool3d`'s argument, as `max_pool2d_backward` does."""
    return _pooling.max_pool_backward(3, grad, indices, x_shape, layout)  # type: ignore[no-any-return]
