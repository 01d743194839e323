"""Means of windows, with the names and the meaning of torch.nn.functional."""

from __future__ import annotations

from ndkernels import _pooling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = [
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
]


def avg_pool1d(
    x: Array,
    /,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the means of windows, as `avg_pool2d` does, of arrays (N, C, W); layouts "NCW" and "NWC"."""
    return _pooling.avg_pool(  # type: ignore[no-any-return]
        1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, layout, out
    )


def avg_pool1d_backward(
    grad: Array,
    /,
    x_shape: Sequence[int],
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    layout: str | None = None,
) -> NDArray[Any]:
    """Return the gradient of `avg_pool1d`'s argument, as `avg_pool2d_backward` does."""
    return _pooling.avg_pool_backward(  # type: ignore[no-any-return]
        1, grad, x_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, layout
    )


def avg_pool2d(
    x: Array,
    /,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the means of windows that are moved over images.

    The definition is that of torch.nn.functional.avg_pool2d, and with `count_include_pad=False` of ONNX's AveragePool.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, H, W) or (C, H, W).
    kernel_size
        The extents of a window: an integer for all axes, or one for each.
    stride
        How far windows are apart; None for `kernel_size`.
    padding
        How much is put around the image, at most half of `kernel_size`; zeros.
    ceil_mode
        Whether a last window may reach over the padding's end. It has to start in the image or before it.
    count_include_pad
        Whether the mean is over the padding too; never over what lies behind it.
    layout
        "NCHW", or "NHWC" for the shape (N, H, W, C); None is the former.
    out
        Where the result goes: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype.

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
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    return _pooling.avg_pool(  # type: ignore[no-any-return]
        2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, layout, out
    )


def avg_pool2d_backward(
    grad: Array,
    /,
    x_shape: Sequence[int],
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    layout: str | None = None,
) -> NDArray[Any]:
    """Return the gradient of `avg_pool2d`'s argument.

    Parameters
    ----------
    grad
        The gradient of the means, of float32 or float64.
    x_shape
        The shape of the argument.
    kernel_size, stride, padding, ceil_mode, count_include_pad, layout
        What `avg_pool2d` was given.

    Returns
    -------
    A new NumPy array of shape `x_shape` and grad's dtype.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and arguments that are no integers.
    ValueError
        for shapes that do not belong together, and windows that `avg_pool2d` does not accept.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d_backward(np.ones((1, 1, 1, 1)), (1, 1, 2, 2), 2)
    array([[[[0.25, 0.25],
             [0.25, 0.25]]]])
    """
    return _pooling.avg_pool_backward(  # type: ignore[no-any-return]
        2, grad, x_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, layout
    )


def avg_pool3d(
    x: Array,
    /,
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> NDArray[Any]:
    """Return the means of windows, as `avg_pool2d` does, of arrays (N, C, D, H, W); layouts "NCDHW" and "NDHWC"."""
    return _pooling.avg_pool(  # type: ignore[no-any-return]
        3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, layout, out
    )


def avg_pool3d_backward(
    grad: Array,
    /,
    x_shape: Sequence[int],
    kernel_size: int | tuple[int, int, int],
    stride: int | tuple[int, int, int] | None = None,
    padding: int | tuple[int, int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    layout: str | None = None,
) -> NDArray[Any]:
    """Return the gradient of `avg_pool3d`'s argument, as `avg_pool2d_backward` does."""
    return _pooling.avg_pool_backward(  # type: ignore[no-any-return]
        3, grad, x_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, layout
    )
