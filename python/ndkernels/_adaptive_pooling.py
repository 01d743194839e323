"""Means and maxima of as many windows as are asked for, as in torch.nn.functional."""

from __future__ import annotations

from ndkernels import _pooling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels.typing import Array

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d",
    "adaptive_avg_pool3d_backward",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]


def adaptive_avg_pool1d(
    x: Array, /, output_size: int | Sequence[int | None] | None, *, layout: str | None = None, out: Array | None = None
) -> NDArray[Any]:
    """Return means, as `adaptive_avg_pool2d` does, of arrays (N, C, W); layouts "NCW" and "NWC"."""
    return _pooling.adaptive_pool("avg_pool", 1, x, output_size, False, layout, out)  # type: ignore[no-any-return]


def adaptive_max_pool1d(
    x: Array,
    /,
    output_size: int | Sequence[int | None] | None,
    return_indices: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> Any:
    """Return maxima, as `adaptive_max_pool2d` does, of arrays (N, C, W); layouts "NCW" and "NWC"."""
    return _pooling.adaptive_pool("max_pool", 1, x, output_size, return_indices, layout, out)


def adaptive_avg_pool1d_backward(grad: Array, /, x_shape: Sequence[int], *, layout: str | None = None) -> NDArray[Any]:
    """Return the gradient of `adaptive_avg_pool1d`'s argument, as `adaptive_avg_pool2d_backward` does."""
    return _pooling.adaptive_avg_pool_backward(1, grad, x_shape, layout)  # type: ignore[no-any-return]


def adaptive_avg_pool2d(
    x: Array, /, output_size: int | Sequence[int | None] | None, *, layout: str | None = None, out: Array | None = None
) -> NDArray[Any]:
    """Return the means of as many windows as are asked for.

    Along an axis of extent n, window i of m is [floor(i n / m), ceil((i + 1) n / m)): the definition of
    torch.nn.functional.adaptive_avg_pool2d.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, H, W) or (C, H, W).
    output_size
        The extents of the result: an integer for all axes, or one for each; None keeps an axis as it is.
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
        for an object that is no array, another dtype, and an `output_size` that is no integers.
    ValueError
        for another number of dimensions, an empty image, another device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), (1, 2))
    array([[[[6.5, 8.5]]]])
    """
    return _pooling.adaptive_pool("avg_pool", 2, x, output_size, False, layout, out)  # type: ignore[no-any-return]


def adaptive_max_pool2d(
    x: Array,
    /,
    output_size: int | Sequence[int | None] | None,
    return_indices: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> Any:
    """Return the maxima of as many windows as are asked for.

    The windows are those of `adaptive_avg_pool2d`, and the definition is that of torch.nn.functional.adaptive_max_pool2d.
    The gradient is `max_pool2d_backward`'s.

    Parameters
    ----------
    x
        An array of float32 or float64 of shape (N, C, H, W) or (C, H, W).
    output_size
        The extents of the result: an integer for all axes, or one for each; None keeps an axis as it is.
    return_indices
        Whether to return the places of the maxima too.
    layout
        "NCHW", or "NHWC" for the shape (N, H, W, C); None is the former.
    out
        Where the maxima go: a writable array of the result's shape and x's dtype.

    Returns
    -------
    `out`, or a new NumPy array of x's dtype; with `return_indices` a tuple of it and the places, as in `max_pool2d`.

    Raises
    ------
    TypeError
        for an object that is no array, another dtype, and an `output_size` that is no integers.
    ValueError
        for another number of dimensions, an empty image, another device, and an `out` that does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), (1, 2))
    array([[[[13., 15.]]]])
    """
    return _pooling.adaptive_pool("max_pool", 2, x, output_size, return_indices, layout, out)


def adaptive_avg_pool2d_backward(grad: Array, /, x_shape: Sequence[int], *, layout: str | None = None) -> NDArray[Any]:
    """Return the gradient of `adaptive_avg_pool2d`'s argument.

    Parameters
    ----------
    grad
        The gradient of the result, of float32 or float64.
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
        for an object that is no array, another dtype, and shapes that are no integers.
    ValueError
        for shapes that do not belong together.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d_backward(np.ones((1, 1, 1, 1)), (1, 1, 2, 2))
    array([[[[0.25, 0.25],
             [0.25, 0.25]]]])
    """
    return _pooling.adaptive_avg_pool_backward(2, grad, x_shape, layout)  # type: ignore[no-any-return]


def adaptive_avg_pool3d(
    x: Array, /, output_size: int | Sequence[int | None] | None, *, layout: str | None = None, out: Array | None = None
) -> NDArray[Any]:
    """Return means, as `adaptive_avg_pool2d` does, of arrays (N, C, D, H, W); layouts "NCDHW" and "NDHWC"."""
    return _pooling.adaptive_pool("avg_pool", 3, x, output_size, False, layout, out)  # type: ignore[no-any-return]


def adaptive_max_pool3d(
    x: Array,
    /,
    output_size: int | Sequence[int | None] | None,
    return_indices: bool = False,
    *,
    layout: str | None = None,
    out: Array | None = None,
) -> Any:
    """Return maxima, as `adaptive_max_pool2d` does, of arrays (N, C, D, H, W); layouts "NCDHW" and "NDHWC"."""
    return _pooling.adaptive_pool("max_pool", 3, x, output_size, return_indices, layout, out)


def adaptive_avg_pool3d_backward(grad: Array, /, x_shape: Sequence[int], *, layout: str | None = None) -> NDArray[Any]:
    """Return the gradient of `adaptive_avg_pool3d`'s argument, as `adaptive_avg_pool2d_backward` does."""
    return _pooling.adaptive_avg_pool_backward(3, grad, x_shape, layout)  # type: ignore[no-any-return]
